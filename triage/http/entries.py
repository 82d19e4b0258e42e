"""`PUT /v1/entries/{id}` and the entries of an incident."""

from datetime import datetime, timedelta
from typing import Annotated, Any, cast
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

from triage.access.actors import Actor
from triage.http.asked import Asked
from triage.http.messages import (
    NO_STORE,
    Answer,
    a_time,
    an_id,
    header,
    in_json,
    in_problem,
    require_acceptable,
)
from triage.log.append_decision import IncomingEntry, Receipt, Stale
from triage.log.canonical import canonical
from triage.log.decode import decode
from triage.log.entries import SEALED, AnyEntry, Intent, Nurse, Officer, Paramedic
from triage.log.notices import Notice
from triage.log.view import IncidentView
from triage.problems import FORBIDDEN, WRONG_PROFESSION, Problem, Refused
from triage.service import Service
from triage.store.log.append import Appended
from triage.store.log.incidents import ServedEntry
from triage.store.log.quarantine import Refusal

_PROFESSIONS: dict[type[Any], str] = {Officer: "police", Intent: "police", Nurse: "nurse", Paramedic: "paramedic"}
_encode = msgspec.json.Encoder().encode
_MILLISECOND = timedelta(milliseconds=1)


class Stored(Struct, frozen=True, kw_only=True):
    """The answer to an entry: its place in the log, what is odd about it, and the incident as its author may see it."""

    id: UUID
    incident_id: UUID
    seq: int
    status: Annotated[str, Meta(extra_json_schema={"enum": ["stored", "duplicate"]})]
    received_at: datetime
    clock_skew_ms: int | None
    notices: tuple[Notice, ...]
    incident: IncidentView | None


async def put_entry(asked: Asked) -> Answer:
    """Store one entry, or say why not; what was refused is kept in quarantine."""
    service = asked.service
    actor = await asked.remembered_actor()
    try:
        require_acceptable(asked.scope, "application/json")
        actor.require("entries.write")
        body = await asked.body()
        entry_id = an_id(asked.path("id"), "id")
        skew_ms = _skew(asked)
    except Refused:
        await asked.actor()  # no append asks whether what is remembered still holds
        raise
    try:
        entry = decode(body, entry_id)
        check_profession(actor, entry)
    except Refused as refused:
        actor = await asked.actor("entries.write")
        await service.quarantine.keep(actor, [Refusal(entry_id, body, refused.problem, skew_ms)])
        raise
    item = IncomingEntry(id=entry_id, entry=entry, content=canonical(entry), actor=actor, skew_ms=skew_ms)
    [appended] = await service.log.append(actor.team_id, [item])
    if isinstance(appended.result, Stale):
        item.actor = actor = await asked.actor("entries.write")
        check_profession(actor, entry)
        [appended] = await service.log.append(actor.team_id, [item])
    if isinstance(appended.result, Receipt):
        return await receipt(service, actor, appended, asked.now)
    if isinstance(appended.result, Problem):
        await service.quarantine.keep(actor, [Refusal(entry_id, body, appended.result, skew_ms)])
        return refusal(appended.result)
    raise Refused(FORBIDDEN)


async def receipt(service: Service, actor: Actor, appended: Appended, now: datetime) -> Answer:
    """201 for what is new, 200 for what was sent before, with the incident as the actor may see it."""
    result, group = appended.result, appended.group
    assert isinstance(result, Receipt) and group
    if result.status == "duplicate":  # a new entry is the record of its own reading
        await service.incidents.record_reading(actor, "entry", [group.root])
    answer = Stored(
        id=result.id,
        incident_id=result.incident_id,
        seq=result.seq,
        status=result.status,
        received_at=result.received_at,
        clock_skew_ms=result.clock_skew_ms,
        notices=result.notices,
        # encoded once for all that see the same
        incident=cast(IncidentView, await service.incidents.after_append(actor, group, now)),
    )
    return Answer(201 if result.status == "stored" else 200, _encode(answer), headers=[NO_STORE])


def refusal(problem: Problem) -> Answer:
    """The answer to one entry that the log refused."""
    refused = Refused.__new__(Refused)
    refused.problem, refused.retry_after = problem, None
    return in_problem(refused)


def check_profession(actor: Actor, entry: AnyEntry) -> None:
    """Raises Refused (403) where the kind does not fit the actor's profession."""
    wanted = _PROFESSIONS.get(type(entry))
    if wanted is not None and wanted != actor.profession:
        raise Refused(WRONG_PROFESSION)


def skew_of(sent_at: datetime, now: datetime) -> int:
    """The phone's clock minus the service's, in whole milliseconds."""
    return (sent_at - now) // _MILLISECOND


def _skew(asked: Asked) -> int | None:
    text = header(asked.scope, b"triage-sent-at")
    sent_at = a_time({} if text is None else {"Triage-Sent-At": text}, "Triage-Sent-At")
    return None if sent_at is None else skew_of(sent_at, asked.now)


async def get_entries(asked: Asked) -> Answer:
    """Every entry of an incident, without the fields that the reader may not see."""
    require_acceptable(asked.scope, "application/json")
    actor = await asked.actor("incidents.read")
    shown = await asked.service.incidents.entries(actor, an_id(asked.path("id"), "id"))
    changes = _changes(shown)
    return in_json({"entries": [_listed(one, changes.get(one.held.id, []), actor) for one in shown]})


def _changes(shown: list[ServedEntry]) -> dict[UUID, list[dict[str, Any]]]:
    """What amends or withdraws each entry, in the order of the log."""
    changes: dict[UUID, list[dict[str, Any]]] = {}
    for one in shown:
        entry = one.held.entry
        for how in ("amends", "withdraws"):
            if target := getattr(entry, how, None):
                changes.setdefault(target, []).append({"id": one.held.id, "seq": one.held.seq, "how": how})
    return changes


def _listed(one: ServedEntry, changes: list[dict[str, Any]], actor: Actor) -> dict[str, Any]:
    """Notices are its author's alone: they rest on what she may see, and could tell others what they may not."""
    held = one.held
    return _content(one) | {
        "id": held.id,
        "seq": held.seq,
        "received_at": held.received_at,
        "author": held.author,
        "profession": held.profession,
        "role": held.role,
        "device": held.device,
        "clock_skew_ms": held.skew_ms,
        "blind": held.blind,
        "released_by": held.released_by,
        "amendments": changes,
        "notices": msgspec.Raw(one.notices) if held.author == actor.staff_id else [],
        "link": one.link.hex(),
    }


def _content(one: ServedEntry) -> dict[str, Any]:
    """The content as redacted, with the texts that were left in place of their markers."""
    content: dict[str, Any] = msgspec.to_builtins(one.held.entry)
    texts = msgspec.json.decode(one.secrets, type=dict[str, str]) if one.secrets else {}
    for path, text in texts.items():
        *parts, name = path.split(".")
        holder: Any = content
        for part in parts:
            holder = holder.get(part) or {}
        if holder.get(name) == SEALED:
            holder[name] = text
    return content

"""`POST /v1/sync`: everything a phone needs in one round trip."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from triage.access.actors import Actor
from triage.http.asked import Asked
from triage.http.entries import check_profession, skew_of
from triage.http.messages import NO_STORE, Answer, in_json, require_acceptable
from triage.log.append_decision import IncomingEntry, Receipt, Stale
from triage.log.canonical import canonical
from triage.log.decode import decode_as, decode_item
from triage.log.entries import Time
from triage.log.notices import Notice
from triage.problems import BUSY, DEVICE_REVOKED, QUARANTINE_FULL, TOO_MANY_ITEMS, Problem, Refused
from triage.service import Service
from triage.store.log import cursor, pull
from triage.store.log.quarantine import Refusal

_encode = msgspec.json.Encoder().encode

# what is passed on unread is described all the same
SentEntry = Annotated[
    Raw, Meta(extra_json_schema={"allOf": [{"$ref": "#/components/schemas/AnyEntry"}], "required": ["id"]})
]
SeenIncident = Annotated[Raw, Meta(extra_json_schema={"$ref": "#/components/schemas/View"})]
ItemStatus = Annotated[str, Meta(extra_json_schema={"enum": ["stored", "duplicate", "refused", "quarantined"]})]


class SyncRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """`cursor` null starts afresh. `sent_at` lets the service measure the phone's clock."""

    cursor: str | UnsetType | None = UNSET
    sent_at: Time | UnsetType | None = UNSET
    entries: list[SentEntry] | UnsetType = UNSET


class Counts(Struct, frozen=True, kw_only=True):
    """How many items ended how."""

    stored: int
    duplicate: int
    refused: int
    quarantined: int


class ItemResult(Struct, frozen=True, kw_only=True):
    """What became of one item, in request order. `id` is null where the item had none that can be read."""

    id: UUID | None
    status: ItemStatus
    seq: int | UnsetType = UNSET
    notices: tuple[Notice, ...] | UnsetType = UNSET
    problem: Problem | UnsetType = UNSET


class SyncAnswer(Struct, frozen=True, kw_only=True):
    """What changed for the phone; `gone` is to be wiped, `more` says that another page waits behind `cursor`."""

    counts: Counts
    results: list[ItemResult]
    incidents: list[SeenIncident]
    gone: list[UUID]
    cursor: str | None
    more: bool
    server_time: datetime
    wipe: bool | UnsetType = UNSET


class _Identified(Struct):
    id: UUID | None = None


class HeldRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Ids of entries that a phone still has."""

    ids: list[UUID]


class HeldAnswer(Struct, frozen=True):
    """Which of them are in the log, and which the phone should offer again."""

    held: list[UUID]
    missing: list[UUID]


async def post_sync(asked: Asked) -> Answer:
    """Take what the phone sends, item by item, and tell it what changed since its cursor."""
    require_acceptable(asked.scope, "application/json")
    service, now = asked.service, asked.now
    actor, revoked = await asked.actor_even_revoked("entries.write")
    if service.syncing >= service.settings.sync_at_once:
        raise Refused(BUSY, retry_after=5)
    service.syncing += 1
    try:
        request = decode_as(SyncRequest, await asked.body())
        entries = request.entries or []
        if len(entries) > service.settings.sync_limit:
            raise Refused(TOO_MANY_ITEMS)
        skew_ms = skew_of(request.sent_at, now) if request.sent_at else None
        if skew_ms is not None and not revoked:
            await service.clocks.record_skew(actor, skew_ms)
        if revoked:
            return await _hand_over(service, actor, entries, skew_ms, now)
        since = cursor.decode(request.cursor) if request.cursor else None
        if since is not None and (entries or since.stage == "time"):
            await pull.check_cursor(service.database, actor, since)
        results = await _take(asked, actor, entries, skew_ms) if entries else []
        if results is None:
            return await _hand_over(service, actor, entries, skew_ms, now)
        pulled = await pull.pull(service.database, service.incidents, actor, since, now)
    finally:
        service.syncing -= 1
    answer = SyncAnswer(
        counts=_counts(results),
        results=results,
        incidents=[Raw(body) for body in pulled.incidents],
        gone=pulled.gone,
        cursor=cursor.encode(pulled.cursor),
        more=pulled.more,
        server_time=now,
    )
    return Answer(200, _encode(answer), headers=[NO_STORE])


async def _take(asked: Asked, actor: Actor, entries: Sequence[Raw], skew_ms: int | None) -> list[ItemResult] | None:
    """Append what can be appended; what is refused is kept in quarantine. None: the device was revoked meanwhile."""
    service = asked.service
    found: list[IncomingEntry | Problem] = [_read(actor, raw, skew_ms) for raw in entries]
    items = [one for one in found if isinstance(one, IncomingEntry)]
    appended = iter(await service.log.append(actor.team_id, items))
    outcomes = [next(appended).result if isinstance(one, IncomingEntry) else one for one in found]
    if any(isinstance(outcome, Stale) for outcome in outcomes):
        fresh, revoked = await asked.actor_even_revoked()
        # all of them again: what was stored a moment ago answers as a duplicate
        return None if revoked else await _take(asked, fresh, entries, skew_ms)
    problems = [(n, one) for n, one in enumerate(outcomes) if isinstance(one, Problem)]
    kept = await service.quarantine.keep(
        actor, [Refusal(_id_of(entries[n]), bytes(entries[n]), problem, skew_ms) for n, problem in problems]
    )
    lost = {n for (n, _), safe in zip(problems, kept, strict=True) if not safe}
    return [
        _result(_id_of(raw) if isinstance(one, Problem) else None, one, n in lost)
        for n, (raw, one) in enumerate(zip(entries, outcomes, strict=True))
    ]


def _read(actor: Actor, raw: Raw, skew_ms: int | None) -> IncomingEntry | Problem:
    try:
        entry = decode_item(raw)
        check_profession(actor, entry)
    except Refused as refused:
        return refused.problem
    assert entry.id
    return IncomingEntry(id=entry.id, entry=entry, content=canonical(entry), actor=actor, skew_ms=skew_ms)


def _id_of(raw: Raw) -> UUID | None:
    try:
        return msgspec.json.decode(raw, type=_Identified).id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _result(entry_id: UUID | None, outcome: Receipt | Problem | Stale, lost: bool) -> ItemResult:
    if isinstance(outcome, Receipt):
        return ItemResult(id=outcome.id, status=outcome.status, seq=outcome.seq, notices=outcome.notices)
    assert isinstance(outcome, Problem)
    return ItemResult(id=entry_id, status="refused", problem=QUARANTINE_FULL.problem() if lost else outcome)


async def _hand_over(
    service: Service, actor: Actor, entries: Sequence[Raw], skew_ms: int | None, now: datetime
) -> Answer:
    """A revoked phone hands over its outbox once, then wipes: nothing enters the log, is lost, or is told."""
    problem = DEVICE_REVOKED.problem()
    kept = await service.quarantine.keep(actor, [Refusal(_id_of(e), bytes(e), problem, skew_ms) for e in entries])
    results = [
        ItemResult(
            id=_id_of(entry),
            status="quarantined" if safe else "refused",
            problem=problem if safe else QUARANTINE_FULL.problem(),
        )
        for entry, safe in zip(entries, kept, strict=True)
    ]
    return in_json(
        SyncAnswer(
            counts=_counts(results),
            results=results,
            incidents=[],
            gone=[],
            cursor=None,
            more=False,
            server_time=now,
            wipe=True,
        ),
        202,
    )


def _counts(results: Sequence[ItemResult]) -> Counts:
    n = Counter(result.status for result in results)
    return Counts(stored=n["stored"], duplicate=n["duplicate"], refused=n["refused"], quarantined=n["quarantined"])


async def post_held(asked: Asked) -> Answer:
    """Which entries a phone should offer again, after a backup was restored."""
    require_acceptable(asked.scope, "application/json")
    actor = await asked.actor("entries.write")
    request = decode_as(HeldRequest, await asked.body())
    if len(request.ids) > asked.service.settings.held_limit:
        raise Refused(TOO_MANY_ITEMS)
    held = await pull.held_ids(asked.service.database, actor, request.ids)
    return in_json(
        HeldAnswer([one for one in request.ids if one in held], [one for one in request.ids if one not in held])
    )

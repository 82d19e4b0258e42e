"""The quarantine of one side: list, release, discard."""

from uuid import UUID

from msgspec import Struct, structs

from triage.access.actors import Actor, Side
from triage.http.asked import Asked
from triage.http.entries import check_profession, receipt, refusal
from triage.http.messages import Answer, an_id, in_json, require_acceptable
from triage.log.append_decision import IncomingEntry
from triage.log.canonical import canonical
from triage.log.decode import decode
from triage.problems import ENTRY_CONFLICT, FORBIDDEN, Problem, Refused
from triage.store.log.quarantine import QuarantineItem


class QuarantineList(Struct, frozen=True):
    """What waits, oldest first."""

    items: list[QuarantineItem]


class Discarded(Struct, frozen=True):
    """The receipt of a discarded item."""

    id: UUID
    entry_id: UUID | None
    status: str


def _side(actor: Actor) -> Side:
    if actor.side is None or f"quarantine.{actor.side}" not in actor.verbs:
        raise Refused(FORBIDDEN)
    return actor.side


async def list_quarantine(asked: Asked) -> Answer:
    """The queue of the reader's side."""
    require_acceptable(asked.scope, "application/json")
    actor = await asked.actor()
    side = _side(actor)
    items = await asked.service.quarantine.list_waiting(actor, side)
    if items:
        await asked.service.incidents.record_reading(actor, "quarantine", [item.id for item in items])
    return in_json(QuarantineList(items))


async def release(asked: Asked) -> Answer:
    """Put the item into the log as its author's. Under an id that other content took meanwhile, it gets its own."""
    require_acceptable(asked.scope, "application/json")
    service = asked.service
    actor = await asked.actor()
    _side(actor)
    held = await service.quarantine.find(actor, an_id(asked.path("id"), "id"))
    entry = decode(held.sent, held.entry_id or held.id)
    check_profession(held.author, entry)
    item = IncomingEntry(
        id=held.id if held.entry_id is None or held.problem.code == ENTRY_CONFLICT.code else held.entry_id,
        entry=entry,
        content=canonical(entry),
        actor=held.author,
        skew_ms=held.skew_ms,
        released_by=actor.staff_id,
    )
    [appended] = await service.log.append(actor.team_id, [item])
    if isinstance(appended.result, Problem) and appended.result.code == ENTRY_CONFLICT.code:
        item.id = held.id
        [appended] = await service.log.append(actor.team_id, [item])
    if isinstance(appended.result, Problem):
        return refusal(appended.result)
    # should the process die here, releasing again finds the entry in the log and settles the item
    await service.quarantine.decide(actor, held.id, "released")
    return structs.replace(await receipt(service, actor, appended, asked.now), status=200)


async def discard(asked: Asked) -> Answer:
    """Let the item go for good."""
    require_acceptable(asked.scope, "application/json")
    actor = await asked.actor()
    _side(actor)
    item = await asked.service.quarantine.find(actor, an_id(asked.path("id"), "id"))
    await asked.service.quarantine.decide(actor, item.id, "discarded")
    return in_json(Discarded(item.id, item.entry_id, "discarded"))

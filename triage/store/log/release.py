"""Releasing: a quarantined entry enters the log as its author's, on the word of the lead of its side."""

from typing import Final
from uuid import UUID

from msgspec import structs

from triage.access.actors import Actor
from triage.log.append_decision import IncomingEntry
from triage.log.body_errors import InvalidBody
from triage.log.canonical import canonical
from triage.log.decode import decode
from triage.log.effective import kind
from triage.log.entries import Amendment, AnyEntry
from triage.log.phone_clock import clock_correction
from triage.problems import ENTRY_CONFLICT, NOT_YOURS, WRONG_PROFESSION, Problem, Refused
from triage.store.log.append import AppendedItem, Log
from triage.store.log.quarantine import Quarantine

_PROFESSIONS: Final = {"officer": "police", "intent": "police", "nurse": "nurse", "paramedic": "paramedic"}
"""The kinds that one profession alone may send."""


def check_profession(actor: Actor, entry: AnyEntry) -> None:
    """Raises Refused (403) where the kind, or the kind that an amendment puts in its place, does not fit the actor's
    profession. The lead of a side may amend what anybody of that side sent."""
    if not isinstance(entry, Amendment):
        if _PROFESSIONS.get(kind(entry)) not in (None, actor.profession):
            raise Refused(WRONG_PROFESSION)
        return
    profession = _PROFESSIONS.get(kind(entry.entry))
    leads = actor.level == "lead" and (profession == "police") == (actor.side == "police")
    if profession not in (None, actor.profession) and not leads:
        raise Refused(NOT_YOURS)


async def release(quarantine: Quarantine, log: Log, actor: Actor, item_id: UUID) -> AppendedItem:
    """Put an item into the log. Under an id that other content took meanwhile, it gets its own.

    The item is settled once the log has it; what the log refuses stays. Raises Refused: 404, 409 also for what only a
    newer version understands, and what is wrong with the entry.
    """
    held = await quarantine.find(actor, item_id)
    try:
        entry = decode(held.sent, held.entry_id or held.id, clock_correction(held.skew_ms, held.received_at))
    except InvalidBody as invalid:
        if invalid.newer:
            raise Refused(structs.replace(invalid.problem, status=409)) from invalid
        raise
    check_profession(held.author, entry)
    taken = held.entry_id is None or held.problem.code == ENTRY_CONFLICT.code
    item = IncomingEntry(
        id=held.id if taken else held.entry_id or held.id,
        entry=entry,
        content=canonical(entry),
        actor=held.author,
        skew_ms=held.skew_ms,
        released_by=actor.staff_id,
        received_at=held.received_at,
    )
    [appended] = await log.append(actor.team_id, [item])
    if isinstance(appended.result, Problem) and appended.result.code == ENTRY_CONFLICT.code:
        item.id = held.id
        [appended] = await log.append(actor.team_id, [item])
    if not isinstance(appended.result, Problem):
        # should the process die here, releasing again finds the entry in the log and settles the item
        await quarantine.decide(actor, held.id, "released")
    return appended

"""Entries of a newer version, taken by the service itself once a version runs that understands it."""

from typing import Any, Final
from uuid import UUID

import msgspec

from triage.log.append_decision import IncomingEntry, Receipt
from triage.log.body_errors import InvalidBody
from triage.log.canonical import canonical
from triage.log.decode import decode
from triage.log.entries import AnyEntry, Entry
from triage.log.phone_clock import clock_correction
from triage.problems import ENTRY_CONFLICT, Problem, Refused
from triage.store.log.append import Log
from triage.store.log.quarantine import EARLIEST, Quarantine, QuarantinedEntry
from triage.store.log.release import check_profession

AT_ONCE: Final = 100
TAKEN_LATER: Final = "newer_app"
"""The reason of an amendment that brings the fields which an older service did not know."""


async def take_understood(quarantine: Quarantine, log: Log, team_id: UUID) -> int:
    """Put into the log what this version understands of what waits, from devices that were good; how many items.

    What it still does not understand, or what is refused for another reason, waits on. Any number of processes may.
    """
    taken, after = 0, EARLIEST
    while items := await quarantine.list_newer(team_id, after, AT_ONCE):
        for position in items:
            taken += await _take(quarantine, log, team_id, position.id)
        after = items[-1]
    return taken


async def _take(quarantine: Quarantine, log: Log, team_id: UUID, item_id: UUID) -> bool:
    try:
        item = await quarantine.find_newer(team_id, item_id)
        entry = decode(item.sent, item.entry_id or item.id, clock_correction(item.skew_ms, item.received_at))
        check_profession(item.author, entry)
        result = await _append(log, item, entry, item.entry_id or item.id)
        if isinstance(result, Problem) and (amendment := _as_amendment(item, result)) is not None:
            result = await _append(log, item, amendment, item.id)
    except Refused:
        return False
    if not isinstance(result, Receipt):
        return False
    # should the process die here, the entry is found in the log the next time, and the item is settled
    await quarantine.take(team_id, item.id)
    return True


async def _append(log: Log, item: QuarantinedEntry, entry: AnyEntry, entry_id: UUID) -> object:
    incoming = IncomingEntry(
        id=entry_id,
        entry=entry,
        content=canonical(entry),
        actor=item.author,
        skew_ms=item.skew_ms,
        received_at=item.received_at,
    )
    [appended] = await log.append(item.author.team_id, [incoming])
    return appended.result


def _as_amendment(item: QuarantinedEntry, conflict: Problem) -> AnyEntry | None:
    """The item as an amendment of what its id holds, where both differ in nothing but what the service did not know."""
    unknown = {error.field.partition(".")[0] for error in item.problem.errors}
    differing = {error.field.partition(".")[0] for error in conflict.errors}
    if conflict.code != ENTRY_CONFLICT.code or not differing or not differing <= unknown:
        return None
    sent: dict[str, Any] = msgspec.json.decode(item.sent)
    around = {name: sent[name] for name in Entry.__struct_fields__ if name in sent and name != "id"}
    content = {name: value for name, value in sent.items() if name not in Entry.__struct_fields__}
    amendment = around | {"kind": "amendment", "amends": str(item.entry_id), "reason": TAKEN_LATER, "entry": content}
    try:
        return decode(msgspec.json.encode(amendment), item.id, clock_correction(item.skew_ms, item.received_at))
    except InvalidBody:
        return None

"""The course of an incident: what was decided, which powers were used, and what followed. All times are corrected."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from msgspec import Struct

from triage.log.effective import EffectiveEntry, SortedEntries
from triage.log.entries import Contact, Detention, Outcome

USES = {"s136_removed": "s136", "s136_kept": "s136", "s135_removed": "s135", "s135_kept": "s135"}
"""The disposals that exercise a power of the Mental Health Act 1983, and which."""

_OUTCOMES = USES | {"arrest_custody": "arrest_custody", "deceased": "died"}
_RESULTS = {"detained_s2": "s2", "detained_s3": "s3", "detained_s4": "s4", "custody": "custody", "died": "died"}
_STATUSES = {"s136": "s136", "s135": "s135", "s2_s3_s4": "s2_s3_s4", "s5": "s5"}
_FOLLOW_UPS = {
    "later_s136": "s136",
    "later_ed": "later_ed",
    "later_arrest": "later_arrest",
    "serious_harm": "serious_harm",
    "died": "died",
}


class DatedOutcome(Struct, frozen=True, gc=False):
    """An outcome. `at` is its `decided_at`, corrected; None where not recorded."""

    disposal: str
    at: datetime | None
    effective: EffectiveEntry[Outcome]

    @property
    def entry(self) -> UUID:
        return self.effective.stored.id


class PowerUse(NamedTuple):
    """The earliest use of a power in an incident, and the entry that says so."""

    at: datetime
    entry: UUID


class PersonEvent(Struct, frozen=True, gc=False):
    """Something that befell a person, as another incident of the same person sees it.

    `code` is the power that started (`s136` `s135` `s2` `s3` `s4` `s5` `s2_s3_s4` `mha_detention`), `arrest_custody`,
    `custody` (a detention ended there), `later_arrest`, `later_ed`, `serious_harm`, `died`, or `contact`: the service
    saw the person.
    """

    code: str
    at: datetime
    entry: UUID
    incident: UUID


def dated_outcomes(record: SortedEntries) -> list[DatedOutcome]:
    """The outcomes in force, in capture order."""
    found = []
    for one in record.outcomes:
        at = one.entry.decided_at
        found.append(DatedOutcome(one.entry.disposal, None if at is None else one.corrected(at), one))
    return found


def first_disposal(found: Sequence[DatedOutcome]) -> DatedOutcome | None:
    """The outcome decided first; of several at one instant the latest captured; without times the first captured."""
    best: DatedOutcome | None = None
    for one in found:
        if one.at is not None and (best is None or best.at is None or one.at <= best.at):
            best = one
    return best or (found[0] if found else None)


def latest_outcome(found: Sequence[DatedOutcome]) -> DatedOutcome | None:
    """The outcome decided last, one without a time by its capture; of several at one instant the latest captured."""
    best: DatedOutcome | None = None
    for one in found:
        if best is None or (one.at or one.effective.captured) >= (best.at or best.effective.captured):
            best = one
    return best


def status_held_from(contact: EffectiveEntry[Contact]) -> datetime:
    """From when a contact's legal status is taken to have held: its own time, else the arrival, else the incident's."""
    entry = contact.entry
    time = entry.legal_status_at or entry.arrived_at or entry.occurred_at
    return contact.captured if time is None else contact.corrected(time)


def detention_power(one: EffectiveEntry[Detention], found: Sequence[DatedOutcome]) -> str:
    """The power of a detention event; where it was not recorded, s136, unless only s135 was decided."""
    if one.entry.power is not None:
        return one.entry.power
    decided = {USES.get(outcome.disposal) for outcome in found}
    return "s135" if "s135" in decided and "s136" not in decided else "s136"


def earliest_uses(record: SortedEntries, found: Sequence[DatedOutcome]) -> dict[str, PowerUse]:
    """The earliest use of s136 and of s135: a disposal, a detention event, or a contact's legal status."""
    earliest: dict[str, PowerUse] = {}
    for power, use in power_uses(record, found):
        if power not in earliest or use < earliest[power]:
            earliest[power] = use
    return earliest


def events_in(
    record: SortedEntries, found: Sequence[DatedOutcome], used: dict[str, PowerUse], incident: UUID
) -> tuple[PersonEvent, ...]:
    """What befell the person in this incident and after it, as far as this incident's entries say."""
    all_events = [PersonEvent(power, use.at, use.entry, incident) for power, use in used.items()]
    for outcome in found:
        code = _OUTCOMES.get(outcome.disposal)
        if code and code not in used:
            all_events.append(PersonEvent(code, outcome.at or outcome.effective.captured, outcome.entry, incident))
    for contact in record.contacts:
        code = _STATUSES.get(contact.entry.legal_status or "")
        if code and code not in used:
            all_events.append(PersonEvent(code, status_held_from(contact), contact.stored.id, incident))
    for one in record.detentions:
        code = _RESULTS.get(one.entry.result or "") if one.entry.event == "ended" else None
        if code:
            all_events.append(PersonEvent(code, one.corrected(one.entry.at), one.stored.id, incident))
    for later in record.follow_ups:
        code = _FOLLOW_UPS.get(later.entry.event)
        if later.entry.event == "later_mha_detention":
            code = later.entry.section or "mha_detention"
        if code:
            all_events.append(PersonEvent(code, later.corrected(later.entry.at), later.stored.id, incident))
    return tuple(all_events)


def power_uses(record: SortedEntries, found: Sequence[DatedOutcome]) -> Iterator[tuple[str, PowerUse]]:
    """Every use of s136 and of s135 that an entry tells of."""
    for outcome in found:
        if outcome.disposal in USES:
            yield USES[outcome.disposal], PowerUse(outcome.at or outcome.effective.captured, outcome.entry)
    for one in record.detentions:
        yield detention_power(one, found), PowerUse(one.corrected(one.entry.at), one.stored.id)
    for contact in record.contacts:
        if contact.entry.legal_status in ("s136", "s135"):
            yield contact.entry.legal_status, PowerUse(status_held_from(contact), contact.stored.id)

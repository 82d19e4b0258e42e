"""The course of an incident: what was decided, which powers were used, and what followed. All times are corrected."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from msgspec import Struct

from triage import codes
from triage.log.effective import EffectiveEntry, SortedEntries, kind
from triage.log.entries import Contact, Detention, FollowUp, Outcome

_DISPOSALS = codes.list("disposal")
_STATUSES = codes.list("legal_status")
_RESULTS = codes.list("detention_result")
_FOLLOW_UPS = codes.list("follow_up_event")
POWERS = ("s136", "s135")


class DatedOutcome(Struct, frozen=True, gc=False):
    """An outcome. `at` is its `decided_at`, corrected; None where not recorded. `power`: what it exercises."""

    disposal: str
    at: datetime | None
    effective: EffectiveEntry[Outcome]

    @property
    def entry(self) -> UUID:
        return self.effective.stored.id

    @property
    def power(self) -> str | None:
        row = _DISPOSALS.get(self.disposal)
        return row.power if row else None

    @property
    def dated(self) -> datetime:
        """When it was decided; where that is not recorded, when it was captured."""
        return self.at or self.effective.captured


class PowerUse(NamedTuple):
    """A use of a power, and the entry that says so."""

    at: datetime
    entry: UUID


class PersonEvent(Struct, frozen=True, gc=False, omit_defaults=True):
    """Something that befell a person, as another incident of the same person sees it.

    `code` is the power that started (`s136` `s135` `s2` `s3` `s4` `s5` `s2_s3_s4` `mha_detention`), `arrest_custody`,
    `custody` (a detention ended there), `later_arrest`, `later_ed`, `serious_harm`, `died`, `held` (from `at` `until`
    then, under s136), or `contact`: the service saw the person. With `gone` it is evidence that was parted away:
    `gone` names the entry that did it, and `code` may also be `judge`, `law`, `place` or `first_disposal`.
    """

    code: str
    at: datetime
    entry: UUID
    incident: UUID
    until: datetime | None = None
    gone: UUID | None = None


def dated_outcomes(entries: SortedEntries) -> list[DatedOutcome]:
    """The outcomes in force, in capture order."""
    return [dated_outcome(outcome) for outcome in entries.outcomes]


def dated_outcome(outcome: EffectiveEntry[Outcome]) -> DatedOutcome:
    """An outcome with its corrected time."""
    at = outcome.entry.decided_at
    return DatedOutcome(outcome.entry.disposal, None if at is None else outcome.corrected(at), outcome)


def first_disposal(outcomes: Sequence[DatedOutcome]) -> DatedOutcome | None:
    """The outcome decided first; of several at one instant the latest captured; without times the first captured."""
    best: DatedOutcome | None = None
    for outcome in outcomes:
        if outcome.at is not None and (best is None or best.at is None or outcome.at <= best.at):
            best = outcome
    return best or (outcomes[0] if outcomes else None)


def latest_outcome(outcomes: Sequence[DatedOutcome]) -> DatedOutcome | None:
    """The outcome decided last, one without a time by its capture; of several at one instant the latest captured."""
    best: DatedOutcome | None = None
    for outcome in outcomes:
        if best is None or outcome.dated >= best.dated:
            best = outcome
    return best


def status_held_from(contact: EffectiveEntry[Contact]) -> datetime:
    """From when a contact's legal status held: its own time, else when the incident occurred, else the capture."""
    time = contact.entry.legal_status_at or contact.entry.occurred_at
    return contact.captured if time is None else contact.corrected(time)


def detention_power(detention: EffectiveEntry[Detention], outcomes: Iterable[DatedOutcome]) -> str:
    """The power of a detention event; where it was not recorded, s136, unless only s135 was decided."""
    if detention.entry.power is not None:
        return detention.entry.power
    decided = {outcome.power for outcome in outcomes}
    return "s135" if "s135" in decided and "s136" not in decided else "s136"


def earliest_uses(entries: SortedEntries, outcomes: Sequence[DatedOutcome]) -> dict[str, PowerUse]:
    """The earliest use of s136 and of s135: a disposal, a detention event, or a contact's legal status."""
    earliest: dict[str, PowerUse] = {}
    for power, use in power_uses(entries, outcomes):
        if power not in earliest or use < earliest[power]:
            earliest[power] = use
    return earliest


def power_uses(entries: SortedEntries, outcomes: Sequence[DatedOutcome]) -> Iterator[tuple[str, PowerUse]]:
    """Every use of s136 and of s135 that an entry tells of."""
    for effective in (*entries.outcomes, *entries.detentions, *entries.contacts):
        yield from uses_of(effective, outcomes)


def uses_of(effective: EffectiveEntry[Any], outcomes: Iterable[DatedOutcome]) -> Iterator[tuple[str, PowerUse]]:
    """The use of a power that this entry tells of, if it does."""
    match kind(effective.stored.entry):
        case "outcome":
            outcome = dated_outcome(effective)
            power, at = outcome.power, outcome.dated
        case "detention":
            power, at = detention_power(effective, outcomes), effective.corrected(effective.entry.at)
        case "officer" | "nurse" | "paramedic":
            row = _STATUSES.get(effective.entry.legal_status)
            if row is None or row.power is None:
                return
            power, at = row.power, status_held_from(effective)
        case _:
            return
    if power:
        yield power, PowerUse(at, effective.stored.id)


def events_in(
    entries: SortedEntries, outcomes: Sequence[DatedOutcome], used: dict[str, PowerUse], incident: UUID
) -> tuple[PersonEvent, ...]:
    """Events of the person in this incident and after it, as far as this incident's entries say."""
    events = [PersonEvent(power, use.at, use.entry, incident) for power, use in used.items()]
    for effective in (*entries.outcomes, *entries.contacts, *entries.detentions, *entries.follow_ups):
        events += [
            PersonEvent(code, at, effective.stored.id, incident)
            for code, at in events_of(effective)
            if code not in used or isinstance(effective.stored.entry, FollowUp)
        ]
    return tuple(events)


def events_of(effective: EffectiveEntry[Any]) -> Iterator[tuple[str, datetime]]:
    """The events of the person that an entry tells, with their times, beside the use of a power."""
    entry = effective.entry
    match kind(effective.stored.entry):
        case "outcome":
            row, at = _DISPOSALS.get(entry.disposal), dated_outcome(effective).dated
        case "detention":
            row = _RESULTS.get(entry.result) if entry.event == "ended" else None
            at = effective.corrected(entry.at)
        case "follow_up":
            row, at = _FOLLOW_UPS.get(entry.event), effective.corrected(entry.at)
        case "officer" | "nurse" | "paramedic":
            row = _STATUSES.get(entry.legal_status)
            if row is None or row.event is None:
                return
            at = status_held_from(effective)
        case _:
            return
    if row and row.event:
        section = entry.section if row.event == "mha_detention" else None
        yield section or row.event, at

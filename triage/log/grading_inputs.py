"""What the rules of diversion ask of the entries."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

from msgspec import Struct

from triage.log.effective import EffectiveEntry, SortedEntries
from triage.log.intents import RecordedIntent
from triage.log.resolve import DECIDED_TOGETHER, s136_available
from triage.log.timeline import USES, DatedOutcome, PersonEvent, PowerUse, power_uses, status_held_from

WINDOW = timedelta(hours=24)
"""How long after the first disposal a reversal counts."""

JUDGED_BY = timedelta(minutes=30)
"""How long after the first disposal a nurse's judgement may still corroborate."""

OTHER_SECTIONS = frozenset(("awol_s18", "s2_s3_s4", "s5", "cto_recall", "other_detained"))
"""The legal statuses, beside s135, under which a person is held already, so that s136 is not available."""

_ASSESSED = ("face_to_face", "phone")
_RECORDED = ("body_worn_video", "radio_log")

Reason = tuple[str, UUID]
"""A reason, and the entry it rests on."""


class GradingInputs(Struct, frozen=True, kw_only=True, gc=False):
    """What DIV-1 looks at. Times are corrected for skew."""

    entries: SortedEntries
    intents: list[RecordedIntent]
    outcomes: Sequence[DatedOutcome]
    first: DatedOutcome | None
    decided_at: datetime | None
    used: dict[str, PowerUse]
    events: Sequence[PersonEvent]
    location_type: str | None
    someone_lives_there: bool | None
    disposal_conflict: bool

    def already(self, at: datetime) -> bool:
        """Whether it was so at or before the first disposal, or there is none to come after."""
        return self.decided_at is None or at <= self.decided_at

    def after(self) -> list[Reason]:
        """What befell the person in the 24 hours after the first disposal.

        Where another outcome, decided within 30 minutes of it, says that s136 was used, that is what the two disagree
        on: it is undetermined, unless an entry other than such an outcome tells of the use.
        """
        at = self.decided_at
        if at is None or not self.events:
            return []
        events = sorted((one.at, one.entry, one.code) for one in self.events if at < one.at <= at + WINDOW)
        disputed = self._disputed(at) if self.disposal_conflict else frozenset()
        found = [(code, entry) for _, entry, code in events if entry not in disputed]
        return found + self._undisputed(at, disputed) if disputed else found

    def _disputed(self, at: datetime) -> frozenset[UUID]:
        said = [one for one in self.outcomes if USES.get(one.disposal) == "s136"]
        return frozenset(one.entry for one in said if one.at and at < one.at <= at + DECIDED_TOGETHER)

    def _undisputed(self, at: datetime, disputed: frozenset[UUID]) -> list[Reason]:
        told = [(use, power) for power, use in power_uses(self.entries, self.outcomes) if use.entry not in disputed]
        return [(power, use.entry) for use, power in sorted(told) if power == "s136" and at < use.at <= at + WINDOW][:1]


def contemporaneous(intent: RecordedIntent, facts: GradingInputs) -> bool:
    """Whether it was captured before anybody was consulted, advised or decided, and not before the officer came."""
    limit = _limit(facts)
    came = _came(intent, facts.entries)
    return (limit is None or intent.captured <= limit) and (came is None or came <= intent.captured)


def place_that_counts(intent: RecordedIntent, facts: GradingInputs) -> tuple[str | None, bool | None]:
    """The place that counts: the intent's own, else that of the contact that carries it, else that of the contacts."""
    place = intent.part.location_type or intent.location_type
    if place is None:
        return facts.location_type, facts.someone_lives_there
    lives = intent.someone_lives_there
    return place, facts.someone_lives_there if lives is None else lives


def _limit(facts: GradingInputs) -> datetime | None:
    times = [] if facts.decided_at is None else [facts.decided_at]
    for officer in facts.entries.officers:
        if officer.entry.consulted and officer.entry.consulted.at:
            times.append(officer.corrected(officer.entry.consulted.at))
    for nurse in facts.entries.nurses:
        if nurse.entry.advice_given_at:
            times.append(nurse.corrected(nurse.entry.advice_given_at))
    return min(times, default=None)


def _came(intent: RecordedIntent, record: SortedEntries) -> datetime | None:
    """When the officer arrived: the intent's author, else the first of them."""
    arrivals = [
        (one.stored.author != intent.author, one.corrected(one.entry.arrived_at))
        for one in record.officers
        if one.entry.arrived_at
    ]
    return min(arrivals)[1] if arrivals else None


def recorded_at_the_time(intent: RecordedIntent) -> bool:
    """Whether a recording made at the time stands in for contemporaneity."""
    return intent.part.evidence in _RECORDED and intent.soon


def legal_refutations(intent: RecordedIntent, facts: GradingInputs) -> Iterator[Reason]:
    """Why s136 was not available in law: the place, or another section."""
    if s136_available(*place_that_counts(intent, facts)) is False:
        yield "law", intent.entry
    s135 = facts.used.get("s135")
    if s135 and facts.already(s135.at):
        yield "law", s135.entry
    for one in facts.entries.contacts:
        if one.entry.legal_status in OTHER_SECTIONS and facts.already(status_held_from(one)):
            yield "law", one.stored.id


def tests_failed(intent: RecordedIntent) -> Iterator[Reason]:
    """A test of s136(1) that was answered no."""
    tests = intent.part.tests
    if tests and False in (tests.mental_disorder, tests.immediate_need, tests.necessary):
        yield "test", intent.entry


def judgements_against(record: SortedEntries) -> Iterator[Reason]:
    """The nurses who assessed and answered that s136 was not justified, told of the intent or not."""
    for nurse in record.nurses:
        if nurse.entry.s136_justified == "no" and nurse.entry.assessment in _ASSESSED and _own_words(nurse):
            yield "judge", nurse.stored.id


def _own_words(nurse: EffectiveEntry[Any]) -> bool:
    """Whether the judgement is as first given: one given or changed by amendment neither corroborates nor refutes."""
    return all(version.entry.s136_justified == nurse.entry.s136_justified for version in nurse.versions)


def judged_blind(nurse: EffectiveEntry[Any]) -> bool:
    """Whether she said yes, having seen or heard the person and not been told or shown; not so by amendment."""
    if not nurse.stored.blind:
        return False
    contents = [version.entry for version in nurse.versions] or [nurse.entry]
    return all(
        entry.s136_justified == "yes" and entry.assessment in _ASSESSED and entry.told_intent is False
        for entry in contents
    )


def late_inputs(intent: RecordedIntent | None, facts: GradingInputs) -> list[Reason]:
    """Inputs of the grade that were first given or changed by amendment after the first disposal."""
    at = facts.decided_at
    if at is None:
        return []
    found = [intent.entry] if intent and intent.changed and intent.changed > at else []
    found += [one.stored.id for one in facts.entries.contacts if _changed_after(one, at, _place_and_status)]
    firsts = [one for one in facts.outcomes if one.effective.versions and _was_first(one, at)]
    found += [one.entry for one in firsts if _changed_after(one.effective, at, _decision)]
    return [("late_input", entry) for entry in found]


def _changed_after(one: EffectiveEntry[Any], at: datetime, inputs: Callable[[Any], object]) -> bool:
    return any(
        inputs(before.entry) != inputs(after.entry) and after.captured > at for before, after in pairwise(one.versions)
    )


def _was_first(one: DatedOutcome, at: datetime) -> bool:
    """Whether it is the first disposal, or was before it was amended."""
    times = [(version.entry.decided_at, version.correction) for version in one.effective.versions]
    return one.at == at or any(time and (time - shift if shift else time) <= at for time, shift in times)


def _place_and_status(entry: Any) -> object:
    return entry.location_type, entry.someone_lives_there, entry.legal_status, entry.legal_status_at


def _decision(entry: Any) -> object:
    return entry.disposal, entry.decided_at


def window(record: SortedEntries) -> str:
    """Whether anybody looked at what happened in the 24 hours after."""
    found = {one.entry.event for one in record.follow_ups}
    if "window_checked" in found:
        return "checked"
    return "not_traceable" if "not_traceable" in found else "not_checked"

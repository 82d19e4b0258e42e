"""The inputs that the rules of diversion ask of the entries."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from msgspec import Struct

from triage import codes
from triage.log.effective import EffectiveEntry, SortedEntries
from triage.log.entries import IntentPart
from triage.log.intents import RecordedIntent
from triage.log.resolve import DECIDED_TOGETHER, Place, is_known, s136_available
from triage.log.timeline import DatedOutcome, PersonEvent, PowerUse, power_uses, status_held_from

WINDOW = timedelta(hours=24)
"""How long after the first disposal a reversal counts."""

JUDGED_BY = timedelta(minutes=30)
"""How long after the first disposal a nurse's judgement may still corroborate."""

_STATUSES = codes.list("legal_status")
_ASSESSMENTS = codes.list("assessment")
_EVIDENCE = codes.list("evidence")

GradeReason = tuple[str, UUID]
"""A reason, and the entry it rests on."""


class GradingInputs(Struct, frozen=True, kw_only=True, gc=False):
    """The inputs of DIV-1. Times are corrected for skew.

    `limit` is the contemporaneity limit. `came_at` is when the car came. `parted` is evidence in incidents that were
    joined to this one and are no longer.
    """

    entries: SortedEntries
    intents: list[RecordedIntent]
    outcomes: Sequence[DatedOutcome]
    first: DatedOutcome | None
    decided_at: datetime | None
    used: dict[str, PowerUse]
    events: Sequence[PersonEvent]
    parted: Sequence[PersonEvent]
    location_type: str | None
    someone_lives_there: bool | None
    disposal_conflict: bool
    limit: datetime | None
    came_at: datetime

    def already(self, at: datetime) -> bool:
        """Whether it was so at or before the first disposal, or there is none to come after."""
        return self.decided_at is None or at <= self.decided_at

    def held_elsewhere(self) -> PersonEvent | None:
        """A detention under s136 in another incident of the person, once the car had come and by the first disposal."""
        until = self.decided_at or self.came_at
        held = (event for event in self.events if event.code == "held" and event.until)
        return next((event for event in held if self.came_at < (event.until or event.at) and event.at <= until), None)

    def after(self) -> list[GradeReason]:
        """Events of the person in the 24 hours after the first disposal.

        Where another outcome, decided within 30 minutes of it, says that s136 was used, that is what the two disagree
        on: it is undetermined, unless an entry other than such an outcome tells of the use.
        """
        at = self.decided_at
        if at is None or not self.events:
            return []
        events = sorted((event.at, event.entry, event.code) for event in self.events if at < event.at <= at + WINDOW)
        disputed = self._disputed(at) if self.disposal_conflict else frozenset()
        undisputed = [(code, entry) for _, entry, code in events if entry not in disputed]
        return undisputed + self._told_otherwise(at, disputed) if disputed else undisputed

    def _disputed(self, at: datetime) -> frozenset[UUID]:
        said = [outcome for outcome in self.outcomes if outcome.power == "s136"]
        return frozenset(outcome.entry for outcome in said if outcome.at and at < outcome.at <= at + DECIDED_TOGETHER)

    def _told_otherwise(self, at: datetime, disputed: frozenset[UUID]) -> list[GradeReason]:
        uses = power_uses(self.entries, self.outcomes)
        told = sorted((use, power) for power, use in uses if use.entry not in disputed)
        return [(power, use.entry) for use, power in told if power == "s136" and at < use.at <= at + WINDOW][:1]


def contemporaneity_limit(entries: SortedEntries) -> datetime | None:
    """The earliest consultation, advice or decision ever stored, whatever was amended or withdrawn since."""
    times = []
    for entry in entries.ever():
        for version in entry.versions or (entry,):
            if (time := _limiting(version.entry)) is not None:
                times.append(version.corrected(time))
    return min(times, default=None)


def _limiting(content: Any) -> datetime | None:
    consulted = getattr(content, "consulted", None)
    time: datetime | None = consulted.at if consulted else None
    return time or getattr(content, "advice_given_at", None) or getattr(content, "decided_at", None)


def contemporaneous(intent: RecordedIntent, inputs: GradingInputs) -> bool:
    """Whether it was captured before anybody was consulted, advised or decided, and not before the officer came."""
    came = _arrival(intent, inputs.entries)
    in_time = inputs.limit is None or intent.captured <= inputs.limit
    return in_time and (came is None or came <= intent.captured)


def _arrival(intent: RecordedIntent, entries: SortedEntries) -> datetime | None:
    """When the officer arrived: the intent's author, else the first of them; of each the latest time ever stored."""
    arrivals: dict[UUID, datetime] = {}
    for entry in entries.ever():
        if entry.stored.profession != "police":
            continue
        for version in entry.history():
            if time := getattr(version.entry, "arrived_at", None):
                author, at = entry.stored.author, version.corrected(time)
                arrivals[author] = max(arrivals.get(author, at), at)
    return arrivals.get(intent.author) or min(arrivals.values(), default=None)


def place_that_counts(
    intent: RecordedIntent,
    inputs: GradingInputs,
    carrier: EffectiveEntry[Any] | None = None,
    of_contacts: Place | None = None,
) -> Place:
    """The place that counts: the intent's own, else that of the contact that carries it, else that of the contacts.

    `carrier` and `of_contacts` say what the last two were at another time. A place coded as unknown is none.
    """
    theirs = of_contacts or (inputs.location_type, inputs.someone_lives_there)
    own = (intent.location_type, intent.someone_lives_there)
    if carrier is not None and intent.location_type is not None:
        own = (carrier.entry.location_type, carrier.entry.someone_lives_there)
    for place in (intent.part.location_type, own[0]):
        if is_known("location_type", place):
            return place, theirs[1] if own[1] is None else own[1]
    return theirs


def recorded_at_the_time(intent: RecordedIntent) -> bool:
    """Whether a recording made at the time stands in for contemporaneity."""
    row = _EVIDENCE.get(intent.part.evidence)
    return row is not None and row.recorded and intent.captured_promptly


def legal_refutations(intent: RecordedIntent, inputs: GradingInputs) -> Iterator[GradeReason]:
    """Why s136 was not available in law: the place, or another section."""
    if s136_available(*place_that_counts(intent, inputs)) is False:
        yield "law", intent.entry
    s135 = inputs.used.get("s135")
    if s135 and inputs.already(s135.at):
        yield "law", s135.entry
    for contact in inputs.entries.contacts:
        row = _STATUSES.get(contact.entry.legal_status)
        if row and row.rules_out_s136 and inputs.already(status_held_from(contact)):
            yield "law", contact.id


def tests_failed(part: IntentPart) -> bool:
    """Whether a test of s136(1) was answered no."""
    tests = part.tests
    return tests is not None and False in (tests.mental_disorder, tests.immediate_need, tests.necessary)


def judgements_against(entries: SortedEntries) -> Iterator[GradeReason]:
    """The nurses who assessed and answered that s136 was not justified, told of the intent or not."""
    for nurse in entries.nurses:
        if heard_no(nurse.entry):
            yield "judge", nurse.id


def heard_no(content: Any) -> bool:
    """Whether a nurse's contact says no, having assessed face to face or by phone."""
    return content.s136_justified == "no" and _heard(content)


def _heard(content: Any) -> bool:
    row = _ASSESSMENTS.get(content.assessment)
    return row is not None and row.heard_the_person


def judged_blind(nurse: EffectiveEntry[Any]) -> bool:
    """Whether she said yes, having seen or heard the person and not been told or shown; not so by amendment."""
    if not nurse.stored.blind:
        return False
    return all(
        version.entry.s136_justified == "yes" and _heard(version.entry) and version.entry.told_intent is False
        for version in nurse.history()
    )


def window(entries: SortedEntries) -> str:
    """Whether anybody looked at what happened in the 24 hours after."""
    events = {follow_up.entry.event for follow_up in entries.follow_ups}
    if "window_checked" in events:
        return "checked"
    return "not_traceable" if "not_traceable" in events else "not_checked"

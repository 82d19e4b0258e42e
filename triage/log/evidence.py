"""Late inputs and evidence against a grade, which stand whatever was amended, withdrawn or parted since.

A grade rests on what was said at the time. Whoever changes it afterwards changes the record, not what was known then:
an input first given or changed by amendment after the limit is late, and a refutation, a use, a reversal or a first
disposal that was taken away still speaks against A and B.
"""

from collections.abc import Callable, Collection, Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from operator import attrgetter
from typing import Any
from uuid import UUID

from triage import codes
from triage.log.effective import EffectiveEntry, SortedEntries, captured, kind
from triage.log.entries import IntentPart, StoredEntry
from triage.log.grading_inputs import WINDOW, GradeReason, GradingInputs, heard_no, place_that_counts, tests_failed
from triage.log.intents import FREE_TO_CORRECT, RecordedIntent, is_free
from triage.log.resolve import Place, is_known, place_of_contacts, s136_available
from triage.log.timeline import PersonEvent, dated_outcome, events_of, first_disposal, status_held_from, uses_of

RECEIVED_LATE = timedelta(hours=72)
"""How long after its capture an input may be received; a phone without signal over a weekend is still in time."""

WITHDRAWN = "evidence_withdrawn"
OF = f"{WITHDRAWN}:"
"""Stands before the code of what was taken away: whoever may not see such a reason is not told that there was one."""

_STATUSES = codes.list("legal_status")

Said = tuple[str, object]
"""A piece of evidence: its code, and what it says."""
Superseded = tuple[EffectiveEntry[Any], StoredEntry]
"""An entry with a content that it no longer has, and the stored entry that took it away."""


def received_late(stored: StoredEntry) -> bool:
    """Whether the service first held this more than 72 hours after it was captured, for no fault of its own."""
    return not stored.received_again and stored.received_at - captured(stored) > RECEIVED_LATE


def late_inputs(intent: RecordedIntent | None, inputs: GradingInputs, *, place: bool) -> list[GradeReason]:
    """Inputs of the grade that were first given or changed by amendment after the limit, or received late.

    `place`: whether the place that counts is an input.
    """
    late: list[UUID] = []
    given: list[StoredEntry] = []
    if intent:
        late += [intent.entry] if intent.late else []
        given.append(intent.given_by)
    if intent and place:
        late += _changed_place(intent, inputs)
        given += _place_given_by(intent, inputs)
    for contact in inputs.entries.contacts:
        late += _changed_status(contact, inputs.limit)
        if _is_held(contact.entry):
            given.append(_given_by(contact, _status))
    if inputs.first:
        late += _changed_first(inputs)
        given.append(_given_by(inputs.first.effective, _decision))
    slow = dict.fromkeys(stored.id for stored in given if received_late(stored))
    return [*(("late_input", entry) for entry in dict.fromkeys(late)), *(("received_late", entry) for entry in slow)]


def evidence_withdrawn(
    intent: RecordedIntent | None, inputs: GradingInputs, against: Collection[str]
) -> list[GradeReason]:
    """Evidence against the grade that was amended, withdrawn or parted away: each entry, and what took it away.

    `against`: what speaks against this grade, by its code; what bears on another grade alone is no evidence here.
    """
    lost: dict[GradeReason, None] = {}
    if inputs.entries.changed:
        still = {entry.id: set(_speaks(intent, inputs, entry)) for entry in inputs.entries.in_force()}
        for entry, change in _superseded(inputs.entries):
            spoke = {said for said in _speaks(intent, inputs, entry) if said[0] in against}
            gone = sorted({code for code, _ in spoke - still.get(entry.id, set())})
            if gone and not _is_free(entry, change, inputs):
                lost |= dict.fromkeys((OF + code, name) for code in gone for name in (entry.id, change.id))
    for event in inputs.parted:
        if event.code in against and _would_have_spoken(event, intent, inputs):
            assert event.gone is not None
            lost |= dict.fromkeys((OF + event.code, name) for name in (event.entry, event.gone))
    return list(lost)


def _would_have_spoken(event: PersonEvent, intent: RecordedIntent | None, inputs: GradingInputs) -> bool:
    """Whether evidence in an incident that was parted would have decided the grade while the two were joined."""
    at = inputs.decided_at
    if event.code == "place":
        return intent is not None and _would_have_placed(event, intent, inputs)
    if at is None or event.code == "judge":
        return True
    match event.code:
        case "law" | "first_disposal":
            return event.at <= at
        case "s136" | "s135":
            return event.at <= at + WINDOW
    return at < event.at <= at + WINDOW


def _would_have_placed(event: PersonEvent, intent: RecordedIntent, inputs: GradingInputs) -> bool:
    """Whether the place of an officer's contact would have counted: none of the intent's own, nor a later officer's."""
    later = (officer for officer in inputs.entries.officers if officer.captured > event.at)
    places = (intent.part.location_type, intent.location_type, *(officer.entry.location_type for officer in later))
    return not any(is_known("location_type", place) for place in places)


# --- late inputs ---


def _place_and_lives(entry: Any) -> object:
    return entry.location_type, entry.someone_lives_there


def _status(entry: Any) -> object:
    return entry.legal_status, entry.legal_status_at


def _decision(entry: Any) -> object:
    return entry.disposal, entry.decided_at


def _is_held(entry: Any) -> bool:
    row = _STATUSES.get(entry.legal_status)
    return row is not None and row.held


def _given_by(entry: EffectiveEntry[Any], value: Callable[[Any], object]) -> StoredEntry:
    """The stored entry that gave the value its present form."""
    history = entry.history()
    given = history[-1]
    for version in reversed(history[:-1]):
        if value(version.entry) != value(given.entry):
            break
        given = version
    return given.given_by


def _changed_place(intent: RecordedIntent, inputs: GradingInputs) -> list[UUID]:
    limit, contacts = inputs.limit, inputs.entries.contacts
    if limit is None or not any(contact.versions for contact in contacts):
        return []
    if place_that_counts(intent, inputs) == _place_at(intent, inputs, limit):
        return []
    changed = [
        contact for contact in contacts if _place_and_lives(contact.at(limit).entry) != _place_and_lives(contact.entry)
    ]
    return [contact.id for contact in changed]


def _place_at(intent: RecordedIntent, inputs: GradingInputs, limit: datetime) -> Place:
    contacts = {contact.id: contact.at(limit) for contact in inputs.entries.contacts}
    officers = [contacts[officer.id] for officer in inputs.entries.officers]
    carrier = contacts.get(intent.entry)
    return place_that_counts(intent, inputs, carrier, place_of_contacts(officers, list(contacts.values())))


def _place_given_by(intent: RecordedIntent, inputs: GradingInputs) -> list[StoredEntry]:
    """The entries that gave the place that counts, where the intent itself does not, and who lives there, if asked."""
    kind, lives = place_that_counts(intent, inputs)
    given: dict[str, object] = {}
    if not is_known("location_type", intent.part.location_type):
        given["location_type"] = kind
    if s136_available(kind, None) is None:
        given["someone_lives_there"] = lives
    officers, contacts = inputs.entries.officers, inputs.entries.contacts
    carrier = [contact for contact in contacts if contact.id == intent.entry]
    by_precedence = [*carrier, *reversed(officers), *reversed(contacts)]
    first = (
        next((contact for contact in by_precedence if getattr(contact.entry, field) == value), None)
        for field, value in given.items()
    )
    return [_given_by(contact, attrgetter(field)) for field, contact in zip(given, first, strict=True) if contact]


def _changed_status(contact: EffectiveEntry[Any], limit: datetime | None) -> list[UUID]:
    if limit is None or not contact.versions:
        return []
    before = contact.at(limit).entry
    held = _is_held(before) or _is_held(contact.entry)
    return [contact.id] if held and _status(before) != _status(contact.entry) else []


def _changed_first(inputs: GradingInputs) -> list[UUID]:
    limit, outcomes = inputs.limit, inputs.entries.outcomes
    if limit is None or inputs.first is None or not any(outcome.versions for outcome in outcomes):
        return []
    before = first_disposal([dated_outcome(outcome.at(limit)) for outcome in outcomes])
    if before is None or (before.disposal, before.at) == (inputs.first.disposal, inputs.first.at):
        return []
    amended = {outcome.id for outcome in outcomes if outcome.versions}
    return [first.entry for first in (before, inputs.first) if first.entry in amended]


# --- evidence ---


def _superseded(entries: SortedEntries) -> Iterator[Superseded]:
    """Every content that an entry had and has no longer, with what took it away."""
    for entry in (*entries.in_force(), *entries.withdrawn):
        history = entry.history()
        for before, after in pairwise(history):
            yield entry.as_it_was(before), after.given_by
        if entry.withdrawn is not None:
            yield entry.as_it_was(history[-1]), entry.withdrawn
    for entry in entries.taken_back:
        assert entry.withdrawn is not None
        yield entry.as_it_was(entry.history()[-1]), entry.withdrawn


def _is_free(entry: EffectiveEntry[Any], change: StoredEntry, inputs: GradingInputs) -> bool:
    if kind(entry.stored.entry) == "intent":
        return is_free(entry.captured, captured(change), inputs.limit)
    return captured(change) - entry.captured <= FREE_TO_CORRECT


def _speaks(intent: RecordedIntent | None, inputs: GradingInputs, entry: EffectiveEntry[Any]) -> Iterator[Said]:
    """The evidence of an entry with this content against a grade: a refutation, a use, a reversal, a first disposal."""
    content, at = entry.entry, inputs.decided_at
    for power, use in uses_of(entry, inputs.outcomes):
        if at is None or use.at <= at + WINDOW:
            yield power, at is None or use.at <= at
    yield from ((code, True) for code, when in events_of(entry) if at is None or at < when <= at + WINDOW)
    match kind(entry.stored.entry):
        case "outcome":
            outcome = dated_outcome(entry)
            if outcome.at and (at is None or outcome.at <= at):
                yield "first_disposal", (outcome.disposal, outcome.at)
        case "nurse" if heard_no(content):
            yield "judge", True
    if intent is not None:
        yield from _refutes(intent, inputs, entry)


def _refutes(intent: RecordedIntent, inputs: GradingInputs, entry: EffectiveEntry[Any]) -> Iterator[Said]:
    content, what = entry.entry, kind(entry.stored.entry)
    part: IntentPart | None = content.intent if what in ("officer", "intent") else None
    if part and entry.id == intent.entry:
        if tests_failed(part):
            yield "test", True
        if s136_available(part.location_type, None) is False:
            yield "law", "place"
    if what in ("officer", "nurse", "paramedic"):
        row = _STATUSES.get(content.legal_status)
        if row and row.rules_out_s136 and inputs.already(status_held_from(entry)):
            yield "law", content.legal_status
        contacts = {contact.id: contact for contact in inputs.entries.contacts} | {entry.id: entry}
        in_order = sorted(contacts.values(), key=lambda contact: (contact.captured, contact.id))
        officers = [contact for contact in in_order if kind(contact.stored.entry) == "officer"]
        carrier = contacts.get(intent.entry)
        if s136_available(*place_that_counts(intent, inputs, carrier, place_of_contacts(officers, in_order))) is False:
            yield "law", "place"
    if what == "officer" and intent.part.power == "arrest_offence" and content.offence == "none":
        yield "no_offence", True

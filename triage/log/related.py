"""Incidents in the light of each other: events of the same person, and evidence of incidents that were parted.

Whoever parts an incident from the one that holds a refutation, a use, a reversal or an earlier first disposal does not
part it from the evidence (`triage.log.evidence`): it is told on, with the statement that parted the two.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from uuid import UUID

from msgspec import structs

from triage import codes
from triage.log.effective import LEADS, capture_order, captured, out_of_force
from triage.log.entries import NotSameIncident, SameIncident, StoredEntry, Withdrawal
from triage.log.grading_inputs import heard_no
from triage.log.incident import Incident, person_events
from triage.log.intents import FREE_TO_CORRECT
from triage.log.links import Pair, pair_of
from triage.log.resolve import is_known, s136_available
from triage.log.timeline import PersonEvent, first_disposal, status_held_from

LINKED_IN_ERROR = "linked_in_error"
"""The reason of an unlinking that a lead may give without leaving the evidence behind."""

_STATUSES = codes.list("legal_status")

Parted = tuple[UUID, UUID, StoredEntry]
"""Two incident ids that were joined and are no longer, and the statement or withdrawal that parted them."""


def related_events(incidents: Iterable[Incident]) -> dict[UUID, tuple[PersonEvent, ...]]:
    """The events that these incidents contribute to each other, by the id of the one concerned, in order."""
    every = list(incidents)
    told: dict[UUID, set[PersonEvent]] = {incident.id: set() for incident in every}
    by_person: dict[UUID, list[Incident]] = {}
    for incident in every:
        for person in incident.people:
            by_person.setdefault(person, []).append(incident)
    for together in by_person.values():
        if len(together) > 1:
            contributed = {incident.id: person_events(incident) for incident in together}
            for incident in together:
                for other in together:
                    if other is not incident:
                        told[incident.id].update(contributed[other.id])
    _add_parted(every, told)
    return {name: tuple(sorted(events, key=_order)) for name, events in told.items()}


def _order(event: PersonEvent) -> tuple[Any, ...]:
    return event.at, event.code, event.entry.bytes, event.incident.bytes


def _add_parted(incidents: Sequence[Incident], told: dict[UUID, set[PersonEvent]]) -> None:
    statements = [
        statement for incident in incidents for statement in incident.entries.stored if _is_statement(statement)
    ]
    parted = (
        list(_parted(statements)) if any(isinstance(statement.entry, SameIncident) for statement in statements) else []
    )
    if not parted:
        return
    by_id = {name: incident for incident in incidents for name in incident.incident_ids}
    for a, b, change in parted:
        for own, other in ((by_id.get(a), by_id.get(b)), (by_id.get(b), by_id.get(a))):
            if own and other and own is not other and not _is_exempt(own, change):
                told[own.id].update(_evidence(other, change))


def _is_statement(stored: StoredEntry) -> bool:
    return isinstance(stored.entry, SameIncident | NotSameIncident | Withdrawal)


def _parted(statements: Sequence[StoredEntry]) -> Iterator[Parted]:
    """The pairs that were said to be the same, and are no longer said to be; a slip of two minutes is none."""
    out = out_of_force(statements)
    by_pair: dict[Pair, list[StoredEntry]] = {}
    for statement in sorted(statements, key=capture_order):
        if isinstance(statement.entry, SameIncident | NotSameIncident):
            by_pair.setdefault(pair_of(statement), []).append(statement)
    for (a, b), said in by_pair.items():
        latest = next((statement for statement in reversed(said) if statement.id not in out), None)
        if latest is not None and isinstance(latest.entry, SameIncident):
            continue
        for statement in said:
            if isinstance(statement.entry, SameIncident):
                change = out.get(statement.id) or latest
                if change is not None and captured(change) - captured(statement) > FREE_TO_CORRECT:
                    yield a, b, change
                    break


def _is_exempt(own: Incident, change: StoredEntry) -> bool:
    """Whether a sergeant or clinical lead who is not the author of the intent unlinked what was linked in error."""
    reason = getattr(change.entry, "reason", None)
    is_author = any(intent.author == change.author for intent in own.intents)
    return reason == LINKED_IN_ERROR and change.role in LEADS.values() and not is_author


def _evidence(other: Incident, change: StoredEntry) -> Iterator[PersonEvent]:
    """The evidence against a grade that the other incident held when the two were parted."""
    at = captured(change)
    held = {entry.id for entry in other.entries.stored if captured(entry) <= at}
    for event in (*other.events, *_refutations(other)):
        if event.entry in held:
            yield structs.replace(event, gone=change.id)
    first = first_disposal(other.outcomes)
    if first and first.at and first.entry in held:
        yield PersonEvent("first_disposal", first.at, first.entry, other.id, gone=change.id)


def _refutations(other: Incident) -> Iterator[PersonEvent]:
    for nurse in other.entries.nurses:
        if heard_no(nurse.entry):
            yield PersonEvent("judge", nurse.captured, nurse.id, other.id)
    for contact in other.entries.contacts:
        row = _STATUSES.get(contact.entry.legal_status)
        if row and row.rules_out_s136:
            yield PersonEvent("law", status_held_from(contact), contact.id, other.id)
    officers = other.entries.officers
    placed = next((o for o in reversed(officers) if is_known("location_type", o.entry.location_type)), None)
    if placed and s136_available(placed.entry.location_type, placed.entry.someone_lives_there) is False:
        yield PersonEvent("place", placed.captured, placed.id, other.id)

"""Changes to entries afterwards: corrected, withdrawn, linked, disputed."""

from collections.abc import Callable
from typing import Any, get_args
from uuid import UUID

from triage.demo.cast import ETHNICITIES, Callers, Person, StaffMember
from triage.demo.phone import DemoEntry, Recorder
from triage.log.entries import (
    Amendment,
    Entry,
    Intent,
    IntentPart,
    NotSameIncident,
    Nurse,
    Officer,
    Outcome,
    Paramedic,
    PersonLink,
    PersonUnlink,
    Replacement,
    SameIncident,
    Withdrawal,
)

NEXT_MORNING = 600.0
"""Minutes after an incident's start at which the leads go through the log."""

_REPLACEMENTS: dict[Any, Any] = {kind.__struct_config__.tag: kind for kind in get_args(Replacement)}


def correct(recorder: Recorder, before: UUID | None, people: Callers) -> None:
    """Do what the scenario says happens to its entries. `before` is the set piece's previous incident."""
    match recorder.scenario.happens:
        case None:
            pass
        case "linked_in_error":
            assert before
            _link_in_error(recorder, before)
        case "wrong_person":
            _take_for(recorder, people.regulars[2])
        case "identified_late":
            _identify_late(recorder, people.regulars[4])
        case name:
            _HAPPENINGS[name](recorder)


def _amended(recorder: Recorder) -> None:
    contact = _first(recorder, Officer, Nurse, Paramedic)
    author = recorder.crew.sergeant if isinstance(contact.entry, Officer) and recorder.rng.random() < 0.5 else None
    _amend(recorder, contact, NEXT_MORNING, author, ethnicity=ETHNICITIES.draw(recorder.rng), note=None)


def _amended_early(recorder: Recorder) -> None:
    """From his other phone, while the first one is still without signal."""
    _amend(recorder, _first(recorder, Paramedic), 90.0, device=1, physical_need="none")


def _withdrawn(recorder: Recorder) -> None:
    if paramedics := _all(recorder, Paramedic):
        withdrawal = _withdraw(recorder, paramedics[0], NEXT_MORNING, "duplicate")
        if recorder.rng.random() < 0.3:
            _withdraw(recorder, withdrawal, NEXT_MORNING + 5, "withdrawn_in_error")


def _entered_in_error(recorder: Recorder) -> None:
    for sent in _all(recorder, Officer, Nurse, Paramedic, Intent, Outcome):
        _withdraw(recorder, sent, NEXT_MORNING, "entered_in_error")


def _corrected(recorder: Recorder) -> None:
    other = IntentPart(
        power="leave_with_care", confidence=2, formed_at=recorder.at(recorder.times.formed), source="self"
    )
    _amend(recorder, _first(recorder, Intent), recorder.times.left + 30, intent=other)


def _intent_withdrawn(recorder: Recorder) -> None:
    _withdraw(recorder, _first(recorder, Intent), recorder.times.left + 30, "entered_in_error")


def _disputed(recorder: Recorder) -> None:
    times = recorder.times
    said: dict[str, Any] = {
        "disposal": "community_follow_up",
        "decided_at": recorder.at(times.decided + 12),
        "decided_by": "nurse",
    }
    recorder.write(recorder.by("nurse"), Outcome, times.decided + 15, transport="none", **said)


def _split(recorder: Recorder) -> None:
    recorder.write(
        recorder.crew.sergeant,
        SameIncident,
        NEXT_MORNING,
        incident=recorder.nurses_incident,
        other_incident_id=recorder.incident,
        reason="same_log_and_person",
    )


def _split_unnoticed(recorder: Recorder) -> None:
    """Nobody links them, and the service suggests it."""


def _link_in_error(recorder: Recorder, before: UUID) -> None:
    sergeant = recorder.crew.sergeant
    recorder.write(sergeant, SameIncident, NEXT_MORNING, other_incident_id=before, reason="same_log")
    recorder.write(sergeant, NotSameIncident, NEXT_MORNING + 45, other_incident_id=before, reason="linked_in_error")


def _take_for(recorder: Recorder, person: Person) -> None:
    lead = recorder.crew.clinical_lead
    recorder.write(lead, PersonLink, recorder.times.left + 8, person_id=person.id, reason="identified")
    recorder.write(lead, PersonUnlink, NEXT_MORNING, person_id=person.id, reason="wrong_person")


def _identify_late(recorder: Recorder, person: Person) -> None:
    """Whom it concerned is found out days later, and belongs to editions that are out."""
    minute = recorder.times.left + 5 * 24 * 60
    recorder.write(recorder.crew.clinical_lead, PersonLink, minute, person_id=person.id, reason="identified_later")


def _moves_on(recorder: Recorder, *disposals: str) -> None:
    """Further outcomes, each half an hour after the one before; all of them stay in force."""
    for number, disposal in enumerate(disposals, 1):
        minute = recorder.times.decided + 30 * number
        fields: dict[str, Any] = {"disposal": disposal, "decided_at": recorder.at(minute), "decided_by": "officer"}
        recorder.write(recorder.by("police"), Outcome, minute + 4, transport="police_vehicle", **fields)


def _comes_back_and_is_arrested(recorder: Recorder) -> None:
    _moves_on(recorder, "arrest_custody", "carer_or_home")


def _is_protected_meanwhile(recorder: Recorder) -> None:
    _moves_on(recorder, "police_protection_s46", "child_care_pathway")


def _all(recorder: Recorder, *kinds: type[Entry]) -> list[DemoEntry]:
    return [sent for sent in recorder.sent if isinstance(sent.entry, kinds)]


def _first(recorder: Recorder, *kinds: type[Entry]) -> DemoEntry:
    return _all(recorder, *kinds)[0]


def _amend(
    recorder: Recorder,
    sent: DemoEntry,
    minute: float,
    author: StaffMember | None = None,
    *,
    device: int = 0,
    **changes: Any,
) -> None:
    """Replace the whole content of what was sent, by its author where no other is named."""
    kind = _REPLACEMENTS[sent.entry.__struct_config__.tag]
    content = {name: getattr(sent.entry, name) for name in kind.__struct_fields__} | changes
    author, target = author or recorder.crew.member(sent.author), sent.entry.id
    recorder.write(author, Amendment, minute, device=device, amends=target, reason="wrong_code", entry=kind(**content))


def _withdraw(recorder: Recorder, sent: DemoEntry, minute: float, reason: str) -> DemoEntry:
    recorder.write(recorder.crew.member(sent.author), Withdrawal, minute, withdraws=sent.entry.id, reason=reason)
    return recorder.sent[-1]


_HAPPENINGS: dict[str, Callable[[Recorder], None]] = {
    "amended": _amended,
    "amended_early": _amended_early,
    "withdrawn": _withdrawn,
    "entered_in_error": _entered_in_error,
    "corrected": _corrected,
    "intent_withdrawn": _intent_withdrawn,
    "disputed": _disputed,
    "comes_back_and_is_arrested": _comes_back_and_is_arrested,
    "is_protected_meanwhile": _is_protected_meanwhile,
    "split": _split,
    "split_unnoticed": _split_unnoticed,
}

"""What is done to entries afterwards: corrected, withdrawn, linked, disputed."""

from collections.abc import Callable
from typing import Any, get_args
from uuid import UUID

from triage.demo.cast import Member, Person
from triage.demo.incident import ETHNICITIES
from triage.demo.phone import Pen, Sent
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


def tidy(pen: Pen, before: UUID | None, people: tuple[Person, ...]) -> None:
    """Do what the scene says happens to its entries. `before` is the piece's previous incident."""
    match pen.scene.happens:
        case None:
            pass
        case "linked_in_error":
            assert before
            _link_in_error(pen, before)
        case "wrong_person":
            _take_for(pen, people[2])
        case name:
            _HAPPENINGS[name](pen)


def _amended(pen: Pen) -> None:
    contact = _first(pen, Officer, Nurse, Paramedic)
    author = pen.crew.sergeant if isinstance(contact.entry, Officer) and pen.rng.random() < 0.5 else None
    _amend(pen, contact, NEXT_MORNING, author, ethnicity=ETHNICITIES.draw(pen.rng), note=None)


def _amended_early(pen: Pen) -> None:
    """From his other phone, while the first one is still without signal."""
    _amend(pen, _first(pen, Paramedic), 90.0, device=1, physical_need="none")


def _withdrawn(pen: Pen) -> None:
    if paramedics := _all(pen, Paramedic):
        withdrawal = _withdraw(pen, paramedics[0], NEXT_MORNING, "duplicate")
        if pen.rng.random() < 0.3:
            _withdraw(pen, withdrawal, NEXT_MORNING + 5, "withdrawn_in_error")


def _entered_in_error(pen: Pen) -> None:
    for sent in _all(pen, Officer, Nurse, Paramedic, Intent, Outcome):
        _withdraw(pen, sent, NEXT_MORNING, "entered_in_error")


def _corrected(pen: Pen) -> None:
    other = IntentPart(power="leave_with_care", confidence=2, formed_at=pen.at(pen.times.formed), source="self")
    _amend(pen, _first(pen, Intent), pen.times.left + 30, intent=other)


def _intent_withdrawn(pen: Pen) -> None:
    _withdraw(pen, _first(pen, Intent), pen.times.left + 30, "entered_in_error")


def _disputed(pen: Pen) -> None:
    times = pen.times
    said: dict[str, Any] = {
        "disposal": "community_follow_up",
        "decided_at": pen.at(times.decided + 12),
        "decided_by": "nurse",
    }
    pen.write(pen.by("nurse"), Outcome, times.decided + 15, transport="none", **said)


def _split(pen: Pen) -> None:
    pen.write(
        pen.crew.sergeant,
        SameIncident,
        NEXT_MORNING,
        incident=pen.nurses_incident,
        other_incident_id=pen.incident,
        reason="same_log_and_person",
    )


def _split_unnoticed(pen: Pen) -> None:
    """Nobody links them, and the service suggests it."""


def _link_in_error(pen: Pen, before: UUID) -> None:
    sergeant = pen.crew.sergeant
    pen.write(sergeant, SameIncident, NEXT_MORNING, other_incident_id=before, reason="same_log")
    pen.write(sergeant, NotSameIncident, NEXT_MORNING + 45, other_incident_id=before, reason="linked_in_error")


def _take_for(pen: Pen, person: Person) -> None:
    lead = pen.crew.clinical_lead
    pen.write(lead, PersonLink, pen.times.left + 8, person_id=person.id, reason="identified")
    pen.write(lead, PersonUnlink, NEXT_MORNING, person_id=person.id, reason="wrong_person")


def _all(pen: Pen, *kinds: type[Entry]) -> list[Sent]:
    return [sent for sent in pen.sent if isinstance(sent.entry, kinds)]


def _first(pen: Pen, *kinds: type[Entry]) -> Sent:
    return _all(pen, *kinds)[0]


def _amend(
    pen: Pen, sent: Sent, minute: float, author: Member | None = None, *, device: int = 0, **changes: Any
) -> None:
    """Replace the whole content of what was sent, by its author where no other is named."""
    kind = _REPLACEMENTS[sent.entry.__struct_config__.tag]
    content = {name: getattr(sent.entry, name) for name in kind.__struct_fields__} | changes
    author, target = author or pen.crew.member(sent.author), sent.entry.id
    pen.write(author, Amendment, minute, device=device, amends=target, reason="wrong_code", entry=kind(**content))


def _withdraw(pen: Pen, sent: Sent, minute: float, reason: str) -> Sent:
    pen.write(pen.crew.member(sent.author), Withdrawal, minute, withdraws=sent.entry.id, reason=reason)
    return pen.sent[-1]


_HAPPENINGS: dict[str, Callable[[Pen], None]] = {
    "amended": _amended,
    "amended_early": _amended_early,
    "withdrawn": _withdrawn,
    "entered_in_error": _entered_in_error,
    "corrected": _corrected,
    "intent_withdrawn": _intent_withdrawn,
    "disputed": _disputed,
    "split": _split,
    "split_unnoticed": _split_unnoticed,
}

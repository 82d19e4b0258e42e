"""An incident told in minutes after 22:00 on 21 November 2026, as the log would hold it."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from msgspec import structs

from support.cast import BEDFORDSHIRE, CAST
from triage.log.diversion import diversion_view
from triage.log.entries import AnyEntry, StoredEntry
from triage.log.incident import Incident, fold, view_at
from triage.log.view import Audience, DiversionView, IncidentView
from triage.log.visibility import Sight

TEN = datetime(2026, 11, 21, 22, 0, tzinfo=UTC)
DAY = 24 * 60
INCIDENT = UUID("0193a000-0000-7000-8000-0000000000aa")
ANOTHER = UUID("0193a000-0000-7000-8000-0000000000bb")
NO_ONES = UUID("0193a000-0000-7000-8000-0000000000ff")
"""An id that nothing has."""

IDS = {
    name: UUID(f"0193a000-0000-7000-8000-0000000001{number:02}")
    for number, name in enumerate(
        ("officer", "other_officer", "sergeant", "nurse", "other_nurse", "paramedic", "clinical_lead")
    )
}
OFFICER, COLLEAGUE, SERGEANT, NURSE, OTHER_NURSE, PARAMEDIC, CLINICAL_LEAD = IDS.values()
STAFF = {id_: (CAST[name].profession or "", CAST[name].role) for name, id_ in IDS.items()}
AUTHORS = {"officer": OFFICER, "intent": OFFICER, "nurse": NURSE, "paramedic": PARAMEDIC}

AS_OFFICER = Audience("police", "field", OFFICER, "police")
AS_SERGEANT = Audience("police", "lead", SERGEANT, "police")
AS_NURSE = Audience("health", "field", NURSE, "nurse")
AS_PARAMEDIC = Audience("health", "field", PARAMEDIC, "paramedic")
AS_CLINICAL_LEAD = Audience("health", "lead", CLINICAL_LEAD, "nurse")
AUDIENCES = (AS_OFFICER, AS_SERGEANT, AS_NURSE, AS_PARAMEDIC, AS_CLINICAL_LEAD)

TESTS: dict[str, Any] = {"mental_disorder": True, "immediate_need": True, "necessary": True}
S136: dict[str, Any] = {"power": "s136", "confidence": 3, "formed_at": 3, "source": "self", "tests": TESTS}
STREET: dict[str, Any] = {"location_type": "street_or_park"}


def minute(number: float) -> datetime:
    """The instant this many minutes after ten."""
    return TEN + timedelta(minutes=number)


class Story:
    """A log that grows. Fields that hold times are given in minutes, or as instants."""

    def __init__(self, incident_id: UUID = INCIDENT, first_seq: int = 1) -> None:
        self.incident_id = incident_id
        self.stored: list[StoredEntry] = []
        self._next = first_seq

    def tell(
        self,
        kind: str,
        captured: float,
        *,
        by: UUID | None = None,
        received: float | None = None,
        skew_ms: int | None = None,
        blind: bool = False,
        test: bool = False,
        incident_id: UUID | None = None,
        **content: Any,
    ) -> StoredEntry:
        """One entry of this kind, captured then, received when captured unless said otherwise."""
        number, self._next = self._next, self._next + 1
        body = {
            "kind": kind,
            "incident_id": incident_id or self.incident_id,
            "captured_at": minute(captured),
            "codes_version": 2,
            **({"test": True} if test else {}),
            **_instants(content),
        }
        author = by or AUTHORS.get(kind, NURSE)
        profession, role = STAFF[author]
        held = StoredEntry(
            seq=number,
            id=UUID(int=0x0193A0000000700080000000_00000000 + number),
            entry=msgspec.convert(body, AnyEntry),
            received_at=minute(captured if received is None else received),
            author=author,
            profession=profession,
            role=role,
            skew_ms=skew_ms,
            blind=blind,
        )
        self.stored.append(held)
        return held

    def officer(self, captured: float = 60, **content: Any) -> StoredEntry:
        return self.tell("officer", captured, **content)

    def nurse(self, captured: float = 60, **content: Any) -> StoredEntry:
        return self.tell("nurse", captured, **content)

    def paramedic(self, captured: float = 60, **content: Any) -> StoredEntry:
        return self.tell("paramedic", captured, **content)

    def intent(
        self, captured: float = 4, *, by: UUID | None = None, received: float | None = None, **part: Any
    ) -> StoredEntry:
        return self.tell("intent", captured, by=by, received=received, intent=S136 | part)

    def outcome(
        self, disposal: str, decided_at: float | None = 65, captured: float = 72, **content: Any
    ) -> StoredEntry:
        return self.tell("outcome", captured, disposal=disposal, decided_at=decided_at, **content)

    def detention(self, event: str, when: float, captured: float | None = None, **content: Any) -> StoredEntry:
        content.setdefault("power", "s136")
        return self.tell("detention", when if captured is None else captured, event=event, at=when, **content)

    def follow_up(self, event: str, when: float, captured: float | None = None, **content: Any) -> StoredEntry:
        return self.tell("follow_up", when if captured is None else captured, event=event, at=when, **content)

    def amend(
        self, what: StoredEntry | UUID, captured: float, kind: str, *, by: UUID | None = None, **content: Any
    ) -> StoredEntry:
        name, author = (what.id, what.author) if isinstance(what, StoredEntry) else (what, NURSE)
        entry = {"kind": kind, **_instants(content)}
        return self.tell("amendment", captured, by=by or author, amends=name, reason="wrong_code", entry=entry)

    def withdraw(self, what: StoredEntry | UUID, captured: float = 90, *, by: UUID | None = None) -> StoredEntry:
        name, author = (what.id, what.author) if isinstance(what, StoredEntry) else (what, NURSE)
        return self.tell("withdrawal", captured, by=by or author, withdraws=name, reason="entered_in_error")

    def incident(self, *others: Any) -> Incident:
        return fold(self.stored, others, terms=BEDFORDSHIRE)

    def view(self, now: float = 3 * DAY) -> IncidentView:
        return whole_view(self.incident(), minute(now))

    def diversion(self, now: float = 3 * DAY, *others: Any) -> DiversionView:
        grades = whole_view(self.incident(*others), minute(now)).diversion
        assert isinstance(grades, DiversionView)
        return grades

    def s136(self, now: float = 3 * DAY) -> tuple[str | None, str | None]:
        grade = self.diversion(now).s136
        return grade.grade, grade.reason

    def custody(self, now: float = 3 * DAY) -> tuple[str | None, str | None]:
        grade = self.diversion(now).custody
        return grade.grade, grade.reason

    def flags(self, now: float = 3 * DAY) -> tuple[str, ...]:
        return self.view(now).flags


def whole_view(incident: Incident, now: datetime) -> IncidentView:
    """All that the entries add up to at an instant, of which each reader sees a part."""
    flags = view_at(incident, now, AS_SERGEANT, Sight("police", False)).flags
    grades = diversion_view(incident.diversion, now, frozenset())
    return structs.replace(incident.view, flags=flags, diversion=grades)


_TIMES = {"occurred_at", "arrived_at", "left_at", "legal_status_at", "decided_at", "at", "formed_at", "log_time"} | {
    "advice_given_at"
}


def _instants(content: dict[str, Any]) -> dict[str, Any]:
    return {
        name: minute(value)
        if name in _TIMES and isinstance(value, int | float)
        else _instants(value)
        if isinstance(value, dict)
        else value
        for name, value in content.items()
    }

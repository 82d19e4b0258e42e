"""Facts as a test wants them: an ordinary closed incident, changed where the test says."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from triage.summaries.facts import ASKED, GradeResult, IncidentFact, Profile, RecentIncident, profile_at
from triage.summaries.registry import Scope
from triage.summaries.schedule import Coverage

TEN = datetime(2026, 11, 21, 22, 0, tzinfo=UTC)
LATER = TEN + timedelta(days=200)
WHOLE = Coverage(date(2026, 10, 1), date(2026, 12, 31), True)
NOTHING = GradeResult(None, "none", None, None)

_ORDINARY: dict[str, Any] = {
    "seq": 1,
    "counts": True,
    "at": TEN,
    "status": "closed",
    "area": "luton_west",
    "contact_mode": "attended",
    "under_18": False,
    "first": "carer_or_home",
    "decided_at": TEN + timedelta(minutes=30),
    "latest": "carer_or_home",
    "running": False,
    "extended_minutes": 0,
    "stays": (),
    "presenting": (),
    "s136": NOTHING,
    "custody": NOTHING,
    "contemporaneous": False,
    "referrals_asked": False,
    "judgements": (),
    "referrals": (),
    "follow_up_due": False,
    "follow_ups": (),
    "events": (),
    "others": (),
    "people": (),
    "flags": (),
    "answered": ASKED,
    "by_profession": (),
    "owing": (),
    "on_scene": (),
    "entries": 2,
    "late_entries": 0,
}


def person(number: int) -> UUID:
    return UUID(int=number)


def fact(number: int = 1, **changed: Any) -> IncidentFact:
    """The fact of a test's n-th incident."""
    fields: dict[str, Any] = dict.fromkeys(IncidentFact.__struct_fields__) | _ORDINARY | {"id": UUID(int=1000 + number)}
    given = fields | changed
    if "disposals" not in changed:
        given["disposals"] = tuple(dict.fromkeys(filter(None, (given["first"], given["latest"]))))
    return IncidentFact(**given)


def considered(number: int = 1, grade: str | None = "B", **changed: Any) -> IncidentFact:
    """An incident in which an officer would have used s136, and did not."""
    graded = GradeResult(grade, None, "not_checked", None)
    return fact(number, **{"s136": graded, "contemporaneous": True, "confidence": 3} | changed)


def used(number: int = 1, **changed: Any) -> IncidentFact:
    """An incident in which s136 was used, and has ended."""
    graded = GradeResult(None, "used", None, None)
    ordinary = {"s136": graded, "s136_at": TEN, "first": "s136_removed", "latest": "s136_removed", "result": "lapsed"}
    return fact(number, **ordinary | changed)


def pooled(*facts: IncidentFact) -> Counter[Profile]:
    """These incidents counted by profile."""
    return Counter(profile_at(fact, LATER) for fact in facts)


def scope(*members: IncidentFact, **changed: Any) -> Scope:
    """A quarter long over that holds these incidents, which are all that is known of their people."""
    of_person: dict[UUID, list[IncidentFact]] = {}
    for member in members:
        for who in member.people:
            of_person.setdefault(who, []).append(member)
    given: dict[str, Any] = {
        "kind": "quarterly",
        "starts_at": TEN - timedelta(days=30),
        "ends_at": TEN + timedelta(days=30),
        "as_at": LATER,
        "members": members,
        "covered": WHOLE,
        "recent": [RecentIncident(member, False) for member in members],
        "pooled": pooled(*members),
        "of_person": of_person,
    }
    return Scope(**(given | changed))

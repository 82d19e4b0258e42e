"""How a detention goes on after the decision: its events, each so many minutes later."""

from collections.abc import Callable
from random import Random
from typing import Any

from msgspec import Struct, structs

from triage.demo.mix import Mix
from triage.log.entries import StationTests


class CourseStep(Struct, frozen=True):
    """An event `after` minutes, what is recorded with it, by which profession, and how many minutes late."""

    after: float
    event: str
    facts: dict[str, Any]
    by: str = "police"
    late: float = 0.0


Course = list[CourseStep]

RESULTS = Mix(
    {
        "discharged_follow_up": 37, "detained_s2": 23, "admitted_informal": 16, "discharged_no_follow_up": 12,
        "detained_s3": 4, "no_mental_disorder": 4, "lapsed": 1, "detained_s4": 1, "unknown": 2,
    }
)  # fmt: skip
ED_REASONS = Mix({"physical_health": 50, "suite_full": 28, "no_suite_staff": 12, "suite_refused_intoxicated": 10})


def course(rng: Random, name: str) -> Course:
    """The events of the course with this name."""
    return sorted(COURSES[name](rng), key=lambda step: step.after)


def _arrival(
    rng: Random, place: str, after: float, waits: float | None = None, place_reason: str | None = None, **facts: Any
) -> Course:
    where = {"place_of_safety": place, "place_reason": place_reason}
    entered = after + (rng.uniform(3, 20) if waits is None else waits)
    handed_over = entered + rng.uniform(12, 95)
    return [
        CourseStep(after, "arrived_site", where | facts),
        CourseStep(entered, "entered", where),
        CourseStep(handed_over, "handover_complete", where),
    ]


def _assessment(rng: Random, arrived: float) -> Course:
    doctor = arrived + rng.uniform(110, 620)
    return [
        CourseStep(doctor, "examined_by_doctor", {}, "nurse"),
        CourseStep(doctor + rng.uniform(-60, 90), "amhp_interview", {}, "nurse"),
    ]


def _end(rng: Random, after: float) -> CourseStep:
    return CourseStep(after, "ended", {"result": RESULTS.draw(rng)}, "nurse")


def _suite(rng: Random) -> Course:
    arrived = rng.uniform(25, 60)
    events = [*_arrival(rng, "health_based", arrived), *_assessment(rng, arrived)]
    return [CourseStep(1, "began", {}), *events, _end(rng, arrived + rng.uniform(760, 1380))]


def _ed_only(rng: Random) -> Course:
    arrived = rng.uniform(20, 50)
    events = [
        *_arrival(rng, "emergency_department", arrived, place_reason=ED_REASONS.draw(rng)),
        *_assessment(rng, arrived),
    ]
    return [CourseStep(1, "began", {}), *events, _end(rng, arrived + rng.uniform(760, 1380))]


def _ed_then_suite(rng: Random) -> Course:
    arrived = rng.uniform(20, 50)
    moved = arrived + 480 + rng.uniform(-60, 60)
    return [
        CourseStep(1, "began", {}),
        *_arrival(rng, "emergency_department", arrived, place_reason=ED_REASONS.draw(rng)),
        CourseStep(moved, "transferred", {"place_of_safety": "health_based"}, "nurse"),
        *_arrival(rng, "health_based", moved + 25),
        *_assessment(rng, moved + 25),
        _end(rng, arrived + rng.uniform(1300, 1410)),
    ]


def _queue(rng: Random) -> Course:
    arrived = rng.uniform(25, 45)
    events = _arrival(
        rng, "emergency_department", arrived, waits=300 + rng.uniform(-20, 30), place_reason="physical_health"
    )
    return [
        CourseStep(1, "began", {}),
        *events,
        *_assessment(rng, arrived + 300),
        _end(rng, arrived + rng.uniform(1250, 1420)),
    ]


def _extended(rng: Random) -> Course:
    arrived = rng.uniform(25, 60)
    return [
        CourseStep(1, "began", {}),
        *_arrival(rng, "health_based", arrived),
        CourseStep(
            arrived + 1420,
            "extended",
            {"minutes": 360, "ground": "condition", "authorised_by": "responsible_doctor"},
            "nurse",
        ),
        *_assessment(rng, arrived + 900),
        _end(rng, arrived + rng.uniform(1500, 1780)),
    ]


def _no_bed(rng: Random) -> Course:
    arrived = rng.uniform(25, 60)
    return [
        CourseStep(1, "began", {}),
        *_arrival(rng, "health_based", arrived),
        *_assessment(rng, arrived),
        CourseStep(arrived + 1400, "extended", {"minutes": 720, "ground": "no_bed", "authorised_by": "other"}, "nurse"),
        CourseStep(arrived + 1600, "ended", {"result": "detained_s2"}, "nurse"),
    ]


def _absconds(rng: Random) -> Course:
    arrived = rng.uniform(25, 60)
    gone = arrived + rng.uniform(150, 300)
    return [
        CourseStep(1, "began", {}),
        *_arrival(rng, "health_based", arrived),
        CourseStep(gone, "absconded", {}, "nurse"),
        CourseStep(gone + 180, "returned", {}),
        *_assessment(rng, gone + 200),
        _end(rng, arrived + rng.uniform(1200, 1420)),
    ]


def _kept(rng: Random) -> Course:
    where = {"place_of_safety": "emergency_department", "place_reason": "nearest"}
    return [CourseStep(1, "kept_from", where), *_assessment(rng, 20), _end(rng, rng.uniform(700, 1300))]


def _adult_at_station(rng: Random) -> Course:
    arrived = rng.uniform(15, 40)
    tests = StationTests(imminent_risk=True, no_other_place=True, healthcare_available=True)
    station: dict[str, Any] = {"station_tests": tests, "authorised_rank": "inspector", "reason": "violence"}
    checks = [CourseStep(arrived + 30 * n, "health_check", {"place_of_safety": "police_station"}) for n in range(1, 7)]
    moved = arrived + 200
    return [
        CourseStep(1, "began", {}),
        *_arrival(rng, "police_station", arrived, **station),
        *checks,
        CourseStep(moved, "transferred", {"place_of_safety": "health_based"}),
        *_arrival(rng, "health_based", moved + 30),
        *_assessment(rng, moved + 40),
        _end(rng, arrived + rng.uniform(800, 1300)),
    ]


def _child_at_station(rng: Random) -> Course:
    arrived = rng.uniform(15, 30)
    moved = arrived + 70
    return [
        CourseStep(1, "began", {}),
        *_arrival(rng, "police_station", arrived, place_reason="suite_refused_age"),
        CourseStep(moved, "transferred", {"place_of_safety": "health_based"}),
        *_arrival(rng, "health_based", moved + 40),
        *_assessment(rng, moved + 60),
        _end(rng, arrived + rng.uniform(600, 900)),
    ]


def _second_stay_known_late(rng: Random) -> Course:
    """Moved on to a suite that hands over in an hour and a half, which is recorded four days later."""
    at_ed, at_suite = rng.uniform(20, 40), 260.0
    late = 4 * 24 * 60.0
    stay = [structs.replace(step, late=late) for step in _arrival(rng, "health_based", at_suite, waits=5.0)]
    handed_over = [structs.replace(step, after=at_suite + 90.0) for step in stay if step.event == "handover_complete"]
    return [
        CourseStep(1, "began", {}),
        *_arrival(rng, "emergency_department", at_ed, place_reason="suite_full"),
        CourseStep(at_suite - 30, "transferred", {"place_of_safety": "health_based"}),
        *(step for step in stay if step.event != "handover_complete"),
        *handed_over,
        *_assessment(rng, at_suite),
        _end(rng, at_suite + rng.uniform(300, 700)),
    ]


def _first_place_not_recorded(rng: Random) -> Course:
    arrived = rng.uniform(20, 40)
    return [
        CourseStep(1, "began", {}),
        CourseStep(arrived, "arrived_site", {}),
        CourseStep(arrived + 120, "transferred", {"place_of_safety": "health_based"}),
        *_arrival(rng, "health_based", arrived + 150),
        *_assessment(rng, arrived + 160),
        _end(rng, arrived + rng.uniform(700, 1300)),
    ]


def _two_doctors(rng: Random) -> Course:
    """The first examination is recorded after the second."""
    arrived = rng.uniform(25, 60)
    return [
        CourseStep(1, "began", {}),
        *_arrival(rng, "health_based", arrived),
        CourseStep(arrived + 180, "examined_by_doctor", {}, "nurse", late=300.0),
        CourseStep(arrived + 260, "examined_by_doctor", {}, "nurse"),
        CourseStep(arrived + 270, "amhp_interview", {}, "nurse"),
        _end(rng, arrived + rng.uniform(500, 900)),
    ]


def _running(rng: Random) -> Course:
    return [step for step in _suite(rng) if step.event != "ended"]


def _running_at_ed(rng: Random) -> Course:
    return [
        CourseStep(1, "began", {}),
        *_arrival(rng, "emergency_department", rng.uniform(20, 40), place_reason="suite_full"),
    ]


COURSES: dict[str, Callable[[Random], Course]] = {
    "suite": _suite,
    "warrant": _suite,
    "ed_only": _ed_only,
    "ed_then_suite": _ed_then_suite,
    "queue": _queue,
    "extended": _extended,
    "no_bed": _no_bed,
    "absconds": _absconds,
    "kept": _kept,
    "adult_at_station": _adult_at_station,
    "child_at_station": _child_at_station,
    "second_stay_known_late": _second_stay_known_late,
    "first_place_not_recorded": _first_place_not_recorded,
    "two_doctors": _two_doctors,
    "running": _running,
    "running_at_ed": _running_at_ed,
}

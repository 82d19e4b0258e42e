"""What of an incident is counted, from its entries to the figure: one wrong or misleading number a test."""

from datetime import date, timedelta
from typing import Any

import pytest
from facts import TEN, considered, fact, person, scope, used
from support.story import AS_CLINICAL_LEAD, AS_SERGEANT, Story, minute
from test_measures import counted, measured, rows

from triage.codes import Population
from triage.log.redaction import sight_of
from triage.log.view import IncidentView
from triage.log.visibility import Sight
from triage.summaries.derivation import fact_of
from triage.summaries.facts import DatedEvent, GradeResult, IncidentFact, Stay
from triage.summaries.figures import Measure
from triage.summaries.needs_action import actions, clock_alert
from triage.summaries.registry import REGISTRY, UntraceableLine, definitions
from triage.summaries.schedule import KINDS, Calendar, Coverage, coverage
from triage.summaries.tracing import may_follow
from triage.times import PeriodKind, parse_period

HOUR = timedelta(hours=1)
MHST: dict[str, Any] = {"place_of_safety": "health_based"}


def told(story: Story) -> IncidentFact:
    return fact_of(story.incident())


# --- every disposal in force counts ---


def test_an_arrest_between_two_other_outcomes_is_a_power_used() -> None:
    story = Story()
    story.officer()
    story.outcome("left_before_assessment", 10)
    story.outcome("arrest_custody", 20)
    story.outcome("carer_or_home", 30)
    lines = rows("powers_used", scope(told(story)))
    assert (lines["arrest"], lines["none"]) == (1, 0)


def test_police_protection_between_two_others_is_a_power_used_and_a_withdrawn_one_is_not() -> None:
    story = Story()
    story.officer()
    story.outcome("community_follow_up", 10)
    protection = story.outcome("police_protection_s46", 20)
    story.outcome("child_care_pathway", 30)
    assert rows("powers_used", scope(told(story)))["police_protection"] == 1
    story.withdraw(protection, 95)
    lines = rows("powers_used", scope(told(story)))
    assert (lines["police_protection"], lines["none"]) == (0, 1)


# --- a consultation is one before the use ---


@pytest.mark.parametrize(("at", "consulted"), [(30, 1), (30.1, 0), (None, 1)])
def test_who_was_consulted_after_the_use_was_not_consulted_before_it(at: float | None, consulted: int) -> None:
    story = Story()
    story.officer(consulted={"role": "nurse", "at": at}, legal_status="s136", occurred_at=0)
    assert told(story).consulted
    story.outcome("s136_removed", 30)
    figure = measured("consultation_rate", scope(told(story)))
    assert (figure.value, figure.known, figure.missing) == (consulted, 1, 0)


# --- what was asked and is not known was answered ---


@pytest.mark.parametrize(
    "answer", [{"age_band": "unknown"}, {"sex": "unknown"}, {"ethnicity": "N1"}, {"location_type": "unknown"}]
)
def test_a_coded_missing_value_is_an_answer(answer: dict[str, Any]) -> None:
    story = Story()
    story.officer(**answer)
    assert told(story).answered == ("age" if "age_band" in answer else next(iter(answer)),)


# --- the first place is the first, known or missing ---


def test_a_first_place_that_nobody_recorded_is_missing_and_never_the_second() -> None:
    story = Story()
    story.outcome("s136_removed", 5)
    story.detention("arrived_site", 30)
    story.detention("transferred", 90)
    story.detention("arrived_site", 120, **MHST)
    given = scope(told(story))
    assert rows("s136_by_place", given)["health_based"] == 0
    assert (measured("s136_by_place", given).known, measured("s136_by_place", given).missing) == (0, 1)
    assert counted("ed_share", given) == (0, 0, 1)


def test_a_coded_missing_transport_never_wins_over_a_known_one() -> None:
    story = Story()
    story.outcome("s136_removed", 5, transport="unknown")
    story.outcome("s136_removed", 6, transport="ambulance")
    assert told(story).transport == "ambulance"


# --- times are the earliest in time, and the clock has its own start ---


def test_the_first_assessment_is_the_earliest_whatever_was_sent_first() -> None:
    story = Story()
    story.outcome("s136_removed", 5)
    story.detention("arrived_site", 30, **MHST)
    story.detention("examined_by_doctor", 30 + 6 * 60, captured=500)
    story.detention("examined_by_doctor", 30 + 3 * 60, captured=600)
    story.detention("ended", 30 + 9 * 60, captured=700, result="detained_s2")
    story.detention("ended", 30 + 8 * 60, captured=800, result="detained_s2")
    known = told(story)
    assert rows("time_to_assessment", scope(known))["median"] == 3.0
    assert known.minutes_detained == 8 * 60


def test_somebody_kept_at_a_place_has_a_clock_and_may_be_extended() -> None:
    story = Story()
    story.detention("kept_from", 60, place_of_safety="emergency_department")
    story.outcome("s136_kept", 60)
    story.detention("amhp_interview", 180)
    approved: dict[str, Any] = {"minutes": 360, "ground": "condition", "authorised_by": "responsible_doctor"}
    story.detention("extended", 20 * 60, **approved)
    given = scope(told(story))
    assert counted("extension_rate", given) == (1, 1, 0)
    assert rows("time_to_assessment", given)["median"] == 2.0


def test_a_second_detention_counts_its_stays_and_its_extension_and_the_clock_is_the_first_one_s() -> None:
    story = Story()
    story.outcome("s136_removed", 5)
    story.detention("arrived_site", 30, place_of_safety="emergency_department")
    story.detention("handover_complete", 60)
    story.detention("ended", 300, captured=300, result="discharged_no_follow_up")
    story.outcome("s136_removed", 400, captured=410)
    story.detention("arrived_site", 430, captured=440, **MHST)
    story.detention("handover_complete", 520, captured=520)
    known = told(story)
    assert [(stay.place, stay.handover_minutes) for stay in known.stays] == [
        ("emergency_department", 30),
        ("health_based", 90),
    ]
    assert counted("handover_within_target", scope(known)) == (1, 2, 0)
    assert known.minutes_detained == 270 and known.running


@pytest.mark.parametrize(("seconds", "within"), [(3600, 1), (3601, 0)])
def test_a_handover_of_a_second_over_the_hour_is_over_the_target(seconds: int, within: int) -> None:
    story = Story()
    story.outcome("s136_removed", 5)
    story.detention("arrived_site", 20, **MHST)
    story.detention("handover_complete", 20 + seconds / 60, **MHST)
    assert counted("handover_within_target", scope(told(story))) == (within, 1, 0)


# --- what is known, and of what ---


def test_an_unknown_result_followed_by_section_2_is_a_conversion() -> None:
    given = scope(
        used(1, result="unknown", ended_at=TEN, events=(DatedEvent("s2", TEN + 20 * HOUR),)),
        used(2, result="unknown", ended_at=TEN),
    )
    assert counted("conversion", given) == (1, 1, 1)


def test_no_referral_made_is_an_answer() -> None:
    story = Story()
    story.nurse(referrals=["none"])
    silent = Story(incident_id=fact(9).id)
    silent.nurse()
    given = scope(told(story), told(silent))
    assert (measured("referrals", given).known, measured("referrals", given).missing) == (1, 1)


def test_an_offence_that_nobody_recorded_is_missing_among_the_alleged_serious() -> None:
    custody = GradeResult("B", None, None, None)
    given = scope(
        fact(1, custody=custody, offence="alleged_serious"),
        fact(2, custody=custody, offence="none"),
        fact(3, custody=custody),
    )
    line = next(row for row in measured("custody_by_grade", given).rows if row.code == "alleged_serious")  # type: ignore[union-attr]
    assert (line.value, line.of, line.missing) == (1, 2, 1)


def test_grades_a_and_b_say_how_many_rest_on_an_intent_received_within_1_and_24_hours() -> None:
    took = {"A": (5.0, 90.0), "B": (60.0, 60 * 24 + 1, None)}
    given = scope(
        *(
            considered(n, grade, intent_took=minutes)
            for n, (grade, minutes) in enumerate((g, m) for g, many in took.items() for m in many)
        )
    )
    assert rows("intent_received", given) == {
        "within_1_h/A": 1,
        "within_24_h/A": 2,
        "within_1_h/B": 1,
        "within_24_h/B": 1,
    }


def test_the_time_an_intent_took_is_from_its_capture_to_its_receipt() -> None:
    story = Story()
    story.officer()
    story.intent(4, received=124)
    story.outcome("carer_or_home")
    assert told(story).intent_took == 120


# --- rates ---


def test_a_rate_rests_on_the_population_of_its_own_year() -> None:
    people = [
        Population(local_authority="E06000032", year=year, persons=persons, source="Mid-year estimate")
        for year, persons in ((2024, 100_000), (2026, 200_000), (2027, 400_000))
    ]
    rate = measured("s136_per_100_000", scope(used(1), used(2), populations=people)).rows[0]  # type: ignore[index]
    assert (rate.value, rate.of, rate.events) == (1.0, 200_000, 2)
    assert (rate.low, rate.high) == (0.1, 3.6)  # Byar, for two events


def test_there_is_no_rate_of_a_period_that_the_log_covers_only_in_part() -> None:
    people = [Population(local_authority="E06000032", year=2026, persons=200_000, source="Mid-year estimate")]
    partly = Coverage(date(2026, 11, 20), date(2026, 12, 31), False)
    rate = measured("s136_per_100_000", scope(used(1), populations=people, covered=partly)).rows[0]  # type: ignore[index]
    assert rate.value is None and "covers only part" in rate.text


@pytest.mark.parametrize(
    ("starts_on", "covered"),
    [
        (date(2026, 1, 1), Coverage(date(2026, 7, 1), date(2026, 9, 30), True)),
        (date(2026, 8, 15), Coverage(date(2026, 8, 15), date(2026, 9, 30), False)),
        (date(2026, 10, 1), Coverage(None, None, False)),
    ],
)
def test_a_period_is_covered_from_the_first_day_of_the_team(starts_on: date, covered: Coverage) -> None:
    assert coverage(parse_period("quarterly", "2026-Q2"), Calendar(starts_on), TEN) == covered


# --- one definition of what needs action ---


def test_a_lone_intent_and_what_is_linked_do_not_need_a_person() -> None:
    assert "unlinked" in actions((), counts=True, linked=False, duplicate=False)
    assert actions((), counts=False, linked=False, duplicate=True) == frozenset()
    assert "unlinked" not in actions((), counts=True, linked=True, duplicate=False)


def test_a_running_clock_alerts_without_any_outcome_and_a_death_stops_it() -> None:
    story = Story()
    story.officer(legal_status="s136", legal_status_at=1)
    story.detention("arrived_site", 30, **MHST)
    running = told(story)
    assert running.running and running.expires_at
    week = timedelta(days=7)
    left = [5 * HOUR, 4 * HOUR, HOUR, -HOUR, -week - HOUR]
    raised = [clock_alert(running.expires_at, running.expires_at - hours, week) for hours in left]
    assert raised == [None, "detention_4_h", "detention_1_h", "detention_0_h", None]
    story.follow_up("died", 700)
    assert not told(story).running


# --- the incidents behind a figure ---


def test_a_published_measure_holds_no_incident() -> None:
    measure = measured("outcomes", scope(fact(1), fact(2)))
    assert not any(hasattr(row, "incidents") for row in measure.rows)  # type: ignore[union-attr]


@pytest.mark.parametrize("kind", KINDS)
def test_the_incidents_behind_every_traceable_line_are_as_many_as_it_says(kind: PeriodKind) -> None:
    given = scope(
        used(1, stays=(Stay("health_based", None, 30), Stay("health_based", None, 90)), referrals_asked=True),
        considered(2, people=(person(1),)),
        fact(3, area="bedford", people=(person(1),), at=TEN + 48 * HOUR),
        fact(4, referrals=("gp",), referrals_asked=True),
        fact(5, disposals=(), first=None, latest=None, running=True, flags=("clock_running",)),
        kind=kind,
    )
    traceable = 0
    for definition in definitions(kind):
        for line, value in lines(definition.measure(given)).items():
            try:
                behind = definition.incidents_behind(given, line)
            except UntraceableLine:
                continue
            traceable += bool(behind)
            assert len(set(behind)) == value, f"{definition.code}/{line}"
    assert traceable > 5


def lines(measure: Measure) -> dict[str, Any]:
    """What each line counts."""
    if not isinstance(measure.rows, tuple):
        return {"": measure.value}
    return {
        "/".join(filter(None, (row.code, row.column))): row.value if row.events is None else row.events
        for row in measure.rows
    }


@pytest.mark.parametrize("line", ["detained/x", "nothing", ""])
def test_a_line_that_is_not_there_has_no_incidents(line: str) -> None:
    with pytest.raises(UntraceableLine):
        REGISTRY["under_18s"].incidents_behind(scope(used(1)), line)


@pytest.mark.parametrize("code", ["handover_within_target", "seen_often", "late_data", "hours_on_scene"])
def test_a_line_that_counts_no_incidents_leads_to_none(code: str) -> None:
    given = scope(used(1, stays=(Stay("health_based", None, 30),), entries=5, late_entries=1, people=(person(1),)))
    for line, value in lines(measured(code, given)).items():
        if value:
            with pytest.raises(UntraceableLine):
                REGISTRY[code].incidents_behind(given, line)


def test_what_a_line_classifies_by_are_fields_of_the_view() -> None:
    known = {*IncidentView.__struct_fields__, "detention.result"}
    for definition in REGISTRY.values():
        assert set(definition.fields) <= known, definition.code


# --- which lines a reader may follow ---


def admitted() -> Story:
    story = Story()
    story.officer()
    story.intent(4)
    story.outcome("s136_removed", 5)
    story.detention("arrived_site", 30, **MHST)
    story.detention("ended", 300, captured=300, result="detained_s2")
    return story


@pytest.mark.parametrize(
    ("code", "sergeant", "clinical_lead"),
    [
        ("outcomes", True, True),
        ("s136_by_place", True, True),
        ("conversion", False, True),
        ("admitted", False, True),
        ("considered_by_grade", True, True),  # no judgement can corroborate any more
    ],
)
def test_a_reader_follows_a_line_only_where_every_member_shows_what_it_classifies_by(
    code: str, sergeant: bool, clinical_lead: bool
) -> None:
    sights = [sight_of(admitted().stored, audience, minute(400)) for audience in (AS_SERGEANT, AS_CLINICAL_LEAD)]
    assert [may_follow(REGISTRY[code], [sight]) for sight in sights] == [sergeant, clinical_lead]
    assert may_follow(REGISTRY[code], sights) is (sergeant and clinical_lead)


def test_a_lead_who_is_blind_for_one_member_follows_no_line_of_intents() -> None:
    blind, judged = Sight("health", True), Sight("health", False)
    assert may_follow(REGISTRY["considered_by_grade"], [judged])
    assert not may_follow(REGISTRY["considered_by_grade"], [judged, blind])
    assert may_follow(REGISTRY["outcomes"], [judged, blind])

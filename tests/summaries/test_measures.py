"""The measures, one rule at a time."""

from datetime import timedelta
from typing import Any

import pytest
from facts import LATER, NOTHING, TEN, considered, fact, person, pooled, scope, used

from triage.codes import Population
from triage.summaries import editions
from triage.summaries.facts import DatedEvent, GradeResult, OnScene, RecentIncident, Stay
from triage.summaries.figures import Measure
from triage.summaries.registry import REGISTRY, ForceTotal, Scope, definitions
from triage.summaries.schedule import KINDS

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def measured(code: str, given: Scope) -> Measure:
    return REGISTRY[code].measure(given)


def rows(code: str, given: Scope) -> dict[str, Any]:
    """Values by line; a line with a column is `row/column`."""
    measure = measured(code, given)
    assert isinstance(measure.rows, tuple)
    return {"/".join(part for part in (row.code, row.column) if part): row.value for row in measure.rows}


def counted(code: str, given: Scope) -> tuple[Any, int, int]:
    """Value, known and missing."""
    measure = measured(code, given)
    return measure.value, measure.known, measure.missing


# --- the registry ---


@pytest.mark.parametrize("kind", KINDS)
def test_every_measure_can_be_computed_of_nothing(kind: Any) -> None:
    measures = editions.compute_measures(scope(kind=kind))
    assert [measure.code for measure in measures] == [definition.code for definition in definitions(kind)] and len(
        measures
    ) > 10
    assert all(measure.known == 0 for measure in measures)


def test_a_year_tells_all_that_its_quarters_tell() -> None:
    assert definitions("yearly") == definitions("quarterly")


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_said_to_have_been_prevented_or_avoided(kind: Any) -> None:
    for definition in definitions(kind):
        printed = definition.label.lower() + str(rows_or_text(definition.measure(scope(considered(), used(2)))).lower())
        assert "prevent" not in printed and "saved" not in printed


def rows_or_text(measure: Measure) -> str:
    return measure.text + "".join(row.label for row in measure.rows) if isinstance(measure.rows, tuple) else ""


def test_a_silent_period_is_no_data_and_not_zero() -> None:
    for measure in editions.compute_measures(scope(kind="daily", silent=True)):
        values = [row.value for row in measure.rows] if isinstance(measure.rows, tuple) else [measure.value]
        assert set(values) <= {None} and "not the same as zero" in measure.text


# --- daily ---


def test_powers_count_once_an_incident_and_a_missing_outcome_is_missing() -> None:
    given = scope(used(1), used(2, s135_at=TEN), fact(3), fact(4, first=None, latest=None))
    lines = rows("powers_used", given)
    assert (lines["s136"], lines["s135"], lines["none"]) == (2, 1, 1)
    assert (measured("powers_used", given).known, measured("powers_used", given).missing) == (3, 1)


def test_a_grade_is_p_until_its_24_hours_are_over() -> None:
    graded = GradeResult("A", None, "not_checked", TEN + DAY)
    considered_fact = considered(1, s136=graded)
    assert rows("considered_by_grade", scope(considered_fact, as_at=TEN + DAY - HOUR))["P"] == 1
    assert rows("considered_by_grade", scope(considered_fact, as_at=TEN + DAY))["A"] == 1


def test_results_without_a_grade_keep_their_names() -> None:
    of = [
        considered(n, s136=GradeResult(None, reason, None, None)) for n, reason in enumerate(("not_safe", "not_seen"))
    ]
    lines = rows("considered_by_grade", scope(*of, fact(5), fact(6, s136=GradeResult(None, "corrected", None, None))))
    assert (lines["not_safe"], lines["not_seen"], sum(lines.values())) == (1, 1, 2)


def test_an_admission_after_a_voluntary_route_is_printed_apart_from_other_reversals() -> None:
    reasons = ("power", "harm", "admitted")
    of = [considered(n, s136=GradeResult("R", why, None, None)) for n, why in enumerate(reasons)]
    lines = rows("considered_by_grade", scope(*of))
    assert (lines["R"], lines["R_admitted"]) == (2, 1)


def test_what_needs_action_is_counted_as_things_stand() -> None:
    raised = ("clock_running", "under_18", "under_18_police_station", "conflict:sex")
    child = used(1, running=True, under_18=True, flags=raised, people=(person(1),))
    recent = [RecentIncident(child, False), RecentIncident(fact(2), True)]
    lines = rows("action_needed", scope(recent=recent))
    assert lines == {
        "open_detentions": 1,
        "under_18_in_detention": 1,
        "police_station_used": 1,
        "station_not_authorised": 0,
        "power_location_conflict": 0,
        "conflicting_records": 1,
        "likely_duplicates": 1,
        "unlinked": 1,
    }


def test_hours_left_are_shown_for_open_detentions_and_missing_without_an_arrival() -> None:
    clocks = [used(1, running=True, expires_at=TEN + 24 * HOUR), used(2, running=True), used(3)]
    given = scope(*clocks, as_at=TEN + 20 * HOUR)
    assert rows("hours_left", given) == {"detention_1": 4.0}
    assert (measured("hours_left", given).known, measured("hours_left", given).missing) == (1, 1)


def test_open_outcomes_are_older_than_12_24_and_72_hours() -> None:
    ages = [fact(n, disposals=(), at=LATER - hours * HOUR) for n, hours in enumerate((12, 13, 25, 73))]
    assert rows("open_outcomes", scope(*ages)) == {"over_12_h": 3, "over_24_h": 2, "over_72_h": 1}


def test_handover_is_told_by_place_with_what_is_over_the_target() -> None:
    stays = [Stay("emergency_department", None, minutes) for minutes in (30, 60, 61, None)]
    given = scope(used(1, stays=tuple(stays)))
    assert rows("handover_minutes", given) == {
        "emergency_department/median": 60.0,
        "emergency_department/maximum": 61,
        "emergency_department/over_target": 1,
    }
    assert (measured("handover_minutes", given).known, measured("handover_minutes", given).missing) == (3, 1)


def test_a_stand_down_is_asked_for_time_area_and_source_only() -> None:
    answered = ("occurred_at", "area", "referral_source")
    given = scope(fact(1, first="stood_down", answered=answered))
    assert measured("completeness_by_field", given).missing == 0
    assert measured("completeness_by_field", scope(fact(1, answered=answered))).missing == 7


# --- weekly ---


def test_consultation_is_asked_where_s136_was_used_or_considered() -> None:
    given = scope(used(1, consulted=True), considered(2, consulted=False), considered(3), fact(4, consulted=True))
    assert counted("consultation_rate", given) == (1, 2, 1)


def test_people_are_counted_not_incidents() -> None:
    often = [fact(n, people=(person(1),), at=TEN - n * DAY) for n in range(5)]
    given = scope(*often, fact(9, people=(person(2),)), fact(10), ends_at=TEN + DAY)
    assert rows("seen_often", given) == {"seen_2": 1, "seen_5": 1}
    assert (measured("seen_often", given).known, measured("seen_often", given).missing) == (2, 1)


def test_agreement_is_counted_and_kappa_only_from_20_on() -> None:
    pairs = ((True, True),) * 12 + ((False, False),) * 6 + ((True, False),)
    few = scope(considered(1, judgements=pairs))
    assert rows("second_judge", few) == {"agreement": 18, "kappa": None}
    enough = scope(considered(1, judgements=(*pairs, (False, True))))
    assert rows("second_judge", enough) == {"agreement": 18, "kappa": 0.78}


# --- monthly ---


def test_out_of_county_is_workload_and_in_no_authority() -> None:
    given = scope(fact(1), fact(2, area="out_of_county"), fact(3, area="unknown"), fact(4, area="bedford"))
    lines = rows("incidents_by_local_authority", given)
    assert lines == {"E06000032": 1, "E06000055": 1, "E06000056": 0, "out_of_county": 1}
    assert measured("incidents_by_local_authority", given).missing == 1


def test_conversion_is_s2_or_s3_at_the_end_or_within_two_days() -> None:
    def followed(days: float, code: str = "s3") -> tuple[DatedEvent, ...]:
        return (DatedEvent(code, TEN + days * DAY),)

    given = scope(
        used(1, result="detained_s2"),
        used(2, ended_at=TEN, events=followed(2)),
        used(3, ended_at=TEN, others=followed(1)),
        used(4, ended_at=TEN, events=followed(2.1)),
        used(5, ended_at=TEN, events=followed(1, "s4")),
        used(6, result=None),
    )
    assert counted("conversion", given) == (3, 5, 1)


def test_ed_avoided_is_pending_for_24_hours() -> None:
    considered_fact = fact(1, ed_avoided=True, ed_pending_until=TEN + DAY)
    assert counted("ed_avoided", scope(considered_fact, as_at=TEN + HOUR)) == (0, 0, 1)
    assert counted("ed_avoided", scope(considered_fact, as_at=TEN + DAY)) == (1, 1, 0)


def test_custody_is_graded_apart_and_serious_offences_are_a_row_of_their_own() -> None:
    held = GradeResult("A", None, None, None)
    lines = rows("custody_by_grade", scope(fact(1, custody=held, offence="alleged_serious"), fact(2)))
    assert (lines["A"], lines["alleged_serious"], lines["B"]) == (1, 1, 0)


# --- quarterly ---


@pytest.mark.parametrize("changed", [{"confidence": 1}, {"contemporaneous": False}, {"s136": NOTHING}])
def test_only_contemporaneous_intents_that_were_at_least_probable_are_in_question(changed: dict[str, Any]) -> None:
    assert measured("considered_attended", scope(considered(1, **changed))).known == 0


def test_attended_and_remote_are_apart_and_used_counts_in_the_denominator() -> None:
    given = scope(considered(1), considered(2, contact_mode="telephone"), used(3, contemporaneous=True, confidence=2))
    assert (rows("considered_attended", given)["B"], rows("considered_attended", given)["used"]) == (1, 1)
    assert rows("considered_remote", given)["B"] == 1 and rows("considered_remote", given)["used"] == 0


def test_a_linked_person_counts_once_in_24_hours_and_strangers_always() -> None:
    same = [considered(n, people=(person(1),), at=TEN + n * 12 * HOUR) for n in range(3)]
    strangers = [considered(10 + n, at=TEN) for n in range(2)]
    assert measured("considered_attended", scope(*same, *strangers)).known == 2 + 2


def test_survival_asks_incidents_that_old_and_calls_the_others_not_yet_known() -> None:
    old, young = TEN - 60 * DAY, TEN
    given = scope(
        considered(1, decided_at=old, people=(person(1),)),
        considered(2, decided_at=old, at=old, people=(person(2),), events=(DatedEvent("s136", old + 8 * DAY),)),
        considered(3, decided_at=old),
        considered(4, decided_at=young, people=(person(4),)),
        as_at=TEN + 3 * DAY,
    )
    lines = rows("survival", given)
    assert (lines["days_7"], lines["days_28"], lines["days_90"]) == (2, 1, 0)
    assert (lines["days_7/not_yet_known"], lines["days_90/not_yet_known"]) == (1, 4)


def test_what_happened_to_the_person_elsewhere_ends_survival() -> None:
    before = considered(1, people=(person(1),))
    after = used(2, people=(person(1),), at=TEN + 3 * DAY, events=(DatedEvent("s136", TEN + 3 * DAY),))
    assert rows("survival", scope(before, after))["days_7"] == 0


def test_repeat_contact_needs_a_link_and_time() -> None:
    given = scope(
        fact(1, people=(person(1),)), fact(2, people=(person(1),), at=TEN + 40 * DAY), fact(3), as_at=TEN + 80 * DAY
    )
    lines = rows("repeat_contact", given)
    assert (lines["days_28"], lines["days_90/not_yet_known"]) == (0, 3)
    assert rows("repeat_contact", scope(*given.members))["days_90"] == 1


def test_equality_tables_are_pooled_and_what_is_not_known_is_missing() -> None:
    year = [used(1, ethnicity="A4"), considered(2, ethnicity="W1"), fact(3, ethnicity="N4"), fact(4)]
    given = scope(pooled=pooled(*year))
    lines = rows("equality_ethnicity", given)
    assert (lines["Asian/s136_used"], lines["White/considered_not_used_a_or_b"], lines["Black/incidents"]) == (1, 1, 0)
    assert (measured("equality_ethnicity", given).known, measured("equality_ethnicity", given).missing) == (2, 2)


def test_a_rate_names_its_population_and_there_is_none_without() -> None:
    luton = Population(local_authority="E06000032", year=2025, persons=200_000, source="Mid-year estimate")
    older = Population(local_authority="E06000032", year=2021, persons=100_000, source="Census")
    measure = measured("s136_per_100_000", scope(used(1), used(2), populations=(luton, older)))
    assert isinstance(measure.rows, tuple)
    assert (measure.rows[0].value, measure.rows[1].value) == (1.0, None)
    assert "Mid-year estimate" in measure.rows[0].text and "MHST-attended only" in measure.rows[0].text


def test_the_rate_of_the_force_rests_on_a_total_that_was_entered_and_on_every_population() -> None:
    people = [
        Population(local_authority=code, year=2025, persons=100_000, source="Mid-year estimate")
        for code in ("E06000032", "E06000055", "E06000056")
    ]
    total = ForceTotal(version=2, s136=60, source="force return")
    of_force = [
        REGISTRY["s136_per_100_000"].measure(given).rows[-1]  # type: ignore[index]
        for given in (
            scope(used(1), populations=people, force_total=total),
            scope(used(1), populations=people),
            scope(used(1), populations=people[:2], force_total=total),
        )
    ]
    assert [(line.code, line.value) for line in of_force] == [("force", 20.0), ("force", None), ("force", None)]
    assert "force return, version 2" in of_force[0].text and "MHST-attended only" in of_force[1].text


def test_hours_on_scene_are_summed_by_service() -> None:
    given = scope(fact(1, on_scene=(OnScene("police", 90.0), OnScene("nurse", None), OnScene("police", 30.0))))
    lines = rows("hours_on_scene", given)
    assert (lines["police/sum"], lines["police/median"], lines["nurse/sum"]) == (2.0, 1.0, 0)
    assert measured("hours_on_scene", given).missing == 1


def test_under_18_counts_who_may_be() -> None:
    given = scope(used(1, under_18=True, flags=("under_18_police_station",)), fact(2, age_band="18_34"), fact(3))
    assert rows("under_18s", given) == {"under_18": 1, "detained": 1, "police_station": 1}
    assert measured("under_18s", given).missing == 1

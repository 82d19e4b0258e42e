"""What entries add up to: precedence, disagreement, changes, status, flags; and that no order of arrival matters."""

from datetime import date, datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cast import BEDFORDSHIRE
from support.story import (
    AS_NURSE,
    CLINICAL_LEAD,
    COLLEAGUE,
    NO_ONES,
    NURSE,
    OFFICER,
    OTHER_NURSE,
    PARAMEDIC,
    S136,
    SERGEANT,
    Story,
    minute,
    whole_view,
)
from support.strategies import KINDS, MINUTES, stories

from triage.log.effective import kind
from triage.log.incident import Incident, changes_at, fold, person_events
from triage.log.redaction import view_for
from triage.log.view import Audience, ConsultedView, DiversionView, IncidentView, with_names
from triage.terms import Terms


def conflicts(story: Story) -> tuple[str, ...]:
    return tuple(flag for flag in story.flags() if flag.startswith("conflict:"))


def seen_by(story: Story, audience: Audience) -> IncidentView:
    view = view_for(story.stored, (), audience, minute(100), terms=BEDFORDSHIRE)
    assert view is not None
    return view


# --- what counts -------------------------------------------------------------------------------------------------


def test_an_incident_has_an_entry() -> None:
    with pytest.raises(ValueError, match="at least one entry"):
        fold([], terms=BEDFORDSHIRE)


def test_what_nobody_recorded_is_read_as_the_form_says() -> None:
    story = Story()
    story.officer(10)
    view = story.view()
    assert (view.occurred_at, view.area, view.contact_mode) == (minute(10), "unknown", None)


def test_the_latest_captured_answer_counts() -> None:
    story = Story()
    story.officer(20, area="bedford")
    story.nurse(10, area="luton_north")
    assert story.view().area == "bedford"


def test_of_two_captured_at_once_the_larger_entry_id_counts() -> None:
    story = Story()
    story.officer(20, area="bedford")
    story.nurse(20, area="luton_north")
    assert story.view().area == "luton_north"


@pytest.mark.parametrize(
    ("field", "answer", "missing"),
    [
        ("area", "bedford", "unknown"),
        ("sex", "female", "unknown"),
        ("ethnicity", "B1", "N1"),
        ("ethnicity", "B1", "NS"),
        ("location_type", "street_or_park", "unknown"),
        ("age_band", "18_34", "unknown"),
        ("disability", "autism", "not_asked"),
    ],
)
def test_a_coded_missing_value_never_beats_nor_disagrees_with_an_answer(field: str, answer: str, missing: str) -> None:
    story = Story()
    story.nurse(10, **{field: answer})
    story.officer(20, **{field: missing})
    assert getattr(story.view(), field) == answer
    assert conflicts(story) == ()


def test_a_coded_missing_value_is_shown_where_there_is_no_answer() -> None:
    story = Story()
    story.officer(10, sex="unknown", ethnicity="N4", age_band="unknown")
    view = story.view()
    assert (view.sex, view.ethnicity, view.age_band) == ("unknown", "N4", "unknown")


def test_the_officers_place_counts() -> None:
    story = Story()
    story.officer(10, location_type="street_or_park")
    story.nurse(20, location_type="shop_pub_station_airport")
    assert story.view().location_type == "street_or_park"


def test_the_nurses_primary_presenting_counts() -> None:
    story = Story()
    story.nurse(10, presenting=["psychosis_like"])
    story.officer(20, presenting=["acute_distress", "intoxication_drug"])
    assert story.view().presenting == ("psychosis_like",)
    assert conflicts(story) == ("conflict:presenting",)


@pytest.mark.parametrize(
    ("first", "second", "result"),
    [
        ({"age": 17, "age_verified": True}, {"age": 30}, (17, "16_17")),
        ({"age": 30}, {"age": 40, "age_estimated": True}, (30, "18_34")),
        ({"age": 40, "age_estimated": True}, {"age_band": "18_34"}, (None, "18_34")),
        ({"age": 30}, {"age": 31}, (31, "18_34")),
        ({"age": 30}, {"age_band": "unknown"}, (30, "18_34")),
        ({"age": 10}, {}, (10, "under_11")),
        ({"age": 65}, {}, (65, "65_plus")),
        ({"age": 15}, {}, (15, "11_15")),
    ],
)
def test_a_verified_age_counts_before_a_stated_and_a_stated_before_an_estimated(
    first: dict[str, Any], second: dict[str, Any], result: tuple[int | None, str]
) -> None:
    story = Story()
    story.officer(10, **first)
    story.nurse(20, **second)
    assert (story.view().age, story.view().age_band) == result


def test_an_age_inside_its_band_agrees() -> None:
    story = Story()
    story.officer(10, age_band="18_34")
    story.nurse(20, age=24)
    assert conflicts(story) == ()
    story.paramedic(30, age=35)
    assert conflicts(story) == ("conflict:age_band",)


def test_the_paramedics_physical_need_counts() -> None:
    story = Story()
    story.paramedic(10, physical_need="none", conveyed="ambulance")
    assert (story.view().physical_need, story.view().conveyed) == ("none", "ambulance")


def test_legal_status_is_a_sequence() -> None:
    story = Story()
    story.officer(60, legal_status="s136", legal_status_at=50)
    story.nurse(70, legal_status="free_to_leave", legal_status_at=10)
    assert story.view().legal_status == "s136"
    assert conflicts(story) == ()


def test_advice_is_a_series() -> None:
    story = Story()
    story.nurse(70, advice="deferred", advice_given_at=60)
    story.nurse(71, by=OTHER_NURSE, advice="voluntary_pathway", advice_given_at=20)
    assert [(advice.advice, advice.at) for advice in story.view().advice] == [
        ("voluntary_pathway", minute(20)),
        ("deferred", minute(60)),
    ]


def test_on_scene_from_the_first_arrival_to_the_last_departure() -> None:
    story = Story()
    story.officer(60, arrived_at=5, left_at=40)
    story.paramedic(50, arrived_at=9, left_at=58)
    assert (story.view().arrived_at, story.view().left_at) == (minute(5), minute(58))


def test_the_operational_day_runs_from_six_to_six() -> None:
    story = Story()
    story.officer(60, occurred_at=8 * 60 - 1)
    assert story.view().operational_day == date(2026, 11, 21)
    story.officer(61, occurred_at=8 * 60)
    assert story.view().operational_day == date(2026, 11, 22)
    tokyo = Terms(zone=ZoneInfo("Asia/Tokyo"))
    assert fold(story.stored, terms=tokyo).view.operational_day == date(2026, 11, 22)


# --- disagreement ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flag", "first", "other"),
    [
        ("area", {"area": "bedford"}, {"area": "luton_north"}),
        ("sex", {"sex": "male"}, {"sex": "female"}),
        ("ethnicity", {"ethnicity": "W1"}, {"ethnicity": "B1"}),
        ("age_band", {"age": 34}, {"age": 35}),
        ("presenting", {"presenting": ["self_harm"]}, {"presenting": ["welfare_only"]}),
        ("location_type", {"location_type": "own_home"}, {"location_type": "street_or_park"}),
        ("occurred_at", {"occurred_at": 0}, {"occurred_at": 61}),
    ],
)
def test_what_is_compared(flag: str, first: dict[str, Any], other: dict[str, Any]) -> None:
    story = Story()
    story.officer(70, **first)
    story.nurse(70, **other)
    assert conflicts(story) == (f"conflict:{flag}",)


@pytest.mark.parametrize(
    ("first", "other"),
    [
        ({"ethnicity": "W1"}, {"ethnicity": "W9"}),
        ({"location_type": "own_home"}, {"location_type": "someones_home"}),
        ({"location_type": "own_home"}, {"location_type": "other"}),
        ({"occurred_at": 0}, {"occurred_at": 60}),
        ({"presenting": ["self_harm"]}, {"presenting": ["self_harm", "intoxication_drug"]}),
        ({"contact_mode": "attended"}, {"contact_mode": "video"}),
        ({"referral_source": "other"}, {"referral_source": "triage_phone"}),
        ({"interpreter_needed": True}, {"interpreter_needed": False}),
        ({"immediate_danger": "yes"}, {"immediate_danger": "no"}),
        ({"log_ref": "one"}, {"log_ref": "other"}),
    ],
)
def test_nothing_else_is(first: dict[str, Any], other: dict[str, Any]) -> None:
    story = Story()
    story.officer(70, **first)
    story.nurse(70, **other)
    assert conflicts(story) == ()


def test_officers_and_paramedics_disagree_among_themselves() -> None:
    story = Story()
    story.officer(10, offence="none")
    story.officer(11, by=COLLEAGUE, offence="alleged_minor")
    story.paramedic(10, physical_need="none", conveyed="refused")
    story.paramedic(11, physical_need="ed_needed", conveyed="ambulance")
    assert conflicts(story) == ("conflict:conveyed", "conflict:offence", "conflict:physical_need")


def test_intents_that_differ_disagree() -> None:
    story = Story()
    story.intent(4)
    story.officer(10, intent=S136)
    assert conflicts(story) == ()
    story.intent(11, by=COLLEAGUE, power="none_needed")
    assert conflicts(story) == ("conflict:intent",)


def test_times_are_compared_by_the_services_clock() -> None:
    story = Story()
    story.officer(70, occurred_at=0)
    story.tell("nurse", 131, received=70, skew_ms=61 * 60_000, occurred_at=61)
    assert conflicts(story) == ()


# --- amendments and withdrawals ------------------------------------------------------------------------------------


def test_an_amendment_replaces_the_whole_content_and_keeps_the_capture() -> None:
    story = Story()
    contact = story.officer(20, area="bedford", sex="male")
    story.nurse(30, area="luton_north")
    story.amend(contact, 40, "officer", area="luton_west")
    view = story.view()
    assert (view.area, view.sex) == ("luton_north", None)


def test_of_several_amendments_the_one_captured_last_counts_whatever_order_they_arrived_in() -> None:
    story = Story()
    contact = story.officer(20)
    last = story.amend(contact, 50, "officer", area="bedford")
    story.amend(contact, 40, "officer", area="luton_west")
    assert story.view().area == "bedford"
    story.withdraw(last, 60)
    assert story.view().area == "luton_west"


def test_an_amendment_of_an_amendment_amends_the_original() -> None:
    story = Story()
    contact = story.officer(20)
    amendment = story.amend(contact, 30, "officer", area="bedford")
    story.amend(amendment, 40, "officer", area="luton_west")
    assert story.view().area == "luton_west"


def test_an_amendment_withdrawn_leaves_what_was_before() -> None:
    story = Story()
    contact = story.officer(20, area="luton_north")
    story.amend(contact, 30, "officer", area="bedford")
    story.withdraw(story.amend(contact, 40, "officer", area="luton_west"))
    assert story.view().area == "bedford"


def test_amended_then_withdrawn_is_withdrawn() -> None:
    story = Story()
    contact = story.officer(20, area="bedford")
    story.withdraw(contact, 50)
    story.amend(contact, 60, "officer", area="luton_west")
    assert story.view().status == "withdrawn"
    assert not story.incident().counts


def test_a_withdrawal_may_be_withdrawn_and_that_too() -> None:
    story = Story()
    contact = story.officer(20)
    first = story.withdraw(contact, 30)
    second = story.withdraw(first, 40)
    assert story.view().status == "open"
    story.withdraw(second, 50)
    assert story.view().status == "withdrawn"


def test_withdrawals_in_a_circle_do_nothing() -> None:
    story = Story()
    contact = story.officer(20)
    withdrawal = story.withdraw(contact, 30)
    unheld = story.stored[-1].id
    two = story.withdraw(UUID(int=unheld.int + 2), 40, by=OFFICER)
    three = story.withdraw(two, 50)
    assert three.id == UUID(int=unheld.int + 2)
    assert story.view().status == "withdrawn"
    assert withdrawal in story.stored


def test_amendments_in_a_circle_change_nothing() -> None:
    story = Story()
    contact = story.officer(20, area="bedford")
    story.amend(UUID(int=contact.id.int + 2), 30, "officer", by=OFFICER, area="luton_west")
    story.amend(UUID(int=contact.id.int + 1), 40, "officer", by=OFFICER, area="luton_north")
    assert story.view().area == "bedford"
    assert seen_by(story, AS_NURSE).area == "bedford"


@pytest.mark.parametrize("who", [COLLEAGUE, NURSE, PARAMEDIC, CLINICAL_LEAD])
def test_others_do_not_change_an_officers_entry(who: UUID) -> None:
    story = Story()
    contact = story.officer(20, area="bedford")
    story.amend(contact, 30, "officer", by=who, area="luton_west")
    story.withdraw(contact, 40, by=who)
    assert (story.view().area, story.view().status) == ("bedford", "open")


@pytest.mark.parametrize("kind", ["nurse", "paramedic"])
def test_the_clinical_lead_changes_health_entries_and_the_sergeant_does_not(kind: str) -> None:
    story = Story()
    contact = story.tell(kind, 20, area="bedford")
    story.amend(contact, 30, kind, by=SERGEANT, area="luton_west")
    assert story.view().area == "bedford"
    story.amend(contact, 40, kind, by=CLINICAL_LEAD, area="luton_north")
    assert story.view().area == "luton_north"


def test_the_sergeant_changes_police_entries() -> None:
    story = Story()
    contact = story.officer(20, area="bedford")
    story.amend(contact, 30, "officer", by=SERGEANT, area="luton_west")
    assert story.view().area == "luton_west"


def test_an_amendment_of_another_kind_changes_nothing() -> None:
    story = Story()
    contact = story.officer(20, area="bedford")
    story.amend(contact, 30, "nurse", area="luton_west")
    assert story.view().area == "bedford"


def test_a_change_of_what_is_not_held_waits_for_it() -> None:
    story = Story()
    story.officer(20, area="bedford")
    coming = UUID(int=story.stored[0].id.int + 3)
    story.amend(coming, 30, "nurse", area="luton_west")
    story.withdraw(NO_ONES, 31)
    assert (story.view().area, "target_not_held" in story.flags()) == ("bedford", True)
    arrived = story.nurse(25, area="luton_north")
    assert arrived.id == coming
    assert story.view().area == "luton_west"


@pytest.mark.parametrize("kind", ["amendment", "withdrawal"])
@pytest.mark.parametrize("held", [True, False])
def test_what_names_nothing_held_is_flagged(kind: str, held: bool) -> None:
    story = Story()
    target = story.officer(20).id if held else NO_ONES
    if kind == "amendment":
        story.amend(target, 30, "officer", by=OFFICER)
    else:
        story.withdraw(target, 30, by=OFFICER)
    assert ("target_not_held" in story.flags()) is not held


# --- status --------------------------------------------------------------------------------------------------------


def test_open_until_there_is_an_outcome() -> None:
    story = Story()
    story.officer(10)
    assert story.view().status == "open"
    story.outcome("community_follow_up")
    assert story.view().status == "closed"


def test_a_running_clock_does_not_depend_on_an_outcome() -> None:
    story = Story()
    story.officer(10)
    story.detention("arrived_site", 20)
    assert story.view().status == "awaiting_outcome"
    story.detention("ended", 90)
    assert story.view().status == "open"


def test_an_intent_alone_is_open() -> None:
    story = Story()
    story.intent(4)
    assert (story.view().status, story.incident().counts) == ("open", False)


@pytest.mark.parametrize("disposal", ["s136_removed", "s136_kept", "s135_removed", "s135_kept"])
def test_awaiting_an_outcome_while_a_power_is_used_without_an_end(disposal: str) -> None:
    story = Story()
    story.outcome(disposal)
    assert story.view().status == "awaiting_outcome"
    story.detention("ended", 300, result="discharged_follow_up")
    assert story.view().status == "closed"


@pytest.mark.parametrize("disposal", ["community_follow_up", "s135_requested", "arrest_custody"])
def test_closed_otherwise(disposal: str) -> None:
    story = Story()
    story.outcome(disposal)
    assert story.view().status == "closed"


def test_withdrawn_when_no_content_is_in_force() -> None:
    story = Story()
    story.follow_up("kept", 20)
    assert story.view().status == "withdrawn"


def test_an_open_incident_is_overdue_after_twelve_hours() -> None:
    story = Story()
    story.officer(10, occurred_at=0)
    assert "outcome_overdue" not in story.flags(now=12 * 60 - 1)
    assert "outcome_overdue" in story.flags(now=12 * 60)
    assert changes_at(story.incident(), grades=True) == {minute(12 * 60)}


def test_the_outcome_is_the_latest_and_the_first() -> None:
    story = Story()
    story.outcome("carer_or_home", 30, captured=80, decided_by="joint")
    story.outcome("community_follow_up", 20, captured=90, decided_by="nurse")
    outcome = story.view().outcome
    assert outcome is not None
    assert (outcome.disposal, outcome.by, outcome.first.disposal) == ("carer_or_home", "joint", "community_follow_up")


def test_of_outcomes_decided_at_one_instant_the_latest_captured_is_first_and_last() -> None:
    story = Story()
    for captured, disposal in ((90, "signposted"), (70, "carer_or_home"), (80, "community_follow_up")):
        story.outcome(disposal, 20, captured=captured)
    outcome = story.view().outcome
    assert outcome is not None
    assert (outcome.disposal, outcome.first.disposal) == ("signposted", "signposted")


def test_an_outcome_without_its_time_is_never_first_before_one_with() -> None:
    story = Story()
    story.outcome("signposted", None, captured=10)
    story.outcome("carer_or_home", 60, captured=70)
    outcome = story.view().outcome
    assert outcome is not None
    assert (outcome.disposal, outcome.first.disposal) == ("carer_or_home", "carer_or_home")


@pytest.mark.parametrize(
    "death",
    [
        ("outcome", {"disposal": "deceased"}),
        ("detention", {"event": "ended", "at": 90, "power": "s136", "result": "died"}),
        ("follow_up", {"event": "died", "at": 90}),
    ],
)
def test_a_death_restricts(death: tuple[str, dict[str, Any]]) -> None:
    story = Story()
    story.officer(10)
    assert not story.incident().restricted
    died = story.tell(death[0], 100, **death[1])
    assert story.incident().restricted
    assert story.flags() == ("restricted_death",)
    story.withdraw(died, 110)
    assert not story.incident().restricted


# --- flags ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("contact", "child"),
    [
        ({"age": 17}, True),
        ({"age": 18}, False),
        ({"age_band": "16_17"}, True),
        ({"could_be_under_18": True}, True),
        ({"could_be_under_18": True, "age": 25, "age_estimated": True}, True),
        ({"could_be_under_18": True, "age": 18, "age_verified": True}, False),
        ({"age": 17, "age_verified": True}, True),
        ({"age_band": "unknown"}, False),
        ({}, False),
    ],
)
def test_under_18(contact: dict[str, Any], child: bool) -> None:
    story = Story()
    story.officer(10, **contact)
    assert (story.view().under_18, "under_18" in story.flags()) == (child, child)


def test_under_18_until_somebody_verifies() -> None:
    story = Story()
    story.officer(10, age=16)
    story.nurse(20, age=19)
    assert story.view().under_18
    story.nurse(30, age=19, age_verified=True)
    assert not story.view().under_18


def test_s136_used_where_it_is_not_available() -> None:
    story = Story()
    story.officer(10, location_type="own_home")
    story.outcome("s136_removed", decided_by="officer")
    assert "power_location_conflict" in story.flags()


def test_s136_considered_where_it_is_not_available() -> None:
    story = Story()
    intent = story.intent(4, location_type="own_home")
    assert "power_location_conflict" in story.flags()
    story.withdraw(intent, 90)
    assert "power_location_conflict" not in story.flags()


def test_the_place_of_use_counts() -> None:
    story = Story()
    story.officer(10, location_type="own_home")
    story.outcome("s136_removed", decided_by="officer", location_type="street_or_park")
    assert "power_location_conflict" not in story.flags()
    story = Story()
    story.officer(10, location_type="street_or_park")
    story.outcome("s136_removed", decided_by="officer", location_type="own_home")
    assert "power_location_conflict" in story.flags()
    story.outcome("s136_kept", 60, captured=61, decided_by="officer", location_type="hospital_or_ed")
    assert "power_location_conflict" in story.flags(), "of two uses the one counts that was not lawful"


@pytest.mark.parametrize("place", ["care_home_shared", "vehicle_boat_tent_caravan"])
def test_a_disputed_place(place: str) -> None:
    story = Story()
    story.officer(10, location_type=place)
    assert "place_disputed" in story.flags()
    story = Story()
    story.intent(4, location_type=place)
    assert "place_disputed" in story.flags()


@pytest.mark.parametrize(
    ("by", "flagged"), [("officer", False), (None, False), ("nurse", True), ("joint", True), ("paramedic", True)]
)
def test_only_a_constable_holds_s136(by: str | None, flagged: bool) -> None:
    story = Story()
    story.outcome("s136_removed", decided_by=by)
    assert ("power_not_held" in story.flags()) is flagged


@pytest.mark.parametrize(
    ("need", "by", "flagged"),
    [
        (None, "officer", True),
        ("none", "officer", True),
        ("treat_on_scene", "officer", False),
        ("ed_needed", "officer", False),
        ("none", "paramedic", False),
    ],
)
def test_the_capacity_act_is_no_substitute(need: str | None, by: str, flagged: bool) -> None:
    story = Story()
    story.paramedic(10, physical_need=need)
    story.outcome("ed_capacity_act", decided_by=by)
    assert ("mca_by_police" in story.flags()) is flagged


def test_late_is_more_than_an_hour_after_capture() -> None:
    story = Story()
    story.officer(10, received=70)
    assert "late" not in story.flags()
    story.nurse(10, received=71)
    assert "late" in story.flags()


def test_a_wrong_clock_is_flagged_and_both_times_are_kept() -> None:
    story = Story()
    story.tell("officer", 47, received=0, skew_ms=47 * 60_000, occurred_at=40)
    incident = story.incident()
    assert incident.view.flags == ("clock_skew",)
    assert incident.view.occurred_at == incident.happened_at == minute(-7)
    assert incident.entries.contacts[0].entry.occurred_at == minute(40)


def test_a_phone_set_to_2019_puts_nothing_on_another_day() -> None:
    story = Story()
    years = timedelta(days=7 * 365 + 2)
    story.tell("officer", 10 - years.total_seconds() / 60, received=10, skew_ms=-int(years.total_seconds() * 1000))
    assert story.view().operational_day == date(2026, 11, 21)
    assert story.view().occurred_at == minute(10)
    assert story.stored[0].entry.captured_at.year == 2019


# --- training ------------------------------------------------------------------------------------------------------


def test_an_incident_of_training_entries_is_training() -> None:
    story = Story()
    story.officer(10, test=True)
    story.outcome("s136_removed", test=True)
    incident = story.incident()
    assert incident.view.test
    assert not incident.counts
    assert "test" in incident.view.flags
    assert person_events(incident) == ()


def test_training_entries_do_not_mix_with_real_ones() -> None:
    story = Story()
    story.officer(10, area="bedford")
    drill = story.nurse(20, test=True, area="luton_north")
    story.amend(drill, 30, "nurse", area="luton_west")
    incident = story.incident()
    assert (incident.view.area, incident.view.test, incident.view.revision) == ("bedford", False, 1)
    assert incident.view.flags == ("test",)


# --- other incidents of the person --------------------------------------------------------------------------------


def test_what_an_incident_tells_the_others_of_the_same_person() -> None:
    story = Story()
    story.officer(10, occurred_at=0)
    story.outcome("s136_removed", 20, captured=30, decided_by="officer")
    story.detention("arrived_site", 50)
    story.detention("ended", 500, result="detained_s2")
    story.follow_up("serious_harm", 600)
    assert [(event.code, event.at) for event in person_events(story.incident())] == [
        ("s136", minute(20)),
        ("s2", minute(500)),
        ("serious_harm", minute(600)),
        ("held", minute(20)),
        ("contact", minute(0)),
    ]


# --- properties ----------------------------------------------------------------------------------------------------


@given(stories(), st.randoms(use_true_random=False), st.data())
def test_neither_order_nor_repetition_changes_a_view(story: Story, random: Random, data: st.DataObject) -> None:
    now = minute(data.draw(MINUTES))
    expected = whole_view(story.incident(), now)
    shuffled = story.stored + data.draw(st.lists(st.sampled_from(story.stored), max_size=4))
    random.shuffle(shuffled)
    assert whole_view(fold(shuffled, terms=BEDFORDSHIRE), now) == expected


@given(stories())
def test_what_is_amended_and_then_withdrawn_is_withdrawn(story: Story) -> None:
    story.stored = [stored for stored in story.stored if kind(stored.entry) != "withdrawal"]
    for stored in list(story.stored):
        if kind(stored.entry) in KINDS:
            story.withdraw(stored, 0)
    assert story.view().status == "withdrawn"


@given(stories(), st.lists(MINUTES, min_size=2, max_size=6))
def test_by_time_alone_a_grade_moves_only_from_p_and_a_view_only_at_its_turns(story: Story, minutes: list[int]) -> None:
    incident = story.incident()
    times = sorted(map(minute, minutes))
    for before, after in pairwise(times):
        turned = any(before < turn <= after for turn in changes_at(incident, grades=True))
        same = whole_view(incident, before) == whole_view(incident, after)
        assert same or turned
        for before_grade, other in zip(grades(incident, before), grades(incident, after), strict=True):
            assert before_grade == other or before_grade == "P"


@given(stories())
def test_a_view_changes_at_each_of_its_turns(story: Story) -> None:
    incident = story.incident()
    for turn in changes_at(incident, grades=True):
        assert whole_view(incident, turn - timedelta(microseconds=1)) != whole_view(incident, turn)


def grades(incident: Incident, now: datetime) -> tuple[str | None, str | None]:
    diversion = whole_view(incident, now).diversion
    assert isinstance(diversion, DiversionView)
    return diversion.s136.grade, diversion.custody.grade


# --- what views show ------------------------------------------------------------------------------------------------


def test_a_coded_missing_value_never_beats_an_answer_wherever_a_value_is_chosen() -> None:
    story = Story()
    story.intent(4)
    story.nurse(50, area="bedford", location_type="rail_bridge_roof", sex="male", log_ref="BP-1", ethnicity="W1")
    story.officer(60, area="unknown", location_type="unknown", sex="unknown", log_ref="", ethnicity="N1", referrals=[])
    story.outcome("community_follow_up")
    view = story.view()
    assert (view.area, view.location_type, view.sex, view.ethnicity) == ("bedford", "rail_bridge_roof", "male", "W1")
    assert view.log_ref == "BP-1"
    assert story.s136() == ("B", None)  # nor in a grade: the place that counts is the bridge
    assert not [flag for flag in view.flags if flag.startswith("conflict:")]


def test_a_carrying_contact_whose_place_is_unknown_leaves_the_place_to_the_others() -> None:
    story = Story()
    story.officer(4, intent=S136, location_type="unknown")
    story.nurse(50, location_type="rail_bridge_roof")
    story.outcome("community_follow_up")
    assert story.s136() == ("B", None)


def test_the_view_says_what_was_done_and_by_whom() -> None:
    story = Story()
    officer = story.officer(
        20,
        consulted={"role": "nurse", "at": 10},
        not_consulted_reason="no_answer",
        someone_lives_there=True,
        referrals=["victim_care"],
    )
    story.nurse(30, assessment="phone", referrals=["none"])
    story.nurse(31, by=OTHER_NURSE, referrals=["crisis_team", "gp"])
    story.paramedic(40, news2=3, initial_plan="ed", capacity_to_decide_care="presumed")
    story.outcome("ed_voluntary", transport="ambulance")
    view = story.view()
    assert view.consulted == ConsultedView(role="nurse", at=minute(10))
    assert (view.not_consulted_reason, view.someone_lives_there, view.transport) == ("no_answer", True, "ambulance")
    assert (view.assessment, view.news2, view.initial_plan) == ("phone", 3, "ed")
    assert view.capacity_to_decide_care == "presumed"
    assert view.referrals == ("victim_care", "crisis_team", "gp")
    first = next(contribution for contribution in view.contributions if contribution.author.id == officer.author)
    assert (first.profession, first.author.role, first.entry, first.at) == ("police", "officer", officer.id, minute(20))
    named = with_names(view, {officer.author: "P. Constable"}).contributions
    assert {contribution.author.name for contribution in named} == {"P. Constable", None}


def test_the_team_decides_when_its_day_starts() -> None:
    story = Story()
    story.officer(9.5 * 60)  # 07:30 the next morning
    assert fold(story.stored, terms=BEDFORDSHIRE).view.operational_day == date(2026, 11, 22)
    assert fold(story.stored, terms=Terms(day_start_hour=9)).view.operational_day == date(2026, 11, 21)

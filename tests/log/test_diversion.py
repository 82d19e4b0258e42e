"""DIV-1, line by line: every line of the published tables, each as it applies and as it does not."""

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from support.story import ANOTHER, CLINICAL_LEAD, COLLEAGUE, DAY, OTHER_NURSE, S136, STREET, TESTS, Story, minute
from support.strategies import stories

from triage.log.incident import changes_at, person_events
from triage.log.timeline import PersonEvent

JUDGED: dict[str, Any] = {"assessment": "face_to_face", "s136_justified": "yes", "told_intent": False, "blind": True}
CONFIRMED: dict[str, Any] = {"source": "referring_officer", "referrer": "1234", "log_time": 3}
ARREST: dict[str, Any] = {"power": "arrest_offence"}
NECESSITY: dict[str, Any] = {"offence": "alleged_minor", "arrest_necessity": ["protect_vulnerable"]}


def considered(**part: Any) -> Story:
    """s136 considered at 22:04 in the street, with everything in order."""
    story = Story()
    story.intent(4, **part)
    story.officer(60, arrived_at=2, occurred_at=0, **STREET)
    return story


def diverted(**part: Any) -> Story:
    """Considered, and at 23:05 followed up in the community instead: grade B once a day has passed."""
    story = considered(**part)
    story.outcome("community_follow_up", 65)
    return story


def elsewhere(code: str, when: float) -> PersonEvent:
    """Something that another incident of the same person tells."""
    return PersonEvent(code, minute(when), UUID(int=7), ANOTHER)


# --- none, corrected ---------------------------------------------------------------------------------------------


def test_without_an_intent_to_use_s136_nothing_was_diverted() -> None:
    story = Story()
    story.intent(4, power="leave_with_care")
    story.officer(60, **STREET)
    story.outcome("community_follow_up")
    assert story.s136() == (None, "none")


def test_an_intent_corrected_away_is_no_diversion() -> None:
    story = diverted()
    story.amend(story.stored[0], 10, "intent", intent=S136 | {"power": "none_needed"})
    assert story.s136() == (None, "corrected")


# --- used --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("disposal", ["s136_removed", "s136_kept"])
def test_s136_used_by_the_first_disposal(disposal: str) -> None:
    story = considered()
    story.outcome(disposal, decided_by="officer")
    assert story.s136() == (None, "used")


def test_s136_used_before_the_first_disposal_by_a_detention_event() -> None:
    story = diverted()
    story.detention("began", 64)
    assert story.s136() == (None, "used")


def test_already_held_under_s136_when_the_car_came() -> None:
    story = diverted()
    story.officer(61, arrived_at=2, legal_status="s136", legal_status_at=1, by=COLLEAGUE)
    assert story.s136() == (None, "used")


def test_a_legal_status_without_a_time_is_that_of_when_it_occurred() -> None:
    story = Story()
    story.intent(4)
    story.outcome("community_follow_up", 65, captured=66)
    story.officer(90, occurred_at=2, legal_status="s136", **STREET)
    assert story.s136() == (None, "used")


def test_use_is_sticky_until_that_very_entry_is_withdrawn() -> None:
    story = diverted()
    used = story.detention("began", 30)
    story.outcome("carer_or_home", 200, captured=201)
    assert story.s136() == (None, "used")
    story.withdraw(used, 300)
    assert story.s136() == ("C", None)


def test_use_counts_before_substitution() -> None:
    story = considered()
    story.detention("began", 30)
    story.outcome("arrest_custody")
    assert story.s136() == (None, "used")


# --- substituted, not safe, not seen -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("disposal", "reason"),
    [
        ("arrest_custody", "substituted"),
        ("arrest_street_bail", "substituted"),
        ("ed_capacity_act", "substituted"),
        ("police_protection_s46", "substituted"),
        ("returned_under_act", "substituted"),
        ("s135_removed", "substituted"),
        ("s135_kept", "substituted"),
        ("s135_requested", "substituted"),
        ("left_before_assessment", "not_safe"),
        ("missing_after_contact", "not_safe"),
        ("deceased", "not_safe"),
        ("stood_down", "not_seen"),
        ("not_attended", "not_seen"),
    ],
)
def test_what_is_no_diversion_whatever_else_is_known(disposal: str, reason: str) -> None:
    story = considered(confidence=None, tests=None)
    story.outcome(disposal)
    assert story.s136() == (None, reason)


@pytest.mark.parametrize(
    "disposal",
    [
        "dearrested",
        "voluntary_interview",
        "out_of_court",
        "ed_voluntary",
        "mh_unit_voluntary",
        "community_follow_up",
        "signposted",
        "carer_or_home",
        "child_care_pathway",
        "no_mental_health_need",
    ],
)
def test_every_other_disposal_may_be_one(disposal: str) -> None:
    story = considered()
    story.outcome(disposal)
    assert story.s136() == ("B", None)


def test_only_the_first_disposal_decides() -> None:
    story = diverted()
    story.outcome("arrest_custody", 300, captured=301)
    assert story.s136() == ("B", None)


# --- R -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "section", "reason"),
    [
        ("later_s136", None, "power"),
        ("later_mha_detention", "s2", "power"),
        ("later_mha_detention", "s3", "power"),
        ("later_mha_detention", "s4", "power"),
        ("later_mha_detention", "s5", "power"),
        ("later_mha_detention", "s135", "power"),
        ("serious_harm", None, "harm"),
        ("died", None, "harm"),
    ],
)
def test_reversed_within_a_day(event: str, section: str | None, reason: str) -> None:
    story = diverted()
    story.follow_up(event, 65 + DAY, section=section)
    assert story.s136() == ("R", reason)


@pytest.mark.parametrize("event", ["later_s136", "later_mha_detention", "serious_harm", "died"])
def test_what_comes_after_a_day_reverses_nothing(event: str) -> None:
    story = diverted()
    story.follow_up(event, 66 + DAY, section="s2" if event == "later_mha_detention" else None)
    assert story.s136() == ("B", None)


@pytest.mark.parametrize("event", ["later_ed", "later_arrest", "seen_again", "missed"])
def test_what_is_neither_a_power_nor_harm_reverses_nothing(event: str) -> None:
    story = diverted()
    story.follow_up(event, 300)
    assert story.s136() == ("B", None)


@pytest.mark.parametrize("power", ["s136", "s135"])
def test_a_power_used_after_the_first_disposal_reverses_it(power: str) -> None:
    story = diverted()
    story.detention("began", 300, power=power)
    assert story.s136() == ("R", "power")


def test_a_later_use_by_disposal_reverses_it() -> None:
    story = diverted()
    story.outcome("s136_removed", 300, captured=301, decided_by="officer")
    assert story.s136() == ("R", "power")


def test_a_section_found_by_a_later_contact_reverses_it() -> None:
    story = diverted()
    story.nurse(400, legal_status="s2_s3_s4", legal_status_at=390)
    assert story.s136() == ("R", "power")


@pytest.mark.parametrize("disposal", ["mh_unit_voluntary", "ed_voluntary"])
def test_a_section_after_a_voluntary_route_is_printed_apart(disposal: str) -> None:
    story = considered()
    story.outcome(disposal)
    story.follow_up("later_mha_detention", 300, section="s5")
    assert story.s136() == ("R", "admitted")


def test_s136_after_a_voluntary_route_is_no_admission() -> None:
    story = considered()
    story.outcome("mh_unit_voluntary")
    story.follow_up("later_s136", 300)
    assert story.s136() == ("R", "power")


@pytest.mark.parametrize("code", ["s136", "s135", "s2", "s3", "s4", "s5", "serious_harm", "died"])
def test_reversed_by_another_incident_of_the_same_person(code: str) -> None:
    story = diverted()
    within, after, before = elsewhere(code, 65 + DAY), elsewhere(code, 66 + DAY), elsewhere(code, 64)
    assert story.diversion(3 * DAY, within).s136.grade == "R"
    assert story.diversion(3 * DAY, after).s136.grade == "B"
    assert story.diversion(3 * DAY, before).s136.grade == "B"
    assert story.diversion(3 * DAY, elsewhere(code, 65)).s136.grade == "B"


def test_another_contact_of_the_same_person_reverses_nothing() -> None:
    assert diverted().diversion(3 * DAY, elsewhere("contact", 300)).s136.grade == "B"


def test_a_reversal_counts_before_a_refutation() -> None:
    story = diverted(tests=TESTS | {"necessary": False})
    story.follow_up("later_s136", 300)
    assert story.s136() == ("R", "power")


# --- X -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["own_home", "someones_home", "private_garden_or_garage", "care_home_room"])
def test_a_place_that_rules_the_power_out_refutes(place: str) -> None:
    assert diverted(location_type=place).s136() == ("X", "law")


@pytest.mark.parametrize(("lives_there", "result"), [(True, ("X", "law")), (False, ("B", None)), (None, ("U", None))])
def test_a_hotel_room_depends_on_who_lives_there(lives_there: bool | None, result: tuple[str, str | None]) -> None:
    story = Story()
    story.intent(4)
    story.officer(60, location_type="hotel_hostel_room", someone_lives_there=lives_there)
    story.outcome("community_follow_up")
    assert story.s136() == result


def test_the_place_of_the_intent_counts_not_that_of_the_contact() -> None:
    story = Story()
    story.intent(4, location_type="hospital_or_ed")
    story.officer(60, location_type="own_home")
    story.outcome("community_follow_up")
    assert story.s136() == ("B", None)


def test_the_place_of_the_contact_that_carries_the_intent_counts_before_the_others() -> None:
    story = Story()
    story.officer(10, by=COLLEAGUE, intent=S136, **STREET)
    story.officer(60, location_type="own_home")
    story.outcome("community_follow_up")
    assert story.s136() == ("B", None)


@pytest.mark.parametrize("status", ["awol_s18", "s2_s3_s4", "s5", "cto_recall", "other_detained", "s135"])
def test_whoever_was_held_under_another_section_could_not_be_held_under_this(status: str) -> None:
    story = diverted()
    story.officer(61, legal_status=status, legal_status_at=1, by=COLLEAGUE)
    assert story.s136() == ("X", "law")


@pytest.mark.parametrize("status", ["free_to_leave", "arrested", "mca_best_interests", "unknown"])
def test_other_legal_statuses_do_not_refute(status: str) -> None:
    story = diverted()
    story.officer(61, legal_status=status, by=COLLEAGUE)
    assert story.s136() == ("B", None)


@pytest.mark.parametrize("test", ["mental_disorder", "immediate_need", "necessary"])
def test_a_test_that_is_no_refutes(test: str) -> None:
    assert diverted(tests=TESTS | {test: False}).s136() == ("X", "test")


@pytest.mark.parametrize("assessment", ["face_to_face", "phone"])
@pytest.mark.parametrize("told", [True, False, None])
def test_a_nurse_who_assessed_and_said_no_refutes_told_or_not(assessment: str, told: bool | None) -> None:
    story = diverted()
    story.nurse(62, assessment=assessment, s136_justified="no", told_intent=told)
    assert story.s136() == ("X", "judge")


@pytest.mark.parametrize("assessment", ["records_only", "none", None])
def test_a_nurse_who_did_not_assess_refutes_nothing(assessment: str | None) -> None:
    story = diverted()
    story.nurse(62, assessment=assessment, s136_justified="no")
    assert story.s136() == ("B", None)


# --- U -----------------------------------------------------------------------------------------------------------


def test_without_a_disposal_it_is_undetermined() -> None:
    assert considered().s136() == ("U", None)


def test_without_the_time_of_the_decision_it_is_undetermined() -> None:
    story = considered()
    story.outcome("community_follow_up", None)
    assert story.s136() == ("U", None)


@pytest.mark.parametrize("test", ["mental_disorder", "immediate_need", "necessary"])
def test_a_test_not_recorded_leaves_it_undetermined(test: str) -> None:
    assert diverted(tests={name: True for name in TESTS if name != test}).s136() == ("U", None)


@pytest.mark.parametrize("part", [{"tests": None}, {"confidence": None}])
def test_a_part_not_recorded_leaves_it_undetermined(part: dict[str, Any]) -> None:
    assert diverted(**part).s136() == ("U", None)


@pytest.mark.parametrize("place", ["other", "unknown", None])
def test_a_place_not_resolved_leaves_it_undetermined(place: str | None) -> None:
    story = Story()
    story.intent(4)
    story.officer(60, location_type=place)
    story.outcome("community_follow_up")
    assert story.s136() == ("U", None)


def test_an_intent_withdrawn_is_undetermined_and_stays_visible() -> None:
    story = diverted()
    story.withdraw(story.stored[0], 10)
    assert story.s136() == ("U", "intent_withdrawn")
    assert "intent_withdrawn" in story.flags()


def test_a_disagreement_on_use_within_thirty_minutes_leaves_it_undetermined() -> None:
    story = diverted()
    story.outcome("s136_removed", 95, captured=96, decided_by="officer")
    assert "conflict:disposal" in story.flags()
    assert story.s136() == ("U", None)
    assert "conflict:disposal" in [item.code for item in story.diversion().s136.because]


def test_after_thirty_minutes_it_is_no_disagreement_but_a_reversal() -> None:
    story = diverted()
    story.outcome("s136_removed", 96, captured=97, decided_by="officer")
    assert "conflict:disposal" not in story.flags()
    assert story.s136() == ("R", "power")


def test_a_disagreement_is_settled_by_another_entry_that_tells_of_the_use() -> None:
    story = diverted()
    story.outcome("s136_removed", 95, captured=96, decided_by="officer")
    arrived = story.detention("arrived_site", 120)
    assert story.s136() == ("R", "power")
    story.withdraw(arrived, 130)
    story.detention("arrived_site", 66 + DAY)
    assert story.s136() == ("U", None)


# --- P -----------------------------------------------------------------------------------------------------------


def test_pending_for_a_day_after_the_first_disposal() -> None:
    story = diverted()
    assert story.s136(now=64 + DAY) == ("P", None)
    assert story.s136(now=65 + DAY) == ("B", None)
    assert changes_at(story.incident(), grades=True) == {minute(65 + DAY)}


@pytest.mark.parametrize(
    "story",
    [diverted(tests=None), diverted(location_type="own_home"), considered()],
    ids=["undetermined", "refuted", "no disposal"],
)
def test_only_what_would_count_is_pending(story: Story) -> None:
    assert story.s136(now=66) == story.s136(now=3 * DAY)


# --- C -----------------------------------------------------------------------------------------------------------


def test_possibly_is_only_a_claim() -> None:
    assert diverted(confidence=1).s136() == ("C", None)
    assert diverted(confidence=2).s136() == ("B", None)


def test_the_control_rooms_intent_is_only_a_claim() -> None:
    assert diverted(source="control_room").s136() == ("C", None)


def test_a_referring_officers_intent_counts_when_confirmed() -> None:
    assert diverted(**CONFIRMED).s136() == ("B", None)


@pytest.mark.parametrize("part", [{"referrer": None}, {"log_time": None}, {"formed_at": -57}, {"formed_at": None}])
def test_a_referring_officers_intent_unconfirmed_is_only_a_claim(part: dict[str, Any]) -> None:
    assert diverted(**(CONFIRMED | part)).s136() == ("C", None)


def test_an_intent_is_captured_soon_by_one_clock() -> None:
    story = Story()
    story.tell("intent", 190, skew_ms=180 * 60_000, received=10, intent=S136 | CONFIRMED | {"formed_at": 184})
    story.officer(60, **STREET)
    story.outcome("community_follow_up")
    assert story.s136() == ("B", None)


def test_a_confirmed_referring_officers_intent_need_not_be_contemporaneous() -> None:
    story = Story()
    story.intent(40, **CONFIRMED)
    story.officer(60, consulted={"role": "nurse", "at": 30}, **STREET)
    story.outcome("community_follow_up")
    assert story.s136() == ("B", None)


@pytest.mark.parametrize("source", ["self", None])
def test_an_intent_captured_after_consultation_is_only_a_claim(source: str | None) -> None:
    story = Story()
    story.intent(10, source=source)
    story.officer(60, consulted={"role": "nurse", "at": 9}, **STREET)
    story.outcome("community_follow_up")
    assert story.s136() == ("C", None)


def test_an_intent_captured_as_the_consultation_begins_is_contemporaneous() -> None:
    story = Story()
    story.intent(10)
    story.officer(60, consulted={"role": "nurse", "at": 10}, **STREET)
    story.outcome("community_follow_up")
    assert story.s136() == ("B", None)


def test_an_intent_captured_after_advice_is_only_a_claim() -> None:
    story = diverted()
    story.nurse(62, advice="voluntary_pathway", advice_given_at=3)
    assert story.s136() == ("C", None)


def test_an_intent_captured_after_the_decision_is_only_a_claim() -> None:
    story = Story()
    story.intent(66)
    story.officer(67, **STREET)
    story.outcome("community_follow_up", 65)
    assert story.s136() == ("C", None)


def test_an_intent_captured_before_the_officer_came_is_only_a_claim() -> None:
    story = Story()
    story.intent(4)
    story.officer(60, arrived_at=5, **STREET)
    story.outcome("community_follow_up")
    assert story.s136() == ("C", None)


def test_it_is_the_arrival_of_the_intents_author_that_counts() -> None:
    story = Story()
    story.intent(4)
    story.officer(60, arrived_at=2, **STREET)
    story.officer(61, arrived_at=9, by=COLLEAGUE)
    story.outcome("community_follow_up")
    assert story.s136() == ("B", None)


@pytest.mark.parametrize("evidence", ["body_worn_video", "radio_log"])
def test_a_recording_stands_in_for_contemporaneity(evidence: str) -> None:
    story = Story()
    story.intent(66, formed_at=6, evidence=evidence)
    story.officer(67, **STREET)
    story.outcome("community_follow_up", 65)
    assert story.s136() == ("B", None)


@pytest.mark.parametrize(
    "part",
    [
        {"evidence": "body_worn_video", "formed_at": 5},
        {"evidence": "radio_log", "formed_at": None},
        {"evidence": "pocket_book", "formed_at": 60},
        {"evidence": "app", "formed_at": 60},
    ],
)
def test_what_was_not_recorded_at_the_time_does_not(part: dict[str, Any]) -> None:
    story = Story()
    story.intent(66, **part)
    story.officer(67, **STREET)
    story.outcome("community_follow_up", 65)
    assert story.s136() == ("C", None)


def test_the_earliest_intent_is_the_one_that_counts() -> None:
    story = diverted(confidence=1)
    story.intent(5, confidence=3)
    assert story.s136() == ("C", None)


def test_contemporaneity_is_judged_by_the_services_clock() -> None:
    story = Story()
    story.tell("intent", 57, skew_ms=47 * 60_000, received=10, intent=S136 | {"formed_at": 56})
    story.officer(60, arrived_at=2, consulted={"role": "nurse", "at": 12}, **STREET)
    story.outcome("community_follow_up")
    assert story.s136() == ("B", None)


# --- late inputs -------------------------------------------------------------------------------------------------


def test_a_part_given_by_amendment_after_the_disposal_counts_as_late() -> None:
    story = diverted(confidence=None)
    story.amend(story.stored[0], 70, "intent", intent=S136)
    assert story.s136() == ("C", None)
    assert "late_input" in [item.code for item in story.diversion().s136.because]


def test_a_part_given_by_amendment_before_the_disposal_does_not() -> None:
    story = diverted(confidence=None)
    story.amend(story.stored[0], 65, "intent", intent=S136)
    assert story.s136() == ("B", None)


def test_an_intent_first_given_by_amendment_is_captured_then() -> None:
    story = Story()
    contact = story.officer(4, **STREET)
    story.nurse(30, advice="voluntary_pathway", advice_given_at=20)
    story.amend(contact, 40, "officer", intent=S136, **STREET)
    story.outcome("community_follow_up")
    assert story.s136() == ("C", None)


def test_a_place_changed_by_amendment_after_the_disposal_counts_as_late() -> None:
    story = Story()
    story.intent(4)
    contact = story.officer(60, location_type="own_home")
    story.outcome("community_follow_up")
    assert story.s136() == ("X", "law")
    amended = story.amend(contact, 80, "officer", **STREET)
    assert story.s136() == ("C", None)
    story.withdraw(amended, 90)
    story.amend(contact, 61, "officer", **STREET)
    assert story.s136() == ("B", None)


def test_a_legal_status_changed_by_amendment_after_the_disposal_counts_as_late() -> None:
    story = Story()
    story.intent(4)
    contact = story.officer(60, legal_status="s136", **STREET)
    story.outcome("community_follow_up")
    story.amend(contact, 80, "officer", legal_status="free_to_leave", **STREET)
    assert story.s136() == ("C", None)


def test_other_fields_changed_by_amendment_do_not() -> None:
    story = diverted()
    story.amend(story.stored[1], 80, "officer", arrived_at=2, occurred_at=0, sex="female", **STREET)
    assert story.s136() == ("B", None)


def test_a_contact_that_was_filled_in_after_the_disposal_is_not_late_for_that() -> None:
    story = Story()
    story.intent(4)
    contact = story.officer(70, **STREET)
    story.outcome("community_follow_up")
    story.amend(contact, 80, "officer", sex="female", **STREET)
    assert story.s136() == ("B", None)


def test_the_first_disposal_changed_by_amendment_counts_as_late() -> None:
    story = diverted()
    story.amend(story.stored[2], 800, "outcome", disposal="carer_or_home", decided_at=65)
    assert story.s136() == ("C", None)


def test_a_later_outcome_changed_by_amendment_does_not() -> None:
    story = diverted()
    later = story.outcome("carer_or_home", 500, captured=501)
    story.amend(later, 800, "outcome", disposal="signposted", decided_at=500)
    assert story.s136() == ("B", None)


def test_an_outcome_that_was_first_until_it_was_amended_counts_as_late() -> None:
    story = diverted()
    story.outcome("carer_or_home", 70, captured=90)
    story.amend(story.stored[2], 800, "outcome", disposal="community_follow_up", decided_at=75)
    assert story.s136() == ("C", None)


# --- A, B --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("assessment", ["face_to_face", "phone"])
@pytest.mark.parametrize("captured", [30, 95])
def test_a_blind_second_judgement_corroborates(assessment: str, captured: int) -> None:
    story = diverted()
    story.nurse(captured, **(JUDGED | {"assessment": assessment}))
    assert story.s136() == ("A", None)


@pytest.mark.parametrize(
    "judgement",
    [
        {"blind": False},
        {"told_intent": True},
        {"told_intent": None},
        {"assessment": "records_only"},
        {"assessment": None},
        {"s136_justified": "cannot_say"},
        {"s136_justified": None},
    ],
)
def test_a_judgement_that_was_not_blind_or_not_one_does_not(judgement: dict[str, Any]) -> None:
    story = diverted()
    story.nurse(62, **(JUDGED | judgement))
    assert story.s136() == ("B", None)


def test_a_judgement_more_than_thirty_minutes_after_the_decision_does_not() -> None:
    story = diverted()
    story.nurse(96, **JUDGED)
    assert story.s136() == ("B", None)


def test_one_nurse_is_enough_and_another_who_says_no_refutes() -> None:
    story = diverted()
    story.nurse(61, **JUDGED)
    story.nurse(62, by=OTHER_NURSE, assessment="records_only", s136_justified="no")
    assert story.s136() == ("A", None)
    story.nurse(63, by=OTHER_NURSE, assessment="phone", s136_justified="no")
    assert story.s136() == ("X", "judge")


def test_a_judgement_given_by_amendment_never_corroborates_and_refutes_all_the_same() -> None:
    story = diverted()
    judged = story.nurse(62, **(JUDGED | {"s136_justified": None}))
    story.amend(judged, 63, "nurse", assessment="face_to_face", s136_justified="yes", told_intent=False)
    assert story.s136() == ("B", None)
    judged = story.nurse(64, by=OTHER_NURSE, assessment="phone", s136_justified="yes")
    story.amend(judged, 65, "nurse", assessment="phone", s136_justified="no")
    assert story.s136() == ("X", "judge")


def test_a_judgement_left_as_it_was_by_an_amendment_stands() -> None:
    story = diverted()
    judged = story.nurse(62, **JUDGED)
    story.amend(judged, 63, "nurse", assessment="phone", s136_justified="yes", told_intent=False, sex="male")
    assert story.s136() == ("A", None)
    judged = story.nurse(64, by=OTHER_NURSE, assessment="phone", s136_justified="no")
    story.amend(judged, 65, "nurse", assessment="phone", s136_justified="no", sex="male")
    assert story.s136() == ("X", "judge")


def test_a_judgement_made_blind_by_amendment_does_not_corroborate() -> None:
    story = diverted()
    judged = story.nurse(62, **(JUDGED | {"told_intent": True}))
    story.amend(judged, 63, "nurse", assessment="face_to_face", s136_justified="yes", told_intent=False)
    assert story.s136() == ("B", None)


def test_a_lead_cannot_change_a_nurses_judgement() -> None:
    story = diverted()
    judged = story.nurse(62, **JUDGED)
    story.amend(
        judged, 63, "nurse", by=CLINICAL_LEAD, assessment="face_to_face", s136_justified="no", told_intent=False
    )
    assert story.s136() == ("A", None)


def test_a_claim_is_not_corroborated() -> None:
    story = diverted(confidence=1)
    story.nurse(62, **JUDGED)
    assert story.s136() == ("C", None)


@pytest.mark.parametrize(
    ("events", "window"),
    [
        ([], "not_checked"),
        (["not_traceable"], "not_traceable"),
        (["not_traceable", "window_checked"], "checked"),
    ],
)
def test_a_and_b_say_whether_anybody_looked(events: list[str], window: str) -> None:
    story = diverted()
    for event in events:
        story.follow_up(event, 2 * DAY)
    assert story.diversion().s136.window == window
    story.nurse(62, **JUDGED)
    assert (story.diversion().s136.grade, story.diversion().s136.window) == ("A", window)


def test_other_grades_have_no_window() -> None:
    story = diverted(confidence=1)
    story.follow_up("window_checked", 2 * DAY)
    assert story.diversion().s136.window is None


def test_a_grade_names_its_rule_and_what_it_rests_on() -> None:
    story = diverted()
    judged = story.nurse(62, **JUDGED)
    graded = story.diversion().s136
    assert graded.rule == "DIV-1"
    assert [(item.code, item.entry) for item in graded.because] == [
        ("intent", story.stored[0].id),
        ("first_disposal", story.stored[2].id),
        ("judged_blind", judged.id),
    ]


def undated() -> Story:
    story = considered()
    story.outcome("community_follow_up", None)
    return story


def somewhere(place: str | None) -> Story:
    story = Story()
    story.intent(4)
    story.officer(60, location_type=place)
    story.outcome("community_follow_up")
    return story


def after_the_fact(**part: Any) -> Story:
    story = Story()
    story.intent(66, formed_at=6, **part)
    story.officer(67, **STREET)
    story.outcome("community_follow_up", 65)
    return story


@pytest.mark.parametrize(
    ("story", "code"),
    [
        (diverted(), "contemporaneous"),
        (after_the_fact(evidence="radio_log"), "recorded_at_the_time"),
        (diverted(**CONFIRMED), "referring_officer"),
        (considered(), "no_disposal"),
        (undated(), "no_decided_at"),
        (diverted(tests=None), "test_missing"),
        (diverted(confidence=None), "confidence_missing"),
        (somewhere(None), "place_missing"),
        (somewhere("other"), "place_unresolved"),
        (diverted(confidence=1), "confidence_1"),
        (diverted(source="control_room"), "control_room"),
        (diverted(source="referring_officer"), "unconfirmed"),
        (after_the_fact(evidence="app"), "not_contemporaneous"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_grade_says_why(story: Story, code: str) -> None:
    assert [item.code for item in story.diversion().s136.because][-1] == code


# --- intents as evidence -----------------------------------------------------------------------------------------


def test_an_intent_is_corrected_freely_within_two_minutes() -> None:
    story = Story()
    intent = story.intent(4)
    story.amend(intent, 6, "intent", intent=S136 | {"power": "none_needed"})
    story.officer(60, **STREET)
    story.outcome("community_follow_up")
    assert story.s136() == (None, "none")


def test_but_not_after_two_minutes() -> None:
    story = Story()
    intent = story.intent(4)
    story.amend(intent, 6.1, "intent", intent=S136 | {"power": "none_needed"})
    story.officer(60, **STREET)
    story.outcome("community_follow_up")
    assert story.s136() == (None, "corrected")


@pytest.mark.parametrize(
    "settling",
    [
        ("officer", {"consulted": {"role": "nurse", "at": 5}}),
        ("nurse", {"advice": "voluntary_pathway", "advice_given_at": 5}),
        ("outcome", {"disposal": "community_follow_up", "decided_at": 5}),
    ],
    ids=["consultation", "advice", "disposal"],
)
def test_nor_once_somebody_was_consulted_advised_or_decided(settling: tuple[str, dict[str, Any]]) -> None:
    story = Story()
    intent = story.intent(4)
    story.tell(settling[0], 90, **settling[1])
    story.amend(intent, 5.5, "intent", intent=S136 | {"power": "none_needed"})
    assert story.s136() == (None, "corrected")


@pytest.mark.parametrize("kind", ["officer", "nurse", "paramedic"])
def test_another_contact_settles_nothing(kind: str) -> None:
    story = Story()
    intent = story.intent(4)
    story.tell(kind, 5, area="bedford")
    story.amend(intent, 5.5, "intent", intent=S136 | {"power": "none_needed"})
    assert story.s136() == (None, "none")


def test_an_intent_withdrawn_within_two_minutes_was_never_there() -> None:
    story = Story()
    story.withdraw(story.intent(4), 5)
    story.officer(60, **STREET)
    story.outcome("community_follow_up")
    assert story.s136() == (None, "none")
    assert "intent_withdrawn" not in story.flags()


@pytest.mark.parametrize("captured", [(5, 90), (90, 5)])
def test_of_two_withdrawals_the_earlier_captured_counts(captured: tuple[float, float]) -> None:
    story = Story()
    intent = story.intent(4)
    for when in captured:
        story.withdraw(intent, when)
    story.outcome("community_follow_up")
    assert story.s136() == (None, "none")


def test_an_intent_corrected_freely_to_s136_counts_from_its_own_capture() -> None:
    story = Story()
    intent = story.intent(4, power="unsure")
    story.amend(intent, 5, "intent", intent=S136)
    story.officer(60, arrived_at=2, consulted={"role": "nurse", "at": 5}, **STREET)
    story.outcome("community_follow_up")
    assert story.s136() == ("B", None)


def test_an_intent_left_out_of_an_amended_contact_is_corrected_away() -> None:
    story = Story()
    contact = story.officer(4, intent=S136, **STREET)
    story.outcome("community_follow_up")
    story.amend(contact, 90, "officer", **STREET)
    assert story.s136() == (None, "corrected")


def test_an_intent_from_a_wrong_clock_need_not_say_when_it_was_formed() -> None:
    story = Story()
    story.tell("intent", 51, skew_ms=47 * 60_000, received=4, intent=S136 | {"formed_at": None})
    story.officer(60, arrived_at=2, **STREET)
    story.outcome("community_follow_up")
    assert story.s136() == ("B", None)


def test_a_withdrawn_contact_takes_its_intent_with_it() -> None:
    story = Story()
    contact = story.officer(4, intent=S136, **STREET)
    story.nurse(30, **STREET)
    story.outcome("community_follow_up")
    story.withdraw(contact, 90)
    assert story.s136() == ("U", "intent_withdrawn")


def test_a_withdrawal_withdrawn_restores_the_intent() -> None:
    story = diverted()
    story.withdraw(story.withdraw(story.stored[0], 10), 20)
    assert story.s136() == ("B", None)


# --- custody -----------------------------------------------------------------------------------------------------


def arrest_considered(**part: Any) -> Story:
    """An arrest for an offence considered at 22:04, with offence and necessity recorded."""
    story = Story()
    story.intent(4, **(ARREST | {"tests": None} | part))
    story.officer(60, arrived_at=2, **(STREET | NECESSITY))
    return story


def kept_out(**part: Any) -> Story:
    story = arrest_considered(**part)
    story.outcome("community_follow_up", 65)
    return story


def arrested() -> Story:
    """Found under arrest, no intent."""
    story = Story()
    story.officer(60, legal_status="arrested", legal_status_at=1, **STREET)
    return story


def test_custody_is_in_question_only_with_an_arrest_or_the_intent_of_one() -> None:
    assert diverted().custody() == (None, "none")
    assert kept_out().diversion().custody.sub_type == "pre_arrest"
    story = arrested()
    story.outcome("dearrested")
    assert (story.custody(), story.diversion().custody.sub_type) == (("B", None), "post_arrest")


def test_with_an_intent_and_an_arrest_it_is_post_arrest() -> None:
    story = kept_out()
    story.officer(61, legal_status="arrested", by=COLLEAGUE)
    assert story.diversion().custody.sub_type == "post_arrest"


@pytest.mark.parametrize(
    ("part", "grade"), [({"confidence": 1}, "C"), (CONFIRMED, "A"), ({}, "B")], ids=["possibly", "confirmed", "plain"]
)
def test_the_intent_to_arrest_bears_on_an_arrest_that_was_made(part: dict[str, Any], grade: str) -> None:
    story = kept_out(**part)
    story.officer(61, legal_status="arrested", by=COLLEAGUE)
    assert story.custody() == (grade, None)


def test_but_not_when_it_was_taken_back() -> None:
    story = kept_out(confidence=1)
    story.officer(61, legal_status="arrested", by=COLLEAGUE)
    story.withdraw(story.stored[0], 90)
    assert story.custody() == ("B", None)
    assert story.diversion().custody.sub_type == "post_arrest"


def test_custody_used() -> None:
    story = arrest_considered()
    story.outcome("arrest_custody")
    assert story.custody() == (None, "used")


@pytest.mark.parametrize("disposal", ["s136_removed", "s136_kept", "s135_removed", "s135_kept"])
def test_custody_substituted(disposal: str) -> None:
    story = arrest_considered()
    story.outcome(disposal)
    assert story.custody() == (None, "substituted")


@pytest.mark.parametrize(
    ("disposal", "reason"),
    [
        ("left_before_assessment", "not_safe"),
        ("missing_after_contact", "not_safe"),
        ("deceased", "not_safe"),
        ("stood_down", "not_seen"),
        ("not_attended", "not_seen"),
    ],
)
def test_custody_not_safe_or_not_seen(disposal: str, reason: str) -> None:
    story = arrest_considered()
    story.outcome(disposal)
    assert story.custody() == (None, reason)


@pytest.mark.parametrize(("event", "reason"), [("later_arrest", "power"), ("serious_harm", "harm"), ("died", "harm")])
def test_custody_reversed_by_what_follows(event: str, reason: str) -> None:
    story = kept_out()
    story.follow_up(event, 65 + DAY)
    assert story.custody() == ("R", reason)
    story = kept_out()
    story.follow_up(event, 66 + DAY)
    assert story.custody() == ("B", None)


def test_custody_reversed_by_a_later_arrest_to_custody_or_a_detention_that_ended_there() -> None:
    story = kept_out()
    story.outcome("arrest_custody", 300, captured=301)
    assert story.custody() == ("R", "power")
    story = kept_out()
    story.detention("began", 100)
    story.detention("ended", 300, result="custody")
    assert story.custody() == ("R", "power")


def test_custody_is_not_reversed_by_a_later_section() -> None:
    story = kept_out()
    story.follow_up("later_mha_detention", 300, section="s2")
    assert story.custody() == ("B", None)


def test_no_offence_refutes_an_arrest_for_one() -> None:
    story = Story()
    story.intent(4, **ARREST)
    story.officer(60, offence="none", arrest_necessity=["identity"])
    story.outcome("community_follow_up")
    assert story.custody() == ("X", "no_offence")


@pytest.mark.parametrize("missing", ["offence", "arrest_necessity"])
def test_custody_undetermined_without_offence_or_necessity(missing: str) -> None:
    story = Story()
    story.intent(4, **ARREST)
    story.officer(60, **{name: value for name, value in NECESSITY.items() if name != missing})
    story.outcome("community_follow_up")
    assert story.custody() == ("U", None)


def test_breach_of_the_peace_is_no_offence_and_needs_neither() -> None:
    story = Story()
    story.intent(4, power="arrest_breach_of_peace")
    story.officer(60, arrived_at=2, offence="none")
    story.outcome("community_follow_up")
    assert story.custody() == ("B", None)


def test_custody_undetermined_without_a_disposal() -> None:
    assert arrest_considered().custody() == ("U", None)
    assert arrested().custody() == ("U", None)


def test_an_arrest_needs_neither_offence_nor_necessity_recorded() -> None:
    story = arrested()
    story.outcome("dearrested")
    assert story.custody() == ("B", None)


def test_custody_pending_for_a_day() -> None:
    assert kept_out().custody(now=64 + DAY) == ("P", None)
    assert kept_out().diversion(64 + DAY).custody.sub_type == "pre_arrest"


def test_custody_claimed() -> None:
    assert kept_out(confidence=1).custody() == ("C", None)
    story = kept_out()
    story.nurse(61, advice="deferred", advice_given_at=3)
    assert story.custody() == ("C", None)


def test_custody_corroborated_by_a_confirmed_referring_officer() -> None:
    assert kept_out(**CONFIRMED).custody() == ("A", None)
    assert kept_out(**(CONFIRMED | {"referrer": None})).custody() == ("B", None)
    assert kept_out().custody() == ("B", None)


def test_an_arrest_intent_corrected_away_or_withdrawn() -> None:
    story = kept_out()
    story.amend(story.stored[0], 30, "intent", intent={"power": "none_needed"})
    assert story.custody() == (None, "corrected")
    story = kept_out()
    story.withdraw(story.stored[0], 30)
    assert story.custody() == ("U", "intent_withdrawn")


# --- ED avoided --------------------------------------------------------------------------------------------------


def ed_in_question(need: str | None = "treat_on_scene", disposal: str | None = "community_follow_up") -> Story:
    story = Story()
    story.paramedic(60, initial_plan="ed", physical_need=need)
    if disposal:
        story.outcome(disposal)
    return story


@pytest.mark.parametrize("need", ["none", "treat_on_scene"])
@pytest.mark.parametrize(
    "disposal", ["community_follow_up", "signposted", "carer_or_home", "child_care_pathway", "no_mental_health_need"]
)
def test_an_emergency_department_avoided(need: str, disposal: str) -> None:
    story = ed_in_question(need, disposal)
    assert story.diversion(64 + DAY).ed_avoided is None
    assert story.diversion(65 + DAY).ed_avoided is True


def test_also_where_the_officer_meant_to_go_there() -> None:
    story = Story()
    story.intent(4, power="emergency_department")
    story.paramedic(60, physical_need="none")
    story.outcome("carer_or_home")
    assert story.diversion().ed_avoided is True


@pytest.mark.parametrize("need", ["ed_needed", "ed_immediate", None])
def test_not_avoided_where_the_body_needed_it(need: str | None) -> None:
    assert ed_in_question(need).diversion().ed_avoided is False


@pytest.mark.parametrize("disposal", ["ed_voluntary", "mh_unit_voluntary", "s136_removed", "left_before_assessment"])
def test_not_avoided_by_other_disposals(disposal: str) -> None:
    assert ed_in_question(disposal=disposal).diversion().ed_avoided is False


def test_not_avoided_where_it_followed_within_a_day() -> None:
    story = ed_in_question()
    story.follow_up("later_ed", 65 + DAY)
    assert story.diversion().ed_avoided is False
    story = ed_in_question()
    story.follow_up("later_ed", 66 + DAY)
    assert story.diversion().ed_avoided is True


def test_not_avoided_where_it_was_a_place_of_safety() -> None:
    story = ed_in_question()
    story.detention("arrived_site", 300, place_of_safety="emergency_department")
    assert story.diversion().ed_avoided is False


def test_not_in_question_or_undecided_is_null() -> None:
    story = Story()
    story.paramedic(60, initial_plan="no_ed", physical_need="none")
    story.outcome("carer_or_home")
    assert story.diversion().ed_avoided is None
    assert ed_in_question(disposal=None).diversion().ed_avoided is None


def test_a_later_detention_of_another_incident_reverses_too() -> None:
    """Of several detentions in one incident each is told to the person's others."""
    other = Story(ANOTHER, first_seq=100)
    other.detention("arrived_site", -2 * DAY)
    other.detention("ended", -2 * DAY + 60, result="lapsed")
    other.detention("arrived_site", 300)
    story = diverted()
    assert story.diversion(3 * DAY, *person_events(other.incident())).s136.grade == "R"


def test_a_detention_that_was_running_elsewhere_when_the_car_came_is_used() -> None:
    for ended, reason in ((None, "used"), (-10, None), (30, "used")):
        other = Story(ANOTHER, first_seq=100)
        other.detention("arrived_site", -300)
        if ended is not None:
            other.detention("ended", ended)
        story = diverted()
        assert story.diversion(3 * DAY, *person_events(other.incident())).s136.reason == reason


def test_a_detention_elsewhere_that_had_run_out_is_not() -> None:
    other = Story(ANOTHER, first_seq=100)
    other.detention("arrived_site", -DAY - 1)
    assert diverted().diversion(3 * DAY, *person_events(other.incident())).s136.grade == "B"


@pytest.mark.parametrize(("began", "result"), [(30, (None, "used")), (65, (None, "used")), (66, ("R", "power"))])
def test_a_detention_elsewhere_that_began_before_the_first_disposal_is_used(began: float, result: Any) -> None:
    other = Story(ANOTHER, first_seq=100)
    other.detention("arrived_site", began)
    graded = diverted().diversion(3 * DAY, *person_events(other.incident())).s136
    assert (graded.grade, graded.reason) == result


def test_outcomes_in_conflict_come_before_a_refutation_but_not_before_a_reversal() -> None:
    story = diverted()
    story.outcome("s136_removed", 80, captured=81)
    story.nurse(62, assessment="phone", s136_justified="no")
    assert story.s136() == ("U", None)
    story.detention("arrived_site", 120)
    assert story.s136() == ("R", "power")


# --- the published rule --------------------------------------------------------------------------------------------

PUBLISHED = (Path(__file__).parents[2] / "docs" / "diversion.md").read_text(encoding="utf-8")


@given(stories())
def test_every_reason_is_in_the_published_rule(story: Story) -> None:
    diversion = story.diversion()
    for grading in (diversion.s136, diversion.custody):
        said = {reason.code for reason in grading.because} | {grading.reason, getattr(grading, "window", None)}
        assert not [code for code in said if code and f"`{code}`" not in PUBLISHED]

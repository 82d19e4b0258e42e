"""The detention clock: when it starts, what moves it, what never does."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from support.story import DAY, NURSE, STREET, Story, minute

from triage.log.incident import changes_at, fold
from triage.log.view import DetentionView
from triage.terms import Terms

ED: dict[str, Any] = {"place_of_safety": "emergency_department"}
SUITE: dict[str, Any] = {"place_of_safety": "health_based"}
STATION: dict[str, Any] = {"place_of_safety": "police_station"}
VALID: dict[str, Any] = {"minutes": 360, "ground": "condition", "authorised_by": "responsible_doctor"}
ADULT_AT_STATION: dict[str, Any] = {
    "station_tests": {"imminent_risk": True, "no_other_place": True, "healthcare_available": True},
    "authorised_rank": "inspector",
}


def removed(decided_at: float = 80) -> Story:
    story = Story()
    story.outcome("s136_removed", decided_at, captured=decided_at + 5, decided_by="officer")
    return story


def detention(story: Story) -> DetentionView:
    stay = story.view().detention
    assert stay is not None
    return stay


# --- the start ---------------------------------------------------------------------------------------------------


def test_without_a_use_there_is_no_detention() -> None:
    story = Story()
    story.officer(60, **STREET)
    story.outcome("s135_requested")
    assert story.view().detention is None


def test_the_clock_starts_on_arrival_at_the_first_place_of_safety() -> None:
    story = removed()
    story.detention("arrived_site", 110, **ED)
    assert detention(story).began_at == minute(80)
    assert detention(story).expires_at == minute(110 + DAY)


def test_a_later_arrival_elsewhere_never_restarts_it() -> None:
    story = removed()
    story.detention("arrived_site", 110, **ED)
    story.detention("transferred", 590)
    story.detention("arrived_site", 620, **SUITE)
    assert detention(story).expires_at == minute(110 + DAY)


def test_it_starts_from_the_earlier_of_site_and_entry_and_shows_both() -> None:
    story = removed()
    story.detention("arrived_site", 110, **ED)
    story.detention("entered", 410, **ED)
    stay = detention(story)
    assert (stay.arrived_at, stay.entered_at) == (minute(110), minute(410))
    assert (stay.expires_at, stay.expires_if_entered_counts) == (minute(110 + DAY), minute(410 + DAY))


def test_entry_alone_starts_it() -> None:
    story = removed()
    story.detention("entered", 410)
    assert detention(story).expires_at == minute(410 + DAY)


def test_without_any_arrival_there_is_no_expiry() -> None:
    story = removed()
    stay = detention(story)
    assert (stay.began_at, stay.expires_at, stay.expires_if_entered_counts) == (minute(80), None, None)
    assert "clock_unknown" in story.flags()
    assert "clock_running" not in story.flags()


def test_a_person_kept_is_detained_from_the_decision_to_keep() -> None:
    story = Story()
    story.outcome("s136_kept", 80, decided_by="officer")
    assert detention(story).expires_at == minute(80 + DAY)
    story.detention("kept_from", 75, **ED)
    assert detention(story).expires_at == minute(75 + DAY)
    assert detention(story).kept_from == minute(75)


def test_an_arrival_before_kept_from_counts_until_an_outcome_says_kept() -> None:
    story = Story()
    story.detention("arrived_site", 40, **ED)
    story.detention("kept_from", 300, **ED)
    assert detention(story).expires_at == minute(40 + DAY)
    story.outcome("s136_kept", 310, decided_by="officer")
    assert detention(story).expires_at == minute(300 + DAY)


def test_whoever_was_removed_there_before_is_detained_from_the_arrival() -> None:
    story = removed(10)
    story.detention("arrived_site", 20, **ED)
    story.detention("kept_from", 75, **ED)
    assert detention(story).expires_at == minute(20 + DAY)


def test_kept_then_taken_elsewhere_the_decision_to_keep_counts() -> None:
    story = Story()
    story.outcome("s136_kept", 80, decided_by="officer")
    story.detention("arrived_site", 200, **SUITE)
    assert detention(story).expires_at == minute(80 + DAY)


def test_where_a_person_is_kept_entry_does_not_count() -> None:
    story = Story()
    story.outcome("s136_kept", 80, decided_by="officer")
    story.detention("entered", 90)
    assert (detention(story).expires_at, detention(story).expires_if_entered_counts) == (minute(80 + DAY), None)


def test_s135_runs_from_arrival_and_where_kept_from_the_entry() -> None:
    story = Story()
    story.outcome("s135_removed", 80)
    story.detention("arrived_site", 110, power="s135", **SUITE)
    assert (detention(story).power, detention(story).expires_at) == ("s135", minute(110 + DAY))
    story = Story()
    story.outcome("s135_kept", 80)
    assert detention(story).expires_at == minute(80 + DAY)
    story.detention("entered", 70, power="s135")
    assert detention(story).expires_at == minute(70 + DAY)


def test_s135_kept_runs_from_the_first_entry_of_the_premises() -> None:
    story = Story()
    story.detention("entered", 100, power="s135", place_of_safety="private_home")
    story.detention("kept_from", 130, power="s135", place_of_safety="private_home")
    assert detention(story).expires_at == minute(100 + DAY)
    story.detention("arrived_site", 90, power="s135", place_of_safety="private_home")
    assert detention(story).expires_at == minute(90 + DAY)  # the earlier, until an outcome says kept
    story.outcome("s135_kept", 130)
    assert detention(story).expires_at == minute(100 + DAY)


def test_a_detention_without_its_power_is_one_under_s136_unless_s135_was_decided() -> None:
    story = Story()
    story.detention("arrived_site", 110, power=None)
    assert detention(story).power == "s136"
    story.outcome("s135_removed", 80)
    assert detention(story).power == "s135"


def test_a_legal_status_of_s136_is_a_detention() -> None:
    story = Story()
    story.officer(60, legal_status="s136", legal_status_at=-10)
    assert detention(story).began_at == minute(-10)
    assert "clock_unknown" in story.flags()


def test_it_began_when_an_entry_says_it_began() -> None:
    story = removed()
    story.detention("began", 85)
    assert detention(story).began_at == minute(85)


def test_a_phone_that_is_wrong_does_not_move_the_expiry() -> None:
    story = removed()
    story.tell("detention", 157, received=110, skew_ms=47 * 60_000, event="arrived_site", at=157, power="s136", **ED)
    stay = detention(story)
    assert stay.arrived_at == minute(110)
    assert stay.expires_at == minute(110 + DAY)
    assert "clock_skew" in story.flags()


@pytest.mark.parametrize("skew_ms", [120_000, -120_000])
def test_a_skew_of_two_minutes_is_left_alone(skew_ms: int) -> None:
    story = removed()
    story.tell("detention", 112, received=110, skew_ms=skew_ms, event="arrived_site", at=112, power="s136")
    assert detention(story).expires_at == minute(112 + DAY)
    assert "clock_skew" not in story.flags()


# --- extension ---------------------------------------------------------------------------------------------------


def extended(at: float = 110 + DAY - 20, place: dict[str, Any] | None = None, **how: Any) -> Story:
    story = removed()
    story.detention("arrived_site", 110, **(place or SUITE))
    story.detention("extended", at, **(VALID | how))
    return story


def test_a_valid_extension_moves_the_expiry() -> None:
    stay = detention(extended())
    assert (stay.extended_minutes, stay.expires_at) == (360, minute(110 + DAY + 360))


@pytest.mark.parametrize(
    "how",
    [
        {"ground": "no_bed"},
        {"ground": "no_doctor"},
        {"ground": "no_amhp"},
        {"ground": "other"},
        {"ground": None},
        {"authorised_by": "other_doctor"},
        {"authorised_by": "other"},
        {"authorised_by": None},
        {"minutes": None},
        {"at": 110 + DAY},
    ],
)
def test_any_other_extension_is_flagged_and_moves_nothing(how: dict[str, Any]) -> None:
    story = extended(**how)
    assert (detention(story).extended_minutes, detention(story).expires_at) == (0, minute(110 + DAY))
    assert "invalid_extension" in story.flags()


def test_the_last_minute_before_the_end_is_in_time() -> None:
    assert detention(extended(at=110 + DAY - 1)).extended_minutes == 360


@pytest.mark.parametrize(("approved", "minutes"), [(True, 360), (False, 0), (None, 0)])
def test_at_a_police_station_a_superintendent_approves_too(approved: bool | None, minutes: int) -> None:
    story = extended(place=STATION, superintendent_approved=approved)
    assert detention(story).extended_minutes == minutes


@pytest.mark.parametrize(
    "held",
    [
        {"kind": "outcome", "disposal": "s136_kept", "decided_at": 20, "location_type": "police_station"},
        {"kind": "officer", "legal_status": "s136", "legal_status_at": 20, "location_type": "police_station"},
    ],
)
def test_so_too_where_an_outcome_or_a_contact_tells_that_the_person_is_there(held: dict[str, Any]) -> None:
    story = Story()
    story.tell(captured=20, **held)
    story.detention("kept_from", 20)
    story.detention("extended", 600, **VALID)
    assert (detention(story).extended_minutes, "invalid_extension" in story.flags()) == (0, True)
    story.detention("extended", 600, superintendent_approved=True, **VALID)
    assert detention(story).extended_minutes == 360


def test_whoever_was_taken_on_from_the_station_needs_no_superintendent() -> None:
    story = Story()
    story.outcome("s136_kept", 20, location_type="police_station")
    story.detention("arrived_site", 100, **SUITE)
    story.detention("extended", 600, **VALID)
    assert detention(story).extended_minutes == 360


def test_two_records_of_one_extension_are_not_added_up() -> None:
    story = extended()
    story.detention("extended", 110 + DAY - 10, **(VALID | {"minutes": 300}))
    assert detention(story).extended_minutes == 360


def test_the_expiry_by_entry_is_extended_too() -> None:
    story = extended()
    story.detention("entered", 410)
    assert detention(story).expires_if_entered_counts == minute(410 + DAY + 360)


def test_an_extension_counts_when_the_arrival_becomes_known_later() -> None:
    story = removed()
    story.detention("extended", 110 + DAY - 20, **VALID)
    assert detention(story).expires_at is None
    story.detention("arrived_site", 110, captured=3 * DAY, **SUITE)
    assert detention(story).expires_at == minute(110 + DAY + 360)


# --- places ------------------------------------------------------------------------------------------------------


def test_one_clock_and_two_places() -> None:
    story = removed()
    story.detention("arrived_site", 110, **ED)
    story.detention("handover_complete", 170, **ED)
    story.detention("arrived_site", 590, **SUITE)
    story.detention("handover_complete", 612, **SUITE)
    assert [(place.place_of_safety, place.arrived_at, place.handover_minutes) for place in detention(story).places] == [
        ("emergency_department", minute(110), 60),
        ("health_based", minute(590), 22),
    ]


def test_two_records_of_one_arrival_are_one_place() -> None:
    story = removed()
    story.detention("arrived_site", 112, **ED)
    story.detention("arrived_site", 110, captured=300, **ED)
    story.detention("entered", 115)
    (place,) = detention(story).places
    assert (place.arrived_at, place.entered_at) == (minute(110), minute(115))


def test_a_transfer_to_another_place_of_the_same_kind_is_another_place() -> None:
    story = removed()
    story.detention("arrived_site", 110, **ED)
    story.detention("transferred", 200)
    story.detention("arrived_site", 230, **ED)
    assert [place.arrived_at for place in detention(story).places] == [minute(110), minute(230)]


def test_a_handover_without_an_arrival_has_no_length() -> None:
    story = removed()
    story.detention("entered", 110, **ED)
    story.detention("handover_complete", 130)
    (place,) = detention(story).places
    assert (place.arrived_at, place.handover_at, place.handover_minutes) == (None, minute(130), None)


def test_a_place_not_known_is_the_place_learnt_later() -> None:
    story = removed()
    story.detention("arrived_site", 110, place_of_safety="unknown")
    story.detention("entered", 115, **ED)
    assert [place.place_of_safety for place in detention(story).places] == ["emergency_department"]


def test_the_place_where_a_person_was_kept() -> None:
    story = Story()
    story.detention("kept_from", 75, **ED)
    story.detention("arrived_site", 200, **SUITE)
    assert [place.place_of_safety for place in detention(story).places] == ["emergency_department", "health_based"]


# --- the end -----------------------------------------------------------------------------------------------------


def test_it_ends_only_when_an_entry_says_so() -> None:
    story = removed()
    story.detention("arrived_site", 110, **SUITE)
    story.detention("absconded", 200)
    assert story.view().status == "awaiting_outcome"
    assert "clock_running" in story.flags(now=109 + DAY)
    assert "expiry_passed_no_end" not in story.flags(now=109 + DAY)
    assert {"clock_running", "expiry_passed_no_end", "outcome_overdue"} <= set(story.flags(now=110 + DAY))
    story.detention("ended", 900, captured=3 * DAY, result="admitted_informal")
    assert story.view().status == "closed"
    assert story.flags() == ()
    assert (detention(story).ended_at, detention(story).result) == (minute(900), "admitted_informal")


def test_without_an_expiry_it_is_overdue_a_day_after_it_began() -> None:
    story = removed()
    assert "outcome_overdue" not in story.flags(now=79 + DAY)
    assert "outcome_overdue" in story.flags(now=80 + DAY)
    assert "expiry_passed_no_end" not in story.flags(now=80 + DAY)


def test_a_detention_that_ended_before_any_place_has_no_unknown_clock() -> None:
    story = removed()
    story.detention("ended", 100, result="released_before_place_of_safety")
    assert "clock_unknown" not in story.flags()


def test_after_a_death_nothing_is_chased() -> None:
    story = removed()
    story.detention("arrived_site", 110, **ED)
    story.follow_up("died", 300)
    assert story.incident().restricted
    assert not {"outcome_overdue", "expiry_passed_no_end", "clock_running"} & set(story.flags())
    assert changes_at(story.incident(), grades=True) == set()


def test_a_view_turns_when_the_clock_runs_out() -> None:
    story = removed()
    story.detention("arrived_site", 110, **ED)
    assert changes_at(story.incident(), grades=True) == {minute(110 + DAY)}


# --- police stations ---------------------------------------------------------------------------------------------


def at_station(age: dict[str, Any], **how: Any) -> tuple[str, ...]:
    story = removed()
    story.officer(60, **age)
    story.detention("arrived_site", 110, **(STATION | how))
    return tuple(flag for flag in story.flags(200) if "station" in flag)


def test_under_18_a_police_station_is_never_a_place_of_safety() -> None:
    assert at_station({"age": 15}) == ("under_18_police_station",)
    assert at_station({"age": 15}, **ADULT_AT_STATION) == ("under_18_police_station",)


@pytest.mark.parametrize("disposal", ["s136_kept", "s135_kept"])
def test_nor_where_an_outcome_keeps_a_child_there(disposal: str) -> None:
    story = Story()
    story.officer(60, age=15, location_type="street_or_park")
    story.outcome(disposal, location_type="police_station")
    assert "under_18_police_station" in story.flags()
    story = Story()
    story.officer(60, age=15, location_type="police_station")
    story.outcome(disposal)
    assert "under_18_police_station" in story.flags()


@pytest.mark.parametrize(("status", "flagged"), [("s136", True), ("s135", True), ("arrested", False)])
def test_nor_where_a_contact_finds_a_child_held_there(status: str, flagged: bool) -> None:
    story = Story()
    story.officer(60, age=15, location_type="police_station", legal_status=status)
    assert ("under_18_police_station" in story.flags()) is flagged


def test_an_adult_needs_three_tests_and_an_inspector() -> None:
    assert at_station({"age": 30}, **ADULT_AT_STATION) == ()
    assert at_station({"age": 30}) == ("station_not_authorised",)
    assert at_station({"age": 30}, **(ADULT_AT_STATION | {"authorised_rank": "sergeant"})) == (
        "station_not_authorised",
    )
    for test in ("imminent_risk", "no_other_place", "healthcare_available"):
        tests = ADULT_AT_STATION["station_tests"] | {test: False}
        assert at_station({"age": 30}, **(ADULT_AT_STATION | {"station_tests": tests})) == ("station_not_authorised",)


def test_the_day_on_which_police_stations_cease_is_a_setting() -> None:
    story = removed()
    story.detention("arrived_site", 110, **(STATION | ADULT_AT_STATION))
    night = minute(110).astimezone(ZoneInfo("Europe/London")).date()
    allowed = Terms(police_station_allowed_until=night)
    ceased = Terms(police_station_allowed_until=night - timedelta(days=1))
    assert "station_not_authorised" not in fold(story.stored, terms=allowed).view.flags
    assert "station_not_authorised" in fold(story.stored, terms=ceased).view.flags
    story.detention("ended", 160, result="lapsed")
    story.detention("arrived_site", 110 + DAY, **(STATION | ADULT_AT_STATION))
    assert "station_not_authorised" in fold(story.stored, terms=allowed).view.flags, "the second time was too late"


# --- the nights on which the clocks change ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arrival", "expiry"),
    [
        ("2026-10-24T22:00:00+01:00", "2026-10-25T21:00:00+00:00"),
        ("2027-03-27T22:00:00+00:00", "2027-03-28T23:00:00+01:00"),
    ],
)
def test_twenty_four_hours_are_elapsed_hours(arrival: str, expiry: str) -> None:
    story, arrived = Story(), datetime.fromisoformat(arrival)
    story.tell("detention", 0, by=NURSE, event="arrived_site", at=arrived, power="s136")
    stay = detention(story)
    assert stay.expires_at == datetime.fromisoformat(expiry)
    assert stay.expires_at is not None
    assert stay.expires_at.astimezone(UTC) - arrived.astimezone(UTC) == timedelta(hours=24)


# --- episodes -------------------------------------------------------------------------------------------------------


def ended_once() -> Story:
    """Removed at 80, arrived at 110, ended at 500."""
    story = removed()
    story.detention("arrived_site", 110, **ED)
    story.detention("ended", 500, result="discharged_follow_up")
    return story


def test_what_comes_after_an_end_is_another_episode_with_a_clock_of_its_own() -> None:
    story = ended_once()
    assert story.view().status == "closed"
    story.outcome("s136_removed", 600, captured=605, decided_by="officer")
    story.detention("arrived_site", 640, **SUITE)
    view = story.view(700)
    first, second = view.detentions
    assert view.detention == second
    assert (first.began_at, first.expires_at, first.ended_at) == (minute(80), minute(110 + DAY), minute(500))
    assert (second.began_at, second.expires_at, second.ended_at) == (minute(600), minute(640 + DAY), None)
    assert view.status == "awaiting_outcome"
    assert "clock_running" in view.flags
    assert changes_at(story.incident(), grades=True) == {minute(640 + DAY)}


def test_an_extension_moves_the_clock_of_its_own_episode() -> None:
    story = ended_once()
    story.detention("extended", 490, **VALID)
    story.detention("began", 600)
    story.detention("arrived_site", 640, **SUITE)
    first, second = story.view().detentions
    assert (first.extended_minutes, second.extended_minutes) == (360, 0)
    assert second.expires_at == minute(640 + DAY)


def test_what_is_no_first_sign_belongs_to_the_episode_before_it() -> None:
    story = ended_once()
    for event in ("health_check", "examined_by_doctor", "returned", "handover_complete", "ended"):
        story.detention(event, 600)
    [only] = story.view().detentions
    assert (only.ended_at, only.result) == (minute(500), "discharged_follow_up")
    assert story.view().status == "closed"


@pytest.mark.parametrize("event", ["began", "kept_from", "arrived_site", "entered"])
def test_a_first_sign_after_an_end_opens_another(event: str) -> None:
    story = ended_once()
    story.detention(event, 600, **ED)
    assert len(story.view().detentions) == 2
    assert story.view().status == "awaiting_outcome"


def test_an_end_at_the_instant_of_the_latest_sign_ends_it() -> None:
    story = removed()
    story.detention("arrived_site", 110, **ED)
    story.detention("ended", 110, captured=100)
    assert len(story.view().detentions) == 1
    assert story.view().status == "closed"


def test_a_legal_status_opens_an_episode_after_an_end_only_with_a_time_of_its_own() -> None:
    story = ended_once()
    story.officer(610, occurred_at=600, legal_status="s136")
    assert len(story.view().detentions) == 1
    story.officer(611, occurred_at=600, legal_status="s136", legal_status_at=605)
    assert len(story.view().detentions) == 2


def test_an_undated_use_is_when_it_was_captured() -> None:
    story = ended_once()
    story.outcome("s136_kept", None, captured=600)
    assert [detention.began_at for detention in story.view().detentions] == [minute(80), minute(600)]


def test_of_several_ends_the_earliest_counts_and_the_result_that_is_known() -> None:
    story = removed()
    story.detention("arrived_site", 110, **ED)
    story.detention("ended", 520, result="detained_s2")
    story.detention("ended", 500, captured=530, result="unknown")
    [only] = story.view().detentions
    assert (only.ended_at, only.result) == (minute(500), "detained_s2")


def test_a_transfer_that_names_a_place_is_a_stay_there_and_tells_of_one_before() -> None:
    story = removed()
    story.detention("transferred", 200, **SUITE)
    assert [stay.place_of_safety for stay in detention(story).places] == [None, "health_based"]
    story.detention("arrived_site", 240)
    assert [(stay.place_of_safety, stay.arrived_at) for stay in detention(story).places] == [
        (None, None),
        ("health_based", minute(240)),
    ]


def test_at_a_station_and_then_elsewhere_an_extension_needs_no_superintendent() -> None:
    story = removed()
    story.detention("arrived_site", 110, **(STATION | ADULT_AT_STATION))
    story.detention("transferred", 300, **ED)
    story.detention("extended", 400, **VALID)
    assert detention(story).extended_minutes == 360
    assert "invalid_extension" not in story.flags()


def test_place_now_is_where_the_person_is_held() -> None:
    story = removed()
    assert story.view().place_now is None
    story.detention("arrived_site", 110, **ED)
    assert story.view().place_now == "emergency_department"
    story.detention("absconded", 200)
    assert story.view().place_now is None
    story.detention("returned", 300)
    story.detention("transferred", 310, **SUITE)
    assert story.view().place_now == "health_based"
    story.detention("ended", 500)
    assert story.view().place_now is None


def test_a_running_clock_never_stands_beside_free_to_leave() -> None:
    story = removed()
    story.officer(90, legal_status="free_to_leave", legal_status_at=89, **STREET)
    assert story.view().legal_status == "s136"
    ended = story.detention("ended", 500, result="detained_s2")
    assert story.view().legal_status == "s2_s3_s4"
    story.withdraw(ended, 501)
    story.detention("ended", 500)
    assert story.view().legal_status == "unknown"


@pytest.mark.parametrize(
    ("disposal", "status"),
    [("arrest_custody", "arrested"), ("community_follow_up", "free_to_leave"), ("returned_under_act", "awol_s18")],
)
def test_without_a_clock_the_latest_dated_status_is_shown(disposal: str, status: str) -> None:
    story = Story()
    story.officer(60, legal_status="free_to_leave", occurred_at=2, **STREET)
    story.outcome(disposal)
    assert story.view().legal_status == status
    story.nurse(80, legal_status="s5", legal_status_at=75)
    assert story.view().legal_status == "s5"
    story.nurse(90, legal_status="unknown", legal_status_at=85)
    assert story.view().legal_status == "s5"


@pytest.mark.parametrize("disposal", ["s136_kept", "s135_kept"])
def test_an_outcome_that_keeps_an_adult_at_a_station_counts_as_used_there(disposal: str) -> None:
    story = Story()
    story.officer(60, age=30, **STREET)
    story.outcome(disposal, location_type="police_station")
    assert "station_not_authorised" in story.flags()

"""What is odd but possible is stored and told to its author; what is ordinary is not commented on."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.bodies import PLAUSIBLE, entry_id, plausible, replacement
from support.cast import BEDFORDSHIRE

from triage import codes
from triage.log import decode, notices
from triage.log.entries import KINDS, AnyEntry, StoredEntry
from triage.log.notices import NOTICES
from triage.people.notes import likely_identifiers
from triage.terms import Terms

LATER = datetime(2026, 10, 6, tzinfo=UTC)
NIGHT = datetime(2026, 10, 3, 1, 50, tzinfo=UTC)


def entry(body: dict[str, Any]) -> AnyEntry:
    return decode.decode(json.dumps(body).encode(), entry_id(1))


def told(body: dict[str, Any], *others: dict[str, Any], **known: Any) -> set[tuple[str, str]]:
    """The code and field of every notice; `others` are entries of the same incident stored before."""
    known.setdefault("terms", BEDFORDSHIRE)
    given = notices.notices(
        entry(body), others=(held(other, number) for number, other in enumerate(others, 1)), received_at=LATER, **known
    )
    assert all(notice.code in NOTICES and notice.message for notice in given)
    assert len({(notice.code, notice.field) for notice in given}) == len(given)
    return {(notice.code, notice.field) for notice in given}


def held(body: dict[str, Any], number: int) -> StoredEntry:
    return StoredEntry(
        seq=number,
        id=entry_id(100 + number),
        entry=entry(body),
        received_at=LATER,
        author=entry_id(7),
        profession="police",
        role="officer",
    )


def arrived(**changes: Any) -> dict[str, Any]:
    return plausible("detention", event="arrived_site", at=NIGHT.isoformat(), place_reason=None) | changes


def event(name: str, hours: float, **changes: Any) -> dict[str, Any]:
    return plausible("detention", place_of_safety=None, place_reason=None) | {
        "event": name,
        "at": (NIGHT + timedelta(hours=hours)).isoformat(),
        **changes,
    }


def extended(hours: float = 23, **changes: Any) -> dict[str, Any]:
    lawful = {"minutes": 360, "ground": "condition", "authorised_by": "responsible_doctor"}
    return event("extended", hours, **(lawful | changes))


USED = plausible("outcome")
WELL = {"imminent_risk": True, "no_other_place": True, "healthcare_available": True}
CHILD = plausible("nurse", age=15)


# --- the ordinary


@pytest.mark.parametrize("kind", KINDS)
def test_an_ordinary_entry_gets_no_notice(kind: str) -> None:
    body = PLAUSIBLE[kind]
    assert told(body, target_held=True, skew_ms=1_000, identifiers=likely_identifiers) == set()


# --- the phone's clock


@pytest.mark.parametrize(("skew_ms", "odd"), [(None, False), (120_000, False), (-120_000, False), (120_001, True)])
def test_a_clock_more_than_two_minutes_wrong(skew_ms: int | None, odd: bool) -> None:
    assert told(USED, skew_ms=skew_ms) == ({("clock_skew", "captured_at")} if odd else set())


def test_a_phone_47_minutes_ahead_and_one_set_to_2019() -> None:
    ahead = plausible("outcome", captured_at=(LATER + timedelta(minutes=47)).isoformat())
    both = {("clock_skew", "captured_at"), ("captured_in_future", "captured_at")}
    assert told(ahead, skew_ms=47 * 60_000) == both
    behind = plausible("outcome", captured_at="2019-01-01T00:00:00Z")
    assert told(behind, skew_ms=-(LATER - datetime(2019, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)) == {
        ("clock_skew", "captured_at")
    }


# --- codes and texts


def test_retired_codes_are_told_wherever_they_stand() -> None:
    assert told(plausible("officer", ethnicity="O1")) == {("retired_code", "ethnicity")}
    assert told(plausible("officer", ethnicity="A4")) == set()
    body = plausible("amendment", entry={"kind": "nurse", "ethnicity": "O1"})
    assert told(body, target_held=True) == {("retired_code", "entry.ethnicity")}


def test_a_code_past_its_last_day_is_told_from_the_day_after(tmp_path: Path) -> None:
    text = codes.SHIPPED.read_text(encoding="utf-8")
    text = text.replace('label = "Self-harm"', 'label = "Self-harm", valid_to = 2026-10-03')
    owned = tmp_path / "codes.toml"
    owned.write_text(text, encoding="utf-8")
    codes.load(owned)
    try:
        last_day = told(plausible("nurse", presenting=["mania_like", "self_harm"], captured_at="2026-10-03T23:00:00Z"))
        day_after = told(plausible("nurse", presenting=["mania_like", "self_harm"], captured_at="2026-10-04T00:00:00Z"))
    finally:
        codes.load()
    assert (last_day, day_after) == (set(), {("retired_code", "presenting.1")})


def test_likely_identifiers_are_told_in_notes_and_reasons_and_never_repeated() -> None:
    note = "Please ring 07700 900123"
    assert told(plausible("officer", note=note), identifiers=likely_identifiers) == {("possible_identifier", "note")}
    assert told(plausible("officer", note=note)) == set()
    body = plausible("amendment", reason=note, entry={"kind": "nurse", "note": note})
    assert told(body, identifiers=likely_identifiers, target_held=True) == {
        ("possible_identifier", "reason"),
        ("possible_identifier", "entry.note"),
    }
    assert told(event("ended", 2, reason=note, result="lapsed"), identifiers=likely_identifiers) == {
        ("possible_identifier", "reason")
    }
    amended = plausible("amendment", entry=replacement(event("ended", 2, reason=note, result="lapsed")))
    assert told(amended, identifiers=likely_identifiers) == {("possible_identifier", "entry.reason")}
    given = notices.notices(
        entry(plausible("officer", note=note)), received_at=LATER, identifiers=likely_identifiers, terms=BEDFORDSHIRE
    )
    assert all("07700" not in notice.message for notice in given)


@pytest.mark.parametrize(("kind", "field"), [("amendment", "amends"), ("withdrawal", "withdraws")])
def test_an_entry_that_names_one_not_arrived(kind: str, field: str) -> None:
    assert told(plausible(kind), target_held=False) == {("target_not_held", field)}
    assert told(plausible(kind), target_held=True) == set()


# --- where s136 does not reach


@pytest.mark.parametrize("place", [row.code for row in codes.list("location_type") if row.available == "no"])
def test_a_home_is_out_of_reach_of_s136(place: str) -> None:
    conflict = "power_location_conflict"
    assert told(plausible("outcome", location_type=place)) == {(conflict, "location_type")}
    assert told(plausible("officer", location_type=place)) == {(conflict, "location_type")}
    assert told(plausible("nurse", location_type=place, legal_status="s136")) == {(conflict, "location_type")}
    intent = plausible("intent")
    intent["intent"] |= {"location_type": place}
    assert told(intent) == {(conflict, "intent.location_type")}
    amended = plausible("amendment", entry=replacement(plausible("outcome", location_type=place)))
    assert told(amended) == {(conflict, "entry.location_type")}


def test_the_place_is_taken_from_other_entries_where_this_one_says_nothing() -> None:
    at_home = plausible("officer", location_type="own_home", intent=None)
    assert told(USED, at_home) == {("power_location_conflict", "disposal")}
    assert told(plausible("intent"), at_home) == {("power_location_conflict", "intent.power")}
    assert told(arrived(), at_home, USED) == {("power_location_conflict", "event")}
    assert told(arrived(power="s135"), at_home) == set()
    assert told(plausible("outcome", disposal="s135_removed"), at_home) == set()


def test_a_person_coaxed_from_home_was_kept_lawfully() -> None:
    at_home = plausible("officer", location_type="own_home", intent=None)
    kept = plausible("outcome", disposal="s136_kept", location_type="hospital_or_ed")
    assert told(kept, at_home) == set()
    assert told(arrived(), at_home, kept) == set()
    officer = plausible("officer", location_type="own_home")
    officer["intent"]["location_type"] = "street_or_park"
    assert told(officer) == set()


@pytest.mark.parametrize(("lives", "odd"), [(True, True), (False, False), (None, False)])
def test_a_room_in_a_hostel_depends_on_whether_somebody_lives_there(lives: bool | None, odd: bool) -> None:
    body = plausible("officer", location_type="hotel_hostel_room", someone_lives_there=lives)
    assert told(body) == ({("power_location_conflict", "location_type")} if odd else set())


@pytest.mark.parametrize("place", ["care_home_shared", "vehicle_boat_tent_caravan"])
def test_disputed_places_are_said_to_be_disputed(place: str) -> None:
    assert told(plausible("officer", location_type=place)) == {("place_disputed", "location_type")}
    assert told(plausible("outcome", location_type=place)) == {("place_disputed", "location_type")}


def test_a_home_without_s136_is_nothing_odd() -> None:
    body = plausible("officer", location_type="own_home")
    body["intent"]["power"] = "leave_with_care"
    assert told(body) == set()
    assert told(plausible("outcome", disposal="carer_or_home", location_type="own_home")) == set()


# --- who decided


@pytest.mark.parametrize("decided_by", ["nurse", "paramedic", "doctor", "amhp", "joint"])
@pytest.mark.parametrize("disposal", ["s136_removed", "s136_kept"])
def test_only_a_constable_holds_s136(decided_by: str, disposal: str) -> None:
    body = plausible("outcome", disposal=disposal, decided_by=decided_by)
    assert told(body) == {("power_not_held", "decided_by")}


def test_who_decided_may_be_unrecorded_and_others_decide_other_things() -> None:
    assert told(plausible("outcome", decided_by=None)) == set()
    assert told(plausible("outcome", disposal="s135_removed", decided_by="amhp")) == set()


def test_the_capacity_act_is_not_for_police_without_a_physical_need() -> None:
    body = plausible("outcome", disposal="ed_capacity_act")
    assert told(body) == {("mca_by_police", "disposal")}
    assert told(body, plausible("paramedic", physical_need="none")) == {("mca_by_police", "disposal")}
    assert told(body, plausible("paramedic", physical_need="ed_immediate")) == set()
    assert told(plausible("outcome", disposal="ed_capacity_act", decided_by="paramedic")) == set()


# --- police stations


AT_STATION = arrived(place_of_safety="police_station", station_tests=WELL, authorised_rank="inspector")


@pytest.mark.parametrize(
    "contact",
    [
        plausible("nurse", age=17),
        plausible("nurse", age=None, age_band="16_17"),
        plausible("nurse", age=None, age_band="under_11"),
        plausible("nurse", age=None, age_band="unknown", could_be_under_18=True),
        plausible("nurse", age=18, could_be_under_18=True),
    ],
)
def test_nobody_who_is_or_may_be_under_18_is_held_at_a_police_station(contact: dict[str, Any]) -> None:
    assert told(AT_STATION, contact) == {("under_18_police_station", "place_of_safety")}
    field = "age" if contact["age"] else "age_band"
    assert told(contact, AT_STATION) == {("under_18_police_station", field)}


@pytest.mark.parametrize(
    "contact",
    [
        plausible("nurse", age=18),
        plausible("nurse", age=None, age_band="unknown"),
        plausible("nurse", age=19, could_be_under_18=True, age_verified=True),
    ],
)
def test_an_adult_or_a_plain_unknown_age_is_no_child(contact: dict[str, Any]) -> None:
    assert told(AT_STATION, contact) == set()
    assert told(contact, AT_STATION) == set()


def test_a_child_kept_at_a_station_is_told_from_either_form() -> None:
    kept = plausible("outcome", disposal="s136_kept", location_type="police_station")
    assert told(kept, CHILD) == {("under_18_police_station", "disposal")}
    contact = plausible("officer", age=15, age_band=None, legal_status="s136", location_type="police_station")
    assert told(contact) == {("under_18_police_station", "age")}
    assert told(CHILD, kept) == {("under_18_police_station", "age")}
    assert told(CHILD, contact | {"age": None}) == {("under_18_police_station", "age")}
    assert told(contact | {"legal_status": "arrested"}) == set()


@pytest.mark.parametrize(
    "lacking",
    [
        {"station_tests": None},
        {"station_tests": WELL | {"no_other_place": False}},
        {"station_tests": {"imminent_risk": True, "no_other_place": True}},
        {"authorised_rank": None},
        {"authorised_rank": "sergeant"},
        {"authorised_rank": "unknown"},
    ],
)
def test_an_adult_at_a_station_needs_three_tests_and_an_inspector(lacking: dict[str, Any]) -> None:
    assert told(AT_STATION | lacking) == {("station_not_authorised", "authorised_rank")}


def test_what_authorised_the_station_is_said_once() -> None:
    entered = event("entered", 0.2, place_of_safety="police_station")
    assert told(AT_STATION) == set()
    assert told(entered, AT_STATION) == set()
    assert told(entered) == {("station_not_authorised", "authorised_rank")}
    assert told(event("health_check", 1, place_of_safety="police_station")) == set()


def test_a_station_is_no_place_of_safety_after_the_last_day_allowed() -> None:
    terms = Terms(police_station_allowed_until=date(2026, 10, 2))
    assert told(AT_STATION, terms=terms) == {("station_not_authorised", "place_of_safety")}
    assert told(AT_STATION, terms=Terms(police_station_allowed_until=date(2026, 10, 3))) == set()
    kept = plausible("outcome", disposal="s136_kept", location_type="police_station")
    assert told(kept, terms=terms) == {("station_not_authorised", "disposal")}


def test_keeping_an_adult_at_a_station_needs_the_tests_and_an_inspector() -> None:
    kept = plausible("outcome", disposal="s136_kept", location_type="police_station")
    assert told(kept) == {("station_not_authorised", "disposal")}


# --- contradictions, people


def test_what_contradicts_another_value_is_told() -> None:
    early, late = "2026-10-03T01:00:00+01:00", "2026-10-03T01:05:00+01:00"
    left_first = plausible("nurse", arrived_at=late, left_at=early)
    assert told(left_first) == {("contradictory", "left_at")}
    assert told(plausible("nurse", arrived_at=early, left_at=late)) == set()
    for band, field in (("35_49", {("contradictory", "age_band")}), ("18_34", set()), ("unknown", set())):
        assert told(plausible("nurse", age=24, age_band=band)) == field
    formed_after = plausible("intent")
    formed_after["intent"] |= {"formed_at": "2026-10-03T12:20:00+01:00"}
    assert ("contradictory", "intent.formed_at") in told(formed_after)
    hour_later = plausible("intent", captured_at="2026-10-03T13:00:00+01:00")
    corrected = {"kind": "intent", "intent": formed_after["intent"]}
    amending = plausible("amendment", captured_at=hour_later["captured_at"], amends=str(entry_id(101)), entry=corrected)
    assert ("contradictory", "entry.intent.formed_at") in told(amending, plausible("intent")), "it inherits the capture"
    assert ("contradictory", "entry.intent.formed_at") not in told(amending, hour_later)


def test_an_end_before_the_detention_began_contradicts() -> None:
    began = event("began", 1)
    assert ("contradictory", "at") in told(event("ended", 0.5, result="lapsed"), began)
    assert told(event("ended", 2, result="lapsed"), began) == set()


def test_at_a_station_then_elsewhere_an_extension_needs_no_superintendent() -> None:
    station = event(
        "arrived_site", 1, place_of_safety="police_station", authorised_rank="inspector", station_tests=WELL
    )
    assert ("invalid_extension", "superintendent_approved") in told(extended(), station)
    elsewhere = event("transferred", 2, place_of_safety="emergency_department")
    assert told(extended(), station, elsewhere) == set()


def test_a_link_to_a_person_whom_nobody_registered_is_told() -> None:
    for kind in ("person_link", "person_unlink"):
        assert told(plausible(kind), person_registered=False) == {("person_not_registered", "person_id")}
        assert told(plausible(kind), person_registered=True) == told(plausible(kind)) == set()


# --- the 24 hours


@pytest.mark.parametrize(
    ("lacking", "field"),
    [
        ({"ground": "no_bed"}, "ground"),
        ({"ground": None}, "ground"),
        ({"authorised_by": "other_doctor"}, "authorised_by"),
        ({"authorised_by": None}, "authorised_by"),
        ({"minutes": None}, "minutes"),
        ({"place_of_safety": "police_station"}, "superintendent_approved"),
        ({"at": (NIGHT + timedelta(hours=24)).isoformat()}, "at"),
    ],
)
def test_what_does_not_extend_the_24_hours(lacking: dict[str, Any], field: str) -> None:
    assert told(extended() | lacking, USED, arrived()) == {("invalid_extension", field)}


def test_every_lack_of_an_extension_is_told_at_once() -> None:
    bare = event("extended", 30)
    assert {field for _, field in told(bare, USED, AT_STATION)} == {
        "ground",
        "authorised_by",
        "minutes",
        "superintendent_approved",
        "at",
    }


def test_a_lawful_extension_is_nothing_odd() -> None:
    assert told(extended(23.67), USED, arrived()) == set()
    assert told(extended(superintendent_approved=True), USED, AT_STATION) == set()
    assert told(extended(30)) == set(), "without an arrival nobody knows when the 24 hours end"


def test_the_phone_s_own_error_does_not_make_an_extension_late() -> None:
    late_by_its_clock = extended(24.5)
    assert told(late_by_its_clock, USED, arrived(), skew_ms=47 * 60_000) == {("clock_skew", "captured_at")}


def test_an_event_after_the_expiry_asks_for_the_power_to_hold() -> None:
    check = ("check_power_to_release", "at")
    assert told(event("examined_by_doctor", 25), USED, arrived()) == {check}
    assert told(event("ended", 25, result="detained_s2"), USED, arrived()) == {check}
    assert told(event("examined_by_doctor", 25), USED, arrived(), extended()) == set()
    assert told(event("examined_by_doctor", 23.9), USED, arrived()) == set()


def test_an_end_without_a_result_asks_for_the_power_to_hold() -> None:
    assert told(event("ended", 5), USED, arrived()) == {("check_power_to_release", "result")}
    assert told(event("ended", 5, result="unknown"), USED, arrived()) == set()


def test_every_notice_of_the_list_is_tested_above() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    assert [code for code in NOTICES if f'"{code}"' not in source] == []

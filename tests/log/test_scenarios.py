"""What happens at the kerb and after, told from beginning to end as far as it can be without a database."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from msgspec import UNSET
from support.cast import BEDFORDSHIRE
from support.story import (
    ANOTHER,
    AS_CLINICAL_LEAD,
    AS_NURSE,
    AS_OFFICER,
    AS_SERGEANT,
    COLLEAGUE,
    DAY,
    INCIDENT,
    SERGEANT,
    STREET,
    Story,
    minute,
    whole_view,
)

from triage.log.entries import StoredEntry
from triage.log.incident import fold, person_events
from triage.log.links import components
from triage.log.redaction import view_for, visible_entries
from triage.log.view import DetentionView

SOMEBODY = UUID(int=901)


def detention(story: Story) -> DetentionView:
    stay = story.view().detention
    assert stay is not None
    return stay


def shown_at_once(story: Story) -> tuple[str, ...]:
    """The flags that the sergeant sees a minute after the last entry."""
    view = view_for(
        story.stored, (), AS_SERGEANT, story.stored[-1].received_at + timedelta(minutes=1), terms=BEDFORDSHIRE
    )
    assert view is not None
    return view.flags


def test_aged_15_on_a_bridge_and_a_police_station() -> None:
    story = Story()
    story.officer(60, occurred_at=0, age=15, location_type="rail_bridge_roof")
    story.outcome("s136_removed", 65, decided_by="officer")
    story.detention("arrived_site", 90, place_of_safety="police_station")
    assert {"under_18", "under_18_police_station"} <= set(shown_at_once(story))


def test_looks_17() -> None:
    story = Story()
    story.officer(60, occurred_at=0, age_band="unknown", could_be_under_18=True)
    story.detention("arrived_site", 90, place_of_safety="police_station")
    assert "under_18_police_station" in shown_at_once(story)
    story.nurse(120, age=19, age_verified=True)
    assert "under_18_police_station" not in shown_at_once(story)


def test_a_plain_unknown_age_makes_no_child() -> None:
    story = Story()
    story.officer(60, occurred_at=0, age_band="unknown")
    story.detention("arrived_site", 90, place_of_safety="police_station")
    assert "under_18_police_station" not in shown_at_once(story)


def test_s136_recorded_at_the_persons_own_home() -> None:
    story = Story()
    story.intent(4)
    contact = story.officer(60, occurred_at=0, location_type="own_home")
    story.outcome("s136_removed", 65, decided_by="officer")
    assert "power_location_conflict" in shown_at_once(story)
    assert story.s136() == (None, "used")
    story.amend(contact, 80, "officer", occurred_at=0, location_type="communal_area_of_homes")
    assert "power_location_conflict" not in shown_at_once(story)
    assert visible_entries(story.stored, AS_OFFICER, minute(DAY))[1].entry == contact.entry


def test_nine_entries_from_a_phone_that_was_offline_for_six_hours() -> None:
    story = Story()
    story.intent(4)
    story.officer(60, occurred_at=0, arrived_at=2, **STREET)
    story.outcome("community_follow_up", 65, captured=66)
    for event in range(6):
        story.follow_up("seen_again", 70 + event)
    story.stored = [offline(stored) for stored in story.stored]
    assert story.flags() == ("late",)
    assert story.s136() == ("B", None)


def offline(stored: StoredEntry) -> StoredEntry:
    return StoredEntry(
        seq=stored.seq,
        id=stored.id,
        entry=stored.entry,
        received_at=minute(6 * 60 + 80),
        author=stored.author,
        profession=stored.profession,
        role=stored.role,
        skew_ms=0,
    )


def test_one_entry_sent_three_times() -> None:
    story = Story()
    story.officer(60, occurred_at=0)
    assert whole_view(fold(story.stored * 3, terms=BEDFORDSHIRE), minute(61)) == whole_view(
        story.incident(), minute(61)
    )


def test_nurse_and_officer_log_one_incident_under_two_ids() -> None:
    story = Story()
    story.officer(60, occurred_at=0, area="bedford", sex="female")
    story.nurse(61, incident_id=ANOTHER, occurred_at=3, area="bedford", sex="female")
    story.tell("same_incident", 300, by=SERGEANT, other_incident_id=ANOTHER, reason="same_log_and_person")
    assert [component.incident_ids for component in components(story.stored)] == [(INCIDENT, ANOTHER)]
    assert story.view().linked_ids == (INCIDENT, ANOTHER)
    assert len(story.view().contributions) == 3
    story.tell("not_same_incident", 400, by=SERGEANT, other_incident_id=ANOTHER, reason="linked_in_error")
    assert [component.incident_ids for component in components(story.stored)] == [(INCIDENT,), (ANOTHER,)]


def test_three_professions_disagree_on_the_disposal() -> None:
    story = Story()
    story.officer(60, occurred_at=0)
    story.outcome("s136_removed", 70, captured=71, decided_by="officer")
    story.outcome("community_follow_up", 70, captured=72, decided_by="nurse")
    story.outcome("ed_voluntary", 70, captured=73, decided_by="paramedic")
    outcome = story.view().outcome
    assert outcome is not None
    assert (outcome.disposal, outcome.by) == ("ed_voluntary", "paramedic")
    assert "conflict:disposal" in shown_at_once(story)
    assert len(visible_entries(story.stored, AS_OFFICER, minute(DAY))) == 4


def test_two_people_at_one_address() -> None:
    stories = Story(), Story(ANOTHER, 100)
    for story in stories:
        story.officer(60, log_ref="BP-20261121-0417")
    views = [story.view() for story in stories]
    assert {view.log_ref for view in views} == {"BP-20261121-0417"}
    assert len({view.id for view in views}) == 2


def test_an_outcome_known_twenty_hours_later() -> None:
    story = Story()
    story.intent(4)
    story.officer(60, occurred_at=0, arrived_at=2, **STREET)
    assert story.s136(now=19 * 60) == ("U", None)
    assert "outcome_overdue" in story.flags(now=19 * 60)
    story.outcome("community_follow_up", 65, captured=20 * 60, by=COLLEAGUE)
    assert story.s136(now=20 * 60) == ("P", None)
    assert "outcome_overdue" not in story.flags(now=20 * 60)
    assert story.s136(now=65 + DAY) == ("B", None)


@pytest.mark.parametrize(("ground", "hours"), [("condition", 30), ("no_bed", 24)])
def test_extended_by_six_hours_at_23_h_40(ground: str, hours: int) -> None:
    story = Story()
    story.outcome("s136_removed", 60, decided_by="officer")
    story.detention("arrived_site", 100, place_of_safety="health_based")
    story.detention("extended", 100 + DAY - 20, minutes=360, ground=ground, authorised_by="responsible_doctor")
    assert detention(story).expires_at == minute(100 + hours * 60)
    assert ("invalid_extension" in story.flags()) is (ground == "no_bed")


def test_eight_hours_in_an_emergency_department_then_a_suite() -> None:
    story = Story()
    story.outcome("s136_removed", 60, decided_by="officer")
    story.detention("arrived_site", 100, place_of_safety="emergency_department", place_reason="physical_health")
    story.detention("arrived_site", 100 + 8 * 60, place_of_safety="health_based")
    assert detention(story).expires_at == minute(100 + DAY)
    assert len(detention(story).places) == 2


def test_an_ambulance_queue_of_five_hours() -> None:
    story = Story()
    story.outcome("s136_removed", 60, decided_by="officer")
    story.detention("arrived_site", 100, place_of_safety="emergency_department")
    story.detention("entered", 400, place_of_safety="emergency_department")
    stay = detention(story)
    assert (stay.arrived_at, stay.entered_at) == (minute(100), minute(400))
    assert (stay.expires_at, stay.expires_if_entered_counts) == (minute(100 + DAY), minute(400 + DAY))


def test_left_before_assessment() -> None:
    story = Story()
    story.intent(4)
    story.officer(60, arrived_at=2, **STREET)
    story.outcome("left_before_assessment")
    assert story.s136() == (None, "not_safe")


def test_absconds_and_is_found_three_hours_later() -> None:
    story = Story()
    story.outcome("s136_removed", 60, decided_by="officer")
    story.detention("arrived_site", 100, place_of_safety="emergency_department")
    story.detention("absconded", 300)
    story.detention("returned", 480)
    story.detention("arrived_site", 490, place_of_safety="emergency_department")
    stay = detention(story)
    assert (stay.began_at, stay.expires_at) == (minute(60), minute(100 + DAY))
    assert len(stay.places) == 1


def test_a_phone_that_is_47_minutes_wrong() -> None:
    story = Story()
    story.intent(4)
    story.tell("officer", 107, received=60, skew_ms=47 * 60_000, occurred_at=47, arrived_at=49, **STREET)
    story.outcome("community_follow_up", 65)
    incident = story.incident()
    assert incident.view.occurred_at == incident.happened_at == minute(0)
    assert incident.view.arrived_at == minute(2)
    assert "clock_skew" in incident.view.flags
    assert story.s136() == ("B", None)


def test_five_calls_in_a_month_from_one_person() -> None:
    events = []
    for week in range(5):
        story = Story(UUID(int=week + 1))
        story.nurse(week * 7 * DAY, occurred_at=week * 7 * DAY)
        story.tell("person_link", week * 7 * DAY, person_id=SOMEBODY, reason="identified_later")
        assert story.incident().people == (SOMEBODY,)
        events += [event for event in person_events(story.incident()) if event.code == "contact"]
    assert [event.at for event in events] == [minute(week * 7 * DAY) for week in range(5)]
    assert len({event.incident for event in events}) == 5


def test_the_wrong_person_linked() -> None:
    later = Story(ANOTHER)
    later.outcome("s136_removed", 300, decided_by="officer")
    later.tell("person_link", 301, person_id=SOMEBODY, reason="identified_later")
    story = Story()
    story.intent(4)
    story.officer(60, arrived_at=2, **STREET)
    story.outcome("community_follow_up")
    linked = fold(story.stored, person_events(later.incident()), terms=BEDFORDSHIRE)
    assert linked.diversion.s136.grade == "R"
    later.tell("person_unlink", 400, person_id=SOMEBODY, reason="wrong_person")
    assert later.incident().people == ()
    assert story.incident().diversion.s136.grade == "B"


def test_an_officer_who_changed_role_keeps_the_role_she_had() -> None:
    story = Story()
    contact = story.officer(60, area="bedford")
    story.amend(contact, 70, "officer", by=SERGEANT, area="luton_west")
    was_officer = story.stored.pop()
    story.stored.append(
        StoredEntry(
            seq=was_officer.seq,
            id=was_officer.id,
            entry=was_officer.entry,
            received_at=was_officer.received_at,
            author=SERGEANT,
            profession="police",
            role="officer",
        )
    )
    assert story.view().area == "bedford"


def test_training_entries() -> None:
    story = Story()
    story.officer(60, test=True)
    story.outcome("s136_removed", test=True)
    assert story.view().test
    assert not story.incident().counts
    assert person_events(story.incident()) == ()


@pytest.mark.parametrize("night", ["2026-10-24T21:30:00+00:00", "2027-03-27T22:30:00+00:00"])
def test_the_nights_on_which_the_clocks_change(night: str) -> None:
    began = datetime.fromisoformat(night)
    story = Story()
    story.tell("officer", 0, occurred_at=began, **STREET)
    story.tell("outcome", 1, disposal="community_follow_up", decided_at=began + timedelta(minutes=30))
    story.tell("detention", 2, event="arrived_site", at=began + timedelta(hours=1), power="s135")
    incident = story.incident()
    assert incident.expires_at == began.astimezone(UTC) + timedelta(hours=25)
    assert incident.view.operational_day == began.date()


def test_a_nurse_learns_of_the_intent_only_after_her_own_judgement() -> None:
    story = Story()
    story.intent(4)
    assert view_for(story.stored, (), AS_NURSE, minute(5), terms=BEDFORDSHIRE) is None
    story.officer(6, occurred_at=0, arrived_at=2, consulted={"role": "nurse", "at": 5}, **STREET)
    before = view_for(story.stored, (), AS_NURSE, minute(7), terms=BEDFORDSHIRE)
    assert before is not None
    assert (before.revision, before.intents) == (1, UNSET)
    story.nurse(30, assessment="phone", s136_justified="yes", told_intent=False, blind=True)
    story.outcome("community_follow_up", 40, captured=41)
    after = view_for(story.stored, (), AS_NURSE, minute(50), terms=BEDFORDSHIRE)
    assert after is not None
    assert after.revision == 4
    lead = view_for(story.stored, (), AS_CLINICAL_LEAD, minute(40 + DAY), terms=BEDFORDSHIRE)
    assert lead is not None
    assert lead.diversion is not UNSET
    assert lead.diversion.s136.grade == "A"

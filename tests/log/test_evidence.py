"""What stands whatever was amended, withdrawn or parted since: a grade rests on what was said at the time."""

from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cast import BEDFORDSHIRE
from support.story import (
    ANOTHER,
    CLINICAL_LEAD,
    COLLEAGUE,
    DAY,
    INCIDENT,
    NURSE,
    OFFICER,
    OTHER_NURSE,
    S136,
    SERGEANT,
    TESTS,
    Story,
    minute,
    whole_view,
)
from support.strategies import stories

from triage.log.entries import StoredEntry
from triage.log.incident import fold
from triage.log.related import related_events
from triage.log.view import DiversionView

STREET: dict[str, Any] = {"location_type": "street_or_park"}
NO: dict[str, Any] = {"assessment": "phone", "s136_justified": "no"}
YES: dict[str, Any] = {"assessment": "phone", "s136_justified": "yes", "told_intent": False}


def considered() -> Story:
    """Grade B: an intent at 4, nobody consulted, community follow-up at 65."""
    story = Story()
    story.intent(4)
    story.officer(60, **STREET)
    story.outcome("community_follow_up")
    return story


def reasons(story: Story, now: float = 3 * DAY) -> set[str]:
    return {reason.code for reason in story.diversion(now).s136.because} - {"intent", "first_disposal"}


def because(story: Story, code: str) -> set[UUID | None]:
    return {reason.entry for reason in story.diversion().s136.because if reason.code == code}


# --- the contemporaneity limit is what was ever stored


def test_an_intent_after_a_consultation_is_a_claim_whatever_becomes_of_the_consultation() -> None:
    consulted = {"role": "nurse", "at": 2}
    for change in ("amended", "left out", "withdrawn"):
        story = Story()
        story.intent(4)
        contact = story.officer(60, consulted=consulted, **STREET)
        story.outcome("community_follow_up")
        assert story.s136() == ("C", None)
        if change == "amended":
            story.amend(contact, 61, "officer", consulted={"role": "nurse", "at": 50}, **STREET)
        elif change == "left out":
            story.amend(contact, 61, "officer", **STREET)
        else:
            story.withdraw(contact, 61)
            story.officer(62, by=COLLEAGUE, **STREET)
        assert story.s136() == ("C", None), change
        assert reasons(story) >= {"not_contemporaneous"}


@pytest.mark.parametrize(
    ("kind", "given", "later"),
    [
        ("nurse", {"advice": "deferred", "advice_given_at": 2}, {"advice": "deferred", "advice_given_at": 30}),
        ("outcome", {"disposal": "signposted", "decided_at": 3}, {"disposal": "signposted", "decided_at": 70}),
    ],
)
def test_so_is_one_after_an_advice_or_a_decision(kind: str, given: dict[str, Any], later: dict[str, Any]) -> None:
    story = considered()
    first = story.tell(kind, 61, **given)
    story.amend(first, 61.5, kind, **later)
    assert "not_contemporaneous" in reasons(story)


def test_the_arrival_is_the_latest_ever_stored() -> None:
    story = Story()
    story.intent(4)
    contact = story.officer(60, arrived_at=10, **STREET)
    story.outcome("community_follow_up")
    assert reasons(story) == {"not_contemporaneous"}
    story.amend(contact, 61, "officer", arrived_at=2, **STREET)
    assert reasons(story) == {"not_contemporaneous"}


# --- late inputs


def test_a_part_of_the_intent_changed_after_the_limit_is_late_and_before_it_is_not() -> None:
    for captured, late in ((64, False), (66, True)):
        story = considered()
        story.amend(story.stored[0], captured, "intent", intent=S136 | {"confidence": 2})
        assert (("late_input" in reasons(story)), story.s136()[0]) == (late, "C" if late else "B")


def test_a_part_changed_and_changed_back_is_what_it_was_at_the_limit() -> None:
    story = considered()
    story.amend(story.stored[0], 66, "intent", intent=S136 | {"confidence": 2})
    story.amend(story.stored[0], 67, "intent", intent=S136)
    assert story.s136() == ("B", None)


def test_the_place_that_counts_is_late_only_where_it_is_another_than_at_the_limit() -> None:
    story = considered()
    story.officer(61, by=COLLEAGUE, location_type="rail_bridge_roof")
    story.amend(story.stored[1], 66, "officer", location_type="school_or_college")
    assert story.s136() == ("B", None)  # the colleague's counts, as before
    story.amend(story.stored[3], 66, "officer", by=COLLEAGUE, location_type="school_or_college")
    assert reasons(story) == {"late_input"}


@pytest.mark.parametrize("which", ["intent", "place", "status", "disposal"])
def test_an_input_received_more_than_72_hours_after_its_capture_is_late(which: str) -> None:
    for hours, late in ((72, False), (72.1, True)):
        received = hours * 60
        story = Story()
        story.intent(4, received=4 + received if which == "intent" else 4)
        story.officer(60, received=60 + received if which == "place" else 60, **STREET)
        if which == "status":
            story.tell("nurse", 60, received=60 + received, legal_status="arrested", legal_status_at=60)
        outcome: dict[str, Any] = {"disposal": "community_follow_up", "decided_at": 65}
        story.tell("outcome", 72, received=72 + received if which == "disposal" else 72, **outcome)
        assert reasons(story, 9 * DAY) == ({"received_late"} if late else {"contemporaneous"})


def test_of_several_contacts_it_is_the_one_that_gave_the_place_whose_receipt_counts() -> None:
    for officers, nurses, grade in ((60, 61 + 4 * DAY, "B"), (60 + 4 * DAY, 61, "C")):
        story = Story()
        story.intent(4, location_type="unknown")
        story.officer(60, received=officers, **STREET)
        story.nurse(61, received=nurses, **STREET)
        story.outcome("community_follow_up")
        assert story.s136(9 * DAY) == (grade, None)


def test_who_lives_there_is_an_input_where_the_place_depends_on_it() -> None:
    for place, grade in (("hotel_hostel_room", "C"), ("street_or_park", "B")):
        story = Story()
        story.intent(4)
        story.officer(60, location_type=place)
        story.nurse(61, received=61 + 4 * DAY, someone_lives_there=False)
        story.outcome("community_follow_up")
        assert story.s136(9 * DAY) == (grade, None)


def test_lateness_is_not_held_against_what_was_lost_in_a_restore() -> None:
    story = Story()
    story.intent(4, received=5 * DAY)
    story.stored[0] = msgspec.structs.replace(story.stored[0], received_again=True)
    story.officer(60, **STREET)
    story.outcome("community_follow_up")
    assert story.s136(9 * DAY) == ("B", None)
    assert "late" not in story.view(9 * DAY).flags


def test_a_judgement_received_late_never_corroborates_and_refutes_all_the_same() -> None:
    story = considered()
    story.tell("nurse", 62, received=62 + 4 * DAY, blind=True, **YES)
    assert story.s136(9 * DAY) == ("B", None)
    story.tell("nurse", 62, by=OTHER_NURSE, received=62 + 4 * DAY, **NO)
    assert story.s136(9 * DAY) == ("X", "judge")


# --- evidence that was withdrawn


def a_no(story: Story) -> StoredEntry:
    return story.nurse(62, **NO)


def a_use(story: Story) -> StoredEntry:
    return story.outcome("s136_removed", 60, captured=62, decided_by="officer")


def an_arrival(story: Story) -> StoredEntry:
    return story.detention("arrived_site", 61)


def a_reversal(story: Story) -> StoredEntry:
    return story.follow_up("later_s136", 300)


def a_status(story: Story) -> StoredEntry:
    return story.officer(62, by=COLLEAGUE, legal_status="s5", legal_status_at=50)


def a_home(story: Story) -> StoredEntry:
    return story.officer(62, by=COLLEAGUE, location_type="own_home")


def an_earlier_disposal(story: Story) -> StoredEntry:
    return story.outcome("arrest_custody", 60, captured=62)


def a_section(story: Story) -> StoredEntry:
    return story.follow_up("later_mha_detention", 300, section="s2")


def a_later_arrest(story: Story) -> StoredEntry:
    return story.follow_up("later_arrest", 300)


EVIDENCE = [a_no, a_use, an_arrival, a_reversal, a_section, a_status, a_home, an_earlier_disposal]


@pytest.mark.parametrize("tell", EVIDENCE)
def test_evidence_withdrawn_leaves_the_grade_at_best_c_and_names_both_entries(tell: Any) -> None:
    story = considered()
    evidence = tell(story)
    assert story.s136()[0] not in ("A", "B", "C")
    withdrawal = story.withdraw(evidence, 310)
    assert story.s136() == ("C", None)
    assert because(story, "evidence_withdrawn") == {evidence.id, withdrawal.id}


@pytest.mark.parametrize("tell", EVIDENCE)
def test_within_two_minutes_it_is_a_slip(tell: Any) -> None:
    story = considered()
    evidence = tell(story)
    story.withdraw(evidence, (evidence.entry.captured_at - minute(0)).total_seconds() / 60 + 2)
    assert story.s136() == ("B", None)


def test_evidence_amended_away_counts_alike() -> None:
    story = considered()
    judged = story.nurse(62, **NO)
    amendment = story.amend(judged, 70, "nurse", **YES)
    assert story.s136() == ("C", None)
    assert because(story, "evidence_withdrawn") == {judged.id, amendment.id}


def test_what_an_amendment_said_stands_too_when_that_is_withdrawn() -> None:
    story = considered()
    judged = story.nurse(62, **YES)
    amendment = story.amend(judged, 70, "nurse", **NO)
    assert story.s136() == ("X", "judge")
    withdrawal = story.withdraw(amendment, 80, by=NURSE)
    assert story.s136() == ("C", None)
    assert because(story, "evidence_withdrawn") == {judged.id, withdrawal.id}


@pytest.mark.parametrize("event", ["later_arrest", "later_ed"])
def test_what_never_spoke_against_this_grade_is_no_evidence(event: str) -> None:
    story = considered()
    story.withdraw(story.follow_up(event, 300), 310)
    assert story.s136() == ("B", None)


@pytest.mark.parametrize(
    ("tell", "grade"),
    [(a_no, "B"), (a_home, "B"), (a_section, "B"), (a_later_arrest, "C"), (a_use, "C"), (an_earlier_disposal, "C")],
)
def test_of_custody_only_what_spoke_against_that(tell: Any, grade: str) -> None:
    story = Story()
    story.intent(4, power="arrest_offence", tests=None)
    story.officer(60, offence="alleged_minor", arrest_necessity=["identity"], **STREET)
    story.outcome("community_follow_up")
    story.withdraw(tell(story), 310)
    assert story.custody() == (grade, None)


@pytest.mark.parametrize("kind", ["intent", "officer"])
def test_the_place_of_an_intent_that_ruled_it_out_stands_when_it_is_corrected(kind: str) -> None:
    story = Story()
    at_home, in_street = (S136 | {"location_type": place} for place in ("own_home", "street_or_park"))
    told = story.tell(kind, 4, intent=at_home)
    story.outcome("community_follow_up")
    assert story.s136() == ("X", "law")
    story.amend(told, 7, kind, intent=in_street)
    assert story.s136() == ("C", None)
    assert "evidence_withdrawn" in reasons(story)


def test_an_amendment_that_leaves_the_evidence_takes_nothing_away() -> None:
    story = considered()
    story.amend(story.stored[2], 300, "outcome", disposal="community_follow_up", decided_at=65, transport="none")
    assert story.s136() == ("B", None)


def test_a_test_answered_no_stands_when_it_is_corrected() -> None:
    story = considered()
    story.stored[0] = msgspec.structs.replace(
        story.stored[0], entry=Story().intent(4, tests=TESTS | {"necessary": False}).entry
    )
    assert story.s136() == ("X", "test")
    story.amend(story.stored[0], 30, "intent", intent=S136)
    assert story.s136() == ("C", None)


def test_a_lead_leaves_the_judgement_as_its_author_left_it() -> None:
    story = considered()
    judged = story.nurse(62, **NO)
    story.amend(judged, 70, "nurse", by=CLINICAL_LEAD, **YES)
    assert story.s136() == ("X", "judge")


# --- parting


def joined(parted_by: UUID = OFFICER, reason: str = "wrong_person") -> tuple[Story, list[UUID]]:
    """An incident that was one with another, in which a nurse said no, and was parted from it; and what did that."""
    story = considered()
    story.tell("nurse", 62, incident_id=ANOTHER, **NO)
    story.tell("same_incident", 70, by=OFFICER, other_incident_id=ANOTHER, reason="same_log")
    said = story.tell("not_same_incident", 300, by=parted_by, other_incident_id=ANOTHER, reason=reason)
    return story, [story.stored[3].id, said.id]


def graded_apart(story: Story) -> tuple[str | None, set[UUID | None]]:
    """The grade of the first incident once the two are folded apart, and what evidence it names as withdrawn."""
    apart = [[stored for stored in story.stored if stored.entry.incident_id == name] for name in (INCIDENT, ANOTHER)]
    events = related_events([fold(entries, terms=BEDFORDSHIRE) for entries in apart if entries])
    incident = fold(apart[0], events[INCIDENT], ids=(INCIDENT,), terms=BEDFORDSHIRE)
    served = whole_view(incident, minute(3 * DAY)).diversion
    assert isinstance(served, DiversionView)
    gone = {reason.entry for reason in served.s136.because if reason.code == "evidence_withdrawn"}
    return served.s136.grade, gone


def test_an_incident_parted_from_the_one_that_holds_the_no_keeps_the_evidence() -> None:
    story, withdrawn = joined()
    assert graded_apart(story) == ("C", set(withdrawn))


@pytest.mark.parametrize(("captured", "grade"), [(61, "C"), (59, "B")])
def test_a_home_in_the_other_incident_stays_evidence_where_it_would_have_counted(captured: float, grade: str) -> None:
    story = considered()
    story.tell("officer", captured, by=COLLEAGUE, incident_id=ANOTHER, location_type="own_home")
    story.tell("same_incident", 70, by=OFFICER, other_incident_id=ANOTHER, reason="same_log")
    assert story.s136() == (("X", "law") if grade == "C" else ("B", None))
    story.tell("not_same_incident", 300, by=OFFICER, other_incident_id=ANOTHER, reason="wrong_person")
    assert graded_apart(story)[0] == grade


def test_so_it_does_when_the_link_is_withdrawn() -> None:
    story = considered()
    story.tell("nurse", 62, incident_id=ANOTHER, **NO)
    link = story.tell("same_incident", 70, by=OFFICER, other_incident_id=ANOTHER, reason="same_log")
    withdrawal = story.withdraw(link, 300)
    assert graded_apart(story) == ("C", {story.stored[3].id, withdrawal.id})


def test_a_lead_who_unlinks_what_was_linked_in_error_is_exempt() -> None:
    for by, reason, grade in (
        (SERGEANT, "linked_in_error", "B"),
        (CLINICAL_LEAD, "linked_in_error", "B"),
        (SERGEANT, "wrong_person", "C"),
        (COLLEAGUE, "linked_in_error", "C"),
    ):
        assert graded_apart(joined(by, reason)[0])[0] == grade, (by, reason)


def test_not_so_a_lead_whose_own_intent_it_is() -> None:
    story, _ = joined(SERGEANT, "linked_in_error")
    story.stored[0] = msgspec.structs.replace(story.stored[0], author=SERGEANT, role="sergeant")
    assert graded_apart(story)[0] == "C"


def test_what_was_never_joined_or_came_after_the_parting_is_no_evidence() -> None:
    story, _ = joined()
    del story.stored[4]
    assert graded_apart(story)[0] == "B"
    story, _ = joined()
    story.stored[3] = msgspec.structs.replace(
        story.stored[3], entry=msgspec.structs.replace(story.stored[3].entry, captured_at=minute(301))
    )
    assert graded_apart(story)[0] == "B"


def test_a_link_taken_back_within_two_minutes_was_a_slip() -> None:
    story = considered()
    story.tell("nurse", 62, incident_id=ANOTHER, **NO)
    story.tell("same_incident", 70, by=OFFICER, other_incident_id=ANOTHER, reason="same_log")
    story.tell("not_same_incident", 72, by=OFFICER, other_incident_id=ANOTHER, reason="wrong_person")
    assert graded_apart(story)[0] == "B"


def test_an_earlier_first_disposal_and_a_use_stand_when_they_are_parted_away() -> None:
    for disposal, decided_at, grade in (
        ("arrest_custody", 60, "C"),
        ("carer_or_home", 70, "B"),
        ("s136_removed", 300, "C"),
        ("s136_removed", 70 + DAY, "B"),
    ):
        story = considered()
        outcome: dict[str, Any] = {"disposal": disposal, "decided_at": decided_at}
        story.tell("outcome", 62, incident_id=ANOTHER, **outcome)
        story.tell("same_incident", 70, by=OFFICER, other_incident_id=ANOTHER, reason="same_log")
        story.tell("not_same_incident", 300, by=OFFICER, other_incident_id=ANOTHER, reason="wrong_person")
        assert graded_apart(story)[0] == grade, (disposal, decided_at)


# --- which amendment is in force


def test_amendments_by_different_people_that_differ_are_a_conflict_until_one_is_withdrawn() -> None:
    story = considered()
    contact = story.stored[1]
    story.amend(contact, 70, "officer", area="bedford", **STREET)
    assert "conflict:amendment" not in story.flags()
    leads = story.amend(contact, 80, "officer", by=SERGEANT, area="luton_north", **STREET)
    assert "conflict:amendment" in story.flags()
    story.withdraw(leads, 90, by=SERGEANT)
    assert "conflict:amendment" not in story.flags()


def test_those_that_agree_are_none() -> None:
    story = considered()
    for captured, by in ((70, OFFICER), (80, SERGEANT)):
        story.amend(story.stored[1], captured, "officer", by=by, area="bedford", **STREET)
    assert "conflict:amendment" not in story.flags()


@given(stories(), st.randoms(use_true_random=False))
def test_amendments_count_alike_in_any_order_of_arrival(story: Story, random: Any) -> None:
    """Every entry keeps what it says and when it was captured; only where it stands in the log differs."""
    places = [entry.seq for entry in story.stored]
    random.shuffle(places)
    elsewhere = [msgspec.structs.replace(stored, seq=seq) for stored, seq in zip(story.stored, places, strict=True)]
    here, there = fold(story.stored, terms=BEDFORDSHIRE), fold(elsewhere, terms=BEDFORDSHIRE)
    assert here.diversion == there.diversion
    assert here.view.detentions == there.view.detentions
    assert (here.view.area, here.view.legal_status, here.view.status) == (
        there.view.area,
        there.view.legal_status,
        there.view.status,
    )

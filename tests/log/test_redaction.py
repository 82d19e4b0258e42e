"""Who sees what, and that nothing hidden shows through what is seen."""

from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec import UNSET
from support.cast import BEDFORDSHIRE
from support.story import (
    AS_CLINICAL_LEAD,
    AS_NURSE,
    AS_OFFICER,
    AS_PARAMEDIC,
    AS_SERGEANT,
    AUDIENCES,
    CLINICAL_LEAD,
    COLLEAGUE,
    DAY,
    NO_ONES,
    NURSE,
    OFFICER,
    OTHER_NURSE,
    PARAMEDIC,
    S136,
    SERGEANT,
    STREET,
    Story,
    minute,
)
from support.strategies import HIDDEN_FROM_BLIND, KINDS, MINUTES, content, stories

from triage.log.effective import kind
from triage.log.entries import Nurse, Officer, StoredEntry
from triage.log.incident import fold, view_at
from triage.log.redaction import redact, sight_of, view_for, visible_entries
from triage.log.view import Audience, DiversionView, IncidentView

POLICE = (AS_OFFICER, AS_SERGEANT)
HEALTH = (AS_NURSE, AS_PARAMEDIC, AS_CLINICAL_LEAD)
FIELD = (AS_OFFICER, AS_NURSE, AS_PARAMEDIC)
LATER = minute(3 * DAY)
UNJUDGED = Audience("health", "field", None, "nurse")
"""A nurse who has judged nothing."""
JUDGED: dict[str, Any] = {"assessment": "face_to_face", "s136_justified": "yes", "told_intent": False, "blind": True}


def seen(story: Story, audience: Audience, when: float = 3 * DAY) -> IncidentView:
    view = view_for(story.stored, (), audience, minute(when), terms=BEDFORDSHIRE)
    assert view is not None
    return view


def entry(story: Story, held: StoredEntry, audience: Audience) -> Any:
    """What the audience reads of this entry; None where it does not see it."""
    return next((entry.entry for entry in visible_entries(story.stored, audience, LATER) if entry.id == held.id), None)


def graded(story: Story, audience: Audience, when: float = 3 * DAY) -> DiversionView:
    grades = seen(story, audience, when).diversion
    assert isinstance(grades, DiversionView)
    return grades


def evening() -> Story:
    """s136 considered, a nurse consulted and judging blind, a paramedic, followed up in the community."""
    story = Story()
    story.intent(4, referrer="*", evidence="app")
    story.officer(
        60,
        occurred_at=0,
        arrived_at=2,
        intent=S136 | {"evidence": "app"},
        consulted={"role": "nurse", "at": 6},
        offence="alleged_serious",
        arrest_necessity=["identity"],
        presenting=["acute_distress"],
        disability="autism",
        referrals=["victim_care"],
        domestic_abuse=True,
        force_type="handcuffs",
        immediate_danger="yes",
        note="*",
        **STREET,
    )
    story.nurse(
        62, presenting=["psychosis_like"], disability="none", crisis_plan="seen", advice="deferred", note="*", **JUDGED
    )
    story.paramedic(63, presenting=["self_harm"], physical_need="none", initial_plan="ed", conveyed="refused")
    story.outcome("community_follow_up", 65)
    return story


# --- the table of who sees what ------------------------------------------------------------------------------------


@pytest.mark.parametrize("audience", AUDIENCES)
def test_everybody_sees_what_is_needed_on_scene(audience: Audience) -> None:
    view = seen(evening(), audience)
    assert (view.occurred_at, view.arrived_at) == (minute(0), minute(2))
    assert (view.location_type, view.immediate_danger, view.force_type) == ("street_or_park", "yes", "handcuffs")
    assert [advice.advice for advice in view.advice] == ["deferred"]
    assert view.outcome is not None
    assert [contribution.profession for contribution in view.contributions] == ["nurse", "paramedic", "police"]


@pytest.mark.parametrize("audience", POLICE)
def test_police_see_no_clinical_field(audience: Audience) -> None:
    story = evening()
    served = msgspec.json.decode(msgspec.json.encode(seen(story, audience)))
    assert (served["presenting"], served["disability"]) == (["acute_distress"], "autism")
    assert not {"physical_need", "conveyed", "known_to_services", "crisis_plan", "safety_plan"} & served.keys()
    nurse, paramedic = entry(story, story.stored[2], audience), entry(story, story.stored[3], audience)
    recorded = {name for name in nurse.__struct_fields__ if getattr(nurse, name) is not None}
    assert recorded == {"incident_id", "captured_at", "codes_version", "advice"}
    recorded = {name for name in paramedic.__struct_fields__ if getattr(paramedic, name) is not None}
    assert recorded == {"incident_id", "captured_at", "codes_version"}


@pytest.mark.parametrize("audience", POLICE)
def test_police_see_their_own_fields(audience: Audience) -> None:
    story = evening()
    assert entry(story, story.stored[1], audience) == story.stored[1].entry
    view = seen(story, audience)
    assert view.offence == "alleged_serious"
    assert view.intents is not UNSET
    assert len(view.intents) == 2


@pytest.mark.parametrize("audience", HEALTH)
def test_health_see_clinical_fields_and_no_police_ones(audience: Audience) -> None:
    story = evening()
    view = seen(story, audience)
    assert (view.presenting, view.physical_need, view.crisis_plan) == (("psychosis_like",), "none", "seen")
    officer = entry(story, story.stored[1], audience)
    assert (officer.note, officer.referrals, officer.domestic_abuse, officer.arrest_necessity) == (None,) * 4
    assert officer.presenting == ["acute_distress"]
    assert entry(story, story.stored[2], audience).note == "*"


@pytest.mark.parametrize("audience", [AS_NURSE, AS_CLINICAL_LEAD])
def test_after_the_judgement_health_see_the_intent_and_offence_yes_or_no(audience: Audience) -> None:
    story = evening()
    view = seen(story, audience)
    assert view.intents is not UNSET
    assert [intent.power for intent in view.intents] == ["s136", "s136"]
    assert view.offence == "alleged"
    officer, intent = entry(story, story.stored[1], audience), entry(story, story.stored[0], audience)
    assert (officer.offence, officer.consulted, officer.intent.evidence) == ("alleged", None, None)
    part = intent.intent
    assert (part.power, part.confidence, part.tests, part.evidence, part.referrer) == ("s136", 3, None, None, None)


def test_no_offence_is_no() -> None:
    story = Story()
    story.officer(10, offence="none")
    story.nurse(20, **JUDGED)
    assert seen(story, AS_NURSE).offence == "none"


@pytest.mark.parametrize("audience", FIELD)
def test_field_roles_see_no_grade_reason_or_disagreement(audience: Audience) -> None:
    story = evening()
    story.officer(64, by=COLLEAGUE, location_type="own_home")
    view = seen(story, audience)
    assert view.diversion is UNSET
    assert not [flag for flag in view.flags if flag.startswith("conflict:")]


def test_each_lead_sees_the_disagreements_on_what_she_sees() -> None:
    story = evening()
    story.officer(64, by=COLLEAGUE, presenting=["acute_distress"], offence="none")
    assert seen(story, AS_SERGEANT).flags == ("conflict:offence",)
    assert seen(story, AS_CLINICAL_LEAD).flags == ("conflict:offence", "conflict:presenting")


def test_a_disagreement_on_the_seriousness_of_an_offence_is_not_seen_by_health() -> None:
    story = evening()
    story.officer(64, by=COLLEAGUE, offence="alleged_minor", presenting=["psychosis_like"])
    assert "conflict:offence" in seen(story, AS_SERGEANT).flags
    assert "conflict:offence" not in seen(story, AS_CLINICAL_LEAD).flags


def test_the_sergeants_grades_come_from_all_entries_without_clinical_reasons() -> None:
    story = evening()
    assert (graded(story, AS_SERGEANT).s136.grade, graded(story, AS_SERGEANT).ed_avoided) == ("A", True)
    assert [item.code for item in graded(story, AS_SERGEANT).s136.because] == ["intent", "first_disposal"]
    assert [item.code for item in graded(story, AS_CLINICAL_LEAD).s136.because][-1] == "judged_blind"


@pytest.mark.parametrize(
    ("event", "section", "reason"),
    [("later_mha_detention", "s2", "power"), ("serious_harm", None, "harm")],
)
def test_a_clinical_reversal_is_shown_to_the_sergeant_without_its_kind(
    event: str, section: str | None, reason: str
) -> None:
    story = evening()
    story.follow_up(event, 300, section=section)
    for_police, for_health = graded(story, AS_SERGEANT).s136, graded(story, AS_CLINICAL_LEAD).s136
    assert (for_police.grade, for_police.reason) == ("R", None)
    assert (for_health.grade, for_health.reason) == ("R", reason)


def test_a_refutation_by_a_nurse_is_shown_to_the_sergeant_without_its_reason() -> None:
    story = evening()
    story.nurse(64, by=OTHER_NURSE, assessment="phone", s136_justified="no")
    assert (graded(story, AS_SERGEANT).s136.grade, graded(story, AS_SERGEANT).s136.reason) == ("X", None)
    assert graded(story, AS_CLINICAL_LEAD).s136.reason == "judge"


@pytest.mark.parametrize(("event", "section"), [("serious_harm", None), ("later_mha_detention", "s2")])
def test_nor_is_he_told_of_clinical_evidence_when_it_is_withdrawn(event: str, section: str | None) -> None:
    story = Story()
    story.intent(4)
    story.officer(60, **STREET)
    story.outcome("community_follow_up")
    story.withdraw(story.follow_up(event, 300, section=section), 400)
    assert because_of(story, AS_CLINICAL_LEAD) == ["intent", "first_disposal", "evidence_withdrawn"]
    assert because_of(story, AS_SERGEANT) == ["intent", "first_disposal"]


def because_of(story: Story, audience: Audience, custody: bool = False) -> list[str]:
    grades = seen(story, audience).diversion
    assert isinstance(grades, DiversionView)
    graded = grades.custody if custody else grades.s136
    assert graded.grade == "C"
    return list(dict.fromkeys(reason.code for reason in graded.because))


def test_the_clinical_lead_is_not_told_of_a_later_arrest_when_it_is_withdrawn() -> None:
    story = Story()
    story.intent(4, power="arrest_offence", tests=None)
    story.officer(60, offence="alleged_minor", arrest_necessity=["identity"], **STREET)
    story.outcome("community_follow_up")
    story.withdraw(story.follow_up("later_arrest", 300, by=OFFICER), 400)
    assert because_of(story, AS_SERGEANT, custody=True) == ["intent", "first_disposal", "evidence_withdrawn"]
    assert because_of(story, AS_CLINICAL_LEAD, custody=True) == ["intent", "first_disposal"]


def test_the_clinical_lead_sees_custody_grades_without_police_reasons() -> None:
    story = Story()
    story.intent(4, power="arrest_offence")
    story.nurse(62, **JUDGED)
    story.outcome("community_follow_up", 65)
    assert graded(story, AS_CLINICAL_LEAD).custody.grade == "U"
    assert [item.code for item in graded(story, AS_CLINICAL_LEAD).custody.because] == [
        "intent",
        "first_disposal",
        "offence_missing",
    ]
    assert "necessity_missing" in [item.code for item in graded(story, AS_SERGEANT).custody.because]


def test_a_necessity_that_health_may_not_see_still_counts_in_the_grade_it_sees() -> None:
    story = Story()
    story.intent(4, power="arrest_offence")
    story.officer(60, offence="alleged_minor", arrest_necessity=["identity"])
    story.nurse(62, **JUDGED)
    story.outcome("community_follow_up", 65)
    assert graded(story, AS_CLINICAL_LEAD).custody.grade == graded(story, AS_SERGEANT).custody.grade == "B"


@pytest.mark.parametrize(
    ("event", "police", "health"),
    [
        ("offered", False, True),
        ("accepted", False, True),
        ("kept", False, True),
        ("missed", False, True),
        ("declined_by_service", False, True),
        ("seen_again", False, True),
        ("later_s136", True, True),
        ("later_mha_detention", False, True),
        ("later_ed", False, True),
        ("serious_harm", False, True),
        ("not_traceable", True, True),
        ("window_checked", True, True),
    ],
)
def test_follow_ups_by_health(event: str, police: bool, health: bool) -> None:
    story = evening()
    told = story.follow_up(event, 300)
    for audience in AUDIENCES:
        expected = police if audience.side == "police" else health
        assert (entry(story, told, audience) is not None) is expected
        assert (event in [up.event for up in seen(story, audience).follow_ups]) is expected


def test_both_leads_learn_of_a_death() -> None:
    story = evening()
    died = story.follow_up("died", 300)
    assert entry(story, died, AS_SERGEANT) == entry(story, died, AS_CLINICAL_LEAD) == died.entry


def test_a_later_arrest_is_for_police() -> None:
    story = evening()
    told = story.follow_up("later_arrest", 300, by=OFFICER)
    assert [entry(story, told, audience) is not None for audience in AUDIENCES] == [True, True, False, False, False]


def test_a_follow_up_amended_into_what_police_may_not_see_is_gone() -> None:
    story = evening()
    told = story.follow_up("later_s136", 300)
    amended = story.amend(told, 310, "follow_up", event="serious_harm", at=300)
    assert entry(story, told, AS_OFFICER) is None
    assert entry(story, amended, AS_OFFICER) is None
    assert seen(story, AS_OFFICER).follow_ups == ()


def test_a_follow_up_amended_by_somebody_who_may_not_stays() -> None:
    story = evening()
    told = story.follow_up("later_s136", 300)
    story.amend(told, 310, "follow_up", by=OTHER_NURSE, event="serious_harm", at=300)
    assert entry(story, told, AS_OFFICER) == told.entry


@pytest.mark.parametrize(("result", "shown"), [("detained_s2", UNSET), ("custody", "custody"), ("lapsed", UNSET)])
def test_police_see_that_a_detention_ended_and_only_custody_of_how(result: str, shown: object) -> None:
    story = Story()
    story.detention("arrived_site", 100, place_of_safety="health_based")
    ended = story.detention("ended", 300, result=result)
    for audience in POLICE:
        detention = seen(story, audience).detention
        assert detention is not None
        assert (detention.ended_at, detention.result) == (minute(300), shown)
        assert entry(story, ended, audience).result == (None if shown is UNSET else shown)
    detention = seen(story, AS_NURSE).detention
    assert detention is not None
    assert detention.result == result


@pytest.mark.parametrize(
    "how",
    [
        {"ground": "condition", "authorised_by": "responsible_doctor"},
        {"ground": "no_bed", "authorised_by": "responsible_doctor"},
        {"ground": "condition", "authorised_by": "other_doctor"},
        {},
    ],
)
def test_police_see_the_expiry_that_an_extension_gives_and_not_its_ground(how: dict[str, Any]) -> None:
    story = Story()
    story.detention("arrived_site", 100, place_of_safety="health_based")
    told = story.detention("extended", 300, minutes=360, **how)
    amended = story.amend(told, 310, "detention", event="extended", at=301, minutes=360, power="s136", **how)
    views = [seen(story, audience) for audience in AUDIENCES]
    assert len({view.detention.expires_at for view in views if view.detention}) == 1
    assert len({"invalid_extension" in view.flags for view in views}) == 1
    for shown in (entry(story, told, AS_OFFICER), entry(story, amended, AS_OFFICER).entry):
        assert (shown.ground, shown.authorised_by) == (None, None)
    assert entry(story, told, AS_NURSE).ground == how.get("ground")


def test_an_extension_amended_to_another_ground_that_is_none_changes_nothing_for_police() -> None:
    story = Story()
    extended: dict[str, Any] = {"event": "extended", "at": 300, "minutes": 360, "power": "s136"}
    told = story.tell("detention", 300, ground="no_bed", authorised_by="responsible_doctor", **extended)
    amended = story.amend(told, 310, "detention", ground="no_amhp", authorised_by="responsible_doctor", **extended)
    assert entry(story, amended, AS_OFFICER) is None
    assert entry(story, amended, AS_NURSE).entry.ground == "no_amhp"
    amended = story.amend(told, 320, "detention", ground="condition", authorised_by="responsible_doctor", **extended)
    assert entry(story, amended, AS_OFFICER) is not None


def test_after_a_death_only_the_leads_reach_the_incident() -> None:
    story = evening()
    died = story.follow_up("died", 300)
    for audience in AUDIENCES:
        reached = audience.level == "lead"
        assert (view_for(story.stored, (), audience, LATER, terms=BEDFORDSHIRE) is not None) is reached
        assert bool(visible_entries(story.stored, audience, LATER)) is reached
    story.withdraw(died, 310)
    assert all(view_for(story.stored, (), audience, LATER, terms=BEDFORDSHIRE) for audience in AUDIENCES)


def test_a_death_in_training_closes_nothing_else_its_being_open_would_tell_of_a_real_intent() -> None:
    story = Story()
    story.tell("follow_up", 300, event="died", at=300, test=True)
    for _ in range(2):
        assert all(view_for(story.stored, (), audience, LATER, terms=BEDFORDSHIRE) for audience in AUDIENCES)
        story.intent(4)


def test_what_nobody_may_see_is_no_view() -> None:
    story = Story()
    story.intent(4)
    assert [view_for(story.stored, (), audience, minute(80), terms=BEDFORDSHIRE) is None for audience in AUDIENCES] == [
        False,
        False,
        True,
        True,
        True,
    ]


# --- changes of what is hidden ------------------------------------------------------------------------------------


def test_an_amendment_that_changes_nothing_visible_is_not_seen() -> None:
    story = evening()
    judged = story.stored[2]
    content = {
        name: getattr(judged.entry, name)
        for name in ("presenting", "disability", "crisis_plan", "advice", "note", *JUDGED)
        if name != "blind"
    }
    amended = story.amend(judged, 90, "nurse", **(content | {"safety_plan": "made"}))
    before = seen(story, AS_OFFICER)
    assert entry(story, amended, AS_OFFICER) is None
    assert entry(story, amended, AS_NURSE) is not None
    story.stored.pop()
    assert seen(story, AS_OFFICER) == before


def test_an_amendment_of_an_amendment_not_seen_is_seen_as_one_of_the_original() -> None:
    story = Story()
    contact = story.officer(10, area="bedford")
    unseen = story.amend(contact, 20, "officer", area="bedford", offence="none")
    amended = story.amend(unseen, 30, "officer", area="luton_west")
    assert entry(story, unseen, AS_NURSE) is None
    assert entry(story, amended, AS_NURSE).amends == contact.id
    assert seen(story, AS_NURSE).area == "luton_west"


def test_a_change_by_the_other_side_of_what_is_not_held_is_not_seen() -> None:
    story = evening()
    changes = [
        story.withdraw(NO_ONES, 90, by=OFFICER),
        story.amend(NO_ONES, 91, "officer", by=OFFICER, area="bedford"),
        story.withdraw(NO_ONES, 92, by=NURSE),
        story.amend(NO_ONES, 93, "nurse", by=NURSE, area="bedford"),
    ]
    assert [entry(story, change, AS_OFFICER) is not None for change in changes] == [True, True, False, False]
    assert [entry(story, change, AS_PARAMEDIC) is not None for change in changes] == [False, False, True, True]


# --- blind ---------------------------------------------------------------------------------------------------------


def test_a_nurse_is_blind_until_her_own_judgement() -> None:
    story = evening()
    other = Audience("health", "field", OTHER_NURSE)
    assert seen(story, other).intents is UNSET
    assert seen(story, other).offence is UNSET
    assert entry(story, story.stored[0], other) is None
    story.nurse(70, by=OTHER_NURSE, s136_justified="cannot_say")
    assert entry(story, story.stored[0], other) is not None


def test_a_judgement_counts_in_an_amendment_and_after_it_was_withdrawn() -> None:
    story = Story()
    story.intent(4)
    contact = story.nurse(60)
    assert seen(story, AS_NURSE).intents is UNSET
    amended = story.amend(contact, 70, "nurse", s136_justified="no")
    assert seen(story, AS_NURSE).intents is not UNSET
    story.withdraw(amended, 80)
    assert seen(story, AS_NURSE).intents is not UNSET


def test_a_judgement_in_training_opens_nothing_real() -> None:
    story = Story()
    story.intent(4)
    story.officer(5)
    story.nurse(60, test=True, s136_justified="yes")
    assert seen(story, AS_NURSE).intents is UNSET


def test_the_clinical_lead_is_blind_until_some_nurse_has_judged() -> None:
    story = Story()
    story.intent(4)
    story.officer(60, **STREET)
    assert graded(story, AS_CLINICAL_LEAD, 80).s136.reason == "none"
    assert seen(story, AS_CLINICAL_LEAD, 80).intents is UNSET
    story.nurse(61, by=OTHER_NURSE, s136_justified="yes")
    assert graded(story, AS_CLINICAL_LEAD, 80).s136.grade == "U"


def test_the_clinical_lead_is_blind_until_a_judgement_can_no_longer_corroborate() -> None:
    story = Story()
    story.intent(4)
    story.officer(60, **STREET)
    assert seen(story, AS_CLINICAL_LEAD, 4 + DAY - 1).intents is UNSET
    assert seen(story, AS_CLINICAL_LEAD, 4 + DAY).intents is not UNSET
    story.outcome("community_follow_up", 65)
    assert seen(story, AS_CLINICAL_LEAD, 94).intents is UNSET
    assert seen(story, AS_CLINICAL_LEAD, 95).intents is not UNSET
    assert all(seen(story, audience).intents is UNSET for audience in (AS_NURSE, AS_PARAMEDIC))


def test_a_paramedic_is_blind_until_a_nurse_has_judged() -> None:
    story = Story()
    story.intent(4)
    story.officer(60, **STREET)
    story.paramedic(61)
    assert seen(story, AS_PARAMEDIC).intents is UNSET
    story.nurse(62, s136_justified="cannot_say")
    assert seen(story, AS_PARAMEDIC).intents is not UNSET


def test_an_amendment_of_nothing_makes_nobody_a_judge() -> None:
    story = Story()
    story.intent(4)
    story.officer(60, **STREET)
    story.amend(NO_ONES, 61, "nurse", by=PARAMEDIC, s136_justified="cannot_say")
    story.amend(NO_ONES, 62, "nurse", by=NURSE, s136_justified="cannot_say")
    for audience in HEALTH:
        assert seen(story, audience, 80).intents is UNSET


def test_anothers_amendment_of_a_contact_makes_nobody_a_judge() -> None:
    story = Story()
    story.intent(4)
    contact = story.nurse(60)
    story.amend(contact, 61, "nurse", by=CLINICAL_LEAD, s136_justified="yes")
    for audience in HEALTH:
        assert seen(story, audience, 80).intents is UNSET


def test_grades_turn_only_for_leads() -> None:
    story = evening()
    for audience, turns in ((AS_OFFICER, False), (AS_SERGEANT, True), (UNJUDGED, False)):
        assert (seen(story, audience, 64 + DAY) != seen(story, audience, 65 + DAY)) is turns


# --- properties ----------------------------------------------------------------------------------------------------

SPARSE = 100
"""Room between the entries of a log, for what is to be put between them."""


@st.composite
def twins(draw: st.DrawFn) -> tuple[Story, Story]:
    """Two logs that differ only in what a health audience before its judgement may not know.

    The contacts of the second hold other intents, consultations, offences and necessities, amendments of them change
    nothing else, and it has other intents, with amendments and withdrawals of those, held or not.
    """
    kinds = tuple(name for name in KINDS if name != "intent")
    story = draw(stories(kinds, diverted=False))
    story.stored = [
        stored for stored in story.stored if kind(stored.entry) != "withdrawal" or _of_content(stored, story)
    ]
    for number, stored in enumerate(story.stored):
        story.stored[number] = msgspec.structs.replace(stored, seq=stored.seq * SPARSE)
    twin = Story()
    twin.stored = [_with_other_secrets(draw, stored) for stored in story.stored]
    for _ in range(draw(st.integers(0, 4))):
        _slip_in(draw, twin)
    return story, twin


def _of_content(withdrawal: StoredEntry, story: Story) -> bool:
    named = getattr(withdrawal.entry, "withdraws", None)
    return any(stored.id == named and kind(stored.entry) in KINDS for stored in story.stored)


def _with_other_secrets(draw: st.DrawFn, stored: StoredEntry) -> StoredEntry:
    entry = stored.entry
    if isinstance(entry, Officer):
        return msgspec.structs.replace(stored, entry=_secrets(draw, entry))
    amended = getattr(entry, "entry", None)
    if amended is not None and kind(amended) == "officer":
        return msgspec.structs.replace(stored, entry=msgspec.structs.replace(entry, entry=_secrets(draw, amended)))
    return stored


def _secrets(draw: st.DrawFn, contact: Any) -> Any:
    told = Story().officer(5, **{name: draw(field) for name, field in HIDDEN_FROM_BLIND.items()}).entry
    return msgspec.structs.replace(contact, **{name: getattr(told, name) for name in HIDDEN_FROM_BLIND})


def _slip_in(draw: st.DrawFn, twin: Story) -> None:
    """An intent, a change of one, a withdrawal of what is not held, or an amendment of secrets only."""
    teller = Story()
    intents = [stored for stored in twin.stored if kind(stored.entry) == "intent"]
    amendable = [stored for stored in twin.stored if isinstance(stored.entry, Officer) and not _amended(stored, twin)]
    choice = draw(st.integers(0, 4))
    captured, by = draw(MINUTES), draw(st.sampled_from((OFFICER, SERGEANT, COLLEAGUE)))
    if choice == 1 and intents:
        target = draw(st.sampled_from(intents))
        told = teller.amend(target, captured, "intent", by=by, **draw(content("intent")))
    elif choice == 2:
        told = teller.withdraw(draw(st.sampled_from([intent.id for intent in intents] + [NO_ONES])), captured, by=by)
    elif choice == 3 and amendable:
        target = draw(st.sampled_from(amendable))
        told = _amendment_of_secrets(draw, teller, target, captured)
    else:
        told = teller.intent(captured, by=by, **draw(content("intent"))["intent"])
    seq = draw(
        st.integers(1, (max(stored.seq for stored in twin.stored) // SPARSE + 1) * SPARSE - 1).filter(_free(twin))
    )
    twin.stored.append(msgspec.structs.replace(told, seq=seq, id=UUID(int=NO_ONES.int + seq)))


def _free(twin: Story) -> Any:
    taken = {stored.seq for stored in twin.stored}
    return lambda seq: seq not in taken and seq % SPARSE


def _amended(contact: StoredEntry, twin: Story) -> bool:
    return any(getattr(stored.entry, "amends", None) == contact.id for stored in twin.stored)


def _amendment_of_secrets(draw: st.DrawFn, teller: Story, target: StoredEntry, captured: float) -> StoredEntry:
    changed = _secrets(draw, target.entry)
    fields = {
        name: value for name in KINDS["officer"] if (value := msgspec.to_builtins(getattr(changed, name))) is not None
    }
    return teller.amend(target, captured, "officer", by=target.author, **fields)


@given(twins(), st.sampled_from((UNJUDGED, AS_NURSE, AS_PARAMEDIC, AS_CLINICAL_LEAD)), MINUTES)
def test_nothing_that_reaches_the_blind_depends_on_an_intent(
    logs: tuple[Story, Story], audience: Audience, when: int
) -> None:
    story, twin = logs
    assume(all(sight_of(log.stored, audience, minute(when)).blind for log in logs))
    assert told_to(story, audience, when) == told_to(twin, audience, when)


def told_to(story: Story, audience: Audience, when: int) -> tuple[object, ...]:
    """All that reaches a blind audience: the view and the entries."""
    now = minute(when)
    view = view_for(story.stored, (), audience, now, terms=BEDFORDSHIRE)
    entries = msgspec.json.encode(
        [(entry.seq, entry.id, entry.entry) for entry in visible_entries(story.stored, audience, now)]
    )
    return msgspec.json.encode(view), entries


@given(stories(), st.sampled_from(AUDIENCES), MINUTES)
def test_a_view_is_what_the_visible_entries_add_up_to(story: Story, audience: Audience, when: int) -> None:
    shown = view_for(story.stored, (), audience, minute(when), terms=BEDFORDSHIRE)
    sight = sight_of(story.stored, audience, minute(when))
    if shown is None or audience.level == "lead":
        return
    added_up = fold(redact(story.stored, sight), terms=BEDFORDSHIRE)
    assert msgspec.json.encode(shown) == msgspec.json.encode(view_at(added_up, minute(when), audience, sight))


@given(stories(), st.sampled_from(POLICE), st.data())
def test_nothing_that_police_see_but_a_grade_depends_on_a_nurses_words(
    story: Story, audience: Audience, data: st.DataObject
) -> None:
    twin = Story()
    other = {"s136_justified": "no", "crisis_plan": "seen", "note": "*", "assessment": "phone"}
    twin.stored = [
        msgspec.structs.replace(stored, entry=msgspec.structs.replace(stored.entry, **other))
        if isinstance(stored.entry, Nurse)
        else stored
        for stored in story.stored
    ]
    when = minute(data.draw(MINUTES))
    views = [view_for(stored.stored, (), audience, when, terms=BEDFORDSHIRE) for stored in (story, twin)]
    shown = [view and msgspec.structs.replace(view, diversion=UNSET) for view in views]
    assert shown[0] == shown[1]
    read = [[entry.entry for entry in visible_entries(log.stored, audience, when)] for log in (story, twin)]
    assert read[0] == read[1]

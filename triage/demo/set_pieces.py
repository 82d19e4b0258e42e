"""Set pieces: what a month must show at least once, whatever the dice say.

Each starts from an ordinary attended incident with nothing missing and states what makes it that piece. Together they
reach every grade of both diversions and every reason for none, and every case the clock and the places have.
"""

from datetime import date
from random import Random
from typing import Any

from msgspec import Struct

from triage.demo.cast import Callers
from triage.demo.incident import IDENTIFIED, Scenario, draw_complete, set_person, with_facts
from triage.log.entries import Tests


class ScenarioPart(Struct, frozen=True):
    """One scenario of a set piece: what is set, how long after the set piece's start, and about which person if any."""

    facts: dict[str, Any]
    after_hours: float = 0.0
    caller: int | None = None


SetPiece = tuple[ScenarioPart, ...]


def draw_part(rng: Random, part: ScenarioPart, people: Callers, day: date) -> Scenario:
    """The scenario of this part, on this day; it may concern somebody identified where that changes no fact of it."""
    scenario = with_facts(draw_complete(rng), part.facts)
    if part.caller is not None:
        return set_person(scenario, people.regulars[part.caller], day)
    if rng.random() < IDENTIFIED and not part.facts.keys() & {"age", "ethnicity", "happens", "test"}:
        set_person(scenario, people.adult(rng, day), day)
    return scenario


CHECKED = ((29.0, "window_checked"),)
CONSIDERED: dict[str, Any] = {
    "power": "s136",
    "advice": "s136_not_recommended",
    "disposal": "community_follow_up",
    "justified": "cannot_say",
    "follow_ups": CHECKED,
}
CORROBORATED = CONSIDERED | {"justified": "yes", "told": False}
USED: dict[str, Any] = {
    "power": "s136",
    "advice": "s136_recommended",
    "justified": "yes",
    "disposal": "s136_removed",
    "course": "suite",
}
OFFENCE: dict[str, Any] = {
    "power": "arrest_offence",
    "offence": "alleged_minor",
    "necessity": ["prevent_harm_or_damage", "protect_vulnerable"],
    "disposal": "community_follow_up",
    "follow_ups": CHECKED,
}
BREACH = OFFENCE | {
    "power": "arrest_breach_of_peace",
    "offence": "none",
    "necessity": None,
    "disposal": "carer_or_home",
}
ARRESTED = {"legal_status": "arrested", "offence": "alleged_minor"}
BRIDGE = {"place": "rail_bridge_roof", "area": "luton_central", "presenting": ["suicidal_intent"]}


def _one(*facts: dict[str, Any], caller: int | None = None) -> SetPiece:
    whole: dict[str, Any] = {}
    for some in facts:
        whole |= some
    return (ScenarioPart(whole, caller=caller),)


SET_PIECES: dict[str, SetPiece] = {
    # s136 considered, and how sure we are that it was not needed
    "corroborated": _one(CORROBORATED),
    "contemporaneous": _one(CONSIDERED, {"wrong_clock": {"police": 47.0}}),
    "claimed": _one(CONSIDERED, {"disposal": "signposted", "confidence": 1, "offline": {"police": 6.0, "nurse": 6.5}}),
    "refuted_by_law": _one(CORROBORATED, {"place": "own_home", "disposal": "carer_or_home"}),
    "refuted_by_nurse": _one(CORROBORATED, {"justified": "no", "disposal": "carer_or_home"}),
    "reversed_by_s136": _one(CORROBORATED, {"follow_ups": ((9.0, "later_s136"), *CHECKED)}),
    "reversed_by_harm": _one(CORROBORATED, {"disposal": "signposted", "follow_ups": ((15.0, "serious_harm"),)}),
    "reversed_elsewhere": (
        ScenarioPart(CORROBORATED, caller=1),
        ScenarioPart(USED | {"course": "ed_then_suite"}, after_hours=8.0, caller=1),
    ),
    "undetermined": _one(CORROBORATED, {"tests": Tests(mental_disorder=True), "disposal": "ed_voluntary"}),
    "intent_withdrawn": _one(
        CONSIDERED, {"disposal": "carer_or_home", "happens": "intent_withdrawn", "repeats": False}
    ),
    "corrected": _one(CONSIDERED, {"disposal": "ed_voluntary", "happens": "corrected", "repeats": False}),
    "left": _one(CONSIDERED, {"disposal": "left_before_assessment", "follow_ups": ()}),
    "stood_down": _one({"power": "s136", "source": "control_room", "disposal": "stood_down"}),
    "one_compulsion_for_another": _one(CONSIDERED, ARRESTED, {"disposal": "arrest_custody", "follow_ups": ()}),
    "capacity_act_by_police": _one(
        CONSIDERED, {"disposal": "ed_capacity_act", "decided_by": "officer", "need": "none"}
    ),
    "no_decision_yet": _one(CONSIDERED, {"disposal": None, "follow_ups": ()}),
    "under_two_ids": _one(CORROBORATED, {"follow_ups": ((30.0, "not_traceable"),), "happens": "split"}),
    # an arrest considered
    "custody_corroborated": _one(OFFENCE, {"disposal": "voluntary_interview", "intent_source": "referring_officer"}),
    "custody_contemporaneous": _one(BREACH),
    "custody_claimed": _one(BREACH, {"confidence": 1}),
    "custody_refuted": _one(OFFENCE, {"disposal": "ed_voluntary", "offence": "none"}),
    "custody_reversed": _one(BREACH, {"follow_ups": ((6.0, "later_arrest"),)}),
    "custody_undetermined": _one(OFFENCE, {"disposal": "carer_or_home", "necessity": None}),
    "custody_missing": _one(OFFENCE, {"disposal": "missing_after_contact", "follow_ups": ()}),
    "custody_not_attended": _one(OFFENCE, {"disposal": "not_attended", "reason": "committed", "follow_ups": ()}),
    "custody_then_s136": _one(OFFENCE, USED, {"power": "arrest_offence", "course": "queue"}),
    # places of safety and the clock
    "extended": _one(USED, {"course": "extended", "happens": "disputed", "disagrees": {"presenting": ["other"]}}),
    "extended_for_no_bed": _one(USED, {"course": "no_bed", "decided_by": "nurse"}),
    "absconds": _one(USED, {"course": "absconds", "place": "own_home"}),
    "kept_in_hospital": _one(
        USED, {"place": "own_home", "use_place": "hospital_or_ed", "disposal": "s136_kept", "course": "kept"}
    ),
    "adult_at_station": _one(USED, {"course": "adult_at_station"}),
    "child_at_station": _one(USED, BRIDGE, {"age": 15, "age_shown": "age", "course": "child_at_station"}),
    "looks_seventeen": _one(USED, BRIDGE, {"age": 17, "age_shown": "could"}),
    "warrant": _one(USED, {"power": None, "place": "own_home", "disposal": "s135_removed", "course": "warrant"}),
    "second_stay_known_late": _one(USED, {"course": "second_stay_known_late"}),
    "first_place_not_recorded": _one(USED, {"course": "first_place_not_recorded"}),
    "two_doctors": _one(USED, {"course": "two_doctors"}),
    "ed_avoided": _one(
        {"power": "emergency_department", "plan": "ed", "need": "treat_on_scene", "disposal": "carer_or_home"}
    ),
    # several outcomes, and little of anything
    "left_then_custody_then_home": _one(
        {"disposal": "left_before_assessment", "offence": "alleged_serious", "happens": "comes_back_and_is_arrested"}
    ),
    "protected_between": _one({"age": 15, "disposal": "carer_or_home", "happens": "is_protected_meanwhile"}),
    "officer_alone": _one({"crew": ("police",), "disposal": "signposted"}),
    "intent_alone": _one({"power": "s136", "crew": ("police",), "contacts": False, "disposal": None}),
    "harm_to_somebody_found_out_late": (
        ScenarioPart(CORROBORATED | {"happens": "identified_late"}),
        ScenarioPart({"disposal": "ed_voluntary", "follow_ups": ((2.0, "serious_harm"),)}, after_hours=20.0, caller=4),
    ),
    # entries about entries
    "under_two_ids_unnoticed": _one({"disposal": "carer_or_home", "happens": "split_unnoticed"}),
    "two_at_one_address": (
        ScenarioPart({"place": "own_home", "log_ref": "shared", "disposal": "carer_or_home"}),
        ScenarioPart(
            {"place": "own_home", "log_ref": "shared", "disposal": "signposted", "happens": "linked_in_error"}
        ),
    ),
    "entered_in_error": _one({"disposal": "carer_or_home", "happens": "entered_in_error"}),
    "training": _one(USED, {"test": True}),
    # somebody who calls five times in a month
    "calls_1": _one({"disposal": "signposted"}, caller=0),
    "calls_2": _one({"disposal": "no_mental_health_need", "wrong_clock": {"paramedic": -3_700_000.0}}, caller=0),
    "calls_3": _one({"disposal": "carer_or_home", "happens": "wrong_person"}, caller=0),
    "calls_4": _one({"disposal": "ed_voluntary", "offline": {"paramedic": 5.0}, "happens": "amended_early"}, caller=0),
    "calls_5": _one({"disposal": "ed_voluntary"}, caller=0),
    "old_codes": _one({"disposal": "carer_or_home", "ethnicity": "O1", "codes_version": 1}),
}

AT_THE_END: tuple[tuple[float, SetPiece], ...] = (
    # hours before the end of the log: what is still running when the demo is opened
    (22.3, _one(USED, {"course": "running"})),
    (21.4, _one(USED, {"course": "running", "disposal": None})),
    (27.5, _one(USED, {"course": "running_at_ed"})),
    (14.0, _one(CORROBORATED)),
    (12.5, _one(BREACH)),
    (9.5, _one(CONSIDERED)),
    (5.5, _one(USED, {"course": "running_at_ed"})),
    (2.6, _one({"disposal": None})),
    (0.7, _one({"power": "s136", "disposal": None})),
)

"""The facts before anybody writes them down: one person's crisis, drawn from the mix of a Luton-like team.

The shares are plausible, not measured; about a third of a month's scenarios are set pieces
(`triage.demo.set_pieces`), and the shares here allow for them.
"""

from datetime import date
from random import Random
from typing import Any

from msgspec import Struct, structs

from triage import codes
from triage.demo.cast import AGES, ETHNICITIES, SEXES, Callers, Person
from triage.demo.mix import Mix
from triage.log.entries import Tests
from triage.summaries.facts import ASKED

ALL_MET = Tests(mental_disorder=True, immediate_need=True, necessary=True)


class Scenario(Struct, kw_only=True):
    """The facts of an incident and what goes wrong in recording them. Codes are those of the entries."""

    person: Person | None = None
    age: int
    age_shown: str
    sex: str
    ethnicity: str
    presenting: list[str]
    area: str
    place: str
    someone_lives_there: bool | None = None
    mode: str
    source: str
    crew: tuple[str, ...]
    """The professions that came."""
    legal_status: str = "free_to_leave"
    offence: str = "none"
    necessity: list[str] | None = None
    power: str | None = None
    """The power the officer had under consideration; None when he did not say."""
    confidence: int = 3
    contacts: bool = True
    """The professions that came wrote their contacts."""
    by_app: bool = True
    """The intent was sent the moment it was formed, not only with the contact."""
    repeats: bool = True
    """The contact says it, too."""
    intent_source: str = "self"
    evidence: str | None = "app"
    tests: Tests = ALL_MET
    consults: bool = True
    assessment: str
    advice: str
    justified: str | None = None
    told: bool = True
    need: str
    plan: str
    disposal: str | None
    decided_by: str | None = None
    use_place: str | None = None
    reason: str | None = None
    outcome_after_hours: float = 0.0
    course: str | None = None
    """The name of the detention's course in `triage.demo.detention`."""
    follow_ups: tuple[tuple[float, str], ...] = ()
    """Hours after the decision, and the event."""
    missing: frozenset[str] = frozenset()
    """Fields nobody recorded."""
    gaps: float = 0.0
    """The chance that a profession leaves out one of its own fields."""
    offline: dict[str, float] = {}
    """Hours after the start at which a profession's phone is back in coverage."""
    wrong_clock: dict[str, float] = {}
    """Minutes by which a profession's phone is ahead."""
    disagrees: dict[str, Any] = {}
    """The fields that the nurse records differently from the others."""
    happens: str | None = None
    """The change made to the entries afterwards, by its name in `triage.demo.corrections`."""
    log_ref: str | None = None
    codes_version: int = codes.version
    test: bool | None = None


AREAS = Mix(
    {
        "luton_town_centre": 14, "luton_central": 12, "luton_north": 9, "luton_west": 10, "luton_south": 9,
        "luton_east": 7, "luton_airport": 3, "bedford": 18, "central_bedfordshire": 13, "out_of_county": 3,
        "unknown": 2,
    }
)  # fmt: skip
HOMES = Mix(
    {"own_home": 74, "someones_home": 15, "care_home_room": 4, "private_garden_or_garage": 4, "care_home_shared": 3}
)
PUBLIC_PLACES = Mix(
    {
        "street_or_park": 40, "rail_bridge_roof": 16, "shop_pub_station_airport": 13, "hospital_or_ed": 9,
        "communal_area_of_homes": 7, "workplace_or_public_building": 5, "hotel_hostel_room": 3, "school_or_college": 2,
        "vehicle_boat_tent_caravan": 2, "gp_or_health_premises": 1, "police_station": 1, "other": 1,
    }
)  # fmt: skip
OPEN_PLACES = Mix(
    {
        "street_or_park": 45,
        "rail_bridge_roof": 20,
        "shop_pub_station_airport": 17,
        "communal_area_of_homes": 10,
        "hospital_or_ed": 8,
    }
)
SOURCES = Mix(
    {
        "police_999": 38, "ambulance_999": 13, "nhs_111_mental_health": 8, "control_room": 11, "officer_on_scene": 11,
        "crew_on_scene": 4, "mental_health_trust": 4, "transport_police": 2, "family_or_public": 4, "self_presented": 1,
        "triage_phone": 3, "other": 1,
    }
)  # fmt: skip
AGE_SHOWN = Mix({"age": 70, "band": 14, "estimated": 12, "verified": 4})
PRESENTING = Mix(
    {
        "suicidal_intent": 30, "suicidal_act": 8, "self_harm": 11, "psychosis_like": 12, "acute_distress": 14,
        "welfare_only": 7, "mania_like": 3, "dementia_confusion": 3, "intoxication_alcohol": 4, "intoxication_drug": 2,
        "risk_to_others": 3, "neurodivergent_distress": 2, "other": 1,
    }
)  # fmt: skip
SECOND_PRESENTING = Mix({"intoxication_alcohol": 45, "intoxication_drug": 15, "self_harm": 25, "risk_to_others": 15})
OTHER_POWERS = Mix({"none_needed": 38, "leave_with_care": 24, "emergency_department": 14, "unsure": 8, None: 6})
ASSESSMENTS = Mix({"face_to_face": 80, "phone": 12, "records_only": 6, "none": 2})
PHYSICAL_NEEDS = Mix({"none": 60, "treat_on_scene": 24, "ed_needed": 14, "ed_immediate": 2})
KINDS_OF_SCENE = Mix({"ordinary": 72, "considered": 11, "used": 5, "arrest": 2, "stand_down": 8, "section": 2})
KINDS_DIVERTED = Mix({"ordinary": 72, "considered": 15, "used": 1, "arrest": 2, "stand_down": 8, "section": 2})
"""The same after a change of model: a nurse in the control room from the first call."""
CALLS_OFTEN, IDENTIFIED = 0.14, 0.58
"""Shares of incidents that concern somebody who calls often, and somebody else who is identified."""
DISPOSALS = Mix(
    {
        "community_follow_up": 30, "carer_or_home": 22, "signposted": 16, "ed_voluntary": 14, "mh_unit_voluntary": 4,
        "no_mental_health_need": 8, "left_before_assessment": 2, "voluntary_interview": 1, "s135_requested": 1,
        "ed_capacity_act": 1, None: 1,
    }
)  # fmt: skip
CONSIDERED_DISPOSALS = Mix(
    {"community_follow_up": 45, "carer_or_home": 22, "ed_voluntary": 18, "signposted": 10, "mh_unit_voluntary": 5}
)
COURSES = Mix({"suite": 58, "ed_then_suite": 20, "ed_only": 12, "queue": 4, "extended": 6})
JUSTIFIED = Mix({"yes": 55, "cannot_say": 22, "no": 9, None: 14})

HARMLESS = ("area", "referral_source", "sex", "ethnicity", "presenting")
"""The fields on which no grade, clock or link depends."""

MISSING_SHARE = 0.07


def draw(rng: Random, people: Callers, day: date, *, diverts: bool = False) -> Scenario:
    """An ordinary scenario of this day; `diverts`: the team has changed its ways and uses s136 less."""
    scenario = _drawn(rng, _age(rng))
    who = rng.random()
    if who < CALLS_OFTEN:
        set_person(scenario, rng.choice(people.regulars), day)
    elif who < CALLS_OFTEN + IDENTIFIED:
        set_person(scenario, people.anybody(rng), day)
    match (KINDS_DIVERTED if diverts else KINDS_OF_SCENE).draw(rng):
        case "considered":
            _consider(rng, scenario)
        case "used":
            _use(rng, scenario)
        case "arrest":
            _arrest(rng, scenario)
        case "section":
            scenario.disposal = "police_protection_s46" if scenario.age < 18 else "returned_under_act"
            scenario.legal_status = "free_to_leave" if scenario.age < 18 else "awol_s18"
        case "stand_down":
            scenario.disposal, scenario.reason = rng.choice(
                (("stood_down", None), ("not_attended", "committed"), ("not_attended", "too_far"))
            )
        case _:
            scenario.disposal = (
                "child_care_pathway" if scenario.age < 16 and rng.random() < 0.5 else DISPOSALS.draw(rng)
            )
    scenario.missing = _missing(rng, ASKED)
    scenario.gaps = MISSING_SHARE
    _trouble(rng, scenario)
    return scenario


def draw_complete(rng: Random) -> Scenario:
    """A scenario to make a set piece of: an adult in a public place, met by all three professions.

    Nothing is missing that a rule asks for.
    """
    scenario = _drawn(rng, rng.randint(19, 70))
    scenario.crew, scenario.mode, scenario.assessment = ("police", "nurse", "paramedic"), "attended", "face_to_face"
    scenario.by_app, scenario.evidence, scenario.place = True, "app", OPEN_PLACES.draw(rng)
    scenario.missing = _missing(rng, HARMLESS)
    return scenario


def _missing(rng: Random, names: tuple[str, ...]) -> frozenset[str]:
    return frozenset(name for name in names if rng.random() < MISSING_SHARE)


def set_person(scenario: Scenario, person: Person, day: date) -> Scenario:
    """The scenario, about this person."""
    scenario.person, scenario.sex, scenario.ethnicity = person, person.sex, person.ethnicity
    scenario.age = int((day - person.born).days / 365.25)
    return scenario


def _age(rng: Random) -> int:
    return rng.randint(*AGES.draw(rng))


def _drawn(rng: Random, age: int) -> Scenario:
    area = AREAS.draw(rng)
    place = (
        "shop_pub_station_airport"
        if area == "luton_airport"
        else (HOMES if rng.random() < 0.46 else PUBLIC_PLACES).draw(rng)
    )
    primary, second = PRESENTING.draw(rng), SECOND_PRESENTING.draw(rng)
    by_telephone = rng.random() < 0.13
    need = PHYSICAL_NEEDS.draw(rng)
    return Scenario(
        age=age,
        age_shown=AGE_SHOWN.draw(rng),
        sex=SEXES.draw(rng),
        ethnicity=ETHNICITIES.draw(rng),
        presenting=[primary, second] if second != primary and rng.random() < 0.35 else [primary],
        area=area,
        place=place,
        someone_lives_there=rng.random() < 0.5 if place == "hotel_hostel_room" else None,
        mode=rng.choice(("telephone", "telephone", "telephone", "video")) if by_telephone else "attended",
        source=SOURCES.draw(rng),
        crew=_crew(rng, by_telephone),
        power=OTHER_POWERS.draw(rng),
        by_app=rng.random() < 0.35,
        evidence=None,
        offence=rng.choices(("none", "alleged_minor", "alleged_serious"), (86, 11, 3))[0],
        assessment="phone" if by_telephone else ASSESSMENTS.draw(rng),
        advice=rng.choices(
            ("voluntary_pathway", "s136_not_recommended", "no_mental_health_need", "deferred"), (60, 22, 12, 6)
        )[0],
        need=need,
        plan="ed" if need.startswith("ed") or rng.random() < 0.12 else "no_ed",
        disposal=None,
    )


def _crew(rng: Random, by_telephone: bool) -> tuple[str, ...]:
    if by_telephone:
        return rng.choice((("nurse",), ("nurse",), ("police", "nurse")))
    return ("police", *(["nurse"] if rng.random() < 0.93 else []), *(["paramedic"] if rng.random() < 0.74 else []))


def _attend(scenario: Scenario) -> None:
    scenario.mode = "attended"
    scenario.crew = ("police", "nurse", *(["paramedic"] if "paramedic" in scenario.crew else []))


def _consider(rng: Random, scenario: Scenario) -> None:
    """S136 under consideration and, in the end, not used."""
    _attend(scenario)
    scenario.power, scenario.confidence = "s136", rng.choices((3, 2, 1), (55, 32, 13))[0]
    if rng.random() < 0.85:
        scenario.place = PUBLIC_PLACES.draw(rng)
    if rng.random() < 0.08:
        scenario.tests = Tests(mental_disorder=True, immediate_need=rng.choice((False, None)), necessary=False)
    scenario.intent_source = rng.choices(("self", "control_room", "referring_officer"), (84, 6, 10))[0]
    scenario.by_app = rng.random() < 0.8
    scenario.repeats = not scenario.by_app or rng.random() < 0.75
    scenario.evidence = "app" if scenario.by_app else rng.choice(("pocket_book", "body_worn_video", None))
    scenario.assessment = rng.choices(("face_to_face", "phone", "records_only"), (85, 11, 4))[0]
    scenario.justified, scenario.told = JUSTIFIED.draw(rng), rng.random() < 0.3
    scenario.advice = rng.choice(("s136_not_recommended", "voluntary_pathway"))
    scenario.disposal = CONSIDERED_DISPOSALS.draw(rng)
    later: list[tuple[float, str]] = []
    if rng.random() < 0.07:
        later.append((rng.uniform(3, 22), "later_s136"))
    if rng.random() < 0.01:
        later.append((rng.uniform(3, 22), "serious_harm"))
    if rng.random() < 0.7:
        later.append((rng.uniform(25, 44), "not_traceable" if rng.random() < 0.1 else "window_checked"))
    scenario.follow_ups = tuple(later)


def _use(rng: Random, scenario: Scenario) -> None:
    _attend(scenario)
    scenario.place = PUBLIC_PLACES.draw(rng)
    scenario.power, scenario.evidence, scenario.consults = "s136", "app", rng.random() < 0.8
    scenario.advice, scenario.justified, scenario.told = "s136_recommended", "yes", True
    scenario.disposal = rng.choices(("s136_removed", "s136_kept"), (88, 12))[0]
    scenario.course = "kept" if scenario.disposal == "s136_kept" else COURSES.draw(rng)


def _arrest(rng: Random, scenario: Scenario) -> None:
    _attend(scenario)
    scenario.power = rng.choice(("arrest_offence", "arrest_breach_of_peace"))
    scenario.offence = "alleged_minor" if scenario.power == "arrest_offence" else "none"
    scenario.necessity = ["prevent_harm_or_damage"]
    scenario.disposal = rng.choice(
        ("arrest_custody", "community_follow_up", "carer_or_home", "voluntary_interview", "dearrested")
    )
    scenario.by_app = rng.random() < 0.8


def _trouble(rng: Random, scenario: Scenario) -> None:
    """Late, out of step, corrected: what recording at the kerb is like."""
    if rng.random() < 0.05:
        scenario.offline = {rng.choice(scenario.crew): rng.uniform(4, 10)}
    if rng.random() < 0.1:
        scenario.outcome_after_hours = rng.uniform(10, 22)
    if rng.random() < 0.06:
        scenario.disagrees = rng.choice(
            ({"sex": "unknown"}, {"ethnicity": "W9"}, {"area": AREAS.draw(rng)}, {"presenting": [PRESENTING.draw(rng)]})
        )
    scenario.happens = rng.choices((None, "amended", "withdrawn"), (94, 4, 2))[0]
    if (
        not scenario.follow_ups
        and scenario.disposal in ("community_follow_up", "signposted", "mh_unit_voluntary")
        and rng.random() < 0.6
    ):
        scenario.follow_ups = _care(rng)


def _care(rng: Random) -> tuple[tuple[float, str], ...]:
    """How a referral went on."""
    offered = (rng.uniform(8, 24), "offered")
    if rng.random() < 0.08:
        return offered, (rng.uniform(25, 40), "declined_by_service")
    seen = (rng.uniform(50, 90), rng.choices(("kept", "missed", "seen_again"), (70, 22, 8))[0])
    return (offered, (offered[0] + 1, "accepted"), seen)


def with_facts(scenario: Scenario, changes: dict[str, Any]) -> Scenario:
    """The scenario with these facts set."""
    return structs.replace(scenario, **changes)

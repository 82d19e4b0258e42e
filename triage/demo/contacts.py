"""What each profession records of a scene it attended: the contacts, and the intent on its own."""

from datetime import timedelta
from typing import Any

from triage.demo.incident import Mix, Scene
from triage.demo.phone import Pen
from triage.log.entries import Consulted, Intent, IntentPart, Nurse, Officer, Paramedic
from triage.log.resolve import band_of

NOTES = (
    "Calm after talking. Agreed to walk to the car.",
    "Upset after an argument. Family on scene and supportive.",
    "Well known route home, lift given.",
    "Declined water and a coat at first, then accepted both.",
    "Talked for an hour. Wants to be seen in the morning.",
    "Medication not taken for a week.",
    "Smelled of alcohol, steady on feet.",
    "Landlord asked for a call back.",
    "Railway staff first on scene, power to the line was off.",
    "Dog left with a neighbour.",
    "Would like the same nurse next time.",
    "Crisis line number given on a card.",
)
CONVEYED_BY = {"ambulance": "ambulance", "police_vehicle": "police", "triage_car": "triage_car", "none": "not_conveyed"}
HEALTH_REFERRALS = Mix(
    {"crisis_team": 34, "community_team": 22, "gp": 14, "crisis_cafe": 9, "mind": 6, "samaritans": 6, "drug_alcohol": 9}
)


def _facts(pen: Pen) -> dict[str, Any]:
    """What every contact says of the incident and the person."""
    scene = pen.scene
    facts: dict[str, Any] = {
        "log_ref": scene.log_ref,
        "occurred_at": pen.at(0),
        "area": scene.area,
        "force_code": "E23000027" if scene.area == "out_of_county" else None,
        "location_type": scene.place,
        "someone_lives_there": scene.someone_lives_there,
        "contact_mode": scene.mode,
        "referral_source": scene.source,
        "sex": scene.sex,
        "ethnicity": scene.ethnicity,
        "presenting": scene.presenting,
        "legal_status": scene.legal_status,
    }
    if scene.mode == "attended":
        facts |= {"arrived_at": pen.at(pen.times.arrived), "left_at": pen.at(pen.times.left)}
    if "age" not in scene.missing:
        facts |= _age(scene)
    for name in scene.missing & facts.keys():
        del facts[name]
    return facts


def _age(scene: Scene) -> dict[str, Any]:
    match scene.age_shown:
        case "age":
            return {"age": scene.age}
        case "verified":
            return {"age": scene.age, "age_verified": True}
        case "could":
            return {"age_band": "unknown", "could_be_under_18": True}
        case "estimated":
            return {"age_band": band_of(scene.age), "age_estimated": True}
    return {"age_band": band_of(scene.age)}


def _kept(pen: Pen, fields: dict[str, Any]) -> dict[str, Any]:
    """A profession's own fields without those it did not get round to."""
    gaps, rng = pen.scene.gaps, pen.rng
    return {name: value for name, value in fields.items() if rng.random() >= gaps}


def _intent(pen: Pen) -> IntentPart:
    scene, times = pen.scene, pen.times
    formed = times.formed if scene.intent_source == "self" else times.arrived - 6
    referred = scene.intent_source == "referring_officer"
    return IntentPart(
        power=scene.power or "unsure",
        confidence=scene.confidence,
        formed_at=pen.at(formed),
        source=scene.intent_source,
        referrer=f"{pen.rng.randrange(9_000, 9_999)}" if referred else None,
        log_time=pen.at(formed + 2) if referred else None,
        tests=scene.tests if scene.power == "s136" else None,
        evidence=scene.evidence,
    )


def intent(pen: Pen) -> None:
    """The officer's intent, sent the moment it is formed."""
    pen.write(pen.by("police"), Intent, pen.times.formed + 0.7, intent=_intent(pen))


def officer(pen: Pen) -> None:
    """The police contact."""
    scene, times, rng = pen.scene, pen.times, pen.rng
    used = scene.disposal in ("s136_removed", "s136_kept")
    fields = _kept(
        pen,
        {
            "offence": scene.offence,
            "domestic_abuse": rng.random() < 0.08,
            "force_type": rng.choices(("none", "handcuffs", "other_restraint"), (78, 16, 6) if used else (97, 2, 1))[0],
            "immediate_danger": rng.choices(
                ("yes", "no", "unclear"), (60, 25, 15) if scene.power == "s136" else (12, 76, 12)
            )[0],
            "referrals": [rng.choice(("none", "none", "none", "safeguarding_adult", "liaison_and_diversion"))]
            if scene.age >= 18
            else [rng.choice(("safeguarding_child", "education_and_diversion_team"))],
            "note": rng.choice(NOTES) if rng.random() < 0.3 else None,
        },
    )
    if scene.power and scene.repeats:
        fields["intent"] = _intent(pen)
    if scene.necessity:
        fields["arrest_necessity"] = scene.necessity
    if "nurse" in scene.crew and scene.consults:
        fields["consulted"] = Consulted(role="nurse", at=pen.at(times.consulted))
    elif used:
        fields["not_consulted_reason"] = rng.choice(("imminent_danger", "no_answer", "no_signal"))
    facts = _facts(pen)
    if used and "legal_status" in facts:
        facts |= {"legal_status": "s136", "legal_status_at": pen.at(times.decided)}
    pen.write(pen.by("police"), Officer, times.left + rng.uniform(1, 9), **facts | fields)


def nurse(pen: Pen) -> None:
    """The nurse's contact."""
    scene, times, rng = pen.scene, pen.times, pen.rng
    wants_follow_up = scene.disposal == "community_follow_up"
    fields = _kept(
        pen,
        {
            "known_to_services": rng.choices(
                ("open_caseload", "previous", "not_known", "not_checked"), (36, 33, 24, 7)
            )[0],
            "crisis_plan": rng.choice(("seen", "exists", "none", "none", "not_checked")),
            "assessment": scene.assessment,
            "advice": scene.advice,
            "advice_given_at": pen.at(times.advised),
            "s136_justified": scene.justified,
            "told_intent": scene.told if scene.power == "s136" else None,
            "safety_plan": rng.choices(("made", "updated", "declined", "not_possible"), (42, 20, 18, 20))[0],
            "referrals": [HEALTH_REFERRALS.draw(rng) if wants_follow_up or rng.random() < 0.3 else "none"],
            "interpreter_needed": rng.random() < 0.06,
            "disability": rng.choices(
                ("none", "autism", "learning_disability", "other", "not_asked"), (70, 7, 4, 9, 10)
            )[0],
            "note": rng.choice(NOTES) if rng.random() < 0.2 else None,
        },
    )
    if wants_follow_up:
        fields["follow_up_owner"] = rng.choice(("crisis_team", "community_team"))
        fields["follow_up_due"] = (pen.at(times.decided) + timedelta(days=1)).date()
    if scene.age < 18:
        fields |= {"looked_after": rng.random() < 0.2, "parent_or_carer_informed": rng.random() < 0.8}
    if scene.assessment in ("records_only", "none"):
        fields.pop("safety_plan", None)
    facts = _facts(pen) | fields | scene.disagrees
    # judged within 30 minutes of the decision, before or after it
    pen.write(pen.by("nurse"), Nurse, times.decided + rng.uniform(-6, 20), incident=pen.nurses_incident, **facts)


def paramedic(pen: Pen, transport: str) -> None:
    """The paramedic's contact."""
    scene, rng = pen.scene, pen.rng
    fields = _kept(
        pen,
        {
            "physical_need": scene.need,
            "initial_plan": scene.plan,
            "news2": min(20, int(rng.expovariate(0.6))),
            "conveyed": CONVEYED_BY.get(transport, "not_conveyed"),
            "capacity_to_decide_care": rng.choices(
                ("presumed", "assessed_has", "assessed_lacks", "not_assessed"), (60, 22, 6, 12)
            )[0],
        },
    )
    if scene.plan == "ed":
        fields["ed_reason"] = rng.choice(("overdose", "wound", "intoxication", "other_medical"))
    pen.write(pen.by("paramedic"), Paramedic, pen.times.decided + rng.uniform(0, 22), **_facts(pen) | fields)

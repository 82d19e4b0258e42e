"""The records of each profession that attended an incident: the contacts, and the intent on its own."""

from datetime import timedelta
from typing import Any

from triage.demo.incident import Scenario
from triage.demo.mix import Mix
from triage.demo.phone import Recorder
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


def _facts(recorder: Recorder) -> dict[str, Any]:
    """The facts of incident and person that every contact holds."""
    scenario = recorder.scenario
    facts: dict[str, Any] = {
        "log_ref": scenario.log_ref,
        "occurred_at": recorder.at(0),
        "area": scenario.area,
        "force_code": "E23000027" if scenario.area == "out_of_county" else None,
        "location_type": scenario.place,
        "someone_lives_there": scenario.someone_lives_there,
        "contact_mode": scenario.mode,
        "referral_source": scenario.source,
        "sex": scenario.sex,
        "ethnicity": scenario.ethnicity,
        "presenting": scenario.presenting,
        "legal_status": scenario.legal_status,
    }
    if scenario.mode == "attended":
        facts |= {"arrived_at": recorder.at(recorder.times.arrived), "left_at": recorder.at(recorder.times.left)}
    if "age" not in scenario.missing:
        facts |= _age(scenario)
    for name in scenario.missing & facts.keys():
        del facts[name]
    return facts


def _age(scenario: Scenario) -> dict[str, Any]:
    match scenario.age_shown:
        case "age":
            return {"age": scenario.age}
        case "verified":
            return {"age": scenario.age, "age_verified": True}
        case "could":
            return {"age_band": "unknown", "could_be_under_18": True}
        case "estimated":
            return {"age_band": band_of(scenario.age), "age_estimated": True}
    return {"age_band": band_of(scenario.age)}


def _kept(recorder: Recorder, fields: dict[str, Any]) -> dict[str, Any]:
    """A profession's own fields without those it did not get round to."""
    gaps, rng = recorder.scenario.gaps, recorder.rng
    return {name: value for name, value in fields.items() if rng.random() >= gaps}


def _intent(recorder: Recorder) -> IntentPart:
    scenario, times = recorder.scenario, recorder.times
    formed = times.formed if scenario.intent_source == "self" else times.arrived - 6
    referred = scenario.intent_source == "referring_officer"
    return IntentPart(
        power=scenario.power or "unsure",
        confidence=scenario.confidence,
        formed_at=recorder.at(formed),
        source=scenario.intent_source,
        referrer=f"{recorder.rng.randrange(9_000, 9_999)}" if referred else None,
        log_time=recorder.at(formed + 2) if referred else None,
        tests=scenario.tests if scenario.power == "s136" else None,
        evidence=scenario.evidence,
    )


def intent(recorder: Recorder) -> None:
    """The officer's intent, sent the moment it is formed."""
    recorder.write(recorder.by("police"), Intent, recorder.times.formed + 0.7, intent=_intent(recorder))


def officer(recorder: Recorder) -> None:
    """The police contact."""
    scenario, times, rng = recorder.scenario, recorder.times, recorder.rng
    used = scenario.disposal in ("s136_removed", "s136_kept")
    fields = _kept(
        recorder,
        {
            "offence": scenario.offence,
            "domestic_abuse": rng.random() < 0.08,
            "force_type": rng.choices(("none", "handcuffs", "other_restraint"), (78, 16, 6) if used else (97, 2, 1))[0],
            "immediate_danger": rng.choices(
                ("yes", "no", "unclear"), (60, 25, 15) if scenario.power == "s136" else (12, 76, 12)
            )[0],
            "referrals": [rng.choice(("none", "none", "none", "safeguarding_adult", "liaison_and_diversion"))]
            if scenario.age >= 18
            else [rng.choice(("safeguarding_child", "education_and_diversion_team"))],
            "note": rng.choice(NOTES) if rng.random() < 0.3 else None,
        },
    )
    if scenario.power and scenario.repeats:
        fields["intent"] = _intent(recorder)
    if scenario.necessity:
        fields["arrest_necessity"] = scenario.necessity
    if "nurse" in scenario.crew and scenario.consults:
        fields["consulted"] = Consulted(role="nurse", at=recorder.at(times.consulted))
    elif used:
        fields["not_consulted_reason"] = rng.choice(("imminent_danger", "no_answer", "no_signal"))
    facts = _facts(recorder)
    if used and "legal_status" in facts:
        facts |= {"legal_status": "s136", "legal_status_at": recorder.at(times.decided)}
    recorder.write(recorder.by("police"), Officer, times.left + rng.uniform(1, 9), **facts | fields)


def nurse(recorder: Recorder) -> None:
    """The nurse's contact."""
    scenario, times, rng = recorder.scenario, recorder.times, recorder.rng
    wants_follow_up = scenario.disposal == "community_follow_up"
    fields = _kept(
        recorder,
        {
            "known_to_services": rng.choices(
                ("open_caseload", "previous", "not_known", "not_checked"), (36, 33, 24, 7)
            )[0],
            "crisis_plan": rng.choice(("seen", "exists", "none", "none", "not_checked")),
            "assessment": scenario.assessment,
            "advice": scenario.advice,
            "advice_given_at": recorder.at(times.advised),
            "s136_justified": scenario.justified,
            "told_intent": scenario.told if scenario.power == "s136" else None,
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
        fields["follow_up_due"] = (recorder.at(times.decided) + timedelta(days=1)).date()
    if scenario.age < 18:
        fields |= {"looked_after": rng.random() < 0.2, "parent_or_carer_informed": rng.random() < 0.8}
    if scenario.assessment in ("records_only", "none"):
        fields.pop("safety_plan", None)
    facts = _facts(recorder) | fields | scenario.disagrees
    # judged within 30 minutes of the decision, before or after it
    recorder.write(
        recorder.by("nurse"), Nurse, times.decided + rng.uniform(-6, 20), incident=recorder.nurses_incident, **facts
    )


def paramedic(recorder: Recorder, transport: str) -> None:
    """The paramedic's contact."""
    scenario, rng = recorder.scenario, recorder.rng
    fields = _kept(
        recorder,
        {
            "physical_need": scenario.need,
            "initial_plan": scenario.plan,
            "news2": min(20, int(rng.expovariate(0.6))),
            "conveyed": CONVEYED_BY.get(transport, "not_conveyed"),
            "capacity_to_decide_care": rng.choices(
                ("presumed", "assessed_has", "assessed_lacks", "not_assessed"), (60, 22, 6, 12)
            )[0],
        },
    )
    if scenario.plan == "ed":
        fields["ed_reason"] = rng.choice(("overdose", "wound", "intoxication", "other_medical"))
    recorder.write(
        recorder.by("paramedic"), Paramedic, recorder.times.decided + rng.uniform(0, 22), **_facts(recorder) | fields
    )

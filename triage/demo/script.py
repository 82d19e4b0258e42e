"""The entries a scene leaves behind: who sent what, when it was captured, and when it came in."""

from datetime import datetime, timedelta
from random import Random
from typing import Any, TypeVar
from uuid import UUID

from msgspec import Struct, structs

from triage.demo.cast import Member
from triage.demo.detention import course
from triage.demo.scene import Mix, Scene
from triage.log.entries import (
    AnyEntry,
    Consulted,
    Detention,
    Entry,
    FollowUp,
    Intent,
    IntentPart,
    Nurse,
    Officer,
    Outcome,
    Paramedic,
    PersonLink,
)
from triage.times import LONDON

E = TypeVar("E", bound=AnyEntry)

NO_ATTENDANCE = ("stood_down", "not_attended")
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
TRANSPORTS = Mix({"ambulance": 52, "police_vehicle": 30, "triage_car": 10, "other_health_vehicle": 4, "unknown": 4})
VEHICLE_REASONS = Mix({"not_available_30_min": 58, "not_requested": 14, "retasked": 12, "risk": 12, "unknown": 4})
CONVEYED_BY = {"ambulance": "ambulance", "police_vehicle": "police", "triage_car": "triage_car", "none": "not_conveyed"}
HEALTH_REFERRALS = Mix(
    {"crisis_team": 34, "community_team": 22, "gp": 14, "crisis_cafe": 9, "mind": 6, "samaritans": 6, "drug_alcohol": 9}
)


class Sent(Struct, frozen=True, gc=False):
    """An entry as it came in.

    `author` is a key of the cast, `device` counts his phones from 0, `sent_at` is the service's clock on receipt, and
    `skew_ms` the phone's clock minus the service's.
    """

    author: str
    device: int
    sent_at: datetime
    skew_ms: int
    entry: AnyEntry


class Crew(Struct, frozen=True):
    """Who is on the car, by profession, and who works the next day."""

    on: dict[str, Member]
    sergeant: Member
    day_nurse: Member
    clinical_lead: Member

    def member(self, key: str) -> Member:
        """Who has this key."""
        everybody = (*self.on.values(), self.sergeant, self.day_nurse, self.clinical_lead)
        return next(member for member in everybody if member.key == key)


class Times(Struct, frozen=True):
    """When things happened, in minutes after the start."""

    arrived: float
    formed: float
    consulted: float
    advised: float
    decided: float
    left: float


class Pen:
    """Writes the entries of one incident into `sent`. Times are given in minutes after the start."""

    def __init__(self, rng: Random, scene: Scene, crew: Crew, begins: datetime) -> None:
        self.rng, self.scene, self.crew, self.begins = rng, scene, crew, begins
        self.sent: list[Sent] = []
        self.incident = uuid7(rng, begins)
        # two phones without signal make an id each for the same incident
        self.nurses_incident = uuid7(rng, begins) if scene.happens in ("split", "split_unnoticed") else self.incident
        arrived = rng.uniform(8, 35)
        formed = arrived + rng.uniform(1, 6)
        consulted = formed + rng.uniform(2, 6)
        advised = consulted + rng.uniform(6, 30)
        decided = advised + rng.uniform(8, 45)
        self.times = Times(arrived, formed, consulted, advised, decided, decided + rng.uniform(4, 25))

    def at(self, minute: float) -> datetime:
        """The instant, in whole seconds."""
        return self.begins + timedelta(seconds=int(minute * 60))

    def by(self, profession: str) -> Member:
        """Who of this profession came, else whoever did."""
        came = profession if profession in self.scene.crew else self.scene.crew[0]
        return self.crew.on[came]

    def write(
        self,
        author: Member,
        kind: type[E],
        minute: float,
        *,
        incident: UUID | None = None,
        device: int = 0,
        **fields: Any,
    ) -> E:
        """Record an entry captured at this minute and sent as soon as the author's phone has signal."""
        scene, rng = self.scene, self.rng
        captured = self.at(minute)
        entry = kind(
            id=uuid7(rng, captured),
            incident_id=incident or self.incident,
            captured_at=captured,
            codes_version=scene.codes_version,
            form_version=1,
            car="MHST 1",
            test=scene.test,
            **fields,
        )
        skew_ms, own_phone = int(rng.gauss(0, 400)), device == 0 and author is self.crew.on.get(author.profession)
        covered = captured
        if own_phone and author.profession in scene.offline:
            covered = max(captured, self.at(60 * scene.offline[author.profession]))
        if own_phone and author.profession in scene.wrong_clock:
            ahead = timedelta(minutes=scene.wrong_clock[author.profession])
            entry = _moved(entry, ahead)
            skew_ms += ahead // timedelta(milliseconds=1)
        sent_at = covered + timedelta(milliseconds=int(1_000 * (1 + rng.expovariate(1 / 20))))
        self.sent.append(Sent(author.key, device, sent_at, skew_ms, entry))
        return entry


def uuid7(rng: Random, at: datetime) -> UUID:
    """A version 7 UUID of this instant, its random part from `rng`."""
    return UUID(int=uuid7_number(rng, int(at.timestamp() * 1_000)))


def uuid7_number(rng: Random, milliseconds: int) -> int:
    """The 128 bits of a version 7 UUID (RFC 9562, section 5.7)."""
    random = rng.getrandbits(74)
    return milliseconds << 80 | 7 << 76 | random >> 62 << 64 | 2 << 62 | random & (1 << 62) - 1


def tell(pen: Pen) -> None:
    """Write every entry of the pen's scene but those about entries."""
    scene = pen.scene
    if scene.power in ("s136", "arrest_offence", "arrest_breach_of_peace") and scene.by_app and "police" in scene.crew:
        pen.write(pen.by("police"), Intent, pen.times.formed + 0.7, intent=_intent(pen))
    if scene.disposal in NO_ATTENDANCE:
        _stand_down(pen)
        return
    transport = _transport(pen)
    if "police" in scene.crew:
        _officer(pen)
    if "nurse" in scene.crew:
        _nurse(pen)
    if "paramedic" in scene.crew:
        _paramedic(pen, transport)
    if scene.disposal:
        _outcome(pen, transport)
    if scene.course:
        _detention(pen, scene.course)
    for hours, event in scene.follow_ups:
        _follow_up(pen, hours, event)
    if scene.person:
        _link(pen)


def _stand_down(pen: Pen) -> None:
    # for a stand-down, time, area and source are all the form asks
    scene, minute = pen.scene, pen.times.advised
    told: dict[str, Any] = {
        "occurred_at": pen.at(0),
        "area": scene.area,
        "referral_source": scene.source,
        "log_ref": scene.log_ref,
    }
    told = {name: value for name, value in told.items() if name not in scene.missing}
    author = pen.by("police")
    if author.profession == "police":
        pen.write(author, Officer, minute, **told)
    else:
        pen.write(author, Nurse, minute, **told)
    pen.write(
        author,
        Outcome,
        minute + 1,
        disposal=scene.disposal,
        decided_at=pen.at(minute),
        reason=scene.reason,
        transport="none",
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
            return {"age_band": band(scene.age), "age_estimated": True}
    return {"age_band": band(scene.age)}


def band(age: int) -> str:
    """The age band of an age in years."""
    for oldest, name in ((10, "under_11"), (15, "11_15"), (17, "16_17"), (34, "18_34"), (49, "35_49"), (64, "50_64")):
        if age <= oldest:
            return name
    return "65_plus"


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


def _officer(pen: Pen) -> None:
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


def _nurse(pen: Pen) -> None:
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


def _paramedic(pen: Pen, transport: str) -> None:
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


def _transport(pen: Pen) -> str:
    disposal, rng = pen.scene.disposal, pen.rng
    if disposal in ("s136_removed", "s135_removed", "returned_under_act"):
        return TRANSPORTS.draw(rng)
    if disposal in ("arrest_custody", "police_protection_s46"):
        return "police_vehicle"
    if disposal in ("ed_voluntary", "ed_capacity_act", "mh_unit_voluntary"):
        return rng.choice(("ambulance", "ambulance", "triage_car"))
    return "none"


def _outcome(pen: Pen, transport: str) -> None:
    scene, times, rng = pen.scene, pen.times, pen.rng
    police = (scene.disposal or "").startswith(
        ("s136", "s135", "arrest", "dearrested", "voluntary_interview", "police")
    )
    decided_by = scene.decided_by or ("officer" if police else rng.choice(("nurse", "nurse", "joint")))
    fields: dict[str, Any] = {
        "disposal": scene.disposal,
        "decided_at": pen.at(times.decided),
        "decided_by": decided_by,
        "location_type": scene.use_place,
        "transport": transport,
    }
    if transport == "police_vehicle" and (scene.disposal or "").startswith("s136"):
        reason = VEHICLE_REASONS.draw(rng)
        fields |= {"ambulance_requested": reason != "not_requested", "police_vehicle_reason": reason}
    if scene.outcome_after_hours:
        pen.write(pen.crew.day_nurse, Outcome, times.decided + 60 * scene.outcome_after_hours, **fields)
    else:
        pen.write(pen.by("police" if police else "nurse"), Outcome, times.decided + rng.uniform(2, 9), **fields)


def _detention(pen: Pen, name: str) -> None:
    power = "s135" if name == "warrant" else "s136"
    for step in course(pen.rng, name):
        minute = pen.times.decided + step.after
        # the car is soon gone: what follows is recorded by whoever is on duty
        author = pen.by("police") if step.by == "police" else pen.crew.day_nurse
        late = pen.rng.uniform(2, 12) if step.by == "police" else pen.rng.uniform(5, 90)
        pen.write(author, Detention, minute + late, event=step.event, at=pen.at(minute), power=power, **step.facts)


def _follow_up(pen: Pen, hours: float, event: str) -> None:
    rng = pen.rng
    minute = pen.times.decided + 60 * hours
    if not event.startswith(("later_", "serious_harm")):
        minute += _until_office_hours(pen.at(minute))
    fields: dict[str, Any] = {"event": event, "at": pen.at(minute)}
    if event in ("offered", "accepted", "kept", "missed", "declined_by_service"):
        fields["referral"] = "crisis_team"
    if event == "window_checked":
        fields["sources"] = ["trust_record", "police_s136_list"] if rng.random() < 0.7 else ["trust_record", "ed"]
    author = pen.crew.clinical_lead if event == "window_checked" else pen.crew.day_nurse
    pen.write(author, FollowUp, minute + rng.uniform(5, 120), **fields)


def _until_office_hours(at: datetime) -> float:
    """Minutes by which to put off what happens in office hours, 9 to 17; what was earlier stays earlier."""
    local = at.astimezone(LONDON)
    since_closing = (60 * local.hour + local.minute - 17 * 60) % 1_440
    # the 16 hours of the night go into the first 20 minutes of the day, its 8 hours into the rest of it
    return 960 - since_closing * 47 / 48 if since_closing < 960 else 20 - (since_closing - 960) / 24


def _link(pen: Pen) -> None:
    assert pen.scene.person
    pen.write(
        pen.by("nurse"),
        PersonLink,
        pen.times.left + pen.rng.uniform(10, 60),
        person_id=pen.scene.person.id,
        reason="identified",
    )


def _moved(part: Any, ahead: timedelta) -> Any:
    """The same entry, or part of one, as a phone with its clock `ahead` would have it."""
    changes: dict[str, Any] = {}
    for name in part.__struct_fields__:
        value = getattr(part, name)
        if isinstance(value, datetime):
            changes[name] = value + ahead
        elif isinstance(value, Struct):
            changes[name] = _moved(value, ahead)
    if isinstance(part, Entry) and part.id:
        changes["id"] = UUID(int=part.id.int + (ahead // timedelta(milliseconds=1) << 80))
    return structs.replace(part, **changes)

"""Everything a scene leaves in the log, but for entries about entries."""

from datetime import datetime
from typing import Any

from triage.demo import contacts
from triage.demo.detention import course
from triage.demo.incident import Mix
from triage.demo.phone import Pen
from triage.log.entries import Detention, FollowUp, Nurse, Officer, Outcome, PersonLink
from triage.times import LONDON

NO_ATTENDANCE = ("stood_down", "not_attended")
TRANSPORTS = Mix({"ambulance": 52, "police_vehicle": 30, "triage_car": 10, "other_health_vehicle": 4, "unknown": 4})
VEHICLE_REASONS = Mix({"not_available_30_min": 58, "not_requested": 14, "retasked": 12, "risk": 12, "unknown": 4})


def tell(pen: Pen) -> None:
    """Write every entry of the pen's scene but those about entries."""
    scene = pen.scene
    if scene.power in ("s136", "arrest_offence", "arrest_breach_of_peace") and scene.by_app and "police" in scene.crew:
        contacts.intent(pen)
    if scene.disposal in NO_ATTENDANCE:
        _stand_down(pen)
        return
    transport = _transport(pen)
    if "police" in scene.crew:
        contacts.officer(pen)
    if "nurse" in scene.crew:
        contacts.nurse(pen)
    if "paramedic" in scene.crew:
        contacts.paramedic(pen, transport)
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

"""Everything a scenario leaves in the log, but for entries about entries."""

from datetime import datetime
from typing import Any

from triage.demo import contacts
from triage.demo.detention import course
from triage.demo.mix import Mix
from triage.demo.phone import Recorder
from triage.log.entries import Detention, FollowUp, Nurse, Officer, Outcome, PersonLink
from triage.times import LONDON

NO_ATTENDANCE = ("stood_down", "not_attended")
TRANSPORTS = Mix({"ambulance": 52, "police_vehicle": 30, "triage_car": 10, "other_health_vehicle": 4, "unknown": 4})
VEHICLE_REASONS = Mix({"not_available_30_min": 58, "not_requested": 14, "retasked": 12, "risk": 12, "unknown": 4})


def write_entries(recorder: Recorder) -> None:
    """Write every entry of the recorder's scenario but those about entries."""
    scenario = recorder.scenario
    if (
        scenario.power in ("s136", "arrest_offence", "arrest_breach_of_peace")
        and scenario.by_app
        and "police" in scenario.crew
    ):
        contacts.intent(recorder)
    if scenario.disposal in NO_ATTENDANCE:
        _stand_down(recorder)
        return
    transport = _transport(recorder)
    wrote = scenario.crew if scenario.contacts else ()
    if "police" in wrote:
        contacts.officer(recorder)
    if "nurse" in wrote:
        contacts.nurse(recorder)
    if "paramedic" in wrote:
        contacts.paramedic(recorder, transport)
    if scenario.disposal:
        _outcome(recorder, transport)
    if scenario.course:
        _detention(recorder, scenario.course)
    for hours, event in scenario.follow_ups:
        _follow_up(recorder, hours, event)
    if scenario.person:
        _link(recorder)


def _stand_down(recorder: Recorder) -> None:
    # for a stand-down, time, area and source are all the form asks
    scenario, minute = recorder.scenario, recorder.times.advised
    told: dict[str, Any] = {
        "occurred_at": recorder.at(0),
        "area": scenario.area,
        "referral_source": scenario.source,
        "log_ref": scenario.log_ref,
    }
    told = {name: value for name, value in told.items() if name not in scenario.missing}
    author = recorder.by("police")
    if author.profession == "police":
        recorder.write(author, Officer, minute, **told)
    else:
        recorder.write(author, Nurse, minute, **told)
    recorder.write(
        author,
        Outcome,
        minute + 1,
        disposal=scenario.disposal,
        decided_at=recorder.at(minute),
        reason=scenario.reason,
        transport="none",
    )


def _transport(recorder: Recorder) -> str:
    disposal, rng = recorder.scenario.disposal, recorder.rng
    if disposal in ("s136_removed", "s135_removed", "returned_under_act"):
        return TRANSPORTS.draw(rng)
    if disposal in ("arrest_custody", "police_protection_s46"):
        return "police_vehicle"
    if disposal in ("ed_voluntary", "ed_capacity_act", "mh_unit_voluntary"):
        return rng.choice(("ambulance", "ambulance", "triage_car"))
    return "none"


def _outcome(recorder: Recorder, transport: str) -> None:
    scenario, times, rng = recorder.scenario, recorder.times, recorder.rng
    police = (scenario.disposal or "").startswith(
        ("s136", "s135", "arrest", "dearrested", "voluntary_interview", "police")
    )
    decided_by = scenario.decided_by or ("officer" if police else rng.choice(("nurse", "nurse", "joint")))
    fields: dict[str, Any] = {
        "disposal": scenario.disposal,
        "decided_at": recorder.at(times.decided),
        "decided_by": decided_by,
        "location_type": scenario.use_place,
        "transport": transport,
    }
    if transport == "police_vehicle" and (scenario.disposal or "").startswith("s136"):
        reason = VEHICLE_REASONS.draw(rng)
        fields |= {"ambulance_requested": reason != "not_requested", "police_vehicle_reason": reason}
    if scenario.outcome_after_hours:
        recorder.write(recorder.crew.day_nurse, Outcome, times.decided + 60 * scenario.outcome_after_hours, **fields)
    else:
        recorder.write(
            recorder.by("police" if police else "nurse"), Outcome, times.decided + rng.uniform(2, 9), **fields
        )


def _detention(recorder: Recorder, name: str) -> None:
    power = "s135" if name == "warrant" else "s136"
    for step in course(recorder.rng, name):
        minute = recorder.times.decided + step.after
        # the car is soon gone: what follows is recorded by whoever is on duty
        author = recorder.by("police") if step.by == "police" else recorder.crew.day_nurse
        late = step.late + (recorder.rng.uniform(2, 12) if step.by == "police" else recorder.rng.uniform(5, 90))
        recorder.write(
            author, Detention, minute + late, event=step.event, at=recorder.at(minute), power=power, **step.facts
        )


def _follow_up(recorder: Recorder, hours: float, event: str) -> None:
    rng = recorder.rng
    minute = recorder.times.decided + 60 * hours
    if not event.startswith(("later_", "serious_harm")):
        minute += _until_office_hours(recorder.at(minute))
    fields: dict[str, Any] = {"event": event, "at": recorder.at(minute)}
    if event in ("offered", "accepted", "kept", "missed", "declined_by_service"):
        fields["referral"] = "crisis_team"
    if event == "window_checked":
        fields["sources"] = ["trust_record", "police_s136_list"] if rng.random() < 0.7 else ["trust_record", "ed"]
    author = recorder.crew.clinical_lead if event == "window_checked" else recorder.crew.day_nurse
    recorder.write(author, FollowUp, minute + rng.uniform(5, 120), **fields)


def _until_office_hours(at: datetime) -> float:
    """Minutes by which to put off what happens in office hours, 9 to 17; what was earlier stays earlier."""
    local = at.astimezone(LONDON)
    since_closing = (60 * local.hour + local.minute - 17 * 60) % 1_440
    # the 16 hours of the night go into the first 20 minutes of the day, its 8 hours into the rest of it
    return 960 - since_closing * 47 / 48 if since_closing < 960 else 20 - (since_closing - 960) / 24


def _link(recorder: Recorder) -> None:
    assert recorder.scenario.person
    recorder.write(
        recorder.by("nurse"),
        PersonLink,
        recorder.times.left + recorder.rng.uniform(10, 60),
        person_id=recorder.scenario.person.id,
        reason="identified",
    )

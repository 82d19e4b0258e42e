"""The facts of incidents, derived from their entries. All times are corrected for skew."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from triage.log import intents, links, timeline
from triage.log.blindness import ServedIntent, with_blindness
from triage.log.detention import CLOCK
from triage.log.diversion_rules import Grading
from triage.log.effective import EffectiveEntry, captured
from triage.log.entries import Contact, Detention, NotSameIncident, Outcome, SameIncident, StoredEntry, Withdrawal
from triage.log.flags import LATE
from triage.log.grading_inputs import contemporaneous
from triage.log.incident import Incident, fold
from triage.log.intents import RecordedIntent
from triage.log.related import related_events
from triage.log.timeline import DatedOutcome
from triage.log.view import DetentionView, IncidentView, StayView
from triage.summaries.facts import ASKED, DatedEvent, DatedFollowUp, GradeResult, IncidentFact, OnScene, Stay
from triage.terms import Terms

ARRESTS = ("arrest_custody", "arrest_street_bail", "dearrested")
"""Disposals that follow an arrest."""
JUDGED = ("face_to_face", "phone")
"""Assessments in which a nurse saw or spoke to the person."""


def fact_of(incident: Incident, others: Iterable[timeline.PersonEvent] = ()) -> IncidentFact:
    """The fact of an incident, folded from all its entries with what other incidents of the person contribute."""
    return IncidentFact(
        id=incident.id,
        seq=incident.view.seq,
        counts=incident.counts,
        at=incident.happened_at,
        people=incident.people,
        overdue_at=incident.overdue_at,
        **_as_seen(incident.view),
        **_decisions(incident),
        **_detention(incident),
        **_grades(incident),
        **_afterwards(incident, others),
        **_quality(incident),
    )


_FactFields = dict[str, Any]
"""Some fields of a fact."""


def _as_seen(view: IncidentView) -> _FactFields:
    same = ("status", "area", "car", "contact_mode", "age_band", "under_18", "sex")
    return {
        **{name: getattr(view, name) for name in same},
        "ethnicity": view.ethnicity,
        "presenting": view.presenting or (),
        "force_type": view.force_type,
        "offence": view.offence if isinstance(view.offence, str) else None,
    }


def _decisions(incident: Incident) -> _FactFields:
    outcomes = incident.outcomes
    first, latest = timeline.first_disposal(outcomes), timeline.latest_outcome(outcomes)
    uses = [outcome.effective.entry for outcome in outcomes if outcome.power]
    return {
        "disposals": tuple(outcome.disposal for outcome in outcomes),
        "first": first.disposal if first else None,
        "decided_at": first.at if first else None,
        "latest": latest.disposal if latest else None,
        "transport": _first_known(uses, "transport"),
        "ambulance_requested": _first_known(uses, "ambulance_requested"),
        "vehicle_reason": _first_known(uses, "police_vehicle_reason"),
        "consulted": _consulted(incident),
        "arrested": _arrested(incident.entries.contacts, outcomes),
    }


def _detention(incident: Incident) -> _FactFields:
    latest, episodes, steps = incident.view.detention, incident.view.detentions, incident.entries.detentions
    died = any(event.code == "died" for event in incident.events)
    return {
        "s136_at": incident.used["s136"].at if "s136" in incident.used else None,
        "s135_at": incident.used["s135"].at if "s135" in incident.used else None,
        "clock_started_at": _clock_started_at(episodes),
        "expires_at": latest.expires_at if latest else None,
        "ended_at": _earliest(steps, "ended"),
        "result": latest.result if latest and isinstance(latest.result, str) else None,
        "running": latest is not None and latest.ended_at is None and not died,
        "extended_minutes": max((episode.extended_minutes for episode in episodes), default=0),
        "assessed_at": _earliest(steps, "examined_by_doctor", "amhp_interview"),
        "stays": _stays(incident),
    }


def _grades(incident: Incident) -> _FactFields:
    intent = intents.earliest(incident.intents, ("s136",))
    return {
        "s136": _graded(incident.diversion.s136),
        "custody": _graded(incident.diversion.custody),
        "ed_avoided": incident.diversion.ed.avoided,
        "ed_pending_until": incident.diversion.ed.pending_until,
        "confidence": intent.part.confidence if intent else None,
        "contemporaneous": intent is not None and contemporaneous(intent, incident.inputs),
        "intent_took": _took(incident.entries.stored, intent) if intent else None,
        "judgements": _judgements(incident),
    }


def _afterwards(incident: Incident, others: Iterable[timeline.PersonEvent]) -> _FactFields:
    referrals = _referrals(incident.entries.contacts)
    elsewhere = [event for event in others if not event.gone and event.code != "held"]
    return {
        "referrals": tuple(sorted(referrals - {"none"})),
        "referrals_asked": bool(referrals),
        "follow_up_due": any(nurse.entry.follow_up_due for nurse in incident.entries.nurses),
        "follow_ups": tuple(
            DatedFollowUp(later.entry.event, later.corrected(later.entry.at), later.entry.referral)
            for later in incident.entries.follow_ups
        ),
        "events": tuple(DatedEvent(event.code, event.at) for event in incident.events),
        "others": tuple(DatedEvent(event.code, event.at) for event in elsewhere),
    }


def _quality(incident: Incident) -> _FactFields:
    contacts, stored = incident.entries.contacts, incident.entries.stored
    owing = {contact.stored.profession for contact in contacts}
    return {
        "flags": (*incident.view.flags, *incident.conflicts),
        "answered": tuple(name for name in ASKED if _is_answered(incident, name)),
        "by_profession": _completeness(contacts),
        "owing": () if incident.outcomes else tuple(sorted(owing)),
        "on_scene": _on_scene(contacts),
        "entries": len(stored),
        "late_entries": sum(
            entry.received_at - captured(entry) > LATE and not entry.received_again for entry in stored
        ),
    }


def facts_of(
    stored: Iterable[StoredEntry],
    related: Mapping[UUID, Iterable[timeline.PersonEvent]] = {},
    served: Collection[ServedIntent] | None = None,
    *,
    terms: Terms,
) -> list[IncidentFact]:
    """Every incident that these entries add up to, graded with what the other incidents of its people contribute.

    `related` is what incidents of which there is no entry here contribute, by the incident that it concerns. `served`
    decides which judgements were blind, where the entries do not say so already.
    """
    entries = list(stored)
    statements = [entry for entry in entries if isinstance(entry.entry, SameIncident | NotSameIncident | Withdrawal)]
    root = {i: component.id for component in links.components(statements) for i in component.incident_ids}
    groups: dict[UUID, list[StoredEntry]] = defaultdict(list)
    for entry in entries:
        groups[root.get(entry.entry.incident_id, entry.entry.incident_id)].append(entry)
    if served is not None:
        groups = {i: _with_blindness(group, served) for i, group in groups.items()}
    incidents = {i: fold(group, terms=terms, ids=links.incident_ids(group)) for i, group in groups.items()}
    told = related_events(incidents.values())
    return [
        fact_of(fold(groups[i], others, terms=terms, ids=incident.incident_ids) if others else incident, others)
        for i, incident in incidents.items()
        for others in [_others(incident, told[incident.id], related)]
    ]


def _with_blindness(group: list[StoredEntry], served: Iterable[ServedIntent]) -> list[StoredEntry]:
    ids = links.incident_ids(group)
    return with_blindness(group, [row for row in served if row.incident_id in ids])


def _others(
    incident: Incident,
    told: Iterable[timeline.PersonEvent],
    related: Mapping[UUID, Iterable[timeline.PersonEvent]],
) -> tuple[timeline.PersonEvent, ...]:
    """The events told by the other incidents here, and by those of which there is no entry here."""
    elsewhere = (event for i in incident.incident_ids for event in related.get(i, ()))
    events = {*told, *(event for event in elsewhere if incident.people or event.gone)}
    return tuple(sorted(events, key=lambda event: (event.at, event.code, event.entry.bytes)))


def _graded(grading: Grading) -> GradeResult:
    return GradeResult(grading.grade, grading.reason, grading.window, grading.pending_until)


def _first_known(outcomes: Iterable[Outcome], name: str) -> Any:
    """The first answer that outcomes which used s136 or s135 give; a coded missing value only where there is none."""
    answers = [answer for outcome in outcomes if (answer := getattr(outcome, name)) is not None]
    return next((answer for answer in answers if answer != "unknown"), answers[0] if answers else None)


def _arrested(contacts: Iterable[EffectiveEntry[Contact]], outcomes: Iterable[DatedOutcome]) -> bool | None:
    """Nobody is asked whether there was no arrest, so that none is known."""
    was = any(contact.entry.legal_status == "arrested" for contact in contacts)
    return was or any(outcome.disposal in ARRESTS for outcome in outcomes) or None


def _clock_started_at(episodes: Sequence[DetentionView]) -> datetime | None:
    """When the clock of the first detention started."""
    if not episodes or episodes[0].expires_at is None:
        return None
    return episodes[0].expires_at - CLOCK - timedelta(minutes=episodes[0].extended_minutes)


def _consulted(incident: Incident) -> bool | None:
    """Whether somebody was consulted, before s136 was used where it was; None where police wrote nothing of it."""
    used_at, officers = _used_at(incident), incident.entries.officers
    consulted = [(officer, officer.entry.consulted) for officer in officers if officer.entry.consulted]
    if any(used_at is None or part.at is None or officer.corrected(part.at) <= used_at for officer, part in consulted):
        return True
    return False if consulted or any(officer.entry.not_consulted_reason for officer in officers) else None


def _used_at(incident: Incident) -> datetime | None:
    """When s136 was first used, as far as an entry gives its time."""
    undated = {outcome.entry for outcome in incident.outcomes if outcome.at is None}
    undated |= {contact.id for contact in incident.entries.contacts if contact.entry.legal_status_at is None}
    uses = timeline.power_uses(incident.entries, incident.outcomes)
    return min((use.at for power, use in uses if power == "s136" and use.entry not in undated), default=None)


def _earliest(detentions: Iterable[EffectiveEntry[Detention]], *events: str) -> datetime | None:
    """When the first of these events was, whatever order they were sent in."""
    times = [step.corrected(step.entry.at) for step in detentions if step.entry.event in events]
    return min(times, default=None)


def _stays(incident: Incident) -> tuple[Stay, ...]:
    """The stays of every detention, in order. A first one without any is a stay of which nothing is known."""
    episodes = incident.view.detentions
    reasons = {
        step.entry.place_of_safety: step.entry.place_reason
        for step in reversed(incident.entries.detentions)
        if step.entry.place_reason
    }
    stays = tuple(
        Stay(stay.place_of_safety, reasons.get(stay.place_of_safety), _handover_minutes(stay))
        for episode in episodes
        for stay in episode.places
    )
    return (Stay(None, None, None), *stays) if stays and not episodes[0].places else stays


def _handover_minutes(stay: StayView) -> int | None:
    """From arrival at the site, in begun minutes: a handover of a second over the target is over it."""
    if stay.handover_at is None or stay.arrived_at is None:
        return None
    return -((stay.arrived_at - stay.handover_at) // timedelta(minutes=1))


def _took(stored: Iterable[StoredEntry], intent: RecordedIntent) -> float | None:
    received_at = next((entry.received_at for entry in stored if entry.id == intent.entry), None)
    return None if received_at is None else (received_at - intent.captured) / timedelta(minutes=1)


def _judgements(incident: Incident) -> tuple[tuple[bool, bool], ...]:
    """An officer's intent and a nurse's blind judgement of the same incident, each formed without the other's."""
    in_force = [intent.part for intent in incident.intents if intent.state == "stands"]
    if not in_force:
        return ()
    officer = any(part.power == "s136" and (part.confidence or 0) >= 2 for part in in_force)
    return tuple(
        (officer, nurse.entry.s136_justified == "yes")
        for nurse in incident.entries.nurses
        if nurse.entry.s136_justified in ("yes", "no")
        and nurse.entry.assessment in JUDGED
        and nurse.entry.told_intent is False
        and nurse.stored.blind
        and not nurse.versions
    )


def _referrals(contacts: Iterable[EffectiveEntry[Any]]) -> set[str]:
    return {code for contact in contacts for code in getattr(contact.entry, "referrals", None) or ()}


def _is_answered(incident: Incident, name: str) -> bool:
    if name in ("occurred_at", "area", "age"):
        return any(_answers(contact.entry, name) for contact in incident.entries.contacts)
    value = getattr(incident.view, name)
    return bool(value) if name == "presenting" else value is not None


def _answers(entry: Contact, name: str) -> bool:
    """Whether one contact answers; a coded missing value is an answer."""
    if name == "age":
        return entry.age is not None or entry.age_band is not None
    return getattr(entry, name) is not None


def _completeness(contacts: Iterable[EffectiveEntry[Contact]]) -> tuple[tuple[str, int], ...]:
    best: dict[str, set[str]] = {}
    for contact in contacts:
        answered = {name for name in ASKED if _answers(contact.entry, name)}
        best.setdefault(contact.stored.profession, set()).update(answered)
    return tuple((profession, len(names)) for profession, names in sorted(best.items()))


def _on_scene(contacts: Iterable[EffectiveEntry[Contact]]) -> tuple[OnScene, ...]:
    return tuple(OnScene(contact.stored.profession, _minutes(contact.entry)) for contact in contacts)


def _minutes(entry: Contact) -> float | None:
    if entry.arrived_at is None or entry.left_at is None or entry.left_at < entry.arrived_at:
        return None
    return (entry.left_at - entry.arrived_at) / timedelta(minutes=1)

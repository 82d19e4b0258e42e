"""What measures need of an incident: a narrow row, made from the incident as its entries add up.

A fact holds nothing that depends on the time of reading: whether a grade is still P, how old an open outcome is, or how
much of a clock is left follows from the instant that a summary is computed for. All times are corrected for skew.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct, structs

from triage import codes
from triage.log import intents, links, timeline
from triage.log.diversion import Grading
from triage.log.effective import EffectiveEntry, captured
from triage.log.entries import Contact, NotSameIncident, SameIncident, StoredEntry, Withdrawal
from triage.log.flags import LATE
from triage.log.grading_inputs import GradingInputs, contemporaneous
from triage.log.incident import Incident, fold, person_events
from triage.log.timeline import DatedOutcome

FACTS_VERSION = 2
"""Moves on when a field is added or means something else: facts kept under another version are made anew."""

ASKED: tuple[str, ...] = (
    "occurred_at",
    "area",
    "location_type",
    "contact_mode",
    "referral_source",
    "age",
    "sex",
    "ethnicity",
    "presenting",
    "legal_status",
)
"""The fields that every contact is asked for; age is answered by years or a band."""

JUDGED = ("face_to_face", "phone")


class FactPart(Struct, frozen=True, array_like=True, gc=False):
    """A part of a fact, kept as an array: field names would be most of its bytes."""


class GradeResult(FactPart, frozen=True):
    """A grade of DIV-1. Until `pending_until` it is P; `reason` names a null grade."""

    grade: str | None
    reason: str | None
    window: str | None
    sub_type: str | None
    pending_until: datetime | None

    def at(self, now: datetime) -> str | None:
        """The grade as it stands at an instant."""
        return "P" if self.pending_until and now < self.pending_until else self.grade


class Stay(FactPart, frozen=True):
    """A stay at a place of safety; minutes from arrival at the site to the end of the handover."""

    place: str | None
    reason: str | None
    handover_minutes: int | None


class DatedEvent(FactPart, frozen=True):
    """Something that befell the person (codes of `triage.log.course.PersonEvent`), here or in another incident."""

    code: str
    at: datetime


class FollowUpEvent(FactPart, frozen=True):
    """A follow-up event."""

    event: str
    at: datetime
    referral: str | None


class OnScene(FactPart, frozen=True):
    """Minutes of one contact on the scene; None where either time is missing."""

    profession: str
    minutes: float | None


class IncidentFact(FactPart, frozen=True):
    """One incident, the counting unit of every number. Codes are those of the entries."""

    id: UUID
    seq: int
    counts: bool
    at: datetime
    status: str
    area: str
    car: str | None
    contact_mode: str | None
    referral_source: str | None
    location_type: str | None
    age_band: str | None
    under_18: bool
    sex: str | None
    ethnicity: str | None
    presenting: str | None
    # decisions
    first: str | None
    decided_at: datetime | None
    latest: str | None
    not_attended: str | None
    transport: str | None
    ambulance_requested: bool | None
    vehicle_reason: str | None
    consulted: bool | None
    not_consulted: str | None
    offence: str | None
    # detention
    s136_at: datetime | None
    s135_at: datetime | None
    arrived_at: datetime | None
    expires_at: datetime | None
    ended_at: datetime | None
    result: str | None
    running: bool
    extended_minutes: int
    assessed_at: datetime | None
    stays: tuple[Stay, ...]
    ed_reason: str | None
    # derived
    s136: GradeResult
    custody: GradeResult
    ed_avoided: bool | None
    ed_pending_until: datetime | None
    confidence: int | None
    contemporaneous: bool
    judgements: tuple[tuple[bool, bool], ...]
    """Whether the officer, and whether a nurse who did not know it, thought s136 justified."""
    # afterwards
    referrals: tuple[str, ...]
    follow_up_due: bool
    follow_ups: tuple[FollowUpEvent, ...]
    events: tuple[DatedEvent, ...]
    others: tuple[DatedEvent, ...]
    """What befell the person, by this incident's entries and by those of the person's other incidents."""
    people: tuple[UUID, ...]
    overdue_at: datetime | None
    # quality
    flags: tuple[str, ...]
    answered: tuple[str, ...]
    by_profession: tuple[tuple[str, int], ...]
    """How many of the asked fields each profession that wrote a contact answered."""
    owing: tuple[str, ...]
    on_scene: tuple[OnScene, ...]
    entries: int
    late_entries: int

    @property
    def used_s136(self) -> bool:
        return self.s136_at is not None

    @property
    def considered(self) -> bool:
        """Whether a s136 intent is on record, used or not, and not corrected away."""
        return self.s136.reason not in ("none", "corrected")


class Profile(Struct, frozen=True, array_like=True):
    """What the pooled tables ask of an incident, and no more: few enough that the database counts them."""

    ethnicity: str | None
    sex: str | None
    age_band: str | None
    used_s136: bool
    grade: str | None


class RecentIncident(Struct, frozen=True, gc=False):
    """A fact with what is not the incident's own: whether the machine suggests a duplicate."""

    fact: IncidentFact
    duplicate: bool


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(IncidentFact).decode


def encode(fact: IncidentFact) -> bytes:
    """The bytes to keep."""
    return _encode(fact)


def decode(body: bytes) -> IncidentFact:
    """The fact that was kept."""
    return _decode(body)


_profile = msgspec.json.Encoder().encode
_read_profile = msgspec.json.Decoder(Profile).decode


def profile_of(fact: IncidentFact) -> str | None:
    """The profile to keep, with the grade that is no longer pending; None for what counts nowhere."""
    return _profile(_profile_of(fact, fact.s136.grade)).decode() if fact.counts else None


def read_profile(text: str, pending: bool) -> Profile:
    """A kept profile as it stands at an instant: P where the 24 hours are not over then."""
    profile = _read_profile(text)
    return structs.replace(profile, grade="P") if pending else profile


def profile_at(fact: IncidentFact, now: datetime) -> Profile:
    """The profile as it stands at an instant."""
    return _profile_of(fact, fact.s136.at(now))


def _profile_of(fact: IncidentFact, grade: str | None) -> Profile:
    return Profile(fact.ethnicity, fact.sex, fact.age_band, fact.used_s136, grade)


def fact_of(incident: Incident, others: Iterable[timeline.PersonEvent] = ()) -> IncidentFact:
    """The fact of an incident, folded from all its entries with what other incidents of the person contribute."""
    view, record = incident.view, incident.entries
    decided = incident.outcomes
    first, latest = timeline.first_disposal(decided), timeline.latest_outcome(decided)
    use = _outcome_of_use(decided)
    claim = intents.earliest(incident.intents, ("s136",))
    detention = view.detention
    steps = {one.entry.event: one for one in reversed(record.detentions)}
    return IncidentFact(
        id=incident.id,
        seq=view.seq,
        counts=incident.counts,
        at=incident.happened_at,
        status=view.status,
        area=view.area,
        car=view.car,
        contact_mode=view.contact_mode,
        referral_source=view.referral_source,
        location_type=view.location_type,
        age_band=view.age_band,
        under_18=view.under_18,
        sex=view.sex,
        ethnicity=view.ethnicity,
        presenting=view.presenting[0] if view.presenting else None,
        first=first.disposal if first else None,
        decided_at=first.at if first else None,
        latest=latest.disposal if latest else None,
        not_attended=first.effective.entry.reason if first and first.disposal == "not_attended" else None,
        transport=use.effective.entry.transport if use else None,
        ambulance_requested=use.effective.entry.ambulance_requested if use else None,
        vehicle_reason=use.effective.entry.police_vehicle_reason if use else None,
        consulted=_consulted(record.officers),
        not_consulted=next(
            (o.entry.not_consulted_reason for o in record.officers if o.entry.not_consulted_reason), None
        ),
        offence=view.offence if isinstance(view.offence, str) else None,
        s136_at=incident.used["s136"].at if "s136" in incident.used else None,
        s135_at=incident.used["s135"].at if "s135" in incident.used else None,
        arrived_at=_earliest(steps, "arrived_site", "entered"),
        expires_at=detention.expires_at if detention else None,
        ended_at=_earliest(steps, "ended") if detention and detention.ended_at else None,
        result=detention.result if detention and isinstance(detention.result, str) else None,
        running=detention is not None and detention.ended_at is None,
        extended_minutes=detention.extended_minutes if detention else 0,
        assessed_at=_earliest(steps, "examined_by_doctor", "amhp_interview"),
        stays=_stays(incident),
        ed_reason=next((one.entry.ed_reason for one in reversed(record.paramedics) if one.entry.ed_reason), None),
        s136=_graded(incident.diversion.s136),
        custody=_graded(incident.diversion.custody),
        ed_avoided=incident.diversion.ed.avoided,
        ed_pending_until=incident.diversion.ed.pending_until,
        confidence=claim.part.confidence if claim else None,
        contemporaneous=claim is not None and contemporaneous(claim, _as_facts(incident, first)),
        judgements=_judgements(incident),
        referrals=tuple(sorted(_referrals(record.contacts))),
        follow_up_due=any(one.entry.follow_up_due for one in record.nurses),
        follow_ups=tuple(
            FollowUpEvent(one.entry.event, one.corrected(one.entry.at), one.entry.referral) for one in record.follow_ups
        ),
        events=tuple(DatedEvent(event.code, event.at) for event in incident.events),
        others=tuple(DatedEvent(event.code, event.at) for event in others),
        people=incident.people,
        overdue_at=incident.overdue_at,
        flags=(*view.flags, *incident.conflicts),
        answered=tuple(name for name in ASKED if _is_answered(incident, name)),
        by_profession=_completeness(record.contacts),
        owing=() if decided else tuple(sorted({one.stored.profession for one in record.contacts})),
        on_scene=_on_scene(record.contacts),
        entries=len(record.stored),
        late_entries=sum(one.received_at - captured(one) > LATE for one in record.stored),
    )


def facts_of(
    held: Iterable[StoredEntry], related: Mapping[UUID, Iterable[timeline.PersonEvent]] = {}
) -> list[IncidentFact]:
    """Every incident that these entries add up to, graded with what the other incidents of its people contribute.

    `related` is what incidents of which there is no entry here contribute, by the incident that it concerns.
    """
    entries = list(held)
    statements = [one for one in entries if isinstance(one.entry, SameIncident | NotSameIncident | Withdrawal)]
    root = {i: part.id for part in links.components(statements) for i in part.incident_ids}
    groups: dict[UUID, list[StoredEntry]] = defaultdict(list)
    for one in entries:
        groups[root.get(one.entry.incident_id, one.entry.incident_id)].append(one)
    incidents = {i: fold(group, ids=links.incident_ids(group)) for i, group in groups.items()}
    of_person: dict[UUID, list[Incident]] = defaultdict(list)
    for incident in incidents.values():
        for person in incident.people:
            of_person[person].append(incident)
    return [
        fact_of(fold(groups[i], others, ids=incident.incident_ids) if others else incident, others)
        for i, incident in incidents.items()
        for others in [_others(incident, of_person, related)]
    ]


def _others(
    incident: Incident,
    of_person: Mapping[UUID, Sequence[Incident]],
    related: Mapping[UUID, Iterable[timeline.PersonEvent]],
) -> tuple[timeline.PersonEvent, ...]:
    found = {
        event
        for person in incident.people
        for other in of_person[person]
        if other.id != incident.id
        for event in person_events(other)
    }
    if incident.people:
        found |= {event for i in incident.incident_ids for event in related.get(i, ())}
    return tuple(sorted(found, key=lambda event: (event.at, event.code, event.entry.bytes)))


def _graded(grading: Grading) -> GradeResult:
    return GradeResult(grading.grade, grading.reason, grading.window, grading.sub_type, grading.pending_until)


def _as_facts(incident: Incident, first: DatedOutcome | None) -> GradingInputs:
    return GradingInputs(
        entries=incident.entries,
        intents=incident.intents,
        outcomes=incident.outcomes,
        first=first,
        decided_at=first.at if first else None,
        used=incident.used,
        events=incident.events,
        location_type=incident.view.location_type,
        someone_lives_there=incident.someone_lives_there,
        disposal_conflict="conflict:disposal" in incident.conflicts,
    )


def _outcome_of_use(decided: Iterable[DatedOutcome]) -> DatedOutcome | None:
    """The first outcome that used s136 or s135: its transport is the one the annual return asks for."""
    return next((one for one in decided if one.disposal in timeline.USES), None)


def _consulted(officers: Iterable[EffectiveEntry[Any]]) -> bool | None:
    entries = [one.entry for one in officers]
    if any(entry.consulted for entry in entries):
        return True
    return False if any(entry.not_consulted_reason for entry in entries) else None


def _earliest(steps: dict[str, EffectiveEntry[Any]], *events: str) -> datetime | None:
    times = [steps[event].corrected(steps[event].entry.at) for event in events if event in steps]
    return min(times, default=None)


def _stays(incident: Incident) -> tuple[Stay, ...]:
    detention = incident.view.detention
    if detention is None:
        return ()
    reasons = {
        one.entry.place_of_safety: one.entry.place_reason
        for one in reversed(incident.entries.detentions)
        if one.entry.place_reason
    }
    return tuple(
        Stay(stay.place_of_safety, reasons.get(stay.place_of_safety), stay.handover_minutes)
        for stay in detention.places
    )


def _judgements(incident: Incident) -> tuple[tuple[bool, bool], ...]:
    """An officer's intent and a nurse's blind judgement of the same incident, each formed without the other's."""
    stands = [claim for claim in incident.intents if claim.state == "stands"]
    if not stands:
        return ()
    officer = any(claim.part.power == "s136" and (claim.part.confidence or 0) >= 2 for claim in stands)
    return tuple(
        (officer, one.entry.s136_justified == "yes")
        for one in incident.entries.nurses
        if one.entry.s136_justified in ("yes", "no")
        and one.entry.assessment in JUDGED
        and one.entry.told_intent is False
        and one.stored.blind
        and not one.versions
    )


def _referrals(contacts: Iterable[EffectiveEntry[Any]]) -> set[str]:
    return {code for one in contacts for code in getattr(one.entry, "referrals", None) or () if code != "none"}


def _is_answered(incident: Incident, name: str) -> bool:
    if name == "age":
        return not codes.is_missing("age_band", incident.view.age_band)
    if name in ("occurred_at", "area"):
        return any(_answers(one.entry, name) for one in incident.entries.contacts)
    value = getattr(incident.view, name)
    return bool(value) if name == "presenting" else value is not None


def _answers(entry: Contact, name: str) -> bool:
    """Whether one contact answers; a coded missing value is an answer, but for the area, which has none."""
    if name == "age":
        return entry.age is not None or entry.age_band is not None
    return getattr(entry, name) is not None


def _completeness(contacts: Iterable[EffectiveEntry[Contact]]) -> tuple[tuple[str, int], ...]:
    best: dict[str, set[str]] = {}
    for one in contacts:
        best.setdefault(one.stored.profession, set()).update(name for name in ASKED if _answers(one.entry, name))
    return tuple((profession, len(names)) for profession, names in sorted(best.items()))


def _on_scene(contacts: Iterable[EffectiveEntry[Contact]]) -> tuple[OnScene, ...]:
    return tuple(OnScene(one.stored.profession, _minutes(one.entry)) for one in contacts)


def _minutes(entry: Contact) -> float | None:
    if entry.arrived_at is None or entry.left_at is None or entry.left_at < entry.arrived_at:
        return None
    return (entry.left_at - entry.arrived_at) / timedelta(minutes=1)

"""The facts of an incident for measures: a narrow row, derived from the incident as its entries add up.

A fact holds nothing that depends on the time of reading: whether a grade is still P, how old an open outcome is, or how
much of a clock is left follows from the instant that a summary is computed for. All times are corrected for skew.
"""

from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from msgspec import Struct, structs

FACTS_VERSION = 7
"""Moves on when a field is added, goes or means something else: facts kept under another version are made anew."""

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


class FactPart(Struct, frozen=True, array_like=True, gc=False):
    """A part of a fact, kept as an array: field names would be most of its bytes."""


class GradeResult(FactPart, frozen=True):
    """A grade of DIV-1. Until `pending_until` it is P; `reason` names a null grade."""

    grade: str | None
    reason: str | None
    window: str | None
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
    """Something that befell the person (codes of `triage.log.timeline.PersonEvent`), here or in another incident."""

    code: str
    at: datetime


class DatedFollowUp(FactPart, frozen=True):
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
    age_band: str | None
    under_18: bool
    sex: str | None
    ethnicity: str | None
    presenting: tuple[str, ...]
    force_type: str | None
    # decisions
    disposals: tuple[str, ...]
    """Of every outcome in force."""
    first: str | None
    decided_at: datetime | None
    latest: str | None
    transport: str | None
    ambulance_requested: bool | None
    vehicle_reason: str | None
    consulted: bool | None
    offence: str | None
    # detention
    s136_at: datetime | None
    s135_at: datetime | None
    clock_started_at: datetime | None
    """When the 24 hours began: arrival at a place of safety, or the decision to keep somebody at one."""
    expires_at: datetime | None
    ended_at: datetime | None
    arrested: bool | None
    """Whether the person was arrested for an offence in the same incident; None where nobody says so."""
    result: str | None
    running: bool
    extended_minutes: int
    assessed_at: datetime | None
    stays: tuple[Stay, ...]
    # derived
    s136: GradeResult
    custody: GradeResult
    ed_avoided: bool | None
    ed_pending_until: datetime | None
    confidence: int | None
    contemporaneous: bool
    intent_took: float | None
    """Minutes from the capture of the s136 intent to its receipt."""
    judgements: tuple[tuple[bool, bool], ...]
    """Whether the officer, and whether a nurse who did not know it, thought s136 justified."""
    # afterwards
    referrals: tuple[str, ...]
    referrals_asked: bool
    """Whether a contact says which referrals were made, if only that there were none."""
    follow_up_due: bool
    follow_ups: tuple[DatedFollowUp, ...]
    events: tuple[DatedEvent, ...]
    others: tuple[DatedEvent, ...]
    """Events of the person, by this incident's entries and by those of the person's other incidents."""
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

    @property
    def minutes_detained(self) -> float | None:
        """From the start of the clock to the end; None where either is not known."""
        if self.clock_started_at is None or self.ended_at is None:
            return None
        return (self.ended_at - self.clock_started_at) / timedelta(minutes=1)


class Profile(Struct, frozen=True, array_like=True):
    """The fields of an incident for the pooled tables alone: few enough that the database counts them."""

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

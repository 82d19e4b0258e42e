"""An incident as it is served. A field that the audience may not see is absent; one that is not known is null.

All times are corrected for the skew of the phones that gave them; the list of an incident's entries shows them as sent.
No field says how long something still takes: a view changes with its entries, and by time alone only at the incident's
`changes_at`.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Literal
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType, structs

from triage.access.actors import Side
from triage.log.entries import Tests

AudienceLevel = Literal["field", "lead"]
Status = Literal["open", "awaiting_outcome", "closed", "withdrawn"]
Grade = Literal["A", "B", "C", "X", "R", "U", "P"]


class Audience(Struct, frozen=True):
    """Who looks: a side, the field or its lead (sergeant, clinical lead), the account and its profession."""

    side: Side
    level: AudienceLevel
    account: UUID | None = None
    profession: str = "nurse"


class ViewPart(Struct, frozen=True, kw_only=True, gc=False):
    """A part of a view."""


class DecisionView(ViewPart, frozen=True, kw_only=True):
    """A decision, its time, and by which profession it was made (`decided_by` of the entry)."""

    disposal: str
    decided_at: datetime | None
    by: str | None


class OutcomeView(DecisionView, frozen=True, kw_only=True):
    """The latest decision, and the first."""

    first: DecisionView


class StayView(ViewPart, frozen=True, kw_only=True):
    """A stay at a place of safety. `handover_minutes` counts from arrival at the site to the end of the handover."""

    place_of_safety: str | None
    arrived_at: datetime | None
    entered_at: datetime | None
    handover_at: datetime | None
    handover_minutes: int | None


class DetentionView(ViewPart, frozen=True, kw_only=True):
    """A detention under s136 or s135 and its clock. `result` is absent where only `ended_at` may be known."""

    power: str
    began_at: datetime
    kept_from: datetime | None
    arrived_at: datetime | None
    entered_at: datetime | None
    expires_at: datetime | None
    expires_if_entered_counts: datetime | None
    extended_minutes: int
    places: tuple[StayView, ...]
    ended_at: datetime | None
    result: str | UnsetType | None = UNSET


class Because(ViewPart, frozen=True, kw_only=True):
    """A reason for a grade, and the entry it rests on; none where something is missing."""

    code: str
    entry: UUID | None = None


class S136View(ViewPart, frozen=True, kw_only=True):
    """Diversion from s136, by the rule set named."""

    grade: Grade | None
    reason: str | None
    window: str | None
    rule: str
    because: tuple[Because, ...]


class CustodyView(ViewPart, frozen=True, kw_only=True):
    """Diversion from custody, by the rule set named."""

    grade: Grade | None
    reason: str | None
    sub_type: str | None
    rule: str
    because: tuple[Because, ...]


class DiversionView(ViewPart, frozen=True, kw_only=True):
    """The derived grades; `ed_avoided` is null when not in question, or pending."""

    s136: S136View
    custody: CustodyView
    ed_avoided: bool | None


class AdviceView(ViewPart, frozen=True, kw_only=True):
    """One piece of a nurse's advice; several are a series."""

    advice: str
    at: datetime | None


class ConsultedView(ViewPart, frozen=True, kw_only=True):
    """Who was consulted before a power was used, and when."""

    role: str | None
    at: datetime | None


class IntentView(ViewPart, frozen=True, kw_only=True):
    """An intent in force, from an intent entry or a police contact."""

    entry: UUID
    power: str
    confidence: int | None
    formed_at: datetime | None
    source: str | None
    tests: Tests | None


class FollowUpView(ViewPart, frozen=True, kw_only=True):
    """Something that followed."""

    event: str
    at: datetime
    referral: str | None
    section: str | None


class AuthorView(ViewPart, frozen=True, kw_only=True):
    """Who wrote, and in which role when that was stored; the name is null where the service has none."""

    id: UUID
    name: str | None
    role: str


class Contribution(ViewPart, frozen=True, kw_only=True):
    """Who of a profession wrote, the latest entry, and when that was captured."""

    profession: str
    author: AuthorView
    entry: UUID
    at: datetime


class RepeatContact(ViewPart, frozen=True, kw_only=True):
    """Another contact with the person: the incident, and when it was."""

    incident: UUID
    at: datetime


class RepeatView(ViewPart, frozen=True, kw_only=True):
    """That the person was met before: to care by, never a label.

    Other incidents only, this one is not counted. Leads get `contacts_28_days`, those of the last 28 days; the clinical
    lead also `at_least`: 5, 2 or 0 of them. Nurses and paramedics get `last_72_hours`, while the incident is open.
    """

    contacts_28_days: int | UnsetType = UNSET
    at_least: int | UnsetType = UNSET
    last_72_hours: tuple[RepeatContact, ...] | UnsetType = UNSET


class IncidentView(ViewPart, frozen=True, kw_only=True):
    """An incident as one audience may see it.

    `detention` is the latest of `detentions`; `place_now` the place of safety in which the person is held. `referrals`
    are those that the audience may see.
    """

    id: UUID
    linked_ids: tuple[UUID, ...]
    status: Status
    test: bool
    revision: int
    seq: int
    changed_at: datetime
    occurred_at: datetime
    arrived_at: datetime | None
    left_at: datetime | None
    operational_day: date
    area: str
    location_type: str | None
    someone_lives_there: bool | None
    place_now: str | None
    log_ref: str | None
    car: str | None
    contact_mode: str | None
    referral_source: str | None
    age: int | None
    age_band: str | None
    under_18: bool
    sex: str | None
    ethnicity: str | None
    interpreter_needed: bool | None
    disability: str | None
    presenting: tuple[str, ...] | None
    legal_status: str | None
    immediate_danger: str | None
    force_type: str | None
    advice: tuple[AdviceView, ...]
    outcome: OutcomeView | None
    transport: str | None
    detention: DetentionView | None
    detentions: tuple[DetentionView, ...]
    follow_ups: tuple[FollowUpView, ...]
    referrals: tuple[str, ...]
    flags: tuple[str, ...]
    contributions: tuple[Contribution, ...]
    consulted: ConsultedView | UnsetType | None = UNSET
    not_consulted_reason: str | UnsetType | None = UNSET
    intents: tuple[IntentView, ...] | UnsetType = UNSET
    offence: str | UnsetType | None = UNSET
    assessment: str | UnsetType | None = UNSET
    physical_need: str | UnsetType | None = UNSET
    initial_plan: str | UnsetType | None = UNSET
    news2: int | UnsetType | None = UNSET
    conveyed: str | UnsetType | None = UNSET
    capacity_to_decide_care: str | UnsetType | None = UNSET
    known_to_services: str | UnsetType | None = UNSET
    crisis_plan: str | UnsetType | None = UNSET
    safety_plan: str | UnsetType | None = UNSET
    follow_up_owner: str | UnsetType | None = UNSET
    follow_up_due: date | UnsetType | None = UNSET
    diversion: DiversionView | UnsetType = UNSET
    repeat_contact: RepeatView | UnsetType = UNSET


def authors_of(view: IncidentView) -> set[UUID]:
    """Whose names `with_names` needs."""
    return {contribution.author.id for contribution in view.contributions}


def with_names(view: IncidentView, names: Mapping[UUID, str]) -> IncidentView:
    """The view with the names of those who wrote, which are no part of the log."""
    contributions = tuple(
        structs.replace(
            contribution, author=structs.replace(contribution.author, name=names.get(contribution.author.id))
        )
        for contribution in view.contributions
    )
    return structs.replace(view, contributions=contributions)

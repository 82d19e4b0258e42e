"""The entries that phones send: one tagged union, one Struct a kind.

Codes are plain strings here. Which codes exist, and when, is dated data (`triage.codes`), so an unknown code is a
fault of the content (422), not of the shape (400). `Meta.extra["codes"]` names the list a field draws on; lengths and
ranges stand in the types so that they reach the OpenAPI document, and are faults of the content as well.

Only structure is mandatory: everything that has a default may be absent, which means "not recorded".
"""

from datetime import date, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Annotated, Any, Union, get_type_hints
from uuid import UUID

from msgspec import Meta, Struct, defstruct, structs

Time = Annotated[datetime, Meta(tz=True, description="RFC 3339 time with an offset")]
EARLIEST_CLOCK = datetime(1970, 1, 1, tzinfo=timezone(timedelta(hours=14)))
"""Where the clock of a phone that knows no time starts, in the zone where days begin first."""
ClockTime = Annotated[
    datetime,
    Meta(
        tz=True,
        description="What a clock shows, however wrong, from 1970 to 2100: RFC 3339 time with an offset",
        extra={"earliest": EARLIEST_CLOCK},
    ),
]
ShortText = Annotated[str, Meta(max_length=64)]
Note = Annotated[str, Meta(max_length=280, description="Free text without names; sealed at rest")]

Age = Annotated[int, Meta(ge=0, le=130)]
Confidence = Annotated[int, Meta(ge=1, le=3, description="3 would have, 2 probably, 1 possibly")]
News2 = Annotated[int, Meta(ge=0, le=20)]
ExtensionMinutes = Annotated[int, Meta(ge=1, le=720)]
VersionNumber = Annotated[int, Meta(ge=1, le=1_000_000)]

Area = Annotated[str, Meta(extra={"codes": "area"})]
LocationType = Annotated[str, Meta(extra={"codes": "location_type"})]
ContactMode = Annotated[str, Meta(extra={"codes": "contact_mode"})]
ReferralSource = Annotated[str, Meta(extra={"codes": "referral_source"})]
AgeBand = Annotated[str, Meta(extra={"codes": "age_band"})]
Sex = Annotated[str, Meta(extra={"codes": "sex"})]
Ethnicity = Annotated[str, Meta(extra={"codes": "ethnicity"})]
Disability = Annotated[str, Meta(extra={"codes": "disability"})]
Presenting = Annotated[str, Meta(extra={"codes": "presenting"})]
LegalStatus = Annotated[str, Meta(extra={"codes": "legal_status"})]
ImmediateDanger = Annotated[str, Meta(extra={"codes": "immediate_danger"})]
IntentPower = Annotated[str, Meta(extra={"codes": "intent_power"})]
IntentSource = Annotated[str, Meta(extra={"codes": "intent_source"})]
Evidence = Annotated[str, Meta(extra={"codes": "evidence"})]
ConsultedRole = Annotated[str, Meta(extra={"codes": "consulted_role"})]
NotConsultedReason = Annotated[str, Meta(extra={"codes": "not_consulted_reason"})]
Offence = Annotated[str, Meta(extra={"codes": "offence"})]
ArrestNecessity = Annotated[str, Meta(extra={"codes": "arrest_necessity"})]
ForceType = Annotated[str, Meta(extra={"codes": "force_type"})]
PoliceReferral = Annotated[str, Meta(extra={"codes": "police_referral"})]
KnownToServices = Annotated[str, Meta(extra={"codes": "known_to_services"})]
CrisisPlan = Annotated[str, Meta(extra={"codes": "crisis_plan"})]
Assessment = Annotated[str, Meta(extra={"codes": "assessment"})]
Advice = Annotated[str, Meta(extra={"codes": "advice"})]
S136Justified = Annotated[str, Meta(extra={"codes": "s136_justified"})]
SafetyPlan = Annotated[str, Meta(extra={"codes": "safety_plan"})]
HealthReferral = Annotated[str, Meta(extra={"codes": "health_referral"})]
Referral = Annotated[str, Meta(extra={"codes": "referral"})]
PhysicalNeed = Annotated[str, Meta(extra={"codes": "physical_need"})]
InitialPlan = Annotated[str, Meta(extra={"codes": "initial_plan"})]
EdReason = Annotated[str, Meta(extra={"codes": "ed_reason"})]
Conveyed = Annotated[str, Meta(extra={"codes": "conveyed"})]
Capacity = Annotated[str, Meta(extra={"codes": "capacity_to_decide_care"})]
Disposal = Annotated[str, Meta(extra={"codes": "disposal"})]
NotAttendedReason = Annotated[str, Meta(extra={"codes": "not_attended_reason"})]
DecidedBy = Annotated[str, Meta(extra={"codes": "decided_by"})]
Transport = Annotated[str, Meta(extra={"codes": "transport"})]
PoliceVehicleReason = Annotated[str, Meta(extra={"codes": "police_vehicle_reason"})]
DetentionEvent = Annotated[str, Meta(extra={"codes": "detention_event"})]
DetentionPower = Annotated[str, Meta(extra={"codes": "detention_power"})]
PlaceOfSafety = Annotated[str, Meta(extra={"codes": "place_of_safety"})]
PlaceReason = Annotated[str, Meta(extra={"codes": "place_reason"})]
ExtensionGround = Annotated[str, Meta(extra={"codes": "extension_ground"})]
AuthorisedBy = Annotated[str, Meta(extra={"codes": "authorised_by"})]
AuthorisedRank = Annotated[str, Meta(extra={"codes": "authorised_rank"})]
DetentionResult = Annotated[str, Meta(extra={"codes": "detention_result"})]
FollowUpEvent = Annotated[str, Meta(extra={"codes": "follow_up_event"})]
LaterSection = Annotated[str, Meta(extra={"codes": "later_section"})]
WindowSource = Annotated[str, Meta(extra={"codes": "window_source"})]
Reason = Annotated[str, Meta(min_length=1, max_length=64, description="Why, as a short code")]


class CodedPart(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """A coded part of an entry."""


class Tests(CodedPart, kw_only=True, frozen=True):
    """The three tests of s136(1) Mental Health Act 1983, as they stood when the intent was formed."""

    mental_disorder: bool | None = None
    immediate_need: bool | None = None
    necessary: bool | None = None


class IntentPart(CodedPart, kw_only=True, frozen=True):
    """Which power somebody had under consideration, when, and how sure."""

    power: IntentPower
    confidence: Confidence | None = None
    formed_at: Time | None = None
    source: IntentSource | None = None
    referrer: ShortText | None = None
    log_time: Time | None = None
    tests: Tests | None = None
    location_type: LocationType | None = None
    evidence: Evidence | None = None


class Consulted(CodedPart, kw_only=True, frozen=True):
    """Consultation before using s136, s136(1C) Mental Health Act 1983."""

    role: ConsultedRole | None = None
    at: Time | None = None


class StationTests(CodedPart, kw_only=True, frozen=True):
    """The three tests for an adult at a police station (regulations of 2017 under s136A)."""

    imminent_risk: bool | None = None
    no_other_place: bool | None = None
    healthcare_available: bool | None = None


class Entry(
    Struct, kw_only=True, frozen=True, forbid_unknown_fields=True, omit_defaults=True, gc=False, tag_field="kind"
):
    """The fields that every entry carries without typing. `answers` names a question that was put to the author."""

    id: UUID | None = None
    incident_id: UUID
    captured_at: Time
    codes_version: VersionNumber
    form_version: VersionNumber | None = None
    test: bool | None = None
    car: ShortText | None = None
    answers: UUID | None = None


class Contact(Entry, kw_only=True, frozen=True):
    """The fields that the three professions record in common."""

    log_ref: ShortText | None = None
    occurred_at: Time | None = None
    arrived_at: Time | None = None
    left_at: Time | None = None
    area: Area | None = None
    force_code: ShortText | None = None
    location_type: LocationType | None = None
    someone_lives_there: bool | None = None
    contact_mode: ContactMode | None = None
    referral_source: ReferralSource | None = None
    age: Age | None = None
    age_band: AgeBand | None = None
    age_estimated: bool | None = None
    age_verified: bool | None = None
    could_be_under_18: bool | None = None
    sex: Sex | None = None
    ethnicity: Ethnicity | None = None
    interpreter_needed: bool | None = None
    disability: Disability | None = None
    presenting: Annotated[list[Presenting], Meta(max_length=3)] | None = None
    legal_status: LegalStatus | None = None
    legal_status_at: Time | None = None
    immediate_danger: ImmediateDanger | None = None
    note: Note | None = None


class Officer(Contact, tag="officer", kw_only=True, frozen=True):
    """A police contact."""

    intent: IntentPart | None = None
    consulted: Consulted | None = None
    not_consulted_reason: NotConsultedReason | None = None
    offence: Offence | None = None
    arrest_necessity: Annotated[list[ArrestNecessity], Meta(max_length=6)] | None = None
    domestic_abuse: bool | None = None
    force_type: ForceType | None = None
    referrals: Annotated[list[PoliceReferral], Meta(max_length=7)] | None = None


class Nurse(Contact, tag="nurse", kw_only=True, frozen=True):
    """A contact of a mental health nurse or other mental health practitioner."""

    known_to_services: KnownToServices | None = None
    crisis_plan: CrisisPlan | None = None
    assessment: Assessment | None = None
    advice: Advice | None = None
    advice_given_at: Time | None = None
    s136_justified: S136Justified | None = None
    told_intent: bool | None = None
    safety_plan: SafetyPlan | None = None
    referrals: Annotated[list[HealthReferral], Meta(max_length=13)] | None = None
    follow_up_owner: HealthReferral | None = None
    follow_up_due: date | None = None
    looked_after: bool | None = None
    parent_or_carer_informed: bool | None = None


class Paramedic(Contact, tag="paramedic", kw_only=True, frozen=True):
    """A contact of a paramedic."""

    physical_need: PhysicalNeed | None = None
    initial_plan: InitialPlan | None = None
    ed_reason: EdReason | None = None
    news2: News2 | None = None
    conveyed: Conveyed | None = None
    capacity_to_decide_care: Capacity | None = None


class Intent(Entry, tag="intent", kw_only=True, frozen=True):
    """An officer's intent, sent the moment it is formed and before anybody is consulted."""

    intent: IntentPart


class Outcome(Entry, tag="outcome", kw_only=True, frozen=True):
    """Stage 1: what was decided."""

    disposal: Disposal
    decided_at: Time | None = None
    decided_by: DecidedBy | None = None
    location_type: LocationType | None = None
    transport: Transport | None = None
    ambulance_requested: bool | None = None
    police_vehicle_reason: PoliceVehicleReason | None = None
    reason: NotAttendedReason | None = None


class Detention(Entry, tag="detention", kw_only=True, frozen=True):
    """Stage 2: an event of a detention under s136 or s135."""

    event: DetentionEvent
    at: Time
    power: DetentionPower | None = None
    place_of_safety: PlaceOfSafety | None = None
    place_reason: PlaceReason | None = None
    minutes: ExtensionMinutes | None = None
    ground: ExtensionGround | None = None
    authorised_by: AuthorisedBy | None = None
    superintendent_approved: bool | None = None
    station_tests: StationTests | None = None
    authorised_rank: AuthorisedRank | None = None
    reason: ShortText | None = None
    result: DetentionResult | None = None


class FollowUp(Entry, tag="follow_up", kw_only=True, frozen=True):
    """Stage 3: what followed."""

    event: FollowUpEvent
    at: Time
    referral: Referral | None = None
    section: LaterSection | None = None
    sources: Annotated[list[WindowSource], Meta(max_length=3)] | None = None


def replacement(kind: type[Entry]) -> type[Struct]:
    """The same kind without what an amendment inherits: a replacement is content only."""
    inherited = set(Entry.__struct_fields__)
    annotations = get_type_hints(kind, include_extras=True)
    fields: list[Any] = [
        (field.name, annotations[field.name]) if field.required else (field.name, annotations[field.name], None)
        for field in structs.fields(kind)
        if field.name not in inherited
    ]
    return defstruct(
        f"{kind.__name__}Replacement",
        fields,
        kw_only=True,
        frozen=True,
        forbid_unknown_fields=True,
        omit_defaults=True,
        tag_field="kind",
        tag=kind.__struct_config__.tag,
        namespace={"__doc__": kind.__doc__},
    )


AMENDABLE: tuple[type[Entry], ...] = (Officer, Nurse, Paramedic, Intent, Outcome, Detention, FollowUp)

if TYPE_CHECKING:
    Amendable = Officer | Nurse | Paramedic | Intent | Outcome | Detention | FollowUp
    Replacement = Amendable
else:
    Amendable = Union[AMENDABLE]  # noqa: UP007
    Replacement = Union[tuple(replacement(kind) for kind in AMENDABLE)]  # noqa: UP007


class Amendment(Entry, tag="amendment", kw_only=True, frozen=True):
    """Replaces the whole content of an earlier entry; the original stays readable."""

    amends: UUID
    reason: Reason
    entry: Replacement


class Withdrawal(Entry, tag="withdrawal", kw_only=True, frozen=True):
    """Takes an earlier entry, or a withdrawal, out of force."""

    withdraws: UUID
    reason: Reason


class SameIncident(Entry, tag="same_incident", kw_only=True, frozen=True):
    """Two incident ids concern one person's crisis at one place and time."""

    other_incident_id: UUID
    reason: Reason


class NotSameIncident(Entry, tag="not_same_incident", kw_only=True, frozen=True):
    """Takes back, or forbids, that two incident ids are one."""

    other_incident_id: UUID
    reason: Reason


class PersonLink(Entry, tag="person_link", kw_only=True, frozen=True):
    """This incident concerns that person."""

    person_id: UUID
    reason: Reason


class PersonUnlink(Entry, tag="person_unlink", kw_only=True, frozen=True):
    """This incident does not concern that person."""

    person_id: UUID
    reason: Reason


AnyEntry = (
    Officer
    | Nurse
    | Paramedic
    | Intent
    | Outcome
    | Detention
    | FollowUp
    | Amendment
    | Withdrawal
    | SameIncident
    | NotSameIncident
    | PersonLink
    | PersonUnlink
)


class NewerEntry(Entry, tag="newer", kw_only=True, frozen=True):
    """An entry of a kind that this version does not know: it is counted and shown, and takes part in no rule."""

    kind_name: str = ""


LoggedEntry = AnyEntry | NewerEntry
"""Every entry that the log may hold; nobody can send a `NewerEntry`."""

KINDS: tuple[str, ...] = tuple(str(kind.__struct_config__.tag) for kind in AnyEntry.__args__)

RESERVED_KINDS = frozenset({"erasure", "regime", "rules_changed"})
"""Kinds that only a service may append: no phone of any version sends them."""

SEALED = "*"
"""Stands in a coded body where free text was sealed: the text itself lies apart, under a key of its own."""


class StoredEntry(Struct, kw_only=True, frozen=True, gc=False):
    """An entry with what the service keeps beside it, outside the content.

    `received_at` is when the service first held the content, by the database's clock; `received_again`: that was lost
    in a restore, and lateness is not held against it. `skew_ms` is the phone's clock minus the service's, None when not
    measurable. `blind`: the service had served no intent of the incident, as it is now, to this nurse's account, device
    or phone before she judged (`triage.log.blindness`).
    `role` is the author's role when the entry was stored (a lead may amend for others of the profession). `newer` is
    the stored body where a newer version wrote it and this one cannot read all of it.
    """

    seq: int
    id: UUID
    entry: LoggedEntry
    received_at: datetime
    author: UUID
    profession: str
    role: str
    device: UUID | None = None
    skew_ms: int | None = None
    blind: bool = False
    released_by: UUID | None = None
    newer: bytes | None = None
    received_again: bool = False

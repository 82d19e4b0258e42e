"""The members of a release, one per incident, and the classes in which it may leave.

A class is what a partner sees. Every code of the code lists belongs to exactly one class of each classification, a
value that was not recorded has a class too, and the classes of a classification are listed in full, so that a file
never shows by absence that something did not happen. Classifications belong to the policy version: a new code needs a
decision here before it can be published, and until then a release stops with `UnmappedCode`.

The columns of a record file come last: what each is called, means and may hold, and what becomes of it inside a group.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from msgspec import Struct

from triage.times import LONDON

POOLED = "|"
"""Joins the classes that share one label because none of them can be shown alone."""
NOT_SHOWN = "*"
"""The label of an attribute that is not shown in this group."""


class UnmappedCode(ValueError):
    """A code that no published class holds; a release must not guess."""

    def __init__(self, classification: str, code: str | None) -> None:
        super().__init__(f"no class of {classification} holds the code {code!r}")


Kinds = int
"""Kinds of identifier by which somebody is known, as bits of `KINDS`."""
KINDS: Mapping[str, Kinds] = MappingProxyType({"nhs_number": 1, "police_ref": 2, "name_and_birth": 4})
BITS: tuple[Kinds, ...] = tuple(KINDS.values())
RegisteredPerson = tuple[UUID, Kinds]
"""A registered person, and by what kinds of identifier the service knows this person."""


def count_people(people: Iterable[RegisteredPerson | None]) -> int:
    """How many different human beings these are at least; None is somebody never identified, and counts as nobody.

    One human being may be registered under each kind of identifier, by services that hold no other, and nobody can
    tell. So people are counted by each kind, and the largest count is taken, never the sum.
    """
    known = {person for person in people if person is not None}
    return max(sum(1 for _, kinds in known if kinds & bit) for bit in BITS)


def largest_share(rows_of: Mapping[RegisteredPerson, int]) -> int:
    """The most rows that one human being may have: for each kind of identifier those of the person with most."""
    most = {max((n, person) for person, n in rows_of.items() if person[1] & bit) for bit in kinds_in_use(rows_of)}
    return sum(n for n, _ in most)


def kinds_in_use(people: Iterable[RegisteredPerson | None]) -> tuple[Kinds, ...]:
    """The kinds of identifier by which any of these people is known."""
    either = 0
    for person in people:
        if person is not None:
            either |= person[1]
    return tuple(bit for bit in BITS if either & bit)


class ReleaseMember(Struct, frozen=True, gc=False):
    """One incident as it stood at the cut-off, in the codes of the code lists. None is "not recorded".

    `power` is the first power considered (intent), `disposal` the first disposal, `place_of_safety` the first place of
    a detention, `conveyance` the paramedic's `conveyed` or else the outcome's transport, `grade` the grade of "s136
    considered, not used", `ed_avoided` whether an emergency department was avoided, each None when that was not in
    question, `minutes_at_scene` whole minutes from arrival to leaving, `occurred_at` an aware instant. `person_id` is
    None for somebody who was never identified, `known_by` the kinds of identifier of somebody who was.
    """

    incident_id: UUID
    person_id: UUID | None
    occurred_at: datetime
    area: str | None = None
    age_band: str | None = None
    sex: str | None = None
    ethnicity: str | None = None
    power: str | None = None
    disposal: str | None = None
    place_of_safety: str | None = None
    minutes_at_scene: int | None = None
    referral_source: str | None = None
    conveyance: str | None = None
    grade: str | None = None
    ed_avoided: bool | None = None
    known_by: Kinds = BITS[0]

    @property
    def person(self) -> RegisteredPerson | None:
        return None if self.person_id is None else (self.person_id, self.known_by)


@dataclass(frozen=True, slots=True)
class Classification:
    """A closed list of classes, in published order, and the class of every code."""

    name: str
    classes: tuple[str, ...]
    of_code: Mapping[str | None, str]

    def of(self, code: str | None) -> str:
        """The class of a code, or of None. Raises UnmappedCode."""
        try:
            return self.of_code[code]
        except KeyError:
            raise UnmappedCode(self.name, code) from None


def _classes(name: str, codes: Mapping[str, Iterable[str | None]]) -> Classification:
    return Classification(
        name, tuple(codes), MappingProxyType({code: label for label, many in codes.items() for code in many})
    )


def _itself(name: str, *codes: str, unknown: str) -> Classification:
    return _classes(name, {code: [code] for code in codes} | {unknown: [unknown, None]})


LUTON = (
    "luton_north",
    "luton_west",
    "luton_central",
    "luton_south",
    "luton_east",
    "luton_town_centre",
    "luton_airport",
)
AREA = _itself("area", *LUTON, "bedford", "central_bedfordshire", "out_of_county", unknown="unknown")
LOCAL_AUTHORITY = _classes(
    "local_authority",
    {
        "luton": LUTON,
        "bedford": ["bedford"],
        "central_bedfordshire": ["central_bedfordshire"],
        "out_of_county": ["out_of_county"],
        "unknown": ["unknown", None],
    },
)

AGE = _classes(
    "age",
    {
        "0-17": ["under_11", "11_15", "16_17"],
        "18-34": ["18_34"],
        "35-49": ["35_49"],
        "50-64": ["50_64"],
        "65+": ["65_plus"],
        "unknown": ["unknown", None],
    },
)
AGE_FIRST: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"0-17": ("0-17",), "18-64": ("18-34", "35-49", "50-64"), "65+": ("65+",), "unknown": ("unknown",)}
)
"""The first cut of age, and the age classes inside each part."""

SEX = _itself("sex", "female", "male", "other", unknown="unknown")

# Chinese is O1 in the 16+1 list and A4 in the 18+1 list: one group, Asian, as in the census since 2011
ETHNICITY = _classes(
    "ethnicity",
    {
        **{code: [code] for code in ("W1", "W2", "W3", "W5", "W9", "M1", "M2", "M3", "M9", "A1", "A2", "A3")},
        "A4": ["A4", "O1"],
        **{code: [code] for code in ("A9", "B1", "B2", "B9", "O2", "O9")},
        "not_known": ["NS", "UN", "N1", "N2", "N3", "N4", None],
    },
)
ETHNIC_GROUP = _classes(
    "ethnic_group",
    {
        "white": ["W1", "W2", "W3", "W5", "W9"],
        "mixed": ["M1", "M2", "M3", "M9"],
        "asian": ["A1", "A2", "A3", "A4", "A9", "O1"],
        "black": ["B1", "B2", "B9"],
        "other": ["O2", "O9"],
        "not_known": ["NS", "UN", "N1", "N2", "N3", "N4", None],
    },
)

POWER = _classes(
    "power",
    {
        "s136": ["s136"],
        "arrest": ["arrest_offence", "arrest_breach_of_peace"],
        "other_or_none": ["emergency_department", "leave_with_care", "none_needed", "unsure", None],
    },
)

# s135 needs a warrant and a street bail holds nobody in a cell: neither is counted with what it resembles
DISPOSAL = _classes(
    "disposal",
    {
        "s136": ["s136_removed", "s136_kept"],
        "custody": ["arrest_custody"],
        "hospital": ["ed_voluntary", "ed_capacity_act", "mh_unit_voluntary", "returned_under_act"],
        "community": [
            "community_follow_up",
            "signposted",
            "carer_or_home",
            "child_care_pathway",
            "no_mental_health_need",
        ],
        "other": [
            "s135_removed",
            "s135_kept",
            "s135_requested",
            "arrest_street_bail",
            "dearrested",
            "voluntary_interview",
            "out_of_court",
            "police_protection_s46",
            "left_before_assessment",
            "missing_after_contact",
            "stood_down",
            "not_attended",
            "deceased",
            None,
        ],
    },
)
DISPOSAL_IN_THREE: Mapping[str, str] = MappingProxyType(
    {
        "s136": "power_used",
        "custody": "power_used",
        "hospital": "hospital",
        "community": "community_or_other",
        "other": "community_or_other",
    }
)
DISPOSAL_IN_TWO: Mapping[str, str] = MappingProxyType(
    {label: "power_used" if three == "power_used" else "power_not_used" for label, three in DISPOSAL_IN_THREE.items()}
)

PLACE_OF_SAFETY = _classes(
    "place_of_safety",
    {
        "emergency_department": ["emergency_department"],
        "health_based": ["health_based"],
        "other": ["police_station", "private_home", "care_home", "other", "unknown"],
        "none": [None],
    },
)
SOURCE = _classes(
    "source",
    {
        "emergency_call": ["police_999", "ambulance_999"],
        "health": ["nhs_111_mental_health", "mental_health_trust", "crew_on_scene", "triage_phone"],
        "police": ["control_room", "officer_on_scene", "transport_police"],
        "public_or_other": ["family_or_public", "self_presented", "other", None],
    },
)
CONVEYANCE = _classes(
    "conveyance",
    {
        "ambulance": ["ambulance", "other_health_vehicle"],
        "police_or_triage_car": ["police", "police_vehicle", "triage_car"],
        "not_conveyed": ["not_conveyed", "refused", "none"],
        "other_or_unknown": ["other", "unknown", None],
    },
)
GRADE = _classes("grade", {grade: [grade] for grade in "ABCXRUP"})

# In words: a spreadsheet reads "07-15" as the fifteenth of July
SHIFTS = ("07 to 15", "15 to 23", "23 to 07")
MINUTES = ("0-29", "30-59", "60-119", "120+", "unknown")


def shift(occurred_at: datetime, zone: ZoneInfo = LONDON) -> str:
    """The eight-hour shift of an instant by the local wall clock."""
    hour = occurred_at.astimezone(zone).hour
    return SHIFTS[0] if 7 <= hour < 15 else SHIFTS[1] if 15 <= hour < 23 else SHIFTS[2]


def minutes_band(minutes: int | None) -> str:
    """The band of whole minutes at the scene."""
    if minutes is None:
        return MINUTES[4]
    return MINUTES[0] if minutes < 30 else MINUTES[1] if minutes < 60 else MINUTES[2] if minutes < 120 else MINUTES[3]


class RecordColumn(Struct, frozen=True):
    """A column. Those of `group` are what rows of a group share; `outcome` stays with them; `shuffled` is re-paired."""

    name: str
    title: str
    meaning: str
    part: Literal["group", "outcome", "shuffled"]
    classes: tuple[str, ...]
    """In published order; none for a month, which the period of a file says."""


class ShuffledColumn(RecordColumn, frozen=True):
    """A column that a classification makes of one field of a member."""

    field: str
    classification: Classification


def _shuffled(name: str, title: str, meaning: str, field: str, classification: Classification) -> ShuffledColumn:
    return ShuffledColumn(name, title, meaning, "shuffled", classification.classes, field, classification)


SHUFFLED_COLUMNS: Final = (
    _shuffled("source", "Source of the call", "Shuffled among the people of a group.", "referral_source", SOURCE),
    _shuffled(
        "conveyance",
        "Conveyance",
        "How the person travelled; shuffled among the people of a group.",
        "conveyance",
        CONVEYANCE,
    ),
)
RECORD_COLUMNS: Final[tuple[RecordColumn, ...]] = (
    RecordColumn("area", "Area", "Where it happened.", "group", AREA.classes),
    RecordColumn("age", "Age", "In years.", "group", (*AGE.classes, "18-64")),
    RecordColumn("sex", "Sex", "As recorded.", "group", SEX.classes),
    RecordColumn("ethnic_group", "Ethnic group", "As the person said.", "group", ETHNIC_GROUP.classes),
    RecordColumn("shift", "Shift", "Eight hours of local time.", "group", SHIFTS),
    RecordColumn("month", "Month", "Of the operational day, which lasts from six to six in the morning.", "group", ()),
    RecordColumn("power", "Power considered", "The first that an officer had in mind.", "outcome", POWER.classes),
    RecordColumn("disposal", "First disposal", "What was done first.", "outcome", DISPOSAL.classes),
    RecordColumn(
        "place_of_safety", "Place of safety", "The first one of a detention.", "outcome", PLACE_OF_SAFETY.classes
    ),
    RecordColumn("minutes_at_scene", "Minutes at the scene", "From arrival to leaving.", "outcome", MINUTES),
    *SHUFFLED_COLUMNS,
)

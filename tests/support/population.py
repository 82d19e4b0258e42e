"""Seeded synthetic incidents with everything in them that makes disclosure control hard.

Nobody here exists. A population has people of whom most are seen once and some often, one heavy attender, incidents
whose person was never identified, records that arrive late, one pocket in which everybody had the same outcome, and a
class that nobody in one area belongs to.
"""

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import accumulate
from uuid import UUID

from msgspec import structs

from triage.exports.members import LUTON, ReleaseMember

YEAR_STARTS = datetime(2025, 4, 1, 5, tzinfo=UTC)
"""Six in the morning of 1 April 2025, local time: the first operational day of the financial year 2025."""

HEAVY = UUID(int=43)
"""The person with 43 incidents a year."""
POCKET_AREA, POCKET_AGE = "luton_airport", "65_plus"
"""Everybody of this age in this area was removed under section 136."""
ABSENT_AREA, ABSENT_SEX = "luton_east", "other"
"""Nobody in this area is recorded with this sex."""

Weighted = tuple[tuple[str | None, ...], tuple[int, ...]]

_AREAS = ((*LUTON, "bedford", "central_bedfordshire", "out_of_county", "unknown"), (9, 9, 8, 8, 8, 9, 4, 22, 18, 3, 2))
_AGES = (("under_11", "11_15", "16_17", "18_34", "35_49", "50_64", "65_plus", "unknown"), (1, 4, 5, 36, 26, 15, 9, 4))
_SEXES = (("female", "male", "other", "unknown"), (47, 49, 2, 2))
_ETHNICITIES = (
    ("W1", "W2", "W9", "M1", "M9", "A1", "A2", "A3", "A9", "B1", "B2", "O9", "NS", "N1", "N4", None),
    (46, 2, 7, 2, 2, 3, 7, 4, 2, 3, 4, 2, 8, 4, 2, 2),
)
_POWERS = (("s136", "arrest_offence", "emergency_department", "none_needed", "unsure", None), (34, 9, 10, 34, 6, 7))
_DISPOSALS = {
    "s136": (("s136_removed", "ed_voluntary", "mh_unit_voluntary", "community_follow_up", None), (42, 14, 6, 36, 2)),
    "arrest_offence": (("arrest_custody", "community_follow_up", "voluntary_interview"), (45, 35, 20)),
}
_OTHER_DISPOSALS = (
    ("community_follow_up", "signposted", "carer_or_home", "ed_voluntary", "s136_removed", "stood_down"),
    (36, 18, 18, 14, 6, 8),
)
_PLACES = (("emergency_department", "health_based", "private_home", "unknown"), (45, 45, 5, 5))
_SOURCES = (
    ("police_999", "ambulance_999", "nhs_111_mental_health", "control_room", "family_or_public", "self_presented"),
    (35, 20, 15, 10, 14, 6),
)
_CONVEYANCES = (("ambulance", "triage_car", "police", "not_conveyed", "refused", None), (20, 15, 8, 45, 5, 7))
_GRADES = (("A", "B", "C", "X", "R", "U"), (25, 30, 15, 8, 7, 15))


@dataclass(frozen=True, slots=True)
class Arrival:
    """A member and when the service first knew of it; a late one arrives a day to two months after the incident."""

    member: ReleaseMember
    arrived_at: datetime


def population(incidents: int, linked: float = 0.88, seed: int = 1, late: float = 0.16) -> list[Arrival]:
    """A year of incidents from 1 April 2025 in order of arrival, `linked` of them to a known person."""
    rng = random.Random(seed)
    pool = [UUID(int=rng.getrandbits(128)) for _ in range(int(incidents * 0.8))]
    # Who a person is does not change between incidents
    traits = {person: _traits(rng) for person in (*pool, HEAVY)}
    heavy_at = set(rng.sample(range(incidents), 43))
    members = []
    for at in range(incidents):
        person = HEAVY if at in heavy_at else rng.choice(pool)
        known = at in heavy_at or rng.random() < linked
        members.append(_arrival(rng, person if known else None, traits[person], late))
    return sorted(members, key=lambda arrival: arrival.arrived_at)


def between(arrivals: list[Arrival], first: datetime, after: datetime, known_by: datetime) -> list[ReleaseMember]:
    """The members of a period as the service knew them at a cut-off."""
    return [a.member for a in arrivals if first <= a.member.occurred_at < after and a.arrived_at < known_by]


def copies(members: list[ReleaseMember], times: int) -> list[ReleaseMember]:
    """More of the same people's neighbours: every copy has incidents and people of its own."""
    return [
        structs.replace(
            member,
            incident_id=UUID(int=member.incident_id.int ^ copy),
            person_id=member.person_id and UUID(int=member.person_id.int ^ copy),
        )
        for copy in range(times)
        for member in members
    ]


def _pick(rng: random.Random, weighted: Weighted) -> str | None:
    return rng.choices(weighted[0], cum_weights=_added_up(weighted[1]))[0]


@cache
def _added_up(weights: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(accumulate(weights))


def _traits(rng: random.Random) -> tuple[str | None, ...]:
    area, age, sex, ethnicity = (_pick(rng, weighted) for weighted in (_AREAS, _AGES, _SEXES, _ETHNICITIES))
    return area, age, "female" if (area, sex) == (ABSENT_AREA, ABSENT_SEX) else sex, ethnicity


def _arrival(rng: random.Random, person: UUID | None, traits: tuple[str | None, ...], late: float) -> Arrival:
    area, age, sex, ethnicity = traits
    occurred_at = YEAR_STARTS + timedelta(minutes=rng.randrange(365 * 24 * 60))
    pocket = (area, age) == (POCKET_AREA, POCKET_AGE)
    power = "s136" if pocket else _pick(rng, _POWERS)
    disposal = "s136_removed" if pocket else _pick(rng, _DISPOSALS.get(power or "", _OTHER_DISPOSALS))
    held = disposal == "s136_removed"
    delay = timedelta(days=rng.uniform(1, 60)) if rng.random() < late else timedelta(minutes=rng.randrange(600))
    member = ReleaseMember(
        incident_id=UUID(int=rng.getrandbits(128)),
        person_id=person,
        occurred_at=occurred_at,
        area=area,
        age_band=age,
        sex=sex,
        ethnicity=ethnicity,
        power=power,
        disposal=disposal,
        place_of_safety=_pick(rng, _PLACES) if held else None,
        minutes_at_scene=rng.randrange(10, 240) if rng.random() < 0.9 else None,
        referral_source=_pick(rng, _SOURCES),
        conveyance=_pick(rng, _CONVEYANCES),
        grade=_pick(rng, _GRADES) if power == "s136" and not held else None,
        ed_avoided=disposal != "ed_voluntary" if power == "emergency_department" else None,
    )
    return Arrival(member, occurred_at + delay)

"""Members of a release in the classes of the catalogue of tables: all that a snapshot stores of them."""

import hmac
from uuid import UUID
from zoneinfo import ZoneInfo

from msgspec import Struct

from triage.exports import members as m
from triage.exports.catalogue import ED_AVOIDED
from triage.times import LONDON


class ClassifiedMember(Struct, frozen=True, gc=False):
    """A member in the classes of the catalogue: all that a snapshot stores.

    `grade`, `ed_avoided`, and the place and conveyance of a section 136 are None where that was not in question.
    """

    incident_id: UUID
    person_id: UUID | None
    record_key: int
    area: str
    local_authority: str
    age: str
    sex: str
    ethnic_group: str
    ethnicity: str
    power: str
    disposal: str
    disposal_in_three: str
    power_used: str
    grade: str | None
    shift: str
    ed_avoided: str | None
    s136_place: str | None
    s136_conveyance: str | None
    minutes: int | None
    known_by: m.Kinds = m.BITS[0]

    @property
    def person(self) -> m.RegisteredPerson | None:
        return None if self.person_id is None else (self.person_id, self.known_by)


def record_key(key: bytes, incident_id: UUID) -> int:
    """64 bits that stand for an incident in every cell it is counted in. Stored once, it never changes."""
    return int.from_bytes(hmac.digest(key, b"rk" + incident_id.bytes, "sha256")[:8], "big")


def classify(member: m.ReleaseMember, key: bytes, zone: ZoneInfo = LONDON) -> ClassifiedMember:
    """A member in the classes of the catalogue. Raises UnmappedCode."""
    disposal = m.DISPOSAL.of(member.disposal)
    used = disposal == "s136"
    minutes = member.minutes_at_scene
    return ClassifiedMember(
        incident_id=member.incident_id,
        person_id=member.person_id,
        record_key=record_key(key, member.incident_id),
        area=m.AREA.of(member.area),
        local_authority=m.LOCAL_AUTHORITY.of(member.area),
        age=m.AGE.of(member.age_band),
        sex=m.SEX.of(member.sex),
        ethnic_group=m.ETHNIC_GROUP.of(member.ethnicity),
        ethnicity=m.ETHNICITY.of(member.ethnicity),
        power=m.POWER.of(member.power),
        disposal=disposal,
        disposal_in_three=m.DISPOSAL_IN_THREE[disposal],
        power_used=m.DISPOSAL_IN_TWO[disposal],
        grade=None if member.grade is None else m.GRADE.of(member.grade),
        shift=m.shift(member.occurred_at, zone),
        ed_avoided=None if member.ed_avoided is None else ED_AVOIDED[not member.ed_avoided],
        s136_place=m.PLACE_OF_SAFETY.of(member.place_of_safety) if used else None,
        s136_conveyance=m.CONVEYANCE.of(member.conveyance) if used else None,
        minutes=None if minutes is None else nearest(minutes, 5),
        known_by=member.known_by,
    )


def nearest(number: float, base: int) -> int:
    """The multiple of `base` nearest to a number that is not negative; halves go up."""
    return int(number / base + 0.5) * base

"""How entries come to be: written by a phone on the car, captured, and sent once there is signal."""

from datetime import datetime, timedelta
from random import Random
from typing import Any, TypeVar
from uuid import UUID

from msgspec import Struct, structs

from triage.demo.cast import StaffMember
from triage.demo.incident import Scenario
from triage.log.entries import AnyEntry, Entry

E = TypeVar("E", bound=AnyEntry)


class DemoEntry(Struct, frozen=True, gc=False):
    """An entry as it came in.

    `author` is a key of the cast, `device` counts his phones from 0, `sent_at` is the service's clock on receipt, and
    `skew_ms` the phone's clock minus the service's.
    """

    author: str
    device: int
    sent_at: datetime
    skew_ms: int
    entry: AnyEntry


class OnDuty(Struct, frozen=True):
    """Who is on the car, by profession, and who works the next day."""

    on: dict[str, StaffMember]
    sergeant: StaffMember
    day_nurse: StaffMember
    clinical_lead: StaffMember

    def member(self, key: str) -> StaffMember:
        """Who has this key."""
        everybody = (*self.on.values(), self.sergeant, self.day_nurse, self.clinical_lead)
        return next(member for member in everybody if member.key == key)


class Times(Struct, frozen=True):
    """When things happened, in minutes after the start."""

    arrived: float
    formed: float
    consulted: float
    advised: float
    decided: float
    left: float


class Recorder:
    """Writes the entries of one incident into `sent`. Times are given in minutes after the start."""

    def __init__(self, rng: Random, scenario: Scenario, crew: OnDuty, begins: datetime) -> None:
        self.rng, self.scenario, self.crew, self.begins = rng, scenario, crew, begins
        self.sent: list[DemoEntry] = []
        self.incident = uuid7(rng, begins)
        # two phones without signal make an id each for the same incident
        self.nurses_incident = uuid7(rng, begins) if scenario.happens in ("split", "split_unnoticed") else self.incident
        arrived = rng.uniform(8, 35)
        formed = arrived + rng.uniform(1, 6)
        consulted = formed + rng.uniform(2, 6)
        advised = consulted + rng.uniform(6, 30)
        decided = advised + rng.uniform(8, 45)
        self.times = Times(arrived, formed, consulted, advised, decided, decided + rng.uniform(4, 25))

    def at(self, minute: float) -> datetime:
        """The instant, in whole seconds."""
        return self.begins + timedelta(seconds=int(minute * 60))

    def by(self, profession: str) -> StaffMember:
        """Who of this profession came, else whoever did."""
        came = profession if profession in self.scenario.crew else self.scenario.crew[0]
        return self.crew.on[came]

    def write(
        self,
        author: StaffMember,
        kind: type[E],
        minute: float,
        *,
        incident: UUID | None = None,
        device: int = 0,
        **fields: Any,
    ) -> E:
        """Record an entry captured at this minute and sent as soon as the author's phone has signal."""
        scenario, rng = self.scenario, self.rng
        captured = self.at(minute)
        entry = kind(
            id=uuid7(rng, captured),
            incident_id=incident or self.incident,
            captured_at=captured,
            codes_version=scenario.codes_version,
            form_version=1,
            car="MHST 1",
            test=scenario.test,
            **fields,
        )
        skew_ms, own_phone = int(rng.gauss(0, 400)), device == 0 and author is self.crew.on.get(author.profession)
        covered = captured
        if own_phone and author.profession in scenario.offline:
            covered = max(captured, self.at(60 * scenario.offline[author.profession]))
        if own_phone and author.profession in scenario.wrong_clock:
            ahead = timedelta(minutes=scenario.wrong_clock[author.profession])
            entry = _moved(entry, ahead)
            skew_ms += ahead // timedelta(milliseconds=1)
        sent_at = covered + timedelta(milliseconds=int(1_000 * (1 + rng.expovariate(1 / 20))))
        self.sent.append(DemoEntry(author.key, device, sent_at, skew_ms, entry))
        return entry


def uuid7(rng: Random, at: datetime) -> UUID:
    """A version 7 UUID of this instant, its random part from `rng`."""
    return UUID(int=uuid7_number(rng, int(at.timestamp() * 1_000)))


def uuid7_number(rng: Random, milliseconds: int) -> int:
    """The 128 bits of a version 7 UUID (RFC 9562, section 5.7)."""
    random = rng.getrandbits(74)
    return milliseconds << 80 | 7 << 76 | random >> 62 << 64 | 2 << 62 | random & (1 << 62) - 1


def _moved(part: Any, ahead: timedelta) -> Any:
    """The same entry, or part of one, as a phone with its clock `ahead` would have it."""
    changes: dict[str, Any] = {}
    for name in part.__struct_fields__:
        value = getattr(part, name)
        if isinstance(value, datetime):
            changes[name] = value + ahead
        elif isinstance(value, Struct):
            changes[name] = _moved(value, ahead)
    if isinstance(part, Entry) and part.id:
        changes["id"] = UUID(int=part.id.int + (ahead // timedelta(milliseconds=1) << 80))
    return structs.replace(part, **changes)

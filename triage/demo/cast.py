"""Who appears: ten members of staff, a few people who call often and many who call once, all of them invented."""

from collections.abc import Collection
from datetime import date, timedelta
from random import Random
from uuid import UUID

from msgspec import Struct

from triage.demo.mix import Mix
from triage.people.identifiers import Identity, nhs_number_holds


class StaffMember(Struct, frozen=True):
    """A member of staff; `key` names him within the cast."""

    key: str
    name: str
    role: str
    profession: str


class Cast(Struct, frozen=True, kw_only=True):
    """A team: one car, and the leads of both sides."""

    sergeant: StaffMember
    officers: tuple[StaffMember, ...]
    nurses: tuple[StaffMember, ...]
    paramedics: tuple[StaffMember, ...]
    clinical_lead: StaffMember

    @property
    def members(self) -> tuple[StaffMember, ...]:
        """Everybody, field staff and leads."""
        return (self.sergeant, *self.officers, *self.nurses, *self.paramedics, self.clinical_lead)


class Person(Struct, frozen=True):
    """Somebody whom incidents concern. The NHS number lies in the range that is never issued (999)."""

    id: UUID
    identity: Identity
    born: date
    sex: str
    ethnicity: str


CAST = Cast(
    sergeant=StaffMember("sergeant", "Sergeant One", "sergeant", "police"),
    officers=tuple(
        StaffMember(f"officer_{n}", f"Officer {word}", "officer", "police")
        for n, word in enumerate(("One", "Two", "Three"), 1)
    ),
    nurses=tuple(
        StaffMember(f"nurse_{n}", f"Nurse {word}", "nurse", "nurse")
        for n, word in enumerate(("One", "Two", "Three"), 1)
    ),
    paramedics=tuple(
        StaffMember(f"paramedic_{n}", f"Paramedic {word}", "paramedic", "paramedic")
        for n, word in enumerate(("One", "Two"), 1)
    ),
    clinical_lead=StaffMember("clinical_lead", "Clinical Lead One", "clinical_lead", "nurse"),
)

AGES = Mix({(8, 10): 0.5, (11, 15): 5.0, (16, 17): 5.0, (18, 34): 39.0, (35, 49): 26.0, (50, 64): 16.0, (65, 91): 8.5})
SEXES = Mix({"female": 48, "male": 50, "other": 1, "unknown": 1})
ETHNICITIES = Mix(
    {
        "W1": 44, "W9": 9, "W2": 2, "W3": 1, "A2": 13, "A3": 7, "A1": 5, "A9": 3, "B1": 5, "B2": 4, "B9": 2, "M1": 2,
        "M9": 1, "O9": 1, "NS": 2, "N1": 2, "N2": 2, "N3": 1, "N4": 2, "UN": 1,
    }
)  # fmt: skip

REGULARS = 12
POOL = 4_000
"""Callers of the county who may call; most of those who do call once."""
_COUNTED_FROM = date(2026, 1, 1)


class Callers:
    """Everybody whom this seed's incidents may concern: regulars, of whom the first calls most often, and others."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._known: dict[int, Person] = {}
        self.regulars = tuple(self._person(number) for number in range(REGULARS))

    def anybody(self, rng: Random) -> Person:
        """Somebody who is no regular."""
        return self._person(rng.randrange(REGULARS, POOL))

    def adult(self, rng: Random, day: date) -> Person:
        """Somebody who is no regular, and eighteen or over on this day."""
        while (person := self.anybody(rng)).born > day - timedelta(days=int(18.1 * 365.25)):
            pass
        return person

    def find(self, ids: Collection[UUID]) -> list[Person]:
        """Those with these ids."""
        return [person for person in map(self._person, range(POOL)) if person.id in ids]

    def _person(self, number: int) -> Person:
        if number not in self._known:
            self._known[number] = _drawn(Random(f"{self._seed}/person/{number}"), number)
        return self._known[number]


def _drawn(rng: Random, number: int) -> Person:
    age = rng.randint(24, 70) if number < REGULARS else rng.randint(*AGES.draw(rng))
    born = _COUNTED_FROM - timedelta(days=int(365.25 * age) + rng.randrange(1, 365))
    # a person is known by an NHS number or by a police reference, never by both
    identity = Identity(
        nhs_number=_nhs_number(number) if number % 3 else None,
        police_ref=None if number % 3 else f"DEMO/{10_000 + number}",
        family_name="Demo",
        given_name=f"Person {number + 1}",
        born=born,
    )
    return Person(UUID(int=rng.getrandbits(128), version=4), identity, born, SEXES.draw(rng), ETHNICITIES.draw(rng))


def _nhs_number(number: int) -> str:
    """Another for each number, in the range that is never issued."""
    for nine in range(999_000_000 + 100 * number, 999_000_100 + 100 * number):
        for check in "0123456789":
            if nhs_number_holds(f"{nine}{check}"):
                return f"{nine}{check}"
    raise AssertionError("one in eleven has no check digit, never a hundred on end")

"""Who appears: ten members of staff and a few people who come back, all of them invented."""

from datetime import date, timedelta
from random import Random
from uuid import UUID

from msgspec import Struct

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
    """Somebody whom several incidents concern. The NHS number lies in the range that is never issued (999)."""

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

_NUMBERS = ("One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten", "Eleven", "Twelve")
_AN_ADULT_BORN_AFTER = date(1950, 1, 1)


def people(seed: int) -> tuple[Person, ...]:
    """The twelve adults whom this seed's incidents are linked to; the first one calls most often."""
    rng = Random(f"{seed}/people")
    return tuple(_person(rng, number) for number in range(len(_NUMBERS)))


def _person(rng: Random, number: int) -> Person:
    born = _AN_ADULT_BORN_AFTER + timedelta(days=rng.randrange(19_000))
    # a person is known by an NHS number or by a police reference, never by both
    identity = Identity(
        nhs_number=_nhs_number(rng) if number % 3 else None,
        police_ref=None if number % 3 else f"DEMO/{rng.randrange(1_000, 9_999)}",
        family_name="Demo",
        given_name=f"Person {_NUMBERS[number]}",
        born=born,
    )
    return Person(
        UUID(int=rng.getrandbits(128), version=4),
        identity,
        born,
        rng.choice(("female", "male")),
        rng.choice(("W1", "A2")),
    )


def _nhs_number(rng: Random) -> str:
    while True:
        first_nine = f"999{rng.randrange(1_000_000):06}"
        for check in "0123456789":
            if nhs_number_holds(first_nine + check):
                return first_nine + check

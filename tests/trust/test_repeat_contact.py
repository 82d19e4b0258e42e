"""That a person was met before: to each role what its care needs, and never a label."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from support.cast import Json
from support.phones import DAY, HOUR, Crew, Phone, now


async def tell_of(crew: Crew) -> str:
    answer = await crew.nurse.post("/v1/people", {"nhs_number": "9990000018"})
    person: str = answer.json()["person_id"]
    return person


async def meet(crew: Crew, person: str, ago: timedelta = HOUR, by: str = "nurse") -> UUID:
    """A contact with the person, so long ago."""
    incident = uuid4()
    phone: Phone = crew.nurse if by == "nurse" else crew.officer
    at = now() - ago
    await phone.tell(by, incident, occurred_at=at, captured_at=at)
    await phone.tell("person_link", incident, person_id=person)
    return incident


async def seen(phone: Phone, incident: UUID) -> Any:
    return (await phone.incident(incident)).get("repeat_contact", "absent")


async def test_to_each_role_what_it_needs(crew: Crew) -> None:
    person = await tell_of(crew)
    recent = await meet(crew, person, 10 * HOUR)
    await meet(crew, person, 10 * DAY)
    await meet(crew, person, 40 * DAY)
    incident = await meet(crew, person)
    assert await seen(crew.officer, incident) == "absent"
    assert await seen(crew.sergeant, incident) == {"contacts_28_days": 2}
    assert await seen(crew.clinical_lead, incident) == {"contacts_28_days": 2, "at_least": 2}
    for phone in (crew.nurse, crew.other_nurse, crew.paramedic):
        last = await seen(phone, incident)
        assert [hour["incident"] for hour in last["last_72_hours"]] == [str(recent)]


async def test_five_others_in_a_month_are_told_to_the_clinical_lead(crew: Crew) -> None:
    person = await tell_of(crew)
    for days in (3, 6, 9, 12, 15):
        await meet(crew, person, days * DAY)
    assert (await seen(crew.clinical_lead, await meet(crew, person)))["at_least"] == 5


async def test_nurses_see_other_contacts_on_an_open_incident_only(crew: Crew) -> None:
    person = await tell_of(crew)
    await meet(crew, person, 10 * HOUR)
    incident = await meet(crew, person)
    assert (await seen(crew.nurse, incident))["last_72_hours"]
    await crew.nurse.tell("outcome", incident, decided_by="nurse")
    assert await seen(crew.nurse, incident) == "absent"


async def test_without_a_linked_person_there_is_nothing(crew: Crew) -> None:
    person = await tell_of(crew)
    incident = await meet(crew, person)
    other = uuid4()
    await crew.nurse.tell("nurse", other, occurred_at=now())
    for phone in crew.field_and_leads:
        assert await seen(phone, other) == "absent"
    await crew.nurse.tell("person_unlink", incident, person_id=person)
    for phone in crew.field_and_leads:
        assert await seen(phone, incident) == "absent"


async def test_an_unlinked_contact_is_no_longer_counted(crew: Crew) -> None:
    person = await tell_of(crew)
    wrong = await meet(crew, person, 10 * HOUR)
    incident = await meet(crew, person)
    assert await seen(crew.sergeant, incident) == {"contacts_28_days": 1}
    await crew.nurse.tell("person_unlink", wrong, person_id=person)
    assert await seen(crew.sergeant, incident) == {"contacts_28_days": 0}


async def test_another_contacts_intent_shows_in_nothing(crew: Crew) -> None:
    """The time of another contact is the same whether or not an intent was formed there."""
    person = await tell_of(crew)
    other = await meet(crew, person, 10 * HOUR, by="officer")
    incident = await meet(crew, person)
    before: Json = await crew.other_nurse.incident(incident)
    early = now() - 20 * HOUR
    await crew.officer.tell("intent", other, captured_at=early)
    assert await crew.other_nurse.incident(incident) == before


async def test_a_contact_leaves_the_view_by_time_alone(crew: Crew) -> None:
    person = await tell_of(crew)
    await meet(crew, person, 10 * HOUR)
    incident = await meet(crew, person)
    rows = await crew.fetch("SELECT turns, occurred_at FROM incident WHERE team_id = $1 AND id = $2", incident)
    [met] = await crew.fetch("SELECT occurred_at FROM incident WHERE team_id = $1 AND id <> $2 AND NOT blind", incident)
    for row in rows:
        assert {met["occurred_at"] + 72 * HOUR, met["occurred_at"] + 28 * DAY} <= set(row["turns"])

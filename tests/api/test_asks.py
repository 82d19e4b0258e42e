"""Questions and chases: a lead puts them, the phone gets them with its sync, an answer of the addressee closes them."""

from uuid import UUID, uuid4

import pytest
from support.phones import HOUR, Crew, Phone, RunningService, now

from triage.problems import Refused
from triage.store.log import tasks
from triage.store.log.tasks import NewTask


async def ask(service: RunningService, by: Phone, of: Phone, incident: UUID, text: str = "Which bridge?") -> UUID:
    """A question of a lead about an incident."""
    new = NewTask(
        id=uuid4(), incident_id=incident, kind="ask", addressee=of.staff_id, about="location_type", text=text,
        due_at=now() + HOUR,
    )  # fmt: skip
    await tasks.put_task(service.service.database, service.service.keys, await by.actor(), new)
    return new.id


async def asks(phone: Phone, **more: object) -> list[dict[str, object]]:
    """What a sync tells a phone to answer."""
    answer = await phone.post("/v1/sync", {"cursor": None, "sent_at": now().isoformat(), "entries": []} | more)
    assert answer.status_code == 200
    asks: list[dict[str, object]] = answer.json()["asks"]
    return asks


@pytest.mark.parametrize(("by", "of"), [("officer", "officer"), ("sergeant", "nurse"), ("clinical_lead", "officer")])
async def test_only_the_lead_of_ones_own_side_asks(service: RunningService, crew: Crew, by: str, of: str) -> None:
    incident = uuid4()
    await crew.officer.tell("officer", incident, area="bedford")
    with pytest.raises(Refused):
        await ask(service, getattr(crew, by), getattr(crew, of), incident)


async def test_a_question_reaches_its_addressee_alone_until_an_entry_answers_it(
    service: RunningService, crew: Crew
) -> None:
    incident = uuid4()
    await crew.officer.tell("officer", incident, area="bedford")
    question = await ask(service, crew.sergeant, crew.officer, incident)
    [asked] = await asks(crew.officer)
    assert asked["id"] == str(question) and asked["incident_id"] == str(incident)
    assert (asked["about"], asked["text"]) == ("location_type", "Which bridge?")
    assert asked.keys() == {"id", "incident_id", "about", "text", "from", "due_at"}
    assert await asks(crew.sergeant) == [] == await asks(crew.nurse)
    await crew.sergeant.tell("follow_up", incident, event="seen_again", at=now(), answers=question)
    assert len(await asks(crew.officer)) == 1
    await crew.officer.tell("follow_up", incident, event="seen_again", at=now())
    assert len(await asks(crew.officer)) == 1
    await crew.officer.tell("follow_up", incident, event="seen_again", at=now(), answers=question)
    assert await asks(crew.officer) == []


async def test_a_sync_that_pulls_nothing_is_told_of_no_question(service: RunningService, crew: Crew) -> None:
    incident = uuid4()
    await crew.officer.tell("officer", incident, area="bedford")
    await ask(service, crew.sergeant, crew.officer, incident)
    assert await asks(crew.officer, pull=False) == []


async def test_a_nurse_is_asked_once_she_has_judged(service: RunningService, crew: Crew) -> None:
    incident = uuid4()
    await crew.nurse.tell("nurse", incident, area="bedford")
    await ask(service, crew.clinical_lead, crew.nurse, incident)
    assert await asks(crew.nurse) == []
    await crew.nurse.tell("nurse", incident, s136_justified="yes", assessment="face_to_face")
    assert len(await asks(crew.nurse)) == 1


async def test_the_text_is_sealed(service: RunningService, crew: Crew) -> None:
    incident = uuid4()
    await crew.officer.tell("officer", incident, area="bedford")
    await ask(service, crew.sergeant, crew.officer, incident, "Which bridge was that?")
    [stored] = await crew.fetch("SELECT sealed FROM task WHERE team_id = $1")
    assert b"bridge" not in stored["sealed"]

"""A wrong link: whoever got numbers that it had touched can be told so."""

from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from support.installation import InstalledService
from support.phones import HOUR, Crew, entry, now

from triage.jobs.publish import publish_due
from triage.store import outbox
from triage.times import operational_day

MET = now() - 30 * HOUR
DAY = operational_day(MET)
WHAT = f"daily {DAY} edition 1, internal"


NOBODY = "at what how who role"
"""A list without a row."""


async def recipients(at: InstalledService, incident: UUID, fails: bool = False) -> str:
    printed = await at.triage(
        "recipients", "--team", str(at.crew.team_id), "--by", "the sergeant", str(incident), fails=fails
    )
    return " ".join(printed.split())


async def published(at: InstalledService) -> None:
    """Everything that is due, for a team that started the day before, and delivered."""
    crew = at.crew
    await crew.fetch("UPDATE team SET starts_on = $2 WHERE team_id = $1", DAY)
    database = at.process.service.database
    async with database.team(crew.team_id) as connection:
        await outbox.add_destination(connection, crew.team_id, "email", "committee@example.org", ["summary"])
    await publish_due(database, now())
    await crew.fetch("UPDATE outbox SET delivered_at = now() WHERE team_id = $1")


async def met(crew: Crew) -> UUID:
    incident = uuid4()
    await crew.nurse.tell("nurse", incident, occurred_at=MET, captured_at=MET)
    return incident


Undo = Any
UNDOINGS: dict[str, Undo] = {
    "person_unlink": lambda link: {"person_id": link["person_id"]},
    "withdrawal": lambda link: {"withdraws": link["id"]},
}


@pytest.mark.parametrize("undo", UNDOINGS)
async def test_whoever_got_numbers_with_a_wrong_person_is_listed(installation: InstalledService, undo: str) -> None:
    crew = installation.crew
    person = (await crew.nurse.post("/v1/people", {"nhs_number": "9990000018"})).json()["person_id"]
    other, incident = await met(crew), await met(crew)
    await crew.nurse.tell("person_link", other, person_id=person)
    link = await crew.nurse.tell("person_link", incident, person_id=person)
    await published(installation)
    await crew.sergeant.see(f"/v1/summaries/daily/{DAY}")
    assert await recipients(installation, incident) == NOBODY  # nothing was undone
    await crew.nurse.store(entry(undo, incident, **UNDOINGS[undo](link)))
    listed = await recipients(installation, incident)
    for part in (WHAT, "email", "committee@example.org", "read", "sergeant"):
        assert part in listed
    assert "clinical_lead" not in listed
    assert await recipients(installation, other) == NOBODY  # its own link stands
    [row] = await crew.fetch("SELECT operation, detail FROM audit WHERE team_id = $1 AND query = 'recipients' LIMIT 1")
    assert tuple(row) == ("consultation", "the sergeant")


async def test_whoever_got_numbers_of_two_incidents_as_one_is_listed_under_either(
    installation: InstalledService,
) -> None:
    crew = installation.crew
    first, two = await met(crew), await met(crew)
    await crew.officer.tell("same_incident", first, other_incident_id=str(two))
    await published(installation)
    await crew.officer.tell("not_same_incident", two, other_incident_id=str(first))
    for incident in (first, two):
        assert "committee@example.org" in await recipients(installation, incident)


async def test_an_edition_from_before_the_link_or_after_it_names_nobody(installation: InstalledService) -> None:
    crew = installation.crew
    incident = await met(crew)
    await published(installation)
    person = (await crew.nurse.post("/v1/people", {"nhs_number": "9990000018"})).json()["person_id"]
    await crew.nurse.tell("person_link", incident, person_id=person)
    await crew.nurse.tell("person_unlink", incident, person_id=person)
    await publish_due(installation.process.service.database, now() + timedelta(days=1))
    assert await recipients(installation, incident) == NOBODY


async def test_an_incident_of_nobody_is_refused(installation: InstalledService, tmp_path: Path) -> None:
    assert "no such record" in await recipients(installation, uuid4(), fails=True)

"""Retention: the daily job shows first, and does what is switched on; what is held, or a child's, stays."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from support.installation import InstalledService
from support.phones import Crew, now, refused

from triage.jobs.retention import run_retention
from triage.store import audit
from triage.store.access.staff import as_owner
from triage.store.log import tasks
from triage.store.log.tasks import NewTask
from triage.store.people.retention import Retention
from triage.store.recovery.anchors import Anchors, check_anchors

NOTE = "said in confidence"


async def daily(at: InstalledService, *, applied: bool, when: datetime | None = None) -> None:
    service = at.process.service
    kept = Retention(service.keys, service.journal, 30)
    await run_retention(service.database, at.crew.owner_url, kept, applied, when or now())


async def runs(crew: Crew) -> list[bool]:
    """Of each day's run whether it did something."""
    return [
        row["applied"] for row in await crew.fetch("SELECT applied FROM retention_run WHERE team_id = $1 ORDER BY day")
    ]


async def switch_on(crew: Crew, part: str) -> None:
    await crew.fetch(
        "UPDATE retention SET applied = true, afterwards = 'destroy' WHERE $1::uuid IS NOT NULL AND part = $2", part
    )


async def age(crew: Crew, months: int) -> None:
    """Everything happened so long ago."""
    for sql in ("UPDATE incident SET occurred_at = now()", "UPDATE person SET created_at = now()"):
        await crew.fetch(f"{sql} - make_interval(months => $2) WHERE team_id = $1", months)


async def due(at: InstalledService, part: str) -> int:
    service = at.process.service
    async with as_owner(at.crew.owner_url, at.crew.team_id) as owner:
        due = await Retention(service.keys, service.journal, 30).run(owner, at.crew.team_id, now(), dry=True)
    [count] = [due_part.count for due_part in due if due_part.part == part]
    return count


async def noted(crew: Crew, **content: Any) -> UUID:
    """An incident with a note of each side."""
    incident = uuid4()
    await crew.nurse.tell("nurse", incident, occurred_at=now(), note=NOTE, **content)
    await crew.officer.tell("officer", incident, occurred_at=now(), note=NOTE)
    return incident


async def test_the_job_shows_what_it_would_do_and_does_it_once_switched_on(installation: InstalledService) -> None:
    crew = installation.crew
    await crew.nurse.post("/v1/people", {"nhs_number": "9990000018"})
    await age(crew, 30)
    await switch_on(crew, "person")

    async def erased() -> bool:
        [row] = await crew.fetch("SELECT erased_at FROM person WHERE team_id = $1")
        return row["erased_at"] is not None

    await daily(installation, applied=False)
    assert (await erased(), await runs(crew)) == (False, [False])
    printed = await installation.triage("retention", "--team", str(crew.team_id))
    assert "would do, once TRIAGE_RETENTION_APPLIED is set: person 1, quarantine 0" in " ".join(printed.split())
    await daily(installation, applied=True)
    assert (await erased(), await runs(crew)) == (False, [False])  # once a day: a row decides
    await daily(installation, applied=True, when=now() + timedelta(days=1))
    assert (await erased(), await runs(crew)) == (True, [False, True])


async def test_what_nobody_switched_on_is_left_alone(installation: InstalledService) -> None:
    crew = installation.crew
    await crew.nurse.post("/v1/people", {"nhs_number": "9990000018"})
    await age(crew, 30)
    await daily(installation, applied=True)
    [row] = await crew.fetch("SELECT erased_at FROM person WHERE team_id = $1")
    assert row["erased_at"] is None


async def test_without_the_owners_login_nothing_is_run(installation: InstalledService) -> None:
    service = installation.process.service
    async with service.database.team(installation.crew.team_id) as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            kept = Retention(service.keys, service.journal, 30)
            await kept.run_once_a_day(connection, installation.crew.team_id, now(), True)  # type: ignore[arg-type]


async def test_what_a_side_asked_about_an_incident_goes_with_its_notes(installation: InstalledService) -> None:
    crew, service = installation.crew, installation.process.service
    incident = uuid4()
    await crew.officer.tell("officer", incident, occurred_at=now())
    for lead, asked in ((crew.sergeant, crew.officer), (crew.clinical_lead, crew.nurse)):
        new = NewTask(
            id=uuid4(), incident_id=incident, kind="ask", addressee=asked.staff_id, about="area", text="Which bridge?"
        )
        await tasks.put_task(service.database, service.keys, await lead.actor(), new)
    await age(crew, 73)
    await switch_on(crew, "police")
    assert await due(installation, "police") == 1
    await daily(installation, applied=True)
    texts = [
        [
            task.text
            for task in await tasks.list_tasks_of(service.database, service.keys, await lead.actor(), [incident])
        ]
        for lead in (crew.sergeant, crew.clinical_lead)
    ]
    assert texts == [[None], ["Which bridge?"]]
    assert await due(installation, "police") == 0


async def test_one_sides_notes_go_and_the_others_and_all_numbers_stay(installation: InstalledService) -> None:
    crew = installation.crew
    incident = await noted(crew)
    before = await crew.sergeant.incident(incident)
    await age(crew, 73)
    await switch_on(crew, "police")
    assert (await due(installation, "police"), await due(installation, "health")) == (1, 0)
    await daily(installation, applied=True)
    assert NOTE in str(await crew.nurse.entries(incident))
    assert NOTE not in str(await crew.officer.entries(incident))
    assert (await crew.sergeant.incident(incident))["presenting"] == before["presenting"]
    assert await due(installation, "police") == 0
    assert "not as written" not in await installation.triage("verify")


async def test_what_is_held_is_not_due(installation: InstalledService) -> None:
    crew = installation.crew
    held, died, joined = await noted(crew), await noted(crew), await noted(crew)
    other = await noted(crew)
    await crew.nurse.tell("follow_up", died, event="died")
    await crew.officer.tell("same_incident", joined, other_incident_id=str(other))
    await age(crew, 73)
    assert await due(installation, "police") == 2
    for incident in (held, max(joined, other)):  # under whichever id
        args = ("--team", str(crew.team_id), "--by", "the coroner", "--reason", "inquest", str(incident))
        await installation.triage("hold", *args)
    assert await due(installation, "police") == 0


async def test_a_hold_outlives_the_restoring_of_an_older_backup(installation: InstalledService, tmp_path: Path) -> None:
    crew, file = installation.crew, str(tmp_path / "main.dump")
    held, lifted, again = await noted(crew), await noted(crew), await noted(crew)
    at = ("--team", str(crew.team_id), "--by", "the coroner")

    async def hold(incident: UUID, *how: str) -> None:
        await installation.triage("hold", *at, *how, str(incident))

    for incident in (lifted, again):
        await hold(incident, "--reason", "inquest")
    await hold(again, "--lift")
    await hold(again, "--reason", "a second inquest")
    await installation.triage("backup", file)
    await hold(held, "--reason", "inquest")
    await hold(lifted, "--lift")
    await installation.triage("restore", "--yes", file)
    for incident, fails in ((held, True), (again, True), (lifted, False)):
        printed = await installation.triage("erase", "--yes", *at, "--incident", str(incident), fails=fails)
        assert ("legal hold" in printed) is fails


async def test_of_somebody_under_18_nothing_goes_before_the_25th_birthday(installation: InstalledService) -> None:
    crew = installation.crew
    incident = await noted(crew, age=16)
    person = (await crew.nurse.post("/v1/people", {"nhs_number": "9990000018"})).json()["person_id"]
    await crew.nurse.tell("person_link", incident, person_id=person)
    await age(crew, 25 * 12 - 1)
    assert [await due(installation, part) for part in ("police", "health", "person")] == [0, 0, 0]
    await age(crew, 25 * 12 + 1)
    assert [await due(installation, part) for part in ("police", "health", "person")] == [1, 1, 1]


async def test_whole_months_of_the_audit_go_and_the_rest_is_verified_from_there(installation: InstalledService) -> None:
    crew, service = installation.crew, installation.process.service
    for month in ("2020-01", "2020-02"):
        await crew.fetch("SELECT add_audit_month($2) WHERE $1::uuid IS NOT NULL", datetime.fromisoformat(f"{month}-01"))
        for day in ("03", "04"):
            await crew.fetch(
                "INSERT INTO audit (team_id, at, operation, query) VALUES ($1, $2, 'consultation', 'incident')",
                datetime.fromisoformat(f"{month}-{day}T12:00:00+00:00"),
            )
        while await audit.extend_chain(service.database):
            pass
    await switch_on(crew, "audit")
    await daily(installation, applied=True, when=datetime.fromisoformat("2026-02-15T03:00:00+00:00"))
    kept = await crew.fetch("SELECT at FROM audit WHERE team_id = $1 AND at < '2020-12-31'")
    assert {row["at"].month for row in kept} == {2}  # January went; February is within 72 months
    async with as_owner(crew.owner_url, crew.team_id) as owner:
        verdict = await audit.verify(owner, crew.team_id, lambda *_: None)
        assert (await check_anchors(owner, Anchors(await service.journal.read()), "audit", verdict)).fault is None
        assert (await check_anchors(owner, Anchors([]), "audit", verdict)).fault is not None  # the journal has to know


async def test_a_run_is_on_record_as_it_was(installation: InstalledService) -> None:
    await daily(installation, applied=False)
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="only ever added"):
        await installation.crew.fetch("UPDATE retention_run SET applied = true WHERE team_id = $1")


# --- regimes ---


async def test_an_incident_is_under_both_regimes_until_somebody_says_otherwise(installation: InstalledService) -> None:
    crew = installation.crew
    first, two = await noted(crew), await noted(crew)
    at = ("regime", "--team", str(crew.team_id), "--by", "the data protection officer")
    assert (await installation.triage(*at, str(first))).strip() == "both"
    changed = ("--set", "law_enforcement", "--reason", "an offence is investigated")
    assert (await installation.triage(*at, *changed, str(first))).strip() == "law_enforcement"
    await installation.triage(*at, *changed, str(first))  # the same again is no change
    rows = (await crew.auditor.see("/v1/audit", incident=str(first), operation="alteration"))["audit"]
    assert [(row["query"], row["detail"]) for row in rows] == [("regime/law_enforcement", at[-1])]
    await crew.officer.tell("same_incident", first, other_incident_id=str(two))
    assert (await installation.triage(*at, str(two))).strip() == "law_enforcement"
    await installation.triage(*at, "--set", "general", "--reason", "no offence", str(two))
    assert (await installation.triage(*at, str(first))).strip() == "general"
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="only ever added"):
        await crew.fetch("DELETE FROM incident_regime WHERE team_id = $1")


async def test_a_regime_of_nothing_or_without_a_reason_is_refused(installation: InstalledService) -> None:
    at = ("regime", "--team", str(installation.crew.team_id), "--by", "somebody")
    assert "no such record" in await installation.triage(*at, str(uuid4()), fails=True)
    assert "go together" in await installation.triage(*at, "--set", "general", str(uuid4()), fails=True)


async def test_no_clients_entry_changes_a_regime(crew: Crew) -> None:
    from_client = {"kind": "regime", "incident_id": str(uuid4()), "regime": "general"}
    answer = await crew.officer.put(
        {"id": str(uuid4()), "codes_version": 1, "captured_at": now().isoformat()} | from_client
    )
    assert refused(answer)[0] == 400

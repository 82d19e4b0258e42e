"""Erasing and subject access: the content goes everywhere, the totals and the chain stay."""

from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import msgspec
import pytest
from support.cast import Json
from support.installation import InstalledService
from support.phones import Crew, entry, now, refused

from triage.store.log import tasks
from triage.store.log.tasks import NewTask
from triage.store.recovery.anchors import anchor
from triage.store.recovery.journal_copy import PublicationWriter

KIM: Json = {"nhs_number": "9990000018", "family_name": "Rowe", "given_name": "Kim", "born": "1971-02-03"}
NOTE = "Kim Rowe said so"


async def known(crew: Crew) -> tuple[str, UUID, Json]:
    """A person, an open incident linked to the person, and the entry with a note in it."""
    answer = await crew.nurse.post("/v1/people", KIM)
    person: str = answer.json()["person_id"]
    incident = uuid4()
    noted = await crew.nurse.tell("nurse", incident, occurred_at=now(), note=NOTE)
    await crew.nurse.tell("person_link", incident, person_id=person)
    return person, incident, noted


async def keys_left(at: InstalledService) -> set[Any]:
    connection = await asyncpg.connect(at.keys_url)
    rows = await connection.fetch("SELECT ref FROM keystore.data_key")
    await connection.close()
    return {row["ref"] for row in rows}


def of(at: InstalledService) -> tuple[str, ...]:
    return ("--team", str(at.crew.team_id), "--by", "the officer in charge")


async def put_question(at: InstalledService, incident: UUID, text: str) -> None:
    """The clinical lead asks the nurse."""
    crew, service = at.crew, at.process.service
    new = NewTask(id=uuid4(), incident_id=incident, kind="ask", addressee=crew.nurse.staff_id, about="age", text=text)
    await tasks.put_task(service.database, service.keys, await crew.clinical_lead.actor(), new)


async def test_an_erased_person_is_gone_and_the_rest_stands(installation: InstalledService) -> None:
    crew = installation.crew
    person, incident, noted = await known(crew)
    before = await crew.nurse.incident(incident)
    held = await crew.fetch("SELECT key_ref FROM entry WHERE team_id = $1 AND key_ref IS NOT NULL")
    held += await crew.fetch("SELECT key_ref FROM person WHERE team_id = $1")
    await installation.triage("erase", "--yes", *of(installation), "--person", person)
    assert not await keys_left(installation) & {row["key_ref"] for row in held}
    [row] = await crew.fetch("SELECT sealed, key_ref, erased_at FROM person WHERE team_id = $1")
    assert (row["sealed"], row["key_ref"], row["erased_at"] is None) == (None, None, False)
    assert await crew.fetch("SELECT 1 FROM person_identifier WHERE team_id = $1") == []
    assert refused(await crew.nurse.put(noted)) == (410, "entry_erased")
    assert NOTE not in str(await crew.nurse.entries(incident))
    assert await crew.nurse.incident(incident) == before
    answer = await crew.clinical_lead.post("/v1/people/match", KIM | {"incident_id": str(incident)})
    assert answer.json() == {"person_id": None, "matched_on": None}
    assert "not as written" not in await installation.triage("verify")


async def test_the_receipt_says_who_and_when_and_not_what(installation: InstalledService) -> None:
    crew = installation.crew
    person, _, _ = await known(crew)
    await installation.triage("erase", "--yes", *of(installation), "--person", person)
    [receipt] = await crew.fetch("SELECT * FROM erasure WHERE team_id = $1")
    assert set(receipt.keys()) == {"team_id", "id", "at", "by"}
    assert receipt["by"] == "the officer in charge"
    [row] = await crew.fetch("SELECT ids, query FROM audit WHERE team_id = $1 AND operation = 'erasure'")
    assert tuple(row) == ([receipt["id"]], "erase")


async def test_an_incidents_notes_are_erased_and_the_person_stays(installation: InstalledService) -> None:
    crew = installation.crew
    _, incident, noted = await known(crew)
    await installation.triage("erase", "--yes", *of(installation), "--incident", str(incident))
    assert refused(await crew.nurse.put(noted)) == (410, "entry_erased")
    await crew.nurse.post("/v1/people", KIM)
    [kept] = await crew.fetch("SELECT sealed FROM person WHERE team_id = $1")
    assert kept["sealed"] is not None


async def test_an_erased_incident_takes_nothing_new_and_an_amendment_brings_no_text_back(
    installation: InstalledService,
) -> None:
    crew = installation.crew
    _, incident, noted = await known(crew)
    await installation.triage("erase", "--yes", *of(installation), "--incident", str(incident))
    assert refused(await crew.nurse.put(entry("follow_up", incident))) == (410, "entry_erased")
    content = {"kind": "nurse", "occurred_at": noted["occurred_at"], "note": NOTE, "area": "bedford", "log_ref": "BP-1"}
    amendment = entry("amendment", incident, amends=noted["id"], entry=content)
    await crew.nurse.store(amendment)
    [amended] = [entry for entry in await crew.nurse.entries(incident) if entry["kind"] == "amendment"]
    assert (amended["entry"]["area"], amended["entry"].get("note"), amended["entry"].get("log_ref")) == (
        "bedford",
        None,
        None,
    )
    assert (await crew.nurse.put(amendment)).json()["status"] == "duplicate"
    assert (await crew.sergeant.get("/v1/quarantine")).json()["count"] == 0
    assert (await crew.clinical_lead.get("/v1/quarantine")).json() == {"items": [], "count": 0}


async def test_what_waits_in_quarantine_is_erased_with_its_incident(installation: InstalledService) -> None:
    crew = installation.crew
    _, incident, noted = await known(crew)
    assert (await crew.nurse.put(noted | {"note": "another note"})).status_code == 409
    assert len((await crew.clinical_lead.see("/v1/quarantine"))["items"]) == 1
    await installation.triage("erase", "--yes", *of(installation), "--incident", str(incident))
    assert (await crew.clinical_lead.see("/v1/quarantine"))["items"] == []


async def test_a_phone_lets_an_erased_incident_go(installation: InstalledService) -> None:
    crew = installation.crew
    _, incident, _ = await known(crew)
    await crew.officer.follow()
    assert str(incident) in crew.officer.holds
    await installation.triage("erase", "--yes", *of(installation), "--incident", str(incident))
    await crew.fetch("UPDATE incident SET scope_until = scope_until - interval '1 second' WHERE team_id = $1")
    await crew.officer.follow()
    assert str(incident) not in crew.officer.holds


@pytest.mark.parametrize("lifted", [False, True])
async def test_nothing_under_legal_hold_is_erased(installation: InstalledService, lifted: bool) -> None:
    crew = installation.crew
    person, incident, noted = await known(crew)
    await installation.triage("hold", *of(installation), "--reason", "inquest", str(incident))
    if lifted:
        await installation.triage("hold", *of(installation), "--lift", str(incident))
    printed = await installation.triage("erase", "--yes", *of(installation), "--person", person, fails=not lifted)
    assert ("legal hold" in printed) is not lifted
    assert ((await crew.nurse.put(noted)).status_code == 200) is not lifted


async def test_a_death_is_a_legal_hold(installation: InstalledService) -> None:
    crew = installation.crew
    person, incident, _ = await known(crew)
    await crew.nurse.tell("follow_up", incident, event="died")
    assert "legal hold" in await installation.triage(
        "erase", "--yes", *of(installation), "--person", person, fails=True
    )
    assert refused(await crew.nurse.get(f"/v1/incidents/{incident}")) == (404, "not_found")


async def test_nobody_is_erased_under_an_id_of_nobody(installation: InstalledService) -> None:
    printed = await installation.triage("erase", "--yes", *of(installation), "--person", str(uuid4()), fails=True)
    assert "no such record" in printed


async def test_subject_access_gathers_everything_and_is_recorded(
    installation: InstalledService, tmp_path: Path
) -> None:
    crew = installation.crew
    person, incident, noted = await known(crew)
    amended = {"kind": "nurse", "occurred_at": noted["occurred_at"], "note": "corrected"}
    await crew.nurse.tell("amendment", incident, amends=noted["id"], entry=amended)
    await crew.sergeant.incident(incident)
    await crew.nurse.tell("nurse", uuid4(), note="of somebody else")
    await put_question(installation, incident, "Which age?")
    out = tmp_path / "file"
    await installation.triage("subject-access", *of(installation), "--output", str(out), person)
    file = msgspec.json.decode((out / f"subject-{person}.json").read_bytes())
    page = (out / f"subject-{person}.html").read_text()
    assert file["identity"] == KIM
    assert file["regimes"] == [{"incident_id": str(incident), "regime": "both"}]
    assert [entry["kind"] for entry in file["entries"]] == ["nurse", "person_link", "amendment"]
    assert ("consultation", str(crew.sergeant.staff_id)) in [(o["operation"], o["actor"]) for o in file["operations"]]
    assert all(text in page for text in (NOTE, "corrected", "9990000018", "Which age?"))
    assert [(task["about"], task["text"]) for task in file["asked"]] == [("age", "Which age?")]
    assert "somebody else" not in page
    assert (out / f"subject-{person}.html").stat().st_mode & 0o077 == 0
    [row] = await crew.fetch("SELECT ids, recipient FROM audit WHERE team_id = $1 AND operation = 'disclosure'")
    [known_as] = await crew.fetch("SELECT person_id FROM person WHERE team_id = $1")
    assert tuple(row) == ([known_as["person_id"], incident], "the officer in charge")


async def test_retention_shows_first_and_acts_when_told_and_switched_on(installation: InstalledService) -> None:
    crew = installation.crew
    await known(crew)
    await crew.fetch("UPDATE person SET created_at = now() - interval '30 months' WHERE team_id = $1")
    await crew.fetch("UPDATE incident SET occurred_at = now() - interval '30 months' WHERE team_id = $1")
    at = ("retention", "--team", str(crew.team_id))

    async def erased() -> bool:
        [row] = await crew.fetch("SELECT erased_at FROM person WHERE team_id = $1")
        return row["erased_at"] is not None

    assert "person" in await installation.triage(*at)
    await installation.triage(*at, "--apply", "--yes")
    assert not await erased()  # nobody switched it on
    await crew.fetch("UPDATE retention SET applied = true WHERE part = 'person' AND $1::uuid IS NOT NULL")
    await installation.triage(*at)
    assert not await erased()  # only shown
    await installation.triage(*at, "--apply", "--yes")
    assert await erased()


# --- a restored backup ---


async def test_a_restored_backup_revives_nothing_that_was_ended_since(
    installation: InstalledService, tmp_path: Path
) -> None:
    crew, file = installation.crew, str(tmp_path / "main.dump")
    person, incident, noted = await known(crew)
    gone = uuid4()
    await crew.nurse.tell("nurse", gone)
    await crew.nurse.follow()
    await installation.triage("backup", file)
    assert Path(file).stat().st_mode & 0o077 == 0
    await installation.triage("erase", "--yes", *of(installation), "--person", person)
    await installation.triage("erase", "--yes", *of(installation), "--incident", str(gone))
    assert (await crew.sergeant.delete(f"/v1/devices/{crew.officer.device_id}")).status_code == 204
    await installation.triage("staff", "disable", "--team", str(crew.team_id), str(crew.paramedic.staff_id))
    since = await crew.nurse.tell("nurse", uuid4())
    await crew.nurse.follow()
    cursor = crew.nurse.cursor
    process = installation.process.service
    await anchor(process.database, process.journal, crew.team_id)
    assert "rehearsed" in await installation.triage("restore", "--rehearse", file)
    assert (await crew.nurse.get(f"/v1/incidents/{since['incident_id']}")).status_code == 200  # nothing was replaced
    assert "restored" in await installation.triage("restore", "--yes", file)
    assert refused(await crew.officer.get("/v1/me")) == (401, "device_revoked")
    assert refused(await crew.paramedic.get("/v1/me"))[0] == 401
    assert refused(await crew.nurse.put(noted)) == (410, "entry_erased")
    assert refused(await crew.nurse.put(entry("follow_up", gone))) == (410, "entry_erased")
    assert NOTE not in str(await crew.nurse.entries(incident))
    search = KIM | {"incident_id": str(incident)}
    assert (await crew.clinical_lead.post("/v1/people/match", search)).json()["person_id"] is None
    assert refused(await crew.nurse.get(f"/v1/incidents/{since['incident_id']}")) == (404, "not_found")
    assert refused(await crew.nurse.post_sync(cursor=cursor)) == (410, "cursor_unknown")
    assert (await crew.nurse.sync(since))["counts"]["stored"] == 1
    await anchor(process.database, process.journal, crew.team_id)
    assert "not as written" not in await installation.triage("verify")


async def test_a_backup_holds_no_key(installation: InstalledService, tmp_path: Path) -> None:
    await known(installation.crew)
    [row] = await installation.crew.fetch("SELECT key_ref FROM person WHERE team_id = $1")
    for keys, held in ((False, False), (True, True)):
        file = tmp_path / f"keys-{keys}.dump"
        await installation.triage("backup", *(["--keys"] if keys else []), str(file))
        assert (b"data_key" in file.read_bytes()) is held
    assert row["key_ref"] in await keys_left(installation)


async def test_a_restored_key_store_forgets_again(installation: InstalledService) -> None:
    person, _, _ = await known(installation.crew)
    before = await keys_left(installation)
    connection = await asyncpg.connect(installation.keys_url)
    kept = await connection.fetch("SELECT ref, wrapped, made_at FROM keystore.data_key")
    await installation.triage("erase", "--yes", *of(installation), "--person", person)
    gone = before - await keys_left(installation)
    assert len(gone) == 2
    rows = [tuple(row) for row in kept if row["ref"] in gone]
    await connection.executemany("INSERT INTO keystore.data_key (ref, wrapped, made_at) VALUES ($1, $2, $3)", rows)
    await connection.close()
    assert "names 2 keys" in await installation.triage("keys", "forget", "--dry-run")
    assert gone <= await keys_left(installation)
    assert "2 keys destroyed again" in await installation.triage("keys", "forget", "--yes")
    assert not gone & await keys_left(installation)


async def test_a_damaged_backup_replaces_nothing(installation: InstalledService, tmp_path: Path) -> None:
    file = tmp_path / "damaged.dump"
    await installation.triage("backup", str(file))
    file.write_bytes(file.read_bytes()[:-2000])
    await installation.triage("restore", "--yes", str(file), fails=True)
    assert (await installation.crew.nurse.get("/v1/me")).status_code == 200


# --- key rotation ---


async def test_a_rotation_changes_no_content_and_no_process_notices(installation: InstalledService) -> None:
    crew = installation.crew
    _, incident, _ = await known(crew)
    assert "under key 2" in await installation.triage("keys", "rotate")
    assert "give --yes" in await installation.triage("keys", "retire", fails=True)
    assert "for good: 1." in await installation.triage("keys", "retire", "--dry-run")
    assert "left: 2" in await installation.triage("keys", "retire", "--yes")
    assert NOTE in str(await crew.nurse.entries(incident))
    await crew.nurse.tell("nurse", incident, note="after it")
    assert "after it" in str(await crew.nurse.entries(incident))


async def test_a_rotation_cut_short_goes_on(installation: InstalledService) -> None:
    _, incident, _ = await known(installation.crew)
    await installation.triage("keys", "rotate")
    connection = await asyncpg.connect(installation.keys_url)
    rows = await connection.fetch("SELECT ref, wrapped FROM keystore.data_key LIMIT 5")
    root = installation.process.service.root
    keys = await installation.process.service.keys.fetch(row["ref"] for row in rows)
    undone = [(ref, root.wrap(key, ref)) for ref, key in keys.items()]  # as the process wrapped before
    await connection.executemany("UPDATE keystore.data_key SET wrapped = $2 WHERE ref = $1", undone)
    await connection.close()
    assert "left: 1, 2" in await installation.triage("keys", "retire")
    assert "5 data keys wrapped anew under key 2" in await installation.triage("keys", "rotate")
    assert "left: 2" in await installation.triage("keys", "retire", "--yes")
    assert NOTE in str(await installation.crew.nurse.entries(incident))


async def test_what_was_published_or_decided_since_the_backup_is_put_back_as_it_was(
    installation: InstalledService, tmp_path: Path
) -> None:
    crew, file, service = installation.crew, str(tmp_path / "main.dump"), installation.process.service
    _, incident, _ = await known(crew)
    await installation.triage("backup", file)
    await crew.fetch(
        "INSERT INTO summary_run (team_id, kind, period, form, first_day, starts_at, ends_at, due_at, state, ran_at) "
        "VALUES ($1, 'daily', '2026-11-22', 'internal', '2026-11-22', '2026-11-22 06:00Z', '2026-11-23 06:00Z', "
        "'2026-11-23 07:00Z', 'published', '2026-11-23 07:00Z')"
    )
    await crew.fetch(
        "INSERT INTO summary_edition (team_id, kind, period, form, edition, published_at, as_at, as_at_seq, "
        "chain_head, body) "
        "VALUES ($1, 'daily', '2026-11-22', 'internal', 1, now(), now(), 0, $2, '{\"as\": \"it was\"}')",
        bytes(32),
    )
    await crew.fetch(
        "INSERT INTO force_total (team_id, kind, period, version, s136, source, entered_at) "
        "VALUES ($1, 'quarterly', '2026-Q3', 1, 90, 'Force return', now())"
    )
    regime = ("regime", "--team", str(crew.team_id), "--by", "somebody", str(incident))
    await installation.triage(*regime, "--set", "law_enforcement", "--reason", "an offence is looked into")
    await PublicationWriter(service.database, service.journal).write(crew.team_id)
    tables = ("summary_edition", "force_total", "incident_regime")
    kept = [await crew.fetch(f"SELECT * FROM {table} WHERE team_id = $1") for table in tables]
    assert [len(rows) for rows in kept] == [1, 1, 1]
    await installation.triage("restore", "--yes", file)
    assert [await crew.fetch(f"SELECT * FROM {table} WHERE team_id = $1") for table in tables] == kept


async def test_a_question_about_an_erased_incident_goes_with_its_notes(installation: InstalledService) -> None:
    crew, service = installation.crew, installation.process.service
    incident, lead = uuid4(), await installation.crew.clinical_lead.actor()
    await crew.nurse.tell("nurse", incident, area="bedford", note="a note")
    await put_question(installation, incident, "Which age?")
    [asked] = await tasks.list_tasks_of(service.database, service.keys, lead, [incident])
    assert asked.text == "Which age?"
    await installation.triage("erase", "--yes", *of(installation), "--incident", str(incident))
    [asked] = await tasks.list_tasks_of(service.database, service.keys, lead, [incident])
    assert asked.text is None
    assert await crew.fetch("SELECT 1 FROM task WHERE team_id = $1 AND sealed IS NOT NULL") == []


async def test_nothing_is_destroyed_unasked_or_in_a_dry_run(installation: InstalledService) -> None:
    crew = installation.crew
    person, incident, _ = await known(crew)
    for what in (("--person", person), ("--incident", str(incident))):
        assert "give --yes" in await installation.triage("erase", *of(installation), *what, fails=True)
        printed = await installation.triage("erase", "--dry-run", *of(installation), *what)
        assert "1 texts of 1 incidents" in printed and ("identifiers" in printed) == (what[0] == "--person")
    [kept] = await crew.fetch("SELECT count(*) AS texts FROM entry WHERE team_id = $1 AND sealed IS NOT NULL")
    [person_kept] = await crew.fetch("SELECT sealed FROM person WHERE team_id = $1")
    assert kept["texts"] >= 1 and person_kept["sealed"] is not None
    assert await crew.fetch("SELECT FROM erasure WHERE team_id = $1") == []
    assert "1 texts" in await installation.triage("erase", "--yes", *of(installation), "--person", person)

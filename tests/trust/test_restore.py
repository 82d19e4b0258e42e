"""Going back in time: what is no backup of this installation is refused, and what was ended since stays ended."""

import asyncio
import os
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from support.installation import InstalledService
from support.logins import KEYS, as_login, unguarded
from support.phones import DAY, entry, now, refused, running_service

from triage.store.access.staff import as_owner
from triage.store.journal import Journal
from triage.store.journal_lines import EpochBegan
from triage.store.recovery.backup import dump
from triage.store.recovery.history import WrongInstallation

pytestmark = pytest.mark.database


async def backed_up(installation: InstalledService, file: Path, *options: str) -> Path:
    await installation.triage("backup", *options, str(file))
    return file


async def as_keys(installation: InstalledService, sql: str, *args: object) -> None:
    connection = await asyncpg.connect(installation.keys_url)
    try:
        await connection.execute(sql, *args)
    finally:
        await connection.close()


async def databases_of(installation: InstalledService) -> list[str]:
    return [
        row["datname"]
        for row in await installation.crew.fetch("SELECT datname FROM pg_database WHERE $1::uuid IS NOT NULL")
    ]


# --- what is no backup of this installation ---


def empty(good: bytes) -> bytes:
    return b""


def text(good: bytes) -> bytes:
    return b"-- PostgreSQL database dump\nSELECT 1;\n"


def truncated(good: bytes) -> bytes:
    return good[: len(good) // 2]


@pytest.mark.parametrize("spoil", [empty, text, truncated])
@pytest.mark.parametrize("rehearse", [[], ["--rehearse"]])
async def test_a_file_that_is_no_whole_backup_is_refused(
    installation: InstalledService, tmp_path: Path, spoil: object, rehearse: list[str]
) -> None:
    good = await backed_up(installation, tmp_path / "good.dump")
    assert callable(spoil)
    bad = tmp_path / "bad.dump"
    bad.write_bytes(spoil(good.read_bytes()))
    before = await databases_of(installation)
    said = await installation.triage("restore", *(rehearse or ["--yes"]), str(bad), fails=True)
    assert "backup" in said or "pg_restore failed" in said
    assert await databases_of(installation) == before


async def test_of_a_directory_the_newest_whole_backup_of_the_database_is_taken(
    installation: InstalledService, tmp_path: Path
) -> None:
    backups = tmp_path / "backups"
    backups.mkdir()
    assert "holds no backup" in await installation.triage("restore", "--rehearse", str(backups), fails=True)
    await installation.triage("backup", "--keys", str(backups))
    assert "holds no backup" in await installation.triage("restore", "--rehearse", str(backups), fails=True)
    for name, written_at in (("database-8", 1), ("database-9.part", 2**32)):
        (backups / name).write_bytes(b"no backup")
        os.utime(backups / name, (written_at, written_at))
    await installation.triage("backup", str(backups))
    assert "can be restored" in await installation.triage("restore", "--rehearse", str(backups))
    [name] = [file.name for file in backups.glob("database-[1-7]")]
    assert {file.name for file in backups.iterdir()} == {
        name,
        name.replace("database", "keys"),
        "database-8",
        "database-9.part",
    }


async def test_the_key_stores_backup_is_refused(installation: InstalledService, tmp_path: Path) -> None:
    keys = await backed_up(installation, tmp_path / "keys.dump", "--keys")
    said = await installation.triage("restore", "--yes", str(keys), fails=True)
    assert "no backup of the main database" in said
    assert (await installation.process.client.get("/health/ready")).status_code == 200


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE installation SET id = gen_random_uuid() WHERE $1::uuid IS NOT NULL", "another installation"),
        ("UPDATE installation SET root_fingerprint = '\\x00' WHERE $1::uuid IS NOT NULL", "another root secret"),
    ],
)
async def test_another_installations_backup_is_refused(
    installation: InstalledService, tmp_path: Path, change: str, said: str
) -> None:
    await backed_up(installation, tmp_path / "ours.dump")
    await installation.crew.fetch(change)
    other = tmp_path / "other.dump"
    # as the other installation's own command would have written it
    await asyncio.to_thread(dump, installation.process.url, other, False)
    assert said in await installation.triage("restore", "--yes", str(other), fails=True)


async def test_a_journal_that_lacks_what_the_backup_knew_is_refused(
    installation: InstalledService, tmp_path: Path
) -> None:
    await installation.crew.officer.tell("officer", uuid4())
    file = await backed_up(installation, tmp_path / "main.dump")
    exported = installation.data_dir / "journal"
    assert exported.read_bytes().count(b"\n") > 1
    await as_keys(installation, "ALTER TABLE keystore.journal DISABLE TRIGGER USER")
    await as_keys(installation, "DELETE FROM keystore.journal WHERE kind <> 'epoch'")  # the key store, restored
    assert "journal lacks" in await installation.triage("restore", "--yes", str(file), fails=True)

    assert "lines of" in await installation.triage("keys", "forget", "--yes")
    assert "restored" in await installation.triage("restore", "--yes", str(file))


# --- what was ended since ---


async def test_what_was_ended_or_renewed_since_stays_so(installation: InstalledService, tmp_path: Path) -> None:
    crew = installation.crew
    file = await backed_up(installation, tmp_path / "main.dump")
    renewed = (await crew.nurse.post(f"/v1/devices/{crew.nurse.device_id}/token")).json()["token"]
    old, crew.nurse.token = crew.nurse.token, renewed
    assert (await crew.nurse.get("/v1/me")).status_code == 200  # its first use ends the old one
    assert (await crew.officer.delete(f"/v1/devices/{crew.officer.device_id}")).status_code == 204
    await installation.triage("partner", "revoke", "--yes", "--team", str(crew.team_id), str(crew.partner.staff_id))
    epoch = (await crew.paramedic.sync())["epoch"]

    await installation.triage("restore", "--yes", str(file))
    assert (await crew.nurse.get("/v1/me")).status_code == 200
    crew.nurse.token = old
    assert refused(await crew.nurse.get("/v1/me"))[0] == 401
    assert refused(await crew.officer.get("/v1/me")) == (401, "device_revoked")
    assert refused(await crew.partner.get("/v1/exports"))[0] == 401
    assert (await crew.paramedic.sync())["epoch"] != epoch


async def test_a_cursor_of_before_a_restore_asks_the_phone_for_what_it_sent(
    installation: InstalledService, tmp_path: Path
) -> None:
    phone = installation.crew.officer
    await phone.tell("officer", uuid4())
    await phone.follow()
    file = await backed_up(installation, tmp_path / "main.dump")
    lost = await phone.tell("officer", uuid4())  # acknowledged, after the cursor and after the backup
    await installation.triage("restore", "--yes", str(file))
    assert refused(await phone.post_sync(cursor=phone.cursor)) == (410, "cursor_unknown")
    held = (await phone.post("/v1/sync/held", {"ids": [lost["id"]]})).json()
    assert held["missing"] == [lost["id"]]
    assert (await phone.sync(lost))["counts"]["stored"] == 1


async def test_lateness_is_not_held_against_what_was_lost_and_came_again(
    installation: InstalledService, tmp_path: Path
) -> None:
    """Acknowledged when it was captured; the restore lost it, and the phone offers it again."""
    crew = installation.crew
    await crew.officer.tell("officer", uuid4())
    file = await backed_up(installation, tmp_path / "main.dump")
    incident = uuid4()
    lost = [entry("intent", incident, captured_at=now()), entry("outcome", incident, captured_at=now())]
    late = entry("officer", incident, captured_at=now() - DAY)  # of before the backup: nobody knows that it was lost
    assert (await crew.officer.sync(*lost))["counts"]["stored"] == 2
    await installation.triage("restore", "--yes", str(file))
    await crew.officer.sync(*lost, late)
    new = await crew.officer.tell("officer", incident, captured_at=now())

    rows = await crew.fetch("SELECT id, received_again FROM stored_entry WHERE team_id = $1")
    again = {str(row["id"]) for row in rows if row["received_again"]}
    assert again == {body["id"] for body in lost}
    assert new["id"] not in again
    await installation.triage("verify")


async def test_what_was_sent_after_the_backup_of_an_empty_log_is_received_again(
    installation: InstalledService, tmp_path: Path
) -> None:
    """No entry says since when something may be lost: the team's beginning does."""
    crew = installation.crew
    file = await backed_up(installation, tmp_path / "main.dump")
    lost = entry("officer", uuid4(), captured_at=now())
    await crew.officer.sync(lost)
    await installation.triage("restore", "--yes", str(file))
    await crew.officer.sync(lost)
    [again] = await crew.fetch("SELECT received_again FROM entry WHERE team_id = $1")
    assert again["received_again"]
    await installation.triage("verify")


async def test_a_backup_is_restored_whatever_the_clock_of_what_was_published_says(
    installation: InstalledService, tmp_path: Path
) -> None:
    """Published as at a day to come, then gone back: the order of the journal decides, not the times in it."""
    # a team of two days, for which few periods are due
    await installation.crew.fetch("UPDATE team SET starts_on = current_date - 2 WHERE team_id = $1 RETURNING team_id")
    await installation.crew.officer.tell("officer", uuid4())
    early = await backed_up(installation, tmp_path / "early.dump")
    await installation.crew.officer.tell("officer", uuid4())
    await installation.triage("publish", "--yes", "--as-at", (now() + 3 * DAY).isoformat())
    await installation.triage("restore", "--yes", str(early))
    later = await backed_up(installation, tmp_path / "later.dump")
    await installation.triage("restore", "--rehearse", str(later))


# --- two halves that do not belong together ---


async def test_the_key_store_of_another_installation_is_refused(installation: InstalledService) -> None:
    await as_keys(installation, "UPDATE keystore.installation SET id = gen_random_uuid()")
    with pytest.raises(WrongInstallation, match="another installation"):
        async with running_service(
            installation.process.url, installation.data_dir, keys_database_url=as_login(installation.keys_url, KEYS)
        ):
            pass


async def test_the_journal_is_only_ever_added_to(installation: InstalledService) -> None:
    for sql in ("UPDATE keystore.journal SET kind = 'x'", "DELETE FROM keystore.journal", "TRUNCATE keystore.journal"):
        with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="only ever added"):
            await as_keys(installation, sql)


async def test_a_line_of_a_newer_version_stops_no_reader(installation: InstalledService) -> None:
    team = installation.crew.team_id
    line = '{"what": "invented_later", "at": "2026-11-26T12:00:00Z"}'
    await as_keys(
        installation, "INSERT INTO keystore.journal (team_id, kind, line) VALUES ($1, 'invented_later', $2)", team, line
    )
    lines = await Journal.at(installation.keys_url).read()
    assert any(isinstance(line, EpochBegan) for line in lines)
    await installation.triage("verify")


# --- what verify sees ---


@pytest.mark.parametrize(
    ("tamper", "fault"),
    [
        (
            "UPDATE entry SET sealed = NULL, erased_at = now() WHERE team_id = $1 AND kind = 'nurse'",
            "text was destroyed",
        ),
        ("UPDATE entry SET notices = '[{}]' WHERE team_id = $1", "was altered"),
        ("UPDATE entry SET received_again = true WHERE team_id = $1", "lost and received again"),
        ("UPDATE entry SET test = true WHERE team_id = $1", "counts as training"),
        ("UPDATE entry SET alias = gen_random_uuid() WHERE team_id = $1", "links another person"),
        ("UPDATE entry SET erased_at = now() WHERE team_id = $1 AND kind = 'outcome'", "counts as erased"),
        ("INSERT INTO lost_span SELECT $1, now() - interval '1 day', now()", "entries were lost"),
    ],
)
async def test_what_was_done_to_an_entry_shows(installation: InstalledService, tamper: str, fault: str) -> None:
    crew = installation.crew
    incident = uuid4()
    await crew.nurse.tell("nurse", incident, note="seen at home")
    await crew.nurse.tell("outcome", incident)
    await installation.triage("verify")
    async with as_owner(crew.owner_url, crew.team_id) as owner, unguarded(owner):
        await owner.execute(tamper, crew.team_id)
    assert fault in await installation.triage("verify", fails=True)


async def test_a_correction_that_lies_elsewhere_than_what_it_names_shows(installation: InstalledService) -> None:
    crew = installation.crew
    incident, other = uuid4(), uuid4()
    await crew.officer.tell("officer", other)
    target = entry("officer", incident)
    amendment = await crew.officer.tell("amendment", other, amends=target["id"], entry={"kind": "officer"})
    await crew.officer.tell("withdrawal", other, withdraws=amendment["id"])
    await crew.officer.sync(target)  # both came before it, and follow it to its incident
    await installation.triage("verify")
    [written] = await crew.fetch("SELECT belongs_to, names FROM entry WHERE team_id = $1 AND kind = 'withdrawal'")
    for changed, fault in (
        ((other, written["names"]), "lies in another incident"),
        ((incident, uuid4()), "names another entry"),
        (tuple(written), None),
    ):
        async with as_owner(crew.owner_url, crew.team_id) as owner, unguarded(owner):
            await owner.execute(
                "UPDATE entry SET belongs_to = $2, names = $3 WHERE team_id = $1 AND kind = 'withdrawal'",
                *(crew.team_id, *changed),
            )
        assert (fault or "whole") in await installation.triage("verify", fails=fault is not None)


async def test_a_missing_key_shows(installation: InstalledService) -> None:
    await installation.crew.nurse.tell("nurse", uuid4(), note="seen at home")
    [row] = await installation.crew.fetch("SELECT key_ref FROM entry WHERE team_id = $1")
    await as_keys(installation, "DELETE FROM keystore.data_key WHERE ref = $1", row["key_ref"])
    assert "lacks its key" in await installation.triage("verify", fails=True)

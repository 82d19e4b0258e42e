"""A replica reads what may be a moment behind; what may be read, and that it was, is the primary's alone.

What the primary is kept from reading shows who read. The replica is paused before that, and knows nothing of it.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio
from click.testing import CliRunner
from msgspec.structs import replace
from support.export_team import add_export_team, half_a_year
from support.phones import Crew, RunningService, refused, running_service
from support.standby import Pair, lose

from triage.__main__ import main
from triage.commands.database import Databases
from triage.commands.verify import verify_here
from triage.databases import Addresses
from triage.jobs.publish import publish
from triage.settings import DatabaseUrl
from triage.store import replica
from triage.store.access.staff import as_owner
from triage.store.database import Connection
from triage.store.exports import releases
from triage.store.recovery.anchors import anchor
from triage.store.recovery.history import WrongInstallation
from triage.store.summaries import calendars
from triage.summaries.schedule import slot
from triage.times import PeriodKind, parse_period

pytestmark = pytest.mark.database

BODIES = {
    "summary_edition": "team_id, kind, period, form, edition, published_at, as_at, as_at_seq, chain_head",
    "report_file": "team_id, kind, period, form, edition, sha256",
    "rendered_chunk": "team_id, release_id, agreement_id, name, n",
}
"""The tables of what is large, with the columns that are not."""


@pytest_asyncio.fixture
async def reading(pair: Pair, tmp_path: Path) -> AsyncIterator[RunningService]:
    """A process that has a replica."""
    primary, standby = (DatabaseUrl(server.url("triage")) for server in pair)
    chosen = {"database_url": primary, "keys_database_url": primary, "read_url": standby}
    async with running_service(primary, tmp_path, **chosen) as opened:
        yield opened


@pytest_asyncio.fixture
async def crew(reading: RunningService) -> Crew:
    return await reading.enrol_crew()


@pytest_asyncio.fixture
async def follower(pair: Pair) -> AsyncIterator[asyncpg.Connection]:
    """The replica's superuser."""
    connection = await asyncpg.connect(pair[1].url("triage"))
    yield connection
    await connection.close()


async def pause(reading: RunningService, follower: asyncpg.Connection) -> None:
    """The replica has all that there is, and gets no more."""
    async with as_owner(reading.url, uuid4()) as owner:
        position = await owner.fetchval("SELECT pg_current_wal_insert_lsn()")
    while not await follower.fetchval("SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn", position):
        pass
    await follower.execute("SELECT pg_wal_replay_pause()")
    while await follower.fetchval("SELECT pg_get_wal_replay_pause_state()") != "paused":
        pass


async def keep_bodies_from_primary(reading: RunningService) -> None:
    async with as_owner(reading.url, uuid4()) as owner:
        for table, columns in BODIES.items():
            await owner.execute(f"REVOKE SELECT ON {table} FROM triage_service")
            await owner.execute(f"GRANT SELECT ({columns}) ON {table} TO triage_service")


async def publish_period(reading: RunningService, crew: Crew, kind: PeriodKind, period: str) -> None:
    database = reading.service.database
    team = await calendars.team(database, crew.team_id)
    made = await publish(database, team, slot(parse_period(kind, period), team.calendar), datetime.now(UTC))
    assert made


async def test_whose_token_is_revoked_is_refused_though_the_replica_does_not_know(
    reading: RunningService, crew: Crew, follower: asyncpg.Connection
) -> None:
    await pause(reading, follower)
    gone = await crew.admin.delete(f"/v1/devices/{crew.sergeant.device_id}")
    assert gone.status_code == 204, gone.text
    assert refused(await crew.sergeant.get("/v1/summaries"))[0] == 401


async def test_files_of_a_release_are_read_by_the_replica_and_withdrawn_or_revoked_by_the_primary(
    reading: RunningService, follower: asyncpg.Connection
) -> None:
    team = await add_export_team(reading)
    await team.report(half_a_year()[:2500])
    partner = await team.partner()
    assert await team.release()
    await pause(reading, follower)
    await keep_bodies_from_primary(reading)
    manifest = await partner.manifest("tables/2025-Q1")
    for file in manifest["files"]:
        served = await partner.bytes("tables/2025-Q1", file["name"])
        assert sha256(served).hexdigest() == file["sha256"]
    assert await partner.offers()
    assert len(await team.fetch("SELECT n FROM ledger WHERE team_id = $1")) == len(manifest["files"])

    async with as_owner(reading.url, team.team_id) as owner:
        assert await releases.withdraw(owner, team.team_id, "tables", "2025-Q1", 1, datetime.now(UTC), "a test")
    for path in ("/tables/2025-Q1", f"/tables/2025-Q1/files/{manifest['files'][0]['name']}"):
        assert refused(await partner.get(path)) == (404, "not_found")
    async with as_owner(reading.url, team.team_id) as owner:
        await owner.execute("UPDATE agreement SET revoked_at = now() WHERE team_id = $1", team.team_id)
    assert await partner.offers() == []


async def test_the_bytes_of_an_edition_are_read_by_the_replica_in_every_form(
    reading: RunningService, crew: Crew, follower: asyncpg.Connection
) -> None:
    await publish_period(reading, crew, "monthly", "2026-01")
    address = "/v1/summaries/monthly/2026-01"
    forms = ("json", "html", "csv", "xlsx", "pdf")
    before = {form: (await crew.sergeant.get(address, format=form)).content for form in forms}
    await pause(reading, follower)
    await keep_bodies_from_primary(reading)
    for form in forms:
        served = await crew.sergeant.get(address, format=form)
        assert served.status_code == 200, served.text
        assert form == "xlsx" or served.content == before[form]  # a workbook says when it was made
    said = [row["query"] for row in await crew.consultations()]
    assert said == ["summary monthly 2026-01 internal"] * 2 * len(forms)


async def test_what_the_replica_has_not_yet_is_read_by_the_primary(
    reading: RunningService, crew: Crew, follower: asyncpg.Connection
) -> None:
    await pause(reading, follower)
    await publish_period(reading, crew, "daily", "2026-01-02")
    assert (await crew.sergeant.see("/v1/summaries/daily/2026-01-02"))["edition"] == 1
    assert (await crew.sergeant.get("/v1/summaries/daily/2026-01-02", format="html")).status_code == 200
    assert await crew.sergeant.see("/v1/summaries") == {"summaries": []}  # a list may be behind


async def test_a_replica_that_is_gone_costs_a_line_and_no_answer(
    pair: Pair,
    reading: RunningService,
    crew: Crew,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("WARNING", logger="triage.store")
    monkeypatch.setattr(replica, "LEFT_ALONE_FOR_S", 0.0)  # it is asked each time
    await publish_period(reading, crew, "daily", "2026-01-02")
    await lose(pair)
    for _ in range(3):
        assert (await crew.sergeant.see("/v1/summaries/daily/2026-01-02"))["edition"] == 1
        assert len((await crew.sergeant.see("/v1/summaries"))["summaries"]) == 1
        assert (await crew.auditor.see("/v1/audit"))["audit"]
    assert [record.message for record in caplog.records] == ["replica_failed"]

    await asyncio.to_thread(pair[1]._launch)
    async with asyncio.timeout(30):  # it was started, which is not yet that it answers
        while len(caplog.records) < 2:
            assert (await crew.sergeant.see("/v1/summaries/daily/2026-01-02"))["edition"] == 1
    assert [record.message for record in caplog.records] == ["replica_failed", "replica_works_again"]


async def test_a_replica_that_failed_is_left_alone_for_a_while(reading: RunningService, crew: Crew) -> None:
    asked = 0

    async def work(connection: object) -> int:
        nonlocal asked
        asked += 1
        if asked == 1:
            raise asyncpg.SerializationError("canceling statement due to conflict with recovery")
        return asked

    async def is_replica(connection: Connection) -> bool:
        return bool(await connection.fetchval("SELECT pg_is_in_recovery()"))

    async with asyncio.timeout(30):  # a process starts before it has reached its replica
        while not await reading.service.replica.read(crew.team_id, is_replica):
            pass
    assert await reading.service.replica.read(crew.team_id, work) == 2
    assert await reading.service.replica.read(crew.team_id, work) == 3


async def test_a_process_starts_without_its_replica_and_not_with_that_of_another_installation(
    reading: RunningService, db_url: str, tmp_path: Path
) -> None:
    async with running_service(db_url, tmp_path, read_url=DatabaseUrl(f"postgresql://x@/x?host={tmp_path}")) as alone:
        crew = await alone.enrol_crew()
        assert await crew.sergeant.see("/v1/summaries") == {"summaries": []}
    with pytest.raises(WrongInstallation, match="TRIAGE_READ_URL"):
        async with running_service(db_url, tmp_path, read_url=DatabaseUrl(reading.url)):
            pass


async def test_the_auditor_is_answered_by_the_replica(
    reading: RunningService, crew: Crew, follower: asyncpg.Connection
) -> None:
    incident = uuid4()
    await crew.officer.tell("officer", incident)
    await crew.sergeant.incident(incident)
    await pause(reading, follower)
    await crew.clinical_lead.incident(incident)
    listed = await crew.auditor.see(f"/v1/audit/incidents/{incident}/readers")
    assert [reader["actor"] for reader in listed["readers"]] == [str(crew.sergeant.staff_id)]  # as of the pause


async def test_chains_are_verified_on_a_replica_that_has_what_the_journal_knows(
    pair: Pair,
    reading: RunningService,
    crew: Crew,
    follower: asyncpg.Connection,
    capsys: pytest.CaptureFixture[str],
) -> None:
    await crew.officer.tell("officer", uuid4())
    databases = as_command(reading)
    await pause(reading, follower)
    await anchor(reading.service.database, reading.service.journal, crew.team_id)
    await crew.officer.tell("officer", uuid4())
    verifying = asyncio.create_task(verify_here(databases))
    await asyncio.wait({verifying}, timeout=1)
    assert not verifying.done()  # what the journal was told is not there yet

    await follower.execute("SELECT pg_wal_replay_resume()")
    await verifying
    assert f"team {crew.team_id}: 2 entries verified" in capsys.readouterr().out
    await lose(pair)
    await verify_here(databases)
    said = capsys.readouterr()
    assert "the replica does not answer" in said.err
    assert f"team {crew.team_id}: 2 entries verified" in said.out


async def test_check_says_how_the_replica_stands(
    pair: Pair,
    reading: RunningService,
    crew: Crew,
    follower: asyncpg.Connection,
    db_url: str,
) -> None:
    await pause(reading, follower)
    at = DatabaseUrl(pair[1].url("triage").replace("//triage@", "//reader@"))
    async with as_owner(reading.url, uuid4()) as owner:
        await owner.execute("CREATE ROLE reader LOGIN")
    assert "TRIAGE_READ_URL: the replica cannot be read" in await check(reading, at)
    await follower.execute("SELECT pg_wal_replay_resume()")
    while not await follower.fetchval("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = 'reader')"):
        pass
    assert 'permission denied to set role "triage_service"' in await check(reading, at)

    async with as_owner(reading.url, uuid4()) as owner:
        await owner.execute("GRANT triage_service TO reader")
    await pause(reading, follower)
    said = await check(reading, at)
    assert "wrong: the replica's login reader lacks triage_auditor, triage_sealer" in said
    assert "note: hot_standby_feedback of the replica is off" in said
    assert "behind" not in said
    await crew.officer.tell("officer", uuid4())
    assert re.search(r"note: the replica is \d+ s behind", await check(reading, at))
    said = await check(reading, DatabaseUrl(pair[1].url("triage")))
    assert "wrong: the replica's login triage owns tables or is a superuser" in said

    said = await check(reading, DatabaseUrl(reading.url))
    assert "names a server that follows none: it can be written to" in said
    said = await check(reading, DatabaseUrl(db_url))
    assert "names a server that is no copy of the database's" in said
    assert "names the database of another installation" in said


async def check(reading: RunningService, read_url: str) -> str:
    """What `triage check` says of an installation with this replica; the other things that are wrong besides."""
    environ = {
        "TRIAGE_DATABASE_URL": reading.url,
        "TRIAGE_KEYS_DATABASE_URL": reading.url,
        "TRIAGE_READ_URL": read_url,
        "TRIAGE_DATA_DIR": str(reading.service.settings.data_dir),
    }
    result = await asyncio.to_thread(CliRunner().invoke, main, ["check"], env=environ)
    assert result.exit_code == 1, (result.output, result.exception)
    return result.output


def as_command(reading: RunningService) -> Databases:
    primary = DatabaseUrl(reading.url)
    return Databases(
        replace(reading.service.settings, owner_database_url=primary), Addresses(primary, primary, primary)
    )

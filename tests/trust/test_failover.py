"""The primary dies, the standby is promoted: the same processes go on with it, and nothing acknowledged is lost."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import httpx
import pytest
import pytest_asyncio
from msgspec.structs import replace
from support.cast import Json
from support.phones import Crew, RunningService, entry, refused, running_service

from triage import embedded
from triage.commands.database import Databases
from triage.commands.verify import verify_here
from triage.databases import Addresses
from triage.embedded import EmbeddedPostgres
from triage.jobs.schedule import scheduled, service_jobs
from triage.migrate import migrate
from triage.resources import folder
from triage.settings import DatabaseUrl
from triage.store.journal import Journal
from triage.store.recovery.anchors import anchor
from triage.store.recovery.history import join

pytestmark = pytest.mark.database

REPLICATING = {"fsync": "off", "full_page_writes": "off", "autovacuum": "off"}
"""Fast, and with the log that a standby follows."""


@pytest.fixture
def pair(open_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[EmbeddedPostgres, EmbeddedPostgres]]:
    """A primary, and a standby that must have every commit before it is acknowledged."""
    monkeypatch.setattr(embedded, "NOT_DURABLE", REPLICATING)
    primary, standby = (EmbeddedPostgres(open_dir / name, durable=False) for name in ("one", "two"))
    primary.start()
    standby._make_directories()
    copy = str(open_dir / "two/pg/data")
    address = primary.url("postgres")
    primary._run("pg_basebackup", "-d", address, "-D", copy, "-R", "-c", "fast", "--no-sync")
    standby.start()
    try:
        yield primary, standby
    finally:
        primary.stop()
        standby.stop()


def either(pair: tuple[EmbeddedPostgres, EmbeddedPostgres], dbname: str) -> str:
    """The address that names both servers."""
    hosts = ",".join(server.url(dbname).partition("host=")[2].partition("&")[0] for server in pair)
    return f"postgresql://triage@/{dbname}?host={hosts}&port=5432,5432&target_session_attrs=read-write"


@pytest_asyncio.fixture
async def process(pair: tuple[EmbeddedPostgres, EmbeddedPostgres], tmp_path: Path) -> AsyncIterator[RunningService]:
    admin = await asyncpg.connect(pair[0].url("postgres"))
    await admin.execute("CREATE DATABASE triage")
    await admin.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
    await admin.execute("SELECT pg_reload_conf()")
    await admin.close()
    connection = await asyncpg.connect(pair[0].url("triage"))
    await migrate(connection, folder("sql") / "migrations")
    await migrate(connection, folder("sql") / "keys", "keystore")
    await join(connection, Journal.at(pair[0].url("triage")))
    await connection.close()
    url = either(pair, "triage")
    here = DatabaseUrl(url)
    async with running_service(url, tmp_path, database_url=here, keys_database_url=here) as opened:
        async with scheduled(service_jobs(opened.service), opened.service.database):
            yield opened


async def test_nothing_acknowledged_is_lost_and_the_service_goes_on(
    pair: tuple[EmbeddedPostgres, EmbeddedPostgres], process: RunningService
) -> None:
    primary, standby = pair
    crew = await process.enrol_crew()
    noted = await crew.nurse.tell("nurse", uuid4(), note="written down before")
    await crew.officer.follow()
    sent = [entry("officer", uuid4()) for _ in range(200)]
    answers = asyncio.gather(*(each(crew, body) for body in sent))
    stop = ("pg_ctl", "stop", "-m", "immediate", "-D", str(primary.data_dir / "pg/data"))
    await asyncio.to_thread(primary._run, *stop)
    acknowledged = [body for body, answer in zip(sent, await answers, strict=True) if answer.status_code == 201]

    for answer in (await crew.officer.put(sent[0]), await process.client.get("/health/ready")):
        assert refused(answer) == (503, "not_ready")
        assert int(answer.headers["retry-after"]) >= 1

    promoted = await asyncpg.connect(standby.url("postgres"))
    assert await promoted.fetchval("SELECT pg_promote()")
    await promoted.close()
    assert (await process.client.get("/health/ready")).status_code == 200
    asked = await crew.officer.post("/v1/sync/held", {"ids": [body["id"] for body in acknowledged]})
    assert asked.json()["missing"] == []
    again = await crew.officer.sync(*sent, cursor=crew.officer.cursor)
    assert again["counts"]["stored"] + again["counts"]["duplicate"] == len(sent)
    assert again["counts"]["duplicate"] >= len(acknowledged)
    while await crew.fetch("SELECT 1 FROM audit WHERE team_id = $1 AND link IS NULL"):
        pass  # what seals the audit goes on too
    assert "written down before" in str(await crew.nurse.entries(noted["incident_id"]))


async def each(crew: Crew, body: Json) -> httpx.Response:
    return await crew.officer.put(body)


async def test_a_standby_answers_the_auditor(
    pair: tuple[EmbeddedPostgres, EmbeddedPostgres], process: RunningService, tmp_path: Path
) -> None:
    primary, standby = (DatabaseUrl(server.url("triage")) for server in pair)
    crew = await process.enrol_crew()
    incident = uuid4()
    await crew.officer.tell("officer", incident)
    await crew.sergeant.incident(incident)
    settings = {"database_url": primary, "keys_database_url": primary, "read_url": standby}
    async with running_service(primary, tmp_path, **settings) as reading:
        async with reading.service.reader.no_team() as connection:
            assert await connection.fetchval("SELECT pg_is_in_recovery()")
        listed: list[str] = []
        while str(crew.sergeant.staff_id) not in listed:  # the standby may be a moment behind
            readers = await crew.auditor.on(reading).see(f"/v1/audit/incidents/{incident}/readers")
            listed = [reader["actor"] for reader in readers["readers"]]
        assert await crew.sergeant.on(reading).see("/v1/summaries") == {"summaries": []}


async def test_a_chain_is_verified_on_a_standby_that_has_what_the_journal_knows(
    pair: tuple[EmbeddedPostgres, EmbeddedPostgres], process: RunningService, capsys: pytest.CaptureFixture[str]
) -> None:
    crew = await process.enrol_crew()
    await crew.officer.tell("officer", uuid4())
    primary, standby = (DatabaseUrl(server.url("triage")) for server in pair)
    chosen = replace(process.service.settings, database_url=primary, owner_database_url=primary, read_url=standby)
    databases = Databases(chosen, Addresses(primary, primary, primary))
    follower = await asyncpg.connect(standby)
    await follower.execute("SELECT pg_wal_replay_pause()")
    await anchor(process.service.database, process.service.journal, crew.team_id)
    verifying = asyncio.create_task(verify_here(databases))
    await asyncio.wait({verifying}, timeout=1)
    assert not verifying.done()  # what the journal was told is not there yet

    await follower.execute("SELECT pg_wal_replay_resume()")
    await verifying
    assert f"team {crew.team_id}: 1 entries verified" in capsys.readouterr().out
    await follower.close()

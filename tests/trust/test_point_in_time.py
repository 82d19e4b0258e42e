"""A database is made anew of a base backup and its archive, as of a moment: what came later is gone, and adopted so.

The key store, with the journal, lies on a cluster of its own, which nobody takes back in time.
"""

import os
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio
from support.installation import InstalledService
from support.phones import RunningService, refused, running_service
from uuid_utils.compat import uuid7

from triage import embedded
from triage.embedded import EmbeddedPostgres
from triage.jobs.journal import anchor_logs
from triage.migrate import migrate
from triage.resources import folder
from triage.settings import DatabaseUrl
from triage.store.journal import Journal
from triage.store.recovery.history import HistoryForked, join

pytestmark = pytest.mark.database


@dataclass(slots=True)
class ArchivedCluster:
    """A cluster whose log is archived, and a base backup of it to be started elsewhere."""

    server: EmbeddedPostgres
    base: EmbeddedPostgres
    archive: Path

    def copy_base(self) -> None:
        self.base._make_directories()
        copy = str(self.base.data_dir / "pg/data")
        self.server._run("pg_basebackup", "-d", self.server.url("postgres"), "-D", copy, "-c", "fast", "--no-sync")

    async def end(self) -> None:
        """All that is written lies in the archive; then the machine is gone."""
        connection = await asyncpg.connect(self.server.url("postgres"))
        written = await connection.fetchval("SELECT pg_walfile_name(pg_switch_wal())")
        while (await connection.fetchval("SELECT last_archived_wal FROM pg_stat_archiver") or "") < written:
            pass
        await connection.close()
        self.server.stop()

    def recover(self, moment: str) -> None:
        """Start the base backup, with all that the archive has up to the moment."""
        data = self.base.data_dir / "pg/data"
        with (data / "postgresql.auto.conf").open("a") as settings:
            settings.write(f"restore_command = 'cp {self.archive}/%f %p'\n")
            settings.write(f"recovery_target_time = '{moment}'\nrecovery_target_action = 'promote'\n")
        (data / "recovery.signal").touch()
        for path in (data / "recovery.signal", data / "postgresql.auto.conf"):
            os.chown(path, data.stat().st_uid, data.stat().st_gid)
        self.base.start()


@pytest_asyncio.fixture
async def cluster(open_dir: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ArchivedCluster]:
    archive = open_dir / "archive"
    archive.mkdir()
    archive.chmod(0o777)
    fast = {"fsync": "off", "full_page_writes": "off", "autovacuum": "off"}
    archiving = {"archive_mode": "on", "archive_command": f"cp %p {archive}/%f"}
    monkeypatch.setattr(embedded, "NOT_DURABLE", fast | archiving)
    one, two = (EmbeddedPostgres(open_dir / name, durable=False) for name in ("one", "two"))
    made = ArchivedCluster(one, two, archive)
    made.server.start()
    try:
        yield made
    finally:
        for server in (made.server, made.base):
            if server.exists and not server._users.closed:
                server.stop()


@pytest_asyncio.fixture
async def keys_url(open_dir: Path) -> AsyncIterator[str]:
    server = EmbeddedPostgres(open_dir / "keys", durable=False)
    server.start()
    try:
        yield server.url("postgres")
    finally:
        server.stop()


async def test_what_was_ended_after_the_moment_stays_ended_and_phones_offer_again(
    cluster: ArchivedCluster, keys_url: str, tmp_path: Path
) -> None:
    await prepare(cluster.server.url("triage"), keys_url)
    async with serving(cluster.server, keys_url, tmp_path) as process:
        crew = await process.enrol_crew()
        cluster.copy_base()
        await crew.officer.tell("officer", uuid7())
        [moment] = await crew.fetch("SELECT clock_timestamp()::text AS at FROM team WHERE team_id = $1")
        lost = await crew.officer.tell("officer", uuid7())
        await crew.officer.follow()
        assert (await crew.admin.delete(f"/v1/devices/{crew.nurse.device_id}")).status_code == 204
        await anchor_logs(process.service.database, process.service.journal)
    await cluster.end()
    cluster.recover(moment["at"])

    with pytest.raises(HistoryForked, match="triage adopt"):
        async with serving(cluster.base, keys_url, tmp_path):
            pass
    url = cluster.base.url("triage")
    process.url = url
    installation = InstalledService(process, crew, keys_url, tmp_path)
    assert "1 entries lost" in await installation.triage("adopt", "--yes", TRIAGE_DATABASE_URL=url)
    async with serving(cluster.base, keys_url, tmp_path) as again:
        assert refused(await crew.nurse.on(again).get("/v1/incidents"))[0] == 401
        officer = crew.officer.on(again)
        assert refused(await officer.post_sync(cursor=crew.officer.cursor)) == (410, "cursor_unknown")
        assert (await officer.post("/v1/sync/held", {"ids": [lost["id"]]})).json()["missing"] == [lost["id"]]
        assert (await officer.sync(lost))["counts"]["stored"] == 1
    assert "2 entries verified" in await installation.triage("verify", TRIAGE_DATABASE_URL=url)


async def prepare(url: str, keys_url: str) -> None:
    """A migrated database, and a key store, that belong together."""
    admin = await asyncpg.connect(url.replace("/triage?", "/postgres?"))
    await admin.execute("CREATE DATABASE triage")
    await admin.close()
    owner, keys = await asyncpg.connect(url), await asyncpg.connect(keys_url)
    await migrate(owner, folder("sql") / "migrations")
    await migrate(keys, folder("sql") / "keys", "keystore")
    await join(owner, Journal.at(keys_url))
    await owner.close()
    await keys.close()


def serving(server: EmbeddedPostgres, keys_url: str, data_dir: Path) -> AbstractAsyncContextManager[RunningService]:
    url = DatabaseUrl(server.url("triage"))
    return running_service(url, data_dir, database_url=url, keys_database_url=DatabaseUrl(keys_url))

"""A primary and a standby, for what of the service lives on more than one machine."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from triage import embedded
from triage.embedded import EmbeddedPostgres
from triage.migrate import migrate
from triage.resources import folder
from triage.store.journal import Journal
from triage.store.recovery.history import join

REPLICATING = {"fsync": "off", "full_page_writes": "off", "autovacuum": "off"}
"""Fast, and with the log that a standby follows."""

Pair = tuple[EmbeddedPostgres, EmbeddedPostgres]


async def ask_for_standby(admin: asyncpg.Connection, names: str) -> None:
    """Let every commit but the caller's wait for these from now on; for none where the names are empty."""
    await admin.execute("SELECT set_config('synchronous_commit', 'local', false)")
    await admin.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{names}'")
    await admin.execute("SELECT pg_reload_conf()")
    while await admin.fetchval("SHOW synchronous_standby_names") != names:
        pass  # a session reads the files again between two statements
    await admin.execute("CHECKPOINT")  # by the process that tells all others


async def lose(pair: Pair) -> None:
    """The standby dies, and the primary goes on without."""
    primary, standby = pair
    admin = await asyncpg.connect(primary.url("postgres"))
    await admin.execute("ALTER SYSTEM RESET synchronous_standby_names")
    await admin.execute("SELECT pg_reload_conf()")
    await admin.close()
    stop = ("pg_ctl", "stop", "-m", "immediate", "-D", str(standby.data_dir / "pg/data"))
    await asyncio.to_thread(standby._run, *stop)


@pytest.fixture
def bare_pair(open_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pair]:
    """A primary, and a standby that follows it; both are empty."""
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


@pytest_asyncio.fixture
async def pair(bare_pair: Pair) -> Pair:
    """A primary with a migrated database `triage`, and a standby that must have each commit before it is told of."""
    primary, _ = bare_pair
    admin = await asyncpg.connect(primary.url("postgres"))
    await admin.execute("CREATE DATABASE triage")
    await admin.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
    await admin.execute("SELECT pg_reload_conf()")
    await admin.close()
    connection = await asyncpg.connect(primary.url("triage"))
    await migrate(connection, folder("sql") / "migrations")
    await migrate(connection, folder("sql") / "keys", "keystore")
    await join(connection, Journal.at(primary.url("triage")))
    await connection.close()
    return bare_pair

"""Acknowledged means replicated: what only one machine holds is not told to anybody, and is not made visible by us.

The server here asks for a standby that does not exist, so that every commit waits.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio
from support.standby import ask_for_standby

from triage import embedded
from triage.embedded import EmbeddedPostgres
from triage.store.database import UNREACHABLE, Database, connect, pass_barrier

pytestmark = pytest.mark.database

PATIENCE_S = 1.0


@pytest_asyncio.fixture
async def admin(open_dir: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[asyncpg.Connection]:
    """A superuser of a server of its own, with a table `written`."""
    monkeypatch.setattr(embedded, "NOT_DURABLE", {"fsync": "off"})  # with the log that a standby follows
    server = EmbeddedPostgres(open_dir, durable=False)
    connection = await asyncpg.connect(await asyncio.to_thread(server.start))
    try:
        await connection.execute("CREATE TABLE written (n int PRIMARY KEY)")
        await connection.execute("SET synchronous_commit = local")
        yield connection
    finally:
        await ask_for_standby(connection, "")
        await connection.close()
        await asyncio.to_thread(server.stop)


@pytest_asyncio.fixture
async def database(admin: asyncpg.Connection) -> AsyncIterator[Database]:
    host = (await admin.fetchval("SHOW unix_socket_directories")).strip()
    async with connect(f"postgresql://triage@/postgres?host={host}", 2, PATIENCE_S, role=None) as opened:
        yield opened


async def write(database: Database, n: int) -> None:
    async with database.no_team() as connection:
        await connection.execute("SET synchronous_commit = on")
        await connection.execute("INSERT INTO written VALUES ($1)", n)


async def rows(admin: asyncpg.Connection) -> list[int]:
    return [row["n"] for row in await admin.fetch("SELECT n FROM written ORDER BY n")]


async def test_a_commit_given_up_is_not_cancelled_and_shows_only_when_it_is_replicated(
    admin: asyncpg.Connection, database: Database
) -> None:
    await ask_for_standby(admin, "absent")
    with pytest.raises(TimeoutError):
        await write(database, 1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(PATIENCE_S / 2):  # a request whose time is over
            await write(database, 2)
    assert await rows(admin) == []

    await ask_for_standby(admin, "")
    while await rows(admin) != [1, 2]:
        pass  # the server went on waiting, and ends now


async def test_the_barrier_waits_for_what_could_be_read(admin: asyncpg.Connection, database: Database) -> None:
    await ask_for_standby(admin, "absent")
    await admin.execute("INSERT INTO written VALUES (3)")  # visible at once, as after a crash of the primary
    with pytest.raises(UNREACHABLE):
        async with database.no_team() as connection:
            assert await connection.fetchval("SELECT count(*) FROM written") == 1
            await pass_barrier(connection)

    await ask_for_standby(admin, "")
    async with database.no_team() as connection:
        await pass_barrier(connection)


async def test_a_cancelled_task_stays_cancelled(database: Database) -> None:
    """Its statement closes the socket, so that ending the transaction fails: a job would take that for an outage."""

    async def sleep() -> None:
        async with database.no_team() as connection, connection.transaction():
            await connection.execute("SELECT pg_sleep(60)")

    task = asyncio.create_task(sleep())
    await asyncio.wait({task}, timeout=PATIENCE_S / 2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert database.reachable

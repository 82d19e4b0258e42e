"""Reaching a server of several hosts, and refusing what is no server of ours."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest
from support.logins import as_login
from uuid_utils import uuid7

from triage.store import hosts
from triage.store.database import ConnectionFault, connect
from triage.store.hosts import HOST_TIMEOUT_S, addresses_of
from triage.store.hosts import connect as reach

pytestmark = pytest.mark.database

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def directory_of(url: str) -> str:
    return parse_qs(urlsplit(url).query)["host"][0]


@asynccontextmanager
async def listening(directory: Path, serve: Serve) -> AsyncIterator[str]:
    """Something that listens where PostgreSQL would; the directory of its socket."""
    ended = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(serve(reader, writer))
        await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        writer.close()

    waiting = asyncio.create_task(ended.wait())
    server = await asyncio.start_unix_server(handle, directory / ".s.PGSQL.5432")
    try:
        yield str(directory)
    finally:
        ended.set()
        server.close()
        await server.wait_closed()


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A machine that lost its power behind a router: it takes what is sent, and answers nothing."""
    while await reader.read(1024):
        pass


def test_an_address_is_taken_apart() -> None:
    assert addresses_of("postgresql://svc:s@a,b:5433/triage?target_session_attrs=read-write") == [
        "postgresql://svc:s@a/triage?target_session_attrs=read-write",
        "postgresql://svc:s@b:5433/triage?target_session_attrs=read-write",
    ]
    assert addresses_of("postgresql:///triage?host=/x,/y&port=1,2") == [
        "postgresql:///triage?host=/x&port=1",
        "postgresql:///triage?host=/y&port=2",
    ]
    assert addresses_of("postgresql://localhost/triage") == ["postgresql://localhost/triage"]


async def test_a_silent_host_that_stands_first_holds_nobody_up(db_url: str, tmp_path: Path) -> None:
    async with listening(tmp_path, silent) as silent_host:
        both = db_url.replace(f"host={directory_of(db_url)}", f"host={silent_host},{directory_of(db_url)}")
        async with asyncio.timeout(HOST_TIMEOUT_S):
            connection = await reach(both)
        assert await connection.fetchval("SELECT 1") == 1
        await connection.close()


async def test_the_host_that_answered_is_asked_first_the_next_time(
    db_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hosts, "STAGGER_S", 1.5)  # a machine with much to do may need longer than the usual
    asked = 0

    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        await silent(reader, writer)

    async with listening(tmp_path, count) as silent_host:
        both = db_url.replace(f"host={directory_of(db_url)}", f"host={silent_host},{directory_of(db_url)}")
        for _ in range(3):
            connection = await reach(both)
            await connection.close()
    assert asked == 1


@pytest.mark.parametrize("turns", range(8))
async def test_whoever_gives_up_at_any_moment_leaves_no_connection_open(db_url: str, turns: int) -> None:
    """As a request does whose time is over, in any turn of the loop after the server answered."""
    hosts._LAST_REACHED.pop(db_url, None)
    reaching = asyncio.create_task(reach(db_url))
    while db_url not in hosts._LAST_REACHED:  # noqa: ASYNC110 -- to the turn
        await asyncio.sleep(0)
    for _ in range(turns):
        await asyncio.sleep(0)
    reaching.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await (await reaching).close()
    watching = await asyncpg.connect(db_url)
    others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    try:
        async with asyncio.timeout(10):
            while await watching.fetchval(others):
                await watching.execute("SELECT pg_stat_clear_snapshot()")
    finally:
        await watching.close()


async def test_where_no_host_answers_it_is_said_in_time(tmp_path: Path) -> None:
    async with listening(tmp_path, silent) as silent_host, asyncio.timeout(3 * HOST_TIMEOUT_S):
        with pytest.raises((TimeoutError, OSError)):
            await reach(f"postgresql://triage@/triage?host={silent_host},{tmp_path}/none")


async def test_a_pooler_is_refused_by_name(db_url: str, tmp_path: Path) -> None:
    """A pooler makes up the process id that it tells a client; here a relay does so."""

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with AsyncExitStack() as stack:
            from_server, to_server = await asyncio.open_unix_connection(f"{directory_of(db_url)}/.s.PGSQL.5432")
            stack.callback(to_server.close)
            ways = pump(reader, to_server), pump(from_server, writer, other_process=True)
            tasks = [asyncio.create_task(way) for way in ways]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)

    async with listening(tmp_path, relay) as pooler:
        with pytest.raises(ConnectionFault, match="pooler"):
            async with connect(db_url.replace(directory_of(db_url), pooler), 1, 5.0):
                pass


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, other_process: bool = False) -> None:
    while data := await reader.read(65536):
        if other_process and (at := data.find(b"K\x00\x00\x00")) >= 0:  # BackendKeyData: length, process, secret
            data = data[: at + 5] + (99_999_999).to_bytes(4) + data[at + 9 :]
        writer.write(data)
        await writer.drain()


async def test_a_server_that_lets_nobody_in_yet_cannot_be_reached(server: str, db_url: str) -> None:
    """As while it is being recovered: to be tried again, and no fault of the service."""
    login = f"recovering_{uuid7().hex}"
    admin = await asyncpg.connect(server)
    try:
        await admin.execute(f"CREATE ROLE {login} LOGIN IN ROLE triage_service")
        async with connect(as_login(db_url, login), 2, 5.0) as database, database.no_team():
            await admin.execute(f"ALTER ROLE {login} NOLOGIN")
            with pytest.raises(ConnectionRefusedError):
                async with database.no_team():
                    pass
            assert not database.reachable
    finally:
        await admin.execute(f"DROP ROLE {login}")
        await admin.close()

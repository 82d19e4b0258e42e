"""Connecting to a server of several hosts: each is tried beside the others, and none may hold the others up.

libpq's way, which asyncpg follows, tries host after host: one that drops packets and stands first in the list makes
every new connection fail although the primary is healthy.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

import asyncpg
from asyncpg.pool import PoolConnectionProxy

Connection = asyncpg.Connection | PoolConnectionProxy

HOST_TIMEOUT_S: Final = 3.0
"""How long one host may take to answer."""
STAGGER_S: Final = 0.2
"""How much later the next host of the list is tried, so that the first one wins where all are well."""
DEAD_AFTER_MS: Final = 5_000
"""How long what was sent may stay unacknowledged before the peer counts as gone."""

_LAST_REACHED: Final[dict[str, str]] = {}
"""Of each address, the one of its hosts that was reached last, to be tried first: a process connects several times."""

_KEEPALIVE: Final = (
    ("TCP_KEEPIDLE", 5),
    ("TCP_KEEPINTVL", 2),
    ("TCP_KEEPCNT", 3),
    ("TCP_USER_TIMEOUT", DEAD_AFTER_MS),
)
_UNABLE: Final = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)


class PatientConnection(asyncpg.Connection):
    """A connection that never cancels what it sent: a statement given up closes the socket instead.

    PostgreSQL answers a cancel request during the wait for a standby by ending the wait: the row becomes visible
    although it is on one machine only, and is lost with that machine. A closed socket leaves the server waiting.
    """

    def _cancel_current_command(
        self, waiter: asyncio.Future[None], cancel_waiter: asyncio.Future[None] | None = None
    ) -> None:
        """Called by asyncpg when a statement's time is over or its task is cancelled."""
        asyncio.get_running_loop().call_soon(getattr(self, "_protocol").abort)  # noqa: B009 -- not among its types
        if not waiter.done():
            waiter.set_result(None)


def addresses_of(url: str) -> list[str]:
    """The address taken apart: one for each host that it names."""
    parts = urlsplit(url)
    user, at, hosts = parts.netloc.rpartition("@")
    if hosts:
        return [parts._replace(netloc=user + at + host).geturl() for host in hosts.split(",")]
    query = dict(parse_qsl(parts.query))
    names, ports = query.get("host", "").split(","), query.get("port", "5432").split(",")
    queries = [query | {"host": name, "port": ports[n % len(ports)]} for n, name in enumerate(names)]
    return [f"{parts.scheme}://{parts.netloc}{parts.path}?{urlencode(query, safe='/')}" for query in queries]


def with_login_of(url: str, other: str) -> str:
    """An address with the user and password of another one."""
    parts, login = urlsplit(url), urlsplit(other).netloc.rpartition("@")[0]
    return parts._replace(netloc=f"{login}@{parts.netloc.rpartition('@')[2]}").geturl()


async def connect(
    url: str, *, connection_class: type[PatientConnection] = PatientConnection, **options: Any
) -> PatientConnection:
    """A connection to the first host that is what the address asks for, such as `target_session_attrs=read-write`.

    Raises what the last host raised: OSError, TimeoutError, or an error of asyncpg.
    """
    options.pop("timeout", None)

    async def attempt(n: int, address: str) -> PatientConnection:
        await asyncio.sleep(n * STAGGER_S)
        connected = await asyncpg.connect(address, timeout=HOST_TIMEOUT_S, connection_class=connection_class, **options)
        assert isinstance(connected, PatientConnection)
        _LAST_REACHED[url] = address
        return connected

    addresses = sorted(addresses_of(url), key=lambda address: address != _LAST_REACHED.get(url))
    attempts = [asyncio.create_task(attempt(n, address)) for n, address in enumerate(addresses)]
    connection = None
    try:
        connection = await _first(attempts)
    finally:
        await _close_all_but(connection, attempts)
    _notice_death(connection)
    return connection


@asynccontextmanager
async def connection(url: str) -> AsyncIterator[PatientConnection]:
    """As `connect`, for the time of the block."""
    opened = await connect(url)
    try:
        yield opened
    finally:
        await opened.close()


async def _first(attempts: Iterable[asyncio.Task[PatientConnection]]) -> PatientConnection:
    error: BaseException | None = None
    for done in asyncio.as_completed(attempts):
        try:
            return await done
        except _UNABLE as failed:
            error = failed
    assert error
    raise error


async def _close_all_but(
    connection: PatientConnection | None, attempts: Iterable[asyncio.Task[PatientConnection]]
) -> None:
    for attempt in attempts:
        attempt.cancel()
    try:
        outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    except asyncio.CancelledError:  # whoever asked gives up in this very moment: nobody takes any of them
        for attempt in attempts:
            if attempt.done() and not attempt.cancelled() and not attempt.exception():
                attempt.result().terminate()
        raise
    for outcome in outcomes:
        if isinstance(outcome, PatientConnection) and outcome is not connection:
            outcome.terminate()


def _notice_death(connection: asyncpg.Connection) -> None:
    """Let the kernel give up a peer that answers nothing, such as a machine whose power failed."""
    transport = getattr(connection, "_transport", None)
    peer = transport.get_extra_info("socket") if transport else None
    if peer is None or peer.family == socket.AF_UNIX:
        return
    with contextlib.suppress(OSError):
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _KEEPALIVE:
            if hasattr(socket, option):  # Linux has all of them
                peer.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)

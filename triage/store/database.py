"""Connections: a pool whose sessions act as the service's role and see one team at a time.

Row-level security reads the session setting `triage.team`. It is set when a connection is taken for a team that is not
the one it last served, so that a query that forgets its `where` still sees one team only. That is why no pooler may
stand between: it would hand one client's session to another.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import date
from typing import Any, Final, cast
from uuid import UUID

import asyncpg

from triage.errors import OperatorError
from triage.store import hosts
from triage.store.hosts import Connection as Connection
from triage.store.hosts import PatientConnection
from triage.store.statements import statement

SERVICE_ROLE = "triage_service"
NO_TEAM = ""
FIRST_PLANS_FOR = 16
"""How often a connection is taken before it plans its statements anew; then at every doubling."""

_BARRIER = statement("database.barrier")
_PROCESS = statement("database.process", int)
_TRY_WRITE = statement("database.try_write", bool)
_SPILL_EARLY = statement("database.spill_early", str)
_TAKE_SPACE = statement("database.take_space", int)

logger = logging.getLogger(__name__)

UNREACHABLE: Final = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a connection that died between two of its messages, or a server that is a standby
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.ReadOnlySQLTransactionError,
)
"""The exceptions raised when a server is gone, ends, starts, is full, or has become a standby: to be tried again."""


class ConnectionFault(OperatorError):
    """The database at the address cannot be worked with; the message says what it is, and holds no password."""


class TeamConnection(PatientConnection):
    """A connection that remembers which team its session is set to."""

    team: str = NO_TEAM

    async def serve(self, team: str) -> None:
        """Set the session to the team, or to none."""
        if self.team != team:
            self.team = "unknown"  # should the statement fail half-way, the next user sets it again
            await self.execute("SELECT set_config('triage.team', $1, false)", team)
            self.team = team


class GenericPlans(TeamConnection):
    """A connection for statements that have one right plan each: to plan an append anew costs as much as to run it."""

    served: int = 0

    async def serve(self, team: str) -> None:
        """As every connection; at each doubling of its use it plans anew."""
        self.served += 1
        if self.served >= FIRST_PLANS_FOR and self.served & (self.served - 1) == 0:
            # planned while the tables were small, a look-up by id may scan: of an empty table any index will do
            await self.execute("DISCARD PLANS")
        await super().serve(team)


async def _keep(connection: asyncpg.Connection) -> None:
    """asyncpg's reset on release costs more than a statement, and sessions here hold nothing that it would clear."""


class Database:
    """The service's pool. `team` gives a connection that sees that team's rows, `no_team` one that sees no team's.

    That the server is out of reach, and that it is back, is one line of the log each, whoever notices first.
    """

    def __init__(
        self,
        pool: asyncpg.Pool,
        patience_s: float,
        police_station_allowed_until: date | None = None,
        *,
        needed: bool = True,
    ) -> None:
        self._pool = pool
        self._patience_s = patience_s
        self._needed = needed
        self.police_station_allowed_until = police_station_allowed_until
        """The owner's date of law, by which the entries of every team here are added up."""
        self.waited_s = 0.0
        """How long its users have waited for a connection, all together."""
        self.reachable = True
        """Whether the last use found the server."""
        self.came_back = asyncio.Event()
        """Set when a use finds it again; whoever waits for that clears it."""

    @property
    def connections(self) -> int:
        """How many are open."""
        return self._pool.get_size()

    @property
    def free_connections(self) -> int:
        """How many of them nobody uses."""
        return self._pool.get_idle_size()

    def team(self, team_id: UUID) -> AbstractAsyncContextManager[Connection]:
        """A connection set to the team."""
        return self._acquire(str(team_id))

    def any_team(self) -> AbstractAsyncContextManager[Connection]:
        """A connection set to any team or none: only for functions of the database that look beyond teams."""
        return self._acquire(None)

    def no_team(self) -> AbstractAsyncContextManager[Connection]:
        """A connection set to no team: tables of a team look empty to it."""
        return self._acquire(NO_TEAM)

    @asynccontextmanager
    async def _acquire(self, team: str | None) -> AsyncIterator[Connection]:
        began = time.perf_counter()
        try:
            async with asyncio.timeout(self._patience_s):  # the pool's own would make a task of each wait
                connection = await self._connection()
            self.waited_s += time.perf_counter() - began
            try:
                if team is not None:
                    await cast(TeamConnection, connection).serve(team)
                yield connection
            finally:
                await self._pool.release(connection)
        except UNREACHABLE as error:
            _stay_cancelled(error)
            self._note(type(error).__name__)
            raise
        self._note(None)

    async def _connection(self) -> Any:
        """A server that is being recovered lets nobody in for a while: to be tried again, as if it were not there."""
        try:
            return await self._pool.acquire()
        except asyncpg.InvalidAuthorizationSpecificationError as error:
            raise ConnectionRefusedError(type(error).__name__) from error

    def _note(self, error: str | None) -> None:
        if not self._needed:
            pass  # whoever can do without it tells
        elif error and self.reachable:
            logger.error("database_unreachable", extra={"error": error})
        elif not error and not self.reachable:
            logger.warning("database_reached")
            self.came_back.set()
        self.reachable = error is None

    async def try_write(self) -> bool:
        """Write a row, and wait for whom synchronous replication promises it to; whether it promises it to anybody.

        A server that only reads and a standby that is gone show here, where reading shows nothing, and so does a full
        disk: the row itself finds room in the page it was in, so space is asked for besides.
        """
        async with self.no_team() as connection, connection.transaction():
            await _SPILL_EARLY.fetch_one(connection)
            await _TAKE_SPACE.fetch_one(connection)
            return await _TRY_WRITE.fetch_one(connection)


def _stay_cancelled(error: Exception) -> None:
    """A cancelled statement closes its socket, so that the transaction's end fails: that is no fault of the server."""
    task = asyncio.current_task()
    if task and task.cancelling():
        raise asyncio.CancelledError from error


async def pass_barrier(connection: Connection) -> None:
    """Return when all that this connection could read before is on each machine that synchronous replication promises.

    A row may be visible and yet on one machine only: after a crash of the primary, or where its wait for a standby was
    ended from outside. And a leader that slept while another took its place answers for a moment when it wakes, from a
    log that ends too early, but commits nothing. So whatever says "duplicate", "held" or "unknown" without a commit of
    its own passes here, on the connection that read it: another may be to another server.
    """
    await _BARRIER.execute(connection)


async def set_team(connection: Connection, team_id: UUID) -> None:
    """Let the rest of a transaction see one team; for the owner's login, which no pool hands out."""
    await connection.execute("SELECT set_config('triage.team', $1, true)", str(team_id))


@asynccontextmanager
async def connect(
    url: str,
    size: int,
    command_timeout_s: float,
    role: str | None = SERVICE_ROLE,
    kind: type[TeamConnection] = TeamConnection,
    police_station_allowed_until: date | None = None,
    *,
    needed: bool = True,
) -> AsyncIterator[Database]:
    """Open the pool for the time of the block; at once, unless it is not needed.

    Raises ConnectionFault where a pooler stands between; OSError or asyncpg.PostgresError when there is no
    server, or the login may not act as the role.
    """
    settings = {
        "application_name": "triage",
        "jit": "off",
        "plan_cache_mode": "force_generic_plan" if kind is GenericPlans else "auto",
        # a process that is lost, or stopped, must free its locks, those on the head of a log before others give up
        "idle_in_transaction_session_timeout": "3s" if kind is GenericPlans else "60s",
        # a client that gave up must not wait for one
        "client_connection_check_interval": "2s",
        "tcp_keepalives_idle": "10",
    }
    try:
        async with asyncpg.create_pool(
            url,
            min_size=1 if needed else 0,
            max_size=size,
            command_timeout=command_timeout_s,
            connection_class=kind,
            connect=cast(Any, hosts.connect),  # without asyncpg's own record type
            init=_refuse_pooler,
            reset=_keep,
            server_settings=settings | ({"role": role} if role else {}),
        ) as pool:
            yield Database(pool, command_timeout_s, police_station_allowed_until, needed=needed)
    except asyncpg.ProtocolViolationError as error:
        raise ConnectionFault(f"no PostgreSQL server, or a pooler before it: {error}; {_NO_POOLER}") from error


_NO_POOLER: Final = (
    "the address must lead to PostgreSQL itself, without PgBouncer or another pooler, which would show one team's rows "
    "to another"
)


async def _refuse_pooler(connection: asyncpg.Connection) -> None:
    """A pooler shows by the process behind a connection: it is not the one that answered when the connection began."""
    if await _PROCESS.fetch_one(connection) != connection.get_server_pid():
        raise ConnectionFault(f"a connection pooler stands before the database; {_NO_POOLER}")

"""Connections: a pool whose sessions act as the service's role and see one team at a time.

Row-level security reads the session setting `triage.team`. It is set when a connection is taken for a team that is not
the one it last served, so that a query that forgets its `where` still sees one team only.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, cast
from uuid import UUID

import asyncpg
from asyncpg.pool import PoolConnectionProxy

SERVICE_ROLE = "triage_service"
NO_TEAM = ""
FIRST_PLANS_FOR = 16
"""How often a connection is taken before it plans its statements anew; then at every doubling."""

Connection = asyncpg.Connection | PoolConnectionProxy

UNREACHABLE: Final = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.TargetServerAttributeNotMatched,
)
"""What is raised when a server is gone, ends, starts, is full, or has become a standby: to be tried again."""


class TeamConnection(asyncpg.Connection):
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
    """The service's pool. `team` gives a connection that sees that team's rows, `anyone` one that sees no team's."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    @asynccontextmanager
    async def team(self, team_id: UUID) -> AsyncIterator[Connection]:
        """A connection set to the team."""
        async with self._pool.acquire() as connection:
            await cast(TeamConnection, connection).serve(str(team_id))
            yield connection

    @asynccontextmanager
    async def any_team(self) -> AsyncIterator[Connection]:
        """A connection set to any team or none: only for functions of the database that look beyond teams."""
        async with self._pool.acquire() as connection:
            yield connection

    @asynccontextmanager
    async def no_team(self) -> AsyncIterator[Connection]:
        """A connection set to no team: tables of a team look empty to it."""
        async with self._pool.acquire() as connection:
            await cast(TeamConnection, connection).serve(NO_TEAM)
            yield connection


@asynccontextmanager
async def connect(
    url: str,
    size: int,
    command_timeout_s: float,
    role: str | None = SERVICE_ROLE,
    kind: type[TeamConnection] = TeamConnection,
) -> AsyncIterator[Database]:
    """Open the pool for the time of the block. Raises OSError or asyncpg.PostgresError when there is no server."""
    settings = {
        "application_name": "triage",
        "jit": "off",
        "plan_cache_mode": "force_generic_plan" if kind is GenericPlans else "auto",
        # a lost replica must free its locks
        "idle_in_transaction_session_timeout": "60s",
        "tcp_keepalives_idle": "10",
    }
    async with asyncpg.create_pool(
        url,
        min_size=1,
        max_size=size,
        command_timeout=command_timeout_s,
        connection_class=kind,
        reset=_keep,
        server_settings=settings | ({"role": role} if role else {}),
    ) as pool:
        yield Database(pool)

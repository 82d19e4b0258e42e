"""How a command opens the databases: the one way there is."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, Final, ParamSpec
from uuid import UUID

import asyncpg
import click

from triage import logs
from triage.commands import stopping
from triage.commands.options import settings
from triage.databases import Addresses, databases
from triage.errors import OperatorError
from triage.people.encryption import Root, load_root
from triage.settings import Settings
from triage.store import hosts
from triage.store.access import teams
from triage.store.access.staff import as_owner
from triage.store.audit import NO_TEAM
from triage.store.database import UNREACHABLE, Connection, Database, connect
from triage.store.journal import Journal
from triage.store.keys import KeyStore
from triage.store.replica import Replica, connect_replica
from triage.store.summaries import calendars
from triage.store.summaries.calendars import CalendarTeam

PATIENCE_S: Final = 600.0
"""Seconds that a command's statement may take: catching up may take longer than a request ever should."""
P = ParamSpec("P")
Work = Callable[Concatenate["Databases", P], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True)
class Databases:
    """Databases, keys and journal of a command. A connection is opened when asked for, and closed with its block."""

    settings: Settings
    addresses: Addresses

    @property
    def root(self) -> Root:
        """The root secret. Raises RootFault."""
        return load_root(self.settings.root_key_file)

    @property
    def journal(self) -> Journal:
        """The journal, for all that must outlive a restore."""
        return Journal.at(self.addresses.keys)

    @asynccontextmanager
    async def service(self) -> AsyncIterator[Database]:
        """The database, by the service's own login."""
        last_day = self.settings.police_station_allowed_until
        async with connect(self.addresses.service, 4, PATIENCE_S, police_station_allowed_until=last_day) as database:
            yield database

    @asynccontextmanager
    async def team(self, team_id: UUID | None) -> AsyncIterator[tuple[Connection, CalendarTeam]]:
        """The database as one team sees it, by the service's own login. Raises OperatorError as `team_id` does."""
        async with self.service() as database:
            team = await _calendar_team(database, team_id)
            async with database.team(team.team_id) as connection:
                yield connection, team

    @asynccontextmanager
    async def replica(self, team_id: UUID | None) -> AsyncIterator[tuple[Replica, CalendarTeam]]:
        """As `team`, for what reads much and may be a moment behind."""
        async with self.service() as database, connect_replica(self.settings.read_url, database, PATIENCE_S) as replica:
            yield replica, await _calendar_team(database, team_id)

    async def owner_at_replica(self) -> str:
        """The owner's address at the replica, which has by then what the database has now.

        The database's own where there is no replica, or none that answers. Raises OperatorError where it is too far
        behind.
        """
        owner, replica = self.addresses.owner, self.settings.read_url
        if replica is None:
            return owner
        address = hosts.with_login_of(replica, owner)
        async with as_owner(owner, NO_TEAM) as connection:
            position = await connection.fetchval("SELECT pg_current_wal_lsn()")
        try:
            await _wait_for_replica(address, position)
        except UNREACHABLE as error:
            click.echo(f"the replica does not answer ({type(error).__name__}): the database is read", err=True)
            return owner
        return address

    @asynccontextmanager
    async def owner(self, team_id: UUID | None) -> AsyncIterator[tuple[asyncpg.Connection, UUID]]:
        """A transaction of the owner's login, set to one team, and the team's id. Raises OperatorError as `team_id`."""
        team_id = await self.team_id(team_id)
        async with as_owner(self.addresses.owner, team_id) as connection:
            yield connection, team_id

    @asynccontextmanager
    async def keys_database(self) -> AsyncIterator[Database]:
        """The key store's database."""
        async with connect(self.addresses.keys, 2, PATIENCE_S, role=None) as database:
            yield database

    @asynccontextmanager
    async def keys(self) -> AsyncIterator[KeyStore]:
        """The key store, opened by the root secret. Raises RootFault or WrongRoot."""
        root = self.root
        async with self.keys_database() as database:
            keys = KeyStore(database, root, self.settings.root_key_file)
            await keys.check()
            yield keys

    async def teams(self, owner_url: str | None = None) -> list[UUID]:
        """Every team of the installation, as the owner sees them; or of a database that is restored beside it."""
        async with hosts.connection(owner_url or self.addresses.owner) as connection:
            return await teams.team_ids(connection)

    async def team_id(self, team_id: UUID | None) -> UUID:
        """The team that is named, or the only one. Raises OperatorError where that is none."""
        return the_team(await self.teams(), team_id)


async def _wait_for_replica(address: str, position: object) -> None:
    waiting_until = time.monotonic() + PATIENCE_S
    while True:
        async with as_owner(address, NO_TEAM) as connection:
            # not null only on a replica: anything else has all that it will ever have
            if await connection.fetchval("SELECT coalesce(pg_last_wal_replay_lsn() >= $1::pg_lsn, true)", position):
                return
        if time.monotonic() > waiting_until:
            raise OperatorError("the replica that TRIAGE_READ_URL names is too far behind")
        await asyncio.sleep(0.2)


async def _calendar_team(database: Database, team_id: UUID | None) -> CalendarTeam:
    by_id = {team.team_id: team for team in await calendars.teams(database)}
    return by_id[the_team(list(by_id), team_id)]


def the_team(team_ids: list[UUID], team_id: UUID | None) -> UUID:
    """The team that is named, or the only one. Raises OperatorError where that is none."""
    if team_id is None and len(team_ids) > 1:
        raise OperatorError("there are several teams: say which by --team; `triage team list` lists them")
    chosen = team_ids if team_id is None else [known_id for known_id in team_ids if known_id == team_id]
    if not chosen:
        raise OperatorError("there is no such team" if team_id else "there is no team yet: `triage team add` makes one")
    return chosen[0]


def with_databases(work: Work[P]) -> Callable[..., None]:
    """A command that works on the databases that there are, and prints nothing but its result."""

    @wraps(work)
    def command(data_dir: Path | None, **options: Any) -> None:
        # an option of the group before the command, as in `triage release --data-dir DIR verify`
        chosen = settings(data_dir or click.get_current_context().obj)
        logs.configure("error")
        stopping.run(_run(chosen, work, options))

    return command


async def _run(chosen: Settings, work: Callable[..., Coroutine[Any, Any, None]], options: dict[str, Any]) -> None:
    async with databases(chosen) as addresses:
        await work(Databases(chosen, addresses), **options)

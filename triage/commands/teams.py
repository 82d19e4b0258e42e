"""What commands about one team share: its database, and which team is meant."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import rich_click as click

from triage import logs
from triage.app import databases
from triage.commands.options import settings
from triage.settings import Settings
from triage.store.database import Connection, Database, connect
from triage.store.summaries import calendars
from triage.store.summaries.calendars import CalendarTeam

TEAM = click.option("--team", "team_id", type=click.UUID, help="The team's id, where there are several.")
T = TypeVar("T")


def quiet_settings(data_dir: Path | None) -> Settings:
    """The settings, for a command whose output is its result."""
    chosen = settings(data_dir)
    logs.configure("error")
    return chosen


def with_database(chosen: Settings, run: Callable[[Database], Awaitable[T]]) -> T:
    """Run something on the database."""

    async def opened() -> T:
        async with _open(chosen) as database:
            return await run(database)

    return asyncio.run(opened())


def with_team(chosen: Settings, team_id: UUID | None, run: Callable[[Connection, CalendarTeam], Awaitable[T]]) -> T:
    """Run something for the team that is named, or for the only one. Raises click.ClickException where that is none."""

    async def opened() -> T:
        async with _open(chosen) as database:
            teams = [team for team in await calendars.teams(database) if team_id in (None, team.team_id)]
            if len(teams) != 1:
                raise click.ClickException("say which team, by --team" if teams else "there is no such team")
            async with database.team(teams[0].team_id) as connection:
                return await run(connection, teams[0])

    return asyncio.run(opened())


@asynccontextmanager
async def _open(chosen: Settings) -> AsyncIterator[Database]:
    async with databases(chosen) as addresses:
        # catching up may take longer than a request ever should
        async with connect(addresses.service, 4, 600.0) as database:
            yield database

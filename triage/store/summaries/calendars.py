"""Teams with their calendars: when a day starts, and when summaries are due."""

from datetime import time
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
from msgspec import Struct

from triage.store.database import Connection, Database
from triage.store.statements import load
from triage.summaries.schedule import DEFAULTS, Calendar, DueTime
from triage.times import PeriodKind

SQL = load("summaries")


class CalendarTeam(Struct, frozen=True):
    """A team with its calendar."""

    team_id: UUID
    name: str
    calendar: Calendar


async def teams(database: Database) -> list[CalendarTeam]:
    """Every team."""
    async with database.no_team() as connection:
        rows = await connection.fetch(SQL.teams)
    return [await _team(database, row) for row in rows]


async def team(database: Database, team_id: UUID) -> CalendarTeam:
    """One team. Raises LookupError where there is none."""
    async with database.no_team() as connection:
        rows = await connection.fetch(SQL.teams)
    for row in rows:
        if row["team_id"] == team_id:
            return await _team(database, row)
    raise LookupError("there is no such team")


async def _team(database: Database, row: asyncpg.Record) -> CalendarTeam:
    team_id = row["team_id"]
    async with database.team(team_id) as connection:
        name: str = await connection.fetchval(SQL.team_name, team_id)
        own = {
            due["kind"]: DueTime(due["due_at"], due["after_days"])
            for due in await connection.fetch(SQL.schedule, team_id)
        }
    calendar = Calendar(row["starts_on"], ZoneInfo(row["zone"]), row["day_start_hour"], {**DEFAULTS, **own})
    return CalendarTeam(team_id, name, calendar)


async def set_schedule(connection: Connection, team_id: UUID, kind: PeriodKind, at: time, after_days: int) -> None:
    """Give a team a due time of its own."""
    await connection.execute(SQL.set_schedule, team_id, kind, at, after_days)

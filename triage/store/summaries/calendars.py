"""Teams with their calendars: when a day starts, and when summaries are due."""

from datetime import date, time
from uuid import UUID
from zoneinfo import ZoneInfo

from msgspec import Struct

from triage.store.database import Connection, Database
from triage.store.statements import statement
from triage.summaries.schedule import DEFAULTS, Calendar, DueTime
from triage.terms import Terms
from triage.times import PeriodKind


class CalendarTeam(Struct, frozen=True):
    """A team with its calendar, and the terms by which its entries are added up."""

    team_id: UUID
    name: str
    calendar: Calendar
    terms: Terms


class _TeamCalendar(Struct, frozen=True):
    team_id: UUID
    zone: str
    day_start_hour: int
    starts_on: date


class _OwnDueTime(Struct, frozen=True):
    kind: PeriodKind
    due_at: time
    after_days: int


_TEAMS = statement("summaries.teams", _TeamCalendar)
_TEAM_NAME = statement("summaries.team_name", str)
_SCHEDULE = statement("summaries.schedule", _OwnDueTime)
_SET_SCHEDULE = statement("summaries.set_schedule")


async def teams(database: Database) -> list[CalendarTeam]:
    """Every team."""
    async with database.no_team() as connection:
        rows = await _TEAMS.fetch(connection)
    return [await _team(database, row) for row in rows]


async def team(database: Database, team_id: UUID) -> CalendarTeam:
    """One team. Raises LookupError where there is none."""
    async with database.no_team() as connection:
        rows = await _TEAMS.fetch(connection)
    for row in rows:
        if row.team_id == team_id:
            return await _team(database, row)
    raise LookupError("there is no such team")


async def _team(database: Database, row: _TeamCalendar) -> CalendarTeam:
    async with database.team(row.team_id) as connection:
        name = await _TEAM_NAME.fetch_one(connection, team_id=row.team_id)
        due_times = await _SCHEDULE.fetch(connection, team_id=row.team_id)
    own = {due.kind: DueTime(due.due_at, due.after_days) for due in due_times}
    calendar = Calendar(row.starts_on, ZoneInfo(row.zone), row.day_start_hour, {**DEFAULTS, **own})
    terms = Terms(calendar.zone, calendar.day_start_hour, database.police_station_allowed_until)
    return CalendarTeam(row.team_id, name, calendar, terms)


async def set_schedule(connection: Connection, team_id: UUID, kind: PeriodKind, at: time, after_days: int) -> None:
    """Give a team a due time of its own."""
    await _SET_SCHEDULE.execute(connection, team_id=team_id, kind=kind, due_at=at, after_days=after_days)

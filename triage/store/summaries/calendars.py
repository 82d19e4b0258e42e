"""Teams with their calendars: when a day starts, and when summaries are due."""

from datetime import time
from uuid import UUID
from zoneinfo import ZoneInfo

from msgspec import Struct

from triage.store.access.teams import find_team, list_teams
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


class _OwnDueTime(Struct, frozen=True):
    kind: PeriodKind
    due_at: time
    after_days: int


_SCHEDULE = statement("summaries.schedule", _OwnDueTime)
_SET_SCHEDULE = statement("summaries.set_schedule")


async def teams(database: Database) -> list[CalendarTeam]:
    """Every team."""
    return [await team(database, team_id) for team_id in await list_teams(database)]


async def team(database: Database, team_id: UUID) -> CalendarTeam:
    """One team. It exists: an actor names it."""
    known = await find_team(database, team_id)
    async with database.team(team_id) as connection:
        due_times = await _SCHEDULE.fetch(connection, team_id=team_id)
    own = {due.kind: DueTime(due.due_at, due.after_days) for due in due_times}
    calendar = Calendar(known.starts_on, ZoneInfo(known.zone), known.day_start_hour, {**DEFAULTS, **own})
    terms = Terms(calendar.zone, calendar.day_start_hour, database.police_station_allowed_until)
    return CalendarTeam(team_id, known.name, calendar, terms)


async def set_schedule(connection: Connection, team_id: UUID, kind: PeriodKind, at: time, after_days: int) -> None:
    """Give a team a due time of its own."""
    await _SET_SCHEDULE.execute(connection, team_id=team_id, kind=kind, due_at=at, after_days=after_days)

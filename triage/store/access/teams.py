"""Teams: with which zone and operational day they work, and the history that the database holds of them."""

from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from msgspec import Struct

from triage.store.database import Connection, Database
from triage.store.statements import statement
from triage.terms import Terms


class Team(Struct, frozen=True):
    """A team. `day_start_hour` is the local hour at which the operational day starts; the log begins on `starts_on`."""

    team_id: UUID
    name: str
    zone: str
    day_start_hour: int
    starts_on: date


class TeamTerms:
    """The terms of each team, by which its entries are added up: read once, for nothing changes a team's zone or day.

    `police_station_allowed_until` is the owner's, the same for every team: it is a date of law.
    """

    def __init__(self, police_station_allowed_until: date | None = None) -> None:
        self._allowed_until = police_station_allowed_until
        self._terms: dict[UUID, Terms] = {}

    async def of(self, connection: Connection, team_id: UUID) -> Terms:
        """The terms of a team, on a connection that is set to it."""
        if team_id not in self._terms:
            team = await _FIND.fetch_one(connection, team_id=team_id)
            self._terms[team_id] = Terms(ZoneInfo(team.zone), team.day_start_hour, self._allowed_until)
        return self._terms[team_id]


_LIST = statement("teams.list", UUID)
_FIND = statement("teams.find", Team)
_ADD = statement("teams.add")
_MADE_AT = statement("teams.made_at", datetime)
_EPOCH = statement("teams.epoch", UUID)


async def list_teams(database: Database) -> list[UUID]:
    """Every team, for work that is done for each in turn."""
    async with database.no_team() as connection:
        return await team_ids(connection)


async def team_ids(connection: Connection) -> list[UUID]:
    """Every team, on a connection that is open."""
    return await _LIST.fetch(connection)


async def find_team(database: Database, team_id: UUID) -> Team:
    """The team. It exists: an actor names it."""
    async with database.team(team_id) as connection:
        return await _FIND.fetch_one(connection, team_id=team_id)


async def find_epoch(database: Database) -> UUID:
    """The history that the database holds; another after a restore, a recovery to a point in time or a failover."""
    async with database.no_team() as connection:
        return await _EPOCH.fetch_one(connection)


async def add_team(
    connection: Connection, team_id: UUID, name: str, starts_on: date, made_at: datetime, zone: str, hour: int
) -> None:
    """A team whose operational day starts at `hour` local time; adding it again changes nothing."""
    await _ADD.execute(
        connection,
        team_id=team_id,
        name=name,
        zone=zone,
        day_start_hour=hour,
        starts_on=starts_on,
        created_at=made_at,
    )


async def team_made(connection: Connection, team_id: UUID) -> datetime | None:
    """When the team was made; None for no such team."""
    return await _MADE_AT.fetch_first(connection, team_id=team_id)

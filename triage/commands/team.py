"""`triage team`: the teams of the installation."""

from datetime import UTC, datetime

import click
from uuid_utils.compat import uuid7

from triage.commands.database import Databases, with_databases
from triage.commands.output import show_table
from triage.store.access import teams
from triage.store.access.staff import as_owner
from triage.store.summaries import calendars
from triage.times import operational_day


@with_databases
async def add(databases: Databases, name: str, zone: str, day_start_hour: int) -> None:
    """The work of `triage team add`."""
    team_id, now = uuid7(), datetime.now(UTC)
    async with as_owner(databases.addresses.owner, team_id) as connection:
        await teams.add_team(connection, team_id, name, operational_day(now), now, zone, day_start_hour)
    click.echo(team_id)


@with_databases
async def list_(databases: Databases, as_json: bool) -> None:
    """The work of `triage team list`."""
    async with databases.service() as database:
        listed = await calendars.teams(database)
    headings = ("id", "name", "starts on", "zone")
    show_table(
        headings,
        [(team.team_id, team.name, team.calendar.starts_on, team.calendar.zone.key) for team in listed],
        as_json,
    )

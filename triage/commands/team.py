"""`triage team`: the teams of the installation."""

from datetime import UTC, datetime

import click
from uuid_utils.compat import uuid7

from triage.commands.database import Databases, with_databases
from triage.commands.options import JSON
from triage.commands.output import show_table
from triage.store.access import teams
from triage.store.access.staff import as_owner
from triage.store.summaries import calendars
from triage.times import operational_day


@click.group()
def team() -> None:
    """Teams: add, list."""


@team.command()
@click.option("--name", required=True, help="What the team is called.")
@click.option("--zone", default="Europe/London", show_default=True, help="Its time zone.")
@click.option("--day-start-hour", default=6, show_default=True, type=click.IntRange(0, 23), help="Local hour.")
@with_databases
async def add(databases: Databases, name: str, zone: str, day_start_hour: int) -> None:
    """Make a team with an empty log, and print its id."""
    team_id, now = uuid7(), datetime.now(UTC)
    async with as_owner(databases.addresses.owner, team_id) as connection:
        await teams.add_team(connection, team_id, name, operational_day(now), now, zone, day_start_hour)
    click.echo(team_id)


@team.command("list")
@JSON
@with_databases
async def list_(databases: Databases, as_json: bool) -> None:
    """List the teams with the day their log began and their time zone."""
    async with databases.service() as database:
        listed = await calendars.teams(database)
    headings = ("id", "name", "starts on", "zone")
    show_table(
        headings,
        [(team.team_id, team.name, team.calendar.starts_on, team.calendar.zone.key) for team in listed],
        as_json,
    )

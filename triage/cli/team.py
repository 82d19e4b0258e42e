"""`triage team`: the teams of the installation."""

import click

from triage.cli.options import JSON
from triage.cli.work import runs_on_data


@click.group()
def team() -> None:
    """Teams: add, list."""


@team.command()
@click.option("--name", required=True, help="What the team is called.")
@click.option("--zone", default="Europe/London", show_default=True, help="Its time zone.")
@click.option("--day-start-hour", default=6, show_default=True, type=click.IntRange(0, 23), help="Local hour.")
@runs_on_data("triage.commands.team:add")
def add() -> None:
    """Make a team with an empty log, and print its id."""


@team.command("list")
@JSON
@runs_on_data("triage.commands.team:list_")
def list_() -> None:
    """List the teams with the day their log began and their time zone."""

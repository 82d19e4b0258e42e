"""`triage staff` and `triage enrol`: who may sign in, and with which one-time code."""

import click

from triage.cli.options import JSON, TEAM
from triage.cli.work import Named, runs_on_data


@click.group()
def staff() -> None:
    """Staff: add, list, disable."""


@staff.command()
@TEAM
@click.option("--name", required=True, help="The person's name.")
@click.option("--role", required=True, help="officer, nurse, paramedic, sergeant, clinical_lead, auditor or admin.")
@click.option("--profession", type=Named("triage.access.actors:PROFESSIONS"), help="Follows from most roles.")
@click.option("--issuer", help="The OIDC issuer through which the person signs in.")
@click.option("--subject", help="The person's subject at that issuer.")
@runs_on_data("triage.commands.staff:add")
def add() -> None:
    """Add a member of staff, and print the account's id."""


@staff.command("list")
@TEAM
@JSON
@runs_on_data("triage.commands.staff:list_")
def list_() -> None:
    """List a team's staff with the number of their devices."""


@staff.command()
@TEAM
@click.argument("staff_id", type=click.UUID)
@runs_on_data("triage.commands.staff:disable")
def disable() -> None:
    """End somebody's access at once and revoke the devices; what was sent stays."""


@click.command()
@TEAM
@click.argument("staff_id", type=click.UUID)
@runs_on_data("triage.commands.staff:enrol")
def enrol() -> None:
    """Print a one-time code, valid for 15 minutes, that enrols a phone for this account or opens the review pages."""

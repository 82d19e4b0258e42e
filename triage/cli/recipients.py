"""`triage recipients`: who got what a wrong link had touched."""

import click

from triage.cli.options import JSON, TEAM
from triage.cli.work import runs_on_data


@click.command()
@TEAM
@JSON
@click.option("--by", required=True, help="Who asks: a name or post, kept in the audit.")
@click.argument("incident_id", type=click.UUID)
@runs_on_data("triage.commands.recipients:recipients")
def recipients() -> None:
    """List who got a summary or release that may have been touched by a link of an incident, undone since."""

"""`triage recipients`: who got what a wrong link had touched."""

import click

from triage.cli.options import DATA_DIR, JSON, TEAM
from triage.cli.work import runs


@click.command()
@TEAM
@JSON
@click.option("--by", required=True, help="Who asks: a name or post, kept in the audit.")
@click.argument("incident_id", type=click.UUID)
@DATA_DIR
@runs("triage.commands.recipients:recipients")
def recipients() -> None:
    """List who got a summary or release that may have been touched by a link of an incident, undone since."""

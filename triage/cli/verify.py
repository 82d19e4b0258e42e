"""`triage verify`: whether everything is as it was written."""

import click

from triage.cli.options import JSON
from triage.cli.work import runs_on_data


@click.command()
@JSON
@runs_on_data("triage.commands.verify:verify")
def verify() -> None:
    """Recompute every chain, of log, audit and ledger of pulls, and name the first row altered, missing or moved."""

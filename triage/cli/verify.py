"""`triage verify`: whether everything is as it was written."""

import click

from triage.cli.options import DATA_DIR, JSON
from triage.cli.work import runs


@click.command()
@JSON
@DATA_DIR
@runs("triage.commands.verify:verify")
def verify() -> None:
    """Recompute every chain, of log, audit and ledger of pulls, and name the first row altered, missing or moved."""

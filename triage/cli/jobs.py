"""`triage jobs`: what is done beside requests, in a process of its own."""

import click

from triage.cli.options import DATA_DIR
from triage.cli.work import runs


@click.command()
@DATA_DIR
@runs("triage.commands.jobs:jobs")
def jobs() -> None:
    """Run the jobs until stopped by SIGINT or SIGTERM: also those that need the owner's login, such as retention."""

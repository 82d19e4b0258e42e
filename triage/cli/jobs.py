"""`triage jobs`: what is done beside requests, in a process of its own."""

import click

from triage.cli.work import runs_on_data


@click.command()
@runs_on_data("triage.commands.jobs:jobs")
def jobs() -> None:
    """Run the jobs until stopped by SIGINT or SIGTERM: also those that need the owner's login, such as retention."""

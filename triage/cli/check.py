"""`triage check`: what of an installation is wrong, in plain words, before anything is started."""

import click

from triage.cli.options import JSON
from triage.cli.work import runs_on_data


@click.command()
@JSON
@runs_on_data("triage.commands.check:check")
def check() -> None:
    """Say what of this installation is wrong: logins, grants, key store, journal, root secret, replica, clock."""

"""`triage check`: what of an installation is wrong, in plain words, before anything is started."""

import click

from triage.cli.options import DATA_DIR, JSON
from triage.cli.work import runs


@click.command()
@JSON
@DATA_DIR
@runs("triage.commands.check:check")
def check() -> None:
    """Say what of this installation is wrong: logins, grants, key store, journal, root secret, replica, clock."""

"""`triage serve`: the service on a port, until it is stopped."""

import click

from triage.cli.options import DATA_DIR, HOST, PORT
from triage.cli.work import runs


@click.command()
@DATA_DIR
@HOST
@PORT
@click.option("--without-jobs", is_flag=True, help="Serve requests alone: `triage jobs` runs elsewhere.")
@runs("triage.commands.serve:serve")
def serve() -> None:
    """Serve until stopped by SIGINT or SIGTERM; jobs that need no owner's login run beside the requests."""

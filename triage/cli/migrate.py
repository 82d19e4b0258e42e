"""`triage migrate`: the databases at this version of the program, made where they are asked for."""

import click

from triage.cli.options import DATA_DIR
from triage.cli.work import runs


@click.command()
@DATA_DIR
@click.option("--create", is_flag=True, help="Make what is missing: the databases and the root secret.")
@runs("triage.commands.migrate:migrate")
def migrate() -> None:
    """Bring the database and the key store up to this version of the program, by the owner's login."""

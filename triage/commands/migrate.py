"""`triage migrate`: the databases at this version of the program, made where they are asked for."""

import asyncio
from pathlib import Path

import click

from triage import logs
from triage.commands import stopping
from triage.commands.options import DATA_DIR, settings
from triage.databases import databases
from triage.people.encryption import load_or_create_root
from triage.settings import Settings


@click.command()
@DATA_DIR
@click.option("--create", is_flag=True, help="Make what is missing: the databases and the root secret.")
def migrate(data_dir: Path | None, create: bool) -> None:
    """Bring the database and the key store up to this version of the program, by the owner's login."""
    chosen = settings(data_dir)
    logs.configure("warning" if chosen.log_level == "info" else chosen.log_level)
    stopping.run(_migrate(chosen, create))
    click.echo("The databases are up to date.")


async def _migrate(chosen: Settings, create: bool) -> None:
    async with databases(chosen, create=create, migrating=True):
        if create:
            chosen.root_key_file.parent.mkdir(parents=True, exist_ok=True)
            await asyncio.to_thread(load_or_create_root, chosen.root_key_file)

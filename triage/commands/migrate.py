"""`triage migrate`: the databases at this version of the program, made where they are asked for."""

import asyncio
from pathlib import Path

import click

from triage import logs
from triage.commands import stopping
from triage.commands.options import settings
from triage.databases import databases
from triage.people.encryption import load_or_create_root
from triage.settings import Settings


def migrate(data_dir: Path | None, create: bool) -> None:
    """The work of `triage migrate`."""
    chosen = settings(data_dir)
    logs.configure("warning" if chosen.log_level == "info" else chosen.log_level)
    stopping.run(_migrate(chosen, create))
    click.echo("The databases are up to date.")


async def _migrate(chosen: Settings, create: bool) -> None:
    async with databases(chosen, create=create, migrating=True):
        if create:
            chosen.root_key_file.parent.mkdir(parents=True, exist_ok=True)
            await asyncio.to_thread(load_or_create_root, chosen.root_key_file)

"""`triage backup` and `triage restore`: the databases, and what a backup must not undo."""

import asyncio
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from uuid import UUID

import asyncpg
import click

from triage.commands.database import Databases, with_databases
from triage.commands.options import YES, confirm
from triage.commands.verify import report, verify_all
from triage.databases import Addresses
from triage.jobs.journal import copy_publications, write_anchors
from triage.migrate import migrate
from triage.people.encryption import load_root
from triage.resources import folder
from triage.settings import Settings
from triage.store import audit, hosts
from triage.store.access import teams
from triage.store.database import connect
from triage.store.journal import ChainRewound, Journal
from triage.store.keys import KeyStore
from triage.store.people import erasure
from triage.store.recovery import backup as store
from triage.store.recovery.anchors import Anchors, AnchorWriter, chain_ends
from triage.store.recovery.backup import BackupFault
from triage.store.recovery.journal_copy import PublicationWriter
from triage.store.verify import ChainVerdict

FILE = click.argument("file", type=click.Path(path_type=Path, dir_okay=False))


@click.command()
@click.option("--keys", is_flag=True, help="The key store, alone: keep such backups 14 days at most.")
@FILE
@with_databases
async def backup(databases: Databases, keys: bool, file: Path) -> None:
    """Write the database into FILE, without the key store; or with --keys the key store alone."""
    addresses = databases.addresses
    if not keys:
        await write_journal(databases)
    await asyncio.to_thread(store.dump, addresses.keys if keys else addresses.owner, file, keys)
    click.echo(f"{file}: {file.stat().st_size} bytes")


async def write_journal(databases: Databases) -> None:
    """Bring the journal up to what was published, and to where the chains stand."""
    async with databases.service() as database:
        await copy_publications(database, PublicationWriter(database, databases.journal))
        await write_anchors(database, AnchorWriter(database, databases.journal))


@click.command()
@YES
@click.option("--rehearse", is_flag=True, help="Restore into a scratch database, verify it, and remove it.")
@FILE
@with_databases
async def restore(databases: Databases, yes: bool, rehearse: bool, file: Path) -> None:
    """Restore FILE beside the database, replay the journal, verify every chain, and only then take its place.

    The database that was replaced is kept under another name. A running service goes on with the restored one.
    """
    if not file.exists():
        raise click.BadParameter(f"{file} does not exist")
    if not rehearse:
        confirm(f"The database is replaced by what {file} holds; what there is now is kept under another name.", yes)
    verdicts, aside = await _restore(databases.settings, databases.addresses, file, rehearse)
    report(verdicts)
    click.echo("rehearsed: the backup can be restored" if rehearse else f"restored; what was there is kept as {aside}")


async def _restore(
    chosen: Settings, addresses: Addresses, file: Path, rehearse: bool
) -> tuple[list[tuple[str, ChainVerdict]], str]:
    url = addresses.owner
    name = store.database_name(url)
    if not rehearse and store.database_name(addresses.keys) == name:
        raise BackupFault("the key store lies in the same database, and would be replaced with it")
    stamp = f"{datetime.now(UTC):%Y%m%d_%H%M%S}"
    restored, aside = f"{name}_restored_{stamp}", f"{name}_before_{stamp}"
    await store.create(url, restored)
    try:
        verdicts, ends = await _make_true(chosen, addresses, store.with_database(url, restored), file, rehearse)
        faulty = any(verdict.fault for _, verdict in verdicts)
        if not rehearse and not faulty:
            Journal(chosen.journal).add(*ends)
            await store.swap(url, restored, aside)
            Journal(chosen.journal).add(*ends)  # again: a running service may have told of what was replaced
    except BaseException:
        await store.drop(url, restored)
        raise
    if rehearse or faulty:
        await store.drop(url, restored)
    return verdicts, aside


async def _make_true(
    chosen: Settings, addresses: Addresses, url: str, file: Path, rehearse: bool
) -> tuple[list[tuple[str, ChainVerdict]], list[ChainRewound]]:
    """Load, migrate, replay and seal; the verdict on every chain, and where each ended in the backup.

    A rehearsal leaves the key store alone.
    """
    journal = Journal(chosen.journal)
    await asyncio.to_thread(store.load, url, file)
    root = await asyncio.to_thread(load_root, chosen.root_key_file)
    async with connect(addresses.keys, 2, chosen.command_timeout_s, role=None) as keys_database:
        keys = None if rehearse else KeyStore(keys_database, root, chosen.root_key_file)
        connection = await hosts.connect(url)
        try:
            await migrate(connection, folder("sql") / "migrations")
            async with connection.transaction():
                ends = await _ends(connection)
                await replay(connection, keys, journal)
        finally:
            await connection.close()
    async with connect(url, 2, chosen.command_timeout_s, role=None) as database:
        while await audit.extend_chain(database):
            pass
    return await verify_all(url, Anchors(chain(journal.lines(), ends))), ends


async def _ends(connection: asyncpg.Connection) -> list[ChainRewound]:
    found = []
    for team_id in (*await _teams(connection), audit.NO_TEAM):
        await connection.execute("SELECT set_config('triage.team', $1, true)", str(team_id))
        found += await chain_ends(connection, team_id)
    return found


async def _teams(connection: asyncpg.Connection) -> list[UUID]:
    return await teams.team_ids(connection)


async def replay(connection: asyncpg.Connection, keys: KeyStore | None, journal: Journal) -> None:
    """Make every line of the journal true in a restored database, for the teams that it has."""
    team_ids = await _teams(connection)
    for line in journal.lines():
        if line.team_id in team_ids:
            await connection.execute("SELECT set_config('triage.team', $1, true)", str(line.team_id))
            await erasure.replay(connection, keys, line)

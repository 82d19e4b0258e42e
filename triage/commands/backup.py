"""`triage backup`, `triage restore`, `triage adopt`: the databases, and what going back in time must not undo."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from uuid import UUID

import click

from triage.commands.database import Databases, with_databases
from triage.commands.options import confirm
from triage.commands.verify import report, verify_all
from triage.jobs.journal import copy_publications, write_anchors
from triage.migrate import migrate
from triage.resources import folder
from triage.store import audit, hosts
from triage.store.access import teams
from triage.store.chains import ChainVerdict
from triage.store.database import Connection, connect, set_team
from triage.store.job_runs import record_success
from triage.store.journal_lines import ChainRewound
from triage.store.recovery import backup as store
from triage.store.recovery import history
from triage.store.recovery.anchors import KINDS, Anchors, chain_ends, last_true, lost_between
from triage.store.recovery.backup import BackupFault
from triage.store.recovery.journal_copy import PublicationWriter
from triage.store.recovery.replay import replay

Verdicts = list[tuple[str, ChainVerdict]]


@with_databases
async def backup(databases: Databases, keys: bool, file: Path) -> None:
    """The work of `triage backup`."""
    addresses = databases.addresses
    if file.is_dir():
        file = file / f"{'keys' if keys else 'database'}-{datetime.now(UTC):%u}"
    if not keys:
        await write_journal(databases)
    await asyncio.to_thread(store.dump, addresses.keys if keys else addresses.owner, file, keys)
    async with databases.service() as database, database.no_team() as connection:
        await record_success(connection, "backup_keys" if keys else "backup")
    click.echo(f"{file}: {file.stat().st_size} bytes")


def newest_backup(directory: Path) -> Path:
    """The newest whole backup of the database in a directory. Raises click.BadParameter where there is none."""
    whole = [file for file in directory.glob("database-*") if file.suffix != store.UNFINISHED]
    if not whole:
        raise click.BadParameter(f"{directory} holds no backup of the database")
    return max(whole, key=lambda file: file.stat().st_mtime)


async def write_journal(databases: Databases) -> None:
    """Bring the journal up to what was published and where the chains stand; note in the database how far it is."""
    async with databases.service() as database:
        await copy_publications(database, PublicationWriter(database, databases.journal))
        await write_anchors(database, databases.journal)
    await databases.journal.export(databases.settings.journal)
    async with hosts.connection(databases.addresses.owner) as connection:
        await history.mark_backup(connection, databases.journal)


@with_databases
async def restore(databases: Databases, yes: bool, dry_run: bool, rehearse: bool, file: Path) -> None:
    """The work of `triage restore`."""
    if file.is_dir():
        file = newest_backup(file)
    if not file.exists():
        raise click.BadParameter(f"{file} does not exist")
    await history.check_backup(await asyncio.to_thread(store.read_installation, file), databases.journal)
    if not rehearse:
        replaced = f"The database is replaced by what {file} holds; what there is now is kept under another name."
        confirm(replaced, yes=yes, dry_run=dry_run)
    verdicts, aside = await _restore(databases, file, rehearse)
    report(verdicts)
    if rehearse:
        async with databases.service() as database, database.no_team() as connection:
            await record_success(connection, "rehearsal")
    click.echo("rehearsed: the backup can be restored" if rehearse else f"restored; what was there is kept as {aside}")


async def _restore(databases: Databases, file: Path, rehearse: bool) -> tuple[Verdicts, str]:
    url = databases.addresses.owner
    name = store.database_name(url)
    if not rehearse and store.database_name(databases.addresses.keys) == name:
        raise BackupFault("the key store lies in the same database, and would be replaced with it")
    stamp = f"{datetime.now(UTC):%Y%m%d_%H%M%S}"
    restored, aside = f"{name}_restored_{stamp}", f"{name}_before_{stamp}"
    await store.create(url, restored)
    try:
        verdicts, ends = await _load(databases, store.with_database(url, restored), file, rehearse)
        faulty = any(verdict.fault for _, verdict in verdicts)
        if not rehearse and not faulty:
            async with hosts.connection(store.with_database(url, restored)) as connection, connection.transaction():
                await history.begin_epoch(connection, databases.journal, ends)
            await store.swap(url, restored, aside)
            await databases.journal.add(*ends)  # again: a running service may have told of what was replaced
    except BaseException:
        await store.drop(url, restored)
        raise
    if rehearse or faulty:
        await store.drop(url, restored)
    return verdicts, aside


async def _load(databases: Databases, url: str, file: Path, rehearse: bool) -> tuple[Verdicts, list[ChainRewound]]:
    """Load, migrate, replay and chain; the verdict on every chain, and where each ended in the backup.

    A rehearsal leaves the key store alone.
    """
    await asyncio.to_thread(store.load, url, file)
    async with databases.keys() as keys, hosts.connection(url) as connection:
        await migrate(connection, folder("sql") / "migrations")
        async with connection.transaction():
            ends = await _ends(connection, chain_ends)
            await replay(connection, None if rehearse else keys, databases.journal)
    await _chain_audit(url)
    return await verify_all(databases, url, ends), ends


async def _chain_audit(url: str) -> None:
    async with connect(url, 2, 600.0, role=None) as database:
        while await audit.extend_chain(database):
            pass


async def _ends(
    connection: Connection, ends_of: Callable[[Connection, UUID], Awaitable[list[ChainRewound]]]
) -> list[ChainRewound]:
    """The ends of the chains of every team, as `ends_of` gives them for one; in a transaction."""
    ends = []
    for team_id in (*await teams.team_ids(connection), audit.NO_TEAM):
        await set_team(connection, team_id)
        ends += await ends_of(connection, team_id)
    return ends


@with_databases
async def adopt(databases: Databases, yes: bool, dry_run: bool) -> None:
    """The work of `triage adopt`."""
    anchors = Anchors(await databases.journal.read(*KINDS))
    true_ends = partial(last_true, anchors)
    async with hosts.connection(databases.addresses.owner) as connection:
        async with connection.transaction():
            ends = await _ends(connection, true_ends)
        lost = sum(lost_between(anchors, end) for end in ends if end.chain == "entries")
        forked = f"The journal knows of {lost} entries that this database lost or holds otherwise; it goes on anyway."
        confirm(forked, yes=yes, dry_run=dry_run)
        async with connection.transaction():
            # an append decides on what it read: it read before the loss ended, or knows of it
            await connection.execute("LOCK TABLE log_head IN ACCESS EXCLUSIVE MODE")
            ends = await _ends(connection, true_ends)
            async with databases.keys() as keys:
                await replay(connection, keys, databases.journal)
            await history.begin_epoch(connection, databases.journal, ends)
    await _chain_audit(databases.addresses.owner)
    report(await verify_all(databases, databases.addresses.owner))
    click.echo(f"adopted; {lost} entries lost, which phones are told to send again")

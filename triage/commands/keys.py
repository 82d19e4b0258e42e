"""`triage keys`: the key-encryption keys, under which every data key is wrapped."""

import asyncio
from pathlib import Path
from uuid import UUID

import rich_click as click
from rich.progress import Progress

from triage import logs
from triage.app import databases
from triage.commands.options import DATA_DIR, settings
from triage.people.encryption import Root, add_wrapping_key, drop_wrapping_keys, load_root
from triage.settings import Settings
from triage.store.database import Connection, connect
from triage.store.journal import Journal, JournalFault
from triage.store.keys import SQL, KeyStore
from triage.store.people.erasure import destroyed_by

AT_ONCE = 1000


@click.group()
def keys() -> None:
    """Keys: rotate the key-encryption key, retire old ones, forget what was erased."""


@keys.command()
@DATA_DIR
def rotate(data_dir: Path | None) -> None:
    """Add a key-encryption key and wrap every data key anew. Cut short, the same command goes on where it stopped.

    Nothing that is sealed is touched, and running services go on: they read the root secret again when they need it.
    """
    logs.configure("error")
    done, kek = asyncio.run(_rotate(settings(data_dir)))
    click.echo(f"{done} data keys wrapped anew under key {kek}; `triage keys retire` removes the old ones")


@keys.command()
@DATA_DIR
def retire(data_dir: Path | None) -> None:
    """Remove key-encryption keys that wrap nothing: a day after a rotation, when no process holds an old one."""
    logs.configure("error")
    left = asyncio.run(_retire(settings(data_dir)))
    click.echo(f"key-encryption keys left: {', '.join(map(str, left))}")


@keys.command()
@DATA_DIR
def forget(data_dir: Path | None) -> None:
    """Destroy again every key that the journal says was destroyed: after the key store itself was restored."""
    logs.configure("error")
    try:
        destroyed = asyncio.run(_forget(settings(data_dir)))
    except JournalFault as fault:
        raise click.ClickException(str(fault)) from fault
    click.echo(f"{destroyed} keys destroyed again")


async def _forget(chosen: Settings) -> int:
    refs = [ref for line in Journal(chosen.journal).lines() for ref in destroyed_by(line)]
    root = await asyncio.to_thread(load_root, chosen.root_key_file)
    async with (
        databases(chosen) as addresses,
        connect(addresses.keys, 2, chosen.command_timeout_s, role=None) as database,
    ):
        return await KeyStore(database, root, chosen.root_key_file).destroy(refs)


async def _rotate(chosen: Settings) -> tuple[int, int]:
    async with (
        databases(chosen) as addresses,
        connect(addresses.keys, 2, chosen.command_timeout_s, role=None) as database,
        database.no_team() as connection,
    ):
        root = await asyncio.to_thread(load_root, chosen.root_key_file)
        used = await _wrapped_under(connection)
        if set(used) <= {root.newest}:  # else a rotation that was cut short is finished first
            root = await asyncio.to_thread(add_wrapping_key, chosen.root_key_file)
        return await rewrap_all(connection, root), root.newest


async def rewrap_all(connection: Connection, root: Root) -> int:
    """Wrap anew whatever is not under the newest key; how many."""
    newest = root.newest.to_bytes(4, "big")
    total = sum(n for kek, n in (await _wrapped_under(connection)).items() if kek != root.newest)
    done, after = 0, UUID(int=0)
    with Progress(transient=True) as bar:
        task = bar.add_task("data keys", total=total)
        while rows := await connection.fetch(SQL.not_under, newest, after, AT_ONCE):
            refs, old = [row["ref"] for row in rows], [row["wrapped"] for row in rows]
            new = [root.rewrap(wrapped, ref) for wrapped, ref in zip(old, refs, strict=True)]
            await connection.execute(SQL.rewrap, refs, old, new)
            done, after = done + len(rows), refs[-1]
            bar.update(task, completed=done)
    return done


async def _retire(chosen: Settings) -> list[int]:
    async with (
        databases(chosen) as addresses,
        connect(addresses.keys, 2, chosen.command_timeout_s, role=None) as database,
        database.no_team() as connection,
    ):
        used = await _wrapped_under(connection)
    root = await asyncio.to_thread(drop_wrapping_keys, chosen.root_key_file, used.keys())
    return sorted(root.wrapping)


async def _wrapped_under(connection: Connection) -> dict[int, int]:
    """How many data keys are wrapped under which key-encryption key."""
    return {int.from_bytes(row["kek"], "big"): row["n"] for row in await connection.fetch(SQL.wrapped_under)}

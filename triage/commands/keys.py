"""`triage keys`: the key-encryption keys, under which every data key is wrapped."""

import asyncio
from uuid import UUID

import click

from triage.commands.database import Databases, with_databases
from triage.commands.options import confirm
from triage.commands.output import progress
from triage.people.encryption import Root, add_wrapping_key, drop_wrapping_keys
from triage.store.database import Connection
from triage.store.keys import NOT_UNDER, REWRAP, WRAPPED_UNDER, KeyStore
from triage.store.people.erasure import destroyed_by

AT_ONCE = 1000


@with_databases
async def rotate(databases: Databases) -> None:
    """The work of `triage keys rotate`."""
    root = databases.root
    async with databases.keys_database() as database, database.any_team() as connection:
        if set(await _wrapped_under(connection)) <= {root.newest}:  # else a rotation that was cut short is finished
            root = await asyncio.to_thread(add_wrapping_key, databases.settings.root_key_file)
        done = await rewrap_all(connection, root)
    click.echo(f"{done} data keys wrapped anew under key {root.newest}; `triage keys retire` removes the old ones")


async def rewrap_all(connection: Connection, root: Root) -> int:
    """Wrap anew whatever is not under the newest key; how many."""
    newest = root.newest.to_bytes(4, "big")
    total = sum(n for kek, n in (await _wrapped_under(connection)).items() if kek != root.newest)
    done, after = 0, UUID(int=0)
    with progress("data keys") as update:
        while wrapped := await NOT_UNDER.fetch(connection, kek=newest, after=after, most=AT_ONCE):
            refs, old = [key.ref for key in wrapped], [key.wrapped for key in wrapped]
            new = [root.rewrap(before, ref) for before, ref in zip(old, refs, strict=True)]
            await REWRAP.execute(connection, refs=refs, old=old, new=new)
            done, after = done + len(wrapped), refs[-1]
            update(done, total)
    return done


@with_databases
async def retire(databases: Databases, yes: bool, dry_run: bool) -> None:
    """The work of `triage keys retire`."""
    async with databases.keys_database() as database, database.any_team() as connection:
        used = await _wrapped_under(connection)
    unused = sorted(databases.root.wrapping.keys() - used.keys() - {databases.root.newest})
    gone = f"Key-encryption keys that wrap nothing go for good: {', '.join(map(str, unused)) or 'none'}."
    gone += " A backup of the key store made under them cannot be read then."
    confirm(gone, yes=yes or not unused, dry_run=dry_run)
    root = await asyncio.to_thread(drop_wrapping_keys, databases.settings.root_key_file, used.keys())
    click.echo(f"key-encryption keys left: {', '.join(map(str, sorted(root.wrapping)))}")


@with_databases
async def forget(databases: Databases, yes: bool, dry_run: bool) -> None:
    """The work of `triage keys forget`."""
    exported = databases.settings.journal
    if not dry_run:
        put_back = await databases.journal.put_back(exported) if exported.exists() else 0
        click.echo(f"{put_back} lines of {exported} put back")
    lines = databases.journal.lines("person_erasure", "notes_erasure")
    refs = [ref async for line in lines for ref in destroyed_by(line)]
    came_back = f"The journal names {len(refs)} keys that were destroyed; those that came back are destroyed again."
    confirm(came_back, yes=yes, dry_run=dry_run)
    async with databases.keys_database() as database:
        store = KeyStore(database, databases.root, databases.settings.root_key_file)
        destroyed = await store.destroy(refs)
    click.echo(f"{destroyed} keys destroyed again")


async def _wrapped_under(connection: Connection) -> dict[int, int]:
    """How many data keys are wrapped under which key-encryption key."""
    return {int.from_bytes(under.kek, "big"): under.n for under in await WRAPPED_UNDER.fetch(connection)}

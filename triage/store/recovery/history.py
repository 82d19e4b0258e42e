"""The identity of a database, and the history it holds: the installation's name, and the epoch that phones are told."""

from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID, uuid4

import asyncpg

from triage.errors import OperatorError
from triage.store.audit import NO_TEAM
from triage.store.database import UNREACHABLE, Connection, Database, set_team
from triage.store.journal import Journal
from triage.store.journal_lines import ChainRewound, EpochBegan
from triage.store.statements import statement


class WrongInstallation(OperatorError):
    """A database, a backup or a key store of another installation; the message says which."""


class HistoryForked(OperatorError):
    """The database lost what the journal knows of, after a failover or a recovery that nobody has adopted."""


class Installation(NamedTuple):
    """The identity of a database. The last three are as of its last backup, and null before the first."""

    id: UUID
    epoch: UUID
    root_fingerprint: bytes | None
    journal_n: int | None
    journal_digest: bytes | None


_INSTALLATION = statement("recovery.installation", Installation)
_TAKE_NAME = statement("recovery.take_name", UUID)
_BEGIN_EPOCH = statement("recovery.begin_epoch", UUID)
REMEMBER_LOSS = statement("recovery.remember_loss")
_MARK_BACKUP = statement("recovery.mark_backup", UUID)


async def read_installation(connection: Connection) -> Installation:
    """The identity of the database."""
    return await _INSTALLATION.fetch_one(connection)


async def join(connection: Connection, journal: Journal) -> None:
    """Tie main database and key store together, as the owner, when they are migrated.

    A main database without a team takes the name that the key store knows, to be restored into. Raises
    WrongInstallation.
    """
    here = (await read_installation(connection)).id
    there = await journal.claim(here)
    if here != there and await _TAKE_NAME.fetch_first(connection, id=there) is None:
        raise WrongInstallation("the key store is that of another installation: check TRIAGE_KEYS_DATABASE_URL")
    if await journal.last_epoch() is None:
        epoch = (await read_installation(connection)).epoch
        await journal.add(EpochBegan(at=datetime.now(UTC), team_id=NO_TEAM, epoch=epoch))


async def check_joined(connection: Connection, journal: Journal) -> None:
    """Raises WrongInstallation or HistoryForked where database, key store and journal are not of one history."""
    here, there = await read_installation(connection), await journal.installation()
    if here.id != there:
        raise WrongInstallation("the key store is that of another installation: check TRIAGE_KEYS_DATABASE_URL")
    epoch = await journal.last_epoch()
    if epoch is not None and epoch != here.epoch:
        raise HistoryForked("the database holds an older history than the journal: run `triage adopt`")


async def check_replica(replica: Database, database: Database) -> None:
    """Raises WrongInstallation where the replica is another installation's; it need not answer, nor be up to date."""
    async with database.no_team() as connection:
        here = await read_installation(connection)
    try:
        async with replica.no_team() as connection:
            there = await read_installation(connection)
    except (*UNREACHABLE, asyncpg.PostgresError):
        return
    if there.id != here.id:
        raise WrongInstallation("the replica is that of another installation: check TRIAGE_READ_URL")


async def mark_backup(connection: Connection, journal: Journal) -> None:
    """Write into the database how far the journal is, before it is backed up; as the owner."""
    mark, fingerprint = await journal.mark(), await journal.root_fingerprint()
    n, digest = mark or (None, None)
    await _MARK_BACKUP.fetch_one(connection, root_fingerprint=fingerprint, n=n, digest=digest)


async def check_backup(backup: Installation, journal: Journal) -> None:
    """Raises WrongInstallation where a backup is not of the installation whose key store and journal these are."""
    if backup.id != await journal.installation():
        raise WrongInstallation("this is the backup of another installation")
    if backup.root_fingerprint != await journal.root_fingerprint():
        raise WrongInstallation("the backup was made under another root secret than the key store's")
    if backup.journal_n is not None:
        mark = await journal.mark(backup.journal_n)
        if mark is None or mark != (backup.journal_n, backup.journal_digest):
            raise WrongInstallation(
                "the journal lacks what it knew when this backup was made: `triage keys forget` puts its export back"
            )


async def begin_epoch(connection: Connection, journal: Journal, ends: list[ChainRewound]) -> None:
    """Give the history a new name, and tell the journal before it is committed; as the owner, in a transaction."""
    for end in ends:
        if end.chain == "entries" and end.since is not None:
            await set_team(connection, end.team_id)
            await REMEMBER_LOSS.execute(connection, team_id=end.team_id, since=end.since, until=end.at)
    epoch = await _BEGIN_EPOCH.fetch_one(connection, epoch=uuid4())
    await journal.add(*ends, EpochBegan(at=datetime.now(UTC), team_id=NO_TEAM, epoch=epoch))

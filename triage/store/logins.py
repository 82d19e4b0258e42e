"""The rights of a login in its database, and how that database is kept."""

from datetime import datetime
from typing import Final, NamedTuple

from triage.errors import OperatorError
from triage.settings import Settings
from triage.store import hosts
from triage.store.statements import statement


class SharedCluster(OperatorError):
    """The key store lies where each backup of the main database holds its keys too."""


class DatabaseLogin(NamedTuple):
    """The rights of a login in its database, and how that database is kept."""

    name: str
    superuser: bool
    owns_tables: bool
    missing_roles: list[str]
    may_restore: bool
    system: str
    at: datetime
    synchronous_standbys: str
    synchronous_commit: str
    archiving: str
    listens_beyond: bool
    encrypted: bool


class ReplicaState(NamedTuple):
    """How a replica stands: whether it follows a primary, how far behind, and whether its readings are waited for."""

    recovering: bool
    behind_s: float
    holds_back_cleaning: bool


_READ: Final = statement("logins.read", DatabaseLogin)
_POSITION: Final = statement("logins.position", str)
_REPLICA: Final = statement("logins.replica", ReplicaState)


async def read_login(url: str) -> DatabaseLogin:
    """The rights of the login of this address. Raises what a server out of reach raises."""
    async with hosts.connection(url) as connection:
        return await _READ.fetch_one(connection)


async def read_replica(url: str, database_url: str) -> ReplicaState:
    """How the replica at an address stands to its database. Raises what a server out of reach raises."""
    async with hosts.connection(database_url) as database:
        position = await _POSITION.fetch_one(database)
    async with hosts.connection(url) as replica:
        return await _REPLICA.fetch_one(replica, position=position)


async def check_apart(settings: Settings) -> None:
    """Raises SharedCluster where people are reached by https, and one cluster has the data and the keys to them."""
    if not settings.public_url.startswith("https:") or not (settings.database_url and settings.keys_database_url):
        return
    here, there = [await read_login(url) for url in (settings.database_url, settings.keys_database_url)]
    if here.system == there.system:
        raise SharedCluster(
            "the key store lies in the main database's cluster, whose archive would hold every key: set "
            "TRIAGE_KEYS_DATABASE_URL to a database of another one"
        )

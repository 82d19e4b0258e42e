"""The rights of a login in its database, and how that database is kept."""

from datetime import datetime
from typing import Final, NamedTuple

from triage.store import hosts
from triage.store.statements import statement


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


_READ: Final = statement("logins.read", DatabaseLogin)


async def read_login(url: str) -> DatabaseLogin:
    """The rights of the login of this address. Raises what a server out of reach raises."""
    connection = await hosts.connect(url)
    try:
        return await _READ.fetch_one(connection)
    finally:
        await connection.close()

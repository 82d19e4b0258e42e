"""The three logins that an installation is worked with."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urlsplit

import asyncpg

from triage.settings import DatabaseUrl

OWNER: Final = "test_owner"
"""Owns the tables; makes databases and roles; no superuser."""
SERVICE: Final = "test_service"
"""Owns nothing; a member of the service's roles."""
KEYS: Final = "test_keys"
"""Owns the key store."""


def as_login(url: str, login: str) -> DatabaseUrl:
    """The same database for another login."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return DatabaseUrl(f"{parts.scheme}://{login}@{host}{parts.path}?{parts.query}")


@asynccontextmanager
async def unguarded(owner: asyncpg.Connection) -> AsyncIterator[None]:
    """No trigger stops what is done in the block, in the caller's transaction: so far an owner of the tables can go."""
    for verb in ("DISABLE", "ENABLE"):
        tables = await owner.fetch(
            "SELECT DISTINCT tgrelid::regclass::text AS name FROM pg_trigger JOIN pg_class c ON c.oid = tgrelid"
            " WHERE NOT tgisinternal AND tgparentid = 0 AND c.relnamespace = 'public'::regnamespace"
        )
        for table in tables:
            await owner.execute(f"ALTER TABLE {table['name']} {verb} TRIGGER USER")
        if verb == "DISABLE":
            yield
            await owner.execute("SET CONSTRAINTS ALL IMMEDIATE")

"""The key store: wrapped data keys in a database of their own, so that erasing is deleting one row.

Keys are made ahead in lots, because the log must not wait for a second database with every note.
"""

import asyncio
from collections.abc import Iterable
from uuid import UUID

from triage.people.sealing import DataKey, Purpose, Root, new_data_key
from triage.store.database import Database
from triage.store.statements import load

SQL = load("keys")
LOT = 256
"""Keys made at once. Those unused when the process ends stay behind as rows that open nothing."""


class WrongRoot(Exception):
    """The key store was filled under another root secret."""


class KeyStore:
    """Data keys: taken for new sealed text, fetched to read it, destroyed to erase it."""

    def __init__(self, database: Database, root: Root) -> None:
        self._database = database
        self._root = root
        self._ready: list[DataKey] = []
        self._filling = asyncio.Lock()

    async def check(self) -> None:
        """Raises WrongRoot when this process holds another root secret than the one that filled the store."""
        fingerprint = self._root.derive(Purpose.FINGERPRINT)
        async with self._database.anyone() as connection:
            stored = await connection.fetchval(SQL.claim, fingerprint)
        if stored != fingerprint:
            raise WrongRoot("the key store was filled under another root secret: check TRIAGE_ROOT_KEY_FILE")

    async def take(self, count: int) -> list[DataKey]:
        """Keys never used before, already stored."""
        if len(self._ready) < count:
            async with self._filling:
                while len(self._ready) < count:
                    await self._fill()
        taken, self._ready = self._ready[:count], self._ready[count:]
        return taken

    async def _fill(self) -> None:
        lot = [new_data_key() for _ in range(LOT)]
        async with self._database.anyone() as connection:
            await connection.execute(SQL.add, [k.ref for k in lot], [self._root.wrap(k.key, k.ref) for k in lot])
        self._ready += lot

    async def fetch(self, refs: Iterable[UUID]) -> dict[UUID, bytes]:
        """The keys that still exist. What was sealed under the others is gone for ever."""
        async with self._database.anyone() as connection:
            rows = await connection.fetch(SQL.fetch, list(refs))
        return {row["ref"]: self._root.unwrap(row["wrapped"], row["ref"]) for row in rows}

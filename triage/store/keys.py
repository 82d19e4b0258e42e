"""The key store: wrapped data keys in a database of their own, so that erasing is deleting one row.

Keys are made ahead in lots, because the log must not wait for a second database with every note.
"""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from uuid import UUID

from msgspec import Struct

from triage.errors import OperatorError
from triage.people.encryption import DataKey, KeyUnknown, Purpose, Root, load_root, new_data_key
from triage.store.database import Database
from triage.store.statements import statement

LOT = 256
"""Keys made at once. Those unused when the process ends stay behind as rows that open nothing."""


class WrappedKey(Struct, frozen=True):
    """A data key as stored: wrapped under a key-encryption key."""

    ref: UUID
    wrapped: bytes


class KeysUnder(Struct, frozen=True):
    """How many data keys are wrapped under one key-encryption key, by its number as four bytes."""

    kek: bytes
    n: int


_CLAIM = statement("keys.claim", bytes)
_ADD = statement("keys.add")
_FETCH = statement("keys.fetch", WrappedKey)
_EXISTING = statement("keys.existing", UUID)
_DESTROY = statement("keys.destroy", UUID)
NOT_UNDER = statement("keys.not_under", WrappedKey)
REWRAP = statement("keys.rewrap")
WRAPPED_UNDER = statement("keys.wrapped_under", KeysUnder)


class WrongRoot(OperatorError):
    """The key store was filled under another root secret."""


class KeyStore:
    """Data keys: taken for new sealed text, fetched to read it, destroyed to erase it."""

    def __init__(self, database: Database, root: Root, root_file: Path | None = None) -> None:
        self._database = database
        self._root = root
        self._root_file = root_file
        self._ready: list[DataKey] = []
        self._filling = asyncio.Lock()

    async def check(self) -> None:
        """Raises WrongRoot when this process holds another root secret than the one that filled the store."""
        fingerprint = self._root.derive(Purpose.FINGERPRINT)
        async with self._database.no_team() as connection:
            stored = await _CLAIM.fetch_one(connection, fingerprint=fingerprint)
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
        await self._read_root()  # a rotation may have begun
        lot = [new_data_key() for _ in range(LOT)]
        async with self._database.no_team() as connection:
            await _ADD.execute(
                connection, refs=[k.ref for k in lot], wrapped=[self._root.wrap(k.key, k.ref) for k in lot]
            )
        self._ready += lot

    async def fetch(self, refs: Iterable[UUID]) -> dict[UUID, bytes]:
        """The keys that still exist. What was sealed under the others is gone for ever."""
        async with self._database.no_team() as connection:
            stored = await _FETCH.fetch(connection, refs=list(refs))
        try:
            return self._unwrap(stored)
        except KeyUnknown:  # wrapped anew by a rotation since this process read the root secret
            await self._read_root()
            return self._unwrap(stored)

    async def _read_root(self) -> None:
        if self._root_file:
            self._root = await asyncio.to_thread(load_root, self._root_file)

    def _unwrap(self, stored: Iterable[WrappedKey]) -> dict[UUID, bytes]:
        return {key.ref: self._root.unwrap(key.wrapped, key.ref) for key in stored}

    async def existing(self, refs: Iterable[UUID]) -> set[UUID]:
        """Which of the keys there are."""
        async with self._database.no_team() as connection:
            return set(await _EXISTING.fetch(connection, refs=list(refs)))

    async def destroy(self, refs: Iterable[UUID]) -> int:
        """Destroy keys: what was sealed under them is gone for ever. How many there were."""
        async with self._database.no_team() as connection:
            destroyed = await _DESTROY.fetch(connection, refs=list(refs))
        return len(destroyed)

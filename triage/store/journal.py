"""The journal: what a restored main database must not undo, in a table of the key store's database.

A line is only ever added, and committed before what it tells of. A line more than what happened does no harm: it
revokes, erases or keeps again what already is. Lines of a kind that this version does not know are kept, and passed
over.
"""

import fcntl
import json
import os
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple, get_args
from uuid import UUID

import msgspec

from triage.errors import OperatorError
from triage.store import hosts
from triage.store.hosts import Connection
from triage.store.journal_lines import (
    ChainAnchored,
    ChainName,
    ChainRewound,
    DeviceRevoked,
    EpochBegan,
    JournalLine,
    RowPublished,
    kind_of,
    name_of,
)
from triage.store.statements import statement

PAGE: Final = 100
_KINDS: Final = frozenset(str(kind.__struct_config__.tag) for kind in get_args(JournalLine))
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(JournalLine).decode


class JournalFault(OperatorError):
    """The journal cannot be read or does not fit; the message names the line or the file."""


class JournalMark(NamedTuple):
    """A line by its number, and the SHA-256 of it."""

    n: int
    digest: bytes


class _Stored(NamedTuple):
    n: int
    kind: str
    line: str


class _Exported(NamedTuple):
    n: int
    team_id: UUID
    kind: str
    name: str | None
    line: str


_LOCK = statement("journal.lock", str)
_ADD = statement("journal.add")
_PAGE = statement("journal.page", _Stored)
_KNOWN = statement("journal.known", bytes)
_MARK = statement("journal.mark", JournalMark)
_PUT_BACK = statement("journal.put_back")
_COUNT_ON = statement("journal.count_on", int)
_EXPORT = statement("journal.export", _Exported)
_CLAIM = statement("journal.claim_installation", UUID)
_FINGERPRINT = statement("journal.fingerprint", bytes)
_INSTALLATION = statement("journal.installation", UUID)
_LAST_OF_CHAINS = statement("journal.last_of_chains", _Stored)
_LAST_WRITTEN = statement("journal.last_written", datetime)
_LAST_EPOCH = statement("journal.last_epoch", _Stored)


class Journal:
    """The journal of an installation. It holds ids and hashes, no identifier, note or token.

    `connect` opens a connection of the key store's database.
    """

    def __init__(self, connect: Callable[[], AbstractAsyncContextManager[Connection]]) -> None:
        self._connect = connect

    @classmethod
    def at(cls, url: str) -> "Journal":
        """The journal in the key store of this address, for a command: each use opens a connection."""
        return cls(partial(hosts.connection, url))

    async def add(self, *lines: JournalLine) -> None:
        """Append, and return when it is committed."""
        async with self._connect() as connection, connection.transaction():
            await _LOCK.fetch_one(connection)
            await _ADD.execute(
                connection,
                team_ids=[line.team_id for line in lines],
                kinds=[kind_of(line) for line in lines],
                names=[name_of(line) for line in lines],
                lines=[_encode(line).decode() for line in lines],
            )

    async def lines(self, *kinds: str) -> AsyncIterator[JournalLine]:
        """Every line of these kinds, or of all, in the order in which they were committed. Raises JournalFault."""
        after = 0
        while page := await self._page(after, kinds):
            for stored in page:
                if stored.kind.split(" ")[0] in _KINDS:
                    yield _read(stored)
            after = page[-1].n

    async def read(self, *kinds: str) -> list[JournalLine]:
        """As `lines`, all at once: not for the rows of releases, which are large."""
        return [line async for line in self.lines(*kinds)]

    async def _page(self, after: int, kinds: Sequence[str]) -> list[_Stored]:
        async with self._connect() as connection:
            return await _PAGE.fetch(connection, after=after, kinds=list(kinds) or None, most=PAGE)

    async def unknown(self, rows: Iterable[RowPublished]) -> list[RowPublished]:
        """Those of the rows that are not kept yet."""
        named = {name_of(row): row for row in rows}
        async with self._connect() as connection:
            known = await _KNOWN.fetch(connection, names=list(named))
        return [row for name, row in named.items() if name not in known]

    async def mark(self, until: int | None = None) -> JournalMark | None:
        """The last line, or the last up to a number; None where there is none."""
        async with self._connect() as connection:
            return await _MARK.fetch_first(connection, until=2**62 if until is None else until)

    async def claim(self, installation: UUID) -> UUID:
        """Whose key store this is; it becomes this installation's where it was nobody's."""
        async with self._connect() as connection:
            return await _CLAIM.fetch_one(connection, id=installation)

    async def installation(self) -> UUID | None:
        """Whose key store this is; None where it is nobody's yet."""
        async with self._connect() as connection:
            return await _INSTALLATION.fetch_first(connection)

    async def last_of_chains(
        self, team_ids: Sequence[UUID], chains: Sequence[ChainName]
    ) -> list[ChainAnchored | ChainRewound]:
        """The last line of each of these chains of these teams, of those that have one."""
        async with self._connect() as connection:
            stored = await _LAST_OF_CHAINS.fetch(connection, team_ids=list(team_ids), chains=list(chains))
        lines = [_read(line) for line in stored]
        return [line for line in lines if isinstance(line, ChainAnchored | ChainRewound)]

    async def last_written(self) -> datetime | None:
        """When it was last told of anything; None while it is empty."""
        async with self._connect() as connection:
            return await _LAST_WRITTEN.fetch_first(connection)

    async def last_epoch(self) -> UUID | None:
        """The name of the history; None before the first."""
        async with self._connect() as connection:
            stored = await _LAST_EPOCH.fetch_first(connection)
        line = _read(stored) if stored else None
        return line.epoch if isinstance(line, EpochBegan) else None

    async def root_fingerprint(self) -> bytes | None:
        """Which root secret the keys are wrapped under; None before the first."""
        async with self._connect() as connection:
            return await _FINGERPRINT.fetch_first(connection)

    async def export(self, file: Path) -> int:
        """Bring the exported file up to the journal; how many lines came to it.

        One JSON object a line. What a machine that failed left half-written is written again.
        """
        file.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            after, added = _cut_to_last(handle), 0
            while page := await self._export_page(after):
                _write_all(handle, b"".join(_encode(line._asdict()) + b"\n" for line in page))
                added, after = added + len(page), page[-1].n
            os.fsync(handle)
        finally:
            os.close(handle)
        return added

    async def _export_page(self, after: int) -> list[_Exported]:
        async with self._connect() as connection:
            return await _EXPORT.fetch(connection, after=after, most=PAGE)

    async def put_back(self, file: Path) -> int:
        """Put the lines of an exported file back that the journal lacks, after the key store itself was restored."""
        before = await self.mark()
        async with self._connect() as connection, connection.transaction():
            await _LOCK.fetch_one(connection)
            for exported in _exported_lines(file):
                if before is None or exported.n > before.n:
                    name = bytes.fromhex(exported.name) if exported.name else None
                    await _PUT_BACK.execute(connection, **exported._asdict() | {"name": name})
            await _COUNT_ON.fetch_one(connection)
        after = await self.mark()
        return (after.n if after else 0) - (before.n if before else 0)


def _read(stored: _Stored) -> JournalLine:
    try:
        line: JournalLine = _decode(stored.line)
        return line
    except msgspec.DecodeError as error:
        raise JournalFault(f"the journal's line {stored.n} cannot be read") from error


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


def _cut_to_last(handle: int) -> int:
    """Cut a half-written end off; the number of the last whole line."""
    size = os.lseek(handle, 0, os.SEEK_END)
    end, last = size, b""
    with os.fdopen(os.dup(handle), "rb") as reader:
        start = max(0, size - (1 << 26))
        reader.seek(start)
        tail = reader.read()
    if tail:
        whole = tail.rfind(b"\n") + 1
        end, lines = start + whole, tail[:whole].splitlines()
        last = lines[-1] if lines else b""
    os.ftruncate(handle, end)
    os.lseek(handle, end, os.SEEK_SET)
    return int(json.loads(last)["n"]) if last else 0


def exported_until(file: Path) -> int:
    """The number of the last line of an exported file; 0 where there is none."""
    return max((line.n for line in _exported_lines(file)), default=0) if file.exists() else 0


def _exported_lines(file: Path) -> Iterable[_Exported]:
    with file.open("rb") as lines:
        for number, text in enumerate(lines, 1):
            try:
                values: dict[str, Any] = msgspec.json.decode(text)
                yield _Exported(**values | {"team_id": UUID(values["team_id"])})
            except (msgspec.DecodeError, TypeError, KeyError, ValueError) as error:
                if not text.endswith(b"\n"):
                    return  # the machine failed while it was written
                raise JournalFault(f"{file}: line {number} cannot be read") from error


def device_revoked(team_id: UUID, device_id: UUID) -> DeviceRevoked:
    """The line of a revocation that happens now."""
    return DeviceRevoked(at=datetime.now(UTC), team_id=team_id, device_id=device_id)

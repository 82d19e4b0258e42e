"""The journal: what a restored backup must not undo, in a small file outside every database.

One JSON object a line, only ever added, each on the disk before what it tells of is committed. A line more than what
happened does no harm: it revokes, erases or keeps again what already is.
"""

import fcntl
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from uuid import UUID

import msgspec
from msgspec import Struct

from triage.errors import OperatorError


class _Line(Struct, frozen=True, tag_field="what", kw_only=True):
    """Something that holds whatever is restored."""

    at: datetime
    team_id: UUID


class DeviceRevoked(_Line, frozen=True, tag="revocation", kw_only=True):
    """A device was revoked."""

    device_id: UUID


class StaffDisabled(_Line, frozen=True, tag="leaver", kw_only=True):
    """An account was disabled, with its devices."""

    staff_id: UUID


class PersonErased(_Line, frozen=True, tag="person_erasure", kw_only=True):
    """A person's identifiers were destroyed, and the key of this reference. Ids lead to nothing any more."""

    receipt: UUID
    person_id: UUID
    by: str
    key: UUID | None = None


class NotesErased(_Line, frozen=True, tag="notes_erasure", kw_only=True):
    """The texts of these entries were destroyed; `keys` are their references in the key store."""

    receipt: UUID
    incident_ids: list[UUID]
    entries: list[UUID]
    keys: list[UUID]
    by: str


class HoldPlaced(_Line, frozen=True, tag="hold", kw_only=True):
    """An incident was put under legal hold at this instant."""

    incident_id: UUID
    reason: str
    by: str


class HoldLifted(_Line, frozen=True, tag="lift", kw_only=True):
    """Every hold that an incident was under at this instant was lifted."""

    incident_id: UUID
    by: str


class RegimeChanged(_Line, frozen=True, tag="regime", kw_only=True):
    """Incidents were put under a regime at this instant."""

    incident_ids: list[UUID]
    regime: str
    reason: str
    by: str


class RowPublished(_Line, frozen=True, tag="published", kw_only=True):
    """A row of what was published, or of what it rests on, as it was stored: kept, and never cut again."""

    table: str
    row: msgspec.Raw


ChainName = Literal["entries", "audit", "pulls"]


class ChainAnchored(_Line, frozen=True, tag="head", kw_only=True):
    """Where a chain of the team stood: whoever cuts its end off in the database does not reach this."""

    chain: ChainName
    position: int
    link: str


class ChainRewound(_Line, frozen=True, tag="rewound", kw_only=True):
    """A backup was restored in which the chain ended here; what was told of later positions is void."""

    chain: ChainName
    position: int


JournalLine = (
    DeviceRevoked
    | StaffDisabled
    | PersonErased
    | NotesErased
    | HoldPlaced
    | HoldLifted
    | RegimeChanged
    | RowPublished
    | ChainAnchored
    | ChainRewound
)

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(JournalLine).decode


class JournalFault(OperatorError):
    """The journal cannot be read; the message names the file and the line."""


class Journal:
    """The journal file of an installation. It holds ids, no identifier and no note."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, *lines: JournalLine) -> None:
        """Append, and return when it is on the disk. Raises OSError."""
        data = b"".join(_encode(line) + b"\n" for line in lines)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            _write_all(handle, data)
            os.fsync(handle)
        finally:
            os.close(handle)

    def lines(self) -> Iterator[JournalLine]:
        """Every line, in order; none where there is no journal yet. Raises JournalFault."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            for n, text in enumerate(file, 1):
                try:
                    yield _decode(text)
                except msgspec.DecodeError as error:
                    if not text.endswith(b"\n"):
                        return  # the machine failed while it was written: what it told of was not committed
                    raise JournalFault(f"{self._path}: line {n} cannot be read") from error

    def revoked(self, team_id: UUID, device_id: UUID) -> None:
        """Remember a revocation."""
        self.add(DeviceRevoked(at=datetime.now(UTC), team_id=team_id, device_id=device_id))


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]

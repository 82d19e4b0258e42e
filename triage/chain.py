"""The hash chains: each link covers the one before it, so nothing can be altered, dropped or moved unseen.

link = H(previous ‖ payload), H being SHA-256. Of an entry of the log the payload is envelope ‖ H(salt ‖ canonical coded
body) ‖ H(sealed text); the envelope is what the service keeps beside the content. Free text is covered by a digest of
its sealed bytes, so it can be destroyed without breaking the chain; the salt keeps a guessed body from being confirmed
by its digest alone. The audit and the ledger of downloads are chained alike, with payloads of their own.
"""

import struct
from collections.abc import Iterable
from datetime import UTC, datetime
from hashlib import sha256
from typing import NamedTuple
from uuid import UUID

from msgspec import Struct

GENESIS = bytes(32)
"""The link before the first row of a chain."""

SALT_BYTES = 16
_NOBODY = bytes(16)
_NO_TEXT = bytes(32)
_FIXED = struct.Struct(">16sQ16s16s16s16s16sqq??").pack
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Envelope(Struct, frozen=True, gc=False):
    """The columns of an entry that are chained beside its content."""

    team_id: UUID
    seq: int
    id: UUID
    incident_id: UUID
    kind: str
    author: UUID
    profession: str
    role: str
    device: UUID | None
    received_at: datetime
    skew_ms: int | None
    blind: bool
    released_by: UUID | None
    notices: str


class Head(NamedTuple):
    """The last row of a chain so far, by its position from 1 on, and its link; at first 0 and `GENESIS`."""

    position: int
    link: bytes


class ChainedRow(NamedTuple):
    """A row as it stands in a chain; `name` is how a fault calls it."""

    position: int
    payload: bytes
    link: bytes
    name: str


def extend(previous: bytes, payload: bytes) -> bytes:
    """The link of the row with this payload, 32 bytes."""
    return sha256(previous + payload).digest()


def follow(head: Head, rows: Iterable[ChainedRow], what: str) -> tuple[Head, str | None]:
    """Where these rows lead, and what is wrong with the first that does not follow; `what` a row is."""
    for row in rows:
        if row.position != head.position + 1:
            return head, f"{what} {head.position + 1} is missing"
        if extend(head.link, row.payload) != row.link:
            return head, f"{row.name} was altered, or moved here"
        head = Head(row.position, row.link)
    return head, None


def entry_payload(envelope: Envelope, salt: bytes, body: bytes, sealed_digest: bytes | None) -> bytes:
    """The bytes under the link of an entry. `sealed_digest` is `digest(sealed text)`, None where there is none."""
    e = envelope
    since_epoch = e.received_at - _EPOCH
    fixed = _FIXED(
        e.team_id.bytes,
        e.seq,
        e.id.bytes,
        e.incident_id.bytes,
        e.author.bytes,
        e.device.bytes if e.device else _NOBODY,
        e.released_by.bytes if e.released_by else _NOBODY,
        (since_epoch.days * 86_400 + since_epoch.seconds) * 1_000_000 + since_epoch.microseconds,
        e.skew_ms or 0,
        e.skew_ms is not None,
        e.blind,
    )
    words = f"{e.kind}\0{e.profession}\0{e.role}\0{e.notices}\0".encode()
    return fixed + words + sha256(salt + body).digest() + (sealed_digest or _NO_TEXT)


def digest(sealed: bytes) -> bytes:
    """The digest that stands for sealed text in the chain."""
    return sha256(sealed).digest()

"""Where a phone stands in the log: opaque to it, checked on return.

A pull goes through up to two stages. `log` (or `scope`, for a phone that starts afresh) follows the log by position and
pages by it; when it has caught up, `time` adds what changed by time alone between the instant the cursor was issued and
now. Only a cursor of a finished pull is at rest: it remembers the head it saw and the instant.
"""

import struct
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID

from msgspec import Struct

from triage.problems import CURSOR_MALFORMED, Refused

Stage = Literal["rest", "scope", "log", "time"]

_STAGES: tuple[Stage, ...] = ("rest", "scope", "log", "time")
EPOCH_BYTES = 8
"""How much of the epoch a cursor remembers."""
_LAYOUT = struct.Struct(f">BBQ8s{EPOCH_BYTES}sqq16s")
_VERSION = 2
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
NOWHERE = UUID(int=0)
ANYWHERE_AFTER = UUID(int=2**128 - 1)


class Cursor(Struct, frozen=True):
    """`position`, with the first bytes of the `link` there and of the history's `epoch`; `since`, from which time
    counts, and `until`, to which it does where a `time` stage takes several pages; `place`, the page's last incident.
    """

    stage: Stage
    position: int
    link: bytes
    epoch: bytes
    since: datetime
    until: datetime
    place: UUID = NOWHERE


def encode(cursor: Cursor) -> str:
    """The cursor as a phone gets it."""
    packed = _LAYOUT.pack(
        _VERSION,
        _STAGES.index(cursor.stage),
        cursor.position,
        cursor.link,
        cursor.epoch,
        (cursor.since - _EPOCH) // _MICROSECOND,
        (cursor.until - _EPOCH) // _MICROSECOND,
        cursor.place.bytes,
    )
    return urlsafe_b64encode(packed + zlib.crc32(packed).to_bytes(4, "big")).decode().rstrip("=")


def decode(text: str) -> Cursor:
    """The cursor again. Raises Refused (400) for what no answer of this service ever held."""
    try:
        raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
        packed, check = raw[:-4], raw[-4:]
        if zlib.crc32(packed).to_bytes(4, "big") != check:
            raise ValueError
        version, stage, position, link, epoch, since, until, place = _LAYOUT.unpack(packed)
        if version != _VERSION:
            raise ValueError
        return Cursor(
            _STAGES[stage],
            position,
            link,
            epoch,
            _EPOCH + since * _MICROSECOND,
            _EPOCH + until * _MICROSECOND,
            UUID(bytes=place),
        )
    except (ValueError, IndexError, struct.error, OverflowError) as error:
        raise Refused(CURSOR_MALFORMED) from error

"""The ledger of pulls: every download of a file, each line chained to the one before it."""

from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct

GENESIS: Final = bytes(32)
"""What the first line is chained to."""
WHOLE: Final = "whole"
"""The part of a pull that asked for all of a file; else the bytes, as `bytes=0-99`."""


class Download(Struct, frozen=True, kw_only=True):
    """One download: who got which file of which release under which agreement, and what the file selects.

    `columns` and `areas` are the agreement's for a record file; `part` is what was asked for of the file's bytes.
    """

    at: datetime
    partner_id: UUID
    agreement_id: UUID
    purpose: str
    dataset: str
    period: str
    edition: int
    file: str
    columns: tuple[str, ...]
    areas: tuple[str, ...]
    part: str
    rows: int
    sha256: str


class LedgerLine(Struct, frozen=True):
    """A pull with its place in the chain."""

    n: int
    pull: Download
    link: bytes


def link(team_id: UUID, previous: bytes, n: int, pull: Download) -> bytes:
    """H(previous ‖ team ‖ number ‖ the pull as JSON), H being SHA-256."""
    return sha256(previous + team_id.bytes + n.to_bytes(8, "big") + msgspec.json.encode(pull)).digest()


def fault(team_id: UUID, previous: LedgerLine | None, lines: Iterable[LedgerLine]) -> str | None:
    """The first line that does not follow from the ones before it; None where all do."""
    n, linked = (previous.n, previous.link) if previous else (0, GENESIS)
    for line in lines:
        n += 1
        if line.n != n:
            return f"line {n} is missing"
        linked = link(team_id, linked, n, line.pull)
        if line.link != linked:
            return f"line {n} was altered"
    return None

"""The ledger of pulls: every download of a file, each line chained to the one before it."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct

from triage import chain

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
    return chain.extend(previous, _payload(team_id, n, pull))


def _payload(team_id: UUID, n: int, pull: Download) -> bytes:
    return team_id.bytes + n.to_bytes(8, "big") + msgspec.json.encode(pull)


def fault(team_id: UUID, previous: LedgerLine | None, lines: Iterable[LedgerLine]) -> str | None:
    """The first line that does not follow from the ones before it; None where all do."""
    head = chain.Head(previous.n, previous.link) if previous else chain.Head(0, chain.GENESIS)
    rows = (
        chain.ChainedRow(line.n, _payload(team_id, line.n, line.pull), line.link, f"line {line.n}") for line in lines
    )
    return chain.follow(head, rows, "line")[1]

"""The ledger of pulls: every download of a file, each line chained to the one before it."""

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct

WHOLE: Final = "whole"
"""The part of a pull that asked for all of a file; else the bytes, as `bytes=0-99`."""


class Download(Struct, frozen=True):
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
    columns: list[str]
    areas: list[str]
    part: str
    rows: int
    sha256: str


def payload(team_id: UUID, n: int, pull: Download) -> bytes:
    """The bytes that the link of a line covers: team, number, and the pull as JSON."""
    return team_id.bytes + n.to_bytes(8, "big") + msgspec.json.encode(pull)

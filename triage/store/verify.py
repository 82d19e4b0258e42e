"""Recomputing a log from its first entry: what was altered, is missing or was moved shows at once, and where."""

from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

import asyncpg
from msgspec import Struct

from triage import chain
from triage.store.statements import load

SQL = load("log")
PAGE: Final = 2_000


class ChainVerdict(Struct, frozen=True):
    """Whether the log is whole. `fault` names the first entry that is not as it was written."""

    team_id: UUID
    entries: int
    head: str
    fault: str | None


async def verify(connection: asyncpg.Connection, team_id: UUID, progress: Callable[[int, int], None]) -> ChainVerdict:
    """Recompute every link of a team's log. `progress` is told how many entries of how many are done."""
    head = await connection.fetchrow(SQL.head, team_id)
    assert head, "a team has a log"
    link, seq = chain.GENESIS, 0
    while rows := await connection.fetch(SQL.walk, team_id, seq, PAGE):
        for row in rows:
            if row["seq"] > head["seq"]:
                break
            fault = _fault(team_id, row, link, seq)
            if fault is not None:
                return ChainVerdict(team_id, seq, link.hex(), fault)
            link, seq = row["link"], row["seq"]
        progress(seq, head["seq"])
        if seq >= head["seq"] or rows[-1]["seq"] > head["seq"]:
            break
    if seq != head["seq"]:
        return ChainVerdict(team_id, seq, link.hex(), f"entry {seq + 1} is missing: the log ends at {head['seq']}")
    if link != head["link"]:
        return ChainVerdict(team_id, seq, link.hex(), f"the head's link is not that of entry {seq}")
    return ChainVerdict(team_id, seq, link.hex(), None)


def _fault(team_id: UUID, row: Any, link: bytes, seq: int) -> str | None:
    digest = row["sealed_digest"]
    if row["sealed"] is not None and chain.digest(row["sealed"]) != digest:
        return f"entry {row['seq']} ({row['id']}): its sealed text was altered"
    envelope = chain.Envelope(
        team=team_id,
        seq=row["seq"],
        id=row["id"],
        incident_id=row["incident_id"],
        kind=row["kind"],
        author=row["author"],
        profession=row["profession"],
        role=row["role"],
        device=row["device"],
        received_at=row["received_at"],
        skew_ms=row["skew_ms"],
        blind=row["blind"],
        released_by=row["released_by"],
    )
    payload = chain.entry_payload(envelope, row["salt"], row["body"], digest)
    chained = chain.ChainedRow(row["seq"], payload, row["link"], f"entry {row['seq']} ({row['id']})")
    return chain.follow(chain.Head(seq, link), [chained], "entry")[1]

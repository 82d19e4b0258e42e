"""Anchors: where a chain stood, told outside the database, so that cutting its end off shows.

The journal is told every few minutes, and the log's chain in every published edition as well.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import asyncpg
from msgspec import Struct, structs

from triage.chain import GENESIS
from triage.store import audit
from triage.store.database import Database
from triage.store.exports.downloads import SQL as PULLS
from triage.store.journal import ChainAnchored, ChainName, ChainRewound, Journal, JournalLine
from triage.store.statements import load
from triage.store.summaries import publications
from triage.store.verify import SQL as LOG
from triage.store.verify import ChainVerdict

SQL = load("anchors")
LINKS: Final[dict[ChainName, str]] = {"entries": SQL.entries, "audit": SQL.audit, "pulls": SQL.pulls}


class KnownLink(Struct, frozen=True):
    """A position whose link is known from elsewhere; `by` says from where."""

    position: int
    link: bytes
    by: str


class Anchors:
    """What a journal tells of the chains; lines of other kinds are passed over."""

    def __init__(self, lines: Iterable[JournalLine]) -> None:
        self._told: list[ChainAnchored | ChainRewound] = [
            line for line in lines if isinstance(line, ChainAnchored | ChainRewound)
        ]

    def heads(self, team_id: UUID, chain: ChainName) -> list[KnownLink]:
        """The anchors of a chain that no restored backup has made void."""
        found: list[KnownLink] = []
        for line in self._told:
            if (line.team_id, line.chain) != (team_id, chain):
                continue
            if isinstance(line, ChainAnchored):
                found.append(
                    KnownLink(line.position, bytes.fromhex(line.link), f"the journal of {line.at:%Y-%m-%d %H:%M}")
                )
            else:
                found = [one for one in found if one.position <= line.position]
        return found

    def is_void(self, team_id: UUID, published_at: datetime, position: int) -> bool:
        """Whether a backup was restored since that did not reach this position of the log."""
        return any(
            isinstance(line, ChainRewound)
            and line.chain == "entries"
            and line.at > published_at
            and line.position < position
            for line in self._told
            if line.team_id == team_id
        )


class AnchorWriter:
    """Tells the journal where the chains of a team stand, when they have moved."""

    def __init__(self, database: Database, journal: Journal) -> None:
        self._database = database
        self._journal = journal
        self._told: dict[tuple[UUID, ChainName], int] = {}

    async def write(self, team_id: UUID) -> None:
        """Add a line for each chain that moved since this process last told."""
        async with self._database.team(team_id) as connection:
            log = await connection.fetchrow(LOG.head, team_id)
            pulls = await connection.fetchrow(PULLS.ledger_ends, team_id)
        heads: dict[ChainName, tuple[int, bytes] | None] = {
            "entries": (log["seq"], log["link"]) if log else None,
            "pulls": (pulls["n"], pulls["link"]) if pulls else None,
            "audit": await audit.head(self._database, team_id),
        }
        lines = [
            ChainAnchored(at=datetime.now(UTC), team_id=team_id, chain=chain, position=head[0], link=head[1].hex())
            for chain, head in heads.items()
            if head and head[0] > 0 and head[0] != self._told.get((team_id, chain))
        ]
        if lines:
            self._journal.add(*lines)
            self._told |= {(team_id, line.chain): line.position for line in lines}


async def chain_ends(connection: asyncpg.Connection, team_id: UUID) -> list[ChainRewound]:
    """Where the chains of a restored database end, as the owner."""
    rows = await connection.fetch(SQL.ends, team_id)
    now = datetime.now(UTC)
    return [ChainRewound(at=now, team_id=team_id, chain=row["chain"], position=row["position"]) for row in rows]


async def check_anchors(
    connection: asyncpg.Connection, anchors: Anchors, chain: ChainName, verdict: ChainVerdict
) -> ChainVerdict:
    """The verdict on a chain that is whole in itself, with a fault where an anchor says otherwise; as the owner."""
    if verdict.fault:
        return verdict
    fault = await _fault(connection, anchors, chain, verdict.team_id)
    return structs.replace(verdict, fault=fault)


async def _fault(connection: asyncpg.Connection, anchors: Anchors, chain: ChainName, team_id: UUID) -> str | None:
    known = anchors.heads(team_id, chain)
    start, start_link = 0, GENESIS
    if chain == "entries":
        known += [
            KnownLink(one.as_at_seq, one.chain_head, f"{one.kind} {one.period} {one.form} edition {one.edition}")
            for one in await publications.published_positions(connection, team_id)
            if not anchors.is_void(team_id, one.published_at, one.as_at_seq)
        ]
    elif chain == "audit" and (head := await connection.fetchrow(audit.SQL.head, team_id)):
        start, start_link = head["from_position"], head["from_link"]
        if start and (start, start_link) not in [(one.position, one.link) for one in known]:
            return f"it begins after row {start}, of which the journal does not know"
    rows = await connection.fetch(LINKS[chain], team_id, [one.position for one in known])
    held = {start: start_link} | {row["position"]: row["link"] for row in rows}
    for one in known:
        if one.position >= start and held.get(one.position) != one.link:
            return f"row {one.position} is missing or another than {one.by} says"
    return None

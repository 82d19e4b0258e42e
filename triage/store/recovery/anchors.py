"""Anchors: where a chain stood, told outside the database, so that cutting its end off shows.

The journal is told of the log's chain within ten seconds, of the others within ten minutes; every published edition
tells of the log's as well.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple, get_args
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct, structs

from triage.chain import Head
from triage.store import audit
from triage.store.chains import BEGINNING, ChainVerdict
from triage.store.database import Connection, Database, pass_barrier
from triage.store.exports.ledger import LEDGER_ENDS
from triage.store.journal import Journal
from triage.store.journal_lines import ChainAnchored, ChainName, ChainRewound, JournalLine, RowPublished
from triage.store.recovery.history import HistoryForked
from triage.store.statements import statement
from triage.store.verify import LOG_HEAD

KINDS: Final = ("head", "rewound", "published summary_edition")
"""The lines of the journal that say where a chain stood."""
CHAINS: Final[tuple[ChainName, ...]] = get_args(ChainName)
_ADOPT: Final = "the database is not the one that the journal knows: run `triage adopt`"


class KnownLink(Struct, frozen=True):
    """A position whose link is known from elsewhere; `by` says from where."""

    position: int
    link: bytes
    by: str


class _ChainEnd(NamedTuple):
    chain: ChainName
    position: int
    since: datetime | None


class _PublishedPosition(NamedTuple):
    kind: str
    period: str
    form: str
    edition: int
    as_at_seq: int
    chain_head: bytes


class _PublishedEdition(Struct):
    team_id: UUID
    kind: str
    period: str
    form: str
    edition: int
    as_at_seq: int


_ENDS = statement("recovery.ends", _ChainEnd)
_KEPT_UNTIL = statement("recovery.kept_until", datetime)
_LINKS = statement("recovery.links", Head)
_ENTRY_LINKS = statement("recovery.entry_links", Head)
_PUBLISHED_POSITIONS = statement("recovery.published_positions", _PublishedPosition)


class Anchors:
    """The chains as a journal tells them; the order of its lines decides what a restore made void, no clock."""

    def __init__(self, lines: Iterable[JournalLine]) -> None:
        self._links: dict[tuple[UUID, ChainName], list[KnownLink]] = {}
        self._published: dict[UUID, dict[tuple[str, str, str, int], int]] = {}
        self._void: set[tuple[UUID, str, str, str, int]] = set()
        for line in lines:
            match line:
                case ChainAnchored():
                    by = f"the journal of {line.at:%Y-%m-%d %H:%M}"
                    self._of(line).append(KnownLink(line.position, bytes.fromhex(line.link), by))
                case ChainRewound():
                    self._rewind(line)
                case RowPublished(table="summary_edition"):
                    edition = msgspec.json.decode(line.row, type=_PublishedEdition)
                    name = (edition.kind, edition.period, edition.form, edition.edition)
                    self._published.setdefault(line.team_id, {})[name] = edition.as_at_seq
                case _:
                    pass

    def _of(self, line: ChainAnchored | ChainRewound) -> list[KnownLink]:
        return self._links.setdefault((line.team_id, line.chain), [])

    def _rewind(self, line: ChainRewound) -> None:
        self._of(line)[:] = [known for known in self._of(line) if known.position <= line.position]
        if line.chain == "entries":
            published = self._published.get(line.team_id, {})
            self._void |= {(line.team_id, *name) for name, seq in published.items() if seq > line.position}

    def links(self, team_id: UUID, chain: ChainName) -> list[KnownLink]:
        """The anchors of a chain that nothing has made void."""
        return list(self._links.get((team_id, chain), ()))

    def is_void(self, team_id: UUID, kind: str, period: str, form: str, edition: int) -> bool:
        """Whether the history went on from before the position of this edition after it was published."""
        return (team_id, kind, period, form, edition) in self._void


async def anchor(database: Database, journal: Journal, team_id: UUID, chains: Sequence[ChainName] = CHAINS) -> None:
    """Tell the journal where these chains of a team stand, of those that moved since it was last told by anybody.

    Raises HistoryForked where what it was told of the log is not true any more: a new line would hide that.
    """
    await check_history(database, journal, [team_id])
    last = {line.chain: line for line in await journal.last_of_chains([team_id], chains)}
    async with database.team(team_id) as connection:
        heads = {chain: await _head(connection, team_id, chain) for chain in chains}
        now = datetime.now(UTC)
        moved = [
            ChainAnchored(at=now, team_id=team_id, chain=chain, position=head.position, link=head.link.hex())
            for chain, head in heads.items()
            if head and head.position > 0 and not _says(last.get(chain), *head)
        ]
        if moved:
            await pass_barrier(connection)  # what one machine alone holds may be lost with it
    if moved:
        await journal.add(*moved)


async def _head(connection: Connection, team_id: UUID, chain: ChainName) -> Head | None:
    if chain == "audit":
        return await audit.head(connection, team_id)
    ends = LOG_HEAD if chain == "entries" else LEDGER_ENDS
    return await ends.fetch_first(connection, team_id=team_id)


def _says(line: ChainAnchored | ChainRewound | None, position: int, link: bytes) -> bool:
    return isinstance(line, ChainAnchored) and (line.position, line.link) == (position, link.hex())


async def check_history(database: Database, journal: Journal, team_ids: Sequence[UUID]) -> None:
    """Raises HistoryForked where what the journal last said of a team's log is not true in the database."""
    for line in await journal.last_of_chains(team_ids, ["entries"]):
        if isinstance(line, ChainAnchored):
            async with database.team(line.team_id) as connection:
                if not await _holds(connection, line.team_id, line.position, bytes.fromhex(line.link)):
                    raise HistoryForked(_ADOPT)


async def _holds(connection: Connection, team_id: UUID, position: int, link: bytes) -> bool:
    rows = await _ENTRY_LINKS.fetch(connection, team_id=team_id, positions=[position])
    return [row.link for row in rows] == [link]


async def chain_ends(connection: Connection, team_id: UUID) -> list[ChainRewound]:
    """Where the chains of a restored database end, as the owner."""
    now = datetime.now(UTC)
    ends = await _ENDS.fetch(connection, team_id=team_id)
    return [ChainRewound(at=now, team_id=team_id, chain=e.chain, position=e.position, since=e.since) for e in ends]


async def last_true(anchors: Anchors, connection: Connection, team_id: UUID) -> list[ChainRewound]:
    """Up to where the chains of a database are what the journal knows, as the owner.

    That is their end, unless they went on from before it: then the last position that is known to be true before any
    that is not. Those after it are void even where they are true: nobody had noticed yet.
    """
    rewound = []
    for end in await chain_ends(connection, team_id):
        known = anchors.links(team_id, end.chain)
        links = await _links(connection, team_id, end.chain, known)
        reached = [link for link in known if link.position <= end.position]
        false = [link.position for link in reached if links.get(link.position) != link.link]
        if false:
            true = (link.position for link in reached if link.position < min(false))
            end = structs.replace(end, position=max(true, default=0))
            if end.chain == "entries":
                since = await _KEPT_UNTIL.fetch_one(connection, team_id=team_id, position=end.position)
                end = structs.replace(end, since=since)
        rewound.append(end)
    return rewound


def lost_between(anchors: Anchors, end: ChainRewound) -> int:
    """How many entries the journal knows of beyond the position."""
    return max((known.position - end.position for known in anchors.links(end.team_id, end.chain)), default=0)


async def check_anchors(
    connection: asyncpg.Connection, anchors: Anchors, chain: ChainName, verdict: ChainVerdict
) -> ChainVerdict:
    """The verdict on a chain that is whole in itself, with a fault where an anchor says otherwise; as the owner."""
    if verdict.fault:
        return verdict
    fault = await _fault(connection, anchors, chain, verdict.team_id)
    return structs.replace(verdict, fault=fault)


async def _fault(connection: asyncpg.Connection, anchors: Anchors, chain: ChainName, team_id: UUID) -> str | None:
    known = anchors.links(team_id, chain)
    start = BEGINNING
    if chain == "entries":
        known += [
            KnownLink(
                position.as_at_seq,
                position.chain_head,
                f"{position.kind} {position.period} {position.form} edition {position.edition}",
            )
            for position in await _PUBLISHED_POSITIONS.fetch(connection, team_id=team_id)
            if not anchors.is_void(team_id, position.kind, position.period, position.form, position.edition)
        ]
    elif chain == "audit" and (head := await audit.find_head(connection, team_id)):
        start = head.start
        if start.position and start not in [(link.position, link.link) for link in known]:
            return f"it begins after row {start.position}, of which the journal does not know"
    links = dict([start]) | await _links(connection, team_id, chain, known)
    for link in known:
        if link.position >= start.position and links.get(link.position) != link.link:
            return f"row {link.position} is missing or another than {link.by} says"
    return None


async def _links(
    connection: Connection, team_id: UUID, chain: ChainName, known: Sequence[KnownLink]
) -> dict[int, bytes]:
    positions = [link.position for link in known]
    return dict(await _LINKS.fetch(connection, team_id=team_id, chain=chain, positions=positions))

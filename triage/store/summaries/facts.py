"""Facts of incidents for measures, kept from the last time they were added up.

It is read where it is still true, and made from the entries where it is not.

Everything is read within one snapshot, so the facts are those of the log's head that is read with them.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

from triage.log import links
from triage.log.blindness import with_blindness
from triage.log.incident import fold
from triage.log.timeline import PersonEvent
from triage.store.database import Connection, Database
from triage.store.log.entries import RootedColumns, served_to_judges
from triage.store.statements import Statement, statement
from triage.summaries.derivation import fact_of
from triage.summaries.editions import rules_in_force
from triage.summaries.facts import (
    IncidentFact,
    Profile,
    RecentIncident,
    decode,
    encode,
    profile_at,
    profile_of,
    read_profile,
)
from triage.terms import Terms

CHUNK: Final = 50
"""Incidents added up at once: requests served by the same process pass between."""
CHUNKS: Final = 200
"""Chunks of one call: after new rules a large log is caught up with over several wakings, and alerts pass between."""

_LOST: Final = (asyncpg.UniqueViolationError, asyncpg.SerializationError, asyncpg.DeadlockDetectedError)
"""Another process keeps the same facts."""

related_of = msgspec.json.Decoder(tuple[PersonEvent, ...]).decode
"""The events that other incidents of the same people contribute to an incident, as its row holds it."""


class _FactRow(Struct, frozen=True):
    """An incident with its fact as kept, or None where that is no longer true and `related` is needed to make it."""

    id: UUID
    seq: int
    duplicate: bool
    related: bytes | None
    body: bytes | None


class _ProfileCount(Struct, frozen=True):
    profile: str
    pending: bool
    n: int


class _MovedFact(Struct, frozen=True):
    id: UUID
    seq: int
    related: bytes
    absorbed: bool
    stale: bool


MEMBERS = statement("facts.members", _FactRow)
RECENT = statement("facts.recent", _FactRow)
OF_PEOPLE = statement("facts.of_people", _FactRow)
_RUNNING = statement("facts.running", _FactRow)
ENTRIES = statement("facts.entries", RootedColumns)
PROFILES = statement("facts.profiles", _ProfileCount)
MOVED = statement("facts.moved", _FactRow)
_KEEP = statement("facts.keep")
_FORGET = statement("facts.forget")
_HEAD = statement("facts.head", int)
_POSITION = statement("facts.position", int)
_OPEN_POSITION = statement("facts.open_position")
_TAKE_POSITION = statement("facts.take_position", int)
_SET_POSITION = statement("facts.set_position")
_MOVED_SINCE = statement("facts.moved_since", _MovedFact)


@dataclass(slots=True)
class FactReader:
    """The facts of one snapshot; `fresh` are those that had to be made, to be kept for the next time."""

    connection: Connection
    team_id: UUID
    terms: Terms
    version: str = ""
    """The rules under which facts are kept; those in force where it is empty."""
    fresh: list[IncidentFact] = field(default_factory=list)
    _known: dict[UUID, IncidentFact] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.version = self.version or rules_in_force(self.terms)

    async def between(self, starts_at: datetime, ends_at: datetime) -> list[IncidentFact]:
        """Incidents that occurred in [starts_at, ends_at)."""
        return [recent.fact for recent in await self._fetch(MEMBERS, starts_at=starts_at, ends_at=ends_at)]

    async def recent(self, since: datetime, until: datetime, *, duplicates_only: bool) -> list[RecentIncident]:
        """Incidents of a stretch of time with whether each may be a duplicate."""
        return await self._fetch(RECENT, starts_at=since, ends_at=until, duplicates_only=duplicates_only)

    async def of_people(self, people: Iterable[UUID], starts_at: datetime, ends_at: datetime) -> list[IncidentFact]:
        """Incidents that concern any of these people."""
        of_people = await self._fetch(OF_PEOPLE, people=list(people), starts_at=starts_at, ends_at=ends_at)
        return [recent.fact for recent in of_people]

    async def running(self) -> list[IncidentFact]:
        """Incidents whose detention has no end on record."""
        return [recent.fact for recent in await self._fetch(_RUNNING)]

    async def profiles(self, starts_at: datetime, ends_at: datetime, as_at: datetime) -> Counter[Profile]:
        """How many incidents of [starts_at, ends_at) have each profile at `as_at`.

        The database counts what is kept up to date; what moved since is read one by one.
        """
        until = await position(self.connection, self.team_id, self.version)
        counts: Counter[Profile] = Counter()
        for kept in await PROFILES.fetch(
            self.connection,
            team_id=self.team_id,
            starts_at=starts_at,
            ends_at=ends_at,
            version=self.version,
            position=until,
            as_at=as_at,
        ):
            counts[read_profile(kept.profile, kept.pending)] += kept.n
        moved = await self._fetch(MOVED, starts_at=starts_at, ends_at=ends_at, position=until)
        counts.update(profile_at(recent.fact, as_at) for recent in moved if recent.fact.counts)
        return counts

    async def _fetch(self, facts: Statement[_FactRow], **values: object) -> list[RecentIncident]:
        rows = await facts.fetch(self.connection, team_id=self.team_id, version=self.version, **values)
        new = [row for row in rows if row.id not in self._known]
        # in a thread: a year of a large team takes seconds, and the same process serves phones
        self._known |= await asyncio.to_thread(_decoded, new)
        stale = [row for row in new if row.body is None]
        for start in range(0, len(stale), CHUNK):
            await self._make(stale[start : start + CHUNK])
        return [RecentIncident(self._known[row.id], row.duplicate) for row in rows if row.id in self._known]

    async def _make(self, rows: Sequence[_FactRow]) -> None:
        made = await _made(self.connection, self.team_id, rows, self.terms)
        self._known |= {fact.id: fact for fact in made}
        self.fresh += made


def _decoded(rows: Iterable[_FactRow]) -> dict[UUID, IncidentFact]:
    return {row.id: decode(row.body) for row in rows if row.body is not None}


async def _made(
    connection: Connection, team_id: UUID, rows: Sequence[_FactRow | _MovedFact], terms: Terms
) -> list[IncidentFact]:
    """The facts of incidents, from their entries."""
    by_id = {row.id: row for row in rows}
    entries = defaultdict(list)
    for columns in await ENTRIES.fetch(connection, team_id=team_id, roots=list(by_id)):
        entries[columns.root].append(columns.entry())
    served = await served_to_judges(connection, team_id, list(by_id))
    made = []
    for root, stored in entries.items():
        held = with_blindness(stored, [intent for intent in served if intent.incident_id in links.incident_ids(stored)])
        row = by_id[root]
        assert row.related is not None, "only a fact that is kept comes without"
        others = related_of(row.related)
        incident = fold(held, others, terms=terms, ids=links.incident_ids(held))
        made.append(msgspec.structs.replace(fact_of(incident, others), seq=row.seq))
    return made


async def store_facts(connection: Connection, team_id: UUID, facts: Sequence[IncidentFact], version: str) -> None:
    """Keep facts made under these rules for the next time; an older one never replaces a newer."""
    for start in range(0, len(facts), CHUNK):
        chunk = sorted(facts[start : start + CHUNK], key=lambda fact: fact.id)  # in one order: no deadlock
        await _KEEP.execute(
            connection,
            team_id=team_id,
            ids=[fact.id for fact in chunk],
            seqs=[fact.seq for fact in chunk],
            occurred=[fact.at for fact in chunk],
            version=version,
            bodies=[encode(fact) for fact in chunk],
            profiles=[profile_of(fact) for fact in chunk],
            pending_until=[fact.s136.pending_until for fact in chunk],
        )


async def position(connection: Connection, team_id: UUID, version: str) -> int:
    """Up to where in the log the facts of every incident are kept under these rules."""
    return await _POSITION.fetch_first(connection, team_id=team_id, version=version) or 0


async def bring_up_to_date(database: Database, team_id: UUID, terms: Terms) -> None:
    """Keep the facts of what moved since the last time, the oldest first, or of as much of it as one call does.

    Any number of processes may call it: one of them works.
    """
    for _ in range(CHUNKS):
        try:
            async with database.team(team_id) as connection, connection.transaction(isolation="repeatable_read"):
                if not await _next_chunk(connection, team_id, terms):
                    return
        except _LOST:
            return


async def _next_chunk(connection: Connection, team_id: UUID, terms: Terms) -> bool:
    """Whether there may be more."""
    version = rules_in_force(terms)
    head = await _HEAD.fetch_first(connection, team_id=team_id) or 0
    if await position(connection, team_id, version) >= head:
        return False
    await _OPEN_POSITION.execute(connection, team_id=team_id, version=version)
    since = await _TAKE_POSITION.fetch_first(connection, team_id=team_id, version=version)
    if since is None:
        return False
    rows = await _MOVED_SINCE.fetch(connection, team_id=team_id, after=since, most=CHUNK, version=version)
    made = await _made(connection, team_id, [row for row in rows if row.stale], terms)
    await store_facts(connection, team_id, made, version)
    await _FORGET.execute(connection, team_id=team_id, ids=[row.id for row in rows if row.absorbed])
    more = len(rows) >= CHUNK
    await _SET_POSITION.execute(connection, team_id=team_id, version=version, seq=rows[-1].seq if more else head)
    return more

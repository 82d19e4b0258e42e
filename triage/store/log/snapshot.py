"""The log as an append reads it: `Snapshot`, of the incidents that it concerns.

Most entries concern the incident under which they are sent and nothing else, and one statement reads that. What links,
corrections and people reach beyond it is looked up by another, and holds where the log stands as it was read.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import asyncpg

from triage.log.append_decision import LINKS, IncidentBefore, IncomingEntry, Snapshot, StoredRow
from triage.log.blindness import ServedIntent
from triage.log.effective import named
from triage.log.entries import PersonLink, PersonUnlink
from triage.log.incidents_after import names_incidents
from triage.log.lost_spans import LostSpan
from triage.people.encryption import Undecryptable, decrypt
from triage.store.database import Connection
from triage.store.keys import KeyStore
from triage.store.log.entries import EntryColumns
from triage.store.statements import statement
from triage.terms import Terms


class _Read(NamedTuple):
    """The columns read for an append; arrays are null where there is nothing."""

    seq: int
    link: bytes
    now: datetime
    held: list[asyncpg.Record] | None
    entries: list[asyncpg.Record] | None
    incidents: list[asyncpg.Record] | None
    served: list[asyncpg.Record] | None
    stale: list[int] | None
    erased: list[UUID] | None
    lost: list[asyncpg.Record] | None
    goes_on: bool


class _Reach(NamedTuple):
    """The columns of what an append concerns; arrays are null where there is nothing."""

    seq: int
    incidents: list[UUID] | None
    people: list[UUID] | None
    aliases: list[asyncpg.Record] | None


_READ = statement("log.read", _Read)
_REACH = statement("log.reach", _Reach)
_REACHING: Final = (*LINKS, PersonLink, PersonUnlink)
"""Kinds that concern more than the incident under which they are sent, as corrections do."""


@dataclass(frozen=True, slots=True)
class Reach:
    """The incidents to read for an append, the people all of whose incidents are among them, and whom aliases mean.

    `seq`: where the log stood; None for the incidents alone under which the entries are sent.
    """

    incidents: Collection[UUID]
    seq: int | None = None
    people: frozenset[UUID] = frozenset()
    aliases: Sequence[asyncpg.Record] = ()

    def holds(self, read: Snapshot) -> bool:
        """Whether nothing else is concerned, as far as the log tells; whom the new entries concern shows once they are
        added up, and must be among `people`."""
        return not read.goes_on if self.seq is None else read.seq == self.seq


async def reach_at_first(connection: Connection, team_id: UUID, items: Sequence[IncomingEntry]) -> Reach:
    """The reach of these items, as far as they say it themselves."""
    if any(isinstance(item.entry, _REACHING) or named(item.entry) for item in items):
        return await reach_of(connection, team_id, items, ())
    return Reach(_incidents(items))


async def reach_of(
    connection: Connection, team_id: UUID, items: Sequence[IncomingEntry], people: Collection[UUID]
) -> Reach:
    """The reach of these items, and of these people, in the log as it stands."""
    return await _reach(
        connection,
        team_id=team_id,
        ids=[item.id for item in items],
        targets=_targets(items),
        incidents=_incidents(items),
        people=list(people),
        aliases=[item.entry.person_id for item in items if isinstance(item.entry, PersonLink | PersonUnlink)],
    )


async def reach_of_incidents(
    connection: Connection, team_id: UUID, incidents: Collection[UUID], people: Collection[UUID]
) -> Reach:
    """The reach of incidents to which nothing is added, and of these people."""
    return await _reach(
        connection, team_id=team_id, ids=[], targets=[], incidents=list(incidents), people=list(people), aliases=[]
    )


async def _reach(connection: Connection, **concerned: Any) -> Reach:
    reach = await _REACH.fetch_one(connection, **concerned)
    return Reach(reach.incidents or (), reach.seq, frozenset(reach.people or ()), reach.aliases or ())


async def read(
    connection: Connection, team_id: UUID, items: Sequence[IncomingEntry], reach: Reach, terms: Terms
) -> Snapshot:
    """The log as it stands, of the incidents reached."""
    # what was held before, in quarantine, keeps the account and device it came from, which may be gone by now
    actors = [None if item.released_by or item.received_at else item.actor for item in items]
    record = await _READ.fetch_one(
        connection,
        team_id=team_id,
        ids=[item.id for item in items],
        targets=_targets(items),
        incidents=list(reach.incidents),
        devices=[actor and actor.device_id for actor in actors],
        staff=[actor and actor.staff_id for actor in actors],
        stamps=[actor and actor.stamp for actor in actors],
    )
    held = [StoredRow(*row) for row in record.held or ()]
    entries = [EntryColumns(*row).entry() for row in record.entries or ()]
    incidents = [IncidentBefore(*row) for row in record.incidents or ()]
    return Snapshot(
        seq=record.seq,
        link=record.link,
        now=record.now,
        stored={row.id: row for row in held},
        entries={entry.id: entry for entry in entries},
        rows={(row.id, row.blind): row for row in incidents},
        served=[ServedIntent(*row) for row in record.served or ()],
        aliases={alias: person for alias, person, _ in reach.aliases},
        registered=frozenset(alias for alias, _, registered in reach.aliases if registered),
        erased=frozenset(record.erased or ()),
        stale=frozenset(n - 1 for n in record.stale or ()),
        lost=[LostSpan(*row) for row in record.lost or ()],
        goes_on=record.goes_on or any(row.family or row.people for row in incidents),
        terms=terms,
    )


async def open_texts(keys: KeyStore, team_id: UUID, read: Snapshot, items: Iterable[IncomingEntry]) -> None:
    """Unseal what is stored under ids sent again, to compare it."""
    again = [read.stored[item.id] for item in items if item.id in read.stored]
    sealed = {row.key_ref: row for row in again if row.key_ref and row.sealed}
    if not sealed:
        return
    by_ref = await keys.fetch(ref for ref in sealed if ref)
    for ref, row in sealed.items():
        assert ref and row.sealed
        try:
            read.texts[row.id] = decrypt(by_ref[ref], row.sealed, team_id.bytes + row.id.bytes)
        except (KeyError, Undecryptable):
            read.stored[row.id] = row._replace(erased=True)


def _incidents(items: Iterable[IncomingEntry]) -> list[UUID]:
    return list({i for item in items for i in names_incidents(item.entry)})


def _targets(items: Iterable[IncomingEntry]) -> list[UUID]:
    return [name for item in items if (name := named(item.entry)) is not None]

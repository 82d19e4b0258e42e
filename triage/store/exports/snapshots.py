"""The members that a release is cut from: the incidents of a stretch of time as they stood at a position in the log."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar
from uuid import UUID

import msgspec
from msgspec import Struct

from triage.exports.identities import Identities, identities
from triage.exports.members import KINDS, ReleaseMember
from triage.exports.projection import group_by_incident, release_member
from triage.log.blindness import ServedIntent, with_blindness
from triage.log.timeline import PersonEvent
from triage.store.database import Connection
from triage.store.log.entries import EntryColumns, served_to_judges
from triage.store.statements import statement
from triage.store.summaries.calendars import CalendarTeam

PATIENCE_S: Final = 900.0
"""A release of a million rows takes its time, and so does waiting for another process that cuts one."""
PAGE: Final = 2_000
"""Incidents added up at once."""

T = TypeVar("T")
_related = msgspec.json.Decoder(tuple[PersonEvent, ...]).decode


class CountedMember(Struct, frozen=True):
    """A member with every incident id that it answers to."""

    member: ReleaseMember
    incident_ids: tuple[UUID, ...]


class _ReleaseCandidate(Struct, frozen=True):
    id: UUID
    changed: bool
    related: bytes


class _RegisteredPerson(Struct, frozen=True):
    person_id: UUID
    kinds: list[str]


_CANDIDATES = statement("releases.candidates", _ReleaseCandidate, timeout_s=PATIENCE_S)
_LINKS_UNTIL = statement("releases.links_until", EntryColumns, timeout_s=PATIENCE_S)
_REGISTERED = statement("releases.registered", _RegisteredPerson, timeout_s=PATIENCE_S)
_ENTRIES_UNTIL = statement("releases.entries_until", EntryColumns, timeout_s=PATIENCE_S)
_AFTER = statement("releases.after", UUID)
_DECIDED = statement("releases.decided", UUID, timeout_s=PATIENCE_S)


@dataclass(frozen=True, slots=True)
class _LogCut:
    """Where the log is read up to, and under which terms it adds up."""

    connection: Connection
    team: CalendarTeam
    seq: int
    cut_off: datetime
    related: dict[UUID, tuple[PersonEvent, ...]]
    people: Identities

    async def add_up(self, roots: Sequence[UUID]) -> list[CountedMember]:
        team_id = self.team.team_id
        rows = await _ENTRIES_UNTIL.fetch(self.connection, team_id=team_id, roots=roots, seq=self.seq)
        served = await served_to_judges(self.connection, team_id, roots)
        return await asyncio.to_thread(lambda: list(self._counted(rows, served)))

    def _counted(self, rows: Iterable[EntryColumns], served: Sequence[ServedIntent]) -> Iterator[CountedMember]:
        for entries in group_by_incident(row.entry() for row in rows):
            ids = tuple(sorted({entry.entry.incident_id for entry in entries}))
            others = next((self.related[i] for i in ids if i in self.related), ())
            judged = with_blindness(entries, [row for row in served if row.incident_id in ids])
            member = release_member(judged, others, self.cut_off, self.people, terms=self.team.terms)
            if member is not None:
                yield CountedMember(member, ids)

    async def forget_later(self, roots: Iterable[UUID]) -> None:
        """Drop from `related` what entries after the position contribute."""
        named = {event.entry for root in roots for event in self.related[root]}
        later = set(await _AFTER.fetch(self.connection, team_id=self.team.team_id, ids=list(named), seq=self.seq))
        for root in roots:
            self.related[root] = tuple(event for event in self.related[root] if event.entry not in later)


async def snapshot(
    connection: Connection,
    team: CalendarTeam,
    starts_at: datetime,
    ends_at: datetime,
    seq: int,
    cut_off: datetime,
    undecided: str | None = None,
) -> list[CountedMember]:
    """The incidents of a stretch of time as they stood at a position in the log.

    `undecided` names a policy: only incidents that no record file in force, and none of this policy, has decided. What
    did not change since stands as it is now; what did is added up again from the entries up to there, joined by
    the links there were.
    """
    candidates = await _CANDIDATES.fetch(
        connection, team_id=team.team_id, starts_at=starts_at, ends_at=ends_at, seq=seq, undecided=undecided
    )
    related = {candidate.id: _related(candidate.related) for candidate in candidates}
    people = await _identities(connection, team.team_id, seq)
    position = _LogCut(connection, team, seq, cut_off, related, people)
    changed = [candidate.id for candidate in candidates if candidate.changed]
    counted: list[CountedMember] = []
    for page in pages([candidate.id for candidate in candidates if not candidate.changed], PAGE):
        counted += await position.add_up(page)
    if changed:
        await position.forget_later(changed)
        counted += await position.add_up(changed)
    counted = [member for member in counted if starts_at <= member.member.occurred_at < ends_at]
    counted.sort(key=lambda counted: counted.member.incident_id)
    return counted if undecided is None else await _undecided(connection, team.team_id, counted, undecided)


async def _identities(connection: Connection, team_id: UUID, seq: int) -> Identities:
    """Who counts as one person, by every link up to a position."""
    rows = await _REGISTERED.fetch(connection, team_id=team_id)
    registered = {row.person_id: (row.person_id, sum(KINDS[kind] for kind in row.kinds)) for row in rows}
    links = await _LINKS_UNTIL.fetch(connection, team_id=team_id, seq=seq)
    return await asyncio.to_thread(lambda: identities([row.entry() for row in links], registered))


async def _undecided(
    connection: Connection, team_id: UUID, counted: list[CountedMember], policy: str
) -> list[CountedMember]:
    """Without those of which any id is in a record file: what was released apart is not released again as one."""
    ids = [incident for member in counted for incident in member.incident_ids]
    decided = set(await _DECIDED.fetch(connection, team_id=team_id, incidents=ids, policy=policy))
    return [member for member in counted if decided.isdisjoint(member.incident_ids)]


def pages(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """The items, so many at once."""
    for start in range(0, len(items), size):
        yield items[start : start + size]

"""Recomputing a log from its first entry, with the texts and columns that no link covers."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg
from msgspec import Struct, structs

from triage import chain
from triage.log.effective import permitted
from triage.log.entries import LoggedEntry, NewerEntry, StoredEntry
from triage.log.lost_spans import LostSpan, is_received_again
from triage.log.stored_body import read_stored_body
from triage.progress import Progress
from triage.store.chains import ChainVerdict, verify_chain
from triage.store.statements import statement

PAGE: Final = 2_000


class _Correction(NamedTuple):
    """An amendment, a withdrawal, or what one names. `incident_id` is as sent, `said` is what the content names."""

    seq: int
    id: UUID
    incident_id: UUID
    belongs_to: UUID
    names: UUID | None
    author: UUID
    role: str
    profession: str
    said: UUID | None


_CORRECTIONS = statement("log.corrections", _Correction)


class KnownElsewhere(Struct, frozen=True):
    """Texts outside the database: the entries whose text was erased, which keys there are, and by team the times
    whose entries a restore or failover lost."""

    erased: frozenset[UUID]
    existing: Callable[[list[UUID]], Awaitable[set[UUID]]]
    lost: Mapping[UUID, frozenset[LostSpan]]


class _ChainedEntry(chain.Envelope, frozen=True, gc=False):
    body: bytes
    sealed: bytes | None
    sealed_digest: bytes | None
    salt: bytes
    link: bytes
    key_ref: UUID | None
    alias: UUID | None
    test: bool
    received_again: bool
    erased_at: datetime | None


_WALK = statement("log.walk", _ChainedEntry)
_LOST_SPANS = statement("log.lost_spans", LostSpan)
LOG_HEAD = statement("log.head", chain.Head)


async def verify(
    connection: asyncpg.Connection, team_id: UUID, known: KnownElsewhere, progress: Progress
) -> ChainVerdict:
    """Recompute every link of a team's log. `progress` is told how many entries of how many are done.

    A text that was destroyed without an erasure, one whose key is missing, and a column beside the chain that says
    other than the content or the journal, is a fault too.
    """
    head = await LOG_HEAD.fetch_one(connection, team_id=team_id)
    lost = await _LOST_SPANS.fetch(connection, team_id=team_id)
    if frozenset(lost) != known.lost.get(team_id, frozenset()):
        return ChainVerdict(team_id, 0, "", "the times whose entries were lost are not those that the journal knows")

    async def fetch(after: int) -> list[_ChainedEntry]:
        return await _WALK.fetch(connection, team_id=team_id, after=after, most=PAGE)

    async def beside(rows: Sequence[_ChainedEntry]) -> str | None:
        faults = (_columns_fault(row, lost) for row in rows)
        return next(filter(None, faults), None) or await _texts_fault(rows, known)

    verdict = await verify_chain(team_id, "entry", head, fetch, _chained, beside=beside, progress=progress)
    if verdict.fault is None:
        corrections = await _CORRECTIONS.fetch(connection, team_id=team_id, head=head.position)
        verdict = structs.replace(verdict, fault=_homes_fault(corrections))
    return verdict


def _homes_fault(rows: Sequence[_Correction]) -> str | None:
    """The first correction that does not name what its content says, or lies in another incident than what it names."""
    by_id = {row.id: row for row in rows}
    for row in rows:
        if row.names != row.said:
            return f"entry {row.seq} ({row.id}): it names another entry than it was written about"
        if row.belongs_to != _home(row, by_id):
            return f"entry {row.seq} ({row.id}): it lies in another incident than the entry it names"
    return None


def _home(row: _Correction, by_id: Mapping[UUID, _Correction]) -> UUID:
    """As an append decides it: the incident of the content at the end of what the corrections name."""
    passed = {row.id}
    while row.names is not None and row.names not in passed:
        target = by_id.get(row.names)
        if target is None or not permitted(row, target):
            break
        passed.add(row.names)
        row = target
    return row.incident_id


def _columns_fault(row: _ChainedEntry, lost: Sequence[LostSpan]) -> str | None:
    """A fault of the columns beside the chain, against the entry's content and the times of loss."""
    entry, _ = read_stored_body(row.body, row.incident_id, row.received_at)
    which = f"entry {row.seq} ({row.id})"
    if row.test != bool(entry.test):
        return f"{which}: it counts as training, or as real, against what it says"
    if not isinstance(entry, NewerEntry) and row.alias != getattr(entry, "person_id", None):
        return f"{which}: it links another person than it was written about"
    if row.received_again != is_received_again(_stored(row, entry), lost):
        return f"{which}: whether it was lost and received again is not as the times of loss say"
    if row.sealed is not None and chain.digest(row.sealed) != row.sealed_digest:
        return f"{which}: its sealed text was altered"
    if row.erased_at is not None and row.sealed_digest is None:
        return f"{which}: it counts as erased, and has no text"
    return None


def _stored(row: _ChainedEntry, entry: LoggedEntry) -> StoredEntry:
    return StoredEntry(
        seq=row.seq,
        id=row.id,
        entry=entry,
        received_at=row.received_at,
        author=row.author,
        profession=row.profession,
        role=row.role,
        device=row.device,
        skew_ms=row.skew_ms,
        released_by=row.released_by,
    )


async def _texts_fault(rows: Sequence[_ChainedEntry], known: KnownElsewhere) -> str | None:
    sealed = [row for row in rows if row.sealed_digest is not None and row.id not in known.erased]
    for row in sealed:
        if row.sealed is None:
            return f"entry {row.seq} ({row.id}): its text was destroyed, and no erasure is in the journal"
    existing = await known.existing([row.key_ref for row in sealed if row.key_ref])
    for row in sealed:
        if row.key_ref not in existing:
            return f"entry {row.seq} ({row.id}): the key store lacks its key, and no erasure is in the journal"
    return None


def _chained(row: _ChainedEntry) -> chain.ChainedRow:
    payload = chain.entry_payload(row, row.salt, row.body, row.sealed_digest)
    return chain.ChainedRow(row.seq, payload, row.link, f"entry {row.seq} ({row.id})")

"""The one way into the log: `Log.append`.

One writer for each team in a process gathers whatever is waiting, without a timer, into the next append. An append
reads, decides, and swaps the head from where it was read; when another process was faster it reads again. After a lost
race the next appends queue for the head's row lock, so that several processes share a log fairly.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import chain as concatenate
from typing import Final
from uuid import UUID

import asyncpg
import msgspec
import structlog
from msgspec import Struct

from triage.log import append_decision
from triage.log.append_decision import (
    Addition,
    AppendDecision,
    AppendResult,
    IncidentAfter,
    IncidentBefore,
    IncomingEntry,
    ServedIntent,
    Snapshot,
    StoredRow,
    stored_entry,
)
from triage.people.encryption import Undecryptable, decrypt
from triage.problems import BUSY, INTERNAL, Refused
from triage.store.database import Connection, Database
from triage.store.keys import KeyStore
from triage.store.log import duplicates, rows
from triage.store.statements import load

SQL = load("log")
logger = structlog.get_logger(__name__)

SINGLES: Final = 256
"""Entries sent one by one that go into one append at most."""
CHUNK: Final = 100
"""Entries of a sync that go into one append: between two chunks, others pass."""
_REFUSED: Final = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, asyncpg.ProgramLimitExceededError)
"""What the database says to content that it cannot take, as against a fault of its own."""
CONTENDED: Final = 64
"""Appends that queue for the head after a lost race."""


@dataclass(slots=True)
class Appended:
    """The result of one item, with the incident as it stands after its append (None for a refusal)."""

    result: AppendResult
    group: IncidentAfter | None


@dataclass(slots=True)
class _Waiting:
    items: Sequence[IncomingEntry]
    done: asyncio.Future[list[Appended]]


@dataclass(slots=True)
class _Queue:
    """What waits for one team's log: entries sent one by one, and chunks of syncs."""

    singles: deque[_Waiting] = field(default_factory=deque)
    chunks: deque[_Waiting] = field(default_factory=deque)
    writer: asyncio.Task[None] | None = None
    contended: int = 0

    def take(self) -> list[_Waiting]:
        batch = [self.singles.popleft() for _ in range(min(SINGLES, len(self.singles)))]
        if self.chunks:
            batch.append(self.chunks.popleft())
        return batch


class Log:
    """The logs of all teams, as one process appends to them."""

    def __init__(
        self,
        database: Database,
        keys: KeyStore,
        *,
        incident_limit: int,
        queue_limit: int,
        notices: append_decision.GiveNotices,
    ) -> None:
        self._database = database
        self._keys = keys
        self._incident_limit = incident_limit
        self._queue_limit = queue_limit
        self._notices = notices
        self._queues: dict[UUID, _Queue] = {}
        self.waiting = 0
        self.observe: Callable[[int, float], None] | None = None

    async def append(self, team_id: UUID, items: Sequence[IncomingEntry]) -> list[Appended]:
        """Append what is new and answer each item. All of it is durable when this returns.

        A chunk of more than `CHUNK` items is appended piece by piece. Raises Refused (503) when too much waits already.
        """
        answers: list[Appended] = []
        for start in range(0, len(items), CHUNK):
            answers += await self._enqueue(team_id, items[start : start + CHUNK])
        return answers

    async def _enqueue(self, team_id: UUID, items: Sequence[IncomingEntry]) -> list[Appended]:
        if self.waiting + len(items) > self._queue_limit:
            raise Refused(BUSY, retry_after=2)
        queue = self._queues.setdefault(team_id, _Queue())
        waiting = _Waiting(items, asyncio.get_running_loop().create_future())
        (queue.singles if len(items) == 1 else queue.chunks).append(waiting)
        self.waiting += len(items)
        if queue.writer is None:
            queue.writer = asyncio.create_task(self._write(team_id, queue))
        # a client that hangs up cancels its wait only: its entry is decided with the others
        return await waiting.done

    async def close(self) -> None:
        """Wait until nothing is waiting."""
        await asyncio.gather(*(queue.writer for queue in self._queues.values() if queue.writer))

    async def _write(self, team_id: UUID, queue: _Queue) -> None:
        try:
            while batch := queue.take():
                started = time.perf_counter()
                await self._settle(team_id, queue, batch)
                size = sum(len(waiting.items) for waiting in batch)
                self.waiting -= size
                if self.observe:
                    self.observe(size, time.perf_counter() - started)
        finally:
            queue.writer = None

    async def _settle(self, team_id: UUID, queue: _Queue, batch: list[_Waiting]) -> None:
        """Append the batch; should the database refuse it, each request alone, then each item: one poisons no other."""
        items = list(concatenate.from_iterable(waiting.items for waiting in batch))
        try:
            answers = await self._append(team_id, queue, items)
        except _REFUSED:
            answers = await self._one_by_one(team_id, queue, items)
        except Exception as error:
            for waiting in batch:
                if not waiting.done.done():
                    waiting.done.set_exception(error)
            return
        start = 0
        for waiting in batch:
            end = start + len(waiting.items)
            if not waiting.done.done():
                waiting.done.set_result(answers[start:end])
            start = end

    async def _one_by_one(self, team_id: UUID, queue: _Queue, items: Sequence[IncomingEntry]) -> list[Appended]:
        answers = []
        for item in items:
            try:
                answers += await self._append(team_id, queue, [item])
            except _REFUSED as error:
                logger.error("entry_poisoned", exc_info=error)
                answers.append(Appended(INTERNAL.problem(), None))
        return answers

    async def _append(self, team_id: UUID, queue: _Queue, items: Sequence[IncomingEntry]) -> list[Appended]:
        while True:
            async with self._database.team(team_id) as connection, AsyncExitStack() as stack:
                if queue.contended:
                    queue.contended -= 1
                    await stack.enter_async_context(connection.transaction())
                    await connection.execute(SQL.lock_head, team_id)
                read, decision, groups = await self._decide(connection, team_id, items)
                if not decision.added or await self._store(connection, team_id, read, decision.added, groups):
                    return _answers(decision.results, groups)
            queue.contended = CONTENDED

    async def _decide(
        self, connection: Connection, team_id: UUID, items: Sequence[IncomingEntry]
    ) -> tuple[Snapshot, AppendDecision, list[IncidentAfter]]:
        """What the items would do, read until no person is concerned whose other incidents were not read."""
        people = {person for item in items if (person := getattr(item.entry, "person_id", None)) is not None}
        while True:
            read = await self._read(connection, team_id, items, people)
            decision = append_decision.decide(read, items, self._incident_limit, self._notices)
            groups = append_decision.incidents_after(read, decision.added, items)
            people = {person for group in groups for person in group.full.people}
            people |= {person for row in read.rows.values() for person in row.people}
            if people <= read.people:
                append_decision.regrade_by_person(groups)
                return read, decision, groups

    async def _read(
        self, connection: Connection, team_id: UUID, items: Sequence[IncomingEntry], people: Iterable[UUID]
    ) -> Snapshot:
        ids = [item.id for item in items]
        ids += [name for item in items if (name := append_decision.named(item.entry)) is not None]
        incidents = {i for item in items for i in append_decision.names_incidents(item.entry)}
        # an entry released from quarantine keeps the account and device it came from, which may be gone by now
        actors = [None if item.released_by else item.actor for item in items]
        record = await connection.fetchrow(
            SQL.read,
            team_id,
            ids,
            list(incidents),
            [actor and actor.device_id for actor in actors],
            [actor and actor.staff_id for actor in actors],
            [actor and actor.stamp for actor in actors],
            list(people),
        )
        assert record, "a team has a log"
        read = _read_of(record)
        await self._open_texts(team_id, read, items)
        return read

    async def _open_texts(self, team_id: UUID, read: Snapshot, items: Sequence[IncomingEntry]) -> None:
        """Unseal what is stored under ids sent again, to compare it."""
        again = [read.stored[item.id] for item in items if item.id in read.stored]
        sealed = {row.key_ref: row for row in again if row.key_ref and row.sealed}
        if not sealed:
            return
        keys = await self._keys.fetch(ref for ref in sealed if ref)
        for ref, row in sealed.items():
            assert ref and row.sealed
            try:
                read.texts[row.id] = decrypt(keys[ref], row.sealed, team_id.bytes + row.id.bytes)
            except (KeyError, Undecryptable):
                read.stored[row.id] = row._replace(erased=True)

    async def _store(
        self, connection: Connection, team_id: UUID, read: Snapshot, added: list[Addition], groups: list[IncidentAfter]
    ) -> bool:
        """Swap the head and write; False when another process was faster."""
        await self._assign_keys(added)
        entries, head = rows.entry_rows(team_id, read, added)
        seq = added[-1].stored.seq
        folded = rows.incident_rows(read, groups, added)
        linked = [group for group in groups if append_decision.changes_people(group, read)]
        pairs = await duplicates.changes(connection, team_id, read, groups, added)
        swap = (
            SQL.append,
            *(team_id, seq, head, read.seq, read.link),
            *(_json(entries), _json(folded)),
            [i for group in linked for i in group.ids] + append_decision.abandoned_ids(read, groups),
            [person for group in linked for _ in group.ids for person in group.full.people],
            [i for group in linked for i in group.ids for _ in group.full.people],
        )
        if not pairs:
            return bool(await connection.fetchval(*swap))
        async with connection.transaction():
            if not await connection.fetchval(*swap):
                return False
            await connection.executemany(SQL.pair, [(team_id, seq, *pair) for pair in pairs])
        return True

    async def _assign_keys(self, added: list[Addition]) -> None:
        texts = [addition.item for addition in added if addition.item.content.secrets and not addition.item.data_key]
        if texts:
            for item, key in zip(texts, await self._keys.take(len(texts)), strict=True):
                item.data_key = key


def _read_of(record: asyncpg.Record) -> Snapshot:
    held = [StoredRow(*row) for row in record["held"] or ()]
    entries = [stored_entry(*row) for row in record["entries"] or ()]
    incidents = [IncidentBefore(*row) for row in record["incidents"] or ()]
    return Snapshot(
        seq=record["seq"],
        link=record["link"],
        now=record["now"],
        stored={row.id: row for row in held},
        entries={one.id: one for one in entries},
        rows={(row.id, row.blind): row for row in incidents},
        told=[ServedIntent(*row) for row in record["told"] or ()],
        stale=frozenset(n - 1 for n in record["stale"] or ()),
        people=frozenset(record["people"] or ()),
    )


def _json(rows: Sequence[Struct]) -> str:
    return msgspec.json.encode(rows).decode()


def _answers(results: Sequence[AppendResult], groups: Sequence[IncidentAfter]) -> list[Appended]:
    group_of = {i: group for group in groups for i in group.ids}
    return [
        Appended(result, group_of.get(result.incident_id) if isinstance(result, append_decision.Receipt) else None)
        for result in results
    ]

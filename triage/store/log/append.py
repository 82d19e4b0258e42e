"""The one way into the log: `Log.append`.

One writer for each team in a process gathers whatever is waiting, without a timer, into the next append. An append
reads, decides, and swaps the head from where it was read; when another process was faster it reads again. After a lost
race the next appends queue for the head's row lock, so that several processes share a log fairly.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import chain as concatenate
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct
from prometheus_client import Counter

from triage.log import append_decision
from triage.log.append_decision import (
    Addition,
    AppendDecision,
    AppendResult,
    IncomingEntry,
    Snapshot,
)
from triage.log.blindness import ServedIntent, holds_intent
from triage.log.incidents_after import (
    IncidentAfter,
    Move,
    abandoned_ids,
    changes_people,
    incidents_after,
    regrade_by_person,
    send_home,
)
from triage.problems import BUSY, INTERNAL, Refused
from triage.store.access.teams import TeamTerms
from triage.store.database import Connection, Database, pass_barrier
from triage.store.keys import KeyStore
from triage.store.log import duplicates, rows, snapshot
from triage.store.log.incidents import shows_intent
from triage.store.statements import statement

logger = logging.getLogger(__name__)

SINGLES: Final = 256
"""Entries sent one by one that go into one append at most."""
CHUNK: Final = 100
"""Entries of a sync that go into one append: between two chunks, others pass."""
_REFUSED: Final = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, asyncpg.ProgramLimitExceededError)
"""The database's errors for content that it cannot take, as against a fault of its own."""
CONTENDED: Final = 64
"""Appends that queue for the head after a lost race."""
LOST_RACES = Counter("triage_appends_lost_races", "Appends that read again, since another process was faster.")


LOCK_HEAD = statement("log.lock_head")
_APPEND = statement("log.append", int)
_PAIR = statement("log.pair")


@dataclass(slots=True)
class AppendedItem:
    """The result of one item, with the incident as it stands after its append (None for a refusal)."""

    result: AppendResult
    group: IncidentAfter | None


class _Plan(NamedTuple):
    """The decision of one append, and what it was made from."""

    read: Snapshot
    decision: AppendDecision
    moves: list[Move]
    groups: list[IncidentAfter]


@dataclass(slots=True)
class _Waiting:
    items: Sequence[IncomingEntry]
    done: asyncio.Future[list[AppendedItem]]


@dataclass(slots=True)
class _Queue:
    """The queue of one team's log: entries sent one by one, and chunks of syncs."""

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
        terms: TeamTerms,
    ) -> None:
        self._database = database
        self._keys = keys
        self._incident_limit = incident_limit
        self._queue_limit = queue_limit
        self._notices = notices
        self._terms = terms
        self._queues: dict[UUID, _Queue] = {}
        self.waiting = 0
        self.observe: Callable[[int, float], None] | None = None

    async def append(self, team_id: UUID, items: Sequence[IncomingEntry]) -> list[AppendedItem]:
        """Append what is new and answer each item. All of it is durable when this returns.

        A chunk of more than `CHUNK` items is appended piece by piece. Raises Refused (503) when too much waits already.
        """
        answers: list[AppendedItem] = []
        for start in range(0, len(items), CHUNK):
            answers += await self._enqueue(team_id, items[start : start + CHUNK])
        return answers

    async def _enqueue(self, team_id: UUID, items: Sequence[IncomingEntry]) -> list[AppendedItem]:
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
                await self._append_batch(team_id, queue, batch)
                size = sum(len(waiting.items) for waiting in batch)
                self.waiting -= size
                if self.observe:
                    self.observe(size, time.perf_counter() - started)
        finally:
            queue.writer = None

    async def _append_batch(self, team_id: UUID, queue: _Queue, batch: list[_Waiting]) -> None:
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

    async def _one_by_one(self, team_id: UUID, queue: _Queue, items: Sequence[IncomingEntry]) -> list[AppendedItem]:
        answers = []
        for item in items:
            try:
                answers += await self._append(team_id, queue, [item])
            except _REFUSED as error:
                logger.error("entry_poisoned", exc_info=error)
                answers.append(AppendedItem(INTERNAL.problem(), None))
        return answers

    async def _append(self, team_id: UUID, queue: _Queue, items: Sequence[IncomingEntry]) -> list[AppendedItem]:
        while True:
            async with self._database.team(team_id) as connection, AsyncExitStack() as stack:
                if queue.contended:
                    queue.contended -= 1
                    await stack.enter_async_context(connection.transaction())
                    await LOCK_HEAD.execute(connection, team_id=team_id)
                plan = await self._decide(connection, team_id, items)
                if not plan.decision.added:
                    await pass_barrier(connection)
                    return _answers(plan)
                if await self._store(connection, team_id, plan):
                    return _answers(plan)
            LOST_RACES.inc()
            queue.contended = CONTENDED

    async def _decide(self, connection: Connection, team_id: UUID, items: Sequence[IncomingEntry]) -> _Plan:
        """The decision for the items, read until nothing is concerned that was not read."""
        terms = await self._terms.of(connection, team_id)
        reach = await snapshot.reach_at_first(connection, team_id, items)
        people: set[UUID] = set()
        while True:
            read = await snapshot.read(connection, team_id, items, reach, terms)
            people |= {person for row in read.rows.values() for person in row.people}
            if reach.holds(read):
                await snapshot.open_texts(self._keys, team_id, read, items)
                decision = append_decision.decide(read, items, self._incident_limit, self._notices)
                moves = send_home(read, decision.added)
                groups = incidents_after(read, decision.added, items, moves)
                people |= {person for group in groups for person in group.full.people}
                if people <= reach.people:
                    regrade_by_person(groups)
                    return _Plan(read, decision, moves, groups)
            reach = await snapshot.reach_of(connection, team_id, items, people)

    async def _store(self, connection: Connection, team_id: UUID, plan: _Plan) -> bool:
        """Swap the head and write; False when another process was faster."""
        read, added, groups = plan.read, plan.decision.added, plan.groups
        await self._assign_keys(added)
        entries, link = rows.entry_rows(team_id, read, added)
        seq = added[-1].stored.seq
        relinked = [group for group in groups if changes_people(group, read)]
        incidents = rows.incident_rows(team_id, read, groups, added)
        suggestions = await duplicates.changes(connection, team_id, read, groups, added)
        suggested = {change.id for change in suggestions}
        positions = rows.held_positions(team_id, read, groups, incidents)
        knowing = list(_knowing(plan))
        swap = {
            "team_id": team_id,
            "seq": seq,
            "link": link,
            "seq_before": read.seq,
            "link_before": read.link,
            "entries": _json(entries),
            "incidents": _json(incidents),
            "positions": _json([position for position in positions if position.incident_id not in suggested]),
            "moved": [move.entry_id for move in plan.moves],
            "moved_to": [move.home for move in plan.moves],
            "relinked": [i for group in relinked for i in group.ids] + abandoned_ids(read, groups),
            "linked_people": [person for group in relinked for _ in group.ids for person in group.full.people],
            "linked_incidents": [i for group in relinked for i in group.ids for _ in group.full.people],
            "known_incidents": [row.incident_id for row in knowing],
            "known_by": [row.staff_id for row in knowing],
            "known_on": [row.device_id for row in knowing],
            "known_at": [row.at for row in knowing],
        }
        if not suggestions:
            return await _APPEND.fetch_one(connection, **swap) > 0
        async with connection.transaction():
            if not await _APPEND.fetch_one(connection, **swap):
                return False
            await _PAIR.execute_many(
                connection, [{"team_id": team_id, "seq": seq, **change._asdict()} for change in suggestions]
            )
        return True

    async def _assign_keys(self, added: list[Addition]) -> None:
        texts = [addition.item for addition in added if addition.item.content.secrets and not addition.item.data_key]
        if texts:
            for item, key in zip(texts, await self._keys.take(len(texts)), strict=True):
                item.data_key = key


def _knowing(plan: _Plan) -> Iterator[ServedIntent]:
    """Who knows of an intent by this append: whoever sent one by phone, and whose answer shows one."""
    group_of = {i: group for group in plan.groups if group.has_intent for i in group.ids}
    for addition in plan.decision.added if group_of else ():
        stored, item = addition.stored, addition.item
        group = group_of.get(stored.entry.incident_id)
        if group is None:
            continue
        if stored.device and holds_intent(stored):
            yield ServedIntent(stored.entry.incident_id, stored.author, stored.device, stored.received_at)
        if item.shown and shows_intent(group, item.actor, plan.read.now):
            group.knowing.add((stored.author, stored.device))
            yield from (ServedIntent(i, stored.author, stored.device, plan.read.now) for i in group.ids)


def _json(rows: Sequence[Struct]) -> str:
    return msgspec.json.encode(rows).decode()


def _answers(plan: _Plan) -> list[AppendedItem]:
    """Each result with the incident as it stands: that which the entry belongs to, whatever id it was sent under."""
    group_of = {i: group for group in plan.groups for i in group.ids}
    home_of = {addition.stored.id: addition.stored.entry.incident_id for addition in plan.decision.added}
    home_of |= {row.id: row.incident_id for row in plan.read.stored.values()}
    return [
        AppendedItem(result, group_of.get(home_of[result.id]) if isinstance(result, append_decision.Receipt) else None)
        for result in plan.decision.results
    ]

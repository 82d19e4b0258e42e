"""Entries that were refused or came from a revoked phone, kept sealed until its side releases or discards it.

What a newer version sent waits beside it, for longer, until a version that understands it takes it by itself.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final, Literal, NamedTuple
from uuid import UUID

import msgspec
from msgspec import Raw, Struct
from uuid_utils.compat import uuid7

from triage.access.actors import Actor, Side
from triage.log.body_errors import as_uuid
from triage.people.encryption import decrypt, encrypt
from triage.problems import ENTRY_ERASED, NEWER_THAN_SERVICE, NOT_FOUND, QUARANTINE_DECIDED, Problem, Refused
from triage.store import audit
from triage.store.database import Connection, Database
from triage.store.keys import KeyStore
from triage.store.statements import statement

PAGE: Final = 50
UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""The exceptions of content that is no sound JSON."""


class Refusal(Struct, frozen=True):
    """Something sent that did not enter the log, and why. `entry_id` is None where it had no readable id."""

    entry_id: UUID | None
    sent: bytes
    problem: Problem
    skew_ms: int | None


class QuarantineItem(Struct, frozen=True):
    """An item of the queue as its side sees it; what cannot be read as JSON is given as text."""

    id: UUID
    entry_id: UUID | None
    entry: Raw
    problem: Problem
    device: UUID | None
    received_at: datetime


class QuarantinePosition(NamedTuple):
    """Where a page of the queue ends."""

    received_at: datetime
    id: UUID


EARLIEST: Final = QuarantinePosition(datetime(2000, 1, 1, tzinfo=UTC), UUID(int=0))
"""Before every item."""


class QuarantinePage(NamedTuple):
    """A page of a side's queue, how many items there are in all, and where the next page begins."""

    items: list[QuarantineItem]
    total: int
    following: QuarantinePosition | None


class QuarantinedEntry(Struct, frozen=True):
    """An item to be decided on: the entry as sent, and the actor it came from."""

    id: UUID
    entry_id: UUID | None
    sent: bytes
    author: Actor
    problem: Problem
    received_at: datetime
    skew_ms: int | None


class _Kept(NamedTuple):
    content_digest: bytes
    id: UUID


class _Listed(NamedTuple):
    id: UUID
    entry_id: UUID | None
    device_id: UUID | None
    sealed: bytes
    key_ref: UUID
    problem: str
    received_at: datetime


class _Item(NamedTuple):
    id: UUID
    entry_id: UUID | None
    staff_id: UUID
    device_id: UUID | None
    side: Side
    role: str
    profession: str
    sealed: bytes | None
    key_ref: UUID | None
    problem: str
    newer: bool
    received_at: datetime
    skew_ms: int | None
    settled: str | None


class _Closed(NamedTuple):
    """An item that waits no more, and the key under which it was sealed."""

    id: UUID
    key_ref: UUID | None


_KEEP = statement("quarantine.keep")
_KEPT = statement("quarantine.kept", _Kept)
_RECORD_SENT = statement("quarantine.record_sent")
_LIST = statement("quarantine.list", _Listed)
_COUNT = statement("quarantine.count", int)
_LIST_NEWER = statement("quarantine.list_newer", QuarantinePosition)
_FIND = statement("quarantine.find", _Item)
_SETTLE = statement("quarantine.settle", _Closed)
_EXPIRE = statement("quarantine.expire", _Closed)


class Quarantine:
    """The quarantine of every team. Content is sealed under keys of its own, one an item."""

    def __init__(self, database: Database, keys: KeyStore, most: int) -> None:
        self._database = database
        self._keys = keys
        self._most = most

    async def keep(self, actor: Actor, refusals: Sequence[Refusal]) -> list[bool]:
        """Keep what can be kept, the same content once; whether each is.

        False for what is over the limit of the device, and for what was erased: of that nothing is kept.
        """
        kept = [refusal for refusal in refusals if refusal.problem.code != ENTRY_ERASED.code]
        if not kept:
            return [False] * len(refusals)
        async with self._database.team(actor.team_id) as connection, connection.transaction():
            held = await self._keep(connection, actor, kept)
        return [refusal.problem.code != ENTRY_ERASED.code and _digest(actor, refusal) in held for refusal in refusals]

    async def _keep(self, connection: Connection, actor: Actor, refusals: Sequence[Refusal]) -> set[bytes]:
        """Store what is new; the digests of what is held."""
        keys = await self._keys.take(len(refusals))
        ids = [uuid7() for _ in refusals]
        digests = [_digest(actor, refusal) for refusal in refusals]
        sealed = zip(keys, refusals, ids, strict=True)
        await _KEEP.execute(
            connection,
            team_id=actor.team_id,
            account=actor.staff_id,
            device=actor.device_id,
            side=actor.side,
            role=actor.role,
            profession=actor.profession,
            ids=ids,
            entry_ids=[refusal.entry_id for refusal in refusals],
            incident_ids=[incident_of(refusal.sent) for refusal in refusals],
            digests=digests,
            sealed=[encrypt(key.key, refusal.sent, item.bytes) for key, refusal, item in sealed],
            key_refs=[key.ref for key in keys],
            problems=[msgspec.json.encode(refusal.problem).decode() for refusal in refusals],
            newer=[refusal.problem.code == NEWER_THAN_SERVICE.code for refusal in refusals],
            skews=[refusal.skew_ms for refusal in refusals],
            most=self._most,
        )
        phone = actor.device_id or actor.staff_id
        rows = await _KEPT.fetch(connection, team_id=actor.team_id, phone=phone, digests=digests)
        new = set(ids).intersection(row.id for row in rows)
        if new:
            await audit.record(connection, actor, "collection", "quarantine", sorted(new))
        intents = [i for refusal in refusals if _may_hold_intent(refusal.sent) and (i := incident_of(refusal.sent))]
        await _RECORD_SENT.execute(
            connection, team_id=actor.team_id, account=actor.staff_id, device=actor.device_id, incident_ids=intents
        )
        return {row.content_digest for row in rows}

    async def list_waiting(
        self, actor: Actor, after: QuarantinePosition | None = None, most: int = PAGE
    ) -> QuarantinePage:
        """A page of the queue of the actor's side, oldest first. Raises Refused (403) as `Actor.reviewed_side`."""
        side = actor.reviewed_side()
        async with self._database.team(actor.team_id) as connection:
            rows = await _LIST.fetch(
                connection,
                team_id=actor.team_id,
                side=side,
                after_at=after and after.received_at,
                after_id=after and after.id,
                most=most + 1,
            )
            count = await _COUNT.fetch_one(connection, team_id=actor.team_id, side=side)
        page = rows[:most]
        keys = await self._keys.fetch(row.key_ref for row in page)
        items = [
            QuarantineItem(
                row.id,
                row.entry_id,
                _as_json(decrypt(keys[row.key_ref], row.sealed, row.id.bytes)),
                msgspec.json.decode(row.problem, type=Problem),
                row.device_id,
                row.received_at,
            )
            for row in page
            if row.key_ref in keys
        ]
        following = QuarantinePosition(page[-1].received_at, page[-1].id) if len(rows) > most else None
        return QuarantinePage(items, count, following)

    async def list_newer(self, team_id: UUID, after: QuarantinePosition, most: int) -> list[QuarantinePosition]:
        """Items that wait for a version that understands them, from devices that were good when they sent them."""
        async with self._database.team(team_id) as connection:
            return await _LIST_NEWER.fetch(
                connection, team_id=team_id, after_at=after.received_at, after_id=after.id, most=most
            )

    async def find(self, actor: Actor, item_id: UUID) -> QuarantinedEntry:
        """An item to decide on. Raises Refused: 404 outside the team or the actor's side, 409 once decided."""
        async with self._database.team(actor.team_id) as connection:
            item = await _FIND.fetch_first(connection, team_id=actor.team_id, id=item_id)
        if item is None or f"quarantine.{item.side}" not in actor.verbs:
            raise Refused(NOT_FOUND)
        return await self._open(actor.team_id, item)

    async def find_newer(self, team_id: UUID, item_id: UUID) -> QuarantinedEntry:
        """An item for the service itself to take. Raises Refused: 409 once decided."""
        async with self._database.team(team_id) as connection:
            item = await _FIND.fetch_first(connection, team_id=team_id, id=item_id)
        if item is None:
            raise Refused(NOT_FOUND)
        return await self._open(team_id, item)

    async def _open(self, team_id: UUID, item: _Item) -> QuarantinedEntry:
        if item.settled or item.key_ref is None or item.sealed is None:
            raise Refused(QUARANTINE_DECIDED)
        keys = await self._keys.fetch([item.key_ref])
        if item.key_ref not in keys:  # somebody is deciding on it now: the key goes first
            raise Refused(QUARANTINE_DECIDED)
        author = Actor(
            team_id=team_id,
            role=item.role,
            level="field",
            verbs=frozenset(),
            staff_id=item.staff_id,
            device_id=item.device_id,
            profession=item.profession,
            side=item.side,
        )
        return QuarantinedEntry(
            item.id,
            item.entry_id,
            decrypt(keys[item.key_ref], item.sealed, item.id.bytes),
            author,
            msgspec.json.decode(item.problem, type=Problem),
            item.received_at,
            item.skew_ms,
        )

    async def decide(self, actor: Actor, item_id: UUID, how: Literal["released", "discarded"]) -> None:
        """Close the item; its sealed copy goes, with its key. Raises Refused (409) when somebody else just did."""
        async with self._database.team(actor.team_id) as connection, connection.transaction():
            if not await self._close(connection, actor.team_id, item_id, how, actor.account):
                raise Refused(QUARANTINE_DECIDED)
            operation: audit.Operation = "alteration" if how == "released" else "erasure"
            await audit.record(connection, actor, operation, f"quarantine/{how}", [item_id])

    async def take(self, team_id: UUID, item_id: UUID) -> None:
        """Close an item that the service took by itself."""
        async with self._database.team(team_id) as connection, connection.transaction():
            if await self._close(connection, team_id, item_id, "released", None):
                await audit.record_by_owner(
                    connection, team_id, "alteration", "quarantine/taken", [item_id], detail="by the service"
                )

    async def _close(self, connection: Connection, team_id: UUID, item_id: UUID, how: str, by: UUID | None) -> bool:
        closed = await _SETTLE.fetch(connection, team_id=team_id, id=item_id, how=how, by=by)
        await self._destroy_keys(closed)
        return bool(closed)

    async def _destroy_keys(self, closed: Sequence[_Closed]) -> None:
        """To be called before the commit: after a failure the item waits still, and nobody can open it any more."""
        if refs := [item.key_ref for item in closed if item.key_ref]:
            await self._keys.destroy(refs)

    async def expire(self, team_id: UUID, days: int) -> int:
        """Let go of what nobody decided on for so many days, or no version understood in a year; how many that were."""
        async with self._database.team(team_id) as connection, connection.transaction():
            closed = await _EXPIRE.fetch(connection, team_id=team_id, days=days)
            if closed:
                await self._destroy_keys(closed)
                ids = [item.id for item in closed]
                await audit.record_by_owner(
                    connection, team_id, "erasure", "quarantine/expired", ids, detail="by the service"
                )
        return len(closed)


class _Named(Struct):
    incident_id: UUID | None = None


def incident_of(sent: bytes) -> UUID | None:
    """The incident that the content says it is of, if it can be read."""
    try:
        return msgspec.json.decode(sent, type=_Named).incident_id
    except (*UNREADABLE, msgspec.ValidationError):
        return None


def _may_hold_intent(sent: bytes) -> bool:
    """Whether what was sent may tell an intent: rather once too often than once too little."""
    return b'"intent"' in sent or b'"power"' in sent


def _digest(actor: Actor, refusal: Refusal) -> bytes:
    """The same id and content give the same digest; whose it is goes in, so that it confirms nothing to others."""
    try:
        sent = msgspec.json.decode(refusal.sent)
        if isinstance(sent, dict) and as_uuid(sent.get("id")) == refusal.entry_id:
            sent.pop("id", None)  # in a sync it stands inside, in a `PUT` in the address
        content = msgspec.json.encode(sent, order="sorted")
    except UNREADABLE:
        content = refusal.sent
    return sha256(actor.account.bytes + (refusal.entry_id or UUID(int=0)).bytes + content).digest()


def _as_json(sent: bytes) -> Raw:
    """The sent content, if it is JSON; else as text, so that it can still be looked at."""
    try:
        msgspec.json.decode(sent, type=Any)
        return Raw(sent)
    except UNREADABLE:
        return Raw(msgspec.json.encode(sent.decode("utf-8", "replace")))

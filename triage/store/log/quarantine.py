"""What was refused, or came from a revoked phone: kept sealed until its side releases or discards it."""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Final, Literal
from uuid import UUID

import msgspec
from msgspec import Raw, Struct
from uuid_utils.compat import uuid7

from triage.access.actors import Actor, Level, Side
from triage.people.encryption import decrypt, encrypt
from triage.problems import NOT_FOUND, QUARANTINE_DECIDED, Problem, Refused
from triage.store import audit
from triage.store.database import Database
from triage.store.keys import KeyStore
from triage.store.statements import load

SQL = load("quarantine")
LISTED: Final = 200


class Refusal(Struct, frozen=True):
    """Something sent that did not enter the log, and why. `entry_id` is None where it had no readable id."""

    entry_id: UUID | None
    sent: bytes
    problem: Problem
    skew_ms: int | None


class QuarantineItem(Struct, frozen=True):
    """An item of the queue as its side sees it."""

    id: UUID
    entry: Raw
    problem: Problem
    device: UUID | None
    received_at: datetime


class QuarantinedEntry(Struct, frozen=True):
    """An item about to be released: the entry as sent, and the actor it came from."""

    id: UUID
    entry_id: UUID | None
    sent: bytes
    author: Actor
    problem: Problem
    received_at: datetime
    skew_ms: int | None


class Quarantine:
    """The quarantine of every team. Content is sealed under keys of its own, one an item."""

    def __init__(self, database: Database, keys: KeyStore, most: int) -> None:
        self._database = database
        self._keys = keys
        self._most = most

    async def keep(self, actor: Actor, refusals: Sequence[Refusal]) -> list[bool]:
        """Keep what can be kept, the same content once. False for what is over the limit of the device."""
        if not refusals:
            return []
        digests = [_digest(actor, refusal) for refusal in refusals]
        keys = await self._keys.take(len(refusals))
        ids = [uuid7() for _ in refusals]
        async with self._database.team(actor.team_id) as connection, connection.transaction():
            await connection.execute(
                SQL.keep,
                actor.team_id,
                actor.staff_id,
                actor.device_id,
                actor.side,
                actor.role,
                actor.profession,
                ids,
                [refusal.entry_id for refusal in refusals],
                digests,
                [encrypt(k.key, r.sent, i.bytes) for k, r, i in zip(keys, refusals, ids, strict=True)],
                [key.ref for key in keys],
                [msgspec.json.encode(refusal.problem).decode() for refusal in refusals],
                [refusal.skew_ms for refusal in refusals],
                self._most,
            )
            whose = actor.device_id or actor.staff_id
            kept = {
                r["content_digest"]: r["id"] for r in await connection.fetch(SQL.kept, actor.team_id, whose, digests)
            }
            new = set(ids).intersection(kept.values())
            if new:
                await audit.record(connection, actor, "collection", "quarantine", sorted(new))
        return [digest in kept for digest in digests]

    async def list_waiting(self, actor: Actor, side: Side) -> list[QuarantineItem]:
        """One side's queue, oldest first, at most `LISTED`."""
        async with self._database.team(actor.team_id) as connection:
            rows = await connection.fetch(SQL.waiting, actor.team_id, side, LISTED)
        keys = await self._keys.fetch(row["key_ref"] for row in rows)
        return [
            QuarantineItem(
                row["id"],
                _as_json(decrypt(keys[row["key_ref"]], row["sealed"], row["id"].bytes)),
                msgspec.json.decode(row["problem"], type=Problem),
                row["device_id"],
                row["received_at"],
            )
            for row in rows
            if row["key_ref"] in keys
        ]

    async def find(self, actor: Actor, item_id: UUID) -> QuarantinedEntry:
        """An item to settle. Raises Refused: 404 outside the team or the actor's side, 409 once settled."""
        async with self._database.team(actor.team_id) as connection:
            row = await connection.fetchrow(SQL.item, actor.team_id, item_id)
        if row is None or f"quarantine.{row['side']}" not in actor.verbs:
            raise Refused(NOT_FOUND)
        if row["settled"]:
            raise Refused(QUARANTINE_DECIDED)
        keys = await self._keys.fetch([row["key_ref"]])
        if row["key_ref"] not in keys:
            raise Refused(NOT_FOUND)
        level: Level = "field"
        author = Actor(
            team_id=actor.team_id,
            role=row["role"],
            level=level,
            verbs=frozenset(),
            staff_id=row["staff_id"],
            device_id=row["device_id"],
            profession=row["profession"],
            side=row["side"],
        )
        return QuarantinedEntry(
            row["id"],
            row["entry_id"],
            decrypt(keys[row["key_ref"]], row["sealed"], row["id"].bytes),
            author,
            msgspec.json.decode(row["problem"], type=Problem),
            row["received_at"],
            row["skew_ms"],
        )

    async def decide(self, actor: Actor, item_id: UUID, how: Literal["released", "discarded"]) -> None:
        """Close the item; its sealed copy goes. Raises Refused (409) when somebody else just did."""
        async with self._database.team(actor.team_id) as connection, connection.transaction():
            if await connection.fetchval(SQL.settle, actor.team_id, item_id, how, actor.account) is None:
                raise Refused(QUARANTINE_DECIDED)
            operation: audit.Operation = "alteration" if how == "released" else "erasure"
            await audit.record(connection, actor, operation, f"quarantine/{how}", [item_id])


async def expire(database: Database, team_id: UUID, days: int) -> int:
    """Let go of what nobody decided on for so many days; how many items that were."""
    async with database.team(team_id) as connection:
        return len(await connection.fetch(SQL.expire, team_id, days))


def _digest(actor: Actor, refusal: Refusal) -> bytes:
    """The same id and content give the same digest; whose it is goes in, so that it confirms nothing to others."""
    try:
        content = msgspec.json.encode(msgspec.json.decode(refusal.sent), order="sorted")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        content = refusal.sent
    return sha256(actor.account.bytes + (refusal.entry_id or UUID(int=0)).bytes + content).digest()


def _as_json(sent: bytes) -> Raw:
    """What was sent, if it is JSON; else as text, so that it can still be looked at."""
    try:
        msgspec.json.decode(sent)
        return Raw(sent)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Raw(msgspec.json.encode(sent.decode("utf-8", "replace")))

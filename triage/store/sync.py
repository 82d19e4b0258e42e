"""What a phone is told to hold, and what to let go, since its cursor."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from msgspec import Struct

from triage.access.actors import Actor
from triage.problems import CURSOR_UNKNOWN, Refused
from triage.store.cursor import ANYWHERE_AFTER, Cursor
from triage.store.database import Connection, Database
from triage.store.incidents import Incidents, Row, eyes
from triage.store.statements import load

SQL = load("incidents")

PAGE: Final = 100
"""Incidents in one answer."""
LINK_BYTES: Final = 8
"""How much of a chain link a cursor remembers."""


class Pull(Struct, frozen=True):
    """Incidents as served (JSON), ids to let go, and where to go on; `more`: at once."""

    incidents: list[bytes]
    gone: list[UUID]
    cursor: Cursor
    more: bool


async def check(database: Database, actor: Actor, cursor: Cursor) -> None:
    """Raises Refused (410) for a cursor of another log: a backup was restored, and others may have written since."""
    if cursor.position == 0:
        return
    async with database.team(actor.team_id) as connection:
        link: bytes | None = await connection.fetchval(SQL.position, actor.team_id, cursor.position)
    if (link or b"")[:LINK_BYTES] != cursor.link:
        raise Refused(CURSOR_UNKNOWN)


async def pull(database: Database, incidents: Incidents, actor: Actor, cursor: Cursor | None, now: datetime) -> Pull:
    """One page of what changed. The reading is logged in the statement that decides what is read.

    Raises Refused (410) for a cursor of another log, as `check` does before anything is taken.
    """
    async with database.team(actor.team_id) as connection:
        if cursor is None:
            cursor = Cursor("scope", 0, b"", now, now, ANYWHERE_AFTER)
        elif cursor.stage == "rest":
            cursor = Cursor("log", cursor.position, cursor.link, cursor.since, now, ANYWHERE_AFTER)
        rows: list[Any] = []
        if cursor.stage != "time":
            rows, cursor = await _follow(connection, actor, cursor, now)
        if cursor.stage == "time":
            turned, cursor = await _turned(connection, actor, cursor, now)
            rows += turned
        held = {row["id"]: Row(row["id"], row["blind"], row["seq"]) for row in rows if row["held"]}
        seen = await incidents.seen(connection, actor, held.values(), now)
    gone = list(dict.fromkeys(row["id"] for row in rows if row["id"] not in held))
    return Pull([one.body for one in seen.values()], gone, cursor, cursor.stage != "rest")


async def _follow(connection: Connection, actor: Actor, cursor: Cursor, now: datetime) -> tuple[list[Any], Cursor]:
    """What changed in the log beyond the cursor, or for a phone that starts afresh all it may hold."""
    statement = SQL.in_scope if cursor.stage == "scope" else SQL.changed
    found = await connection.fetch(statement, *_whose(actor, cursor.position, cursor.place, now))
    if cursor.position and (found[0]["link"] or b"")[:LINK_BYTES] != cursor.link:
        raise Refused(CURSOR_UNKNOWN)
    rows = [row for row in found if row["id"] is not None]
    if len(rows) == PAGE:
        last, link = rows[-1], found[0]["last_link"][:LINK_BYTES]
        return rows, Cursor(cursor.stage, last["seq"], link, cursor.since, cursor.until, last["id"])
    head, link = found[0]["head_seq"], found[0]["head_link"][:LINK_BYTES]
    if cursor.stage == "scope":
        return rows, Cursor("rest", head, link, cursor.since, cursor.since)
    return rows, Cursor("time", head, link, cursor.since, now)


async def _turned(connection: Connection, actor: Actor, cursor: Cursor, now: datetime) -> tuple[Sequence[Any], Cursor]:
    """What time alone changed, between the instants of the cursor."""
    rows = await connection.fetch(SQL.turned, *_whose(actor, cursor.since, cursor.place, cursor.until))
    if len(rows) == PAGE:
        return rows, Cursor("time", cursor.position, cursor.link, cursor.since, cursor.until, rows[-1]["id"])
    return rows, Cursor("rest", cursor.position, cursor.link, cursor.until, cursor.until)


def _whose(actor: Actor, since: int | datetime, place: UUID, now: datetime) -> tuple[Any, ...]:
    return (
        actor.team_id,
        eyes(actor),
        actor.staff_id,
        since,
        place,
        PAGE,
        now,
        actor.level == "lead",
        actor.role,
        actor.device_id,
    )


async def held(database: Database, actor: Actor, ids: Sequence[UUID]) -> set[UUID]:
    """Which ids are in the log, of the actor's own side: of the other side's, nothing is told."""
    async with database.team(actor.team_id) as connection:
        rows = await connection.fetch(SQL.held, actor.team_id, list(ids), actor.side == "police")
    return {row["id"] for row in rows}

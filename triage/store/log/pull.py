"""What a phone is told to hold, and what to let go, since its cursor."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import asyncpg
from msgspec import Struct

from triage.access.actors import Actor
from triage.problems import CURSOR_UNKNOWN, Refused
from triage.store.database import Connection, Database
from triage.store.log.cursor import ANYWHERE_AFTER, Cursor
from triage.store.log.incidents import Incidents, IncidentVersion, audience_code
from triage.store.statements import load

SQL = load("incidents")

PAGE: Final = 100
"""Incidents in one answer."""
LINK_BYTES: Final = 8
"""How much of a chain link a cursor remembers."""


class PullPage(Struct, frozen=True):
    """Incidents as served (JSON), ids to let go, and where to go on; `more`: at once."""

    incidents: list[bytes]
    gone: list[UUID]
    cursor: Cursor
    more: bool


async def check_cursor(database: Database, actor: Actor, cursor: Cursor) -> None:
    """Raises Refused (410) for a cursor of another log: a backup was restored, and others may have written since."""
    if cursor.position == 0:
        return
    async with database.team(actor.team_id) as connection:
        link: bytes | None = await connection.fetchval(SQL.position, actor.team_id, cursor.position)
    if (link or b"")[:LINK_BYTES] != cursor.link:
        raise Refused(CURSOR_UNKNOWN)


async def pull(
    database: Database, incidents: Incidents, actor: Actor, cursor: Cursor | None, now: datetime
) -> PullPage:
    """One page of what changed. The reading is logged in the statement that decides what is read.

    Raises Refused (410) for a cursor of another log, as `check` does before anything is taken.
    """
    async with database.team(actor.team_id) as connection:
        if cursor is None:
            cursor = Cursor("scope", 0, b"", now, now, ANYWHERE_AFTER)
        elif cursor.stage == "rest":
            cursor = Cursor("log", cursor.position, cursor.link, cursor.since, now, ANYWHERE_AFTER)
        changed: list[_Changed] = []
        if cursor.stage != "time":
            changed, cursor = await _follow(connection, actor, cursor, now)
        if cursor.stage == "time":
            turned, cursor = await _turned(connection, actor, cursor, now)
            changed += turned
        held = {one.id: IncidentVersion(one.id, one.blind, one.seq) for one in changed if one.held}
        seen = await incidents.serve(connection, actor, held.values(), now)
    gone = list(dict.fromkeys(one.id for one in changed if one.id not in held))
    return PullPage([one.body for one in seen.values()], gone, cursor, cursor.stage != "rest")


class _Changed(NamedTuple):
    """An incident's row that changed; `held`: the phone may hold it."""

    id: UUID
    blind: bool
    seq: int
    held: bool


def _changes(record: asyncpg.Record) -> list[_Changed]:
    """The columns come as arrays: a page of records costs more than what it says."""
    columns = zip(record["ids"] or (), record["blinds"] or (), record["seqs"] or (), record["holds"] or (), strict=True)
    return [_Changed(*row) for row in columns]


async def _follow(connection: Connection, actor: Actor, cursor: Cursor, now: datetime) -> tuple[list[_Changed], Cursor]:
    """What changed in the log beyond the cursor, or for a phone that starts afresh all it may hold."""
    statement = SQL.in_scope if cursor.stage == "scope" else SQL.changed
    found = await connection.fetchrow(statement, *_whose(actor, cursor.position, cursor.place, now))
    assert found, "a team has a log"
    if cursor.position and (found["link"] or b"")[:LINK_BYTES] != cursor.link:
        raise Refused(CURSOR_UNKNOWN)
    changed = _changes(found)
    if len(changed) == PAGE:
        last, link = changed[-1], found["last_link"][:LINK_BYTES]
        return changed, Cursor(cursor.stage, last.seq, link, cursor.since, cursor.until, last.id)
    head, link = found["head_seq"], found["head_link"][:LINK_BYTES]
    if cursor.stage == "scope":
        return changed, Cursor("rest", head, link, cursor.since, cursor.since)
    return changed, Cursor("time", head, link, cursor.since, now)


async def _turned(connection: Connection, actor: Actor, cursor: Cursor, now: datetime) -> tuple[list[_Changed], Cursor]:
    """What time alone changed, between the instants of the cursor."""
    found = await connection.fetchrow(SQL.turned, *_whose(actor, cursor.since, cursor.place, cursor.until))
    assert found, "an aggregate has a row"
    changed = _changes(found)
    if len(changed) == PAGE:
        return changed, Cursor("time", cursor.position, cursor.link, cursor.since, cursor.until, changed[-1].id)
    return changed, Cursor("rest", cursor.position, cursor.link, cursor.until, cursor.until)


def _whose(actor: Actor, since: int | datetime, place: UUID, now: datetime) -> tuple[Any, ...]:
    return (
        actor.team_id,
        audience_code(actor),
        actor.staff_id,
        since,
        place,
        PAGE,
        now,
        actor.level == "lead",
        actor.role,
        actor.device_id,
    )


async def held_ids(database: Database, actor: Actor, ids: Sequence[UUID]) -> set[UUID]:
    """Which ids are in the log, of the actor's own side: of the other side's, nothing is told."""
    async with database.team(actor.team_id) as connection:
        rows = await connection.fetch(SQL.held, actor.team_id, list(ids), actor.side == "police")
    return {row["id"] for row in rows}

"""The incidents that a phone is told to hold or to let go, since its cursor."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from msgspec import Struct, structs

from triage.access.actors import Actor, StaleActor
from triage.problems import CURSOR_UNKNOWN, Refused
from triage.store.database import Connection, Database, pass_barrier
from triage.store.log.cursor import ANYWHERE_AFTER, EPOCH_BYTES, Cursor
from triage.store.log.incidents import Incidents
from triage.store.log.readers import as_reader
from triage.store.log.served_views import IncidentVersion
from triage.store.statements import statement

PAGE: Final = 100
"""Incidents in one answer."""
LINK_BYTES: Final = 8
"""How much of a chain link a cursor remembers."""


class PullPage(Struct, frozen=True):
    """Incidents as served (JSON), ids to let go, and where to go on; `more`: at once. `asked`: the account may have
    something to answer, for which most phones need not look."""

    incidents: list[bytes]
    gone: list[UUID]
    cursor: Cursor
    more: bool
    asked: bool


class PullStart(NamedTuple):
    """The state before a pull takes or reads anything. `stands`: the actor is what it was when it signed in.

    `turned`: time alone may have changed something for somebody since the cursor. `asked`: as a page has it.
    """

    stands: bool
    head_seq: int
    epoch: UUID
    link: bytes | None
    turned: bool
    asked: bool


class _Changes(NamedTuple):
    """A page of incidents' rows, as arrays: a page of records costs more than what it says. `holds`: may be held."""

    ids: list[UUID] | None
    blinds: list[bool] | None
    seqs: list[int] | None
    holds: list[bool] | None
    asked: bool


class _LogChanges(NamedTuple):
    """A page with where the log stands, and the links at the cursor and at the page's end.

    `last_position`: where the last of its incidents changed for this audience; its row may have changed since.
    """

    head_seq: int
    head_link: bytes
    epoch: UUID
    ids: list[UUID] | None
    blinds: list[bool] | None
    seqs: list[int] | None
    holds: list[bool] | None
    last_position: int | None
    link: bytes | None
    last_link: bytes | None
    asked: bool


_Changed = tuple[IncidentVersion, bool]
"""An incident's row that changed, and whether the phone may hold it."""


class _Step(NamedTuple):
    """A page as one statement gives it, and where to go on."""

    changed: list[_Changed]
    cursor: Cursor
    asked: bool


_BEGIN_PULL = statement("incidents.begin_pull", PullStart)
_IN_SCOPE = statement("incidents.in_scope", _LogChanges)
_CHANGED = statement("incidents.changed", _LogChanges)
_TURNED = statement("incidents.turned", _Changes)
_HELD = statement("incidents.held", UUID)


async def begin(database: Database, actor: Actor, cursor: Cursor | None, now: datetime) -> PullStart:
    """Look whether the actor still stands, and what there may be to tell, before anything is taken.

    Raises StaleActor, or Refused (410) for a cursor of another log or history: a backup was restored, and others wrote
    since.
    """
    async with database.team(actor.team_id) as connection:
        start = await _BEGIN_PULL.fetch_one(
            connection,
            team_id=actor.team_id,
            account=actor.account,
            device=actor.device_id,
            stamp=actor.stamp,
            lead=actor.level == "lead",
            position=cursor.position if cursor else 0,
            since=cursor.since if cursor else now,
            now=now,
        )
        if not start.stands:
            raise StaleActor
        if cursor:
            await _check(connection, cursor, start.epoch, start.link)
    return start


async def _check(connection: Connection, cursor: Cursor, epoch: UUID, link: bytes | None) -> None:
    """Raises Refused (410), which sends a phone back to the start, by a server alone that can still commit."""
    same_link = cursor.position == 0 or (link or b"")[:LINK_BYTES] == cursor.link
    if cursor.epoch != epoch.bytes[:EPOCH_BYTES] or not same_link:
        await pass_barrier(connection)
        raise Refused(CURSOR_UNKNOWN)


async def pull(
    database: Database,
    incidents: Incidents,
    actor: Actor,
    cursor: Cursor | None,
    now: datetime,
    start: PullStart | None = None,
) -> PullPage:
    """One page of what changed. The reading is logged in the statement that decides what is read.

    `start` is how the pull began at this instant, where nothing was taken since: it may tell that nothing changed.

    But for a phone that starts afresh the connections may plan each statement once (`GenericPlans`): not knowing the
    instant, PostgreSQL would take most of a log for the scope.
    Raises Refused (410) for a cursor of another log, as `begin` does.
    """
    if start and cursor and cursor.stage == "rest" and start.head_seq == cursor.position and not start.turned:
        return PullPage([], [], structs.replace(cursor, since=now, until=now), False, start.asked)
    position = cursor.position if cursor else 0
    async with database.team(actor.team_id) as connection:
        cursor = _start(cursor, now)
        changed: list[_Changed] = []
        asked = False
        if cursor.stage != "time":
            changed, cursor, asked = await _follow(connection, actor, cursor, now)
        if cursor.stage == "time" and start and not start.turned:
            # what came into the log since then may have: the next pull looks from the same instant
            cursor = structs.replace(cursor, stage="rest", until=cursor.since)
        if cursor.stage == "time":
            turned, cursor, asked = await _turned(connection, actor, cursor, now)
            changed += turned
        held = {version.root: version for version, holds in changed if holds}
        views = await incidents.serve(connection, actor, held.values(), now)
        if not held and cursor.position != position:
            await pass_barrier(connection)  # no reading was logged, whose commit would have waited
    gone = list(dict.fromkeys(version.root for version, _ in changed if version.root not in held))
    return PullPage([view.body for view in views.values()], gone, cursor, cursor.stage != "rest", asked)


def _start(cursor: Cursor | None, now: datetime) -> Cursor:
    """Where this pull begins: in the scope, in the log, or in the middle of either or of what time changed."""
    if cursor is None:
        return Cursor("scope", 0, b"", b"", now, now, ANYWHERE_AFTER)
    if cursor.stage == "rest":
        return Cursor("log", cursor.position, cursor.link, cursor.epoch, cursor.since, now, ANYWHERE_AFTER)
    return cursor


def _rows(page: _Changes | _LogChanges) -> list[_Changed]:
    versions = map(IncidentVersion, page.ids or (), page.blinds or (), page.seqs or ())
    return list(zip(versions, page.holds or (), strict=True))


async def _follow(connection: Connection, actor: Actor, cursor: Cursor, now: datetime) -> _Step:
    """The changes in the log beyond the cursor, or for a phone that starts afresh all it may hold."""
    statement = _IN_SCOPE if cursor.stage == "scope" else _CHANGED
    page = await statement.fetch_one(connection, position=cursor.position, place=cursor.place, **_as_phone(actor, now))
    epoch = page.epoch.bytes[:EPOCH_BYTES]
    if cursor.epoch:
        await _check(connection, cursor, page.epoch, page.link)
    changed = _rows(page)
    if len(changed) == PAGE:
        assert page.last_link and page.last_position
        place, link = changed[-1][0].root, page.last_link[:LINK_BYTES]
        on = Cursor(cursor.stage, page.last_position, link, epoch, cursor.since, cursor.until, place)
        return _Step(changed, on, page.asked)
    link = page.head_link[:LINK_BYTES]
    if cursor.stage == "scope":
        return _Step(changed, Cursor("rest", page.head_seq, link, epoch, cursor.since, cursor.since), page.asked)
    return _Step(changed, Cursor("time", page.head_seq, link, epoch, cursor.since, now), page.asked)


async def _turned(connection: Connection, actor: Actor, cursor: Cursor, now: datetime) -> _Step:
    """The changes by time alone, between the instants of the cursor."""
    page = await _TURNED.fetch_one(connection, since=cursor.since, place=cursor.place, **_as_phone(actor, cursor.until))
    changed, at = _rows(page), (cursor.position, cursor.link, cursor.epoch)
    if len(changed) == PAGE:
        return _Step(changed, Cursor("time", *at, cursor.since, cursor.until, changed[-1][0].root), page.asked)
    return _Step(changed, Cursor("rest", *at, cursor.until, cursor.until), page.asked)


def _as_phone(actor: Actor, now: datetime) -> dict[str, Any]:
    return as_reader(actor, now) | {"role": actor.role, "device": actor.device_id, "most": PAGE}


async def held_ids(database: Database, actor: Actor, ids: Sequence[UUID]) -> set[UUID]:
    """Which ids are in the log, of the actor's own side: of the other side's, nothing is told."""
    async with database.team(actor.team_id) as connection:
        held = await _HELD.fetch(connection, team_id=actor.team_id, ids=list(ids), police=actor.side == "police")
        await pass_barrier(connection)
    return set(held)

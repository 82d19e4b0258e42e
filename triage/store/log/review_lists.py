"""The lists of the review pages: what needs action, what is unlinked, what lacks an outcome, likely duplicates."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec

from triage.access.actors import Actor
from triage.log.entries import SEALED, Entry, StoredEntry
from triage.log.view import IncidentView
from triage.store import audit
from triage.store.database import Connection, Database
from triage.store.log.incidents import IncidentPosition, Incidents
from triage.store.log.material import find_versions
from triage.store.log.readers import as_reader
from triage.store.log.served_views import IncidentVersion
from triage.store.statements import Statement, statement

RECENT: Final = timedelta(days=28)
"""How far back things to do are looked for, as in the daily summary; a detention without an end is never too old."""
ACTIONS_AT_ONCE: Final = 500
PAGE: Final = 50
RAISED: Final = ("under_18_police_station", "station_not_authorised", "power_location_conflict")


class ReviewPage(NamedTuple):
    """A page of a list, how many there are in all, and where the next page begins."""

    views: list[IncidentView]
    total: int
    following: IncidentPosition | None


class ActionPage(NamedTuple):
    """The incidents that need action from a place in the list on, and how many incidents there are in all."""

    views: list[IncidentView]
    total: int


class LikelyPair(NamedTuple):
    """Two incidents that may be one."""

    first: IncidentView
    second: IncidentView


class PairPosition(NamedTuple):
    """Where a page of pairs ends."""

    occurred_at: datetime
    first_id: UUID
    second_id: UUID


class PairPage(NamedTuple):
    """A page of likely duplicates, how many pairs there are in all, and where the next page begins."""

    pairs: list[LikelyPair]
    total: int
    following: PairPosition | None


class LooseEnds(NamedTuple):
    """How many incidents and entries nobody has placed: without a contact, without a person, in quarantine."""

    unlinked: int
    without_person: int
    quarantined: int


class _ListedIncident(NamedTuple):
    root: UUID
    blind: bool
    seq: int
    occurred_at: datetime
    total: int


class _ListedPair(NamedTuple):
    first_id: UUID
    second_id: UUID
    occurred_at: datetime
    total: int


_ACTION = statement("review_lists.action", _ListedIncident)
_UNLINKED = statement("review_lists.unlinked", _ListedIncident)
_WITHOUT_PERSON = statement("review_lists.without_person", _ListedIncident)
_PAIRS = statement("review_lists.pairs", _ListedPair)
_COUNT_QUARANTINED = statement("review_lists.count_quarantined", int)
_BODY = statement("review_lists.body", bytes)


async def list_needing_action(
    database: Database, incidents: Incidents, actor: Actor, now: datetime, start: int = 0
) -> ActionPage:
    """Incidents that may need somebody to act, as the actor sees them: those in detention first, then newest first."""
    values = as_reader(actor, now) | {"since": now - RECENT, "raised": RAISED, "most": ACTIONS_AT_ONCE, "start": start}
    async with database.team(actor.team_id) as connection:
        rows = await _ACTION.fetch(connection, **values)
        versions = [IncidentVersion(row.root, row.blind, row.seq) for row in rows]
        views = await incidents.serve(connection, actor, versions, now)
    return ActionPage([views[row.root].view for row in rows if row.root in views], _total(rows))


async def list_all_needing_action(
    database: Database, incidents: Incidents, actor: Actor, now: datetime
) -> list[IncidentView]:
    """Every incident that may need somebody to act, whatever the pages."""
    views, total = await list_needing_action(database, incidents, actor, now)
    for start in range(ACTIONS_AT_ONCE, total, ACTIONS_AT_ONCE):
        views += (await list_needing_action(database, incidents, actor, now, start)).views
    return views


async def count_loose_ends(database: Database, actor: Actor, now: datetime) -> LooseEnds:
    """The numbers alone: nobody consults an incident by them."""
    async with database.team(actor.team_id) as connection:
        unlinked = await _rows(connection, _UNLINKED, actor, None, now, now - RECENT, 1)
        without_person = await _rows(connection, _WITHOUT_PERSON, actor, None, now, now - RECENT, 1)
        quarantined = await _COUNT_QUARANTINED.fetch_one(connection, team_id=actor.team_id, side=actor.side)
    return LooseEnds(_total(unlinked), _total(without_person), quarantined)


async def list_unlinked(
    database: Database, incidents: Incidents, actor: Actor, now: datetime, after: IncidentPosition | None = None
) -> ReviewPage:
    """Incidents whose entries may belong to another one, the newest first."""
    async with database.team(actor.team_id) as connection:
        return await _page(connection, incidents, _UNLINKED, actor, after, now, now - RECENT)


async def list_without_person(
    database: Database, incidents: Incidents, actor: Actor, now: datetime, after: IncidentPosition | None = None
) -> ReviewPage:
    """Incidents that count and have no person linked, the newest first."""
    async with database.team(actor.team_id) as connection:
        return await _page(connection, incidents, _WITHOUT_PERSON, actor, after, now, now - RECENT)


async def _page(
    connection: Connection,
    incidents: Incidents,
    listed: Statement[_ListedIncident],
    actor: Actor,
    after: IncidentPosition | None,
    now: datetime,
    since: datetime,
) -> ReviewPage:
    rows = await _rows(connection, listed, actor, after, now, since, PAGE + 1)
    page = rows[:PAGE]
    versions = [IncidentVersion(row.root, row.blind, row.seq) for row in page]
    views = await incidents.serve(connection, actor, versions, now)
    following = IncidentPosition(page[-1].occurred_at, page[-1].root) if len(rows) > PAGE else None
    return ReviewPage([views[row.root].view for row in page if row.root in views], _total(rows), following)


async def _rows(
    connection: Connection,
    listed: Statement[_ListedIncident],
    actor: Actor,
    after: IncidentPosition | None,
    now: datetime,
    since: datetime,
    most: int,
) -> list[_ListedIncident]:
    values = as_reader(actor, now) | {"since": since, "most": most}
    return await listed.fetch(connection, after_at=after and after.occurred_at, after_id=after and after.id, **values)


def _total(rows: Sequence[_ListedIncident | _ListedPair]) -> int:
    return rows[0].total if rows else 0


async def list_likely_duplicates(
    database: Database, incidents: Incidents, actor: Actor, now: datetime, after: PairPosition | None = None
) -> PairPage:
    """Pairs that may be one incident, where the actor may see both, the newest first. The reading is logged."""
    async with database.team(actor.team_id) as connection, connection.transaction():
        rows = await _PAIRS.fetch(
            connection,
            since=now - RECENT,
            most=PAGE + 1,
            after_at=after and after.occurred_at,
            after_first=after and after.first_id,
            after_second=after and after.second_id,
            **as_reader(actor, now),
        )
        page = rows[:PAGE]
        versions = await find_versions(
            connection, actor, {i for row in page for i in (row.first_id, row.second_id)}, now
        )
        served = await incidents.serve(connection, actor, versions.values(), now)
        views = {i: shown.view for i, shown in served.items()}
        pairs = [
            LikelyPair(views[row.first_id], views[row.second_id])
            for row in page
            if {row.first_id, row.second_id} <= views.keys()
        ]
        if pairs:
            shown = sorted({view.id for pair in pairs for view in pair})
            await audit.record(connection, actor, "consultation", "review/queue", shown)
    following = PairPosition(page[-1].occurred_at, page[-1].first_id, page[-1].second_id) if len(rows) > PAGE else None
    return PairPage(pairs, _total(rows), following)


async def list_all_likely_duplicates(
    database: Database, incidents: Incidents, actor: Actor, now: datetime
) -> list[LikelyPair]:
    """Every pair that may be one incident, whatever the pages. The reading is logged."""
    page = await list_likely_duplicates(database, incidents, actor, now)
    pairs = page.pairs
    while page.following:
        page = await list_likely_duplicates(database, incidents, actor, now, page.following)
        pairs += page.pairs
    return pairs


async def hidden_content(
    database: Database, actor: Actor, visible: Sequence[StoredEntry], entry_id: UUID
) -> dict[str, Any]:
    """The content of an entry, as last amended, that its reader may not see: an amendment keeps it unseen."""
    shown = next((entry for entry in reversed(visible) if getattr(entry.entry, "amends", None) == entry_id), None)
    shown = shown or next(entry for entry in visible if entry.id == entry_id)
    async with database.team(actor.team_id) as connection:
        body = await _BODY.fetch_one(connection, team_id=actor.team_id, id=shown.id)
    stored = msgspec.json.decode(body)
    content = stored.get("entry", stored)
    seen = msgspec.to_builtins(getattr(shown.entry, "entry", shown.entry)).keys() | Entry.__struct_fields__ | {"kind"}
    return {name: value for name, value in content.items() if name not in seen and value != SEALED}

"""The lists of the review pages: what needs action, what is unlinked, what lacks an outcome, likely duplicates."""

from datetime import datetime, timedelta
from typing import Final, NamedTuple

import msgspec

from triage.access.actors import Actor
from triage.log.view import IncidentView
from triage.store import audit
from triage.store.database import Database
from triage.store.log.incidents import IncidentPosition, Incidents, IncidentVersion, audience_code
from triage.store.statements import load

SQL = load("review_lists")

RECENT: Final = timedelta(days=28)
"""How far back things to do are looked for, as in the daily summary; a detention without an end is never too old."""
MOST: Final = 500
PAIRS: Final = 50
UNLINKED_SHOWN: Final = 20
CHASED: Final = 50
CHASED_FOR: Final = timedelta(days=365)
RAISED: Final = ("under_18_police_station", "station_not_authorised", "power_location_conflict")

_decode = msgspec.json.Decoder(IncidentView).decode


class LikelyPair(NamedTuple):
    """Two incidents that may be one."""

    one: IncidentView
    other: IncidentView


class Unlinked(NamedTuple):
    """Incidents that nobody has linked to what they belong to, the newest, and how many there are in all."""

    views: list[IncidentView]
    total: int


async def list_needing_action(
    database: Database, incidents: Incidents, actor: Actor, now: datetime
) -> list[IncidentView]:
    """Incidents that may need somebody to act, as the actor sees them, newest first."""
    async with database.team(actor.team_id) as connection:
        rows = await connection.fetch(
            SQL.action, actor.team_id, audience_code(actor), actor.staff_id, now - RECENT, list(RAISED), MOST
        )
        seen = await incidents.serve(
            connection, actor, [IncidentVersion(r["root"], r["blind"], r["seq"]) for r in rows], now
        )
    return [_decode(seen[row["root"]].body) for row in rows if row["root"] in seen]


async def list_unlinked(database: Database, incidents: Incidents, actor: Actor, now: datetime) -> Unlinked:
    """Incidents whose entries may belong to another one."""
    return await _unlinked(database, incidents, actor, now, SQL.alone)


async def list_without_person(database: Database, incidents: Incidents, actor: Actor, now: datetime) -> Unlinked:
    """Incidents with no person linked."""
    return await _unlinked(database, incidents, actor, now, SQL.of_nobody)


async def _unlinked(database: Database, incidents: Incidents, actor: Actor, now: datetime, statement: str) -> Unlinked:
    async with database.team(actor.team_id) as connection:
        rows = await connection.fetch(
            statement, actor.team_id, audience_code(actor), actor.staff_id, now - RECENT, UNLINKED_SHOWN
        )
        seen = await incidents.serve(
            connection, actor, [IncidentVersion(r["root"], r["blind"], r["seq"]) for r in rows], now
        )
    views = [_decode(seen[row["root"]].body) for row in rows if row["root"] in seen]
    return Unlinked(views, rows[0]["n"] if rows else 0)


async def list_awaiting_outcome(
    database: Database, incidents: Incidents, actor: Actor, after: IncidentPosition | None, now: datetime
) -> tuple[list[IncidentView], IncidentPosition | None]:
    """A page of incidents without an outcome or an end, the longest waiting first, and where the next begins."""
    async with database.team(actor.team_id) as connection, connection.transaction():
        rows = await connection.fetch(
            SQL.chase,
            actor.team_id,
            audience_code(actor),
            actor.staff_id,
            after and after.occurred_at,
            after and after.id,
            CHASED + 1,
            now - CHASED_FOR,
        )
        page = rows[:CHASED]
        seen = await incidents.serve(
            connection, actor, [IncidentVersion(r["root"], r["blind"], r["seq"]) for r in page], now
        )
        found = [_decode(seen[row["root"]].body) for row in page if row["root"] in seen]
        if found:
            await audit.record(connection, actor, "consultation", "review/chase", [view.id for view in found])
    following = IncidentPosition(page[-1]["occurred_at"], page[-1]["id"]) if len(rows) > CHASED else None
    return found, following


async def list_likely_duplicates(
    database: Database, incidents: Incidents, actor: Actor, now: datetime
) -> list[LikelyPair]:
    """Pairs that may be one incident, where the actor may see both. The reading is logged."""
    async with database.team(actor.team_id) as connection, connection.transaction():
        pairs = await connection.fetch(SQL.pairs, actor.team_id, now - RECENT, PAIRS)
        ids = sorted({i for pair in pairs for i in pair})
        rows = await connection.fetch(SQL.rows, actor.team_id, audience_code(actor), actor.staff_id, ids)
        seen = await incidents.serve(
            connection, actor, [IncidentVersion(r["root"], r["blind"], r["seq"]) for r in rows], now
        )
        views = {i: _decode(one.body) for i, one in seen.items()}
        found = [
            LikelyPair(views[pair["one"]], views[pair["other"]])
            for pair in pairs
            if pair["one"] in views and pair["other"] in views and pair["one"] != pair["other"]
        ]
        if found:
            shown = sorted({view.id for pair in found for view in pair})
            await audit.record(connection, actor, "consultation", "review/queue", shown)
    return found

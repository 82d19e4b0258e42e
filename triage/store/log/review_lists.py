"""The lists of the review pages: what needs action, what is unlinked, what lacks an outcome, likely duplicates."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec

from triage.access.actors import Actor
from triage.log.entries import SEALED, Entry, StoredEntry
from triage.log.view import IncidentView
from triage.store import audit
from triage.store.database import Connection, Database
from triage.store.log.incidents import Incidents, IncidentVersion, audience_code
from triage.store.statements import load

SQL = load("review_lists")

RECENT: Final = timedelta(days=28)
"""How far back things to do are looked for, as in the daily summary; a detention without an end is never too old."""
MOST: Final = 500
PAIRS: Final = 50
UNLINKED_SHOWN: Final = 100
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


class LooseEnds(NamedTuple):
    """How many incidents and entries nobody has placed: without a contact, without a person, in quarantine."""

    unlinked: int
    without_person: int
    quarantined: int


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


async def count_loose_ends(database: Database, actor: Actor, now: datetime) -> LooseEnds:
    """The numbers alone: nobody consults an incident by them."""
    whose = actor.team_id, audience_code(actor), actor.staff_id, now - RECENT, 1
    async with database.team(actor.team_id) as connection:
        alone = await connection.fetchrow(SQL.alone, *whose)
        without_person = await connection.fetchrow(SQL.of_nobody, *whose)
        quarantined: int = await connection.fetchval(SQL.count_quarantined, actor.team_id, actor.side)
    return LooseEnds(alone["n"] if alone else 0, without_person["n"] if without_person else 0, quarantined)


async def hidden_content(
    database: Database, actor: Actor, visible: Sequence[StoredEntry], entry_id: UUID
) -> dict[str, Any]:
    """What of the content of an entry, as last amended, its reader may not see: an amendment keeps it unseen."""
    shown = next((each for each in reversed(visible) if getattr(each.entry, "amends", None) == entry_id), None)
    shown = shown or next(each for each in visible if each.id == entry_id)
    async with database.team(actor.team_id) as connection:
        body = await connection.fetchval(SQL.body, actor.team_id, shown.id)
    stored = msgspec.json.decode(body)
    content = stored.get("entry", stored)
    seen = msgspec.to_builtins(getattr(shown.entry, "entry", shown.entry)).keys() | Entry.__struct_fields__ | {"kind"}
    return {name: value for name, value in content.items() if name not in seen and value != SEALED}


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


async def find_versions(connection: Connection, actor: Actor, ids: Collection[UUID]) -> dict[UUID, IncidentVersion]:
    """The rows under which an actor sees these incidents, those that the actor may see and that stand on their own."""
    rows = await connection.fetch(SQL.rows, actor.team_id, audience_code(actor), actor.staff_id, list(ids))
    return {row["root"]: IncidentVersion(row["root"], row["blind"], row["seq"]) for row in rows}


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

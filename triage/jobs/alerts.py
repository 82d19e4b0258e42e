"""Alerts: a child at a police station, and detentions whose clock runs out. Each is told of once."""

from datetime import datetime
from uuid import UUID

from triage.store import outbox
from triage.store.database import Connection, Database
from triage.store.outbox import ALERTED_FOR, AlertData, AlertKind, AlertRaised
from triage.store.summaries import calendars
from triage.store.summaries.calendars import CalendarTeam
from triage.store.summaries.facts import FactReader
from triage.summaries.needs_action import clock_alert


async def raise_alerts(database: Database, now: datetime, *, public_url: str = "") -> int:
    """Raise what is to be raised at `now`; how many were new."""
    raised = 0
    for team in await calendars.teams(database):
        async with database.team(team.team_id) as connection:
            for incident in await outbox.children_at_stations(connection, team.team_id, now):
                raised += await _raise(connection, team, incident, "under_18_police_station", "", now, public_url)
            for fact in await FactReader(connection, team.team_id, team.terms).running():
                kind = clock_alert(fact.expires_at, now, ALERTED_FOR) if fact.running else None
                if kind and fact.expires_at:
                    mark = fact.expires_at.isoformat()
                    raised += await _raise(connection, team, fact.id, kind, mark, now, public_url)
    return raised


async def _raise(
    connection: Connection,
    team: CalendarTeam,
    incident: UUID,
    kind: AlertKind,
    mark: str,
    now: datetime,
    public_url: str,
) -> bool:
    async with connection.transaction():
        if not await outbox.raise_alert(connection, team.team_id, incident, kind, mark, now):
            return False
        data = AlertData(team=team.name, kind=kind, link=f"{public_url}/review")
        payload = AlertRaised(timestamp=now, data=data)
        await outbox.enqueue(connection, team.team_id, "alert", f"alert {incident} {kind} {mark}", payload, now)
    return True

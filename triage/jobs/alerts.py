"""Alerts: a child at a police station, and detentions whose clock runs out. Each is told of once."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from triage.store import outbox
from triage.store.database import Connection, Database
from triage.store.outbox import ALERTED_FOR, AlertData, AlertKind, AlertRaised
from triage.store.summaries import publications
from triage.store.summaries.facts import FactReader
from triage.store.summaries.publications import CalendarTeam
from triage.summaries.facts import IncidentFact

THRESHOLDS: Final[tuple[tuple[timedelta, AlertKind], ...]] = (
    (timedelta(0), "detention_0_h"),
    (timedelta(hours=1), "detention_1_h"),
    (timedelta(hours=4), "detention_4_h"),
)
"""How much of the clock is left, the most urgent first: after a pause only the most urgent that is reached is told."""


async def raise_alerts(database: Database, now: datetime, *, public_url: str = "") -> int:
    """Raise what is to be raised at `now`; how many were new."""
    raised = 0
    for team in await publications.teams(database):
        async with database.team(team.team_id) as connection:
            for incident in await outbox.children_at_stations(connection, team.team_id, now):
                raised += await _raise(connection, team, incident, "under_18_police_station", "", now, public_url)
            for fact in await FactReader(connection, team.team_id).running():
                kind = reached_threshold(fact, now)
                if kind and fact.expires_at:
                    mark = fact.expires_at.isoformat()
                    raised += await _raise(connection, team, fact.id, kind, mark, now, public_url)
    return raised


def reached_threshold(fact: IncidentFact, now: datetime) -> AlertKind | None:
    """The most urgent threshold that a running detention has reached; None before, and long after its expiry."""
    if fact.expires_at is None or now - fact.expires_at > ALERTED_FOR:
        return None
    left = fact.expires_at - now
    return next((kind for threshold, kind in THRESHOLDS if left <= threshold), None)


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

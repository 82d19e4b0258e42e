"""How the service stands, over all teams: figures for the metrics, none of them about anybody."""

from datetime import datetime

from msgspec import Struct

from triage.store.database import Database
from triage.store.statements import load
from triage.store.summaries import calendars, publications

SQL = load("gauges")


class Gauges(Struct, frozen=True, kw_only=True):
    """`log_head` and `quarantine` are sums over the teams, the others the worst of any team."""

    log_head: int
    quarantine: int
    outbox_seconds: float
    unpublished_seconds: float
    clock_skew_ms: int


async def read(database: Database, now: datetime) -> Gauges:
    """The figures of this moment."""
    rows, unpublished = [], []
    for team in await calendars.teams(database):
        async with database.team(team.team_id) as connection:
            row = await connection.fetchrow(SQL.of_team, team.team_id)
            assert row
            rows.append(row)
            due = await publications.oldest_unpublished(connection, team, now)
            unpublished.append((now - due).total_seconds() if due else 0.0)
    return Gauges(
        log_head=sum(row["log_head"] or 0 for row in rows),
        quarantine=sum(row["quarantine"] for row in rows),
        outbox_seconds=max((row["outbox_seconds"] for row in rows), default=0.0),
        unpublished_seconds=max(unpublished, default=0.0),
        clock_skew_ms=max((row["clock_skew_ms"] for row in rows), default=0),
    )

"""How the service stands, over all teams: figures for the metrics, none of them about anybody."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from msgspec import Struct

from triage.store import audit
from triage.store.access.teams import find_epoch
from triage.store.database import UNREACHABLE, Database
from triage.store.job_runs import JobRun, list_runs
from triage.store.journal import Journal
from triage.store.statements import statement
from triage.store.summaries import calendars, publications


class TeamGauges(Struct, frozen=True):
    """One team's figures, in the order of the statement."""

    log_head: int
    quarantine: int
    quarantine_seconds: float
    outbox_seconds: float
    emails_waiting: int
    webhooks_waiting: int
    outbox_dead: int
    clock_skew_ms: int
    median_silence_s: float
    long_silence_s: float


class Replication(Struct, frozen=True):
    """`wanted`: the server waits for standbys; how many it waits for now; how far behind the last one is, in bytes.

    Not `visible`: the login may not see it, and the figures say nothing.
    """

    wanted: bool
    synchronous: int
    lag_bytes: float
    visible: bool


class Gauges(TeamGauges, frozen=True, kw_only=True):
    """The figures of all teams: counts are added up, ages and clocks are the worst of any team."""

    overdue_seconds: float
    audit_unchained_s: float
    journal_written_at: datetime | None
    replication: Replication
    jobs: list[JobRun]
    epoch: UUID


_COUNTS: Final = frozenset({"log_head", "quarantine", "emails_waiting", "webhooks_waiting", "outbox_dead"})
_OF_TEAM: Final = statement("gauges.of_team", TeamGauges)
_REPLICATION: Final = statement("gauges.replication", Replication)


async def read(database: Database, journal: Journal, now: datetime) -> Gauges:
    """The figures of this moment; of the journal nothing while its database does not answer."""
    of_teams: list[TeamGauges] = []
    overdue = [0.0]
    for team in await calendars.teams(database):
        async with database.team(team.team_id) as connection:
            of_teams.append(await _OF_TEAM.fetch_one(connection, team_id=team.team_id))
            overdue += [
                (now - slot.due_at).total_seconds() for slot in await publications.unpublished(connection, team, now)
            ]
    return Gauges(
        **_over_all(of_teams),
        overdue_seconds=max(overdue),
        audit_unchained_s=await audit.unchained_for_s(database),
        journal_written_at=await _last_written(journal),
        replication=await read_replication(database),
        jobs=await list_runs(database),
        epoch=await find_epoch(database),
    )


def _over_all(of_teams: Sequence[TeamGauges]) -> dict[str, Any]:
    figures = {name: [getattr(team, name) for team in of_teams] for name in TeamGauges.__struct_fields__}
    return {name: sum(values) if name in _COUNTS else max(values, default=0) for name, values in figures.items()}


async def read_replication(database: Database) -> Replication:
    """Whether what is acknowledged lies on a second machine."""
    async with database.no_team() as connection:
        return await _REPLICATION.fetch_one(connection)


async def _last_written(journal: Journal) -> datetime | None:
    try:
        return await journal.last_written()
    except UNREACHABLE:
        return None

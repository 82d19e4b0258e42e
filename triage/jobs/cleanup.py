"""Letting go of what is kept for a while only: items of the quarantine, and counts of attempts."""

from triage.store.access import attempts, teams
from triage.store.database import Database
from triage.store.log import quarantine


async def clean_up(database: Database, quarantine_days: int) -> None:
    """Let everything go whose time is over, by the database's clock. Any number of replicas may."""
    await attempts.forget_attempts(database)
    for team_id in await teams.list_teams(database):
        await quarantine.expire(database, team_id, quarantine_days)

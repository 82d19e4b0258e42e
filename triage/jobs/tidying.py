"""Letting go of what is kept for a while only: items of the quarantine, and counts of attempts."""

from triage.store import access, quarantine
from triage.store.database import Database


async def tidy(database: Database, quarantine_days: int) -> None:
    """Let everything go whose time is over, by the database's clock. Any number of replicas may."""
    await access.forget_attempts(database)
    for team_id in await access.teams(database):
        await quarantine.expire(database, team_id, quarantine_days)

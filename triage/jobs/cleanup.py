"""Quarantine and counts of attempts: what is kept for a while goes, and what this version understands is taken."""

from triage.service import Service
from triage.store.access import attempts, teams
from triage.store.database import Database
from triage.store.log import newer
from triage.store.log.quarantine import Quarantine


async def clean_up(database: Database, quarantine: Quarantine, quarantine_days: int) -> None:
    """Let everything go whose time is over, by the database's clock. Any number of replicas may."""
    await attempts.forget_attempts(database)
    for team_id in await teams.list_teams(database):
        await quarantine.expire(team_id, quarantine_days)


async def take_understood(service: Service) -> None:
    """Put into the log what waited for a version that understands it: due when one starts."""
    for team_id in await teams.list_teams(service.database):
        await newer.take_understood(service.quarantine, service.log, team_id)

"""Retention, once a day for each team: it shows what it would do, and does it once the owner has switched it on.

It works as the owner of the database: the service's own login cannot destroy anything.
"""

import logging
from datetime import datetime

from triage.store.access import teams
from triage.store.access.staff import as_owner
from triage.store.database import Database
from triage.store.people.retention import Retention

logger = logging.getLogger(__name__)


async def run_retention(database: Database, owner_url: str, retention: Retention, applied: bool, now: datetime) -> None:
    """Run what was not run today; a row decides, so that any number of processes may call it."""
    for team_id in await teams.list_teams(database):
        async with as_owner(owner_url, team_id) as connection:
            due = await retention.run_once_a_day(connection, team_id, now, not applied)
        if due is not None:
            logger.info("retention", extra={"applied": applied, "due": {part.part: part.count for part in due}})

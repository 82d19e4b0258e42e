"""Retention, once a day for each team: it shows what it would do, and does it once the owner has switched it on.

It works as the owner of the database: the service's own login cannot destroy anything.
"""

from datetime import datetime
from typing import Final

import asyncpg
import structlog

from triage.store.access import sign_in
from triage.store.access.staff import as_owner
from triage.store.database import UNREACHABLE, Database
from triage.store.journal import JournalFault
from triage.store.people.retention import Retention

logger = structlog.get_logger(__name__)

EVERY_S: Final = 3600
"""Seconds between two looks whether a day's run is still to be done. A row decides."""


async def run_retention(database: Database, owner_url: str, retention: Retention, applied: bool, now: datetime) -> None:
    """Run what was not run today. A failure is logged, and tried again; any number of replicas may call it."""
    try:
        for team_id in await sign_in.list_teams(database):
            async with as_owner(owner_url, team_id) as connection:
                found = await retention.run_once_a_day(connection, team_id, now, not applied)
            if found is not None:
                logger.info("retention", applied=applied, due={one.part: one.count for one in found})
    except (*UNREACHABLE, asyncpg.PostgresError, JournalFault) as error:
        logger.error("retention_not_run", exc_info=error)

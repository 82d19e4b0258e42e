"""Keeps the journal up with what is published, so that no restored backup cuts an edition or release again."""

import asyncio
from typing import Final

import asyncpg
import structlog

from triage.store.access import SQL as ACCESS
from triage.store.database import Database
from triage.store.journal import JournalFault
from triage.store.publications import Publications

log = structlog.get_logger(__name__)

EVERY_S: Final = 30


async def journal_forever(database: Database, publications: Publications) -> None:
    """Until cancelled. A failure is logged, and tried again."""
    while True:
        try:
            async with database.anyone() as connection:
                teams = [row["team_id"] for row in await connection.fetch(ACCESS.teams)]
            for team_id in teams:
                await publications.write(team_id)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError, JournalFault) as error:
            log.error("journal_not_written", exc_info=error)
        await asyncio.sleep(EVERY_S)

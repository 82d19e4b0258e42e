"""Keeps the journal up with what is published, so that no restored backup cuts an edition or release again.

And with where the chains stand, so that cutting their ends off shows.
"""

import asyncio
from typing import Final

import asyncpg
import structlog

from triage.store.access import sign_in
from triage.store.audit import NO_TEAM
from triage.store.database import UNREACHABLE, Database
from triage.store.journal import JournalFault
from triage.store.recovery.anchors import AnchorWriter
from triage.store.recovery.journal_copy import PublicationWriter

logger = structlog.get_logger(__name__)

EVERY_S: Final = 30
ANCHORS_EVERY_S: Final = 600


async def journal_forever(database: Database, publications: PublicationWriter, anchoring: AnchorWriter) -> None:
    """Until cancelled. A failure is logged, and tried again."""
    loop = asyncio.get_running_loop()
    anchors_at = loop.time()
    while True:
        try:
            teams = await sign_in.list_teams(database)
            for team_id in teams:
                await publications.write(team_id)
            if loop.time() >= anchors_at:
                for team_id in (*teams, NO_TEAM):
                    await anchoring.write(team_id)
                anchors_at = loop.time() + ANCHORS_EVERY_S
        except (*UNREACHABLE, asyncpg.PostgresError, JournalFault) as error:
            logger.error("journal_not_written", exc_info=error)
        await asyncio.sleep(EVERY_S)

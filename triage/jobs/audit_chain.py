"""Seals the audit: every second what was added since is chained, by whichever process comes first."""

import asyncio
from typing import Final

import asyncpg
import structlog

from triage.store import audit
from triage.store.database import UNREACHABLE, Database

logger = structlog.get_logger(__name__)

EVERY_S: Final = 0.5
"""So that a row is sealed within a second."""
MONTHS_EVERY_S: Final = 6 * 3600


async def seal_forever(database: Database) -> None:
    """Until cancelled. A failure is logged, and tried again: `triage verify` tells of rows that wait too long."""
    loop = asyncio.get_running_loop()
    months_at = loop.time()
    while True:
        try:
            if loop.time() >= months_at:
                await audit.prepare_months(database)
                months_at = loop.time() + MONTHS_EVERY_S
            await audit.extend_chain(database)
        except (*UNREACHABLE, asyncpg.PostgresError) as error:
            logger.error("audit_not_sealed", exc_info=error)
        await asyncio.sleep(EVERY_S)

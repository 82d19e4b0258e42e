"""Whether the database still is the one that the journal knows, for as long as a process runs.

A recovery to a point in time lets in again who was revoked since, and a process that was there before would go on with
it: so a process answers nothing, and does no job, while the history is not adopted.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import asyncpg

from triage.store.access.teams import list_teams
from triage.store.database import UNREACHABLE, Database
from triage.store.journal import Journal
from triage.store.recovery.anchors import check_history
from triage.store.recovery.history import HistoryForked, check_joined

LOOK_EVERY_S: Final = 10.0
"""As often as the journal is told where the logs stand; when the database comes back, at once."""
LOOK_AGAIN_EVERY_S: Final = 1.0
"""While the history is to be adopted."""

logger = logging.getLogger(__name__)


class HistoryWatch:
    """`forked` is what was seen by the last look at a server that was there."""

    def __init__(self, database: Database, journal: Journal) -> None:
        self._database = database
        self._journal = journal
        self.forked = False

    async def check(self) -> None:
        """Raises OperatorError where database, key store and journal are not of one installation and one history."""
        async with self._database.no_team() as connection:
            await check_joined(connection, self._journal)
        await check_history(self._database, self._journal, await list_teams(self._database))

    async def look(self) -> None:
        """Look, and write one line where it changed."""
        try:
            await self.check()
        except HistoryForked as fork:
            if not self.forked:
                logger.error("history_forked", extra={"advice": str(fork)})
            self.forked = True
        except (*UNREACHABLE, asyncpg.PostgresError):
            pass
        else:
            if self.forked:
                logger.warning("history_adopted")
            self.forked = False

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Look every now and then for as long as the block lasts."""
        task = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _watch(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_AGAIN_EVERY_S if self.forked else LOOK_EVERY_S):
                    await self._database.came_back.wait()
            self._database.came_back.clear()
            await self.look()

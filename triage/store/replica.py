"""Reads that may be a moment behind: of a replica where one is set and answers, else of the database itself."""

import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, TypeVar
from uuid import UUID

import asyncpg

from triage.store.database import UNREACHABLE, Connection, Database, connect

CONNECTIONS: Final = 2
LEFT_ALONE_FOR_S: Final = 10.0
"""How long a replica that failed is not asked again: whoever asks waits until it is seen to be gone."""

logger = logging.getLogger(__name__)

T = TypeVar("T")


class Replica:
    """Readings that may be behind, and never decide whether somebody may read: that is the database's."""

    def __init__(self, replica: Database | None, database: Database) -> None:
        self.replica = replica
        self._database = database
        self._left_alone_until = 0.0
        self._failing = False

    async def read(self, team_id: UUID, work: Callable[[Connection], Awaitable[T]]) -> T:
        """The answer of `work`, by a connection set to the team.

        It is done once more by the database itself where the replica answers None, which is taken for not there yet, or
        fails: it is gone, lacks a migration, or gave the reading up for what it has to replay.
        """
        if self.replica is not None and time.monotonic() >= self._left_alone_until:
            try:
                async with self.replica.team(team_id) as connection:
                    answer = await work(connection)
            except (*UNREACHABLE, asyncpg.PostgresError) as error:
                self._note(error)
            else:
                self._note(None)
                if answer is not None:
                    return answer
        async with self._database.team(team_id) as connection:
            return await work(connection)

    def _note(self, error: Exception | None) -> None:
        """One line when the replica fails, and one when it is back."""
        if error and not self._failing:
            logger.warning("replica_failed", extra={"error": type(error).__name__})
        elif self._failing and not error:
            logger.warning("replica_works_again")
        self._failing = error is not None
        self._left_alone_until = time.monotonic() + LEFT_ALONE_FOR_S if error else 0.0


@asynccontextmanager
async def connect_replica(url: str | None, database: Database, command_timeout_s: float) -> AsyncIterator[Replica]:
    """Reads by the replica at the address, or by the database where there is none; it need not be there yet."""
    if url is None:
        yield Replica(None, database)
        return
    async with connect(url, CONNECTIONS, command_timeout_s, needed=False) as replica:
        yield Replica(replica, database)

"""When each job last succeeded, over all processes: by it the service is watched. Commands count as jobs, too."""

import time
from datetime import datetime

from msgspec import Struct

from triage.store.database import Connection, Database
from triage.store.statements import statement


class JobRun(Struct, frozen=True):
    """`every_s` is the interval in seconds, None for a command; `succeeded_at` is None where it never did."""

    job: str
    every_s: float | None
    succeeded_at: datetime | None
    failures: int


_RECORD_SUCCESS = statement("jobs.record_success")
_RECORD_FAILURE = statement("jobs.record_failure")
_LIST_RUNS = statement("jobs.list_runs", JobRun)


class JobRuns:
    """The record of the jobs of one process; that a job succeeded is recorded once in `record_every_s` seconds."""

    def __init__(self, database: Database, record_every_s: float) -> None:
        self._database = database
        self._record_every_s = record_every_s
        self._recorded: dict[str, float] = {}

    async def succeeded(self, job: str, every_s: float | None) -> None:
        """Record that the job succeeded now."""
        passed = time.monotonic() - self._recorded.get(job, -self._record_every_s)
        if passed >= self._record_every_s:
            async with self._database.no_team() as connection:
                await record_success(connection, job, every_s)
            self._recorded[job] = time.monotonic()

    async def failed(self, job: str, every_s: float | None) -> None:
        """Count one more failure of the job."""
        self._recorded.pop(job, None)
        async with self._database.no_team() as connection:
            await _RECORD_FAILURE.execute(connection, job=job, every_s=every_s)


async def record_success(connection: Connection, job: str, every_s: float | None = None) -> None:
    """Record that a job, or a command as which the service is watched, succeeded now by the database's clock."""
    await _RECORD_SUCCESS.execute(connection, job=job, every_s=every_s)


async def list_runs(database: Database) -> list[JobRun]:
    """Every job that ever ran, by name."""
    async with database.no_team() as connection:
        return await _LIST_RUNS.fetch(connection)

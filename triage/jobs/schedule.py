"""The service's work beside requests: one list of jobs, one scheduler, one place for failures.

A job looks every so often whether something is due. Rows decide what is, so that any number of processes may look.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Final

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger
from msgspec import Struct

from triage.jobs.alerts import raise_alerts
from triage.jobs.cleanup import clean_up, take_understood
from triage.jobs.deliver import Sender, deliver_due
from triage.jobs.journal import anchor_logs, copy_publications, write_anchors
from triage.jobs.publish import GATHER, PublishOptions, publish_due
from triage.jobs.release_process import release_if_due
from triage.jobs.retention import run_retention
from triage.service import Service
from triage.store import audit
from triage.store.database import UNREACHABLE, Database
from triage.store.job_runs import JobRuns
from triage.store.people.retention import Retention
from triage.store.recovery.journal_copy import PublicationWriter
from triage.store.recovery.watch import HistoryWatch

logger = logging.getLogger(__name__)

RECORD_EVERY_S: Final = 10
"""Seconds between two records that a frequent job succeeded."""


class Job(Struct, frozen=True):
    """Work to be called every so many seconds, at once when the process starts, never twice at a time."""

    name: str
    work: Callable[[], Awaitable[object]]
    every_s: float


def service_jobs(service: Service) -> tuple[Job, ...]:
    """Every job that the service's own login may do."""
    database, settings = service.database, service.settings
    sender = Sender(settings, service.root)
    options = PublishOptions(public_url=settings.public_url, journal=service.journal, gather=GATHER)
    publications = PublicationWriter(database, service.journal)
    return (
        Job("chain_audit", partial(audit.extend_chain, database), 0.5),
        Job("prepare_audit_months", partial(audit.prepare_months, database), 6 * 3600),
        Job("raise_alerts", lambda: raise_alerts(database, now(), public_url=settings.public_url), 15),
        Job("deliver_alerts", partial(deliver_due, database, sender, "alert", now), 5),
        Job("publish", lambda: publish_due(database, now(), options), 15),
        Job("deliver_summaries", partial(deliver_due, database, sender, "summary", now), 15),
        Job("release", lambda: release_if_due(database, settings, now()), 15),
        Job("copy_publications", partial(copy_publications, database, publications), 30),
        Job("anchor_logs", partial(anchor_logs, database, service.journal), 10),
        Job("write_anchors", partial(write_anchors, database, service.journal), 600),
        Job("export_journal", partial(service.journal.export, settings.journal), 3600),
        Job("take_understood", partial(take_understood, service), 6 * 3600),
        Job("clean_up", partial(clean_up, database, service.quarantine, settings.quarantine_days), 15),
    )


def owner_jobs(service: Service, owner_url: str) -> tuple[Job, ...]:
    """The jobs that destroy something, which takes the login that owns the tables."""
    settings = service.settings
    retention = Retention(service.keys, service.journal, settings.quarantine_days)
    applied = settings.retention_applied
    return (Job("retention", lambda: run_retention(service.database, owner_url, retention, applied, now()), 3600),)


def now() -> datetime:
    """The clock of the jobs."""
    return datetime.now(UTC)


@asynccontextmanager
async def scheduled(jobs: Sequence[Job], database: Database, history: HistoryWatch) -> AsyncIterator[None]:
    """Run the jobs for as long as the block lasts, but none while the history is to be adopted.

    A failure is logged and recorded, and the job called again.
    """
    scheduler = AsyncIOScheduler(timezone=UTC)
    running: set[asyncio.Task[None]] = set()
    runs, failures = JobRuns(database, RECORD_EVERY_S), _Failures(database)

    async def run(job: Job) -> None:
        if history.forked:
            return
        task = asyncio.current_task()
        assert task
        running.add(task)
        try:
            await _run(job, runs, failures)
        except asyncio.CancelledError:
            pass  # the end of the block, which APScheduler would log as a failure
        finally:
            running.discard(task)

    for job in jobs:
        scheduler.add_job(
            run,
            IntervalTrigger(seconds=job.every_s, timezone=UTC),
            args=[job],
            id=job.name,
            max_instances=1,
            coalesce=True,
            misfire_grace_time=None,
            next_run_time=now(),
        )
    scheduler.start()
    try:
        yield
    finally:
        # a transaction cut off here is rolled back, and its work is done at the next call, by whichever process
        scheduler.shutdown(wait=False)
        await asyncio.gather(*running, return_exceptions=True)


class _Failures:
    """The jobs that fail now, so that the log has a line where that changes and not one a call.

    An outage of the database is told by the database itself, once for all jobs.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._failing: dict[str, type[Exception]] = {}

    def note(self, event: str, job: Job, error: Exception | None) -> None:
        """`error` None: what failed before, if anything did, works again."""
        name = f"{event} {job.name}"
        before = self._failing.pop(name, None)
        if error is None:
            if before:
                logger.warning("job_works_again", extra={"job": job.name})
        elif self._database.reachable or not isinstance(error, UNREACHABLE):
            self._failing[name] = type(error)
            if type(error) is not before:
                logger.error(event, exc_info=error, extra={"job": job.name})


async def _run(job: Job, runs: JobRuns, failures: _Failures) -> None:
    try:
        await job.work()
    except Exception as error:
        failures.note("job_failed", job, error)
        await _record(job, runs.failed(job.name, job.every_s), failures)
    else:
        failures.note("job_failed", job, None)
        await _record(job, runs.succeeded(job.name, job.every_s), failures)


async def _record(job: Job, record: Awaitable[None], failures: _Failures) -> None:
    try:
        await record
    except UNREACHABLE as error:
        failures.note("job_run_not_recorded", job, error)
    else:
        failures.note("job_run_not_recorded", job, None)

"""Waking: a scheduler that does nothing but look, every few seconds, whether something is due. Rows decide what is."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from triage.exports import keys as disclosure
from triage.jobs.alerts import raise_alerts
from triage.jobs.cleanup import clean_up
from triage.jobs.deliver import Sender, deliver_due
from triage.jobs.publish import PublishOptions, publish_due
from triage.jobs.release import Unreleased, is_anything_due
from triage.settings import Settings
from triage.store.database import Database
from triage.store.journal import Journal

logger = structlog.get_logger(__name__)

EVERY_S: Final = 15
"""Seconds between two looks; a summary is due to the minute."""
GATHER: Final = timedelta(hours=1)
"""How long later entries are gathered before published periods are looked at again."""


async def wake(database: Database, sender: Sender, now: datetime) -> None:
    """Publish, raise and deliver whatever is due at `now`, and tidy up.

    What fails is logged and left for the next time.
    """
    url = sender.settings.public_url
    manner = PublishOptions(public_url=url, journal=Journal(sender.settings.journal), gather=GATHER)
    await _attempt("publishing", publish_due(database, now, manner))
    await _attempt("alerts", raise_alerts(database, now, public_url=url))
    await _attempt("delivery", deliver_due(database, sender, now))
    await _attempt("tidying", clean_up(database, sender.settings.quarantine_days))


async def wake_to_release(database: Database, sender: Sender, now: datetime) -> None:
    """Release what is due at `now`, beside everything else: it may take minutes, which no alert must wait for."""
    await _attempt("releasing", _release_due(database, sender, now))


async def _release_due(database: Database, sender: Sender, now: datetime) -> None:
    if await is_anything_due(database, disclosure.derive(sender.root), now):
        await release_in_subprocess(sender.settings, now)


async def release_in_subprocess(settings: Settings, now: datetime) -> None:
    """Run `triage release` in a process of its own, so that requests are not held up; killed where this is cancelled.

    Raises Unreleased: the process has said why.
    """
    addresses = {
        "TRIAGE_DATABASE_URL": settings.database_url,
        "TRIAGE_OWNER_DATABASE_URL": settings.owner_database_url,
        "TRIAGE_KEYS_DATABASE_URL": settings.keys_database_url,
        "TRIAGE_DATA_DIR": str(settings.data_dir),
        "TRIAGE_ROOT_KEY_FILE": str(settings.root_key_file),
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "triage", "release", "--as-at", now.isoformat()),
        env=os.environ | {name: value for name, value in addresses.items() if value is not None},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,  # Ctrl-C stops the service, and the service stops this
    )
    try:
        printed, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    for line in printed.decode().splitlines():
        logger.info("release", said=line)
    if process.returncode:
        raise Unreleased([f"see above, exit code {process.returncode}"], [])


async def _attempt(name: str, work: Awaitable[object]) -> None:
    try:
        await work
    except Exception as error:
        logger.error("waking_failed", part=name, exc_info=error)


@asynccontextmanager
async def awake(database: Database, sender: Sender, every_s: float = EVERY_S) -> AsyncIterator[None]:
    """Wake up at once and then every few seconds for as long as the block lasts. Any number of replicas may."""

    async def work() -> None:
        await wake(database, sender, datetime.now(UTC))

    async def release() -> None:
        await wake_to_release(database, sender, datetime.now(UTC))

    async with repeating(work, every_s), repeating(release, every_s):
        yield


@asynccontextmanager
async def repeating(work: Callable[[], Awaitable[None]], every_s: float) -> AsyncIterator[None]:
    """Call `work` now and every few seconds, never twice at once; missed times count as one. Ends with the block."""
    running: set[asyncio.Task[None]] = set()

    async def once() -> None:
        task = asyncio.current_task()
        assert task
        running.add(task)
        try:
            await work()
        finally:
            running.discard(task)

    scheduler = AsyncIOScheduler(timezone=UTC)
    scheduler.add_job(
        once,
        IntervalTrigger(seconds=every_s, timezone=UTC),
        max_instances=1,
        coalesce=True,
        misfire_grace_time=None,
        next_run_time=datetime.now(UTC),
    )
    scheduler.start()
    try:
        yield
    finally:
        # a transaction cut off here is rolled back, and its work is done at the next waking, by whichever process
        scheduler.shutdown(wait=False)
        await asyncio.gather(*running, return_exceptions=True)

"""`triage jobs`: what is done beside requests, in a process of its own."""

import asyncio
import logging
from pathlib import Path

from triage import logs
from triage.commands.options import settings
from triage.commands.stopping import on_stop
from triage.jobs.schedule import owner_jobs, scheduled, service_jobs
from triage.settings import Settings
from triage.startup import open_service
from triage.store.logins import check_apart

logger = logging.getLogger(__name__)


def jobs(data_dir: Path | None) -> None:
    """The work of `triage jobs`."""
    chosen = settings(data_dir)
    logs.configure(chosen.log_level)
    asyncio.run(_run(chosen))


async def _run(chosen: Settings) -> None:
    stopped = asyncio.Event()
    on_stop(stopped.set)
    async with open_service(chosen) as service:
        await check_apart(service.settings)
        todo = (*service_jobs(service), *owner_jobs(service, service.owner_url))
        async with service.history.watching(), scheduled(todo, service.database, service.history):
            logger.info("jobs_running", extra={"jobs": [job.name for job in todo]})
            await stopped.wait()

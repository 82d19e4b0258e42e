"""Releases are cut in a process of their own, so that neither requests nor alerts wait for the minutes it may take."""

import asyncio
import logging
import os
import sys
from datetime import datetime

from triage.jobs.release import Unreleased, is_anything_due
from triage.settings import Settings
from triage.store.database import Database

logger = logging.getLogger(__name__)


async def release_if_due(database: Database, settings: Settings, now: datetime) -> None:
    """Start a process that releases what is due at `now`, where anything is. Raises Unreleased."""
    if await is_anything_due(database, now):
        await release_in_subprocess(settings, now)


async def release_in_subprocess(settings: Settings, now: datetime) -> None:
    """Run `triage release`; it is killed where this is cancelled. Raises Unreleased: the process has said why."""
    addresses = {
        "TRIAGE_DATABASE_URL": settings.database_url,
        "TRIAGE_OWNER_DATABASE_URL": settings.owner_database_url,
        "TRIAGE_KEYS_DATABASE_URL": settings.keys_database_url,
        "TRIAGE_DATA_DIR": str(settings.data_dir),
        "TRIAGE_ROOT_KEY_FILE": str(settings.root_key_file),
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "triage", "release", "--as-at", now.isoformat()),
        env=_environ({name: value for name, value in addresses.items() if value is not None}),
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
        logger.info("release", extra={"said": line})
    if process.returncode:
        raise Unreleased([f"see above, exit code {process.returncode}"], [])


def _environ(addresses: dict[str, str]) -> dict[str, str]:
    """This process's variables with the addresses it uses; the files that it had them from are not named again."""
    files = {f"{name}_FILE" for name in addresses}
    return {name: value for name, value in os.environ.items() if name not in files} | addresses

"""The service on two databases: its own, and the key store's."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest_asyncio
from crew import running
from installation import Installation

from triage.settings import DatabaseUrl


@pytest_asyncio.fixture
async def installation(
    template: str, clone: Callable[[str], AbstractAsyncContextManager[str]], tmp_path: Path
) -> AsyncIterator[Installation]:
    """A fresh one, for what changes more than a team."""
    async with clone(template) as url, clone(template) as keys_url:
        async with running(url, tmp_path, keys_database_url=DatabaseUrl(keys_url)) as process:
            yield Installation(process, await process.enrol_crew(), keys_url, tmp_path)

"""Phones for the tests: one browser and one address for all of them, a handset for each."""

import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest_asyncio
from support.phones import Crew, RunningService

if TYPE_CHECKING:
    from handset import Handset
    from playwright.async_api import Browser

IN_BROWSER = [
    "test_lock.py",
    "test_outbox.py",
    "test_recording.py",
    "test_releases.py",
    "test_screens.py",
    "test_team.py",
]
BROWSER_INSTALLED = find_spec("playwright") and shutil.which("chromium") and shutil.which("npm")
collect_ignore = [*([] if BROWSER_INSTALLED else IN_BROWSER), *([] if shutil.which("node") else ["test_scripts.py"])]

if BROWSER_INSTALLED:
    from handset import handset
    from support.chromium import launched, on_a_port


@pytest_asyncio.fixture(scope="session")
async def chromium() -> "AsyncIterator[Browser]":
    async with launched() as browser:
        yield browser


@pytest_asyncio.fixture(scope="session")
async def address(service: RunningService) -> AsyncIterator[str]:
    async with on_a_port(service) as url:
        yield url


@pytest_asyncio.fixture
async def phone(chromium: "Browser", address: str, crew: Crew) -> "AsyncIterator[Handset]":
    """A phone with nothing on it."""
    async with handset(chromium, address, crew) as opened:
        yield opened


@pytest_asyncio.fixture
async def phones(chromium: "Browser", address: str, crew: Crew) -> "AsyncIterator[Callable[..., Any]]":
    """Opens as many phones of one team as a test wants: `await phones("officer")` is an enrolled one."""
    async with AsyncExitStack() as stack:

        async def enrolled(who: str, **how: Any) -> "Handset":
            opened = await stack.enter_async_context(handset(chromium, address, crew, **how))
            await opened.enrol(who)
            return opened

        yield enrolled

"""A real Chromium, the service of this process on a port for it, and axe-core from npm."""

import asyncio
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvicorn
from playwright.async_api import Browser, Page, async_playwright

from support.phones import RunningService

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@asynccontextmanager
async def launched() -> AsyncIterator[Browser]:
    """A browser; each test opens a context of its own in it."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        await browser.close()


@asynccontextmanager
async def on_a_port(service: RunningService) -> AsyncIterator[str]:
    """The address of the service, listening in this process."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        app: Any = service.client._transport.app  # type: ignore[attr-defined]
        server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None, interface="asgi3"))
        serving = asyncio.create_task(server._serve([listener]))
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        await serving


def install_axe(directory: Path) -> str:
    """Install axe-core from npm into a directory; its source."""
    shutil.copy(Path(__file__).parents[1] / "browser" / "package.json", directory)
    options = ["--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"]
    subprocess.run(["npm", "install", *options], cwd=directory, check=True)
    return (directory / "node_modules/axe-core/axe.min.js").read_text()


@asynccontextmanager
async def opened(chromium: Browser, address: str, **how: Any) -> AsyncIterator[Page]:
    """A page in which nothing may go wrong and nothing be asked of anybody else."""
    context = await chromium.new_context(base_url=address, **how)
    page = await context.new_page()
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda request: None if request.url.startswith(address) else faults.append(request.url))
    yield page
    await context.close()
    assert faults == []


async def accessibility_faults(page: Page, axe: str) -> list[str]:
    """What axe-core finds wrong, run in a world of its own: the page's policy lets no script in."""
    session = await page.context.new_cdp_session(page)
    frame = (await session.send("Page.getFrameTree"))["frameTree"]["frame"]["id"]
    world = await session.send("Page.createIsolatedWorld", {"frameId": frame, "worldName": "axe"})
    context = {"contextId": world["executionContextId"]}
    await session.send("Runtime.evaluate", {"expression": axe, **context})
    run = f"axe.run(document, {{runOnly: {WCAG}}}).then(r => r.violations.map(v => v.id + ' ' + v.nodes[0].html))"
    answer = await session.send(
        "Runtime.evaluate", {"expression": run, "awaitPromise": True, "returnByValue": True, **context}
    )
    assert "exceptionDetails" not in answer, answer
    faults: list[str] = answer["result"]["value"]
    await session.detach()
    return faults


async def scrolls_sideways(page: Page) -> bool:
    """Whether the page scrolls sideways."""
    session = await page.context.new_cdp_session(page)
    metrics = await session.send("Page.getLayoutMetrics")
    await session.detach()
    return bool(metrics["cssContentSize"]["width"] > metrics["cssLayoutViewport"]["clientWidth"])

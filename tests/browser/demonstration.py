"""The demo, served by the command itself, and a browser in which somebody of it is signed in."""

import asyncio
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import msgspec
from playwright.async_api import Browser, Page
from support.chromium import opened, scrolls_sideways

from triage.times import operational_day

PICTURES = Path(__file__).parents[2] / "build" / "screens" / "pages"
WIDTHS = (360, 1280)
SCHEMES = ("light", "dark")
LEADS = ("sergeant", "clinical_lead")
FIRST_SCREEN = 800


class ServingDemo(NamedTuple):
    """A demo that serves, and what it wrote down of itself."""

    address: str
    tokens: dict[str, str]
    staff: dict[str, str]

    async def code(self, role: str) -> str:
        """A one-time code, from the own phone of the one who signs in."""
        async with httpx.AsyncClient(base_url=self.address) as client:
            headers = {"authorization": f"Bearer {self.tokens[role]}"}
            answer = await client.post("/v1/enrolments", json={"staff_id": self.staff[role]}, headers=headers)
        assert answer.status_code == 201, answer.text
        code: str = answer.json()["code"]
        return code

    async def get(self, role: str, path: str) -> httpx.Response:
        """What the API answers to somebody."""
        headers = {"authorization": f"Bearer {self.tokens[role]}"}
        async with httpx.AsyncClient(base_url=self.address, timeout=60) as client:
            return await client.get(path, headers=headers)

    async def periods(self, role: str, kind: str) -> list[str]:
        """The periods of a kind that are published, the newest first."""
        listed = (await self.get(role, f"/v1/summaries?kind={kind}")).json()["summaries"]
        return [row["period"] for row in listed]


@asynccontextmanager
async def serving_demo(months: int) -> AsyncIterator[ServingDemo]:
    """The demo with so many months, in a directory that the database's account can reach."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="triage-test-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        address, log = f"http://127.0.0.1:{port}", directory / "log"
        options = ("--port", str(port), "--data-dir", str(directory / "demo"), "--months", str(months))
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "triage", "demo", *options, stdout=output, stderr=output
            )
        try:
            await answering(process, log)
            said = msgspec.json.decode((directory / "demo" / "demo.json").read_bytes())
            demo = ServingDemo(address, said["tokens"], said["ids"]["staff"])
            await caught_up(demo)
            yield demo
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


async def answering(process: asyncio.subprocess.Process, log: Path) -> None:
    """Wait until the demo says that everything is there; fails when it ends before."""
    async with asyncio.timeout(500):
        while "Stop with Ctrl-C" not in log.read_text():
            assert process.returncode is None, log.read_text()
            await asyncio.sleep(0.5)


async def caught_up(demo: ServingDemo) -> None:
    """Wait until yesterday is published: the demo catches up with what is due while it serves, the oldest first."""
    yesterday = str(operational_day(datetime.now(UTC)) - timedelta(days=1))
    async with asyncio.timeout(500):
        while True:
            if yesterday in await demo.periods("sergeant", "daily"):
                return
            await asyncio.sleep(0.5)


@asynccontextmanager
async def signed_in(chromium: Browser, demo: ServingDemo, role: str = "sergeant", **how: Any) -> AsyncIterator[Page]:
    """A page on which a lead of the demo is signed in."""
    async with opened(chromium, demo.address, locale="en-GB", **how) as page:
        await page.goto("/review/sign-in")
        await page.get_by_label("One-time code").fill(await demo.code(role))
        await page.get_by_role("button", name="Sign in").click()
        await page.locator("#head").wait_for()
        yield page


def at(width: int, height: int = FIRST_SCREEN) -> dict[str, Any]:
    return {"viewport": {"width": width, "height": height}}


async def photograph(page: Page, name: str, scheme: str) -> None:
    """Leave a picture of the whole page for each width."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    for width in WIDTHS:
        await page.set_viewport_size({"width": width, "height": FIRST_SCREEN})
        await page.screenshot(path=PICTURES / f"{name}-{width}-{scheme}.png", full_page=True)
    await page.set_viewport_size({"width": WIDTHS[0], "height": FIRST_SCREEN})


async def smallest_text(page: Page) -> float:
    """The size of the smallest text that is shown, in pixels."""
    size: float = await page.evaluate(
        "Math.min(...[...document.querySelectorAll('text, p, td, th, a, li, span, dd, dt, label, button, caption')]"
        ".filter(e => e.textContent.trim() && e.getClientRects().length)"
        ".map(e => parseFloat(getComputedStyle(e).fontSize)))"
    )
    return size


async def fits(page: Page) -> bool:
    """Whether nothing has to be scrolled sideways to be read."""
    return not await scrolls_sideways(page)

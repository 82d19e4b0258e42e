"""The review pages over a month of the demo: how high, how few presses, how legible, on paper, light and dark.

Every page leaves a picture in `build/screens/pages`.
"""

import asyncio
import html
import re
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import msgspec
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page
from support.chromium import accessibility_faults, install_from_npm, opened, scrolls_sideways

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

PICTURES = Path(__file__).parents[2] / "build" / "screens" / "pages"
WIDTHS = (360, 1280)
SCHEMES = ("light", "dark")
LEADS = ("sergeant", "clinical_lead")
FORMS = ("end", "extend", "arrival", "outcome", "link", "follow-up", "person", "ask", "assign")
PX_OF_A4 = 1_600
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


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The source of axe-core."""
    packages = install_from_npm(Path(__file__).with_name("package.json"), tmp_path_factory.mktemp("axe"))
    return (packages / "axe-core/axe.min.js").read_text()


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    """A directory that the database's account can reach, which pytest's own cannot be when root runs the tests."""
    with tempfile.TemporaryDirectory(prefix="triage-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest_asyncio.fixture(scope="module")
async def demo(data_dir: Path) -> AsyncIterator[ServingDemo]:
    """The demo with one month, served by the command itself."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    address, log = f"http://127.0.0.1:{port}", data_dir / "log"
    options = ("--port", str(port), "--data-dir", str(data_dir / "demo"), "--months", "1")
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "triage", "demo", *options, stdout=output, stderr=output
        )
    try:
        await answering(process, address, log)
        said = msgspec.json.decode((data_dir / "demo" / "demo.json").read_bytes())
        yield ServingDemo(address, said["tokens"], said["ids"]["staff"])
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def answering(process: asyncio.subprocess.Process, address: str, log: Path) -> None:
    """Wait until the demo serves; fails when it ends before."""
    async with asyncio.timeout(300), httpx.AsyncClient() as client:
        while True:
            assert process.returncode is None, log.read_text()
            try:
                await client.get(f"{address}/health/live")
                return
            except httpx.TransportError:
                await asyncio.sleep(0.5)


@asynccontextmanager
async def signed_in(chromium: Browser, demo: ServingDemo, role: str = "sergeant", **how: Any) -> AsyncIterator[Page]:
    """A page on which a lead of the demo is signed in."""
    async with opened(chromium, demo.address, **how) as page:
        await page.goto("/review/sign-in")
        await page.get_by_label("One-time code").fill(await demo.code(role))
        await page.get_by_role("button", name="Sign in").click()
        await page.locator("#head").wait_for()
        yield page


def at(width: int, height: int = FIRST_SCREEN) -> dict[str, Any]:
    return {"viewport": {"width": width, "height": height}}


async def addresses(page: Page) -> dict[str, str]:
    """Every kind of page, by name."""
    await page.goto("/review")
    incident = await page.locator("ul.rows .what a").first.get_attribute("href")
    await page.goto("/review/reports")
    reports = await page.locator("ul.plain a").evaluate_all("links => links.map(a => a.getAttribute('href'))")
    first_of = {kind: next(r for r in reports if f"/{kind}/" in r) for kind in ("daily", "weekly", "monthly")}
    sections = {name: f"/review/{name}" for name in ("incidents", "reports", "queue", "team")}
    sections |= {"today": "/review", "incident": str(incident), **first_of}
    sections |= {"incidents-searched": "/review/incidents?area=bedford&power=s136"}
    sections |= {f"form-{what}": f"{incident}/{what}" for what in FORMS}
    return sections | {"compare": "/review/compare", "not-found": "/review/nothing"}


async def test_today_fits_two_screens_of_a_phone_and_what_presses_comes_first(
    chromium: Browser, demo: ServingDemo
) -> None:
    async with signed_in(chromium, demo, **at(360)) as page:
        height = await page.evaluate("document.documentElement.scrollHeight")
        tops = await page.locator("a.do").evaluate_all("links => links.map(a => a.getBoundingClientRect().bottom)")
        bars = await page.locator(".clockbar").evaluate_all("bars => bars.map(b => b.getBoundingClientRect().bottom)")
        content = await page.content()
    assert height <= PX_OF_A4, height
    assert tops[0] <= FIRST_SCREEN and max(bars) <= FIRST_SCREEN and len(bars) >= 3
    assert not re.search(r"(: 0\b|>0<| 0 )", re.sub(r"<svg.*?</svg>", "", content, flags=re.S))


async def test_the_first_action_is_ten_stops_of_the_tab_key_away(chromium: Browser, demo: ServingDemo) -> None:
    async with signed_in(chromium, demo, **at(360)) as page:
        await page.reload()
        for _ in range(10):
            await page.keyboard.press("Tab")
            if await page.locator("a.do:focus").count():
                break
        assert await page.locator("a.do:focus").count()


async def test_every_form_is_one_press_from_today_or_the_incident_and_sent_with_the_second(
    chromium: Browser, demo: ServingDemo
) -> None:
    async with signed_in(chromium, demo, **at(360)) as page:
        await page.locator("a.do").first.click()
        button = page.locator("main form button")
        assert await button.count() == 1
        await page.goto("/review")
        await page.locator("ul.rows .what a").first.click()
        linked = await page.locator("ul.does a").evaluate_all("links => links.map(a => a.getAttribute('href'))")
    offered = {str(link).rsplit("/", 1)[1] for link in linked}
    assert {"end", "extend", "ask", "assign", "follow-up", "link", "person"} <= offered


@pytest.mark.parametrize("width", [320, *WIDTHS])
async def test_no_text_is_too_small_and_no_page_too_wide(chromium: Browser, demo: ServingDemo, width: int) -> None:
    async with signed_in(chromium, demo, **at(width)) as page:
        for name, address in (await addresses(page)).items():
            if name != "not-found":
                await page.goto(address)
                sizes = await page.evaluate(
                    "[...document.querySelectorAll('text, p, td, th, a, li, span, dd, dt, label, button')]"
                    ".filter(e => e.textContent.trim() && e.getClientRects().length)"
                    ".map(e => parseFloat(getComputedStyle(e).fontSize))"
                )
                assert (name, await scrolls_sideways(page), min(sizes) >= 12) == (name, False, True), min(sizes)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("role", LEADS)
async def test_every_page_is_accessible_in_light_and_dark(
    chromium: Browser, demo: ServingDemo, axe: str, role: str, scheme: Any
) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    async with signed_in(chromium, demo, role, **at(360), color_scheme=scheme) as page:
        links = await addresses(page)
        del links["not-found"]  # the console tells of a 404, which `opened` takes for a fault
        for name, address in links.items():
            await page.goto(address)
            assert (name, await accessibility_faults(page, axe)) == (name, [])
            for width in WIDTHS:
                await page.set_viewport_size({"width": width, "height": FIRST_SCREEN})
                await page.screenshot(path=PICTURES / f"{role}-{name}-{width}-{scheme}.png", full_page=True)
            await page.set_viewport_size({"width": 360, "height": FIRST_SCREEN})


@pytest.mark.parametrize(("kind", "pages"), [("daily", (1,)), ("weekly", (1,)), ("monthly", range(3, 9))])
async def test_a_day_and_a_week_print_on_one_sheet(chromium: Browser, demo: ServingDemo, kind: str, pages: Any) -> None:
    async with signed_in(chromium, demo, **at(1280)) as page:
        await page.goto((await addresses(page))[kind])
        printed = await page.pdf(format="A4", prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) in pages


async def test_everything_works_without_script_and_is_undone_where_it_was_made(
    chromium: Browser, demo: ServingDemo
) -> None:
    async with signed_in(chromium, demo, **at(360), java_script_enabled=False) as page:
        await page.get_by_text("Housekeeping").click()
        await page.locator("details[open] a").first.click()
        await page.get_by_role("heading", level=1, name="Incidents").wait_for()
        await page.get_by_role("navigation").get_by_role("link", name="Today").click()
        detained = await page.locator("#clocks").inner_text()
        await page.locator("a.do").first.click()
        await page.get_by_label("It ended").check()
        await page.get_by_label("Time").fill("12:00")
        await page.locator("main form button").click()
        await page.get_by_role("status").get_by_text("The end is recorded.").wait_for()
        await page.get_by_role("link", name="Undo").click()
        await page.get_by_label("Entered in error").check()
        await page.get_by_role("button", name="Withdraw it").click()
        await page.get_by_role("navigation").get_by_role("link", name="Today").click()
        assert await page.locator("#clocks").inner_text() == detained


@pytest.mark.parametrize("role", LEADS)
async def test_every_figure_that_leads_to_its_incidents_is_their_number(
    chromium: Browser, demo: ServingDemo, role: str
) -> None:
    async with signed_in(chromium, demo, role, **at(1280)) as page:
        reached = await addresses(page)
        for kind in ("daily", "weekly", "monthly"):
            await page.goto(reached[kind])
            content = await page.content()
            links = re.findall(r'<a href="([^"]+/incidents\?edition[^"]+)">([^<]+)</a>', content)
            assert links
            for link, figure in links:
                await page.goto(html.unescape(link))
                said = await page.get_by_role("status").inner_text()
                assert (link, said.split(" ")[0]) == (link, figure.split(" ")[0])
            hidden = ("conversion", "admitted", "extension_rate") if role == "sergeant" else ()
            assert not any(f"line={code}" in content for code in hidden)

"""The review pages in a real Chromium: accessible by axe-core, by keyboard alone, 360 px wide, without script."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio
from browsing import code_for
from playwright.async_api import Browser, Page
from support.chromium import accessibility_faults, opened, scrolls_sideways
from support.phones import DAY, HOUR, Crew, RunningService, entry, now
from uuid_utils.compat import uuid7

from triage.jobs.publish import publish
from triage.store.summaries import calendars
from triage.summaries.schedule import slot
from triage.times import due_at, operational_day, period_of

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

PAGES = [
    "/review",
    "/review/incidents",
    "/review/reports",
    "/review/day",
    "/review/compare?first=2026-09&second=2026-10",
    "/review/queue",
    "/review/team",
]


PHONE = {"width": 360, "height": 740}
DESKTOP = {"width": 1280, "height": 900}


@pytest_asyncio.fixture
async def busy(crew: Crew, service: RunningService) -> Crew:
    """A team with something on every page."""
    held, arrived = uuid7(), now() - 2 * HOUR
    await crew.officer.tell("officer", held, occurred_at=arrived - HOUR, area="bedford", age=15, legal_status="s136")
    await crew.officer.tell("outcome", held, disposal="s136_removed", decided_at=arrived, decided_by="officer")
    await crew.officer.tell("detention", held, event="arrived_site", at=arrived, place_of_safety="police_station")
    await crew.officer.tell("officer", uuid7(), log_ref="BP-77", area="bedford", sex="male", note="nobody here")
    differing = uuid7()
    await crew.nurse.tell("nurse", differing, log_ref="BP-77", area="bedford", sex="male")
    await crew.officer.tell("officer", differing, occurred_at=now() - 5 * HOUR, area="luton_west", sex="female")
    for phone in (crew.officer, crew.nurse):
        kind = "officer" if phone is crew.officer else "nurse"
        body = entry(kind, uuid7(), area="luton_north", occurred_at=now() - 4 * DAY)
        await phone.store(body)
        assert (await phone.put(body | {"sex": "male"})).status_code == 409
    database = service.service.database
    team = await calendars.team(database, crew.team_id)
    yesterday = operational_day(now()) - DAY
    periods = (period_of("daily", yesterday), period_of("weekly", yesterday - 7 * DAY))
    for period in periods:
        at = due_at(period.starts, now().time())
        await crew.officer.tell("officer", uuid7(), occurred_at=at, captured_at=at, area="luton_south")
        assert await publish(database, team, slot(period, team.calendar), now())
    return crew


async def sign_in(page: Page, crew: Crew, role: str = "sergeant") -> None:
    await page.goto("/review/sign-in")
    await page.get_by_label("One-time code").fill(await code_for(getattr(crew, role), crew.team_id))
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_text("As at").first.wait_for()


async def test_axe_finds_what_is_wrong(chromium: Browser, axe: str) -> None:
    context = await chromium.new_context()
    page = await context.new_page()
    await page.set_content("<html><body><img src='data:,'><input></body></html>")
    faults = " ".join(await accessibility_faults(page, axe))
    assert "image-alt" in faults and "label" in faults and "html-has-lang" in faults
    await context.close()


@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["360", "1280"])
@pytest.mark.parametrize("role", ["sergeant", "clinical_lead"])
async def test_every_page_is_accessible_and_fits(
    chromium: Browser, address: str, axe: str, busy: Crew, viewport: Any, role: str
) -> None:
    async with opened(chromium, address, viewport=viewport) as page:
        await page.goto("/review/sign-in")
        assert (await accessibility_faults(page, axe), await scrolls_sideways(page)) == ([], False)
        await sign_in(page, busy, role)
        for path in PAGES:
            await page.goto(path)
            assert (path, await accessibility_faults(page, axe), await scrolls_sideways(page)) == (path, [], False)
        await page.goto("/review")
        await page.locator("ul.rows a").first.click()
        await page.get_by_text("Full history").wait_for()
        assert (await accessibility_faults(page, axe), await scrolls_sideways(page)) == ([], False)


async def test_a_wrong_code_is_explained(chromium: Browser, address: str, axe: str) -> None:
    async with chromium_page_with_one_refusal(chromium, address) as page:
        await page.goto("/review/sign-in")
        await page.get_by_label("One-time code").fill("7777-8888-9999")
        await page.get_by_role("button", name="Sign in").click()
        await page.get_by_role("alert").get_by_text("The code is wrong, was used, or has expired").wait_for()
        assert await accessibility_faults(page, axe) == []
        await page.get_by_role("alert").get_by_role("link").click()
        assert "#code" in page.url


@asynccontextmanager
async def chromium_page_with_one_refusal(chromium: Browser, address: str) -> AsyncIterator[Page]:
    """A page whose console may tell of an answer that is no success."""
    context = await chromium.new_context(base_url=address)
    yield await context.new_page()
    await context.close()


async def tab_to(page: Page, role: Any, name: str) -> None:
    """Press Tab until this has the focus."""
    wanted = page.get_by_role(role, name=name).first
    await wanted.wait_for()
    for _ in range(200):
        await page.keyboard.press("Tab")
        if await page.locator("*:focus").count() and await page.locator("*:focus").and_(wanted).count():
            return
    raise AssertionError(f"{name} cannot be reached by keyboard")


async def test_by_keyboard_alone_from_sign_in_to_a_link_and_out(chromium: Browser, address: str, busy: Crew) -> None:
    async with opened(chromium, address, viewport=PHONE) as page:
        await page.goto("/review/sign-in")
        await tab_to(page, "textbox", "One-time code")
        await page.keyboard.type(await code_for(busy.sergeant, busy.team_id))
        await page.keyboard.press("Enter")
        await page.get_by_text("As at").first.wait_for()
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")  # the first stop skips to the content
        assert page.url.endswith("#main")
        await page.goto("/review")
        await tab_to(page, "link", "Queue")
        await page.keyboard.press("Enter")
        await tab_to(page, "link", "They are one")
        await page.keyboard.press("Enter")
        await tab_to(page, "radio", "Same log and same person")
        await page.keyboard.press("Space")
        await tab_to(page, "button", "Say they are one")
        await page.keyboard.press("Enter")
        await page.get_by_role("status").get_by_text("Linked: they are one incident now.").wait_for()
        await page.goto("/review")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await tab_to(page, "button", "Sign out")
        await page.keyboard.press("Enter")
        await page.get_by_text("You are signed out.").wait_for()
    rows = await busy.fetch("SELECT author FROM entry WHERE team_id = $1 AND kind = 'same_incident'")
    assert [row["author"] for row in rows] == [busy.sergeant.staff_id]


async def test_without_script_the_queue_is_worked_off(chromium: Browser, address: str, busy: Crew) -> None:
    async with opened(chromium, address, viewport=PHONE, java_script_enabled=False) as page:
        await sign_in(page, busy, "clinical_lead")
        await page.get_by_role("link", name="Queue", exact=True).click()
        await page.get_by_role("link", name="Keep apart").first.click()
        await page.get_by_label("Two people").check()
        await page.get_by_role("button", name="Keep them apart").click()
        await page.get_by_role("status").get_by_text("Kept apart").wait_for()
        await page.get_by_role("button", name="Release into the log").click()
        await page.get_by_role("status").get_by_text("Released into the log.").wait_for()
        assert await page.get_by_text("In quarantine").count() == 0
        await page.locator("details.account summary").click()
        await page.get_by_role("button", name="Sign out").click()
        await page.get_by_text("You are signed out.").wait_for()


async def test_a_link_in_a_mail_leads_to_its_page_signed_in_or_not(chromium: Browser, address: str, busy: Crew) -> None:
    yesterday = operational_day(now()) - DAY
    mail = f'<a href="{address}/review/summaries/daily/{yesterday}?edition=1">Read it</a>'
    async with opened(chromium, address) as page:
        await page.set_content(mail)
        await page.get_by_role("link", name="Read it").click()
        await page.get_by_label("One-time code").fill(await code_for(busy.sergeant, busy.team_id))
        await page.get_by_role("button", name="Sign in").click()
        await page.get_by_role("heading", level=1, name=f"{yesterday:%A}").wait_for()
        await page.goto("about:blank")  # another site: the cookie, which is Strict, does not come with the click
        await page.set_content(mail)
        await page.get_by_role("link", name="Read it").click()
        await page.get_by_role("heading", level=1, name=f"{yesterday:%A}").wait_for()


async def test_discarding_takes_two_steps(chromium: Browser, address: str, busy: Crew) -> None:
    async with opened(chromium, address) as page:
        await sign_in(page, busy)
        await page.goto("/review/queue")
        button = page.get_by_role("button", name="Discard for good")
        assert not await button.is_visible()
        await page.get_by_text("Discard it for good").first.click()
        await button.click()
        await page.get_by_role("status").get_by_text("Discarded for good.").wait_for()


async def test_every_page_is_found_from_today(chromium: Browser, address: str, busy: Crew) -> None:
    async with opened(chromium, address, viewport=DESKTOP) as page:
        await sign_in(page, busy)
        for name in ("Incidents", "Reports", "Queue"):
            await page.get_by_role("navigation").get_by_role("link", name=name, exact=True).click()
            await page.get_by_role("heading", level=1, name=name).wait_for()
        await page.locator("details.account summary").click()
        await page.get_by_role("link", name="People and devices").click()
        await page.get_by_role("heading", level=1, name="People and devices").wait_for()

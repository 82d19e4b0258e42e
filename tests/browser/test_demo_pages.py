"""The review pages over a month of the demo: how high, how few presses, how legible, on paper, light and dark.

Every page leaves a picture in `build/screens/pages`.
"""

import html
import re
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from demonstration import (
    FIRST_SCREEN,
    LEADS,
    SCHEMES,
    WIDTHS,
    ServingDemo,
    at,
    fits,
    photograph,
    serving_demo,
    signed_in,
    smallest_text,
)
from playwright.async_api import Browser, Page
from support.chromium import accessibility_faults

from triage.times import LONDON

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

FORMS = ("end", "extend", "arrival", "outcome", "link", "follow-up", "person", "ask", "assign")
TWO_SCREENS = 1_600
MOST_CLOCKS = 5
"""As many detentions run at once in a demo made at nearly any hour; a sixth is on the second screen."""


@pytest_asyncio.fixture(scope="module")
async def demo() -> AsyncIterator[ServingDemo]:
    async with serving_demo(months=1) as serving:
        yield serving


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
    sections |= await linked_from(page, sections["daily"], behind="/incidents?edition")
    sections |= await linked_from(page, sections["incident"], withdraw="/withdraw?entry=", amend="/amend?entry=")
    sections |= await linked_from(page, sections["queue"], pair="/link?other=", apart="/apart?other=")
    sections |= {"locked": "/review/locked?to=/review/reports", "sign-in": "/review/sign-in"}
    return sections | {"compare": "/review/compare", "not-found": "/review/nothing"}


async def linked_from(page: Page, address: str, **wanted: str) -> dict[str, str]:
    """The first link of a page whose address has each of these parts, by the name given to it."""
    await page.goto(address)
    links = await page.locator("main a").evaluate_all("links => links.map(a => a.getAttribute('href'))")
    return {name: next(link for link in links if part in link) for name, part in wanted.items()}


@pytest.mark.parametrize("role", LEADS)
async def test_today_fits_two_screens_of_a_phone_and_what_presses_comes_first(
    chromium: Browser, demo: ServingDemo, role: str
) -> None:
    async with signed_in(chromium, demo, role, **at(360)) as page:
        height = await page.evaluate("document.documentElement.scrollHeight")
        tops = await page.locator("a.do").evaluate_all("links => links.map(a => a.getBoundingClientRect().bottom)")
        bars = await page.locator(".clockbar").evaluate_all("bars => bars.map(b => b.getBoundingClientRect().bottom)")
        content = await page.content()
    assert height <= TWO_SCREENS, height
    assert tops[0] <= FIRST_SCREEN and max(bars[:MOST_CLOCKS]) <= FIRST_SCREEN * 0.95 and len(bars) >= 3
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
                assert (name, await fits(page), await smallest_text(page) >= 12) == (name, True, True)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("role", LEADS)
async def test_every_page_is_accessible_in_light_and_dark(
    chromium: Browser, demo: ServingDemo, axe: str, role: str, scheme: Any
) -> None:
    async with signed_in(chromium, demo, role, **at(360), color_scheme=scheme) as page:
        pages = await addresses(page)
        del pages["not-found"]  # the console tells of a 404, which `opened` takes for a fault
        for name, address in pages.items():
            await page.goto(address)
            assert (name, await accessibility_faults(page, axe)) == (name, [])
            await photograph(page, f"{role}-{name}", scheme)


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_what_a_press_leads_to_is_accessible_too(
    chromium: Browser, demo: ServingDemo, axe: str, scheme: Any
) -> None:
    """A code refused, a form with faults, a form that has gone stale, a code for a phone: refusals first."""
    how = {"color_scheme": scheme, "locale": "en-GB", "base_url": demo.address}
    context = await chromium.new_context(**at(360), **how)
    page = await context.new_page()

    async def check(name: str) -> None:
        assert (name, await accessibility_faults(page, axe), await fits(page)) == (name, [], True)
        await photograph(page, f"after-{name}", scheme)

    await page.goto("/review/sign-in")
    await page.get_by_label("One-time code").fill("AAAA-BBBB-CCCC")
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_role("alert").wait_for()
    await check("code-refused")
    await page.get_by_label("One-time code").fill(await demo.code("sergeant"))
    await page.get_by_role("button", name="Sign in").click()
    await page.locator("a.do").first.click()
    address = page.url
    await page.locator("main form button").click()
    await page.get_by_role("alert").wait_for()
    await check("faults")
    await page.goto("/review/nothing")
    await check("not-found")
    await page.goto("/review/team")
    await page.get_by_role("button", name="Make a code for").first.click()
    await page.locator(".code").wait_for()
    await check("code-made")
    await page.goto(address)
    await context.clear_cookies()
    await page.locator("main form button").click()
    await page.get_by_text("Nothing was stored.").wait_for()
    await check("session-ended")
    await context.close()


@pytest.mark.parametrize(
    ("kind", "pages"),
    [("today", (1, 2)), ("incident", (1, 2)), ("daily", (1,)), ("weekly", (1,)), ("monthly", range(3, 9))],
)
async def test_a_day_and_a_week_print_on_one_sheet_and_others_on_few(
    chromium: Browser, demo: ServingDemo, kind: str, pages: Any
) -> None:
    async with signed_in(chromium, demo, **at(1280)) as page:
        await page.goto((await addresses(page))[kind])
        printed = await page.pdf(format="A4", prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) in pages


async def test_every_page_is_whole_without_script(chromium: Browser, demo: ServingDemo) -> None:
    async with signed_in(chromium, demo, **at(360), java_script_enabled=False) as page:
        for name, address in (await addresses(page)).items():
            if name != "not-found":
                answer = await page.goto(address)
                assert answer and (name, answer.status) == (name, 200)
                assert (name, await page.locator("main h1").count(), await page.locator("script").count()) == (
                    name,
                    1,
                    0,
                )


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
        ended = datetime.now(LONDON) - timedelta(hours=1)
        await page.get_by_label("Day", exact=True).fill(f"{ended:%Y-%m-%d}")
        await page.get_by_label("Time", exact=True).fill(f"{ended:%H:%M}")
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

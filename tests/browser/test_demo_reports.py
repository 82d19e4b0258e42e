"""Reports over fifteen months of the demo, with a change of model in the middle: on a phone, on a desk and on paper."""

import html
import io
import re
import unicodedata
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pdfua
import pytest
import pytest_asyncio
from demonstration import (
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
from pypdf import PageObject, PdfReader
from support.chromium import accessibility_faults, opened

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

SHEETS = {"daily": (1,), "weekly": (1,), "monthly": range(3, 9), "quarterly": range(4, 9), "yearly": range(4, 9)}
LAST_SHEET = 300
"""Fewer characters than this, and a sheet is nearly empty."""


@pytest_asyncio.fixture(scope="module")
async def demo() -> AsyncIterator[ServingDemo]:
    async with serving_demo(months=15) as serving:
        yield serving


async def latest(page: Page) -> dict[str, str]:
    """The newest report of each kind, and a comparison of the half-years around the change of model."""
    await page.goto("/review/reports")
    listed = await page.locator("ul.plain a").evaluate_all("links => links.map(a => a.getAttribute('href'))")
    reports = {kind: next(path for path in listed if f"/{kind}/" in path) for kind in SHEETS}
    months = sorted(path.rsplit("/", 1)[1] for path in listed if "/monthly/" in path)
    spans = f"first={months[-12]}..{months[-7]}&second={months[-6]}..{months[-1]}"
    return reports | {"comparison": f"/review/compare?{spans}"}


def words_of(sheet: PageObject) -> str:
    """The text of a printed sheet, its ligatures taken apart."""
    return re.sub(r"\s+", " ", unicodedata.normalize("NFKC", sheet.extract_text()))


@pytest.mark.parametrize("role", LEADS)
async def test_today_fits_two_screens_of_a_phone_after_fifteen_months_too(
    chromium: Browser, demo: ServingDemo, role: str
) -> None:
    async with signed_in(chromium, demo, role, **at(360)) as page:
        height = await page.evaluate("document.documentElement.scrollHeight")
    assert height <= 1_600, height


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_every_report_is_accessible_and_legible_at_any_width(
    chromium: Browser, demo: ServingDemo, axe: str, scheme: Any
) -> None:
    async with signed_in(chromium, demo, **at(360), color_scheme=scheme) as page:
        for kind, address in (await latest(page)).items():
            await page.goto(address)
            assert (kind, await accessibility_faults(page, axe)) == (kind, [])
            for width in (320, *WIDTHS):
                await page.set_viewport_size({"width": width, "height": 800})
                assert (kind, width, await fits(page), await smallest_text(page) >= 12) == (kind, width, True, True)
            await photograph(page, f"fifteen-months-{kind}", scheme)


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_the_protected_page_is_as_legible_and_leads_nowhere(
    chromium: Browser, demo: ServingDemo, axe: str, scheme: Any
) -> None:
    [newest, *_] = await demo.periods("partner", "yearly")
    bearer = {"authorization": f"Bearer {demo.tokens['partner']}"}
    async with opened(
        chromium, demo.address, locale="en-GB", color_scheme=scheme, extra_http_headers=bearer, **at(360)
    ) as page:
        await page.goto(f"/v1/summaries/yearly/{newest}?format=html")
        assert await accessibility_faults(page, axe) == []
        for width in (320, *WIDTHS):
            await page.set_viewport_size({"width": width, "height": 800})
            assert (await fits(page), await smallest_text(page) >= 12) == (True, True)
        links = await page.locator("main a").evaluate_all("links => links.map(a => a.getAttribute('href'))")
        assert links == ["#how"]
        await photograph(page, "fifteen-months-protected", scheme)
        printed = PdfReader(io.BytesIO(await page.pdf(format="A4", prefer_css_page_size=True)))
    words = " ".join(map(words_of, printed.pages))
    assert "Protected figures" in words and "scrutiny only" not in words


@pytest.mark.parametrize("kind", SHEETS)
async def test_each_prints_on_as_many_sheets_as_it_may_the_first_with_five_numbers_and_two_charts(
    chromium: Browser, demo: ServingDemo, kind: str
) -> None:
    async with signed_in(chromium, demo, **at(1280)) as page:
        await page.goto((await latest(page))[kind])
        sheets = PdfReader(io.BytesIO(await page.pdf(format="A4", prefer_css_page_size=True))).pages
    assert len(sheets) in SHEETS[kind]
    if kind in ("monthly", "quarterly", "yearly"):
        await say_what_a_board_asks_first(list(map(words_of, sheets)))


@pytest.mark.parametrize("kind", ["monthly", "quarterly", "yearly"])
async def test_the_pdf_of_an_edition_is_as_long_and_the_same_bytes_twice(
    demo: ServingDemo, kind: str, tmp_path: Path
) -> None:
    [newest, *_] = await demo.periods("sergeant", kind)
    address = f"/v1/summaries/{kind}/{newest}?format=pdf"
    first, again = [(await demo.get("sergeant", address)).content for _ in range(2)]
    assert first == again
    sheets = PdfReader(io.BytesIO(first)).pages
    assert len(sheets) in SHEETS[kind]
    await say_what_a_board_asks_first(list(map(words_of, sheets)))
    file = tmp_path / "report.pdf"
    file.write_bytes(first)
    assert [finding for outcome in pdfua.validate(str(file)).outcomes for finding in outcome.findings] == []


async def say_what_a_board_asks_first(sheets: list[str]) -> None:
    """Five numbers with how sure they are and two charts on the first sheet, changes last, no sheet nearly empty."""
    first, last = sheets[0], sheets[-1]
    assert "in five numbers" in first and first.count("How sure:") == 5
    assert "Incidents attended, by month" in first and "Section 136 used, by month" in first
    assert "What this report cannot show" in first
    assert last.index("About this edition") > last.find("How it is counted")
    assert all(len(sheet) > LAST_SHEET for sheet in sheets), [len(sheet) for sheet in sheets]


async def test_limits_stand_where_there_are_enough_months_and_nowhere_else(
    chromium: Browser, demo: ServingDemo
) -> None:
    async with signed_in(chromium, demo, **at(1280)) as page:
        await page.goto((await latest(page))["monthly"])
        charts = page.locator("figure")
        said = await charts.locator("figcaption span").all_inner_texts()
        limited = [await charts.nth(n).locator(".band").count() > 0 for n in range(await charts.count())]
    assert len(said) == 8 and any(limited) and not all(limited)
    assert [("usual range (" in text or "worth asking" in text) for text in said] == limited
    assert all("No usual range is drawn" in text for text, has in zip(said, limited, strict=True) if not has)


async def test_a_comparison_says_what_it_cannot_show_before_its_six_numbers_with_intervals(
    chromium: Browser, demo: ServingDemo
) -> None:
    async with signed_in(chromium, demo, **at(1280)) as page:
        await page.goto((await latest(page))["comparison"])
        said = await page.locator("main").inner_text()
        numbers = await page.locator("ul.five > li").all_inner_texts()
    assert said.index("cannot show why") < said.index("Headlines")
    assert len(numbers) == 6 and all("95 % interval" in number and "“No change” lies" in number for number in numbers)


@pytest.mark.parametrize("role", LEADS)
async def test_the_numbers_of_the_first_page_lead_to_as_many_incidents(
    chromium: Browser, demo: ServingDemo, role: str
) -> None:
    async with signed_in(chromium, demo, role, **at(1280)) as page:
        await page.goto((await latest(page))["quarterly"])
        content = await page.locator(".five, .tiles").evaluate_all("parts => parts.map(p => p.innerHTML).join('')")
        links = re.findall(r'<a href="([^"]+/incidents\?edition[^"]+)">([\d,]+)</a>', content)
        assert len(links) > 8
        for link, figure in links:
            await page.goto(html.unescape(link))
            said = await page.get_by_role("status").inner_text()
            assert (link, said.split(" ")[0]) == (link, figure.replace(",", ""))

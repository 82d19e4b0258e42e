"""Every screen, in both themes: accessible, wide enough to hit, never sideways; and a picture of each to look at."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser
from support.chromium import accessibility_faults, scrolls_sideways
from support.handset import CAMERA_THAT_SEES, Handset, code_for, handset
from support.phones import HOUR, Crew, now
from uuid_utils.compat import uuid7

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

PICTURES = Path(__file__).parents[2] / "build" / "screens" / "phone"
SMALL_TARGETS = """[...document.querySelectorAll('button, summary, label.option, textarea, input')]
  .filter((element) => element.checkVisibility() && !['radio', 'checkbox'].includes(element.type))
  .map((element) => [element, element.getBoundingClientRect()])
  .filter(([element, box]) => box.width < 48 || Math.round(box.height) < (element.closest('.typed') ? 44 : 48))
  .map(([element]) => element.outerHTML.slice(0, 80))"""
CLIPPED = """[...document.querySelectorAll('button, .option, .row, h1, dt, dd')]
  .filter((element) => element.scrollWidth > element.clientWidth + 4).map((element) => element.textContent)"""
BROKEN_WORDS = """[...document.querySelectorAll('button, .option span, .row *, h1, legend, dt, summary')]
  .flatMap((element) => [...element.childNodes]).filter((node) => node.nodeType === Node.TEXT_NODE)
  .flatMap((node) => [...node.data.matchAll(/[\\p{L}\\d]+/gu)].filter(({0: word, index}) => {
    const range = document.createRange();
    range.setStart(node, index);
    range.setEnd(node, index + word.length);
    return new Set([...range.getClientRects()].map(({top}) => Math.round(top))).size > 1;
  }).map(([word]) => word))"""


async def busy_team(crew: Crew) -> str:
    """Incidents with clocks of every kind; the id of one at a police station."""
    station = uuid7()
    for hours, area, arrived in (
        (27, "bedford", True),
        (21, "luton_west", True),
        (3, "luton_airport", True),
        (2, "luton_town_centre", False),
    ):
        incident = station if area == "luton_west" else uuid7()
        at = now() - hours * HOUR
        await crew.officer.tell(
            "officer", incident, occurred_at=at - HOUR, area=area, age_band="18_34", sex="female",
            location_type="street_or_park", log_ref=f"BP-{hours}",
            ethnicity="W1", contact_mode="attended", referral_source="police_999", presenting=["suicidal_intent"],
            legal_status="s136", immediate_danger="yes",
        )  # fmt: skip
        await crew.officer.tell(
            "outcome", incident, disposal="s136_removed", decided_at=at - HOUR, decided_by="officer"
        )
        if arrived:
            place = "police_station" if incident == station else "health_based"
            await crew.officer.tell("detention", incident, event="arrived_site", at=at, place_of_safety=place)
    await crew.officer.tell("officer", uuid7(), occurred_at=now() - 30 * HOUR, area="luton_north", sex="male", age=41)
    return str(station)


Look = Callable[[str], Awaitable[None]]


async def walk_as_officer(phone: Handset, look: Look, station: str) -> None:
    crew, page = phone.crew, phone.page
    await look("enrol")
    await page.get_by_label("Code").fill(await code_for(crew, "officer"))
    await phone.tap("Sign in")
    await phone.heading("Choose a PIN")
    await phone.type_pin()
    await phone.heading("The same PIN again")
    await look("pin")
    await phone.type_pin()
    await phone.heading("officer")
    await phone.settled()
    await page.get_by_role("button", name="Bedford").wait_for()
    await look("home")
    await phone.tap("New incident")
    await look("intent")
    await phone.tap("Another officer’s")
    await phone.heading("What did the other officer mean to do?")
    await phone.tap("Section 136: Probably")
    await phone.heading("The three tests")
    await look("tests")
    await phone.tap("All three met")
    await phone.heading("Whose was it?")
    await look("referrer")
    await phone.tap("Later")
    await phone.heading("Record of contact")
    await look("contact")
    await phone.fill({"area": "bedford", "location_type": "street_or_park", "contact_mode": "attended"})
    await look("contact-begun")
    await page.locator("summary").tap()
    await page.locator("#q-log_ref").scroll_into_view_if_needed()
    await look("contact-more")
    await phone.tap("Later")
    await phone.heading("officer")
    await look("home-with-draft")
    await page.locator(f'[data-id="{station}"]').tap()
    await phone.heading("Luton: west")
    await look("incident")
    for button, heading in (
        ("Outcome", "Outcome"),
        ("Detention", "Detention"),
        ("Follow-up", "Follow-up"),
        ("Police reference", "Police reference"),
    ):
        await phone.tap(button)
        await phone.heading(heading)
        await look(heading.lower().replace(" ", "-"))
        await page.go_back()
        await phone.heading("officer")
        await page.locator(f'[data-id="{station}"]').tap()
        await phone.heading("Luton: west")
    await phone.tap("Share with the car")
    await look("share")
    await page.go_back()
    await phone.heading("officer")
    await phone.tap("Join the car")
    await phone.heading("Join the car")
    await look("join")
    await phone.tap("Back")
    await phone.tap("Stood down")
    await phone.heading("Stood down")
    await look("stood-down")
    await phone.tap("Later")
    await page.locator("#status").get_by_role("button").first.tap()
    await phone.heading("Sent and unsent")
    await look("sent-and-unsent")
    await page.get_by_role("button", name="What I would do").tap()
    await phone.heading("What I would do")
    await look("entry")
    await phone.tap("Withdraw this")
    await look("withdraw")
    await phone.tap("Back")
    await phone.tap("Correct this")
    await look("correct-intent")
    await phone.page.go_back()
    await phone.heading("officer")
    await phone.tap("About this phone")
    await phone.heading("About this phone")
    await look("about")
    await phone.tap("Empty this phone", exact=False)
    await phone.heading("Empty this phone?")
    await look("empty")
    await phone.tap("No, keep it")
    await phone.tap("Lock")
    await page.locator(".keypad").wait_for()
    await look("lock")
    await phone.tap("Somebody else")
    await phone.heading("Who are you?")
    await look("people")


async def walk_as_nurse(phone: Handset, look: Look, station: str) -> None:
    await phone.enrol("nurse")
    await phone.page.locator(f'[data-id="{station}"]').tap()
    await phone.heading("Luton: west")
    await look("nurse-incident")
    await phone.tap("My record")
    await phone.heading("Record of contact")
    await look("nurse-contact")
    await phone.fill({"s136_justified": "yes", "told_intent": "false", "assessment": "face_to_face"})
    await look("nurse-contact-begun")


async def walk_where_something_is_the_matter(phone: Handset, look: Look, station: str) -> None:
    await phone.enrol("officer")
    await phone.record("follow_up", event="kept", at="1999-01-01T00:00:00+00:00")
    entry = await phone.record("officer", area="bedford", note="Call me on 07700 900123")
    await phone.sync()
    await look("home-with-refused")
    await phone.page.locator("#status").get_by_role("button").first.tap()
    await phone.page.locator(".row.bad").tap()
    await phone.heading("Follow-up")
    await look("refused")
    await phone.tap("Put right")
    await phone.heading("Put right: follow-up")
    await look("put-right")
    await phone.page.go_back()
    await phone.at_home()
    await phone.page.locator(f'[data-id="{entry["incident_id"]}"]').tap()
    await phone.page.locator(".row.entry").tap()
    await phone.heading("Record of contact")
    await look("entry-with-a-note-for-its-author")
    await phone.tap("Correct this")
    await phone.heading("Correct: record of contact")
    await look("correct")
    await phone.page.go_back()
    await phone.at_home()
    await phone.run(CAMERA_THAT_SEES, [])
    await phone.tap("Join the car")
    await phone.heading("Join the car")
    await look("join-with-a-camera")
    await phone.tap("Scan their picture")
    await phone.heading("Point at the picture")
    await look("scan")
    await phone.tap("Back")
    await phone.heading("Join the car")
    await show(phone, "passkey", "{profile: {name: 'officer'}}")
    await look("passkey")
    await show(phone, "wiped", "''")
    await look("wiped")
    await phone.page.add_init_script("Object.defineProperty(navigator, 'standalone', {value: false})")
    await phone.page.goto("about:blank")
    await phone.start("#code=1234-5678-9012")
    await phone.heading("Put it on the Home Screen first")
    await look("install")


async def show(phone: Handset, screen: str, arguments: str) -> None:
    """Open a screen that is hard to come by."""
    await phone.run(f"import('/app/screen.js').then(({{go}}) => go('{screen}', {arguments}))")


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("walk", [walk_as_officer, walk_as_nurse, walk_where_something_is_the_matter])
async def test_every_screen_is_accessible_and_fits(
    chromium: Browser, address: str, crew: Crew, axe: str, walk: Any, scheme: str
) -> None:
    station = await busy_team(crew)
    wrong: list[Any] = []
    async with handset(chromium, address, crew, color_scheme=scheme) as phone:

        async def look(name: str) -> None:
            await phone.until("[...document.images].every((image) => image.complete)")
            await phone.page.screenshot(path=PICTURES / f"{scheme}-{name}.png")
            for fault in await accessibility_faults(phone.page, axe):
                wrong.append((name, fault))
            wrong.extend((name, "small", small) for small in await phone.run(SMALL_TARGETS))
            if await scrolls_sideways(phone.page):
                wrong.append((name, "sideways"))

        await walk(phone, look, station)
        assert wrong == []
        assert phone.faults == []


@pytest.mark.parametrize(("width", "height", "text"), [(320, 568, 1), (360, 740, 2), (820, 1180, 1)])
async def test_on_a_small_screen_a_tablet_and_with_large_text_nothing_is_cut_off(
    chromium: Browser, address: str, crew: Crew, width: int, height: int, text: int
) -> None:
    station = await busy_team(crew)
    wrong: list[Any] = []
    async with handset(chromium, address, crew, viewport={"width": width, "height": height}) as phone:
        if text > 1:
            await phone.run(f"document.styleSheets[0].insertRule(':root:root {{ font-size: {17 * text}px; }}')")

        async def look(name: str) -> None:
            await phone.page.screenshot(path=PICTURES / f"{width}-{text}-{name}.png")
            wrong.extend((name, "cut off", words) for words in await phone.run(CLIPPED))
            wrong.extend((name, "broken", word) for word in await phone.run(BROKEN_WORDS))
            if await scrolls_sideways(phone.page):
                wrong.append((name, "sideways"))

        await walk_as_officer(phone, look, station)
        assert wrong == []

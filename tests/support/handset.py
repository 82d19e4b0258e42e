"""A phone in somebody's hand: a Chromium page of a phone's size, driven as a thumb drives it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, Request, expect

from support.cast import Json
from support.chromium import install_axe, launched, on_a_port
from support.phones import Crew, RunningService

PATIENCE = 40
"""Seconds that a busy machine may take for what a phone does at once."""
expect.set_options(timeout=PATIENCE * 1000)

PIN = "135790"
SIZE = {"width": 360, "height": 740}
SETTINGS: Json = {
    "viewport": SIZE,
    "has_touch": True,
    "is_mobile": True,
    "locale": "en-GB",
    "timezone_id": "Europe/London",
}
SIGNPOSTED: Json = {"disposal": "signposted", "decided_at": "2026-11-26T10:00:00+00:00"}
LEADS = {"officer": "sergeant", "other_officer": "sergeant"}
SETTLED = """import('/app/accounts.js').then(({accounts}) => [...accounts.values()]
  .every(({status}) => status.phase !== 'talking' && (status.lastContact || status.why)))"""
NOTHING_HELD = """import('/app/state.js').then(({account}) => account().db.all('outbox'))
  .then((rows) => rows.every((row) => row.holdUntil <= Date.now()))"""
READ_STORE = """([name, store]) => new Promise((resolve) => {
  const request = indexedDB.open(name);
  request.onsuccess = () => {
    const database = request.result, rows = database.transaction(store).objectStore(store).getAll();
    rows.onsuccess = () => { database.close(); resolve(rows.result.map(({ iv, sealed, ...clear }) => clear)); };
  };
})"""

CAMERA_THAT_SEES = """(texts) => {
  window.BarcodeDetector = class { async detect() { return texts.map((rawValue) => ({rawValue})); } };
  navigator.mediaDevices.getUserMedia = async () => document.createElement('canvas').captureStream();
  HTMLMediaElement.prototype.play = async () => {};
}"""
"""A camera before which these codes are held: desktop Chromium reads none."""


async def code_for(crew: Crew, who: str) -> str:
    """A one-time code for somebody of the team, from their lead."""
    lead = getattr(crew, LEADS.get(who, "clinical_lead"))
    answer = await lead.post("/v1/enrolments", {"staff_id": str(getattr(crew, who).staff_id)})
    assert answer.status_code == 201, answer.text
    code: str = answer.json()["code"]
    return code


@dataclass(slots=True)
class Handset:
    """One phone. `faults` gathers what its console complains of."""

    crew: Crew
    context: BrowserContext
    page: Page
    faults: list[str] = field(default_factory=list)

    async def start(self, fragment: str = "") -> None:
        await self.page.goto(f"/app{fragment}")

    async def tap(self, text: str, exact: bool = True) -> None:
        """Tap the button of this name."""
        await self.page.get_by_role("button", name=text, exact=exact).first.tap()

    async def type_pin(self, pin: str = PIN) -> None:
        for digit in pin:
            await self.page.locator(".keypad").get_by_role("button", name=digit, exact=True).tap()

    async def heading(self, text: str) -> None:
        """Wait until the screen of this heading is there."""
        await self.page.get_by_role("heading", name=text, exact=True, level=1).wait_for()

    async def enrol(self, who: str, pin: str = PIN) -> None:
        """From a one-time code to the home screen."""
        await self.page.get_by_label("Code").fill(await code_for(self.crew, who))
        await self.tap("Sign in")
        await self.heading("Choose a PIN")
        await self.type_pin(pin)
        await self.heading("The same PIN again")
        await self.type_pin(pin)
        await self.at_home()
        await self.settled()

    async def unlock(self, who: str, pin: str = PIN) -> None:
        await self.page.locator(".keypad").wait_for()
        await self.type_pin(pin)
        await self.at_home()

    async def at_home(self) -> None:
        await self.page.locator('main[data-screen="home"]').wait_for()

    async def lock(self) -> None:
        await self.run("import('/app/lock.js').then((lock) => lock.lock())")
        await self.page.locator(".keypad").wait_for()

    async def run(self, script: str, argument: Any = None) -> Any:
        return await self.page.evaluate(script, argument)

    async def keep_awake(self) -> None:
        """As in somebody's hand: untouched for two minutes it would lock."""
        await self.page.keyboard.press("Shift")

    async def sync(self) -> None:
        """Send and pull now, and wait until it is over."""
        await self.run("import('/app/sync.js').then((sync) => sync.tryNow())")
        await self.settled()

    async def until(self, condition: str) -> None:
        """Wait until this holds on the page; Playwright's own way of waiting is stopped by the page's policy."""
        async with asyncio.timeout(PATIENCE):
            while not await self.run(condition):  # noqa: ASYNC110 - what changes is in the browser
                await asyncio.sleep(0.02)

    async def settled(self) -> None:
        """Wait until no exchange is under way."""
        await self.until(SETTLED)

    async def nothing_held(self) -> None:
        """Wait until nothing is held back for its author to change it."""
        await self.until(NOTHING_HELD)

    async def put_meta(self, key: str, value: Any) -> None:
        """Write a row of the store `meta` of who is signed in."""
        script = """([key, value]) => import('/app/state.js').then(({account}) =>
          account().db.write((stores) => stores('meta').put(value, key)))"""
        await self.run(script, [key, value])

    async def token(self) -> str:
        token: str = await self.run("import('/app/state.js').then(({account}) => account().token)")
        return token

    async def status(self) -> str:
        text: str = await self.page.locator("#status").inner_text()
        return text.replace("\n", " ")

    async def staff(self) -> list[str]:
        """Who has a database on this phone."""
        names = await self.run("indexedDB.databases().then((all) => all.map(({name}) => name))")
        return sorted(name.removeprefix("triage-") for name in names if name.startswith("triage-"))

    async def rows(self, who: str, store: str = "outbox") -> list[Json]:
        """What lies in a store of somebody's database in clear."""
        rows: list[Json] = await self.run(READ_STORE, [f"triage-{getattr(self.crew, who).staff_id}", store])
        return rows

    async def states(self, who: str) -> list[str]:
        return [row["state"] for row in sorted(await self.rows(who), key=lambda row: row["id"])]

    async def in_state(self, who: str, *states: str) -> None:
        """Wait until the entries of somebody are in these states."""
        async with asyncio.timeout(PATIENCE):
            while await self.states(who) != list(states):  # noqa: ASYNC110 - what changes is in the browser
                await asyncio.sleep(0.02)

    async def entries(self) -> list[Json]:
        """The entries of who is signed in, opened."""
        entries: list[Json] = await self.run(
            "import('/app/state.js').then(async ({load, session}) => { await load(); return session.entries; })"
        )
        return entries

    async def last_incident(self) -> str:
        """The incident of what was recorded last."""
        incident: str = (await self.entries())[-1]["incident"]
        return incident

    async def sent(self, who: str, incident: str) -> dict[str, Json]:
        """The entries of an incident at the service after a sync, by kind, the last captured of each."""
        await self.nothing_held()
        await self.sync()
        entries = await getattr(self.crew, who).entries(incident)
        return {entry["kind"]: entry for entry in sorted(entries, key=lambda entry: entry["captured_at"])}

    async def record(self, kind: str, incident: str | None = None, hold: int = 0, **content: Any) -> Json:
        """Put an entry in the outbox as the app does, without the screens."""
        script = """([kind, incident, hold, content]) => Promise.all(['sync', 'state', 'vault'].map((name) =>
          import(`/app/${name}.js`))).then(async ([sync, state, vault]) => {
            const entry = {...state.envelope(kind, incident ?? vault.uuid7()), ...content};
            await sync.record(state.account(), [entry], {hold});
            return entry;
          })"""
        entry: Json = await self.run(script, [kind, incident, hold, content])
        return entry

    async def choose(self, field: str, *codes: str) -> None:
        """Answer a question of the form with taps."""
        for code in codes:
            question = self.page.locator(f"#q-{field.replace('.', '-')}")
            await question.locator(f'label.option:has(input[value="{code}"])').tap()
            await self.page.wait_for_timeout(270)  # taps are dead for a moment after the form moved on

    async def new_incident(self, sure: str = "Would have") -> None:
        """An officer's first two taps, up to the form of contact."""
        await self.tap("New incident")
        await self.tap(f"Section 136: {sure}")
        await self.tap("All three met")
        await self.heading("Record of contact")

    async def fill(self, answers: dict[str, str | list[str]]) -> None:
        for name, value in answers.items():
            await self.choose(name, *([value] if isinstance(value, str) else value))

    async def save(self) -> None:
        await self.page.locator("#save").tap()


@asynccontextmanager
async def handset(chromium: Browser, address: str, crew: Crew, **how: Any) -> AsyncIterator[Handset]:
    """A new phone with nothing on it, its app opened."""
    context = await chromium.new_context(base_url=address, **(SETTINGS | how))
    phone = Handset(crew, context, await context.new_page())
    watch(phone, phone.page)
    await phone.start()
    yield phone
    await context.close()


def body_of(request: Request) -> Json:
    """The JSON that a request carries."""
    body: Json = json.loads(request.post_data or "null")
    return body


def watch(phone: Handset, page: Page) -> None:
    page.set_default_timeout(PATIENCE * 1000)
    page.on("pageerror", lambda error: phone.faults.append(str(error)))
    page.on(
        "console", lambda message: phone.faults.append(message.text) if message.type in ("error", "warning") else None
    )


@pytest_asyncio.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """One browser for all tests of a process."""
    async with launched() as browser:
        yield browser


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The source of axe-core."""
    return install_axe(tmp_path_factory.mktemp("axe"))


@pytest_asyncio.fixture(scope="session")
async def address(service: RunningService) -> AsyncIterator[str]:
    """Where the service of this process listens."""
    async with on_a_port(service) as url:
        yield url


@pytest_asyncio.fixture
async def phone(chromium: Browser, address: str, crew: Crew) -> AsyncIterator[Handset]:
    """A phone with nothing on it."""
    async with handset(chromium, address, crew) as opened:
        yield opened


@pytest_asyncio.fixture
async def phones(chromium: Browser, address: str, crew: Crew) -> AsyncIterator[Callable[..., Any]]:
    """Opens as many phones of one team as a test wants: `await phones("officer")` is an enrolled one."""
    async with AsyncExitStack() as stack:

        async def enrolled(who: str, **how: Any) -> Handset:
            opened = await stack.enter_async_context(handset(chromium, address, crew, **how))
            await opened.enrol(who)
            return opened

        yield enrolled

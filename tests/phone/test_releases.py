"""A new release never disturbs anybody, a broken one never keeps a phone, and neither touches what is stored."""

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import pytest
from playwright.async_api import expect
from support.handset import SIGNPOSTED, Handset

from triage.http import phone as serving

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

CONTROLLED = "navigator.serviceWorker.ready.then(() => !!navigator.serviceWorker.controller)"
CHECK = "navigator.serviceWorker.getRegistration().then((worker) => worker.update()).then(() => {}, () => {})"
OLD_DRAFT = """Promise.all(['state', 'vault', 'screen'].map((name) => import(`/app/${name}.js`)))
  .then(async ([state, vault, screen]) => {
    const answers = {area: 'bedford', long_gone: ['a']}, id = 'contact/x';
    const draft = {id, form: 'contact', incident: vault.uuid7(), started: new Date().toISOString(), answers};
    const sealed = await vault.seal(state.account().dataKey, draft, `drafts/${id}`);
    await state.account().db.write((stores) => stores('drafts').put({id, ...sealed}));
    await screen.refresh();
  })"""


@contextmanager
def served(monkeypatch: pytest.MonkeyPatch, name: str, addition: bytes) -> Iterator[None]:
    """Another release for the time of the block: one file of it begins with something more."""
    now = serving.release()
    version = serving.version_of({name: addition})
    files = {
        path: msgspec.structs.replace(
            file,
            body=(addition if path == name else b"") + file.body.replace(now.version.encode(), version.encode()),
            gzipped=None,
            etag=f"{version}{path}",
        )
        for path, file in now.files.items()
    }
    with monkeypatch.context() as patch:
        patch.setattr(serving, "release", lambda: serving.AppRelease(version, files))
        yield


async def test_no_reload_in_the_middle_of_a_form_and_one_on_the_lock_screen(
    phone: Handset, monkeypatch: pytest.MonkeyPatch
) -> None:
    await phone.enrol("officer")
    await phone.until(CONTROLLED)
    await phone.new_incident()
    await phone.fill({"area": "bedford"})
    loads: list[str] = []
    phone.page.on("load", lambda page: loads.append(page.url))
    with served(monkeypatch, "app.css", b"/* next */\n"):
        await phone.run(CHECK)
        await expect(phone.page.get_by_role("button", name="New version")).to_be_visible()
        await phone.fill({"location_type": "street_or_park"})
        await phone.heading("Record of contact")
        assert loads == []
        async with phone.page.expect_event("load"):
            await phone.run("import('/app/lock.js').then((lock) => { lock.lock(); })")
        await phone.page.locator(".keypad").wait_for()
        assert len(await phone.run("caches.keys()")) == 1
        await phone.unlock("officer")
        await phone.page.get_by_role("button", name="Record of contact").wait_for()
    assert len(loads) == 1


async def test_a_new_release_is_taken_by_a_tap(phone: Handset, monkeypatch: pytest.MonkeyPatch) -> None:
    await phone.enrol("officer")
    await phone.until(CONTROLLED)
    with served(monkeypatch, "app.css", b"/* next */\n"):
        await phone.run(CHECK)
        async with phone.page.expect_event("load"):
            await phone.tap("New version")
        assert await phone.page.locator('meta[name="version"]').get_attribute("content") == serving.release().version


async def test_a_file_of_another_release_or_a_page_that_asks_to_sign_in_never_becomes_the_app(
    phone: Handset, monkeypatch: pytest.MonkeyPatch
) -> None:
    await phone.enrol("officer")
    await phone.until(CONTROLLED)
    before = await phone.run("caches.keys()")
    with served(monkeypatch, "app.css", b"/* next */\n"):
        await phone.context.route("**/app/clock.js", lambda route: route.fulfill(status=200, body="<h1>Sign in</h1>"))
        await phone.run(CHECK)
        await phone.until("navigator.serviceWorker.getRegistration('/app').then((r) => !r.installing && !r.waiting)")
        assert set(before) <= set(await phone.run("caches.keys()"))
        await phone.page.reload()
        await phone.unlock("officer")


async def test_a_broken_release_frees_itself_once_a_good_one_is_served_and_keeps_what_is_stored(
    phone: Handset, monkeypatch: pytest.MonkeyPatch
) -> None:
    await phone.enrol("officer")
    await phone.until(CONTROLLED)
    await phone.context.route("**/v1/sync", lambda route: route.abort())
    await phone.record("outcome", **SIGNPOSTED)
    with served(monkeypatch, "dom.js", b"throw new Error('broken release');\n"):
        await phone.run(CHECK)
        async with phone.page.expect_event("load"):
            await phone.tap("New version")
        for _ in range(2):
            await phone.page.reload(wait_until="networkidle")
        await expect(phone.page.get_by_text("Starting…")).to_be_visible()
    for _ in range(3):  # the third failed start forgets the worker and its files, and loads once more
        await phone.page.reload(wait_until="networkidle")
    await phone.unlock("officer")
    assert await phone.states("officer") == ["waiting"]


@pytest.mark.parametrize(
    "probe",
    [
        "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=alert(1)>')",
        "document.body.append(Object.assign(document.createElement('script'), {text: 'window.hacked = 1'}))",
        "fetch('https://example.com/')",
        "navigator.serviceWorker.register('/app/boot.js')",
        "new Worker('/app/boot.js')",
        "trustedTypes.createPolicy('other', {})",
    ],
)
async def test_the_policy_stops_what_should_never_run(phone: Handset, probe: str) -> None:
    attempt = f"try {{ await ({probe}); return String(window.hacked); }} catch (error) {{ return error.name; }}"
    blocked = await phone.run(f"(async () => {{ {attempt} }})()")
    assert blocked in ("TypeError", "SecurityError", "NetworkError")


async def test_a_draft_of_another_version_opens_and_can_be_discarded(phone: Handset) -> None:
    await phone.enrol("officer")
    await phone.run(OLD_DRAFT)
    await phone.page.get_by_role("button", name="Record of contact").tap()
    await phone.heading("Record of contact")
    await phone.tap("Discard")
    await phone.tap("Tap again to discard")
    await phone.at_home()
    assert await phone.rows("officer", "drafts") == [] and phone.faults == []

"""Nothing lost, nothing doubled, nothing untrue in the status line, whatever happens on the way to the service."""

import json
import time
from typing import Any

import msgspec
import pytest
from playwright.async_api import Request, Route, expect
from support.handset import SIGNPOSTED, Handset, body_of
from support.phones import Crew, now
from uuid_utils.compat import uuid7

from triage.store.log.cursor import decode, encode

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

SYNC = "**/v1/sync"
CALL_RECEIVED = """(id) => import('/app/state.js').then(async ({account}) => {
  const {db} = account(), row = await db.get('outbox', id);
  await db.write((stores) => stores('outbox').put({...row, state: 'received', holdUntil: 0, answeredAt: Date.now()}));
})"""


async def signposted(phone: Handset) -> str:
    entry = await phone.record("outcome", **SIGNPOSTED)
    entry_id: str = entry["id"]
    return entry_id


async def problem(route: Route, status: int, code: str, headers: dict[str, str] | None = None, **more: Any) -> None:
    body = json.dumps({"code": code, "title": code, "status": status, **more})
    await route.fulfill(status=status, headers=headers, content_type="application/problem+json", body=body)


async def test_offline_it_opens_shows_and_records(phone: Handset, crew: Crew) -> None:
    await crew.officer.tell("officer", uuid7(), area="bedford", occurred_at=now())
    await phone.enrol("officer")
    await phone.page.get_by_role("button", name="Bedford").wait_for()
    await phone.run("navigator.serviceWorker.ready.then(() => true)")
    await phone.context.set_offline(True)
    await phone.page.reload()
    await phone.unlock("officer")
    await phone.page.get_by_role("button", name="Bedford").wait_for()
    await signposted(phone)
    await phone.settled()
    await expect(phone.page.locator("#status")).to_contain_text("1 only on this phone")
    await expect(phone.page.locator("#status")).to_contain_text("No connection")


async def test_killed_while_filling_in_nothing_that_was_tapped_is_lost(phone: Handset) -> None:
    await phone.enrol("officer")
    await phone.run("navigator.serviceWorker.ready.then(() => true)")
    await phone.context.set_offline(True)
    await phone.new_incident()
    await phone.fill({"area": "bedford", "location_type": "street_or_park"})
    await phone.page.close()
    phone.page = await phone.context.new_page()
    await phone.start()
    await phone.unlock("officer")
    assert [entry["entry"]["kind"] for entry in await phone.entries()] == ["intent", "officer"]
    await phone.page.get_by_role("button", name="Record of contact").tap()
    await phone.heading("Record of contact")
    assert await phone.page.locator("#q-location_type :checked").get_attribute("value") == "street_or_park"


async def test_killed_after_sending_and_before_the_answer_nothing_is_doubled(phone: Handset, crew: Crew) -> None:
    await phone.enrol("officer")
    stored: list[Any] = []

    async def lose(route: Route) -> None:
        stored.append((await (await route.fetch()).json())["counts"])
        await route.abort()

    await phone.context.route(SYNC, lose)
    entry_id = await signposted(phone)
    await phone.sync()
    assert [counts["stored"] for counts in stored if counts["stored"]] == [1]
    assert await phone.states("officer") == ["waiting"]
    await phone.context.unroute(SYNC)
    await phone.page.close()
    phone.page = await phone.context.new_page()
    await phone.start()
    async with phone.page.expect_response(lambda answer: entry_id in (answer.request.post_data or "")) as answered:
        await phone.unlock("officer")  # a pull may go before it
    assert (await (await answered.value).json())["counts"]["duplicate"] == 1
    await phone.settled()
    assert await phone.states("officer") == ["received"]
    assert [entry["id"] for entry in await crew.officer.entries((await phone.entries())[0]["incident"])] == [entry_id]


async def test_a_sign_in_page_of_some_wifi_is_no_success(phone: Handset) -> None:
    await phone.enrol("officer")
    await phone.context.route(
        SYNC, lambda route: route.fulfill(status=200, content_type="text/html", body="<h1>Pub</h1>")
    )
    await signposted(phone)
    await phone.sync()
    assert await phone.states("officer") == ["waiting"]
    assert "1 only on this phone" in await phone.status() and "No answer from the service" in await phone.status()
    await phone.context.unroute(SYNC)
    await phone.page.locator("#status").get_by_role("button").first.tap()
    await phone.tap("Try now")
    await expect(phone.page.locator("#status")).to_contain_text("All received")


async def test_a_fault_of_the_service_is_named_and_waited_out(phone: Handset) -> None:
    await phone.enrol("officer")
    await phone.context.route(SYNC, lambda route: problem(route, 500, "internal"))
    await signposted(phone)
    await phone.sync()
    assert await phone.states("officer") == ["waiting"] and "The service has a fault" in await phone.status()


async def test_what_the_service_is_too_old_for_is_offered_again_when_it_changes(phone: Handset) -> None:
    await phone.enrol("officer")
    await phone.record("outcome", **SIGNPOSTED, field_of_tomorrow=1)
    await phone.sync()
    assert await phone.states("officer") == ["quarantined"]
    [own] = await phone.entries()
    assert own["problem"]["code"] == "newer_than_service"
    await phone.put_meta("version", "an older one")
    await phone.sync()
    async with phone.page.expect_request(SYNC) as again:
        await phone.sync()
    assert [entry["id"] for entry in body_of(await again.value)["entries"]] == [own["id"]]


async def test_another_history_of_the_service_is_asked_what_it_holds(phone: Handset) -> None:
    await phone.enrol("officer")
    await signposted(phone)
    await phone.sync()
    await phone.put_meta("epoch", "00000000-0000-7000-8000-000000000000")
    async with phone.page.expect_request("**/v1/sync/held") as asked:
        await phone.sync()
    assert len(body_of(await asked.value)["ids"]) == 1


async def test_a_redirect_to_a_sign_in_page_is_not_followed(phone: Handset) -> None:
    await phone.enrol("officer")
    await phone.context.route(SYNC, lambda route: route.fulfill(status=302, headers={"location": "/review/sign-in"}))
    await signposted(phone)
    await phone.sync()
    assert await phone.states("officer") == ["waiting"] and "No connection" in await phone.status()


async def test_one_refused_among_good_blocks_none_and_is_put_right_under_its_id(phone: Handset, crew: Crew) -> None:
    await phone.enrol("officer")
    refused = await phone.record("follow_up", event="kept", at="1999-01-01T00:00:00+00:00")
    await signposted(phone)
    await phone.sync()
    assert await phone.states("officer") == ["refused", "received"]
    assert "1 needs you" in await phone.status()
    await phone.page.locator("#status").get_by_role("button").first.tap()
    await phone.page.locator(".row.bad").tap()
    await phone.heading("Follow-up")
    assert await phone.page.get_by_role("alert").inner_text() != ""
    await phone.tap("Put right")
    await phone.heading("Put right: follow-up")
    await phone.choose("at", "15")
    await phone.save()
    await phone.heading("Place not recorded")
    await phone.sync()
    assert await phone.states("officer") == ["received", "received"]
    stored = await crew.officer.entries(refused["incident_id"])
    assert [entry["id"] for entry in stored] == [refused["id"]]


async def test_a_body_refused_as_a_whole_is_halved_until_one_entry_stands_alone(phone: Handset) -> None:
    await phone.enrol("officer")
    await phone.context.set_offline(True)
    ids = [await signposted(phone) for _ in range(5)]
    sizes: list[int] = []

    async def picky(route: Route) -> None:
        entries = body_of(route.request)["entries"]
        sizes.append(len(entries))
        if any(entry["id"] == ids[1] for entry in entries):
            await problem(route, 400, "malformed", retry="after_fix")
        else:
            await route.continue_()

    await phone.context.route(SYNC, picky)
    await phone.context.set_offline(False)
    await phone.sync()
    assert await phone.states("officer") == ["received", "refused", "received", "received", "received"]
    assert sizes[0] > 3 and sizes[0] > sizes[1] > sizes[2] and 1 in sizes


async def test_a_restored_service_is_given_again_what_it_lacks(phone: Handset, crew: Crew) -> None:
    await phone.enrol("officer")
    known = await signposted(phone)
    await phone.sync()
    lacking = await phone.record("outcome", hold=240_000, **SIGNPOSTED)
    await phone.run(CALL_RECEIVED, lacking["id"])  # by the history that was lost
    cursor = decode(await phone.run("import('/app/state.js').then(({account}) => account().db.get('meta', 'cursor'))"))
    await phone.put_meta("cursor", encode(msgspec.structs.replace(cursor, link=bytes(len(cursor.link)))))
    fresh = await signposted(phone)
    answers: list[tuple[str, int]] = []
    phone.page.on("response", lambda answer: answers.append((answer.url.rpartition("/")[2], answer.status)))
    await phone.sync()
    await phone.sync()
    assert answers[:4] == [("sync", 410), ("sync", 200), ("held", 200), ("sync", 200)]
    assert await phone.states("officer") == ["received"] * 3
    assert [entry["id"] for entry in await crew.officer.entries(lacking["incident_id"])] == [lacking["id"]]
    assert {known, fresh, lacking["id"]} == {own["id"] for own in await phone.entries()}


async def test_a_batch_that_is_too_long_is_halved_until_it_passes(phone: Handset) -> None:
    await phone.enrol("officer")
    await phone.context.set_offline(True)
    for _ in range(8):
        await phone.record("officer", note="a" * 300_000)
    good = await signposted(phone)
    await phone.context.set_offline(False)
    statuses: list[int] = []
    phone.page.on("response", lambda answer: statuses.append(answer.status) if answer.url.endswith("sync") else None)
    await phone.sync()
    assert statuses[0] == 413 and statuses[-1] == 200
    assert [own["state"] for own in await phone.entries() if own["id"] == good] == ["received"]
    assert sorted(await phone.states("officer")) == ["received", *["refused"] * 8]


async def test_a_cursor_that_is_none_is_forgotten(phone: Handset) -> None:
    await phone.enrol("officer")
    await phone.put_meta("cursor", "no cursor")
    await signposted(phone)
    await phone.sync()
    assert await phone.states("officer") == ["received"]


async def test_a_busy_service_is_left_alone_for_as_long_as_it_says(phone: Handset) -> None:
    await phone.enrol("officer")
    asked: list[float] = []

    async def busy(route: Route) -> None:
        asked.append(time.monotonic())
        await problem(route, 429, "rate_limited", headers={"retry-after": "2"})

    await phone.context.route(SYNC, busy)
    async with phone.page.expect_response(SYNC):
        await signposted(phone)
    await expect(phone.page.locator("#status")).to_contain_text("The service is busy")
    async with phone.page.expect_response(SYNC):
        pass
    assert asked[1] - asked[0] >= 2


async def test_two_windows_send_an_entry_once(phone: Handset) -> None:
    await phone.enrol("officer")
    second = await phone.context.new_page()
    other = Handset(phone.crew, phone.context, second)
    await other.start()
    await other.unlock("officer")
    await other.settled()
    sent: list[int] = []

    def count(request: Request) -> None:
        if request.url.endswith("/v1/sync") and body_of(request)["entries"]:
            sent.append(len(body_of(request)["entries"]))

    phone.context.on("request", count)
    await phone.record("outcome", **SIGNPOSTED, hold=300)
    await phone.page.wait_for_timeout(400)
    await phone.run("import('/app/sync.js').then((sync) => { sync.tryNow(); })")
    await other.run("import('/app/sync.js').then((sync) => { sync.tryNow(); })")
    await expect(phone.page.locator("#status")).to_contain_text("All received")
    assert sent == [1]


async def test_a_dead_database_handle_is_opened_once_more(phone: Handset) -> None:
    await phone.enrol("officer")
    await phone.run("""() => { const transaction = IDBDatabase.prototype.transaction; let left = 1;
      IDBDatabase.prototype.transaction = function (...rest) {
        if (left-- > 0) throw new DOMException('The database connection is closing.', 'InvalidStateError');
        return transaction.apply(this, rest); }; }""")
    await signposted(phone)
    await phone.sync()
    assert await phone.states("officer") == ["received"]


async def test_on_a_full_phone_nothing_is_called_saved(phone: Handset) -> None:
    await phone.enrol("officer")
    await phone.new_incident()
    await phone.fill({"area": "bedford"})
    await phone.settled()
    await phone.run(
        """() => { IDBObjectStore.prototype.put = () => { throw new DOMException('full', 'QuotaExceededError'); }; }"""
    )
    await phone.save()
    await expect(phone.page.locator("#notice")).to_contain_text("Not saved: this phone is full")
    await phone.heading("Record of contact")


async def test_the_clock_of_the_phone_is_measured_and_what_is_shown_is_set_right(phone: Handset) -> None:
    await phone.enrol("officer")
    await phone.run("() => { const real = Date.now; Date.now = () => real() + 3_600_000; }")
    await phone.keep_awake()
    await phone.sync()
    offset = await phone.run("import('/app/clock.js').then((clock) => clock.getOffset())")
    assert abs(offset + 3_600_000) < 5_000
    await phone.tap("About this phone")
    await phone.page.get_by_text("1 h 00 fast").wait_for()


async def test_a_clock_that_is_put_back_holds_nothing_back(phone: Handset) -> None:
    await phone.enrol("officer")
    await phone.run("() => { const real = Date.now; Date.now = () => real() + 3_600_000; }")
    await phone.keep_awake()
    await phone.record("outcome", hold=10_000, **SIGNPOSTED)
    await phone.run("() => { const fast = Date.now; Date.now = () => fast() - 3_600_000; }")
    await phone.sync()
    assert await phone.states("officer") == ["received"]

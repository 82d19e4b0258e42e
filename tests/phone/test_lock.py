"""Who may see anything at all: PINs, the phone's own lock, a shared phone, a lost one."""

import pytest
from playwright.async_api import expect
from support.handset import PIN, SIGNPOSTED, Handset, body_of, code_for
from support.phones import Crew, now
from uuid_utils.compat import uuid7

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

KEYS = """import('/app/state.js').then(({session}) =>
  [!!session.account, session.incidents.length, session.entries.length])"""
ANY_KEY = """import('/app/accounts.js').then(({accounts}) =>
  [...accounts.values()].some(({token, dataKey}) => token || dataKey))"""


async def redeem(phone: Handset, who: str) -> None:
    await phone.page.get_by_label("Code").fill(await code_for(phone.crew, who))
    await phone.tap("Sign in")
    await phone.heading("Choose a PIN")


async def type_wrong_pins(phone: Handset, times: int) -> None:
    for _ in range(times):
        await phone.page.locator(".keypad").wait_for()
        before = await phone.page.locator("#screen").inner_text()
        await phone.type_pin("000000")
        await expect(phone.page.locator("#screen")).not_to_have_text(before, use_inner_text=True)
        await phone.until("!document.querySelector('.dots .full')")


async def add_person(phone: Handset, who: str, pin: str) -> None:
    """Somebody else enrols on this phone, from the lock screen."""
    await phone.tap("Somebody else")
    await phone.tap("I have a code")
    await phone.enrol(who, pin)


async def test_a_wrong_code_is_explained(phone: Handset) -> None:
    await phone.page.get_by_label("Code").fill("7777-8888-9999")
    await phone.tap("Sign in")
    await phone.page.get_by_role("alert").get_by_text("Ask for a new one").wait_for()


async def test_killed_between_code_and_pin_it_says_so_is_taken_off_and_a_new_code_works(
    phone: Handset, crew: Crew
) -> None:
    await redeem(phone, "officer")
    await phone.page.close()
    phone.page = await phone.context.new_page()
    async with phone.page.expect_response("**/v1/devices/*/wiped") as told:
        await phone.start()
    assert (await told.value).status == 204
    await phone.page.get_by_role("alert").get_by_text("The last code was used, but no PIN was chosen").wait_for()
    await phone.enrol("officer")
    await phone.page.reload()
    await phone.unlock("officer")
    await expect(phone.page.get_by_role("alert")).to_have_count(0)
    mine = [device for device in (await crew.sergeant.see("/v1/devices"))["devices"] if device["name"] == "Browser"]
    assert sorted(device["revoked_at"] is None for device in mine) == [False, True]


async def test_killed_between_code_and_pin_without_a_connection_the_service_is_told_later(phone: Handset) -> None:
    await redeem(phone, "officer")
    await phone.run("navigator.serviceWorker.ready.then(() => true)")
    await phone.context.set_offline(True)
    await phone.page.reload()
    await phone.page.get_by_role("alert").get_by_text("no PIN was chosen").wait_for()
    await phone.context.set_offline(False)
    async with phone.page.expect_response("**/v1/devices/*/wiped") as told:
        await phone.page.reload()
    assert (await told.value).status == 204


async def test_a_connection_that_is_lost_after_the_code_was_taken_costs_no_new_code(phone: Handset) -> None:
    await phone.context.route("**/v1/codes", lambda route: route.abort())
    await phone.page.get_by_label("Code").fill(code := await code_for(phone.crew, "officer"))
    await phone.tap("Sign in")
    await phone.page.get_by_role("alert").get_by_text("No connection").wait_for()
    await phone.context.unroute("**/v1/codes")
    await phone.page.get_by_label("Code").fill(code)
    await phone.tap("Sign in")
    await phone.heading("Choose a PIN")


async def test_without_a_connection_it_says_so(phone: Handset) -> None:
    await phone.context.route("**/v1/devices", lambda route: route.abort())
    await phone.page.get_by_label("Code").fill("7777-8888-9999")
    await phone.tap("Sign in")
    await phone.page.get_by_role("alert").get_by_text("No connection").wait_for()


async def test_two_different_pins_are_no_pin(phone: Handset) -> None:
    await redeem(phone, "officer")
    await phone.type_pin("111111")
    await phone.heading("The same PIN again")
    await phone.type_pin("222222")
    await phone.page.get_by_role("alert").get_by_text("The two were not the same").wait_for()
    assert await phone.staff() == []


async def test_the_code_comes_from_the_fragment_and_leaves_the_address(phone: Handset, crew: Crew) -> None:
    await phone.page.goto("about:blank")
    await phone.start(f"#code={await code_for(crew, 'nurse')}")
    await phone.tap("Sign in")
    await phone.heading("Choose a PIN")
    assert phone.page.url.endswith("/app")


async def test_in_a_browser_tab_of_an_iphone_it_asks_to_be_installed_and_nothing_else(phone: Handset) -> None:
    await phone.page.add_init_script("Object.defineProperty(navigator, 'standalone', {value: false})")
    await phone.page.goto("about:blank")
    await phone.start("#code=1234-5678-9012")
    await phone.heading("Put it on the Home Screen first")
    await phone.page.get_by_text("1234-5678-9012").wait_for()
    assert await phone.page.get_by_role("button").count() == 0 and await phone.page.get_by_role("textbox").count() == 0


async def test_locked_nothing_is_left_in_memory_or_on_the_screen(phone: Handset, crew: Crew) -> None:
    await crew.officer.tell("officer", uuid7(), area="bedford", occurred_at=now())
    await phone.enrol("officer")
    await phone.page.get_by_role("button", name="Bedford").wait_for()
    await phone.tap("Lock")
    await phone.page.locator(".keypad").wait_for()
    assert await phone.run(KEYS) == [False, 0, 0]
    assert await phone.run(ANY_KEY) is False
    assert "Bedford" not in await phone.page.locator("body").inner_text()
    await expect(phone.page.locator("#status")).to_be_hidden()
    await phone.unlock("officer")
    assert phone.faults == []


async def test_no_control_of_the_lock_screen_leads_to_a_record(phone: Handset) -> None:
    await phone.enrol("officer")
    await phone.record("outcome", **SIGNPOSTED)
    await phone.lock()
    names = await phone.page.get_by_role("button").all_inner_texts()
    assert sorted(names) == sorted([*"0123456789", "⌫", "Somebody else"])
    await phone.page.go_back()
    await expect(phone.page.locator(".keypad")).to_be_visible()


async def test_out_of_sight_or_untouched_for_two_minutes_it_locks(phone: Handset) -> None:
    await phone.enrol("officer")
    await phone.run("() => { const real = Date.now; Date.now = () => real() + 121_000; }")
    await phone.page.locator(".keypad").wait_for()


async def test_wrong_pins_are_counted_across_restarts_and_the_right_one_forgives(phone: Handset) -> None:
    await phone.enrol("officer")
    await phone.lock()
    await type_wrong_pins(phone, 2)
    await phone.page.reload()
    await phone.page.get_by_text("Wrong PIN. 8 tries left.").wait_for()
    await phone.unlock("officer")
    await phone.lock()
    await expect(phone.page.get_by_text("tries left")).to_have_count(0)


async def test_ten_wrong_pins_destroy_what_may_be_read_and_keep_what_was_never_sent(phone: Handset, crew: Crew) -> None:
    await crew.officer.tell("officer", uuid7(), area="bedford", occurred_at=now())
    await phone.enrol("officer")
    await phone.record("outcome", **SIGNPOSTED)
    await phone.sync()
    await phone.context.set_offline(True)
    await phone.record("outcome", **SIGNPOSTED)
    await phone.new_incident()
    await phone.fill({"location_type": "street_or_park"})
    await phone.lock()
    await phone.page.get_by_text("entries wait to be sent").wait_for()
    await type_wrong_pins(phone, 9)
    await phone.page.locator(".keypad").wait_for()
    await phone.type_pin("000000")
    await phone.page.get_by_text("Ten wrong PINs: this phone was emptied. 2 entries not sent yet").wait_for()
    assert await phone.rows("officer", "incidents") == [] and await phone.rows("officer", "drafts") == []
    assert await phone.states("officer") == ["waiting", "waiting"]


async def test_a_new_code_for_the_same_person_sends_what_ten_wrong_pins_left(phone: Handset) -> None:
    await phone.enrol("officer")
    await phone.context.set_offline(True)
    await phone.record("outcome", **SIGNPOSTED)
    await phone.lock()
    await type_wrong_pins(phone, 9)
    await phone.type_pin("000000")
    await phone.page.get_by_label("Code").wait_for()
    await phone.context.set_offline(False)
    await phone.enrol("officer", "246810")
    await phone.sync()
    assert await phone.states("officer") == ["received"]


async def test_what_waits_goes_out_while_the_phone_is_locked_and_nothing_comes_in(phone: Handset, crew: Crew) -> None:
    await phone.enrol("officer")
    await phone.context.set_offline(True)
    await phone.record("outcome", **SIGNPOSTED)
    await phone.lock()
    async with phone.page.expect_request("**/v1/sync") as sent:
        await phone.context.set_offline(False)
        await phone.run("import('/app/sync.js').then((sync) => sync.tryNow())")
    request = body_of(await sent.value)
    assert (request["cursor"], request["pull"], len(request["entries"])) == (None, False, 1)
    await phone.settled()
    assert await phone.states("officer") == ["received"]
    assert [row["key"] for row in await phone.rows("officer")] == ["device"]
    await phone.unlock("officer")
    await expect(phone.page.locator("#status")).to_contain_text("All received")
    assert [row["key"] for row in await phone.rows("officer")] == ["data"]


async def test_another_person_of_this_phone_sees_no_row_of_the_first_and_sends_it_all_the_same(
    phone: Handset, crew: Crew
) -> None:
    await phone.enrol("officer")
    await phone.context.route("**/v1/sync", lambda route: route.abort())
    await phone.record("intent", intent={"power": "s136", "confidence": 3})
    await phone.lock()
    await add_person(phone, "nurse", "246810")
    await expect(phone.page.locator("#status")).to_contain_text("1 of somebody else")
    await phone.page.locator("#status").get_by_role("button").first.tap()
    await phone.heading("Sent and unsent")
    assert "What I would do" not in await phone.page.locator("body").inner_text()
    assert await phone.run(KEYS) == [True, 0, 0]
    await phone.context.unroute("**/v1/sync")
    await phone.sync()
    assert await phone.states("officer") == ["received"]
    entry_id = (await phone.rows("officer"))[0]["id"]
    [incident] = await crew.sergeant.incidents()
    [intent] = await crew.sergeant.entries(incident["id"])
    assert (intent["id"], intent["author"]) == (entry_id, str(crew.officer.staff_id))


async def test_on_a_shared_phone_each_opens_with_their_own_pin(phone: Handset) -> None:
    await phone.enrol("officer")
    await phone.lock()
    await add_person(phone, "nurse", "246810")
    await phone.lock()
    await phone.heading("nurse")
    await phone.tap("Somebody else")
    await phone.heading("Who are you?")
    await phone.tap("officer")
    await type_wrong_pins(phone, 1)
    await phone.unlock("officer")


async def test_revoked_it_sends_what_is_left_once_and_empties_itself(phone: Handset, crew: Crew) -> None:
    await phone.enrol("officer")
    await phone.context.set_offline(True)
    entry = await phone.record("outcome", **SIGNPOSTED)
    device = await phone.run("import('/app/state.js').then(({account}) => account().profile.device)")
    assert (await crew.sergeant.delete(f"/v1/devices/{device}")).status_code == 204
    await phone.context.set_offline(False)
    async with phone.page.expect_response(f"**/v1/devices/{device}/wiped") as last_word:
        await phone.run("import('/app/sync.js').then((sync) => { sync.tryNow(); })")
    assert (await last_word.value).status == 204
    await phone.heading("This phone was emptied")
    await phone.until("caches.keys().then((names) => names.length === 0)")
    assert await phone.staff() == []
    assert await phone.run("localStorage.length") == 0
    kept = (await crew.sergeant.see("/v1/quarantine"))["items"]
    assert [item["entry"]["id"] for item in kept] == [entry["id"]]


async def test_emptied_by_its_owner_it_is_asked_twice_where_something_would_be_lost(phone: Handset, crew: Crew) -> None:
    await phone.enrol("officer")
    await phone.context.set_offline(True)
    await phone.record("outcome", **SIGNPOSTED)
    await phone.tap("About this phone")
    await phone.tap("Empty this phone and lose what is unsent")
    await phone.tap("Yes, empty it")
    await phone.heading("Really lose them?")
    await phone.tap("No, keep it")
    await phone.at_home()
    assert await phone.states("officer") == ["waiting"]
    await phone.context.set_offline(False)
    await phone.sync()
    await phone.tap("About this phone")
    await phone.tap("Empty this phone")
    await phone.tap("Yes, empty it")
    await phone.heading("This phone was emptied")
    assert await phone.staff() == []


async def test_the_phones_own_lock_opens_it_and_gives_the_same_key(phone: Handset, address: str) -> None:
    session = await phone.context.new_cdp_session(phone.page)
    await session.send("WebAuthn.enable", {})
    options = {
        "protocol": "ctap2", "ctap2Version": "ctap2_1", "transport": "internal", "hasResidentKey": True,
        "hasUserVerification": True, "isUserVerified": True, "hasPrf": True, "automaticPresenceSimulation": True,
    }  # fmt: skip
    await session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    await phone.page.goto(address.replace("127.0.0.1", "localhost") + "/app")  # a passkey belongs to a name
    await redeem(phone, "officer")
    await phone.type_pin()
    await phone.heading("The same PIN again")
    await phone.type_pin()
    await phone.heading("Use this phone’s lock?")
    await phone.tap("Use this phone’s lock")
    await phone.at_home()
    await phone.record("outcome", **SIGNPOSTED)
    await phone.sync()
    await phone.lock()
    await phone.tap("Use this phone’s lock")
    await phone.at_home()
    assert len(await phone.entries()) == 1
    await phone.lock()
    await phone.unlock("officer", PIN)
    assert len(await phone.entries()) == 1


async def test_without_a_key_from_the_phones_lock_the_pin_is_used(phone: Handset, address: str) -> None:
    session = await phone.context.new_cdp_session(phone.page)
    await session.send("WebAuthn.enable", {})
    options = {
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
        "isUserVerified": True, "hasPrf": False, "automaticPresenceSimulation": True,
    }  # fmt: skip
    await session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    await phone.page.goto(address.replace("127.0.0.1", "localhost") + "/app")
    await redeem(phone, "officer")
    await phone.type_pin()
    await phone.heading("The same PIN again")
    await phone.type_pin()
    await phone.tap("Use this phone’s lock")
    await phone.at_home()
    await phone.lock()
    await expect(phone.page.get_by_role("button", name="Use this phone’s lock")).to_have_count(0)
    await phone.unlock("officer")


async def test_what_was_served_to_one_person_of_a_phone_counts_as_served_to_all(phone: Handset, crew: Crew) -> None:
    incident = uuid7()
    await crew.officer.tell("intent", incident)
    await crew.officer.tell("officer", incident, area="bedford", occurred_at=now())
    await phone.enrol("officer")
    await phone.lock()
    await add_person(phone, "nurse", "246810")
    await phone.record("nurse", str(incident), s136_justified="yes", told_intent=False, assessment="face_to_face")
    await phone.sync()
    judgement = next(entry for entry in await crew.clinical_lead.entries(incident) if entry["kind"] == "nurse")
    assert judgement["blind"] is False


async def test_a_tap_that_is_still_at_work_when_it_locks_opens_nothing(phone: Handset) -> None:
    await phone.enrol("officer")
    await phone.tap("New incident")
    both = """import('/app/lock.js').then(({lock}) => {
      document.querySelector('.option.strong').click();
      return lock();
    })"""
    await phone.run(both)
    await phone.page.locator(".keypad").wait_for()
    await phone.until("import('/app/screen.js').then(({currentScreen}) => currentScreen() === 'lock')")
    await phone.in_state("officer", "waiting")
    assert phone.faults == []


async def test_a_screen_that_comes_late_does_not_replace_the_one_that_was_opened_meanwhile(phone: Handset) -> None:
    await phone.enrol("officer")
    both = """import('/app/screen.js').then(({go}) =>
      Promise.all([go('home'), go('form', {form: 'stand_down', incident: crypto.randomUUID()}), go('outbox')]))"""
    await phone.run(both)
    await phone.heading("Sent and unsent")
    assert phone.faults == []


async def test_a_phone_that_may_clear_its_storage_is_told_of(phone: Handset) -> None:
    await phone.page.add_init_script("StorageManager.prototype.persisted = async () => false")
    await phone.page.reload()
    await phone.enrol("officer")
    await phone.page.get_by_text("This phone may clear what the app holds").wait_for()


async def test_keys_are_kept_as_bytes_for_phones_that_refuse_to_store_a_key(phone: Handset) -> None:
    await phone.enrol("officer")
    stored = """import('/app/state.js').then(({account}) => account().db.all('meta')).then((rows) =>
      rows.flatMap((row) => [row, ...Object.values(row ?? {})]).filter((value) => value instanceof CryptoKey).length)"""
    assert await phone.run(stored) == 0

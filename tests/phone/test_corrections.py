"""What was recorded and is put right: an intent that has left, a whole replacement, a withdrawal."""

import pytest
from playwright.async_api import expect
from support.handset import Handset
from support.phones import Crew, now
from uuid_utils.compat import uuid7

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


async def test_an_intent_that_has_left_is_corrected_and_never_sent_twice_differently(
    phone: Handset, crew: Crew
) -> None:
    await phone.enrol("officer")
    await phone.tap("New incident")
    await phone.tap("Section 136: Would have")
    await phone.heading("The three tests")
    await phone.run(
        "import('/app/state.js').then(({account}) => account().db.all('outbox').then(([row]) => "
        "account().db.write((stores) => stores('outbox').put({...row, holdUntil: 0}))))"
    )
    await phone.sync()
    await phone.tap("All three met")
    await phone.heading("Record of contact")
    entries = await phone.entries()
    assert [own["entry"]["kind"] for own in entries] == ["intent", "amendment"]
    assert entries[1]["entry"]["amends"] == entries[0]["id"]
    kinds = await phone.sent("officer", entries[0]["incident"])
    assert set(kinds) == {"intent", "amendment"} and await phone.states("officer") == ["received", "received"]
    view = await crew.officer.incident(entries[0]["incident"])
    assert view["intents"][0]["tests"]["necessary"] is True


async def test_a_correction_is_the_whole_replacement_with_a_reason(phone: Handset, crew: Crew) -> None:
    await phone.enrol("officer")
    entry = await phone.record("officer", area="bedford", sex="male", note="Calm now", offence="none")
    await phone.sync()
    await phone.page.locator(f'[data-id="{entry["incident_id"]}"]').tap()
    await phone.tap("Correct my record")
    await phone.heading("Correct: record of contact")
    assert await phone.page.locator("#q-sex :checked").get_attribute("value") == "male"
    await phone.fill({"sex": "female", "amendment.reason": "wrong_code"})
    await phone.save()
    await phone.heading("Bedford")
    amendment = (await phone.sent("officer", entry["incident_id"]))["amendment"]
    assert (amendment["amends"], amendment["reason"]) == (entry["id"], "wrong_code")
    changed = amendment["entry"]
    assert (changed["sex"], changed["area"], changed["note"], changed["offence"]) == (
        "female",
        "bedford",
        "Calm now",
        "none",
    )
    assert (await crew.officer.incident(entry["incident_id"]))["sex"] == "female"


async def test_something_known_that_is_wrong_is_asked_again(phone: Handset, crew: Crew) -> None:
    incident = uuid7()
    await crew.officer.tell(
        "officer", incident, area="bedford", occurred_at=now(), sex="male", location_type="street_or_park"
    )
    await phone.enrol("paramedic")
    await phone.page.get_by_role("button", name="Bedford").tap()
    await phone.tap("My record")
    await phone.heading("Record of contact")
    await expect(phone.page.locator("#q-sex")).to_have_count(0)
    await expect(phone.page.locator(".card").first).to_contain_text("Bedford · Street or park · Male")
    await phone.tap("Something there is wrong")
    await phone.choose("sex", "female")
    await phone.save()
    await phone.heading("Bedford")
    assert (await phone.sent("paramedic", str(incident)))["paramedic"]["sex"] == "female"


async def test_a_withdrawal_has_a_reason(phone: Handset, crew: Crew) -> None:
    await phone.enrol("officer")
    entry = await phone.record("officer", area="bedford", sex="male")
    await phone.sync()
    await phone.page.locator(f'[data-id="{entry["incident_id"]}"]').tap()
    await phone.page.locator(".row.entry").first.tap()
    await phone.tap("Withdraw this")
    await phone.tap("Entered by mistake")
    await phone.page.locator(".row.entry").nth(1).wait_for()
    withdrawal = (await phone.sent("officer", entry["incident_id"]))["withdrawal"]
    assert (withdrawal["withdraws"], withdrawal["reason"]) == (entry["id"], "entered_in_error")
    await expect(phone.page.get_by_text("withdrawn", exact=False).first).to_be_visible()

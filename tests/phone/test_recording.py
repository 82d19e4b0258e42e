"""What a thumb records, and what of it reaches the service."""

import re
from datetime import datetime
from uuid import UUID

import pytest
from playwright.async_api import expect
from support.handset import Handset
from support.phones import MINUTE, Crew, RunningService, now
from uuid_utils.compat import uuid7

from triage.store.log.tasks import NewTask, put_task

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

OFFICER: dict[str, str | list[str]] = {
    "area": "luton_town_centre", "location_type": "rail_bridge_roof", "contact_mode": "attended",
    "referral_source": "police_999", "age_band": "18_34", "sex": "male", "ethnicity": "W1",
    "legal_status": "free_to_leave",
    "immediate_danger": "yes", "consulted.role": "nurse", "offence": "none", "force_type": "none",
    "presenting": ["suicidal_intent", "intoxication_alcohol"],
}  # fmt: skip


async def test_an_intent_is_two_taps_and_says_only_what_was_tapped(phone: Handset) -> None:
    await phone.enrol("officer")
    before = now()
    await phone.new_incident("Probably")
    [own] = await phone.entries()
    intent = own["entry"]["intent"]
    assert {name: intent[name] for name in ("power", "confidence", "source")} == {
        "power": "s136",
        "confidence": 2,
        "source": "self",
    }
    assert intent["tests"] == {"mental_disorder": True, "immediate_need": True, "necessary": True}
    assert set(intent) == {"power", "confidence", "source", "tests", "formed_at"}
    assert intent["formed_at"] == own["entry"]["captured_at"]
    assert abs(datetime.fromisoformat(intent["formed_at"]) - before) < MINUTE
    assert own["state"] == "waiting"


async def test_a_power_without_confidence_has_none(phone: Handset) -> None:
    await phone.enrol("officer")
    await phone.tap("New incident")
    await phone.tap("Leave with care in place")
    await phone.heading("Record of contact")
    [own] = await phone.entries()
    assert set(own["entry"]["intent"]) == {"power", "source", "formed_at"}


async def test_only_the_test_that_was_named_is_recorded_as_not_met(phone: Handset) -> None:
    await phone.enrol("officer")
    await phone.tap("New incident")
    await phone.tap("Section 136: Possibly")
    await phone.tap("Not met: Necessary")
    await phone.heading("Record of contact")
    [own] = await phone.entries()
    assert own["entry"]["intent"]["tests"] == {"necessary": False}


async def test_another_officers_intent_carries_collar_number_and_time(phone: Handset) -> None:
    await phone.enrol("officer")
    await phone.tap("New incident")
    await phone.tap("Another officer’s")
    await phone.heading("What did the other officer mean to do?")
    await phone.tap("Arrest for an offence: Would have")
    await phone.page.get_by_label("Collar number").fill("1234")
    await phone.page.get_by_label("Time on the log").fill("00:01")
    await phone.tap("Go on")
    await phone.heading("Record of contact")
    [own] = await phone.entries()
    intent = own["entry"]["intent"]
    assert (intent["source"], intent["power"], intent["referrer"]) == ("referring_officer", "arrest_offence", "1234")
    assert datetime.fromisoformat(intent["log_time"]) <= now()


async def test_the_whole_record_of_an_officer(phone: Handset, crew: Crew) -> None:
    await phone.enrol("officer")
    await phone.new_incident()
    await phone.fill(OFFICER)
    await expect(phone.page.locator("#save")).to_have_text("Save")
    await phone.save()
    await phone.heading("Luton: town centre")
    entries = await phone.sent("officer", await phone.last_incident())
    officer = entries["officer"]
    plain = {name: value for name, value in OFFICER.items() if name != "consulted.role"}
    assert {name: officer[name] for name in plain} == plain
    assert officer["consulted"]["role"] == "nurse" and officer["consulted"]["at"] is not None
    assert datetime.fromisoformat(officer["occurred_at"]) == datetime.fromisoformat(entries["intent"]["captured_at"])
    assert await phone.rows("officer", "drafts") == []
    await expect(phone.page.locator("#status")).to_contain_text("All received")


async def test_the_first_answer_tells_the_others_and_goes_with_a_discarded_draft(phone: Handset, crew: Crew) -> None:
    await phone.enrol("officer")
    await phone.new_incident()
    await phone.fill({"area": "bedford"})
    incident = await phone.last_incident()
    first = await phone.sent("officer", incident)
    assert first["officer"]["area"] == "bedford" and first["officer"].get("sex") is None
    assert (await crew.nurse.incident(incident))["area"] == "bedford"
    await phone.tap("Discard")
    await phone.tap("Tap again to discard")
    await phone.at_home()
    entries = await phone.sent("officer", incident)
    assert entries["withdrawal"]["withdraws"] == first["officer"]["id"]
    assert await phone.rows("officer", "drafts") == []


async def test_a_double_tap_answers_one_question_and_the_chosen_answer_moves_on(phone: Handset) -> None:
    await phone.enrol("officer")
    await phone.new_incident()
    box = await phone.page.locator("#q-area label.option").nth(2).bounding_box()
    assert box is not None
    for _ in range(2):
        await phone.page.touchscreen.tap(box["x"] + 20, box["y"] + 20)
    await phone.page.wait_for_timeout(300)
    assert await phone.page.locator(".questions :checked").count() == 1
    await phone.page.locator("#q-area").scroll_into_view_if_needed()
    top = await phone.run("scrollY")
    await phone.page.locator("#q-area label.option:has(:checked)").tap()
    assert await phone.run("scrollY") > top
    next_question = await phone.page.locator("#q-location_type").bounding_box()
    assert next_question is not None and 40 < next_question["y"] < 140


async def test_a_keyboard_is_not_moved_on_and_reaches_every_answer(phone: Handset) -> None:
    await phone.enrol("officer")
    await phone.new_incident()
    await phone.page.locator("#q-area input").first.focus()
    await phone.page.keyboard.press("Space")
    top = await phone.run("scrollY")
    await phone.page.keyboard.press("ArrowDown")
    assert await phone.page.locator("#q-area :checked").count() == 1
    assert await phone.run("scrollY") == top


async def test_none_excludes_the_rest_and_no_more_than_three_are_taken(phone: Handset) -> None:
    await phone.enrol("nurse")
    await phone.tap("New incident")
    await phone.heading("Record of contact")
    checked = "[...document.querySelectorAll('#q-%s :checked')].map((input) => input.value)"
    await phone.choose("presenting", "self_harm", "mania_like", "welfare_only", "other")
    assert await phone.run(checked % "presenting") == ["self_harm", "mania_like", "welfare_only"]
    await phone.choose("referrals", "gp", "none")
    assert await phone.run(checked % "referrals") == ["none"]
    await phone.choose("referrals", "mind")
    assert await phone.run(checked % "referrals") == ["mind"]


async def test_the_back_button_leads_home_and_keeps_what_was_tapped(phone: Handset) -> None:
    await phone.enrol("officer")
    await phone.new_incident()
    await phone.fill({"area": "bedford"})
    await phone.page.go_back()
    await phone.at_home()
    await phone.page.get_by_role("button", name="Record of contact").wait_for()


async def test_an_outcome_is_four_taps_and_health_never_sees_a_constables_power(phone: Handset, crew: Crew) -> None:
    incident = uuid7()
    await crew.officer.tell("officer", incident, area="bedford", occurred_at=now())
    await phone.enrol("nurse")
    await phone.page.get_by_role("button", name="Bedford").tap()
    await phone.tap("Outcome")
    await phone.heading("Outcome")
    values = await phone.run("[...document.querySelectorAll('#q-disposal input')].map((input) => input.value)")
    assert "s135_requested" in values and not any(re.match("s13[56]_(removed|kept)", value) for value in values)
    await phone.fill({"disposal": "community_follow_up", "decided_by": "nurse", "decided_at": "30"})
    await phone.save()
    await phone.heading("Bedford")
    outcome = (await phone.sent("nurse", str(incident)))["outcome"]
    assert (outcome["disposal"], outcome["decided_by"], outcome.get("transport")) == (
        "community_follow_up",
        "nurse",
        None,
    )
    assert 29 * MINUTE < now() - datetime.fromisoformat(outcome["decided_at"]) < 32 * MINUTE


async def test_an_outcome_without_what_was_decided_is_not_saved(phone: Handset) -> None:
    await phone.enrol("officer")
    entry = await phone.record("officer", area="bedford")
    await phone.sync()
    await phone.page.locator(f'[data-id="{entry["incident_id"]}"]').tap()
    await phone.tap("Outcome")
    await phone.heading("Outcome")
    await phone.save()
    await expect(phone.page.locator("#notice")).to_have_text("Answer this first: What was decided")


async def test_more_is_offered_only_where_there_is_more(phone: Handset) -> None:
    await phone.enrol("officer")
    entry = await phone.record("officer", area="bedford")
    await phone.sync()
    await phone.page.locator(f'[data-id="{entry["incident_id"]}"]').tap()
    await phone.tap("Outcome")
    await phone.heading("Outcome")
    await expect(phone.page.locator("summary")).to_be_hidden()
    await phone.choose("disposal", "s136_removed")
    await phone.page.locator("summary").tap()
    await expect(phone.page.locator("#q-location_type")).to_be_visible()


async def test_a_detention_that_was_not_sent_yet_has_its_clock(phone: Handset) -> None:
    await phone.enrol("officer")
    entry = await phone.record("officer", area="bedford")
    await phone.sync()
    await phone.context.set_offline(True)
    await phone.page.locator(f'[data-id="{entry["incident_id"]}"]').tap()
    await phone.tap("Detention")
    await phone.heading("Detention")
    await phone.fill({"event": "arrived_site", "place_of_safety": "health_based", "at": "60"})
    await phone.save()
    await phone.heading("Bedford")
    await expect(phone.page.locator(".clock")).to_contain_text("22 h 59 left")


async def test_at_a_police_station_the_conditions_are_asked_and_the_health_check_is_one_tap(
    phone: Handset, crew: Crew
) -> None:
    await phone.enrol("officer")
    entry = await phone.record("officer", area="bedford")
    await phone.sync()
    await phone.page.locator(f'[data-id="{entry["incident_id"]}"]').tap()
    await phone.tap("Detention")
    await phone.heading("Detention")
    await phone.fill({
        "event": "arrived_site", "place_of_safety": "police_station", "station_tests.imminent_risk": "true",
        "station_tests.no_other_place": "true", "station_tests.healthcare_available": "false",
        "authorised_rank": "inspector",
    })  # fmt: skip
    await phone.context.set_offline(True)
    await phone.save()
    await phone.heading("Bedford")
    await expect(phone.page.get_by_role("button", name="Health check done now")).to_be_visible()  # before it is sent
    await phone.context.set_offline(False)
    detention = (await phone.sent("officer", entry["incident_id"]))["detention"]
    assert detention["station_tests"] == {"imminent_risk": True, "no_other_place": True, "healthcare_available": False}
    assert detention["authorised_rank"] == "inspector"
    await phone.tap("Health check done now")
    await phone.heading("Bedford")
    assert (await phone.sent("officer", entry["incident_id"]))["detention"]["event"] == "health_check"


async def test_an_extension_says_how_long_why_and_by_whom(phone: Handset) -> None:
    await phone.enrol("nurse")
    entry = await phone.record("nurse", area="bedford")
    await phone.record(
        "detention",
        entry["incident_id"],
        event="arrived_site",
        at=entry["captured_at"],
        power="s136",
        place_of_safety="health_based",
    )
    await phone.sync()
    await phone.page.locator(f'[data-id="{entry["incident_id"]}"]').tap()
    await phone.tap("Detention")
    await phone.heading("Detention")
    await phone.choose("event", "extended")
    await phone.page.get_by_label("Extended by: minutes").fill("900")
    await phone.page.keyboard.press("Tab")
    await expect(phone.page.locator("#notice")).to_have_text("A whole number from 1 to 720")
    await phone.page.get_by_label("Extended by: minutes").fill("90")
    await phone.page.keyboard.press("Tab")
    await phone.fill({"ground": "condition", "authorised_by": "responsible_doctor"})
    await phone.save()
    await phone.heading("Bedford")
    extended = (await phone.sent("clinical_lead", entry["incident_id"]))["detention"]
    assert (extended["minutes"], extended["ground"], extended["authorised_by"]) == (
        90,
        "condition",
        "responsible_doctor",
    )


async def test_a_stand_down_asks_three_things_and_sends_a_contact_and_an_outcome(phone: Handset, crew: Crew) -> None:
    await phone.enrol("officer")
    await phone.tap("Stood down")
    await phone.heading("Stood down")
    await phone.fill(
        {"disposal": "not_attended", "reason": "too_far", "area": "bedford", "referral_source": "control_room"}
    )
    await phone.save()
    await phone.heading("Bedford")
    entries = await phone.sent("officer", await phone.last_incident())
    assert (entries["outcome"]["disposal"], entries["outcome"]["reason"]) == ("not_attended", "too_far")
    assert (entries["officer"]["area"], entries["officer"]["referral_source"]) == ("bedford", "control_room")


async def test_an_nhs_number_is_sent_at_once_and_kept_nowhere(phone: Handset, crew: Crew) -> None:
    await phone.enrol("nurse")
    entry = await phone.record("nurse", area="bedford", s136_justified="cannot_say")
    await phone.sync()
    await phone.page.locator(f'[data-id="{entry["incident_id"]}"]').tap()
    await phone.tap("NHS number")
    await phone.page.get_by_label("NHS number").fill("943 476 5919")
    await phone.context.set_offline(True)
    await phone.tap("Send")
    await expect(phone.page.locator("#notice")).to_have_text("No connection")
    await phone.context.set_offline(False)
    await phone.tap("Send")
    await phone.heading("Bedford")
    link = (await phone.sent("nurse", entry["incident_id"]))["person_link"]
    assert link["person_id"]
    assert "9434765919" not in str(await phone.entries())


async def test_training_counts_nowhere_and_says_so_on_every_screen(phone: Handset, crew: Crew) -> None:
    await phone.enrol("officer")
    await phone.tap("About this phone")
    await phone.page.get_by_label("Training: what I record counts nowhere").tap()
    await phone.page.get_by_label("Your car").fill("ST1")
    await phone.tap("Back")
    await expect(phone.page.locator("#status")).to_contain_text("Training")
    await phone.new_incident()
    [own] = await phone.entries()
    assert (own["entry"]["test"], own["entry"]["car"]) == (True, "ST1")


async def test_a_question_from_the_lead_opens_the_record_it_is_about_and_the_answer_names_it(
    phone: Handset, crew: Crew, service: RunningService
) -> None:
    await phone.enrol("officer")
    entry = await phone.record("officer", area="bedford", sex="male", offence="none")
    await phone.sync()
    question = NewTask(
        id=uuid7(), incident_id=UUID(entry["incident_id"]), kind="ask", addressee=crew.officer.staff_id,
        about="offence", text="Was there an offence before you came?",
    )  # fmt: skip
    await put_task(service.service.database, service.service.keys, await crew.sergeant.actor(), question)
    await phone.sync()
    await phone.page.get_by_role("button", name=question.text).tap()
    await phone.heading("Correct: record of contact")
    await expect(phone.page.locator(".ask")).to_contain_text(question.text)
    await phone.fill({"offence": "alleged_minor", "amendment.reason": "learnt_later"})
    await phone.save()
    await phone.heading("Bedford")
    amendment = (await phone.sent("officer", entry["incident_id"]))["amendment"]
    assert (amendment["amends"], amendment["entry"]["offence"]) == (entry["id"], "alleged_minor")
    await phone.sync()
    await phone.page.go_back()
    await phone.at_home()
    await expect(phone.page.get_by_text(question.text)).to_have_count(0)


async def test_a_condition_is_a_question_of_its_own_and_not_part_of_another(phone: Handset) -> None:
    await phone.enrol("officer")
    await phone.new_incident()
    await phone.choose("location_type", "hotel_hostel_room")
    assert await phone.page.locator(".questions > #q-someone_lives_there").count() == 1
    assert await phone.page.locator("fieldset fieldset").count() == 0

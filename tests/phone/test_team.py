"""Two phones and one car, the blind order of the nurse, and a day of a team driven by three phones at once."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from io import BytesIO
from typing import Any
from uuid import uuid4

import pytest
import zxingcpp
from PIL import Image, ImageOps
from playwright.async_api import expect
from support.handset import CAMERA_THAT_SEES, Handset
from support.phones import Crew, RunningService, now
from test_recording import OFFICER
from uuid_utils.compat import uuid7

from triage.jobs.publish import publish
from triage.store.summaries import calendars
from triage.summaries.schedule import slot
from triage.times import operational_day, period_of

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

Answers = dict[str, str | list[str]]

JUDGED: Answers = {"s136_justified": "yes", "told_intent": "false", "assessment": "face_to_face"}
NURSE = JUDGED | {
    "advice": "s136_not_recommended", "known_to_services": "previous", "crisis_plan": "none", "safety_plan": "made",
}  # fmt: skip
PARAMEDIC: Answers = {
    "physical_need": "treat_on_scene", "initial_plan": "no_ed", "conveyed": "not_conveyed",
    "capacity_to_decide_care": "presumed",
}  # fmt: skip


async def send_all(phone: Handset) -> None:
    await phone.nothing_held()
    await phone.sync()
    await expect(phone.page.locator("#status")).to_contain_text("All received")


async def row_of(phone: Handset, incident: str) -> Any:
    await phone.sync()
    row = phone.page.locator(f'[data-id="{incident}"]')
    await row.wait_for()
    return row


async def test_the_nurses_phone_finds_the_incident_while_the_officer_still_writes(phones: Callable[..., Any]) -> None:
    officer, nurse = await phones("officer"), await phones("nurse")
    await officer.new_incident()
    await officer.fill({"area": "luton_airport"})
    await officer.nothing_held()
    await officer.sync()
    incident = (await officer.entries())[0]["incident"]
    await (await row_of(nurse, incident)).tap()
    await nurse.heading("Luton: airport")


async def test_one_phone_shows_the_incident_and_the_other_reads_it(phones: Callable[..., Any]) -> None:
    officer = await phones("officer")
    entry = await officer.record("officer", area="bedford")
    await officer.sync()
    await officer.page.locator(f'[data-id="{entry["incident_id"]}"]').tap()
    await officer.tap("Share with the car")
    picture = await officer.page.locator(".qr").screenshot()
    [code] = zxingcpp.read_barcodes(Image.open(BytesIO(picture)))
    assert code.text == f"triage:{entry['incident_id']}"


async def test_a_reader_reads_the_picture_of_every_incident(phone: Handset) -> None:
    texts = [f"triage:{uuid4()}" for _ in range(50)]
    drawn = await phone.run("(texts) => import('/app/qr.js').then(({qrCode}) => texts.map(qrCode))", texts)
    for text, modules in zip(texts, drawn, strict=True):
        picture = Image.new("L", (len(modules),) * 2)
        picture.putdata([0 if dark else 255 for row in modules for dark in row])
        picture = ImageOps.expand(picture, 4, 255)
        [code] = zxingcpp.read_barcodes(picture.resize((4 * picture.width,) * 2))
        assert code.text == text


async def test_a_scanned_incident_that_has_not_arrived_yet_is_joined_all_the_same(phones: Callable[..., Any]) -> None:
    nurse = await phones("nurse", permissions=["camera"])
    incident = "01a21800-0000-7000-8000-000000000001"
    await nurse.run(CAMERA_THAT_SEES, ["https://example.com", f"triage:{incident}"])
    await nurse.tap("Join the car")
    await nurse.tap("Scan their picture")
    await nurse.heading("Record of contact")
    await nurse.fill(JUDGED)
    await nurse.save()
    await nurse.heading("Place not recorded")
    assert {own["incident"] for own in await nurse.entries()} == {incident}


async def test_without_a_camera_it_is_picked_from_the_list_or_by_its_log_number(
    phones: Callable[..., Any], crew: Crew
) -> None:
    incident = uuid7()
    await crew.officer.tell("officer", incident, area="bedford", occurred_at=now(), log_ref="BP-20261126-0417")
    nurse = await phones("nurse")
    await nurse.tap("Join the car")
    await nurse.page.locator(f'[data-id="{incident}"]').wait_for()
    assert await nurse.run("'BarcodeDetector' in window") is False
    await expect(nurse.page.get_by_role("button", name="Scan their picture")).to_have_count(0)
    await nurse.page.get_by_label("Log number").fill("bp 20261126 0417")
    await nurse.tap("Join")
    await nurse.heading("Bedford")
    await nurse.page.go_back()
    await nurse.tap("Join the car")
    await nurse.page.get_by_label("Log number").fill("CAD-9")
    await nurse.tap("Join")
    await nurse.heading("Place not recorded")
    assert [own["entry"]["log_ref"] for own in await nurse.entries()] == ["CAD-9"]


async def test_the_nurse_is_shown_nothing_of_the_officers_mind_until_she_has_judged(
    phones: Callable[..., Any], crew: Crew
) -> None:
    officer, nurse = await phones("officer"), await phones("nurse")
    await officer.new_incident()
    await officer.fill({"area": "luton_airport", "location_type": "street_or_park", "immediate_danger": "yes"})
    await officer.save()
    await send_all(officer)
    incident = (await officer.entries())[0]["incident"]
    await (await row_of(nurse, incident)).tap()
    await nurse.heading("Luton: airport")
    shown = await nurse.page.locator("body").inner_text()
    assert not any(word in shown for word in ("Would have", "Intent", "Section 136", "intend"))
    held = await nurse.run("import('/app/state.js').then(({session}) => JSON.stringify(session.incidents))")
    assert "intents" not in held and "s136" not in held
    await nurse.tap("My record")
    await nurse.heading("Record of contact")
    legends = await nurse.page.locator(".questions legend").all_inner_texts()
    assert legends[0].startswith("Would Section 136 be justified now?") and legends[1].startswith(
        "Has anybody told you"
    )
    await expect(nurse.page.locator(".safety")).to_contain_text("Immediate danger was recorded")
    await nurse.fill(NURSE)
    await nurse.save()
    await nurse.heading("Luton: airport")
    await send_all(nurse)
    judgement = next(entry for entry in await crew.clinical_lead.entries(incident) if entry["kind"] == "nurse")
    assert judgement["blind"] is True


async def test_a_day_of_a_team_stands_in_the_daily_summary(
    phones: Callable[..., Any], crew: Crew, service: RunningService
) -> None:
    officer, nurse, paramedic = await asyncio.gather(phones("officer"), phones("nurse"), phones("paramedic"))
    incidents = []
    for area in ("luton_north", "luton_west", "bedford"):
        await officer.new_incident()
        await officer.fill(OFFICER | {"area": area})
        await officer.save()
        incidents.append((await officer.entries())[-1]["incident"])
        for phone in (nurse, paramedic):
            await phone.keep_awake()
        await officer.page.go_back()
        await officer.at_home()
    await send_all(officer)

    async def join(phone: Handset, answers: Answers) -> None:
        for incident in incidents:
            await (await row_of(phone, incident)).tap()
            await phone.tap("My record")
            await phone.heading("Record of contact")
            await phone.fill(answers)
            await phone.save()
            await phone.page.locator(".row.entry").wait_for()
            await phone.page.go_back()
            await phone.at_home()
        await send_all(phone)

    async def decide(phone: Handset, incident: str, outcome: Answers) -> None:
        await phone.keep_awake()
        await (await row_of(phone, incident)).tap()
        await phone.tap("Outcome")
        await phone.heading("Outcome")
        await phone.fill(outcome)
        await phone.save()
        await phone.page.locator(".row.entry", has_text="Outcome").wait_for()
        await phone.page.go_back()
        await phone.at_home()
        await send_all(phone)

    await asyncio.gather(join(nurse, NURSE), join(paramedic, PARAMEDIC))
    await decide(nurse, incidents[0], {"disposal": "community_follow_up", "decided_by": "nurse"})
    await decide(nurse, incidents[1], {"disposal": "signposted", "decided_by": "nurse"})
    removed: Answers = {"disposal": "s136_removed", "decided_by": "officer", "transport": "ambulance"}
    await decide(officer, incidents[2], removed)
    for who, phone in {"officer": officer, "nurse": nurse, "paramedic": paramedic}.items():
        assert phone.faults == [] and set(await phone.states(who)) == {"received"}

    team = await calendars.team(service.service.database, crew.team_id)
    today = period_of("daily", operational_day(now()))
    assert await publish(service.service.database, team, slot(today, team.calendar), now() + timedelta(days=1))
    summary = await crew.sergeant.see(f"/v1/summaries/daily/{today.name}")
    measures = {measure["code"]: measure for measure in summary["measures"]}

    def printed(code: str) -> dict[str, float]:
        return {row["code"]: row["value"] for row in measures[code]["rows"] if row["value"]}

    assert measures["incidents"]["value"] == 3
    assert printed("incidents_by_area") == {"luton_north": 1, "luton_west": 1, "bedford": 1}
    assert printed("outcomes") == {"community_follow_up": 1, "signposted": 1, "s136_removed": 1}
    assert printed("powers_used") == {"none": 2, "s136": 1}
    assert printed("considered_by_grade") == {"A": 2, "used": 1}

"""The forms: each becomes one entry or task, however often it is sent; odd answers are asked again once."""

from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import httpx
import pytest
from browsing import Browser, forms, signed_in, text
from scenes import detained_for, kinds, reported_twice
from support.phones import HOUR, S136, Crew, RunningService, now
from uuid_utils.compat import uuid7

LONDON = ZoneInfo("Europe/London")


def at(instant: datetime, name: str = "at") -> dict[str, str]:
    """Day and time as the form's two inputs."""
    local = instant.astimezone(LONDON)
    return {f"{name}_day": local.date().isoformat(), f"{name}_time": local.strftime("%H:%M")}


async def send(browser: Browser, incident: UUID, what: str, query: str = "", **typed: str) -> httpx.Response:
    """Open a form and send it filled in."""
    address = f"/review/incidents/{incident}/{what}"
    return await browser.press(await browser.read(address + query), address, **typed)


async def test_an_end_is_two_presses_from_today_and_one_entry_however_often_it_is_sent(
    service: RunningService, crew: Crew
) -> None:
    incident = await detained_for(crew, 25)
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        assert f'href="/review/incidents/{incident}/end"' in await sergeant.read("/review")
        address = f"/review/incidents/{incident}/end"
        page = await sergeant.read(address)
        answers = [await sergeant.press(page, address, result="unknown", **at(now() - HOUR)) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [303] * 3
        said = text(await sergeant.read(answers[0].headers["location"]))
        assert "The end is recorded." in said and "Undo" in said
        assert "Nobody is detained" in text(await sergeant.read("/review"))
    detentions = await kinds(crew, "detention")
    assert detentions == [("detention", crew.officer.staff_id), ("detention", crew.sergeant.staff_id)]


async def test_what_a_form_recorded_can_be_undone_where_it_was_made(service: RunningService, crew: Crew) -> None:
    incident = await detained_for(crew, 5)
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        answer = await send(sergeant, incident, "end", result="unknown", **at(now()))
        page = await sergeant.read(answer.headers["location"])
        undo = page.split('">Undo</a>')[0].rsplit('href="', 1)[1]
        withdrawal = await sergeant.read(undo)
        address = f"/review/incidents/{incident}/withdraw"
        assert (await sergeant.press(withdrawal, address, reason="entered_in_error")).status_code == 303
        assert "Detained now: 1" in await sergeant.read("/review")


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({}, "Enter the day and the time."),
        ({"at_day": "yesterday", "at_time": "10:00"}, "cannot be read"),
        ({"at_day": "2026-03-29", "at_time": "01:30"}, "it did not exist"),
        ({"at_day": "1987-01-01", "at_time": "10:00"}, "outside 2000 to 2100"),
    ],
)
async def test_a_fault_is_told_at_its_field_with_the_rest_kept(
    service: RunningService, crew: Crew, typed: dict[str, str], said: str
) -> None:
    incident = await detained_for(crew, 2)
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        answer = await send(sergeant, incident, "end", result="custody", **typed)
    assert answer.status_code == 422
    assert "There is a problem" in answer.text and said in answer.text and 'href="#at-time"' in answer.text
    assert 'value="custody" checked' in answer.text
    assert await kinds(crew, "detention") == [("detention", crew.officer.staff_id)]


@pytest.mark.parametrize(
    ("shift", "said"), [(timedelta(hours=2), "in the future"), (-timedelta(hours=9), "before the detention began")]
)
async def test_an_odd_time_is_asked_again_once_and_then_stored(
    service: RunningService, crew: Crew, shift: timedelta, said: str
) -> None:
    incident = await detained_for(crew, 2)
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        address = f"/review/incidents/{incident}/end"
        asked = await send(sergeant, incident, "end", result="unknown", **at(now() + shift))
        assert asked.status_code == 422 and said in text(asked.text)
        confirmed = await sergeant.press(asked.text, address, result="unknown")
        assert confirmed.status_code == 303
    assert (await kinds(crew, "detention"))[-1] == ("detention", crew.sergeant.staff_id)


async def test_a_form_that_has_gone_stale_says_what_changed_and_stores_nothing(
    service: RunningService, crew: Crew
) -> None:
    incident = await detained_for(crew, 2)
    address = f"/review/incidents/{incident}/end"
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        page = await sergeant.read(address)
        await crew.officer.tell("detention", incident, event="ended", at=now(), result="custody")
        stale = await sergeant.press(page, address, result="unknown", **at(now()))
        assert stale.status_code == 409
        assert "This incident changed while the form was open" in stale.text and "Detention event" in stale.text
        assert (await kinds(crew, "detention"))[-1] == ("detention", crew.officer.staff_id)
        again = await sergeant.press(stale.text, address, result="unknown")
        assert again.status_code == 303


async def test_a_sergeants_form_never_holds_a_result_ground_or_reason_of_health(
    service: RunningService, crew: Crew
) -> None:
    incident = await detained_for(crew, 2)
    async with (
        signed_in(service, crew.sergeant, crew.team_id) as sergeant,
        signed_in(service, crew.clinical_lead, crew.team_id) as lead,
    ):
        police = await sergeant.read(f"/review/incidents/{incident}/end")
        health = await lead.read(f"/review/incidents/{incident}/end")
        assert "detained_s2" in health and "detained_s2" not in police and 'value="custody"' in police
        outcomes = await lead.read(f"/review/incidents/{incident}/outcome")
        assert "s136_removed" not in outcomes and "community_follow_up" in outcomes


async def test_an_extension_moves_the_clock_only_on_the_ground_of_the_law(service: RunningService, crew: Crew) -> None:
    incident = await detained_for(crew, 23)
    length = {"minutes_hours": "6", "minutes_minutes": "30", "authorised_by": "responsible_doctor"}
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        await send(sergeant, incident, "extend", ground="no_bed", **length, **at(now()))
        assert (await crew.officer.incident(incident))["detention"]["extended_minutes"] == 0
        answer = await send(sergeant, incident, "extend", ground="condition", **length, **at(now()))
        assert answer.status_code == 303
    assert (await crew.officer.incident(incident))["detention"]["extended_minutes"] == 390


async def test_an_arrival_starts_a_clock_that_was_unknown(service: RunningService, crew: Crew) -> None:
    incident = uuid7()
    await crew.officer.tell("officer", incident, occurred_at=now() - HOUR, area="bedford", legal_status="s136")
    await crew.officer.tell("detention", incident, event="began", at=now() - HOUR, power="s136")
    async with signed_in(service, crew.clinical_lead, crew.team_id) as lead:
        answer = await send(lead, incident, "arrival", place_of_safety="health_based", **at(now()))
        assert answer.status_code == 303
    assert (await crew.officer.incident(incident))["detention"]["expires_at"]


async def test_section_136_by_somebody_else_is_asked_again_and_then_stored_with_its_notice(
    service: RunningService, crew: Crew
) -> None:
    incident = uuid7()
    await crew.officer.tell("officer", incident, occurred_at=now() - HOUR, area="bedford")
    typed = {"disposal": "s136_removed", "decided_by": "nurse", **at(now(), "decided_at")}
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        asked = await send(sergeant, incident, "outcome", **typed)
        assert asked.status_code == 422 and "Only a constable holds the power" in asked.text
        assert 'value="s136_removed" selected' in asked.text
        address = f"/review/incidents/{incident}/outcome"
        answer = await sergeant.press(asked.text, address, **typed)
        assert answer.status_code == 303
    assert "power_not_held" in (await crew.sergeant.incident(incident))["flags"]


async def test_linking_asks_for_the_true_reason_and_is_undone_where_it_was_made(
    service: RunningService, crew: Crew
) -> None:
    first, other = await reported_twice(crew)
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        query = f"?other={other}&back=queue"
        without = await send(sergeant, first, "link", query)
        assert without.status_code == 422 and await kinds(crew, "same_incident") == []
        answer = await send(sergeant, first, "link", query, reason="sent_twice")
        assert answer.headers["location"] == "/review/queue"
        assert "Undo" in await sergeant.read("/review/queue")
        apart = await send(sergeant, first, "apart", f"?other={other}", reason="linked_in_error")
        assert apart.status_code == 303
    rows = await crew.fetch("SELECT body FROM entry WHERE team_id = $1 AND kind = 'same_incident'")
    assert b'"sent_twice"' in rows[0]["body"]
    assert (await crew.officer.incident(first))["id"] != (await crew.officer.incident(other))["id"]


async def test_linking_by_log_reference_asks_which_where_several_have_it(service: RunningService, crew: Crew) -> None:
    first, _ = await reported_twice(crew)
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        nobody = await send(sergeant, first, "link", log_ref="BP-99", reason="sent_twice")
        assert nobody.status_code == 422 and "No other incident has this reference." in nobody.text
        third = uuid7()
        await crew.officer.tell("officer", third, log_ref="BP-77", area="luton_west", occurred_at=now() - 9 * HOUR)
        several = await send(sergeant, first, "link", log_ref="BP-77", reason="sent_twice")
        assert "Which incident is the same as" in text(several.text) and str(third) in several.text
    assert await kinds(crew, "same_incident") == []


async def test_nobody_links_what_they_may_not_see(service: RunningService, crew: Crew, other_crew: Crew) -> None:
    first, _ = await reported_twice(crew)
    elsewhere = await detained_for(other_crew, 1)
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        answer = await send(sergeant, first, "link", f"?other={elsewhere}", reason="sent_twice")
        assert answer.status_code == 404
    assert await kinds(crew, "same_incident") == []


async def test_that_the_24_hours_were_checked_is_recorded_with_its_sources(service: RunningService, crew: Crew) -> None:
    incident = uuid7()
    await crew.officer.tell("officer", incident, occurred_at=now() - 30 * HOUR, area="bedford")
    async with signed_in(service, crew.clinical_lead, crew.team_id) as lead:
        address = f"/review/incidents/{incident}/follow-up"
        [fields] = [fields for to, fields in forms(await lead.read(address)) if to == address]
        typed = fields | {"event": "window_checked", **at(now())}
        typed |= {"sources": "trust_record,ed"}
        answer = await lead.send(address, typed)
        assert answer.status_code == 303, text(answer.text)
    rows = await crew.fetch("SELECT body FROM entry WHERE team_id = $1 AND kind = 'follow_up'")
    assert b'"sources":["trust_record","ed"]' in rows[0]["body"]


async def test_a_person_is_linked_and_unlinked_and_never_shown(service: RunningService, crew: Crew) -> None:
    incident = uuid7()
    await crew.officer.tell("officer", incident, area="bedford")
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        nothing = await send(sergeant, incident, "person", reason="record_checked")
        assert nothing.status_code == 422
        answer = await send(sergeant, incident, "person", police_ref="PR-4711-88", reason="record_checked")
        assert answer.status_code == 303, text(answer.text)
        page = await sergeant.read(f"/review/incidents/{incident}")
        assert "PR-4711-88" not in page and "Unlink the person" in page
        entry = page.split("/person-unlink?entry=")[1].split('"')[0]
        unlinked = await send(sergeant, incident, "person-unlink", f"?entry={entry}", reason="wrong_person")
        assert unlinked.status_code == 303
    assert [kind for kind, _ in await kinds(crew, "person_link", "person_unlink")] == ["person_link", "person_unlink"]


async def test_the_lead_amends_for_her_own_profession_only_and_what_she_may_not_see_is_kept(
    service: RunningService, crew: Crew
) -> None:
    incident = uuid7()
    contact = await crew.officer.tell("officer", incident, area="bedford", sex="male", note="as it was")
    ended = await crew.officer.tell("detention", incident, event="ended", at=now(), result="detained_s2", power="s136")
    async with (
        signed_in(service, crew.sergeant, crew.team_id) as sergeant,
        signed_in(service, crew.clinical_lead, crew.team_id) as lead,
    ):
        refused = await lead.open(f"/review/incidents/{incident}/amend?entry={contact['id']}")
        assert refused.status_code == 403
        answer = await send(
            sergeant, incident, "amend", f"?entry={contact['id']}", sex="female", amend_reason="wrong_code"
        )
        assert answer.status_code == 303, text(answer.text)
        hidden = await send(
            sergeant, incident, "amend", f"?entry={ended['id']}", event="ended", amend_reason="wrong_time", **at(now())
        )
        assert hidden.status_code == 303, text(hidden.text)
    seen = await crew.clinical_lead.incident(incident)
    assert (seen["sex"], seen["area"], seen["detention"]["result"]) == ("female", "bedford", "detained_s2")
    notes = [entry.get("note") for entry in await crew.officer.entries(incident) if entry["kind"] == "officer"]
    assert notes == ["as it was"]


async def test_an_ask_goes_to_an_author_of_ones_own_side_who_alone_closes_it(
    service: RunningService, crew: Crew
) -> None:
    incident = uuid7()
    await crew.officer.tell("officer", incident, area="bedford")
    await crew.nurse.tell("nurse", incident, area="bedford")
    to = str(crew.officer.staff_id)
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        page = await sergeant.read(f"/review/incidents/{incident}/ask")
        assert to in page and str(crew.nurse.staff_id) not in page
        flagged = await send(sergeant, incident, "ask", to=to, about="age", text="Ring John Smith on 07700 900123")
        assert flagged.status_code == 422 and "looks like a name" in flagged.text
        to_nurse = await send(sergeant, incident, "ask", to=str(crew.nurse.staff_id), about="age")
        assert to_nurse.status_code == 422
        answer = await send(sergeant, incident, "ask", to=to, about="age", text="Was the age read off a card?")
        assert answer.status_code == 303, text(answer.text)
        page = await sergeant.read(f"/review/incidents/{incident}")
        assert "Was the age read off a card?" in text(page)
        assert ". Open" in text(page)
        [question] = (await crew.officer.sync(cursor=None))["asks"]
        await crew.sergeant.tell("outcome", incident, disposal="carer_or_home", decided_at=now(), decided_by="officer")
        assert ". Open" in text(await sergeant.read(f"/review/incidents/{incident}"))
        await crew.officer.tell("officer", incident, area="bedford", age=34, answers=question["id"])
        assert ". Answered" in text(await sergeant.read(f"/review/incidents/{incident}"))
    assert (await crew.officer.sync(cursor=None))["asks"] == []


async def test_a_chase_is_shown_on_today_with_whom_and_by_when(service: RunningService, crew: Crew) -> None:
    incident = uuid7()
    await crew.officer.tell("officer", incident, area="bedford", occurred_at=now() - 20 * HOUR)
    due = now() + 2 * HOUR
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        await send(sergeant, incident, "assign", to=str(crew.officer.staff_id), **at(due, "due_at"))
        said = text(await sergeant.read("/review"))
    assert f"With officer, by {due.astimezone(LONDON):%H:%M}" in said or "With officer, by tomorrow" in said


async def test_nothing_is_lost_when_the_session_has_ended(service: RunningService, crew: Crew) -> None:
    incident = await detained_for(crew, 5)
    address = f"/review/incidents/{incident}/end"
    typed = {"result": "custody", **at(now())}
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        page = await sergeant.read(address)
        sergeant.client.cookies.clear()
        locked = await sergeant.press(page, address, **typed)
        assert locked.status_code == 401 and "Nothing was stored." in text(locked.text)
        assert (await kinds(crew, "detention")) == [("detention", crew.officer.staff_id)]
        issued = await crew.sergeant.post("/v1/enrolments", {"staff_id": str(crew.sergeant.staff_id)})
        wrong = await sergeant.press(locked.text, "/review/sign-in", code="2222-3333-4444")
        assert wrong.status_code == 422 and "Nothing was stored." in text(wrong.text)
        back = await sergeant.press(wrong.text, "/review/sign-in", code=issued.json()["code"])
        assert "Nothing is stored yet" in text(back.text)
        again = await sergeant.press(back.text, address, look="1")
        assert again.status_code == 200 and 'value="custody" checked' in again.text
        stored = await sergeant.press(again.text, address, **typed)
        assert stored.status_code == 303
    assert (await kinds(crew, "detention"))[-1] == ("detention", crew.sergeant.staff_id)


async def test_what_somebody_else_typed_is_not_handed_over(service: RunningService, crew: Crew) -> None:
    incident = await detained_for(crew, 5)
    address = f"/review/incidents/{incident}/end"
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        page = await sergeant.read(address)
        await sergeant.press(await sergeant.read("/review"), "/review/sign-out")
        ended = {k: v for k, v in sergeant.client.cookies.items() if "review" in k}
        assert not ended
        locked = await sergeant.press(page, address, result="custody", **at(now()))
        issued = await crew.clinical_lead.post("/v1/enrolments", {"staff_id": str(crew.clinical_lead.staff_id)})
        back = await sergeant.press(locked.text, "/review/sign-in", code=issued.json()["code"])
    assert back.status_code in (200, 403)


async def test_an_intent_may_not_be_amended_away_by_a_form_of_another_side(service: RunningService, crew: Crew) -> None:
    incident = uuid7()
    intent = await crew.officer.tell("intent", incident, intent=S136)
    await crew.officer.tell("officer", incident, area="bedford")
    async with signed_in(service, crew.clinical_lead, crew.team_id) as lead:
        answer = await lead.open(f"/review/incidents/{incident}/withdraw?entry={intent['id']}")
    assert answer.status_code == 404


async def test_an_intent_may_be_withdrawn_but_no_form_puts_it_into_other_words(
    service: RunningService, crew: Crew
) -> None:
    incident = uuid7()
    intent = await crew.officer.tell("intent", incident, intent=S136)
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        page = await sergeant.read(f"/review/incidents/{incident}")
        assert f"/withdraw?entry={intent['id']}" in page and "/amend?entry=" not in page
        assert (await sergeant.open(f"/review/incidents/{incident}/amend?entry={intent['id']}")).status_code == 404

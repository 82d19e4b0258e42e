"""What the sergeant and the clinical lead read on the review pages, and what their buttons write."""

from datetime import date, time, timedelta
from uuid import UUID

import pytest
from browsing import Browser, forms, signed_in, text
from support.phones import DAY, HOUR, S136, Crew, RunningService, entry, now
from uuid_utils.compat import uuid7

from triage.jobs.publish import publish, restate
from triage.store.summaries import calendars, publications
from triage.summaries.schedule import slot
from triage.times import due_at, operational_day, period_of


async def held_for(crew: Crew, hours: float) -> UUID:
    """Somebody detained under s136 who arrived so many hours ago."""
    incident, arrived = uuid7(), now() - hours * HOUR
    await crew.officer.tell("officer", incident, occurred_at=arrived - HOUR, area="bedford", legal_status="s136")
    await crew.officer.tell(
        "outcome", incident, disposal="s136_removed", decided_at=arrived - HOUR / 2, decided_by="officer"
    )
    await crew.officer.tell("detention", incident, event="arrived_site", at=arrived, place_of_safety="health_based")
    return incident


async def reported_twice(crew: Crew) -> tuple[UUID, UUID]:
    """One incident under two ids."""
    one, other = uuid7(), uuid7()
    await crew.officer.tell("officer", one, log_ref="BP-77", area="bedford")
    await crew.nurse.tell("nurse", other, log_ref="BP-77", area="bedford")
    return one, other


async def settled(crew: Crew) -> list[tuple[str, UUID]]:
    """Every statement about two incidents in the log: kind and author."""
    rows = await crew.fetch(
        "SELECT kind, author FROM entry WHERE team_id = $1 AND kind IN ('same_incident', 'not_same_incident') "
        "ORDER BY seq"
    )
    return [(row["kind"], row["author"]) for row in rows]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/review/incidents/0193a000-0000-7000-8000-000000000001", 404),
        ("/review/incidents/nobody", 404),
        ("/review/summaries/hourly/2026-11-22", 404),
        ("/review/summaries/weekly/2026-W60", 404),
        ("/review/summaries/daily/2026-11-22", 404),
        ("/review/summaries/daily/2026-11-22?edition=0x1", 404),
        ("/review/trends?by=year", 400),
        ("/review/chase?after=here", 400),
        ("/review/queue?more=1", 400),
        ("/review/nothing", 404),
    ],
)
async def test_what_is_not_there_says_so_on_a_page(service: RunningService, crew: Crew, path: str, status: int) -> None:
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        assert (await sergeant.open(path)).status_code == status


async def test_another_teams_incident_is_not_there(service: RunningService, crew: Crew, other_crew: Crew) -> None:
    incident = await held_for(other_crew, 2)
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        assert (await sergeant.open(f"/review/incidents/{incident}")).status_code == 404
        assert str(incident) not in await sergeant.read("/review")


async def test_an_empty_team_has_pages_too(service: RunningService, crew: Crew) -> None:
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        assert "None." in text(await sergeant.read("/review"))
        assert "Nothing is missing." in text(await sergeant.read("/review/chase"))
        assert "No summary is published yet." in text(await sergeant.read("/review/day"))
        assert "No week is published yet." in text(await sergeant.read("/review/trends"))
        assert "None." in text(await sergeant.read("/review/queue"))
    assert await crew.consultations() == []


async def test_clocks_show_the_time_left_when_the_page_was_made(service: RunningService, crew: Crew) -> None:
    await held_for(crew, 2)
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        said = text(await sergeant.read("/review"))
    assert "1 Open detentions" in said
    assert "21 hours 59 minutes left, until " in said or "22 hours 0 minutes left, until " in said


async def test_an_expiry_that_passed_is_urgent(service: RunningService, crew: Crew) -> None:
    await held_for(crew, 25.5)
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        page = await sergeant.read("/review")
    assert "Expired 1 hour 30 minutes ago" in text(page) and 'class="clock urgent"' in page


async def test_a_clock_without_an_arrival_is_unknown(service: RunningService, crew: Crew) -> None:
    incident = uuid7()
    await crew.officer.tell("officer", incident, occurred_at=now() - HOUR, area="bedford", legal_status="s136")
    await crew.officer.tell("detention", incident, event="began", at=now() - HOUR)
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        assert "Clock unknown: no arrival recorded. 1 hour 0 minutes since" in text(await sergeant.read("/review"))


async def test_a_child_at_a_police_station_is_shown_at_once(service: RunningService, crew: Crew) -> None:
    incident = uuid7()
    await crew.officer.tell("officer", incident, age=15, area="bedford", legal_status="s136")
    await crew.officer.tell("detention", incident, event="arrived_site", place_of_safety="police_station")
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        page = await sergeant.read("/review")
    said = text(page)
    assert "1 Under 18 in detention" in said and "1 Police station used" in said
    assert "Under 18 held at a police station" in said


async def test_today_shows_what_nobody_has_linked(service: RunningService, crew: Crew) -> None:
    known, unknown, outcome_only = uuid7(), uuid7(), uuid7()
    person = (await crew.officer.post("/v1/people", {"police_ref": f"PR-{known.hex[-8:]}"})).json()["person_id"]
    await crew.officer.tell("officer", known, area="bedford")
    await crew.officer.tell("person_link", known, person_id=person, reason="identified")
    await crew.officer.tell("officer", unknown, area="luton_west")
    await crew.officer.tell("outcome", outcome_only)
    for reader in (crew.sergeant, crew.clinical_lead):
        async with signed_in(service, reader, crew.team_id) as browser:
            page = await browser.read("/review")
        assert "1 Unlinked entries" in text(page) and "2 No person linked" in text(page)
        entries, people = (
            page.split(f'<h2 id="{code}">')[1].split("</section>")[0] for code in ("unlinked_entries", "unlinked")
        )
        assert str(outcome_only) in entries and str(unknown) not in entries
        assert str(unknown) in people and str(outcome_only) in people and str(known) not in people


async def test_of_many_unlinked_incidents_the_newest_are_shown_and_all_are_counted(
    service: RunningService, crew: Crew
) -> None:
    told = [entry("officer", uuid7(), occurred_at=now() - n * HOUR, area="bedford") for n in range(25)]
    await crew.officer.sync(*told)
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        page = await sergeant.read("/review")
    shown = page.split('<h2 id="unlinked">')[1]
    assert "25 No person linked" in text(page) and "The newest 20 of 25 in 28 days." in text(page)
    assert [str(one["incident_id"]) in shown for one in told] == [True] * 20 + [False] * 5


async def test_reading_is_logged_with_what_was_shown(service: RunningService, crew: Crew) -> None:
    incident = await held_for(crew, 1)
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        for path in ("/review", "/review/chase", f"/review/incidents/{incident}"):
            await sergeant.read(path)
    rows = [(row["actor"], row["query"], row["ids"]) for row in await crew.consultations()]
    assert rows == [
        (crew.sergeant.staff_id, query, [incident]) for query in ("review/today", "review/chase", "entries")
    ]


# --- who sees what ---


async def intent_and_judgement(crew: Crew) -> UUID:
    """An officer's intent, his contact with a note, and a nurse's judgement with a note."""
    incident = uuid7()
    await crew.officer.tell("intent", incident, intent=S136)
    await crew.officer.tell("officer", incident, area="bedford", note="police note", offence="alleged_serious")
    await crew.nurse.tell(
        "nurse", incident, area="bedford", note="health note", s136_justified="no", assessment="face_to_face",
        known_to_services="open_caseload",
    )  # fmt: skip
    return incident


async def test_the_sergeant_reads_the_polices_notes_and_no_clinical_field(service: RunningService, crew: Crew) -> None:
    incident = await intent_and_judgement(crew)
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        said = text(await sergeant.read(f"/review/incidents/{incident}"))
    assert "police note" in said and "Alleged, serious" in said
    assert "health note" not in said and "caseload" not in said and "S136 justified" not in said


async def test_the_clinical_lead_reads_healths_notes_and_not_the_offence(service: RunningService, crew: Crew) -> None:
    incident = await intent_and_judgement(crew)
    async with signed_in(service, crew.clinical_lead, crew.team_id) as lead:
        said = text(await lead.read(f"/review/incidents/{incident}"))
    assert "health note" in said and "caseload" in said
    assert "police note" not in said and "erious" not in said


async def test_before_a_judgement_no_page_tells_the_clinical_lead_of_an_intent(
    service: RunningService, crew: Crew
) -> None:
    incident = uuid7()
    await crew.officer.tell("intent", incident, intent=S136)
    async with signed_in(service, crew.clinical_lead, crew.team_id) as lead:
        assert (await lead.open(f"/review/incidents/{incident}")).status_code == 404
        for path in ("/review", "/review/chase", "/review/queue"):
            assert str(incident) not in await lead.read(path)
    await crew.officer.tell("officer", incident, area="bedford")
    async with signed_in(service, crew.clinical_lead, crew.team_id) as lead:
        said = text(await lead.read(f"/review/incidents/{incident}"))
    assert "Police contact" in said and "intended" not in said.lower()


async def test_only_ones_own_side_has_names(service: RunningService, crew: Crew) -> None:
    incident = await intent_and_judgement(crew)
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        said = text(await sergeant.read(f"/review/incidents/{incident}"))
    assert "officer (police)" in said and "nurse (nurse)" not in said and "Nurse (nurse)" in said


async def test_what_people_typed_is_never_markup(service: RunningService, crew: Crew) -> None:
    incident = uuid7()
    await crew.officer.tell("officer", incident, area="bedford", note="<b>x</b>&<script>", log_ref='"><i>')
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        page = await sergeant.read(f"/review/incidents/{incident}")
    assert "<script" not in page and "<b>x" not in page and '"><i>' not in page
    assert "&lt;script&gt;" in page


# --- the chase list ---


async def test_the_chase_list_groups_by_age_the_oldest_first_and_drops_what_is_decided(
    service: RunningService, crew: Crew
) -> None:
    told = [uuid7() for _ in range(4)]
    for incident, ago in zip(told, (HOUR, 13 * HOUR, 4 * DAY, 5 * DAY), strict=True):
        await crew.officer.tell("officer", incident, occurred_at=now() - ago, area="bedford")
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        page = await sergeant.read("/review/chase")
        assert [name for name in ("Over 72 hours", "Over 12 hours", "12 hours or less") if name in page]
        places = [page.index(f"/review/incidents/{incident}") for incident in reversed(told)]
        assert places == sorted(places)
        await crew.officer.tell("outcome", told[0])
        assert str(told[0]) not in await sergeant.read("/review/chase")


async def test_a_long_chase_list_has_pages(service: RunningService, crew: Crew) -> None:
    told = [
        entry("officer", uuid7(), occurred_at=now() - n * timedelta(hours=5), area="bedford") for n in range(60)
    ]  # fmt: skip
    await crew.officer.sync(*told)
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        first = await sergeant.read("/review/chase")
        more = first.split('href="/review/chase?after=')[1].split('"')[0]
        second = await sergeant.read(f"/review/chase?after={more}")
    for one in told:
        assert (str(one["incident_id"]) in first) != (str(one["incident_id"]) in second)
    assert "More incidents" not in second


# --- the queue ---


async def test_two_sides_of_a_likely_duplicate_are_next_to_each_other(service: RunningService, crew: Crew) -> None:
    one, other = await reported_twice(crew)
    for reader in (crew.sergeant, crew.clinical_lead):
        async with signed_in(service, reader, crew.team_id) as browser:
            page = await browser.read("/review/queue")
        assert "Are these one incident?" in page and str(one) in page and str(other) in page
        assert "Log reference BP-77 BP-77 Yes" in text(page)
        assert "Written by Police Nurse No" in text(page)


async def test_link_writes_one_entry_however_often_it_is_sent(service: RunningService, crew: Crew) -> None:
    one, other = await reported_twice(crew)
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        page = await sergeant.read("/review/queue")
        answers = [await sergeant.press(page, "/review/queue/link") for _ in range(3)]
        assert [a.headers["location"] for a in answers] == ["/review/queue?done=linked"] * 3
        said = text(await sergeant.read("/review/queue?done=linked"))
    assert "Linked: they are one incident now." in said and "Are these one incident?" not in said
    assert await settled(crew) == [("same_incident", crew.sergeant.staff_id)]
    assert sorted((await crew.officer.incident(one))["linked_ids"]) == sorted(map(str, (one, other)))


async def test_keep_apart_takes_the_suggestion_away(service: RunningService, crew: Crew) -> None:
    one, _ = await reported_twice(crew)
    async with signed_in(service, crew.clinical_lead, crew.team_id) as lead:
        await lead.press(await lead.read("/review/queue"), "/review/queue/keep-apart")
        assert "Are these one incident?" not in await lead.read("/review/queue")
    assert await settled(crew) == [("not_same_incident", crew.clinical_lead.staff_id)]
    assert "possible_duplicate" not in (await crew.officer.incident(one))["flags"]


async def test_the_same_form_never_decides_two_things(service: RunningService, crew: Crew) -> None:
    await reported_twice(crew)
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        page = await sergeant.read("/review/queue")
        await sergeant.press(page, "/review/queue/link")
        answer = await sergeant.press(page, "/review/queue/keep-apart")
    assert answer.status_code == 409
    assert await settled(crew) == [("same_incident", crew.sergeant.staff_id)]


async def test_nobody_links_what_they_may_not_see(service: RunningService, crew: Crew, other_crew: Crew) -> None:
    one, _ = await reported_twice(crew)
    elsewhere = await held_for(other_crew, 1)
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        page = await sergeant.read("/review/queue")
        for changed, status in (
            ({"other": str(elsewhere)}, 404),
            ({"incident": str(elsewhere)}, 404),
            ({"incident": str(one), "other": str(one)}, 400),
            ({"other": "somebody"}, 400),
            ({"id": ""}, 400),
        ):
            assert (await sergeant.press(page, "/review/queue/link", **changed)).status_code == status
    assert await settled(crew) == []


async def test_records_that_disagree_are_next_to_each_other(service: RunningService, crew: Crew) -> None:
    incident = uuid7()
    wrong = await crew.officer.tell("officer", incident, area="bedford", sex="male")
    await crew.nurse.tell("nurse", incident, area="bedford", sex="female")
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        said = text(await sergeant.read("/review/queue"))
        assert "Records disagree: sex" in said
        assert "Police" in said and "Male" in said and "Nurse" in said and "Female" in said
        right = {name: wrong[name] for name in ("kind", "area")} | {"sex": "female"}
        await crew.officer.tell("amendment", incident, amends=wrong["id"], entry=right)
        assert "Records disagree" not in text(await sergeant.read("/review/queue")).replace("Records that", "")


# --- the quarantine ---


async def quarantined(crew: Crew) -> str:
    """An entry that came from a nurse's phone under an id already taken by other content: refused, and kept."""
    body = entry("nurse", uuid7(), area="bedford", sex="female")
    await crew.nurse.store(body)
    answer = await crew.nurse.put(body | {"sex": "male"})
    assert answer.status_code == 409
    return str(body["incident_id"])


async def item_id(browser: Browser) -> str:
    [path] = [to for to, _ in forms(await browser.read("/review/queue")) if to.endswith("/release")]
    return path.split("/")[3]


async def test_each_side_has_a_quarantine_of_its_own(service: RunningService, crew: Crew) -> None:
    await quarantined(crew)
    async with (
        signed_in(service, crew.sergeant, crew.team_id) as sergeant,
        signed_in(service, crew.clinical_lead, crew.team_id) as lead,
    ):
        item = await item_id(lead)
        page = await sergeant.read("/review/queue")
        assert item not in page and "What was sent" not in page
        [csrf] = {fields["csrf"] for _, fields in forms(page)}
        for action in ("release", "discard"):
            answer = await sergeant.send(f"/review/quarantine/{item}/{action}", {"csrf": csrf})
            assert answer.status_code == 404
        assert item == await item_id(lead)
        assert "1 In quarantine" in text(await lead.read("/review"))
        assert "0 In quarantine" in text(await sergeant.read("/review"))


async def test_what_was_sent_stands_beside_what_is_stored(service: RunningService, crew: Crew) -> None:
    await quarantined(crew)
    async with signed_in(service, crew.clinical_lead, crew.team_id) as lead:
        said = text(await lead.read("/review/queue"))
    assert "What was sent, and what is stored" in said and "Sex Male Female" in said


async def test_release_puts_it_into_the_log_as_its_authors_once(service: RunningService, crew: Crew) -> None:
    incident = await quarantined(crew)
    async with signed_in(service, crew.clinical_lead, crew.team_id) as lead:
        page, path = await lead.read("/review/queue"), f"/review/quarantine/{await item_id(lead)}/release"
        assert (await lead.press(page, path)).headers["location"] == "/review/queue?done=released"
        assert (await lead.press(page, path)).status_code == 409
    written = [one for one in await crew.clinical_lead.entries(incident) if one["kind"] == "nurse"]
    assert [(one["author"], one["released_by"]) for one in written] == [
        (str(crew.nurse.staff_id), None),
        (str(crew.nurse.staff_id), str(crew.clinical_lead.staff_id)),
    ]


async def test_discard_lets_it_go_for_good(service: RunningService, crew: Crew) -> None:
    incident = await quarantined(crew)
    async with signed_in(service, crew.clinical_lead, crew.team_id) as lead:
        page, path = await lead.read("/review/queue"), f"/review/quarantine/{await item_id(lead)}/discard"
        assert (await lead.press(page, path)).headers["location"] == "/review/queue?done=discarded"
        assert "What was sent" not in await lead.read("/review/queue")
    assert len(await crew.clinical_lead.entries(incident)) == 1
    assert (await crew.clinical_lead.see("/v1/quarantine"))["items"] == []


@pytest.mark.parametrize(
    "sent",
    [
        b"not json <i>",
        b"[1, [2]]",
        b'{"": {"": "<i>"}, "kind": ["nurse"], "note": 3, "presenting": [[[[[[[1]]]]]]]}',
        b'{"a":' * 300 + b"1" + b"}" * 300,
        b'{"id": "nobody", "kind": "nurse", "captured_at": "9999-12-31T23:59:59-12:00", "age": 1e400}',
        b'{"age": ' + b"9" * 5000 + b"}",
        b"\xff\xfe",
    ],
)
async def test_whatever_was_refused_can_be_looked_at_and_discarded(
    service: RunningService, crew: Crew, sent: bytes
) -> None:
    assert (await crew.nurse.put_raw(uuid7(), sent)).status_code in (400, 422)
    async with signed_in(service, crew.clinical_lead, crew.team_id) as lead:
        page = await lead.read("/review/queue")
        assert "What was sent" in page and "<i>" not in page
        await lead.press(page, f"/review/quarantine/{await item_id(lead)}/discard")
        assert "What was sent" not in await lead.read("/review/queue")


# --- summaries ---


def lines_changed(page: str) -> list[str]:
    """The figures that a page marks as changed."""
    return [text(piece.split("</td>")[0]) for piece in page.split('<td class="changed">')[1:]]


async def publish_yesterday(service: RunningService, crew: Crew) -> date:
    """Yesterday's summary with one incident in it, published."""
    database = service.service.database
    team = await calendars.team(database, crew.team_id)
    day = operational_day(now()) - DAY
    at = due_at(day, time(22))
    await crew.officer.tell("officer", uuid7(), occurred_at=at, captured_at=at, area="luton_west")
    assert await publish(database, team, slot(period_of("daily", day), team.calendar), now())
    return day


async def restate_yesterday(service: RunningService, crew: Crew, day: date) -> None:
    """A second incident of yesterday, told of too late, and the edition that follows from it."""
    at = due_at(day, time(23))
    await crew.officer.tell("officer", uuid7(), occurred_at=at, captured_at=at, area="bedford")
    database = service.service.database
    team = await calendars.team(database, crew.team_id)
    async with database.team(crew.team_id) as connection:
        run = (await publications.runs(connection, crew.team_id))["daily", str(day)]
    assert await restate(database, team, run, now() + DAY)


async def test_the_days_summary_stands_beside_the_edition_before_with_changes_marked(
    service: RunningService, crew: Crew
) -> None:
    day = await publish_yesterday(service, crew)
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        first = await sergeant.read("/review/day")
        assert "Edition 1" in first and lines_changed(first) == []
        await restate_yesterday(service, crew, day)
        second = await sergeant.read("/review/day")
        assert "What changed since edition 1" in second
        assert "Incidents: 1 became 2, because of officer" in text(second)
        assert "Edition 1 Edition 2 Incidents 1 2 (changed)" in text(second)
        again = await sergeant.read(f"/review/summaries/daily/{day}?edition=1")
        assert lines_changed(again) == [] and "Edition 2" not in again
        assert (await sergeant.open(f"/review/summaries/daily/{day}?edition=3")).status_code == 404
    consulted = [row["query"] for row in await crew.consultations()]
    assert consulted == [f"summary daily {day} internal"] * 3


async def test_trends_have_a_table_beside_every_chart(service: RunningService, crew: Crew) -> None:
    database = service.service.database
    team = await calendars.team(database, crew.team_id)
    week = period_of("weekly", operational_day(now()) - 7 * DAY)
    at = due_at(week.starts, time(22))
    await crew.officer.tell("officer", uuid7(), occurred_at=at, captured_at=at, area="luton_west")
    assert await publish(database, team, slot(week, team.calendar), now())
    async with signed_in(service, crew.clinical_lead, crew.team_id) as lead:
        page = await lead.read("/review/trends?by=week")
        assert f"Week Figure {week.name} 1" in text(page)
        assert page.count("<svg") <= page.count("<table>") and 'role="img"' in page
        assert f"Weekly summary {week.name}" in text(await lead.read(f"/review/summaries/weekly/{week.name}"))
        assert "No month is published yet." in text(await lead.read("/review/trends?by=month"))


async def test_two_spans_are_compared_with_what_that_cannot_show(service: RunningService, crew: Crew) -> None:
    for day, area in ((date(2026, 2, 3), "bedford"), (date(2026, 3, 3), "bedford"), (date(2026, 3, 4), "bedford")):
        at = due_at(day, time(22))
        await crew.officer.tell("officer", uuid7(), occurred_at=at, captured_at=at, area=area)
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        assert "Compare two spans" in await sergeant.read("/review/trends")
        assert "Difference" not in await sergeant.read("/review/compare")
        said = text(await sergeant.read("/review/compare?first=2026-02&second=2026-03"))
        assert "What a comparison of before and after cannot show" in said
        assert "Line 2026-02 2026-03 Difference Incidents 1 2" in said
        for wrong in ("first=2026-02", "first=2026-13&second=2026-03", "first=2026-03..2026-01&second=2026-03"):
            answer = await sergeant.open(f"/review/compare?{wrong}")
            assert (answer.status_code, "There is a problem" in answer.text) == (422, True)
    assert [row["query"] for row in await crew.consultations()] == ["review/compare 2026-02 2026-03"]


async def test_the_sergeant_reads_how_often_a_person_was_met_and_not_who(service: RunningService, crew: Crew) -> None:
    told = await crew.nurse.post("/v1/people", {"nhs_number": "9990000018"})
    person = told.json()["person_id"]
    incidents = [uuid7(), uuid7()]
    for incident, ago in zip(incidents, (10 * DAY, HOUR), strict=True):
        await crew.nurse.tell("nurse", incident, occurred_at=now() - ago, captured_at=now() - ago)
        await crew.nurse.tell("person_link", incident, person_id=person)
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        page = await sergeant.read(f"/review/incidents/{incidents[1]}")
    assert "Contacts with this person in 28 days 2" in text(page)
    assert "9990000018" not in page and str(incidents[0]) not in page


@pytest.mark.parametrize("who", ["sergeant", "clinical_lead"])
async def test_a_detention_without_an_end_is_never_too_old_for_today(
    service: RunningService, crew: Crew, who: str
) -> None:
    incident = await held_for(crew, 24 * 60)
    async with signed_in(service, getattr(crew, who), crew.team_id) as browser:
        page = await browser.read("/review")
        assert str(incident) in page and "Expired 59 days ago" in text(page)
        await crew.officer.tell("detention", incident, event="ended", result="discharged_follow_up")
        assert str(incident) not in await browser.read("/review")

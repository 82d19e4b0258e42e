"""Today and an incident: what the sergeant and the clinical lead read."""

import re

import pytest
from browsing import signed_in, text
from scenes import detained_for, intent_and_judgement, reported_twice
from support.phones import DAY, HOUR, S136, Crew, RunningService, entry, now
from uuid_utils.compat import uuid7

from triage.store.log import review_lists


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/review/incidents/0193a000-0000-7000-8000-000000000001", 404),
        ("/review/incidents/nobody", 404),
        ("/review/incidents?from=yesterday", 422),
        ("/review/incidents?start=-1", 400),
        ("/review/summaries/hourly/2026-11-22", 404),
        ("/review/summaries/weekly/2026-W60", 404),
        ("/review/summaries/daily/2026-11-22", 404),
        ("/review/nothing", 404),
        ("/review/nothing/at/all", 404),
    ],
)
async def test_what_is_not_there_says_so_on_a_page(service: RunningService, crew: Crew, path: str, status: int) -> None:
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        answer = await sergeant.open(path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert "Go to Today" in answer.text or 'aria-label="Pages"' in answer.text


async def test_another_teams_incident_is_not_there(service: RunningService, crew: Crew, other_crew: Crew) -> None:
    incident = await detained_for(other_crew, 2)
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        assert (await sergeant.open(f"/review/incidents/{incident}")).status_code == 404
        assert str(incident) not in await sergeant.read("/review")


async def test_an_empty_team_has_pages_too(service: RunningService, crew: Crew) -> None:
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        assert "Nobody is detained, nothing to settle." in text(await sergeant.read("/review"))
        assert "Nothing is published yet." in text(await sergeant.read("/review/reports"))
        assert "Nothing waits for a decision." in text(await sergeant.read("/review/queue"))
        assert "0 incidents" in text(await sergeant.read("/review/incidents"))
    assert [row["query"] for row in await crew.consultations()] == ["review/incidents"]


async def test_a_number_that_is_zero_is_not_printed(service: RunningService, crew: Crew) -> None:
    await detained_for(crew, 2)
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        page = await sergeant.read("/review")
    assert "Detained now: 1" in page and ": 0" not in page and "To settle" not in page


async def test_clocks_show_the_time_left_when_the_page_was_made(service: RunningService, crew: Crew) -> None:
    await detained_for(crew, 2)
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        said = text(await sergeant.read("/review"))
    assert re.search(r"Next clock: (21 h 59|22 h 00) min left, until \d\d:\d\d As at", said), said
    assert "End or extend" in said


async def test_what_needs_action_is_paged_and_counted_with_detentions_first(
    service: RunningService, crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(review_lists, "ACTIONS_AT_ONCE", 2)
    await detained_for(crew, 30)
    at = now() - 26 * HOUR
    recent = [uuid7() for _ in range(2)]
    for incident in recent:
        await crew.officer.tell("officer", incident, occurred_at=at, captured_at=at, area="bedford")
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        first = await sergeant.read("/review")
        rest = await sergeant.read("/review?start=2")
    assert "3 incidents may need action" in text(first) and 'href="/review?start=2"' in first
    assert (
        "Detained now: 1" in first and "detained" not in rest.lower().partition("<main")[2] and "Next page" not in rest
    )
    assert all((f'/{i}"' in first) != (f'/{i}"' in rest) for i in recent)


async def test_an_expiry_that_passed_is_said_first(service: RunningService, crew: Crew) -> None:
    await detained_for(crew, 25.5)
    await detained_for(crew, 1)
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        page = await sergeant.read("/review")
    assert "1 detention past 24 hours with no end recorded" in text(page)
    assert page.index("Expired 1 h 30 min ago") < page.index("End or extend") and 'class="head over"' in page


async def test_a_clock_without_an_arrival_asks_for_it(service: RunningService, crew: Crew) -> None:
    incident = uuid7()
    await crew.officer.tell("officer", incident, occurred_at=now() - HOUR, area="bedford", legal_status="s136")
    await crew.officer.tell("detention", incident, event="began", at=now() - HOUR)
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        page = await sergeant.read("/review")
    assert "Clock unknown, 1 h 00 min since it began" in text(page)
    assert f'href="/review/incidents/{incident}/arrival"' in page


async def test_a_child_in_detention_is_said_before_all_else(service: RunningService, crew: Crew) -> None:
    await detained_for(crew, 30)
    incident = uuid7()
    await crew.officer.tell("officer", incident, age=15, area="bedford", legal_status="s136")
    await crew.officer.tell("detention", incident, event="arrived_site", at=now(), place_of_safety="police_station")
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        said = text(await sergeant.read("/review"))
    assert "A child is in detention: 23 h 59 min left" in said
    assert "Under 18" in said and "Police station" in said


async def test_an_incident_has_one_row_with_its_gravest_problem(service: RunningService, crew: Crew) -> None:
    incident = uuid7()
    await crew.officer.tell("officer", incident, occurred_at=now() - 2 * DAY, area="bedford", sex="male")
    await crew.nurse.tell("nurse", incident, area="bedford", sex="female")
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        page = await sergeant.read("/review")
    assert page.count(f'<a href="/review/incidents/{incident}">') == 1
    assert "No outcome for 48 h 00 min" in text(page) and "Records disagree" not in text(page)


async def test_a_likely_pair_is_one_row(service: RunningService, crew: Crew) -> None:
    await reported_twice(crew)
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        page = await sergeant.read("/review")
    assert page.count("May be two records of one incident") == 1


async def test_more_than_a_dozen_rows_fold(service: RunningService, crew: Crew) -> None:
    told = [entry("officer", uuid7(), occurred_at=now() - (20 + n) * HOUR, area="bedford") for n in range(14)]
    await crew.officer.sync(*told)
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        page = await sergeant.read("/review")
    assert "To settle this week: 14" in page
    assert all(str(entry["incident_id"]) in page for entry in told)
    first, folded = page.split("<details><summary>2 more</summary>")
    assert (first.count('class="light"'), folded.split("</details>")[0].count('class="light"')) == (12, 2)


async def test_clocks_never_fold_and_leave_less_room_for_the_others(service: RunningService, crew: Crew) -> None:
    await crew.officer.sync(*(entry("officer", uuid7(), occurred_at=now() - 20 * HOUR) for _ in range(12)))
    await detained_for(crew, 2)
    await detained_for(crew, 3)
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        page = await sergeant.read("/review")
    assert "Detained now: 2" in page
    assert page.partition("<details>")[0].count('class="light"') == 10


async def test_housekeeping_is_counts_alone_and_nobody_consults_an_incident_by_them(
    service: RunningService, crew: Crew
) -> None:
    known, unknown, outcome_only = uuid7(), uuid7(), uuid7()
    person = (await crew.officer.post("/v1/people", {"police_ref": f"PR-{known.hex[-8:]}"})).json()["person_id"]
    await crew.officer.tell("officer", known, area="bedford")
    await crew.officer.tell("person_link", known, person_id=person, reason="identified")
    await crew.officer.tell("officer", unknown, area="luton_west")
    await crew.officer.tell("outcome", outcome_only)
    for reader in (crew.sergeant, crew.clinical_lead):
        async with signed_in(service, reader, crew.team_id) as browser:
            page = await browser.read("/review")
            assert "1 without a contact" in text(page) and "no person linked" in text(page)
            assert not any(str(incident) in page for incident in (known, unknown, outcome_only))
            listed = await browser.read("/review/incidents?need=person")
            assert str(unknown) in listed and str(known) not in listed
    assert {row["query"] for row in await crew.consultations()} == {"review/incidents"}


async def test_reading_is_logged_with_what_was_shown(service: RunningService, crew: Crew) -> None:
    incident = await detained_for(crew, 1)
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        for path in ("/review", "/review/incidents?area=bedford", f"/review/incidents/{incident}"):
            await sergeant.read(path)
    rows = [(row["actor"], row["query"], row["ids"]) for row in await crew.consultations()]
    queries = ("review/today", "review/incidents", "entries")
    assert rows == [(crew.sergeant.staff_id, query, [incident]) for query in queries]
    details = await crew.fetch("SELECT detail FROM audit WHERE team_id = $1 AND query = 'review/incidents'")
    assert [row["detail"] for row in details] == ["area=bedford"]


@pytest.mark.parametrize("who", ["sergeant", "clinical_lead"])
async def test_a_detention_without_an_end_is_never_too_old(service: RunningService, crew: Crew, who: str) -> None:
    incident = await detained_for(crew, 24 * 60)
    async with signed_in(service, getattr(crew, who), crew.team_id) as browser:
        page = await browser.read("/review")
        assert str(incident) in page and "Expired 59 days ago" in text(page)
        await crew.officer.tell("detention", incident, event="ended", at=now(), result="discharged_follow_up")
        assert str(incident) not in await browser.read("/review")


# --- who sees what ---


async def test_the_sergeant_reads_the_polices_notes_and_no_clinical_field(service: RunningService, crew: Crew) -> None:
    incident = await intent_and_judgement(crew)
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        said = text(await sergeant.read(f"/review/incidents/{incident}"))
    assert "police note" in said and "Alleged, serious" in said
    assert "health note" not in said and "caseload" not in said and "justified" not in said


async def test_the_clinical_lead_reads_healths_notes_and_not_the_offence(service: RunningService, crew: Crew) -> None:
    incident = await intent_and_judgement(crew)
    async with signed_in(service, crew.clinical_lead, crew.team_id) as lead:
        said = text(await lead.read(f"/review/incidents/{incident}"))
    assert "health note" in said and "caseload" in said
    assert "police note" not in said and "serious" not in said


async def test_before_a_judgement_no_page_tells_the_clinical_lead_of_an_intent(
    service: RunningService, crew: Crew
) -> None:
    incident = uuid7()
    await crew.officer.tell("intent", incident, intent=S136)
    async with signed_in(service, crew.clinical_lead, crew.team_id) as lead:
        assert (await lead.open(f"/review/incidents/{incident}")).status_code == 404
        for path in ("/review", "/review/incidents", "/review/queue"):
            assert str(incident) not in await lead.read(path)
    await crew.officer.tell("officer", incident, area="bedford")
    async with signed_in(service, crew.clinical_lead, crew.team_id) as lead:
        said = text(await lead.read(f"/review/incidents/{incident}"))
    assert "On scene" in said and "In mind" not in said


async def test_only_ones_own_side_has_names(service: RunningService, crew: Crew) -> None:
    incident = await intent_and_judgement(crew)
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        said = text(await sergeant.read(f"/review/incidents/{incident}"))
    assert "officer (police)" in said and "nurse (nurse)" not in said


async def test_what_people_typed_is_never_markup(service: RunningService, crew: Crew) -> None:
    incident = uuid7()
    await crew.officer.tell("officer", incident, area="bedford", note="<b>x</b>&<script>", log_ref='"><i>')
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        page = await sergeant.read(f"/review/incidents/{incident}")
    assert "<script" not in page and "<b>x" not in page and '"><i>' not in page
    assert "&lt;script&gt;" in page


async def test_the_sergeant_reads_how_often_a_person_was_met_and_not_who(service: RunningService, crew: Crew) -> None:
    told = await crew.nurse.post("/v1/people", {"nhs_number": "9990000018"})
    person = told.json()["person_id"]
    incidents = [uuid7(), uuid7()]
    for incident, ago in zip(incidents, (10 * DAY, HOUR), strict=True):
        await crew.nurse.tell("nurse", incident, occurred_at=now() - ago, captured_at=now() - ago)
        await crew.nurse.tell("person_link", incident, person_id=person)
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        page = await sergeant.read(f"/review/incidents/{incidents[1]}")
    assert "Other contacts in 28 days 1" in text(page)
    assert "9990000018" not in page and str(incidents[0]) not in page


async def test_the_timeline_is_in_the_order_of_what_happened(service: RunningService, crew: Crew) -> None:
    incident, began = uuid7(), now() - 3 * HOUR
    await crew.officer.tell("outcome", incident, disposal="s136_removed", decided_at=began + HOUR, decided_by="officer")
    await crew.officer.tell("intent", incident, intent=S136 | {"formed_at": began + HOUR / 2}, captured_at=began + HOUR)
    await crew.officer.tell("officer", incident, area="bedford", occurred_at=began, arrived_at=began)
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        page = await sergeant.read(f"/review/incidents/{incident}")
    line = page.split('<ol class="line')[1].split("</ol>")[0]
    places = [line.index(said) for said in ("On scene", "In mind: Section 136", "Decided:", ">Now<")]
    assert places == sorted(places)
    assert "Arrived late" in line

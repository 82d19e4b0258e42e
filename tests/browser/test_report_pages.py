"""Reports on the pages: listed with their latest edition, read in every form, compared, and followed to incidents."""

import io
import re
import zipfile
from collections import Counter
from contextlib import suppress
from datetime import date, time
from html import unescape

import pytest
from browsing import signed_in, text
from pypdf import PdfReader
from support.phones import DAY, HOUR, S136, Crew, RunningService, entry, now
from uuid_utils.compat import uuid7

from triage import codes
from triage.jobs.publish import publish, restate
from triage.problems import Refused
from triage.report import pdf
from triage.store.access import sign_in
from triage.store.summaries import calendars, publications, report_files, tracing
from triage.summaries import editions
from triage.summaries.editions import values_of
from triage.summaries.schedule import slot
from triage.times import PeriodKind, due_at, operational_day, period_of


async def published(service: RunningService, crew: Crew, kind: PeriodKind, day: date) -> str:
    """A summary with one incident in it; the name of its period."""
    database = service.service.database
    team = await calendars.team(database, crew.team_id)
    at = due_at(day, time(22))
    await crew.officer.tell("officer", uuid7(), occurred_at=at, captured_at=at, area="luton_west")
    period = period_of(kind, day)
    assert await publish(database, team, slot(period, team.calendar), now())
    return period.name


async def test_reports_are_listed_by_kind_with_their_latest_edition(service: RunningService, crew: Crew) -> None:
    yesterday = operational_day(now()) - DAY
    await published(service, crew, "daily", yesterday)
    at = due_at(yesterday, time(23))
    await crew.officer.tell("officer", uuid7(), occurred_at=at, captured_at=at, area="bedford")
    database = service.service.database
    team = await calendars.team(database, crew.team_id)
    async with database.team(crew.team_id) as connection:
        run = (await publications.runs(connection, crew.team_id))["daily", str(yesterday)]
    assert await restate(database, team, run, now() + DAY)
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        listed = text(await sergeant.read("/review/reports"))
        assert f"{yesterday:%A %-d %B %Y} Edition 2" in listed
        newest = text(await sergeant.read("/review/day"))
        assert "The day: 2 incidents" in newest and "changed since edition 1" in newest
        first = text(await sergeant.read(f"/review/summaries/daily/{yesterday}?edition=1"))
        assert "The day: 1 incident" in first and "Read the latest" in first
        assert (await sergeant.open(f"/review/summaries/daily/{yesterday}?edition=3")).status_code == 404


async def test_a_figure_leads_to_its_incidents_and_says_what_changed_since(service: RunningService, crew: Crew) -> None:
    yesterday = operational_day(now()) - DAY
    name = await published(service, crew, "daily", yesterday)
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        page = await sergeant.read(f"/review/summaries/daily/{name}")
        link = page.split('incidents?edition=1&amp;line=incidents_by_area%2Fluton_west"')[0].rsplit('href="', 1)[1]
        behind = f"{link}incidents?edition=1&line=incidents_by_area%2Fluton_west"
        assert 'href="/review/incidents?need=outcome"' in page  # no line of its own: what is left to do now
        said = text(await sergeant.read(behind))
        assert "1 incident , as edition 1" in said and "Luton: west" in said
        refused = await sergeant.open(f"{link}incidents?edition=1&line=completeness%2Fpolice")
        assert refused.status_code == 403 and "This figure leads to no incidents" in refused.text


@pytest.mark.skipif(not pdf.is_installed(), reason="needs the extra pdf")
async def test_a_month_is_a_board_report_and_its_pdf_is_frozen(service: RunningService, crew: Crew) -> None:
    month = (operational_day(now()).replace(day=1) - DAY).replace(day=3)
    name = await published(service, crew, "monthly", month)
    database = service.service.database
    team = await calendars.team(database, crew.team_id)
    async with signed_in(service, crew.clinical_lead, crew.team_id) as lead:
        page = text(await lead.read(f"/review/summaries/monthly/{name}"))
        assert "The month in five numbers" in page and "How sure:" in page and "What this report cannot show." in page
        address = f"/review/summaries/monthly/{name}/file/pdf?edition=1"
        first, again = [await lead.open(address) for _ in range(2)]
    assert first.content.startswith(b"%PDF") and first.content == again.content
    assert first.headers["content-disposition"] == f'attachment; filename="monthly-{name}-internal-e1.pdf"'
    rows = await crew.fetch("SELECT sha256, body FROM report_file WHERE team_id = $1")
    assert [row["body"] for row in rows] == [first.content]
    await report_files.make_missing(database, team)
    assert len(await crew.fetch("SELECT 1 FROM report_file WHERE team_id = $1")) == 1


def numbers(said: str) -> Counter[str]:
    return Counter(re.findall(r"\d+(?:[.,]\d+)*", said))


async def send_a_quarter(crew: Crew, starts: date) -> None:
    """Two hundred incidents of every area, age and ethnicity, decided in every way, intended by every power."""
    areas, ages = ([row.code for row in codes.list(name)] for name in ("area", "age_band"))
    ethnicities, powers = ([row.code for row in codes.list(name)] for name in ("ethnicity", "intent_power"))
    disposals = [row.code for row in codes.list("disposal") if row.code not in ("s135_kept", "not_attended")]
    entries = []
    for n in range(200):
        incident, at = uuid7(), due_at(starts + DAY * (n % 90), time(n % 24))
        common = {"captured_at": at}
        tests = {"mental_disorder": True, "immediate_need": True, "necessary": n % 3 > 0}
        intent = {"power": powers[n % len(powers)], "formed_at": at, "confidence": 1 + n % 3, "tests": tests}
        entries.append(
            entry(
                "officer", incident, occurred_at=at, area=areas[n % len(areas)], age_band=ages[n % len(ages)],
                sex="female" if n % 2 else "male", ethnicity=ethnicities[n % len(ethnicities)],
                intent=intent, contact_mode="attended", presenting=["acute_distress"], **common,
            )
        )  # fmt: skip
        disposal = {"disposal": disposals[n % len(disposals)], "decided_at": at + HOUR, "decided_by": "officer"}
        entries.append(entry("outcome", incident, **disposal, **common))
    answer = await crew.officer.sync(*entries)
    assert answer["counts"]["stored"] == len(entries), answer["counts"]


@pytest.mark.skipif(not pdf.is_installed(), reason="needs the extra pdf")
async def test_a_quarter_is_four_to_eight_sheets_with_every_number_of_its_page(
    service: RunningService, crew: Crew
) -> None:
    this = period_of("quarterly", operational_day(now()))
    quarter = period_of("quarterly", this.starts - DAY)
    await send_a_quarter(crew, quarter.starts)
    for month in (quarter.starts, quarter.starts + 32 * DAY, quarter.ends - DAY):
        await published(service, crew, "monthly", month)
    name = await published(service, crew, "quarterly", quarter.starts)
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        page = await sergeant.read(f"/review/summaries/quarterly/{name}")
        file = await sergeant.open(f"/review/summaries/quarterly/{name}/file/pdf?edition=1")
    sheets = PdfReader(io.BytesIO(file.content)).pages
    assert 4 <= len(sheets) <= 8
    report = re.sub(r"<svg.*?</svg>", " ", page.partition("<main")[2].partition("</main>")[0], flags=re.DOTALL)
    shown = numbers(text(report))
    assert len(shown) > 60
    assert shown - numbers(" ".join(sheet.extract_text() for sheet in sheets)) == Counter()


@pytest.mark.parametrize("kind", ["monthly", "quarterly"])
async def test_a_line_is_a_link_exactly_where_it_leads_to_as_many_incidents_as_it_says(
    service: RunningService, crew: Crew, kind: PeriodKind
) -> None:
    """Every line of every measure, for both leads."""
    this = period_of("quarterly", operational_day(now()))
    quarter = period_of("quarterly", this.starts - DAY)
    await send_a_quarter(crew, quarter.starts)
    name = await published(service, crew, kind, quarter.ends - DAY)
    database, incidents = service.service.database, service.service.incidents
    team = await calendars.team(database, crew.team_id)
    for lead in (crew.sergeant, crew.clinical_lead):
        actor = await sign_in.find_account(database, crew.team_id, lead.staff_id)
        assert actor
        async with database.team(crew.team_id) as connection, connection.transaction(isolation="repeatable_read"):
            body = await publications.find_body(connection, crew.team_id, kind, name)
            assert body
            summary = editions.decode(body)
            printed = values_of(summary.measures, snapshots=True)
            figures = {line: value for (line, part), value in printed.items() if part == "value"}
            linked = await tracing.traceable_lines(connection, actor, team, summary, figures.keys(), now())
            followed = {}
            for line in figures:
                with suppress(Refused):
                    followed[line] = len(
                        await tracing.follow_line(connection, incidents, actor, team, summary, line, now())
                    )
        assert linked == {line for line, count in followed.items() if count} and len(linked) > 30
        counted = {line for line in linked if not line.startswith("s136_per_100_000/")}  # a rate, of as many uses
        assert {line: figures[line] for line in counted} == {line: followed[line] for line in counted}
        measures = {line.partition("/")[0] for line in linked}
        assert "outcomes" in measures and not {"conversion", "admitted"} & measures


async def test_a_lead_who_is_still_blind_is_led_to_no_incident_by_its_intent(
    service: RunningService, crew: Crew
) -> None:
    yesterday = operational_day(now()) - DAY
    at = due_at(yesterday, time(22))
    intent = S136 | {"formed_at": at}
    await crew.officer.tell("officer", uuid7(), occurred_at=at, captured_at=at, area="bedford", intent=intent)
    name = await published(service, crew, "daily", yesterday)
    address, line = f"/review/summaries/daily/{name}", "line=considered_by_grade%2F"
    async with (
        signed_in(service, crew.sergeant, crew.team_id) as sergeant,
        signed_in(service, crew.clinical_lead, crew.team_id) as lead,
    ):
        seen, hidden = await sergeant.read(address), await lead.read(address)
        assert line in seen and line not in hidden and "line=incidents_by_area%2Fbedford" in hidden
        [link] = re.findall(rf'href="([^"]+{line}[^"]+)"', seen)
        assert "1 incident" in text(await sergeant.read(unescape(link)))
        assert (await lead.open(unescape(link))).status_code == 403


async def test_without_the_extra_a_pdf_is_refused_and_the_page_prints(
    service: RunningService, crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pdf, "is_installed", lambda: False)
    month = (operational_day(now()).replace(day=1) - DAY).replace(day=3)
    name = await published(service, crew, "monthly", month)
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        answer = await sergeant.open(f"/review/summaries/monthly/{name}/file/pdf")
        assert answer.status_code == 406 and "/file/pdf" not in await sergeant.read(f"/review/summaries/monthly/{name}")
    by_program = await crew.sergeant.get(f"/v1/summaries/monthly/{name}", format="pdf")
    assert (by_program.status_code, by_program.json()["code"]) == (406, "not_installed")


async def test_two_spans_are_compared_with_what_that_cannot_show_first(service: RunningService, crew: Crew) -> None:
    for day in (date(2026, 2, 3), date(2026, 3, 3), date(2026, 3, 4)):
        at = due_at(day, time(22))
        await crew.officer.tell("officer", uuid7(), occurred_at=at, captured_at=at, area="bedford")
    spans = "first=2026-02&second=2026-03"
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        for wrong in ("first=2026-02", "first=2026-13&second=2026-03", "first=2026-03..2026-01&second=2026-03"):
            answer = await sergeant.open(f"/review/compare?{wrong}")
            assert (answer.status_code, "There is a problem" in answer.text) == (422, True)
        said = text(await sergeant.read(f"/review/compare?{spans}"))
        assert said.index("cannot show why") < said.index("Headlines")
        book = await sergeant.open(f"/review/compare?{spans}&format=xlsx")
        assert zipfile.ZipFile(io.BytesIO(book.content)).testzip() is None

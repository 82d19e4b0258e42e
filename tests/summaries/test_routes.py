"""What is served of summaries, to whom, and in which form."""

import csv
import io
import re
import zipfile
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, time, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest
import pytest_asyncio
from support.cast import Json
from support.phones import Crew, Phone, RunningService, refused, running_service
from uuid_utils.compat import uuid7

from triage.http import metrics
from triage.jobs.publish import publish, publish_due
from triage.store.access.staff import as_owner
from triage.store.summaries import calendars
from triage.summaries import editions
from triage.summaries.schedule import due_slots, slot
from triage.times import PeriodKind, due_at, operational_day, parse_period, period_of

NOW = datetime.now(UTC)
DAY = operational_day(NOW) - timedelta(days=1)
"""The last operational day that is over."""
DAILY = f"/v1/summaries/daily/{DAY}"


@pytest_asyncio.fixture
async def published(crew: Crew, service: RunningService) -> AsyncIterator[Crew]:
    """Yesterday's summary with one incident, from a car with a name that a spreadsheet would run."""
    at = due_at(DAY, time(22))
    contact: Json = {"occurred_at": at, "captured_at": at, "area": "luton_west"}
    await crew.officer.tell("officer", uuid7(), car="=cmd|'/c calc'!A0", **contact)
    await publish_one(crew, service, "daily", DAY)
    yield crew


async def publish_one(crew: Crew, service: RunningService, kind: PeriodKind, day: date) -> None:
    database = service.service.database
    team = await calendars.team(database, crew.team_id)
    assert await publish(database, team, slot(period_of(kind, day), team.calendar), NOW)


async def ask(phone: Phone, address: str) -> httpx.Response:
    path, _, parameters = address.partition("?")
    query: Json = dict(parse_qsl(parameters))
    return await phone.get(path, **query)


@pytest.mark.parametrize("who", ["officer", "nurse", "paramedic", "auditor"])
async def test_others_get_none(published: Crew, who: str) -> None:
    for path in ("/v1/summaries", DAILY):
        assert refused(await getattr(published, who).get(path)) == (403, "forbidden")


async def test_a_partner_gets_no_daily_or_weekly_and_never_the_internal_form(
    published: Crew, service: RunningService
) -> None:
    month = parse_period("monthly", "2026-01")
    await publish_one(published, service, "monthly", month.starts)
    for path in (DAILY, "/v1/summaries/weekly/2026-W02", "/v1/summaries?kind=daily"):
        assert refused(await ask(published.partner, path)) == (403, "forbidden")
    assert refused(await published.partner.get("/v1/summaries/monthly/2026-01")) == (404, "period_not_found")
    assert (await published.partner.see("/v1/summaries"))["summaries"] == []


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/summaries/hourly/2026-11-21", 404, "not_found"),
        ("/v1/summaries/weekly/2026-W60", 404, "period_not_found"),
        ("/v1/summaries/daily/2026-02-30", 404, "period_not_found"),
        ("/v1/summaries/daily/9999-12-31", 404, "period_not_found"),
        ("/v1/summaries/daily/0001-01-01", 404, "period_not_found"),
        ("/v1/summaries/quarterly/2026-Q5", 404, "period_not_found"),
        ("/v1/summaries/daily/2025-12-31", 404, "period_not_found"),
        (f"/v1/summaries/daily/{DAY + timedelta(days=1)}", 404, "period_not_found"),
        (f"{DAILY}?edition=2", 404, "edition_not_found"),
        (f"/v1/summaries/daily/{DAY + timedelta(days=1)}?edition=1", 404, "period_not_found"),
        (f"{DAILY}?edition=0", 400, "invalid_parameter"),
        (f"{DAILY}?edition=one", 400, "invalid_parameter"),
        (f"{DAILY}?area=luton_west", 400, "unknown_parameter"),
        ("/v1/summaries?kind=hourly", 400, "invalid_parameter"),
        ("/v1/summaries?from=yesterday", 400, "invalid_parameter"),
        ("/v1/summaries?from=2026-11-21T07:00:00", 400, "invalid_parameter"),
        ("/v1/summaries?after=nowhere", 400, "invalid_parameter"),
        ("/v1/summaries?limit=201", 400, "invalid_parameter"),
    ],
)
async def test_what_is_not_there_or_cannot_be_asked(published: Crew, path: str, status: int, code: str) -> None:
    assert refused(await ask(published.sergeant, path)) == (status, code)


async def test_an_accept_that_nobody_serves_is_406(published: Crew) -> None:
    for accept in ("application/pdf", "image/*", "text/html;q=0"):
        assert refused(await published.sergeant.get(DAILY, {"accept": accept})) == (406, "not_acceptable")


async def test_another_team_finds_nothing(published: Crew, service: RunningService) -> None:
    stranger = await service.enrol_crew()
    assert refused(await stranger.sergeant.get(DAILY)) == (404, "period_not_found")
    assert (await stranger.sergeant.see("/v1/summaries"))["summaries"] == []


@pytest.mark.parametrize("who", ["sergeant", "clinical_lead", "admin"])
async def test_the_leads_get_the_internal_form(published: Crew, who: str) -> None:
    summary = await getattr(published, who).see(DAILY)
    assert (summary["kind"], summary["form"], summary["period"], summary["edition"]) == (
        "daily",
        "internal",
        str(DAY),
        1,
    )
    assert set(summary) >= {
        "starts_at", "ends_at", "published_at", "late", "as_at_seq", "as_at", "chain_head", "rules", "codes_version",
        "measures", "changes",
    }  # fmt: skip
    for measure in summary["measures"]:
        assert set(measure) >= {"code", "label", "kind", "known", "missing"}
        assert ("value" in measure) != ("rows" in measure)
    assert next(measure["value"] for measure in summary["measures"] if measure["code"] == "incidents") == 1


async def test_the_same_bytes_every_time_and_304_for_who_has_them(published: Crew) -> None:
    first = await published.sergeant.get(DAILY)
    again = await published.clinical_lead.get(DAILY)
    assert first.content == again.content and first.headers["etag"] == again.headers["etag"]
    unchanged = await published.sergeant.get(DAILY, {"if-none-match": first.headers["etag"]})
    assert unchanged.status_code == 304 and unchanged.content == b""


async def test_the_list_is_newest_first_filtered_and_paged(published: Crew, service: RunningService) -> None:
    for n in range(1, 4):
        await publish_one(published, service, "daily", DAY - timedelta(days=n))
    rows = (await published.sergeant.see("/v1/summaries", kind="daily"))["summaries"]
    assert [row["period"] for row in rows] == [str(DAY - timedelta(days=n)) for n in range(4)]
    bounded = {"from": str(DAY - timedelta(days=2)), "to": str(DAY)}
    rows = (await published.sergeant.see("/v1/summaries", **bounded))["summaries"]
    assert [row["period"] for row in rows] == [str(DAY - timedelta(days=n)) for n in (1, 2)]
    page = await ask(published.sergeant, "/v1/summaries?limit=3")
    following = re.fullmatch(r'<(.+)>; rel="next"', page.headers["link"])
    assert following and len(page.json()["summaries"]) == 3
    last = await ask(published.sergeant, following[1])
    assert [row["period"] for row in last.json()["summaries"]] == [str(DAY - timedelta(days=3))]
    assert "link" not in last.headers


async def test_a_failed_run_is_a_problem_in_the_list_and_no_data_in_the_output(
    crew: Crew, service: RunningService, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise ZeroDivisionError

    team = await calendars.team(service.service.database, crew.team_id)
    with monkeypatch.context() as broken:
        broken.setattr(editions, "compute_measures", fail)
        await publish(service.service.database, team, slot(period_of("daily", DAY), team.calendar), NOW)
    [row] = (await crew.sergeant.see("/v1/summaries"))["summaries"]
    assert (row["edition"], row["problem"]) == (0, "run_failed")
    summary = await crew.sergeant.see(DAILY)
    assert (summary["edition"], summary["measures"]) == (0, []) and "No data" in summary["notes"][0]
    for accept in ("text/html", "text/csv"):
        assert "No data" in (await crew.sergeant.get(DAILY, {"accept": accept})).text


async def test_the_metrics_tell_of_failed_runs_and_of_what_is_due_and_not_published(
    server: str, template: str, clone: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with clone(template) as url, running_service(url, tmp_path, metrics_token="metrics") as alone:
        crew = await alone.enrol_crew()
        async with as_owner(url, crew.team_id) as owner:
            await owner.execute("UPDATE team SET starts_on = $1", DAY - timedelta(days=3))
        database = alone.service.database
        team = await calendars.team(database, crew.team_id)
        monkeypatch.setattr(metrics, "READ_EVERY_S", 0.0)

        async def metric(name: str) -> float:
            answer = await alone.client.get("/metrics", headers={"authorization": "Bearer metrics"})
            lines = dict(line.rsplit(" ", 1) for line in answer.text.splitlines() if not line.startswith("#"))
            return float(lines.get(name, 0.0))

        first = due_slots(team.calendar, NOW)[0]
        waits = (datetime.now(UTC) - first.due_at).total_seconds()
        assert abs(await metric("triage_publication_overdue_seconds") - waits) < 60  # though no run ever failed
        failures = await metric('triage_publications_failed_total{kind="daily"}')

        def fail(_: object) -> None:
            raise ZeroDivisionError

        with monkeypatch.context() as broken:
            broken.setattr(editions, "compute_measures", fail)
            await publish(database, team, slot(period_of("daily", DAY), team.calendar), NOW)
        assert await metric('triage_publications_failed_total{kind="daily"}') == failures + 1
        await publish_due(database, NOW)
        assert await metric("triage_publication_overdue_seconds") < 86_400


# --- CSV ---


async def test_no_cell_of_the_csv_is_a_formula(published: Crew) -> None:
    answer = await published.sergeant.get(DAILY, {"accept": "text/csv"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.reader(io.StringIO(answer.text)))
    assert len({len(row) for row in rows}) == 1
    texts = [cell for row in rows for cell in row if not re.fullmatch(r"-?\d+(\.\d+)?", cell)]
    assert not [cell for cell in texts if cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))]
    assert "'=cmd|'/c calc'!A0" in texts


async def test_the_csv_holds_every_figure_and_the_caveats(published: Crew) -> None:
    summary = await published.sergeant.see(DAILY)
    answer = await published.sergeant.get(DAILY, {"accept": "text/csv"})
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    for measure in summary["measures"]:
        told = [row for row in rows if row["measure"] == measure["code"]]
        assert len(told) == max(1, len(measure.get("rows", ())))
        assert {row["caveat"] for row in told} == {measure.get("caveat", "")}
    assert {row["row"] for row in rows if row["measure"] == "summary"} >= {"as_at_seq", "chain_head", "rules"}


# --- pages ---


class Page(HTMLParser):
    """Reads a page and refuses what is not well-formed, or would need more than the page."""

    VOID = frozenset(("meta", "link", "br"))

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


async def test_the_page_needs_nothing_but_itself(published: Crew) -> None:
    answer = await published.sergeant.get(DAILY, {"accept": "text/html"})
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    page = Page(answer.text)
    assert page.all("script") == page.all("style") == page.all("img") == page.all("iframe") == []
    attributes = [(name, value or "") for _, tag_attributes in page.tags for name, value in tag_attributes.items()]
    assert not [name for name, _ in attributes if name == "style" or name.startswith("on")]
    assert {value for name, value in attributes if "//" in value} <= {"http://www.w3.org/2000/svg"}


async def test_the_page_can_be_read_by_everybody(published: Crew) -> None:
    page = Page((await published.sergeant.get(DAILY, {"accept": "text/html"})).text)
    assert page.all("html") == [{"lang": "en-GB"}]
    assert len(page.all("h1")) == len(page.all("main")) == len(page.all("title")) - len(page.all("svg")) == 1
    untitled = [table for table in page.all("table") if "aria-labelledby" not in table]
    assert len(untitled) == len(page.all("caption")) and len(page.all("table")) >= 3
    assert all(cell.get("scope") in ("col", "row") for cell in page.all("th"))
    ids = [value for _, attributes in page.tags if (value := attributes.get("id"))]
    assert len(ids) == len(set(ids))
    named = {name for _, tag_attributes in page.tags for name in (tag_attributes.get("aria-labelledby") or "").split()}
    assert named <= set(ids)
    drawn = page.all("svg")
    assert drawn and all(
        "aria-hidden" in attributes or (attributes["role"] == "img" and attributes["aria-labelledby"])
        for attributes in drawn
    )


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("daily", "The day: 1 incident"),
        ("weekly", "When and where: 1 incident"),
        ("monthly", "The month in five numbers"),
        ("quarterly", "The quarter in five numbers"),
        ("yearly", "The year in five numbers"),
    ],
)
async def test_a_program_and_a_sergeant_read_the_same_page(
    crew: Crew, service: RunningService, kind: PeriodKind, says: str
) -> None:
    day = period_of(kind, DAY).starts - timedelta(days=1)
    at = due_at(day, time(22))
    await crew.officer.tell("officer", uuid7(), occurred_at=at, captured_at=at, area="luton_west")
    await publish_one(crew, service, kind, day)
    name = period_of(kind, day).name
    page = (await crew.sergeant.get(f"/v1/summaries/{kind}/{name}", {"accept": "text/html"})).text
    assert says in page and "/incidents?edition" not in page and "/file/" not in page
    Page(page)


@pytest.mark.parametrize(
    ("name", "media_type", "begins"),
    [
        ("json", "application/json", b"{"),
        ("html", "text/html; charset=utf-8", b"<!DOCTYPE html>"),
        ("csv", "text/csv; charset=utf-8", b""),
        ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", b"PK"),
    ],
)
async def test_a_link_names_the_format_whatever_a_browser_accepts(
    published: Crew, name: str, media_type: str, begins: bytes
) -> None:
    answer = await published.sergeant.get(DAILY, {"accept": "text/html"}, format=name)
    assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)
    assert answer.content.startswith(begins)
    period = DAILY.rsplit("/", 1)[1]
    named = f'attachment; filename="daily-{period}-internal-e1.{name}"' if name in ("csv", "xlsx") else None
    assert answer.headers.get("content-disposition") == named


async def test_a_format_that_there_is_not(published: Crew) -> None:
    assert (await published.sergeant.get(DAILY, format="docx")).status_code == 400
    assert (await published.sergeant.get(DAILY, format="pdf")).status_code == 406  # a day is printed from its page


async def test_a_workbook_is_the_same_bytes_twice_and_holds_no_formula(published: Crew) -> None:
    first, again = [await published.sergeant.get(DAILY, format="xlsx") for _ in range(2)]
    assert first.content == again.content
    with zipfile.ZipFile(io.BytesIO(first.content)) as book:
        sheets = [book.read(name) for name in book.namelist() if "worksheets/" in name]
    assert len(sheets) == 3 and not any(b"<f>" in sheet for sheet in sheets)


async def behind(
    phone: Phone, measure: str, row: str | None = None, edition: str = f"daily/{DAY}/1", **more: str
) -> httpx.Response:
    """The incidents behind a figure of yesterday's summary."""
    query = {"summary": edition, "measure": measure} | ({"row": row} if row else {}) | more
    return await phone.get("/v1/incidents", None, **query)


async def test_the_incidents_behind_a_figure_are_not_filtered_further(published: Crew) -> None:
    answer = await behind(published.sergeant, "incidents_by_area", "luton_west", area="luton_west")
    assert refused(answer) == (400, "invalid_parameter")


async def test_a_figure_leads_to_its_incidents(published: Crew) -> None:
    for lead in (published.sergeant, published.clinical_lead):
        answer = await behind(lead, "incidents_by_area", "luton_west")
        assert answer.status_code == 200
        assert [incident["area"] for incident in answer.json()["incidents"]] == ["luton_west"]


async def test_a_figure_leads_nowhere_for_who_may_not_know(published: Crew) -> None:
    for phone, measure, row in (
        (published.officer, "incidents_by_area", "luton_west"),
        (published.sergeant, "incidents_by_area", "bedford/nowhere"),
        (published.sergeant, "completeness", "police"),
        (published.sergeant, "nothing", None),
    ):
        answer = await behind(phone, measure, row)
        expected = "forbidden" if phone is published.officer else "line_not_traceable"
        assert refused(answer) == (403, expected), measure


@pytest.mark.parametrize(
    ("edition", "status"), [(f"daily/{DAY}/2", 404), ("daily/2026-11-22", 400), ("hourly/2026-11-22/1", 400)]
)
async def test_an_edition_that_is_not_there_leads_nowhere(published: Crew, edition: str, status: int) -> None:
    assert (await behind(published.sergeant, "incidents", edition=edition)).status_code == status

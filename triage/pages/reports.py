"""Published summaries: the list by kind, the sheet of a day and a week, board reports, comparisons, and their files."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, Any, Final
from urllib.parse import quote, urlencode

from litestar import get
from litestar.params import PathParameter, QueryParameter
from msgspec import Struct

from triage.access.actors import Actor
from triage.pages import today
from triage.pages.incidents import listed
from triage.pages.local_time import LocalTime
from triage.pages.refusals import explain
from triage.pages.request import Page, PageRequest, TheService, page, respond
from triage.pages.today import TodayRow
from triage.problems import NOT_FOUND, Refused
from triage.report import board, html, pdf, sheets, xlsx
from triage.report.blocks import Report
from triage.report.sheets import Day, Document
from triage.service import Service
from triage.store import audit
from triage.store.database import Connection
from triage.store.log import review_lists
from triage.store.summaries import calendars, publications, report_files, tracing
from triage.store.summaries.calendars import CalendarTeam
from triage.store.summaries.publications import EditionAddress, ListedSummary
from triage.store.summaries.report_files import REPORTED
from triage.summaries import comparison, csv_files, editions
from triage.summaries.editions import Summary
from triage.summaries.schedule import KINDS
from triage.times import PeriodKind, parse_period

LISTED: Final = 12
LISTED_OF: Final[Mapping[str, int]] = {"daily": 7, "weekly": 6}
# A year is long to compute, and so is a PDF that was not made at publication.
LONG_ANSWER_S: Final = 60.0
CSV: Final = "text/csv"
KIND_NAMES: Final[Mapping[PeriodKind, str]] = {
    "daily": "Days",
    "weekly": "Weeks",
    "monthly": "Months",
    "quarterly": "Quarters",
    "yearly": "Years",
}

LEFT_TO_DO: Final[Mapping[str, str]] = {
    "action_needed/open_detentions": "/review/incidents?need=end",
    "action_needed/conflicting_records": "/review/incidents?need=correction",
    "action_needed/power_location_conflict": "/review/incidents?need=place",
    "action_needed/likely_duplicates": "/review/incidents?need=duplicate",
    "action_needed/unlinked": "/review/incidents?need=person",
    sheets.NOT_YET: "/review/incidents?need=outcome",
    "chase_list": "/review/incidents?need=outcome",
}
"""Where what a sheet counts as to be done is found today."""

Kind = Annotated[str, PathParameter(description="The kind of period.")]
PeriodName = Annotated[str, PathParameter(description="The name of the period.")]
EditionNumber = Annotated[int | None, QueryParameter(ge=1, le=100_000)]
SpanName = Annotated[str, QueryParameter(max_length=20)]


class ListedReport(Struct, frozen=True, kw_only=True):
    """A period in the list, with its latest edition."""

    name: str
    address: str
    edition: str


@get("/reports")
async def list_reports(request: PageRequest, service: TheService) -> Page:
    """Every kind of summary, the newest periods first, each with its latest edition."""
    actor = _reader(request)

    async def load(connection: Connection) -> dict[PeriodKind, list[ListedSummary]]:
        return {
            kind: await publications.list_latest(
                connection, actor.team_id, kind=kind, limit=LISTED_OF.get(kind, LISTED)
            )
            for kind in KINDS
        }

    listed = await service.replica.read(actor.team_id, load)
    return page(
        request,
        "reports.html",
        locks=True,
        kinds=[(KIND_NAMES[kind], [_listed(row) for row in rows]) for kind, rows in listed.items() if rows],
        pdf=pdf.is_installed(),
    )


def _reader(request: PageRequest) -> Actor:
    request.user.require("summaries.internal")
    return request.user


def _listed(row: ListedSummary) -> ListedReport:
    edition = f"Edition {row.edition}" if row.edition else "No data: the run failed and is tried again"
    late = ", published late" if row.late and row.edition else ""
    return ListedReport(
        name=_name(row.kind, row.period), address=_address(row.kind, row.period), edition=edition + late
    )


def _name(kind: PeriodKind, period: str) -> str:
    starts = parse_period(kind, period).starts
    match kind:
        case "daily":
            return starts.strftime("%A %-d %B %Y")
        case "weekly":
            return f"Week {period[-2:]} of {period[:4]}, from {starts:%-d %B}"
        case "monthly":
            return starts.strftime("%B %Y")
        case "quarterly":
            return f"Quarter {period[-1]} of {period[:4]}, from {starts:%B %Y}"
        case "yearly":
            return f"Year {period}, from {starts:%B %Y}"


def _address(kind: str, period: str, edition: int | None = None) -> str:
    return f"/review/summaries/{kind}/{period}" + (f"?edition={edition}" if edition else "")


@get("/day")
async def show_latest_day(request: PageRequest, service: TheService) -> Page:
    """The sheet of the newest day that is published."""
    actor = _reader(request)
    newest = await service.replica.read(
        actor.team_id, partial(publications.list_latest, team_id=actor.team_id, kind="daily", limit=1)
    )
    if not newest:
        said = "The first summary comes after the first whole day."
        return explain(request, "No day is published yet", said)
    return await _show(request, service, actor, "daily", newest[0].period, None)


@get("/summaries/{kind:str}/{period:str}", answers_within_s=LONG_ANSWER_S)
async def show_summary(
    request: PageRequest, service: TheService, kind: Kind, period: PeriodName, edition: EditionNumber = None
) -> Page:
    """An edition, the latest where none is named."""
    return await _show(request, service, _reader(request), kind, period, edition)


async def _show(
    request: PageRequest, service: Service, actor: Actor, kind: str, period: str, edition: int | None
) -> Page:
    team = await calendars.team(service.database, actor.team_id)
    summary, address, latest = await _load(service, actor, kind, period, edition)
    document = await report_files.read_document(service.replica, team, address, summary)
    async with service.database.team(actor.team_id) as connection, connection.transaction(isolation="repeatable_read"):
        links = await _links(connection, actor, team, summary, lines_of(document))
    content = html.content_of(
        document,
        links=links,
        files=_files(summary),
        newer=_address(summary.kind, summary.period) if summary.edition and latest > summary.edition else "",
        earlier=_before(summary.kind, summary.period),
        running=await _running(service, actor, team) if isinstance(document, Day) else None,
    )
    return page(request, html.template_of(document), locks=True, **content)


async def _running(service: Service, actor: Actor, team: CalendarTeam) -> Sequence[TodayRow]:
    """The detentions to hand over, with their clocks as of now. The reading is logged."""
    now = datetime.now(UTC)
    views, _ = await review_lists.list_needing_action(service.database, service.incidents, actor, now)
    rows = today.arrange(views, (), {}, LocalTime(now, team.calendar.zone)).clocks
    if rows:
        await service.incidents.record_reading(actor, "review/day", sorted(row.id for row in rows))
    return rows


def lines_of(document: Document) -> frozenset[str]:
    """The lines of measures that the figures of a document are."""
    return board.lines_of(document) if isinstance(document, Report) else sheets.lines_of(document)


async def _load(
    service: Service, actor: Actor, kind: str, name: str, edition: int | None
) -> tuple[Summary, EditionAddress | None, int]:
    """An edition, its address and the number of the latest one; without data where the run failed.

    The reading is logged.
    """
    asked = publications.asked_period(kind, name)
    async with service.database.team(actor.team_id) as connection:
        published = await publications.find_published(connection, actor.team_id, asked, edition)
        if isinstance(published, Summary):
            return published, None, 0
        latest = published
        if edition is not None:
            latest = await publications.find_edition(connection, actor.team_id, asked.kind, asked.name) or published
        await audit.record(connection, actor, "consultation", f"summary {asked.kind} {asked.name} internal")
    body = await publications.read_body(service.replica, actor.team_id, published)
    return editions.decode(body), published, latest.edition


async def _links(
    connection: Connection,
    actor: Actor,
    team: CalendarTeam,
    summary: Summary,
    names: Collection[str],
) -> dict[str, str]:
    """The address of the incidents behind each line that leads this reader there; for what is to be done of a day or
    week, else the list of what is left to do."""
    now, here = datetime.now(UTC), _address(summary.kind, summary.period)
    traced = await tracing.traceable_lines(connection, actor, team, summary, names, now)
    return {name: address for name, address in LEFT_TO_DO.items() if name in names} | {
        name: f"{here}/incidents?edition={summary.edition}&line={quote(name, safe='')}" for name in traced
    }


@get("/summaries/{kind:str}/{period:str}/incidents", answers_within_s=LONG_ANSWER_S)
async def list_behind(
    request: PageRequest,
    service: TheService,
    kind: Kind,
    period: PeriodName,
    line: Annotated[str, QueryParameter(max_length=200)] = "",
    edition: EditionNumber = None,
) -> Page:
    """The incidents behind a figure, counted by the measure itself as when the edition was made."""
    actor, now = _reader(request), datetime.now(UTC)
    team = await calendars.team(service.database, actor.team_id)
    summary, _, _ = await _load(service, actor, kind, period, edition)
    async with service.database.team(actor.team_id) as connection, connection.transaction(isolation="repeatable_read"):
        views = await tracing.follow_line(connection, service.incidents, actor, team, summary, line, now)
        ids = [view.id for view in views]
        await audit.record(
            connection, actor, "consultation", "review/figure", ids, detail=f"{kind}/{period} {line}"[:200]
        )
    changed = sum(summary.as_at is not None and view.changed_at > summary.as_at for view in views)
    return page(
        request,
        "behind.html",
        title=editions.label_of(summary.measures, line),
        period=_name(summary.kind, summary.period),
        address=_address(summary.kind, summary.period, summary.edition),
        edition=summary.edition,
        changed=changed,
        found=[listed(view, LocalTime(now, team.calendar.zone)) for view in views],
    )


def _before(kind: PeriodKind, name: str) -> str:
    """The address of the day or week before."""
    if kind not in ("daily", "weekly"):
        return ""
    starts = parse_period(kind, name).starts - timedelta(days=1)
    return _address(kind, str(starts) if kind == "daily" else starts.strftime("%G-W%V"))


def _files(summary: Summary) -> list[tuple[str, str]]:
    here = _address(summary.kind, summary.period)
    formats = ["csv", "xlsx"] + (["pdf"] if pdf.is_installed() and summary.kind in REPORTED else [])
    return [(form.upper(), f"{here}/file/{form}?edition={summary.edition}") for form in formats if summary.edition]


@get("/summaries/{kind:str}/{period:str}/file/{form:str}", answers_within_s=LONG_ANSWER_S)
async def get_file(
    request: PageRequest,
    service: TheService,
    kind: Kind,
    period: PeriodName,
    form: Annotated[str, PathParameter(description="csv, xlsx or pdf.")],
    edition: EditionNumber = None,
) -> Page:
    """An edition as a file: CSV for programs, XLSX for people, PDF for the board."""
    actor = _reader(request)
    team = await calendars.team(service.database, actor.team_id)
    summary, _, _ = await _load(service, actor, kind, period, edition)
    name = f"{kind}-{summary.period}-internal-e{summary.edition}.{form}"
    match form:
        case "csv":
            return _attached(request, csv_files.of_summary(summary), CSV, name)
        case "xlsx":
            book = await asyncio.to_thread(xlsx.of_summary, summary, team.calendar.zone)
            return _attached(request, book, xlsx.MEDIA_TYPE, name)
        case "pdf" if kind in REPORTED and summary.edition:
            made = await report_files.find_or_make(service.database, service.replica, team, summary)
            return _attached(request, made, pdf.MEDIA_TYPE, name)
        case _:
            raise Refused(NOT_FOUND)


def _attached(request: PageRequest, body: bytes, media_type: str, name: str) -> Page:
    return respond(request, body, media_type=media_type, content_disposition=f'attachment; filename="{name}"')


# --- two spans ---


@get("/compare", answers_within_s=LONG_ANSWER_S)
async def compare(
    request: PageRequest,
    service: TheService,
    first: SpanName = "",
    second: SpanName = "",
    form: Annotated[str, QueryParameter(name="format", max_length=4)] = "html",
) -> Page:
    """The quarterly measures of two spans of whole months side by side, once both are given."""
    actor = _reader(request)
    asked: dict[str, Any] = {"first": first.strip(), "second": second.strip()}
    if not first and not second:
        return page(request, "compare.html", **asked, fault="", report=None)
    try:
        before, after = comparison.parse_span(asked["first"]), comparison.parse_span(asked["second"])
    except comparison.SpanFault:
        fault = "Enter both spans as whole months, the earlier month first."
        return page(request, "compare.html", 422, **asked, fault=fault, report=None)
    team = await calendars.team(service.database, actor.team_id)
    now = datetime.now(UTC)
    try:
        compared, report = await service.replica.read(
            actor.team_id, partial(report_files.load_comparison, team=team, first=before, second=after, now=now)
        )
    except comparison.SpanFault as fault:
        return page(request, "compare.html", 422, **asked, fault=str(fault), report=None)
    async with service.database.team(actor.team_id) as connection:
        await audit.record(connection, actor, "consultation", f"review/compare {before.name} {after.name}")
    name = f"comparison-{before.name}-{after.name}".replace("..", "_")
    match form:
        case "csv":
            return _attached(request, csv_files.of_comparison(compared), CSV, f"{name}.csv")
        case "xlsx":
            book = await asyncio.to_thread(xlsx.of_comparison, compared, team.calendar.zone)
            return _attached(request, book, xlsx.MEDIA_TYPE, f"{name}.xlsx")
        case "pdf":
            return _attached(request, await report_files.make_pdf(report), pdf.MEDIA_TYPE, f"{name}.pdf")
        case _:
            query = urlencode(asked)
            files = [
                (form.upper(), f"/review/compare?{query}&format={form}")
                for form in ("csv", "xlsx", *(["pdf"] if pdf.is_installed() else []))
            ]
            return page(request, "compare.html", **asked, fault="", files=files, report=report)


HANDLERS: Final = (list_reports, show_latest_day, show_summary, list_behind, get_file, compare)

"""Published summaries: the list, and one edition as JSON, a page, CSV, a workbook or a PDF."""

import asyncio
from collections.abc import Mapping
from datetime import date, datetime, time
from functools import partial
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo

import msgspec
from litestar import Response, Router, get
from litestar.params import PathParameter, QueryParameter
from msgspec import Struct

from triage.access.actors import Actor
from triage.exports import protected
from triage.exports.files import TABLES_COLUMNS
from triage.exports.protected import ProtectedSummary
from triage.http.access_control import needs
from triage.http.negotiation import CSV, HTML, JSON, acceptable, ready, tagged
from triage.http.openapi import ETAG, LINK, UNCHANGED
from triage.http.paging import next_page, read_place
from triage.http.parameters import After, EditionNumber, Limit, Moment, SignedIn, TheService
from triage.problems import (
    EDITION_NOT_FOUND,
    FORBIDDEN,
    INVALID_PARAMETER,
    NOT_ACCEPTABLE,
    NOT_FOUND,
    NOT_INSTALLED,
    PERIOD_NOT_FOUND,
    Refused,
)
from triage.report import html, pdf, protected_tables, xlsx
from triage.service import Service
from triage.store import audit
from triage.store.summaries import calendars, publications, report_files
from triage.store.summaries.calendars import CalendarTeam
from triage.store.summaries.publications import EditionAddress, ListedSummary
from triage.store.summaries.report_files import REPORTED
from triage.summaries import csv_files, editions
from triage.summaries.editions import Form, Summary
from triage.summaries.schedule import KINDS
from triage.times import PeriodKind, due_at

XLSX: Final = xlsx.MEDIA_TYPE
PDF: Final = pdf.MEDIA_TYPE
FILES: Final[Mapping[str, str]] = {CSV: "csv", XLSX: "xlsx", PDF: "pdf"}
"""Media types that are sent as attachments, with the ending of their name."""
MEDIA_TYPES: Final[Mapping[str, str]] = {"json": JSON, "html": HTML, "csv": CSV, "xlsx": XLSX, "pdf": PDF}
"""Media types by the name that a link gives them."""

_encode = msgspec.json.Encoder().encode


class SummaryList(Struct, frozen=True):
    """The latest edition of each period and form; `Link: rel="next"` leads to the next page."""

    summaries: list[ListedSummary]


@get("/", response_headers=[LINK], response_description="The latest edition of each period.")
async def list_summaries(
    request: SignedIn,
    service: TheService,
    kind: Annotated[PeriodKind | None, QueryParameter(description="Only summaries of this kind.")] = None,
    since: Annotated[
        str | None, QueryParameter(name="from", description="Only periods that start at or after this day or time.")
    ] = None,
    until: Annotated[
        str | None, QueryParameter(name="to", description="Only periods that start before this day or time.")
    ] = None,
    limit: Limit = 50,
    after: After = None,
) -> Response[SummaryList]:
    """List summaries, one row a kind, period and form, newest first.

    A period whose run failed is there, with its problem.
    """
    actor, form = request.user, form_of(request.user)
    if form == "protected" and kind not in (None, *REPORTED):
        raise Refused(FORBIDDEN)
    calendar = (await calendars.team(service.database, actor.team_id)).calendar
    wanted = partial(
        publications.list_latest,
        team_id=actor.team_id,
        form=form,
        kind=kind,
        from_=_day_or_time(since, calendar),
        to=_day_or_time(until, calendar),
        after=read_place(after, tuple[date, PeriodKind]),
        limit=limit + 1,
    )
    listed = await service.replica.read(actor.team_id, wanted)
    page = listed[:limit]
    link = next_page(request, (page[-1].first_day, page[-1].kind) if len(listed) > limit else None)
    return ready(_encode(SummaryList(page)), headers=link)


@get(
    "/{kind:str}/{period:str}",
    forms=(JSON, HTML, CSV, XLSX, PDF),
    answers_within_s=60.0,
    request_headers=["If-None-Match"],
    response_headers=[ETAG],
    response_description="The edition.",
    responses=UNCHANGED,
    problems=[NOT_FOUND, PERIOD_NOT_FOUND, EDITION_NOT_FOUND, NOT_INSTALLED],
)
async def get_summary(
    request: SignedIn,
    service: TheService,
    kind: Annotated[str, PathParameter(description="`daily`, `weekly`, `monthly`, `quarterly` or `yearly`.")],
    period: Annotated[
        str, PathParameter(description="Such as `2026-11-22`, `2026-W47`, `2026-10`, `2026-Q3` or `2026`.")
    ],
    edition: EditionNumber = None,
    file_format: Annotated[
        Literal["json", "html", "csv", "xlsx", "pdf"] | None,
        QueryParameter(name="format", description="As `Accept`, for a link in a browser."),
    ] = None,
) -> Response[Summary | ProtectedSummary]:
    """Read a summary: an edition, the latest where none is named, in the form that the reader gets."""
    media_type = MEDIA_TYPES[file_format] if file_format else acceptable(request.scope, *MEDIA_TYPES.values())
    actor, form = request.user, form_of(request.user)
    if form == "protected" and kind in KINDS and kind not in REPORTED:
        raise Refused(FORBIDDEN)
    asked = publications.asked_period(kind, period)
    async with service.database.team(actor.team_id) as connection:
        published = await publications.find_published(connection, actor.team_id, asked, edition, form)
        operation: audit.Operation = "disclosure" if actor.partner_id else "consultation"
        recipient = str(actor.partner_id) if actor.partner_id else None
        await audit.record(
            connection, actor, operation, f"summary {asked.kind} {asked.name} {form}", recipient=recipient
        )
    headers = {"vary": "Accept"}
    if media_type in FILES:
        name = f"{asked.kind}-{asked.name}-{form}-e{published.edition}.{FILES[media_type]}"
        headers["content-disposition"] = f'attachment; filename="{name}"'
    if isinstance(published, EditionAddress):
        address, body = published, await publications.read_body(service.replica, actor.team_id, published)
    else:
        address, body = None, editions.encode(published)
    if media_type != JSON:
        team = await calendars.team(service.database, actor.team_id)
        body = await _rendered(service, team, address, report_files.decode(body, form), media_type)
    if media_type == HTML:
        headers["content-security-policy"] = html.CONTENT_SECURITY_POLICY
    return tagged(request, body, media_type, headers)


def form_of(actor: Actor) -> Form:
    """The form an actor gets, never the other. Raises Refused (403) without either verb."""
    if "summaries.internal" in actor.verbs:
        return "internal"
    actor.require("summaries.protected")
    return "protected"


async def _rendered(
    service: Service,
    team: CalendarTeam,
    address: EditionAddress | None,
    summary: Summary | ProtectedSummary,
    media_type: str,
) -> bytes:
    """An edition as a page or a file. Raises Refused (406) for a day or week, or without the extra, as PDF."""
    if media_type == PDF:
        if summary.kind not in REPORTED or not summary.edition:
            raise Refused(NOT_ACCEPTABLE, "A day or week has no PDF: print its page.")
        return await report_files.find_or_make(service.database, service.replica, team, summary)
    if isinstance(summary, ProtectedSummary):
        return await asyncio.to_thread(_partners, summary, media_type, team.calendar.zone)
    match media_type:
        case "text/html":
            return html.render(await report_files.read_document(service.replica, team, address, summary))
        case "text/csv":
            return csv_files.of_summary(summary)
        case _:
            return await asyncio.to_thread(xlsx.of_summary, summary, team.calendar.zone)


def _partners(summary: ProtectedSummary, media_type: str, zone: ZoneInfo) -> bytes:
    """The CSV is the one that is frozen, with the caveats after it."""
    match media_type:
        case "text/html":
            return html.render(protected_tables.report(summary, zone))
        case "text/csv":
            return protected.csv(summary) + csv_files.caveats(summary.statement.read_me, len(TABLES_COLUMNS))
        case _:
            return xlsx.of_protected(summary, zone)


def _day_or_time(text: str | None, calendar: Any) -> datetime | None:
    """A bound of the list: a date, which stands for the start of that operational day, or a time with an offset."""
    if text is None:
        return None
    try:
        return due_at(date.fromisoformat(text), time(calendar.day_start_hour), calendar.zone)
    except (ValueError, OverflowError):
        pass
    try:
        return Moment.read(Moment, text)
    except (ValueError, OverflowError) as error:
        raise Refused(INVALID_PARAMETER, "from and to are days, or times with an offset.") from error


router = Router(
    "/v1/summaries",
    route_handlers=[list_summaries, get_summary],
    guards=[needs("summaries.internal", "summaries.protected")],
    tags=["Summaries"],
)

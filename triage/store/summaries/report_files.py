"""Board reports of editions: what they are made from, and the PDF that is frozen beside each edition."""

import asyncio
import logging
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final, NamedTuple

from triage.exports import protected
from triage.exports.protected import ProtectedSummary
from triage.problems import NOT_INSTALLED, Refused
from triage.report import board, comparison, pdf, protected_tables, sheets
from triage.report.blocks import Report
from triage.report.sheets import Document
from triage.store.database import Connection, Database
from triage.store.replica import Replica
from triage.store.statements import statement
from triage.store.summaries import scopes
from triage.store.summaries.calendars import CalendarTeam
from triage.store.summaries.publications import EditionAddress, find_failed, load_body
from triage.summaries import editions
from triage.summaries.comparison import Comparison, Span
from triage.summaries.editions import Summary
from triage.summaries.schedule import slot
from triage.times import Period, PeriodKind

logger = logging.getLogger(__name__)

MONTHS: Final = 24
"""As many months as limits are drawn from."""
WEEKS: Final = 54
RUN_OF_WEEKS: Final = 26
AT_ONCE: Final = 100
REPORTED: Final = ("monthly", "quarterly", "yearly")
"""The kinds that have a board report; a day and a week have a sheet of their own."""
LONG_AGO: Final = datetime.fromisoformat("2000-01-01T00:00:00+00:00")


class _EditionWithoutFile(NamedTuple):
    kind: str
    period: str
    form: str
    body: bytes


class _LatestBody(NamedTuple):
    period: str
    body: bytes | None


_FIND = statement("report_files.find", bytes)
_DIGEST = statement("report_files.digest", bytes)
_ADD = statement("report_files.add")
_WITHOUT_FILE = statement("report_files.without_file", _EditionWithoutFile)
_LATEST_UNTIL = statement("report_files.latest_until", _LatestBody)


async def load_document(connection: Connection, team: CalendarTeam, summary: Summary) -> Document:
    """The report that an internal edition is printed as: a sheet of its day or week, or a board report."""
    zone = team.calendar.zone
    if not summary.edition:
        return board.no_data(summary)
    if summary.kind == "daily":
        return sheets.day(summary, zone)
    if summary.kind == "weekly":
        since = summary.ends_at - timedelta(weeks=RUN_OF_WEEKS, hours=2)
        weeks = await load_summaries(connection, team, "weekly", since, summary.ends_at, RUN_OF_WEEKS)
        return sheets.week(summary, weeks, zone)
    return await load_report(connection, team, summary)


async def read_document(
    replica: Replica, team: CalendarTeam, address: EditionAddress | None, summary: Summary
) -> Document:
    """As `load_document`, by whoever has the edition; without an address it is one of a run that failed."""

    async def load(connection: Connection) -> Document | None:
        if address and await load_body(connection, team.team_id, address) is None:
            return None
        return await load_document(connection, team, summary)

    document = await replica.read(team.team_id, load)
    assert document is not None, "an edition that was published stays"
    return document


async def load_report(connection: Connection, team: CalendarTeam, summary: Summary) -> Report:
    """The board report of an internal edition."""
    months = await load_summaries(connection, team, "monthly", LONG_AGO, summary.ends_at, MONTHS)
    weeks = await load_summaries(connection, team, "weekly", summary.starts_at, summary.ends_at, WEEKS)
    return board.report(summary, months, weeks, team.calendar.zone)


async def load_comparison(
    connection: Connection, team: CalendarTeam, first: Span, second: Span, now: datetime
) -> tuple[Comparison, Report]:
    """Two spans side by side, and their report with the run charts of the months from one to the other.

    Raises SpanFault.
    """
    async with connection.transaction(isolation="repeatable_read"):
        compared = await scopes.compare(connection, team, first, second, now)
        whole = Period("monthly", "", min(first.starts, second.starts), max(first.ends, second.ends))
        bounds = slot(whole, team.calendar)
        months = await load_summaries(connection, team, "monthly", bounds.starts_at, bounds.ends_at, MONTHS)
    return compared, comparison.report(compared, months, team.calendar.zone)


async def load_summaries(
    connection: Connection, team: CalendarTeam, kind: PeriodKind, since: datetime, until: datetime, most: int
) -> list[Summary]:
    """The latest editions of the periods of a kind between two instants, oldest first; no data where a run failed."""
    rows = await _LATEST_UNTIL.fetch(connection, team_id=team.team_id, kind=kind, since=since, until=until, most=most)
    summaries = []
    for row in reversed(rows):
        failed = None if row.body else await find_failed(connection, team.team_id, kind, row.period)
        summaries += [editions.decode(row.body)] if row.body else [failed] if failed else []
    return summaries


async def find_or_make(
    database: Database, replica: Replica, team: CalendarTeam, summary: Summary | ProtectedSummary
) -> bytes:
    """The PDF of an edition: made once, and the same bytes from then on, which any copy has.

    Raises Refused (406) where it is not made yet and the extra `pdf` is not installed.
    """
    key = _key(team, summary)
    async with database.team(team.team_id) as connection:
        sha256 = await _DIGEST.fetch_first(connection, **key)
    if sha256 is None:
        return await _make(database, team, summary)
    stored = await replica.read(team.team_id, lambda connection: _FIND.fetch_first(connection, **key, sha256=sha256))
    assert stored is not None, "a report was there, and reports stay"
    return stored


def _key(team: CalendarTeam, summary: Summary | ProtectedSummary) -> dict[str, Any]:
    return {
        "team_id": team.team_id,
        "kind": summary.kind,
        "period": summary.period,
        "form": summary.form,
        "edition": summary.edition,
    }


async def _make(database: Database, team: CalendarTeam, summary: Summary | ProtectedSummary) -> bytes:
    """By the database itself, and in a thread: what is frozen lacks no edition that is published before it."""
    key = _key(team, summary)
    async with database.team(team.team_id) as connection:
        report = (
            await load_report(connection, team, summary)
            if isinstance(summary, Summary)
            else protected_tables.report(summary, team.calendar.zone)
        )
    body = await make_pdf(report)
    async with database.team(team.team_id) as connection:
        await _ADD.execute(connection, **key, sha256=sha256(body).digest(), body=body)
        return await _FIND.fetch_one(connection, **key, sha256=None)


async def make_missing(database: Database, team: CalendarTeam) -> None:
    """Make the PDFs that published editions lack, the newest first; nothing without the extra `pdf`.

    What fails is logged and tried again with the next publication: a report holds no publication back.
    """
    if not pdf.is_installed():
        return
    async with database.team(team.team_id) as connection:
        lacking = await _WITHOUT_FILE.fetch(connection, team_id=team.team_id, kinds=list(REPORTED), most=AT_ONCE)
    for edition in lacking:
        try:
            await _make(database, team, decode(edition.body, edition.form))
        except Exception as error:
            logger.error("report_not_made", exc_info=error, extra={"kind": edition.kind, "period": edition.period})


def decode(body: bytes, form: str) -> Summary | ProtectedSummary:
    """A stored edition of either form."""
    return editions.decode(body) if form == "internal" else protected.decode(body)


async def make_pdf(report: Report) -> bytes:
    """The file of a report, made in a thread. Raises Refused (406) without the extra `pdf`."""
    if not pdf.is_installed():
        raise Refused(NOT_INSTALLED)
    return await asyncio.to_thread(pdf.make, report)

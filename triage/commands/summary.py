"""`triage summary`: published summaries, when they are due, and reports on demand."""

import contextlib
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from pkgutil import resolve_name
from uuid import UUID

import click
import msgspec

from triage import codes
from triage.commands.database import Databases, with_databases
from triage.commands.output import show_json, show_table
from triage.errors import OperatorError
from triage.exports import protected
from triage.exports.published_answers import published_answer
from triage.report.head import head
from triage.report.sheets import Document
from triage.store.summaries import calendars, publications, report_files, scopes
from triage.store.summaries import recompute as recomputation
from triage.store.summaries.calendars import CalendarTeam
from triage.summaries import csv_files, editions
from triage.summaries.comparison import parse_span
from triage.summaries.editions import Summary
from triage.summaries.facts import IncidentFact
from triage.summaries.home_office import annual_return, parse_year
from triage.summaries.questions import Counted, Question, answer
from triage.summaries.schedule import DEFAULTS, KINDS, DueTime, is_over
from triage.times import Period, PeriodKind, parse_period


@with_databases
async def list_(databases: Databases, team_id: UUID | None, as_json: bool, kind: PeriodKind | None, limit: int) -> None:
    """The work of `triage summary list`."""
    async with databases.team(team_id) as (connection, team):
        listed = await publications.list_latest(connection, team.team_id, kind=kind, limit=limit)
    headings = ("kind", "period", "edition", "published at", "late", "problem")
    rows = [(row.kind, row.period, row.edition, row.published_at, row.late, row.problem) for row in listed]
    show_table(headings, rows, as_json)


@with_databases
async def show(
    databases: Databases,
    team_id: UUID | None,
    kind: PeriodKind,
    period: str,
    edition: int | None,
    form: str,
    output: Path | None,
) -> None:
    """The work of `triage summary show`."""
    shown, team = await _find(databases, team_id, kind, period, edition)
    match form:
        case "json":
            _write(msgspec.json.format(editions.encode(shown), indent=2) + b"\n", output)
        case "csv":
            _write(csv_files.of_summary(shown), output)
        case "html":
            async with databases.team(team_id) as (connection, team):
                document = await report_files.load_document(connection, team, shown)
            _write(_page(document), output)
        case _:
            _write(_in_text(shown, team).encode(), output)


@with_databases
async def diff(
    databases: Databases, team_id: UUID | None, as_json: bool, kind: PeriodKind, period: str, edition: int | None
) -> None:
    """The work of `triage summary diff`."""
    shown, _ = await _find(databases, team_id, kind, period, edition)
    if as_json:
        show_json(shown.changes)
        return
    if shown.previous is None:
        click.echo("This is the first edition.")
    for change in shown.changes:
        why = "time" if change.why == "time" else f"entries: {', '.join(change.kinds)}"
        click.echo(f"{change.line}: {change.old} -> {change.new} ({why})")


@with_databases
async def recompute(
    databases: Databases, team_id: UUID | None, kind: PeriodKind, period: str, edition: int | None
) -> None:
    """The work of `triage summary recompute`."""
    published, _ = await _find(databases, team_id, kind, period, edition)
    if not published.edition:
        raise click.ClickException("no edition is published for this period: its run failed")
    flows = tuple(measure for measure in published.measures if measure.kind == "flow")
    async with databases.replica(team_id) as (replica, team):
        again = await replica.read(team.team_id, partial(recomputation.recompute, team=team, summary=published))
    if msgspec.json.encode(again) != msgspec.json.encode(flows):
        raise click.ClickException("the numbers differ from those published")
    click.echo(f"{kind} {published.period} edition {published.edition}: the same numbers, to the byte")


@with_databases
async def compare(
    databases: Databases,
    team_id: UUID | None,
    first: str,
    second: str,
    form: str,
    as_at: datetime | None,
    output: Path | None,
) -> None:
    """The work of `triage summary compare`."""
    now = as_at or datetime.now(UTC)
    spans = parse_span(first), parse_span(second)
    async with databases.replica(team_id) as (replica, team):
        report, document = await replica.read(
            team.team_id, partial(report_files.load_comparison, team=team, first=spans[0], second=spans[1], now=now)
        )
    if form == "html":
        _write(_page(document), output)
        return
    _write(csv_files.of_comparison(report), output)


@with_databases
async def home_office(
    databases: Databases, team_id: UUID | None, year: str, triage_car: str, output: Path | None
) -> None:
    """The work of `triage summary home-office`."""
    try:
        period = parse_year(year)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    choices = [code.code for code in codes.list("transport") if code.code != "triage_car"]
    if triage_car not in choices:
        raise click.ClickException(f"--triage-car is one of {', '.join(choices)}")
    facts, _ = await _incidents(databases, team_id, period)
    _write(annual_return(year, facts, triage_car), output)


@with_databases
async def question(
    databases: Databases,
    team_id: UUID | None,
    period: str,
    of: Counted,
    by: tuple[str, ...],
    hours: bool,
    publishable: bool,
    output: Path | None,
) -> None:
    """The work of `triage summary question`."""
    asked = _period(period)
    if not publishable:
        facts, team = await _incidents(databases, team_id, asked)
        _write(answer(Question(of, by, hours), facts, team.calendar.zone), output)
        return
    async with databases.team(team_id) as (connection, team):
        body = await publications.find_body(connection, team.team_id, asked.kind, asked.name, form="protected")
    if of == "s135" or hours:
        raise click.ClickException("no protected table counts section 135, or hours of detention")
    if body is None:
        raise click.ClickException(f"no protected tables of {asked.name} are released")
    _write(published_answer(protected.decode(body), of, by), output)


def _period(name: str) -> Period:
    """A month, a quarter or a financial year."""
    kinds: tuple[PeriodKind, ...] = ("monthly", "quarterly", "yearly")
    for kind in kinds:
        with contextlib.suppress(ValueError):
            return parse_period(kind, name)
    raise click.ClickException(f"{name!r} is no month, quarter or financial year, such as 2026-10, 2026-Q3 or 2026")


@with_databases
async def force_total(
    databases: Databases, team_id: UUID | None, period: str, s136: int | None, source: str | None, as_json: bool
) -> None:
    """The work of `triage summary force-total`."""
    now = datetime.now(UTC)
    try:
        of = parse_period("quarterly" if "Q" in period else "yearly", period)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    if s136 is not None and not (source and source.strip()):
        raise click.ClickException("say where the number comes from, by --source")
    if source and s136 is None:
        raise click.ClickException("say the number that comes from there")
    async with databases.team(team_id) as (connection, team):
        if s136 is not None and source:
            if not is_over(of, team.calendar, now):
                raise click.ClickException(f"{of.name} is not over")
            await scopes.enter_force_total(connection, team.team_id, of, s136, source.strip()[:200], now)
        totals = await scopes.force_totals(connection, team.team_id, of, now)
    show_table(
        ("period", "version", "s136", "source"),
        [(of.name, total.version, total.s136, total.source) for total in totals],
        as_json,
    )


@with_databases
async def schedule(
    databases: Databases,
    team_id: UUID | None,
    as_json: bool,
    kind: PeriodKind | None,
    at: datetime | None,
    after_days: int | None,
) -> None:
    """The work of `triage summary schedule`."""
    if (kind or after_days is not None) and at is None:
        raise click.ClickException("say the kind and the time as well, such as daily 09:30")
    async with databases.team(team_id) as (connection, team):
        due = dict(team.calendar.due)
        if kind and at:
            due[kind] = DueTime(at.time(), after_days or DEFAULTS[kind].after_days)
            await calendars.set_schedule(connection, team.team_id, kind, due[kind].at, due[kind].after_days)
    rows = [(kind, f"{due[kind].at:%H:%M}", due[kind].after_days) for kind in KINDS]
    show_table(("kind", "local time", "days after the last day"), rows, as_json)


# --- what the commands share ---


async def _find(
    databases: Databases, team_id: UUID | None, kind: PeriodKind, period: str, edition: int | None
) -> tuple[Summary, CalendarTeam]:
    """The edition that is named, or the latest, with its team. Raises click.ClickException where there is none."""
    try:
        name = parse_period(kind, period).name
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    async with databases.team(team_id) as (connection, team):
        body = await publications.find_body(connection, team.team_id, kind, name, edition)
        if body is not None:
            return editions.decode(body), team
        failed = None if edition else await publications.find_failed(connection, team.team_id, kind, name)
    if failed is None:
        raise OperatorError("nothing is published for this period, or not in this edition")
    return failed, team


async def _incidents(
    databases: Databases, team_id: UUID | None, period: Period
) -> tuple[list[IncidentFact], CalendarTeam]:
    """The incidents of a period that count, with their team."""
    async with databases.replica(team_id) as (replica, team):
        between = partial(scopes.incidents_between, team=team, starts=period.starts, ends=period.ends)
        return await replica.read(team.team_id, between), team


def _page(document: Document) -> bytes:
    """The report as a file of its own; its templates are loaded for this form alone."""
    page: bytes = resolve_name("triage.report.html:render")(document, standalone=True)
    return page


def _write(content: bytes, output: Path | None) -> None:
    if output is None:
        click.echo(content, nl=False)
    else:
        output.write_bytes(content)


def _in_text(shown: Summary, team: CalendarTeam) -> str:
    lines = [f"{shown.kind} summary {shown.period}", *(f"{a}: {b}" for a, b in head(shown, team.calendar.zone))]
    lines += shown.notes
    for measure in shown.measures:
        lines += ["", f"{measure.label} [{measure.kind}]: {measure.known} known, {measure.missing} not recorded"]
        if not isinstance(measure.rows, tuple):
            lines.append(f"  {measure.text}")
            continue
        for row in measure.rows:
            column = f" ({row.column})" if row.column else ""
            lines.append(f"  {row.label}{column}: {row.text or ('no data' if row.value is None else row.value)}")
    return "\n".join(lines) + "\n"

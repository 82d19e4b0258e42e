"""`triage publish` and `triage summary`: summaries from the command line."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args
from uuid import UUID

import msgspec
import rich_click as click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from triage import codes
from triage.commands.options import DATA_DIR
from triage.commands.teams import TEAM, quiet_settings, with_database, with_team
from triage.jobs.publish import PublishOptions, publish_due
from triage.log.entries import Time
from triage.store.database import Connection, Database
from triage.store.journal import Journal
from triage.store.summaries import calendars, publications, scopes
from triage.store.summaries import recompute as recomputation
from triage.store.summaries.calendars import CalendarTeam
from triage.summaries import csv_files, editions, pages
from triage.summaries.comparison import Comparison, Span, SpanFault, parse_span
from triage.summaries.editions import Summary
from triage.summaries.facts import IncidentFact
from triage.summaries.home_office import annual_return, parse_year
from triage.summaries.registry import ForceTotal
from triage.summaries.schedule import DEFAULTS, KINDS, DueTime, is_over
from triage.times import PeriodKind, parse_period

KIND = click.argument("kind", type=click.Choice(get_args(PeriodKind)))
OUTPUT = click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="File instead of the screen.")


class Instant(click.ParamType[datetime]):
    """A time with an offset (RFC 3339)."""

    name = "instant"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Refuses a naive time."""
        try:
            instant: datetime = msgspec.convert(value, Time)
        except msgspec.ValidationError:
            self.fail("expected a time with an offset, such as 2026-11-22T07:00:00+00:00", param, ctx)
        return instant


class SpanOfMonths(click.ParamType[Span]):
    """Whole months."""

    name = "span"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Span:
        """Refuses what is no span."""
        try:
            return value if isinstance(value, Span) else parse_span(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


AS_AT = click.option("--as-at", type=Instant(), help="The run's clock; by default now.")


# --- publish ---


@click.command()
@DATA_DIR
@AS_AT
def publish(data_dir: Path | None, as_at: datetime | None) -> None:
    """Publish whatever is due at that instant. Running it twice changes nothing. Fails where a run failed."""
    chosen = quiet_settings(data_dir)
    now = as_at or datetime.now(UTC)

    async def run(database: Database) -> list[str]:
        with Progress(transient=True, console=Console(stderr=True)) as bar:
            task = bar.add_task("publishing")
            manner = PublishOptions(
                public_url=chosen.public_url,
                journal=Journal(chosen.journal),
                progress=lambda done, of: bar.update(task, completed=done, total=of),
            )
            for one in await publish_due(database, now, manner):
                click.echo(f"{one.kind} {one.period} edition {one.edition}{' late' if one.late else ''}")
        return await _failed(database)

    failed = with_database(chosen, run)
    if failed:
        raise click.ClickException("no data, the run failed: " + ", ".join(failed))


async def _failed(database: Database) -> list[str]:
    found = []
    for team in await calendars.teams(database):
        async with database.team(team.team_id) as connection:
            runs = await publications.runs(connection, team.team_id)
        found += [f"{run.kind} {run.period}" for run in runs.values() if run.state == "failed"]
    return found


# --- summary ---


@click.group()
def summary() -> None:
    """Published summaries, and reports on demand."""


@summary.command("list")
@DATA_DIR
@TEAM
@click.option("--kind", type=click.Choice(get_args(PeriodKind)), help="One kind only.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="At most so many.")
def list_(data_dir: Path | None, team_id: UUID | None, kind: PeriodKind | None, limit: int) -> None:
    """List the latest edition of each period, newest first."""

    async def run(connection: Connection, team: CalendarTeam) -> list[publications.ListedSummary]:
        return await publications.list_latest(connection, team.team_id, kind=kind, limit=limit)

    table = Table()
    for heading in ("kind", "period", "edition", "published", "late", "problem"):
        table.add_column(heading)
    for one in with_team(quiet_settings(data_dir), team_id, run):
        published = one.published_at.isoformat(timespec="seconds") if one.published_at else "no data"
        table.add_row(one.kind, one.period, str(one.edition), published, "late" if one.late else "", one.problem or "")
    Console().print(table)


@summary.command()
@DATA_DIR
@TEAM
@KIND
@click.argument("period")
@click.option("--edition", type=click.IntRange(1), help="By default the latest.")
@click.option("--format", "form", type=click.Choice(["text", "json", "csv", "html"]), default="text", show_default=True)
@OUTPUT
def show(
    data_dir: Path | None,
    team_id: UUID | None,
    kind: PeriodKind,
    period: str,
    edition: int | None,
    form: str,
    output: Path | None,
) -> None:
    """Show an edition."""
    found, team = _find(data_dir, team_id, kind, period, edition)
    match form:
        case "json":
            _put(msgspec.json.format(editions.encode(found), indent=2) + b"\n", output)
        case "csv":
            _put(csv_files.of_summary(found), output)
        case "html":
            _put(pages.of_summary(found, team.calendar.zone), output)
        case _:
            _put(_in_text(found, team).encode(), output)


@summary.command()
@DATA_DIR
@TEAM
@KIND
@click.argument("period")
@click.option("--edition", type=click.IntRange(2), help="By default the latest.")
def diff(data_dir: Path | None, team_id: UUID | None, kind: PeriodKind, period: str, edition: int | None) -> None:
    """Show what an edition changed against the one before it, and why."""
    found, _ = _find(data_dir, team_id, kind, period, edition)
    if found.previous is None:
        click.echo("This is the first edition.")
    for change in found.changes:
        why = "time" if change.why == "time" else f"entries: {', '.join(change.kinds)}"
        click.echo(f"{change.line}: {change.old} -> {change.new} ({why})")


@summary.command()
@DATA_DIR
@TEAM
@KIND
@click.argument("period")
@click.option("--edition", type=click.IntRange(1), help="By default the latest.")
def recompute(data_dir: Path | None, team_id: UUID | None, kind: PeriodKind, period: str, edition: int | None) -> None:
    """Compute an edition again from the log alone, under its own rules and code lists. Fails where a number differs."""
    found, team = _find(data_dir, team_id, kind, period, edition)
    if not found.edition:
        raise click.ClickException("no edition is published for this period: its run failed")

    async def run(connection: Connection, team: CalendarTeam) -> bool:
        flows = tuple(one for one in found.measures if one.kind == "flow")
        again = await recomputation.recompute(connection, team, found)
        return msgspec.json.encode(again) == msgspec.json.encode(flows)

    try:
        same = with_team(quiet_settings(data_dir), team.team_id, run)
    except recomputation.OtherRules as error:
        raise click.ClickException(f"the edition cannot be computed here: {error}") from error
    if not same:
        raise click.ClickException("the numbers differ from those published")
    click.echo(f"{kind} {found.period} edition {found.edition}: the same numbers, to the byte")


@summary.command()
@DATA_DIR
@TEAM
@click.argument("first", type=SpanOfMonths())
@click.argument("second", type=SpanOfMonths())
@click.option("--format", "form", type=click.Choice(["csv", "html"]), default="csv", show_default=True)
@AS_AT
@OUTPUT
def compare(
    data_dir: Path | None,
    team_id: UUID | None,
    first: Span,
    second: Span,
    form: str,
    as_at: datetime | None,
    output: Path | None,
) -> None:
    """Compare two spans of whole months, such as 2025-01..2025-12 2026-01..2026-12."""
    now = as_at or datetime.now(UTC)

    async def run(connection: Connection, team: CalendarTeam) -> Comparison:
        async with connection.transaction(isolation="repeatable_read"):
            return await scopes.compare(connection, team, first, second, now)

    try:
        report = with_team(quiet_settings(data_dir), team_id, run)
    except SpanFault as error:
        raise click.ClickException(str(error)) from error
    _put(pages.of_comparison(report) if form == "html" else csv_files.of_comparison(report), output)


@summary.command("home-office")
@DATA_DIR
@TEAM
@click.argument("year")
@click.option(
    "--triage-car",
    type=click.Choice([one.code for one in codes.list("transport") if one.code != "triage_car"]),
    default="other",
    show_default=True,
    help="What a triage car is counted as.",
)
@OUTPUT
def home_office_(data_dir: Path | None, team_id: UUID | None, year: str, triage_car: str, output: Path | None) -> None:
    """The annual return for a financial year, such as 2025-26, as CSV. Exact: for the force's own use."""
    try:
        period = parse_year(year)
    except ValueError as error:
        raise click.ClickException(str(error)) from error

    async def run(connection: Connection, team: CalendarTeam) -> list[IncidentFact]:
        return await scopes.incidents_between(connection, team, period.starts, period.ends)

    facts = with_team(quiet_settings(data_dir), team_id, run)
    _put(annual_return(year, facts, triage_car), output)


@summary.command("force-total")
@DATA_DIR
@TEAM
@click.argument("period")
@click.argument("s136", type=click.IntRange(0, 1_000_000), required=False)
@click.option("--source", help="Where the number comes from; printed with the rate.")
def force_total(data_dir: Path | None, team_id: UUID | None, period: str, s136: int | None, source: str | None) -> None:
    """Enter how often the whole force used s136 in a quarter or financial year, such as 2026-Q3 or 2026.

    The next edition has the rate of the force. A correction is entered as a new version. Without a number, lists what
    was entered.
    """
    now = datetime.now(UTC)
    try:
        of = parse_period("quarterly" if "Q" in period else "yearly", period)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    if s136 is not None and not (source and source.strip()):
        raise click.ClickException("say where the number comes from, by --source")
    if source and s136 is None:
        raise click.ClickException("say the number that comes from there")

    async def run(connection: Connection, team: CalendarTeam) -> list[ForceTotal]:
        if s136 is not None and source:
            if not is_over(of, team.calendar, now):
                raise click.ClickException(f"{of.name} is not over")
            await scopes.enter_force_total(connection, team.team_id, of, s136, source.strip()[:200], now)
        return await scopes.force_totals(connection, team.team_id, of, now)

    for one in with_team(quiet_settings(data_dir), team_id, run):
        click.echo(f"{of.name} version {one.version}: {one.s136} uses of s136, from {one.source}")


@summary.command()
@DATA_DIR
@TEAM
@click.argument("kind", type=click.Choice(KINDS), required=False)
@click.argument("at", type=click.DateTime(["%H:%M"]), required=False)
@click.option(
    "--after-days", type=click.IntRange(1, 120), help="Days after the period's last day; by default as shipped."
)
def schedule(
    data_dir: Path | None, team_id: UUID | None, kind: PeriodKind | None, at: datetime | None, after_days: int | None
) -> None:
    """Show when summaries are due, or set the local time at which a kind is, such as: daily 09:30."""
    if (kind or after_days is not None) and at is None:
        raise click.ClickException("say the kind and the time as well, such as daily 09:30")

    async def run(connection: Connection, team: CalendarTeam) -> list[tuple[PeriodKind, DueTime]]:
        due = dict(team.calendar.due)
        if kind and at:
            due[kind] = DueTime(at.time(), after_days or DEFAULTS[kind].after_days)
            await calendars.set_schedule(connection, team.team_id, kind, due[kind].at, due[kind].after_days)
        return [(one, due[one]) for one in KINDS]

    for one, due in with_team(quiet_settings(data_dir), team_id, run):
        days = "the day" if due.after_days == 1 else f"{due.after_days} days"
        click.echo(f"{one}: {due.at:%H:%M}, {days} after the last day")


# --- what the commands share ---


def _find(
    data_dir: Path | None, team_id: UUID | None, kind: PeriodKind, period: str, edition: int | None
) -> tuple[Summary, CalendarTeam]:
    try:
        name = parse_period(kind, period).name
    except ValueError as error:
        raise click.ClickException(str(error)) from error

    async def run(connection: Connection, team: CalendarTeam) -> tuple[Summary | None, CalendarTeam]:
        body = await publications.find_edition(connection, team.team_id, kind, name, edition)
        if body is not None:
            return editions.decode(body), team
        failed = None if edition else await publications.find_failed(connection, team.team_id, kind, name)
        return failed, team

    found, team = with_team(quiet_settings(data_dir), team_id, run)
    if found is None:
        raise click.ClickException("nothing is published for this period, or not in this edition")
    return found, team


def _put(content: bytes, output: Path | None) -> None:
    if output is None:
        click.echo(content, nl=False)
    else:
        output.write_bytes(content)


def _in_text(found: Summary, team: CalendarTeam) -> str:
    lines = [f"{found.kind} summary {found.period}", *(f"{a}: {b}" for a, b in pages.facts(found, team.calendar.zone))]
    lines += found.notes
    for measure in found.measures:
        lines += ["", f"{measure.label} [{measure.kind}]: {measure.known} known, {measure.missing} not recorded"]
        if not isinstance(measure.rows, tuple):
            lines.append(f"  {measure.text}")
            continue
        for row in measure.rows:
            column = f" ({row.column})" if row.column else ""
            lines.append(f"  {row.label}{column}: {row.text or ('no data' if row.value is None else row.value)}")
    return "\n".join(lines) + "\n"

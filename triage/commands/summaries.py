"""`triage publish`, `triage summary` and `triage deliver`: summaries from the command line."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar, get_args
from uuid import UUID

import msgspec
import rich_click as click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from triage import codes, logs
from triage.app import databases
from triage.commands.options import DATA_DIR, settings
from triage.jobs.delivery import Sender, deliver_due, secret
from triage.jobs.publishing import Manner, publish_due
from triage.log.entries import Time
from triage.people.sealing import load_or_create_root
from triage.settings import Settings
from triage.store import outbox, summaries
from triage.store.database import Connection, Database, connect
from triage.store.journal import Journal
from triage.store.summaries import Team
from triage.summaries import editions, pages, tables
from triage.summaries.comparison import Report, Span, parse_span
from triage.summaries.editions import Summary
from triage.summaries.facts import Fact
from triage.summaries.home_office import annual_return, parse_year
from triage.times import PeriodKind, parse_period

TEAM = click.option("--team", "team_id", type=click.UUID, help="The team's id, where there are several.")
KIND = click.argument("kind", type=click.Choice(get_args(PeriodKind)))
OUTPUT = click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="File instead of the screen.")
T = TypeVar("T")


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
    chosen = _settings(data_dir)
    now = as_at or datetime.now(UTC)

    async def run(database: Database) -> list[str]:
        with Progress(transient=True, console=Console(stderr=True)) as bar:
            task = bar.add_task("publishing")
            manner = Manner(
                public_url=chosen.public_url,
                journal=Journal(chosen.journal),
                progress=lambda done, of: bar.update(task, completed=done, total=of),
            )
            for one in await publish_due(database, now, manner):
                click.echo(f"{one.kind} {one.period} edition {one.edition}{' late' if one.late else ''}")
        return await _failed(database)

    failed = asyncio.run(_with_database(chosen, run))
    if failed:
        raise click.ClickException("no data, the run failed: " + ", ".join(failed))


async def _failed(database: Database) -> list[str]:
    found = []
    for team in await summaries.teams(database):
        async with database.team(team.team_id) as connection:
            runs = await summaries.runs(connection, team.team_id)
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

    async def run(connection: Connection, team: Team) -> list[summaries.ListedSummary]:
        return await summaries.list_latest(connection, team.team_id, kind=kind, limit=limit)

    table = Table()
    for heading in ("kind", "period", "edition", "published", "late", "problem"):
        table.add_column(heading)
    for one in asyncio.run(_with_team(_settings(data_dir), team_id, run)):
        published = one.published_at.isoformat() if one.published_at else "no data"
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
            _put(tables.of_summary(found), output)
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

    async def run(connection: Connection, team: Team) -> Report:
        async with connection.transaction(isolation="repeatable_read"):
            return await summaries.compare(connection, team, first, second, now)

    report = asyncio.run(_with_team(_settings(data_dir), team_id, run))
    _put(pages.of_comparison(report) if form == "html" else tables.of_comparison(report), output)


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

    async def run(connection: Connection, team: Team) -> list[Fact]:
        return await summaries.between(connection, team, period.starts, period.ends)

    facts = asyncio.run(_with_team(_settings(data_dir), team_id, run))
    _put(annual_return(year, facts, triage_car), output)


# --- deliver ---


@click.group()
def deliver() -> None:
    """Messages: where they go, what waits, and another try."""


@deliver.command("add")
@DATA_DIR
@TEAM
@click.argument("channel", type=click.Choice(["email", "webhook"]))
@click.argument("address")
@click.option("--topic", "topics", multiple=True, type=click.Choice(["summary", "alert"]), default=("summary", "alert"))
def add(
    data_dir: Path | None, team_id: UUID | None, channel: outbox.Channel, address: str, topics: tuple[outbox.Topic, ...]
) -> None:
    """Send messages to an address; a webhook's secret is printed for its receiver."""
    chosen = _settings(data_dir)

    async def run(connection: Connection, team: Team) -> UUID:
        return await outbox.add_destination(connection, team.team_id, channel, address, list(topics))

    destination = asyncio.run(_with_team(chosen, team_id, run))
    click.echo(destination)
    if channel == "webhook":
        click.echo(secret(load_or_create_root(chosen.root_key_file), destination))


@deliver.command("list")
@DATA_DIR
@TEAM
def waiting(data_dir: Path | None, team_id: UUID | None) -> None:
    """List the messages that wait or are dead, with the last outcome."""

    async def run(connection: Connection, team: Team) -> list[outbox.Undelivered]:
        return await outbox.undelivered(connection, team.team_id)

    for one in asyncio.run(_with_team(_settings(data_dir), team_id, run)):
        state = "dead" if one.dead_at else f"next {one.next_at.isoformat()}"
        click.echo(f"{one.id} {one.channel} {one.key}: {one.attempts} attempts, {one.last_outcome or 'none'}, {state}")


@deliver.command()
@DATA_DIR
@TEAM
@click.option("--id", "message_id", type=click.UUID, help="One dead letter; by default all of them.")
def retry(data_dir: Path | None, team_id: UUID | None, message_id: UUID | None) -> None:
    """Give dead letters another chance, and deliver whatever is due now."""
    chosen = _settings(data_dir)
    now = datetime.now(UTC)

    async def replay(connection: Connection, team: Team) -> int:
        return await outbox.replay(connection, team.team_id, now, message_id)

    async def send(database: Database) -> int:
        return await deliver_due(database, Sender(chosen, load_or_create_root(chosen.root_key_file)), now)

    click.echo(f"{asyncio.run(_with_team(chosen, team_id, replay))} dead letters are tried again")
    click.echo(f"{asyncio.run(_with_database(chosen, send))} attempts made")


# --- what the commands share ---


def _settings(data_dir: Path | None) -> Settings:
    chosen = settings(data_dir)
    logs.configure("error")
    return chosen


@asynccontextmanager
async def _open(chosen: Settings) -> AsyncIterator[Database]:
    async with databases(chosen) as addresses:
        # catching up may take longer than a request ever should
        async with connect(addresses.service, 4, 600.0) as database:
            yield database


async def _with_database(chosen: Settings, run: Callable[[Database], Awaitable[T]]) -> T:
    async with _open(chosen) as database:
        return await run(database)


async def _with_team(chosen: Settings, team_id: UUID | None, run: Callable[[Connection, Team], Awaitable[T]]) -> T:
    async with _open(chosen) as database:
        teams = [team for team in await summaries.teams(database) if team_id in (None, team.team_id)]
        if len(teams) != 1:
            raise click.ClickException("say which team, by --team" if teams else "there is no such team")
        async with database.team(teams[0].team_id) as connection:
            return await run(connection, teams[0])


def _find(
    data_dir: Path | None, team_id: UUID | None, kind: PeriodKind, period: str, edition: int | None
) -> tuple[Summary, Team]:
    try:
        name = parse_period(kind, period).name
    except ValueError as error:
        raise click.ClickException(str(error)) from error

    async def run(connection: Connection, team: Team) -> tuple[Summary | None, Team]:
        body = await summaries.find(connection, team.team_id, kind, name, edition)
        if body is not None:
            return editions.decode(body), team
        failed = None if edition else await summaries.find_failed(connection, team.team_id, kind, name)
        return failed, team

    found, team = asyncio.run(_with_team(_settings(data_dir), team_id, run))
    if found is None:
        raise click.ClickException("nothing is published for this period, or not in this edition")
    return found, team


def _put(content: bytes, output: Path | None) -> None:
    if output is None:
        click.echo(content, nl=False)
    else:
        output.write_bytes(content)


def _in_text(found: Summary, team: Team) -> str:
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


COMMANDS = [publish, summary, deliver]

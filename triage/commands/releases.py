"""`triage release`: freeze what is due, verify what is frozen, withdraw what must go."""

import asyncio
import gc
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import rich_click as click
from rich.console import Console
from rich.progress import Progress, TaskID

from triage import logs
from triage.app import databases
from triage.commands.options import DATA_DIR, settings
from triage.exports import keys as disclosure
from triage.jobs.release import ReleasedEdition, Unreleased, release_due
from triage.people.encryption import load_or_create_root
from triage.settings import Settings
from triage.store import hosts
from triage.store.access import staff, teams
from triage.store.database import connect
from triage.store.exports import releases
from triage.store.exports.release_proof import ReleaseVerdict, verify_releases

TEAM = click.option("--team", "team_id", type=click.UUID, required=True, help="The team's id.")


@click.group(invoke_without_command=True)
@DATA_DIR
@click.option("--as-at", help="The run's clock, RFC 3339 with an offset; now if not given.")
@click.pass_context
def release(context: click.Context, data_dir: Path | None, as_at: str | None) -> None:
    """Freeze every export that is due; doing it again changes nothing."""
    context.obj = data_dir
    if context.invoked_subcommand is None:
        chosen = settings(data_dir)
        logs.configure("error")
        now = _instant(as_at)
        gc.disable()  # the objects of a large release live to its end, and looking through them is a fifth of the work
        try:
            _say(asyncio.run(_release(chosen, now)))
        except Unreleased as error:
            _say(error.released)
            raise click.ClickException(str(error)) from error
        finally:
            gc.enable()


def _say(found: list[ReleasedEdition]) -> None:
    for one in found:
        click.echo(f"released {one.dataset} {one.period} edition {one.edition}")
    click.echo(f"{len(found)} released")


def _instant(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.ClickException("--as-at is an instant such as 2026-11-08T06:00:00Z") from error
    if instant.tzinfo is None:
        raise click.ClickException("--as-at needs an offset from UTC, such as Z")
    return instant.astimezone(UTC)


async def _release(chosen: Settings, now: datetime) -> list[ReleasedEdition]:
    root = await asyncio.to_thread(load_or_create_root, chosen.root_key_file)
    keys = disclosure.derive(root)
    async with databases(chosen) as addresses:
        async with connect(addresses.service, 2, chosen.command_timeout_s) as database:
            with Progress(console=Console(stderr=True), transient=True) as bar:
                task = bar.add_task("looking for what is due", total=None)
                return await release_due(
                    database,
                    keys,
                    now,
                    lambda what, done, of: bar.update(task, description=what, completed=done, total=of),
                )


@release.command()
@DATA_DIR
@click.pass_context
def verify(context: click.Context, data_dir: Path | None) -> None:
    """Recompute every release: k in people, what is stated of each file, and every SHA-256."""
    chosen = settings(data_dir or context.obj)
    logs.configure("error")
    verdicts = asyncio.run(_verify(chosen))
    for one in verdicts:
        k = "" if one.k_people is None else f", k = {one.k_people} people"
        click.echo(f"{one.name}: {one.files} files{k}: {one.fault or 'as frozen'}")
    if any(one.fault for one in verdicts):
        raise click.ClickException("a release is not as it was frozen")


async def _verify(chosen: Settings) -> list[ReleaseVerdict]:
    found: list[ReleaseVerdict] = []
    async with databases(chosen) as addresses:
        for team_id in await _teams(addresses.owner):
            async with staff.as_owner(addresses.owner, team_id) as connection:
                with Progress(console=Console(stderr=True), transient=True) as bar:
                    task = bar.add_task(f"team {team_id}")

                    def show(done: int, of: int, bar: Progress = bar, task: TaskID = task) -> None:
                        bar.update(task, completed=done, total=of)

                    found += await verify_releases(connection, team_id, show)
    return found


async def _teams(url: str) -> list[UUID]:
    connection = await hosts.connect(url)
    try:
        return await teams.team_ids(connection)
    finally:
        await connection.close()


@release.command()
@DATA_DIR
@TEAM
@click.argument("dataset", type=click.Choice(["records", "tables"]))
@click.argument("period")
@click.argument("edition", type=click.IntRange(1))
@click.option("--because", required=True, help="Why: it stays on record.")
@click.pass_context
def withdraw(
    context: click.Context,
    data_dir: Path | None,
    team_id: UUID,
    dataset: str,
    period: str,
    edition: int,
    because: str,
) -> None:
    """Withdraw a whole release for good; it is cut again only under a new policy version, never minus one row."""

    async def end() -> bool:
        async with databases(settings(data_dir or context.obj)) as addresses:
            async with staff.as_owner(addresses.owner, team_id) as connection:
                now = datetime.now(UTC)
                return await releases.withdraw(connection, team_id, dataset, period, edition, now, because)

    if not asyncio.run(end()):
        raise click.ClickException("there is no such release, or it was withdrawn before")
    click.echo("withdrawn")

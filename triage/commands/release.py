"""`triage release`: freeze what is due, verify what is frozen, withdraw what must go."""

import gc
from datetime import UTC, datetime
from uuid import UUID

import click

from triage.commands.database import Databases, with_databases
from triage.commands.options import confirm
from triage.commands.output import progress, show_table
from triage.exports import keys as disclosure
from triage.jobs.release import ReleasedEdition, Unreleased, release_due
from triage.store.access.staff import as_owner
from triage.store.exports import releases
from triage.store.exports.release_proof import ReleaseVerdict, verify_releases
from triage.store.journal_lines import ReleaseWithdrawn
from triage.store.summaries import calendars


@with_databases
async def freeze(databases: Databases, as_at: datetime | None) -> None:
    """The work of `triage release` without a subcommand."""
    keys = disclosure.derive(databases.root)
    gc.disable()  # the objects of a large release live to its end, and looking through them is a fifth of the work
    try:
        async with databases.service() as database:
            with progress("looking for what is due") as update:
                teams = await calendars.teams(database)
                released = await release_due(database, keys, teams, as_at or datetime.now(UTC), update)
        _show_released(released)
    except Unreleased as error:
        _show_released(error.released)
        raise
    finally:
        gc.enable()


def _show_released(released: list[ReleasedEdition]) -> None:
    for edition in released:
        click.echo(f"released {edition.dataset} {edition.period} edition {edition.edition}")
    click.echo(f"{len(released)} released")


@with_databases
async def verify(databases: Databases, as_json: bool) -> None:
    """The work of `triage release verify`."""
    verdicts: list[ReleaseVerdict] = []
    owner = await databases.owner_at_replica()
    for team_id in await databases.teams(owner):
        async with as_owner(owner, team_id) as connection:
            with progress(f"team {team_id}") as update:
                verdicts += await verify_releases(connection, team_id, update)
    rows = [(verdict.name, verdict.files, verdict.k_people, verdict.fault or "as frozen") for verdict in verdicts]
    show_table(("release", "files", "k people", "verdict"), rows, as_json)
    if any(verdict.fault for verdict in verdicts):
        raise click.ClickException("a release is not as it was frozen")


@with_databases
async def withdraw(
    databases: Databases,
    team_id: UUID | None,
    yes: bool,
    dry_run: bool,
    dataset: str,
    period: str,
    edition: int,
    reason: str,
) -> None:
    """The work of `triage release withdraw`."""
    gone = f"No partner can fetch {dataset} {period} edition {edition} again, and it is not cut anew."
    confirm(gone, yes=yes, dry_run=dry_run)
    async with databases.owner(team_id) as (connection, team):
        if not await releases.withdraw(connection, team, dataset, period, edition, datetime.now(UTC), reason):
            raise click.ClickException("there is no such release, or it was withdrawn before")
        await databases.journal.add(
            ReleaseWithdrawn(
                at=datetime.now(UTC), team_id=team, dataset=dataset, period=period, edition=edition, because=reason
            )
        )
    click.echo("withdrawn")

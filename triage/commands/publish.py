"""`triage publish`: whatever is due, now or as at another instant."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Final

import click

from triage.commands.database import Databases, with_databases
from triage.commands.options import confirm
from triage.commands.output import progress
from triage.jobs.publish import PublishOptions, publish_due
from triage.store.database import Database
from triage.store.summaries import calendars, publications

AHEAD_UNASKED: Final = timedelta(days=1)
"""How far ahead of the present a run's clock may be without anybody being asked."""


@with_databases
async def publish(databases: Databases, as_at: datetime | None, yes: bool) -> None:
    """The work of `triage publish`."""
    now = datetime.now(UTC)
    instant = as_at or now
    async with databases.service() as database:
        if instant > now + AHEAD_UNASKED:
            confirm(await _what_ahead(database, instant), yes=yes)
        with progress("publishing") as update:
            options = PublishOptions(
                public_url=databases.settings.public_url, journal=databases.journal, progress=update
            )
            for edition in await publish_due(database, instant, options):
                late = " late" if edition.late else ""
                click.echo(f"{edition.kind} {edition.period} edition {edition.edition}{late}")
        failed = await _failed(database)
    if failed:
        raise click.ClickException("no data, the run failed: " + ", ".join(failed))


async def _what_ahead(database: Database, instant: datetime) -> str:
    """The work of a run whose clock is ahead of the present."""
    first: Counter[str] = Counter()
    for team in await calendars.teams(database):
        async with database.team(team.team_id) as connection:
            first += Counter(slot.period.kind for slot in await publications.unpublished(connection, team, instant))
    periods = ", ".join(f"{count} {kind}" for kind, count in first.items()) or "none"
    return (
        f"{instant:%Y-%m-%d %H:%M} UTC is more than a day ahead. First editions of these periods would be published "
        f"as they look now, for ever, those yet to come as no data: {periods}."
    )


async def _failed(database: Database) -> list[str]:
    failed = []
    for team in await calendars.teams(database):
        async with database.team(team.team_id) as connection:
            runs = await publications.runs(connection, team.team_id)
        failed += [f"{run.kind} {run.period}" for run in runs.values() if run.state == "failed"]
    return failed

"""`triage erase`, `hold`, `regime`, `retention`: what is destroyed, what must not be, and under which law."""

from datetime import UTC, datetime
from uuid import UUID

import click

from triage.commands.database import Databases, with_databases
from triage.commands.options import confirm
from triage.commands.output import show_table
from triage.store.people import erasure as store
from triage.store.people import regimes
from triage.store.people.regimes import Regime
from triage.store.people.retention import Retention, RetentionRun, runs


@with_databases
async def erase(
    databases: Databases,
    team_id: UUID | None,
    by: str,
    yes: bool,
    dry_run: bool,
    person_id: UUID | None,
    incident_id: UUID | None,
) -> None:
    """The work of `triage erase`."""
    if (person_id is None) == (incident_id is None):
        raise click.UsageError("give either --person or --incident")
    async with databases.keys() as keys:
        async with databases.owner(team_id) as (connection, team):
            reach = await store.find_erasable(connection, keys, team, person_id=person_id, incident_id=incident_id)
        identifiers = "the identifiers of a person and " if person_id else ""
        what = f"{identifiers}{len(reach.every_text)} texts of {len(reach.incidents)} incidents"
        irrevocable = f"Destroys {what} here at once, and in every backup within 14 days. Nothing brings them back."
        confirm(irrevocable, yes=yes, dry_run=dry_run)
        async with databases.owner(team_id) as (connection, team):
            reach = await store.find_erasable(connection, keys, team, person_id=person_id, incident_id=incident_id)
            receipt = await store.erase(connection, keys, databases.journal, team, reach, by)
    click.echo(f"receipt {receipt.id}: {receipt.texts} texts, {receipt.keys} keys destroyed")


@with_databases
async def hold(
    databases: Databases, team_id: UUID | None, by: str, reason: str | None, lift: bool, incident_id: UUID
) -> None:
    """The work of `triage hold`."""
    if lift == bool(reason):
        raise click.UsageError("give either --reason or --lift")
    async with databases.owner(team_id) as (connection, team):
        if reason:
            await store.place_hold(connection, databases.journal, team, incident_id, reason, by)
        else:
            await store.lift_hold(connection, databases.journal, team, incident_id, by)
    click.echo("lifted" if lift else "held")


@with_databases
async def regime(
    databases: Databases,
    team_id: UUID | None,
    by: str,
    regime: Regime | None,
    reason: str | None,
    incident_id: UUID,
) -> None:
    """The work of `triage regime`."""
    if (regime is None) != (reason is None):
        raise click.UsageError("--set and --reason go together")
    async with databases.owner(team_id) as (connection, team):
        if regime and reason:
            journal = databases.journal
            await regimes.change(connection, journal, team, incident_id, regime=regime, reason=reason, by=by)
        in_force = await regimes.regime_of(connection, team, incident_id)
    click.echo(in_force)


@with_databases
async def retention(databases: Databases, team_id: UUID | None, yes: bool, as_json: bool, applying: bool) -> None:
    """The work of `triage retention`."""
    if applying:
        confirm("What is past its period and switched on in the retention table is destroyed for good.", yes=yes)
    async with databases.keys() as keys, databases.owner(team_id) as (connection, team):
        job = Retention(keys, databases.journal, databases.settings.quarantine_days)
        due_now = await job.run(connection, team, datetime.now(UTC), not applying)
        daily = await runs(connection, team)
    headings = ("part", "months", "then", "switched on", "review on", "due now")
    rows = [(due.part, due.months, due.afterwards, due.applied, due.review_on, due.count) for due in due_now]
    show_table(headings, rows, as_json)
    for run in () if as_json else daily:
        click.echo(_daily_line(run))


def _daily_line(run: RetentionRun) -> str:
    did = "did what is switched on" if run.applied else "would do, once TRIAGE_RETENTION_APPLIED is set"
    destroyed = [f"{due.part} {due.count}" for due in run.due if due.afterwards == "destroy" and due.applied]
    return f"{run.day}: the daily job {did}: {', '.join(destroyed) or 'nothing is switched on'}"

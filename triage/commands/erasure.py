"""`triage erase`, `hold`, `regime`, `retention`: what is destroyed, what must not be, and under which law."""

from datetime import UTC, datetime
from typing import get_args
from uuid import UUID

import click

from triage.commands.database import Databases, with_databases
from triage.commands.options import BY, DRY_RUN, JSON, TEAM, YES, confirm
from triage.commands.output import show_table
from triage.store.people import erasure as store
from triage.store.people import regimes
from triage.store.people.regimes import Regime
from triage.store.people.retention import Retention, RetentionRun, runs


@click.command()
@TEAM
@BY
@YES
@DRY_RUN
@click.option("--person", "person_id", type=click.UUID, help="A person, with the notes of the person's incidents.")
@click.option("--incident", "incident_id", type=click.UUID, help="The notes of an incident.")
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
    """Destroy a person's identifiers, or an incident's notes, for good; totals and chains stay as they are."""
    if (person_id is None) == (incident_id is None):
        raise click.UsageError("give either --person or --incident")
    journal = databases.journal
    async with databases.keys() as keys:
        async with databases.owner(team_id) as (connection, team):
            erasable = await store.find_erasable(connection, keys, team, person_id=person_id, incident_id=incident_id)
        identifiers = "the identifiers of a person and " if person_id else ""
        what = f"{identifiers}{erasable.texts} texts of {erasable.incidents} incidents"
        if dry_run:
            click.echo(f"would destroy {what}")
            return
        confirm(f"Destroys {what} here at once, and in every backup within 14 days. Nothing brings them back.", yes)
        async with databases.owner(team_id) as (connection, team):
            if person_id is not None:
                receipt = await store.erase_person(connection, keys, journal, team, person_id, by)
            else:
                assert incident_id
                receipt = await store.erase_incident(connection, keys, journal, team, incident_id, by)
    click.echo(f"receipt {receipt.id}: {receipt.texts} texts, {receipt.keys} keys destroyed")


@click.command()
@TEAM
@BY
@click.option("--reason", help="Why nothing of the incident may be destroyed.")
@click.option("--lift", is_flag=True, help="Lift the hold, also that of a death.")
@click.argument("incident_id", type=click.UUID)
@with_databases
async def hold(
    databases: Databases, team_id: UUID | None, by: str, reason: str | None, lift: bool, incident_id: UUID
) -> None:
    """Put an incident under legal hold, or lift it."""
    if lift == bool(reason):
        raise click.UsageError("give either --reason or --lift")
    async with databases.owner(team_id) as (connection, team):
        if reason:
            await store.place_hold(connection, databases.journal, team, incident_id, reason, by)
        else:
            await store.lift_hold(connection, databases.journal, team, incident_id, by)
    click.echo("lifted" if lift else "held")


@click.command()
@TEAM
@BY
@click.option("--set", "regime", type=click.Choice(get_args(Regime)), help="What applies from now on.")
@click.option("--reason", help="Why it is changed.")
@click.argument("incident_id", type=click.UUID)
@with_databases
async def regime(
    databases: Databases,
    team_id: UUID | None,
    by: str,
    regime: Regime | None,
    reason: str | None,
    incident_id: UUID,
) -> None:
    """Show, or with --set change, under which law an incident is processed. A change is kept with who and why."""
    if (regime is None) != (reason is None):
        raise click.UsageError("--set and --reason go together")
    async with databases.owner(team_id) as (connection, team):
        if regime and reason:
            journal = databases.journal
            await regimes.change(connection, journal, team, incident_id, regime=regime, reason=reason, by=by)
        in_force = await regimes.regime_of(connection, team, incident_id)
    click.echo(in_force)


@click.command()
@TEAM
@YES
@JSON
@click.option("--apply", "applying", is_flag=True, help="Do what is switched on; otherwise it is only shown.")
@with_databases
async def retention(databases: Databases, team_id: UUID | None, yes: bool, as_json: bool, applying: bool) -> None:
    """Show what is past its period in the retention table, and with --apply destroy what the owner switched on."""
    if applying:
        confirm("What is past its period and switched on in the retention table is destroyed for good.", yes)
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

"""`triage erase`, `hold`, `regime`, `retention`: what is destroyed, what must not be, and under which law."""

import click

from triage.cli.options import BY, DRY_RUN, JSON, TEAM, YES
from triage.cli.work import Named, runs_on_data


@click.command()
@TEAM
@BY
@YES
@DRY_RUN
@click.option("--person", "person_id", type=click.UUID, help="A person, with the notes of the person's incidents.")
@click.option("--incident", "incident_id", type=click.UUID, help="The notes of an incident.")
@runs_on_data("triage.commands.erasure:erase")
def erase() -> None:
    """Destroy a person's identifiers, or an incident's notes, for good; totals and chains stay as they are."""


@click.command()
@TEAM
@BY
@click.option("--reason", help="Why nothing of the incident may be destroyed.")
@click.option("--lift", is_flag=True, help="Lift the hold, also that of a death.")
@click.argument("incident_id", type=click.UUID)
@runs_on_data("triage.commands.erasure:hold")
def hold() -> None:
    """Put an incident under legal hold, or lift it."""


@click.command()
@TEAM
@BY
@click.option("--set", "regime", type=Named("triage.store.people.regimes:Regime"), help="What applies from now on.")
@click.option("--reason", help="Why it is changed.")
@click.argument("incident_id", type=click.UUID)
@runs_on_data("triage.commands.erasure:regime")
def regime() -> None:
    """Show, or with --set change, under which law an incident is processed. A change is kept with who and why."""


@click.command()
@TEAM
@YES
@JSON
@click.option("--apply", "applying", is_flag=True, help="Do what is switched on; otherwise it is only shown.")
@runs_on_data("triage.commands.erasure:retention")
def retention() -> None:
    """Show what is past its period in the retention table, and with --apply destroy what the owner switched on."""

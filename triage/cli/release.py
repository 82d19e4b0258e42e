"""`triage release`: freeze what is due, verify what is frozen, withdraw what must go."""

from datetime import datetime
from pathlib import Path
from pkgutil import resolve_name

import click

from triage.cli.options import AS_AT, DATA_DIR, DRY_RUN, JSON, TEAM, YES
from triage.cli.work import runs_on_data


@click.group(invoke_without_command=True)
@DATA_DIR
@AS_AT
@click.pass_context
def release(context: click.Context, data_dir: Path | None, as_at: datetime | None) -> None:
    """Freeze every export that is due; doing it again changes nothing."""
    if context.invoked_subcommand is None:
        resolve_name("triage.commands.release:freeze")(data_dir=data_dir, as_at=as_at)
    elif as_at:
        raise click.UsageError("--as-at goes with `triage release` alone")
    context.obj = data_dir


@release.command()
@JSON
@runs_on_data("triage.commands.release:verify")
def verify() -> None:
    """Recompute every release: k in people, what is stated of each file, and every SHA-256."""


@release.command()
@TEAM
@YES
@DRY_RUN
@click.argument("dataset", type=click.Choice(["records", "tables"]))
@click.argument("period")
@click.argument("edition", type=click.IntRange(1))
@click.option("--reason", required=True, help="Why: it stays on record.")
@runs_on_data("triage.commands.release:withdraw")
def withdraw() -> None:
    """Withdraw a whole release for good; it is cut again only under a new policy version, never minus one row."""

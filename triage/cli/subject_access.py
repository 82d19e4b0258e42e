"""`triage subject-access`: everything that is held about one person, for that person."""

from pathlib import Path

import click

from triage.cli.options import BY, TEAM
from triage.cli.work import runs_on_data


@click.command("subject-access")
@TEAM
@BY
@click.option(
    "--output", type=click.Path(path_type=Path, file_okay=False), default=Path(), help="Directory of the two files."
)
@click.argument("person_id", type=click.UUID)
@runs_on_data("triage.commands.subject_access:subject_access")
def subject_access() -> None:
    """Gather everything about one person into a readable page and a JSON file, for their owner only."""

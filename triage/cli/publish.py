"""`triage publish`: whatever is due, now or as at another instant."""

import click

from triage.cli.options import AS_AT, YES
from triage.cli.work import runs_on_data


@click.command()
@AS_AT
@YES
@runs_on_data("triage.commands.publish:publish")
def publish() -> None:
    """Publish whatever is due at that instant. Running it twice changes nothing. Fails where a run failed."""

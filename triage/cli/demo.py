"""`triage demo`: the service with synthetic months of a team, and a way in for every role."""

import click

from triage.cli.options import DATA_DIR, HOST, PORT
from triage.cli.work import runs


@click.command()
@DATA_DIR
@HOST
@PORT
@click.option("--months", type=click.FloatRange(0.1, 60), default=1.0, show_default=True, help="Months to make up.")
@click.option("--per-day", type=click.FloatRange(0.1, 2000), default=4.0, show_default=True, help="Incidents a day.")
@runs("triage.commands.demo:demo")
def demo() -> None:
    """Serve synthetic months of a team, ending today, and print a token for every role."""

"""`triage deliver`: where messages go, what waits, and another try."""

import click

from triage.cli.options import JSON, TEAM
from triage.cli.work import Named, runs_on_data


@click.group()
def deliver() -> None:
    """Messages: where they go, what waits, and another try."""


@deliver.command()
@TEAM
@click.argument("channel", type=Named("triage.store.outbox:Channel"))
@click.argument("address")
@click.option(
    "--topic", "topics", multiple=True, type=Named("triage.store.outbox:Topic"), help="Of what; of all if not given."
)
@runs_on_data("triage.commands.deliver:add")
def add() -> None:
    """Send messages to an address; a webhook's secret is printed for its receiver."""


@deliver.command()
@TEAM
@JSON
@runs_on_data("triage.commands.deliver:destinations")
def destinations() -> None:
    """List where messages go."""


@deliver.command()
@TEAM
@click.argument("destination", type=click.UUID)
@runs_on_data("triage.commands.deliver:stop")
def stop() -> None:
    """Send nothing more to a destination. What waits for it becomes dead."""


@deliver.command("list")
@TEAM
@JSON
@runs_on_data("triage.commands.deliver:list_")
def list_() -> None:
    """List the messages that wait or are dead, with the last outcome."""


@deliver.command()
@TEAM
@click.option("--id", "message_id", type=click.UUID, help="One dead letter; by default all of them.")
@runs_on_data("triage.commands.deliver:retry")
def retry() -> None:
    """Give dead letters another chance, and deliver whatever is due now."""

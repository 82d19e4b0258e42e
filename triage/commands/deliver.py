"""`triage deliver`: where messages go, what waits, and another try."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import UUID

import rich_click as click

from triage.commands.options import DATA_DIR
from triage.commands.teams import TEAM, quiet_settings, with_database, with_team
from triage.jobs.deliver import Sender, Undeliverable, checked_url, deliver_due, webhook_secret
from triage.people.encryption import load_or_create_root
from triage.store import outbox
from triage.store.database import Connection, Database
from triage.store.summaries.calendars import CalendarTeam

TOPICS: Final[tuple[outbox.Topic, ...]] = ("alert", "summary")


@click.group()
def deliver() -> None:
    """Messages: where they go, what waits, and another try."""


@deliver.command("add")
@DATA_DIR
@TEAM
@click.argument("channel", type=click.Choice(["email", "webhook"]))
@click.argument("address")
@click.option("--topic", "topics", multiple=True, type=click.Choice(["summary", "alert"]), default=("summary", "alert"))
def add(
    data_dir: Path | None, team_id: UUID | None, channel: outbox.Channel, address: str, topics: tuple[outbox.Topic, ...]
) -> None:
    """Send messages to an address; a webhook's secret is printed for its receiver."""
    chosen = quiet_settings(data_dir)
    _check(channel, address, chosen.webhook_private_addresses)

    async def run(connection: Connection, team: CalendarTeam) -> UUID:
        return await outbox.add_destination(connection, team.team_id, channel, address, list(topics))

    destination = with_team(chosen, team_id, run)
    click.echo(destination)
    if channel == "webhook":
        click.echo(webhook_secret(load_or_create_root(chosen.root_key_file), destination))


def _check(channel: outbox.Channel, address: str, private: bool) -> None:
    """Raises click.ClickException for what no message could ever be sent to."""
    if channel == "email":
        name, _, domain = address.rpartition("@")
        if not (name and domain) or any(one.isspace() or one in "<>,;" for one in address):
            raise click.ClickException("this is no e-mail address")
        return
    try:
        checked_url(address, private)
    except Undeliverable as error:
        raise click.ClickException("a webhook's address begins with https:// and holds no login") from error


@deliver.command()
@DATA_DIR
@TEAM
def destinations(data_dir: Path | None, team_id: UUID | None) -> None:
    """List where messages go."""

    async def run(connection: Connection, team: CalendarTeam) -> list[outbox.Destination]:
        return await outbox.list_destinations(connection, team.team_id)

    for one in with_team(quiet_settings(data_dir), team_id, run):
        click.echo(f"{one.destination_id} {one.channel} {one.address}")


@deliver.command()
@DATA_DIR
@TEAM
@click.argument("destination", type=click.UUID)
def stop(data_dir: Path | None, team_id: UUID | None, destination: UUID) -> None:
    """Send nothing more to a destination. What waits for it becomes dead."""

    async def run(connection: Connection, team: CalendarTeam) -> bool:
        return await outbox.disable_destination(connection, team.team_id, destination, datetime.now(UTC))

    if not with_team(quiet_settings(data_dir), team_id, run):
        raise click.ClickException("there is no such destination, or it was stopped before")


@deliver.command("list")
@DATA_DIR
@TEAM
def waiting(data_dir: Path | None, team_id: UUID | None) -> None:
    """List the messages that wait or are dead, with the last outcome."""

    async def run(connection: Connection, team: CalendarTeam) -> list[outbox.Undelivered]:
        return await outbox.undelivered(connection, team.team_id)

    for one in with_team(quiet_settings(data_dir), team_id, run):
        state = "dead" if one.dead_at else f"next {one.next_at.isoformat()}"
        click.echo(f"{one.id} {one.channel} {one.key}: {one.attempts} attempts, {one.last_outcome or 'none'}, {state}")


@deliver.command()
@DATA_DIR
@TEAM
@click.option("--id", "message_id", type=click.UUID, help="One dead letter; by default all of them.")
def retry(data_dir: Path | None, team_id: UUID | None, message_id: UUID | None) -> None:
    """Give dead letters another chance, and deliver whatever is due now."""
    chosen = quiet_settings(data_dir)
    now = datetime.now(UTC)

    async def replay(connection: Connection, team: CalendarTeam) -> int:
        return await outbox.replay(connection, team.team_id, now, message_id)

    async def send(database: Database) -> int:
        sender = Sender(chosen, load_or_create_root(chosen.root_key_file))
        return sum([await deliver_due(database, sender, topic, lambda: datetime.now(UTC)) for topic in TOPICS])

    click.echo(f"{with_team(chosen, team_id, replay)} dead letters are tried again")
    click.echo(f"{with_database(chosen, send)} attempts made")

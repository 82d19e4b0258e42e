"""`triage deliver`: where messages go, what waits, and another try."""

from datetime import UTC, datetime
from typing import get_args
from uuid import UUID

import click

from triage.commands.database import Databases, with_databases
from triage.commands.output import show_table
from triage.jobs.deliver import Sender, Undeliverable, checked_url, deliver_due, webhook_secret
from triage.store import outbox
from triage.store.journal_lines import DestinationDisabled
from triage.store.outbox import Channel, Topic


@with_databases
async def add(
    databases: Databases, team_id: UUID | None, channel: Channel, address: str, topics: tuple[Topic, ...]
) -> None:
    """The work of `triage deliver add`."""
    _require_address(channel, address, databases.settings.webhook_private_addresses)
    root = databases.root
    async with databases.team(team_id) as (connection, team):
        of = list(topics or get_args(Topic))
        destination = await outbox.add_destination(connection, team.team_id, channel, address, of)
    click.echo(destination)
    if channel == "webhook":
        click.echo(webhook_secret(root, destination))


def _require_address(channel: Channel, address: str, private: bool) -> None:
    """Raises click.ClickException for what no message could ever be sent to."""
    if channel == "email":
        name, _, domain = address.rpartition("@")
        if not (name and domain) or any(character.isspace() or character in "<>,;" for character in address):
            raise click.ClickException("this is no e-mail address")
        return
    try:
        checked_url(address, private)
    except Undeliverable as error:
        raise click.ClickException("a webhook's address begins with https:// and holds no login") from error


@with_databases
async def destinations(databases: Databases, team_id: UUID | None, as_json: bool) -> None:
    """The work of `triage deliver destinations`."""
    async with databases.team(team_id) as (connection, team):
        listed = await outbox.list_destinations(connection, team.team_id)
    rows = [(destination.destination_id, destination.channel, destination.address) for destination in listed]
    show_table(("id", "channel", "address"), rows, as_json)


@with_databases
async def stop(databases: Databases, team_id: UUID | None, destination: UUID) -> None:
    """The work of `triage deliver stop`."""
    async with databases.team(team_id) as (connection, team):
        now = datetime.now(UTC)
        # the one statement commits by itself, so the journal is told first: a line too many does no harm
        await databases.journal.add(DestinationDisabled(at=now, team_id=team.team_id, destination_id=destination))
        if not await outbox.disable_destination(connection, team.team_id, destination, now):
            raise click.ClickException("there is no such destination, or it was stopped before")
    click.echo("stopped")


@with_databases
async def list_(databases: Databases, team_id: UUID | None, as_json: bool) -> None:
    """The work of `triage deliver list`."""
    async with databases.team(team_id) as (connection, team):
        waiting = await outbox.undelivered(connection, team.team_id)
    headings = ("id", "channel", "message", "attempts", "last outcome", "next at", "dead at")
    rows = [
        (
            message.id,
            message.channel,
            message.key,
            message.attempts,
            message.last_outcome,
            message.next_at,
            message.dead_at,
        )
        for message in waiting
    ]
    show_table(headings, rows, as_json)


@with_databases
async def retry(databases: Databases, team_id: UUID | None, message_id: UUID | None) -> None:
    """The work of `triage deliver retry`."""
    sender = Sender(databases.settings, databases.root)
    async with databases.team(team_id) as (connection, team):
        replayed = await outbox.replay(connection, team.team_id, datetime.now(UTC), message_id)
    click.echo(f"{replayed} dead letters are tried again")
    async with databases.service() as database:
        made = [await deliver_due(database, sender, topic, lambda: datetime.now(UTC)) for topic in get_args(Topic)]
    click.echo(f"{sum(made)} attempts made")

"""The outbox: messages written in the transaction of what they tell of, and every attempt to deliver them."""

from datetime import datetime, timedelta
from typing import Final, Literal
from urllib.parse import urlsplit
from uuid import UUID

import msgspec
from msgspec import Struct
from uuid_utils.compat import uuid7

from triage.store import audit
from triage.store.database import Connection
from triage.store.statements import statement

Channel = Literal["email", "webhook"]
Topic = Literal["summary", "alert"]
AlertKind = Literal["under_18_police_station", "detention_4_h", "detention_1_h", "detention_0_h"]

BACK_OFF: Final = tuple(timedelta(seconds=s) for s in (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400))
"""Pauses between attempts, as Standard Webhooks recommends, up to a day; then the message is a dead letter."""
ALERTED_FOR: Final = timedelta(days=7)
"""A child at a police station is told of for as long after the last change; later it is history."""


class SummaryData(Struct, frozen=True, kw_only=True):
    """That an edition was published: what and where, and the chain it is cut at. No figures of a day or a week."""

    team: str
    kind: str
    form: str
    period: str
    edition: int
    chain_head: str
    late: bool
    link: str


class AlertData(Struct, frozen=True, kw_only=True):
    """That somebody should look now: team, kind and link, nothing else."""

    team: str
    kind: AlertKind
    link: str


class SummaryPublished(Struct, frozen=True, kw_only=True, tag="summary.published", tag_field="type"):
    """A message, in the form that Standard Webhooks recommends."""

    timestamp: datetime
    data: SummaryData


class AlertRaised(Struct, frozen=True, kw_only=True, tag="alert.raised", tag_field="type"):
    """A message, in the form that Standard Webhooks recommends."""

    timestamp: datetime
    data: AlertData


Payload = SummaryPublished | AlertRaised


class Destination(Struct, frozen=True):
    """Where messages go."""

    destination_id: UUID
    channel: Channel
    address: str


class Message(Struct, frozen=True):
    """A message that is due, and where to. Its payload never changed since it was written."""

    id: UUID
    key: str
    payload: bytes
    attempts: int
    created_at: datetime
    destination_id: UUID
    channel: Channel
    address: str
    disabled: bool


class UndeliveredMessage(Struct, frozen=True):
    """A message that still waits, or is dead."""

    id: UUID
    key: str
    channel: Channel
    attempts: int
    next_at: datetime
    dead_at: datetime | None
    last_outcome: str | None


_ADD_DESTINATION = statement("outbox.add_destination")
_DISABLE_DESTINATION = statement("outbox.disable_destination", bool)
_LIST_DESTINATIONS = statement("outbox.list_destinations", Destination)
_ENQUEUE = statement("outbox.enqueue")
_RAISE_ALERT = statement("outbox.raise_alert", bool)
_CHILDREN_AT_STATIONS = statement("outbox.children_at_stations", UUID)
_WAITING_DESTINATIONS = statement("outbox.waiting_destinations", UUID)
_CLAIM = statement("outbox.claim", Message)
_SETTLE = statement("outbox.settle", int)
_RECORD_ATTEMPT = statement("outbox.record_attempt")
_UNDELIVERED = statement("outbox.undelivered", UndeliveredMessage)
_REPLAY = statement("outbox.replay", UUID)


async def add_destination(
    connection: Connection, team_id: UUID, channel: Channel, address: str, topics: list[Topic]
) -> UUID:
    """Send messages of these topics to an address from now on."""
    destination_id = uuid7()
    await _ADD_DESTINATION.execute(
        connection, team_id=team_id, destination_id=destination_id, channel=channel, address=address, topics=topics
    )
    return destination_id


async def disable_destination(connection: Connection, team_id: UUID, destination_id: UUID, now: datetime) -> bool:
    """Send nothing more there; what waits becomes a dead letter. Whether there was anything to stop."""
    disabled = await _DISABLE_DESTINATION.fetch_first(
        connection, team_id=team_id, destination_id=destination_id, now=now
    )
    return bool(disabled)


async def list_destinations(connection: Connection, team_id: UUID, topic: Topic | None = None) -> list[Destination]:
    """Where the team's messages go, or those of a topic; disabled destinations are left out."""
    return await _LIST_DESTINATIONS.fetch(connection, team_id=team_id, topic=topic)


async def enqueue(
    connection: Connection, team_id: UUID, topic: Topic, key: str, payload: Payload, now: datetime
) -> None:
    """Write a message to every destination of the topic, once for each key. To be called in the event's transaction."""
    body = msgspec.json.encode(payload)
    for destination in await list_destinations(connection, team_id, topic):
        await _ENQUEUE.execute(
            connection,
            team_id=team_id,
            id=uuid7(),
            destination_id=destination.destination_id,
            key=key,
            payload=body,
            now=now,
        )


async def raise_alert(
    connection: Connection, team_id: UUID, incident_id: UUID, kind: AlertKind, mark: str, now: datetime
) -> bool:
    """Whether this is the first time; then the message is to be written in the same transaction."""
    raised = await _RAISE_ALERT.fetch_first(
        connection, team_id=team_id, incident_id=incident_id, kind=kind, mark=mark, now=now
    )
    return bool(raised)


async def children_at_stations(connection: Connection, team_id: UUID, now: datetime) -> list[UUID]:
    """Incidents with a child at a police station that nobody was told of yet."""
    return await _CHILDREN_AT_STATIONS.fetch(connection, team_id=team_id, since=now - ALERTED_FOR)


async def waiting_destinations(connection: Connection, team_id: UUID, topic: Topic, now: datetime) -> list[UUID]:
    """Where messages of a topic are due."""
    return await _WAITING_DESTINATIONS.fetch(connection, team_id=team_id, topic=topic, now=now)


async def claim(
    connection: Connection, team_id: UUID, destination_id: UUID, topic: Topic, now: datetime, until: datetime
) -> Message | None:
    """The message that is due longest, which no other process takes before `until`; None where nothing is due.

    A process that dies leaves the message due at `until`: it may be delivered twice, never lost. Receivers know a
    repeated message by its id.
    """
    return await _CLAIM.fetch_first(
        connection, team_id=team_id, destination_id=destination_id, topic=topic, now=now, until=until
    )


async def record_outcome(connection: Connection, team_id: UUID, message: Message, outcome: str, now: datetime) -> None:
    """Record an attempt, and what was delivered as a disclosure. A failed attempt is repeated after a pause that grows
    to a day; after the last the message is dead, and so is at once one to a disabled destination.
    """
    before = message.attempts
    delivered = outcome == "delivered"
    dead = not delivered and (message.disabled or before >= len(BACK_OFF))
    pause = BACK_OFF[min(before, len(BACK_OFF) - 1)]
    async with connection.transaction():
        number = await _SETTLE.fetch_one(
            connection,
            team_id=team_id,
            id=message.id,
            next_at=now + pause,
            delivered_at=now if delivered else None,
            dead_at=now if dead else None,
        )
        await _RECORD_ATTEMPT.execute(
            connection, team_id=team_id, message_id=message.id, at=now, n=number, outcome=outcome
        )
        if delivered:
            await _record_disclosure(connection, team_id, message)


async def _record_disclosure(connection: Connection, team_id: UUID, message: Message) -> None:
    """To whom a message went; of a webhook's address the host alone, for the rest of it may be a secret."""
    shown = message.address if message.channel == "email" else urlsplit(message.address).hostname
    topic, *rest = message.key.split()
    incidents = [UUID(rest.pop(0))] if topic == "alert" else []
    await audit.record_by_owner(
        connection,
        team_id,
        "disclosure",
        " ".join(("message", topic, *rest)),
        incidents,
        recipient=f"{message.channel} {message.destination_id} {shown}",
        detail="sent by the service",
    )


async def undelivered(connection: Connection, team_id: UUID) -> list[UndeliveredMessage]:
    """Messages that wait or are dead, oldest first."""
    return await _UNDELIVERED.fetch(connection, team_id=team_id)


async def replay(connection: Connection, team_id: UUID, now: datetime, message_id: UUID | None = None) -> int:
    """Give a dead letter, or all of them, another chance now; how many there were.

    One more failure makes it a dead letter again.
    """
    return len(await _REPLAY.fetch(connection, team_id=team_id, now=now, message_id=message_id))

"""Delivery of the outbox: e-mail by SMTP, webhooks as the Standard Webhooks specification says (version 1.0).

A message tells that something is there and where, never a figure. It goes at least once: a process that dies between
sending and noting it sends again, under the same id. Every attempt is on record.
"""

import asyncio
import hmac
import logging
import socket
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from hashlib import sha256
from html import escape
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit
from uuid import UUID

import aiosmtplib
import msgspec
from msgspec import Struct
from prometheus_client import Counter

from triage.libraries import httpx
from triage.people.encryption import Purpose, Root
from triage.settings import Settings
from triage.store import outbox
from triage.store.database import Database
from triage.store.outbox import AlertData, Message, Payload, SummaryData, Topic
from triage.store.summaries import calendars

logger = logging.getLogger(__name__)

ATTEMPTS = Counter("triage_delivery_attempts", "Attempts to deliver a message", ["channel", "outcome"])

AT_ONCE: Final = 16
"""Destinations of a topic that are sent to at once from one process."""
MARGIN: Final = timedelta(seconds=30)
"""How much longer than an attempt may take a message is kept from other processes."""
SECRET_PREFIX: Final = "whsec_"

_payload: Final[msgspec.json.Decoder[Payload]] = msgspec.json.Decoder(Payload)

WORDS: Final[dict[str, str]] = {
    "under_18_police_station": "Somebody under 18 is recorded at a police station",
    "detention_4_h": "A detention has 4 hours left",
    "detention_1_h": "A detention has 1 hour left",
    "detention_0_h": "A detention has no time left",
}


_COST_NO_TIME: Final = ("delivered", "destination_disabled")

Clock = Callable[[], datetime]


class Undeliverable(Exception):
    """An attempt that failed; the message is a short code, without an address."""


class Sender(Struct, frozen=True):
    """The means of sending: the settings, and the root secret from which each webhook's secret derives."""

    settings: Settings
    root: Root


async def deliver_due(database: Database, sender: Sender, topic: Topic, clock: Clock) -> int:
    """Send the messages of a topic that are due, to all destinations side by side; how many attempts were made.

    A destination that fails gets no other message of the topic before the next call, so that one that hangs costs one
    time-out and nobody else's messages wait for it.
    """
    slots = asyncio.Semaphore(AT_ONCE)
    deliveries = []
    for team in await calendars.teams(database):
        async with database.team(team.team_id) as connection:
            waiting = await outbox.waiting_destinations(connection, team.team_id, topic, clock())
        delivery = _Delivery(database, team.team_id, sender, topic, clock)
        deliveries += [delivery.to(destination_id, slots) for destination_id in waiting]
    return sum(await asyncio.gather(*deliveries))


def webhook_secret(root: Root, destination_id: UUID) -> str:
    """The secret of a webhook, to be given to its receiver. It is derived, so that the database holds none."""
    key = hmac.digest(root.derive(Purpose.WEBHOOKS), destination_id.bytes, sha256)
    return SECRET_PREFIX + b64encode(key).decode()


@dataclass(frozen=True, slots=True)
class _Delivery:
    """The messages of one team and topic. No connection is held while a message is on its way."""

    database: Database
    team_id: UUID
    sender: Sender
    topic: Topic
    clock: Clock

    async def to(self, destination_id: UUID, slots: asyncio.Semaphore) -> int:
        """Send what is due to one destination, until an attempt fails; how many attempts were made."""
        made, outcome = 0, "delivered"
        async with slots:
            while outcome in _COST_NO_TIME and (message := await self._claim(destination_id)):
                outcome = await _attempt(self.sender, message, self.clock())
                async with self.database.team(self.team_id) as connection:
                    await outbox.record_outcome(connection, self.team_id, message, outcome, self.clock())
                ATTEMPTS.labels(message.channel, outcome.split("_")[0]).inc()
                made += 1
        return made

    async def _claim(self, destination_id: UUID) -> Message | None:
        now = self.clock()
        until = now + timedelta(seconds=self.sender.settings.delivery_timeout_s) + MARGIN
        async with self.database.team(self.team_id) as connection:
            return await outbox.claim(connection, self.team_id, destination_id, self.topic, now, until)


async def _attempt(sender: Sender, message: Message, now: datetime) -> str:
    """The result: `delivered`, or why not."""
    if message.disabled:
        return "destination_disabled"
    try:
        async with asyncio.timeout(sender.settings.delivery_timeout_s):
            if message.channel == "email":
                await _mail(sender.settings, message)
            else:
                await _post(sender, message, now)
    except Undeliverable as why:
        return str(why)
    except TimeoutError:
        return "timeout"
    except Exception as error:  # a message that cannot be sent must not stop the others
        logger.error("delivery_failed", exc_info=error)
        return "internal"
    return "delivered"


# --- e-mail ---


async def _mail(settings: Settings, message: Message) -> None:
    if settings.smtp_host is None:
        raise Undeliverable("smtp_not_configured")
    try:
        await aiosmtplib.send(
            email(settings, message),
            hostname=settings.smtp_host,
            port=settings.smtp_port,
            use_tls=settings.smtp_security == "tls",
            start_tls=settings.smtp_security == "starttls",
            username=settings.smtp_user,
            password=settings.smtp_password,
            timeout=settings.delivery_timeout_s,
        )
    except aiosmtplib.SMTPResponseException as error:
        raise Undeliverable(f"smtp_{error.code}") from error
    except (aiosmtplib.SMTPException, OSError) as error:
        raise Undeliverable("smtp_failed") from error


def email(settings: Settings, message: Message) -> EmailMessage:
    """The message as an e-mail: text and HTML, status and link. A repetition has the same Message-ID."""
    subject, lines, link = message_text(_payload.decode(message.payload).data)
    mail = EmailMessage()
    mail["From"] = settings.smtp_from
    mail["To"] = message.address
    mail["Subject"] = subject
    mail["Date"] = message.created_at
    mail["Message-ID"] = f"<{message.id}@{settings.smtp_from.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content("\n".join((*lines, "", link)))
    paragraphs = "".join(f"<p>{escape(line)}</p>" for line in lines)
    anchor = f'<p><a href="{escape(link)}">{escape(link)}</a></p>'
    html = f'<!DOCTYPE html><html lang="en-GB"><head><title>{escape(subject)}</title></head><body>{paragraphs}{anchor}'
    mail.add_alternative(html + "</body></html>", subtype="html")
    return mail


def message_text(data: SummaryData | AlertData) -> tuple[str, list[str], str]:
    """Subject, lines and link of a message."""
    if isinstance(data, AlertData):
        return f"{data.team}: please look now", [f"{WORDS[data.kind]}. Please look now."], data.link
    subject = f"{data.team}: {data.kind} summary {data.period}, edition {data.edition}"
    status = "It was published late." if data.late else "It was published in time."
    return subject, [f"{subject} is published. {status}", f"Chain head: {data.chain_head}"], data.link


# --- webhooks ---


async def _post(sender: Sender, message: Message, now: datetime) -> None:
    """POST the payload to the address that was checked, whatever its name resolves to a moment later."""
    private = sender.settings.webhook_private_addresses
    url = checked_url(message.address, private)
    address = await _resolve(url, private)
    host = f"[{address}]" if address.version == 6 else str(address)
    port = f":{url.port}" if url.port else ""
    headers = {
        **signature_headers(webhook_secret(sender.root, message.destination_id), message.id, message.payload, now),
        "content-type": "application/json",
        "host": url.netloc.rpartition("@")[2],
        "user-agent": "street-triage-log",
    }
    try:
        async with await asyncio.to_thread(_client) as client:
            async with client.stream(
                "POST",
                url._replace(netloc=host + port).geturl(),
                content=message.payload,
                headers=headers,
                extensions={"sni_hostname": url.hostname},
            ) as response:
                status = response.status_code
    except (httpx.HTTPError, OSError) as error:
        raise Undeliverable("connection_failed") from error
    if not 200 <= status < 300:
        raise Undeliverable(f"http_{status}")


def _client() -> "httpx.AsyncClient":
    """Made in a thread: it loads the authorities' certificates, and the first one the library."""
    return httpx.AsyncClient(follow_redirects=False, trust_env=False, timeout=None)


def checked_url(address: str, private: bool) -> SplitResult:
    """The parts of a webhook's address. Raises Undeliverable for what is no https address, or carries a login."""
    try:
        url = urlsplit(address)
        _ = url.port
    except ValueError as error:
        raise Undeliverable("address_invalid") from error
    if url.scheme not in (("https", "http") if private else ("https",)) or not url.hostname or "@" in url.netloc:
        raise Undeliverable("address_invalid")
    return url._replace(fragment="")


async def _resolve(url: SplitResult, private: bool) -> IPv4Address | IPv6Address:
    """One address of the host. Raises Undeliverable where there is none, or any of them is private."""
    loop = asyncio.get_running_loop()
    try:
        answers = await loop.getaddrinfo(url.hostname, url.port or 443, type=socket.SOCK_STREAM)
    except OSError as error:
        raise Undeliverable("unresolved") from error
    addresses = [ip_address(answer[4][0]) for answer in answers]
    if not private and not all(map(_is_public, addresses)):
        raise Undeliverable("address_private")
    return addresses[0]


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is not None:
            return _is_public(inner)
    return address.is_global and not address.is_multicast


def signature_headers(webhook_secret: str, message_id: UUID, payload: bytes, now: datetime) -> dict[str, str]:
    """The three headers of Standard Webhooks: HMAC-SHA-256 over id, timestamp and payload."""
    stamp = int(now.timestamp())
    key = b64decode(webhook_secret.removeprefix(SECRET_PREFIX))
    signature = hmac.digest(key, f"msg_{message_id}.{stamp}.".encode() + payload, sha256)
    return {
        "webhook-id": f"msg_{message_id}",
        "webhook-timestamp": str(stamp),
        "webhook-signature": f"v1,{b64encode(signature).decode()}",
    }

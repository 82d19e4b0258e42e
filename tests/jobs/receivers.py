"""A web server and a mail server on loopback that do what a test tells them, and remember what they were sent."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from ssl import SSLContext
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session
from msgspec import Struct, field


class Request(Struct):
    """A request as it came."""

    line: str
    headers: dict[str, str]
    body: bytes


class WebReceiver(Struct):
    """Answers with `answers` in turn, the last one from then on; None hangs."""

    port: int = 0
    answers: list[str | None] = field(default_factory=lambda: ["200 OK"])
    requests: list[Request] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once there was a request."""

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        line, *rest = head.strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.requests.append(Request(line, headers, body))
        self.came.set()
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer is None:
            await reader.read()  # until the other side gives up
        else:
            writer.write(f"HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
            await writer.drain()
        writer.close()


@asynccontextmanager
async def web_receiver() -> AsyncIterator[WebReceiver]:
    receiver = WebReceiver()
    server = await asyncio.start_server(receiver.answer, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    async with server:
        yield receiver


class MailReceiver(Struct):
    """Takes mail; drops the connection after the next `drops` messages instead of acknowledging them."""

    port: int = 0
    drops: int = 0
    mails: list[EmailMessage] = field(default_factory=list)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content = envelope.content
        assert isinstance(content, bytes)
        self.mails.append(BytesParser(policy=default).parsebytes(content))
        if self.drops:
            self.drops -= 1
            transport: Any = server.transport
            transport.abort()
        return "250 OK"


@asynccontextmanager
async def mail_receiver(tls: SSLContext | None = None) -> AsyncIterator[MailReceiver]:
    receiver = MailReceiver()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(receiver, loop=loop, tls_context=tls, require_starttls=tls is not None), "127.0.0.1", 0
    )
    receiver.port = server.sockets[0].getsockname()[1]
    async with server:
        yield receiver

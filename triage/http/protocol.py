"""The server's side of a connection, with patience that ends: no client holds anything by saying nothing.

uvicorn times a connection only between two requests. Here the rest is timed too: a connection that asks nothing,
headers that trickle in or grow without end, a body that stops, an answer that is not read. What was asked badly is
refused with a problem document, as everywhere; where nothing was asked, the connection is closed.
"""

import asyncio
from typing import Any, Final, Literal, cast

import msgspec
from msgspec import Struct
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from triage.problems import BODY_TIMEOUT, HEADERS_TIMEOUT, HEADERS_TOO_LARGE, NOT_HTTP, ListedProblem
from triage.settings import Settings

SLOWEST_BODY: Final = 4096
"""Bytes of a body that buy its client another second."""
LINGER_S: Final = 2.0
"""How long a refused client may take to read why, before the connection is closed with what it goes on sending."""

Awaiting = Literal["request", "headers", "body", "answer", "nothing"]


class Patience(Struct, frozen=True):
    """How long a client may be silent, how long its headers may take, and how many bytes of them are taken."""

    silent_s: float
    headers_s: float
    header_bytes: int

    @property
    def looks_every_s(self) -> float:
        """How often a connection is looked at."""
        return min(self.silent_s, self.headers_s) / 4


class JoinedWrites:
    """A transport that hands the head of an answer to the socket with its body: writing is most of what a short answer
    takes. What nothing follows in the same turn of the loop goes out at its end. Otherwise it is the transport."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held = b""

    def write(self, data: bytes) -> None:
        """Write, in this turn of the loop."""
        if self._held:
            held, self._held = self._held, b""
            self._transport.writelines((held, data))
        else:
            self._held = data
            self._loop.call_soon(self._flush)

    def write_eof(self) -> None:
        """As the transport's, after what is held."""
        self._flush()
        self._transport.write_eof()

    def close(self) -> None:
        """As the transport's, after what is held."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._held:
            held, self._held = self._held, b""
            self._transport.write(held)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class PatientProtocol(HttpToolsProtocol):
    """One connection. It is looked at from time to time, which costs a request nothing."""

    patience: Patience

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(cast(asyncio.Transport, JoinedWrites(transport, self.loop)))
        self._awaiting: Awaiting = "request"
        self._since = self._heard_at = self.loop.time()
        self._taken = 0  # bytes of the headers, or of the body, that are awaited
        self._piece = 0
        self._unread_since: float | None = None
        self._look_timer = self.loop.call_later(self.patience.looks_every_s, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        self._look_timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._awaiting == "nothing":
            return
        self._heard_at = self.loop.time()
        self._piece = len(data)
        if self._awaiting == "headers":
            self._taken += self._piece
        super().data_received(data)
        if self._awaiting == "headers" and self._taken > self.patience.header_bytes:
            self._refuse(HEADERS_TOO_LARGE)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._await("headers")
        self._taken = self._piece  # at most

    def on_headers_complete(self) -> None:
        if self._taken > self.patience.header_bytes and self._header_size() > self.patience.header_bytes:
            self._refuse(HEADERS_TOO_LARGE)
            return
        super().on_headers_complete()
        self._await("body")

    def on_body(self, body: bytes) -> None:
        if self._awaiting != "nothing":
            self._taken += len(body)
            super().on_body(body)

    def on_message_complete(self) -> None:
        if self._awaiting != "nothing":
            super().on_message_complete()
            self._await("request" if self.cycle.response_complete else "answer")

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._awaiting == "answer" and not self.pipeline:
            self._await("request")

    def pause_writing(self) -> None:
        self._unread_since = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        self._unread_since = None
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        self._refuse(NOT_HTTP)

    def _await(self, what: Awaiting) -> None:
        self._awaiting, self._since, self._taken = what, self.loop.time(), 0

    def _header_size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _look(self) -> None:
        """Whether the client still deserves to be waited for."""
        if self.transport.is_closing():
            return
        now, patience = self.loop.time(), self.patience
        self._look_timer = self.loop.call_later(patience.looks_every_s, self._look)
        if self._unread_since is not None and now - self._unread_since > patience.silent_s:
            self.transport.abort()
        elif self._awaiting == "request" and now - self._since > patience.silent_s:
            self.transport.close()
        elif self._awaiting == "headers" and now - self._since > patience.headers_s:
            self._refuse(HEADERS_TIMEOUT)
        elif self._awaiting == "body" and self.flow.read_paused:  # it waits for us
            self._heard_at = now
            self._since += patience.looks_every_s
        elif self._awaiting == "body" and self._is_slow(now):
            self._refuse(BODY_TIMEOUT)

    def _is_slow(self, now: float) -> bool:
        allowed = self.patience.silent_s + self._taken / SLOWEST_BODY
        return now - self._heard_at > self.patience.silent_s or now - self._since > allowed

    def _refuse(self, problem: ListedProblem) -> None:
        """Answer for the application, which is told that the client is gone, and close."""
        body_awaited, self._awaiting = self._awaiting == "body", "nothing"
        if body_awaited and self.cycle.response_started:
            self.transport.close()  # half an answer is no place for another
            return
        if body_awaited:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.write(_answer(problem, self.server_state.default_headers))
        if self.transport.can_write_eof():
            self.transport.write_eof()
            self.loop.call_later(LINGER_S, self.transport.close)
        else:
            self.transport.close()


def _answer(problem: ListedProblem, default_headers: list[tuple[bytes, bytes]]) -> bytes:
    body = msgspec.json.encode(problem.problem())
    headers = [
        *default_headers,
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"connection", b"close"),
    ]
    lines = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
    return STATUS_LINE[problem.status] + lines + b"\r\n" + body


def protocol(settings: Settings) -> type[Any]:
    """The protocol for uvicorn's configuration, with the patience of the settings."""
    patience = Patience(settings.client_timeout_s, settings.header_timeout_s, settings.max_header_bytes)
    return type("ConfiguredProtocol", (PatientProtocol,), {"patience": patience})

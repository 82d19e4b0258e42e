"""Around every request: its id, security headers, one log line without an address, and the count for the metrics."""

import re
import time
from collections.abc import Callable, Iterable

import structlog
from litestar import Response
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from uuid_utils import uuid7

from triage.http.errors import problem_response
from triage.problems import NOT_FOUND, Refused

logger = structlog.get_logger(__name__)

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_EMPTY_PART = re.compile(r"//|./$")
_ALWAYS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
_SHOWS_NOTHING = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
"""For answers that are no page: should a browser take one for a page, it runs and loads nothing."""
_HTTPS_ONLY = (b"strict-transport-security", b"max-age=31536000")

Observe = Callable[[str, int, float], None]
"""method, status, seconds"""


class Envelope:
    """The outermost application. `https`: people reach it by https, whatever a proxy in front may speak to it.

    It is no middleware of Litestar's, which would not see an address or a method that does not exist.
    """

    def __init__(self, app: ASGIApp, observe: Observe, https: bool) -> None:
        self._app = app
        self._observe = observe
        self._https = https

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":  # type: ignore[comparison-overlap]
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = _request_id(scope)
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = self._headers(scope, message["headers"], request_id)
            await send(message)

        # the server runs each request in a context of its own, which ends with it
        structlog.contextvars.bind_contextvars(request_id=request_id)
        await self._answer(scope, receive, send_with_headers)
        seconds = time.perf_counter() - started
        method = str(scope.get("method"))
        self._observe(method, status, seconds)
        # what went well is counted, and told only to those who ask for it: a line costs as much as an append
        tell = logger.debug if status < 400 else logger.info
        tell("request", method=method, status=status, ms=round(seconds * 1000, 1))

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if _EMPTY_PART.search(scope["path"]):  # Litestar reads the path as if it were not there
            await _send(problem_response(Refused(NOT_FOUND)), scope, send)
        elif scope.get("method") == "HEAD":
            await self._app(*_as_get(scope, receive, send))
        else:
            await self._app(scope, receive, send)

    def _headers(self, scope: Scope, sent: Iterable[tuple[bytes, bytes]], request_id: str) -> list[tuple[bytes, bytes]]:
        headers = [*sent, (b"x-request-id", request_id.encode()), *_ALWAYS]
        if all(name != _SHOWS_NOTHING[0] for name, _ in headers):
            headers.append(_SHOWS_NOTHING)
        if self._https or scope["scheme"] == "https":
            headers.append(_HTTPS_ONLY)
        return headers


def _request_id(scope: Scope) -> str:
    sent = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"").decode("latin-1")
    return sent if _REQUEST_ID.fullmatch(sent) else str(uuid7())


async def _send(response: Response[bytes], scope: Scope, send: Send) -> None:
    body = b"" if scope.get("method") == "HEAD" else response.content
    headers = [(b"content-type", str(response.media_type).encode())]
    headers += [(name.encode(), str(value).encode()) for name, value in response.headers.items()]
    headers.append((b"content-length", str(len(response.content)).encode()))
    await send({"type": "http.response.start", "status": response.status_code or 200, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def _as_get(scope: Scope, receive: Receive, send: Send) -> tuple[Scope, Receive, Send]:
    """HEAD is GET whose answer has its header fields only (RFC 9110, 9.3.2); `scope["head"]` tells handlers.

    In a copy of the scope: the server's own goes on saying HEAD, or it would wait for the body.
    """

    async def send_without_body(message: Message) -> None:
        await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

    return {**scope, "method": "GET", "head": True}, receive, send_without_body  # type: ignore[return-value]

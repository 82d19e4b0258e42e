"""Around every request: its id, security headers, one log line without an address, and the count for the metrics."""

import re
import time
from collections.abc import Callable

import structlog
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from uuid_utils import uuid7

from triage.http.messages import header, in_problem, send_answer
from triage.problems import NOT_FOUND, Refused

logger = structlog.get_logger(__name__)

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_SLASHES_TOO_MANY = re.compile(r"//|./$")
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


class Edge:
    """The outermost application. `https`: people reach it by https, whatever a proxy in front may speak to it."""

    def __init__(self, app: ASGIApp, observe: Observe, https: bool) -> None:
        self._app = app
        self._observe = observe
        self._https = https

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":  # type: ignore[comparison-overlap]
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        sent_id = header(scope, b"x-request-id")
        request_id = sent_id if sent_id and _REQUEST_ID.fullmatch(sent_id) else str(uuid7())
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [*message["headers"], (b"x-request-id", request_id.encode()), *_ALWAYS]
                if all(name != _SHOWS_NOTHING[0] for name, _ in headers):
                    headers.append(_SHOWS_NOTHING)
                if self._https or scope["scheme"] == "https":
                    headers.append(_HTTPS_ONLY)
                message["headers"] = headers
            await send(message)

        # the server runs each request in a context of its own, which ends with it
        structlog.contextvars.bind_contextvars(request_id=request_id)
        if _SLASHES_TOO_MANY.search(scope["path"]):  # Litestar reads them as if they were not there
            await send_answer(send_with_headers, in_problem(Refused(NOT_FOUND)), scope.get("method") == "HEAD")
        else:
            await self._app(scope, receive, send_with_headers)
        seconds = time.perf_counter() - started
        method = str(scope.get("method"))
        self._observe(method, status, seconds)
        # what went well is counted, and told only to those who ask for it: a line costs as much as an append
        tell = logger.debug if status < 400 else logger.info
        tell("request", method=method, status=status, ms=round(seconds * 1000, 1))

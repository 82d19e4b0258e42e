"""Around every request: its id, security headers, one log line without an address, and the count for the metrics."""

import logging
import re
import time
from collections.abc import Callable
from secrets import token_urlsafe
from typing import Any

from litestar.types import ASGIApp, Message, Receive, Scope, Send

from triage.http.compression import (
    HeaderList,
    accepted_coding,
    compress,
    is_compressible,
    vary,
    with_held_tag,
    with_plain_tags,
)
from triage.http.errors import problem_response
from triage.http.parameters import sent_header
from triage.logs import REQUEST_ID
from triage.problems import NOT_FOUND, Refused

logger = logging.getLogger(__name__)

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_JSON = (b"application/json", b"application/problem+json")
_EMPTY_PART = re.compile(r"//|./$")
_NO_SNIFFING = (b"x-content-type-options", b"nosniff")
_NO_FRAMES = (b"content-security-policy", b"frame-ancestors 'none'")
"""All that JSON needs: no browser takes it for a page, and none reads it without the bearer token that fetches it."""
_OF_DOCUMENTS = [
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
_SHOWS_NOTHING = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
"""For answers that are no page: should a browser take one for a page, it runs and loads nothing."""
_HTTPS_ONLY = (b"strict-transport-security", b"max-age=31536000")

Observe = Callable[[str, str, int, float], None]
"""method, template of the path, status, seconds"""


class OuterMiddleware:
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
        # the server runs each request in a context of its own, which ends with it
        REQUEST_ID.set(request_id)
        https_only = [_HTTPS_ONLY] if self._https or scope["scheme"] == "https" else []
        answer = _Answer(scope, send, [(b"x-request-id", request_id.encode()), _NO_SNIFFING, *https_only])
        if _EMPTY_PART.search(scope["path"]):  # Litestar reads the path as if it were not there
            await problem_response(Refused(NOT_FOUND))(scope, receive, answer.send)
        else:
            await self._app(_asked_by(scope), receive, answer.send)
        seconds = time.perf_counter() - started
        method = str(scope.get("method"))
        self._observe(method, str(scope.get("path_template", "")), answer.status, seconds)
        # what went well is counted, and told only to those who ask for it: a line costs as much as an append
        level = logging.DEBUG if answer.status < 400 else logging.INFO
        if logger.isEnabledFor(level):
            told = {"method": method, "status": answer.status, "ms": round(seconds * 1000, 1)}
            logger.log(level, "request", extra=told)


def _request_id(scope: Scope) -> str:
    sent = sent_header(scope, b"x-request-id")
    return sent if _REQUEST_ID.fullmatch(sent) else token_urlsafe(8)


class _Answer:
    """The answer on its way to the client: with the headers of every answer, coded where it may be, without a body to
    HEAD (RFC 9110, 9.3.2)."""

    def __init__(self, scope: Scope, send: Send, always: HeaderList) -> None:
        self._scope, self._send, self._always = scope, send, always
        self._start: Any = None  # held back until its body is coded
        self.status = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            await self._begin(message)
        elif message["type"] == "http.response.body":
            await self._go_on(message)

    async def _begin(self, message: Any) -> None:
        self.status = message["status"]
        headers: HeaderList = [*message["headers"], *self._always]
        named = dict(headers)
        if named.get(b"content-type") in _JSON:
            headers.append(_NO_FRAMES)
        else:
            headers += _OF_DOCUMENTS if _SHOWS_NOTHING[0] in named else [*_OF_DOCUMENTS, _SHOWS_NOTHING]
        if self.status == 304:
            headers = with_held_tag(headers, _if_none_match(self._scope))
            if b"accept-ranges" not in named:  # RFC 9110, 15.4.5: as the answer with its content would have said
                headers = vary(headers)
        message["headers"] = headers
        if is_compressible(named):
            message["headers"] = vary(headers)
            self._start = message
        else:
            await self._send(message)

    async def _go_on(self, message: Any) -> None:
        if start := self._start:
            self._start = None
            if coding := accepted_coding(self._scope):
                start["headers"], message["body"] = compress(start["headers"], message["body"], coding)
            await self._send(start)
        if self._scope.get("method") == "HEAD":
            message = {**message, "body": b""}
        await self._send(message)


def _asked_by(scope: Scope) -> Scope:
    """The request as handlers read it: HEAD is GET, of which `scope["head"]` tells, and tags are of uncoded content.

    In a copy: the server's own goes on saying HEAD, or it would wait for the body.
    """
    if scope.get("method") == "HEAD":
        scope = {**scope, "method": "GET", "head": True}  # type: ignore[assignment]
    return with_plain_tags(scope) if _if_none_match(scope) else scope


def _if_none_match(scope: Scope) -> bytes:
    return sent_header(scope, b"if-none-match").encode("latin-1")

"""Reading requests and writing answers, for every route alike, on plain ASGI."""

import random
import zlib
from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import datetime
from hashlib import blake2b
from typing import Any, Final
from urllib.parse import parse_qsl
from uuid import UUID

import msgspec
import zstandard
from litestar.types import Receive, Scope, Send
from msgspec import Struct

from triage.log.body_errors import CONTROL
from triage.log.entries import Time
from triage.problems import (
    INVALID_PARAMETER,
    METHOD_NOT_ALLOWED,
    NOT_ACCEPTABLE,
    NOT_FOUND,
    TOKEN_MISSING,
    TOO_LARGE,
    UNKNOWN_PARAMETER,
    UNSUPPORTED_MEDIA_TYPE,
    Refused,
)
from triage.service import BodyLimits

JSON = b"application/json"
PROBLEM_JSON = b"application/problem+json"
HeaderList = list[tuple[bytes, bytes]]

_MOST_DIGITS: Final = 18
_encode = msgspec.json.Encoder().encode


class ClientGone(Exception):
    """The client hung up before its request was read."""


def header(scope: Scope, name: bytes) -> str | None:
    """A request header, the last where it was sent twice; None where absent."""
    found = None
    for key, value in scope["headers"]:
        if key == name:
            found = value
    return None if found is None else found.decode("latin-1")


def bearer(scope: Scope) -> str:
    """The bearer token of the request. Raises Refused (401) without one."""
    sent = [value for key, value in scope["headers"] if key == b"authorization"]
    value = sent[0].decode("latin-1") if len(sent) == 1 else ""  # of two, nobody could say who asks
    if value[:7].lower() != "bearer " or not value[7:].strip():
        raise Refused(TOKEN_MISSING)
    return value[7:].strip()


class MethodRefused(Refused):
    """405, which must name the methods that are allowed (RFC 9110, 15.5.6)."""

    def __init__(self, allowed: Iterable[str]) -> None:
        super().__init__(METHOD_NOT_ALLOWED)
        self.allowed = ", ".join(sorted(set(allowed)))


def require_acceptable(scope: Scope, *served: str) -> str:
    """The media type to answer with, the first of `served` that the client prefers. Raises Refused (406)."""
    accept = header(scope, b"accept")
    if accept is None or accept.strip() in ("", "*/*"):
        return served[0]
    best, best_quality = None, 0.0
    for candidate in served:
        quality = _quality(accept, candidate)
        if quality > best_quality:
            best, best_quality = candidate, quality
    if best is None:
        raise Refused(NOT_ACCEPTABLE)
    return best


def _quality(accept: str, candidate: str) -> float:
    """The q of the most specific range of an Accept header that matches (RFC 9110, 12.5.1)."""
    kind = candidate.split("/")[0]
    ranked = {candidate: 2, f"{kind}/*": 1, "*/*": 0}
    specific, found = -1, 0.0
    for part in accept.split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        rank = ranked.get(name, -1)
        if rank > specific:
            q = next((p[2:] for p in parameters if p.startswith("q=")), "1")
            specific, found = rank, _number(q)
    return found


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


async def read_body(scope: Scope, receive: Receive, limits: BodyLimits) -> bytes:
    """The JSON body, decompressed. Raises Refused: 415 for another type or coding, 413 when it is too long."""
    if (header(scope, b"content-type") or "").split(";")[0].strip().lower() != "application/json":
        raise Refused(UNSUPPORTED_MEDIA_TYPE)
    declared = header(scope, b"content-length")
    if declared is not None and declared.isdecimal() and int(declared) > limits.sent:
        raise Refused(TOO_LARGE)
    message = await receive()
    body = _piece(message)
    if message.get("more_body"):
        pieces, size = [body], len(body)
        while message.get("more_body"):
            message = await receive()
            pieces.append(_piece(message))
            size += len(pieces[-1])
            if size > limits.sent:
                raise Refused(TOO_LARGE)
        body = b"".join(pieces)
    if len(body) > limits.sent:
        raise Refused(TOO_LARGE)
    coding = (header(scope, b"content-encoding") or "identity").strip().lower()
    return body if coding == "identity" else decompress(body, coding, limits.decoded)


def _piece(message: Any) -> bytes:
    if message["type"] == "http.disconnect":
        raise ClientGone
    body: bytes = message.get("body", b"")
    return body


def decompress(body: bytes, coding: str, most: int) -> bytes:
    """Undo a content coding without ever holding more than `most` bytes. Raises Refused: 415, 413, or 400."""
    try:
        match coding:
            case "gzip" | "x-gzip":
                inflate = zlib.decompressobj(16 + zlib.MAX_WBITS)
                decoded = inflate.decompress(body, most + 1)
                if len(decoded) <= most and not inflate.eof:
                    raise Refused(INVALID_PARAMETER, "The gzip body ends early.")
            case "zstd":
                with zstandard.ZstdDecompressor(max_window_size=2**27).stream_reader(body) as reader:
                    decoded = reader.read(most + 1)
            case _:
                raise Refused(UNSUPPORTED_MEDIA_TYPE, "Bodies may be coded with gzip or zstd.")
    except (zlib.error, zstandard.ZstdError) as error:
        raise Refused(INVALID_PARAMETER, "The body is not what Content-Encoding says.") from error
    if len(decoded) > most:
        raise Refused(TOO_LARGE)
    return decoded


class Answer(Struct, frozen=True):
    """What a route answers. `pieces`, where given, is streamed after `body`."""

    status: int
    body: bytes = b""
    media_type: bytes = JSON
    headers: HeaderList = []
    pieces: AsyncIterator[bytes] | None = None


NO_STORE: Final = (b"cache-control", b"no-store")
"""Answers may hold personal data: nothing on the way keeps them."""


def in_json(content: object, status: int = 200, headers: Iterable[tuple[bytes, bytes]] = ()) -> Answer:
    """A Struct, or mapping, as JSON."""
    return Answer(status, _encode(content), JSON, [NO_STORE, *headers])


def in_problem(refused: Refused) -> Answer:
    """A refusal as `application/problem+json` (RFC 9457)."""
    problem = refused.problem
    headers: HeaderList = [NO_STORE]
    if problem.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if isinstance(refused, MethodRefused):
        headers.append((b"allow", refused.allowed.encode()))
    if refused.retry_after is not None or problem.status in (429, 503):
        headers.append((b"retry-after", str(jittered(refused.retry_after or 1)).encode()))
    return Answer(problem.status, _encode(problem), PROBLEM_JSON, headers)


def jittered(seconds: int) -> int:
    """Whole seconds, spread out so that many phones do not come back at the same moment."""
    return seconds + random.randrange(max(2, seconds // 2 + 1))


async def send_answer(send: Send, answer: Answer, head_only: bool) -> None:
    """Send an answer; of one to HEAD the header fields only (RFC 9110, 9.3.2)."""
    headers = list(answer.headers)
    if answer.pieces is None and answer.status not in (204, 304):
        headers.append((b"content-length", str(len(answer.body)).encode()))
    if answer.status not in (204, 304):
        headers.append((b"content-type", answer.media_type))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    if answer.pieces is not None and not head_only:
        async for piece in answer.pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b"" if head_only else answer.body, "more_body": False})


def strong_etag(body: bytes) -> str:
    """A strong entity tag over the served bytes (RFC 9110, 8.8.3)."""
    return f'"{blake2b(body, digest_size=16).hexdigest()}"'


def is_unchanged(scope: Scope, etag: str) -> bool:
    """Whether `If-None-Match` names this entity tag (RFC 9110, 13.1.2: compared weakly)."""
    sent = header(scope, b"if-none-match")
    if sent is None:
        return False
    return sent.strip() == "*" or etag in (one.strip().removeprefix("W/") for one in sent.split(","))


def query(scope: Scope, *allowed: str) -> dict[str, str]:
    """The query parameters. Raises Refused (400) for one that is not taken here, given twice, or no plain text."""
    found: dict[str, str] = {}
    try:
        sent = scope["query_string"].decode("ascii")
        pairs = parse_qsl(sent, keep_blank_values=True, errors="strict", max_num_fields=50)
    except ValueError as error:
        raise Refused(INVALID_PARAMETER, "The query cannot be read.") from error
    for name, value in pairs:
        if name not in allowed:
            raise Refused(UNKNOWN_PARAMETER)
        if name in found:
            raise Refused(INVALID_PARAMETER, "A query parameter is given twice.")
        if CONTROL.search(value):
            raise Refused(INVALID_PARAMETER, "A query parameter holds a control character.")
        found[name] = value
    return found


def a_time(values: Mapping[str, str], name: str) -> datetime | None:
    """A query parameter that is a time with an offset. Raises Refused (400)."""
    if name not in values:
        return None
    time: datetime = _parameter(values[name].replace(" ", "+"), Time, name)
    return time


def a_text(values: Mapping[str, str], name: str, kind: Any) -> str | None:
    """A query parameter of a kind of text; None where it is not given. Raises Refused (400)."""
    if name not in values:
        return None
    text: str = _parameter(values[name], kind, name)
    return text


def a_number(values: Mapping[str, str], name: str, default: int, most: int) -> int:
    """A query parameter from 1 to `most`. Raises Refused (400)."""
    if name not in values:
        return default
    text = values[name]
    number = int(text) if text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS else 0
    if not 1 <= number <= most:
        raise Refused(INVALID_PARAMETER, f"{name} is a whole number from 1 to {most}.")
    return number


def an_id(text: str, name: str) -> UUID:
    """A UUID from the path. Raises Refused (404): what is no id names nothing."""
    try:
        return msgspec.convert(text, UUID)
    except msgspec.ValidationError as error:
        raise Refused(NOT_FOUND) from error


def _parameter(text: str, kind: Any, name: str) -> Any:
    try:
        value = msgspec.convert(text, kind)
    except (msgspec.ValidationError, OverflowError) as error:
        raise Refused(INVALID_PARAMETER, f"{name} cannot be read.") from error
    if isinstance(value, datetime) and not 2000 <= value.year <= 2100:
        raise Refused(INVALID_PARAMETER, f"{name} lies outside the years 2000 to 2100.")
    return value

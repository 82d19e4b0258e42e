"""Reading requests and writing answers, for every route alike, on plain ASGI."""

import random
import zlib
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec
import zstandard
from litestar.types import Receive, Scope, Send
from msgspec import Struct

from triage.problems import (
    INVALID_PARAMETER,
    METHOD_NOT_ALLOWED,
    NOT_ACCEPTABLE,
    TOKEN_MISSING,
    TOO_LARGE,
    UNSUPPORTED_MEDIA_TYPE,
    Problem,
    Refused,
)

JSON = b"application/json"
PROBLEM_JSON = b"application/problem+json"
HeaderList = list[tuple[bytes, bytes]]

_encode = msgspec.json.Encoder().encode


class BodyLimits(Struct, frozen=True):
    """Longest body in bytes, as sent and decompressed."""

    sent: int
    decoded: int


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
    value = header(scope, b"authorization")
    if value is None or value[:7].lower() != "bearer " or not value[7:].strip():
        raise Refused(TOKEN_MISSING)
    return value[7:].strip()


def require_method(scope: Scope, *methods: str) -> None:
    """Raises Refused (405) for another method than these."""
    if str(scope["method"]) not in methods:  # type: ignore[typeddict-item]
        raise MethodRefused(methods)


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


async def answer(
    send: Send, status: int, body: bytes, media_type: bytes = JSON, headers: Iterable[tuple[bytes, bytes]] = ()
) -> None:
    """Send a whole answer."""
    all_headers: HeaderList = [(b"content-length", str(len(body)).encode()), *headers]
    if body or status not in (204, 304):
        all_headers.append((b"content-type", media_type))
    await send({"type": "http.response.start", "status": status, "headers": all_headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def answer_json(send: Send, status: int, content: Struct | Mapping[str, Any]) -> None:
    """Send a Struct as JSON; whatever it holds may be personal, so nothing on the way keeps it."""
    await answer(send, status, _encode(content), headers=[(b"cache-control", b"no-store")])


def problem_parts(refused: Refused) -> tuple[int, bytes, HeaderList]:
    """Status, body and headers of a refusal."""
    problem = refused.problem
    headers: HeaderList = [(b"cache-control", b"no-store")]
    if problem.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if isinstance(refused, MethodRefused):
        headers.append((b"allow", refused.allowed.encode()))
    if refused.retry_after is not None or problem.status in (429, 503):
        headers.append((b"retry-after", str(jittered(refused.retry_after or 1)).encode()))
    return problem.status, encode_problem(problem), headers


def encode_problem(problem: Problem) -> bytes:
    """A problem document (RFC 9457)."""
    return _encode(problem)


def jittered(seconds: int) -> int:
    """Whole seconds, spread out so that many phones do not come back at the same moment."""
    return seconds + random.randrange(0, max(2, seconds // 2 + 1))


async def answer_problem(send: Send, refused: Refused) -> None:
    """Send a refusal as `application/problem+json`."""
    status, body, headers = problem_parts(refused)
    await answer(send, status, body, PROBLEM_JSON, headers)


Method = Literal["GET", "PUT", "POST", "DELETE"]

"""Answers in a coding that the client takes (RFC 9110, 12.5.3): zstd or gzip, for what is long enough to gain by it.

Entity tags stay strong, one for each coding of the same content; a client that holds any of them holds the content.
Frozen files and what is coded already go out as they are.
"""

import zlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, Literal

import zstandard
from litestar.types import Scope

from triage.http.parameters import sent_header, weighted

Coding = Literal["zstd", "gzip"]
HeaderList = list[tuple[bytes, bytes]]

SMALLEST: Final = 1024
"""Bytes of a body that is not worth it."""
_CODINGS: Final[tuple[Coding, ...]] = ("zstd", "gzip")
_TEXTS: Final = (b"text/", b"application/json", b"application/problem+json", b"application/vnd.oai", b"image/svg+xml")
_ZSTD: Final = zstandard.ZstdCompressor(level=1)
_LEVEL: Final = 4
"""Of gzip: half the time of its default, for a twentieth more bytes."""


def accepted_coding(scope: Scope) -> Coding | None:
    """The coding that the client takes and prefers; zstd where it takes both alike."""
    accepts = sent_header(scope, b"accept-encoding")
    if not accepts:
        return None
    weights = dict(weighted(accepts))
    wanted = {coding: weights.get(coding, weights.get("*", 0.0)) for coding in _CODINGS}
    best = max(_CODINGS, key=lambda coding: wanted[coding])
    return best if wanted[best] > 0 else None


def is_compressible(named: Mapping[bytes, bytes]) -> bool:
    """Whether an answer with these headers may be coded: long text, whole, and not coded yet."""
    return (
        int(named.get(b"content-length", b"0")) > SMALLEST
        and b"content-encoding" not in named
        and b"accept-ranges" not in named
        and named.get(b"content-type", b"").startswith(_TEXTS)
    )


def vary(headers: HeaderList) -> HeaderList:
    """The headers of an answer that another `Accept-Encoding` would have got otherwise."""
    before = [value for name, value in headers if name == b"vary"]
    rest = [header for header in headers if header[0] != b"vary"] if before else headers
    return [*rest, (b"vary", b", ".join([*before, b"Accept-Encoding"]))]


def compress(headers: HeaderList, body: bytes, coding: Coding) -> tuple[HeaderList, bytes]:
    """The answer in this coding."""
    public = (b"cache-control", b"no-cache") in headers  # the same for everybody, and asked for again and again
    coded = _compressed_document(body, coding) if public else _compressed(body, coding)
    changed = {b"content-length": str(len(coded)).encode()}
    kept = [(name, _tag(value, coding) if name == b"etag" else changed.get(name, value)) for name, value in headers]
    return [*kept, (b"content-encoding", coding.encode())], coded


def _compressed(body: bytes, coding: Coding) -> bytes:
    if coding == "zstd":
        return _ZSTD.compress(body)
    deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    return deflate.compress(body) + deflate.flush()


_compressed_document: Final = lru_cache(maxsize=32)(_compressed)


def _tag(etag: bytes, coding: Coding) -> bytes:
    return etag.removesuffix(b'"') + f'-{coding}"'.encode()


def with_plain_tags(scope: Scope) -> Scope:
    """The request as if the client held the tags of uncoded content, which is what handlers compare with."""
    headers = [(name, _plain(value) if name == b"if-none-match" else value) for name, value in scope["headers"]]
    return {**scope, "headers": headers}  # type: ignore[return-value]


def _plain(tags: bytes) -> bytes:
    for coding in _CODINGS:
        tags = tags.replace(f'-{coding}"'.encode(), b'"')
    return tags


def with_held_tag(headers: HeaderList, held: bytes) -> HeaderList:
    """The headers of a 304 with the very tag that the client holds."""
    return [(name, _held_tag(value, held) if name == b"etag" else value) for name, value in headers]


def _held_tag(etag: bytes, held: bytes) -> bytes:
    return next((tag for coding in _CODINGS if (tag := _tag(etag, coding)) in held), etag)

"""Exports: frozen files for partners. Serving never renders, and there is no filter."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final
from urllib.parse import urlencode

from msgspec import Struct, structs

from triage.exports.ledger import WHOLE, Download
from triage.http.asked import Asked
from triage.http.messages import (
    Answer,
    HeaderList,
    a_number,
    a_time,
    header,
    in_json,
    in_problem,
    is_unchanged,
    query,
    require_acceptable,
)
from triage.problems import FORBIDDEN, NOT_FOUND, RANGE_NOT_SATISFIABLE, Refused
from triage.store.exports import downloads
from triage.store.exports.downloads import Offer, StoredFile

LARGEST_EDITION: Final = 100_000
DEFAULT_PAGE: Final = 50
LARGEST_PAGE: Final = 200
ASK_AGAIN: Final = (b"cache-control", b"private, no-cache")
"""The bytes never change, but whether the partner may still have them does."""

_NAME = re.compile(r"[A-Za-z0-9._-]{1,40}")
_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


class OfferList(Struct, frozen=True):
    """What the partner may pull, newest period first, in the latest edition of each."""

    releases: list[Offer]


class PullList(Struct, frozen=True):
    """Pulls, newest first; `Link: rel="next"` leads to the next page."""

    pulls: list[Download]


async def list_exports(asked: Asked) -> Answer:
    """The releases that the partner's agreements cover."""
    require_acceptable(asked.scope, "application/json")
    actor = await asked.actor("exports.read")
    query(asked.scope)
    return in_json(OfferList(await downloads.offers(asked.service.database, actor, asked.now)))


async def get_manifest(asked: Asked) -> Answer:
    """One release: its files, their columns, and the disclosure statement, as frozen."""
    require_acceptable(asked.scope, "application/json")
    actor = await asked.actor("exports.read")
    edition = _edition(query(asked.scope, "edition"))
    found = await downloads.find(
        asked.service.database, actor, _named(asked, "dataset"), _named(asked, "period"), edition, asked.now
    )
    return Answer(200, found.manifest, headers=[ASK_AGAIN])


async def get_file(asked: Asked) -> Answer:
    """The bytes of a file, or a range of them. On the ledger before the first byte; a 304 is no pull, nor is HEAD."""
    actor = await asked.actor("exports.read")
    edition = _edition(query(asked.scope, "edition"))
    database, dataset, period = asked.service.database, _named(asked, "dataset"), _named(asked, "period")
    found = await downloads.find(database, actor, dataset, period, edition, asked.now)
    stored = await downloads.find_file(database, actor, found, _named(asked, "name"))
    require_acceptable(asked.scope, stored.media_type.split(";")[0])
    etag = f'"{stored.sha256}"'
    headers: HeaderList = [ASK_AGAIN, (b"etag", etag.encode()), (b"accept-ranges", b"bytes")]
    if is_unchanged(asked.scope, etag):
        return Answer(304, headers=headers)
    part = _part(asked, etag, stored)
    if part is None:
        refused = in_problem(Refused(RANGE_NOT_SATISFIABLE))
        whole = (b"content-range", f"bytes */{stored.size}".encode())
        return structs.replace(refused, headers=[*refused.headers, whole])
    status, first, last, text = part
    if asked.scope["method"] != "HEAD":  # type: ignore[typeddict-item]
        await downloads.record_download(database, actor, found, dataset, period, stored, text)
    headers.append((b"content-length", str(last - first + 1).encode()))
    if status == 206:
        headers.append((b"content-range", f"bytes {first}-{last}/{stored.size}".encode()))
    return Answer(
        status,
        media_type=stored.media_type.encode(),
        headers=headers,
        pieces=downloads.read_pieces(database, actor.team_id, found, stored.name, first, last),
    )


def _named(asked: Asked, part: str) -> str:
    """A part of the path. Raises Refused (404) for what names nothing; no text of the database holds a zero byte."""
    name = asked.path(part)
    if not _NAME.fullmatch(name):
        raise Refused(NOT_FOUND)
    return name


def _edition(values: Mapping[str, str]) -> int | None:
    return a_number(values, "edition", 1, LARGEST_EDITION) if "edition" in values else None


def _part(asked: Asked, etag: str, stored: StoredFile) -> tuple[int, int, int, str] | None:
    """Status, first and last byte, and how the ledger names it (RFC 9110, 14.2); None for what lies beyond the end.

    Anything but one range of bytes of this very file is no range: the whole is sent.
    """
    whole = (200, 0, stored.size - 1, WHOLE)
    wanted = _RANGE.fullmatch((header(asked.scope, b"range") or "").strip().replace(" ", ""))
    if wanted is None or (header(asked.scope, b"if-range") or etag) != etag:
        return whole
    start, end = wanted.groups()
    if start:
        first, last = int(start), min(int(end), stored.size - 1) if end else stored.size - 1
        if end and int(end) < first:
            return whole
    elif end:
        first, last = max(stored.size - int(end), 0), stored.size - 1
        if int(end) == 0:
            return None
    else:
        return whole
    return None if first >= stored.size else (206, first, last, f"bytes={first}-{last}")


async def get_ledger(asked: Asked) -> Answer:
    """The partner's own pulls; for the auditor everybody's."""
    require_acceptable(asked.scope, "application/json")
    actor = await asked.actor()
    if not actor.verbs & {"exports.read", "audit.read"}:
        raise Refused(FORBIDDEN)
    values = query(asked.scope, "limit", "before")
    limit = a_number(values, "limit", DEFAULT_PAGE, LARGEST_PAGE)
    found = await downloads.list_downloads(asked.service.database, actor, a_time(values, "before"), limit + 1)
    shown = found[:limit]
    link = [(b"link", _next(shown[-1].at, limit))] if len(found) > limit else []
    return in_json(PullList(shown), headers=link)


def _next(before: datetime, limit: int) -> bytes:
    address = "/v1/exports/ledger?" + urlencode({"before": before.isoformat(), "limit": limit})
    return f'<{address}>; rel="next"'.encode()

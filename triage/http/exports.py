"""Exports: frozen files for partners. Serving never renders, and there is no filter."""

import re
from datetime import UTC, datetime
from typing import Annotated, Final

import msgspec
from litestar import Response, Router, get
from litestar.openapi import ResponseSpec
from litestar.params import HeaderParameter, PathParameter, QueryParameter
from litestar.response import Stream
from msgspec import Struct

from triage.exports.files import CSV, MEDIA_TYPES
from triage.exports.ledger import WHOLE, Download
from triage.exports.rendering import Manifest
from triage.http.access_control import needs
from triage.http.negotiation import acceptable, is_held, ready
from triage.http.openapi import ACCEPT_RANGES, ETAG, LINK, UNCHANGED
from triage.http.paging import link_to_next
from triage.http.parameters import EditionNumber, Limit, Moment, SignedIn, TheService
from triage.problems import AGREEMENT_EXPIRED, NOT_FOUND, RANGE_NOT_SATISFIABLE, UNKNOWN_PARAMETER, Refused
from triage.store.exports import downloads
from triage.store.exports.downloads import Offer, StoredFile

DESCRIBED: Final = '<metadata.json>; rel="describedby"'
"""Where a CSV file is described (CSV on the Web)."""
ASK_AGAIN: Final = {"cache-control": "private, no-cache"}
"""The bytes never change, but whether the partner may still have them does."""

_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,40}")
_RANGE: Final = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")
_encode = msgspec.json.Encoder().encode

DatasetName = Annotated[str, PathParameter(description="A dataset: `records` or `tables`.")]
PeriodName = Annotated[str, PathParameter(description="Such as `2026-10` or `2026-Q3`.")]


class OfferList(Struct, frozen=True):
    """The releases that the partner may pull, newest period first, every edition of it, the latest first."""

    releases: list[Offer]


class PullList(Struct, frozen=True):
    """Pulls, newest first; `Link: rel="next"` leads to the next page."""

    pulls: list[Download]


@get(
    "/",
    guards=[needs("exports.read")],
    problems=[UNKNOWN_PARAMETER, AGREEMENT_EXPIRED],
    response_description="Every edition, the latest first.",
)
async def list_exports(request: SignedIn, service: TheService) -> Response[OfferList]:
    """List the releases that the partner's agreements cover."""
    offers = await downloads.offers(service.database, service.replica, request.user, datetime.now(UTC))
    return ready(_encode(OfferList(offers)))


@get(
    "/{dataset:str}/{period:str}",
    guards=[needs("exports.read")],
    problems=[AGREEMENT_EXPIRED, NOT_FOUND],
    response_description="Files, columns and statement.",
)
async def get_manifest(
    request: SignedIn, service: TheService, dataset: DatasetName, period: PeriodName, edition: EditionNumber = None
) -> Response[Manifest]:
    """Read the manifest of a release: its files, their columns, and the disclosure statement, as frozen."""
    _check_names(dataset, period)
    release = await downloads.find(service.database, request.user, dataset, period, edition, datetime.now(UTC))
    return ready(release.manifest, headers=ASK_AGAIN)


@get(
    "/{dataset:str}/{period:str}/files/{name:str}",
    forms=MEDIA_TYPES,
    guards=[needs("exports.read")],
    request_headers=["If-None-Match"],
    response_headers=[ETAG, ACCEPT_RANGES],
    response_description="The file.",
    responses=UNCHANGED | {206: ResponseSpec(bytes, description="The range.", media_type=CSV, generate_examples=False)},
    problems=[AGREEMENT_EXPIRED, NOT_FOUND, RANGE_NOT_SATISFIABLE],
)
async def get_file(
    request: SignedIn,
    service: TheService,
    dataset: DatasetName,
    period: PeriodName,
    name: Annotated[str, PathParameter(description="A name in the manifest.")],
    edition: EditionNumber = None,
    range_: Annotated[str, HeaderParameter(name="Range", description="One range of bytes.")] = "",
    if_range: Annotated[
        str | None, HeaderParameter(name="If-Range", description="The entity tag that the range is of.")
    ] = None,
) -> Response[bytes]:
    """Download a file, or a range of it.

    The pull is on the ledger before the first byte; a 304 is no pull, nor is HEAD.
    """
    _check_names(dataset, period, name)
    actor, database = request.user, service.database
    release = await downloads.find(database, actor, dataset, period, edition, datetime.now(UTC))
    stored = await downloads.find_file(database, actor, release, name)
    media_type = stored.media_type.split(";")[0]
    acceptable(request.scope, media_type)
    etag = f'"{stored.sha256}"'
    headers = ASK_AGAIN | {"etag": etag, "accept-ranges": "bytes"}
    if is_held(request, etag):
        return ready(b"", 304, headers)
    status, first, last, text = _part(range_, if_range, etag, stored)
    headers["content-length"] = str(last - first + 1)
    if stored.media_type.startswith("text/csv"):
        headers["link"] = DESCRIBED
    if status == 206:
        headers["content-range"] = f"bytes {first}-{last}/{stored.size}"
    if request.scope.get("head"):
        return ready(b"", status, headers, media_type)
    await downloads.record_download(database, actor, release, dataset, period, stored, text)
    pieces = downloads.read_pieces(service.replica, actor.team_id, release, stored.name, first, last)
    return Stream(pieces, status_code=status, media_type=media_type, headers=headers)  # type: ignore[return-value]


def _check_names(*names: str) -> None:
    """Raises Refused (404) for what names nothing; no text of the database holds a zero byte."""
    if not all(_NAME.fullmatch(name) for name in names):
        raise Refused(NOT_FOUND)


def _part(range_: str, if_range: str | None, etag: str, stored: StoredFile) -> tuple[int, int, int, str]:
    """Status, first and last byte, and how the ledger names it (RFC 9110, 14.2). Raises Refused: 416.

    Anything but one range of bytes of this very file is no range: the whole is sent.
    """
    whole = (200, 0, stored.size - 1, WHOLE)
    wanted = _RANGE.fullmatch(range_.strip().replace(" ", ""))
    if wanted is None or (if_range or etag) != etag:
        return whole
    start, end = wanted.groups()
    if not start and not end:
        return whole
    if start:
        first, last = int(start), min(int(end), stored.size - 1) if end else stored.size - 1
        if end and int(end) < first:
            return whole
    else:
        first, last = max(stored.size - int(end), 0), stored.size - 1
    if first >= stored.size or (not start and int(end) == 0):
        refused = Refused(RANGE_NOT_SATISFIABLE)
        refused.headers["content-range"] = f"bytes */{stored.size}"
        raise refused
    return 206, first, last, f"bytes={first}-{last}"


@get(
    "/ledger",
    response_headers=[LINK],
    guards=[needs("exports.read", "audit.read")],
    response_description="Pulls, newest first.",
)
async def get_ledger(
    request: SignedIn,
    service: TheService,
    limit: Limit = 50,
    before: Annotated[
        Moment | None, QueryParameter(description="Where the page begins, from the `Link` of the page before.")
    ] = None,
) -> Response[PullList]:
    """List pulls: the partner's own; for the auditor everybody's."""
    pulls = await downloads.list_downloads(service.replica, request.user, before, limit + 1)
    page = pulls[:limit]
    link = link_to_next(request, before=page[-1].at.isoformat()) if len(pulls) > limit else {}
    return ready(_encode(PullList(page)), headers=link)


router = Router("/v1/exports", route_handlers=[list_exports, get_ledger, get_manifest, get_file], tags=["Exports"])

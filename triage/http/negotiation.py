"""Checks before a handler runs: a form of the answer that we have, query parameters that it takes.

Handlers say in their decorators `forms=` media types to choose from (empty: whatever is asked for), and
`any_query=True` where parameters that are not declared are passed over.
"""

from collections.abc import Mapping
from functools import cache
from hashlib import blake2b
from typing import Any, Final
from urllib.parse import parse_qsl

from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from litestar.params import QueryParameter
from litestar.response import Response
from litestar.types import Scope

from triage.http.access_control import AnyConnection
from triage.http.parameters import AnyRequest, sent_header, weighted
from triage.http.responses import NO_STORE, EncodedResponse
from triage.log.body_errors import CONTROL
from triage.problems import INVALID_PARAMETER, NOT_ACCEPTABLE, UNKNOWN_PARAMETER, Refused

JSON: Final = "application/json"
HTML: Final = "text/html"
CSV: Final = "text/csv"
NDJSON: Final = "application/x-ndjson"


def negotiate(scope: Scope, handler: BaseRouteHandler) -> None:
    """Raises Refused: 406 where nothing we have is acceptable, 400 for a parameter that is unknown or given twice."""
    if isinstance(handler, HTTPRouteHandler):
        if "forms" not in handler.opt:
            acceptable(scope, str(handler.media_type or JSON))
        if scope["query_string"] and "any_query" not in handler.opt:
            check_query(scope, query_parameters(handler))


@cache
def query_parameters(handler: BaseRouteHandler) -> Mapping[str, bool]:
    """The query parameters of a handler and of what it depends on, each with whether it is any text."""
    fields = dict(handler.parsed_fn_signature.parameters)
    for name, provider in handler.resolve_dependencies().items():
        if name in fields:
            fields |= provider.parsed_fn_signature.parameters
    return {
        definition.name or name: str in (field.annotation, *field.args)
        for name, field in fields.items()
        if isinstance(definition := field.kwarg_definition, QueryParameter)
    }


def check_query(scope: Scope, taken: Mapping[str, bool]) -> None:
    """Raises Refused (400) for a query parameter that is not taken here, given twice, or no plain text.

    `null` is refused too, where a parameter is not any text: msgspec would read it as a parameter that is not given.
    """
    try:
        sent = scope["query_string"].decode("ascii")
        pairs = parse_qsl(sent, keep_blank_values=True, errors="strict", max_num_fields=50)
    except ValueError as error:
        raise Refused(INVALID_PARAMETER, "The query cannot be read.") from error
    if not {name for name, _ in pairs} <= taken.keys():
        raise Refused(UNKNOWN_PARAMETER)
    if len(dict(pairs)) < len(pairs):
        raise Refused(INVALID_PARAMETER, "A query parameter is given twice.")
    if any(CONTROL.search(value) for _, value in pairs):
        raise Refused(INVALID_PARAMETER, "A query parameter holds a control character.")
    if any(value.lower() == "null" and not taken[name] for name, value in pairs):
        raise Refused(INVALID_PARAMETER, "A query parameter that is not meant is left out.")


def acceptable(scope: Scope, *served: str) -> str:
    """The media type to answer with, the first of `served` that the client prefers. Raises Refused (406).

    Litestar's own choice passes over how specific a range is: `text/csv;q=0.1, */*` would give CSV.
    """
    accept = sent_header(scope, b"accept")
    if accept.strip() in ("", "*/*"):
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
    ranks = {candidate: 2, f"{candidate.split('/')[0]}/*": 1, "*/*": 0}
    specific, quality = -1, 0.0
    for name, weight in weighted(accept):
        rank = ranks.get(name, -1)
        if rank > specific:
            specific, quality = rank, weight
    return quality


def form(request: AnyRequest) -> str:
    """The media type to answer with, of those in the handler's `forms=`. A dependency."""
    return acceptable(request.scope, *request.route_handler.opt["forms"])


def ready(
    body: bytes, status: int = 200, headers: dict[str, str] | None = None, media_type: str = JSON
) -> Response[Any]:
    """An answer that is encoded already, kept by nobody on the way unless its headers say otherwise."""
    return EncodedResponse(body, status, NO_STORE | (headers or {}), media_type)


def tagged(
    connection: AnyConnection, body: bytes, media_type: str = JSON, headers: dict[str, str] | None = None
) -> Response[Any]:
    """An answer with a strong entity tag; 304 to whoever holds these very bytes (RFC 9110, 13.1.2)."""
    etag = strong_etag(body)
    headers = (headers or {}) | {"etag": etag}
    if is_held(connection, etag):
        return ready(b"", 304, headers)
    return ready(body, 200, headers, media_type)


MINIMAL: Final = {"preference-applied": "return=minimal"}
"""The header by which `Prefer: return=minimal` is said to be obeyed (RFC 7240)."""


def prefers_minimal(scope: Scope) -> bool:
    """Whether the client wants no more than it needs (RFC 7240, 4.2); of several `return` the first counts (2)."""
    prefer = sent_header(scope, b"prefer").lower()
    preferences = [part.partition(";")[0].replace(" ", "") for part in prefer.split(",")]
    first = next((preference for preference in preferences if preference.startswith("return=")), "")
    return first in ("return=minimal", 'return="minimal"')


def strong_etag(body: bytes) -> str:
    """A strong entity tag over the served bytes (RFC 9110, 8.8.3)."""
    return f'"{blake2b(body, digest_size=16).hexdigest()}"'


def is_held(connection: AnyConnection, etag: str) -> bool:
    """Whether `If-None-Match` names this entity tag: compared weakly (RFC 9110, 13.1.2)."""
    sent = sent_header(connection.scope, b"if-none-match").strip()
    return sent == "*" or etag in (tag.strip().removeprefix("W/") for tag in sent.split(","))

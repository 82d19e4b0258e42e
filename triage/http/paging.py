"""Keyset pages: where the next one begins, as an opaque text, and the `Link` that leads there."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TypeVar
from urllib.parse import urlencode

import msgspec

from triage.http.parameters import AnyRequest
from triage.problems import INVALID_PARAMETER, Refused

T = TypeVar("T")


def next_page(request: AnyRequest, place: object | None) -> dict[str, str]:
    """The header that leads on: the same question, after this place (RFC 8288); none where nothing follows."""
    if place is None:
        return {}
    return link_to_next(request, after=urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("="))


def link_to_next(request: AnyRequest, **place: str) -> dict[str, str]:
    """The header that leads to the same question with this parameter changed."""
    query = urlencode({**request.query_params, **place})
    return {"link": f'<{request.scope["path"]}?{query}>; rel="next"'}


def read_place(text: str | None, kind: type[T]) -> T | None:
    """A place that `next_page` wrote; None for the first page. Raises Refused (400)."""
    if text is None:
        return None
    try:
        return msgspec.json.decode(urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=kind)
    except (ValueError, msgspec.MsgspecError) as error:
        raise Refused(INVALID_PARAMETER, "after is no place in this list.") from error

"""Documents that say how to talk to the service."""

from functools import cache

import msgspec

from triage import codes
from triage.http import reference
from triage.http.asked import Asked
from triage.http.messages import JSON, Answer, HeaderList, is_unchanged, require_acceptable, strong_etag
from triage.problems import CATALOGUE, NOT_FOUND, Refused
from triage.resources import folder

PAGE_HEADERS: HeaderList = [(b"content-security-policy", reference.CONTENT_SECURITY_POLICY.encode())]


async def get_codes(asked: Asked) -> Answer:
    """All code lists."""
    require_acceptable(asked.scope, "application/json")
    await asked.actor()
    return _document(asked, codes.document())


async def get_openapi(asked: Asked) -> Answer:
    """The OpenAPI document, as committed."""
    media_type = require_acceptable(asked.scope, "application/json", "application/vnd.oai.openapi+json")
    return _document(asked, _openapi(), media_type.encode())


async def get_page(asked: Asked) -> Answer:
    """The same for people: every operation, type and problem on one page. It loads nothing from anywhere else."""
    require_acceptable(asked.scope, "text/html")
    return _document(asked, _page(), b"text/html; charset=utf-8", PAGE_HEADERS)


async def get_style(asked: Asked) -> Answer:
    """The style sheet of the page."""
    require_acceptable(asked.scope, "text/css")
    return _document(asked, reference.style(), b"text/css; charset=utf-8")


async def get_problem(asked: Asked) -> Answer:
    """Where a problem's `type` leads: its part of the page."""
    code = asked.path("code")
    if code not in CATALOGUE:
        raise Refused(NOT_FOUND)
    return Answer(308, media_type=b"text/html", headers=[(b"location", f"/docs#problem-{code}".encode())])


@cache
def _page() -> bytes:
    return reference.page(msgspec.json.decode(_openapi()))


@cache
def _openapi() -> bytes:
    return (folder("openapi") / "triage.json").read_bytes()


def _document(asked: Asked, body: bytes, media_type: bytes = JSON, also: HeaderList | None = None) -> Answer:
    etag = strong_etag(body)
    headers = [(b"etag", etag.encode()), (b"cache-control", b"no-cache"), *(also or [])]
    if is_unchanged(asked.scope, etag):
        return Answer(304, headers=headers)
    return Answer(200, body, media_type, headers)

"""Documents that say how to talk to the service."""

from functools import cache
from typing import Annotated, Any, Final

import msgspec
from litestar import MediaType, Response, Router, get
from litestar.di import NamedDependency, Provide
from litestar.params import PathParameter

from triage import codes
from triage.http import reference
from triage.http.negotiation import HTML, JSON, form, ready, tagged
from triage.http.openapi import ETAG, LOCATION, UNCHANGED
from triage.http.parameters import AnyRequest
from triage.problems import CATALOGUE, NOT_FOUND, Refused
from triage.resources import folder

OPENAPI_JSON: Final = "application/vnd.oai.openapi+json"
REVALIDATE: Final = {"cache-control": "no-cache"}
"""Whoever keeps a document asks each time whether it is still the same."""


@get(
    "/v1/codes",
    request_headers=["If-None-Match"],
    response_headers=[ETAG],
    responses=UNCHANGED,
    response_description="Lists, validity, replacements.",
)
async def get_codes(request: AnyRequest) -> Response[codes.Document]:
    """All code lists."""
    return tagged(request, codes.document(), JSON, REVALIDATE)


@get(
    "/openapi.json",
    sign_in="nobody",
    any_query=True,
    security=[{}],
    forms=(JSON, OPENAPI_JSON),
    dependencies={"form": Provide(form, sync_to_thread=False)},
    request_headers=["If-None-Match"],
    response_headers=[ETAG],
    responses=UNCHANGED,
    response_description="OpenAPI 3.1.",
)
async def get_openapi(request: AnyRequest, form: NamedDependency[str]) -> Response[dict[str, Any]]:
    """This description."""
    return tagged(request, _openapi(), form, REVALIDATE)


@get(
    "/docs",
    sign_in="nobody",
    any_query=True,
    security=[{}],
    media_type=MediaType.HTML,
    request_headers=["If-None-Match"],
    response_headers=[ETAG],
    responses=UNCHANGED,
    response_description="A page.",
)
async def get_page(request: AnyRequest) -> Response[bytes]:
    """This description, to read: every operation, type and problem on one page that loads nothing from elsewhere."""
    policy = {"content-security-policy": reference.CONTENT_SECURITY_POLICY}
    return tagged(request, _page(), HTML, REVALIDATE | policy)


@get(
    "/docs/style.css",
    sign_in="nobody",
    any_query=True,
    security=[{}],
    media_type=MediaType.CSS,
    request_headers=["If-None-Match"],
    response_headers=[ETAG],
    responses=UNCHANGED,
    response_description="A style sheet.",
)
async def get_style(request: AnyRequest) -> Response[bytes]:
    """The style sheet of that page."""
    return tagged(request, reference.style(), MediaType.CSS.value, REVALIDATE)


@get(
    "/problems/{code:str}",
    sign_in="nobody",
    any_query=True,
    security=[{}],
    forms=(),
    status_code=308,
    response_headers=[LOCATION],
    response_description="Read on there.",
    problems=[NOT_FOUND],
)
async def get_problem(
    code: Annotated[str, PathParameter(description="The `code` of a problem.")],
) -> Response[None]:
    """The meaning of a problem: its `type` leads to its part of the page."""
    if code not in CATALOGUE:
        raise Refused(NOT_FOUND)
    return ready(b"", 308, {"location": f"/docs#problem-{code}"}, HTML)


@get("/", sign_in="nobody", any_query=True, forms=(), status_code=303, include_in_schema=False)
async def get_root() -> Response[None]:
    """Whoever opens the address alone is a person with a browser: the pages are for them."""
    return ready(b"", 303, {"location": "/review"}, HTML)


@cache
def _page() -> bytes:
    return reference.page(msgspec.json.decode(_openapi()))


@cache
def _openapi() -> bytes:
    return (folder("openapi") / "triage.json").read_bytes()


router = Router(
    "/", route_handlers=[get_root, get_codes, get_openapi, get_page, get_style, get_problem], tags=["Reference"]
)

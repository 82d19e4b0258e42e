"""The review pages under `/review`: for the sergeant and the clinical lead, working without script."""

from typing import Annotated, Any, Final

from litestar import Request, Response, Router, get, route
from litestar.enums import HttpMethod
from litestar.params import HeaderParameter, PathParameter

from triage.pages import forms, frame, incident, incidents, queue, reports, sign_in, team, today
from triage.pages.refusals import EXCEPTION_HANDLERS
from triage.pages.request import LONGEST_FORM, Page, PageRequest, SessionSignIn, respond
from triage.problems import NOT_FOUND, Refused

IfNoneMatch = Annotated[str, HeaderParameter(name="If-None-Match")]
_TYPES: Final = {"style.css": "text/css", "icon.svg": "image/svg+xml"}


@get(["/style.css", "/icon.svg"], session="none")
async def get_file(request: Request[Any, Any, Any], held: IfNoneMatch = "") -> Page:
    """A file that every page loads; it changes with the version of the service only."""
    name = request.url.path.rsplit("/", 1)[1]
    tag = frame.tag(name)
    if held.strip() == "*" or tag in (held_tag.strip().removeprefix("W/") for held_tag in held.split(",")):
        return Response(b"", status_code=304, headers={"etag": tag})
    answer = respond(request, frame.file(name), media_type=_TYPES[name], etag=tag)
    answer.headers["cache-control"] = "no-cache"
    return answer


@route("/{rest:path}", http_method=[HttpMethod.GET, HttpMethod.POST])
async def no_such_page(request: PageRequest, rest: Annotated[str, PathParameter()]) -> Page:
    """An address that no page has: a page says so."""
    raise Refused(NOT_FOUND)


router = Router(
    "/review",
    route_handlers=[
        today.show_today,
        incident.show_incident,
        *incidents.HANDLERS,
        *forms.HANDLERS,
        *queue.HANDLERS,
        *reports.HANDLERS,
        *team.HANDLERS,
        *sign_in.HANDLERS,
        get_file,
        no_such_page,
    ],
    middleware=[SessionSignIn()],
    exception_handlers=EXCEPTION_HANDLERS,
    include_in_schema=False,
    request_max_body_size=LONGEST_FORM,
    opt={"sign_in": "nobody", "forms": ("text/html",)},
)
"""Every page, and what pages load."""

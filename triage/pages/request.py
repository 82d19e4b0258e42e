"""A request to the review pages: the session behind it, forms with their secret, answers and refusals as pages."""

import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qsl, quote
from uuid import UUID

import msgspec
from litestar import Request, Response
from litestar.datastructures import Cookie
from litestar.di import NamedDependency
from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send
from msgspec import Struct

from triage.access.actors import Actor
from triage.log.body_errors import CONTROL
from triage.pages import frame, sessions
from triage.pages.sessions import IDLE, SESSION, Session, TypedForm
from triage.people.encryption import Purpose
from triage.problems import (
    FORBIDDEN,
    MALFORMED,
    RATE_LIMITED,
    TOKEN_INVALID,
    TOO_LARGE,
    UNSUPPORTED_MEDIA_TYPE,
    Refused,
)
from triage.report import html
from triage.service import Service
from triage.store.access import page_sign_in, sign_in

PageRequest = Request[Actor, Session, Any]
"""A request with its `user`, the actor, and `auth`, the session."""
AnyRequest = Request[Any, Any, Any]
TheService = NamedDependency[Service]
Page = Response[bytes]

HTML: Final = "text/html"
FORM_TYPE: Final = "application/x-www-form-urlencoded"
LONGEST_FORM: Final = 64 * 1024
"""A form with what was typed in another that waits for a sign-in."""
MOST_FIELDS: Final = 60
HOME: Final = "/review"
NOT_OF_THIS_SESSION: Final = "The form was not of this session. Go back, load the page again and repeat it."
DONE: Final = "triage-done"
_COOKIES: Final = "page_cookies"
_LEADS_ON: Final = re.compile(r"/review(/(?!sign-|locked)[\w.-]+)*(\?[\w.=&%+-]*)?", re.ASCII)
"""The pages that signing in may lead to: this service's own, and never back to signing in or out."""


class FormSuccess(Struct, frozen=True, array_like=True):
    """The success of a form, said once on the page after it. `undo` is where it can be taken back."""

    said: str
    undo: str = ""
    notices: tuple[str, ...] = ()


class SignedOut(Refused):
    """No session, or one that is locked or ended."""

    def __init__(self, typed: TypedForm | None = None) -> None:
        super().__init__(TOKEN_INVALID)
        self.typed = typed


class SessionSignIn(ASGIMiddleware):
    """Puts the actor of the session into `request.user`, but where the handler says `session="none"`.

    Raises SignedOut, and Refused (429) over the account's budget.
    """

    scopes = (ScopeType.HTTP,)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        if scope["route_handler"].opt.get("session") != "none":
            await _sign_in(Request(scope, receive, send))
        await next_app(scope, receive, send)


async def _sign_in(request: AnyRequest) -> None:
    service, now = service_of(request), datetime.now(UTC)
    session = sessions.opened(_key(request), SESSION, cookie(request, SESSION), Session)
    actor = None
    if session is not None and sessions.is_open(session, now):
        actor = await sign_in.find_account(service.database, session.team_id, session.staff_id)
    if session is None or actor is None or actor.stamp != session.stamp or not page_sign_in.may_review(actor):
        raise SignedOut(await _typed(request, session, now))
    request.scope["user"], request.scope["auth"] = actor, session
    if wait := service.budget.take(actor.account, time.monotonic()):
        raise Refused(RATE_LIMITED, retry_after=wait)
    actor.require("incidents.read")
    if following := sessions.renewed(session, now):
        keep(request, SESSION, following)


async def _typed(request: AnyRequest, session: Session | None, now: datetime) -> TypedForm | None:
    """The form that somebody without an open session sent, if it came from a page of ours."""
    if request.method != "POST" or request.url.path.startswith("/review/sign-"):
        return None
    try:
        fields = await read_fields(request)
    except Refused:
        return None
    of_session = session is None or sessions.matches(fields.get("csrf"), session.secret)
    if not of_session or not _of_this_site(request):
        return None
    kept = {name: value for name, value in fields.items() if name != "csrf"}
    return TypedForm(session.staff_id if session else None, request.url.path, kept, now)


def service_of(request: AnyRequest) -> Service:
    """The open service of this process."""
    service: Service = request.app.state.service
    return service


def _key(request: AnyRequest) -> bytes:
    return service_of(request).root.derive(Purpose.SESSIONS)


def is_https(request: AnyRequest) -> bool:
    """Whether people reach the service by https; a proxy in front may speak http to it."""
    public_url = service_of(request).settings.public_url
    return request.scope["scheme"] == "https" or public_url.startswith("https:")


# --- cookies and hidden fields ---


def cookie(request: AnyRequest, name: str) -> str | None:
    """A cookie of the request, as sealed."""
    return request.cookies.get(sessions.cookie_name(name, is_https(request)))


def read_cookie(request: AnyRequest, name: str, kind: type[sessions.T]) -> sessions.T | None:
    """The content of a cookie; None where it is not ours."""
    return sessions.opened(_key(request), name, cookie(request, name), kind)


def keep(request: AnyRequest, name: str, content: Struct | None, same_site: Any = "strict") -> None:
    """Give the browser a sealed cookie with the answer; None takes it back. None outlives the browser's own session."""
    value = "" if content is None else sessions.sealed(_key(request), name, content)
    https = is_https(request)
    given = Cookie(
        sessions.cookie_name(name, https),
        value=value,
        httponly=True,
        secure=https or None,
        samesite=same_site,
        max_age=None if value else 0,
    )
    request.scope["state"].setdefault(_COOKIES, {})[name] = given


def seal_typed(request: AnyRequest, typed: TypedForm) -> str:
    """The typed values for a hidden field: the browser can neither read nor change it."""
    return sessions.sealed(_key(request), sessions.TYPED, typed)


def open_typed(request: AnyRequest, text: str | None, now: datetime) -> TypedForm | None:
    """The values typed before signing in, while it is fresh."""
    typed = sessions.opened(_key(request), sessions.TYPED, text, TypedForm, sessions.LONGEST_TYPED)
    return typed if typed and sessions.is_fresh(typed.sent_at, now) else None


# --- forms ---


async def read_form(request: PageRequest) -> dict[str, str]:
    """The fields of a form of this session, blanks around them removed. With `look` it is to be shown again, not
    stored: it was typed before its sender signed in again.

    Raises Refused: 403 for a form that is not of this session, 415, 413, 400.
    """
    sent = await read_fields(request)
    check_secret(request, sent, request.auth.secret)
    return {name: value.strip() for name, value in sent.items()}


async def read_fields(request: AnyRequest) -> dict[str, str]:
    """The fields of a form; the boxes of one question, which share its name, joined by commas. Raises Refused."""
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != FORM_TYPE:
        raise Refused(UNSUPPORTED_MEDIA_TYPE, "A form is expected.")
    body = await request.body()
    if len(body) > LONGEST_FORM:
        raise Refused(TOO_LARGE)
    try:
        text = body.decode("ascii")
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
    except ValueError as error:
        raise Refused(MALFORMED, "The form cannot be read.") from error
    joined: dict[str, str] = {}
    for name, value in pairs:
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    if any(CONTROL.search(value.replace("\r\n", " ")) for value in joined.values()):
        raise Refused(MALFORMED, "The form cannot be read.")
    return {name: value.replace("\r\n", " ") for name, value in joined.items()}


def check_secret(request: AnyRequest, sent: Mapping[str, str], secret: bytes) -> None:
    """Raises Refused (403) for a form of another site, or of another session."""
    if not _of_this_site(request) or not sessions.matches(sent.get("csrf"), secret):
        raise Refused(FORBIDDEN, NOT_OF_THIS_SESSION)


def _of_this_site(request: AnyRequest) -> bool:
    return request.headers.get("sec-fetch-site") in (None, "same-origin")


def uuid_field(sent: Mapping[str, str], name: str) -> UUID:
    """An id of a hidden field. Raises Refused (400)."""
    try:
        return msgspec.convert(sent.get(name, ""), UUID)
    except msgspec.ValidationError as error:
        raise Refused(MALFORMED, "The form cannot be read.") from error


# --- answers ---


def page(request: AnyRequest, template: str, status: int = 200, *, locks: bool = False, **content: Any) -> Page:
    """A page; signed in, with the navigation, who is signed in and the way out.

    `locks`: it is only read, and is put away once nobody has used the session for ten minutes.
    """
    session: Session | None = request.scope.get("auth")
    content = {
        "csrf": sessions.masked(session.secret) if session else "",
        "signed_in": session.name if session else "",
        "here": request.url.path,
        "done": _take_done(request),
    } | content
    answer = respond(request, frame.render(template, **content), status)
    if locks and session:
        away = int(IDLE.total_seconds()) + 5
        answer.headers["refresh"] = f"{away};url=/review/locked{query_to(leads_on(address_of(request)))}"
    return answer


def respond(request: AnyRequest, body: bytes, status: int = 200, media_type: str = HTML, **headers: str) -> Page:
    """An answer that nobody keeps and that loads nothing from elsewhere, with the cookies given to the browser."""
    given: dict[str, Cookie] = request.scope["state"].get(_COOKIES, {})
    always = {
        "cache-control": "no-store",
        "content-security-policy": html.CONTENT_SECURITY_POLICY,
        "cross-origin-opener-policy": "same-origin",
        "permissions-policy": "camera=(), geolocation=(), microphone=()",
    }
    headers = always | {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(body, status_code=status, media_type=media_type, headers=headers, cookies=list(given.values()))


def redirect(request: AnyRequest, address: str, done: FormSuccess | None = None) -> Page:
    """Send the browser on, with GET; the next page says once what was done."""
    if done:
        keep(request, DONE, done)
    return respond(request, b"", 303, location=address)


def _take_done(request: AnyRequest) -> FormSuccess | None:
    done = read_cookie(request, DONE, FormSuccess)
    if done:
        keep(request, DONE, None)
    return done


def address_of(request: AnyRequest) -> str:
    """The path that was asked for, with its query."""
    query = request.scope["query_string"].decode("latin-1")
    return request.url.path + (f"?{query}" if query else "")


def leads_on(address: str | None) -> str:
    """The page to go to after signing in; empty for what is no page of ours, or is the first one anyway."""
    return address if address and address != HOME and _LEADS_ON.fullmatch(address) else ""


def query_to(address: str) -> str:
    """The query that carries the page to go to through signing in; empty where there is none."""
    return f"?to={quote(address, safe='')}" if address else ""

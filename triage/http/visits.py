"""A request to the review pages: who asks by the session's cookie, forms with their secret, refusals as pages."""

import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qsl, quote
from uuid import UUID

import msgspec
from litestar import HttpMethod, Response, route
from litestar.datastructures import Cookie
from litestar.handlers import HTTPRouteHandler
from litestar.types import Receive, Scope
from msgspec import Struct, structs

from triage.access.actors import Actor
from triage.http.errors import jittered
from triage.http.negotiation import check_query
from triage.http.parameters import AnyRequest, TheService
from triage.log.body_errors import CONTROL
from triage.pages import frame, sessions
from triage.pages.sessions import FORM, SESSION, Session
from triage.people.encryption import Purpose
from triage.problems import (
    FORBIDDEN,
    MALFORMED,
    NOT_FOUND,
    RATE_LIMITED,
    TOKEN_INVALID,
    TOO_LARGE,
    UNSUPPORTED_MEDIA_TYPE,
    Problem,
    Refused,
)
from triage.service import Service
from triage.store import audit
from triage.store.access import page_sign_in, sign_in

HTML: Final = b"text/html; charset=utf-8"
FORM_TYPE: Final = "application/x-www-form-urlencoded"
LONGEST_FORM: Final = 16 * 1024
HOME: Final = "/review"
_LEADS_ON: Final = re.compile(r"/review(/(?!sign-)[\w.-]+)*(\?[\w.=&%-]*)?", re.ASCII)
"""The pages that signing in may lead to: this service's own, and never back to signing in or out."""
_OF_THE_API: Final = (b"accept", b"if-none-match", b"authorization")
"""What pages do not obey: routes of the API that they call on the way answer JSON, and for the session's account."""


HeaderList = list[tuple[bytes, bytes]]
NO_STORE: Final = (b"cache-control", b"no-store")


class Answer(Struct, frozen=True):
    """What a page answers."""

    status: int
    body: bytes = b""
    media_type: bytes = HTML
    headers: HeaderList = []


class SignedOut(Refused):
    """No session, or one that ended."""

    def __init__(self) -> None:
        super().__init__(TOKEN_INVALID)


def header(scope: Scope, name: bytes) -> str | None:
    """A request header, the last where it was sent twice; None where absent."""
    return next((value.decode("latin-1") for key, value in reversed([*scope["headers"]]) if key == name), None)


@dataclass(slots=True)
class Visit:
    """One request of a browser. `who` is the actor, once signed in."""

    scope: Scope
    receive: Receive
    service: Service
    who: Actor | None = None
    session: Session | None = None
    cookies: list[str] = field(default_factory=list)

    @property
    def https(self) -> bool:
        """Whether people reach the service by https; a proxy in front may speak http to it."""
        return self.scope["scheme"] == "https" or self.service.settings.public_url.startswith("https:")

    @property
    def key(self) -> bytes:
        return self.service.root.derive(Purpose.SESSIONS)

    def cookie(self, name: str) -> str | None:
        """A cookie of the request."""
        return sessions.read_cookie(header(self.scope, b"cookie"), name, self.https)

    def keep(self, name: str, content: Any, same_site: sessions.SameSite = "Strict") -> None:
        """Give the browser a sealed cookie; None takes it back."""
        value = "" if content is None else sessions.sealed(self.key, name, content)
        self.cookies.append(sessions.cookie(name, value, self.https, same_site))

    @property
    def now(self) -> datetime:
        """The instant of asking, by this process's clock."""
        return datetime.now(UTC)

    def path(self, name: str) -> str:
        """A part of the path, as sent."""
        parameters: dict[str, Any] = self.scope["path_params"]
        return str(parameters[name])

    def query(self, *allowed: str) -> dict[str, str]:
        """The query parameters. Raises Refused (400) for one that is not taken here."""
        check_query(self.scope, frozenset(allowed))
        return dict(parse_qsl(self.scope["query_string"].decode("ascii"), keep_blank_values=True))

    def id(self) -> UUID:
        """The id in the path. Raises Refused (404): what is no id names nothing."""
        try:
            return msgspec.convert(self.path("id"), UUID)
        except msgspec.ValidationError as error:
            raise Refused(NOT_FOUND) from error

    async def actor(self, verb: str) -> Actor:
        """Who asks, with this verb. Raises Refused: 403, 429."""
        self.who = actor = await self._sign_in()
        if wait := self.service.budget.take(actor.account, time.monotonic()):
            raise Refused(RATE_LIMITED, retry_after=wait)
        actor.require(verb)
        return actor

    async def note_refusal(self, operation: str, code: str) -> None:
        """Record that a signed-in actor was refused."""
        if self.who is not None:
            ids = [self.id()] if "id" in self.scope["path_params"] else []
            await audit.record_refusal(self.service.database, self.who, operation, ids, code)

    async def _sign_in(self) -> Actor:
        """By the session alone, never by a token; what was remembered of the account is asked again each time."""
        session = sessions.opened(self.key, SESSION, self.cookie(SESSION), Session)
        if session is None or not sessions.lives(session, self.now):
            raise SignedOut
        actor = await sign_in.find_account(self.service.database, session.team_id, session.staff_id)
        if actor is None or actor.stamp != session.stamp or not page_sign_in.may_review(actor):
            raise SignedOut
        self.session = session
        return actor

    async def reader(self) -> Actor:
        """The sergeant or clinical lead who reads. Raises SignedOut."""
        actor = await self.actor("incidents.read")
        assert self.session
        if following := sessions.renewed(self.session, self.now):
            self.keep(SESSION, following)
        return actor

    async def writer(self, *names: str) -> tuple[Actor, dict[str, str]]:
        """Who sends a form, and its fields. Raises Refused (403) for a form that is not of this session."""
        actor = await self.reader()
        assert self.session
        sent = await self.form("csrf", *names)
        self.check_secret(sent, self.session.csrf)
        return actor, sent

    def check_secret(self, sent: dict[str, str], expected: str) -> None:
        """Raises Refused (403) for a form of another site, or of another session."""
        site = header(self.scope, b"sec-fetch-site")
        if site not in (None, "same-origin") or not sessions.same(sent.get("csrf"), expected):
            raise Refused(FORBIDDEN, "The form was not of this session. Go back, load the page again and repeat it.")

    async def form(self, *names: str) -> dict[str, str]:
        """The fields of a form, each once. Raises Refused: 415, 413, 400."""
        if (header(self.scope, b"content-type") or "").split(";")[0].strip().lower() != FORM_TYPE:
            raise Refused(UNSUPPORTED_MEDIA_TYPE, "A form is expected.")
        try:
            pairs = parse_qsl(
                (await self._read()).decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=20
            )
        except ValueError as error:
            raise Refused(MALFORMED, "The form cannot be read.") from error
        found = dict(pairs)
        if len(found) != len(pairs) or not found.keys() <= set(names) or any(map(CONTROL.search, found.values())):
            raise Refused(MALFORMED, "The form cannot be read.")
        return found

    async def _read(self) -> bytes:
        body = bytearray()
        while True:
            message: Any = await self.receive()
            if message["type"] == "http.disconnect":
                raise Refused(MALFORMED)
            body += message.get("body", b"")
            if len(body) > LONGEST_FORM:
                raise Refused(TOO_LARGE)
            if not message.get("more_body"):
                return bytes(body)

    def page(self, template: str, status: int = 200, **content: Any) -> Answer:
        """A page; signed in, with the navigation and the way out."""
        csrf = self.session.csrf if self.session else ""
        content = {"csrf": csrf, "here": self.scope["path"]} | content
        return Answer(status, frame.render(template, **content), HTML)

    def problem(self, problem: Problem) -> Answer:
        """A refusal as a page."""
        return self.page(
            "problem.html", problem.status, title=problem.title, detail=problem.detail, errors=problem.errors
        )


def go_to(address: str) -> Answer:
    """Sends the browser on, with GET."""
    return Answer(303, media_type=HTML, headers=[(b"location", address.encode())])


Page = Callable[[Visit], Awaitable[Answer]]


def page_operation(method: str, path: str, page: Page) -> HTTPRouteHandler:
    """A page as a route."""

    async def answer(request: AnyRequest, service: TheService) -> Response[bytes]:
        visit = Visit(_plain(request.scope), request.receive, service)
        try:
            answered = await page(visit)
        except SignedOut:
            answered = _sign_in_first(visit)
        except Refused as refused:
            answered = await _refuse(visit, refused, f"{method} {path}")
        return as_response(structs.replace(answered, headers=[*answered.headers, *_headers(visit)]))

    return _handler(method, path, answer)


def as_response(answer: Answer) -> Response[bytes]:
    """An answer as Litestar sends it."""
    response = Response(answer.body, status_code=answer.status, media_type=answer.media_type.decode())
    for name, value in answer.headers:
        if name == b"set-cookie":
            response.set_cookie(_AsWritten(value.decode()))
        else:
            response.headers[name.decode()] = value.decode()
    return response


class _AsWritten(Cookie):
    """A cookie whose header is there already."""

    def __init__(self, text: str) -> None:
        super().__init__(key=text.partition("=")[0])
        object.__setattr__(self, "value", text)

    def to_encoded_header(self) -> tuple[bytes, bytes]:
        return b"set-cookie", str(self.value).encode()


def file_operation(path: str, answer: Any) -> HTTPRouteHandler:
    """A file that pages load as a route."""
    return _handler("GET", path, answer)


def _handler(method: str, path: str, answer: Any) -> HTTPRouteHandler:
    return route(
        re.sub("{(n|kind|period|id)}", r"{\1:str}", path),
        http_method=HttpMethod(method),
        include_in_schema=False,
        sign_in="nobody",
        forms=(),
        any_query=True,
    )(answer)


def _sign_in_first(visit: Visit) -> Answer:
    """Signing in, which leads back to the page that was asked for.

    From another site, such as a mail read in the browser, the session's cookie is not sent, because it is Strict: a
    page of ours asks once more, and nobody who is signed in has to do so again.
    """
    scope: Any = visit.scope
    page = scope["path"] + (f"?{scope['query_string'].decode('latin-1')}" if scope["query_string"] else "")
    asked_for = leads_on(page) if scope["method"] == "GET" else ""
    if visit.cookie(SESSION):
        visit.keep(SESSION, None)
    elif asked_for and header(scope, b"sec-fetch-site") == "cross-site":
        return visit.page("onward.html", title="One moment", to=asked_for)
    return go_to("/review/sign-in" + to(asked_for))


def leads_on(page: str | None) -> str:
    """The page to go to after signing in; empty for what is no page of ours, or is the first one anyway."""
    return page if page and page != HOME and _LEADS_ON.fullmatch(page) else ""


def to(page: str) -> str:
    """The query that carries the page to go to through signing in; empty where there is none."""
    return f"?to={quote(page, safe='')}" if page else ""


async def _refuse(visit: Visit, refused: Refused, what: str) -> Answer:
    if refused.problem.status < 500:
        await visit.note_refusal(what, refused.problem.code)
    found = visit.problem(refused.problem)
    if refused.retry_after is None:
        return found
    return structs.replace(found, headers=[(b"retry-after", str(jittered(refused.retry_after)).encode())])


def _headers(visit: Visit) -> HeaderList:
    found: HeaderList = [
        NO_STORE,
        (b"content-security-policy", frame.CONTENT_SECURITY_POLICY.encode()),
        (b"cross-origin-opener-policy", b"same-origin"),
        (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
    ]
    return found + [(b"set-cookie", cookie.encode()) for cookie in visit.cookies]


def _plain(scope: Scope) -> Scope:
    copy: Any = dict(scope)
    copy["headers"] = [(name, value) for name, value in scope["headers"] if name not in _OF_THE_API]
    return copy  # type: ignore[no-any-return]


def new_form_secret(visit: Visit) -> str:
    """The secret of the sign-in form, the same in every tab of a browser for as long as it is good."""
    known = sessions.opened(visit.key, FORM, visit.cookie(FORM), sessions.SignInForm)
    if known is None or not sessions.is_fresh(known, visit.now):
        known = sessions.sign_in_form(visit.now)
        visit.keep(FORM, known)
    return known.csrf


def check_sign_in_form(visit: Visit, sent: dict[str, str]) -> None:
    """Raises Refused (403) where the form was not given to this browser."""
    known = sessions.opened(visit.key, FORM, visit.cookie(FORM), sessions.SignInForm)
    if known is None or not sessions.is_fresh(known, visit.now):
        raise Refused(FORBIDDEN, "The form is too old. Load the page again.")
    visit.check_secret(sent, known.csrf)

"""A request to the review pages: who asks by the session's cookie, forms with their secret, refusals as pages."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, quote

from litestar.types import Scope
from msgspec import structs

from triage.access.actors import Actor
from triage.http.asked import Asked
from triage.http.messages import NO_STORE, Answer, ClientGone, HeaderList, header, jittered
from triage.http.operations import Handler, Method, Operation
from triage.log.body_errors import CONTROL
from triage.pages import frame, sessions
from triage.pages.sessions import FORM, SESSION, Session
from triage.people.encryption import Purpose
from triage.problems import FORBIDDEN, MALFORMED, TOKEN_INVALID, TOO_LARGE, UNSUPPORTED_MEDIA_TYPE, Problem, Refused
from triage.store.access import page_sign_in, sign_in

HTML: Final = b"text/html; charset=utf-8"
FORM_TYPE: Final = "application/x-www-form-urlencoded"
LONGEST_FORM: Final = 16 * 1024
HOME: Final = "/review"
_LEADS_ON: Final = re.compile(r"/review(/(?!sign-)[\w.-]+)*(\?[\w.=&%-]*)?", re.ASCII)
"""The pages that signing in may lead to: this service's own, and never back to signing in or out."""
_OF_THE_API: Final = (b"accept", b"if-none-match", b"authorization")
"""What pages do not obey: routes of the API that they call on the way answer JSON, and for the session's account."""


class SignedOut(Refused):
    """No session, or one that ended."""

    def __init__(self) -> None:
        super().__init__(TOKEN_INVALID)


@dataclass(slots=True)
class Visit(Asked):
    """One request of a browser."""

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

    async def _sign_in(self, look_up: Callable[[str], Awaitable[Any]]) -> Any:
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
                raise ClientGone
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


def page_operation(method: Method, path: str, page: Page) -> Operation:
    """A page as a line of the table of routes."""
    return Operation(
        method=method, path=path, handler=_visited(page, f"{method} {path}"), summary="", tag="Review", responses=()
    )


def _visited(page: Page, what: str) -> Handler:
    async def answer(asked: Asked) -> Answer:
        visit = Visit(_plain(asked.scope), asked.receive, asked.service)
        try:
            found = await page(visit)
        except SignedOut:
            found = _sign_in_first(visit)
        except Refused as refused:
            found = await _refuse(visit, refused, what)
        return structs.replace(found, headers=[*found.headers, *_headers(visit)])

    return answer


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

"""Signing in and out: a one-time code from one's own phone or a colleague, or an issuer; locked when idle."""

from datetime import UTC, datetime
from typing import Annotated, Final
from urllib.parse import parse_qsl

import msgspec
from litestar import get, post
from litestar.params import PathParameter, QueryParameter

from triage.access import oidc_login
from triage.access.actors import Actor
from triage.access.oidc import OidcRefused, RefusalReason
from triage.access.oidc_login import Callback
from triage.pages import sessions
from triage.pages.refusals import explain, login_providers, sign_in_page, unlock_page
from triage.pages.request import (
    HOME,
    AnyRequest,
    Page,
    PageRequest,
    TheService,
    check_secret,
    keep,
    leads_on,
    open_typed,
    page,
    read_cookie,
    read_fields,
    read_form,
    redirect,
    service_of,
)
from triage.pages.sessions import FORM, LEAVING, SESSION, Leaving, Session, TypedForm
from triage.problems import CODE_EXPIRED, FORBIDDEN, INVALID_PARAMETER, NOT_FOUND, NOT_READY, Refused
from triage.store import audit
from triage.store.access import attempts, enrolment, page_sign_in, staff

CALLBACK: Final = "/review/sign-in/callback"
WRONG_CODE: Final = "The code is wrong, was used, or has expired. Ask for a new one."
_CALLBACK: Final = Callback.__struct_fields__

Onward = Annotated[str, QueryParameter(name="to", max_length=2000)]


@get("/sign-in", session="none")
async def show_sign_in(
    request: AnyRequest,
    onward: Onward = "",
    signed_out: Annotated[str | None, QueryParameter(name="out")] = None,
    code: Annotated[str, QueryParameter(max_length=64)] = "",
) -> Page:
    """The form for a one-time code, filled in where a link holds one, and the issuers to sign in with."""
    why = "" if signed_out is None else "You are signed out."
    return sign_in_page(request, onward=leads_on(onward), why=why, code=code)


@get("/locked", session="none")
async def show_locked(request: AnyRequest, onward: Onward = "") -> Page:
    """The locked page, after ten minutes without use.

    Where another tab kept the session in use, the way back is a press away: a page that came back by itself would keep
    a session open for ever that nobody sits at.
    """
    session = read_cookie(request, SESSION, Session)
    if session is not None and sessions.is_open(session, datetime.now(UTC)):
        return page(request, "onward.html", title="This page was put away", to=leads_on(onward) or HOME, waits=True)
    keep(request, SESSION, None)
    why = "Locked: nobody used this page for ten minutes, or the shift is over. Nothing was lost."
    return sign_in_page(request, onward=leads_on(onward), why=why)


@post("/sign-in", session="none", status_code=303)
async def begin_session(request: AnyRequest, service: TheService) -> Page:
    """Begin a session with a one-time code. Attempts are counted for the address and the code, in all processes."""
    sent = await read_fields(request)
    now = datetime.now(UTC)
    _check_sign_in_form(request, sent, now)
    typed, onward, code = open_typed(request, sent.get("typed"), now), leads_on(sent.get("to")), sent.get("code", "")
    if typed and not code and (session := read_cookie(request, SESSION, Session)):
        return (
            _resume(request, session.staff_id, typed)
            if sessions.is_open(session, now)
            else unlock_page(request, typed, "Enter a code, or sign in in another tab first.")
        )
    most = service.settings.enrol_attempts_per_hour
    where = service.address_digest(request.scope["client"])
    await attempts.count_attempt(service.database, "review/address", where, most * 5)
    await attempts.count_attempt(service.database, "review/code", enrolment.code_digest(code), most)
    try:
        actor = await page_sign_in.use_code(service.database, code)
    except Refused:
        await audit.note_sign_in(service.database, None, None, None, CODE_EXPIRED.code)
        return (
            unlock_page(request, typed, WRONG_CODE) if typed else sign_in_page(request, 422, WRONG_CODE, onward=onward)
        )
    await _begin(request, actor, now)
    return _resume(request, actor.account, typed) if typed else redirect(request, onward or HOME)


async def _begin(request: AnyRequest, actor: Actor, now: datetime) -> None:
    account = await staff.find_own(service_of(request).database, actor)
    session = sessions.begin(actor, account.name if account else "", now)
    keep(request, SESSION, session)
    keep(request, FORM, None)
    request.scope["auth"] = session


def _resume(request: AnyRequest, staff_id: object, typed: TypedForm) -> Page:
    """The form again with everything typed: it is stored only when its sender says so."""
    if typed.staff_id not in (None, staff_id):
        said = "You are signed in. What was typed before belongs to another account and was not stored."
        return explain(request, "Typed by somebody else", said, 403)
    if "auth" not in request.scope:
        request.scope["auth"] = read_cookie(request, SESSION, Session)
    return page(request, "resume.html", address=typed.address, fields=typed.fields)


def _check_sign_in_form(request: AnyRequest, sent: dict[str, str], now: datetime) -> None:
    """Raises Refused (403) where the form was not given to this browser."""
    known = read_cookie(request, FORM, sessions.SignInForm)
    if known is None or not sessions.is_fresh(known.asked_at, now):
        raise Refused(FORBIDDEN, "The form is too old. Load the page again.")
    check_secret(request, sent, known.secret)


@get("/sign-in/issuer/{n:int}", session="none")
async def start_at_issuer(request: AnyRequest, n: Annotated[int, PathParameter()], onward: Onward = "") -> Page:
    """Send the browser to an issuer. The cookie is Lax, for the browser comes back from another site."""
    providers = login_providers(request)
    if not 0 <= n < len(providers):
        raise Refused(NOT_FOUND)
    callback = service_of(request).settings.public_url.rstrip("/") + CALLBACK
    try:
        address, pending = await oidc_login.begin(providers[n], callback, datetime.now(UTC))
    except OidcRefused as refused:
        raise Refused(NOT_READY, "The issuer cannot be reached. Try again later.") from refused
    keep(request, LEAVING, Leaving(pending, leads_on(onward)), "lax")
    return redirect(request, address)


@get("/sign-in/callback", session="none", any_query=True)
async def finish_at_issuer(request: AnyRequest, service: TheService) -> Page:
    """Begin a session for whom an issuer names. A page of ours leads on: a cookie that is Strict is not sent on a
    redirect that began at another site."""
    callback, now = _callback(request), datetime.now(UTC)
    leaving = read_cookie(request, LEAVING, Leaving)
    keep(request, LEAVING, None, "lax")
    issuer = leaving.pending.issuer if leaving else ""
    provider = next((provider for provider in login_providers(request) if provider.issuer.url == issuer), None)
    try:
        if leaving is None or provider is None:
            raise OidcRefused(RefusalReason.STATE)
        subject = await oidc_login.finish(provider, leaving.pending, callback, now)
        actor = await page_sign_in.sign_in_subject(service.database, subject)
    except (OidcRefused, Refused) as refused:
        code = refused.reason.value if isinstance(refused, OidcRefused) else refused.problem.code
        await audit.note_sign_in(service.database, None, None, None, code)
        return sign_in_page(request, 403, "You could not be signed in with this account.")
    await _begin(request, actor, now)
    return page(request, "onward.html", title="You are signed in", to=leads_on(leaving.onward) or HOME, waits=False)


def _callback(request: AnyRequest) -> Callback:
    """The issuer's answer; what is not of the protocol is passed over (RFC 6749 section 4.1.2)."""
    sent = request.scope["query_string"].decode("latin-1")
    pairs = [(name, value) for name, value in parse_qsl(sent) if name in _CALLBACK]
    if len(dict(pairs)) < len(pairs):
        raise Refused(INVALID_PARAMETER, "A query parameter is given twice.")
    return msgspec.convert(dict(pairs), Callback)


@post("/sign-out", status_code=303)
async def sign_out(request: PageRequest, service: TheService) -> Page:
    """End every session of the account."""
    await read_form(request)
    await staff.end_sessions(service.database, request.user)
    keep(request, SESSION, None)
    return redirect(request, "/review/sign-in?out=")


HANDLERS: Final = (
    show_sign_in,
    show_locked,
    begin_session,
    start_at_issuer,
    finish_at_issuer,
    sign_out,
)

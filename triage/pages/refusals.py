"""Refusals as pages: signing in first, a problem in words, and whatever nobody foresaw."""

import logging
import random
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from litestar.exceptions import HTTPException

from triage.access.oidc import Provider
from triage.pages import sessions
from triage.pages.request import (
    AnyRequest,
    Page,
    SignedOut,
    address_of,
    cookie,
    keep,
    leads_on,
    page,
    query_to,
    read_cookie,
    redirect,
    seal_typed,
    service_of,
)
from triage.pages.sessions import SESSION, TypedForm
from triage.problems import (
    INTERNAL,
    INVALID_PARAMETER,
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    NOT_READY,
    TOO_LARGE,
    FieldError,
    Problem,
    Refused,
)
from triage.store.database import UNREACHABLE

logger = logging.getLogger(__name__)

_LITESTAR: Final = {400: INVALID_PARAMETER, 404: NOT_FOUND, 405: METHOD_NOT_ALLOWED, 413: TOO_LARGE}


def sign_in_first(request: AnyRequest, refused: SignedOut) -> Page:
    """Signing in, which leads back to the page that was asked for, or to the form with everything typed in it.

    From another site, such as a mail read in the browser, the session's cookie is not sent, because it is Strict: a
    page of ours asks once more, and nobody who is signed in has to do so again.
    """
    asked_for = leads_on(address_of(request)) if request.method == "GET" else ""
    if refused.typed is not None:
        return unlock_page(request, refused.typed)
    if cookie(request, SESSION):
        keep(request, SESSION, None)
        return redirect(request, "/review/locked" + query_to(asked_for))
    if asked_for and request.headers.get("sec-fetch-site") == "cross-site":
        return page(request, "onward.html", title="One moment", to=asked_for, waits=False)
    return redirect(request, "/review/sign-in" + query_to(asked_for))


def unlock_page(request: AnyRequest, typed: TypedForm, fault: str = "") -> Page:
    """Signing in with a form in hand: nothing of it is stored yet, and nothing is lost."""
    return sign_in_page(request, 422 if fault else 401, fault, typed=seal_typed(request, typed))


def sign_in_page(
    request: AnyRequest,
    status: int = 200,
    fault: str = "",
    *,
    onward: str = "",
    why: str = "",
    typed: str = "",
    code: str = "",
) -> Page:
    """The form for a one-time code, and the issuers to sign in with. `why`: a sentence on how one came here."""
    issuers = [(f"{n}{query_to(onward)}", provider.issuer.url) for n, provider in enumerate(login_providers(request))]
    content: dict[str, Any] = {
        "issuers": issuers,
        "fault": fault,
        "onward": onward,
        "why": why,
        "typed": typed,
        "code": code,
    }
    return page(request, "sign_in.html", status, form=new_form_secret(request), **content)


def login_providers(request: AnyRequest) -> list[Provider]:
    """The issuers through which somebody may sign in with a browser."""
    return [provider for provider in service_of(request).providers if provider.issuer.login is not None]


def new_form_secret(request: AnyRequest) -> str:
    """The secret of the sign-in form, the same in every tab of a browser for as long as it is good."""
    now = datetime.now(UTC)
    known = read_cookie(request, sessions.FORM, sessions.SignInForm)
    if known is None or not sessions.is_fresh(known.asked_at, now):
        known = sessions.sign_in_form(now)
        keep(request, sessions.FORM, known)
    return sessions.masked(known.secret)


def explain(
    request: AnyRequest, title: str, detail: str, status: int = 200, *, errors: Sequence[FieldError] = ()
) -> Page:
    """A page that only says something; `errors`: what is wrong with which field."""
    return page(request, "problem.html", status, title=title, detail=detail, errors=errors)


def problem_page(request: AnyRequest, problem: Problem, retry_after: int | None = None) -> Page:
    """A refusal as a page."""
    answer = explain(request, problem.title, problem.detail, problem.status, errors=problem.errors)
    if retry_after is not None or problem.status in (429, 503):
        seconds = retry_after or 1
        answer.headers["retry-after"] = str(seconds + random.randrange(max(2, seconds // 2 + 1)))
    return answer


def refuse(request: AnyRequest, refused: Refused) -> Page:
    """A refusal of the service."""
    if isinstance(refused, SignedOut):
        return sign_in_first(request, refused)
    return problem_page(request, refused.problem, refused.retry_after)


def refuse_for_litestar(request: AnyRequest, error: HTTPException) -> Page:
    """A refusal of Litestar itself: no such page, no such method, a parameter that cannot be read."""
    answer = problem_page(request, _LITESTAR.get(error.status_code, INTERNAL).problem())
    if error.status_code == 405:
        answer.headers["allow"] = (error.headers or {}).get("allow", "GET")
    return answer


def fail(request: AnyRequest, error: Exception) -> Page:
    """Whatever nobody foresaw; the page reveals nothing of it."""
    if isinstance(error, UNREACHABLE):
        return problem_page(request, NOT_READY.problem("The database does not answer."), 2)
    logger.error("unhandled", exc_info=error)
    return problem_page(request, INTERNAL.problem())


EXCEPTION_HANDLERS: Final[Any] = {Refused: refuse, HTTPException: refuse_for_litestar, Exception: fail}

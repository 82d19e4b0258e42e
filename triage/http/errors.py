"""Every error as `application/problem+json` (RFC 9457), Litestar's own included, and recorded before it is sent."""

import logging
import random
from typing import Any, Final
from uuid import UUID

import msgspec
from litestar import Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.types import Scope

from triage.http.parameters import AnyRequest
from triage.http.responses import NO_STORE, EncodedResponse
from triage.problems import (
    BODY_TIMEOUT,
    INTERNAL,
    INVALID_PARAMETER,
    MALFORMED,
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    NOT_READY,
    TOO_LARGE,
    FieldError,
    Refused,
)
from triage.store import audit
from triage.store.database import UNREACHABLE

logger = logging.getLogger(__name__)

PROBLEM_JSON: Final = "application/problem+json"
_OF_LITESTAR: Final = {404: NOT_FOUND, 405: METHOD_NOT_ALLOWED, 413: TOO_LARGE}


class ClientGone(Exception):
    """The client hung up, or was too slow, before its request was whole: nobody reads the answer."""


def problem_response(refused: Refused) -> EncodedResponse:
    """A refusal as a problem document."""
    problem = refused.problem
    headers = NO_STORE | refused.headers
    if problem.status == 401:
        headers["www-authenticate"] = "Bearer"
    if refused.retry_after is not None or problem.status in (429, 503):
        headers["retry-after"] = str(jittered(refused.retry_after or 1))
    return EncodedResponse(msgspec.json.encode(problem), problem.status, headers, PROBLEM_JSON)


def jittered(seconds: int) -> int:
    """Whole seconds, spread out so that many phones do not come back at the same moment."""
    return seconds + random.randrange(max(2, seconds // 2 + 1))


def as_refused(error: HTTPException, scope: Scope) -> Refused:
    """Litestar's own refusals: no such address, no such method, a parameter or body that cannot be read."""
    if isinstance(error, ValidationException):
        faults = [fault for fault in error.extra or () if isinstance(fault, dict)]
        names = [_name_as_sent(scope, str(fault.get("key", ""))) for fault in faults]
        if "data" in names:
            return Refused(MALFORMED, errors=(FieldError("", "not_json", "The body is not JSON."),))
        return Refused(INVALID_PARAMETER, f"{', '.join(names)} cannot be read.")
    if error.status_code == 400:
        return Refused(INVALID_PARAMETER)
    refused = Refused(_OF_LITESTAR.get(error.status_code, INTERNAL))
    if error.status_code == 405:
        allowed = set((error.headers or {})["allow"].split(", "))
        refused.headers["allow"] = ", ".join(sorted(allowed | ({"HEAD"} if "GET" in allowed else set())))
    return refused


def _name_as_sent(scope: Scope, parameter: str) -> str:
    """What a client calls a parameter of the handler; some names Python does not have."""
    definition = scope["route_handler"].parsed_fn_signature.parameters.get(parameter)
    return getattr(definition and definition.kwarg_definition, "name", None) or parameter


def _refuse(_: AnyRequest, refused: Refused) -> Response[bytes]:
    return problem_response(refused)


def refuse_for_litestar(request: AnyRequest, error: HTTPException) -> Response[bytes]:
    refused = as_refused(error, request.scope)
    if refused.problem.status >= 500:
        logger.error("unhandled", exc_info=error)
    return problem_response(refused)


def _fail(_: AnyRequest, error: Exception) -> Response[bytes]:
    """Whatever nobody foresaw; it tells nothing."""
    if isinstance(error, UNREACHABLE):
        return problem_response(Refused(NOT_READY, "The database does not answer.", retry_after=2))
    logger.error("unhandled", exc_info=error)
    return problem_response(Refused(INTERNAL))


def _let_go(_: AnyRequest, __: ClientGone) -> Response[bytes]:
    return problem_response(Refused(BODY_TIMEOUT))


EXCEPTION_HANDLERS: Final[Any] = {
    ClientGone: _let_go,
    Refused: _refuse,
    HTTPException: refuse_for_litestar,
    Exception: _fail,
}


async def record_refusal(error: Exception, scope: Scope) -> None:
    """A refusal of somebody signed in is recorded before it is sent; what cannot be recorded fails."""
    actor = scope.get("user")
    if actor is None or not isinstance(error, Refused | HTTPException):
        return
    problem = (error if isinstance(error, Refused) else as_refused(error, scope)).problem
    if problem.status < 500:
        values: dict[str, object] = {**scope["path_params"]}
        ids = [value for value in values.values() if isinstance(value, UUID)]
        operation = f"{scope.get('method')} {scope['path_template']}"
        await audit.record_refusal(scope["litestar_app"].state.service.database, actor, operation, ids, problem.code)

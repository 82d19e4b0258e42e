"""The table of operations: from it come the routes, the 405s, and the OpenAPI document."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final, Literal

import structlog
from litestar import asgi
from litestar.handlers import ASGIRouteHandler
from litestar.types import Receive, Scope, Send
from msgspec import Struct

from triage.http.asked import Asked
from triage.http.messages import Answer, ClientGone, MethodRefused, in_problem, send_answer
from triage.problems import INTERNAL, NOT_READY, Listed, Refused
from triage.service import Service
from triage.store.database import UNREACHABLE

logger = structlog.get_logger(__name__)

Method = Literal["GET", "PUT", "POST", "DELETE"]
Handler = Callable[[Asked], Awaitable[Answer]]


class Parameter(Struct, frozen=True, kw_only=True):
    """A parameter in the path, query or header; `kind` is a type that msgspec can describe."""

    name: str
    where: Literal["path", "query", "header"]
    kind: Any
    description: str
    required: bool = False


class Response(Struct, frozen=True, kw_only=True):
    """A success. `kind` is the Struct of a JSON body, or a tuple of them; None: no body, or of another media type."""

    status: int
    description: str
    kind: Any = None
    media_types: tuple[str, ...] = ("application/json",)
    headers: tuple[str, ...] = ()

    @property
    def kinds(self) -> tuple[Any, ...]:
        """The Structs that a JSON body may be."""
        return self.kind if isinstance(self.kind, tuple) else () if self.kind is None else (self.kind,)


class Operation(Struct, frozen=True, kw_only=True):
    """One method on one path. `verb` None: no sign-in where `open` is true, else any account."""

    method: Method
    path: str
    handler: Handler
    summary: str
    tag: str
    responses: tuple[Response, ...]
    problems: tuple[Listed, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    body: Any = None
    verb: str | None = None
    open: bool = False
    description: str = ""


def routes(operations: Iterable[Operation], service: Callable[[], Service]) -> list[ASGIRouteHandler]:
    """One Litestar route a path, answering every method of it."""
    by_path: dict[str, list[Operation]] = {}
    for operation in operations:
        by_path.setdefault(operation.path, []).append(operation)
    return [_route(path, those, service) for path, those in by_path.items()]


def _route(path: str, operations: Sequence[Operation], service: Callable[[], Service]) -> ASGIRouteHandler:
    by_method: Final = {str(operation.method): operation.handler for operation in operations}
    if "GET" in by_method:
        by_method["HEAD"] = by_method["GET"]
    allowed = sorted(by_method)

    @asgi(_litestar_path(path), copy_scope=False)
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        method = str(scope["method"])  # type: ignore[typeddict-item]
        await send_answer(
            send,
            await _answer(by_method.get(method), allowed, Asked(scope, receive, service()), path),
            method == "HEAD",
        )

    return answer


async def _answer(handler: Handler | None, allowed: Sequence[str], asked: Asked, path: str) -> Answer:
    try:
        if handler is None:
            raise MethodRefused(allowed)
        return await _answer_or_refuse(handler, asked, path)
    except Refused as refused:
        return in_problem(refused)
    except ClientGone:
        return Answer(400)
    except UNREACHABLE as error:
        logger.error("database_unreachable", exc_info=error)
        return in_problem(Refused(NOT_READY, "The database does not answer.", retry_after=2))
    except Exception as error:
        logger.error("unhandled", exc_info=error)
        return in_problem(Refused(INTERNAL))


async def _answer_or_refuse(handler: Handler, asked: Asked, path: str) -> Answer:
    """A refusal of somebody signed in is recorded before it is sent; what cannot be recorded fails."""
    try:
        return await handler(asked)
    except Refused as refused:
        if refused.problem.status < 500:
            await asked.note_refusal(f"{asked.scope['method']} {path}", refused.problem.code)  # type: ignore[typeddict-item]
        raise


def _litestar_path(path: str) -> str:
    return path.replace("}", ":str}")

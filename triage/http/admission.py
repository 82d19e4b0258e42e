"""The gate before every handler. One middleware, because each costs 8 µs of a request; no guards, because
Litestar copies the whole handler for every guard of every request."""

import asyncio
from typing import Any, Final

from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from triage.http.access_control import SignInRule, sign_in
from triage.http.errors import ClientGone
from triage.http.negotiation import negotiate
from triage.problems import NOT_READY, Refused
from triage.service import Service

ANSWER_WITHIN_S: Final = 8.0


class Admission(ASGIMiddleware):
    """Signs in, settles the form of the answer, and sets the deadline: an answer begins within `ANSWER_WITHIN_S` of the
    last byte of its request, or is 503, because whoever waits longer has hung up. Appends that were begun go on. A
    handler that may take longer says so by `answers_within_s=`.

    Raises ClientGone in a handler whose client hung up before its request was whole.
    """

    scopes = (ScopeType.HTTP,)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        handler, loop = scope["route_handler"], asyncio.get_running_loop()
        allowed = handler.opt.get("answers_within_s", ANSWER_WITHIN_S)
        whole = scope["method"] in ("GET", "DELETE")  # type: ignore[typeddict-item]

        async def receive_timed() -> Any:
            nonlocal whole
            message: Any = await receive()
            if not whole:
                if message["type"] == "http.disconnect":
                    raise ClientGone
                if not message.get("more_body"):
                    whole = True
                    limit.reschedule(loop.time() + allowed)
            return message

        async def send_timed(message: Message) -> None:
            if message["type"] == "http.response.start":
                limit.reschedule(None)
            await send(message)

        async with asyncio.timeout(allowed if whole else None) as limit:
            rule: SignInRule = handler.opt.get("sign_in", "fresh")
            service: Service = scope["litestar_app"].state.service
            if service.history.forked and not handler.opt.get("any_history"):
                raise Refused(NOT_READY, "The database lost its last moments, which is to be adopted.", retry_after=30)
            if rule not in ("nobody", "by_itself"):
                await sign_in(service, scope, rule)
            negotiate(scope, handler)
            await next_app(scope, receive_timed, send_timed)

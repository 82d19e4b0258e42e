"""Who asks, and whether they may: signing in, and guards that hold the actor to the handler's verbs."""

import time
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.types import Scope

from triage.access.actors import Actor
from triage.problems import FORBIDDEN, RATE_LIMITED, SEND_ONLY, TOKEN_INVALID, TOKEN_MISSING, Refused
from triage.service import Service
from triage.store import audit
from triage.store.access import attempts
from triage.store.access.sign_in import SignInRefused

AnyConnection = ASGIConnection[Any, Any, Any, Any]
SignInRule = Literal["fresh", "remembered", "even_revoked", "fresh_even_revoked", "nobody", "by_itself"]
"""How a handler signs in (`sign_in=` in its decorator): `fresh` where it says nothing, `remembered` where the handler's
own statement checks again, `even_revoked` likewise, and a revoked device passes, `fresh_even_revoked` once what was
remembered does not hold; `nobody` where it is open, `by_itself` where it has credentials of another kind."""


async def sign_in(service: Service, scope: Scope, rule: SignInRule) -> tuple[Actor, bool]:
    """The actor, and whether its device is revoked; both are kept in the scope. Raises Refused: 401, 429.

    A failure is counted for the address, in all processes together, and recorded.
    """
    try:
        actor, revoked = await _look_up(service, bearer(scope), rule)
    except SignInRefused as refused:
        await _count_failure(service, scope, refused)
        raise
    scope["user"], scope["auth"] = actor, revoked
    if actor.send_only and rule not in ("even_revoked", "fresh_even_revoked"):
        raise Refused(SEND_ONLY)
    if wait := service.budget.take(actor.device_id or actor.account, time.monotonic()):
        raise Refused(RATE_LIMITED, retry_after=wait)
    return actor, revoked


async def find_device(service: Service, scope: Scope) -> tuple[UUID, UUID]:
    """Team and device of any token that the device ever had. Raises Refused (401); a failure is counted as above."""
    device = await service.sign_in.find_device(bearer(scope))
    if device is None:
        refused = SignInRefused(TOKEN_INVALID)
        await _count_failure(service, scope, refused)
        raise refused
    return device


async def _count_failure(service: Service, scope: Scope, refused: SignInRefused) -> None:
    most = service.settings.sign_in_failures_per_hour
    where = service.address_digest(scope["client"])
    await attempts.count_attempt(service.database, "sign_in/address", where, most)
    account = refused.team_id, refused.staff_id, refused.device_id
    await audit.note_sign_in(service.database, *account, refused.problem.code)


async def _look_up(service: Service, token: str, rule: SignInRule) -> tuple[Actor, bool]:
    if rule in ("remembered", "even_revoked") and (actor := await service.sign_in.recall(token)):
        return actor, False
    if rule in ("even_revoked", "fresh_even_revoked"):
        return await service.sign_in.authenticate_even_revoked(token)
    return await service.sign_in.authenticate(token), False


def bearer(scope: Scope) -> str:
    """The bearer token of the request. Raises Refused (401) without one."""
    sent = [value for name, value in scope["headers"] if name == b"authorization"]
    value = sent[0].decode("latin-1") if len(sent) == 1 else ""  # of two, nobody could say who asks
    if value[:7].lower() != "bearer " or not value[7:].strip():
        raise Refused(TOKEN_MISSING)
    return value[7:].strip()


@dataclass(frozen=True, slots=True)
class Needs:
    """A guard that lets through whoever holds one of these verbs. The document says so too."""

    verbs: tuple[str, ...]

    async def __call__(self, connection: AnyConnection, _: BaseRouteHandler) -> None:
        if connection.user.verbs.isdisjoint(self.verbs):
            raise Refused(FORBIDDEN)


def needs(*verbs: str) -> Needs:
    """The guard of a router or handler."""
    return Needs(verbs)

"""One request: who asks, its parts and its body."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, TypeVar
from uuid import UUID

from litestar.types import Receive, Scope

from triage.access.actors import Actor
from triage.http.messages import bearer, read_body
from triage.people.encryption import Purpose
from triage.problems import RATE_LIMITED, Refused
from triage.service import Service
from triage.store import audit
from triage.store.access import attempts
from triage.store.access.sign_in import SignInRefused

_Found = TypeVar("_Found")


@dataclass(slots=True)
class Asked:
    """One request. `who` is the actor, once signed in."""

    scope: Scope
    receive: Receive
    service: Service
    who: Actor | None = None

    @property
    def now(self) -> datetime:
        """The instant of asking, by this process's clock."""
        return datetime.now(UTC)

    def path(self, name: str) -> str:
        """A part of the path, as sent."""
        parameters: dict[str, Any] = self.scope["path_params"]
        return str(parameters[name])

    async def actor(self, *verbs: str) -> Actor:
        """Who asks, with all of these verbs. Raises Refused: 401, 403."""
        return self._admit(await self._sign_in(self.service.sign_in.authenticate), verbs)

    async def remembered_actor(self, *verbs: str) -> Actor:
        """As `actor`, for requests that the log's writer checks again."""
        return self._admit(await self._sign_in(self.service.sign_in.authenticate_from_memory), verbs)

    async def actor_even_revoked(self, *verbs: str) -> tuple[Actor, bool]:
        """As `actor`, and whether the device is revoked."""
        actor, revoked = await self._sign_in(self.service.sign_in.authenticate_even_revoked)
        return self._admit(actor, verbs), revoked

    def _admit(self, actor: Actor, verbs: tuple[str, ...]) -> Actor:
        self.who = actor
        wait = self.service.budget.take(actor.device_id or actor.account, time.monotonic())
        if wait:
            raise Refused(RATE_LIMITED, retry_after=wait)
        for verb in verbs:
            actor.require(verb)
        return actor

    async def _sign_in(self, look_up: Callable[[str], Awaitable[_Found]]) -> _Found:
        """Sign in; a failure is counted for the address, in all processes together, and recorded."""
        try:
            return await look_up(bearer(self.scope))
        except SignInRefused as refused:
            database, settings = self.service.database, self.service.settings
            most = settings.sign_in_failures_per_hour
            await attempts.count_attempt(database, "sign_in/address", self.address(), most, timedelta(hours=1))
            whose = refused.team_id, refused.staff_id, refused.device_id
            await audit.note_sign_in(database, *whose, refused.problem.code)
            raise

    def address(self) -> bytes:
        """A keyed digest of where the request came from: addresses are not stored."""
        client = self.scope["client"]
        key = self.service.root.derive(Purpose.LIMITS)
        return sha256(key + (client[0] if client else "").encode()).digest()

    async def note_refusal(self, what: str, code: str) -> None:
        """Record that a signed-in actor was refused; `what` is the method and path of the operation."""
        if self.who is not None:
            ids = [one for value in self.scope["path_params"].values() if (one := _id(str(value)))]
            await audit.record_refusal(self.service.database, self.who, what, ids, code)

    async def body(self) -> bytes:
        """The JSON body. Raises Refused: 413, 415, 400."""
        return await read_body(self.scope, self.receive, self.service.limits)


def _id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None

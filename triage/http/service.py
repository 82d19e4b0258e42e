"""What the routes work with: everything one process has open."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from litestar.types import Receive, Scope

from triage.access.actors import Actor
from triage.http.messages import BodyLimits, bearer, read_body
from triage.people.sealing import Root
from triage.settings import Settings
from triage.store.access import SignIn
from triage.store.database import Database
from triage.store.incidents import Incidents
from triage.store.keys import KeyStore
from triage.store.log import Log
from triage.store.quarantine import Quarantine


@dataclass(slots=True, kw_only=True)
class Service:
    """The open service of one process."""

    settings: Settings
    owner_url: str
    root: Root
    database: Database
    keys: KeyStore
    sign_in: SignIn
    log: Log
    incidents: Incidents
    quarantine: Quarantine
    limits: BodyLimits
    syncing: int = 0


@dataclass(slots=True)
class Asked:
    """One request."""

    scope: Scope
    receive: Receive
    service: Service

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
        actor = await self.service.sign_in.fresh(bearer(self.scope))
        for verb in verbs:
            actor.require(verb)
        return actor

    async def body(self) -> bytes:
        """The JSON body. Raises Refused: 413, 415, 400."""
        return await read_body(self.scope, self.receive, self.service.limits)

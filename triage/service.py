"""Everything one process has open: what requests, pages, jobs and the demo work with."""

from dataclasses import dataclass
from hashlib import sha256

from triage.access.budget import Budget
from triage.access.oidc import Provider
from triage.people.encryption import Purpose, Root
from triage.settings import Settings
from triage.store.access.devices import PhoneClocks
from triage.store.access.sign_in import SignIn
from triage.store.database import Database
from triage.store.journal import Journal
from triage.store.keys import KeyStore
from triage.store.log.append import Log
from triage.store.log.incidents import Incidents
from triage.store.log.quarantine import Quarantine
from triage.store.people.people import People
from triage.store.recovery.watch import HistoryWatch
from triage.store.replica import Replica


@dataclass(slots=True, kw_only=True)
class Service:
    """The open service of one process."""

    settings: Settings
    owner_url: str
    root: Root
    database: Database
    replica: Replica
    """For what may be a moment behind, and writes nothing."""
    pullers: Database
    """For what changed since a cursor, and an incident by its id: planned once."""
    keys: KeyStore
    sign_in: SignIn
    log: Log
    incidents: Incidents
    quarantine: Quarantine
    people: People
    journal: Journal
    history: HistoryWatch
    budget: Budget
    clocks: PhoneClocks
    providers: tuple[Provider, ...] = ()
    syncing: int = 0

    def address_digest(self, client: tuple[str, int] | None) -> bytes:
        """A keyed digest of where a request came from, as ASGI names its client: addresses are not stored."""
        return sha256(self.root.derive(Purpose.LIMITS) + (client[0] if client else "").encode()).digest()

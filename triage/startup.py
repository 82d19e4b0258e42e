"""How a process starts: settings → databases → service. What is served over it is put together in `triage.app`."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from triage.access.actors import Actor
from triage.access.budget import Budget
from triage.access.oidc import Provider, Verifier, load_issuers
from triage.databases import databases
from triage.libraries import httpx
from triage.log.append_decision import IncomingEntry
from triage.log.entries import StoredEntry
from triage.log.notices import Notice, notices
from triage.log.redaction import redact, sight_of
from triage.people.encryption import load_or_create_root, load_root
from triage.people.notes import likely_identifiers
from triage.service import Service
from triage.settings import Settings
from triage.store import audit
from triage.store.access.devices import PhoneClocks
from triage.store.access.sign_in import SignIn
from triage.store.access.teams import TeamTerms
from triage.store.database import Database, GenericPlans, connect
from triage.store.gauges import read_replication
from triage.store.journal import Journal
from triage.store.keys import KeyStore
from triage.store.log.append import Log
from triage.store.log.incidents import Incidents
from triage.store.log.quarantine import Quarantine
from triage.store.log.readers import audience_of
from triage.store.people.people import People
from triage.store.recovery.history import check_replica
from triage.store.recovery.watch import HistoryWatch
from triage.store.replica import Replica, connect_replica
from triage.terms import Terms

logger = logging.getLogger(__name__)

WRITERS = 4
"""Connections that append to logs: one for each team that is appended to at a moment, beside the pool."""
PULLERS = 4
"""Connections by which phones pull what changed since their cursor, and read an incident."""


@asynccontextmanager
async def open_service(settings: Settings, *, create: bool = False) -> AsyncIterator[Service]:
    """Everything one process needs, open for the time of the block; with `create` what is missing is made.

    Raises OperatorError for what whoever runs the service must put right.
    """
    async with (
        databases(settings, create=create, migrating=create) as addresses,
        connect(
            addresses.service,
            settings.pool_size,
            settings.command_timeout_s,
            police_station_allowed_until=settings.police_station_allowed_until,
        ) as database,
        connect(addresses.service, WRITERS, settings.command_timeout_s, kind=GenericPlans) as writers,
        connect_replica(settings.read_url, database, settings.command_timeout_s) as replica,
        connect(addresses.service, PULLERS, settings.command_timeout_s, kind=GenericPlans) as pullers,
        connect(addresses.keys, 4, settings.command_timeout_s, role=None) as keys_database,
        _providers(settings) as providers,
    ):
        root = await asyncio.to_thread(load_or_create_root if create else load_root, settings.root_key_file)
        keys = KeyStore(keys_database, root, settings.root_key_file)
        journal = Journal(keys_database.no_team)
        await keys.check()
        history = HistoryWatch(database, journal)
        await history.check()
        await _check_machines(settings, database, replica)
        terms = TeamTerms(database.police_station_allowed_until)
        writer = _log(settings, writers, keys, terms)
        yield Service(
            settings=settings,
            owner_url=addresses.owner,
            root=root,
            database=database,
            replica=replica,
            pullers=pullers,
            keys=keys,
            sign_in=SignIn(database, timedelta(days=settings.token_idle_days), journal, Verifier(providers)),
            log=writer,
            incidents=Incidents(database, pullers, terms),
            quarantine=Quarantine(database, keys, settings.quarantine_limit),
            people=People(database, keys, root),
            journal=journal,
            history=history,
            budget=Budget(settings.actor_requests_per_minute),
            clocks=PhoneClocks(database),
            providers=providers,
        )
        await writer.close()
        await audit.extend_chain(database)  # the last process that ends leaves nothing unchained


async def _check_machines(settings: Settings, database: Database, replica: Replica) -> None:
    """Whether the replica is of this installation; a line in the log where one machine alone holds everything."""
    if replica.replica is not None:
        await check_replica(replica.replica, database)
    if settings.database_url is not None and not (await read_replication(database)).wanted:
        logger.warning("database_on_one_machine", extra={"advice": "what is acknowledged is lost with it"})


def _log(settings: Settings, writers: Database, keys: KeyStore, terms: TeamTerms) -> Log:
    return Log(
        writers,
        keys,
        incident_limit=settings.incident_entries_limit,
        queue_limit=settings.queue_limit,
        notices=give_notices,
        terms=terms,
    )


@asynccontextmanager
async def _providers(settings: Settings) -> AsyncIterator[tuple[Provider, ...]]:
    if settings.oidc_issuers is None:
        yield ()
        return
    async with httpx.AsyncClient() as http:
        yield tuple(Provider(issuer, http) for issuer in load_issuers(settings.oidc_issuers))


def give_notices(
    item: IncomingEntry,
    received_at: datetime,
    target_held: bool | None,
    person_registered: bool | None,
    incident: Sequence[StoredEntry],
    terms: Terms,
) -> tuple[Notice, ...]:
    """The notices for the author of an entry, from what she may see of the incident."""
    return notices(
        item.entry,
        received_at=received_at,
        skew_ms=item.skew_ms,
        target_held=target_held,
        person_registered=person_registered,
        others=_visible(incident, item.actor),
        terms=terms,
        identifiers=likely_identifiers,
    )


def _visible(incident: Sequence[StoredEntry], actor: Actor) -> Iterator[StoredEntry]:
    """Redacted only when somebody looks, which most notices do not."""
    yield from redact(incident, sight_of(incident, audience_of(actor), datetime.now(UTC)))

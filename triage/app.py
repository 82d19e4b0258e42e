"""The composition root: settings → databases → service → application; the one module that puts all of it together."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import asyncpg
import httpx
import structlog
from litestar import Litestar
from litestar.types import ASGIApp

from triage.access.actors import Actor
from triage.access.budget import Budget
from triage.access.oidc import Provider, Verifier, load_issuers
from triage.embedded import EmbeddedPostgres
from triage.http import metrics, phone
from triage.http.application import build
from triage.http.middleware import Envelope
from triage.log import flags
from triage.log.append_decision import IncomingEntry
from triage.log.entries import StoredEntry
from triage.log.notices import Notice, notices
from triage.log.redaction import redact
from triage.migrate import migrate
from triage.pages import routes as pages
from triage.people.encryption import load_or_create_root
from triage.people.notes import likely_identifiers
from triage.resources import folder
from triage.service import Service
from triage.settings import DatabaseUrl, Settings
from triage.store import audit, hosts
from triage.store.access.devices import PhoneClocks
from triage.store.access.sign_in import SignIn
from triage.store.database import GenericPlans, connect
from triage.store.journal import Journal
from triage.store.keys import KeyStore
from triage.store.log.append import Log
from triage.store.log.incidents import Incidents, audience_of
from triage.store.log.quarantine import Quarantine
from triage.store.people.people import People

logger = structlog.get_logger(__name__)

KEYS_SCHEMA = "keystore"
WRITERS = 4
"""Connections that append to logs: one for each team that is appended to at a moment, beside the pool."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the databases are: the service's login, the owner's, and the key store."""

    service: str
    owner: str
    keys: str


@asynccontextmanager
async def databases(settings: Settings) -> AsyncIterator[Addresses]:
    """The databases of the settings, migrated; the embedded server runs for the time of the block.

    With them the owner's terms come into force, on which depends what entries add up to.
    """
    flags.TERMS.police_station_allowed_until = settings.police_station_allowed_until
    if settings.database_url is not None:
        assert settings.owner_database_url and settings.keys_database_url
        addresses = Addresses(settings.database_url, settings.owner_database_url, settings.keys_database_url)
        await _migrate(addresses)
        yield addresses
        return
    embedded = EmbeddedPostgres(settings.data_dir)
    await asyncio.to_thread(embedded.start)
    try:
        url = embedded.url("triage")
        addresses = Addresses(url, url, settings.keys_database_url or embedded.url("triage_keys"))
        for name in ("triage", "triage_keys"):
            await _create(embedded.url("postgres"), name)
        await _migrate(addresses)
        yield addresses
    finally:
        await asyncio.to_thread(embedded.stop)


async def _create(admin: str, name: str) -> None:
    connection = await hosts.connect(admin)
    try:
        await connection.execute(f'CREATE DATABASE "{name}"')
    except (asyncpg.DuplicateDatabaseError, asyncpg.UniqueViolationError):  # two processes at once: either
        pass
    finally:
        await connection.close()


async def _migrate(addresses: Addresses) -> None:
    """Bring both databases up to date; the key store's is made where it is missing."""
    for url, files, schema in ((addresses.owner, "migrations", "public"), (addresses.keys, "keys", KEYS_SCHEMA)):
        try:
            connection = await hosts.connect(url)
        except asyncpg.InvalidCatalogNameError:
            if schema != KEYS_SCHEMA:
                raise
            await _create(DatabaseUrl(addresses.owner), urlsplit(url).path[1:])
            connection = await hosts.connect(url)
        try:
            applied = await migrate(connection, folder("sql") / files, schema)
        finally:
            await connection.close()
        if applied:
            logger.info("migrated", files=applied)


@asynccontextmanager
async def open_service(settings: Settings) -> AsyncIterator[Service]:
    """Everything one process needs, open for the time of the block."""
    async with (
        databases(settings) as addresses,
        connect(addresses.service, settings.pool_size, settings.command_timeout_s) as database,
        connect(addresses.service, WRITERS, settings.command_timeout_s, kind=GenericPlans) as writers,
        connect(addresses.keys, 4, settings.command_timeout_s, role=None) as keys_database,
        httpx.AsyncClient() as http,
    ):
        settings.root_key_file.parent.mkdir(parents=True, exist_ok=True)
        root = await asyncio.to_thread(load_or_create_root, settings.root_key_file)
        keys = KeyStore(keys_database, root, settings.root_key_file)
        await keys.check()
        writer = Log(
            writers,
            keys,
            incident_limit=settings.incident_entries_limit,
            queue_limit=settings.queue_limit,
            notices=give_notices,
        )
        issuers = load_issuers(settings.oidc_issuers) if settings.oidc_issuers else ()
        providers = tuple(Provider(issuer, http) for issuer in issuers)
        writer.observe = metrics.observe_append
        yield Service(
            settings=settings,
            owner_url=addresses.owner,
            root=root,
            database=database,
            keys=keys,
            sign_in=SignIn(database, timedelta(days=settings.token_idle_days), Verifier(providers)),
            log=writer,
            incidents=Incidents(database, keys),
            quarantine=Quarantine(database, keys, settings.quarantine_limit),
            people=People(database, keys, root),
            journal=Journal(settings.journal),
            budget=Budget(settings.actor_requests_per_minute),
            clocks=PhoneClocks(database),
            providers=providers,
        )
        await writer.close()


def give_notices(
    item: IncomingEntry, received_at: datetime, target_held: bool | None, incident: Sequence[StoredEntry]
) -> tuple[Notice, ...]:
    """What the author of an entry is told, from what she may see of the incident."""
    return notices(
        item.entry,
        received_at=received_at,
        skew_ms=item.skew_ms,
        target_held=target_held,
        others=_visible(incident, item.actor),
        identifiers=likely_identifiers,
    )


def _visible(incident: Sequence[StoredEntry], actor: Actor) -> Iterator[StoredEntry]:
    """Redacted only when somebody looks, which most notices do not."""
    yield from redact(incident, audience_of(actor))


Opened = Callable[[Service], AbstractAsyncContextManager[None]]
"""What else runs while the service is open: the jobs, and in the demo what fills it."""


def application(settings: Settings, beside: Opened | None = None) -> ASGIApp:
    """The whole service as one ASGI application; it opens with its lifespan and closes with it."""

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        async with open_service(settings) as service:
            app.state.service = service
            try:
                async with beside(service) if beside else nullcontext():
                    yield
            finally:
                await audit.extend_chain(service.database)  # the last process that ends leaves nothing unchained

    app = build(settings, lifespan=[lifespan], pages=(pages.router, phone.router))
    return Envelope(app, metrics.observe, https=settings.public_url.startswith("https:"))

"""The databases of an installation: where they are, whether they fit this program, and the embedded server's life."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import asyncpg

from triage import codes
from triage.embedded import EmbeddedPostgres
from triage.errors import OperatorError
from triage.migrate import MigrationError, migrate, pending
from triage.resources import folder
from triage.settings import Settings
from triage.store import hosts
from triage.store.journal import Journal
from triage.store.recovery.history import join

logger = logging.getLogger(__name__)

KEYS_SCHEMA: Final = "keystore"
EMBEDDED_NAMES: Final = ("triage", "triage_keys")
_FILES: Final = {"public": "migrations", KEYS_SCHEMA: "keys"}


class CodeListsError(OperatorError):
    """An owner's code lists cannot be put in force; the message says why."""


class DatabasesError(OperatorError):
    """A database is missing, or does not fit this program; the message says which, and what to do."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the databases are: the service's login, the key store's, and the owner's where this process has it."""

    service: str
    keys: str
    owner_if_known: str | None

    @property
    def owner(self) -> str:
        """The login that owns the tables. Raises DatabasesError where this process was not given it."""
        return require_owner(self.owner_if_known)


def require_owner(url: str | None) -> str:
    """The owner's address. Raises DatabasesError where there is none."""
    if url is None:
        raise DatabasesError("this needs the login that owns the tables: set TRIAGE_OWNER_DATABASE_URL")
    return url


@asynccontextmanager
async def databases(settings: Settings, *, create: bool = False, migrating: bool = False) -> AsyncIterator[Addresses]:
    """The databases of the settings; the embedded server runs for the time of the block.

    With them the owner's code lists come into force, on which depends what entries add up to. Only with `create` is a
    missing database made, only with `migrating` is one brought up to this program. Raises DatabasesError,
    EmbeddedPostgresError, MigrationError, or what a server out of reach raises.
    """
    _put_code_lists_in_force(settings)
    if settings.database_url is not None:
        assert settings.keys_database_url
        addresses = Addresses(settings.database_url, settings.keys_database_url, settings.owner_database_url)
        await _prepare(addresses, create, migrating)
        yield addresses
        return
    embedded = EmbeddedPostgres(settings.data_dir)
    if not create and not embedded.exists:
        raise DatabasesError(
            f"{settings.data_dir} holds no database: name another directory, set TRIAGE_DATABASE_URL, or make one with "
            "`triage migrate --create`"
        )
    async with _running(embedded):
        urls = [embedded.url(name) for name in EMBEDDED_NAMES]
        addresses = Addresses(urls[0], settings.keys_database_url or urls[1], urls[0])
        await _prepare(addresses, create, migrating)
        yield addresses


@asynccontextmanager
async def _running(embedded: EmbeddedPostgres) -> AsyncIterator[None]:
    """Whoever is cancelled while the server starts waits for it, and stops it."""
    starting = asyncio.create_task(asyncio.to_thread(embedded.start))
    try:
        await asyncio.shield(starting)
        yield
    finally:
        await asyncio.wait({starting})
        if starting.exception() is None:
            await asyncio.to_thread(embedded.stop)


def _put_code_lists_in_force(settings: Settings) -> None:
    if settings.code_lists is not None:
        try:
            codes.load(settings.code_lists)
        except (OSError, ValueError) as fault:
            raise CodeListsError(f"TRIAGE_CODE_LISTS: {fault}") from fault


async def _prepare(addresses: Addresses, create: bool, migrating: bool) -> None:
    if create:
        await asyncio.gather(_create(addresses.owner), _create(addresses.keys))
    # by the owner where it is known: what the login of the service lacks is for `triage check` to say
    for schema, url in (("public", addresses.owner_if_known or addresses.service), (KEYS_SCHEMA, addresses.keys)):
        if migrating:
            url = addresses.owner if schema == "public" else url
        async with _connection(url) as connection:
            await (_migrate if migrating else _check)(connection, schema)
    if migrating:
        await _join(addresses)


async def _join(addresses: Addresses) -> None:
    """Tie the two databases together: from the first migration on they belong to one installation."""
    async with _connection(addresses.owner) as connection:
        await join(connection, Journal.at(addresses.keys))


@asynccontextmanager
async def _connection(url: str) -> AsyncIterator[asyncpg.Connection]:
    try:
        async with hosts.connection(url) as connection:
            yield connection
    except asyncpg.InvalidCatalogNameError as error:
        name = urlsplit(url).path[1:]
        raise DatabasesError(
            f"there is no database {name!r}: check its address, or run `triage migrate --create`"
        ) from error


async def _create(url: str) -> None:
    """Make the database that the address leads to, where it is missing."""
    parts = urlsplit(url)
    async with hosts.connection(parts._replace(path="/postgres").geturl()) as connection:
        if not await connection.fetchval("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", parts.path[1:]):
            # of two processes at once either makes it
            with contextlib.suppress(asyncpg.DuplicateDatabaseError, asyncpg.UniqueViolationError):
                await connection.execute(f'CREATE DATABASE "{parts.path[1:]}"')


async def _migrate(connection: asyncpg.Connection, schema: str) -> None:
    if applied := await migrate(connection, folder("sql") / _FILES[schema], schema):
        logger.info("migrated", extra={"files": applied})


async def _check(connection: asyncpg.Connection, schema: str) -> None:
    try:
        waiting = await pending(connection, folder("sql") / _FILES[schema], schema)
    except MigrationError as error:
        raise DatabasesError(str(error)) from error
    if waiting:
        raise DatabasesError(f"the database lacks {waiting[0]} of this version: run `triage migrate`")

"""Forward-only migrations: numbered SQL files, each applied once, all pending ones in a single transaction.

A folder of files `0001_slug.sql`, `0002_slug.sql`, … belongs to one schema, whose table `schema_migration` remembers
what was applied. Any number of replicas may start at once: one applies, the others wait and find nothing left to do.

The release before must go on working while the new one takes over, so a file says by the line `-- breaks: no` that the
older program can live with it: such a program starts, and is ready, on a database that is newer than it.
"""

import hashlib
import re
from importlib.resources.abc import Traversable

import asyncpg
from asyncpg.pool import PoolConnectionProxy
from msgspec import Struct

from triage.errors import OperatorError

LOCK = 0x7472_6961_6765  # "triage": the key of the advisory lock
LOCK_TIMEOUT = "10s"  # for tables: an ALTER must not queue all traffic behind one long query

_NAME = re.compile(r"([0-9]{4})_[a-z0-9_]+\.sql")
_BREAKS = re.compile(r"^-- breaks: (yes|no)$", re.MULTILINE)
_OPAQUE = re.compile(r"(\$\w*\$).*?\1|'[^']*'|--[^\n]*|/\*.*?\*/", re.DOTALL)  # function bodies, texts, comments
_TRANSACTION_CONTROL = re.compile(
    r"\s*(begin|start\s+transaction|commit|end|rollback|abort|prepare\s+transaction)\b", re.IGNORECASE
)
_TABLE = """CREATE TABLE IF NOT EXISTS schema_migration (
  version int PRIMARY KEY,
  name text NOT NULL,
  sha256 bytea NOT NULL,
  breaks boolean NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT now(),
  applied_by text NOT NULL DEFAULT current_user
)"""


class MigrationError(OperatorError):
    """The files and the database do not fit together, or a file failed; nothing was applied."""


class Migration(Struct, frozen=True):
    version: int
    name: str
    sql: str
    sha256: bytes
    breaks: bool
    """Whether a program that does not know this migration cannot work with what it makes."""


def load(folder: Traversable) -> list[Migration]:
    """The migrations of a folder in order, numbered from 1 without gaps. Raises MigrationError."""
    migrations = [_read(file) for file in sorted(folder.iterdir(), key=lambda file: file.name)]
    if [migration.version for migration in migrations] != list(range(1, len(migrations) + 1)):
        raise MigrationError("migrations are numbered 0001, 0002, … without gaps or repeats")
    return migrations


async def migrate(conn: asyncpg.Connection, folder: Traversable, schema: str = "public") -> list[str]:
    """Bring `schema` up to the files of `folder` and return the names of those applied now.

    Names without a schema in the files mean `schema`, which is created where it is missing. Raises MigrationError when
    an applied file was changed, renamed or removed, when the database is newer than this program and breaks it, or when
    a file fails.
    """
    migrations = load(folder)
    async with conn.transaction():
        await conn.execute(
            """SELECT set_config('idle_in_transaction_session_timeout', '0', true),
                      set_config('statement_timeout', '0', true), set_config('lock_timeout', '0', true)"""
        )
        # held by the transaction, not the session: gone with it even behind a connection pooler
        await conn.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
        await conn.execute("SELECT set_config('lock_timeout', $1, true)", LOCK_TIMEOUT)
        if not await conn.fetchval("SELECT to_regnamespace(quote_ident($1)) IS NOT NULL", schema):
            await conn.execute(await conn.fetchval("SELECT format('CREATE SCHEMA %I', $1::text)", schema))
        await conn.execute("SELECT set_config('search_path', quote_ident($1), true)", schema)
        await conn.execute(_TABLE)
        remaining = _remaining(migrations, await conn.fetch("SELECT * FROM schema_migration ORDER BY version"))
        for migration in remaining:
            await _apply(conn, migration)
    return [migration.name for migration in remaining]


async def pending(
    conn: asyncpg.Connection | PoolConnectionProxy, folder: Traversable, schema: str = "public"
) -> list[str]:
    """Names of the files not applied yet, without applying them. Raises MigrationError as `migrate` does."""
    table = await conn.fetchval("SELECT to_regclass(format('%I.schema_migration', $1::text))::text", schema)
    applied = await conn.fetch(f"SELECT * FROM {table} ORDER BY version") if table else []
    return [migration.name for migration in _remaining(load(folder), applied)]


def _read(file: Traversable) -> Migration:
    name = _NAME.fullmatch(file.name)
    if not name:
        raise MigrationError(f"{file.name}: a migration is named like 0001_what_it_does.sql")
    sql = file.read_text("utf-8").replace("\r\n", "\n")
    if any(map(_TRANSACTION_CONTROL.match, _OPAQUE.sub(" ", sql).split(";"))):
        raise MigrationError(f"{file.name}: BEGIN, COMMIT and ROLLBACK would end the one transaction half-way")
    said = _BREAKS.search(sql)
    return Migration(
        int(name[1]), file.name, sql, hashlib.sha256(sql.encode()).digest(), said is None or said[1] == "yes"
    )


def _remaining(migrations: list[Migration], applied: list[asyncpg.Record]) -> list[Migration]:
    for migration, row in zip(migrations, applied, strict=False):
        if (migration.version, migration.name, migration.sha256) != (row["version"], row["name"], row["sha256"]):
            raise MigrationError(f"{migration.name} differs from the file applied as {row['name']}")
    for newer in applied[len(migrations) :]:
        if newer["breaks"]:
            raise MigrationError(f"the database is newer than this program: it has {newer['name']}")
    return migrations[len(applied) :]


async def _apply(conn: asyncpg.Connection, migration: Migration) -> None:
    try:
        await conn.execute(migration.sql)
    except asyncpg.PostgresError as error:
        raise MigrationError(f"{migration.name}: {error}") from error
    await conn.execute(
        "INSERT INTO schema_migration (version, name, sha256, breaks) VALUES ($1, $2, $3, $4)",
        migration.version,
        migration.name,
        migration.sha256,
        migration.breaks,
    )

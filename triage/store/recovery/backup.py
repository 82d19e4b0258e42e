"""Backups with PostgreSQL's own programs, and their restoring beside the running database."""

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit
from uuid import UUID

from triage.embedded import WHEELS
from triage.errors import OperatorError
from triage.store import hosts
from triage.store.recovery.history import Installation

KEYS_SCHEMA = "keystore"
UNFINISHED: Final = ".part"
"""The ending of a backup that is being written, or was when its process died."""
_COPIED = re.compile(r"^COPY public\.installation \((?P<columns>[^)]+)\) FROM stdin;\n(?P<values>.+)$", re.MULTILINE)


class BackupFault(OperatorError):
    """A backup could not be made or restored; the message holds no password."""


def find_program(name: str) -> str:
    """The path of `pg_dump` or `pg_restore`: TRIAGE_PG_BIN, the embedded server's, or PATH. Raises BackupFault."""
    if chosen := os.environ.get("TRIAGE_PG_BIN"):
        return str(Path(chosen, name))
    for module, inside in WHEELS:
        spec = importlib.util.find_spec(module)
        if spec and spec.origin and (path := Path(spec.origin).parent / inside / name).exists():
            return str(path)
    if executable := shutil.which(name):
        return executable
    raise BackupFault(f"no {name}: set TRIAGE_PG_BIN, or install PostgreSQL's client programs")


def dump(url: str, file: Path, keys: bool) -> None:
    """Write the main database without the key store, or the key store alone. The file is its owner's only.

    It appears under its name only when it is whole. Raises BackupFault.
    """
    unfinished = file.with_name(file.name + UNFINISHED)
    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.close(handle)
    which = f"--schema={KEYS_SCHEMA}" if keys else f"--exclude-schema={KEYS_SCHEMA}"
    try:
        _run("pg_dump", url, "--format=custom", "--no-owner", which, f"--file={unfinished}")
    except BackupFault:
        unfinished.unlink(missing_ok=True)
        raise
    unfinished.replace(file)


def read_installation(file: Path) -> Installation:
    """The installation that a backup was made of. Raises BackupFault for a file that is no such backup."""
    done = subprocess.run(
        [find_program("pg_restore"), "--data-only", "--table=installation", "--schema=public", "--file=-", str(file)],
        capture_output=True,
        text=True,
        errors="replace",
    )
    if done.returncode:
        raise BackupFault(f"{file} is no whole backup: {done.stderr.strip()[-500:]}")
    row = _COPIED.search(done.stdout)
    if row is None:
        raise BackupFault(f"{file} is no backup of the main database: it does not say of which installation")
    values = dict(zip(row["columns"].split(", "), row["values"].split("\t"), strict=True))
    known = {name: None if value == "\\N" else value for name, value in values.items()}
    return Installation(
        UUID(values["id"]),
        UUID(values["epoch"]),
        _bytes(known["root_fingerprint"]),
        int(known["journal_n"]) if known["journal_n"] else None,
        _bytes(known["journal_digest"]),
    )


def _bytes(copied: str | None) -> bytes | None:
    """A bytea as COPY writes it: its backslash doubled, then hex."""
    return bytes.fromhex(copied.removeprefix("\\\\x")) if copied else None


def load(url: str, file: Path) -> None:
    """Restore a backup into an empty database. Raises BackupFault."""
    _run("pg_restore", url, "--exit-on-error", "--no-owner", "--single-transaction", str(file))


def _run(name: str, url: str, *options: str) -> None:
    """Run a program on a database; the password goes by the environment, where no process list shows it."""
    parts = urlsplit(url)
    environ = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
    if parts.password:
        environ["PGPASSWORD"] = unquote(parts.password)
        user, _, hosts = parts.netloc.rpartition("@")
        parts = parts._replace(netloc=f"{user.split(':')[0]}@{hosts}")
    done = subprocess.run(
        [find_program(name), f"--dbname={parts.geturl()}", *options], env=environ, capture_output=True, text=True
    )
    if done.returncode:
        raise BackupFault(f"{name} failed: {done.stderr.strip()[-2000:]}")


def database_name(url: str) -> str:
    """The name of the database an address leads to."""
    return unquote(urlsplit(url).path[1:])


def with_database(url: str, database: str) -> str:
    """The address of another database of the same server."""
    return urlsplit(url)._replace(path=f"/{database}").geturl()


async def create(url: str, database: str) -> None:
    """An empty database on the server of this address."""
    await execute_as_admin(url, f'CREATE DATABASE "{database}" TEMPLATE template0')


async def drop(url: str, database: str) -> None:
    """Remove a database, whoever is connected."""
    await execute_as_admin(url, f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')


async def swap(url: str, restored: str, aside: str) -> None:
    """Put the restored database in the place of the one this address leads to, which is kept under another name."""
    name = database_name(url)
    async with hosts.connection(with_database(url, "postgres")) as connection:
        await connection.execute(f'ALTER DATABASE "{name}" WITH ALLOW_CONNECTIONS false')
        await connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
        await connection.execute(f'ALTER DATABASE "{name}" RENAME TO "{aside}"')  # waits for sessions that end
        await connection.execute(f'ALTER DATABASE "{restored}" RENAME TO "{name}"')


async def execute_as_admin(url: str, statement: str) -> None:
    """Run a statement about databases from outside of them."""
    async with hosts.connection(with_database(url, "postgres")) as connection:
        await connection.execute(statement)

"""`triage check`: what of an installation is wrong, in plain words, before anything is started."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Final

import asyncpg
import click

from triage.commands.database import Databases, with_databases
from triage.commands.output import show_table
from triage.errors import OperatorError
from triage.store.database import UNREACHABLE, connect
from triage.store.journal import exported_until
from triage.store.logins import DatabaseLogin, read_login, read_replica
from triage.store.recovery.history import Installation, check_joined, read_installation

MOST_SKEW_S: Final = 2.0
MOST_LAG_S: Final = 60.0
"""How far a replica may be behind: an alert tells of more by bytes."""


@with_databases
async def check(databases: Databases, as_json: bool) -> None:
    """The work of `triage check`."""
    findings = [("wrong" if serious else "note", line) async for serious, line in _findings(databases)]
    if as_json:
        show_table(("severity", "finding"), findings, as_json)
    for severity, line in () if as_json else findings:
        click.echo(f"{severity}: {line}")
    if wrong := sum(severity == "wrong" for severity, _ in findings):
        raise click.ClickException(f"things that are wrong: {wrong}")
    if not as_json:
        click.echo("nothing is wrong")


async def _findings(databases: Databases) -> AsyncIterator[tuple[bool, str]]:
    """Each finding, with whether it is wrong or only worth a note."""
    addresses, chosen = databases.addresses, databases.settings
    service, owner, keys = [await read_login(url) for url in (addresses.service, addresses.owner, addresses.keys)]
    if chosen.database_url is None:
        yield False, "the embedded database is for development and demos"
    else:
        for finding in _login_findings(service, owner, keys):
            yield finding
    async for finding in _histories(databases):
        yield finding
    if chosen.read_url is not None:
        async for finding in _replica_findings(chosen.read_url, addresses.service, service):
            yield finding
    if abs((service.at - datetime.now(UTC)).total_seconds()) > MOST_SKEW_S:
        yield True, "the clocks of this machine and of the database differ by over two seconds"
    if not service.synchronous_standbys:
        yield chosen.require_synchronous, "the database is on one machine only: synchronous_standby_names is empty"
    if service.synchronous_commit in ("off", "local"):
        yield True, f"synchronous_commit is {service.synchronous_commit}: what is acknowledged may be lost"
    if service.archiving == "off":
        yield False, "archive_mode is off: there is no going back to a point in time"
    if chosen.public_url.startswith("https:") and not str(chosen.trusted_proxies):
        yield (
            True,
            "the public address is https, and TRIAGE_TRUSTED_PROXIES names no proxy: all share one address limit",
        )


def _login_findings(service: DatabaseLogin, owner: DatabaseLogin, keys: DatabaseLogin) -> Iterator[tuple[bool, str]]:
    if service.superuser or service.owns_tables:
        yield True, f"the service's login {service.name} owns tables or is a superuser: it needs its own"
    if service.missing_roles:
        yield True, f"GRANT {', '.join(service.missing_roles)} TO {service.name} is missing"
    if not owner.owns_tables:
        yield True, f"the owner's login {owner.name} does not own the tables: set TRIAGE_OWNER_DATABASE_URL"
    if owner.superuser:
        yield False, f"the owner's login {owner.name} is a superuser, which it need not be"
    if not owner.may_restore:
        yield True, f"{owner.name} cannot restore: it needs CREATEDB, BYPASSRLS and pg_signal_backend"
    if keys.system == service.system:
        yield True, "the key store lies in the main database's cluster: every backup of that holds its keys"
    for login in (service, owner, keys):
        if login.listens_beyond and not login.encrypted:
            yield False, f"the connection of {login.name} is not encrypted"


async def _replica_findings(url: str, service_url: str, service: DatabaseLogin) -> AsyncIterator[tuple[bool, str]]:
    """Whether what TRIAGE_READ_URL names is a copy of the database that may be read and nothing else."""
    try:
        login, state = await read_login(url), await read_replica(url, service_url)
        here, there = await _installation(service_url), await _installation(url)
    except (*UNREACHABLE, asyncpg.PostgresError, OperatorError) as error:
        yield True, f"TRIAGE_READ_URL: the replica cannot be read: {type(error).__name__}: {error}"
        return
    if login.system != service.system:
        yield True, "TRIAGE_READ_URL names a server that is no copy of the database's"
    elif not state.recovering:
        yield True, "TRIAGE_READ_URL names a server that follows none: it can be written to"
    if login.superuser or login.owns_tables:
        yield True, f"the replica's login {login.name} owns tables or is a superuser: give it the service's"
    if login.missing_roles:
        yield True, f"the replica's login {login.name} lacks {', '.join(login.missing_roles)}"
    if there.id != here.id:
        yield True, "TRIAGE_READ_URL names the database of another installation"
    elif there.epoch != here.epoch:
        yield True, "the replica holds another history of the log than the database"
    if state.behind_s:
        yield state.behind_s > MOST_LAG_S, f"the replica is {state.behind_s:.0f} s behind"
    if state.recovering and not state.holds_back_cleaning:
        yield False, "hot_standby_feedback of the replica is off: a long reading is cut off and done by the database"


async def _installation(url: str) -> Installation:
    async with connect(url, 1, 10.0) as database, database.no_team() as connection:
        return await read_installation(connection)


async def _histories(databases: Databases) -> AsyncIterator[tuple[bool, str]]:
    journal = databases.journal
    try:
        async with databases.keys():
            pass
        async with connect(databases.addresses.service, 1, 10.0) as database, database.no_team() as connection:
            await check_joined(connection, journal)
    except (OperatorError, asyncpg.PostgresError) as error:
        yield True, str(error)
    mark = await journal.mark()
    exported = exported_until(databases.settings.journal)
    if mark and exported > mark.n:
        yield True, "the exported journal knows more than the key store: run `triage keys forget`"
    elif mark and exported < mark.n:
        yield False, f"the exported journal lacks {mark.n - exported} lines; a running service exports it each hour"

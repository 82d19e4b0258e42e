"""A real PostgreSQL for every test that needs one: one cluster per pytest process, one migrated template, clones of it.

As in production there are three logins, none of them a superuser: the owner of the tables, the service's, which owns
nothing, and the key store's. The address of a database in a test is the owner's; `support.logins` gives the others.

TRIAGE_TEST_DATABASE_URL, the address of the `postgres` database of a server, is used instead of an embedded server
where it is set; TRIAGE_PG_BIN chooses the binaries of the embedded one.
"""

import contextlib
import gc
import itertools
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import hypothesis
import pytest
import pytest_asyncio
from support.attacked_team import AttackedTeam, add_attacked_team
from support.cast import Clone
from support.export_team import (
    FIRST_QUARTER,
    QUARTER,
    ExportTeam,
    SeededLog,
    add_export_team,
    half_a_year,
    named,
    write_root,
)
from support.installation import InstalledService
from support.logins import KEYS, OWNER, SERVICE, as_login
from support.phones import Crew, RunningService, running_service

from triage import logs
from triage.embedded import EmbeddedPostgres
from triage.migrate import LOCK, migrate
from triage.resources import folder
from triage.store.journal import Journal
from triage.store.recovery.history import join

logs.configure("error")

gc.set_threshold(20_000, 20, 50)  # as `triage serve` has it: a look for cycles every 700 objects costs a tenth
hypothesis.settings.register_profile("triage", deadline=None)  # the machine is shared; time is measured elsewhere
hypothesis.settings.load_profile("triage")

BROWSER_INSTALLED = (
    find_spec("playwright") is not None and shutil.which("chromium") is not None and shutil.which("npm") is not None
)
IN_A_BROWSER = [
    "browser/test_in_chromium.py",
    "browser/test_demo_pages.py",
    "browser/test_demo_reports.py",
    *(
        f"phone/test_{name}.py"
        for name in ("at_rest", "corrections", "lock", "outbox", "recording", "releases", "screens", "team")
    ),
]
IN_NODE = ["phone/test_scripts.py"]
MOUNTING = ["trust/test_full_disk.py"]
BEHIND_NGINX = ["test_proxy.py"]
collect_ignore = [
    *(() if BROWSER_INSTALLED else IN_A_BROWSER),
    *(() if shutil.which("node") else IN_NODE),
    *(() if os.geteuid() == 0 else MOUNTING),
    *(
        ()
        if shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin") and shutil.which("openssl")
        else BEHIND_NGINX
    ),
]
pytest_plugins = ["support.standby", *(["support.handset"] if BROWSER_INSTALLED else [])]

MEMORY = Path("/dev/shm")

_numbers = itertools.count(1)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Tests that use a server carry the mark `database`, so that CI can run them on another PostgreSQL too."""
    if "server" in getattr(item, "fixturenames", ()):
        item.add_marker("database")


@contextlib.contextmanager
def _open_directory(parent: Path | None = None) -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="triage-test-", dir=parent))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path)


@contextlib.asynccontextmanager
async def _connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


@contextlib.asynccontextmanager
async def _database(server: str, template: str) -> AsyncIterator[str]:
    """The owner's address of a new database, dropped afterwards even while somebody is connected."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    async with _connected(server) as admin:
        await admin.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy OWNER {OWNER}")
        try:
            yield as_login(urlsplit(server)._replace(path=f"/{name}").geturl(), OWNER)
        finally:
            await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def open_dir() -> Iterator[Path]:
    """A directory that the account `nobody` can reach, which pytest's own cannot be when root runs the tests."""
    with _open_directory() as path:
        yield path


@pytest_asyncio.fixture(scope="session")
async def server(_bare_server: str) -> str:
    """A superuser's address of the `postgres` database of a server that has the three logins."""
    async with _connected(_bare_server) as admin:
        await admin.execute("SELECT pg_advisory_lock($1)", LOCK)  # a server may be shared by all processes
        for login, rights in ((OWNER, "CREATEDB CREATEROLE BYPASSRLS"), (SERVICE, ""), (KEYS, "")):
            if not await admin.fetchval("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", login):
                await admin.execute(f"CREATE ROLE {login} LOGIN {rights}")
        await admin.execute(f"GRANT pg_signal_backend TO {OWNER}")  # a restore ends the sessions of what it replaces
    return _bare_server


@pytest.fixture(scope="session")
def _bare_server() -> Iterator[str]:
    if given := os.environ.get("TRIAGE_TEST_DATABASE_URL"):
        yield given
        return
    # Each database that is dropped frees a thousand inodes, and while they are fresh ext4 searches long for others.
    in_memory = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > 2 * 1024**3
    with _open_directory(MEMORY if in_memory else None) as data_dir:
        embedded = EmbeddedPostgres(data_dir, durable=False)
        try:
            yield embedded.start()
        finally:
            embedded.stop()


@pytest_asyncio.fixture(scope="session")
async def template(server: str) -> AsyncIterator[str]:
    """The name of a database with both sets of migrations: the main one, and the key store's in `keystore`."""
    async with _database(server, "template0") as url:
        name = urlsplit(url).path[1:]
        async with _connected(server) as admin, _connected(url) as owner, _connected(as_login(url, KEYS)) as keys:
            await admin.execute("SELECT pg_advisory_lock($1)", LOCK)  # roles belong to the server all processes share
            await migrate(owner, folder("sql") / "migrations")
            await admin.execute(f"GRANT triage_service, triage_auditor, triage_sealer TO {SERVICE}")
            await admin.execute(f"GRANT CREATE ON DATABASE {name} TO {KEYS}")
            await migrate(keys, folder("sql") / "keys", "keystore")
            await join(owner, Journal.at(as_login(url, KEYS)))
        yield name  # nobody may be connected to a template


@pytest_asyncio.fixture
async def db_url(server: str, template: str) -> AsyncIterator[str]:
    """The address of a private migrated database, for what commits or connects more than once."""
    async with _database(server, template) as url:
        yield url


@pytest_asyncio.fixture
async def empty_db_url(server: str) -> AsyncIterator[str]:
    """The address of a private database with nothing in it."""
    async with _database(server, "template0") as url:
        yield url


@pytest_asyncio.fixture
async def empty_urls(server: str) -> AsyncIterator[tuple[str, str]]:
    """The owner's addresses of two empty databases, for programs that migrate them: main and key store."""
    async with _database(server, "template0") as main_url, _database(server, "template0") as keys_url:
        async with _connected(server) as admin:
            await admin.execute(f"GRANT CREATE ON DATABASE {urlsplit(keys_url).path[1:]} TO {KEYS}")
        yield main_url, keys_url


@pytest_asyncio.fixture(scope="session")
async def _shared_url(server: str, template: str) -> AsyncIterator[str]:
    async with _database(server, template) as url:
        yield url


@pytest_asyncio.fixture
async def conn(_shared_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to a migrated database, in a transaction that is rolled back afterwards."""
    async with _connected(_shared_url) as connection:
        transaction = connection.transaction()
        await transaction.start()
        yield connection
        await transaction.rollback()


@pytest_asyncio.fixture
async def keys_conn(_shared_url: str) -> AsyncIterator[asyncpg.Connection]:
    """As `conn`, for the login of the key store."""
    async with _connected(as_login(_shared_url, KEYS)) as connection:
        yield connection


@pytest_asyncio.fixture(scope="session")
async def service(
    server: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[RunningService]:
    """The service in this process, shared by all tests: each has a team of its own in it."""
    async with _database(server, template) as url, running_service(url, tmp_path_factory.mktemp("service")) as opened:
        yield opened
        await opened.service.history.check()  # no test leaves a log that another service would refuse to open


@pytest_asyncio.fixture(scope="session")
async def another(service: RunningService) -> AsyncIterator[RunningService]:
    """A second process of the same service, which remembers other things; its address may try to enrol less often."""
    async with running_service(
        service.url, service.service.settings.data_dir, "203.0.113.9", enrol_attempts_per_hour=3, quarantine_limit=3
    ) as opened:
        yield opened


@pytest_asyncio.fixture
async def crew(service: RunningService) -> Crew:
    """A team of its own, with everybody in it."""
    return await service.enrol_crew()


@pytest_asyncio.fixture
async def installation(server: str, template: str, tmp_path: Path) -> AsyncIterator[InstalledService]:
    """A service of its own, for what changes more than a team; its keys lie in another database."""
    async with _database(server, template) as url, _database(server, template) as keys_url:
        async with running_service(url, tmp_path, keys_database_url=as_login(keys_url, KEYS)) as process:
            yield InstalledService(process, await process.enrol_crew(), as_login(keys_url, KEYS), tmp_path)


@pytest_asyncio.fixture
async def other_crew(service: RunningService) -> Crew:
    """Another team."""
    return await service.enrol_crew()


@pytest_asyncio.fixture(scope="session")
async def seeded(server: str, template: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SeededLog]:
    """A synthetic half-year in a log, put there once."""
    data_dir = tmp_path_factory.mktemp("seeded")
    write_root(data_dir / "root.key")
    async with _database(server, template) as url:
        async with running_service(url, data_dir) as opened:
            team = await add_export_team(opened)
            await team.report(half_a_year())
        yield SeededLog(urlsplit(url).path[1:], data_dir, team.team_id)


@pytest.fixture(scope="session")
def clone(server: str) -> Callable[[str], AbstractAsyncContextManager[str]]:
    """Makes a copy of a database, for tests that share one among them."""
    return partial(_database, server)


@pytest_asyncio.fixture(scope="session")
async def after_quarter(seeded: SeededLog, clone: Clone) -> AsyncIterator[SeededLog]:
    """The seeded team after its first quarter was cut, with a partner of each kind: to be copied."""
    async with clone(seeded.template) as url:
        async with running_service(url, seeded.data_dir) as opened:
            team = ExportTeam(opened, seeded.team_id)
            for body in ("other", "police"):
                await team.partner(body)
            assert [name for name in named(await team.release(QUARTER)) if name.endswith("/1")] == FIRST_QUARTER
        yield SeededLog(urlsplit(url).path[1:], seeded.data_dir, seeded.team_id)


@pytest_asyncio.fixture
async def released(after_quarter: SeededLog, clone: Clone) -> AsyncIterator[ExportTeam]:
    """Such a team in a database of its own."""
    async with clone(after_quarter.template) as url, running_service(url, after_quarter.data_dir) as opened:
        yield ExportTeam(opened, after_quarter.team_id)


@pytest_asyncio.fixture(scope="session")
async def besieged(
    server: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Callable[[str], Awaitable[AttackedTeam]]]:
    """Teams under attack by name, each filled when it is first asked for."""
    data_dir = tmp_path_factory.mktemp("besieged")
    write_root(data_dir / "root.key")
    teams: dict[str, AttackedTeam] = {}
    async with _database(server, template) as url, running_service(url, data_dir) as opened:

        async def named(name: str) -> AttackedTeam:
            if name not in teams:
                teams[name] = await add_attacked_team(opened, name)
            return teams[name]

        yield named


@pytest_asyncio.fixture
async def exporting(server: str, seeded: SeededLog, tmp_path: Path) -> AsyncIterator[ExportTeam]:
    """The seeded team in a database of its own, nothing cut yet."""
    async with _database(server, seeded.template) as url:
        # the journal remembers what this copy did and no other
        async with running_service(url, seeded.data_dir, journal=tmp_path / "journal") as opened:
            yield ExportTeam(opened, seeded.team_id)

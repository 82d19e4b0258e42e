"""Something to measure: `triage serve` in a process of its own, on a durable PostgreSQL of its own."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
from load import LoadResult, run
from msgspec import Struct
from pgbench import cpu_seconds, postmaster

from triage.access.actors import new_token
from triage.commands.demo_data import OFFICE_STAFF, TEAM, add_member, device_id
from triage.demo import CAST
from triage.embedded import EmbeddedPostgres
from triage.store.access import devices, staff, teams
from triage.store.access.staff import NewStaff

MIB = 1024 * 1024


class Running(Struct, frozen=True):
    """A served, empty team with a token for each of the cast, and an officer's token of each of the other teams."""

    host: str
    port: int
    pid: int
    url: str
    tokens: dict[str, str]
    officers: tuple[str, ...]


@contextmanager
def scratch() -> Iterator[Path]:
    """A directory that the database's account can reach, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="triage-bench-") as folder:
        path = Path(folder)
        path.chmod(0o755)
        yield path


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def database(data_dir: Path, name: str) -> AsyncIterator[str]:
    """The address of an empty database on a durable server in the directory."""
    embedded = EmbeddedPostgres(data_dir)
    admin = await asyncio.to_thread(embedded.start)
    try:
        connection = await asyncpg.connect(admin)
        await connection.execute(f"CREATE DATABASE {name}")
        await connection.close()
        yield embedded.url(name)
    finally:
        await asyncio.to_thread(embedded.stop)


@asynccontextmanager
async def serving(data_dir: Path, other_teams: int = 0) -> AsyncIterator[Running]:
    """The demo's cast in one team and an officer in each of the others, served by one process."""
    async with database(data_dir, "triage") as url:
        environ = environment(url, data_dir)
        migrate = [sys.executable, "-m", "triage", "migrate", "--create"]
        subprocess.run(migrate, env=environ, check=True, capture_output=True)
        tokens = await _cast(url)
        officers = [await _team_of_one(url) for _ in range(other_teams)]
        command = [sys.executable, "-m", "triage", "serve"]
        with (data_dir / "log").open("w") as log:
            process = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=log)
            try:
                await until_listening(int(environ["TRIAGE_PORT"]), process)
                port = int(environ["TRIAGE_PORT"])
                yield Running("127.0.0.1", port, process.pid, url, tokens, tuple(officers))
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(20)


def environment(url: str, data_dir: Path) -> dict[str, str]:
    """Settings of the process under load: one phone stands for thirty-two, so nobody has a budget."""
    return dict(os.environ) | {
        "TRIAGE_DATABASE_URL": url,
        "TRIAGE_PORT": str(free_port()),
        "TRIAGE_DATA_DIR": str(data_dir),
        "TRIAGE_ACTOR_REQUESTS_PER_MINUTE": "10000000",
    }


async def _cast(url: str) -> dict[str, str]:
    tokens = {}
    async with staff.as_owner(url, TEAM) as connection:
        await _add_team(connection, TEAM)
        for member in (*CAST.members, *OFFICE_STAFF):
            await add_member(connection, member)
            tokens[member.key] = await _token(connection, TEAM, device_id(member.key, 0))
    return tokens


async def _team_of_one(url: str) -> str:
    team_id, staff_id, phone = uuid4(), uuid4(), uuid4()
    async with staff.as_owner(url, team_id) as connection:
        await _add_team(connection, team_id)
        officer = NewStaff(staff_id=staff_id, name="PC Bench", role="officer", profession="police")
        await staff.add_staff(connection, team_id, officer)
        await devices.add_device(connection, team_id, phone, staff_id, "phone")
        return await _token(connection, team_id, phone)


async def _add_team(connection: asyncpg.Connection, team_id: UUID) -> None:
    now = datetime.now(UTC)
    await teams.add_team(connection, team_id, f"Bench {team_id}", now.date(), now, "Europe/London", 6)


async def _token(connection: asyncpg.Connection, team_id: UUID, phone: UUID) -> str:
    token = new_token()
    await devices.add_token(connection, token, team_id, device_id=phone)
    return token


async def until_listening(port: int, process: subprocess.Popen[bytes], seconds: float = 60) -> None:
    """Wait until the process accepts a connection. Raises RuntimeError when it ends, or does not in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError("the service ended")
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        except OSError:
            await asyncio.sleep(0.02)
    raise RuntimeError("the service does not listen")


async def measure(
    running: Running, requests: Iterator[bytes], clients: int, seconds: float
) -> tuple[LoadResult, float]:
    """The load, and processor seconds of service and PostgreSQL together. Raises RuntimeError when requests failed."""
    connection = await asyncpg.connect(running.url)
    server = await postmaster(connection)
    await connection.close()
    before = cpu_seconds(running.pid, server)
    load = await run(running.host, running.port, requests, clients, seconds)
    used = cpu_seconds(running.pid, server) - before
    require(load)
    return load, used


def require(load: LoadResult) -> None:
    """A figure counts only when nearly all that was asked succeeded. Raises RuntimeError otherwise."""
    good = sum(n for status, n in load.statuses.items() if status in (200, 201))
    if good < 0.99 * load.requests or not load.requests:
        raise RuntimeError(f"answers: {load.statuses}")


def resident(pid: int) -> float:
    """MiB of memory that a process holds now."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MIB

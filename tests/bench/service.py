"""The service against PostgreSQL alone, on one machine, one server and in one run: `uv run python tests/bench/service.py`.

Every figure is a ratio to a floor taken directly before and after. fsync and synchronous commit are on for both. The
load generator shares the two cores with what it measures, as pgbench does.
"""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from itertools import islice
from pathlib import Path
from statistics import mean
from uuid import UUID

import asyncpg
import uvloop
from load import Load, request, run
from msgspec import Struct
from pgbench import batched, cpu_seconds, postmaster, single
from rich.console import Console
from rich.table import Table

from triage.access.actors import new_token, token_hash
from triage.app import databases
from triage.commands.demo import OFFICE, TEAM, _add_member, device_id
from triage.demo import CAST, bulk
from triage.embedded import EmbeddedPostgres
from triage.settings import DatabaseUrl, Settings
from triage.store import staff
from triage.store.access import SQL as ACCESS

CLIENTS = 32
SYNC = 500
VOLUME = 1_400
"""Incidents a year: this team's. A denser log has more likely duplicates to suggest than any team could look at."""


class Running(Struct, frozen=True):
    """A served, empty team: where it is, and a token for each of the cast."""

    host: str
    port: int
    pid: int
    url: str
    tokens: dict[str, str]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def serving(data_dir: Path) -> AsyncIterator[Running]:
    """A durable server in the directory, migrated, with the demo's cast, and one `triage serve` process."""
    embedded = EmbeddedPostgres(data_dir)
    admin = await asyncio.to_thread(embedded.start)
    try:
        connection = await asyncpg.connect(admin)
        await connection.execute("CREATE DATABASE triage")
        await connection.close()
        url = embedded.url("triage")
        tokens = await _prepare(url, data_dir)
        port = _free_port()
        environ = dict(os.environ) | {
            "TRIAGE_DATABASE_URL": url,
            "TRIAGE_PORT": str(port),
            "TRIAGE_DATA_DIR": str(data_dir),
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "triage", "serve"], env=environ, stdout=subprocess.DEVNULL, stderr=(data_dir / "log").open("w")
        )
        try:
            await _until_ready(port, process)
            yield Running("127.0.0.1", port, process.pid, url, tokens)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)
    finally:
        await asyncio.to_thread(embedded.stop)


async def _prepare(url: str, data_dir: Path) -> dict[str, str]:
    async with databases(Settings(database_url=DatabaseUrl(url), data_dir=data_dir)):
        pass
    tokens = {}
    async with staff.as_owner(url, TEAM) as connection:
        await staff.add_team(connection, TEAM, "Bench", datetime.now(UTC).date(), datetime.now(UTC), "Europe/London", 6)
        for member in (*CAST.members, *OFFICE):
            await _add_member(connection, member)
            tokens[member.key] = new_token()
            await connection.execute(ACCESS.add_token, token_hash(tokens[member.key]), TEAM, device_id(member.key, 0), None)
    return tokens


async def _until_ready(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(400):
        if process.poll() is not None:
            raise RuntimeError("the service ended")
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        except OSError:
            await asyncio.sleep(0.05)
    raise RuntimeError("the service does not listen")


def entries(seed: int) -> Iterator[tuple[str, UUID, bytes]]:
    """Author, id and body of synthetic entries without end, no two alike."""
    for copy in bulk(VOLUME * 90, 90, seed=seed, starts=date(2001, 1, 1)):
        yield copy.author, copy.id, copy.body


def puts(running: Running, seed: int, n: int) -> Iterator[bytes]:
    made = [
        request("PUT", f"/v1/entries/{entry_id}", running.tokens[author], body)
        for author, entry_id, body in islice(entries(seed), n)
    ]
    return iter(made)


def syncs(running: Running, seed: int, n: int) -> Iterator[bytes]:
    """Syncs of new entries: one phone hands over what all the crew wrote (the kinds that any profession may send)."""
    anyone = ("outcome", "detention", "follow_up")
    rows = (e for e in bulk(VOLUME * 90, 90, seed=seed, starts=date(2001, 1, 1)) if e.kind in anyone or e.kind in ("officer", "intent"))
    made = []
    for _ in range(n):
        items = [b'{"id":"%s",%s' % (str(row.id).encode(), row.body[1:]) for row in islice(rows, SYNC)]
        body = b'{"cursor":null,"sent_at":"%s","entries":[%s]}' % (
            datetime.now(UTC).isoformat().encode(),
            b",".join(items),
        )
        made.append(request("POST", "/v1/sync", running.tokens["officer_1"], body))
    return iter(made)


async def measure(running: Running, requests: Iterator[bytes], clients: int, seconds: float) -> tuple[Load, float]:
    """The load, and the CPU seconds of service and PostgreSQL together."""
    connection = await asyncpg.connect(running.url)
    server = await postmaster(connection)
    await connection.close()
    before = cpu_seconds(running.pid, server)
    load = await run(running.host, running.port, requests, clients, seconds)
    return load, cpu_seconds(running.pid, server) - before


async def main(seconds: float) -> None:
    with tempfile.TemporaryDirectory(prefix="triage-bench-") as folder:
        data_dir = Path(folder)
        data_dir.chmod(0o755)
        async with serving(data_dir) as running:
            await run(running.host, running.port, puts(running, 1, 2000), CLIENTS, 30)
            ready = puts(running, 2, int(8000 * seconds))
            floor = [await single(running.url, int(seconds), CLIENTS)]
            load, cpu = await measure(running, ready, CLIENTS, seconds)
            floor.append(await single(running.url, int(seconds), CLIENTS))
            tps = mean(f.per_second for f in floor)
            floor_us = mean(f.server_us + f.client_us for f in floor)
            print("PUT", load, f"cpu {cpu / load.requests * 1e6:.0f} us; pgbench {tps:.0f}/s {floor_us:.0f} us; ratio {load.per_second / tps:.2f} cpu ratio {cpu / load.requests * 1e6 / floor_us:.2f}")
            ready = syncs(running, 3, 40)
            bare = [await batched(running.url, 3)]
            load, cpu = await measure(running, ready, 1, seconds)
            bare.append(await batched(running.url, 3))
            rate = mean(f.per_second for f in bare)
            print("SYNC", load, f"{load.per_second * SYNC:.0f}/s cpu {cpu / load.requests / SYNC * 1e6:.0f} us; bare {rate:.0f}/s; ratio {load.per_second * SYNC / rate:.2f}")


if __name__ == "__main__":
    uvloop.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 8))

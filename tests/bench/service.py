"""The service against PostgreSQL alone, one machine, one server, one run: `uv run python tests/bench/service.py`.

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
from typing import cast
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
from triage.commands.demo import OFFICE_STAFF, TEAM, _add_member, device_id
from triage.demo import CAST, bulk
from triage.embedded import EmbeddedPostgres
from triage.settings import DatabaseUrl, Settings
from triage.store.access import staff
from triage.store.access.sign_in import SQL as ACCESS
from triage.summaries.editions import rules_in_force

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
            "TRIAGE_ACTOR_REQUESTS_PER_MINUTE": "10000000",  # one phone stands for thirty-two
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "triage", "serve"],
            env=environ,
            stdout=subprocess.DEVNULL,
            stderr=(data_dir / "log").open("w"),
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
        for member in (*CAST.members, *OFFICE_STAFF):
            await _add_member(connection, member)
            tokens[member.key] = new_token()
            await connection.execute(
                ACCESS.add_token, token_hash(tokens[member.key]), TEAM, device_id(member.key, 0), None
            )
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
    rows = (
        e
        for e in bulk(VOLUME * 90, 90, seed=seed, starts=date(2001, 1, 1))
        if e.kind in anyone or e.kind in ("officer", "intent")
    )
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


COPY_ENTRIES = """
INSERT INTO entry
SELECT e.team_id, e.seq + $1 * n, gen_random_uuid(), md5(e.incident_id::text || n)::uuid, e.kind, e.author,
    e.profession, e.role, e.device, e.received_at - make_interval(days => 365), e.skew_ms, e.blind, e.released_by,
    e.body, e.sealed, e.sealed_digest, e.key_ref, e.salt, e.link, e.notices, e.erased_at
FROM entry e, generate_series(1, $2) n WHERE e.seq <= $1
"""
COPY_INCIDENTS = """
INSERT INTO incident (team_id, id, blind, root, seq, status, occurred_at, changed_at, scope_until, turns, turns_last,
    area, log_ref, age_band, sex, contact, test, restricted, flags, judged_by, duplicates, apart, people, related)
SELECT team_id, md5(id::text || n)::uuid, blind, md5(root::text || n)::uuid, seq + $1 * n, status, occurred_at,
    changed_at, scope_until - make_interval(days => 365), '{}', NULL, area, log_ref, age_band, sex, contact, test,
    restricted, flags, judged_by, '{}', '{}', people, related
FROM incident i, generate_series(1, $2) n WHERE seq <= $1
"""
FIRST = 10_000
COPIES = 100
CHANGED = 100


async def grow(running: Running) -> None:
    """A log of a million entries: the first ten thousand are the service's own, the rest copies of their rows.

    The copies are not chained: nothing here reads their links.
    """
    await run(running.host, running.port, puts(running, 5, FIRST), CLIENTS, 300)
    connection = await asyncpg.connect(running.url)
    try:
        seq = await connection.fetchval("SELECT seq FROM log_head WHERE team_id = $1", TEAM)
        async with connection.transaction():
            await connection.execute("SET LOCAL session_replication_role = replica")
            await connection.execute(COPY_ENTRIES, seq, COPIES)
            await connection.execute(COPY_INCIDENTS, seq, COPIES)
            await connection.execute("UPDATE log_head SET seq = seq * ($1 + 1) WHERE team_id = $2", COPIES, TEAM)
            # no summary is measured here: the service shall not add a million copies up meanwhile
            await connection.execute(
                "INSERT INTO fact_position (team_id, version, seq)"
                " SELECT team_id, $2, seq FROM log_head WHERE team_id = $1"
                " ON CONFLICT (team_id, version) DO UPDATE SET seq = excluded.seq",
                TEAM,
                rules_in_force(),
            )
        await connection.execute("ANALYZE")
        await connection.execute(
            "CREATE TABLE peer_view (team_id uuid, seq bigint, id uuid, body text, PRIMARY KEY (team_id, seq, id))"
        )
        await connection.execute(
            "INSERT INTO peer_view SELECT team_id, seq, id, repeat('x', 2000) FROM incident"
            " WHERE NOT blind AND root = id"
        )
        await connection.execute("ANALYZE peer_view")
    finally:
        await connection.close()


def ask(running: Running, cursor: str | None) -> bytes:
    body = json.dumps({"cursor": cursor, "sent_at": datetime.now(UTC).isoformat(), "entries": []}).encode()
    return request("POST", "/v1/sync", running.tokens["sergeant"], body)


async def cursor_now(running: Running) -> str:
    """Where a phone stands that has everything."""
    cursor: str | None = None
    while True:
        reader, writer = await asyncio.open_connection(running.host, running.port)
        writer.write(ask(running, cursor).replace(b"host: bench", b"host: bench\r\nconnection: close"))
        answer = json.loads((await reader.read()).partition(b"\r\n\r\n")[2])
        writer.close()
        cursor = answer["cursor"]
        if not answer["more"]:
            return cursor


async def bare_pages(running: Running, seconds: float, clients: int) -> tuple[float, float]:
    """Pages a second, and CPU seconds a page (client and server), of one statement that reads 100 stored views."""
    statement = "SELECT id, seq, body FROM peer_view WHERE team_id = $1 AND seq > $2 ORDER BY seq, id LIMIT 100"
    async with asyncpg.create_pool(running.url, min_size=clients, max_size=clients) as pool:
        async with pool.acquire() as connection:
            server = await postmaster(cast(asyncpg.Connection, connection))
            position = await connection.fetchval("SELECT max(seq) / 2 FROM peer_view")
        before, started, done = cpu_seconds(server) + time.process_time(), time.perf_counter(), 0

        async def one() -> int:
            n = 0
            async with pool.acquire() as connection:
                while time.perf_counter() - started < seconds:
                    await connection.fetch(statement, TEAM, position)
                    n += 1
            return n

        done = sum(await asyncio.gather(*(one() for _ in range(clients))))
        elapsed = time.perf_counter() - started
        return done / elapsed, (cpu_seconds(server) + time.process_time() - before) / done


class Line(Struct, frozen=True):
    """One line of the table."""

    what: str
    service: str
    floor: str
    ratio: str
    goal: str


async def bench_puts(running: Running, seconds: float) -> list[Line]:
    await run(running.host, running.port, puts(running, 1, 2000), CLIENTS, 30)
    ready = puts(running, 2, int(6000 * seconds))
    floor = [await single(running.url, int(seconds), CLIENTS)]
    load, cpu = await measure(running, ready, CLIENTS, seconds)
    floor.append(await single(running.url, int(seconds), CLIENTS))
    tps, floor_us = mean(f.per_second for f in floor), mean(f.server_us + f.client_us for f in floor)
    us = cpu / load.requests * 1e6
    _require(load)
    return [
        Line("PUT one entry, 32 at once",
             f"{load.per_second:,.0f}/s, p99 {load.p99_ms:.0f} ms", f"pgbench {tps:,.0f}/s",
             f"{load.per_second / tps:.2f}", "≥ 0.4"),
        Line("CPU of one stored entry", f"{us:.0f} µs", f"pgbench {floor_us:.0f} µs", f"{us / floor_us:.1f}", "≤ 2.0"),
    ]  # fmt: skip


async def bench_syncs(running: Running, seconds: float) -> Line:
    ready = syncs(running, 3, 60)
    bare = [await batched(running.url, 3, SYNC)]
    load, _ = await measure(running, ready, 2, seconds)
    bare.append(await batched(running.url, 3, SYNC))
    rate, floor = load.per_second * SYNC, mean(f.per_second for f in bare)
    _require(load)
    return Line(
        "sync of 500 new entries",
        f"{rate:,.0f} entries/s",
        f"bare insert {floor:,.0f}/s",
        f"{rate / floor:.2f}",
        "≥ 0.2",
    )


async def bench_pulls(running: Running, seconds: float) -> list[Line]:
    await grow(running)
    cursor = await cursor_now(running)
    await run(running.host, running.port, puts(running, 7, CHANGED * 4), CLIENTS, 60)
    ready = iter([ask(running, cursor)] * int(3000 * seconds))
    await run(running.host, running.port, iter([ask(running, cursor)] * 20), 1, 10)
    bare = [await bare_pages(running, seconds / 2, 8)]
    load, cpu = await measure(running, ready, 8, seconds)
    bare.append(await bare_pages(running, seconds / 2, 8))
    pages, page_cpu = mean(b[0] for b in bare), mean(b[1] for b in bare)
    us = cpu / load.requests * 1e6
    _require(load)
    return [
        Line("100 changes after a cursor, log of a million",
             f"{load.per_second:,.0f} pages/s", f"bare select {pages:,.0f}/s",
             f"{pages / load.per_second:.1f} times the time", "≤ 3"),
        Line("CPU of such a page", f"{us:.0f} µs", f"bare select {page_cpu * 1e6:.0f} µs",
             f"{us / page_cpu / 1e6:.1f}", "≤ 3"),
    ]  # fmt: skip


def _require(load: Load) -> None:
    """A figure counts only when nearly all that was asked succeeded."""
    good = sum(n for status, n in load.statuses.items() if status in (200, 201))
    if good < 0.99 * load.requests:
        raise RuntimeError(f"answers: {load.statuses}")


async def main(seconds: float) -> None:
    lines: list[Line] = []
    for bench in (bench_puts, bench_syncs, bench_pulls):
        with tempfile.TemporaryDirectory(prefix="triage-bench-") as folder:
            data_dir = Path(folder)
            data_dir.chmod(0o755)
            async with serving(data_dir) as running:
                found = await bench(running, seconds)
                lines += found if isinstance(found, list) else [found]
    table = Table(title=f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    for heading in ("what", "service", "floor", "ratio", "goal"):
        table.add_column(heading)
    for line in lines:
        table.add_row(line.what, line.service, line.floor, line.ratio, line.goal)
    Console(width=130).print(table)


if __name__ == "__main__":
    uvloop.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 8))

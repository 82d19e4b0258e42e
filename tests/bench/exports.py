"""What exports cost with the database and over HTTP: `uv run python tests/bench/exports.py [million]`.

Freezing: from a snapshot to stored files, rendered for one agreement, in one transaction (floors: 50,000 rows under
5 s, a million under 60 s, tables of a year under 5 s). Serving: the CSV over HTTP by another process, against a bare
`COPY … TO STDOUT` of the same rows in the same run (floor: half of it), the first byte (floor: 200 ms), and the memory
of the serving process. Members are made before the clock starts. Processor seconds are printed beside those of the
clock, which say little on a shared machine.
"""

import asyncio
import contextlib
import gc
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.export_team import ExportTeam, Partner, add_export_team
from support.phones import RunningService, running_service
from support.population import copies, population

from triage.embedded import EmbeddedPostgres
from triage.exports.members import ReleaseMember
from triage.settings import DatabaseUrl
from triage.store.exports import releases, snapshots
from triage.store.exports.snapshots import CountedMember

YEAR_CUT = datetime(2026, 4, 29, 6, tzinfo=UTC)
MIB = 1024 * 1024
SETTLING_S = 20
"""The serving process also releases what is due for the empty log; that is no part of serving."""


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class Processor:
    """Processor seconds, user and system, of this process and of every process of the database server."""

    def __init__(self, server: EmbeddedPostgres) -> None:
        self._postmaster = int((server.data_dir / "pg/data/postmaster.pid").read_text().split()[0])

    def read(self) -> tuple[float, float]:
        """Since the start of each."""
        own = resource.getrusage(resource.RUSAGE_SELF)
        return own.ru_utime + own.ru_stime, self._of_server()

    def _of_server(self) -> float:
        ticks = 0
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                # the name in parentheses may hold blanks; what follows it begins with field 3
                fields = stat.read_text().rpartition(")")[2].split()
                if int(stat.parent.name) == self._postmaster:
                    ticks += sum(map(int, fields[11:15]))  # with those of its processes that ended
                elif int(fields[1]) == self._postmaster:
                    ticks += sum(map(int, fields[11:13]))
        return ticks / os.sysconf("SC_CLK_TCK")


def report(label: str, figure: str) -> None:
    print(f"{label:<64} {figure}", flush=True)


@contextlib.contextmanager
def given(members: list[ReleaseMember]) -> Iterator[None]:
    """The snapshot is these members: adding up entries is measured elsewhere."""
    honest = snapshots.snapshot
    counted = [CountedMember(member, (member.incident_id,)) for member in members]

    async def snapshot(connection: Any, team: Any, starts: datetime, ends: datetime, *rest: Any) -> list[CountedMember]:
        return [incident for incident in counted if starts <= incident.member.occurred_at < ends]

    snapshots.snapshot = snapshot  # type: ignore[assignment]
    try:
        yield
    finally:
        snapshots.snapshot = honest


async def freeze_one(team: ExportTeam, members: list[ReleaseMember], dataset: str, processor: Processor) -> None:
    """One release alone: what is not asked for is already there, so far as the job can see."""
    honest = releases.latest_editions

    async def only(connection: Any, team_id: UUID) -> Any:
        done = await honest(connection, team_id)
        return _Pretended(dataset, done)

    releases.latest_editions = only
    try:
        with given(members):
            gc.disable()  # as `triage release` does
            started, (own, server) = time.perf_counter(), processor.read()
            released = await team.release(YEAR_CUT)
            spent, (own_after, server_after) = time.perf_counter() - started, processor.read()
    finally:
        gc.enable()
        releases.latest_editions = honest
    assert [edition.period for edition in released] == ["2025"], released
    report(
        f"{dataset} of a year of {len(members):,}, stored and rendered",
        f"{spent:7.2f} s, {own_after - own + server_after - server:.2f} s of processor"
        f" ({own_after - own:.2f} own, {server_after - server:.2f} of the database), peak {peak():.0f} MiB",
    )


class _Pretended(dict[Any, Any]):
    """Says that everything was released but one dataset's year."""

    def __init__(self, dataset: str, done: dict[Any, Any]) -> None:
        super().__init__(done)
        self._wanted = (dataset, "2025")

    def get(self, key: Any, default: Any = None) -> Any:
        if key == self._wanted or key[1].endswith("-late"):
            return super().get(key, default)
        return releases.LatestRelease(key[0], key[1], 1, "", YEAR_CUT, False)


async def copy_out(url: str, team_id: UUID) -> tuple[float, int]:
    """Seconds and bytes of a bare COPY of the same rows to nowhere."""
    connection = await asyncpg.connect(url)
    size = 0

    async def count(data: bytes) -> None:
        nonlocal size
        size += len(data)

    try:
        query = (
            "SELECT encode(sha256(incident_id::text::bytea), 'hex')::char(24) || ',' || classes FROM release_row"
            f" WHERE team_id = '{team_id}' AND number IS NOT NULL ORDER BY number"
        )
        await connection.execute(f"CREATE TEMP TABLE line AS {query}")
        started = time.perf_counter()
        await connection.copy_from_query("SELECT * FROM line", output=count)
        return time.perf_counter() - started, size
    finally:
        await connection.close()


async def pull(address: str, token: str) -> tuple[float, float, int]:
    """Seconds to the first byte and to the last, and bytes. A bare socket: a client library would be measured too."""
    host, port = address.removeprefix("http://").split(":")
    reading, writing = await asyncio.open_connection(host, int(port), limit=MIB)
    path = "/v1/exports/records/2025/files/records.csv"
    request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    started = time.perf_counter()
    writing.write(request.encode())
    head = await reading.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), head
    size = len(await reading.read(1))
    first = time.perf_counter() - started
    while piece := await reading.read(MIB):
        size += len(piece)
    spent = time.perf_counter() - started
    writing.close()
    return first, spent, size


PORT = 8199


def environment(url: str, data_dir: Path) -> dict[str, str]:
    """Settings of a process that works with this database, its keys in it, as one login."""
    return dict(os.environ) | {
        "TRIAGE_DATABASE_URL": url,
        "TRIAGE_KEYS_DATABASE_URL": url,
        "TRIAGE_DATA_DIR": str(data_dir),
        "TRIAGE_PORT": str(PORT),
        "TRIAGE_LOG_LEVEL": "error",
    }


@contextlib.asynccontextmanager
async def serving(url: str, data_dir: Path) -> AsyncIterator[tuple[str, int]]:
    """The service in a process of its own; its address and process id."""
    process = subprocess.Popen([sys.executable, "-m", "triage", "serve"], env=environment(url, data_dir))
    try:
        async with httpx.AsyncClient() as client:
            for _ in range(100):
                with contextlib.suppress(httpx.ConnectError):
                    if (await client.get(f"http://127.0.0.1:{PORT}/health/live")).status_code == 200:
                        break
                await asyncio.sleep(0.2)
        yield f"http://127.0.0.1:{PORT}", process.pid
    finally:
        process.terminate()
        process.wait()


def resident(pid: int) -> float:
    """MiB of memory that a process holds now."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MIB


async def serve(team: ExportTeam, partner: Partner, url: str, data_dir: Path) -> None:
    bare = [await copy_out(url, team.team_id) for _ in range(3)]
    seconds, size = min(bare)
    copied = size / seconds / MIB
    report("COPY … TO STDOUT of the same rows", f"{copied:7.1f} MiB/s ({size / MIB:.1f} MiB)")
    async with serving(url, data_dir) as (address, pid):
        await asyncio.sleep(SETTLING_S)
        before = resident(pid)
        pulls = [await pull(address, partner.token) for _ in range(5)]
        after = resident(pid)
    served = max(size / seconds / MIB for _, seconds, size in pulls)
    report("CSV over HTTP", f"{served:7.1f} MiB/s ({pulls[0][2] / MIB:.1f} MiB)")
    report("ratio (floor 0.5)", f"{served / copied:7.2f}")
    report("first byte, median (floor 200 ms)", f"{1000 * statistics.median(first for first, _, _ in pulls):7.1f} ms")
    report("memory of the serving process, before and after five pulls", f"{before:7.1f} and {after:.1f} MiB")


async def main() -> None:
    members = [arrival.member for arrival in population(50_000)]
    with tempfile.TemporaryDirectory(prefix="triage-bench-") as name:
        root = Path(name)
        root.chmod(0o755)
        server = EmbeddedPostgres(root / "pg", durable=False)
        admin = server.start()
        try:
            connection = await asyncpg.connect(admin)
            await connection.execute("CREATE DATABASE bench")
            await connection.close()
            url = server.url("bench")
            data_dir = root / "data"
            migrate = [sys.executable, "-m", "triage", "migrate", "--create"]
            subprocess.run(migrate, env=environment(url, data_dir), check=True)
            own = DatabaseUrl(url)
            async with running_service(
                url, data_dir, database_url=own, keys_database_url=own, command_timeout_s=600
            ) as opened:
                await measure(opened, members, url, data_dir, Processor(server))
        finally:
            server.stop()


async def measure(
    opened: RunningService, members: list[ReleaseMember], url: str, data_dir: Path, processor: Processor
) -> None:
    team = await add_export_team(opened, "yearly")
    partner = await team.partner()
    await freeze_one(team, members, "records", processor)
    await freeze_one(team, members, "tables", processor)
    await serve(team, partner, url, data_dir)
    if "million" in sys.argv:
        team = await add_export_team(opened, "yearly")
        partner = await team.partner()
        many = copies(members, 20)
        report("members made", f"peak {peak():6.0f} MiB")
        await freeze_one(team, many, "records", processor)
        await serve(team, partner, url, data_dir)


if __name__ == "__main__":
    asyncio.run(main())

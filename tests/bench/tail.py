"""What a phone feels: PUTs at four a second, service and database on one core, beside what else the machine does."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
from lines import Line
from load import run
from pgbench import postmaster
from serving import Running, scratch, serving
from traffic import once, puts

HERE = Path(__file__).parent
A_SECOND = 4
CORE = {0}
BESIDE = {
    "nothing else": None,
    "a release of a million rows": [sys.executable, str(HERE / "exports.py"), "million"],
    "quarters over a million incidents": [sys.executable, str(HERE / "summaries.py")],
}


async def bench(seconds: float) -> list[Line]:
    with scratch() as data_dir:
        async with serving(data_dir) as running:
            await run(running.host, running.port, puts(running, 1, 3000), 32, 60)
            await _one_core(running)
            lines = []
            for seed, (beside, command) in enumerate(BESIDE.items(), 100):
                with _running(command):
                    if command:
                        await asyncio.sleep(20)  # its data is made first
                    lines.append(await _line(running, seed, beside, seconds * 3))
            vacuum = asyncio.create_task(_vacuum(running.url))
            lines.append(await _line(running, 110, "VACUUM ANALYZE in a circle", seconds * 3))
            vacuum.cancel()
            return lines


async def _line(running: Running, seed: int, beside: str, seconds: float) -> Line:
    latencies = []
    for n, sent in enumerate(puts(running, seed, int(A_SECOND * seconds))):
        if n == 0:
            begun = time.perf_counter()
        await asyncio.sleep(max(0.0, begun + n / A_SECOND - time.perf_counter()))
        started = time.perf_counter()
        head, _ = await once(running, sent)
        latencies.append(time.perf_counter() - started)
        if b" 201 " not in head.split(b"\r\n", 1)[0]:
            raise RuntimeError(f"the entry was not stored: {head[:40]!r}")
    latencies.sort()
    p50, p99 = latencies[len(latencies) // 2] * 1000, latencies[int(len(latencies) * 0.99)] * 1000
    goals = ("10 / 50 ms", "5 / 25 ms") if "million rows" in beside else ("", "")
    return Line(f"PUT at {A_SECOND} a second on one core beside {beside}", f"p50 {p50:.1f} ms, p99 {p99:.1f} ms", "",
                "", *goals)  # fmt: skip


async def _one_core(running: Running) -> None:
    """The service's threads and all of PostgreSQL's processes share one core."""
    connection = await asyncpg.connect(running.url)
    server = await postmaster(connection)
    await connection.close()
    for pid in (running.pid, server, *_children(server)):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(thread.name), CORE)


def _children(parent: int) -> list[int]:
    stats = [(int(path.parent.name), path.read_text().rpartition(")")[2].split()) for path in _stats()]
    return [pid for pid, fields in stats if int(fields[1]) == parent]


def _stats() -> Iterator[Path]:
    return (path for path in Path("/proc").glob("[0-9]*/stat") if path.exists())


@contextmanager
def _running(command: list[str] | None) -> Iterator[None]:
    """The command in a process group of its own on the same core, ended afterwards."""
    if command is None:
        yield
        return
    process = subprocess.Popen(
        ["taskset", "-c", ",".join(map(str, CORE)), *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    try:
        yield
        if process.poll() not in (None, 0):
            raise RuntimeError(f"{command[-1]} failed: {process.returncode}")
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
            process.wait(60)


async def _vacuum(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        while True:
            await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()

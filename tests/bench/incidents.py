"""Big incidents: how long a PUT keeps everybody else waiting, and what it takes."""

import asyncio
import json
import time
from itertools import islice
from statistics import median
from uuid import uuid4

from lines import Line
from load import request
from pgbench import cpu_seconds
from serving import Running, scratch, serving
from traffic import incident_of, now, once, sync

SIZES = (4, 50, 499)
TRIES = 9
SLOWEST_PROBE_S = 10.0


async def bench(seconds: float) -> list[Line]:
    with scratch() as data_dir:
        async with serving(data_dir) as running:
            return [await _size(running, n) for n in SIZES]


async def _size(running: Running, n: int) -> Line:
    waits, used = [], []
    for _ in range(TRIES):
        incident_id, entries = incident_of(n)
        while chunk := list(islice(entries, 100)):
            await once(running, sync(running, chunk))
        body = {
            "kind": "outcome", "incident_id": str(incident_id), "captured_at": now(), "codes_version": 1,
            "disposal": "carer_or_home", "decided_at": now(), "decided_by": "officer",
        }  # fmt: skip
        sent = request("PUT", f"/v1/entries/{uuid4()}", running.tokens["officer_1"], json.dumps(body).encode())
        before = cpu_seconds(running.pid)
        wait, head = await _wait_beside(running, sent)
        if b" 201 " not in head.split(b"\r\n", 1)[0]:
            raise RuntimeError(f"the entry was not stored: {head[:40]!r}")
        used.append(cpu_seconds(running.pid) - before)
        waits.append(wait)
    goals = ("15 ms", "5 ms") if n == SIZES[-1] else ("", "")
    return Line(
        f"event loop blocked by a PUT into an incident of {n + 1}",
        f"{median(waits) * 1000:.1f} ms (median of {TRIES}), at most {max(waits) * 1000:.1f}",
        f"{median(used) * 1000:.0f} ms of CPU",
        "",
        *goals,
    )


async def _wait_beside(running: Running, sent: bytes) -> tuple[float, bytes]:
    """Seconds that the slowest of many small requests waited beside this one, less their median; the answer's head."""
    reader, writer = await asyncio.open_connection(running.host, running.port)
    probe = b"GET /health/live HTTP/1.1\r\nhost: bench\r\n\r\n"
    waits: list[float] = []
    task = asyncio.create_task(once(running, sent))
    deadline = time.perf_counter() + SLOWEST_PROBE_S
    try:
        while not task.done() and time.perf_counter() < deadline:
            started = time.perf_counter()
            writer.write(probe)
            head = await reader.readuntil(b"\r\n\r\n")
            at = head.lower().index(b"content-length: ")
            await reader.readexactly(int(head[at + 16 : head.index(b"\r\n", at)]))
            waits.append(time.perf_counter() - started)
        return max(waits) - median(waits), (await task)[0]
    finally:
        writer.close()

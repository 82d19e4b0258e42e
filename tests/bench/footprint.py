"""Memory with one team and with forty-three, and how long a first start takes."""

import asyncio
import os
import signal
import subprocess
import sys
import time

import httpx
from lines import Line
from load import run
from serving import free_port, resident, scratch, serving
from traffic import puts, puts_of

FORCES = 43
READY_WITHIN_S = 120


async def bench(seconds: float) -> list[Line]:
    with scratch() as data_dir:
        async with serving(data_dir, other_teams=FORCES - 1) as running:
            await run(running.host, running.port, puts(running, 1, 4000), 8, 120)
            alone = resident(running.pid)
            await run(running.host, running.port, puts_of(running.officers, 2, 100 * len(running.officers)), 8, 120)
            every = resident(running.pid)
    started = await _cold_start()
    return [
        Line("memory of the service, one team", f"{alone:.0f} MiB", "", "", "", ""),
        Line(f"memory of the service, {FORCES} teams", f"{every:.0f} MiB", "", "", "120 MiB", "80 MiB"),
        Line("demo from nothing to ready", f"{started:.1f} s", "", "", "3 s", "2 s"),
    ]


async def _cold_start() -> float:
    with scratch() as data_dir:
        port = free_port()
        command = [sys.executable, "-m", "triage", "demo", "--port", str(port), "--data-dir", str(data_dir)]
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(os.environ))
        try:
            async with httpx.AsyncClient() as client:
                while time.perf_counter() - started < READY_WITHIN_S:
                    try:
                        if (await client.get(f"http://127.0.0.1:{port}/health/ready")).status_code == 200:
                            return time.perf_counter() - started
                    except httpx.TransportError:
                        await asyncio.sleep(0.02)
            raise RuntimeError("the demo did not get ready")
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)

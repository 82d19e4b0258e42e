"""How long a demo takes from nothing to ready, and how much processor time a command takes before it works.

Bytecode is kept, as in an installation; the first start, which makes it, is not counted.
"""

import asyncio
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import httpx
from lines import Line
from serving import free_port, scratch

from triage.__main__ import COMMANDS

ENVIRON = {
    name: value
    for name, value in os.environ.items()
    if name != "PYTHONDONTWRITEBYTECODE" and not name.startswith("TRIAGE_")
}
READY_WITHIN_S = 120
TIMES = 5
LOADING = ("verify", "team list", "partner list", "release", "publish", "summary list", "deliver list", "keys rotate")
"""Commands that have loaded their work when they find that there is no database."""


async def bench(seconds: float) -> list[Line]:
    await _demo()
    started = median([await _demo() for _ in range(TIMES)])
    helped = max((_processor_time(f"{command} --help"), command) for command in COMMANDS)
    with scratch() as data_dir:
        loaded = max((_processor_time(f"{command} --data-dir {data_dir}/none"), command) for command in LOADING)
    return [
        Line("demo from nothing to ready", f"{started:.1f} s", "", "", "3 s", "2 s"),
        Line(f"processor time of --help, at most ({helped[1]})", f"{helped[0]:.2f} s", "", "", "0.3 s", "0.2 s"),
        Line(f"of a command until it works, at most ({loaded[1]})", f"{loaded[0]:.2f} s", "", "", "0.3 s", ""),
    ]


def _processor_time(command: str) -> float:
    """Seconds, median of several."""
    taken = []
    for _ in range(TIMES):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([Path(sys.executable).with_name("triage"), *command.split()], capture_output=True, env=ENVIRON)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return median(taken)


async def _demo() -> float:
    with scratch() as data_dir:
        port = free_port()
        command = [sys.executable, "-m", "triage", "demo", "--port", str(port), "--data-dir", str(data_dir)]
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=ENVIRON)
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

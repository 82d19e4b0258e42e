"""The service against what a team would otherwise write: FastAPI with SQLAlchemy, and Django REST framework.

Each does the bare equivalent in one process on the same PostgreSQL: create one record with sign-in, five hundred in
one request, a hundred changes. Neither has rules, a chain, views or duplicates told apart. Their packages are installed
into an environment of their own from `peers/requirements.txt`.
"""

import json
import os
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

import asyncpg
from lines import Line
from load import request, run
from serving import Running, free_port, measure, scratch, serving, until_listening
from traffic import COMPRESSED, SYNC, cursor_now, pull, puts, syncs

HERE = Path(__file__).parent / "peers"
TOKEN = "bench"
CLIENTS = 32
PEERS = {
    "FastAPI with SQLAlchemy": ("uvicorn", "fastapi_peer:app", "--no-access-log", "--log-level", "warning", "--port"),
    "Django REST": ("gunicorn", "django_peer:application", "--worker-class", "gthread", "--threads", str(CLIENTS),
                    "--keep-alive", "60", "--bind"),
}  # fmt: skip
GOALS = {"FastAPI with SQLAlchemy": ("3", "5"), "Django REST": ("10", "15")}


def environment() -> Path:
    """The peers' own environment, made once and kept beside other caches. Raises CalledProcessError."""
    wanted = sha256((HERE / "requirements.txt").read_bytes()).hexdigest()[:16]
    path = Path(tempfile.gettempdir()) / f"triage-bench-peers-{wanted}"
    if not (path / "ready").exists():
        subprocess.run(["uv", "venv", "--quiet", "--clear", str(path)], check=True)
        install = ["uv", "pip", "install", "--quiet", "--no-config", "--require-hashes", "--python"]
        subprocess.run([*install, str(path / "bin/python"), "-r", str(HERE / "requirements.txt")], check=True)
        (path / "ready").touch()
    return path / "bin"


async def bench(seconds: float) -> list[Line]:
    programs = environment()
    with scratch() as data_dir:
        async with serving(data_dir) as running:
            await run(running.host, running.port, puts(running, 1, 2000), CLIENTS, 60)
            ours = await _ours(running, seconds)
            lines = []
            for name, command in PEERS.items():
                async with _peer(running, programs, command) as peer:
                    theirs = await _theirs(peer, seconds)
                lines += [_line(name, *measured) for measured in zip(WHAT, ours, theirs, strict=True)]
            return lines


WHAT = ("one record", "a record of a sync of 500", "a page of 100 changes")


def _line(name: str, what: str, ours: float, theirs: float) -> Line:
    goals = GOALS[name] if what == WHAT[0] else ("", "")
    ratio = f"{theirs / ours:.1f} times"
    return Line(f"{what}, against {name}", f"{ours:.0f} µs of CPU", f"{theirs:.0f} µs", ratio, *goals)


async def _ours(running: Running, seconds: float) -> list[float]:
    before = await cursor_now(running)
    load, cpu = await measure(running, puts(running, 2, int(4000 * seconds)), CLIENTS, seconds)
    many, many_cpu = await measure(running, syncs(running, 3, int(16 * seconds)), 2, seconds)
    pages, pages_cpu = await measure(running, iter([pull(running, before, COMPRESSED)] * 2000), 4, seconds)
    return [cpu / load.requests * 1e6, many_cpu / many.requests / SYNC * 1e6, pages_cpu / pages.requests * 1e6]


async def _theirs(peer: Running, seconds: float) -> list[float]:
    await run(peer.host, peer.port, _creates(500), CLIENTS, 30)
    load, cpu = await measure(peer, _creates(int(2500 * seconds)), CLIENTS, seconds)
    many, many_cpu = await measure(peer, _many(int(16 * seconds)), 2, seconds)
    page = request("GET", "/changes?after=100", TOKEN)
    pages, pages_cpu = await measure(peer, iter([page] * 3000), 4, seconds)
    return [cpu / load.requests * 1e6, many_cpu / many.requests / SYNC * 1e6, pages_cpu / pages.requests * 1e6]


def _record() -> dict[str, object]:
    return {
        "id": str(uuid4()), "kind": "officer", "incident_id": str(uuid4()), "captured_at": "2026-11-21T22:00:00+00:00",
        "codes_version": 1, "area": "bedford", "location_type": "street_or_park", "contact_mode": "attended",
        "referral_source": "police_999", "age_band": "18_34", "sex": "male", "ethnicity": "W1",
        "presenting": ["suicidal_intent", "intoxication_alcohol"], "legal_status": "free_to_leave",
        "note": "Calm after talking. Agreed to walk to the car.", "force_type": "none", "immediate_danger": "yes",
    }  # fmt: skip


def _creates(n: int) -> Iterator[bytes]:
    return iter([request("POST", "/records", TOKEN, json.dumps(_record()).encode()) for _ in range(n)])


def _many(n: int) -> Iterator[bytes]:
    bodies = (json.dumps({"entries": [_record() for _ in range(SYNC)]}).encode() for _ in range(n))
    return iter([request("POST", "/sync", TOKEN, body) for body in bodies])


@asynccontextmanager
async def _peer(running: Running, programs: Path, command: tuple[str, ...]) -> AsyncIterator[Running]:
    """A peer on the same server, in a schema of its own; shaped like the service, so that it is measured alike."""
    connection = await asyncpg.connect(running.url)
    await connection.execute("DROP SCHEMA IF EXISTS peers CASCADE")
    await connection.execute((HERE / "schema.sql").read_text())
    await connection.execute(
        "INSERT INTO peers.token VALUES ($1, $2, $3)", sha256(TOKEN.encode()).digest(), uuid4(), uuid4()
    )
    await connection.close()
    port = free_port()
    where = f"127.0.0.1:{port}" if command[-1] == "--bind" else str(port)
    process = subprocess.Popen(
        [str(programs / command[0]), *command[1:], where], cwd=HERE, env=dict(os.environ) | {"PEER_URL": running.url}
    )
    try:
        await until_listening(port, process)
        yield Running("127.0.0.1", port, process.pid, running.url, {}, ())
    finally:
        process.terminate()
        process.wait(20)

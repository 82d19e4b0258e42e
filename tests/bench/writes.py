"""Storing: one entry at a time, by one phone and by many, of one team and of many; five hundred at once; on disk."""

from itertools import pairwise
from statistics import mean

import asyncpg
from lines import Line
from load import run
from pgbench import PeerFigures, batched, single
from serving import Running, measure, scratch, serving
from traffic import MINIMAL, SYNC, puts, puts_of, syncs

MANY = 32
GOALS = {1: ("8", "5"), MANY: ("3", "2")}
ENTRIES_STORED = 1500
PER_SECOND = 4_000
"""Requests made ready for each second: more than are served."""


async def bench(seconds: float) -> list[Line]:
    with scratch() as data_dir:
        async with serving(data_dir, other_teams=MANY) as running:
            await run(running.host, running.port, puts(running, 1, 2000), MANY, 60)  # plans, caches and tables fill
            lines = [await _put(running, 10 + clients, clients, seconds) for clients in (1, 4)]
            lines.append(await _put(running, 42, MANY, seconds, minimal=True))
            lines.append(await _put(running, 43, MANY, seconds))
            lines.append(await _put_of_teams(running, seconds))
            lines.append(await _sync(running, seconds))
            return lines + await _stored(running)


async def _floors(running: Running, seconds: float, clients: int) -> PeerFigures:
    return await single(running.url, max(2, int(seconds / 2)), clients)


def _against(
    what: str, load_us: float, p50: float, p99: float, floors: list[PeerFigures], goals: tuple[str, str]
) -> Line:
    floor_us = mean(floor.server_us + floor.client_us for floor in floors)
    return Line(
        what,
        f"{load_us:.0f} µs of CPU, p50 {p50:.1f} ms, p99 {p99:.1f} ms",
        f"pgbench {floor_us:.0f} µs",
        f"{load_us / floor_us:.1f}",
        *goals,
    )


async def _put(running: Running, seed: int, clients: int, seconds: float, *, minimal: bool = False) -> Line:
    ready = puts(running, seed, int(PER_SECOND * seconds), MINIMAL if minimal else None)
    before = await _floors(running, seconds, clients)
    load, cpu = await measure(running, ready, clients, seconds)
    floors = [before, await _floors(running, seconds, clients)]
    goals = GOALS.get(clients, ("", "")) if minimal or clients == 1 else ("", "")
    what = f"PUT, {clients} at once, one team" + (", return=minimal" if minimal else "")
    return _against(what, cpu / load.requests * 1e6, load.p50_ms, load.p99_ms, floors, goals)


async def _put_of_teams(running: Running, seconds: float) -> Line:
    ready = puts_of(running.officers, 50, int(PER_SECOND * seconds / 2))
    before = await _floors(running, seconds, MANY)
    load, cpu = await measure(running, ready, MANY, seconds)
    floors = [before, await _floors(running, seconds, MANY)]
    return _against(
        f"PUT, {MANY} at once, {MANY} teams", cpu / load.requests * 1e6, load.p50_ms, load.p99_ms, floors, ("", "")
    )


async def _sync(running: Running, seconds: float) -> Line:
    ready = syncs(running, 3, int(seconds * 16))
    bare = [await batched(running.url, 3, SYNC)]
    load, _ = await measure(running, ready, 2, seconds)
    bare.append(await batched(running.url, 3, SYNC))
    rate, floor = load.per_second * SYNC, mean(figures.per_second for figures in bare)
    return Line(
        f"sync of {SYNC} new entries",
        f"{rate:,.0f} entries/s",
        f"bare insert {floor:,.0f}/s",
        f"{rate / floor:.3f}",
        "0.1",
        "0.15",
    )


async def _stored(running: Running) -> list[Line]:
    lines = []
    for clients, goals in ((1, ("2.5 kB", "2.0 kB")), (MANY, ("1.5 kB", "1.1 kB"))):
        connection = await asyncpg.connect(running.url)
        try:
            await connection.execute("CHECKPOINT")
            sizes = [await _sizes(connection)]
            for part in range(2):  # the first finds pages that the checkpoint has left to be written whole
                ready = puts(running, 60 + 2 * clients + part, ENTRIES_STORED)
                await run(running.host, running.port, ready, clients, 120)
                sizes.append(await _sizes(connection))
        finally:
            await connection.close()
        first, then = (
            [(after - before) / ENTRIES_STORED / 1000 for before, after in zip(*pair, strict=True)]
            for pair in pairwise(sizes)
        )
        lines.append(
            Line(
                f"WAL and disk of one entry, {clients} at once",
                f"{then[0]:.1f} kB of WAL ({first[0]:.1f} right after a checkpoint)",
                f"{then[1]:.1f} kB on disk",
                "",
                *goals,
            )
        )
    return lines


async def _sizes(connection: asyncpg.Connection) -> tuple[int, int]:
    wal = await connection.fetchval("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint")
    size = await connection.fetchval("SELECT pg_database_size(current_database())")
    return int(wal), int(size)

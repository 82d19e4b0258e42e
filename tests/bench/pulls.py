"""Reading what changed: nothing, and a hundred incidents, in logs of ten thousand and of a million entries; bytes."""

import asyncio
import time
from statistics import mean
from typing import cast

import asyncpg
from lines import Line
from load import run
from pgbench import cpu_seconds, postmaster
from serving import Running, measure, scratch, serving
from traffic import COMPRESSED, SYNC, cursor_now, once, pull, puts, syncs

from triage.commands.demo_data import TEAM
from triage.summaries.editions import rules_in_force
from triage.terms import Terms

CLIENTS = 8
FIRST = 10_000
COPIES = 100
CHANGED = 100
COPY_ENTRIES = """
INSERT INTO entry (team_id, seq, id, incident_id, belongs_to, kind, author, profession, role, device, received_at,
    skew_ms, blind, released_by, body, sealed, sealed_digest, key_ref, salt, link, notices, test, erased_at)
SELECT e.team_id, e.seq + $1 * n, gen_random_uuid(), md5(e.incident_id::text || n)::uuid,
    md5(e.incident_id::text || n)::uuid, e.kind, e.author, e.profession, e.role, e.device,
    e.received_at - make_interval(days => 365), e.skew_ms, e.blind, e.released_by, e.body, e.sealed, e.sealed_digest,
    e.key_ref, e.salt, e.link, e.notices, e.test, e.erased_at
FROM entry e, generate_series(1, $2) n WHERE e.seq <= $1
"""
COPY_INCIDENTS = """
INSERT INTO incident (team_id, id, blind, root, seq, status, occurred_at, changed_at, scope_until, turns, turns_last,
    area, log_ref, age_band, sex, contact, counts, test, restricted, flags, judged_by, duplicates, apart, people,
    related)
SELECT team_id, md5(id::text || n)::uuid, blind, md5(root::text || n)::uuid, seq + $1 * n, status, occurred_at,
    changed_at, scope_until - make_interval(days => 365), '{}', NULL, area, log_ref, age_band, sex, contact, counts,
    test, restricted, flags, judged_by, '{}', '{}', people, related
FROM incident i, generate_series(1, $2) n WHERE seq <= $1
"""


async def bench(seconds: float) -> list[Line]:
    with scratch() as data_dir:
        async with serving(data_dir) as running:
            await run(running.host, running.port, puts(running, 5, FIRST), 32, 600)
            await _bare_views(running)
            lines = await _at(running, "log of 10,000", seconds, 70)
            await grow(running)
            await _bare_views(running)
            return lines + await _at(running, "log of a million", seconds, 80) + await _sync_answers(running)


async def _at(running: Running, where: str, seconds: float, seed: int) -> list[Line]:
    nothing = await cursor_now(running)
    lines = await _pages(running, f"pull with nothing new, {where}", nothing, seconds, ("3.5", "2"), ("600 B", "400 B"))
    await run(running.host, running.port, puts(running, seed, CHANGED * 4), 32, 60)
    goals = ("25 kB", "20 kB")
    return lines + await _pages(running, f"pull of {CHANGED} changes, {where}", nothing, seconds, ("5", "3"), goals)


async def _pages(
    running: Running, what: str, cursor: str, seconds: float, goals: tuple[str, str], bytes_goals: tuple[str, str]
) -> list[Line]:
    asked = pull(running, cursor, COMPRESSED)
    await run(running.host, running.port, iter([asked] * 50), 1, 10)
    bare = [await bare_pages(running, seconds / 2)]
    load, cpu = await measure(running, iter([asked] * int(4000 * seconds)), CLIENTS, seconds)
    bare.append(await bare_pages(running, seconds / 2))
    floor_us, us = mean(bare) * 1e6, cpu / load.requests * 1e6
    head, body = await once(running, asked)
    return [
        Line(what, f"{us:.0f} µs of CPU, p99 {load.p99_ms:.1f} ms", f"bare page of 100 {floor_us:.0f} µs",
             f"{us / floor_us:.1f}", *goals),
        Line(f"bytes of a {what}", f"{len(body):,} B, with head {len(head) + 4 + len(body):,} B", "", "", *bytes_goals),
    ]  # fmt: skip


async def _sync_answers(running: Running) -> list[Line]:
    """Each of entries of its own, answered with the first page of a pull."""
    lines = []
    for sent, prefer in zip(syncs(running, 90, 2), (b"", b"\r\nprefer: return=minimal"), strict=True):
        head, body = await once(running, sent.replace(b"host: bench", b"host: bench\r\naccept-encoding: zstd" + prefer))
        what = f"bytes of the answer to a sync of {SYNC}" + (", `return=minimal`" if prefer else "")
        lines.append(Line(what, f"{len(head) + 4 + len(body):,} B", "", "", "32 kB", "10 kB"))
    return lines


async def grow(running: Running) -> None:
    """A log of a million entries: the first ten thousand are the service's own, the rest copies of their rows.

    The copies are not chained: nothing here reads their links.
    """
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
                rules_in_force(terms=Terms()),
            )
        await connection.execute("ANALYZE")
    finally:
        await connection.close()


async def _bare_views(running: Running) -> None:
    """A table of ready views, one an incident: what a page would be read from if nothing had to be worked out."""
    connection = await asyncpg.connect(running.url)
    try:
        await connection.execute("DROP TABLE IF EXISTS peer_view")
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


async def bare_pages(running: Running, seconds: float) -> float:
    """Processor seconds a page, client and server, of one statement that reads a hundred stored views."""
    statement = "SELECT id, seq, body FROM peer_view WHERE team_id = $1 AND seq > $2 ORDER BY seq, id LIMIT 100"
    async with asyncpg.create_pool(running.url, min_size=CLIENTS, max_size=CLIENTS) as pool:
        async with pool.acquire() as connection:
            server = await postmaster(cast(asyncpg.Connection, connection))
            position = await connection.fetchval("SELECT max(seq) / 2 FROM peer_view")
        before, started = cpu_seconds(server) + time.process_time(), time.perf_counter()

        async def read() -> int:
            n = 0
            async with pool.acquire() as connection:
                while time.perf_counter() - started < seconds:
                    await connection.fetch(statement, TEAM, position)
                    n += 1
            return n

        done = sum(await asyncio.gather(*(read() for _ in range(CLIENTS))))
        return (cpu_seconds(server) + time.process_time() - before) / done

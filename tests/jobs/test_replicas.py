"""Four replicas on one database, killed at random in the middle of their work: every period exactly once."""

import asyncio
import contextlib
import multiprocessing
from datetime import UTC, date, datetime
from pathlib import Path
from random import Random

import pytest
import replica
from support.team_log import TEAM, open_team_log

from triage.store import outbox
from triage.store.summaries import publications
from triage.summaries.schedule import due_slots

FORKING = multiprocessing.get_context("forkserver")
FORKING.set_forkserver_preload(["triage.jobs.schedule"])  # imports cost a process most of its life
REPLICAS = 4
KILLED_ONE_IN = 22
NOW = datetime(2027, 4, 5, 12, 0, tzinfo=UTC)
STARTS_ON = date(2026, 9, 1)
"""Both changes of the clocks lie between."""


def keep_one(url: str, random: Random, kills: list[int | None]) -> None:
    """Start a replica, kill it while it works, start the next, until one finds nothing left to do."""
    ended = None
    while ended != 0:
        says, told = FORKING.Pipe(duplex=False)
        process = FORKING.Process(target=replica.run, args=(url, NOW, told))
        process.start()
        told.close()
        with says, contextlib.suppress(EOFError):
            while says.recv():
                if random.randrange(KILLED_ONE_IN) == 0:
                    process.kill()
                    kills.append(process.pid)
                    break
        process.join()
        ended = process.exitcode


@pytest.mark.timeout(120)
async def test_every_period_exactly_once_though_replicas_die(db_url: str, tmp_path: Path) -> None:
    kills: list[int | None] = []
    async with open_team_log(db_url, tmp_path, starts_on=STARTS_ON) as team:
        async with team.database.team(TEAM) as connection:
            await outbox.add_destination(connection, TEAM, "email", "a@example.org", ["summary"])
        due = due_slots((await team.team()).calendar, NOW)
        assert len(due) > 250
        await asyncio.gather(*(asyncio.to_thread(keep_one, db_url, Random(n), kills) for n in range(REPLICAS)))
        async with team.database.team(TEAM) as connection:
            rows = await connection.fetch("SELECT kind, period, edition, length(body) AS n FROM summary_edition")
            keys = [row["key"] for row in await connection.fetch("SELECT key FROM outbox")]
            runs = await publications.runs(connection, TEAM)
    assert len(kills) >= 5
    assert sorted((row["kind"], row["period"]) for row in rows) == sorted((s.period.kind, s.period.name) for s in due)
    assert {row["edition"] for row in rows} == {1} and min(row["n"] for row in rows) > 1000
    assert sorted(keys) == sorted(f"summary {row['kind']} {row['period']} internal 1" for row in rows)
    assert {run.state for run in runs.values()} == {"published"}

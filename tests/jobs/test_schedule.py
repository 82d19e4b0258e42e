"""One list of jobs on one scheduler: each on its own, none twice at a time, failures in one place."""

import asyncio
from collections.abc import AsyncIterator
from copy import copy
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio
from support.logins import KEYS, SERVICE, as_login
from support.phones import RunningService, running_service

from triage.jobs import schedule
from triage.jobs.schedule import Job, owner_jobs, scheduled, service_jobs
from triage.store import job_runs
from triage.store.database import Database, connect
from triage.store.job_runs import JobRun, JobRuns
from triage.store.journal import Journal
from triage.store.recovery.watch import HistoryWatch

SOON = 10.0
OFTEN = 0.01


@pytest_asyncio.fixture
async def database(db_url: str) -> AsyncIterator[Database]:
    async with connect(as_login(db_url, SERVICE), 3, 30.0) as opened:
        yield opened


@pytest.fixture
def history(database: Database, db_url: str) -> HistoryWatch:
    return HistoryWatch(database, Journal.at(as_login(db_url, KEYS)))


async def recorded(database: Database) -> dict[str, JobRun]:
    return {run.job: run for run in await job_runs.list_runs(database)}


class Calls:
    """A job's work that counts how often it began, and waits, or fails, as a test says."""

    def __init__(self, hangs: bool = False, fails: int = 0) -> None:
        self.began = asyncio.Semaphore(0)
        self.at_once = 0
        self._hangs, self._fails = hangs, fails

    async def __call__(self) -> None:
        self.at_once += 1
        self.began.release()
        assert self.at_once == 1
        try:
            if self._hangs:
                await asyncio.Event().wait()
            if self._fails:
                self._fails -= 1
                raise ZeroDivisionError
        finally:
            self.at_once -= 1

    async def wait(self, times: int) -> None:
        for _ in range(times):
            await asyncio.wait_for(self.began.acquire(), SOON)


async def test_no_job_runs_while_the_history_is_to_be_adopted(database: Database, history: HistoryWatch) -> None:
    whole, calls, going_on = copy(history), Calls(), Calls()
    history.forked = True
    async with scheduled((Job("calls", calls, OFTEN),), database, history):
        async with scheduled((Job("going_on", going_on, OFTEN),), database, whole):
            await going_on.wait(5)
        assert calls.began.locked()
        history.forked = False
        await calls.wait(1)


async def test_a_job_that_hangs_holds_up_no_other_and_ends_with_the_block(
    database: Database, history: HistoryWatch
) -> None:
    hanging, going_on = Calls(hangs=True), Calls()
    async with scheduled((Job("hanging", hanging, OFTEN), Job("going_on", going_on, OFTEN)), database, history):
        await hanging.wait(1)
        await going_on.wait(5)
        assert hanging.began.locked()
    assert (hanging.at_once, going_on.at_once) == (0, 0)


async def test_a_job_that_fails_is_logged_counted_and_called_again(
    database: Database, history: HistoryWatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("WARNING", logger="triage")
    failing = Calls(fails=2)
    async with scheduled((Job("failing", failing, OFTEN),), database, history):
        await failing.wait(4)
        async with asyncio.timeout(SOON):
            while not (run := (await recorded(database)).get("failing")) or not run.succeeded_at:
                pass
    said = [(record.message, vars(record)["job"]) for record in caplog.records]
    assert said == [("job_failed", "failing"), ("job_works_again", "failing")]  # where it changes, not at every call
    assert (run.failures, run.every_s) == (2, OFTEN)


async def test_a_frequent_job_is_recorded_now_and_then_and_at_once_after_a_failure(database: Database) -> None:
    runs = JobRuns(database, record_every_s=3600)
    await runs.succeeded("tick", 1)
    first = (await recorded(database))["tick"].succeeded_at
    await runs.succeeded("tick", 1)
    assert (await recorded(database))["tick"].succeeded_at == first
    await runs.failed("tick", 1)
    await runs.succeeded("tick", 1)
    run = (await recorded(database))["tick"]
    assert first and run.succeeded_at and run.succeeded_at > first and run.failures == 1


async def test_the_jobs_go_on_when_the_database_cannot_record_them(
    database: Database, history: HistoryWatch, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def unreachable(*_: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(JobRuns, "succeeded", unreachable)
    calls = Calls()
    async with scheduled((Job("calls", calls, OFTEN),), database, history):
        await calls.wait(3)
    assert [record.message for record in caplog.records] == ["job_run_not_recorded"]


async def test_an_outage_is_one_line_however_many_jobs_meet_it(
    db_url: str, history: HistoryWatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with connect(as_login(db_url, SERVICE), 3, 30.0) as lost:
        await lost._pool.close()
        met = asyncio.Semaphore(0)

        async def work() -> None:
            met.release()
            async with lost.no_team() as connection:
                await connection.fetchval("SELECT 1")

        async with scheduled(tuple(Job(f"job_{n}", work, OFTEN) for n in range(4)), lost, history):
            for _ in range(12):
                await asyncio.wait_for(met.acquire(), SOON)
    assert [record.message for record in caplog.records] == ["database_unreachable"]


async def test_the_end_of_a_log_is_told_outside_the_database_within_ten_seconds(db_url: str, tmp_path: Path) -> None:
    """A database that lost more than that is not served at its next start."""
    async with running_service(db_url, tmp_path) as service:
        assert {job.name: job.every_s for job in service_jobs(service.service)}["anchor_logs"] <= 10


async def test_every_job_of_the_list_succeeds(db_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    # on a database of its own: where the chains stand is written down, which tests of the shared one alter
    async with running_service(db_url, tmp_path) as service:
        await _every_job_succeeds(service, caplog)


async def _every_job_succeeds(service: RunningService, caplog: pytest.LogCaptureFixture) -> None:
    jobs = (*service_jobs(service.service), *owner_jobs(service.service, service.url))
    assert len({job.name for job in jobs}) == len(jobs)
    async with scheduled(jobs, service.service.database, service.service.history), asyncio.timeout(60):
        while {job.name for job in jobs} - (await recorded(service.service.database)).keys():
            pass
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []
    runs = await recorded(service.service.database)
    assert [name for name, run in runs.items() if run.failures] == []


def test_the_clock_of_the_jobs_is_the_present() -> None:
    assert abs((schedule.now() - datetime.now(UTC)).total_seconds()) < SOON

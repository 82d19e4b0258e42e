"""One replica, whose job runs several times a second, that says when it works: run by the test that kills it."""

import asyncio
import time
from datetime import datetime
from multiprocessing.connection import Connection

from support.logins import KEYS, SERVICE, as_login

from triage.jobs.publish import publish_due
from triage.jobs.schedule import Job, scheduled
from triage.store.database import connect
from triage.store.journal import Journal
from triage.store.recovery.watch import HistoryWatch
from triage.store.summaries import calendars, publications
from triage.summaries import editions
from triage.summaries.figures import Measure
from triage.summaries.registry import Scope
from triage.summaries.schedule import due_slots

compute = editions.compute_measures


def run(url: str, now: datetime, told: Connection) -> None:
    """Work until nothing is left to do."""

    def compute_slowly(scope: Scope) -> tuple[Measure, ...]:
        """Long enough, inside the transaction, to be killed in."""
        told.send("working")
        time.sleep(0.005)
        return compute(scope)

    editions.compute_measures = compute_slowly
    asyncio.run(_work(url, now))


async def _work(url: str, now: datetime) -> None:
    nothing_left = asyncio.Event()
    async with connect(as_login(url, SERVICE), 2, 30.0) as database:
        [team] = await calendars.teams(database)

        async def work() -> None:
            await publish_due(database, now)
            async with database.team(team.team_id) as connection:
                done = await publications.runs(connection, team.team_id)
            if len(done) == len(due_slots(team.calendar, now)):
                nothing_left.set()

        history = HistoryWatch(database, Journal.at(as_login(url, KEYS)))
        async with scheduled((Job("publish", work, 0.2),), database, history):
            await nothing_left.wait()

"""One replica, woken several times a second, that says what it is working on: run by the test that kills it."""

import asyncio
import sys
import time
from datetime import datetime

from triage.jobs.publishing import publish_due
from triage.jobs.waking import repeating
from triage.store import summaries
from triage.store.database import connect
from triage.summaries import editions
from triage.summaries.figures import Measure
from triage.summaries.registry import MEASURES_VERSION, Scope
from triage.summaries.schedule import due_slots

compute = editions.compute


def compute_slowly(scope: Scope, version: int = MEASURES_VERSION) -> tuple[Measure, ...]:
    """Long enough, inside the transaction, to be killed in."""
    print("working", flush=True)
    time.sleep(0.005)
    return compute(scope, version)


async def main(url: str, now: datetime) -> None:
    editions.compute = compute_slowly
    nothing_left = asyncio.Event()
    async with connect(url, 2, 30.0) as database:
        [team] = await summaries.teams(database)

        async def work() -> None:
            await publish_due(database, now)
            async with database.team(team.team_id) as connection:
                done = await summaries.runs(connection, team.team_id)
            if len(done) == len(due_slots(team.calendar, now)):
                nothing_left.set()

        async with repeating(work, 0.2):
            await nothing_left.wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], datetime.fromisoformat(sys.argv[2])))

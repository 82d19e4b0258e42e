"""The primary dies, the standby is promoted: the same processes go on with it, and nothing acknowledged is lost."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import httpx
import pytest
import pytest_asyncio
from msgspec import structs
from support.cast import Json
from support.phones import Crew, RunningService, entry, now, refused, running_service
from support.standby import Pair, ask_for_standby

from triage.jobs.schedule import scheduled, service_jobs
from triage.settings import DatabaseUrl
from triage.store.database import UNREACHABLE
from triage.store.log import cursor, pull

pytestmark = pytest.mark.database


def either(pair: Pair, dbname: str) -> str:
    """The address that names both servers."""
    hosts = ",".join(server.url(dbname).partition("host=")[2].partition("&")[0] for server in pair)
    return f"postgresql://triage@/{dbname}?host={hosts}&port=5432,5432&target_session_attrs=read-write"


@pytest_asyncio.fixture
async def process(pair: Pair, tmp_path: Path) -> AsyncIterator[RunningService]:
    url = either(pair, "triage")
    here = DatabaseUrl(url)
    async with running_service(url, tmp_path, database_url=here, keys_database_url=here) as opened:
        async with scheduled(service_jobs(opened.service), opened.service.database, opened.service.history):
            yield opened


async def test_nothing_acknowledged_is_lost_and_the_service_goes_on(pair: Pair, process: RunningService) -> None:
    primary, standby = pair
    crew = await process.enrol_crew()
    noted = await crew.nurse.tell("nurse", uuid4(), note="written down before")
    await crew.officer.follow()
    sent = [entry("officer", uuid4()) for _ in range(200)]
    answers = asyncio.gather(*(each(crew, body) for body in sent))
    stop = ("pg_ctl", "stop", "-m", "immediate", "-D", str(primary.data_dir / "pg/data"))
    await asyncio.to_thread(primary._run, *stop)
    acknowledged = [body for body, answer in zip(sent, await answers, strict=True) if answer.status_code == 201]

    for answer in (await crew.officer.put(sent[0]), await process.client.get("/health/ready")):
        assert refused(answer) == (503, "not_ready")
        assert int(answer.headers["retry-after"]) >= 1

    process.service.database.came_back.clear()
    promoted = await asyncpg.connect(standby.url("postgres"))
    assert await promoted.fetchval("SELECT pg_promote()")
    await promoted.close()
    assert (await process.client.get("/health/ready")).status_code == 200
    assert process.service.database.came_back.is_set()  # the history is looked at
    asked = await crew.officer.post("/v1/sync/held", {"ids": [body["id"] for body in acknowledged]})
    assert asked.json()["missing"] == []
    again = await crew.officer.sync(*sent, cursor=crew.officer.cursor)
    assert again["counts"]["stored"] + again["counts"]["duplicate"] == len(sent)
    assert again["counts"]["duplicate"] >= len(acknowledged)
    while await crew.fetch("SELECT 1 FROM audit WHERE team_id = $1 AND link IS NULL"):
        pass  # what seals the audit goes on too
    assert "written down before" in str(await crew.nurse.entries(noted["incident_id"]))


async def test_no_cursor_names_a_place_that_one_machine_alone_has(pair: Pair, process: RunningService) -> None:
    """A commit shows although no standby has it, for instance while a leader is ended that waited for its standby."""
    crew = await process.enrol_crew()
    incident = uuid4()
    await crew.officer.tell("officer", incident)
    await crew.nurse.follow()
    await crew.officer.tell("follow_up", incident, event="later_arrest")  # which health is not told of
    admin = await asyncpg.connect(pair[0].url("postgres"))
    try:
        await ask_for_standby(admin, "absent")
        assert refused(await crew.nurse.post_sync(cursor=crew.nurse.cursor)) == (503, "not_ready")
    finally:
        await ask_for_standby(admin, "*")
        await admin.close()
    told = await crew.nurse.sync(cursor=crew.nurse.cursor)
    assert told["incidents"] == [] and told["cursor"] != crew.nurse.cursor


async def test_a_leader_that_cannot_commit_says_nothing_of_what_is_stored(pair: Pair, process: RunningService) -> None:
    """It may have slept while another took its place: it lacks what was stored since, and the other takes down
    refusals."""
    crew = await process.enrol_crew()
    await crew.officer.tell("officer", uuid4())
    await crew.nurse.follow()
    actor = await crew.nurse.actor()
    held = cursor.decode(str(crew.nurse.cursor))
    ahead = structs.replace(held, position=held.position + 1)
    admin = await asyncpg.connect(pair[0].url("postgres"))
    try:
        await ask_for_standby(admin, "absent")
        with pytest.raises(UNREACHABLE):
            await pull.begin(process.service.pullers, actor, ahead, now())
        with pytest.raises(UNREACHABLE):
            await pull.held_ids(process.service.database, actor, [uuid4()])
    finally:
        await ask_for_standby(admin, "*")
        await admin.close()
    assert refused(await crew.nurse.post_sync(cursor=cursor.encode(ahead))) == (410, "cursor_unknown")


async def each(crew: Crew, body: Json) -> httpx.Response:
    return await crew.officer.put(body)


async def test_a_process_says_at_its_start_that_what_it_acknowledges_lies_on_one_machine(
    pair: Pair, db_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("WARNING", logger="triage.startup")
    here = DatabaseUrl(either(pair, "triage"))
    async with running_service(here, tmp_path, database_url=here, keys_database_url=here):
        assert caplog.records == []
    async with running_service(db_url, tmp_path):
        assert [record.message for record in caplog.records] == ["database_on_one_machine"]

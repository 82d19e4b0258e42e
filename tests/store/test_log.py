"""The log under load: dense, in commit order, each entry once, whoever writes at the same time and whatever dies."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from functools import cached_property
from pathlib import Path
from random import Random
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
import httpx
import pytest
from support.cast import BEDFORDSHIRE, Clone, Json
from support.logins import KEYS, SERVICE, as_login
from support.phones import Crew, Phone, RunningService, entry, refused, running_service
from uuid_utils.compat import uuid7

from triage.progress import unseen
from triage.store.access.staff import as_owner
from triage.store.chains import ChainVerdict
from triage.store.database import UNREACHABLE, Database, GenericPlans, connect
from triage.store.log import snapshot
from triage.store.verify import KnownElsewhere, verify


async def every_key(refs: list[UUID]) -> set[UUID]:
    return set(refs)


async def verdict(crew: Crew) -> ChainVerdict:
    async with as_owner(crew.owner_url, crew.team_id) as owner:
        return await verify(owner, crew.team_id, KnownElsewhere(frozenset(), every_key, {}), unseen)


async def stored(crew: Crew) -> list[str]:
    """The ids in the log, in its order, after checking that it is whole and dense."""
    rows = await crew.fetch("SELECT id, seq, received_at FROM entry WHERE team_id = $1 ORDER BY seq")
    assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1))
    chain = await verdict(crew)
    assert (chain.fault, chain.rows) == (None, len(rows))
    assert [row["received_at"] for row in rows] == sorted(row["received_at"] for row in rows)
    return [str(row["id"]) for row in rows]


# --- many at once ---


async def test_twenty_phones_that_send_the_same_fifty_entries_at_once_store_each_once(
    service: RunningService, crew: Crew, another: RunningService
) -> None:
    incidents = [uuid7() for _ in range(5)]
    entries = [entry("outcome", incidents[n % 5]) for n in range(50)]
    entries[7] = entry("officer", incidents[0], note="Calm.")
    random = Random(1)
    police = [crew.officer, crew.other_officer, crew.sergeant]
    phones = [random.choice(police).on(process) for process in (service, another) for _ in range(10)]

    async def send(phone: Phone) -> Json:
        return await phone.sync(*random.sample(entries, len(entries)))

    answers = await asyncio.gather(*(send(phone) for phone in phones))
    assert sum(answer["counts"]["stored"] for answer in answers) == 50
    assert sum(answer["counts"]["duplicate"] for answer in answers) == 950
    places = [{result["id"]: result["seq"] for result in answer["results"]} for answer in answers]
    assert all(place == places[0] for place in places)
    assert sorted(await stored(crew)) == sorted(body["id"] for body in entries)


async def test_single_entries_of_two_processes_interleave_and_each_gets_its_turn(
    crew: Crew, another: RunningService
) -> None:
    here, there = crew.officer, crew.other_officer.on(another)

    async def write(phone: Phone, times: int) -> list[int]:
        return [(await phone.store(entry("outcome", uuid7())))["seq"] for _ in range(times)]

    rounds = await asyncio.gather(*(write(phone, 15) for phone in (here, there) * 4))
    ours, theirs = [seq for n in (0, 2, 4, 6) for seq in rounds[n]], [seq for n in (1, 3, 5, 7) for seq in rounds[n]]
    assert sorted(ours + theirs) == list(range(1, 121))
    assert all(mine == sorted(mine) for mine in rounds)
    # neither process finished while the other was still waiting for its first
    assert min(theirs) < max(ours) and min(ours) < max(theirs)
    halfway = set(range(1, 61))
    assert len(halfway & set(ours)) > 10 and len(halfway & set(theirs)) > 10
    await stored(crew)


async def test_links_and_corrections_that_two_processes_send_at_once_reach_all_that_they_concern(
    crew: Crew, another: RunningService
) -> None:
    incidents = sorted(uuid7() for _ in range(16))
    outcomes = [entry("outcome", incident) for incident in incidents]
    # of another incident than the outcome that they name
    withdrawals = [entry("withdrawal", incidents[0], withdraws=outcome["id"]) for outcome in outcomes[8:]]
    links = [entry("same_incident", incidents[n], other_incident_id=incidents[n + 1]) for n in range(15)]
    written = Random(7).sample(outcomes + withdrawals, 24)

    async def send(phone: Phone, bodies: list[Json]) -> None:
        for body in bodies:
            await phone.store(body)

    linker = crew.other_officer.on(another)
    await asyncio.gather(
        *(send(crew.officer, written[n::3]) for n in range(3)), *(send(linker, links[n::3]) for n in range(3))
    )
    rows = await crew.fetch("SELECT id, root, ids FROM incident WHERE team_id = $1 AND NOT blind ORDER BY id")
    assert [row["id"] for row in rows] == incidents
    assert {row["root"] for row in rows} == {incidents[0]}
    assert rows[0]["ids"] == incidents
    withdrawn = await crew.fetch("SELECT belongs_to FROM entry WHERE team_id = $1 AND kind = 'withdrawal'")
    assert sorted(row["belongs_to"] for row in withdrawn) == incidents[8:]
    await stored(crew)


async def test_what_was_reached_in_a_log_that_moved_on_holds_no_longer(crew: Crew, database: Database) -> None:
    async with database.team(crew.team_id) as connection:
        reach = await snapshot.reach_of(connection, crew.team_id, [], [])
        assert reach.holds(await snapshot.read(connection, crew.team_id, [], reach, BEDFORDSHIRE))
        await crew.officer.store(entry("outcome", uuid7()))
        assert not reach.holds(await snapshot.read(connection, crew.team_id, [], reach, BEDFORDSHIRE))


async def test_a_long_sync_lets_single_entries_pass_between_its_chunks(crew: Crew) -> None:
    entries = [entry("outcome", uuid7()) for _ in range(500)]
    syncing = asyncio.create_task(crew.officer.sync(*entries))
    seqs = []
    while not syncing.done():
        seqs.append((await crew.nurse.store(entry("outcome", uuid7())))["seq"])
    answer = await syncing
    places = [result["seq"] for result in answer["results"]]
    assert places == sorted(places)
    passed = [seq for seq in seqs if seq < places[-1]]
    assert len(passed) >= 4
    # a chunk of a hundred stays together
    assert all(places[n + 99] - places[n] == 99 for n in range(0, 500, 100))
    await stored(crew)


async def test_a_process_that_stops_with_the_head_of_the_log_holds_it_for_seconds_alone(crew: Crew) -> None:
    """As by SIGSTOP: its connection stays, and says nothing. The other process answers before a phone gives up."""
    async with connect(as_login(crew.owner_url, SERVICE), 1, 10.0, kind=GenericPlans) as stopped:
        with contextlib.suppress(*UNREACHABLE, asyncpg.PostgresError):  # its session is ended
            async with stopped.team(crew.team_id) as connection, connection.transaction():
                await crew.officer.tell("officer", uuid7())
                await connection.execute("SELECT FROM log_head WHERE team_id = $1 FOR UPDATE", crew.team_id)
                answer = await crew.officer.put(entry("officer", uuid7()))
                assert answer.status_code == 201, answer.text
    assert len(await stored(crew)) == 2


async def test_entries_sent_at_once_go_into_few_appends(crew: Crew) -> None:
    phones = [crew.officer, crew.nurse, crew.paramedic]
    answers = await asyncio.gather(*(phones[n % 3].store(entry("outcome", uuid7())) for n in range(60)))
    assert len({answer["received_at"] for answer in answers}) <= 20
    assert sorted(answer["seq"] for answer in answers) == list(range(1, 61))


async def test_what_waits_is_limited_and_the_rest_is_told_to_come_later(service: RunningService, crew: Crew) -> None:
    data_dir = service.service.settings.data_dir
    async with running_service(service.url, data_dir, queue_limit=150) as process:
        phone = crew.officer.on(process)
        syncs = [[entry("outcome", uuid7()) for _ in range(100)] for _ in range(6)]
        answers = await asyncio.gather(*(phone.post_sync(*entries) for entries in syncs))
        busy = [answer for answer in answers if answer.status_code != 200]
        assert busy and len(busy) < len(answers)
        for answer in busy:
            assert refused(answer) == (503, "busy")
            assert int(answer.headers["retry-after"]) >= 1
        for entries in syncs:
            assert (await phone.post_sync(*entries)).status_code == 200
    assert sorted(await stored(crew)) == sorted(body["id"] for entries in syncs for body in entries)


async def test_a_client_that_hangs_up_does_not_disturb_the_others(crew: Crew) -> None:
    gone = [asyncio.create_task(crew.officer.put(entry("outcome", uuid7()))) for _ in range(10)]
    await asyncio.sleep(0)
    for entry_id in gone[::2]:
        entry_id.cancel()
    kept = await asyncio.gather(*gone, return_exceptions=True)
    receipt = await crew.nurse.store(entry("outcome", uuid7()))
    assert [answer.status_code for answer in kept if isinstance(answer, httpx.Response)] == [201] * 5
    assert len(await stored(crew)) == receipt["seq"]


# --- poison ---


@contextlib.asynccontextmanager
async def poisonous(crew: Crew, marker: str) -> AsyncIterator[None]:
    """A database that refuses every incident with this log reference, as it would content that nobody foresaw."""
    check = f"log_ref IS DISTINCT FROM '{marker}'"
    await _alter(crew, f"ALTER TABLE incident ADD CONSTRAINT unforeseen CHECK ({check})")
    try:
        yield
    finally:
        await _alter(crew, "ALTER TABLE incident DROP CONSTRAINT unforeseen")


async def _alter(crew: Crew, sql: str) -> None:
    connection = await asyncpg.connect(crew.owner_url)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


async def test_an_entry_that_the_database_refuses_costs_nobody_elses(crew: Crew) -> None:
    async with poisonous(crew, "POISON"):
        good = [entry("officer", uuid7(), log_ref=f"BP-{n}") for n in range(20)]
        bad = entry("officer", uuid7(), log_ref="POISON", note="Not for any log.")
        answers = await asyncio.gather(*(crew.officer.put(body) for body in (*good[:10], bad, *good[10:])))
        assert [answer.status_code for answer in answers] == [201] * 10 + [500] + [201] * 10
        assert refused(answers[10]) == (500, "internal")
        assert "POISON" not in answers[10].text
        more = [entry("officer", uuid7()) for _ in range(4)]
        answer = await crew.officer.sync(*more[:2], bad, *more[2:])
        assert [result["status"] for result in answer["results"]] == ["stored"] * 2 + ["refused"] + ["stored"] * 2
        assert answer["results"][2]["problem"]["code"] == "internal"
    assert sorted(await stored(crew)) == sorted(body["id"] for body in (*good, *more))
    # once the fault is mended the same entry is taken
    assert (await crew.officer.put(bad)).status_code == 201


# --- the database itself ---


@pytest.fixture
def database(service: RunningService) -> Database:
    return service.service.database


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE log_head SET seq = seq - 1",
        "UPDATE log_head SET seq = 0, link = decode(repeat('00', 32), 'hex')",
        "UPDATE log_head SET seq = seq + 1",
        "UPDATE log_head SET link = sha256('x')",
    ],
)
async def test_the_head_moves_with_entries_only(crew: Crew, database: Database, sql: str) -> None:
    for _ in range(2):
        await crew.officer.tell("officer", uuid7())
    async with database.team(crew.team_id) as connection:
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            await connection.execute(sql)
    await crew.officer.tell("officer", uuid7())
    assert len(await stored(crew)) == 3


@pytest.mark.parametrize("seqs", [(3, 4), (1,), (4, 5), (2, 4), (2, 3, 5)])
async def test_entries_that_would_leave_a_gap_are_refused(
    crew: Crew, database: Database, seqs: tuple[int, ...]
) -> None:
    await crew.officer.tell("officer", uuid7())
    insert = """
        WITH head AS (UPDATE log_head SET seq = $2, link = sha256('x') WHERE team_id = $1)
        INSERT INTO entry (team_id, seq, id, incident_id, kind, author, profession, role, received_at, body, salt, link)
        SELECT $1, n, gen_random_uuid(), gen_random_uuid(), 'officer', gen_random_uuid(), 'police', 'officer', now(),
               '{}', decode(repeat('00', 16), 'hex'), sha256('x')
        FROM unnest($3::bigint[]) n
    """
    async with database.team(crew.team_id) as connection:
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            await connection.execute(insert, crew.team_id, max(seqs), list(seqs))
    assert len(await stored(crew)) == 1


# --- another history ---


@pytest.mark.parametrize("others_wrote", [0, 1, 5])
async def test_after_an_older_copy_is_restored_phones_offer_again_and_nothing_is_doubled(
    clone: Clone, template: str, tmp_path: Path, others_wrote: int
) -> None:
    async with clone(template) as url:
        async with running_service(url, tmp_path) as process:
            crew = await process.enrol_crew()
            before = [await crew.officer.tell("officer", uuid7()) for _ in range(3)]
            await crew.nurse.follow()
        async with clone(urlsplit(url).path[1:]) as copy_url:
            async with running_service(url, tmp_path) as process:
                since = [await crew.officer.on(process).tell("officer", uuid7()) for _ in range(2)]
                later = (await crew.nurse.on(process).sync(cursor=crew.nurse.cursor))["cursor"]
            async with running_service(copy_url, tmp_path) as restored:
                officer, nurse, sergeant = (phone.on(restored) for phone in (crew.officer, crew.nurse, crew.sergeant))
                for _ in range(others_wrote):
                    await sergeant.tell("officer", uuid7())
                unsent = entry("nurse", uuid7())
                answer = await nurse.post_sync(unsent, cursor=later)
                assert refused(answer) == (410, "cursor_unknown")
                assert answer.json()["resync"] is True
                resent = await nurse.sync(unsent, cursor=None)
                assert resent["counts"]["stored"] == 1
                assert (await nurse.post_sync(cursor=crew.nurse.cursor)).status_code == 200
                ids = [body["id"] for body in (*before, *since)]
                held = (await officer.post("/v1/sync/held", {"ids": ids})).json()
                assert held == {"held": ids[:3], "missing": ids[3:]}
                again = await officer.sync(*before, *since)
                assert [result["status"] for result in again["results"]] == ["duplicate"] * 3 + ["stored"] * 2
                crew.owner_url = copy_url
                assert len(await stored(crew)) == 3 + others_wrote + 1 + 2


# --- kill -9 ---


class Killed:
    """`triage serve` as a process of its own, which may die at any moment."""

    def __init__(self, url: str, data_dir: Path) -> None:
        logins = {"DATABASE_URL": as_login(url, SERVICE), "KEYS_DATABASE_URL": as_login(url, KEYS)}
        settings = logins | {"DATA_DIR": str(data_dir), "PORT": "0"}
        environ = os.environ | {f"TRIAGE_{name}": value for name, value in settings.items()}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "triage", "serve"], env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )

    @cached_property
    def url(self) -> str:
        """Where it listens, as it says once it does."""
        assert self.process.stderr
        for line in self.process.stderr:
            said = json.loads(line)
            if said["event"] == "listening":
                address: str = said["url"]
                return address
        raise AssertionError("the service did not start")

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        assert self.process.stderr
        self.process.stderr.close()


@contextlib.contextmanager
def serving(url: str, data_dir: Path) -> Iterator[Killed]:
    served = Killed(url, data_dir)
    try:
        yield served
    finally:
        if served.process.poll() is None:
            served.kill()


async def storm(
    phone: Phone, address: str, entries: list[Json], acknowledged: dict[str, int], enough: asyncio.Event
) -> None:
    """Sync ten entries at a time until the service is gone, remembering what it acknowledged."""
    async with httpx.AsyncClient(base_url=address) as client:
        talking = Phone(phone.service, client, phone.token, phone.staff_id, phone.device_id)
        with contextlib.suppress(httpx.TransportError):
            for start in range(0, len(entries), 10):
                answer = await talking.sync(*entries[start : start + 10])
                acknowledged |= {result["id"]: result["seq"] for result in answer["results"]}
                if len(acknowledged) > 300:
                    enough.set()


async def test_killed_in_a_storm_of_syncs_every_acknowledged_entry_is_there_once(db_url: str, tmp_path: Path) -> None:
    async with running_service(db_url, tmp_path) as process:
        crew = await process.enrol_crew()
    await crew.fetch(
        "UPDATE team SET starts_on = current_date WHERE team_id = $1"
    )  # no summaries of months to catch up
    phones = [crew.officer, crew.other_officer, crew.sergeant, crew.nurse, crew.paramedic, crew.clinical_lead]
    entries = [[entry("outcome", uuid7()) for _ in range(200)] for _ in phones]
    acknowledged: dict[str, int] = {}
    enough = asyncio.Event()
    with serving(db_url, tmp_path) as first, serving(db_url, tmp_path) as other:
        storms = [
            asyncio.create_task(storm(phone, (first, other)[n % 2].url, entries[n], acknowledged, enough))
            for n, phone in enumerate(phones)
        ]
        await enough.wait()
        first.kill()
        other.kill()
        await asyncio.gather(*storms)
    assert len(acknowledged) < 6 * 200
    in_the_log = await stored(crew)
    assert len(set(in_the_log)) == len(in_the_log)
    for name, seq in acknowledged.items():
        assert in_the_log[seq - 1] == name
    async with running_service(db_url, tmp_path) as process:
        for phone, sent in zip(phones, entries, strict=True):
            answer = await phone.on(process).sync(*sent)
            assert answer["counts"]["stored"] + answer["counts"]["duplicate"] == 200
            for first in answer["results"]:
                assert acknowledged.get(first["id"], first["seq"]) == first["seq"]
    assert sorted(await stored(crew)) == sorted(body["id"] for sent in entries for body in sent)

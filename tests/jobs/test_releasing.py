"""Releases are cut when due, once, from what was known at the cut-off, and are then as they are for ever."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4, uuid5

import asyncpg
import pytest
import pytest_asyncio
from msgspec import structs
from support.cast import Clone, Json
from support.export_team import ExportTeam, SeededLog, entries_of, half_a_year, item
from support.phones import running_service
from support.population import Arrival

from triage.exports.members import ReleaseMember
from triage.exports.tables import Edition
from triage.exports.tree import CONFIG
from triage.jobs import due_releases
from triage.jobs.release import ReleasedEdition, Unreleased
from triage.log import entries as e
from triage.log.append_decision import IncomingEntry
from triage.progress import unseen
from triage.store.access.staff import as_owner
from triage.store.exports import releases, snapshots
from triage.store.exports.release_proof import ReleaseVerdict, verify_releases
from triage.store.exports.releases import withdraw
from triage.store.people.erasure import erase, find_erasable
from triage.store.summaries import calendars

DAY = timedelta(days=1)
APRIL = datetime(2025, 5, 8, 5, tzinfo=UTC)
QUARTER = datetime(2025, 7, 29, 5, tzinfo=UTC)
"""The cut-offs: 1 May and 1 July, six in the morning local time, and 7 and 28 days."""
FIRST_QUARTER = ["tables/2025-04/1", "tables/2025-05/1", "tables/2025-06/1", "records/2025-Q1/1", "tables/2025-Q1/1"]
SECOND_QUARTER = datetime(2025, 10, 29, 6, tzinfo=UTC)


@pytest_asyncio.fixture(scope="module")
async def after_quarter(seeded: SeededLog, clone: Clone) -> AsyncIterator[SeededLog]:
    """The seeded team after its first quarter was cut, with a partner of each kind: to be copied."""
    async with clone(seeded.template) as url:
        async with running_service(url, seeded.data_dir) as opened:
            team = ExportTeam(opened, seeded.team_id)
            for body in ("other", "police"):
                await team.partner(body)
            assert [name for name in named(await team.release(QUARTER)) if name.endswith("/1")] == FIRST_QUARTER
        yield SeededLog(urlsplit(url).path[1:], seeded.data_dir, seeded.team_id)


@pytest_asyncio.fixture
async def released(after_quarter: SeededLog, clone: Clone) -> AsyncIterator[ExportTeam]:
    """Such a team in a database of its own."""
    async with clone(after_quarter.template) as url, running_service(url, after_quarter.data_dir) as opened:
        yield ExportTeam(opened, after_quarter.team_id)


def named(released: list[ReleasedEdition]) -> list[str]:
    return [f"{edition.dataset}/{edition.period}/{edition.edition}" for edition in released]


@pytest.mark.parametrize(
    ("now", "due"),
    [
        (datetime(2025, 4, 30, tzinfo=UTC), []),
        (datetime(2025, 5, 1, 5, tzinfo=UTC), []),
        (APRIL - timedelta(seconds=1), []),
        (APRIL, ["tables/2025-04/1"]),
        (QUARTER - timedelta(seconds=1), FIRST_QUARTER[:3]),
    ],
)
async def test_nothing_is_cut_before_its_period_is_over_and_its_cut_off_has_passed(
    exporting: ExportTeam, now: datetime, due: list[str]
) -> None:
    assert [name for name in named(await exporting.release(now)) if name.endswith("/1")] == due


async def test_what_is_cut_is_not_cut_again(released: ExportTeam) -> None:
    assert await released.release(QUARTER) == []
    assert await released.release(QUARTER + DAY) == []


async def test_a_clock_set_back_cuts_nothing(released: ExportTeam) -> None:
    before = await released.fetch("SELECT * FROM release WHERE team_id = $1 ORDER BY release_id")
    assert await released.release(APRIL) == []
    assert await released.fetch("SELECT * FROM release WHERE team_id = $1 ORDER BY release_id") == before


async def test_twenty_runs_at_once_cut_each_release_once(exporting: ExportTeam) -> None:
    await exporting.partner()
    runs = await asyncio.gather(*(exporting.release(QUARTER) for _ in range(20)))
    released_then = [name for released_then in runs for name in named(released_then)]
    assert len(released_then) == len(set(released_then))
    assert set(FIRST_QUARTER) <= set(released_then)
    assert len(await exporting.fetch("SELECT FROM rendering WHERE team_id = $1")) == len(released_then)


async def test_a_run_that_comes_months_late_cuts_what_one_on_time_would_have(released: ExportTeam) -> None:
    frozen = (
        "SELECT dataset, period, sha256 FROM release WHERE team_id = $1 AND edition = 1 AND cut_off <= $2 ORDER BY 1, 2"
    )
    on_time = await released.fetch(frozen, QUARTER)
    for row in on_time:
        await released.forget(row["dataset"], row["period"])
    # what the log got in the meantime: a correction of one in three, and a withdrawal of one in ten
    await released.append([i for n, a in enumerate(_quarter()) for i in _second_thoughts(released, n, a)])
    await released.release(QUARTER + 30 * DAY)
    late = await released.fetch(frozen, QUARTER)
    assert len(late) == len(FIRST_QUARTER)
    assert [tuple(row) for row in late] == [tuple(row) for row in on_time]


def _quarter() -> list[Arrival]:
    return [edition for edition in half_a_year() if edition.arrived_at < QUARTER]


def _second_thoughts(team: ExportTeam, n: int, arrival: Arrival) -> Iterator[IncomingEntry]:
    at = QUARTER + DAY + timedelta(seconds=n)
    officer = next(entries_of(arrival.member))
    common: Json = {"incident_id": arrival.member.incident_id, "captured_at": at, "codes_version": 1}
    assert officer.id
    if n % 10 == 0:
        entry: e.AnyEntry = e.Withdrawal(
            id=uuid5(officer.id, "withdrawn"), withdraws=officer.id, reason="entered_in_error", **common
        )
        yield item(entry, team.team_id, at)
    elif n % 3 == 0:
        kept = set(e.Officer.__struct_fields__) - set(e.Entry.__struct_fields__)
        content = {name: getattr(officer, name) for name in kept} | {"area": "bedford", "sex": "unknown"}
        new: Any = e.replacement(e.Officer)(**content)
        entry = e.Amendment(
            id=uuid5(officer.id, "amended"), amends=officer.id, reason="wrong_code", entry=new, **common
        )
        yield item(entry, team.team_id, at)


async def test_what_is_amended_and_withdrawn_after_the_release_moves_no_byte_of_it(released: ExportTeam) -> None:
    partner = await released.partner()
    before = await partner.bytes("records/2025-Q1"), await partner.bytes("tables/2025-Q1", edition=1)
    await released.append([i for n, a in enumerate(_quarter()) for i in _second_thoughts(released, n, a)])
    names = named(await released.release(QUARTER + 20 * DAY))
    assert "tables/2025-Q1/2" in names, "so many changes are a new edition of the tables"
    assert not [edition for edition in names if edition.startswith("records")]
    assert (await partner.bytes("records/2025-Q1"), await partner.bytes("tables/2025-Q1", edition=1)) == before
    assert await partner.bytes("tables/2025-Q1") != before[1]


async def test_what_is_erased_after_the_release_moves_no_byte_and_no_member_of_it(
    released: ExportTeam, tmp_path: Path
) -> None:
    partner = await released.partner()
    before = await partner.bytes("records/2025-Q1"), await partner.manifest("records/2025-Q1")
    keys = released.running.service.keys
    for arrival in _quarter()[:30]:
        async with as_owner(released.running.url, released.team_id) as owner:
            incident = arrival.member.incident_id
            journal = released.running.service.journal
            reach = await find_erasable(owner, keys, released.team_id, person_id=None, incident_id=incident)
            await erase(owner, keys, journal, released.team_id, reach, "a test")
    await released.release(QUARTER + 20 * DAY)
    assert (await partner.bytes("records/2025-Q1"), await partner.manifest("records/2025-Q1")) == before
    assert {verdict.fault for verdict in await _verdicts(released)} == {None}


async def test_late_records_come_once_in_a_file_of_their_own(released: ExportTeam) -> None:
    partner = await released.partner()
    names = named(await released.release(SECOND_QUARTER))
    assert "records/2025-Q2/1" in names
    assert "records/2025-Q2-late/1" in names
    rows = await released.fetch(
        "SELECT r.period, x.incident_id FROM release_row x JOIN release r USING (team_id, release_id)"
        " WHERE x.team_id = $1 AND number IS NOT NULL"
    )
    ids = [row["incident_id"] for row in rows]
    assert len(ids) == len(set(ids))
    late = {row["incident_id"] for row in rows if row["period"] == "2025-Q2-late"}
    arrived = {
        a.member.incident_id
        for a in half_a_year()
        if a.member.occurred_at < datetime(2025, 7, 1, 5, tzinfo=UTC) and a.arrived_at >= QUARTER
    }
    assert late <= arrived
    assert late
    assert {row["month"] for row in await partner.rows("records/2025-Q2-late")} == {"*"}


async def _link(exporting: ExportTeam, first: ReleaseMember, second: ReleaseMember, at: datetime) -> None:
    same = e.SameIncident(
        id=uuid4(),
        incident_id=first.incident_id,
        other_incident_id=second.incident_id,
        reason="same_log_and_person",
        captured_at=at,
        codes_version=1,
    )
    await exporting.append([item(same, exporting.team_id, at)])


async def test_links_made_after_the_cut_off_join_nothing_before_it(exporting: ExportTeam) -> None:
    first, second = [a.member for a in _quarter()][:2]
    at = QUARTER + DAY
    await _link(exporting, first, second, at)
    await exporting.release(QUARTER + DAY * 2)
    ids = {
        row["incident_id"] for row in await exporting.fetch("SELECT incident_id FROM release_row WHERE team_id = $1")
    }
    assert {first.incident_id, second.incident_id} <= ids


async def test_incidents_linked_before_the_cut_off_are_one_row_and_neither_comes_again(exporting: ExportTeam) -> None:
    first, second = [a.member for a in _quarter()][:2]
    at = QUARTER - DAY
    await _link(exporting, first, second, at)
    await exporting.release(QUARTER + DAY)
    rows = await exporting.fetch(
        "SELECT number FROM release_row WHERE team_id = $1 AND incident_id = ANY ($2::uuid[]) ORDER BY number",
        [first.incident_id, second.incident_id],
    )
    assert len(rows) == 2
    assert rows[1]["number"] is None


async def test_what_is_linked_to_an_incident_that_was_released_is_not_released_after_it(released: ExportTeam) -> None:
    gone_out = [a.member for a in _quarter()][:20]
    late = [
        a.member
        for a in half_a_year()
        if a.member.occurred_at < datetime(2025, 7, 1, 5, tzinfo=UTC) and QUARTER <= a.arrived_at < SECOND_QUARTER - DAY
    ][:20]
    assert len(late) > 5
    for member, other in zip(late, gone_out, strict=False):
        await _link(released, member, other, SECOND_QUARTER - DAY)
    database = released.running.service.database
    team = await calendars.team(database, released.team_id)
    async with database.team(released.team_id) as connection, connection.transaction():
        until = await releases.position(connection, released.team_id, SECOND_QUARTER)
        waiting = await snapshots.snapshot(
            connection, team, due_releases.LONG_AGO, QUARTER, until, SECOND_QUARTER, CONFIG.policy
        )
    assert {id for counted in waiting for id in counted.incident_ids}.isdisjoint(m.incident_id for m in late)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE release SET body = ''",
        "DELETE FROM release",
        "UPDATE release SET withdrawn_at = now(), withdrawn_because = 'no'",
        "UPDATE release_row SET classes = ''",
        "DELETE FROM release_row",
        "TRUNCATE release_row",
        "UPDATE rendering SET manifest = ''",
        "UPDATE rendered_file SET bytes = 0",
        "DELETE FROM rendered_chunk",
        "UPDATE rendered_chunk SET body = 'x'",
        "UPDATE ledger SET rows = 0",
        "DELETE FROM ledger",
        "UPDATE agreement SET expires_at = '2099-01-01'",
        "INSERT INTO agreement SELECT * FROM agreement",
        "DELETE FROM release_cadence",
    ],
)
async def test_the_service_can_change_nothing_that_is_frozen(conn: asyncpg.Connection, statement: str) -> None:
    await conn.execute("SET LOCAL ROLE triage_service")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await conn.execute(statement)


FROZEN = [
    "UPDATE release SET body = ''",
    "DELETE FROM release",
    "UPDATE release_row SET classes = 'x'",
    "DELETE FROM release_row",
    "TRUNCATE rendered_chunk",
    "UPDATE rendering SET manifest = ''",
    "UPDATE rendered_file SET bytes = 0",
    "UPDATE rendered_chunk SET body = 'x'",
    "UPDATE agreement SET purpose = 'x'",
]


async def test_nor_can_the_owner_by_mistake(released: ExportTeam) -> None:
    for statement in FROZEN:
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            async with as_owner(released.running.url, released.team_id) as owner:
                await owner.execute(statement)


async def test_a_release_that_is_withdrawn_is_cut_again_under_a_new_policy_only(
    released: ExportTeam, monkeypatch: pytest.MonkeyPatch
) -> None:
    partner = await released.partner()
    async with as_owner(released.running.url, released.team_id) as owner:
        done = await owner.fetchval(
            "UPDATE release SET withdrawn_at = now(), withdrawn_because = 'a test'"
            " WHERE team_id = $1 AND dataset = 'records' RETURNING release_id",
            released.team_id,
        )
    assert done
    assert (await partner.get("/records/2025-Q1")).status_code == 404
    assert (await partner.get("/records/2025-Q1/files/records.csv?edition=1")).status_code == 404
    assert "records" not in {offer["dataset"] for offer in await partner.offers()}
    assert await released.release(QUARTER) == []
    policy = "records-2"
    config = structs.replace(CONFIG, policy=policy)
    monkeypatch.setattr("triage.jobs.release.CONFIG", config)
    monkeypatch.setitem(due_releases._POLICY, "records", policy)
    assert named(await released.release(QUARTER)) == ["records/2025-Q1/2"]
    manifest = await partner.manifest("records/2025-Q1")
    assert manifest["statement"]["supersedes"] == "records/2025-Q1/1"


async def test_tables_that_are_withdrawn_are_gone_as_a_summary_too(released: ExportTeam) -> None:
    partner = await released.partner()
    client, signed_in = released.running.client, {"authorization": f"Bearer {partner.token}"}
    address = "/v1/summaries/quarterly/2025-Q1"
    assert (await client.get(address, headers=signed_in)).status_code == 200
    async with as_owner(released.running.url, released.team_id) as owner:
        await withdraw(owner, released.team_id, "tables", "2025-Q1", 1, QUARTER, "a test")
    assert (await client.get(address, headers=signed_in)).status_code == 404
    listed = (await client.get("/v1/summaries", headers=signed_in)).json()["summaries"]
    assert "2025-Q1" not in {edition["period"] for edition in listed}
    assert "2025-04" in {edition["period"] for edition in listed}


async def test_verify_recomputes_everything_and_finds_a_changed_byte(released: ExportTeam) -> None:
    await released.partner("health")
    assert {verdict.fault for verdict in await _verdicts(released)} == {None}
    assert min(verdict.k_people for verdict in await _verdicts(released) if verdict.k_people is not None) >= 10
    async with as_owner(released.running.url, released.team_id) as owner:
        await owner.execute("ALTER TABLE rendered_chunk DISABLE TRIGGER USER")
        await owner.execute(
            "UPDATE rendered_chunk SET body = set_byte(body, 100, 65) WHERE team_id = $1 AND name = 'records.csv'",
            released.team_id,
        )
    faults = [verdict for verdict in await _verdicts(released) if verdict.fault]
    assert [fault.name for fault in faults] == ["records/2025-Q1/1"]
    assert "records.csv was altered" in str(faults[0].fault)


async def test_verify_finds_a_row_whose_person_was_made_another(released: ExportTeam) -> None:
    async with as_owner(released.running.url, released.team_id) as owner:
        await owner.execute("ALTER TABLE release_row DISABLE TRIGGER USER")
        changed = "UPDATE release_row SET person_id = $2, known_by = 1 WHERE team_id = $1"
        await owner.execute(changed, released.team_id, uuid4())
    assert "a group holds 1 people" in str([verdict.fault for verdict in await _verdicts(released)])


async def _verdicts(team: ExportTeam) -> list[ReleaseVerdict]:
    async with as_owner(team.running.url, team.team_id) as owner:
        return await verify_releases(owner, team.team_id, unseen)


# --- rules whose removal nothing else would show


async def test_a_release_withdrawn_stays_withdrawn_and_the_next_period_comes_as_if_nothing_had_been(
    released: ExportTeam,
) -> None:
    """What it decided stays decided: neither the late file nor the next one takes its incidents again."""
    decided = await _decided(released, "2025-Q1")
    async with as_owner(released.running.url, released.team_id) as owner:
        await withdraw(owner, released.team_id, "records", "2025-Q1", 1, QUARTER, "a test")
    assert named(await released.release(QUARTER + DAY)) == []
    after = named(await released.release(SECOND_QUARTER))
    assert "records/2025-Q2/1" in after and "records/2025-Q2-late/1" in after
    assert not [name for name in after if name.startswith("records/2025-Q1")]
    assert decided.isdisjoint(await _decided(released, "2025-Q2") | await _decided(released, "2025-Q2-late"))


async def _decided(team: ExportTeam, period: str) -> set[Any]:
    rows = await team.fetch(
        "SELECT x.incident_id FROM release_row x JOIN release r USING (team_id, release_id)"
        " WHERE x.team_id = $1 AND r.period = $2",
        period,
    )
    return {row["incident_id"] for row in rows}


async def test_a_clash_of_keys_is_a_failure_and_never_a_faster_process(
    exporting: ExportTeam, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def clash(*_: Any) -> None:
        raise asyncpg.UniqueViolationError("release_row_pkey")

    monkeypatch.setattr(releases, "add", clash)
    with pytest.raises(Unreleased, match="tables 2025-04"):
        await exporting.release(APRIL)


async def test_a_record_file_cut_again_makes_the_choices_of_the_first(
    released: ExportTeam, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the old file and the new one would differ by one person's rows, and tell whose they are."""
    partner = await released.partner()
    before = sorted(tuple(row.values())[1:] for row in await partner.rows("records/2025-Q1"))
    async with as_owner(released.running.url, released.team_id) as owner:
        await withdraw(owner, released.team_id, "records", "2025-Q1", 1, QUARTER, "a test")
    config = structs.replace(CONFIG, policy="records-2")
    monkeypatch.setattr("triage.jobs.release.CONFIG", config)
    monkeypatch.setitem(due_releases._POLICY, "records", "records-2")
    assert named(await released.release(QUARTER)) == ["records/2025-Q1/2"]
    assert sorted(tuple(row.values())[1:] for row in await partner.rows("records/2025-Q1")) == before


async def test_tables_are_revised_from_what_was_known_at_the_cut_off_and_not_now(released: ExportTeam) -> None:
    """Corrections that come after the monthly cut-off wait for the next one, however late the run."""
    cut_off = datetime(2025, 8, 8, 5, tzinfo=UTC)
    later = [
        replace(thought, received_at=cut_off + timedelta(hours=1))
        for n, a in enumerate(_quarter())
        for thought in _second_thoughts(released, n, a)
    ]
    await released.append(later)
    await released.release(cut_off + timedelta(hours=2))
    (row,) = await released.fetch("SELECT looked_at FROM release_looked WHERE team_id = $1 AND period = '2025-Q1'")
    assert row["looked_at"] == cut_off
    bedford = {
        edition: sum(
            count or 0 for (table, area, _), count in (await _cells(released, edition)).items() if area == "bedford"
        )
        for edition in await _editions(released)
    }
    assert len(set(bedford.values())) == 1, "a third of the quarter was moved to Bedford, after the cut-off"
    await released.release(datetime(2025, 9, 8, 5, tzinfo=UTC))
    moved = await _cells(released, max(await _editions(released)))
    assert sum(count or 0 for (_, area, _), count in moved.items() if area == "bedford") > 2 * min(bedford.values())


async def _editions(team: ExportTeam) -> list[int]:
    rows = await team.fetch(
        "SELECT edition FROM release WHERE team_id = $1 AND dataset = 'tables' AND period = '2025-Q1' ORDER BY 1"
    )
    return [row["edition"] for row in rows]


async def _cells(team: ExportTeam, edition: int) -> dict[tuple[str, str, str], int | None]:
    """The exact counts of an edition by table, first row and column."""
    async with as_owner(team.running.url, team.team_id) as owner:
        published = {tables.edition: tables for tables in await releases.editions(owner, team.team_id, "2025-Q1")}
    return {(c.table, c.row[0] if c.row else "", c.column): c.n for c in published[edition].cells}


# --- who is a person


async def test_thirty_links_to_people_whom_nobody_registered_make_no_group(exporting: ExportTeam) -> None:
    async with as_owner(exporting.running.url, exporting.team_id) as owner:
        await owner.execute("DELETE FROM person_identifier")
    released = await exporting.release(QUARTER)
    assert "records/2025-Q1/1" in named(released)
    assert await exporting.fetch("SELECT FROM release_row WHERE team_id = $1") == []
    edition, *_ = await _tables(exporting)
    cells = edition.cells
    assert {c.table for c in cells if c.count is not None} == {"incidents"}


async def _tables(team: ExportTeam) -> list[Edition]:
    async with as_owner(team.running.url, team.team_id) as owner:
        return await releases.editions(owner, team.team_id, "2025-Q1")


async def test_people_known_to_health_and_to_police_are_counted_once(exporting: ExportTeam) -> None:
    """Half of everybody by police reference: at least as many are known by NHS number, and at most those count."""
    async with as_owner(exporting.running.url, exporting.team_id) as owner:
        await owner.execute(
            "UPDATE person_identifier SET kind = 'police_ref' WHERE get_byte(uuid_send(person_id), 15) % 2 = 0"
        )
    await exporting.release(QUARTER)
    rows = await exporting.fetch("SELECT grouped, person_id, known_by FROM release_row WHERE number IS NOT NULL")
    assert {row["known_by"] for row in rows} == {None, 1, 2}
    groups: dict[int, set[Any]] = {}
    for row in rows:
        groups.setdefault(row["grouped"], set()).add((row["person_id"], row["known_by"]))
    for people in groups.values():
        assert max(sum(kinds == kind for _, kinds in people) for kind in (1, 2)) >= 10
    assert {verdict.fault for verdict in await _verdicts(exporting)} == {None}


async def test_a_first_year_is_judged_by_its_own_quarters_and_a_first_quarter_by_its_months(
    exporting: ExportTeam,
) -> None:
    await exporting.release(QUARTER)
    edition, *_ = await _tables(exporting)
    assert {table.code for table in edition.tables} > {"incidents", "age_disposal"}, "three months were cut before it"

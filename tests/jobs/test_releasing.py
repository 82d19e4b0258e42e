"""Releases are cut when due, once, from what was known at the cut-off, and are then as they are for ever."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4, uuid5

import asyncpg
import pytest
from msgspec import structs
from support.cast import Json
from support.export_team import (
    FIRST_QUARTER,
    QUARTER,
    SECOND_QUARTER,
    ExportTeam,
    entries_of,
    half_a_year,
    item,
    named,
    verdicts,
)
from support.population import Arrival

from triage.exports.members import ReleaseMember
from triage.exports.tables import Edition
from triage.exports.tree import CONFIG
from triage.jobs import due_releases
from triage.jobs.release import Unreleased
from triage.log import entries as e
from triage.log.append_decision import IncomingEntry
from triage.store.access.staff import as_owner
from triage.store.exports import releases, snapshots
from triage.store.exports.releases import withdraw
from triage.store.people.erasure import erase, find_erasable
from triage.store.summaries import calendars

DAY = timedelta(days=1)
APRIL = datetime(2025, 5, 8, 5, tzinfo=UTC)
"""The cut-off of the first month: 7 days after 1 May, six in the morning local time."""


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
    assert {verdict.fault for verdict in await verdicts(released)} == {None}


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
    assert {verdict.fault for verdict in await verdicts(exporting)} == {None}


async def test_a_first_year_is_judged_by_its_own_quarters_and_a_first_quarter_by_its_months(
    exporting: ExportTeam,
) -> None:
    await exporting.release(QUARTER)
    edition, *_ = await _tables(exporting)
    assert {table.code for table in edition.tables} > {"incidents", "age_disposal"}, "three months were cut before it"

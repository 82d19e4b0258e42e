"""What is published and when, once, whatever fails."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio
from support.logins import KEYS, as_login
from support.published import MINUTE, MONDAY, SUNDAY, TEN, considered, edition, latest, value
from support.team_log import TEAM, TeamLog, open_team_log

from triage.jobs.publish import PublishOptions, publish_due
from triage.store import outbox
from triage.store.journal import Journal
from triage.store.journal_lines import RowPublished
from triage.store.statements import Statement
from triage.store.summaries import calendars, publications, scopes
from triage.summaries import editions


@pytest_asyncio.fixture
async def team(db_url: str, tmp_path: Path) -> AsyncIterator[TeamLog]:
    async with open_team_log(db_url, tmp_path, starts_on=date(2026, 11, 21)) as team:
        yield team


async def test_nothing_is_published_before_it_is_due(team: TeamLog) -> None:
    await considered(team)
    assert await publish_due(team.database, SUNDAY - MINUTE) == []
    assert await edition(team, "daily", "2026-11-21") is None


async def test_a_day_is_published_when_due_and_never_twice(team: TeamLog) -> None:
    await considered(team)
    [published] = await publish_due(team.database, SUNDAY)
    assert (published.kind, published.period, published.edition, published.late) == ("daily", "2026-11-21", 1, False)
    assert await publish_due(team.database, SUNDAY) == []
    assert await publish_due(team.database, SUNDAY + MINUTE) == []


async def test_an_edition_says_from_which_log_it_was_computed(team: TeamLog) -> None:
    await considered(team)
    await publish_due(team.database, SUNDAY)
    summary = await latest(team, "daily", "2026-11-21")
    async with team.database.team(TEAM) as connection:
        head = await scopes.head(connection, TEAM)
    assert (summary.as_at_seq, summary.chain_head) == (head.seq, head.link.hex()) == (2, head.link.hex())
    assert summary.as_at == summary.published_at == SUNDAY
    assert (summary.rules, summary.codes_version, summary.late) == ("DIV-1", 2, False)
    assert value(summary, "incidents") == 1
    assert value(summary, "considered_by_grade", "P") == 1


@pytest.mark.parametrize(("minutes", "late"), [(15, False), (16, True)])
async def test_late_is_more_than_a_quarter_of_an_hour(team: TeamLog, minutes: int, late: bool) -> None:
    await considered(team)
    await publish_due(team.database, SUNDAY + minutes * MINUTE)
    assert (await latest(team, "daily", "2026-11-21")).late is late


async def test_what_was_missed_is_caught_up_oldest_first(team: TeamLog) -> None:
    await considered(team)
    published = await publish_due(team.database, SUNDAY + timedelta(days=16))
    daily = [edition.period for edition in published if edition.kind == "daily"]
    assert daily == sorted(daily) and daily[0] == "2026-11-21" and len(daily) == 17
    assert [edition.period for edition in published if edition.kind == "weekly"] == ["2026-W47", "2026-W48", "2026-W49"]
    assert [edition.period for edition in published if edition.kind == "monthly"] == ["2026-11"]
    dues = [(await latest(team, edition.kind, edition.period)).due_at for edition in published]
    assert dues == sorted(dues)


async def test_an_edition_says_what_of_the_period_the_log_covers(team: TeamLog) -> None:
    await considered(team)
    await publish_due(team.database, datetime(2026, 12, 3, 7, 0, tzinfo=UTC))
    day, month = await latest(team, "daily", "2026-11-21"), await latest(team, "monthly", "2026-11")
    assert (day.covered_from, day.covered_to, day.notes) == (date(2026, 11, 21), date(2026, 11, 21), (editions.LATE,))
    assert (month.covered_from, month.covered_to) == (date(2026, 11, 21), date(2026, 11, 30))
    assert "covers only 21 November 2026 to 30 November 2026" in month.notes[0]


async def test_training_is_in_no_number(team: TeamLog) -> None:
    await team.tell("officer_1", "officer", 1, TEN, occurred_at=TEN, area="luton_west", test=True)
    await publish_due(team.database, SUNDAY)
    summary = await latest(team, "daily", "2026-11-21")
    assert value(summary, "incidents") == 0 and not summary.silent


async def test_a_day_on_which_nobody_was_heard_from_is_no_data(team: TeamLog) -> None:
    await publish_due(team.database, SUNDAY)
    summary = await latest(team, "daily", "2026-11-21")
    assert summary.silent and value(summary, "incidents") is None
    assert "not the same as zero" in summary.notes[0]


async def test_a_day_without_incidents_on_which_a_phone_was_heard_is_zero(team: TeamLog) -> None:
    async with team.database.team(TEAM) as connection:
        await connection.execute("UPDATE device SET last_seen_at = $1", TEN)
    await publish_due(team.database, SUNDAY)
    summary = await latest(team, "daily", "2026-11-21")
    assert not summary.silent and value(summary, "incidents") == 0


async def test_the_night_of_25_hours_is_one_day_published_once(db_url: str, tmp_path: Path) -> None:
    async with open_team_log(db_url, tmp_path, starts_on=date(2026, 10, 24)) as team:
        for incident, hour in enumerate((0, 1), 1):  # 01:30 BST and 01:30 GMT
            await considered(team, incident, datetime(2026, 10, 25, hour, 30, tzinfo=UTC))
        assert await publish_due(team.database, datetime(2026, 10, 25, 6, 59, tzinfo=UTC)) == []
        await publish_due(team.database, datetime(2026, 10, 25, 7, 0, tzinfo=UTC))
        summary = await latest(team, "daily", "2026-10-24")
    assert value(summary, "incidents") == 2
    assert summary.ends_at - summary.starts_at == timedelta(hours=25)


async def test_the_night_of_23_hours_is_one_day_published_once(db_url: str, tmp_path: Path) -> None:
    async with open_team_log(db_url, tmp_path, starts_on=date(2026, 3, 28)) as team:
        await considered(team, 1, datetime(2026, 3, 29, 4, 59, tzinfo=UTC))
        await considered(team, 2, datetime(2026, 3, 29, 5, 1, tzinfo=UTC))
        await publish_due(team.database, datetime(2026, 3, 29, 6, 0, tzinfo=UTC))
        summary = await latest(team, "daily", "2026-03-28")
    assert (value(summary, "incidents"), summary.ends_at - summary.starts_at) == (1, timedelta(hours=23))


async def test_a_due_time_of_the_teams_own_counts_from_then_on(team: TeamLog) -> None:
    await considered(team)
    async with team.database.team(TEAM) as connection:
        await calendars.set_schedule(connection, TEAM, "daily", time(9, 30), 1)
    assert await publish_due(team.database, SUNDAY) == []
    assert len(await publish_due(team.database, SUNDAY + timedelta(hours=2, minutes=30))) == 1


async def test_days_tile_though_the_teams_zone_changes(team: TeamLog) -> None:
    await considered(team, 1)
    await publish_due(team.database, SUNDAY)
    gap = datetime(2026, 11, 22, 6, 30, tzinfo=UTC)  # between the old end of the day and its new start
    await considered(team, 2, gap)
    owner = await asyncpg.connect(team.url)
    try:
        await owner.execute("UPDATE team SET zone = 'Atlantic/Azores'")
    finally:
        await owner.close()
    await publish_due(team.database, MONDAY + timedelta(hours=1))
    first, second = [await latest(team, "daily", f"2026-11-2{n}") for n in (1, 2)]
    assert second.starts_at == first.ends_at and value(second, "incidents") == 1


async def test_a_failed_run_is_no_data_and_is_tried_again(team: TeamLog, monkeypatch: pytest.MonkeyPatch) -> None:
    await considered(team)

    def fail(_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as broken:
        broken.setattr(editions, "compute_measures", fail)
        assert await publish_due(team.database, SUNDAY) == []
    async with team.database.team(TEAM) as connection:
        [listed] = await publications.list_latest(connection, TEAM)
        failed = await publications.find_failed(connection, TEAM, "daily", "2026-11-21")
    assert (listed.edition, listed.problem) == (0, "run_failed")
    assert failed and failed.measures == () and "No data" in failed.notes[0]
    [published] = await publish_due(team.database, SUNDAY + MINUTE)
    assert published.edition == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE summary_edition SET body = '\\x00000000'",
        "DELETE FROM summary_edition",
        "TRUNCATE summary_edition CASCADE",
    ],
)
async def test_not_even_the_owner_alters_an_edition(team: TeamLog, statement: str) -> None:
    await considered(team)
    await publish_due(team.database, SUNDAY)
    owner = await asyncpg.connect(team.url)
    try:
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            await owner.execute(statement)
    finally:
        await owner.close()
    async with team.database.team(TEAM) as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)


async def test_another_teams_editions_are_not_there(team: TeamLog) -> None:
    await considered(team)
    await publish_due(team.database, SUNDAY)
    async with team.database.no_team() as connection:
        assert await connection.fetchval("SELECT count(*) FROM summary_edition") == 0


async def test_a_publication_and_its_messages_are_one(team: TeamLog) -> None:
    async with team.database.team(TEAM) as connection:
        await outbox.add_destination(connection, TEAM, "email", "sergeant@example.org", ["summary"])
        await outbox.add_destination(connection, TEAM, "webhook", "https://example.org/hook", ["alert"])
    await considered(team)
    await publish_due(team.database, SUNDAY, PublishOptions(public_url="https://triage.example.org"))
    async with team.database.team(TEAM) as connection:
        [row] = await connection.fetch("SELECT key, payload FROM outbox")
    summary = await latest(team, "daily", "2026-11-21")
    assert row["key"] == "summary daily 2026-11-21 internal 1"
    assert summary.chain_head and summary.chain_head.encode() in row["payload"]
    assert b"https://triage.example.org/review/summaries/daily/2026-11-21?edition=1" in row["payload"]
    assert b"luton" not in row["payload"] and b"value" not in row["payload"]


async def test_an_edition_is_in_the_journal_as_it_was_stored(team: TeamLog) -> None:
    await considered(team)
    journal = Journal.at(as_login(team.url, KEYS))
    await publish_due(team.database, SUNDAY, PublishOptions(journal=journal))
    run, kept = await journal.read("published summary_run", "published summary_edition")
    assert isinstance(run, RowPublished) and isinstance(kept, RowPublished)
    assert (run.table, kept.table, kept.team_id) == ("summary_run", "summary_edition", TEAM)
    async with team.database.team(TEAM) as connection:
        query = "SELECT e = json_populate_record(null::summary_edition, $1::json) FROM summary_edition e"
        assert await connection.fetchval(query, bytes(kept.row).decode()) is True


@pytest.mark.parametrize("family", ["summaries", "facts"])
async def test_every_statement_fits_the_schema_and_the_services_rights(team: TeamLog, family: str) -> None:
    async with team.database.team(TEAM) as connection:
        for name, statement in Statement.declared.items():
            if name.startswith(f"{family}."):
                await connection.prepare(statement.sql)

"""Migrations are applied once, in order, whole or not at all, and never to a database they do not fit."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from triage.migrate import MigrationError, load, migrate, pending

FIRST, SECOND = "0001_first.sql", "0002_second.sql"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / FIRST).write_text("CREATE TABLE one (id int); INSERT INTO one VALUES (1);")
    (tmp_path / SECOND).write_text("CREATE TABLE two (id int);")
    return tmp_path


@pytest_asyncio.fixture
async def empty(empty_db_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(empty_db_url)
    yield connection
    await connection.close()


async def tables(conn: asyncpg.Connection, schema: str = "public") -> list[str]:
    rows = await conn.fetch("SELECT tablename FROM pg_tables WHERE schemaname = $1 ORDER BY tablename", schema)
    return [row["tablename"] for row in rows]


@pytest.mark.parametrize("name", ["1_short.sql", "0003-dash.sql", "0003_Case.sql", "README.md"])
def test_a_file_that_is_no_migration_is_refused(files: Path, name: str) -> None:
    (files / name).write_text("")
    with pytest.raises(MigrationError, match=name):
        load(files)


@pytest.mark.parametrize("name", ["0004_gap.sql", "0002_again.sql"])
def test_a_gap_or_a_repeat_is_refused(files: Path, name: str) -> None:
    (files / name).write_text("")
    with pytest.raises(MigrationError, match="without gaps or repeats"):
        load(files)


@pytest.mark.parametrize(
    "sql",
    [
        "COMMIT",
        "-- why\nbegin;",
        "SELECT 1; /* why */ rollback;",
        "SELECT 'it''s';\n  END TRANSACTION;",
        "DO $$ BEGIN END $$; Start\nTransaction;",
        "abort and chain;",
    ],
)
def test_a_file_that_would_end_the_transaction_is_refused(files: Path, sql: str) -> None:
    (files / "0003_half.sql").write_text(sql)
    with pytest.raises(MigrationError, match="0003_half"):
        load(files)


async def test_a_file_that_fails_leaves_nothing_behind(files: Path, empty: asyncpg.Connection) -> None:
    (files / "0003_fails.sql").write_text("CREATE TABLE three (id int); SELECT nonsense;")
    with pytest.raises(MigrationError, match=r"0003_fails.*nonsense"):
        await migrate(empty, files)
    assert await tables(empty) == []


async def test_a_changed_file_is_refused(files: Path, empty: asyncpg.Connection) -> None:
    await migrate(empty, files)
    (files / FIRST).write_text("CREATE TABLE one (id bigint);")
    for check in (migrate, pending):
        with pytest.raises(MigrationError, match=FIRST):
            await check(empty, files)


async def test_a_renamed_file_is_refused(files: Path, empty: asyncpg.Connection) -> None:
    await migrate(empty, files)
    (files / FIRST).rename(files / "0001_renamed.sql")
    with pytest.raises(MigrationError, match=FIRST):
        await migrate(empty, files)


async def test_a_newer_database_is_refused(files: Path, empty: asyncpg.Connection) -> None:
    await migrate(empty, files)
    (files / SECOND).unlink()
    for check in (migrate, pending):
        with pytest.raises(MigrationError, match=f"newer than this program.*{SECOND}"):
            await check(empty, files)


async def test_a_newer_database_that_breaks_nothing_is_worked_with(files: Path, empty: asyncpg.Connection) -> None:
    (files / SECOND).write_text("-- Why.\n-- breaks: no\nCREATE TABLE two (id int);")
    (files / "0003_third.sql").write_text("-- breaks: no\nALTER TABLE two ADD third int;")
    await migrate(empty, files)
    (files / SECOND).unlink()
    (files / "0003_third.sql").unlink()
    assert await pending(empty, files) == []
    assert await migrate(empty, files) == []


async def test_a_database_with_a_hole_is_refused(files: Path, empty: asyncpg.Connection) -> None:
    await migrate(empty, files)
    await empty.execute("DELETE FROM schema_migration WHERE version = 1")
    with pytest.raises(MigrationError, match=FIRST):
        await migrate(empty, files)


async def test_pending_files_are_applied_once_and_in_order(files: Path, empty: asyncpg.Connection) -> None:
    assert await pending(empty, files) == [FIRST, SECOND]
    assert await tables(empty) == []
    assert await migrate(empty, files) == [FIRST, SECOND]
    assert await migrate(empty, files) == []
    (files / "0003_third.sql").write_text("ALTER TABLE two ADD third int;")
    assert await pending(empty, files) == ["0003_third.sql"]
    assert await migrate(empty, files) == ["0003_third.sql"]
    assert await empty.fetchval("SELECT array_agg(id) FROM one") == [1]


async def test_begin_and_end_may_stand_inside_a_statement(files: Path, empty: asyncpg.Connection) -> None:
    (files / "0003_function.sql").write_text(
        "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $body$\nBEGIN\n  RETURN 1;\nEND;\n$body$;\n"
        "-- not a\n-- commit;\n"
        "CREATE FUNCTION g() RETURNS text RETURN CASE WHEN f() = 1\nTHEN 'a; commit; b'\nEND;"
    )
    await migrate(empty, files)
    assert await empty.fetchval("SELECT g()") == "a; commit; b"


async def test_two_sets_in_one_database_stay_apart(files: Path, empty: asyncpg.Connection) -> None:
    assert await migrate(empty, files, "key store") == [FIRST, SECOND]
    assert await pending(empty, files) == [FIRST, SECOND]
    assert await migrate(empty, files) == [FIRST, SECOND]
    assert await pending(empty, files, "key store") == []
    assert await tables(empty) == await tables(empty, "key store") == ["one", "schema_migration", "two"]


async def test_of_four_that_start_at_once_one_applies_and_three_find_nothing_to_do(
    files: Path, empty_db_url: str
) -> None:
    starting = await asyncio.gather(*(asyncpg.connect(empty_db_url) for _ in range(4)))
    applied = await asyncio.gather(*(migrate(conn, files, "fresh") for conn in starting))
    assert sorted(applied) == [[], [], [], [FIRST, SECOND]]
    await asyncio.gather(*(conn.close() for conn in starting))

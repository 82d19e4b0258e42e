"""Every statement of `sql/queries`: known to the schema, used, and the hot ones with a plan that scales."""

import ast
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from hashlib import md5
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import pytest_asyncio
from uuid_utils.compat import uuid7

import triage
from triage.resources import folder
from triage.store.database import FIRST_PLANS_FOR, GenericPlans, connect
from triage.store.statements import load

Clone = Callable[[str], AbstractAsyncContextManager[str]]

FAMILIES = sorted(file.name.removesuffix(".sql") for file in (folder("sql") / "queries").iterdir())
STATEMENTS = [(family, name) for family in FAMILIES for name in vars(load(family))]
SOURCES = Path(triage.__file__).parent


def statement(family: str, name: str) -> str:
    sql: str = getattr(load(family), name)
    return sql


# --- known to the schema ---


@pytest.mark.parametrize(("family", "name"), STATEMENTS)
async def test_a_statement_fits_the_schema(conn: asyncpg.Connection, family: str, name: str) -> None:
    """A parameter without a type, or a result column without a name or of no known type, would be found only in use."""
    prepared = await conn.prepare(statement(family, name))
    assert "unknown" not in {kind.name for kind in prepared.get_parameters()}
    columns = prepared.get_attributes()
    assert "unknown" not in {column.type.name for column in columns}
    names = [column.name for column in columns]
    assert len(set(names)) == len(names)


# --- used ---


def used() -> Iterator[tuple[str, str]]:
    """Family and name of every statement that a module mentions."""
    trees = {path: ast.parse(path.read_text("utf-8")) for path in SOURCES.rglob("*.py")}
    loaded = {_module(path): _loads(tree) for path, tree in trees.items()}
    for path, tree in trees.items():
        known = dict(loaded[_module(path)])
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module in loaded:
                given = loaded[node.module]
                known |= {one.asname or one.name: given[one.name] for one in node.names if one.name in given}
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in known:
                yield known[node.value.id], node.attr


def _module(path: Path) -> str:
    return ".".join(path.relative_to(SOURCES.parent).with_suffix("").parts)


def _loads(tree: ast.Module) -> dict[str, str]:
    return {
        node.targets[0].id: str(node.value.args[0].value)
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Name)
        and node.value.func.id == "load"
        and isinstance(node.value.args[0], ast.Constant)
    }


def test_every_statement_is_used_and_every_one_used_is_there() -> None:
    assert sorted(set(used())) == sorted(STATEMENTS)


# --- plans that scale ---

INCIDENTS = 20_000
TEAM = UUID(int=1)
SEED = """
INSERT INTO team (team_id, name, starts_on) VALUES ($1, 'Seeded', '2026-01-01');
INSERT INTO log_head (team_id, seq) VALUES ($1, $2);
INSERT INTO entry (team_id, seq, id, incident_id, kind, author, profession, role, received_at, body, salt, link)
SELECT $1, n, md5('e' || n)::uuid, md5('i' || n)::uuid, 'officer', gen_random_uuid(), 'police', 'officer',
       now() - make_interval(mins => $2 - n), '{}', '\\x00000000000000000000000000000000', sha256(n::text::bytea)
FROM generate_series(1, $2) n;
INSERT INTO incident (team_id, id, blind, root, seq, status, occurred_at, changed_at, scope_until, turns, turns_last,
                      area, log_ref, contact, test, restricted, flags, judged_by, people)
SELECT $1, md5('i' || n)::uuid, blind, md5('i' || n)::uuid, n, CASE WHEN n % 50 = 0 THEN 'open' ELSE 'closed' END, at,
       at, at + interval '72 hours', ARRAY[at + interval '12 hours'], at + interval '12 hours', 'bedford', 'BP-' || n,
       true, false, false, '{}', '{}', '{}'
FROM generate_series(1, $2) n, (VALUES (true), (false)) b (blind),
     LATERAL (SELECT now() - make_interval(mins => ($2 - n) * 10) AS at) t;
INSERT INTO incident_person (team_id, person_id, incident_id)
SELECT $1, md5('p' || n / 3)::uuid, md5('i' || n)::uuid FROM generate_series(1, $2) n;
"""


def incident(n: int) -> UUID:
    return UUID(md5(f"i{n}".encode()).hexdigest())


def entry(n: int) -> UUID:
    return UUID(md5(f"e{n}".encode()).hexdigest())


async def seed(connection: asyncpg.Connection, incidents: int) -> None:
    for sql in SEED.strip().split(";\n"):
        await connection.execute(sql.replace("$1", f"'{TEAM}'").replace("$2", str(incidents)))


@pytest_asyncio.fixture(scope="module")
async def large(server: str, template: str, clone: Clone) -> AsyncIterator[asyncpg.Connection]:
    """A log of twenty thousand incidents, seen as the service sees it."""
    async with clone(template) as url:
        connection = await asyncpg.connect(url)
        try:
            await seed(connection, INCIDENTS)
            await connection.execute("ANALYZE")
            await connection.execute(f"SET ROLE triage_service; SELECT set_config('triage.team', '{TEAM}', false)")
            yield connection
        finally:
            await connection.close()


NOW = datetime.now(UTC)
AFTER = UUID(int=2**128 - 1)
SOMEBODY = uuid7()
PERSON = UUID(md5(b"p9").hexdigest())


def pull(since: object, place: UUID = AFTER) -> tuple[Any, ...]:
    return (TEAM, "police", SOMEBODY, since, place, 100, NOW, False, "officer", None)


def listed(**wanted: Any) -> tuple[Any, ...]:
    names = ("status", "area", "log_ref", "since", "until", "flag", "occurred_at", "id")
    return (TEAM, "police", SOMEBODY, False, *(wanted.get(name) for name in names), False, 51)


LATEST = [incident(n) for n in range(INCIDENTS - 100, INCIDENTS)]
READ = (TEAM, [entry(5), uuid7()], [incident(7), uuid7()], [None], [SOMEBODY], [1], [PERSON])
HOT: list[tuple[str, str, tuple[Any, ...]]] = [
    ("log", "read", READ),
    ("log", "alike", (TEAM, [uuid7()], ["BP-7"], [NOW - timedelta(days=3)], ["bedford"])),
    ("incidents", "position", (TEAM, INCIDENTS // 2)),
    ("incidents", "in_scope", pull(0)),
    ("incidents", "changed", pull(INCIDENTS - 100)),
    ("incidents", "changed", pull(INCIDENTS // 2)),
    ("incidents", "turned", pull(NOW - timedelta(minutes=5), UUID(int=0))),
    ("incidents", "find", (TEAM, incident(9), "police", SOMEBODY, False)),
    ("incidents", "page", listed()),
    ("incidents", "page", listed(since=NOW - timedelta(days=30), until=NOW - timedelta(days=29))),
    ("incidents", "page", listed(occurred_at=NOW - timedelta(days=60), id=AFTER)),
    ("incidents", "material", (TEAM, LATEST)),
    ("incidents", "beside", (TEAM, LATEST)),
    ("incidents", "held", (TEAM, [entry(n) for n in range(100)], True)),
]


@pytest.mark.parametrize(("family", "name", "arguments"), HOT, ids=[f"{family}-{name}" for family, name, _ in HOT])
async def test_a_hot_statement_reads_what_it_answers_with_and_no_more(
    large: asyncpg.Connection, family: str, name: str, arguments: tuple[Any, ...]
) -> None:
    """Pages of 8 kB looked at: the tables have thousands, and a scan of any of them would show."""
    plan = "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + statement(family, name)
    transaction = large.transaction()
    await transaction.start()
    try:
        [executed] = json.loads(await large.fetchval(plan, *arguments))
    finally:
        await transaction.rollback()
    looked_at = executed["Plan"]["Shared Hit Blocks"] + executed["Plan"]["Shared Read Blocks"]
    [rows] = await large.fetch("SELECT pg_relation_size('incident') / 8192 AS pages")
    assert rows["pages"] > 1_000
    assert looked_at < PAGES.get(name, 60), executed


PAGES = {"read": 120, "in_scope": 300, "material": 800, "beside": 500, "held": 500}
"""Where many incidents are looked up one by one, a hundred or those of one person, each costs a few pages."""


ROWS_LOOKED_AT = """
SELECT sum(idx_tup_fetch + seq_tup_read)::bigint FROM pg_stat_xact_user_tables WHERE relname IN ('entry', 'incident')
"""


async def test_what_was_planned_while_the_tables_were_empty_is_planned_again_as_they_grow(
    template: str, clone: Clone
) -> None:
    async with clone(template) as url, connect(url, 1, 30, kind=GenericPlans) as database:

        async def rows_looked_at() -> int:
            async with database.team(TEAM) as connection, connection.transaction():
                before = await connection.fetchval(ROWS_LOOKED_AT)
                await connection.fetchrow(statement("log", "read"), *READ)
                looked_at: int = await connection.fetchval(ROWS_LOOKED_AT) - before
                return looked_at

        assert await rows_looked_at() == 0
        owner = await asyncpg.connect(url)
        await seed(owner, 2_000)
        await owner.close()
        looked_at = [await rows_looked_at() for _ in range(FIRST_PLANS_FOR)]
        assert looked_at[0] > 1_000  # the trap is there
        assert looked_at[-1] < 50

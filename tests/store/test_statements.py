"""Every statement of `sql/queries`: known to the schema, typed, called rightly; the hot ones have plans that scale."""

import ast
import json
import pkgutil
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, date, datetime, time, timedelta
from hashlib import md5
from importlib import import_module
from pathlib import Path
from types import GenericAlias, NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints
from uuid import UUID

import asyncpg
import pytest
import pytest_asyncio
from support.cast import Clone
from uuid_utils.compat import uuid7

import triage.store
from triage.resources import folder
from triage.store.database import FIRST_PLANS_FOR, GenericPlans, connect
from triage.store.statements import Statement, statement, texts

for module in pkgutil.walk_packages(triage.store.__path__, "triage.store."):
    import_module(module.name)

FAMILIES = sorted(file.name.removesuffix(".sql") for file in (folder("sql") / "queries").iterdir())
IN_KEY_STORE = ("keys.", "journal.")
STATEMENTS = [f"{family}.{name}" for family in FAMILIES for name in texts(family)]
DECLARED = Statement.declared
SOURCES = Path(triage.__file__).parent
TREES = {path: ast.parse(path.read_text("utf-8")) for path in SOURCES.rglob("*.py")}
METHODS = {"fetch", "fetch_first", "fetch_one", "execute"}


# --- known to the schema, and typed ---


@pytest.mark.parametrize("name", STATEMENTS)
async def test_a_statement_fits_the_schema(conn: asyncpg.Connection, keys_conn: asyncpg.Connection, name: str) -> None:
    """A parameter without a type, or a result column without a name or of no known type, would be found only in use."""
    prepared = await (keys_conn if name.startswith(IN_KEY_STORE) else conn).prepare(DECLARED[name].sql)
    assert "unknown" not in {kind.name for kind in prepared.get_parameters()}
    columns = prepared.get_attributes()
    assert "unknown" not in {column.type.name for column in columns}
    names = [column.name for column in columns]
    assert len(set(names)) == len(names)


PYTHON: dict[str, Any] = {
    "uuid": UUID,
    "text": str,
    "bool": bool,
    "int2": int,
    "int4": int,
    "int8": int,
    "float8": float,
    "bytea": bytes,
    "date": date,
    "time": time,
    "timestamptz": datetime,
    "interval": timedelta,
}


def python_type(name: str) -> Any:
    """As asyncpg gives a column."""
    if name.endswith("[]"):
        return GenericAlias(list, PYTHON[name.removesuffix("[]")])
    return PYTHON[name]


def accepted(annotation: Any) -> set[Any]:
    """The types of columns that a field takes: without None, and the texts of a literal as text."""
    if get_origin(annotation) in (Union, UnionType):
        return {kind for arm in get_args(annotation) if arm is not NoneType for kind in accepted(arm)}
    if get_origin(annotation) is Literal:
        return {type(value) for value in get_args(annotation)}
    if get_origin(annotation) is list:
        return {GenericAlias(list, kind) for kind in accepted(get_args(annotation)[0])}
    return {annotation}


def fields(row_type: type) -> list[tuple[str, Any]]:
    """Names and annotations of a row's fields, in the order in which it is made."""
    names = getattr(row_type, "__struct_fields__", None) or getattr(row_type, "_fields", None)
    hints = get_type_hints(row_type)
    return [(name, hints[name]) for name in names or ()]


@pytest.mark.parametrize("name", sorted(DECLARED))
async def test_a_row_is_made_of_the_columns_that_come_in_their_order(
    conn: asyncpg.Connection, keys_conn: asyncpg.Connection, name: str
) -> None:
    declared = DECLARED[name]
    prepared = await (keys_conn if name.startswith(IN_KEY_STORE) else conn).prepare(declared.sql)
    columns = [(c.name, c.type.name) for c in prepared.get_attributes()]
    if declared.row_type is None:
        return
    if row := fields(declared.row_type):
        assert [column for column, _ in columns] == [field for field, _ in row]
        wrong = [
            (field, kind, annotation)
            for (field, annotation), (_, kind) in zip(row, columns, strict=True)
            if kind != "record[]" and python_type(kind) not in accepted(annotation)
        ]
        assert not wrong
    else:
        [(_, kind)] = columns
        assert python_type(kind) in accepted(declared.row_type)


def test_a_row_with_two_columns_swapped_would_be_noticed() -> None:
    assert python_type("uuid") not in accepted(datetime | None)
    assert python_type("text") in accepted(Literal["police", "health"] | None)
    assert python_type("uuid[]") in accepted(list[UUID])
    assert python_type("text[]") not in accepted(list[UUID])


# --- called with what it takes ---


def calls() -> Iterator[tuple[str, str, set[str]]]:
    """Statement, place and names of the values of every call, where all of them are written out."""
    for path, tree in TREES.items():
        constants = _constants(tree)
        for node in ast.walk(tree):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name(id=constant), attr=method), keywords=keywords):
                    if constant in constants and method in METHODS and all(keyword.arg for keyword in keywords):
                        yield constants[constant], f"{path}:{node.lineno}", {str(keyword.arg) for keyword in keywords}


def _constants(tree: ast.Module) -> dict[str, str]:
    """The statements that a module declares, by the constant that holds each."""
    return {
        node.targets[0].id: str(node.value.args[0].value)
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Name)
        and node.value.func.id == "statement"
        and isinstance(node.value.args[0], ast.Constant)
    }


def test_every_call_names_the_parameters_of_its_statement() -> None:
    wrong = [(place, name) for name, place, given in calls() if given != set(DECLARED[name].parameters)]
    assert not wrong


async def test_a_call_with_another_parameter_is_refused(conn: asyncpg.Connection) -> None:
    with pytest.raises(TypeError, match=r"teams\.find takes team_id"):
        await DECLARED["teams.find"].fetch_first(conn, team=UUID(int=1))


# --- declared once, and used ---


def test_a_statement_is_declared_once() -> None:
    with pytest.raises(ValueError, match="declared twice"):
        statement("teams.find")


def test_every_declared_statement_is_used() -> None:
    for path, tree in TREES.items():
        used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
        unused = set(_constants(tree)) - used
        assert unused <= (_imported_from(path) if unused else set()), path


def _imported_from(path: Path) -> set[str]:
    name = ".".join(path.relative_to(SOURCES.parent).with_suffix("").parts)
    return {
        alias.name
        for tree in TREES.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == name
        for alias in node.names
    }


def test_every_statement_of_a_file_is_declared() -> None:
    assert sorted(DECLARED) == sorted(STATEMENTS)


# --- plans that scale ---

INCIDENTS = 20_000
TEAM = UUID(int=1)
SEED = """
INSERT INTO team (team_id, name, starts_on) VALUES ($1, 'Seeded', '2026-01-01');
INSERT INTO log_head (team_id, seq) VALUES ($1, $2);
INSERT INTO entry (team_id, seq, id, incident_id, belongs_to, kind, author, profession, role, received_at, body, salt,
                   link)
SELECT $1, n, md5('e' || n)::uuid, md5('i' || n)::uuid, md5('i' || n)::uuid, 'officer', gen_random_uuid(), 'police',
       'officer', now() - make_interval(mins => $2 - n), '{}', '\\x00000000000000000000000000000000',
       sha256(n::text::bytea)
FROM generate_series(1, $2) n;
INSERT INTO incident (team_id, id, blind, root, seq, status, occurred_at, changed_at, scope_until, turns, lead_turns,
                      turns_last, lead_unblinded_at, area, log_ref, contact, counts, test, restricted, flags, judged_by,
                      people)
SELECT $1, md5('i' || n)::uuid, blind, md5('i' || n)::uuid, n, CASE WHEN n % 50 = 0 THEN 'open' ELSE 'closed' END, at,
       at, at + interval '72 hours', ARRAY[at + interval '12 hours'], ARRAY[at + interval '12 hours'],
       at + interval '12 hours', at + interval '24 hours', 'bedford', 'BP-' || n, true, true, false, false, '{}', '{}',
       '{}'
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


READER: dict[str, Any] = {"team_id": TEAM, "audience": "police", "account": SOMEBODY, "lead": False, "now": NOW}


def pull(place: UUID = AFTER, **since: object) -> dict[str, Any]:
    return READER | {"role": "officer", "device": None, "most": 100, "place": place, **since}


def listed(**wanted: Any) -> dict[str, Any]:
    names = ("status", "area", "log_ref", "since", "until", "flag", "ids", "after_at", "after_id")
    return READER | dict.fromkeys(names) | {"under_way": False, "most": 51} | wanted


LATEST = [incident(n) for n in range(INCIDENTS - 100, INCIDENTS)]
READ: dict[str, Any] = {
    "team_id": TEAM,
    "ids": [entry(5), uuid7()],
    "targets": [entry(6)],
    "incidents": [incident(7), uuid7()],
    "devices": [None],
    "staff": [SOMEBODY],
    "stamps": [1],
}
REACH: dict[str, Any] = {name: READ[name] for name in ("team_id", "ids", "targets", "incidents")} | {
    "people": [PERSON],
    "aliases": [uuid7()],
}
ALIKE: dict[str, Any] = {
    "team_id": TEAM,
    "roots": [uuid7()],
    "log_refs": ["BP-7"],
    "occurred": [NOW - timedelta(days=3)],
    "areas": ["bedford"],
}
BEGIN: dict[str, Any] = {
    "team_id": TEAM,
    "account": SOMEBODY,
    "device": None,
    "stamp": 1,
    "lead": False,
    "position": INCIDENTS // 2,
    "since": NOW - timedelta(minutes=5),
    "now": NOW,
}
HOT: list[tuple[str, dict[str, Any]]] = [
    ("log.read", READ),
    ("log.reach", REACH),
    ("log.alike", ALIKE),
    ("incidents.begin_pull", BEGIN),
    ("incidents.in_scope", pull(position=0)),
    ("incidents.changed", pull(position=INCIDENTS - 100)),
    ("incidents.changed", pull(position=INCIDENTS // 2)),
    ("incidents.turned", pull(UUID(int=0), since=NOW - timedelta(minutes=5))),
    ("incidents.find", READER | {"id": incident(9)}),
    (
        "incidents.consult",
        READER | {"id": incident(9), "role": "officer", "device": None, "stamp": 1, "note": False},
    ),
    ("incidents.list", listed()),
    ("incidents.list", listed(since=NOW - timedelta(days=30), until=NOW - timedelta(days=29))),
    ("incidents.list", listed(after_at=NOW - timedelta(days=60), after_id=AFTER)),
    ("incidents.entries", {"team_id": TEAM, "roots": LATEST}),
    ("incidents.beside", {"team_id": TEAM, "roots": LATEST, "lead": False}),
    ("incidents.served_to_judges", {"team_id": TEAM, "roots": LATEST}),
    ("incidents.held", {"team_id": TEAM, "ids": [entry(n) for n in range(100)], "police": True}),
]


@pytest.mark.parametrize(("name", "values"), HOT, ids=[name for name, _ in HOT])
async def test_a_hot_statement_reads_what_it_answers_with_and_no_more(
    large: asyncpg.Connection, name: str, values: dict[str, Any]
) -> None:
    """Pages of 8 kB looked at: the tables have thousands, and a scan of any of them would show."""
    statement = DECLARED[name]
    plan = "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + statement.sql
    transaction = large.transaction()
    await transaction.start()
    try:
        [executed] = json.loads(await large.fetchval(plan, *statement.arguments(values)))
    finally:
        await transaction.rollback()
    looked_at = executed["Plan"]["Shared Hit Blocks"] + executed["Plan"]["Shared Read Blocks"]
    [rows] = await large.fetch("SELECT pg_relation_size('incident') / 8192 AS pages")
    assert rows["pages"] > 1_000
    assert looked_at < PAGES.get(name, 60), executed


PAGES = {
    "log.reach": 120,
    "incidents.in_scope": 300,
    "incidents.entries": 800,
    "incidents.beside": 500,
    "incidents.served_to_judges": 500,
    "incidents.held": 500,
}
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
                await DECLARED["log.read"].fetch_first(connection, **READ)
                looked_at: int = await connection.fetchval(ROWS_LOOKED_AT) - before
                return looked_at

        assert await rows_looked_at() == 0
        owner = await asyncpg.connect(url)
        await seed(owner, 2_000)
        await owner.close()
        looked_at = [await rows_looked_at() for _ in range(FIRST_PLANS_FOR)]
        assert looked_at[0] > 1_000  # the trap is there
        assert looked_at[-1] < 50


PLANNED_ONCE = ("begin_pull", "changed", "turned", "consult", "entries", "beside")
PULLS = [(name, values) for name, values in HOT if name in {f"incidents.{own}" for own in PLANNED_ONCE}]


@pytest.mark.parametrize(("name", "values"), PULLS, ids=[name for name, _ in PULLS])
async def test_a_pull_that_was_planned_without_its_values_looks_at_no_more_rows(
    large: asyncpg.Connection, name: str, values: dict[str, Any]
) -> None:
    transaction = large.transaction()
    await transaction.start()
    try:
        await large.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        before = await large.fetchval(ROWS_LOOKED_AT)
        assert await DECLARED[name].fetch_first(large, **values) is not None
        assert await large.fetchval(ROWS_LOOKED_AT) - before < 500
    finally:
        await transaction.rollback()

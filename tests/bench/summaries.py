"""How long a quarter takes in a log of a million incidents: `uv run python tests/bench/summaries.py`.

Incident rows and kept facts only, which is what a summary reads when it is due: a month of synthetic incidents is added
up once and copied over five years. Database time is what the server says (EXPLAIN ANALYZE); the rest is the program's.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID, uuid5

import asyncpg
from msgspec import Struct, structs
from rich.console import Console
from rich.table import Table

from triage.demo import CAST, generate
from triage.embedded import EmbeddedPostgres
from triage.log.entries import StoredEntry
from triage.migrate import migrate
from triage.resources import folder
from triage.store.access import teams
from triage.store.database import connect
from triage.store.statements import Statement
from triage.store.summaries import calendars, facts, scopes
from triage.summaries import editions
from triage.summaries.derivation import facts_of
from triage.summaries.facts import IncidentFact, encode, profile_of
from triage.summaries.schedule import Slot, slot
from triage.terms import Terms
from triage.times import period_of

TEAM = UUID("0193a000-0000-7000-8000-0000000000be")
STARTS = date(2021, 4, 1)
MONTH = timedelta(days=30)
PERSON_IN = 5
"""One incident in so many is linked to a person."""


def told_month() -> list[IncidentFact]:
    """The facts of one synthetic month."""
    members = {member.key: member for member in CAST.members}
    ends = datetime(STARTS.year, STARTS.month, STARTS.day, tzinfo=UTC) + MONTH
    held = [
        StoredEntry(
            seq=seq,
            id=sent.entry.id or UUID(int=seq),
            entry=sent.entry,
            received_at=sent.sent_at,
            author=uuid5(TEAM, sent.author),
            profession=members[sent.author].profession,
            role=members[sent.author].role,
            skew_ms=sent.skew_ms,
        )
        for seq, sent in enumerate(generate(CAST, STARTS, ends), 1)
    ]
    return [fact for fact in facts_of(held, terms=Terms()) if fact.counts]


def moved(value: Any, later: timedelta) -> Any:
    """The same with every time moved."""
    if isinstance(value, datetime):
        return value + later
    if isinstance(value, tuple):
        return tuple(moved(part, later) for part in value)
    if isinstance(value, Struct):
        return type(value)(*(moved(getattr(value, name), later) for name in value.__struct_fields__))
    return value


def copies(count: int, years: float) -> Iterator[IncidentFact]:
    """So many facts, spread evenly over the years."""
    random = Random(1)
    month = told_month()
    months = round(years * 365.25 / 30)
    a_month = -(-count // months)
    for n in range(months):
        shifted = [moved(fact, n * MONTH) for fact in month]
        for i in range(min(a_month, count - n * a_month)):
            people = (UUID(int=random.getrandbits(30)),) if i % PERSON_IN == 0 else ()
            fact_id = UUID(int=random.getrandbits(128), version=4)
            yield structs.replace(shifted[i % len(shifted)], id=fact_id, people=people, seq=1)


async def fill(url: str, count: int, years: float) -> int:
    """Copy the rows in; the mean size of a fact in bytes."""
    owner = await asyncpg.connect(url)
    try:
        await migrate(owner, folder("sql") / "migrations")
        await teams.add_team(owner, TEAM, "Bench", STARTS, datetime.now(UTC), "Europe/London", 6)
        await owner.execute("SELECT set_config('triage.team', $1, false)", str(TEAM))
        version = editions.rules_in_force(terms=Terms())
        size = 0
        for _, chunk in groupby(enumerate(copies(count, years)), lambda pair: pair[0] // 20_000):
            chunk_facts = [fact for _, fact in chunk]
            bodies = [encode(fact) for fact in chunk_facts]
            size += sum(map(len, bodies))
            await owner.copy_records_to_table(
                "incident",
                columns=COLUMNS,
                records=[_row(fact) for fact in chunk_facts],
            )
            kept = [
                (TEAM, fact.id, 1, fact.at, version, body, profile_of(fact), fact.s136.pending_until)
                for fact, body in zip(chunk_facts, bodies, strict=True)
            ]
            await owner.copy_records_to_table("incident_fact", records=kept)
            people = [(TEAM, person, fact.id) for fact in chunk_facts for person in fact.people]
            await owner.copy_records_to_table("incident_person", records=people)
        await owner.execute("INSERT INTO fact_position (team_id, version, seq) VALUES ($1, $2, 1)", TEAM, version)
        for table in ("incident", "incident_fact", "incident_person"):
            await owner.execute(f"VACUUM ANALYZE {table}")
        return size // count
    finally:
        await owner.close()


COLUMNS = (
    "team_id", "id", "blind", "root", "seq", "status", "occurred_at", "changed_at", "scope_until", "area", "contact",
    "counts", "test", "restricted", "flags", "judged_by", "people",
)  # fmt: skip


def _row(fact: IncidentFact) -> tuple[Any, ...]:
    return (
        TEAM, fact.id, False, fact.id, 1, fact.status, fact.at, fact.at, fact.at + timedelta(days=3), fact.area, True,
        fact.counts, False, False, list(fact.flags), [], list(fact.people),
    )  # fmt: skip


async def measure(url: str) -> list[tuple[str, int, float, float, float]]:
    """For each kind of period: incidents, seconds in the database, CPU seconds to fetch, CPU seconds to compute."""
    timings = []
    async with connect(url, 2, 120.0) as database:
        team = await calendars.team(database, TEAM)
        now = datetime(2026, 1, 20, tzinfo=UTC)
        for kind in ("daily", "weekly", "monthly", "quarterly", "yearly"):
            where = slot(period_of(kind, date(2025, 10, 15 if kind != "yearly" else 1)), team.calendar)
            if kind == "yearly":
                where = slot(period_of(kind, date(2024, 10, 1)), team.calendar)
            async with database.team(TEAM) as connection:
                await scopes.load_scope(connection, team, where, now)  # warm: the server's cache, prepared plans
                began = time.process_time()
                loaded = await scopes.load_scope(connection, team, where, now)
                fetched = time.process_time()
                editions.compute_measures(loaded.scope)
                computed = time.process_time()
                assert not loaded.fresh
                seconds = await _in_database(connection, team, where, now)
            timings.append((kind, len(loaded.scope.members), seconds, fetched - began, computed - fetched))
    return timings


async def _in_database(connection: Any, team: calendars.CalendarTeam, where: Slot, now: datetime) -> float:
    """Planning and execution of everything that `load_scope` asks, as the server says."""
    version = editions.rules_in_force(terms=Terms())
    since = scopes.pooled_since(where, team.calendar.zone)
    longer = where.period.kind not in ("daily", "weekly")
    people = [
        row["person_id"]
        for row in await connection.fetch(
            "SELECT DISTINCT p.person_id FROM incident_person p "
            "JOIN incident i ON i.team_id = p.team_id AND i.id = p.incident_id "
            "WHERE p.team_id = $1 AND i.occurred_at >= $2 AND i.occurred_at < $3",
            TEAM,
            where.starts_at,
            where.ends_at,
        )
    ]
    around = {"starts_at": where.starts_at - scopes.AROUND, "ends_at": where.ends_at + scopes.AROUND}
    statements: list[tuple[Statement[Any], dict[str, Any]]] = [
        (facts.MEMBERS, {"starts_at": where.starts_at, "ends_at": where.ends_at}),
        (facts.RECENT, {"starts_at": now - scopes.RECENT, "ends_at": now, "duplicates_only": longer}),
        (facts.OF_PEOPLE, {"people": people, **around}),
    ]
    if since and since < where.starts_at:
        kept = {"starts_at": since, "ends_at": where.starts_at, "position": 1}
        statements += [(facts.PROFILES, kept | {"as_at": now}), (facts.MOVED, kept)]
    total = 0.0
    for statement, values in statements:
        arguments = statement.arguments(values | {"team_id": TEAM, "version": version})
        plan = await connection.fetch(f"EXPLAIN (ANALYZE, TIMING OFF) {statement.sql}", *arguments)
        lines = [row[0] for row in plan]
        total += sum(float(line.split()[2]) for line in lines if line.startswith(("Planning Time", "Execution Time")))
    return total / 1000


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--incidents", type=int, default=1_000_000)
    arguments.add_argument("--years", type=float, default=5)
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        server = EmbeddedPostgres(Path(directory), durable=False)
        try:
            url = server.start()
            began = time.perf_counter()
            size = asyncio.run(fill(url, chosen.incidents, chosen.years))
            title = f"{chosen.incidents} incidents over {chosen.years:g} years, {size} bytes a fact"
            table = Table(title=f"{title}, filled in {time.perf_counter() - began:.0f} s", title_justify="left")
            for heading in (
                "summary",
                "incidents",
                "in the database, s",
                "fetched and decoded, CPU s",
                "computed, CPU s",
            ):
                table.add_column(heading, justify="right")
            for kind, *figures in asyncio.run(measure(url)):
                table.add_row(kind, str(figures[0]), *(f"{figure:.3f}" for figure in figures[1:]))
            Console(width=120).print(table)
        finally:
            server.stop()


if __name__ == "__main__":
    main()

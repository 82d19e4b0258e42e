"""Summaries in the database: what a period's measures are computed from, editions, and what was done.

What measures need is read within one snapshot, so the incidents are those of the log's head that is read with them.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
import msgspec
from msgspec import Struct

from triage import codes
from triage.log import links
from triage.log.course import PersonEvent
from triage.log.diversion import RULE
from triage.log.incident import fold
from triage.store.appending import held_of
from triage.store.database import Connection, Database
from triage.store.statements import load
from triage.summaries import comparison, editions
from triage.summaries.comparison import Report, Span
from triage.summaries.editions import Form, Summary
from triage.summaries.facts import Around, Fact, decode, encode, fact_of
from triage.summaries.registry import POOLED_MONTHS, Scope
from triage.summaries.schedule import DEFAULTS, Calendar, Due, Slot, slot
from triage.times import Period, PeriodKind, parse_period, period_of

SQL = load("summaries")

RECENT: Final = timedelta(days=28)
"""How far back open outcomes and other things to do are looked for."""
AROUND: Final = timedelta(days=90)
"""How far before and after a period the other incidents of its people matter."""
CHUNK: Final = 250
"""Incidents added up at once: requests served by the same process pass between."""

_related = msgspec.json.Decoder(tuple[PersonEvent, ...]).decode


class Team(Struct, frozen=True):
    """A team with its calendar."""

    team_id: UUID
    name: str
    calendar: Calendar


class Run(Struct, frozen=True):
    """What was done about a period. `edition` is None while none was published."""

    kind: PeriodKind
    period: str
    first_day: date
    starts_at: datetime
    ends_at: datetime
    due_at: datetime
    state: str
    ran_at: datetime
    failures: int
    checked_seq: int
    checked_rules: str
    edition: int | None
    published_at: datetime | None


class ListedSummary(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line of the list: the latest edition of a period. `problem` says why there is none."""

    kind: PeriodKind
    form: Form
    period: str
    first_day: date
    starts_at: datetime
    ends_at: datetime
    edition: int
    published_at: datetime | None
    late: bool
    problem: str | None = None


class Head(Struct, frozen=True):
    """A position in the log and the chain there."""

    seq: int
    link: bytes


class Anchor(Struct, frozen=True):
    """A published position: the chain must still read so there."""

    kind: PeriodKind
    period: str
    form: Form
    edition: int
    as_at_seq: int
    chain_head: bytes
    published_at: datetime


async def teams(database: Database) -> list[Team]:
    """Every team."""
    async with database.anyone() as connection:
        rows = await connection.fetch(SQL.teams)
    return [await _team(database, row) for row in rows]


async def team(database: Database, team_id: UUID) -> Team:
    """One team. Raises LookupError where there is none."""
    async with database.anyone() as connection:
        rows = await connection.fetch(SQL.teams)
    for row in rows:
        if row["team_id"] == team_id:
            return await _team(database, row)
    raise LookupError("there is no such team")


async def _team(database: Database, row: asyncpg.Record) -> Team:
    team_id = row["team_id"]
    async with database.team(team_id) as connection:
        name: str = await connection.fetchval(SQL.team_name, team_id)
        own = {
            one["kind"]: Due(one["due_at"], one["after_days"]) for one in await connection.fetch(SQL.schedule, team_id)
        }
    calendar = Calendar(row["starts_on"], ZoneInfo(row["zone"]), row["day_start_hour"], {**DEFAULTS, **own})
    return Team(team_id, name, calendar)


async def set_schedule(connection: Connection, team_id: UUID, kind: PeriodKind, at: time, after_days: int) -> None:
    """Give a team a due time of its own."""
    await connection.execute(SQL.set_schedule, team_id, kind, at, after_days)


async def runs(connection: Connection, team_id: UUID) -> dict[tuple[PeriodKind, str], Run]:
    """What was done about each period of the internal form."""
    rows = await connection.fetch(SQL.runs, team_id)
    return {(row["kind"], row["period"]): Run(*row.values()) for row in rows}


async def head(connection: Connection, team_id: UUID) -> Head:
    """Where the log stands."""
    row = await connection.fetchrow(SQL.head, team_id)
    return Head(row["seq"], bytes(row["link"])) if row else Head(0, bytes(32))


# --- what measures are computed from ---


@dataclass(slots=True)
class Loaded:
    """A scope, with the facts that had to be made for it, to be kept for the next time."""

    scope: Scope
    fresh: list[Fact] = field(default_factory=list)


async def load_scope(connection: Connection, team: Team, slot: Slot, as_at: datetime) -> Loaded:
    """Everything the measures of a period need, as the log stands in the connection's snapshot."""
    loading = _Loading(connection, team.team_id)
    starts_at, ends_at = slot.starts_at, slot.ends_at
    since = pooled_since(slot, team.calendar.zone)
    of_period = await loading.fetch(SQL.members, since or starts_at, ends_at)
    recent = await loading.fetch(SQL.members, as_at - RECENT, as_at)
    people = {person for around in of_period for person in around.fact.people if around.fact.at >= starts_at}
    theirs = await loading.fetch(SQL.of_people, list(people), starts_at - AROUND, ends_at + AROUND) if people else []
    restated = await connection.fetchval(SQL.restated, team.team_id, starts_at, ends_at)
    scope = assemble(team, slot, as_at, of_period, recent, theirs, restated)
    if not scope.members and not await connection.fetchval(SQL.heard, team.team_id, starts_at, ends_at):
        scope = msgspec.structs.replace(scope, silent=True)
    return Loaded(scope, loading.fresh)


def assemble(
    team: Team,
    slot: Slot,
    as_at: datetime,
    of_period: Iterable[Around],
    recent: Iterable[Around],
    theirs: Iterable[Around],
    restated: int = 0,
) -> Scope:
    """The scope of those of these incidents that count. `of_period` reaches back as far as is pooled."""
    counting = [around.fact for around in of_period if around.fact.counts]
    since = pooled_since(slot, team.calendar.zone)
    return Scope(
        kind=slot.period.kind,
        starts_at=slot.starts_at,
        ends_at=slot.ends_at,
        as_at=as_at,
        members=[fact for fact in counting if fact.at >= slot.starts_at],
        recent=[around for around in recent if around.fact.counts],
        pooled=counting if since else (),
        of_person=by_person(around.fact for around in theirs if around.fact.counts),
        restated=restated,
        populations=codes.populations,
        zone=team.calendar.zone,
    )


def pooled_since(slot: Slot, zone: ZoneInfo) -> datetime | None:
    """When the 12 months begin that end with a quarter or year; None for other kinds, which pool nothing."""
    if slot.period.kind not in ("quarterly", "yearly"):
        return None
    ends = slot.ends_at.astimezone(zone)
    return min(slot.starts_at, ends.replace(year=ends.year - POOLED_MONTHS // 12))


def by_person(facts: Iterable[Fact]) -> dict[UUID, list[Fact]]:
    """The incidents of each person."""
    found: dict[UUID, list[Fact]] = defaultdict(list)
    for fact in facts:
        for person in fact.people:
            found[person].append(fact)
    return dict(found)


@dataclass(slots=True)
class _Loading:
    """Facts of one snapshot: those kept that are still true, the others made from their entries."""

    connection: Connection
    team_id: UUID
    version: str = field(default_factory=editions.rules_in_force)
    known: dict[UUID, Fact] = field(default_factory=dict)
    fresh: list[Fact] = field(default_factory=list)

    async def fetch(self, statement: str, *args: object) -> list[Around]:
        rows = await self.connection.fetch(statement, self.team_id, *args, self.version)
        new = [row for row in rows if row["id"] not in self.known]
        # in a thread: a year of a large team takes seconds, and the same process serves phones
        self.known |= await asyncio.to_thread(_decoded, new)
        stale = [row for row in new if row["body"] is None]
        for start in range(0, len(stale), CHUNK):
            await self._make(stale[start : start + CHUNK])
        return [Around(self.known[row["id"]], row["duplicate"]) for row in rows if row["id"] in self.known]

    async def _make(self, rows: Sequence[asyncpg.Record]) -> None:
        by_id = {row["id"]: row for row in rows}
        entries = defaultdict(list)
        for root, *columns in await self.connection.fetch(SQL.entries, self.team_id, list(by_id)):
            entries[root].append(held_of(*columns))
        for root, held in entries.items():
            others = _related(by_id[root]["related"])
            incident = fold(held, others, ids=links.incident_ids(held))
            fact = msgspec.structs.replace(fact_of(incident, others), seq=by_id[root]["seq"])
            self.known[root] = fact
            self.fresh.append(fact)


def slot_of(summary: Summary) -> Slot:
    """The instants that an edition was published for: a calendar changed since changes no past period."""
    period = parse_period(summary.kind, summary.period)
    return Slot(period, summary.starts_at, summary.ends_at, summary.due_at)


def _decoded(rows: Iterable[asyncpg.Record]) -> dict[UUID, Fact]:
    return {row["id"]: decode(row["body"]) for row in rows if row["body"] is not None}


async def running_detentions(connection: Connection, team_id: UUID) -> list[Fact]:
    """The incidents whose detention has no end on record."""
    loading = _Loading(connection, team_id)
    return [around.fact for around in await loading.fetch(SQL.running)]


async def keep_facts(connection: Connection, team_id: UUID, facts: Sequence[Fact]) -> None:
    """Keep facts for the next time; an older one never replaces a newer."""
    version = editions.rules_in_force()
    for start in range(0, len(facts), CHUNK):
        chunk = sorted(facts[start : start + CHUNK], key=lambda fact: fact.id)  # in one order: no deadlock
        await connection.execute(
            SQL.keep_facts,
            team_id,
            [fact.id for fact in chunk],
            [fact.seq for fact in chunk],
            [fact.at for fact in chunk],
            version,
            [encode(fact) for fact in chunk],
        )


async def kinds_since(connection: Connection, team_id: UUID, since: int, scope: Scope) -> tuple[str, ...]:
    """The kinds of entries that came to the incidents of a period after a position; of all where none of those did."""
    ids = [fact.id for fact in scope.members] + [fact.id for facts in scope.of_person.values() for fact in facts]
    now = (await head(connection, team_id)).seq
    rows = await connection.fetch(SQL.kinds_since, team_id, since, now, ids)
    rows = rows or await connection.fetch(SQL.kinds_since, team_id, since, now, None)
    return tuple(row["kind"] for row in rows)


# --- what was done ---


async def try_claim(connection: Connection, team_id: UUID, kind: PeriodKind, period: str) -> bool:
    """Whether this transaction may work on the period; no other can until it ends."""
    return bool(await connection.fetchval(SQL.try_claim, f"summary {team_id} {kind} {period} internal"))


async def is_published(connection: Connection, team_id: UUID, kind: PeriodKind, period: str, form: Form) -> bool:
    """Whether the period has an edition."""
    return bool(await connection.fetchval(SQL.published, team_id, kind, period, form))


async def tiled(connection: Connection, team_id: UUID, slot: Slot) -> Slot:
    """The slot with its start where the period before it ended, should the team's calendar have changed in between."""
    before = period_of(slot.period.kind, slot.period.starts - timedelta(days=1))
    ended: datetime | None = await connection.fetchval(SQL.end_of_previous, team_id, before.kind, before.name)
    if ended is None or ended >= slot.ends_at:
        return slot
    return msgspec.structs.replace(slot, starts_at=ended)


async def add_edition(connection: Connection, team_id: UUID, slot: Slot, summary: Summary, at: Head) -> None:
    """Store an edition, and that its period is published. Raises asyncpg.UniqueViolationError where it exists."""
    assert summary.published_at and summary.as_at
    key = (team_id, summary.kind, summary.period)
    await connection.execute(
        SQL.record_run,
        *key,
        slot.period.starts,
        slot.starts_at,
        slot.ends_at,
        slot.due_at,
        summary.published_at,
        at.seq,
        editions.rules_in_force(),
    )
    await connection.execute(
        SQL.add_edition,
        *key,
        summary.form,
        summary.edition,
        summary.published_at,
        summary.as_at,
        at.seq,
        at.link,
        editions.encode(summary),
    )


async def rows_of(connection: Connection, team_id: UUID, summary: Summary) -> list[tuple[str, str]]:
    """The rows of an edition as JSON, each with its table, for the journal; the run comes first."""
    rows = await connection.fetch(SQL.rows_of, team_id, summary.kind, summary.period, summary.form, summary.edition)
    return [(row["name"], row["row"]) for row in rows]


async def record_failure(connection: Connection, team_id: UUID, slot: Slot, now: datetime) -> None:
    """Make a failed run visible."""
    period = slot.period
    await connection.execute(
        SQL.record_failure,
        team_id,
        period.kind,
        period.name,
        period.starts,
        slot.starts_at,
        slot.ends_at,
        slot.due_at,
        now,
    )


async def set_checked(connection: Connection, team_id: UUID, run: Run, seq: int, now: datetime) -> None:
    """Note that entries up to this position change nothing of the period."""
    await connection.execute(
        SQL.checked, team_id, run.kind, run.period, "internal", seq, editions.rules_in_force(), now
    )


# --- what is published ---


async def find(
    connection: Connection,
    team_id: UUID,
    kind: PeriodKind,
    period: str,
    edition: int | None = None,
    form: Form = "internal",
) -> bytes | None:
    """The bytes of an edition, the latest where none is named; None where there is none."""
    body: bytes | None = await connection.fetchval(SQL.edition, team_id, kind, period, form, edition)
    return body


async def all_editions(
    connection: Connection, team_id: UUID, kind: PeriodKind, period: str, form: Form = "internal"
) -> list[bytes]:
    """Every edition of a period, oldest first."""
    return [row["body"] for row in await connection.fetch(SQL.editions, team_id, kind, period, form)]


async def find_failed(
    connection: Connection, team_id: UUID, kind: PeriodKind, period: str, form: Form = "internal"
) -> Summary | None:
    """A period whose run failed, without data; None where no run failed."""
    row = await connection.fetchrow(SQL.run, team_id, kind, period, form)
    if row is None or row["state"] != "failed":
        return None
    return Summary(
        kind=kind,
        form=form,
        period=period,
        starts_at=row["starts_at"],
        ends_at=row["ends_at"],
        due_at=row["due_at"],
        edition=0,
        published_at=None,
        late=True,
        as_at_seq=None,
        as_at=None,
        chain_head=None,
        codes_version=codes.version,
        notes=(editions.NO_DATA,),
    )


async def list_latest(
    connection: Connection,
    team_id: UUID,
    form: Form = "internal",
    *,
    kind: PeriodKind | None = None,
    from_: datetime | None = None,
    to: datetime | None = None,
    after: tuple[date, PeriodKind] | None = None,
    limit: int = 50,
) -> list[ListedSummary]:
    """The latest edition of each period that starts in [from_, to), newest first, below `after`.

    Periods whose run failed are there too, with edition 0 and the problem.
    """
    day, after_kind = after or (None, None)
    rows = await connection.fetch(SQL.list_runs, team_id, form, kind, from_, to, day, after_kind, limit)
    return [
        ListedSummary(
            kind=row["kind"],
            form=row["form"],
            period=row["period"],
            first_day=row["first_day"],
            starts_at=row["starts_at"],
            ends_at=row["ends_at"],
            edition=row["edition"] or 0,
            published_at=row["published_at"],
            late=bool(row["late"]) or row["state"] == "failed",
            problem="run_failed" if row["state"] == "failed" else None,
        )
        for row in rows
    ]


async def anchors(connection: Connection, team_id: UUID) -> list[Anchor]:
    """Every published position, for verification against the log."""
    return [Anchor(*row.values()) for row in await connection.fetch(SQL.chain_heads, team_id)]


# --- reports on demand ---


async def between(connection: Connection, team: Team, starts: date, ends: date) -> list[Fact]:
    """The incidents that count of the operational days from `starts` to before `ends`."""
    where = slot(Period("daily", "", starts, ends), team.calendar)
    found = await _Loading(connection, team.team_id).fetch(SQL.members, where.starts_at, where.ends_at)
    return [around.fact for around in found if around.fact.counts]


async def compare(connection: Connection, team: Team, first: Span, second: Span, now: datetime) -> Report:
    """The quarterly measures of two spans side by side. To be called in one snapshot."""
    scopes = []
    for span in (first, second):
        where = slot(Period("quarterly", span.name, span.starts, span.ends), team.calendar)
        scopes.append((await load_scope(connection, team, where, now)).scope)
    position = await head(connection, team.team_id)
    return Report(
        first=first,
        second=second,
        as_at_seq=position.seq,
        as_at=now,
        rules=RULE,
        codes_version=codes.version,
        lines=comparison.lines(scopes[0], scopes[1]),
    )

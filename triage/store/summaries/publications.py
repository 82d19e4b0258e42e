"""Summaries in the database: what a period's measures are computed from, editions, and what was done.

What measures need is read within one snapshot, so the incidents are those of the log's head that is read with them.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
import msgspec
from msgspec import Struct

from triage import codes
from triage.log.append_decision import stored_entry
from triage.log.diversion import RULE
from triage.store.database import Connection, Database
from triage.store.statements import load
from triage.store.summaries.facts import SQL as FACTS
from triage.store.summaries.facts import FactReader, related_of
from triage.summaries import comparison, editions
from triage.summaries.causes import ChangedIncidents
from triage.summaries.comparison import Comparison, Span
from triage.summaries.editions import Form, Summary
from triage.summaries.facts import IncidentFact, Profile, RecentIncident, profile_at
from triage.summaries.registry import POOLED_MONTHS, ForceTotal, Scope
from triage.summaries.schedule import DEFAULTS, Calendar, DueTime, Slot, due_slots, slot
from triage.times import Period, PeriodKind, parse_period, period_of

SQL = load("summaries")

RECENT: Final = timedelta(days=28)
"""How far back open outcomes and other things to do are looked for."""
AROUND: Final = timedelta(days=90)
"""How far before and after a period the other incidents of its people matter."""


class CalendarTeam(Struct, frozen=True):
    """A team with its calendar."""

    team_id: UUID
    name: str
    calendar: Calendar


class PeriodRun(Struct, frozen=True):
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


class LogPosition(Struct, frozen=True):
    """A position in the log and the chain there."""

    seq: int
    link: bytes


class PublishedPosition(Struct, frozen=True):
    """A published position: the chain must still read so there."""

    kind: PeriodKind
    period: str
    form: Form
    edition: int
    as_at_seq: int
    chain_head: bytes
    published_at: datetime


async def teams(database: Database) -> list[CalendarTeam]:
    """Every team."""
    async with database.no_team() as connection:
        rows = await connection.fetch(SQL.teams)
    return [await _team(database, row) for row in rows]


async def team(database: Database, team_id: UUID) -> CalendarTeam:
    """One team. Raises LookupError where there is none."""
    async with database.no_team() as connection:
        rows = await connection.fetch(SQL.teams)
    for row in rows:
        if row["team_id"] == team_id:
            return await _team(database, row)
    raise LookupError("there is no such team")


async def _team(database: Database, row: asyncpg.Record) -> CalendarTeam:
    team_id = row["team_id"]
    async with database.team(team_id) as connection:
        name: str = await connection.fetchval(SQL.team_name, team_id)
        own = {
            one["kind"]: DueTime(one["due_at"], one["after_days"])
            for one in await connection.fetch(SQL.schedule, team_id)
        }
    calendar = Calendar(row["starts_on"], ZoneInfo(row["zone"]), row["day_start_hour"], {**DEFAULTS, **own})
    return CalendarTeam(team_id, name, calendar)


async def set_schedule(connection: Connection, team_id: UUID, kind: PeriodKind, at: time, after_days: int) -> None:
    """Give a team a due time of its own."""
    await connection.execute(SQL.set_schedule, team_id, kind, at, after_days)


async def runs(connection: Connection, team_id: UUID) -> dict[tuple[PeriodKind, str], PeriodRun]:
    """What was done about each period of the internal form."""
    rows = await connection.fetch(SQL.runs, team_id)
    return {(row["kind"], row["period"]): PeriodRun(*row.values()) for row in rows}


async def head(connection: Connection, team_id: UUID) -> LogPosition:
    """Where the log stands."""
    row = await connection.fetchrow(SQL.head, team_id)
    return LogPosition(row["seq"], bytes(row["link"])) if row else LogPosition(0, bytes(32))


# --- what measures are computed from ---


@dataclass(slots=True)
class LoadedScope:
    """A scope, with the facts that had to be made for it, to be kept for the next time."""

    scope: Scope
    fresh: list[IncidentFact]


async def load_scope(
    connection: Connection, team: CalendarTeam, slot: Slot, as_at: datetime, known_at: datetime | None = None
) -> LoadedScope:
    """Everything the measures of a period need, as the log stands in the connection's snapshot.

    `known_at` is until when totals of the force count that were entered; by default `as_at`.
    """
    facts = FactReader(connection, team.team_id)
    starts_at, ends_at = slot.starts_at, slot.ends_at
    of_period = await facts.between(starts_at, ends_at)
    since = pooled_since(slot, team.calendar.zone)
    earlier = await facts.profiles(since, starts_at, as_at) if since and since < starts_at else {}
    longer = slot.period.kind not in ("daily", "weekly")
    recent = await facts.recent(as_at - RECENT, as_at, duplicates_only=longer)
    people = {person for fact in of_period for person in fact.people}
    theirs = await facts.of_people(people, starts_at - AROUND, ends_at + AROUND) if people else []
    restated = await connection.fetchval(SQL.restated, team.team_id, starts_at, ends_at)
    totals = await force_totals(connection, team.team_id, slot.period, known_at or as_at)
    scope = assemble(team, slot, as_at, of_period, earlier, recent, theirs, restated, totals)
    if not scope.members and not await connection.fetchval(SQL.heard, team.team_id, starts_at, ends_at):
        scope = msgspec.structs.replace(scope, silent=True)
    return LoadedScope(scope, facts.fresh)


def assemble(
    team: CalendarTeam,
    slot: Slot,
    as_at: datetime,
    of_period: Iterable[IncidentFact],
    earlier: Mapping[Profile, int],
    recent: Iterable[RecentIncident],
    theirs: Iterable[IncidentFact],
    restated: int = 0,
    totals: Sequence[ForceTotal] = (),
) -> Scope:
    """The scope of those of these incidents that count; `earlier` are pooled with those of the period."""
    members = [fact for fact in of_period if fact.counts]
    since = pooled_since(slot, team.calendar.zone)
    return Scope(
        kind=slot.period.kind,
        starts_at=slot.starts_at,
        ends_at=slot.ends_at,
        as_at=as_at,
        members=members,
        recent=[around for around in recent if around.fact.counts],
        pooled=Counter(earlier) + Counter(profile_at(fact, as_at) for fact in members) if since else {},
        pooled_since=since,
        of_person=by_person(fact for fact in theirs if fact.counts),
        restated=restated,
        populations=codes.populations,
        force_total=totals[-1] if totals else None,
        zone=team.calendar.zone,
    )


def pooled_since(slot: Slot, zone: ZoneInfo) -> datetime | None:
    """When the 12 months begin that end with a quarter or year; None for other kinds, which pool nothing."""
    if slot.period.kind not in ("quarterly", "yearly"):
        return None
    ends = slot.ends_at.astimezone(zone)
    return min(slot.starts_at, ends.replace(year=ends.year - POOLED_MONTHS // 12))


def by_person(facts: Iterable[IncidentFact]) -> dict[UUID, list[IncidentFact]]:
    """The incidents of each person."""
    found: dict[UUID, list[IncidentFact]] = defaultdict(list)
    for fact in facts:
        for person in fact.people:
            found[person].append(fact)
    return dict(found)


def slot_of(summary: Summary) -> Slot:
    """The instants that an edition was published for: a calendar changed since changes no past period."""
    period = parse_period(summary.kind, summary.period)
    return Slot(period, summary.starts_at, summary.ends_at, summary.due_at)


async def changed_incidents(connection: Connection, team_id: UUID, since: int, scope: Scope) -> ChangedIncidents:
    """The incidents of a period, or of its people, that entries after a position bear on, and those they came from."""
    ids = {fact.id for fact in scope.members} | {fact.id for facts in scope.of_person.values() for fact in facts}
    rows = await connection.fetch(SQL.moved_since, team_id, since, list(ids))
    roots = [row["id"] for row in rows]
    held = [stored_entry(*columns) for _, *columns in await connection.fetch(FACTS.entries, team_id, roots)]
    inside = {one.entry.incident_id for one in held}
    related = {
        row["id"]: [event for event in related_of(row["related"]) if event.incident not in inside] for row in rows
    }
    return ChangedIncidents(since, held, related)


async def enter_force_total(
    connection: Connection, team_id: UUID, period: Period, s136: int, source: str, now: datetime
) -> ForceTotal:
    """Note how often the whole force used s136 in a quarter or year; its summary is looked at again."""
    async with connection.transaction():
        key = (team_id, period.kind, period.name)
        version = await connection.fetchval(SQL.enter_force_total, *key, s136, source, now)
        await connection.execute(SQL.look_again, *key)
    return ForceTotal(version, s136, source)


async def force_totals(connection: Connection, team_id: UUID, period: Period, until: datetime) -> list[ForceTotal]:
    """What was entered for a period by an instant, the newest version last."""
    rows = await connection.fetch(SQL.force_totals, team_id, period.kind, period.name, until)
    return [ForceTotal(*row.values()) for row in rows]


async def keep_code_lists(database: Database) -> None:
    """Keep the code lists in force, so that what is computed under them can be computed again when they are others."""
    digest = codes.digest()
    async with database.no_team() as connection:
        if not await connection.fetchval(SQL.code_lists, digest):
            await connection.execute(SQL.keep_code_lists, digest, codes.version, codes.document())


async def code_lists(connection: Connection, digest: bytes) -> bytes | None:
    """Code lists that were kept."""
    body: bytes | None = await connection.fetchval(SQL.code_lists, digest)
    return body


# --- what was done ---


async def try_claim(connection: Connection, team_id: UUID, kind: PeriodKind, period: str) -> bool:
    """Whether this transaction may work on the period; no other can until it ends."""
    return bool(await connection.fetchval(SQL.try_claim, f"summary {team_id} {kind} {period} internal"))


async def is_published(connection: Connection, team_id: UUID, kind: PeriodKind, period: str, form: Form) -> bool:
    """Whether the period has an edition."""
    return bool(await connection.fetchval(SQL.published, team_id, kind, period, form))


async def oldest_unpublished(connection: Connection, team: CalendarTeam, now: datetime) -> datetime | None:
    """When the oldest period was due that has no edition yet; None where everything is published."""
    done = {(row["kind"], row["period"]) for row in await connection.fetch(SQL.published_periods, team.team_id)}
    due = await asyncio.to_thread(due_slots, team.calendar, now)  # years of days: not on the event loop
    return next((one.due_at for one in due if (one.period.kind, one.period.name) not in done), None)


async def adjoining_slot(connection: Connection, team_id: UUID, slot: Slot) -> Slot:
    """The slot with its start where the period before it ended, should the team's calendar have changed in between."""
    before = period_of(slot.period.kind, slot.period.starts - timedelta(days=1))
    ended: datetime | None = await connection.fetchval(SQL.end_of_previous, team_id, before.kind, before.name)
    if ended is None or ended >= slot.ends_at:
        return slot
    return msgspec.structs.replace(slot, starts_at=ended)


async def add_edition(connection: Connection, team_id: UUID, slot: Slot, summary: Summary, at: LogPosition) -> None:
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


async def set_checked(connection: Connection, team_id: UUID, run: PeriodRun, seq: int, now: datetime) -> None:
    """Note that entries up to this position change nothing of the period."""
    await connection.execute(
        SQL.checked, team_id, run.kind, run.period, "internal", seq, editions.rules_in_force(), now
    )


# --- what is published ---


async def find_edition(
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


async def published_positions(connection: Connection, team_id: UUID) -> list[PublishedPosition]:
    """Every published position, for verification against the log."""
    return [PublishedPosition(*row.values()) for row in await connection.fetch(SQL.chain_heads, team_id)]


# --- reports on demand ---


async def incidents_between(connection: Connection, team: CalendarTeam, starts: date, ends: date) -> list[IncidentFact]:
    """The incidents that count of the operational days from `starts` to before `ends`."""
    where = slot(Period("daily", "", starts, ends), team.calendar)
    found = await FactReader(connection, team.team_id).between(where.starts_at, where.ends_at)
    return [fact for fact in found if fact.counts]


async def compare(connection: Connection, team: CalendarTeam, first: Span, second: Span, now: datetime) -> Comparison:
    """The quarterly measures of two spans side by side. To be called in one snapshot."""
    scopes = []
    for span in (first, second):
        where = slot(Period("quarterly", span.name, span.starts, span.ends), team.calendar)
        scopes.append((await load_scope(connection, team, where, now)).scope)
    position = await head(connection, team.team_id)
    return Comparison(
        first=first,
        second=second,
        as_at_seq=position.seq,
        as_at=now,
        rules=RULE,
        codes_version=codes.version,
        lines=comparison.lines(scopes[0], scopes[1]),
    )

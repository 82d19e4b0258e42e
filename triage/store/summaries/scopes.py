"""The scopes of measures as the log stands: for an edition, a comparison, and the incidents behind a figure.

Everything is read within one snapshot, so the incidents are those of the log's head that is read with them.
"""

import contextlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct

from triage import codes
from triage.log.diversion import RULE
from triage.store.database import Connection, Database
from triage.store.log.entries import rooted_entries
from triage.store.statements import statement
from triage.store.summaries.calendars import CalendarTeam
from triage.store.summaries.facts import ENTRIES, FactReader, related_of
from triage.summaries import comparison
from triage.summaries.causes import ChangedIncidents, as_before
from triage.summaries.comparison import Comparison, Span
from triage.summaries.editions import Summary, value_in, values_of
from triage.summaries.facts import IncidentFact, Profile, RecentIncident, profile_at
from triage.summaries.registry import POOLED_MONTHS, REGISTRY, ForceTotal, Scope, UntraceableLine
from triage.summaries.schedule import Slot, coverage, slot
from triage.times import Period, parse_period

RECENT: Final = timedelta(days=28)
"""How far back open outcomes and other things to do are looked for."""
AROUND: Final = timedelta(days=90)
"""How far before and after a period the other incidents of its people matter."""


class LogPosition(Struct, frozen=True):
    """A position in the log and the chain there."""

    seq: int
    link: bytes


class _MovedIncident(Struct, frozen=True):
    id: UUID
    related: bytes


_HEAD = statement("summaries.head", LogPosition)
_RESTATED = statement("summaries.restated", int)
_HEARD = statement("summaries.heard", bool)
_MOVED_SINCE = statement("summaries.moved_since", _MovedIncident)
_ENTER_FORCE_TOTAL = statement("summaries.enter_force_total", int)
_LOOK_AGAIN = statement("summaries.look_again")
_FORCE_TOTALS = statement("summaries.force_totals", ForceTotal)
_CODE_LISTS = statement("summaries.code_lists", bytes)
_KEEP_CODE_LISTS = statement("summaries.keep_code_lists")


async def head(connection: Connection, team_id: UUID) -> LogPosition:
    """Where the log stands."""
    return await _HEAD.fetch_first(connection, team_id=team_id) or LogPosition(0, bytes(32))


@dataclass(slots=True)
class LoadedScope:
    """A scope, with the facts that had to be made for it, to be kept for the next time."""

    scope: Scope
    fresh: list[IncidentFact]


async def load_scope(
    connection: Connection,
    team: CalendarTeam,
    slot: Slot,
    as_at: datetime,
    known_at: datetime | None = None,
    *,
    pooled: bool = True,
) -> LoadedScope:
    """Everything the measures of a period need, as the log stands in the connection's snapshot.

    `known_at` is until when totals of the force count that were entered; by default `as_at`. `pooled`: the equality
    tables of a quarter or year count the months before it as well.
    """
    facts = FactReader(connection, team.team_id, team.terms)
    starts_at, ends_at = slot.starts_at, slot.ends_at
    of_period = await facts.between(starts_at, ends_at)
    since = pooled_since(slot, team.calendar.zone) if pooled else slot.starts_at
    earlier = await facts.profiles(since, starts_at, as_at) if since and since < starts_at else {}
    longer = slot.period.kind not in ("daily", "weekly")
    recent = await facts.recent(as_at - RECENT, as_at, duplicates_only=longer)
    people = {person for fact in of_period for person in fact.people}
    theirs = await facts.of_people(people, starts_at - AROUND, ends_at + AROUND) if people else []
    restated = await _RESTATED.fetch_one(connection, team_id=team.team_id, starts_at=starts_at, ends_at=ends_at)
    totals = await force_totals(connection, team.team_id, slot.period, known_at or as_at)
    scope = assemble(team, slot, as_at, of_period, earlier, recent, theirs, restated, totals, since)
    if not scope.members and not await _HEARD.fetch_one(
        connection, team_id=team.team_id, starts_at=starts_at, ends_at=ends_at
    ):
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
    since: datetime | None = None,
) -> Scope:
    """The scope of those of these incidents that count; `earlier` are pooled since `since` with those of the period."""
    members = [fact for fact in of_period if fact.counts]
    return Scope(
        kind=slot.period.kind,
        starts_at=slot.starts_at,
        ends_at=slot.ends_at,
        as_at=as_at,
        members=members,
        covered=coverage(slot.period, team.calendar, max(as_at, slot.ends_at)),
        recent=[incident for incident in recent if incident.fact.counts],
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
    of_person: dict[UUID, list[IncidentFact]] = defaultdict(list)
    for fact in facts:
        for person in fact.people:
            of_person[person].append(fact)
    return dict(of_person)


def slot_of(summary: Summary) -> Slot:
    """The instants that an edition was published for: a calendar changed since changes no past period."""
    period = parse_period(summary.kind, summary.period)
    return Slot(period, summary.starts_at, summary.ends_at, summary.due_at)


async def changed_incidents(connection: Connection, team: CalendarTeam, since: int, scope: Scope) -> ChangedIncidents:
    """The incidents of a period, or of its people, that entries after a position bear on, and those they came from."""
    ids = {fact.id for fact in scope.members} | {fact.id for facts in scope.of_person.values() for fact in facts}
    moved = await _MOVED_SINCE.fetch(connection, team_id=team.team_id, seq=since, members=list(ids))
    rows = await ENTRIES.fetch(connection, team_id=team.team_id, roots=[incident.id for incident in moved])
    stored = await rooted_entries(connection, team.team_id, rows)
    inside = {entry.entry.incident_id for entry in stored}
    related = {
        incident.id: [event for event in related_of(incident.related) if event.incident not in inside]
        for incident in moved
    }
    return ChangedIncidents(since, stored, related, team.terms)


async def incidents_behind(
    connection: Connection, team: CalendarTeam, summary: Summary, names: Collection[str]
) -> dict[str, tuple[UUID, ...]]:
    """The incidents that lines of an edition count, found by the measures themselves. To be called in one snapshot.

    A line's name is `measure`, `measure/row` or `measure/row/column`. They are recomputed at the edition's position and
    instant. A line is left out that is not there, that counts something else, or that this program, or the code lists
    now in force, would count otherwise.
    """
    assert summary.as_at and summary.as_at_seq is not None
    now = (await load_scope(connection, team, slot_of(summary), summary.as_at)).scope
    scope = as_before(now, await changed_incidents(connection, team, summary.as_at_seq, now))
    measures = {name: name.partition("/")[0] for name in names}
    used = {code: REGISTRY[code] for code in {*measures.values()} & REGISTRY.keys()}
    printed = values_of(summary.measures, snapshots=True)
    recomputed = values_of([measure.measure(scope) for measure in used.values()], snapshots=True)
    behind = {}
    for name, code in measures.items():
        if code not in used or summary.kind not in used[code].periods:
            continue
        if value_in(printed, (name, "value")) == value_in(recomputed, (name, "value")):
            with contextlib.suppress(UntraceableLine):
                behind[name] = used[code].incidents_behind(scope, name.partition("/")[2])
    return behind


async def enter_force_total(
    connection: Connection, team_id: UUID, period: Period, s136: int, source: str, now: datetime
) -> ForceTotal:
    """Note how often the whole force used s136 in a quarter or year; its summary is looked at again."""
    async with connection.transaction():
        version = await _ENTER_FORCE_TOTAL.fetch_one(
            connection, team_id=team_id, kind=period.kind, period=period.name, s136=s136, source=source, now=now
        )
        await _LOOK_AGAIN.execute(connection, team_id=team_id, kind=period.kind, period=period.name)
    return ForceTotal(version, s136, source)


async def force_totals(connection: Connection, team_id: UUID, period: Period, until: datetime) -> list[ForceTotal]:
    """The totals entered for a period by an instant, the newest version last."""
    return await _FORCE_TOTALS.fetch(connection, team_id=team_id, kind=period.kind, period=period.name, until=until)


async def keep_code_lists(database: Database) -> None:
    """Keep the code lists in force, so that what is computed under them can be computed again when they are others."""
    digest = codes.digest()
    async with database.no_team() as connection:
        if not await _CODE_LISTS.fetch_first(connection, digest=digest):
            await _KEEP_CODE_LISTS.execute(connection, digest=digest, version=codes.version, body=codes.document())


async def code_lists(connection: Connection, digest: bytes) -> bytes | None:
    """Code lists that were kept."""
    return await _CODE_LISTS.fetch_first(connection, digest=digest)


async def incidents_between(connection: Connection, team: CalendarTeam, starts: date, ends: date) -> list[IncidentFact]:
    """The incidents that count of the operational days from `starts` to before `ends`."""
    where = slot(Period("daily", "", starts, ends), team.calendar)
    facts = await FactReader(connection, team.team_id, team.terms).between(where.starts_at, where.ends_at)
    return [fact for fact in facts if fact.counts]


async def compare(connection: Connection, team: CalendarTeam, first: Span, second: Span, now: datetime) -> Comparison:
    """The quarterly measures of two spans side by side. To be called in one snapshot. Raises SpanFault."""
    covered = comparison.check_spans(first, second, team.calendar, now)
    scopes = [
        (await load_scope(connection, team, slot(span.period, team.calendar), now, pooled=False)).scope
        for span in (first, second)
    ]
    position = await head(connection, team.team_id)
    return Comparison(
        first=comparison.covered_span(first, covered[0]),
        second=comparison.covered_span(second, covered[1]),
        as_at_seq=position.seq,
        as_at=now,
        rules=RULE,
        codes_version=codes.version,
        lines=comparison.compare(*scopes, days=(first.days, second.days)),
        notes=comparison.notes(first, second, covered),
    )

"""Teams whose partners are intruders: synthetic populations in a log, cut under the rules or with one switched off.

The intruder has tokens and every file he ever pulled, over HTTP; he knows people: who, where, when, often what was
done. He does not have the keys. What the truth is, the tests know from the population that was put into the log, and
from which incident became which row.
"""

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property
from typing import Any
from uuid import UUID

import pytest
from msgspec import structs

from support.export_team import ExportTeam, Partner, add_export_team
from support.phones import RunningService
from support.population import Arrival, population
from triage.exports import members as m
from triage.exports import selection, tables
from triage.exports.catalogue import PARTIAL, CatalogueTable, ladders
from triage.exports.members import ReleaseMember
from triage.exports.records import Cadence
from triage.exports.selection import Body
from triage.exports.tables import RULES
from triage.exports.tree import CONFIG, ages_in
from triage.jobs import due_releases, release
from triage.store.access.staff import as_owner
from triage.store.database import Connection
from triage.store.exports import agreements, snapshots
from triage.store.exports.snapshots import CountedMember, snapshot
from triage.store.summaries.calendars import CalendarTeam
from triage.times import PeriodKind, operational_day

GROUP = ("area", "age", "sex", "ethnic_group", "shift", "month")
OUTCOME = ("power", "disposal", "place_of_safety", "minutes_at_scene")
BODIES: tuple[Body, ...] = ("other", "police")
Row = dict[str, str]
Cells = dict[tuple[str, str, str], int | None]
Off = dict[str, Any]
"""Parameters with other values: rules switched off."""
Patch = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True)
class PopulationSpec:
    """A synthetic team, and how often its files are cut. `seed` is one in which the attacker's case occurs.

    `batch` more incidents of other people arrive together, days after the cut-off.
    """

    incidents: int
    linked: float
    every: Cadence
    seed: int = 1
    late: float = 0.16
    batch: int = 0


SMALL = ("1400-20", "1400-50", "1400-88")
MEDIUM = "5000-88"
PROMPT = "5000-prompt"
"""Nothing arrives late: a quarter holds exactly what its months hold."""
POPULATIONS = {
    "1400-20": PopulationSpec(1_400, 0.20, "yearly"),
    "1400-50": PopulationSpec(1_400, 0.50, "yearly", seed=7),
    "1400-88": PopulationSpec(1_400, 0.88, "yearly"),
    MEDIUM: PopulationSpec(5_000, 0.88, "quarterly", batch=120),
    PROMPT: PopulationSpec(5_000, 0.88, "quarterly", late=0.0),
}
_PERIODS: dict[Cadence, tuple[str, PeriodKind, datetime, datetime]] = {
    "yearly": ("2025", "yearly", datetime(2026, 4, 1, 5, tzinfo=UTC), datetime(2026, 4, 29, 5, tzinfo=UTC)),
    "quarterly": ("2025-Q1", "quarterly", datetime(2025, 7, 1, 5, tzinfo=UTC), datetime(2025, 7, 29, 5, tzinfo=UTC)),
}


@dataclass
class Pulled:
    """The rows of a record file as its reader has them, and the member behind each: what only we know."""

    rows: list[Row]
    members: list[ReleaseMember]

    @cached_property
    def groups(self) -> list[list[tuple[Row, ReleaseMember]]]:
        """Rows that look alike, with their members."""
        groups: dict[tuple[str, ...], list[tuple[Row, ReleaseMember]]] = defaultdict(list)
        for row, member in zip(self.rows, self.members, strict=True):
            groups[tuple(row[column] for column in GROUP if column in row)].append((row, member))
        return list(groups.values())


@dataclass
class AttackedTeam:
    """One team under attack."""

    name: str
    team: ExportTeam
    partners: dict[Body, Partner]
    _cut: dict[str, Any] = field(default_factory=dict)
    _records: dict[str, dict[Body, Pulled]] = field(default_factory=dict)
    _cells: dict[str, Cells] = field(default_factory=dict)
    _snapshots: dict[Any, list[CountedMember]] = field(default_factory=dict)

    @property
    def period(self) -> str:
        return _PERIODS[POPULATIONS[self.name].every][0]

    @property
    def kind(self) -> PeriodKind:
        return _PERIODS[POPULATIONS[self.name].every][1]

    @property
    def ends_at(self) -> datetime:
        return _PERIODS[POPULATIONS[self.name].every][2]

    @property
    def cut_off(self) -> datetime:
        return _PERIODS[POPULATIONS[self.name].every][3]

    @cached_property
    def arrivals(self) -> list[Arrival]:
        """Everybody of the period, in order of arrival; some arrive after the cut-off."""
        return [arrival for arrival in arrivals(self.name) if arrival.member.occurred_at < self.ends_at]

    @cached_property
    def known(self) -> list[ReleaseMember]:
        """Who was known of at the cut-off."""
        return [arrival.member for arrival in self.arrivals if arrival.arrived_at < self.cut_off]

    @cached_property
    def people(self) -> dict[UUID, ReleaseMember]:
        return {arrival.member.incident_id: arrival.member for arrival in self.arrivals}

    @cached_property
    def _at(self) -> dict[tuple[str, str], frozenset[int]]:
        """Where in `known` those are who have a class of a variable."""
        numbers: dict[tuple[str, str], set[int]] = defaultdict(set)
        for at, member in enumerate(self.known):
            for pair in in_tables(member).items():
                numbers[pair].add(at)
        return {pair: frozenset(ats) for pair, ats in numbers.items()}

    def inside(self, key: Iterable[tuple[str, str]]) -> list[ReleaseMember]:
        """Who was known of and has all these classes."""
        ats = [self._at.get(pair, frozenset()) for pair in key]
        return [self.known[at] for at in frozenset.intersection(*ats)] if ats else self.known

    # --- what is cut and pulled

    async def records(self, off: Off | None = None, body: Body = "other") -> Pulled:
        """The record file of a kind of body, of a release cut with these rules off."""
        name = repr(off or {})
        if name not in self._records:
            await self.cut("records", off)
            self._records[name] = {name: await self.pull(partner) for name, partner in self.partners.items()}
        return self._records[name][body]

    async def cells(self, off: Off | None = None) -> Cells:
        """The published tables of the period, cut with these rules off."""
        name = repr(off or {})
        if name not in self._cells:
            await self.cut("tables", off)
            self._cells[name] = await self.partners["other"].cells(self.period)
        return self._cells[name]

    async def cut(self, dataset: Any, off: Off | None = None, *patches: Patch) -> None:
        """Cut the period anew, at its cut-off; nothing where that is how it stands."""
        wanted = (off or {}, patches)
        if self._cut.get(dataset) != wanted:
            await self.team.forget(dataset, self.period)
            self._cut.pop(dataset, None)
            with self.switched(dataset, off) as patch:
                for changed in patches:
                    changed(patch)
                await self.team.release(self.cut_off)
            self._cut[dataset] = wanted

    @contextmanager
    def switched(self, dataset: str, off: Off | None = None) -> Iterator[pytest.MonkeyPatch]:
        """Rules switched off, and nothing due but the period's tables (of every form) or its record file."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(release, "CONFIG", structs.replace(CONFIG, **(off or {} if dataset == "records" else {})))
            patch.setattr(release, "RULES", structs.replace(RULES, **(off or {} if dataset == "tables" else {})))
            patch.setattr(due_releases, "TABLE_KINDS", (self.kind,) if dataset == "tables" else ())
            patch.setattr(tables, "admit", lambda kind, *_: forms(kind))
            patch.setattr(snapshots, "snapshot", self._snapshot)
            yield patch

    async def _snapshot(self, connection: Connection, team: CalendarTeam, *at: Any) -> list[CountedMember]:
        """What the log held at a position is read once: it does not depend on any rule."""
        if at not in self._snapshots:
            self._snapshots[at] = await snapshot(connection, team, *at)
        return self._snapshots[at]

    async def pull(self, partner: Partner) -> Pulled:
        """A partner's record file, with the truth."""
        text = (await partner.bytes(f"records/{self.period}")).decode()
        rows = list(csv.DictReader(io.StringIO(text)))
        frozen = await self.team.fetch(
            "SELECT x.number, x.incident_id FROM release_row x JOIN release r USING (team_id, release_id)"
            " WHERE x.team_id = $1 AND r.period = $2 AND x.number IS NOT NULL",
            self.period,
        )
        key = selection.key_for(self.team.keys.references, str(partner.partner_id), f"records/{self.period}/1")
        behind = {selection.reference(key, row["number"]): self.people[row["incident_id"]] for row in frozen}
        return Pulled(rows, [behind[row["row_ref"]] for row in rows] if rows and "row_ref" in rows[0] else [])

    async def leave(self, *partners: Partner) -> None:
        """These partners are out: nothing is rendered for them any more."""
        async with as_owner(self.team.running.url, self.team.team_id) as owner:
            for partner in partners:
                await agreements.revoke_partner(owner, self.team.team_id, partner.partner_id, datetime.now(UTC))


@cache
def arrivals(name: str) -> list[Arrival]:
    chosen = POPULATIONS[name]
    _, _, ends_at, cut_off = _PERIODS[chosen.every]
    made = population(chosen.incidents, chosen.linked, chosen.seed, chosen.late)
    made = [arrival for arrival in made if arrival.member.occurred_at < ends_at]
    batch = [
        Arrival(copy_with_another_person(arrival.member), cut_off + timedelta(days=5))
        for arrival in made[: chosen.batch]
    ]
    return sorted([*made, *batch], key=lambda arrival: arrival.arrived_at)


def copy_with_another_person(member: ReleaseMember) -> ReleaseMember:
    """An incident like this one, of another person."""
    person = member.person_id and UUID(int=member.person_id.int ^ 1)
    return structs.replace(member, incident_id=UUID(int=member.incident_id.int ^ 1), person_id=person)


async def add_attacked_team(running: RunningService, name: str) -> AttackedTeam:
    """A team with its population in the log, nothing cut yet, and a partner of each kind."""
    team = await add_export_team(running, POPULATIONS[name].every)
    await team.report(arrivals(name))
    return AttackedTeam(name, team, {body: await team.partner(body) for body in BODIES})


def forms(kind: PeriodKind) -> tuple[CatalogueTable, ...]:
    """Every table of incidents that a kind of period may have, whatever the year before admits."""
    return tuple(f for ladder in ladders(kind) for f in ladder if f.counts == "incidents" and f.column not in PARTIAL)


# --- what the intruder knows


@cache
def known_of(member: ReleaseMember) -> Row:
    """What somebody who knows the person and the incident knows, in the classes of the file."""
    return {
        "area": m.AREA.of(member.area),
        "age": m.AGE.of(member.age_band),
        "sex": m.SEX.of(member.sex),
        "ethnic_group": m.ETHNIC_GROUP.of(member.ethnicity),
        "shift": m.shift(member.occurred_at),
        "month": operational_day(member.occurred_at).isoformat()[:7],
        "power": m.POWER.of(member.power),
        "disposal": m.DISPOSAL.of(member.disposal),
        "place_of_safety": m.PLACE_OF_SAFETY.of(member.place_of_safety),
        "minutes_at_scene": m.minutes_band(member.minutes_at_scene),
    }


@cache
def in_tables(member: ReleaseMember) -> Row:
    """The same in the classes of the tables."""
    disposal = m.DISPOSAL.of(member.disposal)
    return known_of(member) | {
        "local_authority": m.LOCAL_AUTHORITY.of(member.area),
        "ethnicity": m.ETHNICITY.of(member.ethnicity),
        "disposal_in_three": m.DISPOSAL_IN_THREE[disposal],
        "power_used": m.DISPOSAL_IN_TWO[disposal],
    }


def covers(column: str, label: str, value: str) -> bool:
    if label == m.NOT_SHOWN:
        return True
    return value in (ages_in(label) if column == "age" else label.split(m.POOLED))


def fits(row: Row, known: Row) -> bool:
    return all(covers(column, row[column], known[column]) for column in GROUP)


def outcome(row: Row) -> tuple[str, ...]:
    return tuple(row[column] for column in OUTCOME)


def outcomes(rows: Iterable[Row]) -> Counter[tuple[str, ...]]:
    return Counter(map(outcome, rows))


def distinct(members: Iterable[ReleaseMember]) -> int:
    """How many known people."""
    return len({member.person_id for member in members} - {None})

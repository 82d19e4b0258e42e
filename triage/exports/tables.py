"""Protected tables: what a partner sees of a month, a quarter or a year, decided once and frozen.

Four rules make a number: a cell is hidden (`c`) when it is small or one person's, zero included; a row of few people
shows no sensitive column; every other number is rounded to a multiple of five by a die that the records themselves
throw, so that the same records give the same number wherever they are counted; and a published number moves in a later
edition only when at least ten people in that very cell changed. See docs/disclosure.md for the reasons.
"""

import hmac
import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from operator import attrgetter
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from triage.exports import members as m
from triage.exports.catalogue import ATTENDANCE, CLASSES, COARSER_DISPOSALS, PARTIAL, TOTAL, CatalogueTable, ladders
from triage.exports.classified import ClassifiedMember, nearest
from triage.times import PeriodKind

ALL: Final = "all"
"""The label of a total. A total is a cell like any other, counted from its own records, never added up."""


class Rules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The parameters of protected tables. A published statement carries them; another value is another policy."""

    policy: str = "tables-1"
    minimum_people: int = 10
    """A shown cell holds at least this many people and this many incidents; the unclassified total the incidents."""
    row_minimum_people: int = 30
    """A row with fewer people shows no sensitive column; a median needs as many."""
    largest_share: Annotated[float, Meta(gt=0, le=1)] = 0.5
    """A cell is hidden when one known person holds more of it than this."""
    base: int = 5
    """Shown numbers are multiples of this."""
    hold_people: int = 10
    """An edition exists, and a cell in it moves, only when at least this many people changed."""
    admission: Annotated[float, Meta(ge=0, le=1)] = 0.5
    """The share of last year's incidents that has to lie in shown cells for a table to be published."""
    hide_zero: bool = True
    """Whether an empty cell looks the same as a small one."""


RULES: Final = Rules()


class TableCell(msgspec.Struct, frozen=True):
    """A published number (None is `c`) and, for the ledger only, what it was made from.

    `n` is the exact count, `x` the combined record key, `edition` the edition whose snapshot the cell counts.
    """

    table: str
    row: tuple[str, ...]
    column: str
    count: int | None
    n: int
    x: int
    edition: int


class Edition(msgspec.Struct, frozen=True):
    """The tables of one period as published once. `snapshot` is the member set at the cut-off; it never leaves."""

    kind: PeriodKind
    period: str
    edition: int
    policy: str
    tables: tuple[CatalogueTable, ...]
    cells: tuple[TableCell, ...]
    snapshot: tuple[ClassifiedMember, ...]


def rounded(key: bytes, x: int, n: int, base: int = RULES.base) -> int:
    """`n` up or down to a multiple of `base`, unbiased, by a die that depends on the records alone."""
    whole, rest = divmod(n, base)
    throw = hmac.digest(key, b"rr" + x.to_bytes(8, "big") + n.to_bytes(8, "big"), "sha256")
    return base * (whole + (int.from_bytes(throw[:8], "big") * base < rest << 64))


def admit(
    kind: PeriodKind, precedents: Sequence[Sequence[ClassifiedMember]], key: bytes, rules: Rules = RULES
) -> tuple[CatalogueTable, ...]:
    """The tables of a new period: the total, and of each ladder the finest form that the year before admits.

    `precedents` are the snapshots of the same kind of period in the year before. A first quarter, and a first year, are
    judged by the shorter cuts within them, taken together; without any only the total is published. The decision looks
    at sizes of what was cut before, so it tells nothing of who is in this period; and it is taken for edition 1 alone,
    because a table added to an old period would be a second look at it.
    """
    forms = [
        form
        for ladder in ladders(kind)
        if (form := next((t for t in ladder if t == TOTAL or _admitted(t, precedents, rules)), None)) is not None
    ]
    in_full = any(form.column == "disposal" for form in forms)
    return tuple(form for form in forms if not (in_full and form.column in COARSER_DISPOSALS))


def freeze(
    kind: PeriodKind,
    period: str,
    tables: Iterable[CatalogueTable],
    snapshot: Iterable[ClassifiedMember],
    key: bytes,
    rules: Rules = RULES,
) -> Edition:
    """Edition 1 of a period's tables."""
    chosen, members = tuple(tables), tuple(snapshot)
    cells = tuple(cell for table in chosen for cell in _cells(table, members, 1, key, rules))
    return Edition(kind, period, 1, rules.policy, chosen, cells, members)


def revise(
    previous: Edition,
    snapshots: Mapping[int, Sequence[ClassifiedMember]],
    snapshot: Iterable[ClassifiedMember],
    key: bytes,
    rules: Rules = RULES,
) -> Edition | None:
    """The next edition of a month or a quarter, or None when fewer than ten people changed. A year is never revised.

    `snapshots` holds the member set of every edition that a cell of `previous` still counts. A cell takes the new
    member set only when ten people were added to, removed from or moved into or out of that cell since the set it
    counts; else it stays as published, whether it was shown or hidden.
    """
    members = tuple(snapshot)
    if previous.kind == "yearly" or _count_changed(_people_changed(previous.snapshot, members)) < rules.hold_people:
        return None
    edition = previous.edition + 1
    old = {(cell.table, cell.row, cell.column): cell for cell in previous.cells}
    moved = _people_moved(previous, snapshots, members)
    cells = []
    for table in previous.tables:
        for new in _cells(table, members, edition, key, rules):
            published = old[new.table, new.row, new.column]
            changed = moved.get((published.edition, *_address(new)), set())
            cells.append(new if _count_changed(changed) >= rules.hold_people else published)
    return Edition(previous.kind, previous.period, edition, rules.policy, previous.tables, tuple(cells), members)


# --- cells


@dataclass(slots=True)
class _Tally:
    """The contents of a cell while it is counted. `often` counts the people who could hold too much of a cell."""

    n: int = 0
    x: int = 0
    known: set[m.RegisteredPerson] = field(default_factory=set)
    unknown: bool = False
    often: Counter[m.RegisteredPerson] = field(default_factory=Counter)
    minutes: list[int] = field(default_factory=list)

    def merge(self, other: "_Tally") -> None:
        self.n += other.n
        self.x ^= other.x
        self.known |= other.known
        self.unknown |= other.unknown
        self.often.update(other.often)
        self.minutes += other.minutes

    @property
    def people(self) -> int:
        """Everybody who was never identified counts as one person together: they might be one."""
        return m.count_people(self.known) + self.unknown


_Address = tuple[tuple[str, ...], str]
_NOTHING: Final = _Tally()


class _Attender(msgspec.Struct, frozen=True):
    """A known person as the unit of a table of people; the key stands for all their incidents."""

    person: m.RegisteredPerson
    record_key: int
    attendance: str
    minutes: None = None


def _attenders(members: Iterable[ClassifiedMember]) -> list[_Attender]:
    """The people known by the kind of identifier by which most are known: of other kinds they might be the same."""
    times: Counter[m.RegisteredPerson] = Counter()
    keys: dict[m.RegisteredPerson, int] = {}
    for member in members:
        if member.person is not None:
            times[member.person] += 1
            keys[member.person] = keys.get(member.person, 0) ^ member.record_key
    commonest = max(m.BITS, key=lambda bit: sum(1 for _, kinds in times if kinds & bit))
    return [
        _Attender(person, keys[person], ATTENDANCE[(n > 1) + (n > 4)])
        for person, n in times.items()
        if person[1] & commonest
    ]


def _coordinates(table: CatalogueTable) -> Any:
    """A function from a unit to its classes in the table's variables, as a tuple. None in it: not in this table."""
    variables = (*table.rows, *([table.column] if table.column else []))
    if table.counts == "median_minutes":
        return lambda unit: () if unit.minutes is not None else (None,)
    if len(variables) == 1:
        only = attrgetter(variables[0])
        return lambda unit: (only(unit),)
    return attrgetter(*variables) if variables else lambda unit: ()


def _margins(table: CatalogueTable, classes: tuple[str, ...]) -> Iterator[_Address]:
    """The cells that count a unit: its own and every total above it."""
    for label in product(*((c, ALL) for c in classes)):
        yield (label[:-1], label[-1]) if table.column else (label, ALL)


def _tallies(table: CatalogueTable, members: Sequence[ClassifiedMember], rules: Rules) -> dict[_Address, _Tally]:
    """Every cell that counts somebody: first the finest ones, one pass; then the totals, from the finest."""
    units: Sequence[ClassifiedMember | _Attender] = _attenders(members) if table.counts == "people" else members
    # Nobody holds over half of ten with fewer than six, under three kinds of identifier with fewer than two under one
    enough = rules.largest_share * rules.minimum_people / len(m.BITS)
    often = {p for p, n in Counter(u.person for u in units).items() if p is not None and n > enough}
    finest: dict[tuple[str, ...], _Tally] = {}
    coordinates = _coordinates(table)
    for unit in units:
        classes = coordinates(unit)
        tally = finest.get(classes)
        if tally is None:
            if None in classes:
                continue
            tally = finest[classes] = _Tally()
        tally.n += 1
        tally.x ^= unit.record_key
        if unit.person is None:
            tally.unknown = True
        else:
            tally.known.add(unit.person)
            if unit.person in often:
                tally.often[unit.person] += 1
        if table.counts == "median_minutes" and unit.minutes is not None:
            tally.minutes.append(unit.minutes)
    cells: dict[_Address, _Tally] = {}
    for classes, tally in finest.items():
        for address in _margins(table, classes):
            cells.setdefault(address, _Tally()).merge(tally)
    return cells


def _addresses(table: CatalogueTable) -> Iterator[_Address]:
    """All cells of a table, empty ones too, in published order."""
    columns = (*CLASSES[table.column], ALL) if table.column else (ALL,)
    for row in product(*((*CLASSES[variable], ALL) for variable in table.rows)):
        for column in columns:
            yield row, column


def _is_unclassified(table: CatalogueTable, row: tuple[str, ...], column: str) -> bool:
    """Whether a cell counts every incident of the period."""
    partial = PARTIAL.intersection((*table.rows, table.column))
    return table.counts == "incidents" and not partial and {*row, column} == {ALL}


def _hidden(cell: _Tally, row: _Tally, column: str, rules: Rules) -> bool:
    """A rule about sizes only: what decides never depends on which sensitive value the people have."""
    if cell.n == 0 and not rules.hide_zero:
        return False
    if column != ALL and row.people < rules.row_minimum_people:
        return True
    if cell.people < rules.minimum_people or cell.n < rules.minimum_people:
        return True
    if not cell.often:
        return False
    return m.largest_share(dict.fromkeys(cell.known, 1) | cell.often) > rules.largest_share * cell.n


def _cells(
    table: CatalogueTable, members: Sequence[ClassifiedMember], edition: int, key: bytes, rules: Rules
) -> Iterator[TableCell]:
    tallies = _tallies(table, members, rules)
    for row, column in _addresses(table):
        tally = tallies.get((row, column), _NOTHING)
        count = None
        if _is_unclassified(table, row, column):
            hidden = tally.n < rules.minimum_people and (tally.n > 0 or rules.hide_zero)
        else:
            hidden = _hidden(tally, tallies.get((row, ALL), _NOTHING), column, rules)
        if not hidden:
            count = rounded(key, tally.x, tally.n, rules.base)
            if table.counts == "median_minutes":
                count = median_minutes(tally.minutes, tally.people, rules)
        yield TableCell(table.code, row, column, count, tally.n, tally.x, edition)


def _address(cell: TableCell) -> tuple[str, tuple[str, ...], str]:
    return cell.table, cell.row, cell.column


# --- medians


def median_minutes(minutes: Sequence[int], people: int, rules: Rules = RULES) -> int | None:
    """The median of minutes, to the nearest five, or None for fewer than thirty people."""
    return nearest(statistics.median(minutes), 5) if people >= rules.row_minimum_people else None


# --- admission


def _admitted(table: CatalogueTable, precedents: Sequence[Sequence[ClassifiedMember]], rules: Rules) -> bool:
    shown = total = 0
    for members in precedents:
        tallies = _tallies(table, members, rules)
        for (row, column), tally in tallies.items():
            if ALL in row or (table.column and column == ALL):
                continue
            total += tally.n
            shown += 0 if _hidden(tally, tallies[row, ALL], column, rules) else tally.n
    return total > 0 and shown >= rules.admission * total


# --- revisions


def _changes(
    old: Iterable[ClassifiedMember], new: Iterable[ClassifiedMember]
) -> Iterator[tuple[ClassifiedMember | None, ClassifiedMember | None]]:
    """Incidents that came, went or changed class, as they were and as they are."""
    before = {member.incident_id: member for member in old}
    for member in new:
        was = before.pop(member.incident_id, None)
        if was != member:
            yield was, member
    for gone in before.values():
        yield gone, None


def _who(was: ClassifiedMember | None, now: ClassifiedMember | None) -> m.RegisteredPerson | None:
    """The person behind a change."""
    return (now and now.person) or (was and was.person) or None


def _count_changed(people: set[m.RegisteredPerson | None]) -> int:
    """How many people changed. All changes of unidentified people count as one person's."""
    return m.count_people(people) + (None in people)


def _people_changed(old: Iterable[ClassifiedMember], new: Iterable[ClassifiedMember]) -> set[m.RegisteredPerson | None]:
    return {_who(was, now) for was, now in _changes(old, new)}


def _people_moved(
    previous: Edition, snapshots: Mapping[int, Sequence[ClassifiedMember]], members: Sequence[ClassifiedMember]
) -> dict[tuple[int, str, tuple[str, ...], str], set[m.RegisteredPerson | None]]:
    """For every edition still counted and every cell: who came into or left the cell since."""
    moved: dict[tuple[int, str, tuple[str, ...], str], set[m.RegisteredPerson | None]] = {}
    for edition in {cell.edition for cell in previous.cells}:
        for was, now in _changes(snapshots[edition], members):
            for table in previous.tables:
                for row, column in _counted_in(table, was) ^ _counted_in(table, now):
                    moved.setdefault((edition, table.code, row, column), set()).add(_who(was, now))
    return moved


def _counted_in(table: CatalogueTable, member: ClassifiedMember | None) -> set[_Address]:
    if member is None:
        return set()
    classes = _coordinates(table)(member)
    return set() if None in classes else set(_margins(table, classes))

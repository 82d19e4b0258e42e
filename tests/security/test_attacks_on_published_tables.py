"""Attacks on tables that a partner pulls over HTTP, each with the rule that answers it and with that rule off.

All tables of the catalogue are published, whatever the year before would admit: the more there are, the more there is
to subtract. The team's own size is attacked by year, a small force by quarter.
"""

import math
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from functools import cache
from itertools import product

import pytest
from support.attacked_team import MEDIUM, PROMPT, SMALL, AttackedTeam, Cells, Off, distinct, forms, in_tables

from triage.exports.catalogue import CLASSES, CatalogueTable
from triage.exports.members import ReleaseMember
from triage.jobs import due_releases
from triage.times import PeriodKind

Attacked = Callable[[str], Awaitable[AttackedTeam]]
Key = frozenset[tuple[str, str]]
"""A cell by what its people have in common, whatever table it is printed in."""
Interval = tuple[float, float]
EXACT: Off = {"base": 1}
"""No rounding: shown numbers are true, and only small ones are hidden."""

with_and_without = pytest.mark.parametrize("rule", [True, False], ids=["rule", "off"])
everywhere = pytest.mark.parametrize("name", [*SMALL, MEDIUM])


def identity(form: CatalogueTable, row: str, column: str) -> Key:
    pairs = list(zip(form.rows, row.split("/"), strict=True)) if form.rows else []
    if form.column:
        pairs.append((form.column, column))
    return frozenset((variable, label) for variable, label in pairs if label != "all")


def by_identity(cells: Cells, kind: PeriodKind) -> dict[Key, int | None]:
    form_of = {form.code: form for form in forms(kind)}
    return {identity(form_of[table], row, column): count for (table, row, column), count in cells.items()}


@cache
def sums(kind: PeriodKind) -> tuple[tuple[Key, tuple[Key, ...]], ...]:
    """Every total and the parts it is the sum of, variable by variable."""
    return tuple(_sums(kind))


def _sums(kind: PeriodKind) -> Iterator[tuple[Key, tuple[Key, ...]]]:
    for form in forms(kind):
        variables = (*form.rows, *([form.column] if form.column else []))
        for variable in variables:
            others = [v for v in variables if v != variable]
            for labels in product(*((*CLASSES[v], "all") for v in others)):
                rest = {(v, label) for v, label in zip(others, labels, strict=True) if label != "all"}
                yield frozenset(rest), tuple(frozenset({*rest, (variable, label)}) for label in CLASSES[variable])


def inside(key: Key, members: list[ReleaseMember]) -> list[ReleaseMember]:
    return [member for member in members if all(in_tables(member)[variable] == label for variable, label in key)]


async def published(town: AttackedTeam, off: Off) -> dict[Key, int | None]:
    return by_identity(await town.cells(off), town.kind)


# --- subtraction


@with_and_without
@everywhere
async def test_hidden_cells_are_not_solved_from_linked_tables(besieged: Attacked, name: str, rule: bool) -> None:
    town = await besieged(name)
    cells = await published(town, {} if rule else EXACT)
    off = 4 if rule else 0
    bounds: dict[Key, Interval] = {
        key: (0, math.inf) if n is None else (max(0, n - off), n + off) for key, n in cells.items()
    }
    for _ in range(6):
        for total, parts in sums(town.kind):
            tighten(bounds, total, parts)
    hidden = [key for key, n in cells.items() if n is None]
    solved = [key for key in hidden if bounds[key][0] == bounds[key][1]]
    assert all(bounds[key][0] == len(town.inside(key)) for key in solved)
    assert not solved if rule else len(solved) > 0.02 * len(hidden)


def tighten(bounds: dict[Key, Interval], total: Key, parts: tuple[Key, ...]) -> None:
    lows, highs = (sum(bounds[part][end] for part in parts) for end in (0, 1))
    bounds[total] = max(bounds[total][0], lows), min(bounds[total][1], highs)
    for part in parts:
        low, high = bounds[part]
        others = sum(bounds[p][1] for p in parts if p != part) if highs == math.inf else highs - high
        bounds[part] = max(low, bounds[total][0] - others), min(high, bounds[total][1] - (lows - low))


@with_and_without
@everywhere
async def test_a_total_minus_the_others_does_not_give_the_hidden_one(besieged: Attacked, name: str, rule: bool) -> None:
    town = await besieged(name)
    cells = await published(town, {} if rule else EXACT)
    guesses = []
    for total, parts in sums(town.kind):
        hidden = [part for part in parts if cells[part] is None]
        whole = cells[total]
        if whole is not None and len(hidden) == 1:
            guess = whole - sum(cells[part] or 0 for part in parts)
            guesses.append(guess == len(town.inside(hidden[0])))
    assert len(guesses) > 4
    assert sum(guesses) < 0.4 * len(guesses) if rule else all(guesses)


@with_and_without
async def test_a_quarter_minus_two_months_does_not_give_the_hidden_third(
    besieged: Attacked, rule: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    town = await besieged(PROMPT)
    months = ["2025-04", "2025-05", "2025-06"]
    for period in (*months, town.period):
        await town.team.forget("tables", period)
    with town.switched("tables", {} if rule else EXACT) as patch:
        patch.setattr(due_releases, "TABLE_KINDS", ("monthly", "quarterly"))
        await town.team.release(town.cut_off)
    partner = town.partners["other"]
    parts = [by_identity(await partner.cells(month), "monthly") for month in months]
    quarter = by_identity(await partner.cells(town.period), "quarterly")
    guesses = []
    for key in parts[0]:
        hidden = [month for month, cells in zip(months, parts, strict=True) if cells[key] is None]
        whole = quarter[key]
        if whole is not None and len(hidden) == 1:
            guess = whole - sum(cells[key] or 0 for cells in parts)
            guesses.append(guess == len(town.inside({*key, ("month", hidden[0])})))
    assert len(guesses) > 8
    assert sum(guesses) < 0.4 * len(guesses) if rule else all(guesses)


# --- what a cell or row tells


@with_and_without
@everywhere
async def test_nobody_can_prove_that_everybody_of_a_row_had_one_outcome(
    besieged: Attacked, name: str, rule: bool
) -> None:
    """Off: small rows are broken down; the planted pocket is far smaller than thirty."""
    town = await besieged(name)
    cells = await published(town, {} if rule else EXACT | {"minimum_people": 1, "row_minimum_people": 0})
    off = 4 if rule else 0
    proved = [
        part
        for total, parts in sums(town.kind)
        for part in parts
        if (n := cells[part]) is not None and (whole := cells[total]) is not None and n - off >= whole + off
    ]
    proved = [key for key in proved if len(key) > 1]
    assert not proved if rule else any(dict(key).get("power") == "s136" for key in proved)


@with_and_without
@everywhere
async def test_a_shown_cell_is_ten_people(besieged: Attacked, name: str, rule: bool) -> None:
    town = await besieged(name)
    cells = await published(town, {} if rule else {"minimum_people": 3, "row_minimum_people": 3})
    sizes = [distinct(town.inside(key)) for key, n in cells.items() if n is not None]
    # everybody never identified counts as one person
    assert min(sizes) >= 9 if rule else min(sizes) < 9


@with_and_without
@everywhere
async def test_a_row_is_broken_down_for_thirty_people_only(besieged: Attacked, name: str, rule: bool) -> None:
    town = await besieged(name)
    cells = await published(town, {} if rule else {"row_minimum_people": 0})
    broken_down = {
        total
        for total, parts in sums(town.kind)
        for part in parts
        if cells[part] is not None and {v for v, _ in part - total} & {"power", "disposal"}
    }
    sizes = [distinct(town.inside(total)) for total in broken_down]
    assert min(sizes) >= 29 if rule else min(sizes) < 29


@with_and_without
@everywhere
async def test_a_cell_is_not_about_one_frequent_attender(besieged: Attacked, name: str, rule: bool) -> None:
    town = await besieged(name)
    cells = await published(town, {} if rule else {"largest_share": 1.0})
    dominated = [key for key, n in cells.items() if n is not None and one_person_fills(town.inside(key))]
    if name == WITH_A_LANDMARK:
        assert not dominated if rule else dominated
    assert not (rule and dominated)


WITH_A_LANDMARK = "1400-50"
"""The team in which the frequent attender is most of what happened to people like him."""


def one_person_fills(members: list[ReleaseMember]) -> bool:
    times = Counter(member.person_id for member in members if member.person_id)
    return bool(times) and 2 * max(times.values()) > len(members)


@with_and_without
@everywhere
async def test_absence_cannot_be_read_from_a_zero(besieged: Attacked, name: str, rule: bool) -> None:
    town = await besieged(name)
    cells = await published(town, {} if rule else {"hide_zero": False})
    absent = [key for key, n in cells.items() if n == 0]
    assert not any(town.inside(key) for key in absent)
    assert not absent if rule else absent


# --- editions


@with_and_without
async def test_a_late_batch_changes_every_number_by_ten_people_or_not_at_all(besieged: Attacked, rule: bool) -> None:
    """At the next monthly cut-off after the quarter's: some that were late one by one, and a batch."""
    town = await besieged(MEDIUM)
    off: Off = {} if rule else {"hold_people": 1}
    first = await published(town, off)
    await town.cut("tables", off)
    partner = town.partners["other"]
    with town.switched("tables", off):
        await town.team.release(town.cut_off + timedelta(days=11))
    editions = [offer["edition"] for offer in await partner.offers() if offer["period"] == town.period]
    last = by_identity(await partner.cells(town.period, edition=max(editions)), town.kind)
    seen_at = town.cut_off.replace(month=8, day=8)
    late = [a.member for a in town.arrivals if town.cut_off <= a.arrived_at < seen_at]
    sizes = [distinct(inside(key, late)) for key in first if first[key] != last[key]]
    assert len(sizes) > 3
    # everybody never identified counts as one person
    assert min(sizes) >= 9 if rule else min(sizes) <= 1

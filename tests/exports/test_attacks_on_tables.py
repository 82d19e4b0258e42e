"""Attacks on protected tables. Each is run twice: against the rules, and with the rule that answers it switched off.

The second run is what makes the first one worth something: the same attacker, the same data, and he succeeds.
"""

from collections.abc import Iterable, Iterator
from functools import cache
from itertools import combinations, product
from math import inf

import msgspec
import pytest
from cuts import KEY, LARGE, MEDIUM, SMALL, late, placed
from support.population import population

from triage.exports import tables as t
from triage.exports.catalogue import CLASSES, CatalogueTable, ladders
from triage.exports.classified import ClassifiedMember, classify
from triage.exports.tables import RULES, Rules
from triage.times import PeriodKind

Key = frozenset[tuple[str, str]]
"""A cell by what its people have in common, whatever table it is printed in."""
Interval = tuple[float, float]

EXACT = msgspec.structs.replace(RULES, base=1)
"""No rounding: shown numbers are true, and only small ones are hidden."""
AREA_AGE_POWER = CatalogueTable("area_age_power", "Area and age by power considered", ("area", "age"), "power")
QUARTERS = [f"2025-Q{q}" for q in range(1, 5)]
MONTHS = [f"2025-{month:02}" for month in range(4, 13)] + [f"2026-{month:02}" for month in range(1, 4)]


OF_OTHERS = {"grade", "ed_avoided"}
"""Tables of incidents that no other table counts: there is nothing to subtract them from."""
OF_S136 = {"s136_place", "s136_conveyance"}
"""Variables of the incidents whose disposal was section 136, which other tables count as well."""


@cache
def edition(kind: PeriodKind, name: str, incidents: int, rules: Rules, linked: float = 0.88) -> t.Edition:
    every = [form for ladder in ladders(kind) for form in ladder]
    forms = [form for form in every if form.counts == "incidents" and form.code not in OF_OTHERS]
    return t.freeze(kind, name, forms, placed(kind, name, incidents, linked), KEY, rules)


def identity(form: CatalogueTable, cell: t.TableCell) -> Key:
    pairs = [*zip(form.rows, cell.row, strict=True), *([(form.column, cell.column)] if form.column else [])]
    return frozenset((variable, label) for variable, label in pairs if label != t.ALL) | in_common(form)


def in_common(form: CatalogueTable) -> Key:
    """What all incidents of a table have in common."""
    return frozenset({("disposal", "s136")} if form.column in OF_S136 else ())


def cells(published: t.Edition) -> Iterator[tuple[CatalogueTable, t.TableCell, Key]]:
    forms = {form.code: form for form in published.tables}
    for cell in published.cells:
        yield forms[cell.table], cell, identity(forms[cell.table], cell)


def what_is_public(cell: t.TableCell, rules: Rules) -> Interval:
    """What anybody knows of a cell's true count from its number and the printed rules."""
    if cell.count is None:
        return 0, inf
    off = rules.base - 1
    return max(0, cell.count - off), cell.count + off


def sums(form: CatalogueTable) -> Iterator[tuple[Key, list[Key]]]:
    """Every total of a table and the parts it is the sum of, variable by variable."""
    variables = (*form.rows, *([form.column] if form.column else []))
    for variable in variables:
        others = [v for v in variables if v != variable]
        for labels in product(*((*CLASSES[v], t.ALL) for v in others)):
            rest = {(v, label) for v, label in zip(others, labels, strict=True) if label != t.ALL} | in_common(form)
            yield frozenset(rest), [frozenset({*rest, (variable, label)}) for label in CLASSES[variable]]


def propagate(published: t.Edition, rules: Rules) -> dict[Key, Interval]:
    """Bounds of every cell that follow from all linked tables together, by repeated subtraction."""
    known: dict[Key, Interval] = {}
    for _, cell, key in cells(published):
        low, high = what_is_public(cell, rules)
        before = known.get(key, (0, inf))
        known[key] = max(low, before[0]), min(high, before[1])
    equations = [equation for form in published.tables for equation in sums(form)]
    for _ in range(12):
        for total, parts in equations:
            tighten(known, total, parts)
    return known


def tighten(known: dict[Key, Interval], total: Key, parts: list[Key]) -> None:
    lows, highs = (sum(known[part][end] for part in parts) for end in (0, 1))
    known[total] = max(known[total][0], lows), min(known[total][1], highs)
    for part in parts:
        low, high = known[part]
        other_highs = sum(known[p][1] for p in parts if p != part)
        known[part] = (
            max(low, known[total][0] - other_highs),
            min(high, known[total][1] - (lows - low)),
        )


@pytest.mark.parametrize(("rules", "safe"), [(RULES, True), (EXACT, False)])
@pytest.mark.parametrize("incidents", [SMALL, MEDIUM])
def test_hidden_cells_are_not_solved_from_linked_tables(incidents: int, rules: Rules, safe: bool) -> None:
    published = edition("quarterly", "2025-Q1", incidents, rules)
    bounds = propagate(published, rules)
    hidden = {key for _, cell, key in cells(published) if cell.count is None}
    truth = {key: cell.n for _, cell, key in cells(published)}
    assert all(bounds[key][0] <= truth[key] <= bounds[key][1] for key in hidden)
    solved = sum(bounds[key][0] == bounds[key][1] for key in hidden) / len(hidden)
    assert solved == 0 if safe else solved > 0.1


@pytest.mark.parametrize(("rules", "safe"), [(RULES, True), (EXACT, False)])
def test_a_total_minus_the_others_does_not_give_the_hidden_one(rules: Rules, safe: bool) -> None:
    guesses = []
    for quarter in QUARTERS:
        frozen = edition("quarterly", quarter, MEDIUM, rules)
        published = {key: cell for _, cell, key in cells(frozen)}
        for form in frozen.tables:
            for total, parts in sums(form):
                guesses += subtract(published[total], [published[part] for part in parts])
    assert len(guesses) > 50
    right = sum(guesses) / len(guesses)
    assert right < 0.25 if safe else right == 1


@pytest.mark.parametrize(("rules", "safe"), [(RULES, True), (EXACT, False)])
def test_a_quarter_minus_two_months_does_not_give_the_hidden_third(rules: Rules, safe: bool) -> None:
    guesses = []
    for names in (MONTHS[0:3], MONTHS[3:6], MONTHS[6:9], MONTHS[9:12]):
        months = [edition("monthly", name, MEDIUM, rules) for name in names]
        together = [member for month in months for member in month.snapshot]
        quarter = t.freeze("quarterly", "together", months[0].tables, together, KEY, rules)
        for total, *parts in zip(quarter.cells, *(month.cells for month in months), strict=True):
            guesses += subtract(total, parts)
    assert len(guesses) > 20
    right = sum(guesses) / len(guesses)
    assert right < 0.35 if safe else right == 1


def subtract(total: t.TableCell, parts: list[t.TableCell]) -> list[bool]:
    """The attacker's guess of the only hidden part, if there is one: right or wrong."""
    hidden = [part for part in parts if part.count is None]
    if total.count is None or len(hidden) != 1:
        return []
    return [total.count - sum(part.count for part in parts if part.count is not None) == hidden[0].n]


NO_HOLD = msgspec.structs.replace(RULES, hold_people=1)


@pytest.mark.parametrize(("rules", "safe"), [(RULES, True), (NO_HOLD, False)])
def test_one_late_record_moves_no_number(rules: Rules, safe: bool) -> None:
    before = edition("quarterly", "2025-Q1", MEDIUM, rules)
    latecomers = [classify(member, KEY) for member in late("quarterly", "2025-Q1", MEDIUM)][:25]
    moved = 0
    for record in latecomers:
        after = t.revise(before, {1: before.snapshot}, [*before.snapshot, record], KEY, rules)
        moved += after is not None and [c.count for c in after.cells] != [c.count for c in before.cells]
    assert moved == 0 if safe else moved == len(latecomers)


@pytest.mark.parametrize(("rules", "safe"), [(RULES, True), (NO_HOLD, False)])
def test_a_late_batch_changes_every_cell_by_ten_people_or_not_at_all(rules: Rules, safe: bool) -> None:
    before = edition("quarterly", "2025-Q1", LARGE, rules)
    batch = [classify(member, KEY) for member in late("quarterly", "2025-Q1", LARGE)][:60]
    after = t.revise(before, {1: before.snapshot}, [*before.snapshot, *batch], KEY, rules)
    assert after is not None
    forms = {form.code: form for form in after.tables}
    changed = [
        identity(forms[old.table], old)
        for old, new in zip(before.cells, after.cells, strict=True)
        if (old.count, old.x) != (new.count, new.x)
    ]
    sizes = [len({p.person_id for p in batch if matches(key, p)}) for key in changed]
    assert len(sizes) > 5
    assert min(sizes) >= 10 if safe else min(sizes) == 1


def matches(key: Key, member: ClassifiedMember) -> bool:
    return all(getattr(member, variable) == label for variable, label in key)


def rows(published: t.Edition) -> Iterable[tuple[t.TableCell, list[t.TableCell]]]:
    """Every row with a breakdown: its total and its cells."""
    for form in published.tables:
        of_table = [cell for cell in published.cells if cell.table == form.code]
        for total in of_table:
            if form.column and total.column == t.ALL:
                yield total, [c for c in of_table if c.row == total.row and c.column != t.ALL]


@pytest.mark.parametrize(("rules", "safe"), [(RULES, True), (EXACT, False)])
def test_nobody_can_prove_that_everybody_in_a_row_was_detained(rules: Rules, safe: bool) -> None:
    published = t.freeze("yearly", "2025", [AREA_AGE_POWER], placed("yearly", "2025", LARGE), KEY, rules)
    proved = [
        cell
        for total, parts in rows(published)
        for cell in parts
        if cell.count is not None and what_is_public(cell, rules)[0] >= what_is_public(total, rules)[1]
    ]
    assert all(cell.n == cell.count for cell in proved)
    assert not proved if safe else "luton_airport" in {cell.row[0] for cell in proved if cell.row}


NO_ROW_RULE = msgspec.structs.replace(RULES, row_minimum_people=0)


@pytest.mark.parametrize(("rules", "safe"), [(RULES, True), (NO_ROW_RULE, False)])
def test_a_small_row_does_not_show_that_it_has_one_outcome(rules: Rules, safe: bool) -> None:
    months = [
        t.freeze("monthly", name, [AREA_AGE_POWER], placed("monthly", name, LARGE), KEY, rules) for name in MONTHS
    ]
    alike = [
        cell
        for month in months
        for total, parts in rows(month)
        for cell in parts
        if cell.count is not None and cell.count == total.count and cell.n == total.n < 30
    ]
    assert not alike if safe else alike


SHOW_ZERO = msgspec.structs.replace(RULES, hide_zero=False)


@pytest.mark.parametrize(("rules", "safe"), [(RULES, True), (SHOW_ZERO, False)])
def test_absence_cannot_be_read_from_a_zero(rules: Rules, safe: bool) -> None:
    published = edition("yearly", "2025", SMALL, rules)
    absent = [cell for cell in published.cells if cell.count == 0]
    assert all(cell.n == 0 for cell in absent)
    assert not absent if safe else len(absent) > 10


LARGEST = msgspec.structs.replace(RULES, largest_share=1.0)


@pytest.mark.parametrize(("rules", "safe"), [(RULES, True), (LARGEST, False)])
def test_a_cell_is_not_about_one_frequent_attender(rules: Rules, safe: bool) -> None:
    members = [classify(a.member, KEY) for a in population(SMALL, linked=0.5, seed=7)]
    form = CatalogueTable("ethnicity", "Self-defined ethnicity", ("ethnicity",))
    published = t.freeze("yearly", "2025", [form], members, KEY, rules)
    dominated = [cell for _, cell, key in cells(published) if cell.count is not None and one_person_fills(key, members)]
    assert not dominated if safe else dominated


def one_person_fills(key: Key, members: list[ClassifiedMember]) -> bool:
    inside = [p.person_id for p in members if matches(key, p)]
    return any(2 * inside.count(person) > len(inside) for person in {*inside} - {None})


THREE = msgspec.structs.replace(RULES, minimum_people=3, row_minimum_people=3)


@pytest.mark.parametrize(("rules", "safe"), [(RULES, True), (THREE, False)])
def test_nine_who_know_each_other_do_not_learn_of_one_more_from_a_shown_cell(rules: Rules, safe: bool) -> None:
    members = placed("quarterly", "2025-Q1", SMALL)
    published = edition("quarterly", "2025-Q1", SMALL, rules)
    sizes = [
        len({p.person_id for p in members if matches(key, p)})
        for _, cell, key in cells(published)
        if cell.count is not None
    ]
    assert min(sizes) >= 10 if safe else min(sizes) < 10


CROSSING = ("age", "sex", "power", "grade", "shift", "ed_avoided", "s136_place", "s136_conveyance", "attendance")
"""Classifications of which there is one form."""


def test_two_tables_never_cut_the_same_people_in_two_ways() -> None:
    """Any two classifications of one thing nest: a class of the finer lies in one class of the coarser."""
    members = placed("yearly", "2025", LARGE)
    families = [
        ("area", "local_authority"),
        ("disposal", "disposal_in_three", "power_used"),
        ("ethnicity", "ethnic_group"),
    ]
    for family in families:
        for fine, coarse in combinations(family, 2):
            above: dict[str, set[str]] = {}
            for member in members:
                above.setdefault(getattr(member, fine), set()).add(getattr(member, coarse))
            assert all(len(editions) == 1 for editions in above.values())
    assert {v for group in families for v in group} | set(CROSSING) == set(CLASSES)

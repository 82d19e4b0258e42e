"""What a table promises: the catalogue, hiding, rounding, admission and revisions, rule by rule."""

from collections import Counter
from uuid import UUID

import msgspec
import pytest
from cuts import KEY, MEDIUM, SMALL, known, placed
from hypothesis import given, settings
from hypothesis import strategies as st
from support.population import population

from triage.exports import tables as t
from triage.exports.catalogue import CLASSES, COARSER_DISPOSALS, TOTAL, CatalogueTable, ladders
from triage.exports.classified import ClassifiedMember, classify
from triage.times import PeriodKind

MONTHS = [f"2025-{month:02}" for month in range(4, 13)] + [f"2026-{month:02}" for month in range(1, 4)]
KINDS: list[tuple[PeriodKind, list[str]]] = [
    ("monthly", MONTHS),
    ("quarterly", [f"2025-Q{q}" for q in range(1, 5)]),
    ("yearly", ["2025"]),
]
POWER = CatalogueTable("sex_power", "Sex by power", ("sex",), "power")
GRADE = CatalogueTable("grade", "Grade", (), "grade")


def people_of(members: list[ClassifiedMember], n: int) -> list[ClassifiedMember]:
    """Incidents of so many different known people, in one class of everything."""
    like = next(p for p in members if p.grade and p.minutes)
    return [
        msgspec.structs.replace(like, incident_id=UUID(int=i), person_id=UUID(int=1000 + i), record_key=i * 7919)
        for i in range(1, n + 1)
    ]


def number(edition: t.Edition, row: tuple[str, ...] = (), column: str = t.ALL) -> int | None:
    return next(cell.count for cell in edition.cells if (cell.row, cell.column) == (row, column))


def frozen(members: list[ClassifiedMember], *tables: CatalogueTable, key: bytes = KEY) -> t.Edition:
    return t.freeze("monthly", "2025-04", tables, members, key)


# --- hiding


@pytest.mark.parametrize("kind", ["daily", "weekly"])
def test_days_and_weeks_have_no_tables(kind: PeriodKind) -> None:
    with pytest.raises(ValueError, match="no table"):
        ladders(kind)


@pytest.mark.parametrize(("people", "shown"), [(0, False), (1, False), (9, False), (10, True)])
def test_nine_people_are_hidden_and_ten_are_shown(people: int, shown: bool) -> None:
    members = people_of(placed("monthly", "2025-04", SMALL), people)
    assert is_shown(members) == shown


def is_shown(members: list[ClassifiedMember]) -> bool:
    """Whether the cell of everybody's sex, which all of these have in common, is shown."""
    return number(frozen(members, POWER), (members[0].sex,) if members else ("female",)) is not None


def test_everybody_unidentified_counts_as_one_person() -> None:
    members = people_of(placed("monthly", "2025-04", SMALL), 40)
    nine = [p if i < 8 else msgspec.structs.replace(p, person_id=None) for i, p in enumerate(members)]
    ten = [p if i < 9 else msgspec.structs.replace(p, person_id=None) for i, p in enumerate(members)]
    assert not is_shown(nine)
    assert is_shown(ten)


@pytest.mark.parametrize(("kinds", "shown"), [((1, 2), False), ((1, 3), True), ((1, 1), True), ((4, 2), False)])
def test_five_people_known_to_health_and_five_to_police_may_be_five_people(kinds: tuple[int, int], shown: bool) -> None:
    members = people_of(placed("monthly", "2025-04", SMALL), 10)
    mixed = [msgspec.structs.replace(p, known_by=kinds[i % 2]) for i, p in enumerate(members)]
    assert is_shown(mixed) == shown


@pytest.mark.parametrize(("incidents", "shown"), [(0, False), (9, False), (10, True), (122, True)])
def test_the_number_of_all_incidents_is_shown_from_ten_on_whoever_they_concerned(incidents: int, shown: bool) -> None:
    """A month of 122 incidents of people whom nobody identified is no secret."""
    members = people_of(placed("monthly", "2025-04", SMALL), incidents)
    strangers = [msgspec.structs.replace(p, person_id=None) for p in members]
    edition = frozen(strangers, TOTAL, POWER, GRADE)
    totals = {cell.table: cell.count for cell in edition.cells if {*cell.row, cell.column} == {t.ALL}}
    assert (totals["incidents"] is not None) == shown
    assert totals["incidents"] == totals["sex_power"]
    assert totals["grade"] is None, "not all incidents have a grade: theirs is no unclassified total"
    assert not [c for c in edition.cells if c.count is not None and {*c.row, c.column} != {t.ALL}]


@pytest.mark.parametrize(("own", "shown"), [(11, True), (12, False)])
def test_a_cell_is_hidden_when_one_person_holds_over_half(own: int, shown: bool) -> None:
    members = people_of(placed("monthly", "2025-04", SMALL), 11 + own)
    heavy = [p if i < 11 else msgspec.structs.replace(p, person_id=UUID(int=5)) for i, p in enumerate(members)]
    assert is_shown(heavy) == shown


@pytest.mark.parametrize(("kinds", "shown"), [((1, 1), True), ((1, 2), False)])
def test_one_person_may_hold_a_cell_under_two_kinds_of_identifier(kinds: tuple[int, int], shown: bool) -> None:
    members = people_of(placed("monthly", "2025-04", SMALL), 24)
    heavy = [
        msgspec.structs.replace(p, person_id=UUID(int=5 + i % 2), known_by=kinds[i % 2]) if i < 14 else p
        for i, p in enumerate(members)
    ]
    assert is_shown(heavy) == shown


@pytest.mark.parametrize(("people", "shown"), [(29, False), (30, True)])
def test_a_row_of_fewer_than_thirty_people_shows_no_sensitive_column(people: int, shown: bool) -> None:
    members = people_of(placed("monthly", "2025-04", SMALL), people)
    edition = frozen(members, POWER)
    assert number(edition, (members[0].sex,)) is not None
    assert (number(edition, (members[0].sex,), members[0].power) is not None) == shown


def test_every_class_is_listed_though_nobody_belongs_to_it() -> None:
    members = people_of(placed("monthly", "2025-04", SMALL), 30)
    rows = {cell.row for cell in frozen(members, POWER).cells}
    assert rows == {(sex,) for sex in (*CLASSES["sex"], t.ALL)}
    assert {c.column for c in frozen(members, POWER).cells} == {*CLASSES["power"], t.ALL}


# --- rounding


@given(st.integers(0, 100_000), st.integers(0, 2**64 - 1), st.binary(min_size=32, max_size=32))
def test_a_number_is_a_multiple_of_five_at_most_four_away(n: int, x: int, key: bytes) -> None:
    published = t.rounded(key, x, n)
    assert published % 5 == 0 and abs(published - n) <= 4
    assert published == n or n % 5


@pytest.mark.parametrize("n", [11, 12, 13, 14, 1003])
def test_rounding_is_unbiased_over_keys(n: int) -> None:
    draws = [t.rounded(key.to_bytes(32, "big"), 12345, n) for key in range(20_000)]
    # Four standard errors of the mean: at most 2.5 of deviation over the root of 20,000
    assert abs(sum(draws) / len(draws) - n) < 0.071


def test_the_same_records_give_the_same_number_in_every_table_and_period() -> None:
    members = placed("monthly", "2025-04", MEDIUM)
    month = t.freeze("monthly", "2025-04", [form for ladder in ladders("monthly") for form in ladder], members, KEY)
    quarter = t.freeze("quarterly", "2025-Q1", [POWER], members, KEY)
    totals = {c.count for c in (*month.cells, *quarter.cells) if c.n == len(members)}
    assert len(totals) == 1


def test_other_records_of_the_same_number_throw_the_die_again() -> None:
    assert {t.rounded(KEY, x, 12) for x in range(50)} == {10, 15}


def test_another_key_is_another_die() -> None:
    members = placed("monthly", "2025-04", MEDIUM)
    first, two = (frozen(members, POWER, key=key * 32) for key in (b"1", b"2"))
    assert [c.n for c in first.cells] == [c.n for c in two.cells]
    assert [c.count for c in first.cells] != [c.count for c in two.cells]


@settings(max_examples=8)
@given(st.integers(0, 2**32), st.integers(50, 250), st.sampled_from([0.2, 0.5, 0.88]))
def test_no_cell_breaks_a_rule_and_overlapping_tables_agree(seed: int, n: int, linked: float) -> None:
    members = [classify(a.member, KEY) for a in population(n, linked, seed)]
    forms = [form for ladder in ladders("quarterly") for form in ladder]
    edition = t.freeze("quarterly", "2025-Q1", forms, members, KEY)
    answers: dict[tuple[int, int], set[int | None]] = {}
    for cell in edition.cells:
        form = next(form for form in forms if form.code == cell.table)
        if form.counts != "incidents":
            continue
        inside = in_cell(form, cell, members)
        assert len(inside) == cell.n
        if cell.count is not None:
            known_people = Counter(p.person_id for p in inside)
            everything = {*cell.row, cell.column} == {t.ALL} and len(inside) == len(members)
            assert (everything or len(known_people) >= 10) and cell.count >= 10
            most = max([k for person, k in known_people.items() if person], default=0)
            assert everything or most <= len(inside) / 2
            answers.setdefault((cell.n, cell.x), set()).add(cell.count)
    assert all(len(counts) == 1 for counts in answers.values())


def in_cell(form: CatalogueTable, cell: t.TableCell, members: list[ClassifiedMember]) -> list[ClassifiedMember]:
    labels = dict(zip(form.rows, cell.row, strict=True)) | ({form.column: cell.column} if form.column else {})
    wanted = [(variable, label) for variable, label in labels.items() if label != t.ALL]
    counted = [p for p in members if form.column is None or getattr(p, form.column) is not None]
    return [p for p in counted if all(getattr(p, variable) == label for variable, label in wanted)]


# --- people and medians


def test_people_are_counted_once_by_how_often_they_came() -> None:
    members = placed("yearly", "2025", MEDIUM)
    form = CatalogueTable("people", "People", (), "attendance", "people")
    edition = t.freeze("yearly", "2025", [form], members, KEY)
    times = Counter(p.person_id for p in members if p.person_id)
    exact = {c.column: c.n for c in edition.cells}
    assert exact["once"] == sum(n == 1 for n in times.values())
    assert exact["2 to 4"] == sum(2 <= n <= 4 for n in times.values())
    assert exact["5 or more"] == sum(n >= 5 for n in times.values())
    assert exact[t.ALL] == len(times)


def test_people_are_those_known_by_the_kind_of_identifier_by_which_most_are_known() -> None:
    members = [
        msgspec.structs.replace(p, known_by=2 if i % 3 == 0 else 1)
        for i, p in enumerate(people_of(placed("monthly", "2025-04", SMALL), 60))
    ]
    form = CatalogueTable("people", "People", (), "attendance", "people")
    edition = t.freeze("yearly", "2025", [form], members, KEY)
    assert {c.column: c.n for c in edition.cells}[t.ALL] == 40


@pytest.mark.parametrize(("people", "median"), [(29, None), (30, 45)])
def test_a_median_needs_thirty_people_and_is_rounded_to_five_minutes(people: int, median: int | None) -> None:
    members = people_of(placed("monthly", "2025-04", SMALL), people)
    minutes = [msgspec.structs.replace(p, minutes=40 if i % 2 else 45) for i, p in enumerate(members)]
    form = CatalogueTable("minutes_at_scene", "Minutes", counts="median_minutes")
    assert number(frozen(minutes, form)) == median


# --- admission


def admitted(kind: PeriodKind, names: list[str], incidents: int, linked: float) -> set[str]:
    return {form.code for form in t.admit(kind, [placed(kind, name, incidents, linked) for name in names], KEY)}


def test_without_a_year_before_only_the_total_is_published() -> None:
    assert t.admit("quarterly", [], KEY) == (TOTAL,)


@pytest.mark.parametrize(("kind", "names"), KINDS)
def test_an_admitted_table_showed_half_of_last_year_and_a_refused_one_did_not(
    kind: PeriodKind, names: list[str]
) -> None:
    precedents = [placed(kind, name, SMALL) for name in names]
    forms = t.admit(kind, precedents, KEY)
    for ladder in ladders(kind):
        for form in ladder:
            finest = [
                cell
                for members in precedents
                for cell in t.freeze(kind, "x", [form], members, KEY).cells
                if t.ALL not in cell.row and (cell.column != t.ALL or form.column is None)
            ]
            shown = sum(c.n for c in finest if c.count is not None)
            if form in forms and form != TOTAL:
                assert 2 * shown >= sum(c.n for c in finest) > 0
            elif not set(forms) & set(ladder) and form.column not in COARSER_DISPOSALS:
                assert 2 * shown < sum(c.n for c in finest)


def test_one_car_publishes_little_a_month_and_its_areas_once_a_year() -> None:
    month, quarter, year = (admitted(kind, names, SMALL, 0.5) for kind, names in KINDS)
    assert month == {"incidents", "disposal_in_three", "power_used"}
    assert "local_authority_disposal" in quarter and "area_disposal" not in quarter
    assert {"area_disposal", "grade", "ethnicity", "people"} <= year


@pytest.mark.parametrize(("kind", "names"), KINDS)
def test_the_coarser_levels_of_the_disposal_never_join_the_fine_one(kind: PeriodKind, names: list[str]) -> None:
    """A custody hidden by `c` would be the used powers without those of section 136."""
    for size, linked in ((SMALL, 0.5), (MEDIUM, 0.88)):
        forms = admitted(kind, names, size, linked)
        assert any(code.endswith("_disposal") for code in forms) != ("disposal_in_three" in forms)
        assert ("power_used" in forms) == ("disposal_in_three" in forms)


def test_with_few_people_linked_a_month_has_a_total_only() -> None:
    assert admitted(*KINDS[0], SMALL, 0.2) == {"incidents"}


def test_a_force_publishes_its_areas_every_month() -> None:
    assert {"area_disposal", "area_power"} <= admitted(*KINDS[0], MEDIUM, 0.88)


# --- revisions


def first(members: list[ClassifiedMember]) -> t.Edition:
    return t.freeze("quarterly", "2025-Q1", [TOTAL, POWER], members, KEY)


def test_a_year_is_never_revised() -> None:
    members = placed("yearly", "2025", SMALL)
    edition = t.freeze("yearly", "2025", [TOTAL], members[:700], KEY)
    assert t.revise(edition, {1: edition.snapshot}, members, KEY) is None


@pytest.mark.parametrize(("kinds", "revised"), [((1, 2), False), ((1, 1), True)])
def test_ten_changes_of_five_known_to_health_and_five_to_police_may_be_five_people(
    kinds: tuple[int, int], revised: bool
) -> None:
    members = placed("quarterly", "2025-Q1", SMALL)
    more = [msgspec.structs.replace(p, known_by=kinds[i % 2]) for i, p in enumerate(people_of(members, 10))]
    assert (t.revise(first(members), {1: members}, [*members, *more], KEY) is not None) == revised


@pytest.mark.parametrize(("people", "revised"), [(9, False), (10, True)])
def test_an_edition_needs_ten_people(people: int, revised: bool) -> None:
    members = placed("quarterly", "2025-Q1", SMALL)
    more = people_of(members, people)
    assert (t.revise(first(members), {1: members}, [*members, *more], KEY) is not None) == revised


def test_ten_incidents_of_one_person_are_one_person() -> None:
    members = placed("quarterly", "2025-Q1", SMALL)
    more = [msgspec.structs.replace(p, person_id=UUID(int=5)) for p in people_of(members, 12)]
    assert t.revise(first(members), {1: members}, [*members, *more], KEY) is None


def test_a_hundred_incidents_of_nobody_known_are_one_person() -> None:
    members = placed("quarterly", "2025-Q1", SMALL)
    more = [msgspec.structs.replace(p, person_id=None) for p in people_of(members, 100)]
    assert t.revise(first(members), {1: members}, [*members, *more], KEY) is None


def test_a_cell_with_nine_changes_stays_while_its_total_moves() -> None:
    members = placed("quarterly", "2025-Q1", MEDIUM)
    more = [msgspec.structs.replace(p, sex="female" if i < 9 else "male") for i, p in enumerate(people_of(members, 20))]
    second = t.revise(first(members), {1: members}, [*members, *more], KEY)
    assert second is not None
    assert {c.row: c.edition for c in second.cells if c.column == t.ALL and c.table == "sex_power"} == {
        ("female",): 1,
        ("male",): 2,
        ("other",): 1,
        ("unknown",): 1,
        (t.ALL,): 2,
    }


@pytest.mark.parametrize(("women_later", "edition"), [(0, 1), (1, 3)])
def test_a_held_cell_counts_its_changes_since_the_set_it_shows(women_later: int, edition: int) -> None:
    members = placed("quarterly", "2025-Q1", MEDIUM)
    sexes = ["female"] * 9 + ["male"] * 11 + ["female"] * women_later + ["male"] * 12
    more = [msgspec.structs.replace(p, sex=sex) for p, sex in zip(people_of(members, len(sexes)), sexes, strict=True)]
    early, everybody = [*members, *more[:20]], [*members, *more]
    second = t.revise(first(members), {1: members}, early, KEY)
    assert second is not None
    third = t.revise(second, {1: members, 2: early}, everybody, KEY)
    assert third is not None
    women = next(c for c in third.cells if c.row == ("female",) and c.column == t.ALL)
    assert women.edition == edition
    assert women.n == sum(p.sex == "female" for p in (members if edition == 1 else everybody))


def test_erasing_and_moving_follow_the_same_rule() -> None:
    members = placed("quarterly", "2025-Q1", MEDIUM)
    known_people = [p for p in members if p.person_id and p.sex == "female"]
    few = {p.incident_id for p in known_people[:9]}
    many = {p.incident_id for p in {p.person_id: p for p in known_people}.values()}
    assert t.revise(first(members), {1: members}, [p for p in members if p.incident_id not in few], KEY) is None
    moved = [msgspec.structs.replace(p, sex="male") if p.incident_id in many else p for p in members]
    second = t.revise(first(members), {1: members}, moved, KEY)
    assert second is not None
    assert {c.edition for c in second.cells if c.row in (("female",), ("male",)) and c.column == t.ALL} == {2}
    assert {c.edition for c in second.cells if c.row == (t.ALL,) and c.column == t.ALL} == {1}


def test_ten_people_erased_are_ten_people_changed() -> None:
    members = placed("quarterly", "2025-Q1", MEDIUM)
    women = {p.person_id for p in members if p.person_id and p.sex == "female"}
    ten = set(sorted(women)[:10])
    left = [p for p in members if p.person_id not in ten]
    second = t.revise(first(members), {1: members}, left, KEY)
    assert second is not None
    assert {c.n for c in second.cells if c.column == t.ALL and c.row == ("female",)} == {
        sum(p.sex == "female" for p in left)
    }


def test_a_revision_keeps_the_tables_of_its_period() -> None:
    members = placed("quarterly", "2025-Q1", MEDIUM)
    second = t.revise(first(members), {1: members}, [*members, *people_of(members, 30)], KEY)
    assert second is not None
    assert second.tables == (TOTAL, POWER)
    assert second.edition == 2


def test_freezing_twice_gives_the_same_edition_whatever_the_order() -> None:
    members = placed("quarterly", "2025-Q1", MEDIUM)
    assert first(members).cells == first(members[::-1]).cells


def test_a_snapshot_holds_classes_and_no_exact_time() -> None:
    assert "occurred_at" not in ClassifiedMember.__struct_fields__
    assert all(p.minutes is None or p.minutes % 5 == 0 for p in placed("monthly", "2025-04", SMALL))
    assert len(known("monthly", "2025-04", SMALL)) == len(placed("monthly", "2025-04", SMALL))

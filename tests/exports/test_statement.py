"""A statement says what its file shows: every figure is computed again from the file, as its reader would."""

import csv
import io
import json
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from uuid import UUID

import msgspec
import pytest
from checker import smallest
from cuts import KEY, LARGE, MEDIUM, SMALL, by_volume, known, people, placed, quarter_file, year_file

from triage.exports import statement as s
from triage.exports import tables as t
from triage.exports.catalogue import ladders
from triage.exports.files import RenderedFile, records_csv, tables_csv
from triage.exports.members import RegisteredPerson
from triage.exports.records import COLUMNS, RecordsRelease
from triage.exports.selection import ROW_REF, Body, Extract, Selection, extract
from triage.exports.tree import CONFIG


def terms(file: RenderedFile) -> s.ReleaseTerms:
    cut_off = datetime(2025, 7, 29, tzinfo=UTC)
    return s.ReleaseTerms("agreement 1", "Scrutiny of the use of Section 136", cut_off, file.name, file.sha256)


COMMITTED = Path(__file__).parents[2] / "openapi" / "disclosure-statement.schema.json"
SIZES = ((SMALL, 0.2), (SMALL, 0.5), (SMALL, 0.88), (MEDIUM, 0.88))


@cache
def people_of(incidents: int, linked: float) -> dict[UUID, RegisteredPerson | None]:
    return people(known("yearly", "2025", incidents, linked) + known("quarterly", "2025-Q1", incidents, linked))


def read(file: RenderedFile) -> tuple[list[str], list[list[str]]]:
    """A file as a partner reads it."""
    header, *rows = csv.reader(io.StringIO(b"".join(file.chunks).decode()))
    return header, rows


def stated(
    release: RecordsRelease, extracted: Extract, size: tuple[int, float]
) -> tuple[s.RecordsStatement, RenderedFile]:
    file = records_csv(extracted)
    return s.records_statement(release, extracted, people_of(*size), terms(file)), file


def tables_of_april(rules: t.Rules = t.RULES) -> s.TablesStatement:
    forms = [form for ladder in ladders("monthly") for form in ladder]
    edition = t.freeze("monthly", "2025-04", forms, placed("monthly", "2025-04", MEDIUM), KEY, rules)
    return s.tables_statement(edition, terms(tables_csv(edition)), rules)


def test_the_committed_schema_is_the_generated_one() -> None:
    assert COMMITTED.read_bytes() == s.schema()


@pytest.mark.parametrize(
    ("rule", "weaker"),
    [
        (("k_people",), 9),
        (("l_distinct",), 1),
        (("alpha_max_share",), 0.9),
    ],
)
def test_a_statement_of_weaker_rules_is_none(rule: tuple[str], weaker: float) -> None:
    release = by_volume(SMALL, 0.5)
    statement, _ = stated(release, extract(release, Selection("p", "other"), KEY), (SMALL, 0.5))
    document = json.loads(msgspec.json.encode(statement))
    document["rules"][rule[0]] = weaker
    with pytest.raises(msgspec.ValidationError, match=rule[0]):
        msgspec.convert(document, s.ReleaseStatement)


@pytest.mark.parametrize(
    "weaker",
    [
        {"minimum_people": 9},
        {"row_minimum_people": 29},
        {"largest_share": 0.6},
        {"base": 1},
        {"hold_people": 9},
    ],
)
def test_a_statement_of_weaker_table_rules_is_none(weaker: dict[str, float]) -> None:
    statement = tables_of_april(msgspec.structs.replace(t.RULES, **weaker))
    with pytest.raises(msgspec.ValidationError, match="rules"):
        msgspec.json.decode(msgspec.json.encode(statement), type=s.ReleaseStatement)


@pytest.mark.parametrize("body", ["police", "health", "other"])
@pytest.mark.parametrize("size", SIZES)
def test_every_achieved_figure_follows_from_the_file(size: tuple[int, float], body: Body) -> None:
    release = by_volume(*size)
    columns = tuple(c for c in (ROW_REF, *COLUMNS) if (body, c) != ("police", "place_of_safety"))
    statement, file = stated(release, extract(release, Selection("p", body, columns), KEY), size)
    again = s.recompute(*read(file))
    for name in s.FileFigures.__struct_fields__:
        assert getattr(statement.achieved, name) == getattr(again, name)
    assert statement.achieved.rows == file.rows == len(release.rows)
    assert statement.achieved.groups == len(release.groups)
    assert min(again.l.values()) >= CONFIG.l
    assert max(again.alpha.values()) <= CONFIG.alpha


@pytest.mark.parametrize("size", SIZES)
def test_people_in_the_smallest_group_follow_from_the_members(size: tuple[int, float]) -> None:
    release = by_volume(*size)
    statement, _ = stated(release, extract(release, Selection("p", "other"), KEY), size)
    k, values = smallest([(row.values, people_of(*size)[row.incident_id]) for row in release.rows], [6, 7])
    assert statement.achieved.k_people == k >= 10
    assert min(statement.achieved.l.values()) == values
    assert statement.achieved.largest_chance_of_naming_the_right_person == round(1 / k, 4)
    chances = sum(group.rows / group.people for group in release.groups)
    assert statement.achieved.mean_chance_of_naming_the_right_person == round(chances / len(release.rows), 4)


def test_figures_of_a_file_worked_out_by_hand() -> None:
    rows = [["a", "s136", "s136"]] * 3 + [["a", "s136", "community"]] + [["b", "arrest", "custody"]] * 4
    figures = s.recompute(["area", "power", "disposal"], rows)
    assert (figures.rows, figures.groups, figures.k_rows) == (8, 2, 4)
    assert figures.l == {"power": 1, "disposal": 1}
    assert figures.alpha == {"power": 1.0, "disposal": 1.0}
    assert figures.t == {"power": 0.5, "disposal": 0.5}
    assert figures.largest_chance_of_the_right_row == figures.mean_chance_of_the_right_row == 0.25


def test_an_agreement_without_rows_has_a_statement_too() -> None:
    release = by_volume(SMALL, 0.2)
    nothing = extract(release, Selection("p", "other", areas=()), KEY)
    statement, file = stated(release, nothing, (SMALL, 0.2))
    assert (statement.achieved.rows, statement.achieved.k_people, file.rows) == (0, 0, 0)


def test_fewer_columns_make_larger_groups_never_smaller_ones() -> None:
    release = by_volume(MEDIUM, 0.88)
    full, _ = stated(release, extract(release, Selection("p", "other"), KEY), (MEDIUM, 0.88))
    some = extract(release, Selection("p", "other", ("area", "disposal")), KEY)
    few, _ = stated(release, some, (MEDIUM, 0.88))
    assert few.achieved.k_people >= full.achieved.k_people
    assert few.achieved.groups < full.achieved.groups
    assert "power" not in few.achieved.l


def test_what_was_withheld_is_stated_in_shares_and_of_no_single_person() -> None:
    release = year_file(SMALL)
    statement, file = stated(release, extract(release, Selection("p", "other"), KEY), (SMALL, 0.88))
    assert len({people_of(SMALL, 0.88)[incident] for incident in release.capped}) == 1
    written = json.loads(msgspec.json.encode(statement.withheld))
    assert written["rows_by_repeat_cap"] == written["rows_held_for_next_late_file"] == "not stated"
    _, rows = read(file)
    hidden = sum(row[4] == "*" for row in rows) / len(rows)
    assert statement.withheld.values_not_shown["ethnic_group"] == round(hidden, 4)


def test_an_empty_file_has_the_figures_of_a_full_one_all_of_them_nothing() -> None:
    release = quarter_file(SMALL)
    empty = s.recompute((ROW_REF, *COLUMNS), ())
    full = s.recompute((ROW_REF, *COLUMNS), extract(release, Selection("p", "other"), KEY).rows)
    assert (empty.rows, empty.groups, empty.k_rows) == (0, 0, 0)
    for name in ("l", "alpha", "t"):
        assert getattr(empty, name).keys() == getattr(full, name).keys()
        kinds = [{type(value) for value in getattr(figures, name).values()} for figures in (empty, full)]
        assert kinds[0] == kinds[1]


def test_information_lost_is_nothing_where_all_is_shown_and_all_where_nothing_is() -> None:
    release = quarter_file(LARGE)
    statement = extract(release, Selection("p", "other"), KEY)
    who = people(known("quarterly", "2025-Q1", LARGE))
    lost = s.records_statement(release, statement, who, terms(records_csv(statement))).utility.information_lost
    assert lost["area"] == 0
    assert 0 < lost["sex"] < lost["ethnic_group"] < lost["month"] < 1


def test_a_late_file_says_that_it_is_one() -> None:
    release = msgspec.structs.replace(by_volume(SMALL, 0.5), months=())
    statement, _ = stated(release, extract(release, Selection("p", "other"), KEY), (SMALL, 0.5))
    assert statement.kind == "records-late"


def test_table_figures_follow_from_the_file() -> None:
    forms = t.admit("quarterly", [placed("quarterly", "2025-Q1", MEDIUM)], KEY)
    edition = t.freeze("quarterly", "2025-Q2", forms, placed("quarterly", "2025-Q2", MEDIUM), KEY)
    file = tables_csv(edition)
    statement = s.tables_statement(edition, terms(file))
    _, rows = read(file)
    assert statement.achieved == s.recompute_cells(None if count == "c" else int(count) for *_, count in rows)
    assert statement.achieved.smallest_shown is not None and statement.achieved.smallest_shown >= 10
    assert statement.utility == s.TablesUtility(4, 1.6)


@pytest.mark.parametrize("kind", ["records", "tables"])
def test_a_statement_reads_back_by_its_schema_and_speaks_plainly(kind: str) -> None:
    statement: s.ReleaseStatement
    if kind == "records":
        release = by_volume(SMALL, 0.5)
        statement, _ = stated(release, extract(release, Selection("p", "other"), KEY), (SMALL, 0.5))
    else:
        statement = tables_of_april()
    assert msgspec.json.decode(msgspec.json.encode(statement), type=s.ReleaseStatement) == statement
    assert json.loads(msgspec.json.encode(statement))["dataset"] == kind
    assert any("ten" in sentence for sentence in statement.read_me)

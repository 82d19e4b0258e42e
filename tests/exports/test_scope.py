"""What an agreement may select, and what its file holds."""

import pytest
from cuts import KEY, MEDIUM, SMALL, known, quarter_file, record_file
from support.population import HEAVY

from triage.exports import members as m
from triage.exports.records import COLUMNS
from triage.exports.selection import ROW_REF, Body, Selection, extract, faults, reference


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        (Selection("p", "other", ("area", "person_id")), ("person_id",)),
        (Selection("p", "other", areas=("bedford", "bedford|luton_east")), ("bedford|luton_east",)),
        (Selection("p", "police"), ("place_of_safety",)),
        (Selection("p", "health"), ()),
        (Selection("p", "other"), ()),
    ],
)
def test_a_scope_names_only_what_this_body_may_have(scope: Selection, expected: tuple[str, ...]) -> None:
    assert faults(scope) == expected
    if expected:
        with pytest.raises(ValueError, match=expected[0].replace("|", r"\|")):
            extract(quarter_file(SMALL), scope, KEY)


def test_police_see_that_a_power_was_used_and_not_which() -> None:
    columns = tuple(column for column in (ROW_REF, *COLUMNS) if column != "place_of_safety")
    file = extract(quarter_file(MEDIUM), Selection("p", "police", columns), KEY)
    assert file.columns == columns
    assert {row[columns.index("disposal")] for row in file.rows} == {"power_used", "power_not_used"}
    assert {row[columns.index("power")] for row in file.rows} == {"s136", "arrest", "other_or_none"}


def test_health_sees_no_arrest_considered() -> None:
    file = extract(quarter_file(MEDIUM), Selection("p", "health"), KEY)
    assert {row[file.columns.index("power")] for row in file.rows} == {"s136", "other_or_none"}


@pytest.mark.parametrize("body", ["health", "other"])
def test_a_full_agreement_has_every_row_and_the_columns_in_their_order(body: Body) -> None:
    release = quarter_file(MEDIUM)
    file = extract(release, Selection("p", body, tuple(reversed((ROW_REF, *COLUMNS)))), KEY)
    assert file.columns == (ROW_REF, *COLUMNS)
    assert sorted(file.numbers) == list(range(len(release.rows)))


def test_a_pooled_area_is_selected_only_with_all_areas_it_names() -> None:
    release = quarter_file(SMALL, 0.2)
    pooled = next(row.values[0] for row in release.rows if m.POOLED in row.values[0])
    named = tuple(pooled.split(m.POOLED))
    assert {row[0] for row in extract(release, Selection("p", "other", COLUMNS, named), KEY).rows} == {pooled}
    assert extract(release, Selection("p", "other", COLUMNS, named[1:]), KEY).rows == ()


def test_a_reference_is_twelve_bytes_and_the_same_when_rendered_again() -> None:
    release = quarter_file(SMALL)
    first, two = (extract(release, Selection("p", "other"), KEY) for _ in range(2))
    assert first == two
    assert all(row[0][0] == "r" and len(bytes.fromhex(row[0][1:])) == 12 for row in first.rows)
    assert len({row[0] for row in first.rows}) == len(first.rows)
    assert reference(KEY, 1) != reference(KEY, 2)


def test_nothing_of_a_person_or_an_incident_is_in_a_file() -> None:
    members = known("quarterly", "2025-Q1", SMALL)
    written = str(extract(record_file(members), Selection("p", "other"), KEY).rows)
    assert all(member.incident_id.hex not in written and str(member.incident_id) not in written for member in members)
    assert HEAVY.hex not in written and str(HEAVY) not in written

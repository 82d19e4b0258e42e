"""What a record file promises: groups of ten people, mixed outcomes, nothing dropped, each incident once."""

from collections import Counter
from datetime import UTC, date, datetime
from itertools import product
from uuid import UUID

import msgspec
import pytest
from checker import smallest
from cuts import KEY, LARGE, MEDIUM, SMALL, by_volume, known, late, months, people, quarter_file, record_file, year_file
from hypothesis import given, settings
from hypothesis import strategies as st
from support.population import HEAVY, population

from triage.exports import members as m
from triage.exports.records import COLUMNS, RecordsRelease, cadence, config_for, config_for_late, freeze, months_between
from triage.exports.tree import CONFIG, DISPOSAL_FOR_POLICE, ORDER, POWER_FOR_HEALTH, ages_in
from triage.times import parse_period

POPULATIONS = [(SMALL, 0.2), (SMALL, 0.5), (SMALL, 0.88), (MEDIUM, 0.88), (LARGE, 0.88)]
SENSITIVE = [COLUMNS.index("power"), COLUMNS.index("disposal")]


def late_file(members: list[m.ReleaseMember], decided: frozenset[UUID] = frozenset()) -> RecordsRelease:
    return freeze("records/2025-Q2-late/1", members, (), KEY, config_for_late(), decided)


def covers(label: str, column: str, value: str) -> bool:
    if label == m.NOT_SHOWN:
        return True
    return value in (ages_in(label) if column == "age" else label.split(m.POOLED))


# --- what never leaves


@pytest.mark.parametrize("few", [0, 1, 9])
def test_fewer_than_ten_people_give_no_file_and_nothing_is_decided(few: int) -> None:
    one_each = {member.person_id: member for member in known("quarterly", "2025-Q1", SMALL) if member.person_id}
    release = record_file(list(one_each.values())[:few])
    assert (release.rows, release.groups, release.capped) == ((), (), ())


def test_a_hundred_people_who_were_never_identified_give_no_file() -> None:
    nobody = [msgspec.structs.replace(x, person_id=None) for x in known("quarterly", "2025-Q1", SMALL)[:100]]
    assert record_file(nobody).rows == ()


def test_people_with_one_outcome_give_no_file() -> None:
    alike = [msgspec.structs.replace(x, disposal="s136_removed") for x in known("quarterly", "2025-Q1", SMALL)]
    assert record_file(alike).rows == ()


def test_a_code_without_a_class_stops_the_release() -> None:
    odd = [msgspec.structs.replace(x, disposal="issued_tomorrow") for x in known("quarterly", "2025-Q1", SMALL)]
    with pytest.raises(m.UnmappedCode, match="issued_tomorrow"):
        record_file(odd)


def test_a_member_outside_the_period_stops_the_release() -> None:
    with pytest.raises(ValueError, match="outside its months"):
        record_file(known("quarterly", "2025-Q2", SMALL))


# --- groups


@pytest.mark.parametrize(("incidents", "linked"), POPULATIONS)
def test_an_independent_reading_finds_ten_people_and_two_outcomes(incidents: int, linked: float) -> None:
    release = by_volume(incidents, linked)
    who = people(known("yearly", "2025", incidents, linked) + known("quarterly", "2025-Q1", incidents, linked))
    k, values = smallest([(row.values, who[row.incident_id]) for row in release.rows], SENSITIVE)
    assert k == min(group.people for group in release.groups) >= 10
    assert values >= 2


@pytest.mark.parametrize(("incidents", "linked"), POPULATIONS)
def test_no_group_has_over_four_fifths_of_one_harm_in_any_view(incidents: int, linked: float) -> None:
    groups: dict[int, list[tuple[str, ...]]] = {}
    for row in by_volume(incidents, linked).rows:
        power, disposal = row.values[6:8]
        views = (power, disposal, POWER_FOR_HEALTH.label[power], DISPOSAL_FOR_POLICE.label[disposal])
        groups.setdefault(row.group, []).append(views)
    for rows in groups.values():
        for view in zip(*rows, strict=True):
            assert len(set(view)) >= 2
            assert max(Counter(view)[harm] for harm in CONFIG.harmful) <= 0.8 * len(view)


@pytest.mark.parametrize(("incidents", "linked"), POPULATIONS)
def test_equal_labels_are_one_group(incidents: int, linked: float) -> None:
    release = by_volume(incidents, linked)
    assert len({row.values[:6] for row in release.rows}) == len(release.groups)
    assert len({(row.values[:6], row.group) for row in release.rows}) == len(release.groups)


def assert_disjoint_and_complete(release: RecordsRelease) -> None:
    labels = {row.values[:6] for row in release.rows}
    every = product(m.AREA.classes, m.AGE.classes, m.SEX.classes, m.ETHNIC_GROUP.classes, m.SHIFTS, release.months)
    for point in every:
        fits = [l for l in labels if all(map(covers, l, COLUMNS, point))]  # noqa: E741
        assert len(fits) == 1, point


def test_groups_are_disjoint_and_cover_every_combination_of_classes() -> None:
    assert_disjoint_and_complete(quarter_file(SMALL))


@settings(max_examples=20)
@given(st.integers(0, 2**32), st.integers(50, 600), st.sampled_from([0.2, 0.5, 0.88]))
def test_every_row_lies_in_its_group_and_none_is_lost(seed: int, n: int, linked: float) -> None:
    members = [a.member for a in population(n, linked, seed)]
    release = record_file(members, "yearly")
    assert not release.rows or len(release.rows) + len(release.capped) == n
    by_id = {member.incident_id: member for member in members}
    for row in release.rows:
        member = by_id[row.incident_id]
        true = (
            m.AREA.of(member.area),
            m.AGE.of(member.age_band),
            m.SEX.of(member.sex),
            m.ETHNIC_GROUP.of(member.ethnicity),
            m.shift(member.occurred_at),
        )
        assert all(map(covers, row.values[:5], COLUMNS, true))
        assert row.values[6:8] == (m.POWER.of(member.power), m.DISPOSAL.of(member.disposal))
    if release.rows:
        assert min(group.people for group in release.groups) >= 10


def test_a_month_of_a_release_is_its_operational_month() -> None:
    members = known("quarterly", "2025-Q1", LARGE)
    first_of_july = datetime(2025, 7, 1, 2, tzinfo=UTC)
    moved = [msgspec.structs.replace(x, occurred_at=first_of_july) for x in members[:300]] + members[300:]
    shown = {row.values[5] for row in record_file(moved).rows}
    assert "2025-06" in shown
    assert not any("2025-07" in label for label in shown)


def test_the_month_of_a_monthly_file_is_the_same_in_every_row() -> None:
    members = known("monthly", "2025-04", LARGE)
    release = freeze("records/2025-04/1", members, ("2025-04",), KEY)
    assert {row.values[5] for row in release.rows} == {"2025-04"}


def test_decoys_may_hide_every_detail_but_never_area_or_coarse_age() -> None:
    config = msgspec.structs.replace(CONFIG, decoy_rate=1.0)
    rows = record_file(known("quarterly", "2025-Q1", LARGE), config=config).rows
    assert {row.values[2:6] for row in rows} == {(m.NOT_SHOWN,) * 4}
    assert m.NOT_SHOWN not in {label for row in rows for label in row.values[:2]}
    assert {part for row in rows for part in row.values[1].split(m.POOLED)} == set(m.AGE_FIRST)


# --- the limit of rows per person


def test_one_person_has_at_most_five_rows_a_quarter_and_ten_a_year() -> None:
    who = people(known("yearly", "2025", SMALL))
    release = year_file(SMALL)
    rows = Counter(who[row.incident_id] for row in release.rows)
    assert rows[HEAVY, 1] == 10
    assert max(n for person, n in rows.items() if person) == 10
    assert {who[incident] for incident in release.capped} == {(HEAVY, 1)}
    assert config_for("quarterly").rows_per_person == config_for("monthly").rows_per_person == 5


# --- shuffle and order


def test_shuffling_keeps_every_group_s_own_bundle_values() -> None:
    members = known("quarterly", "2025-Q1", MEDIUM)
    shuffled = record_file(members)
    plain = record_file(members, config=msgspec.structs.replace(CONFIG, shuffle=False))
    bundles = [Counter((row.values[:6], row.values[10:]) for row in release.rows) for release in (shuffled, plain)]
    assert bundles[0] == bundles[1]
    assert [row.values for row in shuffled.rows] != [row.values for row in plain.rows]


def test_rows_are_in_the_order_of_what_is_published_and_numbered() -> None:
    rows = quarter_file(MEDIUM).rows
    assert [row.values for row in rows] == sorted(row.values for row in rows)
    assert [row.number for row in rows] == list(range(len(rows)))


def test_the_same_members_in_any_order_give_the_same_release() -> None:
    members = known("quarterly", "2025-Q1", MEDIUM)
    assert record_file(members) == record_file(members[::-1])


def test_another_period_makes_other_choices_and_another_edition_the_same() -> None:
    """Two editions that chose differently would together single out whom the limit of a person cut."""
    members, quarter = known("quarterly", "2025-Q1", MEDIUM), months(parse_period("quarterly", "2025-Q1"))
    first, second, other = (
        freeze(name, members, quarter, KEY) for name in ("records/2025-Q1/1", "records/2025-Q1/2", "records/2025-Q2/1")
    )
    assert (first.sha256, first.capped) == (second.sha256, second.capped)
    assert first.sha256 != other.sha256


# --- once each, and late files


def test_a_late_file_holds_what_no_release_decided_and_nothing_else() -> None:
    release = quarter_file(LARGE)
    decided = frozenset(row.incident_id for row in release.rows) | frozenset(release.capped)
    late_release = late_file(known("quarterly", "2025-Q1", LARGE) + late("quarterly", "2025-Q1", LARGE), decided)
    assert {row.incident_id for row in late_release.rows} | {*late_release.capped} == {
        member.incident_id for member in late("quarterly", "2025-Q1", LARGE)
    }
    assert min(group.people for group in late_release.groups) >= 10


def test_a_late_file_shows_nothing_of_month_ethnic_group_or_finer_age() -> None:
    rows = late_file(late("quarterly", "2025-Q1", LARGE)).rows
    assert {row.values[3] for row in rows} == {row.values[5] for row in rows} == {m.NOT_SHOWN}
    assert {part for row in rows for part in row.values[1].split(m.POOLED)} <= {*m.AGE_FIRST, m.NOT_SHOWN}


@pytest.mark.parametrize(("waiting", "released"), [(9, 0), (10, 10)])
def test_nine_people_wait_and_ten_may_pass(waiting: int, released: int) -> None:
    mixed = [
        msgspec.structs.replace(
            x,
            person_id=UUID(int=i + 1),
            power="s136" if i % 2 else "arrest_offence",
            disposal="s136_removed" if i % 2 else "community_follow_up",
        )
        for i, x in enumerate(known("quarterly", "2025-Q1", MEDIUM)[:waiting])
    ]
    assert len(late_file(mixed).rows) == released


# --- cadence


@pytest.mark.parametrize(
    ("rows", "every"),
    [
        (0, "yearly"),
        (1_249, "yearly"),
        (1_250, "half_yearly"),
        (2_499, "half_yearly"),
        (2_500, "quarterly"),
        (8_999, "quarterly"),
        (9_000, "monthly"),
    ],
)
def test_cadence_by_volume(rows: int, every: str) -> None:
    assert cadence(rows) == every


def test_months_of_a_period_cross_the_turn_of_the_year() -> None:
    assert months_between(date(2025, 11, 1), date(2026, 3, 1)) == ("2025-11", "2025-12", "2026-01", "2026-02")


def test_the_order_is_the_published_one() -> None:
    assert ORDER == ("area", "age_first", "sex", "age", "ethnic_group", "shift", "month")
    assert config_for_late().order == ("age_first", "sex", "area", "shift")


# --- who is one person


def known_by(members: list[m.ReleaseMember], *kinds: int) -> list[m.ReleaseMember]:
    return [msgspec.structs.replace(x, known_by=kinds[i % len(kinds)]) for i, x in enumerate(members)]


def ten_people_of_two_outcomes() -> list[m.ReleaseMember]:
    return [
        msgspec.structs.replace(
            x,
            person_id=UUID(int=i + 1),
            power="s136" if i % 4 < 2 else "arrest_offence",
            disposal="s136_removed" if i % 4 < 2 else "community_follow_up",
        )
        for i, x in enumerate(known("quarterly", "2025-Q1", MEDIUM)[:10])
    ]


@pytest.mark.parametrize(
    ("kinds", "rows"), [((1,), 10), ((2,), 10), ((1, 2), 0), ((1, 3), 10), ((1, 4), 0), ((5, 6), 10)]
)
def test_five_people_known_to_health_and_to_police_are_not_ten(kinds: tuple[int, ...], rows: int) -> None:
    assert len(late_file(known_by(ten_people_of_two_outcomes(), *kinds)).rows) == rows


@pytest.mark.parametrize(("kinds", "most"), [((1,), 10), ((1, 2), 5), ((1, 2, 4), 3)])
def test_the_limit_of_rows_is_shared_out_among_the_kinds_of_identifier_in_use(
    kinds: tuple[int, ...], most: int
) -> None:
    """One human being may be registered once under each; together they have no more rows than the limit."""
    everybody = known("yearly", "2025", SMALL)
    heavy = [x for x in everybody if x.person_id == HEAVY]
    twins = [
        msgspec.structs.replace(x, person_id=UUID(int=43 + kinds[i % len(kinds)]), known_by=kinds[i % len(kinds)])
        for i, x in enumerate(heavy)
    ]
    release = record_file([x for x in everybody if x.person_id != HEAVY] + twins, "yearly", config_for("yearly"))
    own = {x.incident_id for x in twins}
    assert sum(row.incident_id in own for row in release.rows) == most * len(kinds) <= 10


def test_people_are_counted_by_the_kind_with_most_of_them_and_never_added_up() -> None:
    people = [(UUID(int=i), kinds) for i, kinds in enumerate((1, 1, 1, 2, 2, 4, 3))]
    assert m.count_people([*people, None, None]) == 4
    assert m.count_people([]) == m.count_people([None]) == 0
    assert m.largest_share({people[0]: 3, people[1]: 5, people[3]: 2, people[6]: 4}) == 5 + 4

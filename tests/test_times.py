"""Days tile time and periods tile days, on both clock changes and for any team."""

from datetime import UTC, date, datetime, time, timedelta
from typing import get_args
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from triage.times import (
    LONDON,
    PeriodKind,
    due_at,
    next_period,
    operational_day,
    parse_period,
    period_bounds,
    period_of,
)

KINDS: tuple[PeriodKind, ...] = get_args(PeriodKind)
HOUR = timedelta(hours=1)
CLOCKS_BACK, CLOCKS_FORWARD = date(2026, 10, 24), date(2027, 3, 27)  # the operational days that hold the changes

instants = st.datetimes(datetime(2000, 1, 1), datetime(2100, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
days = st.dates(date(2000, 1, 1), date(2100, 12, 31))
hours = st.integers(0, 23)
zones = st.sampled_from([LONDON, ZoneInfo("Europe/Athens"), ZoneInfo("America/New_York"), ZoneInfo("UTC")])


def test_an_instant_without_an_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="offset"):
        operational_day(datetime(2026, 11, 22, 12, 0))  # noqa: DTZ001 - naive on purpose


@given(instants, zones, hours)
@example(datetime(2026, 10, 25, 0, 30, tzinfo=UTC), LONDON, 1)
@example(datetime(2026, 10, 25, 1, 30, tzinfo=UTC), LONDON, 1)
@example(datetime(2027, 3, 28, 1, 0, tzinfo=UTC), LONDON, 1)
def test_every_instant_lies_in_exactly_the_day_that_names_it(instant: datetime, zone: ZoneInfo, hour: int) -> None:
    day = operational_day(instant, zone, hour)
    start, end = period_bounds(period_of("daily", day), zone, hour)
    assert start <= instant < end


@given(days, zones, hours)
@example(CLOCKS_BACK, LONDON, 6)
@example(CLOCKS_FORWARD, LONDON, 6)
def test_days_tile_time_in_23_24_or_25_hours(day: date, zone: ZoneInfo, hour: int) -> None:
    start, end = period_bounds(period_of("daily", day), zone, hour)
    assert end == period_bounds(period_of("daily", day + timedelta(days=1)), zone, hour)[0]
    assert end - start in (23 * HOUR, 24 * HOUR, 25 * HOUR)


@pytest.mark.parametrize(("day", "length"), [(CLOCKS_BACK, 25), (CLOCKS_FORWARD, 23), (date(2026, 11, 22), 24)])
def test_the_clock_changes_fall_into_the_day_that_started_before_them(day: date, length: int) -> None:
    start, end = period_bounds(period_of("daily", day))
    assert end - start == length * HOUR


def test_the_day_turns_at_six_local_time() -> None:
    assert operational_day(datetime(2026, 7, 1, 4, 59, 59, tzinfo=UTC)) == date(2026, 6, 30)
    assert operational_day(datetime(2026, 7, 1, 5, 0, tzinfo=UTC)) == date(2026, 7, 1)
    assert operational_day(datetime(2026, 12, 1, 5, 59, 59, tzinfo=UTC)) == date(2026, 11, 30)
    assert operational_day(datetime(2026, 12, 1, 6, 0, tzinfo=UTC)) == date(2026, 12, 1)


def test_a_wall_clock_time_in_the_skipped_hour_is_due_an_hour_later() -> None:
    assert due_at(date(2027, 3, 28), time(1, 30)) == datetime(2027, 3, 28, 1, 30, tzinfo=UTC)  # 02:30 BST


def test_a_wall_clock_time_in_the_repeated_hour_is_due_the_first_time() -> None:
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert due_at(date(2026, 10, 25), time(1, 30)) == first
    assert due_at(date(2026, 10, 25), time(1, 30, fold=1)) == first


@given(days, days, st.times(), zones)
def test_due_times_keep_the_order_of_their_dates(day: date, other: date, at: time, zone: ZoneInfo) -> None:
    assert (due_at(day, at, zone) < due_at(other, at, zone)) == (day < other)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("daily", "2026-02-29"),
        ("daily", "20261122"),
        ("daily", "2026-11-22\n"),
        ("daily", "9999-12-31"),
        ("weekly", "2026-W60"),
        ("weekly", "2025-W53"),
        ("weekly", "2026-W00"),
        ("weekly", "2026-47"),
        ("monthly", "2026-13"),
        ("monthly", "2026-1"),
        ("monthly", "٢٠٢٦-١٠"),
        ("quarterly", "2026-Q0"),
        ("quarterly", "2026-Q5"),
        ("quarterly", "2026-3"),
        ("yearly", "0000"),
        ("yearly", "9999"),
        ("yearly", "2026-27"),
        ("yearly", ""),
    ],
)
def test_a_period_that_does_not_exist_is_refused(kind: PeriodKind, name: str) -> None:
    with pytest.raises(ValueError, match="period"):
        parse_period(kind, name)


@pytest.mark.parametrize(
    ("kind", "name", "starts", "ends"),
    [
        ("daily", "2026-11-22", date(2026, 11, 22), date(2026, 11, 23)),
        ("weekly", "2026-W47", date(2026, 11, 16), date(2026, 11, 23)),
        ("weekly", "2026-W53", date(2026, 12, 28), date(2027, 1, 4)),
        ("monthly", "2026-10", date(2026, 10, 1), date(2026, 11, 1)),
        ("monthly", "2026-12", date(2026, 12, 1), date(2027, 1, 1)),
        ("quarterly", "2026-Q1", date(2026, 4, 1), date(2026, 7, 1)),
        ("quarterly", "2026-Q3", date(2026, 10, 1), date(2027, 1, 1)),
        ("quarterly", "2026-Q4", date(2027, 1, 1), date(2027, 4, 1)),
        ("yearly", "2026", date(2026, 4, 1), date(2027, 4, 1)),
    ],
)
def test_a_period_has_its_published_name_and_days(kind: PeriodKind, name: str, starts: date, ends: date) -> None:
    period = parse_period(kind, name)
    assert (period.kind, period.name, period.starts, period.ends) == (kind, name, starts, ends)


@given(st.sampled_from(KINDS), days)
def test_a_period_holds_its_days_and_its_name_reads_back(kind: PeriodKind, day: date) -> None:
    period = period_of(kind, day)
    assert period.starts <= day < period.ends
    assert parse_period(kind, period.name) == period
    assert period == period_of(kind, period.starts) == period_of(kind, period.ends - timedelta(days=1))


@given(st.sampled_from(KINDS), days)
def test_periods_tile_days(kind: PeriodKind, day: date) -> None:
    period = period_of(kind, day)
    following = next_period(period)
    assert following.starts == period.ends
    assert following.name != period.name
    assert period_bounds(period)[1] == period_bounds(following)[0]


@given(days)
def test_a_period_covers_its_operational_days_and_nothing_else(day: date) -> None:
    period = period_of("monthly", day)
    first, last = period_of("daily", period.starts), period_of("daily", period.ends - timedelta(days=1))
    assert period_bounds(period) == (period_bounds(first)[0], period_bounds(last)[1])

"""Operational days, reporting periods and due times, on the team's local calendar.

Everything is pure: no clock is read. The zone and the hour at which an operational day starts belong to the team and
are passed in; the defaults are Bedfordshire's. Instants are timezone-aware and come back in UTC.
"""

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal, assert_never
from zoneinfo import ZoneInfo

from msgspec import Struct

LONDON = ZoneInfo("Europe/London")
DAY_START_HOUR = 6

PeriodKind = Literal["daily", "weekly", "monthly", "quarterly", "yearly"]

_ONE_DAY = timedelta(days=1)
_NAMES: dict[PeriodKind, re.Pattern[str]] = {
    "daily": re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})"),
    "weekly": re.compile(r"([0-9]{4})-W([0-9]{2})"),
    "monthly": re.compile(r"([0-9]{4})-([0-9]{2})"),
    "quarterly": re.compile(r"([0-9]{4})-Q([1-4])"),
    "yearly": re.compile(r"([0-9]{4})"),
}


class Period(Struct, frozen=True):
    """A reporting period of whole operational days: `starts` is its first day, `ends` the day after its last."""

    kind: PeriodKind
    name: str
    starts: date
    ends: date


def due_at(day: date, at: time, zone: ZoneInfo = LONDON) -> datetime:
    """The instant of the local wall-clock time `at` on the calendar date `day`.

    A time inside the hour skipped in spring maps forward by that hour; in the hour repeated in autumn the first
    occurrence counts. So every wall-clock time is due exactly once on every date.
    """
    # fold=0 is the offset before the change: the first 01:30 in autumn, and 01:30 read as 02:30 in spring
    return datetime.combine(day, at.replace(fold=0), tzinfo=zone).astimezone(UTC)


def operational_day(instant: datetime, zone: ZoneInfo = LONDON, start_hour: int = DAY_START_HOUR) -> date:
    """The operational day that holds `instant`, named by the local date on which the day starts.

    Raises ValueError for an instant without an offset.
    """
    if instant.tzinfo is None:
        raise ValueError("an instant needs an offset from UTC")
    today = instant.astimezone(zone).date()
    return today if instant >= due_at(today, time(start_hour), zone) else today - _ONE_DAY


def period_bounds(
    period: Period, zone: ZoneInfo = LONDON, start_hour: int = DAY_START_HOUR
) -> tuple[datetime, datetime]:
    """First instant of the period and first instant after it."""
    return due_at(period.starts, time(start_hour), zone), due_at(period.ends, time(start_hour), zone)


def period_of(kind: PeriodKind, day: date) -> Period:
    """The period of this kind that holds the operational day.

    Weeks are ISO 8601 weeks. Quarters and years are financial, from April, named by the year in which the financial
    year starts: `2026-Q4` is January to March 2027.
    """
    financial_year = day.year if day.month >= 4 else day.year - 1
    match kind:
        case "daily":
            return Period(kind, day.isoformat(), day, day + _ONE_DAY)
        case "weekly":
            iso = day.isocalendar()
            starts = day - timedelta(days=iso.weekday - 1)
            return Period(kind, f"{iso.year}-W{iso.week:02}", starts, starts + timedelta(days=7))
        case "monthly":
            return _months(kind, f"{day.year}-{day.month:02}", day.replace(day=1), 1)
        case "quarterly":
            starts = date(day.year, (day.month - 1) // 3 * 3 + 1, 1)
            return _months(kind, f"{financial_year}-Q{(starts.month - 4) // 3 % 4 + 1}", starts, 3)
        case "yearly":
            return _months(kind, f"{financial_year}", date(financial_year, 4, 1), 12)
    assert_never(kind)


def parse_period(kind: PeriodKind, name: str) -> Period:
    """The period with this name, as `period_of` writes it.

    Raises ValueError for a name of another form and for a period that does not exist (`2026-W60`). Years are 1999 to
    2100: entries are dated 2000 to 2100, and the first quarter of 2000 lies in the financial year 1999.
    """
    named = _NAMES[kind].fullmatch(name)
    if not named or not 1999 <= int(named[1]) <= 2100:
        raise ValueError(f"{name!r} is no {kind} period")
    year, *parts = map(int, named.groups())
    try:
        match kind:
            case "daily" | "monthly":
                day = date(year, parts[0], parts[1] if kind == "daily" else 1)
            case "weekly":
                day = date.fromisocalendar(year, parts[0], 1)
            case "quarterly":
                day = _later(date(year, 4, 1), 3 * (parts[0] - 1))
            case "yearly":
                day = date(year, 4, 1)
            case _:
                assert_never(kind)
    except ValueError:
        raise ValueError(f"the {kind} period {name!r} does not exist") from None
    return period_of(kind, day)


def next_period(period: Period) -> Period:
    """The period of the same kind that starts when this one ends."""
    return period_of(period.kind, period.ends)


def _months(kind: PeriodKind, name: str, starts: date, months: int) -> Period:
    return Period(kind, name, starts, _later(starts, months))


def _later(first_of_month: date, months: int) -> date:
    years, month = divmod(first_of_month.month - 1 + months, 12)
    return date(first_of_month.year + years, month + 1, 1)

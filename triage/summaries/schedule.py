"""When summaries are due: the team's local wall-clock times. Missed ones stay due."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from typing import Final, get_args
from zoneinfo import ZoneInfo

from msgspec import Struct, field

from triage.times import (
    DAY_START_HOUR,
    LONDON,
    Period,
    PeriodKind,
    due_at,
    next_period,
    operational_day,
    period_bounds,
    period_of,
)

KINDS: Final[tuple[PeriodKind, ...]] = get_args(PeriodKind)

LATE_AFTER: Final = timedelta(minutes=15)
RESTATED_FOR_DAYS: Final = 35
"""How long after its end a daily or weekly summary is restated."""
RESTATED_FOR_MONTHS: Final = 24
"""How long after its end a longer one is."""


class DueTime(Struct, frozen=True):
    """A local time, so many days after the last day of a period."""

    at: time
    after_days: int


DEFAULTS: Final[Mapping[PeriodKind, DueTime]] = {
    "daily": DueTime(time(7), 1),
    "weekly": DueTime(time(7), 1),
    "monthly": DueTime(time(7), 3),
    "quarterly": DueTime(time(7), 15),
    "yearly": DueTime(time(7), 45),
}
"""Daily 07:00, weekly on Monday, monthly on the 3rd, quarterly on the 15th after the quarter, yearly on 15 May."""


class Calendar(Struct, frozen=True):
    """A team's calendar: its zone, the hour at which its day starts, its first day, and its due times."""

    starts_on: date
    zone: ZoneInfo = LONDON
    day_start_hour: int = DAY_START_HOUR
    due: Mapping[PeriodKind, DueTime] = field(default_factory=lambda: dict(DEFAULTS))


class Slot(Struct, frozen=True):
    """A period with its instants. `due_at` is never before the period is over."""

    period: Period
    starts_at: datetime
    ends_at: datetime
    due_at: datetime


class Coverage(Struct, frozen=True):
    """The first and last operational day of a period that the log covers; both None where it covers none of it."""

    covered_from: date | None
    covered_to: date | None
    whole: bool


def coverage(period: Period, calendar: Calendar, now: datetime) -> Coverage:
    """The part of a period that the log covers at an instant: whole operational days, from the team's first day on."""
    today = operational_day(now, calendar.zone, calendar.day_start_hour)
    first, after = max(period.starts, calendar.starts_on), min(period.ends, today)
    if first >= after:
        return Coverage(None, None, False)
    return Coverage(first, after - timedelta(days=1), (first, after) == (period.starts, period.ends))


def slot(period: Period, calendar: Calendar) -> Slot:
    """The instants of a period on a team's calendar as it is now."""
    starts_at, ends_at = period_bounds(period, calendar.zone, calendar.day_start_hour)
    due = calendar.due.get(period.kind, DEFAULTS[period.kind])
    day = period.ends + timedelta(days=due.after_days - 1)
    return Slot(period, starts_at, ends_at, max(ends_at, due_at(day, due.at, calendar.zone)))


def is_over(period: Period, calendar: Calendar, now: datetime) -> bool:
    """Whether the last day of a period has ended."""
    return slot(period, calendar).ends_at <= now


def due_slots(calendar: Calendar, now: datetime) -> list[Slot]:
    """Every period that is due by now, oldest due first, from the one that holds the team's first day."""
    slots = [slot for kind in KINDS for slot in _of_kind(kind, calendar, now)]
    return sorted(slots, key=lambda slot: (slot.due_at, KINDS.index(slot.period.kind)))


def _of_kind(kind: PeriodKind, calendar: Calendar, now: datetime) -> Iterator[Slot]:
    period = period_of(kind, calendar.starts_on)
    while (due := slot(period, calendar)).due_at <= now:
        yield due
        period = next_period(period)


def is_late(due: datetime, published_at: datetime) -> bool:
    """Whether a summary came more than 15 minutes after it was due."""
    return published_at - due > LATE_AFTER


def is_restated(kind: PeriodKind, ends_at: datetime, now: datetime) -> bool:
    """Whether later entries still lead to a new edition: 35 days for dailies and weeklies, 24 months for the others."""
    if kind in ("daily", "weekly"):
        return now < ends_at + timedelta(days=RESTATED_FOR_DAYS)
    years = RESTATED_FOR_MONTHS // 12
    try:
        return now < ends_at.replace(year=ends_at.year + years)
    except ValueError:  # 29 February
        return now < ends_at.replace(year=ends_at.year + years, day=28)

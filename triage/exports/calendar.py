"""When releases are due: every period of a dataset with its cut-off, on the team's local calendar."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Final, Literal, assert_never
from zoneinfo import ZoneInfo

from msgspec import Struct

from triage.exports.records import Cadence
from triage.times import DAY_START_HOUR, LONDON, PeriodKind, due_at, period_of

Dataset = Literal["records", "tables"]
LATE: Final = "-late"
"""The end of the name of a late file's period."""

_WAIT: Final[dict[Cadence, timedelta]] = {
    "monthly": timedelta(days=7),
    "quarterly": timedelta(days=28),
    "half_yearly": timedelta(days=28),
    "yearly": timedelta(days=28),
}
"""How long after its end a period is cut."""
TABLE_KINDS: Final[tuple[Cadence, ...]] = ("monthly", "quarterly", "yearly")


class Cut(Struct, frozen=True):
    """A release that is due at `cut_off`. `starts` is the period's first day, `ends` the day after its last."""

    dataset: Dataset
    every: Cadence
    period: str
    starts: date
    ends: date
    starts_at: datetime
    ends_at: datetime
    cut_off: datetime

    @property
    def financial_year(self) -> int:
        """The financial year, from April, that the period lies in."""
        return period_of("yearly", self.starts).starts.year

    @property
    def kind(self) -> PeriodKind:
        """The kind of a period of tables. Raises ValueError for a half-year, which tables do not have."""
        if self.every == "half_yearly":
            raise ValueError("tables have no half-years")
        return self.every


def cut(
    dataset: Dataset, every: Cadence, day: date, zone: ZoneInfo = LONDON, day_start_hour: int = DAY_START_HOUR
) -> Cut:
    """The release of the period that holds the operational day."""
    name, starts, ends = _period(every, day)
    start = time(day_start_hour)
    return Cut(
        dataset,
        every,
        name,
        starts,
        ends,
        due_at(starts, start, zone),
        due_at(ends, start, zone),
        due_at(ends + _WAIT[every], start, zone),
    )


def cuts(
    dataset: Dataset,
    every: Cadence,
    first: date,
    now: datetime,
    zone: ZoneInfo = LONDON,
    day_start_hour: int = DAY_START_HOUR,
) -> Iterator[Cut]:
    """Every release whose cut-off has passed by `now`, oldest first, from the period that holds the first day."""
    due = cut(dataset, every, first, zone, day_start_hour)
    while due.cut_off <= now:
        yield due
        due = cut(dataset, every, due.ends, zone, day_start_hour)


def _period(every: Cadence, day: date) -> tuple[str, date, date]:
    match every:
        case "monthly" | "quarterly" | "yearly":
            period = period_of(every, day)
            return period.name, period.starts, period.ends
        case "half_yearly":
            year = period_of("yearly", day).starts.year
            october = date(year, 10, 1)
            if day < october:
                return f"{year}-H1", date(year, 4, 1), october
            return f"{year}-H2", october, date(year + 1, 4, 1)
    assert_never(every)

"""Two spans of whole months side by side, for a post-implementation review."""

import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime

from msgspec import UNSET, Struct

from triage.summaries.figures import FigureRow, Measure, newcombe
from triage.summaries.registry import Scope, definitions
from triage.times import next_period, parse_period

CAVEATS = (
    "What changed between the two spans besides the model of working is in the difference too: seasons, staff, demand, "
    "policy, how completely the form was filled in.",
    "People are not the same in both spans, and one person may appear in both.",
    "A difference whose interval holds zero may be chance. One in twenty misses the truth, and many are shown.",
    "A fall or rise that runs across all lines may be a change of recording: look at completeness first.",
    "s136 considered and not used is not a detention prevented. What would have happened otherwise cannot be observed.",
    "Intervals take incidents as independent. Repeat contacts of one person make them too narrow.",
)

_SPAN = re.compile(r"(\d{4}-\d{2})(?:\.\.(\d{4}-\d{2}))?")


class Span(Struct, frozen=True):
    """Whole months: the first day, and the day after the last."""

    name: str
    starts: date
    ends: date


class ComparedValue(Struct, frozen=True):
    """A line of one span."""

    value: int | float | None
    of: int | None
    percent: float | None
    low: float | None
    high: float | None
    text: str


class ComparedLine(Struct, frozen=True, kw_only=True):
    """A line of both spans with the difference, in percentage points where both have a percentage."""

    measure: str
    label: str
    row: str
    column: str | None
    first: ComparedValue
    second: ComparedValue
    difference: float | None
    low: float | None
    high: float | None
    caveat: str

    @property
    def difference_text(self) -> str:
        if self.difference is None:
            return "not shown: too few, or too many not recorded"
        interval = f" (95 % interval {self.low:+g} to {self.high:+g})" if self.low is not None else ""
        return f"{self.difference:+g} percentage points{interval}"


class Comparison(Struct, frozen=True, kw_only=True):
    """The quarterly measures of two spans."""

    first: Span
    second: Span
    as_at_seq: int
    as_at: datetime
    rules: str
    codes_version: int
    lines: tuple[ComparedLine, ...]
    caveats: tuple[str, ...] = CAVEATS


def parse_span(text: str) -> Span:
    """`2025-01..2025-12`, or one month. Raises ValueError for another form, or an end before the start."""
    found = _SPAN.fullmatch(text)
    if not found:
        raise ValueError(f"{text!r} is no span of months, such as 2025-01..2025-12")
    first, last = parse_period("monthly", found[1]), parse_period("monthly", found[2] or found[1])
    if last.starts < first.starts:
        raise ValueError(f"{text!r} ends before it starts")
    return Span(text, first.starts, next_period(last).starts)


def lines(first: Scope, second: Scope) -> tuple[ComparedLine, ...]:
    """Every flow measure of a quarter for both scopes."""
    return tuple(
        line
        for one in definitions("quarterly")
        if one.kind == "flow"
        for line in _of_measure(one.measure(first), one.measure(second))
    )


def _of_measure(first: Measure, second: Measure) -> Iterator[ComparedLine]:
    before, after = dict(_sides(first)), dict(_sides(second))
    nothing = ComparedValue(0, None, None, None, None, "0")
    for key in dict.fromkeys((*before, *after)):
        _, row, column = key
        a, b = before.get(key, nothing), after.get(key, nothing)
        difference, low, high = _difference(a, b)
        yield ComparedLine(
            measure=first.code,
            label=first.label,
            row=row,
            column=column,
            first=a,
            second=b,
            difference=difference,
            low=low,
            high=high,
            caveat=first.caveat,
        )


def _sides(measure: Measure) -> Iterator[tuple[tuple[str, str, str | None], ComparedValue]]:
    if measure.value is not UNSET:
        side = ComparedValue(measure.value, measure.known, measure.percent, measure.low, measure.high, measure.text)
        yield (measure.code, measure.label, None), side
    rows: Sequence[FigureRow] = measure.rows if isinstance(measure.rows, tuple) else ()
    for row in rows:
        yield (
            (row.code, row.label, row.column),
            ComparedValue(row.value, row.of, row.percent, row.low, row.high, row.text),
        )


def _difference(a: ComparedValue, b: ComparedValue) -> tuple[float | None, float | None, float | None]:
    """Second less first, with its interval where both have one."""
    if a.percent is None or b.percent is None or not a.of or not b.of:
        return None, None, None
    difference = round(b.percent - a.percent, 1)
    if a.low is None or b.low is None or not isinstance(a.value, int) or not isinstance(b.value, int):
        return difference, None, None
    return difference, *newcombe(a.value, a.of, b.value, b.of)

"""Two spans of whole months side by side, for a post-implementation review.

Every quarterly flow measure is computed for each span as asked: nothing is pooled from the months before it.
"""

import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Literal, assert_never

from msgspec import UNSET, Struct

from triage.errors import OperatorError
from triage.summaries.figures import FEWEST_FOR_A_PERCENTAGE, Measure, byar, newcombe, rate_ratio, row
from triage.summaries.registry import Scope, definitions
from triage.summaries.schedule import Calendar, Coverage, coverage, slot
from triage.times import Period, next_period, parse_period

CAVEATS = (
    "What changed between the two spans besides the model of working is in the difference too: seasons, staff, demand, "
    "policy, how completely the form was filled in.",
    "People are not the same in both spans, and one person may appear in both.",
    "A difference whose interval holds zero may be chance, and so may a ratio whose interval holds one. One interval "
    "in twenty misses the truth, and many are shown.",
    "A fall or rise that runs across all lines may be a change of recording: look at completeness first.",
    "s136 considered and not used is not a detention prevented. What would have happened otherwise cannot be observed.",
    "Intervals take incidents as independent. Repeat contacts of one person make them too narrow.",
)
UNEQUAL = "The spans are not of the same length: counts and rates are compared by the day, and sums not at all."

_SPAN = re.compile(r"(\d{4}-\d{2})(?:\.\.(\d{4}-\d{2}))?")

DifferenceUnit = Literal["percentage_points", "ratio", "value"]
"""How two values are compared: shares by the difference of their percentages, counts and rates by the ratio of their
rates, medians and sums by their difference, in the unit of the line."""


class SpanFault(OperatorError):
    """Two spans that cannot be compared; the message says why."""


class Span(Struct, frozen=True):
    """Whole months: the first day, and the day after the last."""

    name: str
    starts: date
    ends: date

    @property
    def period(self) -> Period:
        """The span as a period of the quarterly measures."""
        return Period("quarterly", self.name, self.starts, self.ends)

    @property
    def days(self) -> int:
        return (self.ends - self.starts).days


class CoveredSpan(Struct, frozen=True):
    """A span with its first and last day that the log covers."""

    name: str
    starts: date
    ends: date
    covered_from: date | None
    covered_to: date | None


class ComparedValue(Struct, frozen=True):
    """A line of one span. `low` and `high` are the interval of the percentage, or of a count or rate."""

    value: int | float | None
    of: int | None
    percent: float | None
    low: float | None
    high: float | None
    text: str


class ComparedLine(Struct, frozen=True, kw_only=True):
    """A line of both spans, with the second against the first: `difference` in `unit`, with its interval if it has one.

    A difference is missing where either side has no value to compare: too few known, too many not recorded, or a span
    that the log covers only in part.
    """

    measure: str
    label: str
    row: str
    column: str | None
    first: ComparedValue
    second: ComparedValue
    unit: DifferenceUnit | None
    difference: float | None
    low: float | None
    high: float | None
    caveat: str


class Comparison(Struct, frozen=True, kw_only=True):
    """The quarterly measures of two spans. `notes` are about these very spans, `caveats` about all comparisons."""

    first: CoveredSpan
    second: CoveredSpan
    as_at_seq: int
    as_at: datetime
    rules: str
    codes_version: int
    lines: tuple[ComparedLine, ...]
    notes: tuple[str, ...] = ()
    caveats: tuple[str, ...] = CAVEATS


def parse_span(text: str) -> Span:
    """`2025-01..2025-12`, or one month. Raises SpanFault for another form, or an end before the start."""
    match = _SPAN.fullmatch(text)
    if not match:
        raise SpanFault(f"{text!r} is no span of months, such as 2025-01..2025-12")
    try:
        first, last = parse_period("monthly", match[1]), parse_period("monthly", match[2] or match[1])
    except ValueError as error:
        raise SpanFault(str(error)) from error
    if last.starts < first.starts:
        raise SpanFault(f"{text!r} ends before it starts")
    return Span(text, first.starts, next_period(last).starts)


def check_spans(first: Span, second: Span, calendar: Calendar, now: datetime) -> tuple[Coverage, Coverage]:
    """The part of each span that the log covers.

    Raises SpanFault for what would print a number that is none: a span that is not over, one before the log began, and
    two that share a month.
    """
    for span in (first, second):
        if slot(span.period, calendar).ends_at > now:
            raise SpanFault(f"{span.name} is not over: compare months that are")
        if span.ends <= calendar.starts_on:
            raise SpanFault(f"{span.name} lies before the log began on {calendar.starts_on}: there is no data of it")
    if first.starts < second.ends and second.starts < first.ends:
        raise SpanFault(f"{first.name} and {second.name} share months: an incident would count on both sides")
    return coverage(first.period, calendar, now), coverage(second.period, calendar, now)


def covered_span(span: Span, covered: Coverage) -> CoveredSpan:
    """A span with what the log covers of it."""
    return CoveredSpan(span.name, span.starts, span.ends, covered.covered_from, covered.covered_to)


def compare(first: Scope, second: Scope, *, days: tuple[int, int]) -> tuple[ComparedLine, ...]:
    """Every flow measure of a quarter for both scopes. `days` are those of the spans."""
    exposure = days if first.covered.whole and second.covered.whole else None
    return tuple(
        line
        for definition in definitions("quarterly")
        if definition.kind == "flow"
        for line in _of_measure(definition.measure(first), definition.measure(second), exposure)
    )


def notes(first: Span, second: Span, covered: tuple[Coverage, Coverage]) -> tuple[str, ...]:
    """The notes on these spans for a reader."""
    said = [
        f"The log covers only {part.covered_from:%-d %B %Y} to {part.covered_to:%-d %B %Y} of {span.name}: its counts "
        "are of these days, and no count or rate is compared."
        for span, part in zip((first, second), covered, strict=True)
        if not part.whole and part.covered_from and part.covered_to
    ]
    if _months(first) != _months(second):
        said.append(UNEQUAL)
    return tuple(said)


def _months(span: Span) -> int:
    last = span.ends - timedelta(days=1)
    return (last.year - span.starts.year) * 12 + last.month - span.starts.month + 1


class _Side(Struct, frozen=True):
    """A line as one span has it, how it is to be compared, and the events of a count or rate."""

    value: ComparedValue
    unit: DifferenceUnit | None
    events: int | None = None


_Key = tuple[str, str, str | None]


def _of_measure(first: Measure, second: Measure, exposure: tuple[int, int] | None) -> Iterator[ComparedLine]:
    before, after = dict(_sides(first)), dict(_sides(second))
    for key in dict.fromkeys((*before, *after)):
        _, label, column = key
        a = before.get(key) or _left_out(first, after[key])
        b = after.get(key) or _left_out(second, before[key])
        difference, low, high = _difference(a, b, exposure, column)
        yield ComparedLine(
            measure=first.code,
            label=first.label,
            row=label,
            column=column,
            first=a.value,
            second=b.value,
            unit=a.unit if a.unit == b.unit else None,
            difference=difference,
            low=low,
            high=high,
            caveat=first.caveat,
        )


def _left_out(measure: Measure, other: _Side) -> _Side:
    """A row that one span leaves out: none of the known. Of a median that is left out nothing is known."""
    if other.unit != "percentage_points":
        return _Side(ComparedValue(None, None, None, None, None, ""), other.unit)
    line = row("", "", 0, measure.known, measure.missing)
    return _Side(ComparedValue(0, line.of, line.percent, line.low, line.high, line.text), other.unit)


def _sides(measure: Measure) -> Iterator[tuple[_Key, _Side]]:
    if measure.value is not UNSET:
        whole = (measure.value, measure.known, measure.percent, measure.low, measure.high, measure.text)
        yield (measure.code, measure.label, None), _side(ComparedValue(*whole), None)
    for line in measure.lines:
        value = ComparedValue(line.value, line.of, line.percent, line.low, line.high, line.text)
        yield (line.code, line.label, line.column), _side(value, line.events)


def _side(value: ComparedValue, events: int | None) -> _Side:
    if events is not None:
        return _Side(value, "ratio", events)
    if isinstance(value.value, int) and value.text == str(value.value):  # a plain count
        low, high = (round(end, 1) for end in byar(value.value))
        text = f"{value.text} (95 % interval {low:g} to {high:g})"
        return _Side(ComparedValue(value.value, None, None, low, high, text), "ratio", value.value)
    if value.value is None:
        return _Side(value, None)
    return _Side(value, "percentage_points" if value.text and value.of is not None else "value")


_Result = tuple[float | None, float | None, float | None]
_NONE: _Result = (None, None, None)


def _difference(a: _Side, b: _Side, exposure: tuple[int, int] | None, column: str | None) -> _Result:
    """The second against the first, with its interval."""
    if a.unit != b.unit or column == "not_yet_known":
        return _NONE
    match a.unit:
        case None:
            return _NONE
        case "ratio":
            return _ratio(a, b, exposure)
        case "percentage_points":
            return _points(a.value, b.value)
        case "value":
            if column == "sum" and (exposure is None or exposure[0] != exposure[1]):
                return _NONE
            return round((b.value.value or 0) - (a.value.value or 0), 2), None, None
    assert_never(a.unit)


def _ratio(a: _Side, b: _Side, exposure: tuple[int, int] | None) -> _Result:
    """The ratio of two rates by the day, and by the head of the population where there is one."""
    if exposure is None or not a.events or b.events is None or a.events + b.events < FEWEST_FOR_A_PERCENTAGE:
        return _NONE
    people = (a.value.of or 1, b.value.of or 1)
    return rate_ratio(a.events, exposure[0] * people[0], b.events, exposure[1] * people[1])


def _points(a: ComparedValue, b: ComparedValue) -> _Result:
    """The difference of two percentages, with Newcombe's interval where both have one."""
    if a.percent is None or b.percent is None or not a.of or not b.of:
        return _NONE
    difference = round(b.percent - a.percent, 1)
    if a.low is None or b.low is None or not isinstance(a.value, int) or not isinstance(b.value, int):
        return difference, None, None
    return difference, *newcombe(a.value, a.of, b.value, b.of)

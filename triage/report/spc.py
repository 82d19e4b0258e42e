"""Statistical process control as NHS England's Making Data Count draws it: XmR for counts, p for shares.

Mean ± 2.66 times the mean moving range, moving ranges above 3.267 times their mean screened out once, near limits at
two thirds (Provost and Murray 2011). A share with denominators of its own gets binomial limits, widened where periods
vary more than the binomial allows (Laney 2002).
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import sqrt
from statistics import median
from typing import Final, Literal

from msgspec import Struct

FEWEST_PERIODS: Final = 12
"""With fewer whole periods there are points and their median, no limits, no verdict."""
FEWEST_A_PERIOD: Final = 5
"""A count with a lower mean has a floor at zero and a skew that XmR limits do not fit."""
BASELINE: Final = 24
"""Limits come from up to so many whole periods, then stay. Measured on stable series of 24: a signal among the last
three in 3 % with 24, in 12 % with limits locked at 12."""
RUN: Final = 7
LATEST: Final = 3
"""A report speaks of a change where one of so many latest periods shows it."""
_OF_MEAN_RANGE: Final = 2.66
_SCREENED_ABOVE: Final = 3.267
_D2: Final = 1.128

ABOVE: Final = "above the usual range"
BELOW: Final = "below the usual range"

ChartKind = Literal["XmR", "p", "run"]


class SeriesPoint(Struct, frozen=True):
    """A period and its figure; `value` None: no data, which breaks a run. `of`: the denominator of a share.
    `partial`: the period is not covered whole, or not over: drawn hollow, never judged, never in the limits."""

    label: str
    value: float | None
    of: int | None = None
    partial: bool = False


class JudgedPoint(Struct, frozen=True):
    """A point with its limits, and the rules that it breaks."""

    point: SeriesPoint
    lower: float | None
    upper: float | None
    signals: tuple[str, ...]


class ControlChart(Struct, frozen=True):
    """A series as it may be drawn. `middle` is the mean where limits stand, else the median. `refused`: why there are
    no limits."""

    kind: ChartKind
    points: tuple[JudgedPoint, ...]
    middle: float
    refused: str

    @property
    def has_signal(self) -> bool:
        """Whether one of the latest periods shows a change worth asking about."""
        return any(point.signals for point in self.points[-LATEST:])


def xmr(points: Sequence[SeriesPoint]) -> ControlChart:
    """An XmR chart of counts; a run chart where limits may not be drawn.

    Limits come from the first `BASELINE` whole periods and stay: later periods are judged by them, so that a verdict
    once printed stands.
    """
    values = [point.value for point in points if point.value is not None and not point.partial]
    if len(values) < FEWEST_PERIODS:
        return _run_chart(points, values, _too_few(len(values)))
    values = values[:BASELINE]
    mean = sum(values) / len(values)
    if mean < FEWEST_A_PERIOD:
        return _run_chart(points, values, f"Fewer than {FEWEST_A_PERIOD} a period: too few for limits.")
    ranges = [abs(b - a) for a, b in pairwise(values)]
    average = sum(ranges) / len(ranges)
    screened = [moved for moved in ranges if moved < _SCREENED_ABOVE * average] or ranges
    reach = _OF_MEAN_RANGE * sum(screened) / len(screened)
    return _judge("XmR", points, mean, [(max(0.0, mean - reach), mean + reach)] * len(points))


def p(points: Sequence[SeriesPoint]) -> ControlChart:
    """A p chart: the values are shares (0 to 100) of `of`, and the limits follow each denominator."""
    whole = [point for point in points if point.value is not None and point.of and not point.partial]
    values = [point.value for point in whole if point.value is not None]
    if len(whole) < FEWEST_PERIODS:
        return _run_chart(points, values, _too_few(len(whole)))
    whole = whole[:BASELINE]
    n = sum(point.of or 0 for point in whole)
    share = sum((point.value or 0) * (point.of or 0) for point in whole) / n / 100
    if min(share, 1 - share) * n / len(whole) < FEWEST_A_PERIOD:
        return _run_chart(
            points, values, f"Fewer than {FEWEST_A_PERIOD} of the rarer answer a period: too few for limits."
        )
    z = [((point.value or 0) / 100 - share) / sqrt(share * (1 - share) / (point.of or 1)) for point in whole]
    moving = [abs(b - a) for a, b in pairwise(z)]
    widened = max(1.0, sum(moving) / len(moving) / _D2)
    limits = []
    for point in points:
        reach = 3 * widened * sqrt(share * (1 - share) / point.of) if point.of else 1
        limits.append((100 * max(0.0, share - reach), 100 * min(1.0, share + reach)))
    return _judge("p", points, 100 * share, limits)


def _too_few(periods: int) -> str:
    return f"{periods} whole {'period' if periods == 1 else 'periods'}; limits need {FEWEST_PERIODS}."


def _run_chart(points: Sequence[SeriesPoint], values: Sequence[float], refused: str) -> ControlChart:
    middle = median(values) if values else 0.0
    return ControlChart("run", tuple(JudgedPoint(point, None, None, ()) for point in points), middle, refused)


Limits = Sequence[tuple[float, float]]


def _judge(kind: ChartKind, points: Sequence[SeriesPoint], mean: float, limits: Limits) -> ControlChart:
    judged = [n for n, point in enumerate(points) if point.value is not None and not point.partial]
    values = [points[n].value or 0.0 for n in judged]
    bounds = [limits[n] for n in judged]
    signals: list[list[str]] = [[] for _ in points]
    for marks in (_outside(values, bounds), _runs(values, mean, judged), _two_of_three(values, mean, bounds)):
        for i, said in marks:
            if said not in signals[judged[i]]:
                signals[judged[i]].append(said)
    made = (
        JudgedPoint(point, low, high, tuple(said))
        for point, (low, high), said in zip(points, limits, signals, strict=True)
    )
    return ControlChart(kind, tuple(made), mean, "")


def _outside(values: Sequence[float], bounds: Limits) -> Iterator[tuple[int, str]]:
    for i, (value, (low, high)) in enumerate(zip(values, bounds, strict=True)):
        if value > high:
            yield i, ABOVE
        elif value < low:
            yield i, BELOW


def _runs(values: Sequence[float], mean: float, judged: Sequence[int]) -> Iterator[tuple[int, str]]:
    """Seven in a row on one side of the mean, rising or falling; a period without data in between breaks a run."""
    for i in range(len(values) - RUN + 1):
        if judged[i + RUN - 1] - judged[i] != RUN - 1:
            continue
        part = values[i : i + RUN]
        steps = [b - a for a, b in pairwise(part)]
        for holds, said in (
            (all(value > mean for value in part), "7 or more in a row above the mean"),
            (all(value < mean for value in part), "7 or more in a row below the mean"),
            (all(step > 0 for step in steps), "7 rising in a row"),
            (all(step < 0 for step in steps), "7 falling in a row"),
        ):
            if holds:
                yield from ((j, said) for j in range(i, i + RUN))


def _two_of_three(values: Sequence[float], mean: float, bounds: Limits) -> Iterator[tuple[int, str]]:
    near = [_near(value, mean, *bound) for value, bound in zip(values, bounds, strict=True)]
    for i in range(len(values) - 2):
        three = range(i, i + 3)
        for way, said in ((1, "2 of 3 close to the upper limit"), (-1, "2 of 3 close to the lower limit")):
            one_side = all((values[j] - mean) * way > 0 for j in three)
            if one_side and sum(near[j] == way for j in three) >= 2:
                yield from ((j, said) for j in three if near[j] == way)


def _near(value: float, mean: float, low: float, high: float) -> int:
    """In the outer third of the upper (1) or lower (-1) half of the range."""
    if low <= value <= high:
        if value > mean + 2 * (high - mean) / 3:
            return 1
        if value < mean - 2 * (mean - low) / 3:
            return -1
    return 0


def reading(chart: ControlChart, what: str, unit: str = "") -> str:
    """The sentence under a chart: what the last whole period says, and no more than it can say."""
    last = next(
        (judged for judged in reversed(chart.points) if judged.point.value is not None and not judged.point.partial),
        None,
    )
    if last is None:
        return "No whole period yet." if any(judged.point.value is not None for judged in chart.points) else "No data."
    value = f"{last.point.value:g}{unit}"
    if chart.kind == "run":
        return f"{last.point.label}: {value}. No usual range is drawn: {chart.refused}"
    span = f"{max(0, last.lower or 0):.0f} to {last.upper:.0f}{unit}, mean {chart.middle:.0f}{unit}"
    if not last.signals:
        earlier = [judged.point.label for judged in chart.points if judged.signals]
        stood_out = f"; {_first_to_last(earlier)} stood out" if earlier else ""
        return (
            f"{last.point.label}: {value}, within the usual range ({span}). No sign that {what} has changed{stood_out}."
        )
    return f"{last.point.label}: {value}. A change worth asking about: {', '.join(last.signals)} ({span})."


def _first_to_last(labels: Sequence[str]) -> str:
    return " and ".join(labels) if len(labels) < 3 else f"{labels[0]} to {labels[-1]}"

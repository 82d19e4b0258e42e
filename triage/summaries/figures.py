"""Figures as they are published: counts with what is missing beside them, percentages and intervals where they may be.

Print "x of k (p %); m of N not recorded". No percentage where more than 30 % are missing or fewer than 10 are known;
with 20 or more known, the Wilson 95 % interval (Wilson 1927, without continuity correction).
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from math import sqrt
from typing import Literal, TypeVar
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType

from triage import codes
from triage.summaries.facts import IncidentFact

FEWEST_FOR_A_PERCENTAGE = 10
FEWEST_FOR_AN_INTERVAL = 20
MOST_MISSING = 0.3
PER_PEOPLE = 100_000
"""How many people a rate of a population is for."""
_Z = 1.959963984540054
"""The 97.5 % point of the normal distribution."""

T = TypeVar("T")


class FigureRow(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line of a measure: `value` of `of`, with `missing` not recorded. `column` is its second dimension.

    `value` None is no data. `low` and `high` are the 95 % interval of `percent`, or of a rate, whose `events` are what
    was divided by the population.
    """

    code: str
    label: str
    value: int | float | None
    column: str | None = None
    of: int | None = None
    missing: int = 0
    events: int | None = None
    percent: float | None = None
    low: float | None = None
    high: float | None = None
    text: str = ""

    @property
    def name(self) -> str:
        """The name of the line within its measure: `row`, or `row/column`."""
        return line_name(self.code, self.column)


class ComputedRow(FigureRow, frozen=True, kw_only=True, omit_defaults=True):
    """A line with the incidents that it counts, which are never published; none where it counts something else."""

    incidents: tuple[UUID, ...] = ()

    def published(self) -> FigureRow:
        """The line without its incidents."""
        return FigureRow(**{name: getattr(self, name) for name in FigureRow.__struct_fields__})


class Figure(Struct, frozen=True, kw_only=True):
    """The result of a measure: one value, or rows; `known` of N, the others `missing`.

    `incidents` are those that the value counts, as in `ComputedRow`.
    """

    known: int
    missing: int
    value: int | float | UnsetType | None = UNSET
    rows: tuple[FigureRow, ...] | UnsetType = UNSET
    percent: float | None = None
    low: float | None = None
    high: float | None = None
    text: str = ""
    incidents: tuple[UUID, ...] = ()


class Measure(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A published measure. Restatements recompute `flow`; a `snapshot` stays as it was first published."""

    code: str
    label: str
    kind: Literal["flow", "snapshot"]
    known: int
    missing: int
    value: int | float | UnsetType | None = UNSET
    rows: tuple[FigureRow, ...] | UnsetType = UNSET
    percent: float | None = None
    low: float | None = None
    high: float | None = None
    text: str = ""
    caveat: str = ""

    @property
    def lines(self) -> tuple[FigureRow, ...]:
        """Its rows; none where it is one value."""
        return self.rows if isinstance(self.rows, tuple) else ()


def line_name(*parts: str | None) -> str:
    """The name of a line: the codes of its measure, row and column, as far as it has them."""
    return "/".join(part for part in parts if part)


# --- intervals ---


def wilson(x: int, k: int) -> tuple[float, float]:
    """The Wilson 95 % interval of a proportion x of k, in percent. `k` is at least 1."""
    low, high = _wilson(x, k)
    return round(low, 1), round(high, 1)


def _wilson(x: int, k: int) -> tuple[float, float]:
    p, z2 = x / k, _Z * _Z
    middle = (p + z2 / (2 * k)) / (1 + z2 / k)
    half = _Z * sqrt(p * (1 - p) / k + z2 / (4 * k * k)) / (1 + z2 / k)
    return 100 * max(0.0, middle - half), 100 * min(1.0, middle + half)


def newcombe(x1: int, k1: int, x2: int, k2: int) -> tuple[float, float]:
    """The 95 % interval of the difference x2/k2 - x1/k1 in percentage points (Newcombe 1998, method 10)."""
    p1, p2 = 100 * x1 / k1, 100 * x2 / k2
    (l1, u1), (l2, u2) = _wilson(x1, k1), _wilson(x2, k2)
    low = (p2 - p1) - sqrt((p2 - l2) ** 2 + (u1 - p1) ** 2)
    high = (p2 - p1) + sqrt((u2 - p2) ** 2 + (p1 - l1) ** 2)
    return round(low, 1), round(high, 1)


def byar(events: int) -> tuple[float, float]:
    """The 95 % interval of a Poisson count (Byar's approximation, Breslow and Day 1987)."""
    low = events * (1 - 1 / (9 * events) - _Z / (3 * sqrt(events))) ** 3 if events else 0.0
    above = events + 1
    return low, above * (1 - 1 / (9 * above) + _Z / (3 * sqrt(above))) ** 3


def rate_ratio(events1: int, exposure1: float, events2: int, exposure2: float) -> tuple[float, float, float | None]:
    """The second rate divided by the first, with its 95 % interval; the upper end None where it has none.

    The interval is Wilson's of the second's share in all events, given their sum (Przyborowski and Wilenski 1940).
    Raises ZeroDivisionError without events in the first.
    """
    scale = exposure1 / exposure2
    low, high = _wilson(events2, events1 + events2)
    upper = None if high >= 100 else round(scale * high / (100 - high), 2)
    return round(scale * events2 / events1, 2), round(scale * low / (100 - low), 2), upper


def kappa(pairs: Sequence[tuple[bool, bool]]) -> float | None:
    """Cohen's kappa of two judges who say yes or no; None without pairs, or where chance alone would always agree."""
    if not pairs:
        return None
    k = len(pairs)
    agreed = sum(a == b for a, b in pairs) / k
    first, second = sum(a for a, _ in pairs) / k, sum(b for _, b in pairs) / k
    by_chance = first * second + (1 - first) * (1 - second)
    return None if by_chance == 1 else round((agreed - by_chance) / (1 - by_chance), 2)


# --- what may be printed ---


def may_have_percentage(known: int, missing: int) -> bool:
    """Whether a percentage of the known is printed at all."""
    return known >= FEWEST_FOR_A_PERCENTAGE and missing <= MOST_MISSING * (known + missing)


def share(x: int, known: int, missing: int) -> tuple[float | None, float | None, float | None]:
    """Percentage and interval of x among the known, as far as they may be printed."""
    if not may_have_percentage(known, missing):
        return None, None, None
    low, high = wilson(x, known) if known >= FEWEST_FOR_AN_INTERVAL else (None, None)
    return round(100 * x / known, 1), low, high


def printed(x: int, known: int, missing: int) -> str:
    """ "x of k (p %); m of N not recorded"."""
    percent, low, high = share(x, known, missing)
    interval = f", 95 % interval {low:g} to {high:g} %" if low is not None else ""
    percentage = f" ({percent:g} %{interval})" if percent is not None else ""
    absent = f"; {missing} of {known + missing} not recorded" if missing else ""
    return f"{x} of {known}{percentage}{absent}"


# --- figures from what is counted: incidents, which can be traced, or a number of something else ---

CountedFacts = int | Collection[IncidentFact]


def row(
    code: str, label: str, counted: CountedFacts, known: int, missing: int = 0, column: str | None = None
) -> FigureRow:
    """A line that counts some of the known."""
    x, incidents = _counted(counted)
    percent, low, high = share(x, known, missing)
    return ComputedRow(
        code=code,
        label=label,
        column=column,
        value=x,
        of=known,
        missing=missing,
        percent=percent,
        low=low,
        high=high,
        text=printed(x, known, missing),
        incidents=incidents,
    )


def count_row(
    code: str, label: str, counted: CountedFacts, column: str | None = None, of: int | None = None
) -> FigureRow:
    """A line that is a plain number."""
    x, incidents = _counted(counted)
    return ComputedRow(code=code, label=label, column=column, value=x, of=of, text=str(x), incidents=incidents)


def rate_row(code: str, label: str, counted: CountedFacts, population: int, basis: str) -> FigureRow:
    """A line with a rate for 100,000 people and its interval; `basis` says what was counted, and of whom."""
    events, incidents = _counted(counted)
    low, high = (round(PER_PEOPLE * end / population, 1) for end in byar(events))
    value = round(PER_PEOPLE * events / population, 1)
    return ComputedRow(
        code=code,
        label=label,
        value=value,
        of=population,
        events=events,
        low=low,
        high=high,
        text=f"{value:g} (95 % interval {low:g} to {high:g}): {basis}",
        incidents=incidents,
    )


def proportion(counted: CountedFacts, known: int, missing: int) -> Figure:
    """A figure that counts some of the known."""
    x, incidents = _counted(counted)
    percent, low, high = share(x, known, missing)
    return Figure(
        value=x,
        known=known,
        missing=missing,
        percent=percent,
        low=low,
        high=high,
        text=printed(x, known, missing),
        incidents=incidents,
    )


def count(facts: Collection[IncidentFact]) -> Figure:
    """A plain number of incidents, all of which are known."""
    x, incidents = _counted(facts)
    return Figure(value=x, known=x, missing=0, text=str(x), incidents=incidents)


def _counted(counted: CountedFacts) -> tuple[int, tuple[UUID, ...]]:
    return (counted, ()) if isinstance(counted, int) else (len(counted), tuple(fact.id for fact in counted))


def mix(items: Iterable[T], value_of: Callable[[T], str | None], name: str, *, all_rows: bool = False) -> Figure:
    """How often each code of a list occurs; a coded missing value and None are missing. Rows in the list's order.

    Codes that do not occur are left out, unless `all_rows`.
    """
    return shares(items, value_of, labels_of(name), frozenset(codes.list(name).missing), all_rows)


def labels_of(name: str) -> dict[str, str]:
    """The labels of a list's codes, without the coded missing values and what has been replaced."""
    return {code.code: code.label for code in codes.list(name) if not code.missing and code.replaced_by is None}


def shares(
    items: Iterable[T],
    value_of: Callable[[T], str | None],
    labels: Mapping[str, str],
    missing: frozenset[str] = frozenset(),
    all_rows: bool = True,
) -> Figure:
    """How often each label occurs among the values that are known."""
    by_value: dict[str | None, list[T]] = {}
    for item in items:
        by_value.setdefault(value_of(item), []).append(item)
    unknown = sum(len(same) for value, same in by_value.items() if value is None or value in missing)
    known = sum(map(len, by_value.values())) - unknown
    return Figure(
        rows=tuple(
            row(code, label, _incidents_or_number(by_value.get(code, [])), known, unknown)
            for code, label in labels.items()
            if all_rows or code in by_value
        ),
        known=known,
        missing=unknown,
    )


def _incidents_or_number(items: Sequence[object]) -> CountedFacts:
    facts = [item for item in items if isinstance(item, IncidentFact)]
    return facts if len(facts) == len(items) else len(items)


def quantile(values: Sequence[float], q: float) -> float | None:
    """The q-quantile by linear interpolation between order statistics; None without values."""
    if not values:
        return None
    ordered = sorted(values)
    place = q * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return round(ordered[below] + (place - below) * (ordered[above] - ordered[below]), 1)


def share_of(
    asked: Iterable[IncidentFact], is_known: Callable[[IncidentFact], bool], counts: Callable[[IncidentFact], bool]
) -> Figure:
    """A figure that counts some of the incidents of which it is known; the others are missing."""
    known, missing = split(asked, is_known)
    return proportion(list(filter(counts, known)), len(known), missing)


def split(items: Iterable[T], is_known: Callable[[T], bool]) -> tuple[list[T], int]:
    """The items that are known, and how many are not."""
    known, missing = [], 0
    for item in items:
        if is_known(item):
            known.append(item)
        else:
            missing += 1
    return known, missing


def without_data(figure: Figure, text: str) -> Figure:
    """The same figure where nothing is known: no data, which is not zero."""
    if not isinstance(figure.rows, tuple):
        return Figure(value=None, known=0, missing=0, text=text)
    rows = tuple(FigureRow(code=r.code, label=r.label, column=r.column, value=None, text=text) for r in figure.rows)
    return Figure(rows=rows, known=0, missing=0, text=text)

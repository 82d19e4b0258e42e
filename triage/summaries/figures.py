"""Figures as they are published: counts with what is missing beside them, percentages and intervals where they may be.

Print "x of k (p %); m of N not recorded". No percentage where more than 30 % are missing or fewer than 10 are known;
with 20 or more known, the Wilson 95 % interval (Wilson 1927, without continuity correction).
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import sqrt
from typing import Literal, TypeVar

from msgspec import UNSET, Struct, UnsetType, structs

from triage import codes

FEWEST_FOR_A_PERCENTAGE = 10
FEWEST_FOR_AN_INTERVAL = 20
MOST_MISSING = 0.3
_Z = 1.959963984540054
"""The 97.5 % point of the normal distribution."""

T = TypeVar("T")


class FigureRow(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line of a measure: `value` of `of`. `column` is its second dimension. None: no data."""

    code: str
    label: str
    value: int | float | None
    column: str | None = None
    of: int | None = None
    percent: float | None = None
    low: float | None = None
    high: float | None = None
    text: str = ""


class Figure(Struct, frozen=True, kw_only=True):
    """What a measure computes: one value, or rows; `known` of N, the others `missing`."""

    known: int
    missing: int
    value: int | float | UnsetType | None = UNSET
    rows: tuple[FigureRow, ...] | UnsetType = UNSET
    percent: float | None = None
    low: float | None = None
    high: float | None = None
    text: str = ""


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


def kappa(pairs: Sequence[tuple[bool, bool]]) -> float | None:
    """Cohen's kappa of two judges who say yes or no; None without pairs, or where chance alone would always agree."""
    if not pairs:
        return None
    k = len(pairs)
    agreed = sum(a == b for a, b in pairs) / k
    first, second = sum(a for a, _ in pairs) / k, sum(b for _, b in pairs) / k
    by_chance = first * second + (1 - first) * (1 - second)
    return None if by_chance == 1 else round((agreed - by_chance) / (1 - by_chance), 2)


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


def row(code: str, label: str, x: int, known: int, missing: int = 0, column: str | None = None) -> FigureRow:
    """A line that counts x of the known."""
    percent, low, high = share(x, known, missing)
    return FigureRow(
        code=code,
        label=label,
        column=column,
        value=x,
        of=known,
        percent=percent,
        low=low,
        high=high,
        text=printed(x, known, missing),
    )


def proportion(x: int, known: int, missing: int) -> Figure:
    """A figure that counts x of the known."""
    percent, low, high = share(x, known, missing)
    return Figure(
        value=x,
        known=known,
        missing=missing,
        percent=percent,
        low=low,
        high=high,
        text=printed(x, known, missing),
    )


def count(value: int) -> Figure:
    """A plain number of incidents, all of which are known."""
    return Figure(value=value, known=value, missing=0, text=str(value))


def mix(values: Iterable[str | None], name: str, *, missing: Iterable[str] = (), all_rows: bool = False) -> Figure:
    """How often each code of a list occurs; a coded missing value and None are missing. Rows in the list's order.

    Codes that do not occur are left out, unless `all_rows`.
    """
    rows = codes.list(name)
    labels = {one.code: one.label for one in rows if not one.missing and one.replaced_by is None}
    return shares(values, labels, frozenset(rows.missing) | frozenset(missing), all_rows)


def shares(
    values: Iterable[str | None],
    labels: Mapping[str, str],
    missing: frozenset[str] = frozenset(),
    all_rows: bool = True,
) -> Figure:
    """How often each label occurs among the values that are known."""
    found = Counter(value for value in values)
    unknown = sum(n for value, n in found.items() if value is None or value in missing)
    known = found.total() - unknown
    return Figure(
        rows=tuple(
            row(code, label, found[code], known, unknown) for code, label in labels.items() if all_rows or found[code]
        ),
        known=known,
        missing=unknown,
    )


def spread(values: Sequence[float], code: str, label: str) -> tuple[FigureRow, ...]:
    """Median and greatest of some minutes, as rows; None without values."""
    return (
        FigureRow(code=f"{code}_median", label=f"{label}: median", value=quantile(values, 0.5), of=len(values)),
        FigureRow(code=f"{code}_max", label=f"{label}: maximum", value=max(values, default=None), of=len(values)),
    )


def quantile(values: Sequence[float], q: float) -> float | None:
    """The q-quantile by linear interpolation between order statistics; None without values."""
    if not values:
        return None
    ordered = sorted(values)
    place = q * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return round(ordered[below] + (place - below) * (ordered[above] - ordered[below]), 1)


def split(items: Iterable[T], known: Callable[[T], bool]) -> tuple[list[T], int]:
    """The items that are known, and how many are not."""
    found, missing = [], 0
    for item in items:
        if known(item):
            found.append(item)
        else:
            missing += 1
    return found, missing


def without_data(figure: Figure, text: str) -> Figure:
    """The same figure where nothing is known: no data, which is not zero."""
    rows = figure.rows
    if isinstance(rows, tuple):
        rows = tuple(
            structs.replace(one, value=None, of=None, percent=None, low=None, high=None, text=text) for one in rows
        )
    return Figure(rows=rows, value=UNSET if isinstance(rows, tuple) else None, known=0, missing=0, text=text)

"""Charts as fluid SVG: positions across are percentages and there is no viewBox, so text keeps its size (14 px) at any
width and under zoom, from 300 px to A4. No script, no style attribute: the strict content security policy holds.

Every mark carries presentation attributes (used by the PDF, and by a page without its style sheet); classes let the
page repaint it for dark and print. Colour is never alone: a signal is a diamond, a partial period is hollow. A `width`
in pixels is for a PDF, which has no page to fit into.
"""

from collections.abc import Iterator, Sequence
from html import escape
from itertools import pairwise
from math import ceil, floor, inf, log10
from typing import Final

from markupsafe import Markup
from msgspec import Struct

from triage.report.blocks import IntervalCell, StackPart
from triage.report.spc import ControlChart, JudgedPoint

INK, DIM, BLUE, PURPLE, BAND, RED = "#0b0c0c", "#484949", "#1d5f9e", "#54319f", "#e4ecf4", "#b10e1e"
GRID, LIMIT, LEFT, ORANGE = "#dfe3e6", "#6f7a82", "#d5d9dc", "#c25400"
PARTS: Final = {"a": BLUE, "b": "#5b97cf", "c": "#a9c8e6", "d": LEFT, "e": RED, "f": PURPLE}
"""Fills of a stacked bar, by class."""
_SVG: Final = 'xmlns="http://www.w3.org/2000/svg"'


def _n(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


class Across(Struct, frozen=True):
    """Where a share of the width lies: a percentage, or pixels between the margins of a picture of a given width."""

    width: int | None = None
    left: int = 0
    right: int = 0

    def __call__(self, share: float) -> str:
        return self.span(share, self.left)

    def span(self, share: float, start: int = 0) -> str:
        """A length."""
        if self.width:
            return _n(start + share * (self.width - self.left - self.right))
        return _n(share * 100) + "%"

    @property
    def whole(self) -> str:
        return str(self.width) if self.width else "100%"


class Down(Struct, frozen=True):
    """Where a value lies between the bottom and the top of a chart."""

    base: float
    most: float
    top: int
    bottom: int

    def __call__(self, value: float) -> float:
        inside = min(max(value, self.base), self.most)
        return self.bottom - (self.bottom - self.top) * (inside - self.base) / (self.most - self.base)


def _nice(most: float) -> float:
    if most <= 0:
        return 1
    step = float(10 ** floor(log10(most)))
    return next(m * step for m in (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if m * step >= most)


def _axis(lowest: float, highest: float, ceiling: int | None) -> tuple[float, float]:
    """From zero, unless everything lies in the upper part: a run chart is read for its ups and downs."""
    if lowest < 0.55 * highest or highest <= 0:
        return 0, min(_nice(highest * 1.06), ceiling or inf)
    step = _nice((highest - lowest) / 2 or 1)
    base = max(0, floor(lowest / step) * step - step)
    if ceiling:
        base = floor(base / 10) * 10
    return base, min(ceil(highest * 1.01 / step) * step, ceiling or inf)


def _text(x: str, y: float, said: str, anchor: str = "start", cls: str = "", fill: str = DIM, size: int = 14) -> str:
    weight = "bold" if fill != DIM else "normal"
    where = (
        f'<text x="{x}" y="{_n(y)}" text-anchor="{anchor}" font-size="{size}" font-weight="{weight}" '
        'font-family="arial, sans-serif"'
    )
    halo = ""
    if cls == "now":  # a text of its own: paint-order is not drawn by every maker of PDFs
        behind = 'class="t halo" fill="#fff" stroke="#fff" stroke-width="4" aria-hidden="true"'
        halo = f"{where} {behind}>{escape(said)}</text>"
    return f'{halo}{where} class="t {cls}" fill="{fill}">{escape(said)}</text>'


def _hidden(cls: str, height: int, x: Across, said: str, *marks: str) -> Markup:
    """A picture beside text that says the same: hidden from screen readers, its title for the tagged PDF."""
    return Markup(
        f'<svg class="{cls}" aria-hidden="true" width="{x.whole}" height="{height}" {_SVG}>'
        f"<title>{escape(said)}</title>{''.join(marks)}</svg>"
    )


def run_chart(
    name: str,
    title: str,
    chart: ControlChart,
    said: str,
    *,
    unit: str = "",
    height: int = 190,
    width: int | None = None,
) -> Markup:
    """A run chart, with the usual range as a band where there are limits. `name` is unique on its page."""
    base, most = _axis(*_reach(chart), 100 if unit == "%" else None)
    x = Across(width, 40, 12) if width else Across()
    y = Down(base, most, 14, height - 26)
    points = " ".join(_said(judged, unit) for judged in chart.points)
    broken = f" The axis starts at {base:g}, not at 0." if base else ""
    marks = [*_scale(x, y, unit), *_range(chart, x, y), *_series(chart, x, y), *_labels(chart, x, y, unit, height)]
    return Markup(
        f'<svg class="chart run" role="img" aria-labelledby="{name}-t {name}-d" width="{x.whole}" height="{height}" '
        f'overflow="visible" {_SVG}><title id="{name}-t">{escape(title)}</title>'
        f'<desc id="{name}-d">{escape(f"{said} {points}{broken}")}</desc>{"".join(marks)}</svg>'
    )


def _reach(chart: ControlChart) -> tuple[float, float]:
    points = chart.points
    whole = [judged.point.value for judged in points if judged.point.value is not None and not judged.point.partial]
    every = [judged.point.value for judged in points if judged.point.value is not None]
    lowest = min([*whole, *(judged.lower for judged in points if judged.lower is not None), chart.middle])
    return lowest, max([*every, *(judged.upper for judged in points if judged.upper is not None), chart.middle])


def _scale(x: Across, y: Down, unit: str) -> Iterator[str]:
    middle = (y.base + y.most) / 2
    for tick in (y.base, middle, y.most) if middle == int(middle) else (y.base, y.most):
        yield f'<line x1="{x(0)}" x2="{x(1)}" y1="{_n(y(tick))}" y2="{_n(y(tick))}" class="grid" stroke="{GRID}"/>'
        yield _text(str(x.left - 8), y(tick) + 5, f"{tick:g}{unit}", "end")


def _range(chart: ControlChart, x: Across, y: Down) -> Iterator[str]:
    points, count = chart.points, max(1, len(chart.points) - 1)
    limited = chart.kind != "run"
    if limited:
        for n, (a, b) in enumerate(pairwise(points)):
            low, high = max(a.lower or 0, b.lower or 0, y.base), min(a.upper or 0, b.upper or 0)
            yield (
                f'<rect x="{x(n / count)}" y="{_n(y(high))}" width="{x.span(1 / count)}" '
                f'height="{_n(max(0, y(low) - y(high)))}" class="band" fill="{BAND}"/>'
            )
    if chart.kind == "XmR":
        for edge in (points[0].lower or 0, points[0].upper or 0):
            yield _level(x, y(edge), "limit", LIMIT, "5 4")
    yield _level(x, y(chart.middle), "mean", DIM, "" if limited else "1 4")


def _level(x: Across, at: float, cls: str, stroke: str, dashes: str) -> str:
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'<line x1="{x(0)}" x2="{x(1)}" y1="{_n(at)}" y2="{_n(at)}" class="{cls}" stroke="{stroke}"{dashed}/>'


def _series(chart: ControlChart, x: Across, y: Down) -> Iterator[str]:
    count = max(1, len(chart.points) - 1)
    for n, (a, b) in enumerate(pairwise(chart.points)):
        if a.point.value is not None and b.point.value is not None:
            yield (
                f'<line x1="{x(n / count)}" y1="{_n(y(a.point.value))}" x2="{x((n + 1) / count)}" '
                f'y2="{_n(y(b.point.value))}" class="series" stroke="{BLUE}" stroke-width="2"/>'
            )
    for n, judged in enumerate(chart.points):
        yield _dot(judged, x(n / count), y)


def _dot(judged: JudgedPoint, at: str, y: Down) -> str:
    value = judged.point.value
    if value is None:
        return _text(at, y.bottom - 4, "×", "middle")
    height = _n(y(value))
    if judged.point.partial:
        return (
            f'<circle cx="{at}" cy="{height}" r="4.5" class="dot hollow" fill="#fff" stroke="{BLUE}" stroke-width="2"/>'
        )
    if judged.signals:
        return (
            f'<svg x="{at}" y="{height}" overflow="visible"><path d="M0-7L7 0 0 7-7 0z" class="dot special" '
            f'fill="{PURPLE}"/></svg>'
        )
    return f'<circle cx="{at}" cy="{height}" r="4" class="dot" fill="{BLUE}"/>'


def _labels(chart: ControlChart, x: Across, y: Down, unit: str, height: int) -> Iterator[str]:
    points, count = chart.points, max(1, len(chart.points) - 1)
    last, before = points[-1].point, points[-2].point if len(points) > 1 else None
    if last.value is not None:
        falls = before is not None and before.value is not None and before.value > last.value
        below = falls and y(last.value) + 20 < y.bottom
        at = y(last.value) + 20 if below else max(12, y(last.value) - 10)
        yield _text(x(1), at, f"{last.value:g}{unit}", "end", "now", INK, 15)
    yield _text(x(0), height - 6, points[0].point.label)
    if len(points) > 4:
        middle = (len(points) - 1) // 2
        yield _text(x(middle / count), height - 6, points[middle].point.label, "middle")
    if len(points) > 1:
        yield _text(x(1), height - 6, last.label, "end")


def _said(judged: JudgedPoint, unit: str) -> str:
    point = judged.point
    value = "no data" if point.value is None else f"{point.value:g}{unit}"
    return f"{point.label}: {value}{' (not a whole period)' if point.partial else ''}."


def interval(cell: IntervalCell) -> Markup:
    """A share with its interval, for a cell of a table whose text says the same."""
    x, most = Across(), cell.most
    marks = [f'<line x1="{x(0)}" x2="{x(1)}" y1="9" y2="9" class="grid" stroke="{GRID}"/>']
    if cell.mean is not None:
        at = x(cell.mean / most)
        marks.append(f'<line x1="{at}" x2="{at}" y1="0" y2="18" class="mean" stroke="{DIM}" stroke-dasharray="2 2"/>')
    marks += [
        f'<line x1="{x(cell.low / most)}" x2="{x(min(1, cell.high / most))}" y1="9" y2="9" class="reach" '
        f'stroke="{BLUE}" stroke-width="6" stroke-opacity=".45"/>',
        f'<circle cx="{x(cell.percent / most)}" cy="9" r="5" class="dot" fill="{BLUE}"/>',
    ]
    return _hidden("iv", 18, x, f"{cell.percent:g} %, {cell.low:g} to {cell.high:g} %", *marks)


def bar(value: float, most: float) -> Markup:
    """A bar for a cell of a table whose text says the same."""
    x = Across()
    width = x(min(1, value / most) if most else 0)
    return _hidden(
        "bar", 14, x, f"{value:g}", f'<rect x="0" y="1" width="{width}" height="12" class="fill" fill="{BLUE}"/>'
    )


def stacked(parts: Sequence[StackPart]) -> Markup:
    """One bar in parts. The list beside it says the figures."""
    x, total, at, marks = Across(), sum(part.value for part in parts) or 1, 0, []
    for part in parts:
        value, cls = part.value, part.fill
        if value:
            marks.append(
                f'<rect x="{x(at / total)}" y="0" width="{x(value / total)}" height="26" class="part {cls}" '
                f'fill="{PARTS[cls]}" stroke="#fff" stroke-width="1.5"/>'
            )
        if value / total > 0.09:
            ink = "#fff" if cls in "aef" else INK
            marks.append(_text(x((at + value / 2) / total), 18, f"{value}", "middle", f"on-{cls}", ink))
        at += value
    return _hidden("stack", 26, x, "; ".join(f"{part.label}: {part.value}" for part in parts), *marks)


def clock(elapsed: float, extended: float = 0, *, height: int = 12) -> Markup:
    """The clock of a detention as a bar: hours elapsed of 24 and any extension, over-run past the mark in red."""
    x, limit = Across(), 24 + extended
    scale = max(limit, min(elapsed, 48))
    over, tone = elapsed > limit, "over" if elapsed > limit else "soon" if limit - elapsed < 3 else ""
    fill = {"over": RED, "soon": ORANGE, "": BLUE}[tone]
    marks = [
        f'<rect x="0" y="2" width="{x(limit / scale)}" height="{height - 4}" class="left" fill="{LEFT}"/>',
        f'<rect x="0" y="2" width="{x(max(0, min(elapsed, limit)) / scale)}" height="{height - 4}" '
        f'class="spent {tone}" fill="{fill}"/>',
    ]
    if over:
        past = x((min(elapsed, 48) - limit) / scale)
        marks.append(
            f'<rect x="{x(limit / scale)}" y="0" width="{past}" height="{height}" class="spent over" fill="{RED}"/>'
        )
    for hour in (6, 12, 18, 24):
        if hour < limit or over:
            at, thick = x(hour / scale), 3 if hour == 24 else 1.5
            marks.append(
                f'<line x1="{at}" x2="{at}" y1="0" y2="{height}" class="tick" stroke="#fff" stroke-width="{thick}"/>'
            )
    return _hidden("clockbar", height, x, f"{elapsed:.1f} of {limit:g} hours", *marks)


def spark(values: Sequence[int], *, width: int | None = None) -> Markup:
    """A small line for a tile, whose total stands beside it."""
    height = 28
    x, most, count = Across(width), max([*values, 1]), max(1, len(values) - 1)

    def y(value: int) -> str:
        return _n(height - 3 - (height - 6) * value / most)

    marks = (
        f'<line x1="{x(n / count)}" y1="{y(a)}" x2="{x((n + 1) / count)}" y2="{y(b)}" class="series" stroke="{BLUE}" '
        'stroke-width="1.5"/>'
        for n, (a, b) in enumerate(pairwise(values))
    )
    return _hidden("spark", height, x, ", ".join(map(str, values)), *marks)


def ceiling(value: float) -> int:
    """A round end for an axis of percentages."""
    return min(100, max(10, ceil(value / 10) * 10))

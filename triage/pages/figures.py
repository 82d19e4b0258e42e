"""Summaries on the pages: editions or spans side by side, and measures over several periods."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

from msgspec import UNSET, Struct

from triage.summaries import comparison
from triage.summaries.comparison import Comparison
from triage.summaries.editions import Summary
from triage.summaries.figures import Measure
from triage.summaries.pages import LONGEST_CHART

COMPARED: Final = 3
"""Editions side by side at most: more do not fit beside each other."""
NOT_SAID: Final = "–"


class Cell(Struct, frozen=True):
    """A figure in one edition; `changed` from the edition before it."""

    text: str
    changed: bool


class Line(Struct, frozen=True):
    """A line of a measure in each edition, the newest last."""

    label: str
    cells: tuple[Cell, ...]


class Compared(Struct, frozen=True, kw_only=True):
    """A measure in each edition."""

    code: str
    label: str
    note: str
    lines: tuple[Line, ...]


class Trend(Struct, frozen=True):
    """A measure over periods, the newest last. `drawn` are those with a figure."""

    code: str
    label: str
    points: tuple[tuple[str, str], ...]
    drawn: tuple[tuple[str, int | float], ...]


TRENDS: Final = (
    ("incidents", None, "Incidents"),
    ("powers_used", "s136", "Section 136 used"),
    ("considered_by_grade", "A", "Section 136 considered and not used, grade A"),
    ("considered_by_grade", "B", "Section 136 considered and not used, grade B"),
    ("considered_by_grade", "P", "Section 136 considered, grade pending"),
    ("outcomes", "arrest_custody", "Arrest and custody as the outcome"),
)
"""Measure, row of it, and what to call it. A and B are never added up."""


def compare(editions: Sequence[Summary]) -> list[Compared]:
    """The measures of the newest of these editions beside the ones before it."""
    known = [{one.code: one for one in edition.measures} for edition in editions]
    return [_compared(measure, [by_code.get(measure.code) for by_code in known]) for measure in editions[-1].measures]


def _compared(measure: Measure, before: Sequence[Measure | None]) -> Compared:
    columns = [dict(_figures(one)) if one else {} for one in before]
    lines = []
    for key in dict(_figures(measure)):
        texts = [column[key][1] if key in column else NOT_SAID for column in columns]
        label = columns[-1][key][0]
        cells = tuple(Cell(text, n > 0 and text != texts[n - 1]) for n, text in enumerate(texts))
        lines.append(Line(label, cells))
    note = "As things stood when edition 1 was published. " if measure.kind == "snapshot" else ""
    return Compared(code=measure.code, label=measure.label, note=note + measure.caveat, lines=tuple(lines))


def _figures(measure: Measure) -> Iterator[tuple[tuple[str, ...], tuple[str, str]]]:
    if measure.value is not UNSET:
        yield ("",), (measure.label, measure.text or _text(measure.value))
    for row in measure.rows if isinstance(measure.rows, tuple) else ():
        label = f"{row.label}, {row.column.replace('_', ' ')}" if row.column else row.label
        yield (row.code, row.column or ""), (label, row.text or _text(row.value))
    if measure.missing or measure.value is UNSET:
        yield ("missing",), ("Not recorded", str(measure.missing))


def trends(summaries: Sequence[Summary]) -> list[Trend]:
    """The chosen measures over these periods, oldest first; a period whose run failed is "no data", never zero."""
    return [_trend(summaries, code, row, label) for code, row, label in TRENDS]


def _trend(summaries: Sequence[Summary], code: str, row: str | None, label: str) -> Trend:
    points = [(one.period, _value(one, code, row)) for one in summaries]
    drawn = tuple((period, value) for period, value in points if value is not None)
    name = f"{code}-{row}" if row else code
    return Trend(name, label, tuple((period, _text(value)) for period, value in points), drawn)


def _value(summary: Summary, code: str, row: str | None) -> int | float | None:
    measure = next((one for one in summary.measures if one.code == code), None)
    if measure is None:
        return None
    if row is None:
        return None if measure.value is UNSET else measure.value
    rows = measure.rows if isinstance(measure.rows, tuple) else ()
    return next((one.value for one in rows if one.code == row), 0)


def _text(value: int | float | None) -> str:
    return "No data" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


class Beside(Struct, frozen=True):
    """A line of a comparison: both spans and how they differ."""

    label: str
    first: str
    second: str
    difference: str


class SpanMeasure(Struct, frozen=True):
    """A measure in both spans."""

    code: str
    label: str
    note: str
    lines: tuple[Beside, ...]
    drawn: tuple[tuple[str, float], ...]
    """The percentages of both spans, line after line, as far as both may be printed."""


def spans(report: Comparison) -> list[SpanMeasure]:
    """The measures of a comparison of two spans."""
    grouped = groupby(report.lines, lambda line: (line.measure, line.label, line.caveat))
    return [_of_spans(report, *measure, list(lines)) for measure, lines in grouped]


def _of_spans(
    report: Comparison, code: str, label: str, note: str, lines: list[comparison.ComparedLine]
) -> SpanMeasure:
    drawn = [
        (f"{line.row}, {span.name}, %", side.percent)
        for line in lines
        for span, side in ((report.first, line.first), (report.second, line.second))
        if side.percent is not None and line.difference is not None
    ]
    return SpanMeasure(
        code, label, note, tuple(map(_beside, lines)), tuple(drawn) if len(drawn) <= LONGEST_CHART else ()
    )


def _beside(line: comparison.ComparedLine) -> Beside:
    label = f"{line.row}, {line.column.replace('_', ' ')}" if line.column else line.row
    first, second = (side.text or _text(side.value) for side in (line.first, line.second))
    return Beside(label, first, second, line.difference_text)

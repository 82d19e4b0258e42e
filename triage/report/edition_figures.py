"""The figures of an edition by measure and row, and how a report says them."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date

from msgspec import UNSET, Struct

from triage import codes
from triage.report.blocks import BarCell, Cell, TableBlock, Tables, TextCell
from triage.summaries.editions import Difference, Summary
from triage.summaries.figures import FigureRow, Measure, line_name


class EditionFigures(Struct, frozen=True):
    """The figures of an edition, by measure and row."""

    summary: Summary

    def measure(self, code: str) -> Measure | None:
        return next((measure for measure in self.summary.measures if measure.code == code), None)

    def rows(self, code: str) -> tuple[FigureRow, ...]:
        measure = self.measure(code)
        return measure.lines if measure else ()

    def row(self, code: str, name: str, column: str | None = None) -> FigureRow | None:
        return next((row for row in self.rows(code) if row.code == name and row.column == column), None)

    def figure(self, line: str) -> Measure | FigureRow | None:
        """The figure at a line: a measure of one value, or a row."""
        code, _, name = line.partition("/")
        return self.row(code, name) if name else self.measure(code)

    @property
    def considered(self) -> str:
        """The measure of what became of an intent: of incidents attended where the edition tells them apart."""
        return "considered_attended" if self.measure("considered_attended") else "considered_by_grade"

    def count(self, code: str, name: str, column: str | None = None) -> int:
        row = self.row(code, name, column)
        return int(row.value) if row and row.value is not None else 0

    def value(self, code: str) -> int | float | None:
        measure = self.measure(code)
        return None if measure is None or measure.value is UNSET else measure.value


def share_said(figure: Measure | FigureRow | None) -> str:
    """ "11 % (95 % interval 8 to 15 %)"; why there is no percentage where it may not be printed."""
    if figure is None or figure.value in (None, UNSET):
        return "no data"
    if figure.percent is None:
        return "no percentage: too few known"
    interval = f" (95 % interval {figure.low:.0f} to {figure.high:.0f} %)" if figure.low is not None else ""
    return f"{figure.percent:.0f} %{interval}"


def missing_said(measure: Measure | None) -> str:
    """How many are not recorded."""
    if measure is None or not measure.missing:
        return "all recorded"
    return f"{measure.missing:,} of {measure.missing + measure.known:,} not recorded"


def period_said(first: date, last: date) -> str:
    """July to September 2026; October 2026. By the first and last day."""
    if (first.year, first.month) == (last.year, last.month):
        return first.strftime("%B %Y")
    start = first.strftime("%B" if first.year == last.year else "%B %Y")
    return f"{start} to {last.strftime('%B %Y')}"


def number_said(row: FigureRow | None) -> str:
    return "–" if row is None or row.value is None else f"{row.value:,}"


def percent_said(row: FigureRow) -> str:
    """The percentage of a line, rounded; a dash where it may not be printed."""
    return "–" if row.percent is None else f"{row.percent:.0f} %"


def tables(across: int, *items: TableBlock | None) -> Tables:
    """Tables, so many across; what has no figures is left out."""
    return Tables(across=across, items=tuple(item for item in items if item))


def most_frequent(figures: EditionFigures, code: str) -> list[FigureRow]:
    """The rows that count anything, the most frequent first."""
    return sorted((row for row in figures.rows(code) if row.value), key=lambda row: -(row.value or 0))


def counted(figures: EditionFigures, code: str, caption: str, noun: str, few: int = 0) -> TableBlock | None:
    """A measure that counts answers, the most frequent first; those below `few` stand together at the foot."""
    measure, rows = figures.measure(code), most_frequent(figures, code)
    if measure is None or not rows:
        return None
    shown = [row for row in rows if (row.value or 0) >= few]
    rest = [row for row in rows if (row.value or 0) < few]
    known = f"{measure.known:,} known" + (f", {measure.missing:,} not recorded" if measure.missing else "")
    return TableBlock(
        caption=caption,
        known=known,
        head=(noun, "", "Number", "Share"),
        rows=tuple(bars(code, shown, percent_said)),
        right=(2, 3),
        rest="; ".join(f"{sentence(row.label)}: {row.value}" for row in rest),
    )


def bars(code: str, rows: Sequence[FigureRow], share: Callable[[FigureRow], str]) -> Iterator[tuple[Cell, ...]]:
    """The lines of a table of counts: label, bar, number and share."""
    most = max((float(row.value or 0) for row in rows), default=1)
    for row in rows:
        number = TextCell(number_said(row), line_name(code, row.name))
        yield TextCell(sentence(row.label)), BarCell(float(row.value or 0), most), number, TextCell(share(row))


def sentence(label: str) -> str:
    """A label as a line of its own begins."""
    written_out = f"Section 136 {label.removeprefix('s136 ')}" if label.startswith("s136 ") else label
    return written_out[:1].upper() + written_out[1:]


def short_label(list_name: str, code: str, label: str) -> str:
    """The short label of a code; the label that it was published under where the list does not know it."""
    return codes.short(list_name, code) or label


def changes_summary(summary: Summary) -> str:
    """How many figures an edition changed; empty for a first one."""
    count = len(summary.changes)
    figures = "figure" if count == 1 else "figures"
    return f"{count} {figures} changed since edition {summary.previous}" if summary.previous else ""


def changes_said(summary: Summary) -> tuple[str, ...]:
    """The changes of an edition against the one before it, a sentence a figure."""
    return tuple(_change_said(change) for change in summary.changes)


def _change_said(change: Difference) -> str:
    part = "" if change.part == "value" else f" ({change.part})"
    why = ", as time passed" if change.why == "time" else ""
    return f"{change.label}{part}: {_value(change.old)} became {_value(change.new)}{why}"


def _value(value: int | float | None) -> str:
    return "no data" if value is None else f"{value:g}"

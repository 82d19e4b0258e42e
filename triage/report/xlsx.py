"""An edition as a workbook for people: About, Figures with one tidy line a figure, Changes. The same bytes each time.

Text is written as text, never guessed: what begins with = + - @ is no formula, and ids stay as they are.
"""

import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from msgspec import UNSET

from triage.exports.protected import ProtectedSummary
from triage.libraries import xlsxwriter
from triage.report.head import head, local
from triage.summaries.comparison import Comparison
from triage.summaries.editions import Summary
from triage.summaries.figures import Measure

MEDIA_TYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

Cells = Sequence[str | int | float | None]

FIGURES: Final = (
    ("Measure", 38),
    ("Line", 42),
    ("Column", 14),
    ("Value", 9),
    ("Of", 9),
    ("Per cent", 9),
    ("Low (95 %)", 10),
    ("High (95 %)", 10),
    ("Known", 9),
    ("Not recorded", 12),
    ("Kind", 10),
    ("Caveat", 60),
)
CHANGES: Final = (("Line", 60), ("Part", 12), ("Before", 12), ("Now", 12), ("Why", 10))
COMPARED: Final = (
    ("Measure", 38),
    ("Line", 42),
    ("Column", 14),
    ("First", 9),
    ("Of", 9),
    ("Per cent", 9),
    ("Second", 9),
    ("Of", 9),
    ("Per cent", 9),
    ("Difference", 10),
    ("Unit", 18),
    ("Low (95 %)", 10),
    ("High (95 %)", 10),
    ("Caveat", 60),
)
TABLES: Final = (("Table", 40), ("Row", 40), ("Column", 24), ("Count", 10))


def of_summary(summary: Summary, zone: ZoneInfo) -> bytes:
    """An internal edition."""
    about = (
        ("Summary", _title(summary)),
        *head(summary, zone),
        *(("Note", note) for note in summary.notes),
    )
    changes = (
        (change.label, change.part, _or_nothing(change.old), _or_nothing(change.new), change.why)
        for change in summary.changes
    )
    return _workbook(
        _title(summary),
        summary.published_at,
        about,
        (("Figures", FIGURES, _figures(summary.measures)), ("Changes", CHANGES, changes)),
    )


def of_protected(summary: ProtectedSummary, zone: ZoneInfo) -> bytes:
    """A protected edition: the cells of its catalogue, hidden ones as they are published."""
    about = (
        ("Summary", _title(summary)),
        ("Form", summary.form),
        ("Published", local(summary.published_at, zone)),
        ("Entries received by", local(summary.cut_off, zone)),
        ("Policy", str(summary.statement.policy)),
        *(("Note", note) for note in summary.statement.read_me),
    )
    cells = (
        (table.title, ", ".join(row.row) or "all", cell.column, cell.count)
        for table in summary.tables
        for row in table.rows
        for cell in row.cells
    )
    return _workbook(_title(summary), summary.published_at, about, (("Tables", TABLES, cells),))


def of_comparison(compared: Comparison, zone: ZoneInfo) -> bytes:
    """Two spans of months side by side."""
    title = f"{compared.first.name} and {compared.second.name} compared"
    about = (
        ("Comparison", title),
        ("As at", local(compared.as_at, zone)),
        ("Position in the log", str(compared.as_at_seq)),
        ("Rules", f"{compared.rules}, code lists {compared.codes_version}"),
        *(("Note", note) for note in (*compared.notes, *compared.caveats)),
    )
    lines = (
        (
            line.label,
            line.row,
            line.column,
            *(part for side in (line.first, line.second) for part in (side.value, side.of, side.percent)),
            line.difference,
            line.unit,
            line.low,
            line.high,
            line.caveat,
        )
        for line in compared.lines
    )
    return _workbook(title, compared.as_at, about, (("Figures", COMPARED, lines),))


def _title(summary: Summary | ProtectedSummary) -> str:
    return f"{summary.kind.capitalize()} summary {summary.period}, edition {summary.edition}"


def _or_nothing(value: int | float | None) -> int | float | str:
    return "no data" if value is None else value


def _figures(measures: Iterable[Measure]) -> Iterator[Cells]:
    for measure in measures:
        beside = (measure.known, measure.missing, measure.kind, measure.caveat)
        if measure.value is not UNSET:
            shares = (measure.percent, measure.low, measure.high)
            yield (measure.label, measure.label, None, measure.value, measure.known, *shares, *beside)
        for row in measure.lines:
            shares = (row.percent, row.low, row.high)
            yield (measure.label, row.label, row.column, row.value, row.of, *shares, *beside)


def _workbook(
    title: str,
    published: datetime | None,
    about: Iterable[tuple[str, str]],
    sheets: Iterable[tuple[str, Sequence[tuple[str, int]], Iterable[Cells]]],
) -> bytes:
    out = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    book = xlsxwriter.Workbook(out, options)
    created = (published or datetime.fromisoformat("2000-01-01T00:00:00+00:00")).replace(tzinfo=None)
    book.set_properties({"title": title, "author": "Street Triage Log", "created": created})
    bold = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
    first = book.add_worksheet("About")
    first.set_column(0, 0, 22)
    first.set_column(1, 1, 90, book.add_format({"text_wrap": True, "valign": "top"}))
    for n, (term, said) in enumerate(about):
        first.write_string(n, 0, term, bold)
        first.write_string(n, 1, said)
    for name, columns, rows in sheets:
        _sheet(book.add_worksheet(name), columns, rows, bold)
    book.close()
    return out.getvalue()


def _sheet(sheet: Any, columns: Sequence[tuple[str, int]], rows: Iterable[Cells], bold: Any) -> None:
    sheet.freeze_panes(1, 2)
    for n, (name, width) in enumerate(columns):
        sheet.write_string(0, n, name, bold)
        sheet.set_column(n, n, width)
    last = 0
    for last, row in enumerate(rows, 1):
        for n, cell in enumerate(row):
            if isinstance(cell, str):
                sheet.write_string(last, n, cell)
            elif cell is not None:
                sheet.write_number(last, n, cell)
    sheet.autofilter(0, 0, last, len(columns) - 1)

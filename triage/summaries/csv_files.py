"""Summaries as CSV (RFC 4180), caveats in the file, safe to open in a spreadsheet."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

from msgspec import UNSET

from triage.summaries.comparison import Comparison, CoveredSpan
from triage.summaries.editions import Summary
from triage.summaries.figures import Measure

HEADINGS = (
    "measure",
    "label",
    "kind",
    "row",
    "row_label",
    "column",
    "value",
    "of",
    "percent",
    "low",
    "high",
    "known",
    "missing",
    "text",
    "caveat",
)

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""Characters that a spreadsheet takes for a formula, or for the end of the cell before one (OWASP, CSV injection)."""

CsvValue = str | int | float | None


def of_summary(summary: Summary) -> bytes:
    """An edition as CSV: what it says of itself, one line a figure, then what changed."""
    return write(HEADINGS, [*_about(summary), *_figures(summary.measures), *_changes(summary)])


def of_comparison(report: Comparison) -> bytes:
    """Two spans side by side as CSV."""
    headings = (
        "measure",
        "label",
        "row",
        "column",
        *(f"{span}_{name}" for span in ("first", "second") for name in ("value", "of", "percent", "low", "high")),
        "difference_unit",
        "difference",
        "difference_low",
        "difference_high",
        "caveat",
    )
    rows: list[Sequence[CsvValue]] = [
        ("comparison", "Spans", "", "", report.first.name, None, None, None, None, report.second.name),
        ("comparison", "Covered", "", "", _covered(report.first), None, None, None, None, _covered(report.second)),
        ("comparison", "Position in the log", "", "", report.as_at_seq),
        ("comparison", "As at", "", "", report.as_at.isoformat()),
        ("comparison", "Rules", "", "", f"{report.rules}, code lists {report.codes_version}"),
    ]
    rows += [("comparison", "Note", "", "", *(None,) * 14, note) for note in report.notes]
    rows += [("comparison", "Caveat", "", "", *(None,) * 14, caveat) for caveat in report.caveats]
    rows += [
        (
            line.measure,
            line.label,
            line.row,
            line.column,
            *(
                cell
                for side in (line.first, line.second)
                for cell in (side.value, side.of, side.percent, side.low, side.high)
            ),
            line.unit,
            line.difference,
            line.low,
            line.high,
            line.caveat,
        )
        for line in report.lines
    ]
    return write(headings, rows)


def _covered(span: CoveredSpan) -> str:
    return f"{span.covered_from} to {span.covered_to}" if span.covered_from else "nothing"


def caveats(sentences: Iterable[str], columns: int) -> bytes:
    """Lines for the end of a CSV of so many columns; their first cell says what they are."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerows(["caveat", safe(sentence), *[""] * (columns - 2)] for sentence in sentences)
    return text.getvalue().encode()


def write(headings: Sequence[str], rows: Iterable[Sequence[CsvValue]]) -> bytes:
    """CSV with a heading line; texts that a spreadsheet would run are quoted with an apostrophe."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(headings)
    for row in rows:
        cells = [safe(cell) for cell in row]
        writer.writerow(cells + [""] * (len(headings) - len(cells)))
    return text.getvalue().encode()


def safe(cell: CsvValue) -> str | int | float:
    """A cell that no spreadsheet takes for a formula. Numbers stay numbers."""
    if cell is None:
        return ""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


def _about(summary: Summary) -> Iterator[Sequence[CsvValue]]:
    about: dict[str, CsvValue] = {
        "kind": summary.kind,
        "form": summary.form,
        "period": summary.period,
        "edition": summary.edition,
        "starts_at": summary.starts_at.isoformat(),
        "ends_at": summary.ends_at.isoformat(),
        "covered_from": summary.covered_from.isoformat() if summary.covered_from else "nothing",
        "covered_to": summary.covered_to.isoformat() if summary.covered_to else "nothing",
        "published_at": summary.published_at.isoformat() if summary.published_at else "not yet",
        "as_at": summary.as_at.isoformat() if summary.as_at else "none",
        "as_at_seq": summary.as_at_seq,
        "chain_head": summary.chain_head,
        "rules": summary.rules,
        "measures_version": summary.measures_version,
        "codes_version": summary.codes_version,
    }
    for name, value in about.items():
        yield "summary", "", "", name, "", "", value
    for note in summary.notes:
        yield "summary", "", "", "note", "", "", None, None, None, None, None, None, None, note


def _figures(measures: Iterable[Measure]) -> Iterator[Sequence[CsvValue]]:
    for measure in measures:
        head = (measure.code, measure.label, measure.kind)
        if not measure.lines:
            value = None if measure.value is UNSET else measure.value
            printed = (value, None, measure.percent, measure.low, measure.high, measure.known, measure.missing)
            yield *head, "", "", "", *printed, measure.text, measure.caveat
        for row in measure.lines:
            line = (row.code, row.label, row.column, row.value, row.of, row.percent, row.low, row.high)
            yield *head, *line, measure.known, row.missing, row.text or measure.text, measure.caveat


def _changes(summary: Summary) -> Iterator[Sequence[CsvValue]]:
    for change in summary.changes:
        because = "time" if change.why == "time" else "entries: " + ", ".join(change.kinds)
        text = f"was {change.old}, because of {because}"
        printed = (change.part, change.new, None, None, None, None, None, None, text)
        yield "change", change.label, "", change.line, "", *printed

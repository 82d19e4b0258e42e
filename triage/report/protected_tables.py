"""The report of a protected edition: the tables of its catalogue and nothing else, hidden cells as such."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Final
from zoneinfo import ZoneInfo

from triage.exports.catalogue import Quantity
from triage.exports.dictionary import title
from triage.exports.files import PublishedRow, PublishedTable
from triage.exports.protected import ProtectedSummary
from triage.report.blocks import (
    AnyBlock,
    Callout,
    Heading,
    Lines,
    Paragraph,
    Report,
    TableBlock,
    Tables,
    TextCell,
    Tile,
    Tiles,
)
from triage.report.edition_figures import period_said, short_label
from triage.times import parse_period

FOOTER: Final = "Street Triage Log. Protected figures: small numbers are hidden or rounded."
COUNTED: Final[Mapping[Quantity, str]] = {
    "incidents": "All incidents",
    "people": "All known people",
    "median_minutes": "All incidents",
}
"""The one row of a table without a row variable."""


def report(summary: ProtectedSummary, zone: ZoneInfo) -> Report:
    """Every table, its caveats first. No weekly line, no link to an incident, no cell that the catalogue lacks."""
    period = parse_period(summary.kind, summary.period)
    return Report(
        title=f"{summary.kind.capitalize()} report for partners and the public",
        period=period_said(period.starts, period.ends - timedelta(days=1)),
        about=(
            f"Edition {summary.edition}, published {summary.published_at.astimezone(zone):%-d %B %Y}; entries received "
            f"by {summary.cut_off.astimezone(zone):%-d %B %Y, %H:%M}. Protected form, policy "
            f"{summary.statement.policy}."
        ),
        footer=FOOTER,
        protected=True,
        blocks=tuple(_blocks(summary)),
    )


def _blocks(summary: ProtectedSummary) -> Iterator[AnyBlock]:
    coverage = _coverage(summary)
    if coverage:
        yield Callout(strong="Not all of the period is covered.", text=coverage)
    yield Heading(text="How to read these tables", anchor="how")
    yield Lines(items=tuple(summary.statement.read_me))
    areas = next((table for table in summary.tables if table.row_variables == ("area",)), None)
    if areas:
        yield Heading(text="Where", anchor="where")
        yield Paragraph(text="Incidents in each reporting area whose total is shown.")
        yield Tiles(items=tuple(_tiles(areas)))
    yield Heading(text="The tables", anchor="tables")
    yield Tables(across=1, items=tuple(map(_table, summary.tables)))


def _coverage(summary: ProtectedSummary) -> str:
    """Which part of the period the log holds; empty where that is all of it."""
    period = parse_period(summary.kind, summary.period)
    first, last = summary.covered_from, summary.covered_to
    if first is None or last is None:
        return "The log covers nothing of it."
    if first <= period.starts and last >= period.ends - timedelta(days=1):
        return ""
    return f"The log covers {first:%-d %B %Y} to {last:%-d %B %Y} of it."


def _table(table: PublishedTable) -> TableBlock:
    columns = [title(table.column_variable or "", str(cell.column)) for cell in table.rows[0].cells]
    variables = " and ".join(variable.replace("_", " ") for variable in table.row_variables)
    return TableBlock(
        caption=table.title,
        known=table.counts.replace("_", " "),
        head=(variables.capitalize(), *columns),
        rows=tuple(
            (TextCell(_class(table, row)), *(TextCell(str(cell.count)) for cell in row.cells)) for row in table.rows
        ),
        right=tuple(range(1, len(columns) + 1)),
    )


def _class(table: PublishedTable, row: PublishedRow) -> str:
    """The class that a row counts, in words."""
    if not table.row_variables:
        return COUNTED[table.counts]
    return ", ".join(_named(variable, code) for variable, code in zip(table.row_variables, row.row, strict=False))


def _named(variable: str, code: str) -> str:
    label = title(variable, code)
    return short_label("area", code, label) if variable == "area" else label


def _tiles(table: PublishedTable) -> Iterator[Tile]:
    """A tile an area whose total is published; none where it is hidden."""
    for row in table.rows:
        total = next((cell.count for cell in row.cells if cell.column == "all"), None)
        if row.row and row.row[0] != "all" and isinstance(total, int):
            yield Tile(label=_named("area", row.row[0]), total=total)

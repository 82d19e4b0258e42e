"""The report of a protected edition: the tables of its catalogue and nothing else, hidden cells as such."""

from collections.abc import Iterator
from typing import Final
from zoneinfo import ZoneInfo

from triage.exports.files import PublishedTable
from triage.exports.protected import Protected
from triage.report.blocks import AnyBlock, Heading, Lines, Paragraph, Report, TableBlock, Tables, TextCell, Tile, Tiles
from triage.report.board import short_label
from triage.times import parse_period

FOOTER: Final = "Street Triage Log. Protected figures: small numbers are hidden or rounded."


def report(summary: Protected, zone: ZoneInfo) -> Report:
    """Every table, its caveats first. No weekly line, no link to an incident, no cell that the catalogue lacks."""
    period = parse_period(summary.kind, summary.period)
    return Report(
        title=f"{summary.kind.capitalize()} report, protected form",
        period=f"{period.starts:%-d %B %Y} to the day before {period.ends:%-d %B %Y}",
        about=(
            f"Edition {summary.edition}, published {summary.published_at.astimezone(zone):%-d %B %Y}; entries received "
            f"by {summary.cut_off.astimezone(zone):%-d %B %Y, %H:%M}."
        ),
        footer=FOOTER,
        protected=True,
        blocks=tuple(_blocks(summary)),
    )


def _blocks(summary: Protected) -> Iterator[AnyBlock]:
    yield Heading(text="How to read these tables", anchor="how")
    yield Lines(items=tuple(summary.statement.read_me))
    for table in summary.tables:
        yield Heading(text=table.title, anchor=table.code)
        if table.row_variables == ("area",):
            yield Tiles(items=tuple(_tiles(table)))
        yield Tables(across=1, items=(_table(table),))
    yield Paragraph(text=f"Policy {summary.statement.policy}.", small=True)


def _table(table: PublishedTable) -> TableBlock:
    columns = [cell.column for cell in table.rows[0].cells]
    names = [str(name).replace("_", " ") for name in columns]
    variables = ", ".join(table.row_variables).replace("_", " ")
    return TableBlock(
        caption=table.title,
        known=table.counts.replace("_", " "),
        head=(variables.capitalize() or "All", *names),
        rows=tuple(
            (
                TextCell(", ".join(_label(v, c) for v, c in zip(table.row_variables, row.row, strict=False)) or "All"),
                *(TextCell(str(cell.count)) for cell in row.cells),
            )
            for row in table.rows
        ),
        right=tuple(range(1, len(columns) + 1)),
    )


def _label(variable: str, code: str) -> str:
    return (
        short_label(variable, code, code.replace("_", " "))
        if variable in ("area", "local_authority")
        else code.replace("_", " ")
    )


def _tiles(table: PublishedTable) -> Iterator[Tile]:
    """A tile an area whose total is published; none where it is hidden."""
    for row in table.rows:
        total = next((cell.count for cell in row.cells if cell.column == "all"), None)
        if row.row and isinstance(total, int):
            yield Tile(label=_label("area", row.row[0]), total=total)

"""The part of a board report that asks whether Section 136 falls on some groups more than on others."""

from collections.abc import Iterator, Mapping
from math import sqrt
from typing import Final

from triage.report.blocks import AnyBlock, Cell, Heading, IntervalCell, Paragraph, TableBlock, Tables, TextCell
from triage.report.charts import ceiling
from triage.report.edition_figures import EditionFigures, number_said, percent_said
from triage.summaries.figures import FigureRow, line_name

FAIRNESS: Final = (
    "Pooled over 12 months because a shorter period is too small. The thick line is the 95 % interval, the dashed line "
    "everybody; “apart”: the difference from everybody is larger than chance gives in 1 of 500 groups. Self-defined "
    "ethnicity. A difference between groups may come from need, from who is called about, or from what was done; these "
    "figures cannot tell which."
)
APART_AT: Final = 3.09
"""Standard errors: chance gives as much in 1 of 500 groups. With some 15 groups on a page, a 95 % rule would be wrong
in every other report."""
EQUALITY: Final = (("equality_ethnicity", "Ethnic group"), ("equality_sex", "Sex"), ("equality_age", "Age"))


def by_group(figures: EditionFigures) -> Iterator[AnyBlock]:
    """The share of each group’s incidents in which Section 136 was used, where the edition pools it."""
    tables = tuple(table for code, title in EQUALITY if (table := _equality(figures, code, title)))
    if tables:
        yield Heading(text="Is it fair? Section 136 by group, 12 months", anchor="fair")
        yield Paragraph(text="The share of each group’s incidents in which Section 136 was used.")
        yield Tables(across=1, items=tables)
        yield Paragraph(text=FAIRNESS, small=True)


def _equality(figures: EditionFigures, code: str, title: str) -> TableBlock | None:
    measure = figures.measure(code)
    groups: dict[str, dict[str, FigureRow]] = {}
    for row in figures.rows(code):
        groups.setdefault(row.code, {})[row.column or ""] = row
    shown = [group for group in groups.values() if group["incidents"].value]
    if measure is None or not shown:
        return None
    used = sum(int(group["s136_used"].value or 0) for group in shown)
    known = sum(int(group["incidents"].value or 0) for group in shown)
    mean = 100 * used / known if known else None
    most = ceiling(max([group["s136_used"].high or 0 for group in shown] + [10]))
    return TableBlock(
        caption=title,
        known=f"{measure.missing:,} of {measure.missing + measure.known:,} not recorded",
        head=("Group", "Incidents", "Used", f"0 to {most} %", "Share"),
        rows=tuple(_group(code, group, used, known, most, mean) for group in shown),
        right=(1, 2, 4),
    )


def _group(
    code: str, group: Mapping[str, FigureRow], used: int, known: int, most: int, mean: float | None
) -> tuple[Cell, ...]:
    incidents, row = group["incidents"], group["s136_used"]
    x, n = int(row.value or 0), int(row.of or incidents.value or 0)
    apart = row.low is not None and is_apart(x, n, used - x, known - n)
    cell: Cell = (
        IntervalCell(row.low, row.percent, row.high, most, mean)
        if row.low is not None and row.high is not None and row.percent is not None
        else TextCell("too few")
    )
    return (
        TextCell(row.label + (" (apart)" if apart else "")),
        TextCell(number_said(incidents), line_name(code, incidents.name)),
        TextCell(number_said(row), line_name(code, row.name)),
        cell,
        TextCell(percent_said(row)),
    )


def is_apart(x: int, n: int, others: int, of: int) -> bool:
    """Whether x of n differs from the rest, others of `of`, by more than chance gives in 1 of 500 groups."""
    if not n or not of:
        return False
    both = (x + others) / (n + of)
    error = sqrt(both * (1 - both) * (1 / n + 1 / of))
    return error > 0 and abs(x / n - others / of) > APART_AT * error

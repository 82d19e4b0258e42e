"""Answers that may be published: from the protected tables, or not at all."""

from collections.abc import Sequence
from typing import Final, Literal

from triage.errors import OperatorError
from triage.exports.files import PublishedTable
from triage.exports.protected import ProtectedSummary
from triage.exports.tables import ALL
from triage.summaries.csv_files import write

_OF_S136: Final = {"place_of_safety": "s136_place", "transport": "s136_conveyance"}
"""Questions about a section 136, with the variable of the table that answers each."""
_COARSER: Final = {"local_authority": "area"}
"""Variables of tables that answer more coarsely what was asked."""


class NotPublishable(OperatorError):
    """No protected table answers the question; the message says which coarser one would do."""


def published_answer(summary: ProtectedSummary, of: Literal["incidents", "s136"], by: Sequence[str]) -> bytes:
    """The numbers of the one table that answers a question, as CSV headed by what a reader must know of them.

    Raises NotPublishable.
    """
    wanted = [name for name in by if name != "month" or summary.kind != "monthly"]
    table = next((table for table in summary.tables if _answers(table, of, wanted)), None)
    if table is None:
        raise NotPublishable(_instead(summary, of, wanted))
    shown = _column(table, of, wanted)
    lines = [
        (*row.row, cell.column, cell.count)
        for row in table.rows
        for cell in row.cells
        if shown is None or cell.column == shown
    ]
    about = [(sentence,) for sentence in summary.statement.read_me]
    heading = f"{table.title}, {summary.period}, edition {summary.edition}"
    return write((heading,), [*about, (*table.row_variables, table.column_variable or "all", "count"), *lines])


def _answers(table: PublishedTable, of: str, wanted: Sequence[str]) -> bool:
    if table.counts != "incidents":
        return False
    if of == "s136" and len(wanted) == 1 and wanted[0] in _OF_S136:
        return table.column_variable == _OF_S136[wanted[0]]
    variables = set(table.row_variables)
    if of == "s136":
        return variables == set(wanted) and table.column_variable == "disposal"
    if table.column_variable in wanted:
        variables.add(table.column_variable or "")
    return variables == set(wanted) and table.column_variable not in ("grade", "ed_avoided", *_OF_S136.values())


def _column(table: PublishedTable, of: str, wanted: Sequence[str]) -> str | None:
    """The column of a table that holds the answer; None for all of them."""
    if of == "s136":
        return "s136" if table.column_variable == "disposal" else None
    return None if table.column_variable in wanted else ALL


def _instead(summary: ProtectedSummary, of: str, wanted: Sequence[str]) -> str:
    """The period's tables by some of the question's variables, most variables first."""
    coarser = [
        (len(table.row_variables), table.title)
        for table in summary.tables
        if table.counts == "incidents"
        and (of == "incidents" or table.column_variable in ("disposal", *_OF_S136.values()))
        and {_COARSER.get(name, name) for name in table.row_variables} <= set(wanted)
        and set(table.row_variables) != set(wanted)
    ]
    titles = [title for _, title in sorted(coarser, reverse=True)]
    asked = " by ".join(wanted) or "nothing"
    offer = f"; instead: {', '.join(titles)}" if titles else "; a longer period may have it"
    return f"no protected table of {summary.period} gives {of} by {asked}{offer}"

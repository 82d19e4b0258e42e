"""The bytes that are stored and served: the same rows as CSV, NDJSON and, with the `parquet` extra, Parquet.

Rendered once, when a release is cut or an agreement signed. Every value is a published class, a reference in hex or a
number; anything else stops the rendering, so no spreadsheet can take a cell for a formula and no value needs quoting.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Final

import msgspec

from triage.exports.selection import Extract
from triage.exports.tables import Edition

LINES: Final = 1_000
"""How many lines make a chunk."""
TABLES_COLUMNS: Final = ("table", "row", "column", "count")
HIDDEN: Final = "c"

# No comma, quote or line break; and none of = + - @, tab or carriage return in front, which spreadsheets evaluate
_PLAIN: Final = re.compile(r"[A-Za-z0-9*][A-Za-z0-9*_|/+-]*")


class File(msgspec.Struct, frozen=True):
    """One rendered file. `chunks` in order are its bytes; `size` is in bytes, `rows` without a header."""

    name: str
    media_type: str
    rows: int
    size: int
    sha256: str
    chunks: tuple[bytes, ...]


class PublishedCell(msgspec.Struct, frozen=True):
    """A number of a table as it leaves: `count` is `c` where it is hidden."""

    column: str
    count: int | str


class PublishedRow(msgspec.Struct, frozen=True):
    """A row of a table: its class in each row variable, `all` for a total."""

    row: tuple[str, ...]
    cells: tuple[PublishedCell, ...]


class PublishedTable(msgspec.Struct, frozen=True):
    """A table as it leaves, without anything of the ledger."""

    code: str
    title: str
    counts: str
    row_variables: tuple[str, ...]
    column_variable: str | None
    rows: tuple[PublishedRow, ...]


def records_csv(extract: Extract) -> File:
    """`records.csv`. Raises ValueError for a value that is not plain."""
    return _csv("records.csv", extract.columns, extract.rows)


def records_ndjson(extract: Extract) -> File:
    """`records.ndjson`: one object a line. Raises ValueError for a value that is not plain."""
    _check(extract.columns, extract.rows)
    # what is plain needs no escape, and filling a form in takes a sixth of the time of encoding
    line = "{" + ",".join(f'"{column}":"%s"' for column in extract.columns) + "}"
    return rendered(
        "records.ndjson", "application/x-ndjson", len(extract.rows), _chunks(map(line.__mod__, extract.rows))
    )


def tables_csv(edition: Edition) -> File:
    """`tables.csv`: one cell a line; the classes of a row are joined by `/`, and `all` is a total."""
    rows = [
        (cell.table, "/".join(cell.row) or "all", cell.column, HIDDEN if cell.count is None else str(cell.count))
        for cell in edition.cells
    ]
    return _csv("tables.csv", TABLES_COLUMNS, rows)


def published(edition: Edition) -> tuple[PublishedTable, ...]:
    """The tables of an edition for a page or a JSON body, with the numbers of `tables_csv`."""
    return tuple(
        PublishedTable(t.code, t.title, t.counts, t.rows, t.column, _published_rows(edition, t.code))
        for t in edition.tables
    )


def rendered(name: str, media_type: str, rows: int, chunks: Iterable[bytes]) -> File:
    """A file from its bytes, with their digest."""
    kept, digest = [], hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
        kept.append(chunk)
    return File(name, media_type, rows, sum(map(len, kept)), digest.hexdigest(), tuple(kept))


def _published_rows(edition: Edition, table: str) -> tuple[PublishedRow, ...]:
    rows: dict[tuple[str, ...], list[PublishedCell]] = {}
    for cell in edition.cells:
        if cell.table == table:
            count = HIDDEN if cell.count is None else cell.count
            rows.setdefault(cell.row, []).append(PublishedCell(cell.column, count))
    return tuple(PublishedRow(row, tuple(cells)) for row, cells in rows.items())


def _csv(name: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> File:
    _check(columns, rows)
    lines = map(",".join, chain((columns,), rows))
    return rendered(name, "text/csv; charset=utf-8", len(rows), _chunks(lines))


def _check(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    for column, values in zip(columns, zip(*rows, strict=True), strict=False):
        for value in set(values):
            if not _PLAIN.fullmatch(value):
                raise ValueError(f"a value of {column} is not plain: {value!r}")


def _chunks(lines: Iterator[str]) -> Iterator[bytes]:
    while held := list(islice(lines, LINES)):
        yield ("\n".join(held) + "\n").encode()

"""The bytes that are stored and served: the same rows as CSV, NDJSON and, with the `parquet` extra, Parquet.

Rendered once, when a release is cut or an agreement signed. Every value is a published class, a reference in hex or a
number; anything else stops the rendering, so no spreadsheet can take a cell for a formula and no value needs quoting.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Final

import msgspec

from triage.exports.catalogue import Quantity
from triage.exports.selection import Extract
from triage.exports.tables import Edition

LINES: Final = 1_000
"""How many lines make a chunk."""
TABLES_COLUMNS: Final = ("period", "edition", "table", "unit", "row", "row_2", "column", "count")
UNITS: Final[Mapping[Quantity, str]] = {"incidents": "incidents", "people": "people", "median_minutes": "minutes"}
HIDDEN: Final = "c"
SUMS: Final = "SHA256SUMS"
CSV: Final = "text/csv"
NDJSON: Final = "application/x-ndjson"
PARQUET: Final = "application/vnd.apache.parquet"
CSV_METADATA: Final = "application/csvm+json"
TEXT: Final = "text/plain"
MEDIA_TYPES: Final = (CSV, NDJSON, PARQUET, CSV_METADATA, TEXT)
"""Every kind of file that a release may have, without the charset."""
_CRLF: Final = "\r\n"  # RFC 4180

# No comma, quote or line break; and none of = + - @, tab or carriage return in front, which spreadsheets evaluate
_PLAIN: Final = re.compile(r"[A-Za-z0-9*][A-Za-z0-9*_|+ -]*")


class RenderedFile(msgspec.Struct, frozen=True):
    """One rendered file. `chunks` in order are its bytes, `size` of them; `rows` without a header, if it has any."""

    name: str
    media_type: str
    rows: int | None
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
    counts: Quantity
    row_variables: tuple[str, ...]
    column_variable: str | None
    rows: tuple[PublishedRow, ...]


def records_csv(extract: Extract) -> RenderedFile:
    """`records.csv`. Raises ValueError for a value that is not plain."""
    return _csv("records.csv", extract.columns, extract.rows)


def records_ndjson(extract: Extract) -> RenderedFile:
    """`records.ndjson`: one object a line. Raises ValueError for a value that is not plain."""
    _check(extract.columns, extract.rows)
    # what is plain needs no escape, and filling a form in takes a sixth of the time of encoding
    line = "{" + ",".join(f'"{column}":"%s"' for column in extract.columns) + "}"
    return rendered("records.ndjson", NDJSON, len(extract.rows), _chunks(map(line.__mod__, extract.rows), "\n"))


def tables_csv(edition: Edition) -> RenderedFile:
    """`tables.csv`: one cell a line, as `published_lines` says."""
    lines = published_lines(edition.period, edition.edition, published(edition))
    return _csv("tables.csv", TABLES_COLUMNS, list(lines))


def published_lines(period: str, edition: int, tables: Iterable["PublishedTable"]) -> Iterator[tuple[str, ...]]:
    """The lines of `tables.csv`. `all` is a total; the second row is empty where a table has not two row variables."""
    for table in tables:
        for row in table.rows:
            first, second = (*(row.row or ("all",)), "", "")[:2]
            for cell in row.cells:
                yield (
                    period,
                    str(edition),
                    table.code,
                    UNITS[table.counts],
                    first,
                    second,
                    cell.column,
                    str(cell.count),
                )


def metadata(name: str, body: bytes) -> RenderedFile:
    """A file that describes others, and has no rows of its own."""
    return rendered(name, CSV_METADATA, None, [body])


def sums(others: Iterable[RenderedFile]) -> RenderedFile:
    """`SHA256SUMS` of the other files, as `sha256sum --check` reads it."""
    lines = "".join(f"{file.sha256}  {file.name}\n" for file in others)
    return rendered(SUMS, f"{TEXT}; charset=utf-8", None, [lines.encode()])


def published(edition: Edition) -> tuple[PublishedTable, ...]:
    """The tables of an edition for a page or a JSON body, with the numbers of `tables_csv`."""
    return tuple(
        PublishedTable(t.code, t.title, t.counts, t.rows, t.column, _published_rows(edition, t.code))
        for t in edition.tables
    )


def rendered(name: str, media_type: str, rows: int | None, chunks: Iterable[bytes]) -> RenderedFile:
    """A file from its bytes, with their digest."""
    kept, digest = [], hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
        kept.append(chunk)
    return RenderedFile(name, media_type, rows, sum(map(len, kept)), digest.hexdigest(), tuple(kept))


def _published_rows(edition: Edition, table: str) -> tuple[PublishedRow, ...]:
    rows: dict[tuple[str, ...], list[PublishedCell]] = {}
    for cell in edition.cells:
        if cell.table == table:
            count = HIDDEN if cell.count is None else cell.count
            rows.setdefault(cell.row, []).append(PublishedCell(cell.column, count))
    return tuple(PublishedRow(row, tuple(cells)) for row, cells in rows.items())


def _csv(name: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> RenderedFile:
    _check(columns, rows)
    lines = map(",".join, chain((columns,), rows))
    return rendered(name, f"{CSV}; charset=utf-8", len(rows), _chunks(lines, _CRLF))


def _check(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    for column, values in zip(columns, zip(*rows, strict=True), strict=False):
        for value in set(values):
            if not _PLAIN.fullmatch(value) and (column, value) != ("row_2", ""):
                raise ValueError(f"a value of {column} is not plain: {value!r}")


def _chunks(lines: Iterator[str], end: str) -> Iterator[bytes]:
    while held := list(islice(lines, LINES)):
        yield (end.join(held) + end).encode()

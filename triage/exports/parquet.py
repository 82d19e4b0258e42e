"""Parquet files, where the `parquet` extra is installed: typed columns, and key-value metadata that names them."""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from triage.exports.files import HIDDEN, PARQUET, RenderedFile, published, published_lines, rendered
from triage.exports.selection import Extract
from triage.exports.tables import Edition
from triage.libraries import parquet, pyarrow

AVAILABLE = find_spec("pyarrow") is not None
"""The extra is optional: without it releases have no Parquet file."""


def records_parquet(extract: Extract, about: Mapping[str, str]) -> RenderedFile:
    """The rows of `records.csv`: every column a string, since a label may name several classes. Raises RuntimeError.

    The same pyarrow gives the same bytes for the same rows; another version may not, which is why files are stored.
    """
    _require()
    columns = zip(*extract.rows, strict=True) if extract.rows else ((),) * len(extract.columns)
    arrays = [pyarrow.array(values, pyarrow.string()) for values in columns]
    return _written("records.parquet", dict(zip(extract.columns, arrays, strict=True)), len(extract.rows), about)


def tables_parquet(edition: Edition, about: Mapping[str, str]) -> RenderedFile:
    """The lines of `tables.csv`: edition and count are numbers, and a count that is not shown is null."""
    _require()
    lines = list(published_lines(edition.period, edition.edition, published(edition)))
    period, number, table, unit, row, row_2, column, count = zip(*lines, strict=True)
    text, whole = pyarrow.string(), pyarrow.int32()
    arrays = {
        "period": pyarrow.array(period, text),
        "edition": pyarrow.array(map(int, number), whole),
        "table": pyarrow.array(table, text),
        "unit": pyarrow.array(unit, text),
        "row": pyarrow.array(row, text),
        "row_2": pyarrow.array([value or None for value in row_2], text),
        "column": pyarrow.array(column, text),
        "count": pyarrow.array([None if value == HIDDEN else int(value) for value in count], whole),
    }
    return _written("tables.parquet", arrays, len(lines), about)


def _require() -> None:
    if not AVAILABLE:
        raise RuntimeError("Parquet files need the extra: pip install triage[parquet]")


def _written(name: str, columns: Mapping[str, Any], rows: int, about: Mapping[str, str]) -> RenderedFile:
    table = pyarrow.table(list(columns.values()), names=list(columns)).replace_schema_metadata(dict(about))
    out = pyarrow.BufferOutputStream()
    parquet.write_table(table, out, compression="zstd")
    return rendered(name, PARQUET, rows, [out.getvalue().to_pybytes()])

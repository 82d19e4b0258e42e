"""`records.parquet`, where the `parquet` extra is installed: the rows of `records.csv`, every column a string."""

from triage.exports.files import File, rendered
from triage.exports.selection import Extract

try:
    import pyarrow
    import pyarrow.parquet

    AVAILABLE = True
except ModuleNotFoundError:  # the extra is optional: releases then have no Parquet file
    AVAILABLE = False


def records_parquet(extract: Extract) -> File:
    """The file. Raises RuntimeError without the extra.

    The same pyarrow gives the same bytes for the same rows; another version may not, which is why files are stored.
    """
    if not AVAILABLE:
        raise RuntimeError("Parquet files need the extra: pip install triage[parquet]")
    columns = zip(*extract.rows, strict=True) if extract.rows else ((),) * len(extract.columns)
    arrays = [pyarrow.array(values, pyarrow.string()) for values in columns]
    out = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(pyarrow.table(arrays, names=list(extract.columns)), out, compression="zstd")
    return rendered(
        "records.parquet", "application/vnd.apache.parquet", len(extract.rows), [out.getvalue().to_pybytes()]
    )

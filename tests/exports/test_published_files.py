"""The bytes a partner gets: plain values only, the same rows in every format, the same bytes when rendered again."""

import csv
import hashlib
import io
import json

import msgspec
import pyarrow.parquet
import pytest
from cuts import KEY, LARGE, MEDIUM, SMALL, placed, quarter_file

from triage.exports import files, parquet
from triage.exports import tables as t
from triage.exports.catalogue import TOTAL, ladders
from triage.exports.files import File, published, records_csv, records_ndjson, tables_csv
from triage.exports.records import COLUMNS
from triage.exports.selection import ROW_REF, Extract, Selection, extract


def content(file: File) -> bytes:
    return b"".join(file.chunks)


def quarter(incidents: int) -> Extract:
    return extract(quarter_file(incidents), Selection("p", "other"), KEY)


@pytest.mark.parametrize("value", ["=1+1", "+44", "-1", "@SUM(A1)", "\t=1", "\r=1", "a,b", 'a"b', "a\nb", "", "ä"])
def test_a_value_that_is_not_plain_stops_the_file(value: str) -> None:
    odd = Extract(("area",), (("bedford",), (value,)), (0, 1))
    for render in (records_csv, records_ndjson):
        with pytest.raises(ValueError, match="not plain"):
            render(odd)


def test_no_cell_of_a_file_can_be_taken_for_a_formula() -> None:
    lines = csv.reader(io.StringIO(content(records_csv(quarter(MEDIUM))).decode()))
    assert not [cell for line in lines for cell in line if cell[0] in "=+-@\t\r"]


def test_the_columns_are_those_of_the_contract() -> None:
    header = content(records_csv(quarter(SMALL))).split(b"\n")[0].decode()
    assert header.split(",") == [ROW_REF, *COLUMNS]
    assert header == (
        "row_ref,area,age,sex,ethnic_group,shift,month,power,disposal,place_of_safety,minutes_at_scene,source,conveyance"
    )


def test_every_format_has_the_same_rows() -> None:
    rows = quarter(MEDIUM)
    from_csv = list(csv.DictReader(io.StringIO(content(records_csv(rows)).decode())))
    from_ndjson = [json.loads(line) for line in content(records_ndjson(rows)).splitlines()]
    from_parquet = pyarrow.parquet.read_table(io.BytesIO(content(parquet.records_parquet(rows)))).to_pylist()
    assert from_csv == from_ndjson == from_parquet
    assert len(from_csv) == len(rows.rows) > 0


def test_a_file_without_rows_still_has_its_columns() -> None:
    nothing = Extract((ROW_REF, *COLUMNS), (), ())
    assert content(records_csv(nothing)).decode().strip().split(",") == [ROW_REF, *COLUMNS]
    assert content(records_ndjson(nothing)) == b""
    assert pyarrow.parquet.read_table(io.BytesIO(content(parquet.records_parquet(nothing)))).column_names == [
        ROW_REF,
        *COLUMNS,
    ]


@pytest.mark.parametrize("render", [records_csv, records_ndjson, parquet.records_parquet])
def test_digest_size_and_rows_describe_the_bytes_and_the_bytes_never_change(render: object) -> None:
    assert callable(render)
    one, two = render(quarter(SMALL)), render(quarter(SMALL))
    assert content(one) == content(two)
    assert one.sha256 == hashlib.sha256(content(one)).hexdigest()
    assert (one.size, one.rows) == (len(content(one)), len(quarter(SMALL).rows))


def test_a_large_file_comes_in_chunks_of_whole_lines() -> None:
    file = records_csv(quarter(LARGE))
    assert len(file.chunks) > 3
    assert all(chunk.endswith(b"\n") and chunk.count(b"\n") <= files.LINES for chunk in file.chunks)


def test_without_the_extra_there_is_no_parquet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "AVAILABLE", False)
    with pytest.raises(RuntimeError, match=r"triage\[parquet\]"):
        parquet.records_parquet(quarter(SMALL))


def edition() -> t.Edition:
    forms = [form for ladder in ladders("quarterly") for form in ladder]
    return t.freeze("quarterly", "2025-Q1", forms, placed("quarterly", "2025-Q1", MEDIUM), KEY)


def test_tables_have_one_cell_a_line_and_c_for_what_is_hidden() -> None:
    lines = list(csv.DictReader(io.StringIO(content(tables_csv(edition())).decode())))
    assert set(lines[0]) == {"table", "row", "column", "count"}
    assert len(lines) == len(edition().cells)
    assert {line["count"] for line in lines if not line["count"].isdigit()} == {"c"}
    assert all(int(line["count"]) % 5 == 0 for line in lines if line["count"] != "c")
    assert [line["count"] for line in lines if line["table"] == TOTAL.code] == [
        str(edition().cells[0].count),
    ]


def test_a_page_and_a_file_show_the_same_numbers_and_nothing_of_the_ledger() -> None:
    tables = published(edition())
    numbers = [str(cell.count) for table in tables for row in table.rows for cell in row.cells]
    lines = csv.DictReader(io.StringIO(content(tables_csv(edition())).decode()))
    assert numbers == [line["count"] for line in lines]
    written = msgspec.json.encode(tables)
    assert all(str(cell.x).encode() not in written for cell in edition().cells if cell.x)

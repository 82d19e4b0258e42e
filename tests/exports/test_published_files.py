"""The bytes a partner gets: plain values only, the same rows in every format, the same bytes when rendered again."""

import csv
import hashlib
import io
import json

import msgspec
import pyarrow.parquet
import pytest
from cuts import KEY, LARGE, MEDIUM, SMALL, placed, quarter_file
from support.spreadsheet import taken_for_something_else

from triage.exports import dictionary, files, parquet
from triage.exports import tables as t
from triage.exports.catalogue import CLASSES, TOTAL, ladders
from triage.exports.files import RenderedFile, published, records_csv, records_ndjson, tables_csv
from triage.exports.members import AGE_FIRST, RECORD_COLUMNS
from triage.exports.records import COLUMNS
from triage.exports.rendering import classes_for
from triage.exports.selection import ROW_REF, Extract, Selection, extract, reference


def content(file: RenderedFile) -> bytes:
    return b"".join(file.chunks)


ABOUT = {"release": "records/2025-Q1/1", "policy": "records-1"}


def in_parquet(rows: Extract) -> RenderedFile:
    return parquet.records_parquet(rows, ABOUT)


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
    header = content(records_csv(quarter(SMALL))).split(b"\r\n")[0].decode()
    assert header.split(",") == [ROW_REF, *COLUMNS]
    assert header == (
        "row_ref,area,age,sex,ethnic_group,shift,month,power,disposal,place_of_safety,minutes_at_scene,source,conveyance"
    )


def test_every_format_has_the_same_rows() -> None:
    rows = quarter(MEDIUM)
    from_csv = list(csv.DictReader(io.StringIO(content(records_csv(rows)).decode())))
    from_ndjson = [json.loads(line) for line in content(records_ndjson(rows)).splitlines()]
    from_parquet = pyarrow.parquet.read_table(io.BytesIO(content(in_parquet(rows)))).to_pylist()
    assert from_csv == from_ndjson == from_parquet
    assert len(from_csv) == len(rows.rows) > 0


def test_a_file_without_rows_still_has_its_columns() -> None:
    nothing = Extract((ROW_REF, *COLUMNS), (), ())
    assert content(records_csv(nothing)).decode().strip().split(",") == [ROW_REF, *COLUMNS]
    assert content(records_ndjson(nothing)) == b""
    assert pyarrow.parquet.read_table(io.BytesIO(content(in_parquet(nothing)))).column_names == [
        ROW_REF,
        *COLUMNS,
    ]


@pytest.mark.parametrize("render", [records_csv, records_ndjson, in_parquet])
def test_digest_size_and_rows_describe_the_bytes_and_the_bytes_never_change(render: object) -> None:
    assert callable(render)
    first, two = render(quarter(SMALL)), render(quarter(SMALL))
    assert content(first) == content(two)
    assert first.sha256 == hashlib.sha256(content(first)).hexdigest()
    assert (first.size, first.rows) == (len(content(first)), len(quarter(SMALL).rows))


def test_a_large_file_comes_in_chunks_of_whole_lines() -> None:
    file = records_csv(quarter(LARGE))
    assert len(file.chunks) > 3
    assert all(chunk.endswith(b"\r\n") and chunk.count(b"\r\n") <= files.LINES for chunk in file.chunks)


def test_csv_ends_its_lines_as_rfc_4180_says() -> None:
    for file in (records_csv(quarter(SMALL)), tables_csv(edition())):
        assert content(file).count(b"\n") == content(file).count(b"\r\n") == (file.rows or 0) + 1


def test_without_the_extra_there_is_no_parquet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "AVAILABLE", False)
    with pytest.raises(RuntimeError, match=r"triage\[parquet\]"):
        in_parquet(quarter(SMALL))


def edition() -> t.Edition:
    forms = [form for ladder in ladders("quarterly") for form in ladder]
    return t.freeze("quarterly", "2025-Q1", forms, placed("quarterly", "2025-Q1", MEDIUM), KEY)


def test_tables_have_one_cell_a_line_and_c_for_what_is_hidden() -> None:
    lines = list(csv.DictReader(io.StringIO(content(tables_csv(edition())).decode())))
    assert list(lines[0]) == ["period", "edition", "table", "unit", "row", "row_2", "column", "count"]
    assert {line["unit"] for line in lines} == {"incidents", "minutes"}
    assert {(line["period"], line["edition"]) for line in lines} == {("2025-Q1", "1")}
    two = [line for line in lines if line["table"] == "sex_age_disposal"]
    assert {line["row_2"] for line in two} == {"all", *CLASSES["age"]}
    assert {line["row_2"] for line in lines if line["table"] == "sex_power"} == {""}
    assert {line["row"] for line in lines if line["table"] == "grade"} == {"all"}
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


# --- what describes them


def test_tables_in_parquet_are_typed_and_say_what_they_are() -> None:
    table = pyarrow.parquet.read_table(io.BytesIO(content(parquet.tables_parquet(edition(), ABOUT))))
    assert {field.name: str(field.type) for field in table.schema} == dict.fromkeys(files.TABLES_COLUMNS, "string") | {
        "edition": "int32",
        "count": "int32",
    }
    lines = list(csv.DictReader(io.StringIO(content(tables_csv(edition())).decode())))
    assert table.column("count").to_pylist() == [None if x["count"] == "c" else int(x["count"]) for x in lines]
    assert [row or "" for row in table.column("row_2").to_pylist()] == [x["row_2"] for x in lines]
    assert table.schema.metadata == {name.encode(): value.encode() for name, value in ABOUT.items()}


def test_the_checksums_are_of_every_other_file() -> None:
    others = [records_csv(quarter(SMALL)), records_ndjson(quarter(SMALL))]
    lines = content(files.sums(others)).decode().splitlines()
    assert lines == [f"{file.sha256}  {file.name}" for file in others]
    assert files.sums(others).rows is None


def test_every_column_class_and_month_of_a_record_file_has_a_title() -> None:
    months = ("2025-04", "2025-05", "2025-06")
    classes = classes_for(Selection("p", "other"), months)
    rows = quarter(SMALL)
    described = json.loads(dictionary.records_metadata(rows.columns, classes, "Record file 2025-Q1"))
    columns = {column["name"]: column for column in described["tableSchema"]["columns"]}
    assert (described["url"], list(columns)) == ("records.csv", list(rows.columns))
    for name, column in columns.items():
        titles = {term["schema:termCode"]: term["schema:name"] for term in column.get("schema:valueReference", ())}
        published = {part for row in rows.rows for part in row[rows.columns.index(name)].split("|")} - {"*"}
        assert name == ROW_REF or published <= titles.keys(), name
        assert all(titles.values()) and column["titles"] and column["dc:description"]
    assert columns["month"]["schema:valueReference"][0]["schema:name"] == "April 2025"


def test_every_table_and_class_of_a_table_file_has_a_title() -> None:
    described = json.loads(dictionary.tables_metadata(files.TABLES_COLUMNS, edition().tables, "Tables 2025-Q1"))
    columns = {column["name"]: column for column in described["tableSchema"]["columns"]}
    assert list(columns) == list(files.TABLES_COLUMNS)
    lines = list(csv.DictReader(io.StringIO(content(tables_csv(edition())).decode())))
    for name in ("table", "row", "row_2", "column"):
        titles = {term["schema:termCode"] for term in columns[name]["schema:valueReference"]}
        assert {line[name] for line in lines} - {"all", ""} <= titles
    assert columns["count"] == columns["count"] | {"datatype": "integer", "null": "c"}


# --- what a spreadsheet would make of it


@pytest.mark.parametrize("value", ["2-4", "07-15", "04-08", "999", "1", "12e5", "11-15", "3/4", "4 pm", "TRUE", "=1"])
def test_what_a_spreadsheet_takes_for_something_else(value: str) -> None:
    assert taken_for_something_else(value)


def test_no_published_class_is_taken_for_a_date_or_a_number() -> None:
    classes = {
        label for labels in (*CLASSES.values(), *(column.classes for column in RECORD_COLUMNS)) for label in labels
    } | set(AGE_FIRST)
    assert [label for label in classes if taken_for_something_else(label)] == []


def test_no_reference_is_taken_for_a_number() -> None:
    assert not [row[0] for row in quarter(LARGE).rows if taken_for_something_else(row[0])]
    digits = (reference(KEY, number)[1:] for number in range(100_000))
    assert any(map(taken_for_something_else, digits)), "without the letter some would be"

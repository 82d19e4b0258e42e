"""The meaning of every published column, class and month, as data: `metadata.json`, CSV on the Web (W3C, 2015)."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Final

import msgspec

from triage import codes
from triage.exports import members as m
from triage.exports.catalogue import CLASSES, CatalogueTable
from triage.exports.members import RECORD_COLUMNS

METADATA: Final = "metadata.json"

COLUMNS: Final[Mapping[str, tuple[str, str]]] = {
    "row_ref": (
        "Row reference",
        "By which to ask about a row; another one in every release and for everybody.",
    ),
    **{column.name: (column.title, column.meaning) for column in RECORD_COLUMNS},
    "period": (
        "Period",
        "A month, a quarter or a financial year, named by the year it starts in.",
    ),
    "edition": ("Edition", "Counted from 1."),
    "table": ("Table", "One of a fixed catalogue."),
    "unit": ("Unit", "What the number counts."),
    "row": ("Row", "The class of the table's first row variable; all is a total."),
    "row_2": ("Second row", "The class of the table's second row variable; empty where it has one."),
    "column": ("Column", "The class of the table's column variable; all is a total."),
    "count": ("Count", "A multiple of five; c is not shown."),
}
"""The title and meaning of every column of a file."""

_TITLES: Final[Mapping[str, str]] = {
    "s136": "Section 136",
    "arrest": "Arrest",
    "central_bedfordshire": "Central Bedfordshire",
    "other_or_none": "Another power, or none",
    "custody": "Police custody",
    "power_used": "A power was used",
    "power_not_used": "No power was used",
    "health_based": "Health-based place of safety",
    "emergency_call": "999 call",
    "police_or_triage_car": "Police vehicle or triage car",
    "18-64": "18 to 64 years",
    "0-17": "Under 18 years",
    "18-34": "18 to 34 years",
    "35-49": "35 to 49 years",
    "50-64": "50 to 64 years",
    "65+": "65 years and over",
    "0-29": "Under 30 minutes",
    "30-59": "30 to 59 minutes",
    "60-119": "60 to 119 minutes",
    "120+": "120 minutes and over",
    "07 to 15": "07:00 to 15:00",
    "15 to 23": "15:00 to 23:00",
    "23 to 07": "23:00 to 07:00",
    "A": "Corroborated",
    "B": "Recorded at the time",
    "C": "Claimed",
    "X": "Disputed or unavailable",
    "R": "Reversed within 24 hours",
    "U": "Undetermined",
    "P": "Pending",
    m.NOT_SHOWN: "Not shown in this group",
    "all": "Total",
}
_LISTS: Final[Mapping[str, str]] = {"area": "area", "ethnicity": "ethnicity", "sex": "sex"}
"""Classifications whose classes are codes, and the list that names them."""


def title(variable: str, label: str) -> str:
    """A class in words."""
    if m.POOLED in label:
        return " or ".join(title(variable, part) for part in label.split(m.POOLED))
    listed = codes.list(_LISTS[variable]).get(label) if variable in _LISTS else None
    if listed:
        return listed.label
    if variable == "month" and label != m.NOT_SHOWN:
        return f"{date.fromisoformat(f'{label}-01'):%B %Y}"
    return _TITLES.get(label) or label.replace("_", " ").capitalize()


def records_metadata(columns: Iterable[str], classes: Mapping[str, Sequence[str]], about: str) -> bytes:
    """`metadata.json` of a record file. `classes` are those of each column, and the months of `month`."""
    described = [_column(name, _terms(name, classes.get(name, ())) or None) for name in columns]
    return _document("records.csv", about, described)


def tables_metadata(columns: Iterable[str], tables: Iterable[CatalogueTable], about: str) -> bytes:
    """`metadata.json` of the tables of a period, with the title of each and of every class in them."""
    chosen = list(tables)
    variables = dict.fromkeys(
        variable for table in chosen for variable in (*table.rows, table.column) if variable is not None
    )
    terms: dict[str, list[dict[str, str]]] = {
        "table": [_term(table.code, table.title) for table in chosen],
        "column": [term for variable in variables for term in _terms(variable, CLASSES[variable])],
    }
    terms["row"] = terms["row_2"] = terms["column"]
    return _document("tables.csv", about, [_column(name, terms.get(name)) for name in columns])


def _terms(variable: str, classes: Iterable[str]) -> list[dict[str, str]]:
    return [_term(label, title(variable, label)) for label in classes]


def _term(code: str, name: str) -> dict[str, str]:
    return {"@type": "schema:DefinedTerm", "schema:termCode": code, "schema:name": name}


def _column(name: str, terms: Sequence[Mapping[str, str]] | None) -> dict[str, Any]:
    text, meaning = COLUMNS[name]
    column: dict[str, Any] = {"name": name, "titles": text, "dc:description": meaning, "datatype": "string"}
    if name == "count":
        column |= {"datatype": "integer", "null": "c"}
    elif name == "edition":
        column["datatype"] = "integer"
    if terms:
        column["schema:valueReference"] = list(terms)
    return column


def _document(url: str, about: str, columns: Sequence[Mapping[str, Any]]) -> bytes:
    document = {
        "@context": ["http://www.w3.org/ns/csvw", {"@language": "en-GB"}],
        "url": url,
        "dc:title": about,
        "dialect": {"encoding": "utf-8", "lineTerminators": ["\r\n"], "header": True},
        "tableSchema": {"columns": columns},
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"

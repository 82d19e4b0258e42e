"""The OpenAPI document is what the program does: generated, committed, sound, and readable by people."""

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
from click.testing import CliRunner
from support.operations import OPERATIONS

from triage import codes
from triage.__main__ import main
from triage.commands.codes import page
from triage.http import openapi, reference, schemas
from triage.http.application import build
from triage.http.sync_messages import SyncRequest
from triage.log import entries
from triage.log.decode import decode, decode_as, decode_item
from triage.problems import CATALOGUE, INTERNAL
from triage.settings import Settings

COMMITTED = Path(__file__).parents[2] / "openapi" / "triage.json"
BYTES = openapi.document(build(Settings(), openapi_config=openapi.config()))
DOCUMENT: dict[str, Any] = json.loads(BYTES)
SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]
CALLS = [
    pytest.param(path, method, described, id=f"{method.upper()} {path}")
    for path, methods in DOCUMENT["paths"].items()
    for method, described in methods.items()
]
ENTRY_EXAMPLES = openapi.examples("AnyEntry")


def walk(value: Any) -> Iterator[Any]:
    yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from walk(inner)


# --- the committed file


def test_the_committed_document_is_what_the_program_says() -> None:
    assert COMMITTED.read_bytes() == BYTES, "write it anew: triage openapi > openapi/triage.json"


def test_the_same_program_gives_the_same_bytes() -> None:
    assert openapi.document(build(Settings(), openapi_config=openapi.config())) == BYTES


def test_the_commands_print_what_is_committed_and_what_is_served() -> None:
    run = CliRunner()
    assert run.invoke(main, ["openapi"]).stdout_bytes == BYTES
    assert run.invoke(main, ["codes"]).stdout_bytes == codes.document() + b"\n"
    assert run.invoke(main, ["codes", "--markdown"]).stdout == page()


def test_every_reference_leads_somewhere() -> None:
    references = {node["$ref"] for node in walk(DOCUMENT) if isinstance(node, dict) and "$ref" in node}
    assert references
    for reference_ in references:
        node: Any = DOCUMENT
        for part in reference_.removeprefix("#/").split("/"):
            assert part in node, reference_
            node = node[part]


def test_types_of_one_name_are_refused() -> None:
    first, other = (msgspec.defstruct("Twin", [("field", int)], module=name) for name in ("one", "other"))
    with pytest.raises(ValueError, match="Twin"):
        schemas.schemas([first, other])


# --- operations


@pytest.mark.parametrize(("path", "method", "described"), CALLS)
def test_every_operation_says_what_it_does_and_what_can_go_wrong(path: str, method: str, described: Any) -> None:
    assert described["summary"] and described["description"]
    for status, response in described["responses"].items():
        assert response["description"]
        assert "X-Request-ID" in response["headers"]
        if int(status) >= 400:
            assert list(response["content"]) == ["application/problem+json"]
            content = response["content"]["application/problem+json"]
            assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
            assert {CATALOGUE[code].status for code in content["examples"]} == {int(status)}
    if described.get("security") != [{}]:
        assert "WWW-Authenticate" in described["responses"]["401"]["headers"]
    if "requestBody" in described:
        assert {"400", "413", "415", "422"} <= set(described["responses"])
    for status in {"429", "503"} & set(described["responses"]):
        assert "Retry-After" in described["responses"][status]["headers"]


@pytest.mark.parametrize(("path", "method", "described"), CALLS)
def test_every_part_of_a_path_is_a_parameter(path: str, method: str, described: Any) -> None:
    named = {parameter["name"] for parameter in described["parameters"] if parameter.get("in") == "path"}
    assert named == set(re.findall(r"{(\w+)}", path))


def test_operations_are_told_apart() -> None:
    names = [described["operationId"] for methods in DOCUMENT["paths"].values() for described in methods.values()]
    assert len(names) == len(set(names))


def test_only_what_needs_no_sign_in_is_open() -> None:
    opened = {
        path for path, methods in DOCUMENT["paths"].items() for method in methods.values() if "security" in method
    }
    assert opened <= {
        "/v1/devices",
        "/openapi.json",
        "/docs",
        "/docs/style.css",
        "/problems/{code}",
        "/health/live",
        "/health/ready",
    }


# --- types


def test_entries_are_told_apart_by_kind_also_inside_an_amendment() -> None:
    union, nested = SCHEMAS["AnyEntry"], SCHEMAS["Amendment"]["properties"]["entry"]
    assert set(union["discriminator"]["mapping"]) == set(entries.KINDS)
    assert set(nested["discriminator"]["mapping"]) == {str(e.__struct_config__.tag) for e in entries.AMENDABLE}
    for schema in (union, nested):
        assert {reference["$ref"] for reference in schema["oneOf"]} == set(schema["discriminator"]["mapping"].values())
        for kind, reference_ in schema["discriminator"]["mapping"].items():
            assert SCHEMAS[reference_.rpartition("/")[2]]["properties"]["kind"]["enum"] == [kind]


def test_unknown_fields_are_refused_in_requests_only() -> None:
    assert SCHEMAS["Officer"]["additionalProperties"] is False
    assert SCHEMAS["IntentPart"]["additionalProperties"] is False
    assert "additionalProperties" not in SCHEMAS["IncidentView"]


def test_lengths_and_ranges_are_told() -> None:
    nurse = SCHEMAS["Nurse"]["properties"]
    assert nurse["note"]["maxLength"] == 280
    assert re.fullmatch(nurse["note"]["pattern"], "Calm.\n") and not re.search(nurse["note"]["pattern"], "Cal\0m")
    assert nurse["presenting"]["maxItems"] == 3
    assert (nurse["age"]["minimum"], nurse["age"]["maximum"]) == (0, 130)
    assert nurse["told_intent"]["type"] == ["boolean", "null"]


def test_codes_are_enums_of_every_version() -> None:
    for name in codes.names():
        if f"codes.{name}" in SCHEMAS:
            assert SCHEMAS[f"codes.{name}"]["enum"] == [row.code for row in codes.list(name)]
    used = {meta.extra["codes"] for meta in _metas() if meta.extra and "codes" in meta.extra}
    assert {f"codes.{name}" for name in used} <= set(SCHEMAS)
    assert SCHEMAS["Outcome"]["properties"]["disposal"] == {"$ref": "#/components/schemas/codes.disposal"}


def _metas() -> Iterator[msgspec.Meta]:
    for kind in vars(entries).values():
        yield from (meta for meta in getattr(kind, "__metadata__", ()) if isinstance(meta, msgspec.Meta))


def test_what_may_be_absent_from_a_view_is_not_required_and_the_rest_is() -> None:
    view, detention = SCHEMAS["IncidentView"], SCHEMAS["DetentionView"]
    assert {"diversion", "intents", "physical_need"} & set(view["required"]) == set()
    assert {"id", "status", "outcome", "location_type"} <= set(view["required"])
    assert view["properties"]["location_type"]["type"] == ["string", "null"]
    assert "result" not in detention["required"]
    assert detention["properties"]["expires_at"] == {"type": ["string", "null"], "format": "date-time"}


# --- examples


def test_every_body_has_an_example() -> None:
    for methods in DOCUMENT["paths"].values():
        for described in methods.values():
            if "requestBody" in described:
                assert described["requestBody"]["content"]["application/json"]["examples"], described["operationId"]


def test_there_is_an_example_of_every_kind_of_entry() -> None:
    assert set(ENTRY_EXAMPLES) == set(entries.KINDS)


@pytest.mark.parametrize("kind", ENTRY_EXAMPLES)
def test_an_example_of_an_entry_is_sound(kind: str) -> None:
    entry = decode(ENTRY_EXAMPLES[kind], UUID(int=1))
    assert entry.__struct_config__.tag == kind


@pytest.mark.parametrize(
    ("kind", "example"),
    [
        pytest.param(operation.body, example, id=f"{operation.body.__name__} {name}")
        for operation in OPERATIONS
        if isinstance(operation.body, type)
        for name, example in openapi.examples(operation.body.__name__).items()
    ],
)
def test_an_example_of_another_body_is_sound(kind: type[msgspec.Struct], example: bytes) -> None:
    decode_as(kind, example)


def test_the_entries_of_the_example_of_a_sync_are_sound() -> None:
    request = decode_as(SyncRequest, openapi.examples("SyncRequest")["two_entries"])
    assert isinstance(request.entries, list)
    assert [decode_item(item).__struct_config__.tag for item in request.entries] == ["intent", "outcome"]


def test_there_is_an_example_of_every_problem() -> None:
    shown = DOCUMENT["components"]["examples"]
    assert {code: example["value"]["status"] for code, example in shown.items()} == {
        code: listed.status for code, listed in CATALOGUE.items()
    }


# --- the page


class PageReader(HTMLParser):
    """Notes what a browser would act on."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def all(self, name: str) -> list[str]:
        return [value for attribute, value in self.attributes if attribute == name]


@pytest.fixture(scope="module")
def read() -> PageReader:
    reader = PageReader()
    reader.feed(reference.page(DOCUMENT).decode())
    return reader


def test_the_page_runs_and_loads_nothing_from_elsewhere(read: PageReader) -> None:
    assert not {"script", "style", "img", "iframe", "form"} & set(read.tags)
    assert not [name for name, _ in read.attributes if name.startswith("on") or name in ("style", "src")]
    assert {link for link in read.all("href") if not link.startswith("#")} == {"/docs/style.css", "/openapi.json"}
    assert "url(" not in reference.style().decode() and "@import" not in reference.style().decode()


def test_every_link_of_the_page_leads_somewhere(read: PageReader) -> None:
    ids = read.all("id")
    assert len(ids) == len(set(ids))
    assert {link[1:] for link in read.all("href") if link.startswith("#")} <= set(ids)


def test_the_page_has_every_operation_problem_and_type(read: PageReader) -> None:
    operations = {method["operationId"] for methods in DOCUMENT["paths"].values() for method in methods.values()}
    wanted = operations | {f"problem-{code}" for code in CATALOGUE} | {f"schema-{name}" for name in SCHEMAS}
    assert wanted <= set(read.all("id"))


def test_the_page_can_be_read_without_seeing_it(read: PageReader) -> None:
    assert read.all("lang") == ["en"]
    assert read.tags.count("h1") == read.tags.count("main") == read.tags.count("title") == 1
    assert read.tags.count("caption") == read.tags.count("table")
    assert read.tags.count("th") == len(read.all("scope"))
    levels = [int(tag[1]) for tag in read.tags if re.fullmatch(r"h[1-6]", tag)]
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_text_of_the_document_cannot_become_markup() -> None:
    assert reference.prose("<b>`<i>`</b>") == "<p>&lt;b&gt;<code>&lt;i&gt;</code>&lt;/b&gt;</p>"
    assert "<script" not in str(reference.kind({"enum": ["<script>"]}))


# --- served


def test_what_every_operation_may_answer_is_in_the_introduction() -> None:
    assert f"500 `{INTERNAL.code}`" in DOCUMENT["info"]["description"]

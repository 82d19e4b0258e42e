"""The OpenAPI 3.1 document, built from the table of operations and the types it names.

What a type says reaches the document through msgspec: lengths, ranges, what is required, and the docstring. Added here
are what msgspec cannot know: code lists as enums, `oneOf` where one field tells the kinds apart, and the problems of
each operation. The same program gives the same bytes.
"""

import inspect
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any, Final, get_args, get_type_hints

import msgspec
from msgspec import UnsetType
from msgspec import inspect as types

from triage import codes
from triage.http.operations import Operation, Parameter, Response
from triage.log.body_errors import CONTROL
from triage.log.entries import AnyEntry
from triage.problems import CATALOGUE, Listed, Problem
from triage.resources import folder

Json = dict[str, Any]

SCHEMAS: Final = "#/components/schemas/"
PLAIN: Final = f"^[^{CONTROL.pattern[1:]}*$"
"""No text that is sent holds a control character."""
SUMMARY: Final = "Incidents of a mental health street triage team: what was considered, done, and what came of it."
DESCRIPTION: Final = """\
Bodies are JSON in UTF-8. Times are RFC 3339 with an offset. A field that is null says the same as one that is absent.
Request bodies may be coded with gzip or zstd (`Content-Encoding`).

Every answer that is not success is `application/problem+json`, and its `code` is one of a closed list. An address that
does not exist is 404 `not_found`; a method it does not have is 405 `method_not_allowed` with `Allow`. `HEAD` works
wherever `GET` does. Any request may be answered 500 `internal`, which tells nothing.

Code lists are dated data: `GET /v1/codes` is what is in force, the enums here are what this version of the program
shipped with. New fields may appear in answers at any time; in requests, unknown fields are refused.
"""
BEARER: Final = "A token of a device or partner of this service, or an access token of a configured issuer."
HEADERS: Final = {
    "ETag": "A strong entity tag over the body, for `If-None-Match`.",
    "Link": 'The next page (`rel="next"`), where there is one.',
    "Retry-After": "Whole seconds to wait, spread so that clients do not all come back at once.",
    "WWW-Authenticate": "Always `Bearer`.",
    "X-Request-ID": "The id of this request in the service's log: the one that was sent, or a new one.",
    "Location": "Where to read on.",
    "Accept-Ranges": "Always `bytes`.",
    "Content-Range": "Which bytes of how many these are.",
    "Content-Disposition": "The name to save the file under.",
}
"""Every header that an answer may document."""

WITH_PROBLEM: Final = {401: ("WWW-Authenticate",), 429: ("Retry-After",), 503: ("Retry-After",)}
REQUEST_ID: Final = {
    "name": "X-Request-ID",
    "in": "header",
    "description": "1 to 64 letters, digits, dots, dashes or underscores to find this request by in the service's log; "
    "anything else is passed over.",
    "schema": {"type": "string"},
}


def build(operations: Sequence[Operation]) -> bytes:
    """The document, indented, with a line end. Raises ValueError where two types of one name would reach it."""
    kinds = [Problem, AnyEntry, *(kind for operation in operations for kind in _kinds(operation))]
    schemas, components = _schemas(kinds)
    components["AnyEntry"] = schemas[1] | {"description": "An entry of any kind; `kind` tells which."}
    known = _Known(dict(zip(map(id, kinds), schemas, strict=True)))
    known.schemas[id(AnyEntry)] = {"$ref": SCHEMAS + "AnyEntry"}
    paths: Json = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, known)
    document = {
        "openapi": "3.1.0",
        "info": {"title": "Street Triage Log", "version": "1", "summary": SUMMARY, "description": DESCRIPTION},
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}],
        "tags": [{"name": tag} for tag in dict.fromkeys(operation.tag for operation in operations)],
        "paths": paths,
        "components": {
            "schemas": dict(sorted({**components, **_code_lists(components)}.items())),
            "parameters": {"RequestId": REQUEST_ID},
            "examples": {
                code: {"summary": listed.title, "value": listed.problem()} for code, listed in CATALOGUE.items()
            },
            "headers": {name: {"description": text, "schema": _header_schema(name)} for name, text in HEADERS.items()},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "description": BEARER}},
        },
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


class _Known:
    """The schema of every type in the table, by identity: unions cannot always be hashed."""

    def __init__(self, schemas: dict[int, Json]) -> None:
        self.schemas = schemas

    def __getitem__(self, kind: Any) -> Json:
        return self.schemas[id(kind)]


def _kinds(operation: Operation) -> Iterable[Any]:
    yield from (parameter.kind for parameter in operation.parameters)
    for response in operation.responses:
        yield from response.kinds
    if operation.body is not None:
        yield operation.body


def _header_schema(name: str) -> Json:
    return {"type": "integer", "minimum": 0} if name == "Retry-After" else {"type": "string"}


# --- operations


def _operation(operation: Operation, known: _Known) -> Json:
    name = f"{operation.handler.__module__.rpartition('.')[2]}_{operation.handler.__name__}"
    found: Json = {
        "operationId": name,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": _describe(operation),
        "parameters": [*(_parameter(each, known) for each in operation.parameters), _ref("parameters", "RequestId")],
        "responses": _responses(operation, known),
    }
    if operation.body is not None:
        content = {"schema": known[operation.body]}
        named = examples(known[operation.body]["$ref"].removeprefix(SCHEMAS))
        if named:
            content["examples"] = {name: {"value": msgspec.json.decode(body)} for name, body in named.items()}
        found["requestBody"] = {"required": True, "content": {"application/json": content}}
    if operation.open:
        found["security"] = []
    return found


def _describe(operation: Operation) -> str:
    parts = [inspect.getdoc(operation.handler) or "", operation.description]
    if operation.verb is not None:
        parts.append(f"Needs: {_in_code(operation.verb)}.")
    return "\n\n".join(part for part in parts if part)


def _in_code(verbs: str) -> str:
    """Verbs are the words with a dot; the rest is prose."""
    return " ".join(f"`{word.strip(',')}`{',' * word.endswith(',')}" if "." in word else word for word in verbs.split())


def _parameter(parameter: Parameter, known: _Known) -> Json:
    return {
        "name": parameter.name,
        "in": parameter.where,
        "description": parameter.description,
        "required": parameter.required,
        "schema": known[parameter.kind],
    }


def _responses(operation: Operation, known: _Known) -> Json:
    found: Json = {}
    for response in operation.responses:
        found[str(response.status)] = _success(response, known)
    by_status = sorted(dict.fromkeys(operation.problems, 0), key=lambda problem: (problem.status, problem.code))
    for status, problems in groupby(by_status, key=lambda problem: problem.status):
        found[str(status)] = _refusal(status, list(problems))
    return found


def _success(response: Response, known: _Known) -> Json:
    found: Json = {"description": response.description, "headers": _headers(response.headers)}
    if response.status in (204, 304, 308):
        return found
    described: Json = {"anyOf": [known[kind] for kind in response.kinds]} if response.kinds else {}
    if len(response.kinds) == 1:
        [described] = (known[kind] for kind in response.kinds)
    found["content"] = {
        media_type: {"schema": described if media_type == "application/json" else {}}
        for media_type in response.media_types
    }
    return found


def _refusal(status: int, problems: Sequence[Listed]) -> Json:
    named = [problem.code for problem in problems]
    narrowed = {"properties": {"status": {"const": status}, "code": {"enum": named}}}
    return {
        "description": "; ".join(f"`{problem.code}`: {problem.title}" for problem in problems) + ".",
        "headers": _headers(WITH_PROBLEM.get(status, ())),
        "content": {
            "application/problem+json": {
                "schema": {"allOf": [{"$ref": SCHEMAS + "Problem"}, narrowed]},
                "examples": {problem.code: _ref("examples", problem.code) for problem in problems},
            }
        },
    }


def _headers(names: Iterable[str]) -> Json:
    return {name: _ref("headers", name) for name in sorted({*names, "X-Request-ID"})}


def examples(kind: str) -> dict[str, bytes]:
    """The examples of a request body, by the name of its schema, as they lie in `openapi/examples`."""
    files = folder("openapi") / "examples" / kind
    if not files.is_dir():
        return {}
    return dict(sorted((file.name.removesuffix(".json"), file.read_bytes()) for file in files.iterdir()))


def _ref(section: str, name: str) -> Json:
    return {"$ref": f"#/components/{section}/{name}"}


# --- types


def _schemas(kinds: Sequence[Any]) -> tuple[list[Json], Json]:
    """A schema for each type, and the named ones they refer to."""
    schemas, components = msgspec.json.schema_components(kinds, ref_template=SCHEMAS + "{name}")
    nodes = types.multi_type_info(kinds)
    structs: dict[type, types.StructType] = {}
    for node, schema in zip(nodes, schemas, strict=True):
        _complete(node, schema)
        _collect(node, structs)
    for cls, struct in structs.items():
        if cls.__name__ not in components:
            raise ValueError(f"two types named {cls.__name__} reach the document")
        _complete_struct(struct, components[cls.__name__])
    return list(schemas), components


def _collect(node: types.Type, found: dict[type, types.StructType]) -> None:
    match node:
        case types.StructType(cls=cls) if cls not in found:
            found[cls] = node
            for field in node.fields:
                _collect(field.type, found)
        case types.Metadata(type=inner):
            _collect(inner, found)
        case types.CollectionType(item_type=inner) | types.DictType(value_type=inner):
            _collect(inner, found)
        case types.UnionType(types=members):
            for member in members:
                _collect(member, found)


def _complete_struct(struct: types.StructType, schema: Json) -> None:
    properties, hints = schema["properties"], get_type_hints(struct.cls)
    schema["required"] = [name for name in schema["required"] if UnsetType not in get_args(hints.get(name))]
    if struct.tag_field is not None:
        properties[struct.tag_field]["type"] = "string"
    for field in struct.fields:
        described = properties[field.encode_name]
        _complete(field.type, described, sent=struct.forbid_unknown_fields)
        if described.get("default", ...) in (None, []):
            del described["default"]


def _complete(node: types.Type, schema: Json, sent: bool = False) -> None:
    """Put into the schema of a type what msgspec leaves out; what is sent holds plain text only."""
    match node:
        case types.Metadata(extra={"codes": str(name)}):
            schema.pop("type", None)
            schema["$ref"] = f"{SCHEMAS}codes.{name}"
        case types.Metadata(type=inner):
            _complete(inner, schema, sent)
        case types.StrType(pattern=None) if sent:
            schema["pattern"] = PLAIN
        case types.DateTimeType():
            schema["format"] = "date-time"
        case types.LiteralType(values=values) if all(isinstance(value, str) for value in values):
            schema["type"] = "string"
        case types.CollectionType(item_type=inner) if "items" in schema:
            _complete(inner, schema["items"], sent)
        case types.DictType(value_type=inner) if "additionalProperties" in schema:
            _complete(inner, schema["additionalProperties"], sent)
        case types.UnionType(types=members):
            _complete_union(members, schema, sent)


def _complete_union(members: Sequence[types.Type], schema: Json, sent: bool) -> None:
    """msgspec puts what is no Struct first, in order, then the Structs, then null."""
    options = schema["anyOf"]
    plain = [each for each in members if not isinstance(each, types.StructType | types.NoneType)]
    if "discriminator" in schema:
        schema["oneOf"] = schema.pop("anyOf")
    for member, option in zip(plain, options, strict=False):
        _complete(member, option, sent)
    for option in options:
        if "discriminator" in option:
            option["oneOf"] = option.pop("anyOf")
    if len(options) == 2 and options[1] == {"type": "null"} and "type" in options[0] and "enum" not in options[0]:
        del schema["anyOf"]
        schema |= options[0] | {"type": [options[0]["type"], "null"]}


def _code_lists(components: Json) -> Json:
    """The code lists that the components refer to, as enums."""
    text = msgspec.json.encode(components).decode()
    return {
        f"codes.{name}": {
            "title": name,
            "type": "string",
            "enum": [row.code for row in codes.list(name)],
            "description": "; ".join(_code(row) for row in codes.list(name)) + ".",
        }
        for name in codes.names()
        if f'{SCHEMAS}codes.{name}"' in text
    }


def _code(row: codes.Code) -> str:
    ended = f" (read as `{row.replaced_by}`)" if row.replaced_by else " (retired)" if row.valid_to else ""
    return f"`{row.code}` {row.label}{ended}"

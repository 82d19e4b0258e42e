"""The OpenAPI 3.1 document: Litestar's, with complete schemas and what operations have in common.

Handlers say the rest in their decorators: `problems=` the refusals that only they have, `forms=` media types that are
negotiated, `reads=` what a body is that a handler reads itself, `verbs=` what it demands without a guard. The same
program gives the same bytes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from inspect import cleandoc
from itertools import groupby
from typing import Any, Final

import msgspec
from litestar import Litestar, Router
from litestar.datastructures import ResponseHeader
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig, ResponseSpec
from litestar.openapi.spec import Components, License, SecurityScheme, Server, Tag
from litestar.openapi.spec.schema import Schema
from litestar.plugins import OpenAPISchemaPlugin
from litestar.routes import HTTPRoute
from litestar.typing import FieldDefinition
from msgspec import Struct

from triage import problems
from triage.http.access_control import Needs
from triage.http.parameters import Moment
from triage.http.schemas import SCHEMAS, Json, code_lists, schemas
from triage.log.entries import AnyEntry
from triage.problems import CATALOGUE, ListedProblem, Problem
from triage.resources import folder

SUMMARY: Final = "Incidents of a mental health street triage team: what was considered, done, and what came of it."
DESCRIPTION: Final = """\
Bodies are JSON in UTF-8. Times are RFC 3339 with an offset. A field that is null says the same as one that is absent.
Request bodies may be coded with gzip or zstd (`Content-Encoding`).

Every answer that is not success is `application/problem+json`, and its `code` is one of a closed list. An address that
does not exist is 404 `not_found`; a method it does not have is 405 `method_not_allowed` with `Allow`. `HEAD` works
wherever `GET` does. Any request may be answered 500 `internal`, which tells nothing.

Code lists are dated data: `GET /v1/codes` is what is in force, the enums here are what this version of the program
shipped with. New fields may appear in answers at any time. In entries, unknown fields are refused; in other bodies of
requests they are passed over.
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
    "Preference-Applied": "`return=minimal` where it was asked for.",
}
"""Every header that an answer may document."""

WITH_PROBLEM: Final = {401: ("WWW-Authenticate",), 429: ("Retry-After",), 503: ("Retry-After",)}
REQUEST_HEADERS: Final = {
    "X-Request-ID": "1 to 64 letters, digits, dots, dashes or underscores to find this request by in the service's "
    "log; anything else is passed over.",
    "If-None-Match": "Entity tags already held.",
    "Prefer": "`return=minimal` for an answer without what is known.",
    "Triage-Sent-At": "The phone's clock, to measure its skew.",
}
"""Headers that are read where they stand, for which Litestar's parameters would copy them all. Every operation takes
the first, the others are named in `request_headers=`."""


TAGS: Final = {
    "Entries": "What phones send.",
    "Sync": "Everything a phone needs in one round trip.",
    "Incidents": "What entries add up to.",
    "Summaries": "What is published.",
    "Exports": "Anonymised files for partners.",
    "Quarantine": "What was refused and waits for a lead.",
    "People": "Whom incidents concern, by ids that say nothing.",
    "Access": "Codes, devices and accounts.",
    "Audit": "Who did what, for the auditor.",
    "Reference": "Code lists and this description.",
    "Operations": "For whoever runs the service.",
}


def _header(name: str) -> ResponseHeader:
    return ResponseHeader(name=name, documentation_only=True, description=HEADERS[name])


ETAG: Final = _header("ETag")
LINK: Final = _header("Link")
LOCATION: Final = _header("Location")
ACCEPT_RANGES: Final = _header("Accept-Ranges")
PREFERENCE_APPLIED: Final = _header("Preference-Applied")
UNCHANGED: Final = {304: ResponseSpec(None, description="Unchanged.", generate_examples=False)}

_ALWAYS: Final = (problems.NOT_ACCEPTABLE, problems.INTERNAL)
_SIGNED_IN: Final = (
    *(problems.TOKEN_MISSING, problems.TOKEN_INVALID, problems.TOKEN_EXPIRED, problems.ACCOUNT_DISABLED),
    *(problems.DEVICE_REVOKED, problems.FORBIDDEN, problems.RATE_LIMITED, problems.NOT_READY),
)
_WITH_BODY: Final = (
    *(problems.MALFORMED, problems.INVALID, problems.INVALID_PARAMETER),
    *(problems.TOO_LARGE, problems.UNSUPPORTED_MEDIA_TYPE),
)
_HEADERS_OF: Final = {"304": ("ETag",), "206": ("ETag", "Content-Range")}
_WITH_QUERY: Final = (problems.UNKNOWN_PARAMETER, problems.INVALID_PARAMETER)


@dataclass
class _Complete(Schema):
    """A schema that is complete already. Litestar reads and writes attributes of it, of which none is used."""

    json: Json = field(default_factory=dict)

    def to_schema(self) -> Json:
        return self.json


class MsgspecSchemas(OpenAPISchemaPlugin):
    """Schemas as msgspec gives them: Litestar's own drop `minimum: 0`, `additionalProperties` and discriminators."""

    def __init__(self) -> None:
        self.kinds: list[Any] = [Problem, AnyEntry]

    def is_plugin_supported_field(self, field_definition: FieldDefinition) -> bool:
        return not field_definition.is_union and field_definition.is_subclass_of((Struct, Moment))

    def to_openapi_schema(self, field_definition: FieldDefinition, schema_creator: Any) -> Schema:
        if field_definition.is_subclass_of(Moment):
            return _Complete(json={"type": "string", "format": "date-time"})
        return _Complete(json=self.reference(field_definition.annotation))

    def reference(self, kind: Any) -> Json:
        """A reference to this type, which the document then has."""
        if kind == AnyEntry:
            return {"$ref": SCHEMAS + "AnyEntry"}
        self.kinds.append(kind)
        return schemas([kind])[0][0]

    def components(self) -> Json:
        """Every schema that was referred to, and what they refer to. Raises ValueError for two types of one name."""
        described, components = schemas(self.kinds)
        components["AnyEntry"] = described[1] | {"description": "An entry of any kind; `kind` tells which."}
        return dict(sorted({**components, **code_lists(components)}.items()))


def config() -> OpenAPIConfig:
    """The document's own metadata, only for building it, because Litestar would serve its own beside ours."""
    bearer = SecurityScheme(type="http", scheme="bearer", description=BEARER)
    return OpenAPIConfig(
        title="Street Triage Log",
        version="1",
        summary=SUMMARY,
        description=DESCRIPTION,
        license=License(name="MIT", identifier="MIT"),
        servers=[Server(url="/")],
        tags=[Tag(name=name, description=text) for name, text in TAGS.items()],
        security=[{"bearer": []}],
        components=Components(security_schemes={"bearer": bearer}),
        operation_id_creator=lambda handler, method, path: (
            f"{handler.fn.__module__.rpartition('.')[2]}_{handler.handler_name}"
        ),
        openapi_router=Router("/schema", route_handlers=[], include_in_schema=False, opt={"sign_in": "nobody"}),
        use_handler_docstrings=True,
    )


def document(app: Litestar) -> bytes:
    """The document as it is committed and served: Litestar's, with what handlers have in common."""
    described = app.openapi_schema.to_schema()
    plugin = app.plugins.get(MsgspecSchemas)
    described["components"] |= {
        "parameters": {
            name: {"name": name, "in": "header", "description": text, "schema": {"type": "string"}}
            for name, text in REQUEST_HEADERS.items()
        },
        "examples": {code: {"summary": listed.title, "value": listed.problem()} for code, listed in CATALOGUE.items()},
        "headers": {name: {"description": text, "schema": _header_schema(name)} for name, text in HEADERS.items()},
    }
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for method, (handler, _) in route.route_handler_map.items():
                operation = described["paths"].get(route.path_format, {}).get(method.lower())
                if operation is not None:
                    _complete(operation, handler, plugin)
    components = plugin.components()
    for schema in components.values():
        if "description" in schema:
            schema["description"] = cleandoc(schema["description"])  # as Python 3.13 leaves a docstring
    described["components"]["schemas"] = components
    return msgspec.json.format(msgspec.json.encode(described), indent=2) + b"\n"


def _header_schema(name: str) -> Json:
    return {"type": "integer", "minimum": 0} if name == "Retry-After" else {"type": "string"}


def _complete(operation: Json, handler: HTTPRouteHandler, plugin: MsgspecSchemas) -> None:
    operation["summary"] = operation["description"].partition("\n")[0].partition(". ")[0].rstrip(".")
    if verbs := _verbs(handler):
        operation["description"] += "\n\nNeeds: " + " or ".join(f"`{verb}`" for verb in verbs) + "."
    parameters = operation.setdefault("parameters", [])
    for parameter in parameters:
        parameter["schema"] = _without_null(parameter["schema"])
        if parameter["in"] == "header":  # generated clients know no time in a header
            parameter["schema"].pop("format", None)
        for name in ("deprecated", "allowEmptyValue", "allowReserved"):
            parameter.pop(name, None)
    parameters += [_ref("parameters", name) for name in (*handler.opt.get("request_headers", ()), "X-Request-ID")]
    if "reads" in handler.opt:
        schema = plugin.reference(handler.opt["reads"])
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    if "requestBody" in operation:
        _add_examples(operation["requestBody"]["content"]["application/json"])
    _complete_responses(operation["responses"], handler)
    for status, listed in _refusals(operation, handler):
        operation["responses"][str(status)] = _refusal(status, listed)
    operation["responses"] = dict(sorted(operation["responses"].items()))


def _verbs(handler: HTTPRouteHandler) -> list[str]:
    """The verbs of which one is needed."""
    of_guards = [verb for guard in handler.resolve_guards() if isinstance(guard, Needs) for verb in guard.verbs]
    return [*of_guards, *handler.opt.get("verbs", ())]


def _without_null(schema: Json) -> Json:
    """A parameter is absent, never null."""
    plain = {name: value for name, value in schema.items() if name not in ("oneOf", "description")}
    for option in schema.get("oneOf", ()):
        plain |= option if option != {"type": "null"} else {}
    if None in plain.get("enum", ()):
        plain |= {"enum": [value for value in plain["enum"] if value is not None], "type": "string"}
    return plain


def _add_examples(content: Json) -> None:
    named = examples(content["schema"]["$ref"].removeprefix(SCHEMAS))
    content["examples"] = {name: {"value": msgspec.json.decode(body)} for name, body in named.items()}


def _complete_responses(responses: Json, handler: HTTPRouteHandler) -> None:
    responses.pop("400", None)  # Litestar's own, of which every operation has better ones
    if forms := handler.opt.get("forms"):
        [content] = responses["200"]["content"].values()
        binary: Json = {"schema": {}}
        responses["200"]["content"] = {form: content if form == "application/json" else binary for form in forms}
        if "206" in responses:
            responses["206"]["content"] = dict.fromkeys(forms, binary)
    for status, response in responses.items():
        if status == "204" or status.startswith("3"):  # nothing is sent but the headers
            response.pop("content", None)
        headers = response.setdefault("headers", {})
        for name in [*headers, *_HEADERS_OF.get(status, ())]:
            headers[name] = _ref("headers", name)
        headers["X-Request-ID"] = _ref("headers", "X-Request-ID")
        response["headers"] = {name: headers[name] for name in sorted(headers) if name in HEADERS}


def _refusals(operation: Json, handler: HTTPRouteHandler) -> Iterable[tuple[int, Sequence[ListedProblem]]]:
    """The problems of an operation by status: its own, and those of every operation of its sort."""
    listed = [*handler.opt.get("problems", ()), *_ALWAYS]
    if handler.opt.get("sign_in") not in ("nobody", "by_itself"):
        listed += _SIGNED_IN
    if "any_query" not in handler.opt:
        listed += _WITH_QUERY
    if "requestBody" in operation:
        listed += _WITH_BODY
    in_order = sorted(
        {problem.code: problem for problem in listed}.values(), key=lambda problem: (problem.status, problem.code)
    )
    for status, same in groupby(in_order, key=lambda problem: problem.status):
        yield status, list(same)


def _refusal(status: int, listed: Sequence[ListedProblem]) -> Json:
    return {
        "description": "; ".join(f"`{problem.code}`: {problem.title}" for problem in listed) + ".",
        "headers": {name: _ref("headers", name) for name in sorted({*WITH_PROBLEM.get(status, ()), "X-Request-ID"})},
        "content": {
            "application/problem+json": {
                "schema": {"$ref": SCHEMAS + "Problem"},
                "examples": {problem.code: _ref("examples", problem.code) for problem in listed},
            }
        },
    }


def examples(kind: str) -> dict[str, bytes]:
    """The examples of a request body, by the name of its schema, as they lie in `openapi/examples`."""
    files = folder("openapi") / "examples" / kind
    if not files.is_dir():
        return {}
    return dict(sorted((file.name.removesuffix(".json"), file.read_bytes()) for file in files.iterdir()))


def _ref(section: str, name: str) -> Json:
    return {"$ref": f"#/components/{section}/{name}"}

"""JSON schemas of the types that the document names: as msgspec gives them, completed.

What a type says reaches the document through msgspec: lengths, ranges, what is required, and the docstring. Added here
is what msgspec cannot know: code lists as enums, `oneOf` where one field tells the kinds apart, and plain text.
"""

from collections.abc import Sequence
from typing import Any, Final, get_args, get_type_hints

import msgspec
from msgspec import UnsetType
from msgspec import inspect as types

from triage import codes
from triage.log.body_errors import CONTROL

Json = dict[str, Any]

SCHEMAS: Final = "#/components/schemas/"
PLAIN: Final = f"^[^{CONTROL.pattern[1:]}*$"
"""No text that is sent holds a control character."""


def schemas(kinds: Sequence[Any]) -> tuple[list[Json], Json]:
    """A schema for each type, and the named ones they refer to."""
    described, components = msgspec.json.schema_components(kinds, ref_template=SCHEMAS + "{name}")
    nodes = types.multi_type_info(kinds)
    structs: dict[type, types.StructType] = {}
    for node, schema in zip(nodes, described, strict=True):
        _complete(node, schema)
        _collect(node, structs)
    for cls, struct in structs.items():
        if cls.__name__ not in components:
            raise ValueError(f"two types named {cls.__name__} reach the document")
        _complete_struct(struct, components[cls.__name__])
    return list(described), components


def _collect(node: types.Type, structs: dict[type, types.StructType]) -> None:
    match node:
        case types.StructType(cls=cls) if cls not in structs:
            structs[cls] = node
            for field in node.fields:
                _collect(field.type, structs)
        case types.Metadata(type=inner):
            _collect(inner, structs)
        case types.CollectionType(item_type=inner) | types.DictType(value_type=inner):
            _collect(inner, structs)
        case types.UnionType(types=members):
            for member in members:
                _collect(member, structs)


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
    plain = [member for member in members if not isinstance(member, types.StructType | types.NoneType)]
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


def code_lists(components: Json) -> Json:
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

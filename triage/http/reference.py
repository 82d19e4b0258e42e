"""The OpenAPI document as a page for people: plain HTML with a style sheet of its own, no script, no other address."""

import json
import re
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup, escape

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
METHODS: Final = ("get", "put", "post", "delete")
_CODE: Final = re.compile(r"`([^`]+)`")
_NAMES: Final = {"date-time": "time", "date": "date", "uuid": "id (UUID)"}
_LIMITS: Final = {
    "minimum": "from {}",
    "maximum": "to {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "maxItems": "at most {} items",
}

Schema = dict[str, Any]


def page(document: dict[str, Any]) -> bytes:
    """The page."""
    return _environment().from_string(_file("reference.html")).render(document=document, methods=METHODS).encode()


def style() -> bytes:
    """Its style sheet."""
    return _file("reference.css").encode()


def _file(name: str) -> str:
    return (files("triage.http") / name).read_text("utf-8")


def _environment() -> Environment:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"prose": prose, "kind": kind, "limits": limits, "indented": indented, "resolved": last}
    return environment


def prose(text: str) -> Markup:
    """Text in paragraphs, with what stands in backticks as code."""
    html = Markup()
    for block in text.strip().split("\n\n"):
        html += Markup("<p>{}</p>").format(_inline(block))
    return html


def _inline(text: str) -> Markup:
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))


def kind(schema: Schema) -> Markup:
    """A schema in words, with links to what it names."""
    match schema:
        case {"$ref": str(reference)}:
            name = last(reference)
            return Markup('<a href="#schema-{0}">{0}</a>').format(name)
        case {"oneOf": options} | {"anyOf": options} | {"allOf": options}:
            return Markup(" or ").join(kind(option) for option in options if option != {"type": "null"})
        case {"enum": values}:
            return Markup(" or ").join(Markup("<code>{}</code>").format(value) for value in values)
        case {"const": value}:
            return Markup("<code>{}</code>").format(value)
        case {"items": items}:
            return Markup("list of ") + kind(items)
        case {"format": str(form)} if form in _NAMES:
            return escape(_NAMES[form])
        case {"type": str(name)} | {"type": [str(name), "null"]}:
            return escape({"integer": "whole number", "string": "text", "boolean": "true or false"}.get(name, name))
    return escape("anything")


def limits(schema: Schema) -> str:
    """Lengths and ranges, in words."""
    return ", ".join(words.format(schema[name]) for name, words in _LIMITS.items() if name in schema)


def indented(value: object) -> str:
    """JSON to read."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def last(reference: str) -> str:
    """The name at the end of a reference."""
    return reference.rpartition("/")[2]

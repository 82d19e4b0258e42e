"""Every fault of a body at once: a walk along the types beside the parsed JSON.

Driven by `msgspec.inspect`, so that a new field or a new body needs no new code here. Messages name fields and rules
and never repeat a value, nor a field name that somebody made up of anything but small letters, digits and underscores.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any, Final, TypeVar
from uuid import UUID

import msgspec
from msgspec import inspect

from triage import codes
from triage.log.entries import RESERVED_KINDS
from triage.log.phone_clock import ClockCorrection
from triage.problems import INVALID, MALFORMED, NEWER_THAN_SERVICE, FieldError, Refused

V = TypeVar("V")

EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2101, 1, 1, tzinfo=UTC)
"""The first instant that is too late: the whole of 2100 is allowed."""

MOST_LISTED: Final = 200
"""Faults listed in one answer, so that a body of garbage is not answered with a larger one."""

CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
"""Characters no text may hold: all controls but tab and line ends. PostgreSQL cannot store the first of them."""

_MAX_ID: Final = 2**128 - 1
_MOST_ITEMS_WALKED: Final = 100
_MOST_DIGITS: Final = 40
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_CODE: Final = re.compile(r"[A-Za-z0-9_]{1,64}")
"""The form of every code of any version; anything else was never a code."""


NEWER: Final = frozenset({"unknown_field", "unknown_kind", "unknown_code"})
"""The faults of a body that a newer version of the service would take."""


class InvalidBody(Refused):
    """A body cannot be taken, with every fault in `errors`.

    `newer`: every fault is that a field, kind or code is not known here, as in the body of a newer app. It is 400; so
    is one with any other fault of shape, and one with faults of content alone is 422.
    """

    def __init__(self, status: int, errors: tuple[FieldError, ...], newer: bool = False) -> None:
        problem = NEWER_THAN_SERVICE if newer else MALFORMED if status == 400 else INVALID
        super().__init__(problem, errors=errors)
        self.status = problem.status
        self.errors = errors
        self.newer = newer


class BodyErrors:
    """The faults found so far. A single fault of shape makes the whole answer 400.

    `clock` says how the times of the body are corrected before they are held against the years that are possible.
    """

    def __init__(self, clock: ClockCorrection | None = None) -> None:
        self.clock = clock
        self.errors: list[FieldError] = []
        self.status = 422
        self.newer = True

    def shape(self, path: str, code: str, says: str) -> None:
        self.status = 400
        self.content(path, code, says)

    def content(self, path: str, code: str, says: str) -> None:
        self.newer = self.newer and code in NEWER
        if len(self.errors) < MOST_LISTED:
            name = path.replace("_", " ").replace(".", " ").capitalize() if path else "The body"
            self.errors.append(FieldError(path, code, f"{name} {says}."))

    def refusal(self, *, of_entry: bool = False) -> InvalidBody:
        """The exception to raise; only an entry may be newer than the service.

        A body the decoder refused for a reason of its own is malformed all the same.
        """
        if not self.errors:
            self.shape("", "malformed", "cannot be read")
        return InvalidBody(self.status, tuple(self.errors), of_entry and self.newer)


class JsonObject(dict[str, Any]):
    """A JSON object that knows which of its fields were given more than once."""

    repeated: tuple[str, ...] = ()


def walk_body(node: inspect.Type, body: bytes, faults: BodyErrors) -> Any:
    """Adds every fault of the body, held against the type; returns the parsed JSON, None where it is no JSON."""
    try:
        value = json.loads(
            body.decode(), object_pairs_hook=_object, parse_constant=_refuse_constant, parse_int=_whole_number
        )
    except UnicodeDecodeError:
        faults.shape("", "not_utf8", "is not UTF-8")
    except RecursionError:
        faults.shape("", "too_deep", "is nested too deeply")
    except ValueError:
        faults.shape("", "not_json", "is not JSON")
    else:
        _walk(node, value, "", faults)
        if faults.newer and not _is_unicode(value):
            faults.shape("", "not_unicode", "holds half of a surrogate pair")
        return value
    return None


def _object(pairs: list[tuple[str, Any]]) -> JsonObject:
    parsed = JsonObject(pairs)
    if len(parsed) < len(pairs):
        parsed.repeated = tuple(name for name, times in Counter(name for name, _ in pairs).items() if times > 1)
    return parsed


def _is_unicode(value: Any) -> bool:
    """Whether every name and text in it is text, also where no type says what to expect."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _refuse_constant(_: str) -> None:
    raise ValueError("NaN and infinities are not JSON")


def _whole_number(digits: str) -> int:
    # cut off, it is still out of every range, and reading millions of digits would take long
    return int(digits[:_MOST_DIGITS])


def _walk(node: inspect.Type, value: Any, path: str, faults: BodyErrors) -> None:
    match node:
        case inspect.UnionType(types=types) if value is None and any(isinstance(t, inspect.NoneType) for t in types):
            pass
        case inspect.UnionType(types=types):
            nodes = [member for member in types if not isinstance(member, inspect.NoneType)]
            if len(nodes) == 1:
                _walk(nodes[0], value, path, faults)
            else:
                _walk_tagged([node for node in nodes if isinstance(node, inspect.StructType)], value, path, faults)
        case inspect.StructType():
            _walk_struct(node, value, path, faults)
        case inspect.Metadata(extra={"codes": str(name)}):
            if _walk_text(inspect.StrType(), value, path, faults) and value not in codes.list(name):
                code = "unknown_code" if _CODE.fullmatch(value) else "wrong_form"
                faults.content(path, code, f"holds a code that is in no version of the list {name}")
        case inspect.Metadata(extra={"earliest": datetime() as earliest}):
            _walk_time(value, path, faults, earliest)
        case inspect.Metadata(type=inner):
            _walk(inner, value, path, faults)
        case inspect.StrType():
            _walk_text(node, value, path, faults)
        case inspect.LiteralType(values=allowed):
            if _walk_text(inspect.StrType(), value, path, faults) and value not in allowed:
                faults.content(path, "unknown_code", f"must be one of {', '.join(map(str, allowed))}")
        case inspect.ListType():
            _walk_list(node, value, path, faults)
        case inspect.IntType():
            _walk_number(node, value, path, faults)
        case inspect.BoolType():
            if not isinstance(value, bool):
                faults.shape(path, "wrong_type", "must be true or false")
        case inspect.UUIDType():
            id = as_uuid(value)
            if id is None:
                faults.shape(path, "wrong_type", "must be an id (UUID)")
            elif not is_an_id(id):
                faults.content(path, "no_id", "is an id that stands for nothing")
        case inspect.DateTimeType():
            _walk_time(value, path, faults, EARLIEST)
        case inspect.DateType():
            day = _as(date, value)
            if day is None:
                faults.shape(path, "wrong_type", "must be a date such as 2026-11-22")
            elif not EARLIEST.date() <= day < LATEST.date():
                faults.content(path, "time_out_of_range", "must lie in the years 2000 to 2100")
        case inspect.RawType():
            pass
        case _:
            raise TypeError(f"bodies hold no {node}")


def _walk_tagged(nodes: list[inspect.StructType], value: Any, path: str, faults: BodyErrors) -> None:
    if not isinstance(value, JsonObject):
        return faults.shape(path, "wrong_type", "must be an object")
    tag = str(nodes[0].tag_field)
    by_tag = {node.tag: node for node in nodes}
    kind = value.get(tag)
    if isinstance(kind, str) and kind in by_tag:
        return _walk_struct(by_tag[kind], value, path, faults)
    if kind is None:
        faults.shape(_below(path, tag), "missing", "is missing")
    elif not isinstance(kind, str):
        faults.shape(_below(path, tag), "wrong_type", "must be text")
    elif kind in RESERVED_KINDS:
        faults.shape(_below(path, tag), "reserved_kind", "is one that only the service appends")
    else:
        faults.shape(_below(path, tag), "unknown_kind", f"must be one of {', '.join(map(str, by_tag))}")
    shared = set.intersection(*({field.name for field in node.fields} for node in nodes))
    _walk_repeated(value, path, faults)
    _walk_fields((field for field in nodes[0].fields if field.name in shared), value, path, faults)


def _walk_struct(node: inspect.StructType, value: Any, path: str, faults: BodyErrors) -> None:
    if not isinstance(value, JsonObject):
        return faults.shape(path, "wrong_type", "must be an object")
    _walk_repeated(value, path, faults)
    _walk_fields(node.fields, value, path, faults)
    if not node.forbid_unknown_fields:
        return
    known = {field.encode_name for field in node.fields} | {node.tag_field}
    for name in value:
        if name in known:
            continue
        if _NAME.fullmatch(name):
            faults.shape(_below(path, name), "unknown_field", "is not a field known here")
        else:
            faults.shape(path, "unknown_field", "has a field whose name is not known here")


def _walk_repeated(value: JsonObject, path: str, faults: BodyErrors) -> None:
    for name in value.repeated:
        if _NAME.fullmatch(name):
            faults.shape(_below(path, name), "repeated_field", "is given more than once")
        else:
            faults.shape(path, "repeated_field", "has a field that is given more than once")


def _walk_fields(fields: Iterable[inspect.Field], value: JsonObject, path: str, faults: BodyErrors) -> None:
    for field in fields:
        sent = value.get(field.encode_name)
        if sent is not None or (field.required and field.encode_name in value and _takes_null(field.type)):
            _walk(field.type, sent, _below(path, field.encode_name), faults)
        elif field.required:
            faults.shape(_below(path, field.encode_name), "missing", "is missing")
        elif field.encode_name in value and not _takes_null(field.type):
            faults.shape(_below(path, field.encode_name), "wrong_type", "must not be null")


def _walk_list(node: inspect.ListType, value: Any, path: str, faults: BodyErrors) -> None:
    if not isinstance(value, list):
        return faults.shape(path, "wrong_type", "must be a list")
    if node.max_length is not None and len(value) > node.max_length:
        faults.content(path, "too_many_items", f"has more than {node.max_length} items")
    for index, item in enumerate(value[:_MOST_ITEMS_WALKED] if node.max_length else value):
        _walk(node.item_type, item, _below(path, str(index)), faults)


def _walk_text(node: inspect.StrType, value: Any, path: str, faults: BodyErrors) -> bool:
    """Whether it is a text at all."""
    if not isinstance(value, str):
        faults.shape(path, "wrong_type", "must be text")
        return False
    if not value.isprintable():
        if any("\ud800" <= letter <= "\udfff" for letter in value):
            faults.shape(path, "not_unicode", "holds half of a surrogate pair")
        if CONTROL.search(value):
            faults.content(path, "control_character", "holds a control character")
    if node.max_length is not None and len(value) > node.max_length:
        faults.content(path, "too_long", f"is longer than {node.max_length} characters")
    if node.min_length is not None and len(value) < node.min_length:
        faults.content(path, "too_short", f"is shorter than {node.min_length} characters")
    if node.pattern is not None and re.search(node.pattern, value) is None:
        faults.content(path, "wrong_form", "does not have the form it must have")
    return True


def _walk_number(node: inspect.IntType, value: Any, path: str, faults: BodyErrors) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        faults.shape(path, "wrong_type", "must be a whole number")
    elif (node.ge is not None and value < node.ge) or (node.le is not None and value > node.le):
        faults.content(path, "out_of_range", f"must be between {node.ge} and {node.le}")


def _walk_time(value: Any, path: str, faults: BodyErrors, earliest: datetime) -> None:
    instant = _as(datetime, value)
    if instant is None:
        faults.shape(path, "wrong_type", "must be a time such as 2026-11-21T22:04:10+00:00")
    elif instant.tzinfo is None:
        faults.shape(path, "naive_time", "needs an offset from UTC, such as Z or +01:00")
    elif not _is_possible(instant, faults.clock, earliest):
        faults.content(path, "time_out_of_range", f"must lie in the years {earliest.year} to 2100")


def _is_possible(instant: datetime, clock: ClockCorrection | None, earliest: datetime) -> bool:
    try:
        return earliest <= (clock.corrected(instant) if clock else instant) < LATEST
    except OverflowError:
        return False


def without_null(node: inspect.Type) -> inspect.Type:
    """The type of a field that may be null, where it is not null."""
    if not isinstance(node, inspect.UnionType):
        return node
    rest = [member for member in node.types if not isinstance(member, inspect.NoneType)]
    return rest[0] if len(rest) == 1 else node


def _takes_null(node: inspect.Type) -> bool:
    return isinstance(node, inspect.UnionType) and any(isinstance(member, inspect.NoneType) for member in node.types)


def as_uuid(value: Any) -> UUID | None:
    """An id as the decoder reads it; None where it is none."""
    return _as(UUID, value)


def is_an_id(id: UUID) -> bool:
    """Whether it may name something: the nil and the max UUID (RFC 9562, 5.9 and 5.10) do not."""
    return 0 < id.int < _MAX_ID


def _as(kind: type[V], value: Any) -> V | None:
    """A text read as this type, the way the decoder reads it; None where it is none."""
    try:
        return msgspec.convert(value, kind) if isinstance(value, str) else None
    except (msgspec.ValidationError, ValueError):
        return None


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name

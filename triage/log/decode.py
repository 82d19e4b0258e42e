"""From bytes to a sound entry, or to every fault of the body at once.

Two ways through, both derived from the types, so that a new field needs no new code here. The fast one decodes and asks
cheap questions that only say yes or no; the slow one, taken when the fast one said no, walks the types beside the
parsed body and names every fault.

A fault of shape (400) is what no client that knows the protocol sends: not JSON, a missing, unknown or repeated field,
a wrong type, a naive time. A fault of content (422) has the right shape but cannot be: a code in no version of its
list, a time outside the years 2000 to 2100, ids that do not agree, too long, out of range. What is merely odd is no
fault (`triage.log.notices`). Messages name fields and rules and never repeat a value.
"""

from collections.abc import Callable
from datetime import date
from functools import cache
from typing import Any, Final, TypeVar
from uuid import UUID

import msgspec
from msgspec import Raw, Struct, inspect

from triage import codes
from triage.log.body_errors import CONTROL, EARLIEST, LATEST, BodyErrors, JsonObject, as_uuid, walk_body, without_null
from triage.log.entries import Amendment, AnyEntry, NotSameIncident, SameIncident, Withdrawal

T = TypeVar("T", bound=Struct)
V = TypeVar("V")
Check = Callable[[Any], bool]


def decode(body: bytes, path_id: UUID) -> AnyEntry:
    """The entry in the body of a request to store it under `path_id`. Raises InvalidBody."""
    entry = _try(_entries, body)
    if entry is not None and (entry.id is None or entry.id == path_id) and _sound(entry, path_id, body):
        return entry
    faults = _entry_faults(body, path_id)
    if entry is None or faults.errors:
        raise faults.refusal()
    return entry


def decode_item(item: bytes | Raw) -> AnyEntry:
    """An entry of a sync, which carries its `id` itself. Raises InvalidBody."""
    body = bytes(item)
    entry = _try(_entries, body)
    if entry is not None and entry.id is not None and _sound(entry, entry.id, body):
        return entry
    faults = _entry_faults(body, None)
    if entry is None or faults.errors:
        raise faults.refusal()
    return entry


def decode_as(kind: type[T], body: bytes) -> T:
    """A body of any Struct, held to the rules of an entry. Raises InvalidBody.

    Fields typed `Raw` are not looked into. A field that clients send as null should be required and nullable, because a
    null that stands for a default makes the fast way take the slow one.
    """
    found: T | None = _try(_decoder(kind), body)
    if found is not None and _check_of(kind)(found) and _names_each_field_once(found, body):
        return found
    faults = BodyErrors()
    walk_body(inspect.type_info(kind), body, faults)
    if found is None or faults.errors:
        raise faults.refusal()
    return found


def _entry_faults(body: bytes, path_id: UUID | None) -> BodyErrors:
    faults = BodyErrors()
    entry = walk_body(_ENTRY, body, faults)
    if not isinstance(entry, JsonObject):
        return faults
    own_id = as_uuid(entry.get("id"))
    if path_id is None and entry.get("id") is None:
        faults.shape("id", "missing", "is missing")
    if path_id is not None and own_id is not None and own_id != path_id:
        faults.content("id", "id_mismatch", "differs from the id in the address")
    for name, own in (
        ("amends", path_id or own_id),
        ("withdraws", path_id or own_id),
        ("other_incident_id", as_uuid(entry.get("incident_id"))),
    ):
        if own is not None and as_uuid(entry.get(name)) == own:
            faults.content(name, "refers_to_itself", "must name another than this one")
    return faults


_entries: Final[msgspec.json.Decoder[AnyEntry]] = msgspec.json.Decoder(AnyEntry)
_encoder: Final = msgspec.json.Encoder()
_ENTRY: Final = inspect.type_info(AnyEntry)
_REFERRING: Final = frozenset({Amendment, Withdrawal, SameIncident, NotSameIncident})


@cache
def _decoder(kind: type[Struct]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


def _try(decoder: msgspec.json.Decoder[V], body: bytes) -> V | None:
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _sound(entry: AnyEntry, own_id: UUID, body: bytes) -> bool:
    kind = type(entry)
    if kind in _REFERRING and not _refers_elsewhere(entry, own_id):
        return False
    return _check_of(kind)(entry) and _names_each_field_once(entry, body)


def _refers_elsewhere(entry: AnyEntry, own_id: UUID) -> bool:
    match entry:
        case Amendment(amends=other) | Withdrawal(withdraws=other):
            return other != own_id
        case SameIncident(other_incident_id=other) | NotSameIncident(other_incident_id=other):
            return other != entry.incident_id
        case _:
            return True


def _names_each_field_once(found: Struct, body: bytes) -> bool:
    # The decoder keeps the last of repeated fields. Quotes stand only around names and texts, and inside texts escaped
    # as themselves, so a repeated field, or an explicit null, is the only way to have more of them than the encoding.
    if body.count(b'"') != _encoder.encode(found).count(b'"'):
        return False
    return b"\\" not in body or b"\\u0022" not in body


@cache
def _check_of(kind: type[Struct]) -> Check:
    """Whether a decoded Struct holds only known codes, times in range and plain texts.

    The question is put together once as one Python expression over the fields and compiled, which takes a quarter of
    the time of a loop over them (1.4 instead of 6 µs for an officer's contact). Nothing but names of our own types goes
    into it.
    """
    names: dict[str, object] = {"EARLIEST": EARLIEST, "LATEST": LATEST}
    question = _question(inspect.type_info(kind), "found", names) or "True"
    check: Check = eval(f"lambda found: {question}", names)
    return check


def _question(node: inspect.Type, value: str, names: dict[str, object]) -> str | None:
    """The expression that asks what decoding did not; None where nothing is left to ask. It allows None and UNSET."""

    def named(thing: object) -> str:
        name = f"_{len(names)}"
        names[name] = thing
        return name

    match without_null(node):
        case inspect.Metadata(extra={"codes": str(name)}):
            return f"{value} in {named(codes.list(name).accepted)}"
        case inspect.Metadata(type=inner):
            return _question(inner, value, names)
        case inspect.StrType():
            return f"(not {value} or {value}.isprintable() or {named(_is_plain)}({value}))"
        case inspect.DateTimeType():
            return f"(not {value} or EARLIEST <= {value} < LATEST)"
        case inspect.DateType():
            return f"(not {value} or {named(_is_day_in_range)}({value}))"
        case inspect.ListType(item_type=inspect.Metadata(extra={"codes": str(name)})):
            return f"(not {value} or {named(codes.list(name).accepted.issuperset)}({value}))"
        case inspect.ListType(item_type=inner):
            asks = _question(inner, "item", names)
            return asks and f"(not {value} or all({asks} for item in {value}))"
        case inspect.UnionType(types=types):
            checks = {node.cls: _check_of(node.cls) for node in types if isinstance(node, inspect.StructType)}
            return f"(not {value} or {named(checks)}[type({value})]({value}))"
        case inspect.StructType(fields=fields):
            parts = [asks for field in fields if (asks := _question(field.type, f"{value}.{field.name}", names))]
            return f"(not {value} or {' and '.join(parts)})" if parts else None
        case inspect.IntType() | inspect.BoolType() | inspect.UUIDType() | inspect.LiteralType() | inspect.RawType():
            return None
        case _:
            raise TypeError(f"bodies hold no {node}")


def _is_plain(text: str) -> bool:
    return text.isprintable() or CONTROL.search(text) is None


def _is_day_in_range(day: date) -> bool:
    return EARLIEST.date() <= day < LATEST.date()

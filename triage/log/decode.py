"""From bytes to a sound entry, or to every fault of the body at once.

Two ways through, both derived from the types, so that a new field needs no new code here. The fast one decodes and asks
cheap questions that only say yes or no; the slow one, taken when the fast one said no, walks the types beside the
parsed body and names every fault.

A fault of shape (400) is what no client that knows the protocol sends: not JSON, a missing, unknown or repeated field,
a wrong type, a naive time. A fault of content (422) has the right shape but cannot be: a code in no version of its
list, a time outside the years 2000 to 2100, ids that do not agree, too long, out of range. Where nothing is wrong but
that a field, a kind or a code is not known here, the entry is newer than the service (`InvalidBody.newer`). What is
merely odd is no fault (`triage.log.notices`). Messages name fields and rules and never repeat a value.
"""

from collections.abc import Callable
from datetime import date, datetime
from functools import cache
from typing import Any, Final, TypeVar
from uuid import UUID

import msgspec
from msgspec import UNSET, Raw, Struct, inspect, structs

from triage import codes
from triage.log.body_errors import (
    CONTROL,
    EARLIEST,
    LATEST,
    BodyErrors,
    JsonObject,
    as_uuid,
    is_an_id,
    walk_body,
    without_null,
)
from triage.log.body_items import split_items
from triage.log.entries import Amendment, AnyEntry, NotSameIncident, SameIncident, Withdrawal
from triage.log.phone_clock import ClockCorrection

T = TypeVar("T", bound=Struct)
V = TypeVar("V")
Check = Callable[[Any], bool]


def decode(body: bytes, path_id: UUID, clock: ClockCorrection | None = None) -> AnyEntry:
    """The entry in the body of a request to store it under `path_id`.

    `clock` corrects its times before they are held against the years that are possible. Raises InvalidBody.
    """
    entry = _try(_entries, body)
    if clock is None and entry is not None and entry.id in (None, path_id) and _sound(entry, path_id, body):
        return entry
    faults = _entry_faults(body, path_id, clock)
    if entry is None or faults.errors:
        raise faults.refusal(of_entry=True)
    return entry


def decode_item(item: bytes | Raw, clock: ClockCorrection | None = None) -> AnyEntry:
    """An entry of a sync, which carries its `id` itself; `clock` as for `decode`. Raises InvalidBody."""
    body = bytes(item)
    entry = _try(_entries, body)
    if clock is None and entry is not None and entry.id is not None and _sound(entry, entry.id, body):
        return entry
    faults = _entry_faults(body, None, clock)
    if entry is None or faults.errors:
        raise faults.refusal(of_entry=True)
    return entry


def decode_as(kind: type[T], body: bytes) -> T:
    """A body of any Struct, held to the rules of an entry. Raises InvalidBody.

    Fields typed `Raw`, and lists of them, are not looked into: what is wrong inside one of them, be it that it is no
    JSON for the decoder, is a fault of that one alone. A field that clients send as null should be required and
    nullable, because a null that stands for a default makes the fast way take the slow one.
    """
    decoded: T | None = _try(_decoder(kind), body)
    if decoded is not None and _check_of(kind)(decoded) and _names_each_field_once(decoded, body):
        return decoded
    items: dict[str, list[Raw]] = {}
    if decoded is None:
        body, items = _split(kind, body)
        decoded = _try(_decoder(kind), body)
    faults = BodyErrors()
    walk_body(inspect.type_info(kind), body, faults)
    if decoded is None or faults.errors:
        raise faults.refusal()
    return structs.replace(decoded, **items)


def _split(kind: type[T], body: bytes) -> tuple[bytes, dict[str, list[Raw]]]:
    """The body without the items of its lists of `Raw`, and those; the body as it is where that cannot be done."""
    info = inspect.type_info(kind)
    fields = info.fields if isinstance(info, inspect.StructType) else ()
    names = {field.encode_name for field in fields if _holds_items_unread(field.type)}
    try:
        rest, items = split_items(body, names) if names else (body, {})
    except (ValueError, IndexError, RecursionError):
        return body, {}
    return rest, {name: [Raw(item) for item in raws] for name, raws in items.items()}


def _holds_items_unread(node: inspect.Type) -> bool:
    """Whether it is a list of `Raw`, described or not."""
    match without_null(node):
        case inspect.ListType(item_type=inspect.RawType() | inspect.Metadata(type=inspect.RawType())):
            return True
        case _:
            return False


def _entry_faults(body: bytes, path_id: UUID | None, clock: ClockCorrection | None) -> BodyErrors:
    faults = BodyErrors(clock)
    entry = walk_body(_ENTRY, body, faults)
    if not isinstance(entry, JsonObject):
        return faults
    own_id = as_uuid(entry.get("id"))
    if path_id is not None and path_id != own_id and not is_an_id(path_id):
        faults.content("id", "no_id", "is an id that stands for nothing")
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
    if not is_an_id(own_id) or (kind in _REFERRING and not _refers_elsewhere(entry, own_id)):
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


def _names_each_field_once(decoded: Struct, body: bytes) -> bool:
    # The decoder keeps the last of repeated fields. Quotes stand only around names and texts, and inside texts escaped
    # as themselves, so a repeated field, or an explicit null, is the only way to have more of them than the encoding.
    if body.count(b'"') != _encoder.encode(decoded).count(b'"'):
        return False
    return b"\\" not in body or b"\\u0022" not in body


@cache
def _check_of(kind: type[Struct]) -> Check:
    """Whether a decoded Struct holds only known codes, times in range and plain texts: what decoding did not ask."""
    node = inspect.type_info(kind)
    assert isinstance(node, inspect.StructType)
    checks = [(field.name, check) for field in node.fields if (check := _check(without_null(field.type)))]

    def check_fields(struct: Any) -> bool:
        for name, check in checks:
            value = getattr(struct, name)
            if value is not None and value is not UNSET and not check(value):
                return False
        return True

    return check_fields


def _check(node: inspect.Type) -> Check | None:
    """The question that is left of a value of this type; None where there is none."""
    match node:
        case inspect.Metadata(extra={"codes": str(name)}):
            return codes.list(name).codes.__contains__
        case inspect.Metadata(extra={"earliest": datetime() as earliest}):
            return lambda instant: earliest <= instant < LATEST
        case inspect.Metadata(type=inner):
            return _check(inner)
        case inspect.StrType():
            return _is_plain
        case inspect.DateTimeType():
            return _is_in_range
        case inspect.DateType():
            return _is_day_in_range
        case inspect.ListType(item_type=item):
            check = _check(item)
            return check and (lambda items: all(map(check, items)))
        case inspect.UnionType() | inspect.StructType():
            return _check_struct
        case inspect.UUIDType():
            return is_an_id
        case inspect.IntType() | inspect.BoolType() | inspect.LiteralType() | inspect.RawType():
            return None
        case _:
            raise TypeError(f"bodies hold no {node}")


def _check_struct(struct: Struct) -> bool:
    return _check_of(type(struct))(struct)


def _is_plain(text: str) -> bool:
    return text.isprintable() or CONTROL.search(text) is None


def _is_in_range(instant: datetime) -> bool:
    return EARLIEST <= instant < LATEST


def _is_day_in_range(day: date) -> bool:
    return EARLIEST.date() <= day < LATEST.date()

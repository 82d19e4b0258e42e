"""An entry's content as bytes: equal content gives equal bytes, whatever was sent between the brackets.

Canonical JSON: fields in alphabetical order, times in UTC, nothing that is not recorded, and not the id, which the row
has. Free text and collar numbers are taken out, because they are sealed under a key of their own and can be destroyed
without touching the coded body that the chain covers.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from datetime import UTC
from functools import cache
from operator import attrgetter
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct, inspect, structs

from triage import codes
from triage.log.body_errors import without_null
from triage.log.entries import SEALED, Amendment, AnyEntry, StoredEntry

S = TypeVar("S", bound=Struct)

_encoder: Final = msgspec.json.Encoder(order="sorted")


class Content(Struct, frozen=True, gc=False):
    """The content of an entry in two parts; equal content has both parts equal.

    `body` is the coded part, in which the sealed marker stands for every text. `secrets` are the texts themselves, a
    JSON object from dotted path to text (`{"entry.note": "…"}`), to be sealed; None where there is none.
    """

    body: bytes
    secrets: bytes | None


def canonical(entry: AnyEntry) -> Content:
    """The content of an entry, its id left out."""
    secrets: dict[str, str] = {}
    coded: Any = copy(entry)
    structs.force_setattr(coded, "id", None)
    if isinstance(entry, Amendment):
        replacement: Any = copy(entry.entry)
        _seal(replacement, "entry.", secrets)
        structs.force_setattr(coded, "entry", replacement)
    else:
        _seal(coded, "", secrets)
    return Content(_encoder.encode(in_utc(coded)), _encoder.encode(secrets) if secrets else None)


def shown_content(stored: StoredEntry, texts: Mapping[str, str]) -> dict[str, Any]:
    """The content of an entry as it is shown: as redacted, with the texts that were left in place of their markers.

    What a newer version wrote is shown as it was stored: this one cannot read all of it. `texts` are by dotted path.
    """
    content: dict[str, Any] = msgspec.to_builtins(stored.entry)
    if stored.newer is not None:
        content = msgspec.json.decode(stored.newer)
    return with_texts(content, texts)


def with_texts(content: dict[str, Any], texts: Mapping[str, str]) -> dict[str, Any]:
    """The content with texts, by dotted path, in place of their markers."""
    for path, text in texts.items():
        *parts, name = path.split(".")
        holder: Any = content
        for part in parts:
            holder = holder.get(part) or {}
        if holder.get(name) == SEALED:
            holder[name] = text
    return content


def differing_fields(content: Content, other: Content) -> list[str]:
    """The dotted names of the fields in which two contents differ, in alphabetical order; a list is one field."""
    ours, theirs = dict(_flat(content)), dict(_flat(other))
    return sorted(path for path in ours.keys() | theirs.keys() if ours.get(path) != theirs.get(path))


def with_current_codes(entry: S) -> S:
    """The same entry with every replaced code read as the one in force today; itself where there is none."""
    if isinstance(entry, Amendment):
        inner = with_current_codes(entry.entry)
        return entry if inner is entry.entry else structs.replace(entry, entry=inner)
    fields = coded_fields(type(entry))
    for name, codelist in codes.changed().items():
        for path in fields.get(name, ()):
            entry = _with_current(entry, path, codelist.replaced)
    return entry


@cache
def coded_fields(kind: type[Struct]) -> dict[str, tuple[tuple[str, ...], ...]]:
    """By code list, the paths of the fields that draw on it. An amendment's `entry` is a kind of its own."""
    by_list: dict[str, list[tuple[str, ...]]] = {}
    for name, path in _coded(inspect.type_info(kind), ()):
        by_list.setdefault(name, []).append(path)
    return {name: tuple(paths) for name, paths in by_list.items()}


# --- sealing ---


def without_text(content: S) -> S:
    """An entry's content without what destroying its text takes away, and without the log reference."""
    changes: dict[str, Any] = {name: None for name in ("note", "log_ref") if getattr(content, name, None) is not None}
    intent = getattr(content, "intent", None)
    if intent is not None and intent.referrer is not None:
        changes["intent"] = structs.replace(intent, referrer=None)
    return structs.replace(content, **changes) if changes else content


def _seal(content: Any, prefix: str, secrets: dict[str, str]) -> None:
    """Moves the texts of a copy into `secrets`."""
    note = getattr(content, "note", None)
    if note is not None:
        secrets[f"{prefix}note"] = note
        structs.force_setattr(content, "note", SEALED)
    intent = getattr(content, "intent", None)
    if intent is not None and intent.referrer is not None:
        secrets[f"{prefix}intent.referrer"] = intent.referrer
        structs.force_setattr(content, "intent", structs.replace(intent, referrer=SEALED))


# --- times ---


def in_utc(struct: S) -> S:
    """The same Struct with every time in UTC; itself where they all are."""
    times, parts = _time_fields(type(struct))
    for value in times.of(struct):
        if value is not None and value.tzinfo is not UTC:
            moved = {
                name: value and value.astimezone(UTC) for name, value in zip(times.names, times.of(struct), strict=True)
            }
            struct = structs.replace(struct, **moved)
            break
    for name in parts:
        part = getattr(struct, name)
        if part is not None and (moved_part := in_utc(part)) is not part:
            struct = structs.replace(struct, **{name: moved_part})
    return struct


class _Fields:
    """Some fields of a kind, and a reader of all of them at once."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        match self.names:
            case ():
                self.of: Callable[[Any], tuple[Any, ...]] = lambda _: ()
            case (only,):
                self.of = lambda struct: (getattr(struct, only),)
            case several:
                self.of = attrgetter(*several)


@cache
def _time_fields(kind: type[Struct]) -> tuple[_Fields, tuple[str, ...]]:
    """The fields that hold a time, and those whose parts hold one."""
    times, parts = [], []
    for field in _fields(kind):
        match without_null(field.type):
            case inspect.Metadata(type=inspect.DateTimeType()):
                times.append(field.name)
            case inspect.UnionType():
                parts.append(field.name)
            case inspect.StructType(cls=part) if _time_fields(part)[0].names:
                parts.append(field.name)
    return _Fields(times), tuple(parts)


# --- fields ---


def _fields(kind: type[Struct]) -> tuple[inspect.Field, ...]:
    node = inspect.type_info(kind)
    assert isinstance(node, inspect.StructType)
    return node.fields


def _coded(node: inspect.Type, path: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    match without_null(node):
        case inspect.Metadata(extra={"codes": str(name)}):
            yield name, path
        case inspect.ListType(item_type=item):
            yield from _coded(item, path)
        case inspect.StructType(fields=fields):
            for field in fields:
                yield from _coded(field.type, (*path, field.name))


def _with_current(struct: S, path: tuple[str, ...], replaced: Mapping[str, str]) -> S:
    name, *rest = path
    value: Any = getattr(struct, name)
    if value is None:
        return struct
    now: Any
    if rest:
        now = _with_current(value, tuple(rest), replaced)
    elif isinstance(value, list):
        now = [replaced.get(code, code) for code in value] if replaced.keys() & value else value
    else:
        now = replaced.get(value, value)
    return struct if now is value else structs.replace(struct, **{name: now})


def _flat(content: Content) -> Iterator[tuple[str, Any]]:
    yield from _flat_object(msgspec.json.decode(content.body), "")
    if content.secrets is not None:
        yield from msgspec.json.decode(content.secrets, type=dict[str, str]).items()


def _flat_object(content: dict[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in content.items():
        if isinstance(value, dict):
            yield from _flat_object(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value

"""Stored bodies, read leniently: what a newer version of the service wrote stops no reader of this one.

Phones are updated before servers, and servers one by one, so two versions write to one log. What this version does not
know of a stored body (a field, a kind, a value of another type) takes no part in its rules; the body itself is kept
beside the entry, to be shown as it is. Codes are texts, and one that is in no list here is shown by itself. Strictness
belongs to the edge (`triage.log.decode`).
"""

from datetime import datetime
from typing import Any, Final, TypeVar, get_args
from uuid import UUID

import msgspec
from msgspec import Struct, structs

from triage.log.entries import AnyEntry, LoggedEntry, NewerEntry

S = TypeVar("S", bound=Struct)

_entries: Final[msgspec.json.Decoder[AnyEntry]] = msgspec.json.Decoder(AnyEntry)


def read_stored_body(body: bytes, incident_id: UUID, received_at: datetime) -> tuple[LoggedEntry, bytes | None]:
    """The entry of a stored coded body, and the body itself where this version cannot read all of it.

    `incident_id` and `received_at` stand beside the body in the log, should a newer version not write them, or the
    time of capture, in it. Raises ValueError for what is no JSON object: no version wrote that.
    """
    try:
        return _entries.decode(body), None
    except msgspec.ValidationError:
        content = msgspec.json.decode(body, type=dict[str, Any])
    beside = {"incident_id": str(incident_id), "captured_at": received_at.isoformat(), "codes_version": 1}
    known = _readable(AnyEntry, beside | content)
    if known is None:
        envelope = _in_part(NewerEntry, beside | content) or msgspec.convert(beside, NewerEntry)
        known = structs.replace(envelope, kind_name=str(content.get("kind")))
    return known, body


def _readable(kind: Any, value: Any) -> Any:
    """The value as this type, without what of it cannot be read; None where that is all of it."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError:
        parts = [arg for arg in (kind, *get_args(kind)) if isinstance(arg, type) and issubclass(arg, Struct)]
        if not isinstance(value, dict) or not parts:
            return None
        tag = parts[0].__struct_config__.tag_field
        part = next((part for part in parts if tag is None or part.__struct_config__.tag == value.get(tag)), None)
        return part and _in_part(part, value)


def _in_part(kind: type[S], content: dict[str, Any]) -> S | None:
    """A Struct of the fields that can be read; None where one that it needs cannot."""
    known = {
        field.name: value
        for field in structs.fields(kind)
        if (value := _readable(field.type, content.get(field.encode_name))) is not None
    }
    if any(field.required and field.name not in known for field in structs.fields(kind)):
        return None
    return kind(**known)

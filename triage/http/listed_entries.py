"""Entries as they are read back: every kind with its own fields, and what the service keeps beside them."""

from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, Union, get_type_hints
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType, defstruct, structs

from triage.log.entries import AnyEntry, Entry, Time, VersionNumber
from triage.log.notices import Notice


class Change(Struct):
    """An amendment or withdrawal of an entry."""

    id: UUID
    seq: int
    how: Literal["amends", "withdraws"]


class ListedEntry(Struct, kw_only=True):
    """An entry with what the service keeps beside it.

    The fields of its kind come as they were sent, as far as the reader may see them: those it may not see are absent.
    `received_at` is the service's clock, `link` the entry's place in the chain, `blind` whether a nurse judged before
    she was served any intent. `notices` are given to the author alone.
    """

    id: UUID
    incident_id: UUID
    captured_at: Time
    codes_version: VersionNumber
    seq: int
    received_at: datetime
    author: UUID
    profession: str
    role: str
    device: UUID | None
    clock_skew_ms: int | None
    blind: bool
    released_by: UUID | None
    amendments: list[Change]
    notices: list[Notice]
    link: str


def _listed(kind: type[Entry]) -> type[Struct]:
    """The kind as it is read back: any field of its content may be absent, because it was not sent or is hidden."""
    annotations = get_type_hints(kind, include_extras=True)
    content: list[Any] = [
        (field.name, annotations[field.name] | UnsetType, UNSET)
        for field in structs.fields(kind)
        if field.name not in ListedEntry.__struct_fields__
    ]
    return defstruct(
        f"Listed{kind.__name__}",
        content,
        bases=(ListedEntry,),
        kw_only=True,
        tag_field="kind",
        tag=kind.__struct_config__.tag,
        namespace={"__doc__": kind.__doc__},
    )


if TYPE_CHECKING:
    AnyListedEntry = ListedEntry
else:
    AnyListedEntry = Union[tuple(_listed(kind) for kind in AnyEntry.__args__)]  # noqa: UP007


class EntryList(Struct):
    """Every entry of an incident that the reader may see, in the order of the log."""

    entries: list[AnyListedEntry]

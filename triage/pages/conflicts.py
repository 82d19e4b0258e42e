"""The fields on which the records of an incident disagree."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from msgspec import Struct

from triage.access.actors import PROFESSIONS
from triage.log import effective
from triage.log.entries import Amendment, AnyEntry, IntentPart, StoredEntry
from triage.log.view import IncidentView
from triage.pages import words
from triage.pages.local_time import LocalTime
from triage.summaries.needs_action import conflicts_in


class SideOfConflict(Struct, frozen=True):
    """One entry's answer where records disagree; `shown` where it is what the service shows."""

    who: str
    at: str
    said: str
    shown: bool


class FieldConflict(Struct, frozen=True):
    """A field on which the entries of an incident differ."""

    code: str
    field: str
    sides: tuple[SideOfConflict, ...]


def conflicts(view: IncidentView, entries: Sequence[StoredEntry], local: LocalTime) -> list[FieldConflict]:
    """The answer of each entry in force for the fields on which this incident's records disagree."""
    contents = list(_in_force(entries))
    return [
        FieldConflict(name, name.replace("_", " "), tuple(_sides(name, contents, _shown(view, name), local)))
        for name in conflicts_in(view.flags)
    ]


def _in_force(entries: Sequence[StoredEntry]) -> Iterator[tuple[StoredEntry, AnyEntry]]:
    """The entries in force, each with its content as last amended."""
    out = effective.out_of_force(entries)
    latest: dict[UUID, Any] = {}
    for entry in sorted(entries, key=lambda stored: stored.seq):
        if isinstance(entry.entry, Amendment) and entry.id not in out:
            latest[entry.entry.amends] = entry.entry.entry
    for entry in entries:
        if entry.id not in out and not isinstance(entry.entry, Amendment):
            yield entry, latest.get(entry.id, entry.entry)


_TOGETHER: Final = {"age": ("age", "age_band"), "age_band": ("age", "age_band")}


def _sides(
    name: str, contents: Iterable[tuple[StoredEntry, AnyEntry]], shown: str, local: LocalTime
) -> Iterator[SideOfConflict]:
    for stored, entry in contents:
        said = _said(name, entry, local)
        if said:
            at = local.when(effective.captured(stored))
            yield SideOfConflict(PROFESSIONS[stored.profession], at, said, said == shown)


def _said(name: str, entry: Any, local: LocalTime) -> str:
    for field in _TOGETHER.get(name, (name,)):
        value = getattr(entry, field, None)
        if isinstance(value, IntentPart):
            return words.code("power", value.power)
        if isinstance(value, list | tuple):
            value = value[0] if value else None
        if isinstance(value, datetime):
            return local.at(value)
        if value is not None:
            return str(value) if isinstance(value, int) else words.code(field, str(value))
    return ""


def _shown(view: IncidentView, name: str) -> str:
    value = getattr(view, name, None)
    if name == "disposal" and view.outcome:
        value = view.outcome.disposal
    if isinstance(value, tuple):
        value = value[0] if value else None
    return words.code(name, value) if isinstance(value, str) else str(value) if isinstance(value, int) else ""

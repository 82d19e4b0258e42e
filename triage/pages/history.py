"""Every entry of an incident, with what changed it and what the reader may do to it."""

from collections.abc import Iterator
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct

from triage.log import effective
from triage.log.entries import (
    Amendment,
    Intent,
    NotSameIncident,
    PersonLink,
    PersonUnlink,
    SameIncident,
    StoredEntry,
    Withdrawal,
)
from triage.pages import words
from triage.pages.loaded_incident import LoadedIncident, author, content_of, may_change
from triage.pages.today import Action
from triage.store.log.served_entries import ServedEntry

_BESIDE: Final = frozenset(("id", "incident_id", "kind", "captured_at", "codes_version", "form_version"))


class HistoryLine(Struct, frozen=True, kw_only=True):
    """An entry of the full history; `changes` amend or withdraw it, `actions` are what the reader may do to it."""

    id: UUID
    seq: int
    kind: str
    who: str
    captured: str
    received: str
    terms: tuple[tuple[str, str], ...]
    changes: tuple[str, ...]
    notices: tuple[str, ...]
    actions: tuple[Action, ...]


def history_line(served: ServedEntry, incident: LoadedIncident) -> HistoryLine:
    """An entry as the reader sees it."""
    stored, local = served.stored, incident.local
    own = stored.author == incident.reader.staff_id
    notices = msgspec.json.decode(served.notices) if own else []
    return HistoryLine(
        id=stored.id,
        seq=stored.seq,
        kind=words.kind(stored.entry),
        who=author(stored, incident.names),
        captured=local.when(effective.captured(stored)),
        received=local.when(stored.received_at),
        terms=tuple(words.lines(content_of(served), local, _BESIDE)),
        changes=tuple(_changes(stored.id, incident)),
        notices=tuple(words.sentence(notice["code"]) for notice in notices),
        actions=tuple(_entry_actions(stored, incident)),
    )


def _changes(entry_id: UUID, incident: LoadedIncident) -> Iterator[str]:
    for stored in incident.stored:
        if getattr(stored.entry, "amends", None) == entry_id:
            yield f"Amended by entry {stored.seq}"
        if getattr(stored.entry, "withdraws", None) == entry_id:
            yield f"Withdrawn by entry {stored.seq}"


def _entry_actions(stored: StoredEntry, incident: LoadedIncident) -> Iterator[Action]:
    """Its author, or the lead of its author's profession, may withdraw or amend; a link is undone by its opposite."""
    if not may_change(stored, incident.reader) or stored.id in effective.out_of_force(incident.stored):
        return
    here = f"/review/incidents/{incident.view.id}"
    match stored.entry:
        case SameIncident():
            yield Action("Part them again", f"{here}/apart?other={stored.entry.other_incident_id}")
        case PersonLink():
            yield Action("Unlink the person", f"{here}/person-unlink?entry={stored.id}")
        case NotSameIncident() | PersonUnlink():
            pass
        case Amendment() | Withdrawal() | Intent():  # an intent is said anew, never put into other words by a form
            yield Action("Withdraw", f"{here}/withdraw?entry={stored.id}")
        case _:
            yield Action("Amend", f"{here}/amend?entry={stored.id}")
            yield Action("Withdraw", f"{here}/withdraw?entry={stored.id}")

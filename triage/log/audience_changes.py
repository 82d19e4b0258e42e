"""Whom an append tells nothing of an incident: those from whom all that it changes is hidden.

What moves an incident for an audience is computed from what that audience may see, so that no cursor tells of more.
A blind row moves by what the blind see alone (`triage.store.log.rows`); the full row is read by all others.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from triage.access.actors import Side
from triage.log.append_decision import IncidentAfter, Snapshot, related_before
from triage.log.entries import Amendment, FollowUp, NewerEntry, StoredEntry, Withdrawal
from triage.log.incident import Incident, fold, view_at
from triage.log.redaction import redact, visible_events
from triage.log.timeline import PersonEvent
from triage.log.view import Audience
from triage.log.visibility import Sight

_MAY_BE_HIDDEN: Final = (FollowUp, Amendment, Withdrawal, NewerEntry)
"""Kinds that a side may see nothing of; of every other, whoever reads the full row sees something."""


class Readers(NamedTuple):
    """Who read the full row of an incident and see the same of it."""

    side: Side
    lead: bool


ALL_READERS: Final = tuple(Readers(side, lead) for side in ("police", "health") for lead in (False, True))


def readers_told_nothing(group: IncidentAfter, read: Snapshot) -> list[Readers]:
    """Those for whom the incident is what it was before the append, entry by entry and in its view."""
    row = read.rows.get((group.root, False))
    new = [stored for stored in group.entries if stored.seq > read.seq]
    if row is None or group.moved or any(not isinstance(stored.entry, _MAY_BE_HIDDEN) for stored in new):
        return []
    entries = [stored for stored in group.entries if stored.seq <= read.seq]
    if not entries:
        return []
    events = related_before(row)
    before = fold(entries, events, terms=group.terms, ids=group.ids)
    return [
        readers
        for readers in ALL_READERS
        if _told(readers, before, events, group, read) == _told(readers, group.full, group.related, group, read)
    ]


def _told(
    readers: Readers, full: Incident, events: Sequence[PersonEvent], group: IncidentAfter, read: Snapshot
) -> tuple[bool, list[StoredEntry], Any]:
    """All that is served of the incident to these readers."""
    sight = Sight(readers.side, False)
    visible = redact(full.entries.stored, sight)
    if not visible:
        return full.restricted, [], None
    incident = fold(visible, visible_events(events, sight), terms=group.terms, ids=group.ids)
    audience = Audience(readers.side, "lead" if readers.lead else "field")
    view = view_at(incident, read.now, audience, sight, (), full.diversion)
    return full.restricted, visible, view

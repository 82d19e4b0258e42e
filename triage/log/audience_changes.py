"""Whom an append tells nothing of an incident: those from whom all that it changes is hidden.

What moves an incident for an audience is computed from what that audience may see, so that no cursor tells of more.
A blind row moves by what the blind see alone (`triage.store.log.rows`); the full row is read by all others.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from triage.access.actors import Side
from triage.log.append_decision import Snapshot
from triage.log.entries import Amendment, FollowUp, NewerEntry, StoredEntry, Withdrawal
from triage.log.incident import Incident, fold, grades_at, view_at
from triage.log.incidents_after import IncidentAfter, related_before
from triage.log.redaction import fold_visible, redact, visible_events
from triage.log.timeline import PersonEvent
from triage.log.view import Audience
from triage.log.visibility import Sight

_MAY_BE_HIDDEN: Final = (FollowUp, Amendment, Withdrawal, NewerEntry)
"""Kinds that a side may see nothing of; of every other, whoever reads the full row sees something."""


class Readers(NamedTuple):
    """Who read the full row of an incident and see the same of it."""

    side: Side
    lead: bool


SIDES: Final[tuple[Side, ...]] = ("police", "health")


def readers_told_nothing(group: IncidentAfter, read: Snapshot) -> list[Readers]:
    """Those for whom the incident is what it was before the append, entry by entry and in its view."""
    row = read.rows.get((group.root, False))
    new = [stored for stored in group.entries if stored.seq > read.seq]
    if row is None or group.moved or any(not isinstance(stored.entry, _MAY_BE_HIDDEN) for stored in new):
        return []
    entries = [stored for stored in group.entries if stored.seq <= read.seq]
    if not entries:
        return []
    corrected = any(isinstance(stored.entry, Amendment | Withdrawal) for stored in group.entries)
    sides = [
        side
        for side in SIDES
        if (corrected or not redact(new, Sight(side, False))) and _sees_the_same(side, entries, group)
    ]
    if not sides:
        return []
    events = related_before(row)
    before = fold(entries, events, terms=group.terms, ids=group.ids)
    if before.restricted != group.full.restricted:
        return []
    return [readers for side in sides for readers in _told_nothing(side, before, events, group, read.now)]


def _sees_the_same(side: Side, entries: Sequence[StoredEntry], group: IncidentAfter) -> bool:
    """Whether every entry is to this side what it was."""
    sight = Sight(side, False)
    return redact(entries, sight) == redact(group.full.entries.stored, sight)


def _told_nothing(
    side: Side, before: Incident, events: Sequence[PersonEvent], group: IncidentAfter, now: datetime
) -> list[Readers]:
    """Those of a side that sees the same entries as before for whom nothing differs of what they add up to."""
    sight = Sight(side, False)
    visible = redact(before.entries.stored, sight)
    if not visible:
        return [Readers(side, lead) for lead in (False, True)]
    readers = [Readers(side, False)]
    if grades_at(before, side, now) == grades_at(group.full, side, now):
        readers.append(Readers(side, True))
    if visible_events(events, sight) == visible_events(group.related, sight):
        return readers
    seen = fold_visible(visible, events, sight, terms=group.terms, ids=group.ids, full=before)
    seen_now = fold_visible(visible, group.related, sight, terms=group.terms, ids=group.ids, full=group.full)
    return [
        reader
        for reader in readers
        if view_at(seen, now, _audience(reader), sight, (), group.full)
        == view_at(seen_now, now, _audience(reader), sight, (), group.full)
    ]


def _audience(reader: Readers) -> Audience:
    return Audience(reader.side, "lead" if reader.lead else "field")

"""The incidents that an append changes, and what they now add up to."""

from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from uuid import UUID

import msgspec
from msgspec import structs

from triage.lazy import lazy_property
from triage.log import effective, links
from triage.log.append_decision import LINKS, Addition, IncidentBefore, IncomingEntry, Snapshot
from triage.log.blindness import holds_intent, with_blindness
from triage.log.entries import (
    AnyEntry,
    NotSameIncident,
    SameIncident,
    StoredEntry,
)
from triage.log.incident import Incident, fold
from triage.log.redaction import BLIND, fold_visible, redact
from triage.log.related import related_events
from triage.log.timeline import PersonEvent
from triage.terms import Terms

_events: Final = msgspec.json.Decoder(tuple[PersonEvent, ...])


@dataclass
class IncidentAfter:
    """One incident as it stands after the append. `moved`: it was joined or parted. `grown`: it has a new entry."""

    root: UUID
    ids: tuple[UUID, ...]
    entries: list[StoredEntry]
    full: Incident
    terms: Terms
    moved: bool = False
    grown: bool = False
    related: tuple[PersonEvent, ...] = ()
    duplicates: tuple[UUID, ...] = ()
    family: UUID | None = None
    served: dict[tuple[str, str, bool], bytes] = field(default_factory=dict)
    """Views as served, by side, level and blindness."""
    knowing: set[tuple[UUID | None, UUID | None]] = field(default_factory=set)
    """Accounts and devices of which it is written down that they know of its intents."""

    @lazy_property
    def has_intent(self) -> bool:
        """Whether an entry tells of an intent."""
        return any(map(holds_intent, self.entries))

    @lazy_property
    def visible(self) -> list[StoredEntry]:
        """The entries that a health device may add up before its judgement."""
        return redact(self.entries, BLIND)

    @lazy_property
    def blind(self) -> Incident | None:
        """The incident for those who may not know of an intent; None where nothing is visible to them."""
        if not self.visible:
            return None
        return fold_visible(self.visible, self.related, BLIND, terms=self.terms, ids=self.ids, full=self.full)

    @lazy_property
    def blind_columns(self) -> Incident | None:
        """The incident behind the blind row. No column of it rests on what is hidden once a contact is in force,
        but its place in the log and its flags; of these it may hold more than are shown."""
        contacts = self.visible and self.full.entries.contacts and not self.full.entries.training
        return self.full if contacts else self.blind


class Move(NamedTuple):
    """An amendment or withdrawal whose target arrived, and the incidents it left and belongs to from now on."""

    entry_id: UUID
    left: UUID
    home: UUID


def send_home(read: Snapshot, added: Sequence[Addition]) -> list[Move]:
    """Let corrections that waited for an entry follow it to its incident; those that were in the log already.

    Whoever may not change an entry leaves nothing in its incident.
    """
    by_id = read.entries | {addition.stored.id: addition.stored for addition in added}
    homes = {
        stored.id: home
        for stored in by_id.values()
        if effective.named(stored.entry) is not None and (home := _home(stored, by_id)) != stored.entry.incident_id
    }
    for addition in added:
        if addition.stored.id in homes:
            addition.stored = _moved(addition.stored, homes.pop(addition.stored.id))
    moves = [Move(entry_id, by_id[entry_id].entry.incident_id, home) for entry_id, home in homes.items()]
    for move in moves:
        read.entries[move.entry_id] = _moved(read.entries[move.entry_id], move.home)
    return moves


def _home(stored: StoredEntry, by_id: Mapping[UUID, StoredEntry]) -> UUID:
    passed = {stored.id}
    while (name := effective.named(stored.entry)) is not None and name not in passed:
        target = by_id.get(name)
        if target is None or not effective.permitted(stored, target):
            break
        passed.add(name)
        stored = target
    return stored.entry.incident_id


def _moved(stored: StoredEntry, home: UUID) -> StoredEntry:
    return structs.replace(stored, entry=structs.replace(stored.entry, incident_id=home))


def incidents_after(
    read: Snapshot, added: Sequence[Addition], items: Sequence[IncomingEntry] = (), moves: Sequence[Move] = ()
) -> list[IncidentAfter]:
    """Every incident that was read, and every one that the items belong to or name, with the new entries."""
    touched = {i for item in items for i in names_incidents(item.entry)}
    shifted = {i for move in moves for i in (move.left, move.home)}
    every = [*read.entries.values(), *(addition.stored for addition in added)]
    statements = [held for held in every if isinstance(held.entry, LINKS)]
    parts = links.components(statements) if statements else ()
    family_of = links.families(statements) if statements else {}
    ids_of = {i: part.incident_ids for part in parts for i in part.incident_ids}
    entries_of: dict[tuple[UUID, ...], list[StoredEntry]] = {ids_of.get(i, (i,)): [] for i in touched}
    for held in every:
        i = held.entry.incident_id
        entries_of.setdefault(ids_of.get(i, (i,)), []).append(held)
    answered: dict[UUID, set[UUID]] = {}
    for row in read.rows.values():
        answered.setdefault(row.root, set()).add(row.id)
    return [
        _group(ids, entries, read, family_of.get(ids[0]), answered.get(ids[0], ids[:1]), shifted)
        for ids, entries in entries_of.items()
        if entries
    ]


def names_incidents(entry: AnyEntry) -> tuple[UUID, ...]:
    """The incident ids that an entry bears on."""
    if isinstance(entry, SameIncident | NotSameIncident):
        return entry.incident_id, entry.other_incident_id
    return (entry.incident_id,)


def _group(
    ids: tuple[UUID, ...],
    entries: list[StoredEntry],
    read: Snapshot,
    family: UUID | None,
    answered: Collection[UUID],
    shifted: Set[UUID],
) -> IncidentAfter:
    """`answered`: the ids that the incident answered to before. What left it takes the entry that parts them along."""
    before = read.rows.get((ids[0], False))
    related = related_before(before) if before else ()
    entries = with_blindness(entries, (row for row in read.served if row.incident_id in ids))
    parted_or_joined = len(answered) != len(ids) or any(
        read.root(i) != ids[0] or _family_changed(read, i, family) for i in ids
    )
    return IncidentAfter(
        root=ids[0],
        ids=ids,
        entries=entries,
        full=fold(entries, related, terms=read.terms, ids=ids),
        terms=read.terms,
        moved=parted_or_joined or not shifted.isdisjoint(ids),
        grown=max(held.seq for held in entries) > read.seq,
        related=related,
        duplicates=tuple(before.duplicates) if before else (),
        family=family,
    )


def related_before(row: IncidentBefore) -> tuple[PersonEvent, ...]:
    """The events that other incidents of the same person contributed before."""
    return _events.decode(row.related)


def _family_changed(read: Snapshot, incident_id: UUID, family: UUID | None) -> bool:
    row = read.rows.get((incident_id, False))
    return row is not None and (row.family or incident_id) != (family or incident_id)


def regrade_by_person(groups: Sequence[IncidentAfter]) -> None:
    """Grade incidents again with what others of the same person, or parted from them, contribute.

    Every family of ids and every incident of their people were read, so what is told here is all there is.
    """
    told = related_events(group.full for group in groups)
    for group in groups:
        if told[group.root] != group.related:
            group.related = told[group.root]
            group.full = fold(group.entries, group.related, terms=group.terms, ids=group.ids)


def abandoned_ids(read: Snapshot, groups: Sequence[IncidentAfter]) -> list[UUID]:
    """Incidents that were nothing but an id that a link named, and that no link names any more."""
    known = {i for group in groups for i in group.ids}
    return list({row.id for row in read.rows.values()} - known)


def changes_people(group: IncidentAfter, read: Snapshot) -> bool:
    """Whether other people are concerned by the incident than before, or by one of the ids that it answers to."""
    if not (group.grown or group.moved):
        return False
    before = (row.people if (row := read.rows.get((i, False))) else () for i in group.ids)
    return any(set(people) != set(group.full.people) for people in before)

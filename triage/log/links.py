"""Which incident ids are one incident, and whom an incident concerns.

The latest statement about a pair is in force, by corrected capture, ties by entry id; so is the latest about a person.
Incidents are the connected components of the pairs said to be the same.
"""

from collections.abc import Iterable, Sequence
from uuid import UUID

from msgspec import Struct

from triage.log.effective import capture_order, out_of_force
from triage.log.entries import NotSameIncident, PersonLink, PersonUnlink, SameIncident, StoredEntry, Withdrawal

Pair = tuple[UUID, UUID]
"""Two incident ids, the smaller first."""


class Component(Struct, frozen=True, gc=False):
    """Incident ids that are one incident. `id` is the smallest; `conflict`: two of them were declared apart."""

    id: UUID
    incident_ids: tuple[UUID, ...]
    conflict: bool


def components(statements: Iterable[StoredEntry]) -> tuple[Component, ...]:
    """The components of every incident id that a statement names, by id; an id joined to none is one of its own.

    Takes `same_incident` and `not_same_incident` entries, and the withdrawals of them; other kinds are passed over.
    """
    entries = list(statements)
    stated = [entry for entry in entries if isinstance(entry.entry, SameIncident | NotSameIncident)]
    out = _withdrawn(entries)
    latest = _latest(entry for entry in stated if entry.id not in out)
    groups = _joined({incident for entry in stated for incident in pair_of(entry)}, latest)
    apart = [pair for pair, entry in latest.items() if isinstance(entry.entry, NotSameIncident)]
    parts = []
    for group in {id(group): group for group in groups.values()}.values():
        ids = tuple(sorted(group))
        parts.append(Component(ids[0], ids, any(a in group and b in group for a, b in apart)))
    return tuple(sorted(parts, key=lambda component: component.id))


def families(statements: Iterable[StoredEntry]) -> dict[UUID, UUID]:
    """For every incident id that a statement names, the smallest of all that statements connect it with.

    Whatever they say, and in force or not: what joins or parts the ids of a family is said within it.
    """
    smallest: dict[UUID, UUID] = {}
    members: dict[UUID, set[UUID]] = {}
    for statement in statements:
        if isinstance(statement.entry, SameIncident | NotSameIncident):
            a, b = (members.setdefault(incident, {incident}) for incident in pair_of(statement))
            if a is not b:
                a |= b
                members.update(dict.fromkeys(b, a))
    for family in {id(family): family for family in members.values()}.values():
        smallest.update(dict.fromkeys(family, min(family)))
    return smallest


def incident_ids(entries: Iterable[StoredEntry]) -> tuple[UUID, ...]:
    """The ids to which these entries belong, the smallest first."""
    return tuple(sorted({entry.entry.incident_id for entry in entries}))


def component_of(incident_id: UUID, statements: Iterable[StoredEntry]) -> Component:
    """The component that holds this incident id."""
    for component in components(statements):
        if incident_id in component.incident_ids:
            return component
    return Component(incident_id, (incident_id,), False)


def declared_apart(statements: Iterable[StoredEntry]) -> frozenset[UUID]:
    """The incident ids of every pair that is declared to be two incidents, in force; withdrawals come along."""
    entries = list(statements)
    out = out_of_force(entries)
    stated = (entry for entry in entries if isinstance(entry.entry, SameIncident | NotSameIncident))
    latest = _latest(entry for entry in stated if entry.id not in out)
    pairs = (pair for pair, entry in latest.items() if isinstance(entry.entry, NotSameIncident))
    return frozenset(incident for pair in pairs for incident in pair)


def people(statements: Iterable[StoredEntry]) -> tuple[UUID, ...]:
    """The people an incident concerns, from its `person_link` and `person_unlink` entries in force."""
    latest: dict[UUID, StoredEntry] = {}
    for statement in sorted(statements, key=capture_order):
        assert isinstance(statement.entry, PersonLink | PersonUnlink)
        latest[statement.entry.person_id] = statement
    return tuple(sorted(person for person, last in latest.items() if isinstance(last.entry, PersonLink)))


def pair_of(statement: StoredEntry) -> Pair:
    """The two incident ids that a statement is about."""
    entry = statement.entry
    assert isinstance(entry, SameIncident | NotSameIncident)
    first, second = sorted((entry.incident_id, entry.other_incident_id))
    return first, second


def _withdrawn(entries: Sequence[StoredEntry]) -> set[UUID]:
    """The statements out of force. Only withdrawals of the same family count, so that reading more changes nothing."""
    if not any(isinstance(entry.entry, Withdrawal) for entry in entries):
        return set()
    family_of = families(entries)
    by_family: dict[UUID, list[StoredEntry]] = {}
    for entry in entries:
        if (family := family_of.get(entry.entry.incident_id)) is not None:
            by_family.setdefault(family, []).append(entry)
    return {name for family in by_family.values() for name in out_of_force(family)}


def _latest(statements: Iterable[StoredEntry]) -> dict[Pair, StoredEntry]:
    return {pair_of(statement): statement for statement in sorted(statements, key=capture_order)}


def _joined(incidents: Iterable[UUID], latest: dict[Pair, StoredEntry]) -> dict[UUID, set[UUID]]:
    groups = {incident: {incident} for incident in incidents}
    for (a, b), statement in latest.items():
        if isinstance(statement.entry, SameIncident) and groups[a] is not groups[b]:
            merged = groups[a] | groups[b]
            groups.update(dict.fromkeys(merged, merged))
    return groups

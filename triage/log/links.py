"""Which incident ids are one incident, and whom an incident concerns.

The latest statement about a pair is in force, by corrected capture, ties by entry id; so is the latest about a person.
Incidents are the connected components of the pairs said to be the same.
"""

from collections.abc import Iterable, Sequence
from uuid import UUID

from msgspec import Struct

from triage.log.effective import captured, named, out_of_force
from triage.log.entries import NotSameIncident, PersonLink, PersonUnlink, SameIncident, StoredEntry, Withdrawal


class Component(Struct, frozen=True, gc=False):
    """Incident ids that are one incident. `id` is the smallest; `conflict`: two of them were declared apart."""

    id: UUID
    incident_ids: tuple[UUID, ...]
    conflict: bool


def components(statements: Iterable[StoredEntry]) -> tuple[Component, ...]:
    """The components of every incident id that a statement names, by id; an id joined to none is one of its own.

    Takes `same_incident` and `not_same_incident` entries, and the withdrawals of them; other kinds are passed over.
    """
    held = list(statements)
    said = [one for one in held if isinstance(one.entry, SameIncident | NotSameIncident)]
    out = _withdrawn(held)
    latest = _latest(one for one in said if one.id not in out)
    groups = _joined({incident for one in said for incident in _pair(one)}, latest)
    apart = [pair for pair, one in latest.items() if isinstance(one.entry, NotSameIncident)]
    found = []
    for group in {id(group): group for group in groups.values()}.values():
        ids = tuple(sorted(group))
        found.append(Component(ids[0], ids, any(a in group and b in group for a, b in apart)))
    return tuple(sorted(found, key=lambda component: component.id))


def families(statements: Iterable[StoredEntry]) -> dict[UUID, UUID]:
    """For every incident id that a statement names, the smallest of all that statements connect it with.

    Whatever they say, and in force or not: what joins or parts the ids of a family is said within it.
    """
    said = [one for one in statements if isinstance(one.entry, SameIncident | NotSameIncident)]
    smallest: dict[UUID, UUID] = {}
    members: dict[UUID, set[UUID]] = {}
    for one in said:
        a, b = (members.setdefault(incident, {incident}) for incident in _pair(one))
        if a is not b:
            a |= b
            members.update(dict.fromkeys(b, a))
    for family in {id(family): family for family in members.values()}.values():
        smallest.update(dict.fromkeys(family, min(family)))
    return smallest


def incident_ids(entries: Iterable[StoredEntry]) -> tuple[UUID, ...]:
    """The ids to which these entries belong, the smallest first."""
    homes = home_of(entries := list(entries))
    return tuple(sorted({homes.get(entry.id, entry.entry.incident_id) for entry in entries}))


def home_of(entries: Iterable[StoredEntry]) -> dict[UUID, UUID]:
    """The incident id to which each amendment and withdrawal belongs whose target is among the entries.

    That of the entry it names in the end, whatever id it was sent under: so that a correction sent under the shown id
    of a linked incident stays with its entry when the two are parted.
    """
    by_id = {entry.id: entry for entry in entries}
    homes: dict[UUID, UUID] = {}
    for entry in by_id.values():
        passed, target = {entry.id}, entry
        while (name := named(target.entry)) in by_id and name not in passed:
            target = by_id[name]
            passed.add(target.id)
        if target is not entry and named(target.entry) not in passed:
            homes[entry.id] = target.entry.incident_id
    return homes


def _withdrawn(held: Sequence[StoredEntry]) -> set[UUID]:
    """The statements out of force. Only withdrawals of the same family count, so that reading more changes nothing."""
    if not any(isinstance(one.entry, Withdrawal) for one in held):
        return set()
    family_of = families(held)
    by_family: dict[UUID, list[StoredEntry]] = {}
    for one in held:
        if (family := family_of.get(one.entry.incident_id)) is not None:
            by_family.setdefault(family, []).append(one)
    return {one for family in by_family.values() for one in out_of_force(family)}


def component_of(incident_id: UUID, statements: Iterable[StoredEntry]) -> Component:
    """The component that holds this incident id."""
    for component in components(statements):
        if incident_id in component.incident_ids:
            return component
    return Component(incident_id, (incident_id,), False)


def declared_apart(statements: Iterable[StoredEntry]) -> frozenset[UUID]:
    """The incident ids of every pair that is declared to be two incidents, in force."""
    held = list(statements)
    out = out_of_force(held)
    stated = (one for one in held if isinstance(one.entry, SameIncident | NotSameIncident))  # withdrawals come along
    latest = _latest(one for one in stated if one.id not in out)
    pairs = (pair for pair, one in latest.items() if isinstance(one.entry, NotSameIncident))
    return frozenset(incident for pair in pairs for incident in pair)


def people(statements: Iterable[StoredEntry]) -> tuple[UUID, ...]:
    """The people an incident concerns, from its `person_link` and `person_unlink` entries in force."""
    latest: dict[UUID, StoredEntry] = {}
    for one in sorted(statements, key=lambda one: (captured(one), one.id)):
        assert isinstance(one.entry, PersonLink | PersonUnlink)
        latest[one.entry.person_id] = one
    return tuple(sorted(person for person, one in latest.items() if isinstance(one.entry, PersonLink)))


def _pair(statement: StoredEntry) -> tuple[UUID, UUID]:
    entry = statement.entry
    assert isinstance(entry, SameIncident | NotSameIncident)
    one, other = sorted((entry.incident_id, entry.other_incident_id))
    return one, other


def _latest(statements: Iterable[StoredEntry]) -> dict[tuple[UUID, UUID], StoredEntry]:
    return {_pair(one): one for one in sorted(statements, key=lambda one: (captured(one), one.id))}


def _joined(incidents: Iterable[UUID], latest: dict[tuple[UUID, UUID], StoredEntry]) -> dict[UUID, set[UUID]]:
    groups = {incident: {incident} for incident in incidents}
    for (a, b), one in latest.items():
        if isinstance(one.entry, SameIncident) and groups[a] is not groups[b]:
            merged = groups[a] | groups[b]
            groups.update(dict.fromkeys(merged, merged))
    return groups

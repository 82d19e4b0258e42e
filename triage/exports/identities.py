"""Who counts as one person: registered people only, and ids that were ever linked to one incident are one of them.

What a link said was taken back may still have been true, and a person counted twice would let a group of nine pass for
one of ten; so a link counts whatever became of it.
"""

from collections.abc import Iterable, Mapping
from uuid import UUID

from triage.exports.members import Kinds, RegisteredPerson
from triage.log import links
from triage.log.entries import PersonLink, SameIncident, StoredEntry

Identities = Mapping[UUID, RegisteredPerson]
"""For every registered id that a link names, the person it counts as. An id that is not there is nobody's."""


def identities(entries: Iterable[StoredEntry], registered: Mapping[UUID, tuple[UUID, Kinds]]) -> Identities:
    """The people behind the ids of all links among these entries, which hold every link of the team and every statement
    that two incidents are the same; whatever was said of either since.

    `registered` tells whom an id belongs to, and by what kinds of identifier that person is known.
    """
    stored = list(entries)
    same = (entry for entry in stored if isinstance(entry.entry, SameIncident))
    incident_of = {i: part.id for part in links.components(same) for i in part.incident_ids}
    people = _Union()
    by_incident: dict[UUID, UUID] = {}
    for entry in stored:
        if isinstance(entry.entry, PersonLink) and entry.entry.person_id in registered:
            person = registered[entry.entry.person_id][0]
            incident = incident_of.get(entry.entry.incident_id, entry.entry.incident_id)
            people.join(person, by_incident.setdefault(incident, person))
    kinds: dict[UUID, Kinds] = {}
    for person, known_by in registered.values():
        root = people.root(person)
        kinds[root] = kinds.get(root, 0) | known_by
    return {linked: (people.root(person), kinds[people.root(person)]) for linked, (person, _) in registered.items()}


class _Union:
    """Disjoint sets of ids; the smallest of each stands for it."""

    def __init__(self) -> None:
        self._above: dict[UUID, UUID] = {}

    def root(self, of: UUID) -> UUID:
        while (above := self._above.get(of, of)) != of:
            self._above[of] = self._above.get(above, above)
            of = above
        return of

    def join(self, first: UUID, second: UUID) -> None:
        low, high = sorted((self.root(first), self.root(second)))
        self._above[high] = low

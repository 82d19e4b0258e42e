"""Why a line of an edition changed: which kinds of entries made the difference.

A kind is named for a line when the line would read otherwise without the entries of that kind, or with them alone. What
changed though no entry came is put down to the code lists, the rules, or the total of the force.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from uuid import UUID

from msgspec import Struct, structs

from triage.log.effective import kind
from triage.log.entries import StoredEntry
from triage.log.timeline import PersonEvent
from triage.summaries.editions import Why, lines_of
from triage.summaries.facts import IncidentFact, Profile, facts_of, profile_at
from triage.summaries.figures import Measure
from triage.summaries.registry import Scope, definitions

MOST = 500_000
"""Incidents times kinds that are computed again; beyond it the kinds are named for the edition as a whole."""

Lines = Mapping[str, int | float | None]


class ChangedIncidents(Struct, frozen=True):
    """The incidents that entries after a position bear on: all their entries, and what others contribute to each."""

    since: int
    held: Sequence[StoredEntry]
    related: Mapping[UUID, Sequence[PersonEvent]]

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of the entries that came."""
        return tuple(sorted({kind(one.entry) for one in self.held if one.seq > self.since}))

    def facts(self, keeps: Callable[[StoredEntry], bool]) -> list[IncidentFact]:
        """The incidents as they stood before, with those of the later entries that are kept."""
        kept = [one for one in self.held if one.seq <= self.since or keeps(one)]
        left_out = {one.id for one in self.held}.difference(one.id for one in kept)
        related = {
            incident: [event for event in events if event.entry not in left_out]
            for incident, events in self.related.items()
        }
        return facts_of(kept, related)


def kinds_by_line(
    old: Sequence[Measure], then: Sequence[Measure], scope: Scope, moved: ChangedIncidents, elsewhere: Why
) -> Why:
    """For each line that differs between two computations at one instant, the kinds of entries that made it so."""
    before, after = lines_of(old), lines_of(then)
    changed = {line for line in (*before, *after) if before.get(line, 0) != after.get(line, 0)}
    if len(scope.members) * len(moved.kinds) > MOST:
        return dict.fromkeys(changed, moved.kinds)
    codes = {line.partition("/")[0] for line in changed}
    now = moved.facts(lambda one: True)

    def read(keeps: Callable[[StoredEntry], bool]) -> Lines:
        given = _with(scope, moved, now, moved.facts(keeps))
        return lines_of([one.measure(given) for one in definitions(scope.kind) if one.code in codes])

    nothing = read(lambda one: False)
    made: dict[str, set[str]] = {line: set() for line in changed}
    for name in moved.kinds:
        without = read(lambda one, name=name: kind(one.entry) != name)  # type: ignore[misc]
        alone = read(lambda one, name=name: kind(one.entry) == name)  # type: ignore[misc]
        for line in changed:
            differs = without.get(line, 0) != after.get(line, 0) or alone.get(line, 0) != nothing.get(line, 0)
            if differs:
                made[line].add(name)
    for line in changed:
        if nothing.get(line, 0) != before.get(line, 0):
            made[line].update(elsewhere.get(line, elsewhere.get("", ())))
    return {line: tuple(sorted(names)) or moved.kinds for line, names in made.items()}


def _with(scope: Scope, moved: ChangedIncidents, now: Iterable[IncidentFact], instead: Iterable[IncidentFact]) -> Scope:
    """The scope with these facts in the place of those of the incidents that moved."""
    ids = {one.entry.incident_id for one in moved.held}
    counting = [fact for fact in instead if fact.counts]
    members = [fact for fact in scope.members if fact.id not in ids]
    members += [fact for fact in counting if scope.starts_at <= fact.at < scope.ends_at]
    of_person = {who: [fact for fact in facts if fact.id not in ids] for who, facts in scope.of_person.items()}
    for fact in counting:
        for who in fact.people:
            of_person.setdefault(who, []).append(fact)
    return structs.replace(scope, members=members, of_person=of_person, pooled=_pooled(scope, now, counting))


def _pooled(scope: Scope, now: Iterable[IncidentFact], instead: Iterable[IncidentFact]) -> Mapping[Profile, int]:
    since = scope.pooled_since
    if since is None:
        return scope.pooled

    def count(facts: Iterable[IncidentFact]) -> Counter[Profile]:
        return Counter(profile_at(one, scope.as_at) for one in facts if one.counts and since <= one.at < scope.ends_at)

    return Counter(scope.pooled) - count(now) + count(instead)

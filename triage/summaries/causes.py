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
from triage.summaries.derivation import facts_of
from triage.summaries.editions import LinePart, Values, Why, value_in, values_of
from triage.summaries.facts import IncidentFact, Profile, RecentIncident, profile_at
from triage.summaries.figures import Measure
from triage.summaries.registry import Scope, definitions
from triage.terms import Terms

MOST = 500_000
"""Incidents times kinds that are computed again; beyond it the kinds are named for the edition as a whole."""

Elsewhere = Mapping[str, tuple[str, ...]]
"""Causes other than entries: by line, and under the empty name for every line."""


class ChangedIncidents(Struct, frozen=True):
    """The incidents that entries after a position bear on: all their entries, and what others contribute to each."""

    since: int
    stored: Sequence[StoredEntry]
    related: Mapping[UUID, Sequence[PersonEvent]]
    terms: Terms

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of the entries that came."""
        return tuple(sorted({kind(entry.entry) for entry in self.stored if entry.seq > self.since}))

    def facts(self, keeps: Callable[[StoredEntry], bool]) -> list[IncidentFact]:
        """The incidents as they stood before, with those of the later entries that are kept."""
        kept = [entry for entry in self.stored if entry.seq <= self.since or keeps(entry)]
        left_out = {entry.id for entry in self.stored}.difference(entry.id for entry in kept)
        related = {
            incident: [event for event in events if event.entry not in left_out]
            for incident, events in self.related.items()
        }
        return facts_of(kept, related, terms=self.terms)


def kinds_by_line(
    old: Sequence[Measure],
    then: Sequence[Measure],
    scope: Scope,
    changed: ChangedIncidents,
    elsewhere: Elsewhere,
) -> Why:
    """For each part of a line that differs between two computations at one instant, the kinds that made it so."""
    before, after = values_of(old), values_of(then)
    parts = {part for part in (*before, *after) if value_in(before, part) != value_in(after, part)}
    if len(scope.members) * len(changed.kinds) > MOST:
        return dict.fromkeys(parts, changed.kinds)
    codes = {line.partition("/")[0] for line, _ in parts}
    now = changed.facts(lambda entry: True)

    def read(keeps: Callable[[StoredEntry], bool]) -> Values:
        given = with_facts(scope, changed, now, changed.facts(keeps))
        return values_of(
            [definition.measure(given) for definition in definitions(scope.kind) if definition.code in codes]
        )

    nothing = read(lambda entry: False)
    made: dict[LinePart, set[str]] = {part: set() for part in parts}
    for name in changed.kinds:
        without = read(lambda entry, name=name: kind(entry.entry) != name)  # type: ignore[misc]
        alone = read(lambda entry, name=name: kind(entry.entry) == name)  # type: ignore[misc]
        for part in parts:
            if value_in(without, part) != value_in(after, part) or value_in(alone, part) != value_in(nothing, part):
                made[part].add(name)
    for part in parts:
        if value_in(nothing, part) != value_in(before, part):
            made[part].update(elsewhere.get(part[0], elsewhere.get("", ())))
    return {part: tuple(sorted(names)) or changed.kinds for part, names in made.items()}


def as_before(scope: Scope, changed: ChangedIncidents) -> Scope:
    """The scope as it was before the later entries came."""
    return with_facts(scope, changed, changed.facts(lambda entry: True), changed.facts(lambda entry: False))


def with_facts(
    scope: Scope, changed: ChangedIncidents, now: Iterable[IncidentFact], instead: Iterable[IncidentFact]
) -> Scope:
    """The scope with these facts in the place of those of the incidents that changed."""
    ids = {entry.entry.incident_id for entry in changed.stored}
    counting = [fact for fact in instead if fact.counts]
    members = [fact for fact in scope.members if fact.id not in ids]
    members += [fact for fact in counting if scope.starts_at <= fact.at < scope.ends_at]
    of_person = {who: [fact for fact in facts if fact.id not in ids] for who, facts in scope.of_person.items()}
    for fact in counting:
        for who in fact.people:
            of_person.setdefault(who, []).append(fact)
    return structs.replace(
        scope,
        members=members,
        recent=_recent(scope, ids, counting),
        of_person=of_person,
        pooled=_pooled(scope, now, counting),
    )


def _recent(scope: Scope, ids: set[UUID], counting: Iterable[IncidentFact]) -> list[RecentIncident]:
    """Recent incidents; whether the machine would have taken one that changed for a duplicate is not known again."""
    since = min((recent.fact.at for recent in scope.recent), default=scope.as_at)
    kept = [recent for recent in scope.recent if recent.fact.id not in ids]
    return kept + [RecentIncident(fact, False) for fact in counting if since <= fact.at < scope.as_at]


def _pooled(scope: Scope, now: Iterable[IncidentFact], instead: Iterable[IncidentFact]) -> Mapping[Profile, int]:
    since = scope.pooled_since
    if since is None:
        return scope.pooled

    def count(facts: Iterable[IncidentFact]) -> Counter[Profile]:
        counting = (fact for fact in facts if fact.counts and since <= fact.at < scope.ends_at)
        return Counter(profile_at(fact, scope.as_at) for fact in counting)

    return Counter(scope.pooled) - count(now) + count(instead)

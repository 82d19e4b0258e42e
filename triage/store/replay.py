"""An old edition computed anew, from nothing but the entries up to its position.

What the service keeps beside the entries (incidents, facts) is not looked at: the log alone gives the numbers again.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec import structs

from triage import codes
from triage.log import links
from triage.log.course import PersonEvent
from triage.log.diversion import RULE
from triage.log.entries import Held
from triage.log.incident import Incident, fold, person_events
from triage.store.appending import LINKS, held_of
from triage.store.database import Connection
from triage.store.summaries import AROUND, SQL, Team, assemble, pooled_since, slot_of
from triage.summaries import editions
from triage.summaries.editions import Summary
from triage.summaries.facts import Around, Fact, fact_of
from triage.summaries.figures import Measure
from triage.summaries.registry import Scope
from triage.summaries.schedule import Slot

PAGE: Final = 5000


class OtherRules(Exception):
    """The edition was computed under rules or code lists that this program does not have in force."""


async def recompute(connection: Connection, team: Team, summary: Summary) -> tuple[Measure, ...]:
    """The flow measures of an edition, from the log up to its position. Raises OtherRules.

    Reads the whole log up to there: an audit, not something to wait for.
    """
    if (summary.rules, summary.codes_version) != (RULE, codes.version):
        raise OtherRules(f"needs {summary.rules} and code lists {summary.codes_version}")
    assert summary.as_at and summary.as_at_seq is not None
    facts = facts_of(await _log(connection, team.team_id, summary.as_at_seq))
    scope = _scope(team, slot_of(summary), summary.as_at, facts)
    scope = structs.replace(scope, silent=summary.silent)
    return tuple(one for one in editions.compute(scope) if one.kind == "flow")


async def _log(connection: Connection, team_id: UUID, until: int) -> list[Held]:
    held: list[Held] = []
    while rows := await connection.fetch(SQL.log_until, team_id, held[-1].seq if held else 0, until, PAGE):
        held += [held_of(*row) for row in rows]
    return held


def facts_of(held: Iterable[Held]) -> list[Fact]:
    """Every incident of these entries, graded with what the other incidents of its people contribute."""
    entries = list(held)
    parts = links.components(one for one in entries if isinstance(one.entry, LINKS))
    root = {i: part.id for part in parts for i in part.incident_ids}
    groups: dict[UUID, list[Held]] = defaultdict(list)
    for one in entries:
        groups[root.get(one.entry.incident_id, one.entry.incident_id)].append(one)
    incidents = {i: fold(group, ids=links.incident_ids(group)) for i, group in groups.items()}
    of_person: dict[UUID, list[Incident]] = defaultdict(list)
    for incident in incidents.values():
        for person in incident.people:
            of_person[person].append(incident)
    return [
        fact_of(fold(groups[i], others, ids=incident.incident_ids) if others else incident, others)
        for i, incident in incidents.items()
        for others in [_others(incident, of_person)]
    ]


def _others(incident: Incident, of_person: dict[UUID, list[Incident]]) -> tuple[PersonEvent, ...]:
    found = {
        event
        for person in incident.people
        for other in of_person[person]
        if other.id != incident.id
        for event in person_events(other)
    }
    return tuple(sorted(found, key=lambda event: (event.at, event.code, event.entry.bytes)))


def _scope(team: Team, slot: Slot, as_at: datetime, facts: Iterable[Fact]) -> Scope:
    every = [Around(fact, False) for fact in facts]
    since = pooled_since(slot, team.calendar.zone) or slot.starts_at
    of_period = [one for one in every if since <= one.fact.at < slot.ends_at]
    people = {person for one in of_period if one.fact.at >= slot.starts_at for person in one.fact.people}
    first, last = slot.starts_at - AROUND, slot.ends_at + AROUND
    theirs = [one for one in every if first <= one.fact.at < last and not people.isdisjoint(one.fact.people)]
    return assemble(team, slot, as_at, of_period, (), theirs)

"""An old edition computed anew, from nothing but the entries up to its position.

What the service keeps beside the entries (incidents, facts) is not looked at: the log alone gives the numbers again.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec import structs

from triage import codes
from triage.errors import OperatorError
from triage.log.diversion import RULE
from triage.store.database import Connection
from triage.store.log.entries import EntryColumns, served_to_judges
from triage.store.statements import statement
from triage.store.summaries.calendars import CalendarTeam
from triage.store.summaries.scopes import AROUND, assemble, code_lists, force_totals, pooled_since, slot_of
from triage.summaries import editions
from triage.summaries.derivation import facts_of
from triage.summaries.editions import Summary
from triage.summaries.facts import IncidentFact, profile_at
from triage.summaries.figures import Measure
from triage.summaries.registry import MEASURES_VERSION, ForceTotal, Scope
from triage.summaries.schedule import Slot

PAGE: Final = 5000

_LOG_UNTIL = statement("summaries.log_until", EntryColumns)


class OtherRules(OperatorError):
    """The edition was computed under rules that this program no longer carries, or code lists that are not kept."""


async def recompute(connection: Connection, team: CalendarTeam, summary: Summary) -> tuple[Measure, ...]:
    """The flow measures of an edition, from the log up to its position, under the rules, code lists and terms of then.

    Raises OtherRules. Reads the whole log up to there: an audit, not something to wait for. The code lists of then are
    in force in the process while it computes, so it is for a command and not for the service.
    """
    if summary.rules != RULE:
        raise OtherRules(f"it needs rule set {summary.rules}; this program has {RULE}")
    if summary.measures_version != MEASURES_VERSION:
        raise OtherRules(f"it needs measures {summary.measures_version}; this program has {MEASURES_VERSION}")
    team = _as_then(team, summary)
    lists = await _lists_of(connection, summary)
    assert summary.as_at and summary.as_at_seq is not None
    rows = await _log(connection, team.team_id, summary.as_at_seq)
    slot = slot_of(summary)
    totals = await force_totals(connection, team.team_id, slot.period, summary.as_at)
    served = await served_to_judges(connection, team.team_id, list({row.incident_id for row in rows}))
    with codes.reading(lists):
        facts = facts_of((row.entry() for row in rows), served=served, terms=team.terms)
        scope = structs.replace(_scope(team, slot, summary.as_at, facts, totals), silent=summary.silent)
        return tuple(measure for measure in editions.compute_measures(scope) if measure.kind == "flow")


def _as_then(team: CalendarTeam, summary: Summary) -> CalendarTeam:
    """The team under the terms that the edition records; as it is now, for one that records none."""
    if summary.terms is None:
        return team
    terms = summary.terms.in_force()
    calendar = structs.replace(team.calendar, zone=terms.zone, day_start_hour=terms.day_start_hour)
    return structs.replace(team, terms=terms, calendar=calendar)


async def _lists_of(connection: Connection, summary: Summary) -> bytes:
    digest = summary.codes_digest
    if digest == codes.digest().hex() or (not digest and summary.codes_version == codes.version):
        return codes.document()
    kept = await code_lists(connection, bytes.fromhex(digest)) if digest else None
    if kept is None:
        raise OtherRules(f"the code lists it was computed under (version {summary.codes_version}) are not kept here")
    return kept


async def _log(connection: Connection, team_id: UUID, until: int) -> list[EntryColumns]:
    read: list[EntryColumns] = []
    while rows := await _LOG_UNTIL.fetch(
        connection, team_id=team_id, after=read[-1].seq if read else 0, until=until, most=PAGE
    ):
        read += rows
    return read


def _scope(
    team: CalendarTeam, slot: Slot, as_at: datetime, facts: Iterable[IncidentFact], totals: Sequence[ForceTotal]
) -> Scope:
    in_log = list(facts)
    of_period = [fact for fact in in_log if slot.starts_at <= fact.at < slot.ends_at]
    since = pooled_since(slot, team.calendar.zone)
    first_day = since or slot.starts_at
    earlier = Counter(
        profile_at(fact, as_at) for fact in in_log if first_day <= fact.at < slot.starts_at and fact.counts
    )
    people = {person for fact in of_period for person in fact.people}
    first, last = slot.starts_at - AROUND, slot.ends_at + AROUND
    theirs = [fact for fact in in_log if first <= fact.at < last and not people.isdisjoint(fact.people)]
    return assemble(team, slot, as_at, of_period, earlier, (), theirs, totals=totals, since=since)

"""The stored rows of incidents made anew from the log, under the rules of this version.

A row is what lists and filters are answered from. It is written with each entry, by the rules of the version that took
the entry.
"""

from collections.abc import AsyncIterator
from typing import Final
from uuid import UUID

import msgspec

from triage.log.append_decision import Snapshot
from triage.log.incidents_after import IncidentAfter, incidents_after, regrade_by_person
from triage.store.access.teams import TeamTerms
from triage.store.database import Connection, Database
from triage.store.log import rows, snapshot
from triage.store.log.append import LOCK_HEAD
from triage.store.statements import statement
from triage.terms import Terms

AT_ONCE: Final = 50
"""Incidents for which a team's log is locked at a time: between two such steps, appends pass."""

_LIST = statement("refold.list_incidents", UUID)
_COUNT = statement("refold.count", int)
_STORE = statement("refold.store")


async def count(database: Database, team_id: UUID) -> int:
    """How many incidents there are to make anew."""
    async with database.team(team_id) as connection:
        return await _COUNT.fetch_one(connection, team_id=team_id)


async def refold(database: Database, team_id: UUID) -> AsyncIterator[int]:
    """Make the rows of a team's incidents anew; yields how many each step made. Running it again changes nothing."""
    terms = TeamTerms(database.police_station_allowed_until)
    after = UUID(int=0)
    while True:
        async with database.team(team_id) as connection, connection.transaction():
            await LOCK_HEAD.execute(connection, team_id=team_id)
            incidents = await _LIST.fetch(connection, team_id=team_id, after=after, most=AT_ONCE)
            if not incidents:
                return
            await _make_anew(connection, team_id, incidents, await terms.of(connection, team_id))
        yield len(incidents)
        after = incidents[-1]


async def _make_anew(connection: Connection, team_id: UUID, incidents: list[UUID], terms: Terms) -> None:
    read, groups = await _fold(connection, team_id, incidents, terms)
    wanted = set(incidents)
    upserts = rows.refolded_rows(team_id, read, [group for group in groups if group.root in wanted])
    await _STORE.execute(connection, incidents=msgspec.json.encode(upserts).decode())


async def _fold(
    connection: Connection, team_id: UUID, incidents: list[UUID], terms: Terms
) -> tuple[Snapshot, list[IncidentAfter]]:
    """These incidents, with all that bears on their grades: their families, and whatever else befell their people."""
    people: set[UUID] = set()
    while True:
        reach = await snapshot.reach_of_incidents(connection, team_id, incidents, people)
        read = await snapshot.read(connection, team_id, (), reach, terms)
        groups = incidents_after(read, ())
        people |= {person for group in groups for person in group.full.people}
        if people <= reach.people:
            regrade_by_person(groups)
            return read, groups

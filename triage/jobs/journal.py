"""Keeps the journal up with what was published, so that no restored backup cuts an edition or release again.

And with where the chains stand, so that cutting their ends off shows.
"""

from triage.store.access import teams
from triage.store.audit import NO_TEAM
from triage.store.database import Database
from triage.store.journal import Journal
from triage.store.recovery.anchors import anchor
from triage.store.recovery.journal_copy import PublicationWriter


async def copy_publications(database: Database, publications: PublicationWriter) -> None:
    """Add every edition and release that the journal lacks."""
    for team_id in await teams.list_teams(database):
        await publications.write(team_id)


async def write_anchors(database: Database, journal: Journal) -> None:
    """Write down the head of every chain that moved, also of the audit that belongs to no team."""
    for team_id in (*await teams.list_teams(database), NO_TEAM):
        await anchor(database, journal, team_id)


async def anchor_logs(database: Database, journal: Journal) -> None:
    """Write down the head of every log that moved: a database that lost its last moments is known by it at its start.

    A team appends some fifty times a day; the other chains move with every reading, and are told of less often.
    """
    for team_id in await teams.list_teams(database):
        await anchor(database, journal, team_id, ("entries",))

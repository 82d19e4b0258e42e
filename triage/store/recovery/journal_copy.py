"""Brings the journal up to what was published: rows of editions and releases, each once, whole.

Whole, for a release cut again after a restore would be another: entries came and went since, and two cuts of one period
tell apart who is in one of them. The fifteen months of the demo (21 releases, 554 editions) are 5 MB of the key store;
50,000 rows and the files of one partner, made up, took 70 MB and 9 seconds.
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import msgspec

from triage.store.database import Connection, Database
from triage.store.journal import Journal
from triage.store.journal_lines import PUBLISHED, RowPublished


class PublicationWriter:
    """Writes to the journal what was published and is not in it; looks only when something was published."""

    def __init__(self, database: Database, journal: Journal) -> None:
        self._database = database
        self._journal = journal
        self._counted: dict[UUID, int] = {}

    async def write(self, team_id: UUID) -> None:
        """Add what is not in the journal yet. Any number of processes may call it."""
        async with self._database.team(team_id) as connection:
            count: int = await connection.fetchval(_COUNT, team_id)
            if self._counted.get(team_id) == count:
                return
            for table in PUBLISHED:
                async for rows in _pages(connection, table, team_id):
                    if missing := await self._journal.unknown(rows):
                        await self._journal.add(*missing)
        self._counted[team_id] = count


_COUNT: Final = """SELECT (SELECT count(*) FROM summary_edition WHERE team_id = $1)
                 + (SELECT count(*) FROM rendered_file WHERE team_id = $1)
                 + (SELECT count(*) FROM force_total WHERE team_id = $1)
                 + (SELECT count(*) FROM release_cadence WHERE team_id = $1)"""


async def _pages(connection: Connection, table: str, team_id: UUID) -> AsyncIterator[list[RowPublished]]:
    """Every row of a table as JSON; the tables are few and fixed, so the name is no value of anybody's."""
    assert table in PUBLISHED
    page = 20 if table == "rendered_chunk" else 1_000  # a release may have a million rows
    of_team, values = ("", []) if table == "code_lists" else ("WHERE team_id = $1", [team_id])
    now = datetime.now(UTC)
    async with connection.transaction(readonly=True):
        rows = await connection.cursor(f"SELECT to_jsonb(t)::text AS row FROM {table} t {of_team}", *values)
        while records := await rows.fetch(page):
            texts = (msgspec.Raw(row["row"].encode()) for row in records)
            yield [RowPublished(at=now, team_id=team_id, table=table, row=text) for text in texts]

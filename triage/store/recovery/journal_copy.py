"""Brings the journal up to what was published: rows of editions and releases, each once."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime
from hashlib import sha256
from uuid import UUID

import msgspec

from triage.store.database import Connection, Database
from triage.store.journal import Journal, RowPublished
from triage.store.people.erasure import PUBLISHED


class PublicationWriter:
    """Writes to the journal what was published and is not in it; looks only when something was published."""

    def __init__(self, database: Database, journal: Journal) -> None:
        self._database = database
        self._journal = journal
        self._counted: dict[UUID, int] = {}

    async def write(self, team_id: UUID) -> int:
        """Add what is not in the journal yet; how many rows. Two processes may both add one, which does no harm."""
        added = 0
        async with self._database.team(team_id) as connection:
            count: int = await connection.fetchval(_COUNT, team_id)
            if self._counted.get(team_id) == count:
                return 0
            # read anew: whoever publishes may have written to the journal already
            known = await asyncio.to_thread(self._known)
            for table in PUBLISHED:
                # a release may have a million rows: a page at a time, and none of it on the event loop
                async for rows in _pages(connection, table, team_id):
                    added += await asyncio.to_thread(self._add, team_id, table, rows, known)
        self._counted[team_id] = count
        return added

    def _known(self) -> set[bytes]:
        return {_name(one.table, bytes(one.row)) for one in self._journal.lines() if isinstance(one, RowPublished)}

    def _add(self, team_id: UUID, table: str, rows: Iterable[bytes], known: set[bytes]) -> int:
        named = {_name(table, row): row for row in rows}
        fresh = {name: row for name, row in named.items() if name not in known}
        if fresh:
            now = datetime.now(UTC)
            self._journal.add(
                *(RowPublished(at=now, team_id=team_id, table=table, row=msgspec.Raw(row)) for row in fresh.values())
            )
            known |= fresh.keys()
        return len(fresh)


_COUNT = """SELECT (SELECT count(*) FROM summary_edition WHERE team_id = $1)
                 + (SELECT count(*) FROM rendered_file WHERE team_id = $1)
                 + (SELECT count(*) FROM force_total WHERE team_id = $1)"""


def _name(table: str, row: bytes) -> bytes:
    """What a row is known by: of a run, which goes on changing, only which one it is."""
    values = msgspec.json.decode(row)
    if table == "summary_run":
        values = {name: values[name] for name in ("team_id", "kind", "period", "form")}
    return sha256(table.encode() + msgspec.json.encode(values, order="sorted")).digest()


async def _pages(connection: Connection, table: str, team_id: UUID) -> AsyncIterator[list[bytes]]:
    """Every row of a table as JSON; the tables are few and fixed, so the name is no value of anybody's."""
    assert table in PUBLISHED
    page = 20 if table == "rendered_chunk" else 1_000
    async with connection.transaction(readonly=True):
        rows = await connection.cursor(f"SELECT to_jsonb(t)::text AS row FROM {table} t WHERE team_id = $1", team_id)
        while found := await rows.fetch(page):
            yield [row["row"].encode() for row in found]

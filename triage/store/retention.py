"""How long each part is kept: the owner's table, applied or only shown."""

from datetime import date, datetime
from uuid import UUID

import asyncpg
from msgspec import Struct

from triage.store import audit, erasure
from triage.store.erasure import SQL
from triage.store.journal import Journal
from triage.store.keys import KeyStore


class Due(Struct, frozen=True, kw_only=True):
    """What of a part is past its period, and what becomes of it. `applied`: the owner has switched the rule on."""

    part: str
    months: int
    afterwards: str
    applied: bool
    review_on: date
    count: int


class Retention:
    """The retention of one installation."""

    def __init__(self, keys: KeyStore, journal: Journal, quarantine_days: int) -> None:
        self._keys = keys
        self._journal = journal
        self._quarantine_days = quarantine_days

    async def run(self, connection: asyncpg.Connection, team_id: UUID, now: datetime, dry: bool) -> list[Due]:
        """What is due, and unless `dry`, do what is switched on. The owner's connection, in a transaction."""
        found = []
        for rule in await connection.fetch(SQL.retention):
            act = rule["applied"] and rule["afterwards"] == "destroy" and not dry
            match rule["part"]:
                case "quarantine":
                    count = await self._quarantine(connection, team_id, now, act)
                case "person":
                    count = await self._people(connection, team_id, now, rule["months"], act)
                case "audit":
                    count = await connection.fetchval(SQL.due_audit, team_id, rule["months"], now)
                case _:
                    count = await connection.fetchval(SQL.due_incidents, team_id, rule["months"], now)
            found.append(
                Due(
                    part=rule["part"],
                    months=rule["months"],
                    afterwards=rule["afterwards"],
                    applied=rule["applied"],
                    review_on=rule["review_on"],
                    count=count,
                )
            )
        return found

    async def _quarantine(self, connection: asyncpg.Connection, team_id: UUID, now: datetime, act: bool) -> int:
        rows = await connection.fetch(SQL.due_quarantine, team_id, self._quarantine_days, now)
        if act and rows:
            ids = [row["id"] for row in rows]
            await connection.execute(SQL.discard, team_id, ids)
            await self._keys.destroy(row["key_ref"] for row in rows)
            await audit.note_owner(connection, team_id, "erasure", "quarantine/expired", ids)
        return len(rows)

    async def _people(
        self, connection: asyncpg.Connection, team_id: UUID, now: datetime, months: int, act: bool
    ) -> int:
        rows = await connection.fetch(SQL.due_people, team_id, months, now)
        for row in rows if act else ():
            await erasure.forget_person(
                connection, self._keys, self._journal, team_id, row["person_id"], "retention table"
            )
        return len(rows)

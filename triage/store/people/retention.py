"""How long each part is kept: the owner's table, applied or only shown, by command or by the daily job.

Of an incident the notes of a side go, never coded fields; of a person the identifiers; of the audit whole months.
"""

from datetime import UTC, date, datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

from triage.store import audit
from triage.store.journal import ChainAnchored, Journal
from triage.store.keys import KeyStore
from triage.store.people import erasure
from triage.store.people.erasure import SQL

BY: Final = "retention table"


class RetentionDue(Struct, frozen=True, kw_only=True):
    """What of a part is past its period, and what becomes of it. `applied`: the owner has switched the rule on."""

    part: str
    months: int
    afterwards: str
    applied: bool
    review_on: date
    count: int


class RetentionRun(Struct, frozen=True):
    """What the daily job found; `applied`: and did."""

    day: date
    applied: bool
    found: list[RetentionDue]


class Retention:
    """The retention of one installation."""

    def __init__(self, keys: KeyStore, journal: Journal, quarantine_days: int) -> None:
        self._keys = keys
        self._journal = journal
        self._quarantine_days = quarantine_days

    async def run(self, connection: asyncpg.Connection, team_id: UUID, now: datetime, dry: bool) -> list[RetentionDue]:
        """What is due, and unless `dry`, do what is switched on. The owner's connection, in a transaction."""
        found = []
        for rule in await connection.fetch(SQL.retention):
            act = rule["applied"] and rule["afterwards"] == "destroy" and not dry
            count = await self._settle(connection, team_id, now, rule, act)
            kept = {name: rule[name] for name in ("part", "months", "afterwards", "applied", "review_on")}
            found.append(RetentionDue(**kept, count=count))
        return found

    async def run_once_a_day(
        self, connection: asyncpg.Connection, team_id: UUID, now: datetime, dry: bool
    ) -> list[RetentionDue] | None:
        """As `run`, and record it; None where it was done that day, or another process is doing it."""
        day = now.astimezone(UTC).date()
        if not await connection.fetchval(SQL.claim_run, team_id, day):
            return None
        found = await self.run(connection, team_id, now, dry)
        await connection.execute(SQL.add_run, team_id, day, not dry, msgspec.json.encode(found).decode())
        return found

    async def _settle(self, connection: asyncpg.Connection, team_id: UUID, now: datetime, rule: Any, act: bool) -> int:
        """How much of a part is due; destroyed where `act`."""
        months: int = rule["months"]
        match rule["part"]:
            case "quarantine":
                return await self._quarantine(connection, team_id, now, act)
            case "person":
                return await self._people(connection, team_id, now, months, act)
            case "audit":
                return await self._audit(connection, team_id, now, months, act)
            case side:
                return await self._notes(connection, team_id, now, months, side == "police", act)

    async def _quarantine(self, connection: asyncpg.Connection, team_id: UUID, now: datetime, act: bool) -> int:
        rows = await connection.fetch(SQL.due_quarantine, team_id, self._quarantine_days, now)
        if act and rows:
            ids = [row["id"] for row in rows]
            await connection.execute(SQL.discard, team_id, ids)
            await self._keys.destroy(row["key_ref"] for row in rows)
            await audit.record_by_owner(connection, team_id, "erasure", "quarantine/expired", ids)
        return len(rows)

    async def _people(
        self, connection: asyncpg.Connection, team_id: UUID, now: datetime, months: int, act: bool
    ) -> int:
        rows = await connection.fetch(SQL.due_people, team_id, months, now)
        for row in rows if act else ():
            await erasure.forget_person(connection, self._keys, self._journal, team_id, row["person_id"], BY)
        return len(rows)

    async def _notes(
        self, connection: asyncpg.Connection, team_id: UUID, now: datetime, months: int, police: bool, act: bool
    ) -> int:
        rows = await connection.fetch(SQL.due_texts, team_id, months, now, police)
        asked = await connection.fetch(SQL.due_asked, team_id, months, now, police)
        if act and (rows or asked):
            await erasure.forget_texts(connection, self._keys, self._journal, team_id, rows, asked, BY)
        return len({row["root"] for row in (*rows, *asked)})

    async def _audit(self, connection: asyncpg.Connection, team_id: UUID, now: datetime, months: int, act: bool) -> int:
        count: int = await connection.fetchval(SQL.due_audit, team_id, months, now)
        last = now.year * 12 + now.month - 1 - months  # the month in which the period begins; it and later ones stay
        for row in await connection.fetch(SQL.audit_months) if act else ():
            _, year, month = row["name"].split("_")
            if int(year) * 12 + int(month) - 1 < last:
                await self._drop_month(connection, row["name"], now)
        return count

    async def _drop_month(self, connection: asyncpg.Connection, name: str, now: datetime) -> None:
        """A month goes for every team at once, once all of it is sealed; the journal knows where the rest begins."""
        if await connection.fetchval(f"SELECT EXISTS (SELECT FROM {name} WHERE link IS NULL)"):
            return
        ends = await connection.fetch(
            f"SELECT DISTINCT ON (team_id) team_id, position, link FROM {name} ORDER BY team_id, position DESC"
        )
        await self._journal.add(
            *(
                ChainAnchored(
                    at=now, team_id=row["team_id"], chain="audit", position=row["position"], link=row["link"].hex()
                )
                for row in ends
            )
        )
        await connection.execute("SET LOCAL lock_timeout = '5s'")  # nobody's audit waits long for this
        for row in ends:
            await connection.execute(SQL.begin_audit, *row)
        await connection.execute(f"ALTER TABLE audit DETACH PARTITION {name}")
        await connection.execute(f"DROP TABLE {name}")


async def runs(connection: asyncpg.Connection, team_id: UUID) -> list[RetentionRun]:
    """What the daily job found in the last days, newest first."""
    return [
        RetentionRun(row["day"], row["applied"], msgspec.json.decode(row["found"], type=list[RetentionDue]))
        for row in await connection.fetch(SQL.runs, team_id)
    ]

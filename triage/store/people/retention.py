"""How long each part is kept: the owner's table, applied or only shown, by command or by the daily job.

Of an incident the notes of a side go, never coded fields; of a person the identifiers; of the audit whole months.
"""

from datetime import UTC, date, datetime
from typing import Final
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

from triage.store import audit
from triage.store.journal import Journal
from triage.store.journal_lines import ChainAnchored
from triage.store.keys import KeyStore
from triage.store.people import erasure
from triage.store.people.erasure import DISCARD, DueText, Erasable, SealedText, erase
from triage.store.statements import statement

BY: Final = "retention table"


class _RetentionRule(Struct, frozen=True):
    part: str
    months: int
    afterwards: str
    applied: bool
    review_on: date


class RetentionDue(_RetentionRule, frozen=True):
    """The records of a part past their period, and what becomes of them. `applied`: the owner switched the rule on."""

    count: int


class RetentionRun(Struct, frozen=True):
    """A run of the daily job; `applied`: it did what was due."""

    day: date
    applied: bool
    due: list[RetentionDue]


class _RecordedRun(Struct, frozen=True):
    day: date
    applied: bool
    due: str


_RETENTION = statement("erasure.retention", _RetentionRule)
_DUE_PEOPLE = statement("erasure.due_people", UUID)
_DUE_TEXTS = statement("erasure.due_texts", DueText)
_DUE_ASKED = statement("erasure.due_asked", DueText)
_DUE_QUARANTINE = statement("erasure.due_quarantine", SealedText)
_DUE_AUDIT = statement("erasure.due_audit", int)
_AUDIT_MONTHS = statement("erasure.audit_months", str)
_BEGIN_AUDIT = statement("erasure.begin_audit")
_CLAIM_RUN = statement("erasure.claim_run", bool)
_ADD_RUN = statement("erasure.add_run")
_RUNS = statement("erasure.runs", _RecordedRun)


class Retention:
    """The retention of one installation."""

    def __init__(self, keys: KeyStore, journal: Journal, quarantine_days: int) -> None:
        self._keys = keys
        self._journal = journal
        self._quarantine_days = quarantine_days

    async def run(self, connection: asyncpg.Connection, team_id: UUID, now: datetime, dry: bool) -> list[RetentionDue]:
        """Find what is due, and unless `dry`, do what is switched on. The owner's connection, in a transaction."""
        due = []
        for rule in await _RETENTION.fetch(connection):
            act = rule.applied and rule.afterwards == "destroy" and not dry
            count = await self._settle(connection, team_id, now, rule, act)
            due.append(RetentionDue(**msgspec.structs.asdict(rule), count=count))
        return due

    async def run_once_a_day(
        self, connection: asyncpg.Connection, team_id: UUID, now: datetime, dry: bool
    ) -> list[RetentionDue] | None:
        """As `run`, and record it; None where it was done that day, or another process is doing it."""
        day = now.astimezone(UTC).date()
        if not await _CLAIM_RUN.fetch_one(connection, team_id=team_id, day=day):
            return None
        due = await self.run(connection, team_id, now, dry)
        await _ADD_RUN.execute(
            connection, team_id=team_id, day=day, applied=not dry, due=msgspec.json.encode(due).decode()
        )
        return due

    async def _settle(
        self, connection: asyncpg.Connection, team_id: UUID, now: datetime, rule: _RetentionRule, act: bool
    ) -> int:
        """How much of a part is due; destroyed where `act`."""
        months = rule.months
        match rule.part:
            case "quarantine":
                return await self._quarantine(connection, team_id, now, act)
            case "person":
                return await self._people(connection, team_id, now, months, act)
            case "audit":
                return await self._audit(connection, team_id, now, months, act)
            case side:
                return await self._notes(connection, team_id, now, months, side == "police", act)

    async def _quarantine(self, connection: asyncpg.Connection, team_id: UUID, now: datetime, act: bool) -> int:
        rows = await _DUE_QUARANTINE.fetch(connection, team_id=team_id, days=self._quarantine_days, now=now)
        if act and rows:
            ids = [row.id for row in rows]
            await DISCARD.execute(connection, team_id=team_id, ids=ids)
            await self._keys.destroy(row.key_ref for row in rows)
            await audit.record_by_owner(connection, team_id, "erasure", "quarantine/expired", ids)
        return len(rows)

    async def _people(
        self, connection: asyncpg.Connection, team_id: UUID, now: datetime, months: int, act: bool
    ) -> int:
        people = await _DUE_PEOPLE.fetch(connection, team_id=team_id, months=months, now=now)
        for person in people if act else ():
            known = await erasure.find_person(connection, team_id, person)
            await erase(connection, self._keys, self._journal, team_id, Erasable(person=known), BY)
        return len(people)

    async def _notes(
        self, connection: asyncpg.Connection, team_id: UUID, now: datetime, months: int, police: bool, act: bool
    ) -> int:
        past = {"team_id": team_id, "months": months, "now": now, "police": police}
        texts = await _DUE_TEXTS.fetch(connection, **past)
        asked = await _DUE_ASKED.fetch(connection, **past)
        every = [*texts, *asked]
        if act and every:
            due_texts = Erasable(incidents=sorted({text.incident_id for text in every}), texts=texts, of_tasks=asked)
            await erase(connection, self._keys, self._journal, team_id, due_texts, BY)
        return len({text.root for text in every})

    async def _audit(self, connection: asyncpg.Connection, team_id: UUID, now: datetime, months: int, act: bool) -> int:
        count = await _DUE_AUDIT.fetch_one(connection, team_id=team_id, months=months, now=now)
        last = now.year * 12 + now.month - 1 - months  # the month in which the period begins; it and later ones stay
        for name in await _AUDIT_MONTHS.fetch(connection) if act else ():
            _, year, month = name.split("_")
            if int(year) * 12 + int(month) - 1 < last:
                await self._drop_month(connection, name, now)
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
            await _BEGIN_AUDIT.execute(connection, team_id=row["team_id"], position=row["position"], link=row["link"])
        await connection.execute(f"ALTER TABLE audit DETACH PARTITION {name}")
        await connection.execute(f"DROP TABLE {name}")


async def runs(connection: asyncpg.Connection, team_id: UUID) -> list[RetentionRun]:
    """The runs of the daily job in the last days, newest first."""
    return [
        RetentionRun(run.day, run.applied, msgspec.json.decode(run.due, type=list[RetentionDue]))
        for run in await _RUNS.fetch(connection, team_id=team_id)
    ]

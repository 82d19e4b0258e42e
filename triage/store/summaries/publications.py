"""Editions in the database: what was done about each period, and what is published."""

import asyncio
from datetime import date, datetime, timedelta
from uuid import UUID

import msgspec
from msgspec import Struct

from triage import codes
from triage.store.database import Connection
from triage.store.statements import load
from triage.store.summaries.calendars import CalendarTeam
from triage.store.summaries.scopes import LogPosition
from triage.summaries import editions
from triage.summaries.editions import Form, Summary
from triage.summaries.schedule import Slot, due_slots
from triage.times import PeriodKind, period_of

SQL = load("summaries")


class PeriodRun(Struct, frozen=True):
    """What was done about a period. `edition` is None while none was published."""

    kind: PeriodKind
    period: str
    first_day: date
    starts_at: datetime
    ends_at: datetime
    due_at: datetime
    state: str
    ran_at: datetime
    failures: int
    checked_seq: int
    checked_rules: str
    edition: int | None
    published_at: datetime | None


class ListedSummary(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line of the list: the latest edition of a period. `problem` says why there is none."""

    kind: PeriodKind
    form: Form
    period: str
    first_day: date
    starts_at: datetime
    ends_at: datetime
    edition: int
    published_at: datetime | None
    late: bool
    problem: str | None = None


class PublishedPosition(Struct, frozen=True):
    """A published position: the chain must still read so there."""

    kind: PeriodKind
    period: str
    form: Form
    edition: int
    as_at_seq: int
    chain_head: bytes
    published_at: datetime


async def runs(connection: Connection, team_id: UUID) -> dict[tuple[PeriodKind, str], PeriodRun]:
    """What was done about each period of the internal form."""
    rows = await connection.fetch(SQL.runs, team_id)
    return {(row["kind"], row["period"]): PeriodRun(*row.values()) for row in rows}


async def try_claim(connection: Connection, team_id: UUID, kind: PeriodKind, period: str) -> bool:
    """Whether this transaction may work on the period; no other can until it ends."""
    return bool(await connection.fetchval(SQL.try_claim, f"summary {team_id} {kind} {period} internal"))


async def is_published(connection: Connection, team_id: UUID, kind: PeriodKind, period: str, form: Form) -> bool:
    """Whether the period has an edition."""
    return bool(await connection.fetchval(SQL.published, team_id, kind, period, form))


async def oldest_unpublished(connection: Connection, team: CalendarTeam, now: datetime) -> datetime | None:
    """When the oldest period was due that has no edition yet; None where everything is published."""
    done = {(row["kind"], row["period"]) for row in await connection.fetch(SQL.published_periods, team.team_id)}
    due = await asyncio.to_thread(due_slots, team.calendar, now)  # years of days: not on the event loop
    return next((slot.due_at for slot in due if (slot.period.kind, slot.period.name) not in done), None)


async def adjoining_slot(connection: Connection, team_id: UUID, slot: Slot) -> Slot:
    """The slot with its start where the period before it ended, should the team's calendar have changed in between."""
    before = period_of(slot.period.kind, slot.period.starts - timedelta(days=1))
    ended: datetime | None = await connection.fetchval(SQL.end_of_previous, team_id, before.kind, before.name)
    if ended is None or ended >= slot.ends_at:
        return slot
    return msgspec.structs.replace(slot, starts_at=ended)


async def add_edition(connection: Connection, team_id: UUID, slot: Slot, summary: Summary, at: LogPosition) -> None:
    """Store an edition, and that its period is published. Raises asyncpg.UniqueViolationError where it exists."""
    assert summary.published_at and summary.as_at
    key = (team_id, summary.kind, summary.period)
    await connection.execute(
        SQL.record_run,
        *key,
        slot.period.starts,
        slot.starts_at,
        slot.ends_at,
        slot.due_at,
        summary.published_at,
        at.seq,
        editions.rules_in_force(),
    )
    await connection.execute(
        SQL.add_edition,
        *key,
        summary.form,
        summary.edition,
        summary.published_at,
        summary.as_at,
        at.seq,
        at.link,
        editions.encode(summary),
    )


async def rows_of(connection: Connection, team_id: UUID, summary: Summary) -> list[tuple[str, str]]:
    """The rows of an edition as JSON, each with its table, for the journal; the run comes first."""
    rows = await connection.fetch(SQL.rows_of, team_id, summary.kind, summary.period, summary.form, summary.edition)
    return [(row["name"], row["row"]) for row in rows]


async def record_failure(connection: Connection, team_id: UUID, slot: Slot, now: datetime) -> None:
    """Make a failed run visible."""
    period = slot.period
    await connection.execute(
        SQL.record_failure,
        team_id,
        period.kind,
        period.name,
        period.starts,
        slot.starts_at,
        slot.ends_at,
        slot.due_at,
        now,
    )


async def set_checked(connection: Connection, team_id: UUID, run: PeriodRun, seq: int, now: datetime) -> None:
    """Note that entries up to this position change nothing of the period."""
    await connection.execute(
        SQL.checked, team_id, run.kind, run.period, "internal", seq, editions.rules_in_force(), now
    )


async def find_edition(
    connection: Connection,
    team_id: UUID,
    kind: PeriodKind,
    period: str,
    edition: int | None = None,
    form: Form = "internal",
) -> bytes | None:
    """The bytes of an edition, the latest where none is named; None where there is none."""
    body: bytes | None = await connection.fetchval(SQL.edition, team_id, kind, period, form, edition)
    return body


async def all_editions(
    connection: Connection, team_id: UUID, kind: PeriodKind, period: str, form: Form = "internal"
) -> list[bytes]:
    """Every edition of a period, oldest first."""
    return [row["body"] for row in await connection.fetch(SQL.editions, team_id, kind, period, form)]


async def find_failed(
    connection: Connection, team_id: UUID, kind: PeriodKind, period: str, form: Form = "internal"
) -> Summary | None:
    """A period whose run failed, without data; None where no run failed."""
    row = await connection.fetchrow(SQL.run, team_id, kind, period, form)
    if row is None or row["state"] != "failed":
        return None
    return Summary(
        kind=kind,
        form=form,
        period=period,
        starts_at=row["starts_at"],
        ends_at=row["ends_at"],
        covered_from=None,
        covered_to=None,
        due_at=row["due_at"],
        edition=0,
        published_at=None,
        late=True,
        as_at_seq=None,
        as_at=None,
        chain_head=None,
        codes_version=codes.version,
        notes=(editions.NO_DATA,),
    )


async def list_latest(
    connection: Connection,
    team_id: UUID,
    form: Form = "internal",
    *,
    kind: PeriodKind | None = None,
    from_: datetime | None = None,
    to: datetime | None = None,
    after: tuple[date, PeriodKind] | None = None,
    limit: int = 50,
) -> list[ListedSummary]:
    """The latest edition of each period that starts in [from_, to), newest first, below `after`.

    Periods whose run failed are there too, with edition 0 and the problem.
    """
    day, after_kind = after or (None, None)
    rows = await connection.fetch(SQL.list_runs, team_id, form, kind, from_, to, day, after_kind, limit)
    return [
        ListedSummary(
            kind=row["kind"],
            form=row["form"],
            period=row["period"],
            first_day=row["first_day"],
            starts_at=row["starts_at"],
            ends_at=row["ends_at"],
            edition=row["edition"] or 0,
            published_at=row["published_at"],
            late=bool(row["late"]) or row["state"] == "failed",
            problem="run_failed" if row["state"] == "failed" else None,
        )
        for row in rows
    ]


async def published_positions(connection: Connection, team_id: UUID) -> list[PublishedPosition]:
    """Every published position, for verification against the log."""
    return [PublishedPosition(*row.values()) for row in await connection.fetch(SQL.chain_heads, team_id)]

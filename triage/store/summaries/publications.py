"""Editions in the database: what was done about each period, and what is published."""

import asyncio
from datetime import date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import msgspec
from msgspec import Raw, Struct

from triage import codes
from triage.exports import protected
from triage.exports.protected import ProtectedSummary
from triage.problems import EDITION_NOT_FOUND, NOT_FOUND, PERIOD_NOT_FOUND, Refused
from triage.store.database import Connection
from triage.store.journal_lines import RowPublished
from triage.store.replica import Replica
from triage.store.statements import statement
from triage.store.summaries.calendars import CalendarTeam
from triage.store.summaries.scopes import LogPosition
from triage.summaries import editions
from triage.summaries.editions import Form, Summary
from triage.summaries.schedule import KINDS, Slot, due_slots
from triage.times import Period, PeriodKind, parse_period, period_of


class PeriodRun(Struct, frozen=True):
    """The run of a period. `edition` is None while none was published."""

    kind: PeriodKind
    period: str
    ends_at: datetime
    due_at: datetime
    state: str
    ran_at: datetime
    checked_seq: int
    checked_rules: str
    edition: int | None
    published_at: datetime | None


class ListedSummary(Struct, frozen=True, omit_defaults=True):
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


class EditionAddress(NamedTuple):
    """An edition that is published: its bytes never change, so that any copy of them is the right one."""

    kind: PeriodKind
    form: Form
    period: str
    edition: int
    published_at: datetime
    chain_head: bytes


class _PublishedPeriod(NamedTuple):
    kind: PeriodKind
    period: str


class _EditionRow(Struct, frozen=True):
    """`row` is the row as JSON, `name` its table."""

    name: str
    row: str


class _FailedRun(Struct, frozen=True):
    starts_at: datetime
    ends_at: datetime
    due_at: datetime


_RUNS = statement("summaries.runs", PeriodRun)
_TRY_CLAIM = statement("summaries.try_claim", bool)
_PUBLISHED = statement("summaries.published", bool)
_PUBLISHED_PERIODS = statement("summaries.published_periods", _PublishedPeriod)
_END_OF_PREVIOUS = statement("summaries.end_of_previous", datetime)
_RECORD_RUN = statement("summaries.record_run")
_ADD_EDITION = statement("summaries.add_edition")
_ROWS_OF = statement("summaries.rows_of", _EditionRow)
_RECORD_FAILURE = statement("summaries.record_failure")
_CHECKED = statement("summaries.checked")
_FIND_EDITION = statement("summaries.find_edition", EditionAddress)
_BODY = statement("summaries.body", bytes)
_EDITIONS = statement("summaries.editions", bytes)
_FAILED_RUN = statement("summaries.failed_run", _FailedRun)
_LIST_LATEST = statement("summaries.list_latest", ListedSummary)


async def runs(connection: Connection, team_id: UUID) -> dict[tuple[PeriodKind, str], PeriodRun]:
    """The run of each period of the internal form."""
    return {(run.kind, run.period): run for run in await _RUNS.fetch(connection, team_id=team_id)}


async def try_claim(connection: Connection, team_id: UUID, kind: PeriodKind, period: str) -> bool:
    """Whether this transaction may work on the period; no other can until it ends."""
    return await _TRY_CLAIM.fetch_one(connection, period=f"summary {team_id} {kind} {period} internal")


async def is_published(connection: Connection, team_id: UUID, kind: PeriodKind, period: str, form: Form) -> bool:
    """Whether the period has an edition."""
    return await _PUBLISHED.fetch_one(connection, team_id=team_id, kind=kind, period=period, form=form)


async def unpublished(connection: Connection, team: CalendarTeam, now: datetime) -> list[Slot]:
    """The periods that are due and have no edition yet, oldest first."""
    done = set(await _PUBLISHED_PERIODS.fetch(connection, team_id=team.team_id))
    due = await asyncio.to_thread(due_slots, team.calendar, now)  # years of days: not on the event loop
    return [slot for slot in due if (slot.period.kind, slot.period.name) not in done]


async def adjoining_slot(connection: Connection, team_id: UUID, slot: Slot) -> Slot:
    """The slot with its start where the period before it ended, should the team's calendar have changed in between."""
    before = period_of(slot.period.kind, slot.period.starts - timedelta(days=1))
    ended = await _END_OF_PREVIOUS.fetch_first(connection, team_id=team_id, kind=before.kind, period=before.name)
    if ended is None or ended >= slot.ends_at:
        return slot
    return msgspec.structs.replace(slot, starts_at=ended)


async def add_edition(
    connection: Connection,
    team_id: UUID,
    slot: Slot,
    summary: Summary | ProtectedSummary,
    at: LogPosition,
    rules: str = "",
) -> None:
    """Store an edition, and that its period is published; an internal one with the rules that it was made under.

    Raises asyncpg.UniqueViolationError where it exists.
    """
    match summary:
        case Summary():
            as_at, body = summary.as_at, editions.encode(summary)
        case ProtectedSummary():
            as_at, body = summary.cut_off, protected.encode(summary)
    address = {"team_id": team_id, "kind": summary.kind, "period": summary.period, "form": summary.form}
    await _RECORD_RUN.execute(
        connection,
        **address,
        first_day=slot.period.starts,
        starts_at=slot.starts_at,
        ends_at=slot.ends_at,
        due_at=slot.due_at,
        ran_at=summary.published_at,
        checked_seq=at.seq,
        checked_rules=rules,
    )
    await _ADD_EDITION.execute(
        connection,
        **address,
        edition=summary.edition,
        published_at=summary.published_at,
        as_at=as_at,
        as_at_seq=at.seq,
        chain_head=at.link,
        body=body,
    )


async def rows_of(connection: Connection, team_id: UUID, summary: Summary) -> list[RowPublished]:
    """The rows of a published edition, for the journal; the run comes first."""
    assert summary.published_at
    rows = await _ROWS_OF.fetch(
        connection,
        team_id=team_id,
        kind=summary.kind,
        period=summary.period,
        form=summary.form,
        edition=summary.edition,
    )
    at = summary.published_at
    return [RowPublished(at=at, team_id=team_id, table=row.name, row=Raw(row.row.encode())) for row in rows]


async def record_failure(connection: Connection, team_id: UUID, slot: Slot, now: datetime) -> None:
    """Make a failed run visible."""
    period = slot.period
    await _RECORD_FAILURE.execute(
        connection,
        team_id=team_id,
        kind=period.kind,
        period=period.name,
        first_day=period.starts,
        starts_at=slot.starts_at,
        ends_at=slot.ends_at,
        due_at=slot.due_at,
        ran_at=now,
    )


async def set_checked(
    connection: Connection, team_id: UUID, run: PeriodRun, seq: int, rules: str, now: datetime
) -> None:
    """Note that entries up to this position change nothing of the period under these rules."""
    await _CHECKED.execute(
        connection,
        team_id=team_id,
        kind=run.kind,
        period=run.period,
        form="internal",
        seq=seq,
        rules=rules,
        now=now,
    )


def asked_period(kind: str, name: str) -> Period:
    """The period that an address names. Raises Refused (404) for another kind, and for none such as 2026-W60."""
    if kind not in KINDS:
        raise Refused(NOT_FOUND)
    try:
        return parse_period(kind, name)
    except ValueError as error:
        raise Refused(PERIOD_NOT_FOUND) from error


async def find_published(
    connection: Connection,
    team_id: UUID,
    asked: Period,
    edition: int | None = None,
    form: Form = "internal",
) -> EditionAddress | Summary:
    """An edition, the latest where none is named; a summary without data where the run of the period failed.

    Raises Refused (404) where nothing is published, or not this edition.
    """
    address = await find_edition(connection, team_id, asked.kind, asked.name, edition, form)
    if address is not None:
        return address
    if edition is None:
        failed = await find_failed(connection, team_id, asked.kind, asked.name, form)
        if failed is not None:
            return failed
    elif await find_edition(connection, team_id, asked.kind, asked.name, form=form) is not None:
        raise Refused(EDITION_NOT_FOUND)
    raise Refused(PERIOD_NOT_FOUND)


async def find_edition(
    connection: Connection,
    team_id: UUID,
    kind: PeriodKind,
    period: str,
    edition: int | None = None,
    form: Form = "internal",
) -> EditionAddress | None:
    """An edition, the latest where none is named; None where there is none, or it is withdrawn."""
    return await _FIND_EDITION.fetch_first(
        connection, team_id=team_id, kind=kind, period=period, form=form, edition=edition
    )


async def load_body(connection: Connection, team_id: UUID, address: EditionAddress) -> bytes | None:
    """The bytes of an edition; None where a replica has it not, or not yet."""
    return await _BODY.fetch_first(connection, team_id=team_id, **address._asdict())


async def read_body(replica: Replica, team_id: UUID, address: EditionAddress) -> bytes:
    """The bytes of an edition, by whoever has it."""
    body = await replica.read(team_id, lambda connection: load_body(connection, team_id, address))
    assert body is not None, "an edition that was published stays"
    return body


async def find_body(
    connection: Connection,
    team_id: UUID,
    kind: PeriodKind,
    period: str,
    edition: int | None = None,
    form: Form = "internal",
) -> bytes | None:
    """The bytes of an edition, the latest where none is named; None where there is none, or it is withdrawn."""
    address = await find_edition(connection, team_id, kind, period, edition, form)
    return address and await load_body(connection, team_id, address)


async def all_editions(connection: Connection, team_id: UUID, kind: PeriodKind, period: str) -> list[bytes]:
    """Every internal edition of a period, oldest first."""
    return await _EDITIONS.fetch(connection, team_id=team_id, kind=kind, period=period, form="internal")


async def find_failed(
    connection: Connection, team_id: UUID, kind: PeriodKind, period: str, form: Form = "internal"
) -> Summary | None:
    """A period whose run failed, without data; None where no run failed."""
    run = await _FAILED_RUN.fetch_first(connection, team_id=team_id, kind=kind, period=period, form=form)
    if run is None:
        return None
    return Summary(
        kind=kind,
        form=form,
        period=period,
        starts_at=run.starts_at,
        ends_at=run.ends_at,
        covered_from=None,
        covered_to=None,
        due_at=run.due_at,
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
    return await _LIST_LATEST.fetch(
        connection,
        team_id=team_id,
        form=form,
        kind=kind,
        since=from_,
        until=to,
        after_day=day,
        after_kind=after_kind,
        most=limit,
    )

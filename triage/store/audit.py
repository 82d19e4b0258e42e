"""The audit: who did what to which records (Data Protection Act 2018 s62), written with the act and chained soon after.

Rows are added unchained, in the transaction of what they tell of, so that nobody who reads waits for another who reads.
A sealer gives each its place and link within about a second. Entries of the log are the record of their own collection,
alteration and combination; the auditor's list holds both.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, Literal, NamedTuple
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct, structs

from triage import chain
from triage.access.actors import Actor
from triage.progress import Progress
from triage.store.chains import BEGINNING, ChainVerdict, verify_chain
from triage.store.database import Connection, Database
from triage.store.statements import statement

Operation = Literal[
    "collection", "alteration", "consultation", "disclosure", "combination", "erasure", "refusal", "access"
]
"""The six operations of s62(1), and what was refused and who tried to sign in."""

NO_TEAM: Final = UUID(int=0)
"""The team of what belongs to none, such as a token that is nobody's."""
SEALED_AT_ONCE: Final = 2_000
UNSEALED_FOR_AT_MOST_S: Final = 60.0
AUDITOR_ROLE: Final = "triage_auditor"
SEALER_ROLE: Final = "triage_sealer"

_encode = msgspec.json.Encoder().encode


class _AuditRow(Struct, frozen=True):
    """The content of a row of the audit."""

    at: datetime
    operation: str
    actor: UUID | None
    role: str | None
    device: UUID | None
    query: str
    ids: list[UUID]
    recipient: str | None
    detail: str | None


class AuditedOperation(_AuditRow, frozen=True):
    """One operation. `ids` are the records it touched, `query` is the kind of request, `recipient` to whom it went."""

    n: int
    sealed: bool


class Reader(Struct, frozen=True):
    """Somebody who read an incident without having written to it."""

    actor: UUID | None
    role: str | None
    times: int
    first_at: datetime
    last_at: datetime


class AuditPosition(msgspec.Struct, frozen=True, array_like=True):
    """Where a page of the list ends."""

    at: datetime
    n: int
    query: str


class AuditFilter(Struct, frozen=True, kw_only=True):
    """A filter of the audit."""

    person: UUID | None = None
    incident: UUID | None = None
    actor: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None
    operation: str | None = None


class _Author(NamedTuple):
    actor: UUID | None = None
    role: str | None = None
    device: UUID | None = None


class _UnchainedRow(_AuditRow, frozen=True):
    id: int


class _ChainedAuditRow(_UnchainedRow, frozen=True):
    position: int
    link: bytes


class AuditHead(NamedTuple):
    """Where the chain stands, and where what is kept of it begins."""

    position: int
    link: bytes
    from_position: int
    from_link: bytes

    @property
    def start(self) -> chain.Head:
        """The last row before those that are kept."""
        return chain.Head(self.from_position, self.from_link)

    @property
    def end(self) -> chain.Head:
        """The last chained row."""
        return chain.Head(self.position, self.link)


class _Backlog(NamedTuple):
    n: int
    seconds: float


_RECORD = statement("audit.record")
_TRAIL = statement("audit.trail", AuditedOperation)
_READERS = statement("audit.readers", Reader)
_UNCHAINED_TEAMS = statement("audit.unchained_teams", UUID)
_UNCHAINED_FOR = statement("audit.unchained_for", float)
_OPEN_HEAD = statement("audit.open_head")
_TAKE_HEAD = statement("audit.take_head", chain.Head)
_UNCHAINED = statement("audit.unchained", _UnchainedRow)
_CHAIN = statement("audit.chain")
_MOVE_HEAD = statement("audit.move_head")
_HEAD = statement("audit.head", AuditHead)
_WALK = statement("audit.walk", _ChainedAuditRow)
_WAITING = statement("audit.waiting", _Backlog)
_ADD_MONTH = statement("audit.add_month", bool)


async def record(
    connection: Connection,
    actor: Actor,
    operation: Operation,
    query: str,
    ids: Sequence[UUID] = (),
    *,
    recipient: str | None = None,
    detail: str | None = None,
) -> None:
    """Record an operation of an actor on the connection, and in the transaction, of the act itself."""
    by = _Author(actor.account, actor.role, actor.device_id)
    await _record(connection, actor.team_id, by, operation, query, ids, recipient, detail)


async def record_by_owner(
    connection: Connection,
    team_id: UUID,
    operation: Operation,
    query: str,
    ids: Sequence[UUID] = (),
    *,
    recipient: str | None = None,
    detail: str | None = None,
) -> None:
    """Record what was done from the command line; `detail` says by whom, where that is known."""
    await _record(connection, team_id, _Author(role="owner"), operation, query, ids, recipient, detail)


async def record_refusal(database: Database, actor: Actor, query: str, ids: Sequence[UUID], code: str) -> None:
    """Record a refusal in a transaction of its own: that of the request is gone."""
    async with database.team(actor.team_id) as connection:
        await record(connection, actor, "refusal", query, ids, detail=code)


async def note_sign_in(
    database: Database, team_id: UUID | None, staff_id: UUID | None, device_id: UUID | None, code: str
) -> None:
    """Record a failed sign-in; of a token that is nobody's, no team is known."""
    team = team_id or NO_TEAM
    async with database.team(team) as connection:
        await _record(connection, team, _Author(staff_id, device=device_id), "access", "sign_in", detail=code)


async def record_by_device(connection: Connection, team_id: UUID, staff_id: UUID, device_id: UUID, query: str) -> None:
    """Record what somebody did who has no actor yet: enrol a device."""
    await _record(connection, team_id, _Author(staff_id, device=device_id), "access", query, [device_id])


async def _record(
    connection: Connection,
    team_id: UUID,
    by: _Author,
    operation: Operation,
    query: str,
    ids: Sequence[UUID] = (),
    recipient: str | None = None,
    detail: str | None = None,
) -> None:
    await _RECORD.execute(
        connection,
        team_id=team_id,
        operation=operation,
        **by._asdict(),
        query=query,
        ids=list(ids),
        recipient=recipient,
        detail=detail,
    )


async def page(
    connection: Connection, actor: Actor, wanted: AuditFilter, after: AuditPosition | None, limit: int
) -> tuple[list[AuditedOperation], AuditPosition | None]:
    """A page of the list, newest first, and where the next one begins."""
    async with connection.transaction():
        await _become(connection, AUDITOR_ROLE)
        rows = await _TRAIL.fetch(
            connection,
            team_id=actor.team_id,
            **structs.asdict(wanted),
            after_at=after and after.at,
            after_n=after and after.n,
            after_query=after and after.query,
            most=limit + 1,
        )
    last = rows[limit - 1] if len(rows) > limit else None
    return rows[:limit], AuditPosition(last.at, last.n, last.query) if last else None


async def readers(connection: Connection, actor: Actor, incident_id: UUID) -> list[Reader]:
    """Who read an incident without having written to it, the latest first."""
    async with connection.transaction():
        await _become(connection, AUDITOR_ROLE)
        return await _READERS.fetch(connection, team_id=actor.team_id, incident=incident_id)


async def extend_chain(database: Database) -> int:
    """Chain what is not chained yet, of every team; how many rows. Any number of processes may call it."""
    chained = 0
    async with database.no_team() as connection:
        async with connection.transaction():
            await _become(connection, SEALER_ROLE)
            teams = await _UNCHAINED_TEAMS.fetch(connection)
        for team_id in teams:
            async with connection.transaction():
                await _become(connection, SEALER_ROLE)
                chained += await _chain_team(connection, team_id)
    return chained


async def _chain_team(connection: Connection, team_id: UUID) -> int:
    await _OPEN_HEAD.execute(connection, team_id=team_id)
    head = await _TAKE_HEAD.fetch_first(connection, team_id=team_id)
    if head is None:
        return 0
    rows = await _UNCHAINED.fetch(connection, team_id=team_id, most=SEALED_AT_ONCE)
    positions = list(range(head.position + 1, head.position + 1 + len(rows)))
    link, links = head.link, []
    for position, row in zip(positions, rows, strict=True):
        link = chain.extend(link, payload_of(team_id, position, row))
        links.append(link)
    await _CHAIN.execute(
        connection,
        team_id=team_id,
        ats=[row.at for row in rows],
        ids=[row.id for row in rows],
        positions=positions,
        links=links,
    )
    await _MOVE_HEAD.execute(connection, team_id=team_id, position=head.position + len(rows), link=link)
    return len(rows)


async def unchained_for_s(database: Database) -> float:
    """How long the oldest row that is not chained yet has waited, of any team."""
    async with database.no_team() as connection, connection.transaction():
        await _become(connection, SEALER_ROLE)
        return await _UNCHAINED_FOR.fetch_one(connection)


async def find_head(connection: Connection, team_id: UUID) -> AuditHead | None:
    """Where the chain of a team's audit stands, and where what is kept of it begins; as the owner."""
    return await _HEAD.fetch_first(connection, team_id=team_id)


async def head(connection: Connection, team_id: UUID) -> chain.Head | None:
    """The last chained row; None where there is none."""
    async with connection.transaction():
        await _become(connection, SEALER_ROLE)
        head = await find_head(connection, team_id)
    return head and head.end


async def prepare_months(database: Database) -> None:
    """Make the partitions of this month and the next two, where they are missing."""
    async with database.no_team() as connection, connection.transaction():
        await _become(connection, SEALER_ROLE)
        for ahead in range(3):
            await _ADD_MONTH.fetch_one(connection, ahead=ahead)


def payload_of(team_id: UUID, position: int, row: _UnchainedRow) -> bytes:
    """The bytes that the link of a row covers: everything the row says, as JSON in a fixed order."""
    said = (
        team_id,
        position,
        row.id,
        row.at.astimezone(UTC),
        row.operation,
        row.actor,
        row.role,
        row.device,
        row.query,
        row.ids,
        row.recipient,
        row.detail,
    )
    return _encode(said)


async def verify(connection: asyncpg.Connection, team_id: UUID, progress: Progress) -> ChainVerdict:
    """Recompute the chain of a team's audit, as the owner. A tail unchained for over a minute is a fault."""
    stands = await find_head(connection, team_id)
    start, head = (stands.start, stands.end) if stands else (BEGINNING, BEGINNING)

    async def fetch(after: int) -> list[_ChainedAuditRow]:
        return await _WALK.fetch(connection, team_id=team_id, position=after, most=SEALED_AT_ONCE)

    def chained(row: _ChainedAuditRow) -> chain.ChainedRow:
        return chain.ChainedRow(
            row.position, payload_of(team_id, row.position, row), row.link, f"audit row {row.position}"
        )

    verdict = await verify_chain(team_id, "audit row", head, fetch, chained, start=start, progress=progress)
    waiting = await _WAITING.fetch_one(connection, team_id=team_id)
    if verdict.fault is None and waiting.seconds > UNSEALED_FOR_AT_MOST_S:
        fault = f"{waiting.n} audit rows wait to be sealed, the oldest for {waiting.seconds:.0f} s"
        verdict = structs.replace(verdict, fault=fault)
    return verdict


async def _become(connection: Connection, role: str) -> None:
    """Act, to the end of the transaction, in another role, of which the service's login has to be a member."""
    await connection.execute(f"SET LOCAL ROLE {role}")

"""Tasks: what a lead asks an author about an incident, or gives a colleague to chase; phones get them with a sync."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

import msgspec
from msgspec import Struct

from triage.access.actors import Actor
from triage.people.encryption import decrypt, encrypt
from triage.problems import FORBIDDEN, NOT_FOUND, Refused
from triage.store import audit
from triage.store.database import Connection, Database
from triage.store.keys import KeyStore
from triage.store.statements import statement

TaskKind = Literal["ask", "chase"]
LONGEST_TEXT: Final = 280


class Ask(Struct, frozen=True, kw_only=True):
    """A task as its addressee's phone gets it. `text` is None where there is none, or it was erased."""

    id: UUID
    incident_id: UUID
    about: str
    text: str | None
    from_: str = msgspec.field(name="from")
    due_at: datetime | None


class _TaskColumns(Struct, frozen=True):
    id: UUID
    incident_id: UUID
    kind: TaskKind
    about: str
    made_at: datetime
    due_at: datetime | None
    made_by: UUID
    from_name: str
    addressee: UUID
    to_name: str
    answered_by: UUID | None
    answered_at: datetime | None


class Task(_TaskColumns, frozen=True):
    """A task as the lead's pages show it. `answered_by` is the entry that answers it."""

    text: str | None


class NewTask(Struct, frozen=True, kw_only=True):
    """A task to be put. Its id comes with the form, so that sending it twice is one task."""

    id: UUID
    incident_id: UUID
    kind: TaskKind
    addressee: UUID
    about: str
    text: str = ""
    due_at: datetime | None = None


class Colleague(Struct, frozen=True):
    """Somebody of the lead's own side."""

    staff_id: UUID
    name: str
    role: str
    profession: str | None
    level: str


class _Row(_TaskColumns, frozen=True):
    sealed: bytes | None
    key_ref: UUID | None


_ADD = statement("tasks.add")
_RECORD_ANSWERS = statement("tasks.record_answers")
_OPEN_OF = statement("tasks.open_of", _Row)
_OF_INCIDENT = statement("tasks.of_incident", _Row)
_FILED = statement("tasks.filed", _Row)
_OPEN_CHASES = statement("tasks.open_chases", _Row)
_COLLEAGUES = statement("tasks.colleagues", Colleague)


async def list_colleagues(connection: Connection, actor: Actor) -> list[Colleague]:
    """The staff of the actor's own side, whom tasks may be put to."""
    return await _COLLEAGUES.fetch(connection, team_id=actor.team_id, side=actor.side)


async def put_task(database: Database, keys: KeyStore, actor: Actor, new: NewTask) -> None:
    """Put a task to somebody of one's own side. Raises Refused: 403 to one who is no lead, 404 for nobody there."""
    if actor.level != "lead":
        raise Refused(FORBIDDEN)
    [key] = await keys.take(1) if new.text else [None]
    async with database.team(actor.team_id) as connection, connection.transaction():
        if new.addressee not in {colleague.staff_id for colleague in await list_colleagues(connection, actor)}:
            raise Refused(NOT_FOUND)
        await _ADD.execute(
            connection,
            team_id=actor.team_id,
            id=new.id,
            incident_id=new.incident_id,
            kind=new.kind,
            made_by=actor.account,
            addressee=new.addressee,
            about=new.about,
            sealed=encrypt(key.key, new.text.encode(), _place(actor.team_id, new.id)) if key else None,
            key_ref=key.ref if key else None,
            due_at=new.due_at,
        )
        await audit.record(connection, actor, "collection", f"task/{new.kind}", [new.incident_id, new.id])


async def list_asks(database: Database, keys: KeyStore, actor: Actor) -> list[Ask]:
    """The open questions and chases put to an account, the nearest due first. The reading is logged."""
    async with database.team(actor.team_id) as connection, connection.transaction():
        await _RECORD_ANSWERS.execute(connection, team_id=actor.team_id, addressee=actor.account, incident_id=None)
        rows = await _OPEN_OF.fetch(connection, team_id=actor.team_id, addressee=actor.account)
        if rows:
            await audit.record(connection, actor, "consultation", "asks", [row.incident_id for row in rows])
    texts = await _texts(keys, actor.team_id, rows)
    return [
        Ask(
            id=row.id,
            incident_id=row.incident_id,
            about=row.about,
            text=texts.get(row.id),
            from_=row.from_name,
            due_at=row.due_at,
        )
        for row in rows
    ]


async def list_tasks_of(database: Database, keys: KeyStore, actor: Actor, incident_ids: Sequence[UUID]) -> list[Task]:
    """The questions to the actor's side about an incident, given by all its ids, answered or not; oldest first."""
    async with database.team(actor.team_id) as connection, connection.transaction():
        for incident_id in incident_ids:
            await _RECORD_ANSWERS.execute(connection, team_id=actor.team_id, addressee=None, incident_id=incident_id)
        rows = await _OF_INCIDENT.fetch(
            connection, team_id=actor.team_id, incident_ids=list(incident_ids), side=actor.side
        )
    texts = await _texts(keys, actor.team_id, rows)
    return [_task(row, texts.get(row.id)) for row in rows]


async def open_chases(database: Database, actor: Actor) -> dict[UUID, Task]:
    """The open chases of the actor's side, by incident; the latest of several."""
    async with database.team(actor.team_id) as connection, connection.transaction():
        await _RECORD_ANSWERS.execute(connection, team_id=actor.team_id, addressee=None, incident_id=None)
        rows = await _OPEN_CHASES.fetch(connection, team_id=actor.team_id, side=actor.side)
    return {row.incident_id: _task(row, None) for row in rows}


def _task(row: _Row, text: str | None) -> Task:
    return Task(**{name: getattr(row, name) for name in _TaskColumns.__struct_fields__}, text=text)


async def list_filed(connection: Connection, keys: KeyStore, team_id: UUID, incident_ids: Sequence[UUID]) -> list[Task]:
    """All questions about these incidents, for the person whom they concern; as the owner, oldest first."""
    rows = await _FILED.fetch(connection, team_id=team_id, incident_ids=list(incident_ids))
    texts = await _texts(keys, team_id, rows)
    return [_task(row, texts.get(row.id)) for row in rows]


async def _texts(keys: KeyStore, team_id: UUID, rows: Iterable[_Row]) -> dict[UUID, str]:
    """The texts that can still be opened, by task."""
    sealed = [(row.id, row.sealed, row.key_ref) for row in rows if row.sealed and row.key_ref]
    opened = await keys.fetch([ref for _, _, ref in sealed]) if sealed else {}
    return {id: decrypt(opened[ref], text, _place(team_id, id)).decode() for id, text, ref in sealed if ref in opened}


def _place(team_id: UUID, task_id: UUID) -> bytes:
    """The place that a sealed text is bound to: it opens in no other row."""
    return b"task" + team_id.bytes + task_id.bytes

"""Subject access: everything about one person, gathered as the owner (UK GDPR article 15, DPA 2018 s45)."""

from contextlib import suppress
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

from triage.log.canonical import with_texts
from triage.people.encryption import Undecryptable, decrypt
from triage.people.identifiers import Identity
from triage.problems import NOT_FOUND, Refused
from triage.store import audit
from triage.store.keys import KeyStore
from triage.store.log.tasks import Task, list_filed
from triage.store.people.people import KnownPerson, list_aliases, open_person, resolve
from triage.store.people.regimes import IncidentRegime, regime_of
from triage.store.statements import statement


class _Envelope(Struct, frozen=True):
    id: UUID
    seq: int
    incident_id: UUID
    kind: str
    received_at: datetime
    author: UUID
    profession: str
    role: str
    erased_at: datetime | None


class FiledEntry(_Envelope, frozen=True):
    """One entry as stored, its texts opened; `erased_at` says that texts were destroyed."""

    content: Any


class FiledTask(Struct, frozen=True, kw_only=True):
    """A lead's question to somebody about an incident; of both only the ids, as of who wrote an entry."""

    id: UUID
    incident_id: UUID
    about: str
    text: str | None
    made_at: datetime
    made_by: UUID
    addressee: UUID
    answered_by: UUID | None


class FiledOperation(Struct, frozen=True):
    """Who did what with records of the person; `recipient` is to whom they were disclosed."""

    at: datetime
    operation: str
    actor: UUID | None
    role: str | None
    query: str
    recipient: str | None


class SubjectFile(Struct, frozen=True, kw_only=True):
    """Everything held about a person. `linked_before`: incidents that were linked to the person and are no longer."""

    person_id: UUID
    gathered_at: datetime
    identity: Identity | None
    incidents: list[UUID]
    regimes: list[IncidentRegime]
    linked_before: list[UUID]
    entries: list[FiledEntry]
    asked: list[FiledTask]
    operations: list[FiledOperation]


class _EntryRow(_Envelope, frozen=True):
    body: bytes
    sealed: bytes | None
    key_ref: UUID | None


_ENVELOPE: Final = _Envelope.__struct_fields__

_LINKED = statement("subject.linked", UUID)
_EVER_LINKED = statement("subject.ever_linked", UUID)
_ENTRIES = statement("subject.entries", _EntryRow)
_OPERATIONS = statement("subject.operations", FiledOperation)


async def gather(
    connection: asyncpg.Connection, keys: KeyStore, team_id: UUID, person_id: UUID, by: str, now: datetime
) -> SubjectFile:
    """The file of a person, asked for under any alias; making it is recorded as a disclosure. Raises Refused (404).

    `connection` is the owner's, set to the team, in a transaction.
    """
    person = await resolve(connection, team_id, person_id)
    if person is None:
        raise Refused(NOT_FOUND)
    aliases = await list_aliases(connection, team_id, person.person_id)
    linked = set(await _LINKED.fetch(connection, team_id=team_id, person_id=person.person_id))
    ever = set(await _EVER_LINKED.fetch(connection, team_id=team_id, aliases=aliases))
    incidents = sorted(linked)
    ids = [person.person_id, *aliases, *sorted(linked | ever)]
    operations = await _OPERATIONS.fetch(connection, team_id=team_id, ids=ids)
    await audit.record_by_owner(
        connection, team_id, "disclosure", "subject_access", [person.person_id, *incidents], recipient=by
    )
    return SubjectFile(
        person_id=person_id,
        gathered_at=now,
        identity=await _identity(keys, team_id, person),
        incidents=incidents,
        regimes=[IncidentRegime(i, await regime_of(connection, team_id, i)) for i in incidents],
        linked_before=sorted(ever - linked),
        entries=await _entries(connection, keys, team_id, incidents),
        asked=[_filed(task) for task in await list_filed(connection, keys, team_id, incidents)],
        operations=operations,
    )


def _filed(task: Task) -> FiledTask:
    return FiledTask(**{name: getattr(task, name) for name in FiledTask.__struct_fields__})


async def _identity(keys: KeyStore, team_id: UUID, person: KnownPerson) -> Identity | None:
    if person.key_ref is None or person.sealed is None:
        return None
    key = (await keys.fetch([person.key_ref])).get(person.key_ref)
    return open_person(key, person.sealed, team_id, person.person_id) if key else None


async def _entries(
    connection: asyncpg.Connection, keys: KeyStore, team_id: UUID, incidents: list[UUID]
) -> list[FiledEntry]:
    rows = await _ENTRIES.fetch(connection, team_id=team_id, incidents=incidents)
    opened = await keys.fetch({row.key_ref for row in rows if row.sealed and row.key_ref})
    return [
        FiledEntry(**{name: getattr(row, name) for name in _ENVELOPE}, content=_content(team_id, row, opened))
        for row in rows
    ]


def _content(team_id: UUID, row: _EntryRow, keys: dict[UUID, bytes]) -> Any:
    """The coded content with its texts in their places; a text that is gone leaves its mark."""
    content = msgspec.json.decode(row.body)
    if row.sealed and row.key_ref in keys:
        with suppress(Undecryptable):
            texts = decrypt(keys[row.key_ref], row.sealed, team_id.bytes + row.id.bytes)
            with_texts(content, msgspec.json.decode(texts))
    return content

"""Subject access: everything about one person, gathered as the owner (UK GDPR article 15, DPA 2018 s45)."""

from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

from triage.log.entries import SEALED
from triage.people.encryption import Undecryptable, decrypt
from triage.people.identifiers import Identity
from triage.problems import NOT_FOUND, Refused
from triage.store import audit
from triage.store.keys import KeyStore
from triage.store.people.people import open_person
from triage.store.people.regimes import IncidentRegime, regime_of
from triage.store.statements import load

SQL = load("subject")


class FiledEntry(Struct, frozen=True, kw_only=True):
    """One entry as stored, its texts opened; `erased_at` says that texts were destroyed."""

    id: UUID
    seq: int
    incident_id: UUID
    kind: str
    received_at: datetime
    author: UUID
    profession: str
    role: str
    content: Any
    erased_at: datetime | None


class FiledOperation(Struct, frozen=True, kw_only=True):
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
    operations: list[FiledOperation]


async def gather(
    connection: asyncpg.Connection, keys: KeyStore, team_id: UUID, person_id: UUID, by: str, now: datetime
) -> SubjectFile:
    """The file of a person; making it is itself recorded as a disclosure. Raises Refused (404).

    `connection` is the owner's, set to the team, in a transaction.
    """
    row = await connection.fetchrow(SQL.person, team_id, person_id)
    if row is None:
        raise Refused(NOT_FOUND)
    identity = None
    if row["key_ref"]:
        found = await keys.fetch([row["key_ref"]])
        if row["key_ref"] in found:
            identity = open_person(found[row["key_ref"]], row["sealed"], team_id, person_id)
    now_linked = {each["incident_id"] for each in await connection.fetch(SQL.linked, team_id, person_id)}
    ever_linked = {each["incident_id"] for each in await connection.fetch(SQL.ever_linked, team_id, person_id)}
    incidents = sorted(now_linked | ever_linked)
    entries = await _entries(connection, keys, team_id, sorted(now_linked))
    operations = [
        FiledOperation(**each) for each in await connection.fetch(SQL.operations, team_id, [person_id, *incidents])
    ]
    await audit.record_by_owner(
        connection, team_id, "disclosure", "subject_access", [person_id, *sorted(now_linked)], recipient=by
    )
    return SubjectFile(
        person_id=person_id,
        gathered_at=now,
        identity=identity,
        incidents=sorted(now_linked),
        regimes=[IncidentRegime(one, await regime_of(connection, team_id, one)) for one in sorted(now_linked)],
        linked_before=sorted(ever_linked - now_linked),
        entries=entries,
        operations=operations,
    )


async def _entries(
    connection: asyncpg.Connection, keys: KeyStore, team_id: UUID, incidents: list[UUID]
) -> list[FiledEntry]:
    rows = await connection.fetch(SQL.entries, team_id, incidents)
    opened = await keys.fetch(row["key_ref"] for row in rows if row["sealed"])
    return [
        FiledEntry(
            **{name: row[name] for name in FiledEntry.__struct_fields__ if name != "content"},
            content=_content(team_id, row, opened),
        )
        for row in rows
    ]


def _content(team_id: UUID, row: Any, keys: dict[UUID, bytes]) -> Any:
    """The coded content with its texts in their places; a text that is gone leaves its mark."""
    content = msgspec.json.decode(row["body"])
    if row["sealed"] and row["key_ref"] in keys:
        try:
            texts = msgspec.json.decode(decrypt(keys[row["key_ref"]], row["sealed"], team_id.bytes + row["id"].bytes))
        except Undecryptable:
            texts = {}
        for path, text in texts.items():
            *parts, name = path.split(".")
            holder = content
            for part in parts:
                holder = holder.get(part) or {}
            if holder.get(name) == SEALED:
                holder[name] = text
    return content

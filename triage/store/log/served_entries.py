"""The entries of an incident as somebody may see them, with their texts and their places in the chain."""

from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from msgspec import Struct

from triage.access.actors import Actor
from triage.log.entries import StoredEntry
from triage.log.redaction import visible_entries
from triage.people.encryption import Undecryptable, decrypt
from triage.problems import NOT_FOUND, Refused
from triage.store import audit
from triage.store.database import Database
from triage.store.keys import KeyStore
from triage.store.log.material import find_version, load_material, record_served
from triage.store.log.readers import audience_of
from triage.store.statements import statement


class ServedEntry(Struct, frozen=True):
    """An entry in the list of an incident's entries, with its place in the chain."""

    stored: StoredEntry
    link: bytes
    notices: bytes
    secrets: bytes | None


class _Chained(NamedTuple):
    id: UUID
    link: bytes
    sealed: bytes | None
    key_ref: UUID | None
    notices: str


_CHAINED = statement("incidents.chained", _Chained)


async def list_entries(database: Database, keys: KeyStore, actor: Actor, incident_id: UUID) -> list[ServedEntry]:
    """The entries of an incident as the actor may see them, in the order of the log. Logs the reading.

    Raises Refused (404) where the actor may not know of it.
    """
    now = datetime.now(UTC)
    async with database.team(actor.team_id) as connection, connection.transaction():
        version = await find_version(connection, actor, incident_id, now)
        incident = (await load_material(connection, actor, [version.root], as_sent=True))[version.root]
        visible = visible_entries(incident.entries, audience_of(actor), now)
        if not visible:
            raise Refused(NOT_FOUND)
        ids = [stored.id for stored in visible]
        chained = {row.id: row for row in await _CHAINED.fetch(connection, team_id=actor.team_id, ids=ids)}
        await audit.record(connection, actor, "consultation", "entries", [version.root])
        if not version.blind and incident.has_intent:
            await record_served(connection, actor, incident.ids)
    opened = await keys.fetch({row.key_ref for row in chained.values() if row.key_ref})
    return [_served_entry(actor.team_id, stored, chained[stored.id], opened) for stored in visible]


def _served_entry(team_id: UUID, stored: StoredEntry, row: _Chained, keys: dict[UUID, bytes]) -> ServedEntry:
    """The entry with its own text unsealed; whether the reader may have it was decided by redacting."""
    secrets = None
    if row.sealed and row.key_ref in keys:
        try:
            secrets = decrypt(keys[row.key_ref], row.sealed, team_id.bytes + stored.id.bytes)
        except Undecryptable:
            secrets = None
    return ServedEntry(stored, row.link, row.notices.encode(), secrets)

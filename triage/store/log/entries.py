"""Entries as they are stored: the columns that make one again."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct, structs

from triage.log.blindness import ServedIntent, with_blindness
from triage.log.canonical import with_current_codes
from triage.log.entries import PersonLink, PersonUnlink, StoredEntry
from triage.log.links import incident_ids
from triage.log.stored_body import read_stored_body
from triage.store.database import Connection
from triage.store.statements import statement


class EntryColumns(Struct, frozen=True, gc=False):
    """A row of the view `stored_entry`. `person_id` is whom the alias of a link means, where it means anybody."""

    team_id: UUID
    seq: int
    id: UUID
    incident_id: UUID
    received_at: datetime
    author: UUID
    profession: str
    role: str
    device: UUID | None
    skew_ms: int | None
    blind: bool
    released_by: UUID | None
    received_again: bool
    person_id: UUID | None
    body: bytes

    def entry(self, *, as_sent: bool = False) -> StoredEntry:
        """The entry, under the incident it belongs to, with retired codes read as today's; `as_sent`: aliases stay."""
        known, newer = read_stored_body(self.body, self.incident_id, self.received_at)
        entry = with_current_codes(known)
        # the same id as asyncpg decodes it: its hash is not computed in Python each time
        structs.force_setattr(entry, "incident_id", self.incident_id)
        if self.person_id and isinstance(entry, PersonLink | PersonUnlink) and not as_sent:
            structs.force_setattr(entry, "person_id", self.person_id)
        return StoredEntry(
            seq=self.seq,
            id=self.id,
            entry=entry,
            received_at=self.received_at,
            author=self.author,
            profession=self.profession,
            role=self.role,
            device=self.device,
            skew_ms=self.skew_ms,
            blind=self.blind,
            released_by=self.released_by,
            newer=newer,
            received_again=self.received_again,
        )


class RootedColumns(EntryColumns, frozen=True, gc=False):
    """An entry with the id under which its incident answers."""

    root: UUID


_SERVED_TO_JUDGES = statement("incidents.served_to_judges", ServedIntent)


async def rooted_entries(connection: Connection, team_id: UUID, rows: Iterable[RootedColumns]) -> list[StoredEntry]:
    """The entries of these incidents, each judgement marked as blind or not by what was served of its incident."""
    by_root: dict[UUID, list[StoredEntry]] = {}
    for row in rows:
        by_root.setdefault(row.root, []).append(row.entry())
    served = await served_to_judges(connection, team_id, list(by_root))
    entries: list[StoredEntry] = []
    for stored in by_root.values():
        ids = incident_ids(stored)
        entries += with_blindness(stored, [row for row in served if row.incident_id in ids])
    return entries


async def served_to_judges(connection: Connection, team_id: UUID, roots: Sequence[UUID]) -> list[ServedIntent]:
    """When intents of these incidents were first served to who judged, or on their phones, for `with_blindness`."""
    return await _SERVED_TO_JUDGES.fetch(connection, team_id=team_id, roots=roots)

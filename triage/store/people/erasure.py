"""Erasing: keys, digests and sealed content go; coded fields, totals, chains stay (UK GDPR art. 17, DPA s47).

The journal is written first, then the keys are destroyed, then the rows are emptied in one transaction. Cut short
at any point, the same command finishes it; and a backup restored later erases the same again.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import assert_never
from uuid import UUID

import asyncpg
from msgspec import Struct
from uuid_utils.compat import uuid7

from triage.errors import OperatorError
from triage.people.encryption import Undecryptable, decrypt
from triage.problems import NOT_FOUND, Refused
from triage.store import audit
from triage.store.database import Connection
from triage.store.journal import Journal
from triage.store.journal_lines import HoldLifted, HoldPlaced, JournalLine, NotesErased, PersonErased, RegimeChanged
from triage.store.keys import KeyStore
from triage.store.people import regimes
from triage.store.statements import statement


class UnderLegalHold(OperatorError):
    """Something is under legal hold; the message names the incidents."""


class ErasureReceipt(Struct, frozen=True):
    """The result of an erasure, in numbers; stored are its id, who and when."""

    id: UUID
    texts: int
    keys: int


class ErasureReach(Struct, frozen=True):
    """The reach of an erasure, in numbers."""

    incidents: int
    texts: int


class SealedText(Struct, frozen=True):
    """A sealed text of an entry, or in quarantine or a task, and the key it is sealed under."""

    id: UUID
    key_ref: UUID


class DueText(Struct, frozen=True):
    """A sealed text past its period; `root` is the id under which its incident answers."""

    id: UUID
    incident_id: UUID
    key_ref: UUID
    root: UUID


class _KnownPerson(Struct, frozen=True):
    person_id: UUID
    key_ref: UUID | None


class _InQuarantine(Struct, frozen=True):
    id: UUID
    key_ref: UUID
    sealed: bytes


_PERSON = statement("erasure.person", _KnownPerson)
_FORGET_IDENTIFIERS = statement("erasure.forget_identifiers")
_EMPTY_PERSON = statement("erasure.empty_person")
_INCIDENTS_OF = statement("erasure.incidents_of", UUID)
_HELD = statement("erasure.held", UUID)
_TEXTS = statement("erasure.texts", SealedText)
_EMPTY_ENTRIES = statement("erasure.empty_entries")
_END_SCOPE = statement("erasure.end_scope")
_QUARANTINED = statement("erasure.quarantined", _InQuarantine)
_ENTRY_IDS = statement("erasure.entry_ids", UUID)
_MARK_ERASED = statement("erasure.mark_erased")
DISCARD = statement("erasure.discard")
_ADD_RECEIPT = statement("erasure.add_receipt")
_HOLD = statement("erasure.hold")
_LIFT = statement("erasure.lift")
_ASKED = statement("erasure.asked", SealedText)
_EMPTY_TASKS = statement("erasure.empty_tasks")


async def find_erasable(
    connection: asyncpg.Connection, keys: KeyStore, team_id: UUID, *, person_id: UUID | None, incident_id: UUID | None
) -> ErasureReach:
    """The reach of erasing a person or an incident. Raises as the erasure itself does."""
    if incident_id is not None:
        incidents = await regimes.linked_ids(connection, team_id, incident_id)
    else:
        person = await _PERSON.fetch_first(connection, team_id=team_id, id=person_id)
        if person is None:
            raise Refused(NOT_FOUND)
        incidents = await _INCIDENTS_OF.fetch(connection, team_id=team_id, person_id=person.person_id)
    await _check_holds(connection, team_id, incidents)
    texts = await _TEXTS.fetch(connection, team_id=team_id, incidents=incidents)
    waiting = await _in_quarantine(connection, keys, team_id, incidents)
    asked = await _ASKED.fetch(connection, team_id=team_id, incidents=incidents)
    return ErasureReach(len(incidents), len(texts) + len(waiting) + len(asked))


async def erase_person(
    connection: asyncpg.Connection, keys: KeyStore, journal: Journal, team_id: UUID, person_id: UUID, by: str
) -> ErasureReceipt:
    """Destroy a person's identifiers, and the notes of every incident that concerns the person.

    `connection` is the owner's, set to the team, in a transaction. Raises Refused (404), or Held.
    """
    person = await _PERSON.fetch_first(connection, team_id=team_id, id=person_id)
    if person is None:
        raise Refused(NOT_FOUND)
    incidents = await _INCIDENTS_OF.fetch(connection, team_id=team_id, person_id=person.person_id)
    await _check_holds(connection, team_id, incidents)
    receipt = uuid7()
    destroyed = await _destroy_person(connection, keys, journal, team_id, person.person_id, person.key_ref, receipt, by)
    texts, more = await _erase_texts(connection, keys, journal, team_id, incidents, receipt, by)
    await _sign(connection, team_id, receipt, by)
    return ErasureReceipt(receipt, texts, destroyed + more)


async def forget_person(
    connection: asyncpg.Connection, keys: KeyStore, journal: Journal, team_id: UUID, person_id: UUID, by: str
) -> ErasureReceipt:
    """Destroy a person's identifiers only, as the end of their retention asks for; notes have a period of their own."""
    person = await _PERSON.fetch_first(connection, team_id=team_id, id=person_id)
    if person is None:
        raise Refused(NOT_FOUND)
    receipt = uuid7()
    destroyed = await _destroy_person(connection, keys, journal, team_id, person.person_id, person.key_ref, receipt, by)
    await _sign(connection, team_id, receipt, by)
    return ErasureReceipt(receipt, 0, destroyed)


async def forget_texts(
    connection: asyncpg.Connection,
    keys: KeyStore,
    journal: Journal,
    team_id: UUID,
    texts: Sequence[DueText],
    asked: Sequence[DueText],
    by: str,
) -> ErasureReceipt:
    """Destroy these texts of entries and of tasks only, as the end of their retention asks for."""
    receipt = uuid7()
    incidents = sorted({text.incident_id for text in (*texts, *asked)})
    destroyed = await _destroy_texts(connection, keys, journal, team_id, incidents, texts, asked, receipt, by)
    await _EMPTY_TASKS.execute(connection, team_id=team_id, keys=[text.key_ref for text in asked])
    await _sign(connection, team_id, receipt, by)
    return ErasureReceipt(receipt, len(texts) + len(asked), destroyed)


async def _destroy_person(
    connection: asyncpg.Connection,
    keys: KeyStore,
    journal: Journal,
    team_id: UUID,
    person_id: UUID,
    key: UUID | None,
    receipt: UUID,
    by: str,
) -> int:
    at = datetime.now(UTC)
    await journal.add(PersonErased(at=at, team_id=team_id, receipt=receipt, person_id=person_id, by=by, key=key))
    destroyed = await keys.destroy([key]) if key else 0
    await _FORGET_IDENTIFIERS.execute(connection, team_id=team_id, person_id=person_id)
    await _EMPTY_PERSON.execute(connection, team_id=team_id, person_id=person_id)
    return destroyed


async def erase_incident(
    connection: asyncpg.Connection, keys: KeyStore, journal: Journal, team_id: UUID, incident_id: UUID, by: str
) -> ErasureReceipt:
    """Destroy an incident's notes under every id it answers to. Raises Refused (404), or Held."""
    incidents = await regimes.linked_ids(connection, team_id, incident_id)
    await _check_holds(connection, team_id, incidents)
    receipt = uuid7()
    texts, destroyed = await _erase_texts(connection, keys, journal, team_id, incidents, receipt, by, whole=True)
    await _MARK_ERASED.execute(connection, team_id=team_id, incidents=incidents)
    await _sign(connection, team_id, receipt, by)
    return ErasureReceipt(receipt, texts, destroyed)


async def _check_holds(connection: asyncpg.Connection, team_id: UUID, incidents: Sequence[UUID]) -> None:
    held = [str(incident) for incident in await _HELD.fetch(connection, team_id=team_id, incidents=incidents)]
    if held:
        raise UnderLegalHold(f"under legal hold: {', '.join(held)}")


async def _erase_texts(
    connection: asyncpg.Connection,
    keys: KeyStore,
    journal: Journal,
    team_id: UUID,
    incidents: Sequence[UUID],
    receipt: UUID,
    by: str,
    *,
    whole: bool = False,
) -> tuple[int, int]:
    """Destroy the texts of incidents, also those in quarantine and in tasks; how many texts and keys there were."""
    texts = await _TEXTS.fetch(connection, team_id=team_id, incidents=incidents)
    waiting = await _in_quarantine(connection, keys, team_id, incidents)
    asked = await _ASKED.fetch(connection, team_id=team_id, incidents=incidents)
    beside: list[SealedText | _InQuarantine] = [*waiting, *asked]
    destroyed = await _destroy_texts(
        connection, keys, journal, team_id, incidents, texts, beside, receipt, by, whole=whole
    )
    await _EMPTY_TASKS.execute(connection, team_id=team_id, keys=[text.key_ref for text in asked])
    await _END_SCOPE.execute(connection, team_id=team_id, incidents=incidents)
    return len(texts) + len(beside), destroyed


async def _destroy_texts(
    connection: asyncpg.Connection,
    keys: KeyStore,
    journal: Journal,
    team_id: UUID,
    incidents: Sequence[UUID],
    texts: Sequence[SealedText | DueText],
    waiting: Sequence[SealedText | DueText | _InQuarantine],
    receipt: UUID,
    by: str,
    *,
    whole: bool = False,
) -> int:
    refs = [text.key_ref for text in (*texts, *waiting)]
    ids = [text.id for text in texts]
    await journal.add(
        NotesErased(
            at=datetime.now(UTC),
            team_id=team_id,
            receipt=receipt,
            incident_ids=list(incidents),
            entries=ids,
            keys=refs,
            by=by,
            whole=whole,
        )
    )
    destroyed = await keys.destroy(refs)
    await _EMPTY_ENTRIES.execute(connection, team_id=team_id, ids=ids)
    await DISCARD.execute(connection, team_id=team_id, ids=[text.id for text in waiting])
    return destroyed


async def _in_quarantine(
    connection: asyncpg.Connection, keys: KeyStore, team_id: UUID, incidents: Sequence[UUID]
) -> list[_InQuarantine]:
    """The quarantined items that name these incidents or an entry of theirs, readable as JSON or not."""
    entries = await _ENTRY_IDS.fetch(connection, team_id=team_id, incidents=incidents)
    named = [i.hex.encode() for i in (*incidents, *entries)]
    rows = await _QUARANTINED.fetch(connection, team_id=team_id)
    opened = await keys.fetch([row.key_ref for row in rows])
    speaking = []
    for row in rows:
        try:
            sent = decrypt(opened[row.key_ref], row.sealed, row.id.bytes)
        except (KeyError, Undecryptable):
            continue  # nothing of it can be read any more
        plain = sent.lower().replace(b"-", b"")
        if any(i in plain for i in named):
            speaking.append(row)
    return speaking


async def _sign(connection: asyncpg.Connection, team_id: UUID, receipt: UUID, by: str) -> None:
    await _ADD_RECEIPT.execute(connection, team_id=team_id, id=receipt, by=by)
    await audit.record_by_owner(connection, team_id, "erasure", "erase", [receipt], detail=by)


async def place_hold(
    connection: asyncpg.Connection, journal: Journal, team_id: UUID, incident_id: UUID, reason: str, by: str
) -> None:
    """Let nothing of an incident be destroyed, whatever backup is restored."""
    line = HoldPlaced(at=datetime.now(UTC), team_id=team_id, incident_id=incident_id, reason=reason, by=by)
    await journal.add(line)
    await replay(connection, None, line)
    await audit.record_by_owner(connection, team_id, "alteration", "hold", [incident_id], detail=by)


async def lift_hold(
    connection: asyncpg.Connection, journal: Journal, team_id: UUID, incident_id: UUID, by: str
) -> None:
    """Lift every hold of an incident, also that of a death."""
    line = HoldLifted(at=datetime.now(UTC), team_id=team_id, incident_id=incident_id, by=by)
    await journal.add(line)
    await replay(connection, None, line)
    await audit.record_by_owner(connection, team_id, "alteration", "hold/lift", [incident_id], detail=by)


async def replay(
    connection: Connection,
    keys: KeyStore | None,
    line: PersonErased | NotesErased | HoldPlaced | HoldLifted | RegimeChanged,
) -> None:
    """Make a line of the journal true, again in a restored database. Without `keys` the key store is left alone."""
    match line:
        case PersonErased():
            if keys:
                await keys.destroy(destroyed_by(line))
            await _FORGET_IDENTIFIERS.execute(connection, team_id=line.team_id, person_id=line.person_id)
            await _EMPTY_PERSON.execute(connection, team_id=line.team_id, person_id=line.person_id)
            await _ADD_RECEIPT.execute(connection, team_id=line.team_id, id=line.receipt, by=line.by)
        case NotesErased():
            if keys:
                await keys.destroy(destroyed_by(line))
            await _EMPTY_ENTRIES.execute(connection, team_id=line.team_id, ids=line.entries)
            await _EMPTY_TASKS.execute(connection, team_id=line.team_id, keys=line.keys)
            await _END_SCOPE.execute(connection, team_id=line.team_id, incidents=line.incident_ids)
            if line.whole:
                await _MARK_ERASED.execute(connection, team_id=line.team_id, incidents=line.incident_ids)
            await _ADD_RECEIPT.execute(connection, team_id=line.team_id, id=line.receipt, by=line.by)
        case HoldPlaced():
            await _HOLD.execute(
                connection,
                team_id=line.team_id,
                incident_id=line.incident_id,
                reason=line.reason,
                by=line.by,
                at=line.at,
            )
        case HoldLifted():
            await _LIFT.execute(
                connection,
                team_id=line.team_id,
                incident_id=line.incident_id,
                by=line.by,
                at=line.at,
            )
        case RegimeChanged():
            await regimes.apply_change(connection, line)
        case _:
            assert_never(line)


def destroyed_by(line: JournalLine) -> list[UUID]:
    """The keys that the erasure of this line destroyed."""
    match line:
        case PersonErased():
            return [line.key] if line.key else []
        case NotesErased():
            return line.keys
        case _:
            return []

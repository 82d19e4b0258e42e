"""Erasing: keys, digests and sealed content go; coded fields, totals, chains stay (UK GDPR art. 17, DPA s47).

The journal is written first, then the keys are destroyed, then the rows are emptied in one transaction. Cut short
at any point, the same command finishes it; and a backup restored later erases the same again.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import assert_never
from uuid import UUID

import asyncpg
from msgspec import Struct, structs
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


class SealedText(Struct, frozen=True):
    """A sealed text of an entry, or in quarantine or a task, and the key it is sealed under."""

    id: UUID
    key_ref: UUID


class DueText(SealedText, frozen=True):
    """A sealed text past its period; `root` is the id under which its incident answers."""

    incident_id: UUID
    root: UUID


class _InQuarantine(SealedText, frozen=True):
    sealed: bytes


class ErasablePerson(Struct, frozen=True):
    """A person, and the key of what identifies her; None where that is gone."""

    person_id: UUID
    key_ref: UUID | None


class Erasable(Struct, frozen=True, kw_only=True):
    """The reach of an erasure: a person's identifiers, the texts of incidents, or both. `whole`: the incidents take
    nothing new."""

    person: ErasablePerson | None = None
    incidents: Sequence[UUID] = ()
    texts: Sequence[SealedText] = ()
    in_quarantine: Sequence[SealedText] = ()
    of_tasks: Sequence[SealedText] = ()
    whole: bool = False

    @property
    def every_text(self) -> list[SealedText]:
        """Of entries, in quarantine and of tasks."""
        return [*self.texts, *self.in_quarantine, *self.of_tasks]


_PERSON = statement("erasure.person", ErasablePerson)
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
) -> Erasable:
    """The reach of erasing an incident under every id it answers to, or a person with the notes of every incident that
    concerns the person.

    `connection` is the owner's, set to the team, in a transaction. Raises Refused (404), or UnderLegalHold.
    """
    person = None
    if incident_id is not None:
        incidents = await regimes.linked_ids(connection, team_id, incident_id)
    else:
        assert person_id
        person = await find_person(connection, team_id, person_id)
        incidents = await _INCIDENTS_OF.fetch(connection, team_id=team_id, person_id=person.person_id)
    held = [str(incident) for incident in await _HELD.fetch(connection, team_id=team_id, incidents=incidents)]
    if held:
        raise UnderLegalHold(f"under legal hold: {', '.join(held)}")
    return Erasable(
        person=person,
        incidents=incidents,
        texts=await _TEXTS.fetch(connection, team_id=team_id, incidents=incidents),
        in_quarantine=await _in_quarantine(connection, keys, team_id, incidents),
        of_tasks=await _ASKED.fetch(connection, team_id=team_id, incidents=incidents),
        whole=person is None,
    )


async def find_person(connection: asyncpg.Connection, team_id: UUID, person_id: UUID) -> ErasablePerson:
    """Whom an alias means, locked. Raises Refused (404)."""
    person = await _PERSON.fetch_first(connection, team_id=team_id, id=person_id)
    if person is None:
        raise Refused(NOT_FOUND)
    return person


async def erase(
    connection: asyncpg.Connection, keys: KeyStore, journal: Journal, team_id: UUID, what: Erasable, by: str
) -> ErasureReceipt:
    """Destroy what an erasure reaches, as the owner, in the transaction in which that was found."""
    receipt, at = uuid7(), datetime.now(UTC)
    lines: list[PersonErased | NotesErased] = []
    if what.person:
        person_id, key = what.person.person_id, what.person.key_ref
        lines.append(PersonErased(at=at, team_id=team_id, receipt=receipt, person_id=person_id, by=by, key=key))
    if what.incidents:
        lines.append(
            NotesErased(
                at=at,
                team_id=team_id,
                receipt=receipt,
                incident_ids=list(what.incidents),
                entries=[text.id for text in what.texts],
                keys=[text.key_ref for text in what.every_text],
                by=by,
                whole=what.whole,
            )
        )
    await journal.add(*lines)
    destroyed = [await replay(connection, keys, line) for line in lines]
    await DISCARD.execute(connection, team_id=team_id, ids=[text.id for text in what.in_quarantine])
    await audit.record_by_owner(connection, team_id, "erasure", "erase", [receipt], detail=by)
    return ErasureReceipt(receipt, len(what.every_text), sum(destroyed))


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
) -> int:
    """Make a line of the journal true, again in a restored database; how many keys were destroyed. Without `keys` the
    key store is left alone."""
    destroyed = await keys.destroy(destroyed_by(line)) if keys else 0
    match line:
        case PersonErased(person_id=person_id):
            await _FORGET_IDENTIFIERS.execute(connection, team_id=line.team_id, person_id=person_id)
            await _EMPTY_PERSON.execute(connection, team_id=line.team_id, person_id=person_id)
            await _ADD_RECEIPT.execute(connection, team_id=line.team_id, id=line.receipt, by=line.by)
        case NotesErased(incident_ids=incidents):
            await _EMPTY_ENTRIES.execute(connection, team_id=line.team_id, ids=line.entries)
            await _EMPTY_TASKS.execute(connection, team_id=line.team_id, keys=line.keys)
            await _END_SCOPE.execute(connection, team_id=line.team_id, incidents=incidents)
            if line.whole:
                await _MARK_ERASED.execute(connection, team_id=line.team_id, incidents=incidents)
            await _ADD_RECEIPT.execute(connection, team_id=line.team_id, id=line.receipt, by=line.by)
        case HoldPlaced():
            await _HOLD.execute(connection, **structs.asdict(line))
        case HoldLifted():
            await _LIFT.execute(connection, **structs.asdict(line))
        case RegimeChanged():
            await regimes.apply_change(connection, line)
        case _:
            assert_never(line)
    return destroyed


def destroyed_by(line: JournalLine) -> list[UUID]:
    """The keys that the erasure of this line destroyed."""
    match line:
        case PersonErased():
            return [line.key] if line.key else []
        case NotesErased():
            return line.keys
        case _:
            return []

"""Who was told numbers that a wrong link had touched: a person, or another incident, linked and later not so any more.

Listed is whoever got an edition or release that was cut while the link stood and whose period reaches an incident
concerned. That is wide: it names everybody whose numbers may have been touched, not only where they differ.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
from msgspec import Struct

from triage.log import links
from triage.log.effective import sort_entries
from triage.log.entries import (
    Amendment,
    NotSameIncident,
    PersonLink,
    PersonUnlink,
    SameIncident,
    StoredEntry,
    Withdrawal,
)
from triage.problems import NOT_FOUND, Refused
from triage.store import audit
from triage.store.log.entries import EntryColumns
from triage.store.statements import statement

_LINKING = (SameIncident, NotSameIncident, PersonLink, PersonUnlink, Withdrawal, Amendment)


class LinkSpan(Struct, frozen=True):
    """A link that stood from one position of the log until before another; `to` is a person or an incident."""

    incident: UUID
    to: UUID
    since: int
    until: int


class Recipient(Struct, frozen=True, order=True):
    """Who got what, how (`email`, `webhook`, `read`, `pull`), and when last."""

    at: datetime
    what: str
    how: str
    who: str
    role: str | None


_CONNECTED = statement("recipients.connected", EntryColumns)
_OF_PERSON = statement("recipients.of_person", UUID)
_TOLD = statement("recipients.told", Recipient)


async def find(connection: asyncpg.Connection, team_id: UUID, incident_id: UUID, by: str) -> list[Recipient]:
    """Everybody who may have been told a wrong number because of a link of this incident that was undone.

    `connection` is the owner's, set to the team, in a transaction. Raises Refused (404).
    """
    held = [row.entry() for row in await _CONNECTED.fetch(connection, team_id=team_id, incident_id=incident_id)]
    if not held:
        raise Refused(NOT_FOUND)
    recipients: set[Recipient] = set()
    for stretch in wrong_links(held, incident_id):
        others = await _OF_PERSON.fetch(connection, team_id=team_id, person_id=stretch.to)
        concerned = [incident_id, stretch.incident, stretch.to, *others]
        told = await _TOLD.fetch(
            connection, team_id=team_id, since=stretch.since, until=stretch.until, incidents=concerned
        )
        recipients |= set(told)
    await audit.record_by_owner(connection, team_id, "consultation", "recipients", [incident_id], detail=by)
    return sorted(recipients)


def wrong_links(held: Sequence[StoredEntry], incident_id: UUID) -> list[LinkSpan]:
    """The links of an incident that stood once and stand no more, from the entries of all incidents ever connected."""
    moments = [stored.seq for stored in held if isinstance(stored.entry, _LINKING)]
    joined = [(seq, _others(held, seq, incident_id)) for seq in moments]
    spans = list(_ended(incident_id, joined))
    for incident in {incident_id, *(other for _, others in joined for other in others)}:
        spans += _ended(incident, ((seq, _people(held, seq, incident)) for seq in moments))
    return spans


def _others(held: Iterable[StoredEntry], seq: int, incident_id: UUID) -> set[UUID]:
    """The ids that were one with this incident after a position of the log."""
    return {*links.component_of(incident_id, (stored for stored in held if stored.seq <= seq)).incident_ids} - {
        incident_id
    }


def _people(held: Iterable[StoredEntry], seq: int, incident_id: UUID) -> set[UUID]:
    """The people whom the entries of an id concerned after a position of the log."""
    until = [stored for stored in held if stored.seq <= seq and stored.entry.incident_id == incident_id]
    return set(links.people(sort_entries(until).people))


def _ended(incident: UUID, series: Iterable[tuple[int, set[UUID]]]) -> Iterator[LinkSpan]:
    since: dict[UUID, int] = {}
    for seq, linked in series:
        for to in since.keys() - linked:
            yield LinkSpan(incident, to, since.pop(to), seq)
        for to in linked - since.keys():
            since[to] = seq

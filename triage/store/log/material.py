"""The material of incidents' views, as it is read for an actor: the row, the entries, and what is kept beside them."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import msgspec

from triage.access.actors import Actor
from triage.log.blindness import holds_intent, with_blindness
from triage.log.entries import StoredEntry
from triage.log.timeline import PersonEvent
from triage.problems import NOT_FOUND, Refused
from triage.store.database import Connection
from triage.store.log.entries import RootedColumns, served_to_judges
from triage.store.log.readers import as_reader
from triage.store.log.rows import POSSIBLE_DUPLICATE
from triage.store.log.served_views import IncidentVersion
from triage.store.statements import statement

_events = msgspec.json.Decoder(tuple[PersonEvent, ...])


class IncidentMaterial(NamedTuple):
    """The material of an incident's view."""

    entries: list[StoredEntry]
    related: tuple[PersonEvent, ...]
    extra_flags: tuple[str, ...]
    turns: list[datetime]
    ids: tuple[UUID, ...]

    @property
    def has_intent(self) -> bool:
        """Whether any entry tells of an intent."""
        return any(map(holds_intent, self.entries))


class _Beside(NamedTuple):
    """The facts kept with an incident that are not of its entries."""

    id: UUID
    related: bytes
    duplicate: bool
    turns: list[datetime]
    ids: list[UUID]
    judged: bool


_FIND = statement("incidents.find", IncidentVersion)
_READABLE = statement("incidents.readable", IncidentVersion)
_ENTRIES = statement("incidents.entries", RootedColumns)
_BESIDE = statement("incidents.beside", _Beside)
_RECORD_SERVED = statement("incidents.record_served")


async def find_version(connection: Connection, actor: Actor, incident_id: UUID, now: datetime) -> IncidentVersion:
    """The row under which the actor sees the incident. Raises Refused (404) where the actor may not know of it."""
    version = await _FIND.fetch_first(connection, id=incident_id, **as_reader(actor, now))
    if version is None:
        raise Refused(NOT_FOUND)
    return version


async def find_versions(
    connection: Connection, actor: Actor, ids: Collection[UUID], now: datetime
) -> dict[UUID, IncidentVersion]:
    """The rows under which the actor sees these incidents; those that it may not see, or that a link absorbed, are left
    out."""
    rows = await _READABLE.fetch(connection, ids=list(ids), **as_reader(actor, now))
    return {version.root: version for version in rows}


async def load_material(
    connection: Connection, actor: Actor, roots: Sequence[UUID], *, as_sent: bool = False
) -> dict[UUID, IncidentMaterial]:
    """The material of these incidents, by id. `as_sent`: people stay under the aliases that were sent."""
    entries: dict[UUID, list[StoredEntry]] = {root: [] for root in roots}
    lead = actor.level == "lead"
    beside = await _BESIDE.fetch(connection, team_id=actor.team_id, roots=roots, lead=lead)
    for columns in await _ENTRIES.fetch(connection, team_id=actor.team_id, roots=roots):
        entries[columns.root].append(columns.entry(as_sent=as_sent))
    judged = [row.id for row in beside if row.judged]
    served = await served_to_judges(connection, actor.team_id, judged) if judged else []
    return {
        row.id: IncidentMaterial(
            with_blindness(entries[row.id], [intent for intent in served if intent.incident_id in row.ids]),
            _events.decode(row.related),
            (POSSIBLE_DUPLICATE,) if row.duplicate else (),
            row.turns,
            tuple(row.ids),
        )
        for row in beside
    }


async def record_served(connection: Connection, actor: Actor, ids: Sequence[UUID]) -> None:
    """Record that intents of these incidents were served to the actor."""
    await _RECORD_SERVED.execute(
        connection, team_id=actor.team_id, account=actor.staff_id, device=actor.device_id, ids=ids
    )

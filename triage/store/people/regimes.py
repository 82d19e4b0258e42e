"""The regime an incident is processed under: part 3 of the Data Protection Act 2018, the UK GDPR, or both.

Until somebody says otherwise both apply, which asks for whatever either asks for. What was said is only ever added to.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, Literal
from uuid import UUID

import asyncpg
from msgspec import Struct, structs

from triage.problems import NOT_FOUND, Refused
from triage.store import audit
from triage.store.database import Connection
from triage.store.journal import Journal
from triage.store.journal_lines import RegimeChanged
from triage.store.statements import statement

Regime = Literal["general", "law_enforcement", "both"]
UNSAID: Final[Regime] = "both"


class IncidentRegime(Struct, frozen=True):
    """An incident, and the regime it is processed under."""

    incident_id: UUID
    regime: Regime


_GROUP_OF = statement("regimes.group_of", UUID)
_LATEST = statement("regimes.latest", IncidentRegime)
_ADD = statement("regimes.add")


async def regime_of(connection: asyncpg.Connection, team_id: UUID, incident_id: UUID) -> Regime:
    """The regime of an incident; both where its ids were said to be under different ones. Raises Refused (404).

    `connection` is the owner's, set to the team.
    """
    return await _of(connection, team_id, await linked_ids(connection, team_id, incident_id))


async def change(
    connection: asyncpg.Connection,
    journal: Journal,
    team_id: UUID,
    incident_id: UUID,
    *,
    regime: Regime,
    reason: str,
    by: str,
) -> None:
    """Put an incident, under every id it answers to, under a regime, whatever backup is restored: an alteration.

    Raises Refused (404).
    """
    ids = await linked_ids(connection, team_id, incident_id)
    if await _of(connection, team_id, ids) != regime:
        line = RegimeChanged(
            at=datetime.now(UTC), team_id=team_id, incident_ids=ids, regime=regime, reason=reason, by=by
        )
        await journal.add(line)
        await apply_change(connection, line)
        await audit.record_by_owner(connection, team_id, "alteration", f"regime/{regime}", ids, detail=by)


async def apply_change(connection: Connection, line: RegimeChanged) -> None:
    """Make a line of the journal true in the database, again if need be."""
    await _ADD.execute(connection, **structs.asdict(line))


async def _of(connection: asyncpg.Connection, team_id: UUID, ids: Sequence[UUID]) -> Regime:
    said = {latest.regime for latest in await _LATEST.fetch(connection, team_id=team_id, incidents=ids)}
    return said.pop() if len(said) == 1 else UNSAID


async def linked_ids(connection: asyncpg.Connection, team_id: UUID, incident_id: UUID) -> list[UUID]:
    """Every id that the incident answers to. Raises Refused (404)."""
    ids = await _GROUP_OF.fetch(connection, team_id=team_id, incident_id=incident_id)
    if not ids:
        raise Refused(NOT_FOUND)
    return ids

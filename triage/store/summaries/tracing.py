"""From the figures of an edition to the incidents behind them, for a reader who may be led there."""

from collections.abc import Collection, Mapping
from datetime import datetime
from uuid import UUID

from triage.access.actors import Actor
from triage.log.view import IncidentView
from triage.log.visibility import Sight
from triage.problems import LINE_NOT_TRACEABLE, Refused
from triage.store.database import Connection
from triage.store.log.incidents import Incidents
from triage.store.log.material import find_versions
from triage.store.log.served_views import IncidentVersion
from triage.store.summaries.calendars import CalendarTeam
from triage.store.summaries.scopes import incidents_behind
from triage.summaries.editions import Summary
from triage.summaries.registry import REGISTRY
from triage.summaries.tracing import may_follow


async def follow_line(
    connection: Connection,
    incidents: Incidents,
    actor: Actor,
    team: CalendarTeam,
    summary: Summary,
    name: str,
    now: datetime,
) -> list[IncidentView]:
    """The incidents that a line counts, as the reader sees them, newest first. To be called in one snapshot.

    `name` is the line's, as in `incidents_behind`. Raises Refused (403) where the line leads
    nowhere, or this reader may not be led there.
    """
    ids = (await incidents_behind(connection, team, summary, [name])).get(name)
    if ids is None:
        raise Refused(LINE_NOT_TRACEABLE)
    versions = await find_versions(connection, actor, ids, now)
    if not _leads(actor, name, ids, versions):
        raise Refused(LINE_NOT_TRACEABLE)
    served = await incidents.serve(connection, actor, versions.values(), now)
    views = [shown.view for shown in served.values()]
    return sorted(views, key=lambda view: (view.occurred_at, view.id), reverse=True)


async def traceable_lines(
    connection: Connection,
    actor: Actor,
    team: CalendarTeam,
    summary: Summary,
    names: Collection[str],
    now: datetime,
) -> frozenset[str]:
    """Which of these lines `follow_line` would follow for this reader, to one incident at least. To be called in one
    snapshot."""
    if summary.as_at is None or summary.as_at_seq is None:
        return frozenset()
    behind = await incidents_behind(connection, team, summary, names)
    versions = await find_versions(connection, actor, {i for ids in behind.values() for i in ids}, now)
    return frozenset(name for name, ids in behind.items() if ids and _leads(actor, name, ids, versions))


def _leads(actor: Actor, name: str, ids: Collection[UUID], versions: Mapping[UUID, IncidentVersion]) -> bool:
    """Whether the reader sees every one of these incidents, and on each what the measure classifies by."""
    if actor.side is None or any(i not in versions for i in ids):
        return False
    sights = {Sight(actor.side, versions[i].blind) for i in ids}
    return may_follow(REGISTRY[name.partition("/")[0]], sights)

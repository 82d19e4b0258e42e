"""From the figures of an edition to the incidents behind them, for a reader who may be led there."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from triage.access.actors import Actor
from triage.log.view import IncidentView
from triage.problems import LINE_NOT_TRACEABLE, Refused
from triage.store.database import Connection
from triage.store.log.incidents import Incidents, IncidentVersion, find_versions
from triage.store.summaries.calendars import CalendarTeam
from triage.store.summaries.scopes import changed_incidents, incidents_behind, load_scope, slot_of
from triage.summaries.causes import as_before
from triage.summaries.editions import Summary, value_in, values_of
from triage.summaries.registry import REGISTRY, Scope, UntraceableLine
from triage.summaries.tracing import may_follow

_decode: Final = msgspec.json.Decoder(IncidentView).decode


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

    `name` is the line's: `measure`, `measure/row` or `measure/row/column`. Raises Refused (403) where the line leads
    nowhere, or this reader may not be led there.
    """
    measure, _, line = name.partition("/")
    try:
        ids = await incidents_behind(connection, team, summary, measure, line)
    except UntraceableLine as untraceable:
        raise Refused(LINE_NOT_TRACEABLE) from untraceable
    versions = await find_versions(connection, actor, ids, now)
    served = await incidents.serve(connection, actor, versions.values(), now)
    views = [_decode(each.body) for each in served.values()]
    if len(views) != len(set(ids)) or not may_follow(REGISTRY[measure], views):
        raise Refused(LINE_NOT_TRACEABLE)
    return sorted(views, key=lambda view: (view.occurred_at, view.id), reverse=True)


async def traceable_lines(
    connection: Connection,
    incidents: Incidents,
    actor: Actor,
    team: CalendarTeam,
    summary: Summary,
    names: Collection[str],
    now: datetime,
) -> frozenset[str]:
    """Which of these lines lead this reader to their incidents. To be called in one snapshot.

    Which fields a reader sees of the incidents of a line depends on one thing only: whether the reader is still blind
    for them. So one view of either kind stands for all.
    """
    if summary.as_at is None or summary.as_at_seq is None:
        return frozenset()
    loaded = (await load_scope(connection, team, slot_of(summary), summary.as_at)).scope
    scope = as_before(loaded, await changed_incidents(connection, team, summary.as_at_seq, loaded))
    behind = _behind(summary, scope, names)
    versions = await find_versions(connection, actor, {i for ids in behind.values() for i in ids}, now)
    samples = {name: _samples(ids, versions) for name, ids in behind.items()}
    wanted = {version.root: version for each in samples.values() for version in each}
    served = await incidents.serve(connection, actor, wanted.values(), now)
    views = {root: _decode(each.body) for root, each in served.items()}
    return frozenset(name for name, each in samples.items() if _leads(name, each, views))


def _samples(ids: Collection[UUID], versions: Mapping[UUID, IncidentVersion]) -> list[IncidentVersion]:
    """One incident of a line of each kind, blind or not; none where one of them is not there for the reader."""
    if any(i not in versions for i in ids):
        return []
    return list({versions[i].blind: versions[i] for i in ids}.values())


def _leads(name: str, samples: Collection[IncidentVersion], views: Mapping[UUID, IncidentView]) -> bool:
    """Whether a line leads the reader to its incidents; one without any leads nowhere."""
    shown = [views[version.root] for version in samples if version.root in views]
    return bool(shown) and len(shown) == len(samples) and may_follow(REGISTRY[name.partition("/")[0]], shown)


def _behind(summary: Summary, scope: Scope, names: Collection[str]) -> dict[str, tuple[UUID, ...]]:
    """The incidents of the lines that are counted as they were printed."""
    measures = {name.partition("/")[0] for name in names} & REGISTRY.keys()
    printed = values_of(summary.measures, snapshots=True)
    recomputed = values_of([REGISTRY[code].measure(scope) for code in measures], snapshots=True)
    found = {}
    for name in names:
        measure, _, line = name.partition("/")
        if measure in measures and value_in(printed, (name, "value")) == value_in(recomputed, (name, "value")):
            try:
                found[name] = REGISTRY[measure].incidents_behind(scope, line)
            except UntraceableLine:
                continue
    return found

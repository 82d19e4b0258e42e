"""Incidents as somebody may see them: rows decided in SQL, fields by adding up what that audience may know."""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec
from msgspec import Raw, Struct

from triage.access.actors import Actor, StaleActor
from triage.log.blindness import is_blind
from triage.log.incident import view_at
from triage.log.incidents_after import IncidentAfter
from triage.log.redaction import BLIND, view_for
from triage.log.view import Audience, IncidentView, authors_of, with_names
from triage.problems import NOT_FOUND, Refused
from triage.store import audit
from triage.store.access.teams import TeamTerms
from triage.store.database import Connection, Database
from triage.store.log.material import find_version, load_material, record_served
from triage.store.log.readers import as_reader, audience_of
from triage.store.log.rows import POSSIBLE_DUPLICATE
from triage.store.log.served_views import IncidentVersion, ReaderGroup, ServedView, ServedViews
from triage.store.statements import statement

MOVING_FLAGS: Final = frozenset({"outcome_overdue", "expiry_passed_no_end", "clock_running", "clock_unknown"})
"""Flags that come and go by time alone, on incidents without their outcome or end; they are not stored."""
NAMES_LAST: Final = timedelta(minutes=5)
"""How long the name of a member of staff is remembered, and a view that shows it: a new name shows after twice that."""

_encode = msgspec.json.Encoder().encode


class IncidentPosition(NamedTuple):
    """Where a page of the list ends."""

    occurred_at: datetime
    id: UUID


class ListedVersion(NamedTuple):
    """A row of a list, with what it is ordered by."""

    root: UUID
    blind: bool
    seq: int
    occurred_at: datetime

    @property
    def version(self) -> IncidentVersion:
        return IncidentVersion(self.root, self.blind, self.seq)

    @property
    def position(self) -> IncidentPosition:
        return IncidentPosition(self.occurred_at, self.root)


class IncidentFilter(Struct, frozen=True, kw_only=True):
    """A filter of the incident list; `ids`: of these alone."""

    status: str | None = None
    area: str | None = None
    log_ref: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    flag: str | None = None
    ids: Sequence[UUID] | None = None
    after: IncidentPosition | None = None
    limit: int = 50


class _Consulted(NamedTuple):
    """The row under which the actor sees an incident, None where there is none. `stands`: the actor still does.

    `knows_intents`: it stands already that intents of the incident were served to the actor.
    """

    stands: bool
    root: UUID | None
    blind: bool | None
    seq: int | None
    knows_intents: bool | None


class _StaffName(NamedTuple):
    staff_id: UUID
    name: str


_CONSULT = statement("incidents.consult", _Consulted)
_LIST = statement("incidents.list", ListedVersion)
_NAMES = statement("incidents.names", _StaffName)


def _readers(actor: Actor) -> ReaderGroup:
    """Those for whom a view is remembered: which row they read says the rest."""
    return ReaderGroup(actor.team_id, actor.side, actor.level)


class Incidents:
    """Views of incidents, remembered while nothing changes them."""

    def __init__(self, database: Database, pullers: Database, terms: TeamTerms) -> None:
        self._database = database
        self._pullers = pullers
        self._terms = terms
        self._names: dict[UUID, str] = {}
        self._names_until: dict[UUID, datetime] = {}
        self._views = ServedViews()

    async def after_append(self, actor: Actor, incident: IncidentAfter, now: datetime) -> Raw:
        """The incident as this actor may see it right after an append, as JSON; `null` where nothing may be seen.

        Authors whose entries went into the same append, and who see the same, share one.
        """
        whom = audience_of(actor)
        key = (whom.side, whom.level, _is_blind(incident, whom, now))
        if key not in incident.served:
            view = _view_after_append(incident, whom, now)
            if view is not None and self._unknown(authors_of(view), now):
                async with self._database.team(actor.team_id) as connection:
                    await self._learn_names(connection, actor.team_id, authors_of(view), now)
            incident.served[key] = _encode(view and with_names(view, self._names))
        if shows_intent(incident, actor, now) and (actor.staff_id, actor.device_id) not in incident.knowing:
            async with self._database.team(actor.team_id) as connection:
                await record_served(connection, actor, incident.ids)
        return Raw(incident.served[key])

    async def serve(
        self, connection: Connection, actor: Actor, versions: Iterable[IncidentVersion], now: datetime
    ) -> dict[UUID, ServedView]:
        """The incidents of these rows as the actor may see them, by id. What shows an intent is recorded as served."""
        served = await self._view(connection, actor, versions, now)
        if shown := [i for view in served.values() for i in view.shows_intent_of]:
            await record_served(connection, actor, shown)
        return served

    async def _view(
        self, connection: Connection, actor: Actor, versions: Iterable[IncidentVersion], now: datetime
    ) -> dict[UUID, ServedView]:
        served, missing = self._views.find(_readers(actor), versions, now)
        return served | await self._make(connection, actor, missing, now) if missing else served

    async def _make(
        self, connection: Connection, actor: Actor, versions: Sequence[IncidentVersion], now: datetime
    ) -> dict[UUID, ServedView]:
        material = await load_material(connection, actor, [version.root for version in versions])
        whom, made = audience_of(actor), {}
        terms = await self._terms.of(connection, actor.team_id)
        await self._learn_names(
            connection, actor.team_id, {stored.author for parts in material.values() for stored in parts.entries}, now
        )
        for version in versions:
            incident = material[version.root]
            view = view_for(
                incident.entries,
                incident.related,
                whom,
                now,
                extra_flags=incident.extra_flags,
                terms=terms,
                ids=incident.ids,
            )
            if view is None:
                continue
            until = min([now + NAMES_LAST, *(turn for turn in incident.turns if turn > now)])
            shown = () if version.blind or not incident.has_intent else incident.ids
            made[version.root] = ServedView(
                version.seq, _encode(with_names(view, self._names)), view.flags, view.status, now, until, shown
            )
            # what an append overtook between the two statements is newer than its row says: not to be remembered
            newest = max(stored.seq for stored in incident.entries)
            if newest <= version.seq and (whom.side, whom.level) != ("health", "lead"):
                self._views.remember(_readers(actor), version, made[version.root])
        return made

    def _unknown(self, staff: AbstractSet[UUID], now: datetime) -> list[UUID]:
        """Whose names are not remembered, or no longer."""
        return [
            staff_id for staff_id in staff if staff_id not in self._names_until or self._names_until[staff_id] <= now
        ]

    async def _learn_names(
        self, connection: Connection, team_id: UUID, staff: AbstractSet[UUID], now: datetime
    ) -> None:
        """Remember the names of those who wrote."""
        if missing := self._unknown(staff, now):
            rows = await _NAMES.fetch(connection, team_id=team_id, staff=missing)
            self._names.update((row.staff_id, row.name) for row in rows)
            self._names_until.update(dict.fromkeys(missing, now + NAMES_LAST))

    async def find(self, actor: Actor, incident_id: UUID, now: datetime) -> tuple[IncidentVersion, ServedView]:
        """One incident under any of its ids. Raises Refused (404) where the actor may not know of it."""
        async with self._database.team(actor.team_id) as connection:
            version = await find_version(connection, actor, incident_id, now)
            view = (await self.serve(connection, actor, [version], now)).get(version.root)
        if view is None:
            raise Refused(NOT_FOUND)
        return version, view

    async def consult(self, actor: Actor, incident_id: UUID, now: datetime, *, note: bool) -> tuple[UUID, ServedView]:
        """The id and view of one incident under any of its ids, in one statement where the view is remembered.

        `note`: the reading is logged in it. The actor may be a remembered one. Raises StaleActor, and Refused (404) as
        `find` does.
        """
        async with self._pullers.team(actor.team_id) as connection:
            row = await _CONSULT.fetch_one(
                connection,
                id=incident_id,
                role=actor.role,
                device=actor.device_id,
                stamp=actor.stamp,
                note=note,
                **as_reader(actor, now),
            )
            if not row.stands:
                raise StaleActor
            if row.root is None or row.blind is None or row.seq is None:
                raise Refused(NOT_FOUND)
            version = IncidentVersion(row.root, row.blind, row.seq)
            view = (await self._view(connection, actor, [version], now)).get(row.root)
            if view is None:
                raise Refused(NOT_FOUND)
            if view.shows_intent_of and not row.knows_intents:
                await record_served(connection, actor, view.shows_intent_of)
        return row.root, view

    async def record_reading(self, actor: Actor, query: str, ids: Sequence[UUID]) -> None:
        """Log that the actor consulted these incidents; to be awaited before the answer is sent (DPA 2018 s62)."""
        async with self._database.team(actor.team_id) as connection:
            await audit.record(connection, actor, "consultation", query, ids)

    async def page(
        self, actor: Actor, wanted: IncidentFilter, now: datetime
    ) -> tuple[list[ServedView], IncidentPosition | None]:
        """One page of the list, newest first, and where the next begins. The reading is logged in its transaction."""
        async with self._database.team(actor.team_id) as connection, connection.transaction():
            served = [version async for version in self._walk(connection, actor, wanted, now, wanted.limit + 1)]
            page = served[: wanted.limit]
            if page:
                await audit.record(connection, actor, "consultation", "list", [at.id for at, _ in page])
        return [view for _, view in page], page[-1][0] if len(served) > wanted.limit else None

    async def search(
        self,
        actor: Actor,
        wanted: IncidentFilter,
        matches: Callable[[IncidentView], bool],
        most: int,
        now: datetime,
    ) -> list[IncidentView]:
        """The newest incidents that the filter finds and whose view matches, at most so many. What of them is shown,
        and so consulted, its caller records."""
        matching: list[IncidentView] = []
        async with self._database.team(actor.team_id) as connection:
            async for _, served in self._walk(connection, actor, wanted, now, None):
                view = served.view
                if matches(view):
                    matching.append(view)
                if len(matching) == most:
                    break
        return matching

    async def _walk(
        self, connection: Connection, actor: Actor, wanted: IncidentFilter, now: datetime, most: int | None
    ) -> AsyncIterator[tuple[IncidentPosition, ServedView]]:
        """The incidents of the filter, newest first, read page by page; at least so many, where there are."""
        position, more, count = wanted.after, True, 0
        while more and (most is None or count < most):
            rows = await _LIST.fetch(connection, **_conditions(actor, wanted, position, now))
            more = len(rows) > wanted.limit
            views = await self.serve(connection, actor, [row.version for row in rows], now)
            for row in rows:
                position = row.position
                view = views.get(row.root)
                if view and (wanted.flag is None or wanted.flag in view.flags):
                    count += 1
                    yield position, view


def _is_blind(incident: IncidentAfter, whom: Audience, now: datetime) -> bool:
    return is_blind(whom, incident.full.judged_by, incident.full.lead_unblinded_at, now)


def shows_intent(incident: IncidentAfter, actor: Actor, now: datetime) -> bool:
    """Whether the actor learns of an intent from the incident as it is right after an append."""
    return incident.has_intent and not _is_blind(incident, audience_of(actor), now)


def _view_after_append(incident: IncidentAfter, whom: Audience, now: datetime) -> IncidentView | None:
    extra = (POSSIBLE_DUPLICATE,) if incident.duplicates else ()
    if _is_blind(incident, whom, now):
        hidden = incident.full.restricted and whom.level == "field"
        return view_at(incident.blind, now, whom, BLIND, extra) if incident.blind and not hidden else None
    return view_for(
        incident.entries,
        incident.related,
        whom,
        now,
        extra_flags=extra,
        terms=incident.terms,
        full=incident.full,
        ids=incident.ids,
    )


def _conditions(actor: Actor, wanted: IncidentFilter, after: IncidentPosition | None, now: datetime) -> dict[str, Any]:
    under_way = wanted.flag in MOVING_FLAGS
    return as_reader(actor, now) | {
        "status": wanted.status,
        "area": wanted.area,
        "log_ref": wanted.log_ref,
        "since": wanted.since,
        "until": wanted.until,
        "flag": None if under_way else wanted.flag,
        "ids": wanted.ids,
        "after_at": after and after.occurred_at,
        "after_id": after and after.id,
        "under_way": under_way,
        "most": wanted.limit + 1,
    }

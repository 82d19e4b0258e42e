"""Incidents as somebody may see them: rows decided in SQL, fields by adding up what that audience may know."""

from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec
from msgspec import Raw, Struct

from triage.access.actors import Actor
from triage.log.append_decision import IncidentAfter, stored_entry
from triage.log.blindness import is_blind
from triage.log.entries import StoredEntry
from triage.log.incident import view_at
from triage.log.redaction import BLIND, view_for, visible_entries
from triage.log.timeline import PersonEvent
from triage.log.view import Audience, IncidentView
from triage.people.encryption import Undecryptable, decrypt
from triage.problems import NOT_FOUND, Refused
from triage.store import audit
from triage.store.database import Connection, Database
from triage.store.keys import KeyStore
from triage.store.log.rows import POSSIBLE_DUPLICATE
from triage.store.statements import load

SQL = load("incidents")

MOVING_FLAGS: Final = frozenset({"outcome_overdue", "expiry_passed_no_end", "clock_running", "clock_unknown"})
"""Flags that come and go by time alone, on incidents without their outcome or end; they are not stored."""
VIEWS_REMEMBERED: Final = 1000
"""Views of about 2 kB each, for each team and kind of reader: every phone of a team asks for the same ones."""

_encode = msgspec.json.Encoder().encode
_decode_view = msgspec.json.Decoder(IncidentView).decode
_events = msgspec.json.Decoder(tuple[PersonEvent, ...])


class IncidentVersion(NamedTuple):
    """Which of an incident's two rows an actor reads, and where it last changed."""

    root: UUID
    blind: bool
    seq: int


class IncidentPosition(NamedTuple):
    """Where a page of the list ends."""

    occurred_at: datetime
    id: UUID


class IncidentFilter(Struct, frozen=True, kw_only=True):
    """What of the incident list is asked for."""

    status: str | None = None
    area: str | None = None
    log_ref: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    flag: str | None = None
    after: IncidentPosition | None = None
    limit: int = 50


class ServedEntry(Struct, frozen=True):
    """An entry in the list of an incident's entries, with its place in the chain."""

    held: StoredEntry
    link: bytes
    notices: bytes
    secrets: bytes | None


class ServedView(NamedTuple):
    """A view as served, and from when to when it is what it is."""

    body: bytes
    flags: tuple[str, ...]
    status: str
    since: datetime
    until: datetime | None


def audience_code(actor: Actor) -> str:
    """How SQL decides which rows the actor reads."""
    return "police" if actor.side == "police" else f"health_{actor.level}"


def audience_of(actor: Actor) -> Audience:
    """How fields are decided for the actor. Raises Refused (404) for one who sees no incidents."""
    if actor.side is None or actor.level == "office":
        raise Refused(NOT_FOUND)
    return Audience(actor.side, actor.level, actor.staff_id, actor.profession or "")


class Incidents:
    """Views of incidents, remembered while nothing changes them."""

    def __init__(self, database: Database, keys: KeyStore) -> None:
        self._database = database
        self._keys = keys
        self._views: dict[tuple[Any, ...], OrderedDict[IncidentVersion, ServedView]] = {}

    async def after_append(self, actor: Actor, group: IncidentAfter, now: datetime) -> Raw:
        """The incident as this actor may see it right after an append, as JSON; `null` where nothing may be seen.

        Authors whose entries went into the same append, and who see the same, share one.
        """
        whom = audience_of(actor)
        key = (whom.side, whom.level, _is_blind(group, whom, now))
        if key not in group.served:
            group.served[key] = _encode(_after_append(group, whom, now))
        if not key[2] and (whom.side, whom.level) == ("health", "lead"):
            async with self._database.team(actor.team_id) as connection:
                await connection.execute(
                    SQL.disclose_intents, actor.team_id, actor.staff_id, actor.device_id, [group.root]
                )
        return Raw(group.served[key])

    async def serve(
        self, connection: Connection, actor: Actor, rows: Iterable[IncidentVersion], now: datetime
    ) -> dict[UUID, ServedView]:
        """The incidents of these rows as the actor may see them, by id."""
        found: dict[UUID, ServedView] = {}
        missing = []
        views = self._views_for(actor)
        for row in rows:
            remembered = views.get(row)
            if remembered and remembered.since <= now and (remembered.until is None or now < remembered.until):
                found[row.root] = remembered
            else:
                missing.append(row)
        if missing:
            found |= await self._make(connection, actor, missing, now)
        return found

    def _views_for(self, actor: Actor) -> OrderedDict[IncidentVersion, ServedView]:
        """What is remembered for those who see the same of this team: the row says the rest."""
        return self._views.setdefault((actor.team_id, actor.side, actor.level), OrderedDict())

    async def _make(
        self, connection: Connection, actor: Actor, rows: Sequence[IncidentVersion], now: datetime
    ) -> dict[UUID, ServedView]:
        roots = [row.root for row in rows]
        material = await _material(connection, actor.team_id, roots)
        if actor.side == "health" and actor.level == "lead" and (told := [r.root for r in rows if not r.blind]):
            await connection.execute(SQL.disclose_intents, actor.team_id, actor.staff_id, actor.device_id, told)
        whom, made = audience_of(actor), {}
        for row in rows:
            one = material[row.root]
            served = view_for(one.entries, one.related, whom, now, extra_flags=one.extra_flags, ids=one.ids)
            if served is None:
                continue
            until = min((turn for turn in one.turns if turn > now), default=None)
            made[row.root] = ServedView(_encode(served), served.flags, served.status, now, until)
            # what an append overtook between the two statements is newer than its row says: not to be remembered
            if max(held.seq for held in one.entries) <= row.seq and (whom.side, whom.level) != ("health", "lead"):
                _remember(self._views_for(actor), row, made[row.root])
        return made

    async def find(self, actor: Actor, incident_id: UUID, now: datetime) -> tuple[IncidentVersion, ServedView]:
        """One incident under any of its ids. Raises Refused (404) where the actor may not know of it."""
        async with self._database.team(actor.team_id) as connection:
            row = await _find(connection, actor, incident_id)
            seen = (await self.serve(connection, actor, [row], now)).get(row.root)
        if seen is None:
            raise Refused(NOT_FOUND)
        return row, seen

    async def record_reading(self, actor: Actor, query: str, ids: Sequence[UUID]) -> None:
        """Log that the actor consulted these incidents; to be awaited before the answer is sent (DPA 2018 s62)."""
        async with self._database.team(actor.team_id) as connection:
            await audit.record(connection, actor, "consultation", query, ids)

    async def page(
        self, actor: Actor, wanted: IncidentFilter, now: datetime
    ) -> tuple[list[ServedView], IncidentPosition | None]:
        """One page of the list, newest first, and where the next begins. The reading is logged in its transaction."""
        async with self._database.team(actor.team_id) as connection, connection.transaction():
            served = [each async for each in self._walk(connection, actor, wanted, now, wanted.limit + 1)]
            shown = served[: wanted.limit]
            if shown:
                ids = [place.id for place, _ in shown]
                await audit.record(connection, actor, "consultation", "list", ids)
        return [seen for _, seen in shown], shown[-1][0] if len(served) > wanted.limit else None

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
        found: list[IncidentView] = []
        async with self._database.team(actor.team_id) as connection:
            async for _, served in self._walk(connection, actor, wanted, now, None):
                view = _decode_view(served.body)
                if matches(view):
                    found.append(view)
                if len(found) == most:
                    break
        return found

    async def _walk(
        self, connection: Connection, actor: Actor, wanted: IncidentFilter, now: datetime, most: int | None
    ) -> AsyncIterator[tuple[IncidentPosition, ServedView]]:
        """What the filter finds, newest first, read page by page."""
        place, more, count = wanted.after, True, 0
        while more and (most is None or count < most):
            rows = await connection.fetch(SQL.page, *_conditions(actor, wanted, place))
            more = len(rows) > wanted.limit
            versions = [IncidentVersion(r["root"], r["blind"], r["seq"]) for r in rows]
            views = await self.serve(connection, actor, versions, now)
            for row in rows:
                place = IncidentPosition(row["occurred_at"], row["id"])
                seen = views.get(row["id"])
                if seen and (wanted.flag is None or wanted.flag in seen.flags):
                    count += 1
                    yield place, seen

    async def entries(self, actor: Actor, incident_id: UUID) -> list[ServedEntry]:
        """The entries of an incident as the actor may see them, in the order of the log. Logs the reading."""
        async with self._database.team(actor.team_id) as connection, connection.transaction():
            row = await _find(connection, actor, incident_id)
            material = (await _material(connection, actor.team_id, [row.root]))[row.root]
            visible = visible_entries(material.entries, audience_of(actor), datetime.now(UTC))
            if not visible:
                raise Refused(NOT_FOUND)
            chained = {
                record["id"]: record
                for record in await connection.fetch(SQL.chained, actor.team_id, [held.id for held in visible])
            }
            await audit.record(connection, actor, "consultation", "entries", [row.root])
            if not row.blind and actor.side == "health" and actor.level == "lead":
                await connection.execute(
                    SQL.disclose_intents, actor.team_id, actor.staff_id, actor.device_id, [row.root]
                )
        keys = await self._keys.fetch({r["key_ref"] for r in chained.values() if r["key_ref"]})
        return [_show(actor.team_id, held, chained[held.id], keys) for held in visible]


def _is_blind(group: IncidentAfter, whom: Audience, now: datetime) -> bool:
    return is_blind(whom, group.full.judged_by, group.full.lead_unblinded_at, now)


def _after_append(group: IncidentAfter, whom: Audience, now: datetime) -> IncidentView | None:
    extra = (POSSIBLE_DUPLICATE,) if group.duplicates else ()
    if _is_blind(group, whom, now):
        hidden = group.full.restricted and whom.level == "field"
        return view_at(group.blind, now, whom, BLIND, extra) if group.blind and not hidden else None
    return view_for(group.entries, group.related, whom, now, extra_flags=extra, full=group.full, ids=group.ids)


def _remember(views: OrderedDict[IncidentVersion, ServedView], row: IncidentVersion, seen: ServedView) -> None:
    views[row] = seen
    if len(views) > VIEWS_REMEMBERED:
        views.popitem(last=False)


class _Material(NamedTuple):
    """What an incident's view is made of."""

    entries: list[StoredEntry]
    related: tuple[PersonEvent, ...]
    extra_flags: tuple[str, ...]
    turns: list[datetime]
    ids: tuple[UUID, ...]


async def _material(connection: Connection, team_id: UUID, roots: Sequence[UUID]) -> dict[UUID, _Material]:
    found = {
        row["id"]: _Material(
            [],
            _events.decode(row["related"]),
            (POSSIBLE_DUPLICATE,) if row["duplicates"] else (),
            row["turns"],
            tuple(row["ids"]) or (row["id"],),
        )
        for row in await connection.fetch(SQL.beside, team_id, roots)
    }
    for root, *columns in await connection.fetch(SQL.material, team_id, roots):
        found[root].entries.append(stored_entry(*columns))
    return found


async def _find(connection: Connection, actor: Actor, incident_id: UUID) -> IncidentVersion:
    row = await connection.fetchrow(
        SQL.find, actor.team_id, incident_id, audience_code(actor), actor.staff_id, actor.level == "lead"
    )
    if row is None:
        raise Refused(NOT_FOUND)
    return IncidentVersion(row["root"], row["blind"], row["seq"])


def _conditions(actor: Actor, wanted: IncidentFilter, after: IncidentPosition | None) -> tuple[Any, ...]:
    moving = wanted.flag in MOVING_FLAGS
    return (
        actor.team_id,
        audience_code(actor),
        actor.staff_id,
        actor.level == "lead",
        wanted.status,
        wanted.area,
        wanted.log_ref,
        wanted.since,
        wanted.until,
        None if moving else wanted.flag,
        after and after.occurred_at,
        after and after.id,
        moving,
        wanted.limit + 1,
    )


def _show(team_id: UUID, held: StoredEntry, row: Any, keys: dict[UUID, bytes]) -> ServedEntry:
    """The entry with its own text unsealed; whether the reader may have it was decided by redacting."""
    secrets = None
    if row["sealed"] and row["key_ref"] in keys:
        try:
            secrets = decrypt(keys[row["key_ref"]], row["sealed"], team_id.bytes + held.id.bytes)
        except Undecryptable:
            secrets = None
    return ServedEntry(held, row["link"], row["notices"].encode(), secrets)

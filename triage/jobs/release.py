"""Releasing: whatever export is due, once, however many processes try.

Rows decide. A release is claimed, cut, protected, frozen and rendered for every agreement in one transaction: a process
that dies leaves nothing behind, and the next one does it all. It is cut at the position that the log had at the
cut-off, so that a run that comes late gives the release that one on time would have given.
"""

import asyncio
import logging
from collections.abc import Awaitable, Iterable, Sequence
from datetime import datetime
from typing import Final

import asyncpg
from msgspec import Struct, structs
from uuid_utils.compat import uuid7

from triage.errors import OperatorError
from triage.exports import records, tables
from triage.exports.calendar import LATE, Cut, Dataset
from triage.exports.classified import ClassifiedMember, classify
from triage.exports.keys import Keys
from triage.exports.records import Cadence
from triage.exports.rendering import Frozen, FrozenRecords, FrozenTables, ReleaseHeader
from triage.exports.tables import RULES, Edition
from triage.exports.tree import CONFIG, Config
from triage.jobs.due_releases import LONG_AGO, LatestReleases, ReleaseCalendar, is_due, within, year_before
from triage.progress import Progress, unseen
from triage.store.database import Connection, Database
from triage.store.exports import releases, rendered_files, snapshots
from triage.store.exports.releases import StoredRelease
from triage.store.exports.snapshots import CountedMember
from triage.store.summaries import calendars
from triage.store.summaries.calendars import CalendarTeam
from triage.times import PeriodKind

logger = logging.getLogger(__name__)

_SHORTER: Final[dict[PeriodKind, Cadence]] = {"quarterly": "monthly", "yearly": "quarterly"}
"""By whose cuts a first period is judged."""
_LOST: Final = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError)
"""Another process was faster: it is done. A clash of keys is none of these, since one process cuts at a time."""


class ReleasedEdition(Struct, frozen=True):
    """A release that this run froze."""

    dataset: Dataset
    period: str
    edition: int


class Unreleased(OperatorError):
    """Some of what was due could not be frozen: it is logged, stays due, and is tried again the next time."""

    def __init__(self, names: list[str], released: list[ReleasedEdition]) -> None:
        super().__init__(f"could not be frozen: {', '.join(names)}")
        self.released = released


async def release_due(
    database: Database, keys: Keys, teams: Iterable[CalendarTeam], now: datetime, progress: Progress = unseen
) -> list[ReleasedEdition]:
    """Freeze everything that is due at `now`, oldest cut-off first; then look again at published tables.

    Running it again at the same instant changes nothing. A release that fails does not hold back the other dataset.
    Raises Unreleased at the end.
    """
    runs = [_Releasing(database, keys, team, now, progress) for team in teams]
    for run in runs:
        await run.release()
    released = [edition for run in runs for edition in run.released]
    if failed := [name for run in runs for name in run.failed]:
        raise Unreleased(failed, released)
    return released


async def is_anything_due(database: Database, now: datetime) -> bool:
    """Whether `release_due` would find anything to freeze, or published tables to look at."""
    for team in await calendars.teams(database):
        async with database.team(team.team_id) as connection:
            if await ReleaseCalendar(team, now).is_anything_due(connection):
                return True
    return False


class _Releasing:
    """One run for one team."""

    def __init__(self, database: Database, keys: Keys, team: CalendarTeam, now: datetime, progress: Progress) -> None:
        self._database = database
        self._keys = keys
        self._team = team
        self._team_id = team.team_id
        self._now = now
        self._calendar = ReleaseCalendar(team, now)
        self._progress = progress
        self.released: list[ReleasedEdition] = []
        self.failed: list[str] = []

    async def release(self) -> None:
        async with self._database.team(self._team_id) as connection:
            await self._calendar.decide_cadences(connection)
            due = await self._calendar.due(connection)
        failed: set[Dataset] = set()
        for n, due_cut in enumerate(due):
            name = f"{due_cut.dataset} {due_cut.period}"
            self._progress(n, len(due), name)
            # what is due later is judged by one that failed, or must not take its incidents
            if due_cut.dataset not in failed and not await self._attempt(name, self._freeze(due_cut)):
                failed.add(due_cut.dataset)
        async with self._database.team(self._team_id) as connection:
            again = await self._calendar.to_look_at(connection)
        for n, stale_cut in enumerate(again):
            name = f"{stale_cut.dataset} {stale_cut.period} again"
            self._progress(n, len(again), name)
            await self._attempt(name, self._revise(stale_cut))

    async def _attempt(self, name: str, work: Awaitable[list[ReleasedEdition]]) -> bool:
        """Whether it was done, here or by a process that was faster."""
        try:
            released = await work
        except _LOST:
            return True
        except Exception as error:
            self.failed.append(name)
            logger.error("release_failed", exc_info=error, extra={"release": name})
            return False
        for edition in released:
            logger.info("released", extra=structs.asdict(edition))
        self.released += released
        return True

    # --- one release

    async def _freeze(self, due: Cut) -> list[ReleasedEdition]:
        async with self._database.team(self._team_id) as connection, connection.transaction():
            await releases.lock_releases(connection, self._team_id)
            done = await releases.latest_editions(connection, self._team_id)
            if not is_due(due, done):
                return []
            seq = await releases.position(connection, self._team_id, due.cut_off)
            if due.dataset == "tables":
                return [await self._tables_of(connection, due, done, seq)]
            return await self._records_of(connection, due, done, seq)

    async def _tables_of(self, connection: Connection, due: Cut, done: LatestReleases, seq: int) -> ReleasedEdition:
        counted = await snapshots.snapshot(connection, self._team, due.starts_at, due.ends_at, seq, due.cut_off)
        precedents = await self._precedents(connection, due)
        edition = await asyncio.to_thread(self._first_edition, due, counted, precedents)
        edition = _numbered(edition, _next_number(done, due.dataset, due.period))
        return await self._store(connection, due, FrozenTables(edition, RULES), due.cut_off, seq, ())

    def _first_edition(
        self, due: Cut, counted: Sequence[CountedMember], precedents: Sequence[Sequence[ClassifiedMember]]
    ) -> Edition:
        key = self._keys.tables
        admitted = tables.admit(due.kind, precedents, key, RULES)
        return tables.freeze(due.kind, due.period, admitted, self._classified(counted), key, RULES)

    def _classified(self, counted: Sequence[CountedMember]) -> list[ClassifiedMember]:
        zone = self._team.calendar.zone
        return [classify(incident.member, self._keys.tables, zone) for incident in counted]

    async def _precedents(self, connection: Connection, due: Cut) -> list[Sequence[ClassifiedMember]]:
        """The cuts of the twelve months before; in a first quarter or year the shorter cuts within it, together."""
        before = await releases.first_editions(connection, self._team_id, year_before(due))
        if before or due.kind not in _SHORTER:
            return [edition.snapshot for edition in before]
        parts = await releases.first_editions(connection, self._team_id, within(due, _SHORTER[due.kind]))
        together = [member for edition in parts for member in edition.snapshot]
        return [together] if together else []

    async def _records_of(
        self, connection: Connection, due: Cut, done: LatestReleases, seq: int
    ) -> list[ReleasedEdition]:
        """The main file of a period, and the late file of what waits from before it, where that can be shown."""
        counted = await snapshots.snapshot(
            connection, self._team, due.starts_at, due.ends_at, seq, due.cut_off, CONFIG.policy
        )
        config = records.config_for(due.every, CONFIG)
        main = await asyncio.to_thread(self._cut, due, _next_number(done, due.dataset, due.period), config, counted)
        released = [await self._store(connection, due, main, due.cut_off, seq, counted)]
        waiting = await snapshots.snapshot(
            connection, self._team, LONG_AGO, due.starts_at, seq, due.cut_off, CONFIG.policy
        )
        late_cut = structs.replace(due, period=due.period + LATE)
        number, config = _next_number(done, due.dataset, late_cut.period), records.config_for_late(CONFIG)
        late = await asyncio.to_thread(self._cut, late_cut, number, config, waiting)
        if late.release.rows:
            released.append(await self._store(connection, late_cut, late, due.cut_off, seq, waiting))
        return released

    def _cut(self, due: Cut, number: int, config: Config, counted: Sequence[CountedMember]) -> FrozenRecords:
        release = records.freeze(
            f"records/{due.period}/{number}",
            [incident.member for incident in counted],
            () if due.period.endswith(LATE) else records.months_between(due.starts, due.ends),
            self._keys.records,
            config,
            zone=self._team.calendar.zone,
            day_start=self._team.calendar.day_start_hour,
        )
        return FrozenRecords(release, config)

    async def _store(
        self,
        connection: Connection,
        due: Cut,
        frozen: Frozen,
        cut_off: datetime,
        seq: int,
        counted: Sequence[CountedMember],
    ) -> ReleasedEdition:
        match frozen:
            case FrozenRecords():
                policy, number = frozen.release.policy, int(frozen.release.name.rsplit("/", 1)[1])
            case FrozenTables():
                policy, number = frozen.edition.policy, frozen.edition.edition
        about = ReleaseHeader(due.dataset, due.period, number, cut_off, self._now)
        people = {member.member.incident_id: member.member.person for member in counted}
        stored = StoredRelease(uuid7(), about, frozen, people)
        await releases.add(connection, self._team_id, stored, due.starts, policy, seq, counted)
        if isinstance(frozen, FrozenTables):
            await releases.add_summary(connection, self._team, due, about, frozen.edition, seq)
        agreements = await rendered_files.agreements_for(connection, self._team_id, due.dataset, self._now)
        await rendered_files.render(connection, self._team_id, stored, agreements, self._keys, self._now)
        return ReleasedEdition(due.dataset, due.period, number)

    # --- a further edition of published tables

    async def _revise(self, published: Cut) -> list[ReleasedEdition]:
        """The next edition, where enough people changed by the last monthly cut-off; noted, so as not to look twice."""
        cut_off, period = self._calendar.last_monthly_cut_off(), published.period
        assert cut_off
        async with self._database.team(self._team_id) as connection, connection.transaction():
            await releases.lock_releases(connection, self._team_id)
            looked = await releases.revision_checks(connection, self._team_id)
            if looked.get(period, LONG_AGO) >= cut_off:
                return []
            await releases.record_revision_check(connection, self._team_id, period, cut_off)
            editions = await releases.editions(connection, self._team_id, period)
            seq = await releases.position(connection, self._team_id, cut_off)
            counted = await snapshots.snapshot(
                connection, self._team, published.starts_at, published.ends_at, seq, cut_off
            )
            edition = await asyncio.to_thread(self._next_edition, editions, counted)
            if edition is None:
                return []
            return [await self._store(connection, published, FrozenTables(edition, RULES), cut_off, seq, ())]

    def _next_edition(self, editions: list[Edition], counted: Sequence[CountedMember]) -> Edition | None:
        before = {edition.edition: edition.snapshot for edition in editions}
        return tables.revise(editions[-1], before, self._classified(counted), self._keys.tables, RULES)


def _next_number(done: LatestReleases, dataset: Dataset, period: str) -> int:
    latest = done.get((dataset, period))
    return latest.edition + 1 if latest else 1


def _numbered(edition: Edition, number: int) -> Edition:
    """A first edition under another number, after one that was withdrawn."""
    if number == 1:
        return edition
    cells = tuple(structs.replace(cell, edition=number) for cell in edition.cells)
    return structs.replace(edition, edition=number, cells=cells)

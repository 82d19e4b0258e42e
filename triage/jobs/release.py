"""Releasing: whatever export is due, once, however many processes try.

Rows decide. A release is claimed, cut, protected, frozen and rendered for every agreement in one transaction: a process
that dies leaves nothing behind, and the next one does it all. It is cut at the position that the log had at the
cut-off, so that a run that comes late gives the release that one on time would have given.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

import asyncpg
from msgspec import Struct, structs
from uuid_utils.compat import uuid7

from triage.errors import OperatorError
from triage.exports import records, tables
from triage.exports.calendar import LATE, TABLE_KINDS, Cut, Dataset, cut, cuts
from triage.exports.keys import Keys
from triage.exports.records import Cadence
from triage.exports.rendering import Frozen, FrozenRecords, FrozenTables, ReleaseHeader
from triage.exports.tables import RULES, ClassifiedMember, Edition
from triage.exports.tree import CONFIG
from triage.store.database import Connection, Database
from triage.store.exports import releases, rendered_files, snapshots
from triage.store.exports.releases import LatestRelease, StoredRelease
from triage.store.exports.snapshots import CountedMember
from triage.store.summaries import calendars
from triage.store.summaries.calendars import CalendarTeam
from triage.times import PeriodKind, due_at

logger = logging.getLogger(__name__)

REVISED_FOR: Final = timedelta(days=731)
"""How long after its end published tables may have further editions."""
QUARTER_DAYS: Final = 365.25 / 4
LONG_AGO: Final = datetime(2000, 1, 1, tzinfo=UTC)

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
        self.names = names
        self.released = released


ReleaseProgress = Callable[[str, int, int], None]
"""Told what is worked on, and how many of how many are done."""
LatestReleases = dict[tuple[Dataset, str], LatestRelease]


async def release_due(
    database: Database, keys: Keys, now: datetime, progress: ReleaseProgress | None = None
) -> list[ReleasedEdition]:
    """Freeze everything that is due at `now`, oldest cut-off first; then look again at published tables.

    Running it again at the same instant changes nothing. A release that fails does not hold back the other dataset.
    Raises Unreleased at the end.
    """
    done: list[ReleasedEdition] = []
    failed: list[str] = []
    for team in await calendars.teams(database):
        try:
            done += await release_team(database, keys, team, now, progress)
        except Unreleased as error:
            failed += error.names
            done += error.released
    if failed:
        raise Unreleased(failed, done)
    return done


async def release_team(
    database: Database, keys: Keys, team: CalendarTeam, now: datetime, progress: ReleaseProgress | None = None
) -> list[ReleasedEdition]:
    """As `release_due`, for one team."""
    return await _Releasing(database, keys, team, now, progress or _ignore).all()


async def is_anything_due(database: Database, keys: Keys, now: datetime) -> bool:
    """Whether `release_due` would find anything to freeze, or published tables to look at."""
    for team in await calendars.teams(database):
        if await _Releasing(database, keys, team, now, _ignore).is_anything_due():
            return True
    return False


class _Releasing:
    """One run for one team."""

    def __init__(
        self, database: Database, keys: Keys, team: CalendarTeam, now: datetime, progress: ReleaseProgress
    ) -> None:
        self._database = database
        self._keys = keys
        self._team = team
        self._now = now
        self._progress = progress
        self._failed: list[str] = []

    async def all(self) -> list[ReleasedEdition]:
        await self._decide_cadences()
        released = [*await self._first_editions(), *await self._next_editions()]
        if self._failed:
            raise Unreleased(self._failed, released)
        return released

    async def is_anything_due(self) -> bool:
        async with self._database.team(self._team.team_id) as connection:
            cadences = await releases.cadences(connection, self._team.team_id)
            return bool(
                self._first_months().keys() - cadences.keys()
                or await self._due(connection, cadences)
                or await self._again(connection)
            )

    async def _first_editions(self) -> list[ReleasedEdition]:
        async with self._database.team(self._team.team_id) as connection:
            due = await self._due(connection, await releases.cadences(connection, self._team.team_id))
        released: list[ReleasedEdition] = []
        failed: set[Dataset] = set()
        for n, due_cut in enumerate(due):
            self._progress(f"{due_cut.dataset} {due_cut.period}", n, len(due))
            if due_cut.dataset not in failed:
                try:
                    released += await self._freeze(due_cut)
                except Exception as error:
                    # what is due later is judged by this one, or must not take its incidents
                    failed.add(due_cut.dataset)
                    self._failed.append(f"{due_cut.dataset} {due_cut.period}")
                    logger.error(
                        "release_failed", exc_info=error, extra={"dataset": due_cut.dataset, "period": due_cut.period}
                    )
        return released

    async def _next_editions(self) -> list[ReleasedEdition]:
        async with self._database.team(self._team.team_id) as connection:
            again = await self._again(connection)
        released: list[ReleasedEdition] = []
        for n, stale_cut in enumerate(again):
            self._progress(f"{stale_cut.dataset} {stale_cut.period} again", n, len(again))
            released += await self._revise(stale_cut)
        return released

    # --- what is due

    async def _due(self, connection: Connection, cadences: dict[int, Cadence]) -> list[Cut]:
        done = await releases.latest_editions(connection, self._team.team_id)
        return [cut for cut in self._cuts(cadences) if _is_due(cut, done)]

    async def _again(self, connection: Connection) -> list[Cut]:
        done = await releases.latest_editions(connection, self._team.team_id)
        looked = await releases.revision_checks(connection, self._team.team_id)
        return [table for table in self._tables() if self._to_look_at(table, done, looked)]

    def _cuts(self, cadences: dict[int, Cadence]) -> list[Cut]:
        """Everything whose cut-off has passed, oldest first; tables before records, shorter periods before longer."""
        passed = self._tables()
        for year, every in cadences.items():
            passed += [cut for cut in self._of("records", every, self._first(year)) if cut.financial_year == year]
        return sorted(passed, key=lambda cut: (cut.cut_off, cut.dataset, cut.ends - cut.starts))

    def _tables(self) -> list[Cut]:
        return [cut for every in TABLE_KINDS for cut in self._of("tables", every, self._team.calendar.starts_on)]

    def _of(self, dataset: Dataset, every: Cadence, first: date) -> Iterator[Cut]:
        return cuts(dataset, every, first, self._now, self._team.calendar.zone, self._team.calendar.day_start_hour)

    def _first(self, year: int) -> date:
        return max(self._team.calendar.starts_on, date(year, 4, 1))

    def _first_months(self) -> dict[int, Cut]:
        """The first month of every financial year of which a month is over."""
        months: dict[int, Cut] = {}
        for month in self._of("records", "monthly", self._team.calendar.starts_on):
            months.setdefault(month.financial_year, month)
        return months

    async def _decide_cadences(self) -> None:
        """Decide for every financial year of which a month is over, by the incidents of the twelve months before."""
        team, months = self._team, self._first_months()
        async with self._database.team(team.team_id) as connection:
            if months.keys() <= (await releases.cadences(connection, team.team_id)).keys():
                return
        async with self._database.team(team.team_id) as connection, connection.transaction():
            await releases.lock_releases(connection, team.team_id)
            decided = await releases.cadences(connection, team.team_id)
            for year, month in months.items():
                if year not in decided:
                    begun = due_at(team.calendar.starts_on, time(team.calendar.day_start_hour), team.calendar.zone)
                    since = max(begun, month.ends_at - timedelta(days=365))
                    days = max(1.0, (month.ends_at - since) / timedelta(days=1))
                    count = await releases.volume(connection, team.team_id, since, month.ends_at)
                    every = records.cadence(round(count / days * QUARTER_DAYS))
                    await releases.decide_cadence(connection, team.team_id, year, every, self._now)

    def _to_look_at(self, cut: Cut, done: LatestReleases, looked: dict[str, datetime]) -> bool:
        """Whether a monthly cut-off has passed since published tables were cut or last looked at."""
        latest = done.get(("tables", cut.period))
        if latest is None or latest.withdrawn or cut.every == "yearly" or self._now > cut.ends_at + REVISED_FOR:
            return False
        last = self._last_monthly_cut_off()
        return last is not None and last > max(latest.cut_off, looked.get(cut.period, LONG_AGO))

    def _last_monthly_cut_off(self) -> datetime | None:
        return max((cut.cut_off for cut in self._of("tables", "monthly", self._team.calendar.starts_on)), default=None)

    # --- one release

    async def _freeze(self, due: Cut) -> list[ReleasedEdition]:
        released: list[ReleasedEdition] = []
        try:
            async with self._database.team(self._team.team_id) as connection, connection.transaction():
                await releases.lock_releases(connection, self._team.team_id)
                done = await releases.latest_editions(connection, self._team.team_id)
                if not _is_due(due, done):
                    return []
                seq = await releases.position(connection, self._team.team_id, due.cut_off)
                number = _next_edition(done, due.dataset, due.period)
                if due.dataset == "tables":
                    released.append(await self._tables_of(connection, due, number, seq))
                else:
                    released += await self._records_of(connection, due, number, done, seq)
        except _LOST:
            return []
        for edition in released:
            logger.info(
                "released", extra={"dataset": edition.dataset, "period": edition.period, "edition": edition.edition}
            )
        return released

    async def _tables_of(self, connection: Connection, due: Cut, number: int, seq: int) -> ReleasedEdition:
        counted = await self._snapshot(connection, due.starts_at, due.ends_at, seq, due.cut_off)
        precedents = await self._precedents(connection, due)
        edition = await asyncio.to_thread(self._first_edition, due, counted, precedents)
        edition = _numbered(edition, number)
        return await self._store(connection, due, FrozenTables(edition, RULES), due.cut_off, seq, ())

    def _first_edition(
        self, due: Cut, counted: Iterable[CountedMember], precedents: Sequence[Sequence[ClassifiedMember]]
    ) -> Edition:
        key = self._keys.tables
        members = [tables.classify(incident.member, key, self._team.calendar.zone) for incident in counted]
        admitted = tables.admit(due.kind, precedents, key, RULES)
        return tables.freeze(due.kind, due.period, admitted, members, key, RULES)

    async def _precedents(self, connection: Connection, due: Cut) -> list[Sequence[ClassifiedMember]]:
        """The cuts of the twelve months before; in a first quarter or year the shorter cuts within it, together."""
        team_id = self._team.team_id
        before = await releases.first_editions(connection, team_id, self._year_before(due))
        if before or due.kind not in _SHORTER:
            return [edition.snapshot for edition in before]
        parts = await releases.first_editions(connection, team_id, _within(due, _SHORTER[due.kind]))
        together = [member for edition in parts for member in edition.snapshot]
        return [together] if together else []

    def _year_before(self, due: Cut) -> list[str]:
        """The periods of the same kind that began in the twelve months before this one."""
        periods, day = [], due.starts - timedelta(days=1)
        while (earlier := cut("tables", due.every, day)).starts >= date(due.starts.year - 1, due.starts.month, 1):
            periods.append(earlier.period)
            day = earlier.starts - timedelta(days=1)
        return periods

    async def _records_of(
        self, connection: Connection, due: Cut, number: int, done: LatestReleases, seq: int
    ) -> list[ReleasedEdition]:
        """The main file of a period, and the late file of what waits from before it, where that can be shown."""
        counted = await self._snapshot(connection, due.starts_at, due.ends_at, seq, due.cut_off, CONFIG.policy)
        main = FrozenRecords(_EMPTY, records.config_for(due.every, CONFIG))
        main = await asyncio.to_thread(self._cut, due, due.period, number, main, counted)
        released = [await self._store(connection, due, main, due.cut_off, seq, counted)]
        late_period = due.period + LATE
        waiting = await self._snapshot(connection, LONG_AGO, due.starts_at, seq, due.cut_off, CONFIG.policy)
        number = _next_edition(done, due.dataset, late_period)
        late = FrozenRecords(_EMPTY, records.config_for_late(CONFIG))
        late = await asyncio.to_thread(self._cut, due, late_period, number, late, waiting)
        if late.release.rows:
            late_cut = structs.replace(due, period=late_period)
            released.append(await self._store(connection, late_cut, late, due.cut_off, seq, waiting))
        return released

    def _cut(
        self, due: Cut, period: str, number: int, empty: FrozenRecords, counted: Iterable[CountedMember]
    ) -> FrozenRecords:
        release = records.freeze(
            f"records/{period}/{number}",
            [incident.member for incident in counted],
            () if period.endswith(LATE) else records.months_between(due.starts, due.ends),
            self._keys.records,
            empty.config,
            zone=self._team.calendar.zone,
            day_start=self._team.calendar.day_start_hour,
        )
        return structs.replace(empty, release=release)

    async def _snapshot(
        self,
        connection: Connection,
        starts_at: datetime,
        ends_at: datetime,
        seq: int,
        cut_off: datetime,
        undecided: str | None = None,
    ) -> list[CountedMember]:
        return await snapshots.snapshot(connection, self._team, starts_at, ends_at, seq, cut_off, undecided)

    async def _store(
        self,
        connection: Connection,
        due: Cut,
        frozen: Frozen,
        cut_off: datetime,
        seq: int,
        counted: Iterable[CountedMember],
    ) -> ReleasedEdition:
        match frozen:
            case FrozenRecords():
                policy, number = frozen.release.policy, int(frozen.release.name.rsplit("/", 1)[1])
            case FrozenTables():
                policy, number = frozen.edition.policy, frozen.edition.edition
        about = ReleaseHeader(due.dataset, due.period, number, cut_off, self._now)
        members = list(counted)
        people = {member.member.incident_id: member.member.person for member in members}
        stored = StoredRelease(uuid7(), about, frozen, people)
        await releases.add(connection, self._team.team_id, stored, due.starts, policy, seq, members)
        if isinstance(frozen, FrozenTables):
            await releases.add_summary(connection, self._team, due, about, frozen.edition, seq)
        agreements = await rendered_files.agreements_for(connection, self._team.team_id, due.dataset, self._now)
        await rendered_files.render(connection, self._team.team_id, stored, agreements, self._keys, self._now)
        return ReleasedEdition(due.dataset, due.period, number)

    # --- a further edition of published tables

    async def _revise(self, published: Cut) -> list[ReleasedEdition]:
        """The next edition, where enough people changed by the last monthly cut-off; noted, so as not to look twice."""
        cut_off = self._last_monthly_cut_off()
        team_id = self._team.team_id
        assert cut_off
        try:
            async with self._database.team(team_id) as connection, connection.transaction():
                await releases.lock_releases(connection, team_id)
                looked = await releases.revision_checks(connection, team_id)
                if looked.get(published.period, LONG_AGO) >= cut_off:
                    return []
                await releases.record_revision_check(connection, team_id, published.period, cut_off)
                editions = [edition for edition, _ in await releases.editions(connection, team_id, published.period)]
                seq = await releases.position(connection, team_id, cut_off)
                counted = await self._snapshot(connection, published.starts_at, published.ends_at, seq, cut_off)
                edition = await asyncio.to_thread(self._next_edition, editions, counted)
                if edition is None:
                    return []
                frozen = FrozenTables(edition, RULES)
                again = await self._store(connection, published, frozen, cut_off, seq, ())
        except _LOST:
            return []
        except Exception as error:
            self._failed.append(f"{published.dataset} {published.period} again")
            logger.error("tables_not_revised", exc_info=error, extra={"period": published.period})
            return []
        logger.info("released", extra={"dataset": "tables", "period": published.period, "edition": edition.edition})
        return [again]

    def _next_edition(self, editions: list[Edition], counted: Iterable[CountedMember]) -> Edition | None:
        key = self._keys.tables
        members = [tables.classify(incident.member, key, self._team.calendar.zone) for incident in counted]
        return tables.revise(
            editions[-1], {edition.edition: edition.snapshot for edition in editions}, members, key, RULES
        )


_EMPTY: Final = records.RecordsRelease("", CONFIG.policy, (), (), (), (), (), "")
_POLICY: Final[dict[Dataset, str]] = {"records": CONFIG.policy, "tables": RULES.policy}


_SHORTER: Final[dict[PeriodKind, Cadence]] = {"quarterly": "monthly", "yearly": "quarterly"}
"""By whose cuts a first period is judged."""


def _within(due: Cut, every: Cadence) -> list[str]:
    """The shorter periods of a period."""
    periods, day = [], due.starts
    while day < due.ends:
        part = cut("tables", every, day)
        periods.append(part.period)
        day = part.ends
    return periods


def _is_due(due: Cut, done: LatestReleases) -> bool:
    """Whether it was never released; or was withdrawn, and the policy is another one now."""
    latest = done.get((due.dataset, due.period))
    return latest is None or (latest.withdrawn and latest.policy != _POLICY[due.dataset])


def _next_edition(done: LatestReleases, dataset: Dataset, period: str) -> int:
    latest = done.get((dataset, period))
    return latest.edition + 1 if latest else 1


def _numbered(edition: Edition, number: int) -> Edition:
    """A first edition under another number, after one that was withdrawn."""
    if number == 1:
        return edition
    cells = tuple(structs.replace(cell, edition=number) for cell in edition.cells)
    return structs.replace(edition, edition=number, cells=cells)


def _ignore(_: str, __: int, ___: int) -> None:
    """Progress that nobody wants to see."""

"""Which releases of a team are due: the cuts whose cut-off has passed, and published tables to be looked at again."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from triage.exports import records
from triage.exports.calendar import TABLE_KINDS, Cut, Dataset, cut, cuts
from triage.exports.records import Cadence
from triage.exports.tables import RULES
from triage.exports.tree import CONFIG
from triage.store.database import Connection
from triage.store.exports import releases
from triage.store.exports.releases import LatestRelease
from triage.store.summaries.calendars import CalendarTeam
from triage.times import due_at

REVISED_FOR: Final = timedelta(days=731)
"""How long after its end published tables may have further editions."""
QUARTER_DAYS: Final = 365.25 / 4
LONG_AGO: Final = datetime(2000, 1, 1, tzinfo=UTC)
_POLICY: Final[dict[Dataset, str]] = {"records": CONFIG.policy, "tables": RULES.policy}

LatestReleases = dict[tuple[Dataset, str], LatestRelease]


@dataclass(frozen=True, slots=True)
class ReleaseCalendar:
    """The cuts of a team, as at an instant."""

    team: CalendarTeam
    now: datetime

    async def is_anything_due(self, connection: Connection) -> bool:
        """Whether there is anything to freeze, or published tables to look at."""
        cadences = await releases.cadences(connection, self.team.team_id)
        return bool(
            self._first_months().keys() - cadences.keys()
            or await self._due(connection, cadences)
            or await self.to_look_at(connection)
        )

    async def due(self, connection: Connection) -> list[Cut]:
        """Everything that is due, oldest first; tables before records, shorter periods before longer."""
        return await self._due(connection, await releases.cadences(connection, self.team.team_id))

    async def _due(self, connection: Connection, cadences: dict[int, Cadence]) -> list[Cut]:
        done = await releases.latest_editions(connection, self.team.team_id)
        passed = self._tables()
        for year, every in cadences.items():
            first = max(self.team.calendar.starts_on, date(year, 4, 1))
            passed += [cut for cut in self._of("records", every, first) if cut.financial_year == year]
        due = [cut for cut in passed if is_due(cut, done)]
        return sorted(due, key=lambda cut: (cut.cut_off, cut.dataset, cut.ends - cut.starts))

    async def to_look_at(self, connection: Connection) -> list[Cut]:
        """Published tables that a monthly cut-off has passed since they were cut or last looked at."""
        done = await releases.latest_editions(connection, self.team.team_id)
        looked = await releases.revision_checks(connection, self.team.team_id)
        return [table for table in self._tables() if self._is_to_look_at(table, done, looked)]

    def _is_to_look_at(self, cut: Cut, done: LatestReleases, looked: dict[str, datetime]) -> bool:
        latest = done.get(("tables", cut.period))
        if latest is None or latest.withdrawn or cut.every == "yearly" or self.now > cut.ends_at + REVISED_FOR:
            return False
        last = self.last_monthly_cut_off()
        return last is not None and last > max(latest.cut_off, looked.get(cut.period, LONG_AGO))

    def last_monthly_cut_off(self) -> datetime | None:
        """None before the first."""
        return max((cut.cut_off for cut in self._of("tables", "monthly", self.team.calendar.starts_on)), default=None)

    def _tables(self) -> list[Cut]:
        return [cut for every in TABLE_KINDS for cut in self._of("tables", every, self.team.calendar.starts_on)]

    def _of(self, dataset: Dataset, every: Cadence, first: date) -> Iterator[Cut]:
        return cuts(dataset, every, first, self.now, self.team.calendar.zone, self.team.calendar.day_start_hour)

    def _first_months(self) -> dict[int, Cut]:
        """The first month of every financial year of which a month is over."""
        months: dict[int, Cut] = {}
        for month in self._of("records", "monthly", self.team.calendar.starts_on):
            months.setdefault(month.financial_year, month)
        return months

    async def decide_cadences(self, connection: Connection) -> None:
        """Decide for every financial year of which a month is over, by the incidents of the twelve months before."""
        team_id, months = self.team.team_id, self._first_months()
        if months.keys() <= (await releases.cadences(connection, team_id)).keys():
            return
        async with connection.transaction():
            await releases.lock_releases(connection, team_id)
            decided = await releases.cadences(connection, team_id)
            for year in months.keys() - decided.keys():
                every = await self._cadence(connection, months[year].ends_at)
                await releases.decide_cadence(connection, team_id, year, every, self.now)

    async def _cadence(self, connection: Connection, until: datetime) -> Cadence:
        """The cadence of as many incidents as there were in the twelve months until then, or since the log began."""
        calendar = self.team.calendar
        begun = due_at(calendar.starts_on, time(calendar.day_start_hour), calendar.zone)
        since = max(begun, until - timedelta(days=365))
        days = max(1.0, (until - since) / timedelta(days=1))
        count = await releases.volume(connection, self.team.team_id, since, until)
        return records.cadence(round(count / days * QUARTER_DAYS))


def is_due(due: Cut, done: LatestReleases) -> bool:
    """Whether it was never released; or was withdrawn, and the policy is another one now."""
    latest = done.get((due.dataset, due.period))
    return latest is None or (latest.withdrawn and latest.policy != _POLICY[due.dataset])


def year_before(due: Cut) -> list[str]:
    """The periods of the same kind that began in the twelve months before this one."""
    periods, day = [], due.starts - timedelta(days=1)
    while (earlier := cut("tables", due.every, day)).starts >= date(due.starts.year - 1, due.starts.month, 1):
        periods.append(earlier.period)
        day = earlier.starts - timedelta(days=1)
    return periods


def within(due: Cut, every: Cadence) -> list[str]:
    """The shorter periods of a period."""
    periods, day = [], due.starts
    while day < due.ends:
        part = cut("tables", every, day)
        periods.append(part.period)
        day = part.ends
    return periods

"""Releases of synthetic populations, cut once for all tests of this folder."""

from datetime import datetime, timedelta
from functools import cache
from uuid import UUID

from support.population import Arrival, between, population

from triage.exports.classified import ClassifiedMember, classify
from triage.exports.members import RegisteredPerson, ReleaseMember
from triage.exports.records import RecordsRelease, cadence, config_for, freeze, months_between
from triage.exports.tree import CONFIG, Config
from triage.times import Period, PeriodKind, parse_period, period_bounds

KEY = b"tables or records, in tests only"
SMALL, MEDIUM, LARGE = 1_400, 5_000, 50_000
"""Incidents a year: one car, a small force, a large force."""

arrivals = cache(population)


@cache
def known(
    kind: PeriodKind, name: str, incidents: int, linked: float = 0.88, days_after: int = 28
) -> list[ReleaseMember]:
    """The members of a period as known so many days after its end."""
    starts, ends = period_bounds(parse_period(kind, name))
    return between(arrivals(incidents, linked), starts, ends, ends + timedelta(days=days_after))


@cache
def placed(
    kind: PeriodKind, name: str, incidents: int, linked: float = 0.88, days_after: int = 28
) -> list[ClassifiedMember]:
    """The same members in the classes of the catalogue."""
    return [classify(member, KEY) for member in known(kind, name, incidents, linked, days_after)]


def late(kind: PeriodKind, name: str, incidents: int, days_after: int = 28) -> list[ReleaseMember]:
    """The members of a period that arrived after its cut-off, in order of arrival."""
    starts, ends = period_bounds(parse_period(kind, name))
    return [a.member for a in arrivals(incidents) if _is_late(a, starts, ends, ends + timedelta(days=days_after))]


def _is_late(arrival: Arrival, starts: datetime, ends: datetime, cut_off: datetime) -> bool:
    return starts <= arrival.member.occurred_at < ends and arrival.arrived_at >= cut_off


def months(period: Period) -> tuple[str, ...]:
    return months_between(period.starts, period.ends)


def record_file(
    members: list[ReleaseMember], kind: PeriodKind = "quarterly", config: Config = CONFIG
) -> RecordsRelease:
    """A main release of members of the first quarter, or of the year, of the synthetic populations."""
    name = "2025-Q1" if kind == "quarterly" else "2025"
    return freeze(f"records/{name}/1", members, months(parse_period(kind, name)), KEY, config)


def year_file(incidents: int, linked: float = 0.88, config: Config = CONFIG) -> RecordsRelease:
    """A whole year as one release, whatever its volume."""
    return record_file(known("yearly", "2025", incidents, linked), "yearly", config_for("yearly", config))


@cache
def quarter_file(incidents: int, linked: float = 0.88) -> RecordsRelease:
    """The first quarter as a release by the method as it is."""
    return record_file(known("quarterly", "2025-Q1", incidents, linked))


@cache
def by_volume(incidents: int, linked: float) -> RecordsRelease:
    """A release of the cadence that the population's volume calls for."""
    return year_file(incidents, linked) if cadence(incidents // 4) == "yearly" else quarter_file(incidents, linked)


def people(members: list[ReleaseMember]) -> dict[UUID, RegisteredPerson | None]:
    return {member.incident_id: member.person for member in members}

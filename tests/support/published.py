"""A team whose days are published: what is said on a Saturday evening, and the editions that come of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

from support.team_log import TEAM, TeamLog
from triage.store.summaries import publications
from triage.summaries import editions
from triage.summaries.editions import Difference, Summary
from triage.times import PeriodKind

TEN = datetime(2026, 11, 21, 22, 0, tzinfo=UTC)
"""Saturday evening; the operational day 2026-11-21 ends on Sunday at 06:00 and is due at 07:00."""
SUNDAY = datetime(2026, 11, 22, 7, 0, tzinfo=UTC)
MONDAY = SUNDAY + timedelta(days=1)
MINUTE = timedelta(minutes=1)


async def edition(team: TeamLog, kind: PeriodKind, period: str, number: int | None = None) -> Summary | None:
    async with team.database.team(TEAM) as connection:
        body = await publications.find_body(connection, TEAM, kind, period, number)
    return None if body is None else editions.decode(body)


async def latest(team: TeamLog, kind: PeriodKind, period: str) -> Summary:
    published = await edition(team, kind, period)
    assert published
    return published


def value(summary: Summary, code: str, row: str | None = None) -> int | float | None:
    measure = next(measure for measure in summary.measures if measure.code == code)
    if row is None:
        assert not isinstance(measure.value, type(...))
        return measure.value  # type: ignore[return-value]
    assert isinstance(measure.rows, tuple)
    return next((line.value for line in measure.rows if line.code == row), 0)


def values(summary: Summary) -> list[Difference]:
    """The changes of values; what they are of, and their rates and intervals, change with them."""
    return [change for change in summary.changes if change.part == "value"]


async def considered(team: TeamLog, incident: int = 1, at: datetime = TEN) -> None:
    """A person in the street, an officer who would have used s136, and care at home instead."""
    tests = {"mental_disorder": True, "immediate_need": True, "necessary": True}
    intent = {"power": "s136", "confidence": 3, "formed_at": at, "source": "self", "tests": tests}
    await team.tell(
        "officer_1",
        "officer",
        incident,
        at,
        occurred_at=at,
        area="luton_west",
        location_type="street_or_park",
        intent=intent,
    )
    await team.tell(
        "officer_1",
        "outcome",
        incident,
        at + 20 * MINUTE,
        disposal="carer_or_home",
        decided_at=at + 19 * MINUTE,
        decided_by="officer",
    )


async def detained(team: TeamLog, place: str = "health_based", **contact: Any) -> None:
    """Held under s136, at a place of safety at ten in the evening."""
    before = TEN - timedelta(minutes=30)
    await team.tell("officer_1", "officer", 1, before, occurred_at=before, area="luton_west", **contact)
    await team.tell("officer_1", "outcome", 1, before, disposal="s136_removed", decided_at=before, decided_by="officer")
    at_place = {"power": "s136", "place_of_safety": place}
    await team.tell("officer_1", "detention", 1, TEN, event="arrived_site", at=TEN, **at_place)

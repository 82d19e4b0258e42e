"""Alerts: a child at a police station and a clock that runs out are told of once each."""

from collections.abc import AsyncIterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest_asyncio
from support.published import TEN, detained
from support.team_log import TEAM, TeamLog, open_team_log

from triage.jobs.alerts import raise_alerts
from triage.store import outbox


@pytest_asyncio.fixture
async def team(db_url: str, tmp_path: Path) -> AsyncIterator[TeamLog]:
    async with open_team_log(db_url, tmp_path, starts_on=date(2026, 11, 21)) as team:
        yield team


# --- alerts ---


async def alerted(team: TeamLog) -> list[dict[str, Any]]:
    async with team.database.team(TEAM) as connection:
        rows = await connection.fetch("SELECT payload FROM outbox WHERE key LIKE 'alert%' ORDER BY created_at, id")
    return [msgspec.json.decode(row["payload"])["data"] for row in rows]


@pytest_asyncio.fixture
async def listening(team: TeamLog) -> TeamLog:
    async with team.database.team(TEAM) as connection:
        await outbox.add_destination(connection, TEAM, "webhook", "https://example.org/hook", ["alert"])
    return team


async def test_a_child_at_a_police_station_is_told_of_once(listening: TeamLog) -> None:
    await detained(listening, "police_station", age=15)
    for minute in range(3):
        await raise_alerts(listening.database, TEN + timedelta(minutes=minute), public_url="https://t.example.org")
    assert await alerted(listening) == [
        {"team": "Test team", "kind": "under_18_police_station", "link": "https://t.example.org/review"}
    ]


async def test_after_a_death_there_is_no_alert(listening: TeamLog) -> None:
    await detained(listening, "police_station", age=15)
    await listening.tell("officer_1", "outcome", 1, TEN, disposal="deceased", decided_at=TEN)
    await raise_alerts(listening.database, TEN + timedelta(hours=23))
    assert await alerted(listening) == []


async def test_an_adult_at_a_health_based_place_is_not_told_of(listening: TeamLog) -> None:
    await detained(listening)
    assert await raise_alerts(listening.database, TEN + timedelta(hours=19, minutes=59)) == 0


async def test_a_clock_is_told_of_at_4_1_and_0_hours_once_each(listening: TeamLog) -> None:
    await detained(listening)
    for quarter in range(4 * 30):
        await raise_alerts(listening.database, TEN + quarter * timedelta(minutes=15))
    kinds = [alert["kind"] for alert in await alerted(listening)]
    assert kinds == ["detention_4_h", "detention_1_h", "detention_0_h"]


async def test_after_a_pause_only_the_most_urgent_is_told(listening: TeamLog) -> None:
    await detained(listening)
    await raise_alerts(listening.database, TEN + timedelta(hours=23, minutes=30))
    assert [alert["kind"] for alert in await alerted(listening)] == ["detention_1_h"]


async def test_an_extended_clock_is_told_of_again(listening: TeamLog) -> None:
    await detained(listening)
    late = TEN + timedelta(hours=21)
    await raise_alerts(listening.database, late)
    extension = {"minutes": 360, "ground": "condition", "authorised_by": "responsible_doctor", "power": "s136"}
    await listening.tell("nurse_1", "detention", 1, late, event="extended", at=late, **extension)
    assert await raise_alerts(listening.database, late) == 0
    await raise_alerts(listening.database, late + timedelta(hours=6))
    assert [alert["kind"] for alert in await alerted(listening)] == ["detention_4_h", "detention_4_h"]


async def test_an_ended_detention_is_told_of_no_more(listening: TeamLog) -> None:
    await detained(listening)
    ended = TEN + timedelta(hours=5)
    await listening.tell("nurse_1", "detention", 1, ended, event="ended", at=ended, result="lapsed", power="s136")
    assert await raise_alerts(listening.database, TEN + timedelta(hours=24)) == 0

"""One waking does everything that is due; the scheduler does nothing but wake."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import pytest_asyncio
from receivers import mail_receiver
from support.team_log import TEAM, TeamLog, open_team_log

from triage.jobs import schedule
from triage.jobs.deliver import Sender
from triage.people.encryption import load_or_create_root
from triage.settings import Settings
from triage.store import outbox
from triage.store.journal import Journal

TEN = datetime(2026, 11, 21, 22, 0, tzinfo=UTC)
SUNDAY = datetime(2026, 11, 22, 7, 0, tzinfo=UTC)


@pytest_asyncio.fixture
async def team(db_url: str, tmp_path: Path) -> AsyncIterator[TeamLog]:
    async with open_team_log(db_url, tmp_path, starts_on=date(2026, 11, 21)) as one:
        async with one.database.team(TEAM) as connection:
            await outbox.add_destination(connection, TEAM, "email", "sergeant@example.org", ["summary", "alert"])
        await one.tell("officer_1", "officer", 1, TEN, occurred_at=TEN, area="luton_west", age=15)
        place = {"power": "s136", "place_of_safety": "police_station"}
        await one.tell("officer_1", "detention", 1, TEN, event="arrived_site", at=TEN, **place)
        yield one


async def woken(team: TeamLog, directory: Path) -> list[str]:
    """The subjects of the mails that one waking sends."""
    async with mail_receiver() as mail:
        settings = Settings(
            data_dir=directory,
            smtp_host="127.0.0.1",
            smtp_port=mail.port,
            smtp_security="none",
            delivery_timeout_s=30.0,
        )
        sender = Sender(settings, load_or_create_root(directory / "root.key"))
        await schedule.wake(team.database, sender, SUNDAY)
    return sorted(one["Subject"] for one in mail.mails)


async def test_one_waking_publishes_raises_and_delivers(team: TeamLog, tmp_path: Path) -> None:
    assert await woken(team, tmp_path) == [
        "Test team: daily summary 2026-11-21, edition 1",
        "Test team: please look now",
    ]
    assert len(list(Journal(tmp_path / "journal").lines())) == 2
    assert await woken(team, tmp_path) == []


async def test_what_fails_does_not_hold_back_the_rest(
    team: TeamLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(schedule, "publish_due", fail)
    assert await woken(team, tmp_path) == ["Test team: please look now"]

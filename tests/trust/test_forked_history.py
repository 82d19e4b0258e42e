"""A database that lost what the journal knows of: nothing is served over it until somebody adopts it."""

import asyncio
import os
import sys
from uuid import uuid4

import pytest
from support.cast import Json
from support.installation import InstalledService
from support.logins import unguarded
from support.phones import entry, now, refused, running_service

from triage.jobs.journal import anchor_logs
from triage.store.access.staff import as_owner
from triage.store.journal_lines import ChainAnchored
from triage.store.recovery.history import HistoryForked
from triage.store.recovery.watch import LOOK_EVERY_S

pytestmark = pytest.mark.database


# --- a history that forked without a restore ---


async def forked(installation: InstalledService) -> Json:
    """The last entry, which is gone as after a failover to a standby that had not got it; the journal knows of it."""
    crew, service = installation.crew, installation.process.service
    await crew.officer.tell("officer", uuid4())
    await crew.officer.tell("officer", uuid4())
    await crew.officer.follow()
    lost = await crew.officer.tell("officer", uuid4(), captured_at=now())
    await anchor_logs(service.database, service.journal)
    async with as_owner(crew.owner_url, crew.team_id) as owner, unguarded(owner):
        await owner.execute("DELETE FROM entry WHERE team_id = $1 AND seq = 3", crew.team_id)
        await owner.execute(
            "UPDATE log_head SET seq = 2, link = (SELECT link FROM entry WHERE team_id = $1 AND seq = 2)"
            " WHERE team_id = $1",
            crew.team_id,
        )
    return lost


async def test_a_forked_history_is_not_served_until_it_is_adopted(installation: InstalledService) -> None:
    gone = await forked(installation)
    crew, settings = installation.crew, installation.process.service.settings
    with pytest.raises(HistoryForked, match="triage adopt"):
        async with running_service(
            installation.process.url, installation.data_dir, keys_database_url=settings.keys_database_url
        ):
            pass
    assert "not as written: entries" in await installation.triage("verify", fails=True)

    assert "knows of 1 entries" in await installation.triage("adopt", "--dry-run")
    assert "not as written: entries" in await installation.triage("verify", fails=True)
    assert "1 entries lost" in await installation.triage("adopt", "--yes")
    await installation.triage("verify")
    async with running_service(
        installation.process.url, installation.data_dir, keys_database_url=settings.keys_database_url
    ) as again:
        assert refused(await crew.officer.on(again).post_sync(cursor=crew.officer.cursor)) == (410, "cursor_unknown")
        assert (await crew.officer.on(again).sync(gone))["counts"]["stored"] == 1
    lost = await crew.fetch("SELECT since, until FROM lost_span WHERE team_id = $1")
    assert len(lost) == 1 and lost[0]["since"] < lost[0]["until"]
    rows = await crew.fetch("SELECT seq, received_again FROM entry WHERE team_id = $1 ORDER BY seq")
    assert [row["received_again"] for row in rows] == [False, False, True]
    await installation.triage("verify")


async def test_whoever_goes_on_over_a_fork_says_so_until_it_is_adopted(installation: InstalledService) -> None:
    """The journal's next line would hide it, whoever wrote the last one."""
    await forked(installation)
    crew, service = installation.crew, installation.process.service
    await crew.officer.tell("officer", uuid4())
    for _ in range(2):
        with pytest.raises(HistoryForked, match="triage adopt"):
            await anchor_logs(service.database, service.journal)
    await installation.triage("adopt", "--yes")
    await anchor_logs(service.database, service.journal)


async def test_a_fork_that_the_journal_goes_on_over_can_be_adopted(installation: InstalledService) -> None:
    await forked(installation)
    crew, service = installation.crew, installation.process.service
    await crew.officer.tell("officer", uuid4())
    link = await crew.fetch("SELECT link FROM entry WHERE team_id = $1 AND seq = 3")
    line = ChainAnchored(at=now(), team_id=crew.team_id, chain="entries", position=3, link=link[0]["link"].hex())
    await service.journal.add(line)
    await installation.triage("adopt", "--yes")
    await installation.triage("verify")


async def test_a_process_that_runs_answers_nothing_until_the_history_is_adopted(
    installation: InstalledService, caplog: pytest.LogCaptureFixture
) -> None:
    """Who was revoked since is let in by nobody."""
    caplog.set_level("WARNING", logger="triage.store.recovery")
    gone = await forked(installation)
    crew, client, history = installation.crew, installation.process.client, installation.process.service.history
    await history.look()
    for _ in range(2):
        assert refused(await crew.officer.put(entry("officer", uuid4()))) == (503, "not_ready")
        assert refused(await crew.sergeant.get("/v1/summaries")) == (503, "not_ready")
        assert (await client.get("/review/sign-in")).status_code == 503
        assert "run `triage adopt`" in (await client.get("/health/ready")).text
        assert (await client.get("/health/live")).status_code == 200
        await history.look()
    assert [record.message for record in caplog.records] == ["history_forked"]
    await installation.triage("adopt", "--yes")
    await history.look()
    assert (await client.get("/health/ready")).status_code == 200
    assert (await crew.officer.sync(gone))["counts"]["stored"] == 1


async def test_a_process_looks_at_its_history_as_soon_as_the_database_is_back(installation: InstalledService) -> None:
    service = installation.process.service
    await forked(installation)
    async with service.history.watching():
        service.database.came_back.set()
        async with asyncio.timeout(LOOK_EVERY_S / 2):
            while not service.history.forked:
                await installation.crew.fetch("SELECT FROM team WHERE team_id = $1")
        await installation.triage("adopt", "--yes")
        while service.history.forked:
            await installation.crew.fetch("SELECT FROM team WHERE team_id = $1")


async def test_what_arrives_while_a_history_is_adopted_is_as_it_was_written(installation: InstalledService) -> None:
    """Everything is captured in the time that was lost: whether it counts as received again, the adoption decides."""
    await forked(installation)
    crew, captured_at = installation.crew, now()
    command = (sys.executable, "-m", "triage", "adopt", "--yes")
    adopting = await asyncio.create_subprocess_exec(*command, env=os.environ | installation.environ)

    async def send_meanwhile() -> None:
        while adopting.returncode is None:
            await crew.officer.tell("officer", uuid4(), captured_at=captured_at)

    await asyncio.gather(*(send_meanwhile() for _ in range(8)), adopting.wait())
    assert adopting.returncode == 0
    await crew.officer.tell("officer", uuid4(), captured_at=captured_at)
    came = await crew.fetch("SELECT received_again FROM entry WHERE team_id = $1 AND seq > 2 ORDER BY seq")
    again = [row["received_again"] for row in came]
    assert again == sorted(again) and {False, True} <= set(again)
    await installation.triage("verify")

"""A release is cut in a process of its own, so that no request waits for it, and that process ends with the service."""

import asyncio
from datetime import UTC, datetime

import pytest
from support.export_team import ExportTeam

from triage.jobs import release_process
from triage.jobs.release import Unreleased

MAY = datetime(2025, 5, 9, tzinfo=UTC)
"""The tables of April are due, and nothing else."""


async def run_job(team: ExportTeam, now: datetime) -> None:
    service = team.running.service
    await release_process.release_if_due(service.database, service.settings, now)


async def periods(team: ExportTeam) -> list[str]:
    return [row["period"] for row in await team.fetch("SELECT period FROM release WHERE team_id = $1 ORDER BY 1")]


async def test_what_is_due_is_cut_by_another_process_and_where_nothing_is_none_is_started(
    exporting: ExportTeam, monkeypatch: pytest.MonkeyPatch
) -> None:
    partner = await exporting.partner()
    await run_job(exporting, MAY)
    assert await periods(exporting) == ["2025-04"]
    assert await partner.cells("2025-04")

    async def start(*_: object, **__: object) -> None:
        raise AssertionError("nothing is due")

    monkeypatch.setattr(release_process, "release_in_subprocess", start)
    await run_job(exporting, MAY)


async def test_it_ends_with_the_service_and_leaves_nothing(
    exporting: ExportTeam, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: asyncio.Future[asyncio.subprocess.Process] = asyncio.get_running_loop().create_future()
    honest = asyncio.create_subprocess_exec

    async def start(*command: str, **how: object) -> asyncio.subprocess.Process:
        process = await honest(*command, **how)  # type: ignore[arg-type]
        started.set_result(process)
        return process

    monkeypatch.setattr(asyncio, "create_subprocess_exec", start)
    working = asyncio.create_task(run_job(exporting, MAY))
    process = await started
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert process.returncode == -9
    assert await periods(exporting) == []


async def test_one_that_fails_says_so_and_is_tried_again(
    exporting: ExportTeam, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = exporting.running.service.settings
    monkeypatch.setenv("TRIAGE_NONSENSE", "1")
    with pytest.raises(Unreleased, match="exit code 1"):
        await release_process.release_in_subprocess(settings, MAY)
    with pytest.raises(Unreleased):
        await run_job(exporting, MAY)
    assert await periods(exporting) == []
    monkeypatch.delenv("TRIAGE_NONSENSE")
    await run_job(exporting, MAY)
    assert await periods(exporting) == ["2025-04"]

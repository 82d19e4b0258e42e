"""What Prometheus is told: templates of paths, jobs, the history; nothing of anybody, and no scrape that costs much."""

from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from support.phones import Crew, RunningService, running_service

from triage.http import metrics
from triage.store import audit, gauges
from triage.store.access.staff import as_owner
from triage.store.job_runs import JobRuns

TOKEN = "metrics"


async def scrape(process: RunningService) -> dict[str, float]:
    answer = await process.client.get("/metrics", headers={"authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200
    lines = (line.rsplit(" ", 1) for line in answer.text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, value in lines}


@pytest.fixture
async def watched(server: str, template: str, clone: Any, tmp_path: Path) -> Any:
    """A service of its own whose metrics are served."""
    async with clone(template) as url, running_service(url, tmp_path, metrics_token=TOKEN) as process:
        yield process


async def test_without_the_token_there_is_nothing(watched: RunningService, crew: Crew) -> None:
    assert (await watched.client.get("/metrics")).status_code == 401
    wrong = {"authorization": "Bearer other"}
    assert (await watched.client.get("/metrics", headers=wrong)).status_code == 401
    assert (await crew.admin.get("/metrics")).status_code == 404  # where no token is set


async def test_a_request_is_counted_by_the_template_of_its_path(watched: RunningService) -> None:
    team = await watched.enrol_crew()
    unknown = uuid4()
    await team.officer.get(f"/v1/incidents/{unknown}")
    await team.officer.get(f"/v1/nowhere/{unknown}")
    read = await scrape(watched)
    # the registry is of the process, which has run other tests too
    counted = [name for name in read if name.startswith("triage_requests_total") and "/v1/incidents/{" in name]
    assert any('method="GET"' in name and 'status="404"' in name for name in counted)
    assert any('route="none"' in name for name in read)
    assert not any(str(unknown) in name for name in read)


async def test_a_scrape_names_the_history_the_build_and_the_jobs(watched: RunningService) -> None:
    await JobRuns(watched.service.database, 0).succeeded("publish", 60.0)
    await JobRuns(watched.service.database, 0).failed("deliver", 15.0)
    read = await scrape(watched)
    [epoch] = [name for name in read if name.startswith("triage_log_epoch{")]
    assert UUID(epoch.split('"')[1]) and read[epoch] == 1
    assert any(name.startswith("triage_build_info{") and "version=" in name for name in read)
    assert read['triage_job_success_timestamp_seconds{job_name="publish"}'] > 1_700_000_000
    assert read['triage_job_interval_seconds{job_name="publish"}'] == 60
    assert read['triage_job_failures{job_name="deliver"}'] == 1
    assert read["triage_pool_connections"] >= read["triage_pool_free_connections"] >= 0


async def test_a_scrape_says_what_waits_and_who_is_silent(
    watched: RunningService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "READ_EVERY_S", 0.0)
    team = await watched.enrol_crew()
    await team.sergeant.see("/v1/summaries")
    before = await scrape(watched)
    assert before["triage_audit_unsealed_oldest_seconds"] > 0  # no job seals here
    assert before["triage_journal_written_timestamp_seconds"] > 1_700_000_000
    assert before["triage_pool_wait_seconds"] > 0
    assert before['triage_outbox_waiting{channel="email"}'] == before['triage_outbox_waiting{channel="webhook"}'] == 0
    async with as_owner(watched.url, team.team_id) as owner:
        await owner.execute(
            "UPDATE device SET last_seen_at = now() - interval '3 hours' WHERE team_id = $1", team.team_id
        )
        for channel in ("email", "webhook"):
            await add_waiting_message(owner, team.team_id, channel)
    await audit.extend_chain(watched.service.database)
    after = await scrape(watched)
    assert after["triage_audit_unsealed_oldest_seconds"] == 0
    assert after['triage_outbox_waiting{channel="email"}'] == 1
    assert after['triage_outbox_waiting{channel="webhook"}'] == 1
    for quantile in ("0.5", "0.9"):
        assert 3 * 3600 <= after[f'triage_device_silence_seconds{{quantile="{quantile}"}}'] < 4 * 3600


async def add_waiting_message(owner: asyncpg.Connection, team_id: UUID, channel: str) -> None:
    destination_id = uuid4()
    await owner.execute(
        "INSERT INTO destination (team_id, destination_id, channel, address, topics)"
        " VALUES ($1, $2, $3, 'x', '{alert}')",
        team_id,
        destination_id,
        channel,
    )
    await owner.execute(
        "INSERT INTO outbox (team_id, id, destination_id, key, payload, created_at, next_at)"
        " VALUES ($1, $2, $3, 'alert', '', now(), now())",
        team_id,
        uuid4(),
        destination_id,
    )


async def test_however_many_scrape_the_database_is_asked_once(
    watched: RunningService, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0
    honest = gauges.read

    async def counted(*arguments: Any) -> Any:
        nonlocal asked
        asked += 1
        return await honest(*arguments)

    monkeypatch.setattr(gauges, "read", counted)
    for _ in range(3):
        await scrape(watched)
    assert asked == 1
    monkeypatch.setattr(metrics, "READ_EVERY_S", 0.0)
    await scrape(watched)
    assert asked == 2

"""A release stays as it was frozen: nobody changes it, verify finds what was changed, and a withdrawal is for good."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from msgspec import structs
from support.export_team import QUARTER, SECOND_QUARTER, ExportTeam, named, verdicts

from triage.exports.tree import CONFIG
from triage.jobs import due_releases
from triage.store.access.staff import as_owner
from triage.store.exports.releases import withdraw

DAY = timedelta(days=1)
FROZEN = [
    "UPDATE release SET body = ''",
    "DELETE FROM release",
    "UPDATE release_row SET classes = 'x'",
    "DELETE FROM release_row",
    "TRUNCATE rendered_chunk",
    "UPDATE rendering SET manifest = ''",
    "UPDATE rendered_file SET bytes = 0",
    "UPDATE rendered_chunk SET body = 'x'",
    "UPDATE agreement SET purpose = 'x'",
]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE release SET body = ''",
        "DELETE FROM release",
        "UPDATE release SET withdrawn_at = now(), withdrawn_because = 'no'",
        "UPDATE release_row SET classes = ''",
        "DELETE FROM release_row",
        "TRUNCATE release_row",
        "UPDATE rendering SET manifest = ''",
        "UPDATE rendered_file SET bytes = 0",
        "DELETE FROM rendered_chunk",
        "UPDATE rendered_chunk SET body = 'x'",
        "UPDATE ledger SET rows = 0",
        "DELETE FROM ledger",
        "UPDATE agreement SET expires_at = '2099-01-01'",
        "INSERT INTO agreement SELECT * FROM agreement",
        "DELETE FROM release_cadence",
    ],
)
async def test_the_service_can_change_nothing_that_is_frozen(conn: asyncpg.Connection, statement: str) -> None:
    await conn.execute("SET LOCAL ROLE triage_service")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await conn.execute(statement)


async def test_nor_can_the_owner_by_mistake(released: ExportTeam) -> None:
    for statement in FROZEN:
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            async with as_owner(released.running.url, released.team_id) as owner:
                await owner.execute(statement)


async def test_a_release_that_is_withdrawn_is_cut_again_under_a_new_policy_only(
    released: ExportTeam, monkeypatch: pytest.MonkeyPatch
) -> None:
    partner = await released.partner()
    async with as_owner(released.running.url, released.team_id) as owner:
        done = await owner.fetchval(
            "UPDATE release SET withdrawn_at = now(), withdrawn_because = 'a test'"
            " WHERE team_id = $1 AND dataset = 'records' RETURNING release_id",
            released.team_id,
        )
    assert done
    assert (await partner.get("/records/2025-Q1")).status_code == 404
    assert (await partner.get("/records/2025-Q1/files/records.csv?edition=1")).status_code == 404
    assert "records" not in {offer["dataset"] for offer in await partner.offers()}
    assert await released.release(QUARTER) == []
    policy = "records-2"
    config = structs.replace(CONFIG, policy=policy)
    monkeypatch.setattr("triage.jobs.release.CONFIG", config)
    monkeypatch.setitem(due_releases._POLICY, "records", policy)
    assert named(await released.release(QUARTER)) == ["records/2025-Q1/2"]
    manifest = await partner.manifest("records/2025-Q1")
    assert manifest["statement"]["supersedes"] == "records/2025-Q1/1"


async def test_tables_that_are_withdrawn_are_gone_as_a_summary_too(released: ExportTeam) -> None:
    partner = await released.partner()
    client, signed_in = released.running.client, {"authorization": f"Bearer {partner.token}"}
    address = "/v1/summaries/quarterly/2025-Q1"
    assert (await client.get(address, headers=signed_in)).status_code == 200
    async with as_owner(released.running.url, released.team_id) as owner:
        await withdraw(owner, released.team_id, "tables", "2025-Q1", 1, QUARTER, "a test")
    assert (await client.get(address, headers=signed_in)).status_code == 404
    listed = (await client.get("/v1/summaries", headers=signed_in)).json()["summaries"]
    assert "2025-Q1" not in {edition["period"] for edition in listed}
    assert "2025-04" in {edition["period"] for edition in listed}


async def test_verify_recomputes_everything_and_finds_a_changed_byte(released: ExportTeam) -> None:
    await released.partner("health")
    assert {verdict.fault for verdict in await verdicts(released)} == {None}
    assert min(verdict.k_people for verdict in await verdicts(released) if verdict.k_people is not None) >= 10
    async with as_owner(released.running.url, released.team_id) as owner:
        await owner.execute("ALTER TABLE rendered_chunk DISABLE TRIGGER USER")
        await owner.execute(
            "UPDATE rendered_chunk SET body = set_byte(body, 100, 65) WHERE team_id = $1 AND name = 'records.csv'",
            released.team_id,
        )
    faults = [verdict for verdict in await verdicts(released) if verdict.fault]
    assert [fault.name for fault in faults] == ["records/2025-Q1/1"]
    assert "records.csv was altered" in str(faults[0].fault)


async def test_verify_finds_a_row_whose_person_was_made_another(released: ExportTeam) -> None:
    async with as_owner(released.running.url, released.team_id) as owner:
        await owner.execute("ALTER TABLE release_row DISABLE TRIGGER USER")
        changed = "UPDATE release_row SET person_id = $2, known_by = 1 WHERE team_id = $1"
        await owner.execute(changed, released.team_id, uuid4())
    assert "a group holds 1 people" in str([verdict.fault for verdict in await verdicts(released)])


# --- rules whose removal nothing else would show


async def test_a_release_withdrawn_stays_withdrawn_and_the_next_period_comes_as_if_nothing_had_been(
    released: ExportTeam,
) -> None:
    """What it decided stays decided: neither the late file nor the next one takes its incidents again."""
    decided = await _decided(released, "2025-Q1")
    async with as_owner(released.running.url, released.team_id) as owner:
        await withdraw(owner, released.team_id, "records", "2025-Q1", 1, QUARTER, "a test")
    assert named(await released.release(QUARTER + DAY)) == []
    after = named(await released.release(SECOND_QUARTER))
    assert "records/2025-Q2/1" in after and "records/2025-Q2-late/1" in after
    assert not [name for name in after if name.startswith("records/2025-Q1")]
    assert decided.isdisjoint(await _decided(released, "2025-Q2") | await _decided(released, "2025-Q2-late"))


async def _decided(team: ExportTeam, period: str) -> set[Any]:
    rows = await team.fetch(
        "SELECT x.incident_id FROM release_row x JOIN release r USING (team_id, release_id)"
        " WHERE x.team_id = $1 AND r.period = $2",
        period,
    )
    return {row["incident_id"] for row in rows}

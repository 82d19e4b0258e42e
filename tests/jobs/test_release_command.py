"""The commands of exports, as an administrator runs them; and a process that is killed in the middle of one."""

import asyncio
import json
import os
import signal
import sys
from datetime import UTC, datetime
from uuid import UUID

import pytest
from click.testing import CliRunner, Result
from support.export_team import ExportTeam, Partner
from support.logins import KEYS, SERVICE, as_login

from triage.__main__ import main
from triage.exports import records
from triage.exports.members import UnmappedCode
from triage.store.access.staff import as_owner
from triage.store.exports.ledger import verify_ledger

CUT_OFF = "2025-07-29T05:00:00Z"

KILLED = """
import os, signal
from triage.__main__ import main
from triage.store.exports import releases, rendered_files

async def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

{step} = die
main(["release", "--as-at", "{cut_off}"])
"""


def environment(team: ExportTeam) -> dict[str, str]:
    url, settings = team.running.url, team.running.service.settings
    return {
        "TRIAGE_DATABASE_URL": as_login(url, SERVICE),
        "TRIAGE_OWNER_DATABASE_URL": url,
        "TRIAGE_KEYS_DATABASE_URL": as_login(url, KEYS),
        "TRIAGE_DATA_DIR": str(settings.data_dir),
        "TRIAGE_JOURNAL": str(settings.journal),
    }


async def run(team: ExportTeam, *arguments: str) -> Result:
    return await asyncio.to_thread(CliRunner(env=environment(team)).invoke, main, arguments)


async def triage(team: ExportTeam, *arguments: str) -> list[str]:
    """The lines that a command prints, which must succeed."""
    done = await run(team, *arguments)
    assert done.exit_code == 0, done.stderr
    return done.stdout.split("\n")[:-1]


async def refused(team: ExportTeam, *arguments: str) -> str:
    """Why a command does not do it."""
    done = await run(team, *arguments)
    assert done.exit_code != 0
    assert isinstance(done.exception, SystemExit), done.exception
    return done.stderr


async def test_a_process_killed_in_the_middle_leaves_nothing_and_the_next_does_it_all(exporting: ExportTeam) -> None:
    partner = await exporting.partner()
    for step in ("releases.add", "rendered_files.render", "releases.add_summary"):
        killed = await asyncio.create_subprocess_exec(
            sys.executable, "-c", KILLED.format(step=step, cut_off=CUT_OFF), env=os.environ | environment(exporting)
        )
        assert await killed.wait() == -signal.SIGKILL
        for table in ("release", "release_row", "rendering", "rendered_file", "rendered_chunk", "summary_edition"):
            assert await exporting.fetch(f"SELECT FROM {table} WHERE team_id = $1") == []
        assert await partner.offers() == []
    await triage(exporting, "release", "--as-at", CUT_OFF)
    assert await partner.rows("records/2025-Q1")
    assert await triage(exporting, "release", "--as-at", CUT_OFF) == ["0 released"]


async def test_what_cannot_be_frozen_fails_the_run_and_holds_back_nothing_else(
    exporting: ExportTeam, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise UnmappedCode("disposal", "issued_tomorrow")

    with monkeypatch.context() as patch:
        patch.setattr(records, "freeze", fail)
        done = await run(exporting, "release", "--as-at", CUT_OFF)
    assert done.exit_code == 1
    assert "could not be frozen: records 2025-Q1" in done.stderr
    assert "released tables 2025-Q1 edition 1" in done.stdout
    assert await triage(exporting, "release", "--as-at", CUT_OFF) == [
        "released records 2025-Q1 edition 1",
        "1 released",
    ]


async def test_an_administrator_signs_a_partner_up_releases_verifies_and_withdraws(exporting: ExportTeam) -> None:
    team = ["--team", str(exporting.team_id)]
    partner_id, token = await triage(exporting, "partner", "add", *team, "--name", "Trust", "--body", "health")
    agreed = ["partner", "agree", *team, partner_id, "--purpose", "Scrutiny", "--contact", "ig@trust.example"]
    assert "place_of_safety" not in await refused(exporting, *agreed, "--expires", "2020-01-01")
    assert "nonsense" in await refused(exporting, *agreed, "--expires", "2090-01-01", "--area", "nonsense")
    assert (await triage(exporting, *agreed, "--expires", "2090-01-01"))[1] == "releases rendered: 0"
    assert "in force" in await refused(exporting, *agreed, "--expires", "2090-01-01")
    assert "offset" in await refused(exporting, "release", "--as-at", "2025-07-29T05:00:00")
    released = await triage(exporting, "release", "--as-at", CUT_OFF)
    assert "released records 2025-Q1 edition 1" in released
    (second,) = await triage(exporting, "partner", "token", *team, partner_id)
    for secret in (token, second):
        assert await _client(exporting, partner_id, secret).rows("records/2025-Q1")
    verified = json.loads("\n".join(await triage(exporting, "release", "verify", "--json")))
    [records] = [verdict for verdict in verified if verdict["release"] == "records/2025-Q1/1"]
    assert (records["files"], records["verdict"]) == (5, "as frozen") and records["k_people"] >= 10
    whole = await triage(exporting, "verify")
    assert any("2 pulls verified" in line and line.endswith("whole") for line in whole)
    listed = "\n".join(await triage(exporting, "partner", "list", *team))
    assert "Trust" in listed
    assert token not in listed
    withdraw = ["release", "withdraw", *team, "records", "2025-Q1", "1", "--reason", "a test"]
    assert "Nothing was done" in await refused(exporting, *withdraw)
    assert "No partner can fetch" in (await triage(exporting, *withdraw, "--dry-run"))[0]
    assert await triage(exporting, *withdraw, "--yes") == ["withdrawn"]
    assert "no such release" in await refused(exporting, *withdraw, "--yes")
    assert (await _client(exporting, partner_id, token).get("/records/2025-Q1")).status_code == 404
    revoke = ("partner", "revoke", *team, partner_id)
    assert "every token and every agreement" in (await triage(exporting, *revoke, "--dry-run"))[0]
    assert (await _client(exporting, partner_id, token).get("")).status_code == 200
    await triage(exporting, *revoke, "--yes")
    assert (await _client(exporting, partner_id, token).get("")).status_code == 401


def _client(team: ExportTeam, partner_id: str, token: str) -> Partner:
    return Partner(team, UUID(partner_id), token)


async def test_verify_fails_when_the_ledger_was_changed(exporting: ExportTeam) -> None:
    partner = await exporting.partner()
    await exporting.release(datetime(2025, 7, 30, tzinfo=UTC))
    await partner.bytes("tables/2025-04")
    async with as_owner(exporting.running.url, exporting.team_id) as owner:
        await owner.execute("ALTER TABLE ledger DISABLE TRIGGER USER")
        await owner.execute("UPDATE ledger SET purpose = 'another' WHERE team_id = $1", exporting.team_id)
        assert (await verify_ledger(owner, exporting.team_id)).fault
    assert "not as written: pulls" in await refused(exporting, "verify")

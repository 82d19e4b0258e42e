"""`triage check` names what of an installation is wrong, and nothing that is right."""

import asyncio
import os
import re
import sys
from pathlib import Path

import asyncpg
import pytest
from support.installation import InstalledService
from support.logins import SERVICE, as_login

from triage.commands import check
from triage.people.encryption import load_or_create_root

pytestmark = pytest.mark.database


async def test_the_test_installation_shares_one_cluster_which_is_wrong(installation: InstalledService) -> None:
    said = await installation.triage("check", fails=True)
    assert "the key store lies in the main database's cluster" in said
    assert "synchronous_standby_names is empty" in said
    wrong = [line for line in said.splitlines() if line.startswith("wrong:")]
    assert len(wrong) == 1 + said.count("synchronous_commit is off")  # the test server trades that for speed


async def test_a_login_that_owns_the_tables_is_named(
    installation: InstalledService, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = installation.process.url
    said = await installation.triage("check", fails=True, TRIAGE_DATABASE_URL=owner)
    assert "owns tables or is a superuser" in said
    said = await installation.triage("check", fails=True, TRIAGE_OWNER_DATABASE_URL=as_login(owner, SERVICE))
    assert "does not own the tables: set TRIAGE_OWNER_DATABASE_URL" in said


async def test_missing_grants_a_missing_proxy_and_clocks_that_differ_are_named(
    installation: InstalledService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "MOST_SKEW_S", -1.0)
    url = as_login(installation.process.url, "granted_nothing")
    connection = await asyncpg.connect(installation.process.url)
    try:
        await connection.execute("CREATE ROLE granted_nothing LOGIN")
        said = await installation.triage(
            "check", fails=True, TRIAGE_DATABASE_URL=url, TRIAGE_PUBLIC_URL="https://t.test"
        )
    finally:
        await connection.execute("DROP ROLE granted_nothing")
        await connection.close()
    assert "wrong: GRANT triage_service, triage_auditor, triage_sealer TO granted_nothing is missing" in said
    assert "wrong: the public address is https, and TRIAGE_TRUSTED_PROXIES names no proxy" in said
    assert "wrong: the clocks of this machine and of the database differ" in said


async def test_a_root_secret_of_another_installation_or_none_is_named(
    installation: InstalledService, tmp_path: Path
) -> None:
    said = await installation.triage("check", fails=True, TRIAGE_ROOT_KEY_FILE=str(tmp_path / "none"))
    assert "there is no root secret" in said
    load_or_create_root(tmp_path / "other.key")
    said = await installation.triage("check", fails=True, TRIAGE_ROOT_KEY_FILE=str(tmp_path / "other.key"))
    assert re.search("wrong: .*root", said)


@pytest.mark.parametrize("command", ["serve", "jobs"])
async def test_nothing_that_is_reached_by_https_runs_with_its_keys_in_the_same_cluster(
    installation: InstalledService, command: str
) -> None:
    environ = os.environ | installation.environ | {"TRIAGE_PUBLIC_URL": "https://t.test", "TRIAGE_PORT": "0"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "triage", command), env=environ, stderr=asyncio.subprocess.PIPE
    )
    _, said = await process.communicate()
    assert process.returncode == 1
    assert "TRIAGE_KEYS_DATABASE_URL" in said.decode()


async def test_a_key_store_that_was_restored_is_noticed_by_the_exported_journal(installation: InstalledService) -> None:
    await installation.triage("backup", str(installation.data_dir / "main.dump"))
    connection = await asyncpg.connect(installation.keys_url)
    try:
        await connection.execute("ALTER TABLE keystore.journal DISABLE TRIGGER USER")
        await connection.execute("DELETE FROM keystore.journal WHERE n > 1")
    finally:
        await connection.close()
    assert "run `triage keys forget`" in await installation.triage("check", fails=True)

"""`triage check` names what of an installation is wrong, and nothing that is right."""

import asyncpg
import pytest
from support.installation import InstalledService
from support.logins import SERVICE, as_login

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


async def test_a_key_store_that_was_restored_is_noticed_by_the_exported_journal(installation: InstalledService) -> None:
    await installation.triage("backup", str(installation.data_dir / "main.dump"))
    connection = await asyncpg.connect(installation.keys_url)
    try:
        await connection.execute("ALTER TABLE keystore.journal DISABLE TRIGGER USER")
        await connection.execute("DELETE FROM keystore.journal WHERE n > 1")
    finally:
        await connection.close()
    assert "run `triage keys forget`" in await installation.triage("check", fails=True)

"""docs/operations.md is done as it is written: its statements make the logins, its commands run one after the other."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio
from click.testing import CliRunner

from triage.__main__ import main
from triage.embedded import EmbeddedPostgres

pytestmark = pytest.mark.database

PAGE = (Path(__file__).parents[2] / "docs/operations.md").read_text()
ON_MAIN, ON_KEYS = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)


@dataclass(slots=True)
class ScriptedSite:
    """Two clusters set up by the page."""

    environ: dict[str, str]
    directory: Path

    async def triage(self, *args: str, fails: bool = False) -> str:
        result = await asyncio.to_thread(CliRunner().invoke, main, args, env=self.environ)
        assert (result.exit_code != 0) == fails, (args, result.output, result.exception)
        return result.output


async def set_up(server: EmbeddedPostgres, statements: str) -> None:
    connection = await asyncpg.connect(server.url("postgres"))
    for statement in filter(None, map(str.strip, statements.split(";"))):  # a database is made outside of transactions
        await connection.execute(statement)
    await connection.close()


@pytest_asyncio.fixture
async def site(open_dir: Path) -> AsyncIterator[ScriptedSite]:
    async with AsyncExitStack() as stack:
        main_server, keys_server = EmbeddedPostgres(open_dir / "main"), EmbeddedPostgres(open_dir / "keys")
        for server, statements in ((main_server, ON_MAIN), (keys_server, ON_KEYS)):
            await asyncio.to_thread(server.start)
            stack.callback(server.stop)
            await set_up(server, statements)
        yield ScriptedSite(
            {
                "TRIAGE_DATABASE_URL": main_server.url("triage").replace("//triage@", "//triage_app@"),
                "TRIAGE_OWNER_DATABASE_URL": main_server.url("triage").replace("//triage@", "//triage_owner@"),
                "TRIAGE_KEYS_DATABASE_URL": keys_server.url("triage_keys").replace("//triage@", "//triage_keys@"),
                "TRIAGE_DATA_DIR": str(open_dir / "data"),
            },
            open_dir,
        )


async def test_the_page_can_be_followed(site: ScriptedSite) -> None:
    assert "run `triage migrate`" in await site.triage("verify", fails=True)
    await site.triage("migrate", "--create")
    assert "nothing is wrong" in await site.triage("check")
    team = (await site.triage("team", "add", "--name", "Followed")).split()[0]
    assert team in await site.triage("team", "list")
    lead = (await site.triage("staff", "add", "--name", "A Lead", "--role", "sergeant")).split()[0]
    assert "valid until" in await site.triage("enrol", lead)
    assert "disabled" in await site.triage("staff", "disable", lead)
    assert "person" in await site.triage("retention")
    backups = str(site.directory / "backups")
    Path(backups).mkdir()
    await site.triage("backup", backups)
    await site.triage("backup", "--keys", backups)
    assert "can be restored" in await site.triage("restore", "--rehearse", backups)
    await site.triage("verify")
    alerts = (Path(__file__).parents[2] / "deploy/prometheus/rules.yml").read_text()
    connection = await asyncpg.connect(site.environ["TRIAGE_OWNER_DATABASE_URL"])
    succeeded = {row["job"] for row in await connection.fetch("SELECT job FROM job_run WHERE succeeded_at IS NOT NULL")}
    await connection.close()
    assert set(re.findall(r'job_name="(\w+)"', alerts)) <= succeeded  # an alert on what nobody tells is never silent
    assert "is replaced by" in await site.triage("restore", "--dry-run", backups)
    assert "what was there is kept as" in await site.triage("restore", "--yes", backups)
    chains = json.loads(await site.triage("verify", "--json"))
    assert {chain["fault"] for chain in chains} == {None} and {chain["chain"] for chain in chains} >= {"entries"}
    assert "0 entries lost" in await site.triage("adopt", "--yes")
    assert "wrapped" in await site.triage("keys", "rotate")
    await site.triage("keys", "forget", "--yes")
    assert "there is no such record" in await site.triage(
        "erase", "--yes", "--team", team, "--by", "the page", "--incident", str(uuid4()), fails=True
    )
    await site.triage("check")

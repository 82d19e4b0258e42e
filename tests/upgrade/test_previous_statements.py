"""What the release before asks the database can be asked of this tree's schema: each of its statements is prepared."""

import re
import subprocess
from pathlib import Path

import asyncpg
import pytest
from support.logins import KEYS, as_login

from triage.store.statements import Statement

pytestmark = pytest.mark.database

TOP = Path(__file__).parents[2]
PREVIOUS = (TOP / "tests/upgrade/previous").read_text().strip()


def git(*args: str) -> str:
    return subprocess.run(["git", *args], cwd=TOP, check=True, capture_output=True, text=True).stdout


def previous_statements() -> list[Statement[None]]:
    statements: list[Statement[None]] = []
    for path in git("ls-tree", "-r", "--name-only", PREVIOUS, "sql/queries").split():
        _, *pieces = re.split(r"^-- name: (\w+)\n-- why: .+\n", git("show", f"{PREVIOUS}:{path}"), flags=re.MULTILINE)
        statements += [
            Statement(f"{Path(path).stem}.{name}", sql, None)
            for name, sql in zip(pieces[::2], pieces[1::2], strict=True)
        ]
    return statements


async def test_every_statement_of_the_release_before_can_be_prepared(db_url: str) -> None:
    statements = previous_statements()
    assert len(statements) > 200
    owner, keys = await asyncpg.connect(db_url), await asyncpg.connect(as_login(db_url, KEYS))
    refused = {}
    try:
        for statement in statements:
            try:
                await (keys if "keystore." in statement.sql else owner).prepare(statement.sql)
            except asyncpg.PostgresError as error:
                refused[statement.name] = str(error)
    finally:
        await owner.close()
        await keys.close()
    assert refused == {}

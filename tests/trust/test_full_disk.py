"""The disk of the database runs full: that is said at once, nothing acknowledged is lost, and it ends by itself."""

import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio
from support.phones import RunningService, entry, refused, running_service

from triage.embedded import EmbeddedPostgres
from triage.migrate import migrate
from triage.resources import folder
from triage.settings import DatabaseUrl
from triage.store.journal import Journal
from triage.store.recovery.history import join

pytestmark = pytest.mark.database


@pytest.fixture
def disk(open_dir: Path) -> Iterator[Path]:
    """A file system of 160 MB, which root alone may mount: tests/conftest.py collects this for nobody else."""
    mounted = open_dir / "disk"
    mounted.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=160m,mode=0711", "tmpfs", mounted], check=True)
    try:
        yield mounted
    finally:
        subprocess.run(["umount", "--lazy", mounted], check=True)


@pytest_asyncio.fixture
async def process(disk: Path, tmp_path: Path) -> AsyncIterator[RunningService]:
    server = EmbeddedPostgres(disk, durable=False)
    admin = await asyncpg.connect(server.start())
    await admin.execute("CREATE DATABASE triage")
    await admin.close()
    url = DatabaseUrl(server.url("triage"))
    connection = await asyncpg.connect(url)
    await migrate(connection, folder("sql") / "migrations")
    await migrate(connection, folder("sql") / "keys", "keystore")
    await join(connection, Journal.at(url))
    await connection.close()
    try:
        async with running_service(url, tmp_path, database_url=url, keys_database_url=url) as opened:
            yield opened
    finally:
        server.stop()


async def test_a_full_disk_is_said_and_ends_when_there_is_room(process: RunningService, disk: Path) -> None:
    crew = await process.enrol_crew()
    assert (await process.client.get("/health/ready")).status_code == 200
    filling = disk / "filling"
    with filling.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
        while True:
            file.write(bytes(4096))

    ready = await process.client.get("/health/ready")
    assert refused(ready) == (503, "not_ready")
    assert ready.json()["detail"] == "The disk of the database is full."
    bodies = [entry("officer", uuid4()) for _ in range(30)]
    answers = [await crew.officer.put(body) for body in bodies]
    assert {answer.status_code for answer in answers} <= {201, 503}
    assert refused(answers[-1]) == (503, "not_ready")
    assert (await process.client.get("/health/live")).status_code == 200

    filling.unlink()
    assert (await process.client.get("/health/ready")).status_code == 200
    again = [await crew.officer.put(body) for body in bodies]
    expected = [200 if answer.status_code == 201 else 201 for answer in answers]
    assert [answer.status_code for answer in again] == expected

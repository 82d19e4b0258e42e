"""The embedded server: one per data directory, stopped by its last user, never run by root."""

import os
import pwd
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import asyncpg
import pytest

from triage.embedded import EmbeddedPostgres, EmbeddedPostgresError

pytestmark = pytest.mark.database


async def ask(url: str, query: str) -> object:
    conn = await asyncpg.connect(url)
    try:
        return await conn.fetchval(query)
    finally:
        await conn.close()


def answers(data_dir: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(data_dir / "pg/.s.PGSQL.5432")) == 0


def test_a_directory_the_database_cannot_reach_is_refused_and_left_alone(open_dir: Path) -> None:
    closed = open_dir / "closed"
    closed.mkdir()
    closed.chmod(0o500)
    with pytest.raises(EmbeddedPostgresError if os.geteuid() == 0 else PermissionError, match="closed"):
        EmbeddedPostgres(closed / "data", durable=False).start()
    assert closed.stat().st_mode & 0o777 == 0o500


def test_a_wrong_binary_directory_is_refused_by_name(open_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIAGE_PG_BIN", str(open_dir))
    with pytest.raises(EmbeddedPostgresError, match="TRIAGE_PG_BIN"):
        EmbeddedPostgres(open_dir / "data", durable=False).start()


def test_a_cluster_of_another_version_is_refused(open_dir: Path) -> None:
    cluster = open_dir / "pg/data"
    cluster.mkdir(parents=True)
    (cluster / "PG_VERSION").write_text("9\n")
    with pytest.raises(EmbeddedPostgresError, match="made by PostgreSQL 9"):
        EmbeddedPostgres(open_dir, durable=False).start()


async def test_the_last_user_stops_the_server_and_the_data_outlives_it(open_dir: Path) -> None:
    data_dir = open_dir / "new/data"
    first, second = EmbeddedPostgres(data_dir), EmbeddedPostgres(data_dir)
    await ask(first.start(), "CREATE TABLE kept (id int)")
    second.start()
    assert not first.stop()
    assert answers(data_dir)
    assert second.stop()
    assert not answers(data_dir)

    again = EmbeddedPostgres(data_dir)
    url = again.start()
    try:
        assert await ask(url, "SELECT count(*) FROM kept") == 0
        assert await ask(url, "SHOW fsync") == "on"
        assert await ask(url, "SHOW listen_addresses") == ""
        assert await ask(url, "SHOW timezone") == "UTC"
        assert await ask(url, "SHOW server_encoding") == "UTF8"
    finally:
        again.stop()


async def test_the_server_does_not_run_as_root_and_its_door_is_closed_to_others(open_dir: Path) -> None:
    server = EmbeddedPostgres(open_dir, durable=False)
    url = server.start()
    try:
        account = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else os.geteuid()
        backend = await ask(url, "SELECT pg_read_file('/proc/self/status')")
        assert f"Uid:\t{account}\t" in str(backend)
        assert (open_dir / "pg").stat().st_mode & 0o777 == 0o700
        assert (open_dir / "pg/.s.PGSQL.5432").stat().st_mode & 0o777 == 0o700
    finally:
        server.stop()


def test_processes_that_start_at_once_share_one_server(open_dir: Path) -> None:
    servers = [EmbeddedPostgres(open_dir, durable=False) for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        assert len({*threads.map(EmbeddedPostgres.start, servers)}) == 1
        assert sorted(threads.map(EmbeddedPostgres.stop, servers)) == [False, False, False, True]


def test_a_killed_user_does_not_keep_the_server_running(open_dir: Path) -> None:
    program = (
        "import sys, pathlib, triage.embedded as e\n"
        "e.EmbeddedPostgres(pathlib.Path(sys.argv[1]), durable=False).start()\n"
        "print('up', flush=True); sys.stdin.read()"
    )
    killed = subprocess.Popen(
        [sys.executable, "-c", program, str(open_dir)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with killed:
        assert killed.stdout
        while killed.stdout.readline() != "up\n":
            assert killed.poll() is None
        killed.send_signal(signal.SIGKILL)
    assert answers(open_dir)
    survivor = EmbeddedPostgres(open_dir, durable=False)
    survivor.start()
    assert survivor.stop()
    assert not answers(open_dir)


@pytest.mark.parametrize("name", ["deep/" * 40 + "data", "with space, 'quote' and comma"])
async def test_a_path_that_no_socket_can_have_works(open_dir: Path, name: str) -> None:
    server = EmbeddedPostgres(open_dir / name, durable=False)
    url = server.start()
    socket_dir = Path(url.split("host=")[1].split("&")[0])
    try:
        assert await ask(url, "SHOW fsync") == "off"
        assert socket_dir.stat().st_mode & 0o777 == 0o700
    finally:
        server.stop()
    assert not socket_dir.exists()

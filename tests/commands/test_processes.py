"""`triage serve` and `triage demo` as processes: what is wrong is said at once, and nothing is left behind."""

import asyncio
import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from triage.commands.server import server_config
from triage.settings import Networks, Settings

SOON = 60.0
"""Seconds in which a demo of a few days must have started, on a machine under load."""
DEMO = ("demo", "--months", "0.1", "--per-day", "0.5", "--port", "0")


@pytest.fixture(autouse=True)
def hangup_is_default() -> Iterator[None]:
    """Commands start with the default action of SIGHUP, also where nohup started the tests.

    What a process ignores is ignored by its children too; what it handles is not.
    """
    before = signal.signal(signal.SIGHUP, lambda *_: None)
    yield
    signal.signal(signal.SIGHUP, before)


@contextlib.contextmanager
def triage(*args: str, **environ: str) -> Iterator[subprocess.Popen[str]]:
    """A command as a process of its own, which is killed should it be left."""
    bare = {name: value for name, value in os.environ.items() if not name.startswith("TRIAGE_")}
    command = [sys.executable, "-m", "triage", *args]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, env=bare | environ, text=True, **pipes) as process:
        try:
            yield process
        finally:
            process.kill()


def last_words(process: subprocess.Popen[str]) -> str:
    assert process.stderr
    assert process.wait(SOON) != 0
    return process.stderr.read().splitlines()[-1]


def read_until(process: subprocess.Popen[str], text: str) -> str:
    """What the process printed, up to a line with this text."""
    assert process.stdout
    printed = ""
    for line in process.stdout:
        printed += line
        if text in line:
            return printed
    raise AssertionError(printed)


def is_left(data_dir: Path) -> bool:
    """Whether a database server still runs on the directory."""
    return (data_dir / "pg/data/postmaster.pid").exists()


@pytest.mark.parametrize("command", ["serve", "demo"])
def test_a_port_that_is_taken_is_said_before_anything_is_made(command: str, open_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with triage(command, "--port", port, "--data-dir", str(open_dir / "new")) as process:
            assert f"cannot listen on 127.0.0.1 port {port}" in last_words(process)
    assert not (open_dir / "new").exists()


def test_a_second_demo_in_one_directory_is_refused_and_changes_nothing(open_dir: Path) -> None:
    (open_dir / "demo.json").write_text("of the first")
    with (open_dir / "demo.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with triage(*DEMO, "--data-dir", str(open_dir)) as process:
            assert "a demo runs in" in last_words(process)
    assert (open_dir / "demo.json").read_text() == "of the first"
    assert not (open_dir / "pg").exists()


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_a_demo_that_is_stopped_leaves_nothing_running(open_dir: Path, number: signal.Signals) -> None:
    with triage(*DEMO, "--data-dir", str(open_dir)) as process:
        printed = read_until(process, "Ctrl-C")
        assert is_left(open_dir)
        process.send_signal(number)
        process.send_signal(number)  # Ctrl-C under `uv run` arrives twice
        assert process.wait(10) == 0
    assert not is_left(open_dir)
    data = json.loads((open_dir / "demo.json").read_text())
    assert all(token in printed for token in data["tokens"].values()) and data["url"] in printed


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_jobs_and_other_commands_that_are_stopped_leave_nothing_running(open_dir: Path, number: signal.Signals) -> None:
    at = ("--data-dir", str(open_dir))
    with triage("migrate", "--create", *at) as process:
        assert process.wait(SOON) == 0
    for command, ends_with in (("jobs", 0), ("verify", 1)):
        with triage(command, *at) as process:
            while not is_left(open_dir):
                assert process.poll() is None
            process.send_signal(number)
            process.send_signal(number)
            assert process.wait(SOON) == ends_with
        assert not is_left(open_dir)


def test_sigint_stops_a_command_that_a_shell_started_in_the_background(open_dir: Path) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a shell does for what ends in &
    try:
        with triage(*DEMO, "--data-dir", str(open_dir)) as process:
            while not is_left(open_dir):
                assert process.poll() is None
            process.send_signal(signal.SIGINT)
            process.wait(SOON)
    finally:
        signal.signal(signal.SIGINT, before)
    assert not is_left(open_dir)


def test_a_command_that_nohup_started_outlives_its_terminal(open_dir: Path) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does before it starts a command
    with triage("migrate", "--create", "--data-dir", str(open_dir)) as process:
        while not is_left(open_dir):
            assert process.poll() is None
        process.send_signal(signal.SIGHUP)
        assert process.wait(SOON) == 0
    assert not is_left(open_dir)


def test_a_demo_that_is_stopped_while_it_starts_leaves_nothing_running(open_dir: Path) -> None:
    with triage(*DEMO, "--data-dir", str(open_dir)) as process:
        while not is_left(open_dir):
            assert process.poll() is None
        process.terminate()
        assert process.wait(SOON) == 0
    assert not is_left(open_dir)


def test_a_demo_whose_reader_has_gone_leaves_nothing_running(open_dir: Path) -> None:
    with triage(*DEMO, "--data-dir", str(open_dir)) as process:
        assert process.stdout
        process.stdout.close()
        assert process.wait(SOON) == 1
    assert not is_left(open_dir)


def test_the_demos_links_and_the_root_lead_a_browser_to_pages(open_dir: Path) -> None:
    with triage(*DEMO, "--data-dir", str(open_dir)) as process:
        printed = read_until(process, "Ctrl-C")
        url = json.loads((open_dir / "demo.json").read_text())["url"]
        links = [word for word in printed.split() if word.startswith(f"{url}/") and "code=" in word]
        assert len(links) == 5
        with httpx.Client(follow_redirects=True, headers={"accept": "text/html"}) as browser:
            for address in (url, *links):
                answer = browser.get(address)
                assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/html"), address
            code = links[0].partition("code=")[2]
            assert f'value="{code}"' in browser.get(links[0]).text
        process.terminate()
        assert process.wait(10) == 0


async def address_seen(chosen: Settings, peer: str, forwarded: str) -> str:
    """The address that the service sees behind its server."""
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["client"][0])

    async def nothing(*_: object) -> Any:
        await asyncio.Event().wait()

    config = server_config(app, chosen)
    config.load()
    headers = [(b"x-forwarded-for", forwarded.encode())]
    await config.loaded_app(
        {"type": "http", "client": (peer, 1), "scheme": "http", "headers": headers}, nothing, nothing
    )
    return seen[0]


async def test_addresses_are_believed_from_trusted_proxies_alone() -> None:
    proxied = Settings(trusted_proxies=Networks("10.0.0.0/8"))
    assert await address_seen(Settings(), "127.0.0.1", "203.0.113.9") == "127.0.0.1"
    assert await address_seen(proxied, "127.0.0.1", "203.0.113.9") == "127.0.0.1"
    assert await address_seen(proxied, "10.1.2.3", "203.0.113.9") == "203.0.113.9"
    # what the client itself put into the header stands to the left of what the proxy added
    assert await address_seen(proxied, "10.1.2.3", "198.51.100.1, 203.0.113.9") == "203.0.113.9"


def test_the_readmes_tour_does_what_it_says(open_dir: Path) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    tour = readme.split("## A tour with curl")[1].split("\n## ")[0]
    blocks = re.findall(r"```sh\n(.*?)```", tour, re.DOTALL)
    script = "".join(blocks[:-1]).replace("DEMO=/var/lib/triage/demo.json", f"DEMO={open_dir}/demo.json")
    with triage(*DEMO, "--data-dir", str(open_dir)) as process:
        read_until(process, "Ctrl-C")
        tours = [toured(shell, script) for shell in ("bash", "zsh") if shutil.which(shell)]
        process.terminate()
        assert process.wait(10) == 0
    assert tours
    for printed in tours:
        check_tour(printed)


def toured(shell: str, script: str) -> str:
    """What the tour printed in a shell that stops at the first fault."""
    done = subprocess.run([shell, "-eu", "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def check_tour(printed: str) -> None:
    enrolled, stored, again, conflict, synced, incident, summaries, releases = map(json.loads, printed.splitlines())
    assert enrolled["token"] and stored["status"] == "stored" and again["status"] == "duplicate"
    assert (conflict["status"], [error["field"] for error in conflict["errors"]]) == (409, ["sex"])
    assert synced["counts"]["stored"] == 1 and incident["outcome"]["disposal"] == "community_follow_up"
    assert "summaries" in summaries and "releases" in releases

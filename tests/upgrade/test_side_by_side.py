"""The release before and this tree on one database: each reads what the other writes, no phone notices the change.

`tests/upgrade/previous` names that release; it is taken from the history into an environment of its own.
"""

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from support.cast import Json
from support.logins import KEYS, SERVICE, as_login
from support.phones import entry

pytestmark = pytest.mark.database

TOP = Path(__file__).parents[2]
PREVIOUS = (TOP / "tests/upgrade/previous").read_text().strip()
OFFICERS = ("officer", "intent", "outcome", "detention", "follow_up")
"""The kinds of entry that an officer writes; each is written by either program and read by the other."""
READY_S = 60


@dataclass(slots=True)
class Program:
    """A version of `triage`, as a command in its own environment."""

    command: list[str]
    environ: dict[str, str]

    def run(self, *args: str) -> str:
        done = subprocess.run([*self.command, *args], env=self.environ, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, (args, done.stdout, done.stderr)
        return done.stdout.strip()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """One process that serves; its address. Its jobs do not run: what they do is no matter of phones."""
        process = await asyncio.create_subprocess_exec(
            *self.command, "serve", "--without-jobs", env=self.environ, stderr=asyncio.subprocess.PIPE
        )
        try:
            assert process.stderr
            async with asyncio.timeout(READY_S):
                async for line in process.stderr:
                    said = json.loads(line) if line.startswith(b"{") else {}
                    if said.get("event") == "listening":
                        break
                else:
                    raise AssertionError("the program did not start")
            draining = asyncio.create_task(process.stderr.read())
            yield said["url"]
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            await process.wait()
        await draining


@dataclass(slots=True)
class SteadyLoad:
    """Phones that send without a pause, in turn to each address; what they were answered."""

    token: str
    addresses: list[str]
    answers: Counter[int] = field(default_factory=Counter)
    stored: list[str] = field(default_factory=list)
    not_ready: int = 0

    async def run(self) -> None:
        async with httpx.AsyncClient(timeout=15) as client:
            n = 0
            while True:
                n += 1
                address = self.addresses[n % len(self.addresses)]
                body = entry("outcome", uuid4())
                try:
                    answer = await put(client, address, self.token, body)
                    self.not_ready += (await client.get(f"{address}/health/ready")).status_code != 200
                except httpx.TransportError:
                    assert address not in self.addresses  # a proxy has been told that it goes
                    continue
                self.answers[answer.status_code] += 1
                if answer.status_code == 201:
                    self.stored.append(body["id"])


async def put(client: httpx.AsyncClient, address: str, token: str, body: Json) -> httpx.Response:
    content = {name: value for name, value in body.items() if name != "id"}
    return await client.put(f"{address}/v1/entries/{body['id']}", json=content, headers=bearer(token))


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


@pytest.fixture(scope="module")
def previous_tree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The tree of the release before, with an environment of its own."""
    tree = tmp_path_factory.mktemp("previous")
    archive = subprocess.run(["git", "archive", PREVIOUS], cwd=TOP, check=True, capture_output=True)
    subprocess.run(["tar", "-x", "-C", str(tree)], input=archive.stdout, check=True)
    uv = shutil.which("uv")
    assert uv, "uv makes the environment of the release before"
    environ = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    subprocess.run(
        [uv, "sync", "-q", "--no-default-groups", "--python", sys.executable], cwd=tree, env=environ, check=True
    )
    yield tree


async def crossed(client: httpx.AsyncClient, token: str, writer: str, reader: str) -> None:
    """Each kind of entry, written by one program and read by the other."""
    incident = uuid4()
    for kind in OFFICERS:
        answer = await put(client, writer, token, entry(kind, incident))
        assert answer.status_code == 201, (kind, answer.text)
    for path in (f"/v1/incidents/{incident}", f"/v1/incidents/{incident}/entries"):
        written, read = [await client.get(at + path, headers=bearer(token)) for at in (writer, reader)]
        assert (written.status_code, read.status_code) == (200, 200), (path, read.text)
    assert [entry["kind"] for entry in read.json()["entries"]] == list(OFFICERS)
    assert str(incident) in await pulled(client, token, reader)


async def pulled(client: httpx.AsyncClient, token: str, address: str) -> set[str]:
    """The incidents that a phone gets that holds nothing yet."""
    pulled: set[str] = set()
    answer: Json = {"cursor": None, "more": True}
    while answer["more"]:
        request = {"cursor": answer["cursor"], "sent_at": datetime.now(UTC).isoformat(), "entries": []}
        answer = (await client.post(f"{address}/v1/sync", json=request, headers=bearer(token))).json()
        pulled |= {incident["id"] for incident in answer["incidents"]}
    return pulled


@pytest.mark.timeout(900)
async def test_old_and_new_side_by_side(
    previous_tree: Path, template: str, empty_urls: tuple[str, str], tmp_path: Path
) -> None:
    main_url, keys_url = empty_urls
    logins = {
        "TRIAGE_DATABASE_URL": as_login(main_url, SERVICE),
        "TRIAGE_OWNER_DATABASE_URL": main_url,
        "TRIAGE_KEYS_DATABASE_URL": as_login(keys_url, KEYS),
        "TRIAGE_DATA_DIR": str(tmp_path),
        "TRIAGE_PORT": "0",
    }
    environ = {name: value for name, value in os.environ.items() if not name.startswith("TRIAGE_")} | logins
    old = Program([str(previous_tree / ".venv/bin/triage")], environ)
    new = Program([sys.executable, "-m", "triage"], environ)

    old.run("migrate", "--create")
    team = old.run("team", "add", "--name", "Side by side").split()[-1]
    officer = old.run("staff", "add", "--team", team, "--name", "Officer", "--role", "officer").split()[-1]
    code = old.run("enrol", "--team", team, officer).split()[0]
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(httpx.AsyncClient(timeout=15))
        old_stack = await stack.enter_async_context(AsyncExitStack())
        addresses = [await old_stack.enter_async_context(old.serving()) for _ in range(2)]
        enrolled = await client.post(f"{addresses[0]}/v1/devices", json={"code": code, "name": "phone"})
        assert enrolled.status_code == 201, enrolled.text
        load = SteadyLoad(enrolled.json()["token"], list(addresses))
        running = asyncio.create_task(load.run())
        await asyncio.to_thread(new.run, "migrate")
        async with new.serving() as newer:
            load.addresses.append(newer)
            await crossed(client, load.token, addresses[0], newer)
            await crossed(client, load.token, newer, addresses[0])
            load.addresses[:] = [newer]
            await old_stack.aclose()  # the old ones go
            await crossed(client, load.token, newer, newer)
            async with old.serving() as rolled_back:  # and one comes back, on the newer database
                load.addresses[:] = [rolled_back]
                await crossed(client, load.token, newer, rolled_back)
                await crossed(client, load.token, rolled_back, newer)
                assert not running.done(), running.exception()
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
                ids = load.stored[-5_000:]
                held = await client.post(f"{newer}/v1/sync/held", json={"ids": ids}, headers=bearer(load.token))
                assert held.json()["missing"] == []
    assert load.not_ready == 0
    assert set(load.answers) <= {201, 503}, load.answers
    assert load.answers[503] < 0.01 * load.answers.total()
    assert len(set(load.stored)) == len(load.stored) > 50
    for program in (old, new):
        assert "whole" in program.run("verify")

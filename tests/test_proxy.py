"""nginx as deploy/ has it, before two processes: which request it tries again, how long it waits, and what it says."""

import asyncio
import contextlib
import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import msgspec
import pytest
import pytest_asyncio

from triage.http.admission import ANSWER_WITHIN_S
from triage.problems import NOT_READY, Problem, Refused
from triage.settings import Settings

DEPLOY = Path(__file__).parents[1] / "deploy"
PATIENCE_S = 0.4
"""What of the 8.5 s is waited for here."""
Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, status: int = 200) -> None:
    writer.write(b"HTTP/1.1 %d Told\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok" % status)


async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await answer(reader, writer, 503)


async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """As a process that is stopped: its kernel takes the connection."""
    await reader.read()  # until the proxy hangs up


async def stream_slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """With a pause that is longer than the patience."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n")
    await writer.drain()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(2 * PATIENCE_S):
            await reader.read()
    writer.write(b"ok")


@dataclass(slots=True)
class FakeProcess:
    """One of the two behind the proxy, and what it was asked."""

    port: int
    behave: Behaviour = answer
    asked: list[tuple[str, int]] = field(default_factory=list)
    """The request line of each, and the length of its body."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = re.search(r"content-length: (\d+)", head, re.IGNORECASE)
            body = await reader.readexactly(int(length[1]) if length else 0)
            self.asked.append((head.split(" HTTP")[0], len(body)))
            await self.behave(reader, writer)
            await writer.drain()
        writer.close()


@dataclass(frozen=True, slots=True)
class Proxied:
    """The proxy's client and the two processes; the first one of a test is asked first."""

    client: httpx.AsyncClient
    processes: tuple[FakeProcess, FakeProcess]

    @property
    def asked(self) -> list[tuple[str, int]]:
        return [asked for process in self.processes for asked in process.asked]


def free_ports(n: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(n)]
        for taken in sockets:
            taken.bind(("127.0.0.1", 0))
        return [taken.getsockname()[1] for taken in sockets]


def configure(folder: Path, ports: list[int]) -> None:
    """`deploy/nginx` with ports of its own, less patience, and nothing outside of its folder."""
    shutil.copytree(DEPLOY / "nginx", folder)
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=127.0.0.1"]
    files = ["-keyout", str(folder / "tls.key"), "-out", str(folder / "tls.crt")]
    name = ["-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*request, *name, *files], check=True, capture_output=True)
    plain, tls, first, second = ports
    changes = {
        "/etc/nginx/tls": str(folder),
        "/run/nginx.pid": f"{folder}/pid",
        "listen 80;": f"listen 127.0.0.1:{plain};",
        "listen 443": f"listen 127.0.0.1:{tls}",
        "127.0.0.1:8001": f"127.0.0.1:{first}",
        "127.0.0.1:8002": f"127.0.0.1:{second}",
        "proxy_read_timeout 8500ms": f"proxy_read_timeout {PATIENCE_S * 1000:.0f}ms",
        "http {": "http {" + "".join(f"{of}_temp_path {folder}/{of};" for of in TEMPORARY),
    }
    text = (folder / "nginx.conf").read_text()
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    (folder / "nginx.conf").write_text(text)


TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


async def listening(port: int, master: subprocess.Popen[bytes]) -> None:
    while master.poll() is None:
        with contextlib.suppress(ConnectionError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
    raise AssertionError("nginx did not start")


@pytest_asyncio.fixture
async def proxied(open_dir: Path) -> AsyncIterator[Proxied]:
    folder, ports = open_dir / "nginx", free_ports(4)
    configure(folder, ports)
    processes = FakeProcess(ports[2]), FakeProcess(ports[3])
    async with contextlib.AsyncExitStack() as stack:
        for process in processes:
            server = await asyncio.start_server(process.serve, "127.0.0.1", process.port)
            stack.callback(server.close)
        nginx = shutil.which("nginx") or "/usr/sbin/nginx"
        said = stack.enter_context((folder / "said").open("wb"))
        master = subprocess.Popen(
            (nginx, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-g", "daemon off;"), stderr=said
        )
        stack.callback(master.wait)
        stack.callback(master.terminate)
        await listening(ports[1], master)
        trust = ssl.create_default_context(cafile=str(folder / "tls.crt"))
        client = httpx.AsyncClient(base_url=f"https://127.0.0.1:{ports[1]}", verify=trust, timeout=20)
        yield Proxied(await stack.enter_async_context(client), processes)


def test_the_proxy_waits_as_long_as_the_service_takes_and_no_phone_longer_than_ten_seconds() -> None:
    text = "".join((DEPLOY / "nginx" / name).read_text() for name in ("nginx.conf", "to_triage.conf"))
    [connect] = re.findall(r"proxy_connect_timeout (\d+)s;", text)
    [trying] = re.findall(r"proxy_next_upstream_timeout (\d+)ms;", text)
    silent, long = (float(number) for number in re.findall(r"proxy_read_timeout (\d+)m?s;", text))
    assert silent / 1000 > ANSWER_WITHIN_S
    assert ANSWER_WITHIN_S + int(trying) / 1000 < 10
    assert int(connect) + silent / 1000 < 10
    assert long > 60  # as `answers_within_s`
    assert f"client_body_timeout {Settings().client_timeout_s:.0f}s;" in text


def test_compose_has_the_same_proxy() -> None:
    addresses = re.compile(r"(?: +server (?:127\.0\.0\.1|serve):80\d\d .*\n)+")
    proxies = [(DEPLOY / name / "nginx.conf").read_text() for name in ("nginx", "compose")]
    ours, theirs = (addresses.sub("", text).replace("/etc/nginx/to_triage", "to_triage") for text in proxies)
    assert ours == theirs


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/incidents"), ("PUT", "/v1/entries/x"), ("POST", "/v1/sync"), ("POST", "/v1/enrolments")],
)
async def test_processes_that_say_nothing_are_a_503_of_the_service(proxied: Proxied, method: str, path: str) -> None:
    for process in proxied.processes:
        process.behave = say_nothing
    told = await proxied.client.request(method, path)
    assert told.headers["content-type"] == "application/problem+json"
    assert int(told.headers["retry-after"]) >= 1
    said = "No process of the service answers."
    assert msgspec.json.decode(told.content, type=Problem) == Refused(NOT_READY, said).problem
    assert told.status_code == 503
    assert len(proxied.asked) == 1 or told.elapsed.total_seconds() < 1.5  # none that was silent is tried for long


@pytest.mark.parametrize(
    ("method", "path", "repeated"),
    [
        ("GET", "/v1/incidents", True),
        ("PUT", "/v1/entries/x", True),
        ("POST", "/v1/sync", True),
        ("POST", "/v1/enrolments", False),
        ("POST", "/v1/people", False),
    ],
)
async def test_what_may_be_repeated_is_tried_at_the_other_process(
    proxied: Proxied, method: str, path: str, repeated: bool
) -> None:
    proxied.processes[0].behave = refuse
    statuses = {(await proxied.client.request(method, path)).status_code for _ in range(4)}
    assert statuses == ({200} if repeated else {200, 503})
    asked = [len(process.asked) for process in proxied.processes]
    assert asked == ([2, 4] if repeated else [2, 2])


@pytest.mark.parametrize(
    "path", ["/v1/exports/records/2026-Q1/files/records.csv", "/v1/audit", "/v1/summaries/yearly/2025"]
)
async def test_a_stream_may_pause_for_longer(proxied: Proxied, path: str) -> None:
    for process in proxied.processes:
        process.behave = stream_slowly
    assert (await proxied.client.get(path)).text == "ok"


async def test_a_body_above_the_services_limit_reaches_it(proxied: Proxied) -> None:
    """So that a phone gets its problem document."""
    told = await proxied.client.post("/v1/sync", content=b"x" * 3 * 1024 * 1024)
    assert (told.status_code, proxied.asked) == (200, [("POST /v1/sync", 3 * 1024 * 1024)])


async def test_the_metrics_are_not_for_the_world(proxied: Proxied) -> None:
    assert (await proxied.client.get("/metrics")).status_code == 404
    assert proxied.asked == []

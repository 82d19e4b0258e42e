"""Clients that say nothing, or little, or too much, on a socket: none of them holds what others need."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
import uvicorn
from msgspec import structs
from support.phones import Crew, Phone, RunningService

from triage.commands.server import server_config

SILENT_S = 0.6
HEADERS_S = 0.4
ENOUGH_S = 20


@contextlib.asynccontextmanager
async def served(service: RunningService, client_timeout_s: float, header_timeout_s: float) -> AsyncIterator[int]:
    """The port on which uvicorn serves this process with this patience."""
    settings = structs.replace(
        service.service.settings, client_timeout_s=client_timeout_s, header_timeout_s=header_timeout_s
    )
    config = server_config(service.client._transport.app, settings)  # type: ignore[attr-defined]
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    server.servers = [await asyncio.get_running_loop().create_server(
        lambda: config.http_protocol_class(config=config, server_state=server.server_state, app_state={}),  # type: ignore[call-arg]
        "127.0.0.1", 0,
    )]  # fmt: skip
    yield server.servers[0].sockets[0].getsockname()[1]
    server.servers[0].close()
    for connection in list(server.server_state.connections):
        connection.transport.abort()


@pytest_asyncio.fixture(scope="module")
async def port(service: RunningService) -> AsyncIterator[int]:
    async with served(service, SILENT_S, HEADERS_S) as port:
        yield port


@pytest_asyncio.fixture(scope="module")
async def patient(service: RunningService) -> AsyncIterator[int]:
    async with served(service, 30, 10) as port:
        yield port


def sync_of(phone: Phone, body: bytes, length: int | None = None) -> bytes:
    """A sync as bytes; its body may be shorter than it says."""
    lines = (
        b"POST /v1/sync HTTP/1.1",
        b"Host: t",
        b"Authorization: Bearer " + phone.token.encode(),
        b"Content-Type: application/json",
        b"Content-Length: %d" % (len(body) if length is None else length),
    )
    return b"\r\n".join([*lines, b"", b""]) + body


async def told(reader: asyncio.StreamReader) -> tuple[int, str]:
    """Status and code of everything that is answered until the connection ends; 0 where nothing is."""
    async with asyncio.timeout(ENOUGH_S):
        answer = await reader.read()
    if not answer:
        return 0, ""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head and b"connection: close" in head
    return int(head.split(b" ")[1]), json.loads(body)["code"]


async def test_a_connection_that_asks_nothing_is_closed(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    assert await told(reader) == (0, "")
    writer.close()


async def test_blank_lines_are_no_request(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def trickle() -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                writer.write(b"\r\n")
                await writer.drain()
                await asyncio.sleep(SILENT_S / 10)

    trickling = asyncio.create_task(trickle())
    assert await told(reader) == (0, "")
    trickling.cancel()
    writer.close()


@pytest.mark.parametrize(
    "begun", [b"G", b"GET /v1/me HTTP/1.1\r\nHost: t\r\n", b"GET /v1/me HTTP/1.1\r\nX: " + b"a" * 999]
)
async def test_headers_that_do_not_end_are_cut(port: int, begun: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(begun)
    assert await told(reader) == (408, "headers_timeout")
    writer.close()


@pytest.mark.parametrize(
    "headers",
    [
        b"GET /health/live HTTP/1.1\r\nHost: t\r\nX: " + b"a" * 33_000 + b"\r\n\r\n",
        b"GET /health/live HTTP/1.1\r\nHost: t\r\n" + b"X: y\r\n" * 9_000 + b"\r\n",
        b"GET /health/live?" + b"a" * 33_000 + b" HTTP/1.1\r\nHost: t\r\n\r\n",
        b"GET /health/live HTTP/1.1\r\nHost: t\r\nX: " + b"a" * 1_000_000,
    ],
    ids=["one", "many", "address", "without end"],
)
async def test_headers_over_32_kib_are_431(patient: int, headers: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", patient)
    writer.write(headers)
    assert await told(reader) == (431, "headers_too_large")
    writer.close()


async def test_headers_of_31_kib_before_a_large_body_are_taken(patient: int, crew: Crew) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", patient)
    request = sync_of(crew.officer, b"{}" + b" " * 100_000)
    writer.write(request.replace(b"Host: t", b"Connection: close\r\nX: " + b"a" * 31_000 + b"\r\nHost: t", 1))
    answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 200 ")
    writer.close()


async def test_a_body_that_stops_is_408_and_nothing_of_it_is_kept(port: int, crew: Crew) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sync_of(crew.officer, b'{"entries": [', 1000))
    assert await told(reader) == (408, "body_timeout")
    writer.close()
    assert await crew.fetch("SELECT 1 FROM quarantine WHERE team_id = $1") == []
    assert await crew.fetch("SELECT 1 FROM audit WHERE team_id = $1 AND operation = 'refusal'") == []


async def test_a_body_that_trickles_is_408_however_often_a_byte_comes(port: int, crew: Crew) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sync_of(crew.officer, b"", 100_000))

    async def trickle() -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(SILENT_S / 10)

    trickling = asyncio.create_task(trickle())
    assert await told(reader) == (408, "body_timeout")
    trickling.cancel()
    writer.close()


async def test_what_is_no_http_is_a_problem_document_too(patient: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", patient)
    writer.write(b"\x16\x03\x01 hello\r\n\r\n")
    assert await told(reader) == (400, "not_http")
    writer.close()


@pytest.mark.parametrize("revoked", [False, True])
async def test_sixty_four_silent_phones_hold_nobody_up(patient: int, crew: Crew, revoked: bool) -> None:
    """As many as the service takes syncs at once, each with half a body, as cars that have lost coverage."""
    assert crew.officer.service.settings.sync_at_once == 64
    if revoked:
        await crew.sergeant.delete(f"/v1/devices/{crew.other_officer.device_id}")
    silent = [await asyncio.open_connection("127.0.0.1", patient) for _ in range(70)]
    for _, writer in silent:
        writer.write(sync_of(crew.other_officer, b'{"entries": [', 1000))
        await writer.drain()
    reader, writer = await asyncio.open_connection("127.0.0.1", patient)
    writer.write(sync_of(crew.nurse, b"{}").replace(b"Host: t", b"Connection: close\r\nHost: t", 1))
    async with asyncio.timeout(ENOUGH_S):
        assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
    for _, connection_writer in [(reader, writer), *silent]:
        connection_writer.close()


async def test_an_answer_that_is_not_read_is_given_up(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
    request = b"GET /openapi.json HTTP/1.1\r\nHost: t\r\n\r\n"
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(ENOUGH_S):
            while True:  # until the service closes
                writer.write(request * 20)
                await writer.drain()
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(ENOUGH_S):
            while await reader.read(65536):
                pass
    writer.close()

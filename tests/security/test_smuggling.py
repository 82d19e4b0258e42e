"""Request smuggling: whatever two readers could take apart differently is refused, and what follows is never read.

On a socket, with the server that the program runs: a proxy in front sees one request, so there must be one here.
"""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
import uvicorn
from support.phones import RunningService

HIDDEN = b"GET /health/live HTTP/1.1\r\nHost: t\r\n\r\n"
"""The request that nobody in front has seen."""


@pytest_asyncio.fixture(scope="module")
async def port(service: RunningService) -> AsyncIterator[int]:
    config = uvicorn.Config(service.client._transport.app, port=0, lifespan="off", log_config=None)  # type: ignore[attr-defined]
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    yield server.servers[0].sockets[0].getsockname()[1]
    server.force_exit = True
    await server.shutdown()


async def sent(port: int, raw: bytes) -> list[int]:
    """The status of every answer to these bytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(raw)
    writer.write_eof()
    told = await reader.read()
    writer.close()
    return [int(part.split(b" ", 1)[0]) for part in told.split(b"HTTP/1.1 ")[1:]]


def post(*headers: bytes, body: bytes = b"") -> bytes:
    return b"\r\n".join([b"POST /v1/devices HTTP/1.1", b"Host: t", *headers, b"", b""]) + body


async def test_two_requests_that_anybody_sees_are_two(port: int) -> None:
    assert await sent(port, HIDDEN + HIDDEN) == [200, 200]
    assert await sent(port, post(b"Content-Type: application/json", b"Content-Length: 0", body=HIDDEN)) == [400, 200]


@pytest.mark.parametrize(
    "headers",
    [
        (b"Content-Length: 0", b"Transfer-Encoding: chunked"),
        (b"Transfer-Encoding: chunked", b"Content-Length: 5"),
        (b"Content-Length: 0", b"Content-Length: 38"),
        (b"Content-Length: 0, 38",),
        (b"Content-Length: +0",),
        (b"Content-Length: 0x0",),
        (b"Content-Length : 0",),
        (b"Transfer-Encoding: chunked, identity",),
        (b"Transfer-Encoding: xchunked",),
        (b"X: 1\nContent-Length: 0",),
        (b"X: 1\r\n Content-Length: 0",),
        (b"Content-Length: -1",),
    ],
    ids=lambda headers: b" & ".join(headers).decode().encode("unicode_escape").decode(),
)
async def test_what_could_be_read_in_two_ways_hides_no_request(port: int, headers: tuple[bytes, ...]) -> None:
    for begins in (b"", b"0\r\n\r\n"):  # hidden behind a length, or behind the last chunk
        answers = await sent(port, post(b"Content-Type: application/json", *headers, body=begins + HIDDEN))
        assert 200 not in answers
        assert len(answers) <= 1

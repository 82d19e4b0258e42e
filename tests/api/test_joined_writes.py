"""The head of an answer goes to the socket with its body, and nothing is held back that nothing follows."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from triage.http.protocol import JoinedWrites


@pytest.fixture
async def written() -> AsyncIterator[tuple[JoinedWrites, socket.socket]]:
    """What writes to a socket, and the other end of it, which is read without waiting."""
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_connection(asyncio.Protocol, sock=ours)
    with theirs:
        yield JoinedWrites(transport, loop), theirs
        transport.close()


async def test_a_head_waits_for_its_body_and_goes_out_with_it(written: tuple[JoinedWrites, socket.socket]) -> None:
    writer, reader = written
    writer.write(b"head, ")
    with pytest.raises(BlockingIOError):
        reader.recv(100)
    writer.write(b"body")
    await asyncio.sleep(0)
    assert reader.recv(100) == b"head, body"


async def test_what_nothing_follows_goes_out_at_the_end_of_the_turn(
    written: tuple[JoinedWrites, socket.socket],
) -> None:
    writer, reader = written
    for piece in (b"one", b"two"):
        writer.write(piece)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert reader.recv(100) == piece


@pytest.mark.parametrize("end", ["close", "write_eof"])
async def test_an_end_comes_after_what_was_written(written: tuple[JoinedWrites, socket.socket], end: str) -> None:
    writer, reader = written
    writer.write(b"last words")
    getattr(writer, end)()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert (reader.recv(100), reader.recv(100)) == (b"last words", b"")

"""A load generator that costs little: keep-alive connections on plain sockets, requests made ready beforehand."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from typing import cast

from msgspec import Struct


class LoadResult(Struct, frozen=True):
    """What a run of requests came to; latencies in milliseconds."""

    requests: int
    seconds: float
    statuses: dict[int, int]
    p50_ms: float
    p99_ms: float

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds


class _Connection(asyncio.Protocol):
    """One connection: sends a request, waits for the whole answer, sends the next."""

    def __init__(self, requests: Iterator[bytes], deadline: float) -> None:
        self.requests, self.deadline = requests, deadline
        self.received = bytearray()
        self.missing = -1
        self.statuses: Counter[int] = Counter()
        self.latencies: list[float] = []
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is none of asyncio's own
        self._next()

    def _next(self) -> None:
        request = next(self.requests, None) if time.perf_counter() < self.deadline else None
        if request is None:
            self.transport.close()
            if not self.done.done():
                self.done.set_result(None)
            return
        self.started = time.perf_counter()
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self.received += data
        head = self.received.find(b"\r\n\r\n")
        if head < 0:
            return
        at = self.received[:head].lower().find(b"content-length: ")
        length = int(self.received[at + 16 : self.received.find(b"\r\n", at)]) if at >= 0 else 0
        if len(self.received) < head + 4 + length:
            return
        self.statuses[int(self.received[9:12])] += 1
        self.latencies.append(time.perf_counter() - self.started)
        self.received.clear()
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionResetError())


async def run(host: str, port: int, requests: Iterator[bytes], connections: int, seconds: float) -> LoadResult:
    """Send the requests over so many connections until they run out or the time is up."""
    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    made = [
        (await loop.create_connection(lambda: _Connection(requests, started + seconds), host, port))[1]
        for _ in range(connections)
    ]
    await asyncio.gather(*(connection.done for connection in made))
    elapsed = time.perf_counter() - started
    latencies = sorted(latency for connection in made for latency in connection.latencies)
    statuses: Counter[int] = sum((connection.statuses for connection in made), Counter())
    return LoadResult(
        len(latencies),
        elapsed,
        dict(statuses),
        latencies[len(latencies) // 2] * 1000,
        latencies[int(len(latencies) * 0.99)] * 1000,
    )


def request(method: str, path: str, token: str, body: bytes = b"", headers: dict[str, str] | None = None) -> bytes:
    """One HTTP/1.1 request, ready to send."""
    more = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    return (
        f"{method} {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n{more}\r\n"
    ).encode() + body

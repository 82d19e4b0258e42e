"""Requests made ready beforehand: entries one by one, in syncs, and pulls."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from itertools import count, cycle, islice
from uuid import UUID, uuid4

import zstandard
from load import request
from serving import Running

from triage.demo import bulk

SYNC = 500
VOLUME = 1_400
"""Incidents a year: this team's. A denser log has more likely duplicates to suggest than any team could look at."""
STARTS = date(2016, 1, 1)
"""Early enough for years of entries; the youngest of the demo's people are born, and a phone is seven years behind."""
MINIMAL = {"prefer": "return=minimal"}
COMPRESSED = {"accept-encoding": "zstd, gzip"}
ANYBODYS = ("outcome", "detention", "follow_up")


def entries(seed: int) -> Iterator[tuple[str, UUID, bytes]]:
    """Author, id and body of synthetic entries without end, no two alike."""
    for copy in bulk(VOLUME * 90, 90, seed=seed, starts=STARTS):
        yield copy.author, copy.id, copy.body


def puts(running: Running, seed: int, n: int, headers: dict[str, str] | None = None) -> Iterator[bytes]:
    """So many entries of one team, each by its author."""
    made = [
        request("PUT", f"/v1/entries/{entry_id}", running.tokens[author], body, headers)
        for author, entry_id, body in islice(entries(seed), n)
    ]
    return iter(made)


def puts_of(tokens: Sequence[str], seed: int, n: int) -> Iterator[bytes]:
    """So many officers' entries, the teams of these officers in turn."""
    bodies = (
        body
        for author, _, body in entries(seed)
        if author.startswith("officer") and b'"kind":"officer"' in body.replace(b" ", b"")
    )
    made = [
        request("PUT", f"/v1/entries/{uuid4()}", token, body)
        for token, body in islice(zip(cycle(tokens), bodies, strict=False), n)
    ]
    return iter(made)


def syncs(running: Running, seed: int, n: int) -> Iterator[bytes]:
    """Syncs of new entries: an officer's phone hands over what an officer may send."""
    rows = (
        copy
        for copy in bulk(VOLUME * 90, 90, seed=seed, starts=STARTS)
        if copy.kind in (*ANYBODYS, "officer", "intent")
    )
    return iter([sync(running, [(row.id, row.body) for row in islice(rows, SYNC)]) for _ in range(n)])


def sync(running: Running, items: Sequence[tuple[UUID, bytes]]) -> bytes:
    """One sync of these entries, with no cursor."""
    listed = b",".join(b'{"id":"%s",%s' % (str(entry_id).encode(), body[1:]) for entry_id, body in items)
    body = b'{"cursor":null,"sent_at":"%s","entries":[%s]}' % (now().encode(), listed)
    return request("POST", "/v1/sync", running.tokens["officer_1"], body)


def pull(running: Running, cursor: str | None, headers: dict[str, str] | None = None) -> bytes:
    """One sync that sends nothing and asks what changed."""
    body = json.dumps({"cursor": cursor, "sent_at": now(), "entries": []}).encode()
    return request("POST", "/v1/sync", running.tokens["sergeant"], body, headers)


def now() -> str:
    return datetime.now(UTC).isoformat()


async def once(running: Running, sent: bytes) -> tuple[bytes, bytes]:
    """Head and body of the answer to one request, as they came over the wire."""
    reader, writer = await asyncio.open_connection(running.host, running.port)
    try:
        writer.write(sent.replace(b"host: bench", b"host: bench\r\nconnection: close"))
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        return head, body
    finally:
        writer.close()


def plain(head: bytes, body: bytes) -> bytes:
    """The body without its content coding."""
    if b"content-encoding: zstd" in head.lower():
        return zstandard.ZstdDecompressor().decompressobj().decompress(body)
    return body


async def cursor_now(running: Running) -> str:
    """Where a phone stands that has everything."""
    cursor: str | None = None
    while True:
        answer = json.loads((await once(running, pull(running, cursor)))[1])
        cursor = answer["cursor"]
        if not answer["more"]:
            return str(cursor)


def incident_of(n: int) -> tuple[UUID, Iterator[tuple[UUID, bytes]]]:
    """A new incident, and its first n entries: contacts of an officer, each with a place and a presentation."""
    incident_id = uuid4()
    bodies = (
        json.dumps(
            {
                "kind": "officer", "incident_id": str(incident_id), "captured_at": now(), "codes_version": 1,
                "area": "bedford", "sex": "male", "age": 20 + k % 60, "presenting": ["acute_distress"],
            }
        ).encode()
        for k in count()
    )  # fmt: skip
    return incident_id, islice(zip(iter(uuid4, None), bodies, strict=False), n)

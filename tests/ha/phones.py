"""Phones that send until they are told it is stored, and that keep what they were told is stored.

Each has an outbox, is written into whether or not anything arrives, sends single entries and syncs, asks after an
unclear answer what is held, and offers everything again where the history is another (410, `resync`).
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import cycle
from typing import Final, NamedTuple
from uuid import uuid4

import httpx
from support.cast import Json
from support.phones import entry

PATIENCE_S: Final = 15.0
"""How long a phone waits for an answer: longer than any may take."""
PAUSE_S: Final = 0.25
SYNC_SHARE: Final = 0.3
SYNC_ENTRIES: Final = 50
NO_ANSWER: Final = 0
DRAINED_WITHIN_S: Final = 60
KINDS: Final = ("officer", "intent", "outcome", "detention", "follow_up")


class Answer(NamedTuple):
    """What a phone saw. Times are of the monotonic clock; `acknowledged` counts what it was told is stored."""

    at: float
    seconds: float
    status: int
    acknowledged: int
    detail: str


@dataclass(slots=True)
class SendingPhone:
    """One phone of one officer."""

    client: httpx.AsyncClient
    token: str
    staff_id: str
    answers: list[Answer] = field(default_factory=list)
    outbox: deque[Json] = field(default_factory=deque)
    acknowledged: dict[str, Json] = field(default_factory=dict)
    """By id; it is kept for fourteen days, so for all of a run."""
    cursor: str | None = None
    resynced: bool = False
    offered_again: int = 0
    """How many acknowledged entries another history lacked."""

    @property
    def signed_in(self) -> dict[str, str]:
        """What a request of this phone says of whom it is from."""
        return {"authorization": f"Bearer {self.token}"}

    async def run(self, ended: asyncio.Event) -> None:
        """Write an entry every quarter of a second, and send what waits, until the event."""
        writing = asyncio.create_task(self._write(ended))
        while not ended.is_set():
            if self.outbox:
                await self._send()
            await asyncio.sleep(PAUSE_S * random.uniform(0.5, 1.5))
        await writing

    async def drain(self) -> None:
        """Send what waits, and ask for what is new, until nothing waits and the cursor is of this history."""
        while not await self._sync() or self.outbox:
            pass  # a sync that fails waits as it is told

    async def _write(self, ended: asyncio.Event) -> None:
        kinds = cycle(KINDS)
        while not ended.is_set():
            self.outbox.append(_next_entry(next(kinds)))
            await asyncio.sleep(PAUSE_S)

    async def _send(self) -> None:
        sent = await (self._sync() if random.random() < SYNC_SHARE else self.put(self.outbox[0]))
        if not sent and random.random() < 0.5:
            await self.ask_held([entry["id"] for entry in list(self.outbox)[:SYNC_ENTRIES]])

    async def put(self, body: Json) -> bool:
        """Send one entry; whether it was acknowledged. Waits as it is told when it was not."""
        content = {name: value for name, value in body.items() if name != "id"}
        answer, started = await self._request("PUT", f"/v1/entries/{body['id']}", content)
        stored = answer is not None and answer.status_code in (200, 201)
        self._note(answer, started, [body["id"]] if stored else [])
        if not stored:
            await _wait(answer)
        return stored

    async def _sync(self) -> bool:
        """One sync of what waits; whether it was taken whole and brought the cursor forward."""
        entries = list(self.outbox)[:SYNC_ENTRIES]
        body = {"cursor": self.cursor, "sent_at": entry("officer", uuid4())["captured_at"], "entries": entries}
        answer, started = await self._request("POST", "/v1/sync", body)
        if answer is None or answer.status_code != 200:
            self._note(answer, started, [])
            await (self._resync() if answer is not None and answer.status_code == 410 else _wait(answer))
            return False
        said = answer.json()
        self.cursor = said["cursor"]
        stored = [item["id"] for item in said["results"] if item["status"] in ("stored", "duplicate")]
        self._note(answer, started, stored)
        return len(stored) == len(entries)

    async def _resync(self) -> None:
        """The history is another: begin anew, and put into the outbox what it lacks of what was acknowledged."""
        self.cursor = None
        self.resynced = True
        while (held := await self.ask_held(list(self.acknowledged))) is None:
            pass  # asking waits as it is told
        lacking = [body for entry_id, body in self.acknowledged.items() if entry_id not in held]
        self.offered_again += len(lacking)
        self.outbox.extendleft(lacking)

    async def ask_held(self, ids: Sequence[str]) -> set[str] | None:
        """Which of these the service says it holds, if it says; what waits among them waits no longer."""
        answer, started = await self._request("POST", "/v1/sync/held", {"ids": ids})
        if answer is None or answer.status_code != 200:
            self._note(answer, started, [])
            await _wait(answer)
            return None
        held = set(answer.json()["held"])
        self._note(answer, started, [sent["id"] for sent in self.outbox if sent["id"] in held])
        return held

    async def _request(self, method: str, path: str, body: Json) -> tuple[httpx.Response | None, float]:
        started = time.monotonic()
        try:
            answer = await self.client.request(method, path, json=body, headers=self.signed_in)
        except httpx.TransportError:
            return None, started
        return answer, started

    def _note(self, answer: httpx.Response | None, started: float, stored: list[str]) -> None:
        now = time.monotonic()
        status = answer.status_code if answer is not None else NO_ANSWER
        detail = "" if answer is None or answer.is_success else answer.text[:300]
        self.answers.append(Answer(now, now - started, status, len(stored), detail))
        told = set(stored)
        self.acknowledged |= {body["id"]: body for body in self.outbox if body["id"] in told}
        self.outbox = deque(body for body in self.outbox if body["id"] not in told)


@dataclass(slots=True)
class Fleet:
    """All phones of a run, and what they saw."""

    phones: list[SendingPhone]

    @property
    def answers(self) -> list[Answer]:
        """What all of them saw since they began to send."""
        return [answer for phone in self.phones for answer in phone.answers]

    @asynccontextmanager
    async def sending(self) -> AsyncIterator[None]:
        """All phones send for the time of the block, and until nothing waits. Raises TimeoutError when they cannot."""
        for phone in self.phones:
            phone.answers.clear()
            phone.resynced, phone.offered_again = False, 0
        ended = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for phone in self.phones:
                group.create_task(phone.run(ended))
            yield
            ended.set()
        async with asyncio.timeout(DRAINED_WITHIN_S):
            await asyncio.gather(*(phone.drain() for phone in self.phones))

    def acknowledged(self) -> set[str]:
        """Everything that any phone was told is stored."""
        return {entry_id for phone in self.phones for entry_id in phone.acknowledged}

    def resynced(self) -> int:
        """How many phones were told that the history is another, since they began to send."""
        return sum(phone.resynced for phone in self.phones)

    def offered_again(self) -> int:
        """How many acknowledged entries another history lacked, and phones offered again."""
        return sum(phone.offered_again for phone in self.phones)


async def _wait(answer: httpx.Response | None) -> None:
    """As long as the answer asks for, two seconds at most: a figure of the service is wanted, not of phones."""
    asked = float(answer.headers.get("retry-after", 1)) if answer is not None else 1.0
    await asyncio.sleep(min(asked, 2.0) * random.uniform(0.5, 1.0))


def _next_entry(kind: str) -> Json:
    note = {"note": f"Synthetic: written by a phone of the rig, {random.random()}"} if kind == "officer" else {}
    return entry(kind, uuid4(), **note)

"""The rig inside its namespaces: set up, break, look, tell. Started by `run.py`."""

import asyncio
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import httpx

from ha import network
from ha.cluster import TTL_S, Cluster
from ha.deployment import Deployment
from ha.events import EVENTS, Event, Rig
from ha.outcome import GRACE_S, EventOutcome, measure, table
from ha.phones import PATIENCE_S, Fleet, SendingPhone
from triage import logs

PHONES: Final = 10
BEFORE_S: Final = 4.0
AFTER_S: Final = 4.0


@asynccontextmanager
async def rig_in(folder: Path) -> AsyncIterator[Rig]:
    """Cluster, service and phones. Whatever runs ends with the namespace."""
    network.lay()
    cluster = Cluster.prepare(folder)
    cluster.start()
    await cluster.settled()
    deployment = await Deployment.install(folder, cluster)
    await deployment.start()
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(_client(deployment)) for _ in range(PHONES + 1)]
        team = (await deployment.triage("team", "add", "--name", "Rig")).split()[0]
        enrolled = await asyncio.gather(*(_enrol(deployment, client, team) for client in clients))
        *phones, spare = [SendingPhone(client, *enrolment) for client, enrolment in zip(clients, enrolled, strict=True)]
        yield Rig(cluster, deployment, Fleet(phones), spare)


def _client(deployment: Deployment) -> httpx.AsyncClient:
    timeout = httpx.Timeout(PATIENCE_S, connect=3)
    return httpx.AsyncClient(base_url=deployment.address, verify=deployment.trust(), timeout=timeout)


async def _enrol(deployment: Deployment, client: httpx.AsyncClient, team: str) -> tuple[str, str]:
    """An officer of the team and the token of a phone."""
    added = await deployment.triage("staff", "add", "--team", team, "--name", "PC Rig", "--role", "officer")
    staff_id = added.split()[0]
    code = (await deployment.triage("enrol", "--team", team, staff_id)).split()[0]
    answer = await client.post("/v1/devices", json={"code": code, "name": "phone of the rig"})
    answer.raise_for_status()
    return answer.json()["token"], staff_id


async def outcome_of(event: Event, rig: Rig) -> EventOutcome:
    """Let the event happen under the phones, and hold the log against what they were told."""
    await event.prepare(rig)
    async with rig.fleet.sending():
        await asyncio.sleep(BEFORE_S)
        fault = time.monotonic()
        repaired = await event.happen(rig)
        await rig.cluster.settled()
        await asyncio.sleep(AFTER_S)
    answers = [answer for answer in rig.fleet.answers if answer.at > fault]
    silence, back = measure(answers, fault)
    acknowledged = rig.fleet.acknowledged()
    stored = await _stored(rig.cluster)
    await rig.deployment.triage("verify")
    return EventOutcome(
        title=event.title,
        silence_s=silence,
        back_s=back,
        within_s=TTL_S + GRACE_S if repaired.by is None else repaired.by - fault,
        acknowledged=len(acknowledged),
        lost=len(acknowledged - stored.keys()),
        doubled=sum(n > 1 for n in stored.values()),
        statuses=Counter(answer.status for answer in answers),
        slowest_s=max(answer.seconds for answer in answers),
        details=tuple({answer.detail for answer in answers if answer.status not in (200, 201, 503)})[:3],
        remark=repaired.remark,
        resync=event.resync,
    )


async def _stored(cluster: Cluster) -> Counter[str]:
    connection = await cluster.superuser("triage")
    try:
        return Counter(row["id"] for row in await connection.fetch("SELECT id::text FROM entry"))
    finally:
        await connection.close()


async def run(folder: Path, names: list[str]) -> bool:
    """Whether every goal of these events was reached."""
    outcomes: list[EventOutcome] = []
    async with rig_in(folder) as rig:
        try:
            for name in names:
                print(f"{datetime.now(UTC):%H:%M:%S} {name}", flush=True)
                outcomes.append(await outcome_of(EVENTS[name], rig))
                print(f"  {' | '.join(outcomes[-1].cells()[1:])}", flush=True)
                for words in outcomes[-1].missed():
                    print(f"  missed: {words}", flush=True)
        finally:
            print(f"\n{datetime.now(UTC):%d %B %Y}\n\n{table(outcomes)}", flush=True)
    return not any(outcome.missed() for outcome in outcomes)


def main() -> int:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # run.py ignores it, and so would we
    folder, *names = sys.argv[1:]
    unknown = set(names) - EVENTS.keys()
    if unknown:
        print(f"no such event: {' '.join(sorted(unknown))}; there are {' '.join(EVENTS)}", file=sys.stderr)
        return 2
    logs.configure("error")
    try:
        return 0 if asyncio.run(run(Path(folder), names or list(EVENTS))) else 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())

"""What is broken, each in a function that ends when it is whole again."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NamedTuple
from uuid import uuid4

from support.phones import entry

from ha.cluster import TTL_S, Cluster, until
from ha.deployment import PORTS, Deployment
from ha.machine import Machine
from ha.network import Network, mend, pull
from ha.outcome import GRACE_S
from ha.phones import Fleet, SendingPhone

CUT_S: Final = 40.0
FROZEN_S: Final = 12.0
FULL_S: Final = 15.0
PROCESS_FROZEN_S: Final = 20.0
LOSING_S: Final = 6.0
PROBES: Final = 20
HOLE_S: Final = 15.0
DEAD_HOST_COSTS_S: Final = 1.0
"""What a dead host may cost a process that starts, at most."""


class EventFault(Exception):
    """Something that had to be so during the event was not."""


class Repaired(NamedTuple):
    """How an event went. `by` is when entries must be acknowledged again, where it is not soon after the failover."""

    by: float | None = None
    remark: str = ""


@dataclass(slots=True)
class Rig:
    """All there is to break."""

    cluster: Cluster
    deployment: Deployment
    fleet: Fleet
    spare: SendingPhone
    """A phone that sends only where an event says so; its officer leaves in the end."""


async def settle(rig: Rig) -> None:
    """All machines are well, and replicate synchronously."""
    await rig.cluster.settled()


@dataclass(frozen=True, slots=True)
class Event:
    """What is broken."""

    title: str
    happen: Callable[[Rig], Awaitable[Repaired]]
    prepare: Callable[[Rig], Awaitable[None]] = settle
    resync: bool = False
    """Whether the history is another afterwards."""


async def kill_primary(rig: Rig) -> Repaired:
    """It is started again once a standby leads."""
    leader = await rig.cluster.leader()
    leader.kill()
    await rig.cluster.led_by_another_than(leader)
    rig.cluster.start_patroni(leader)
    return Repaired()


async def cut_cable(rig: Rig) -> Repaired:
    """Neither clients nor standbys nor etcd reach the leader, nor it them."""
    return await _unplug(await rig.cluster.leader(), CUT_S)


async def lose_leader_in_black_hole(rig: Rig) -> Repaired:
    """As a machine behind a router whose power fails: what is sent to it is lost without an error."""
    return await _unplug(await rig.cluster.leader(), TTL_S + 10, silently=True)


async def _unplug(machine: Machine, seconds: float, silently: bool = False) -> Repaired:
    pull(machine.number, *Network, silently=silently)
    await asyncio.sleep(seconds)
    mend(machine.number, *Network)
    return Repaired()


async def put_standby_first(rig: Rig) -> None:
    """The machine that stands first in the service's address follows."""
    while (await rig.cluster.settled()).number == 1:
        await rig.cluster.switch_over()


async def lose_first_standby_in_black_hole(rig: Rig) -> Repaired:
    """Every session of the service ends too, so that each must find its way anew; then a process starts."""
    first = rig.cluster.machines[1]
    usual = await rig.deployment.restart_process(PORTS[1])
    pull(first.number, *Network, silently=True)
    await rig.cluster.end_sessions("triage_app")
    await asyncio.sleep(HOLE_S)
    took = await rig.deployment.restart_process(PORTS[1])
    mend(first.number, *Network)
    if took > usual + DEAD_HOST_COSTS_S:
        raise EventFault(f"a process took {took:.1f} s to start beside a dead host, {usual:.1f} s before")
    return Repaired(remark=f"a process starts in {took:.1f} s, before in {usual:.1f} s")


async def freeze_leader(rig: Rig) -> Repaired:
    """It keeps its connections and answers nothing, and finds itself replaced when it goes on."""
    leader = await rig.cluster.leader()
    leader.freeze()
    await rig.cluster.led_by_another_than(leader)
    await asyncio.sleep(5)
    leader.thaw()
    return Repaired()


async def switch_over(rig: Rig) -> Repaired:
    """As before work on the leader."""
    await rig.cluster.switch_over()
    return Repaired()


async def freeze_standbys(rig: Rig) -> Repaired:
    """Nothing can be acknowledged until one goes on."""
    standbys = await rig.cluster.standbys()
    for standby in standbys:
        standby.freeze()
    await asyncio.sleep(FROZEN_S)
    for standby in standbys:
        standby.thaw()
    return Repaired(by=time.monotonic() + GRACE_S)


async def fill_disk(rig: Rig) -> Repaired:
    """Without room for its log the leader ends, and cannot start again; a standby takes over."""
    leader = await rig.cluster.leader()
    leader.fill_disk()
    await asyncio.sleep(FULL_S)
    leader.free_disk()
    return Repaired()


async def restart_processes(rig: Rig) -> Repaired:
    """As an upgrade does it: each is ready again before the next one ends."""
    for port in PORTS:
        await rig.deployment.restart_process(port)
    return Repaired()


async def freeze_process(rig: Rig) -> Repaired:
    """The proxy gives it half of the requests all the same."""
    with rig.deployment.frozen_process(PORTS[0]):
        await asyncio.sleep(PROCESS_FROZEN_S)
    return Repaired()


async def be_patient_with_standbys(rig: Rig) -> None:
    """A standby that is cut off stays the one that may lead: only then is what only the leader has lost with it."""
    await _set_patience(rig.cluster, "60s")
    await rig.cluster.settled()


async def _set_patience(cluster: Cluster, patience: str) -> None:
    await cluster.configure(postgresql={"parameters": {"wal_sender_timeout": patience, "tcp_user_timeout": patience}})


async def cut_replication(rig: Rig) -> Repaired:
    """Entries that reach the leader alone are neither acknowledged nor held; then the leader dies with them."""
    leader = await rig.cluster.leader()
    pull(leader.number, Network.REPLICATION, silently=True)
    bodies = {body["id"]: body for body in (entry("outcome", uuid4()) for _ in range(PROBES))}
    rig.spare.outbox.extend(bodies.values())
    await asyncio.gather(*(rig.spare.put(body) for body in bodies.values()))
    await rig.spare.ask_held(list(bodies))
    leader.kill()
    killed = time.monotonic()
    mend(leader.number, Network.REPLICATION)
    await rig.cluster.led_by_another_than(leader)
    there = await _ids(rig.cluster, list(bodies))
    rig.cluster.start_patroni(leader)
    await rig.cluster.settled()
    await _set_patience(rig.cluster, "5s")
    if told := rig.spare.acknowledged.keys() & bodies.keys():
        raise EventFault(f"{len(told)} of {PROBES} were said to be stored or held; {len(told - there)} are lost")
    if there:
        raise EventFault(f"{len(there)} of {PROBES} outlived the leader: replication was not cut")
    await rig.spare.drain()
    remark = f"{PROBES} of {PROBES} that only the leader had neither acknowledged nor held"
    return Repaired(killed + TTL_S + GRACE_S, remark)


async def _ids(cluster: Cluster, ids: list[str]) -> set[str]:
    connection = await cluster.superuser("triage")
    try:
        rows = await connection.fetch("SELECT id::text FROM entry WHERE id = ANY($1::uuid[])", ids)
    finally:
        await connection.close()
    return {row["id"] for row in rows}


async def replicate_asynchronously(rig: Rig) -> None:
    """The leader waits for nobody."""
    await rig.cluster.settled()
    await rig.cluster.configure(synchronous_mode=False, synchronous_mode_strict=False)
    await rig.cluster.settled(synchronous=False)


async def lose_last_moments(rig: Rig) -> Repaired:
    """The leader dies with entries that no standby has; nothing is answered until the operator adopts what is left."""
    leader = await rig.cluster.leader()
    pull(leader.number, Network.REPLICATION)
    await asyncio.sleep(LOSING_S)
    await rig.deployment.triage("backup", str(rig.deployment.folder / "before_loss.dump"))
    leader.kill()
    mend(leader.number, Network.REPLICATION)
    await rig.cluster.led_by_another_than(leader)
    rig.cluster.start_patroni(leader)
    await rig.cluster.settled(synchronous=False)
    await rig.cluster.configure(synchronous_mode=True, synchronous_mode_strict=True)
    await rig.cluster.settled()
    remark, adopted = await _adopt(rig)
    return Repaired(adopted + GRACE_S, remark)


async def go_back_in_time(rig: Rig) -> Repaired:
    """The cluster is made anew of a base backup and the archive, as of a moment before somebody left."""
    leader = await rig.cluster.leader()
    base = await asyncio.to_thread(rig.cluster.copy_base, leader)
    await asyncio.sleep(LOSING_S)
    moment = datetime.now(UTC).isoformat()
    await asyncio.sleep(LOSING_S)
    await rig.deployment.triage("staff", "disable", rig.spare.staff_id)
    await rig.deployment.triage("backup", str(rig.deployment.folder / "before_recovery.dump"))
    await _archive(rig.cluster)
    rig.cluster.restore(base, moment)
    await rig.cluster.settled()
    remark, adopted = await _adopt(rig)
    answer = await rig.spare.client.get("/v1/incidents", headers=rig.spare.signed_in)
    if answer.status_code != 401:
        raise EventFault(f"who left before the recovery is answered {answer.status_code}")
    return Repaired(adopted + GRACE_S, f"{remark}; who left stays out")


async def _archive(cluster: Cluster) -> None:
    """Wait until all that is written lies in the archive."""
    connection = await cluster.superuser()
    try:
        written = await connection.fetchval("SELECT pg_walfile_name(pg_switch_wal())")

        async def archived() -> bool | None:
            last = await connection.fetchval("SELECT last_archived_wal FROM pg_stat_archiver")
            return last >= written or None

        await until(archived, "the last segment is not in the archive")
    finally:
        await connection.close()


async def _adopt(rig: Rig) -> tuple[str, float]:
    """As the run book says it; a process that starts before says so. What phones are told of is counted.

    With when it was adopted.
    """
    refused = await rig.deployment.triage("serve", "--without-jobs", "--port", "0", fails=True)
    if "triage adopt" not in refused:
        raise EventFault(f"a process started on another history says: {refused}")
    await rig.deployment.triage("adopt", "--yes")
    adopted = time.monotonic()

    async def all_told() -> bool | None:
        return rig.fleet.resynced() == len(rig.fleet.phones) or None

    await until(all_told, "not every phone was told that the history is another")
    return f"{rig.fleet.offered_again()} lost by the database, offered again", adopted


EVENTS: Final = {
    "primary_killed": Event("kill -9 of the primary", kill_primary),
    "cable_cut": Event(f"leader's cables cut for {CUT_S:.0f} s", cut_cable),
    "leader_black_hole": Event("black hole of the leader", lose_leader_in_black_hole),
    "standby_black_hole": Event(
        "black hole of a standby that stands first", lose_first_standby_in_black_hole, put_standby_first
    ),
    "leader_frozen": Event("SIGSTOP of the leader", freeze_leader),
    "switchover": Event("switchover", switch_over),
    "standbys_frozen": Event(f"both standbys frozen for {FROZEN_S:.0f} s", freeze_standbys),
    "disk_full": Event(f"leader's disk full for {FULL_S:.0f} s", fill_disk),
    "rolling_restart": Event("rolling restart of both processes", restart_processes),
    "process_frozen": Event(f"SIGSTOP of one of both processes for {PROCESS_FROZEN_S:.0f} s", freeze_process),
    "replication_cut": Event("replication cut, then kill -9 of the primary", cut_replication, be_patient_with_standbys),
    "asynchronous": Event(
        "asynchronous, kill -9 of the primary, `triage adopt`", lose_last_moments, replicate_asynchronously, resync=True
    ),
    "point_in_time": Event("recovery to a point in time, `triage adopt`", go_back_in_time, resync=True),
}

"""Three machines with etcd and Patroni, replicating synchronously: what a force that must survive a machine runs."""

import asyncio
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import asyncpg
import httpx
from support.cast import Json

from ha.machine import NOBODY, Machine, Programs
from ha.network import MACHINES, address

TTL_S: Final = 20
"""Seconds until a leader that is not heard of has lost its place (Patroni's `ttl`). It governs every figure."""
SETTLED_WITHIN_S: Final = 120.0
T = TypeVar("T")
PARAMETERS: Final[Json] = {
    "wal_level": "replica",
    "max_connections": 200,
    "shared_buffers": "64MB",
    "max_wal_size": "128MB",
    "min_wal_size": "64MB",
    "wal_keep_size": "64MB",
    "wal_log_hints": "on",
    "synchronous_commit": "on",
    "tcp_user_timeout": "5s",
    "wal_sender_timeout": "5s",
    "wal_receiver_timeout": "5s",
    "wal_receiver_status_interval": "1s",
    "timezone": "UTC",
    "archive_mode": "on",
}
DYNAMIC: Final[Json] = {
    "ttl": TTL_S,
    "loop_wait": 2,  # a new leader names its synchronous standby at the next turn
    "retry_timeout": 5,  # ttl >= loop_wait + 2 * retry_timeout
    "maximum_lag_on_failover": 128 << 20,  # without synchronous mode this is what may be lost
    "synchronous_mode": True,
    "synchronous_mode_strict": True,  # no standby, no commit
    "failsafe_mode": True,
}


class ClusterFault(Exception):
    """The cluster did not come to what it should."""


@dataclass(slots=True)
class Cluster:
    """The machines by their numbers."""

    folder: Path
    machines: dict[int, Machine]
    scope: str = "triage"
    restored_from: Json | None = None
    """How a cluster that is made anew gets its data, as Patroni's configuration says it; else it is empty."""

    @classmethod
    def prepare(cls, folder: Path) -> "Cluster":
        """Machines with empty disks."""
        programs = _readable_programs(folder)
        machines = {number: Machine(number, folder / f"machine{number}", programs) for number in MACHINES}
        for machine in machines.values():
            machine.prepare()
        archive = folder / "archive"
        archive.mkdir()
        shutil.chown(archive, NOBODY, NOBODY)
        return cls(folder, machines)

    @property
    def hosts(self) -> str:
        """The hosts of an address, in the order in which they are tried."""
        return ",".join(address(number) for number in MACHINES)

    def start(self) -> None:
        """etcd and PostgreSQL on each machine."""
        for machine in self.machines.values():
            machine.start_etcd()
        for machine in self.machines.values():
            self.start_patroni(machine)

    def start_patroni(self, machine: Machine) -> None:
        """PostgreSQL on one machine."""
        machine.start_patroni(self._configuration())

    async def leading(self) -> Machine | None:
        """The machine that leads, if one does."""
        for number in MACHINES:
            if await _ask(number, "GET", "/primary") is not None:
                return self.machines[number]
        return None

    async def leader(self) -> Machine:
        """The machine that leads. Raises ClusterFault while none does."""
        if leader := await self.leading():
            return leader
        raise ClusterFault("nobody leads")

    async def standbys(self) -> list[Machine]:
        """The others."""
        leader = await self.leader()
        return [machine for machine in self.machines.values() if machine is not leader]

    async def settled(self, synchronous: bool = True) -> Machine:
        """Wait until one machine leads, two follow it, and one of them must have every commit; the leader.

        Raises ClusterFault when they do not in time.
        """
        second = "sync_standby" if synchronous else "replica"
        wanted = sorted([("leader", "running"), ("replica", "streaming"), (second, "streaming")])

        async def leading() -> Machine | None:
            if stopped := [
                f"{machine.stopped} of {machine.name}" for machine in self.machines.values() if machine.stopped
            ]:
                raise ClusterFault(f"ended by themselves: {', '.join(stopped)}")
            leader = await self.leading()
            said = await _ask(leader.number, "GET", "/cluster") if leader else None
            members = said["members"] if said else []
            return leader if sorted((member["role"], member["state"]) for member in members) == wanted else None

        return await until(leading, "the cluster has not settled")

    async def led_by_another_than(self, machine: Machine) -> Machine:
        """Wait until another machine leads. Raises ClusterFault when none does in time."""

        async def another() -> Machine | None:
            leader = await self.leading()
            return leader if leader is not machine else None

        return await until(another, "no other machine took the lead")

    async def configure(self, **changes: object) -> None:
        """Change what all machines are told, and give them the time to read it. Raises ClusterFault."""
        leader = await self.leader()
        if await _ask(leader.number, "PATCH", "/config", changes) is None:
            raise ClusterFault("the configuration was not changed")
        await asyncio.sleep(2 * DYNAMIC["loop_wait"])

    async def switch_over(self) -> None:
        """Hand the lead to the synchronous standby, as an operator does. Raises ClusterFault."""
        leader = await self.settled()
        if await _ask(leader.number, "POST", "/switchover", {"leader": leader.name}, 60) is None:
            raise ClusterFault("the lead was not handed over")

    async def end_sessions(self, login: str) -> None:
        """End every session of a login on the leader, so that new ones are needed."""
        connection = await self.superuser()
        try:
            await connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1", login)
        finally:
            await connection.close()

    async def superuser(self, dbname: str = "postgres") -> asyncpg.Connection:
        """A session of the superuser on the leader. Raises ClusterFault while none leads."""
        host = address((await self.leader()).number)
        return await asyncpg.connect(f"postgresql://postgres@{host}/{dbname}", timeout=10)

    def copy_base(self, leader: Machine) -> Path:
        """A base backup of the leader, in a directory of its own."""
        copy = self.folder / "base"
        copy.mkdir(mode=0o700)
        shutil.chown(copy, NOBODY, NOBODY)
        leader.run("pg_basebackup", "-d", self._replication_url(leader), "-D", str(copy), "-c", "fast", "-X", "none")
        return copy

    def restore(self, base: Path, until: str) -> None:
        """Make a new cluster of a base backup and the archive, as of an instant; the one there was is gone."""
        for machine in self.machines.values():
            machine.kill()
            shutil.rmtree(machine.data)
        self.scope = "restored"
        self.restored_from = {
            "method": "point_in_time",
            "point_in_time": {
                "command": f"sh -c 'cp -a {base}/. \"${{2#--datadir=}}\"' restore",  # Patroni adds --scope, --datadir
                "recovery_conf": {
                    "restore_command": f"cp {self.folder}/archive/%f %p",
                    "recovery_target_time": until,
                    "recovery_target_action": "promote",
                },
            },
        }
        for machine in self.machines.values():
            self.start_patroni(machine)

    def _replication_url(self, machine: Machine) -> str:
        return f"postgresql://replicator@{address(machine.number)}/postgres"

    def _configuration(self) -> Json:
        archive = self.folder / "archive"
        # whole or not at all; a leader that was cut off may have archived an end of its timeline that nobody follows
        keep = f"test -e {archive}/%f || (cp %p {archive}/%f.$$ && mv {archive}/%f.$$ {archive}/%f)"
        parameters = PARAMETERS | {"archive_command": keep}
        postgresql = {"use_pg_rewind": True, "use_slots": True, "parameters": parameters}
        empty = {
            "initdb": [
                {"encoding": "UTF8"},
                {"locale-provider": "builtin"},
                {"builtin-locale": "C.UTF-8"},
                {"locale": "C"},
            ]
        }
        return {
            "scope": self.scope,
            "etcd3": {"hosts": [f"{address(number)}:2379" for number in MACHINES]},
            "bootstrap": {"dcs": DYNAMIC | {"postgresql": postgresql}} | (self.restored_from or empty),
            "postgresql": {
                "authentication": {
                    "superuser": {"username": "postgres"},
                    "replication": {"username": "replicator"},
                    "rewind": {"username": "rewinder"},
                },
                "pg_hba": [
                    "local all all trust",
                    "host all all 10.88.0.0/16 trust",
                    "host replication replicator 10.88.0.0/16 trust",
                ],
            },
        }


async def until(holds: Callable[[], Awaitable[T | None]], otherwise: str, within_s: float = SETTLED_WITHIN_S) -> T:
    """Wait until there is something; that. Raises ClusterFault, in these words, when there is nothing in time."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if (value := await holds()) is not None:
            return value
        await asyncio.sleep(0.2)
    raise ClusterFault(f"{otherwise} in {within_s:.0f} s")


def _readable_programs(folder: Path) -> Programs:
    programs = Programs(folder / "python/bin" / Path(sys.executable).resolve().name, folder / "packages")
    for source, target in ((sys.base_prefix, folder / "python"), (sysconfig.get_path("purelib"), programs.packages)):
        target.mkdir()
        subprocess.run(["mount", "--bind", source, str(target)], check=True)
    return programs


async def _ask(number: int, method: str, path: str, body: Json | None = None, patience_s: float = 2) -> Json | None:
    """What Patroni on a machine answers; nothing where it answers no, or not at all."""
    try:
        async with httpx.AsyncClient(timeout=patience_s) as client:
            answer = await client.request(method, f"http://{address(number)}:8008{path}", json=body)
    except httpx.TransportError:
        return None
    if not answer.is_success:
        return None
    is_json = "json" in answer.headers.get("content-type", "")
    said: Json = answer.json() if is_json and answer.content.startswith(b"{") else {}
    return said

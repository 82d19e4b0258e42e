"""The service as its run book installs it: two processes behind nginx, the jobs apart, a key store of its own."""

import asyncio
import contextlib
import os
import re
import shutil
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import asyncpg
import httpx

from ha.cluster import Cluster, until
from triage.embedded import EmbeddedPostgres

TOP: Final = Path(__file__).parents[2]
ON_MAIN, ON_KEYS = re.findall(r"```sql\n(.*?)```", (TOP / "docs/operations.md").read_text(), re.DOTALL)
"""What the run book has the superuser of each cluster say."""
PORTS: Final = (8001, 8002)
"""Where `deploy/nginx` expects the two processes."""
STOPPED_WITHIN_S: Final = 30
COMMAND_WITHIN_S: Final = 120


class DeploymentFault(Exception):
    """The service, or a command of its, did not do what it should."""


@dataclass(slots=True)
class Deployment:
    """An installation on a cluster. `address` is nginx's."""

    folder: Path
    cluster: Cluster
    keys: EmbeddedPostgres
    address: str = "https://127.0.0.1"
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @classmethod
    async def install(cls, folder: Path, cluster: Cluster) -> "Deployment":
        """By the run book, on a cluster that has settled."""
        keys = EmbeddedPostgres(folder / "keys")
        superuser = await asyncpg.connect(await asyncio.to_thread(keys.start))
        await _say(superuser, ON_KEYS)
        await _say(await cluster.superuser(), ON_MAIN)
        deployment = cls(folder, cluster, keys)
        await deployment.triage("migrate", "--create")
        print(await deployment.triage("check"), flush=True)
        return deployment

    async def start(self) -> None:
        """nginx, both processes and the jobs."""
        for port in PORTS:
            await self.start_process(port)
        self._start("jobs", ["jobs"])
        self._start_nginx()

    async def triage(self, *args: str, fails: bool = False) -> str:
        """What a command of the operator's prints. Raises DeploymentFault when it ends otherwise than it should.

        Raises TimeoutError when it does not end.
        """
        command = await asyncio.create_subprocess_exec(
            *_command(args),
            env=self._environ(TRIAGE_OWNER_DATABASE_URL=self._url("triage_owner")),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(COMMAND_WITHIN_S):
            printed = (await command.communicate())[0].decode()
        if (command.returncode != 0) != fails:
            raise DeploymentFault(f"triage {' '.join(args)}: exit code {command.returncode}\n{printed}")
        return printed

    async def start_process(self, port: int) -> float:
        """Start `triage serve` and wait until it is ready; how many seconds that took. Raises DeploymentFault."""
        started = time.monotonic()
        process = self._start(f"serve-{port}", ["serve", "--without-jobs", "--port", str(port)])

        async def ready() -> bool | None:
            if process.poll() is not None:
                raise DeploymentFault(f"the process on port {port} ended with exit code {process.returncode}")
            return await _is_ready(port) or None

        await until(ready, f"the process on port {port} is not ready")
        return time.monotonic() - started

    async def restart_process(self, port: int) -> float:
        """Stop one process of `triage serve` as an init system does, and start it again; see `start_process`."""
        process = self._running.pop(f"serve-{port}")
        process.terminate()
        await asyncio.to_thread(process.wait, STOPPED_WITHIN_S)
        return await self.start_process(port)

    @contextlib.contextmanager
    def frozen_process(self, port: int) -> Iterator[None]:
        """One process of `triage serve` keeps its connections, takes new ones, and answers none."""
        process = self._running[f"serve-{port}"]
        process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            process.send_signal(signal.SIGCONT)

    def trust(self) -> ssl.SSLContext:
        """What a client must know to believe its certificate."""
        return ssl.create_default_context(cafile=str(self.folder / "nginx/tls.crt"))

    def _start(self, name: str, args: list[str]) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                _command(args), env=self._environ(), stdout=log, stderr=log, start_new_session=True
            )
        self._running[name] = process
        return process

    def _start_nginx(self) -> None:
        """As `deploy/nginx` says it, with a certificate of this run."""
        folder = self.folder / "nginx"
        shutil.copytree(TOP / "deploy/nginx", folder)
        _make_certificate(folder)
        configuration = folder / "nginx.conf"
        text = configuration.read_text().replace("/etc/nginx/tls", str(folder))
        configuration.write_text(text.replace("/run/nginx.pid", f"{folder}/pid"))
        with (self.folder / "nginx.log").open("ab") as log:
            command = ["nginx", "-c", str(configuration), "-g", "daemon off;"]
            self._running["nginx"] = subprocess.Popen(command, stderr=log, start_new_session=True)

    def _environ(self, **more: str) -> dict[str, str]:
        """The service's login alone, as for everything that faces the network, and what is added to it."""
        keys = self.keys.url("triage_keys").replace("//triage@", "//triage_keys@")
        own = {name: value for name, value in os.environ.items() if not name.startswith("TRIAGE_")}
        return own | {
            "TRIAGE_DATABASE_URL": self._url("triage_app"),
            "TRIAGE_KEYS_DATABASE_URL": keys,
            "TRIAGE_DATA_DIR": str(self.folder / "data"),
            "TRIAGE_REQUIRE_SYNCHRONOUS": "true",
            "TRIAGE_TRUSTED_PROXIES": "127.0.0.1",
            "TRIAGE_ENROL_ATTEMPTS_PER_HOUR": "1000",  # all phones of this run have one address
        } | more  # fmt: skip

    def _url(self, login: str) -> str:
        return f"postgresql://{login}@{self.cluster.hosts}/triage?target_session_attrs=read-write"


async def _is_ready(port: int) -> bool:
    """Whether the process says that it can serve."""
    with contextlib.suppress(httpx.TransportError):
        async with httpx.AsyncClient(timeout=10) as client:
            return (await client.get(f"http://127.0.0.1:{port}/health/ready")).status_code == 200
    return False


def _command(args: tuple[str, ...] | list[str]) -> list[str]:
    return [sys.executable, "-m", "triage", *args]


async def _say(superuser: asyncpg.Connection, statements: str) -> None:
    for statement in filter(None, map(str.strip, statements.split(";"))):  # a database is made outside of transactions
        await superuser.execute(statement)
    await superuser.close()


def _make_certificate(folder: Path) -> None:
    files = ["-keyout", str(folder / "tls.key"), "-out", str(folder / "tls.crt")]
    name = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
    subprocess.run([*request, *name, *files], check=True, capture_output=True)

"""`triage serve`: the service on a port, until it is stopped."""

import asyncio
import contextlib
import gc
import logging
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import uvicorn
from litestar.types import ASGIApp

from triage import logs
from triage.app import application, open_service
from triage.commands.options import settings
from triage.commands.stopping import on_stop
from triage.errors import OperatorError
from triage.http.protocol import protocol
from triage.jobs.schedule import scheduled, service_jobs
from triage.service import Service
from triage.settings import Settings

logger = logging.getLogger(__name__)

GRACE_S = 5
"""How long requests under way may take to end once the service is stopped."""


def serve(data_dir: Path | None, host: str | None, port: int | None, without_jobs: bool) -> None:
    """The work of `triage serve`."""
    chosen = settings(data_dir, **listening_options(host, port))
    logs.configure(chosen.log_level)
    run(chosen, open_service(chosen), without_jobs, lambda url: logger.info("listening", extra={"url": url}))


def listening_options(host: str | None, port: int | None) -> dict[str, str]:
    """The options that were given, as settings."""
    return {name: str(value) for name, value in (("host", host), ("port", port)) if value is not None}


def run(
    chosen: Settings,
    opened: AbstractAsyncContextManager[Service],
    without_jobs: bool,
    listening: Callable[[str], None],
) -> None:
    """Serve until stopped; `listening` is told the address once requests are answered.

    Raises OperatorError where the port is taken, before anything is opened.
    """
    # nearly all that a request makes is freed without it; a look for cycles every 700 objects costs a tenth
    gc.set_threshold(20_000, 20, 50)
    with _bound(chosen.host, chosen.port) as bound:
        with asyncio.Runner(loop_factory=uvicorn.Config(_nothing, log_config=None).get_loop_factory()) as runner:
            with contextlib.suppress(asyncio.CancelledError):  # stopped before it listened
                runner.run(_serve(opened, without_jobs, listening, bound))


async def _nothing(*_: object) -> None:
    """An application for a configuration of which only the event loop is asked."""


def _bound(host: str, port: int) -> socket.socket:
    """A socket at this address. Raises OperatorError where there can be none."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise OperatorError(
            f"cannot listen on {host} port {port}: {os.strerror(error.errno or 0)}; choose others by --host and --port"
        ) from error


async def _serve(
    opened: AbstractAsyncContextManager[Service],
    without_jobs: bool,
    listening: Callable[[str], None],
    bound: socket.socket,
) -> None:
    host, port = bound.getsockname()[:2]
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    opening = asyncio.current_task()
    servers: list[_Server] = []

    def stop() -> None:
        """Requests under way may end; before there is a server, the opening is cancelled."""
        if servers:
            servers[0].should_exit = True
        elif opening:
            opening.cancel()

    on_stop(stop)
    async with opened as service:
        async with contextlib.nullcontext() if without_jobs else scheduled(service_jobs(service), service.database):
            server = _Server(server_config(application(service), service.settings), lambda: listening(address))
            servers.append(server)
            await server.serve([bound])


def server_config(app: ASGIApp, chosen: Settings) -> uvicorn.Config:
    """How the server serves: addresses behind the proxies of the settings count, and its own logs are ours."""
    return uvicorn.Config(
        app,
        http=protocol(chosen),
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        forwarded_allow_ips=str(chosen.trusted_proxies),
        lifespan="off",
        timeout_graceful_shutdown=GRACE_S,
        timeout_keep_alive=int(chosen.client_timeout_s) or 1,
    )


class _Server(uvicorn.Server):
    """uvicorn on an open service, without its own way with signals."""

    def __init__(self, config: uvicorn.Config, listening: Callable[[], None]) -> None:
        super().__init__(config)
        self._listening = listening

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are taken care of before there is a server."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if not self.should_exit:
            self._listening()

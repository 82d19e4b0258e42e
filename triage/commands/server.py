"""The HTTP server on an open service, with the jobs beside it."""

import contextlib
import socket
from collections.abc import Callable, Iterator

import uvicorn
from litestar.types import ASGIApp

from triage.app import application
from triage.http.protocol import protocol
from triage.jobs.schedule import scheduled, service_jobs
from triage.service import Service
from triage.settings import Settings

GRACE_S = 5
"""How long requests under way may take to end once the service is stopped."""


class Server(uvicorn.Server):
    """uvicorn without its own way with signals; `listening` is called once requests are answered."""

    def __init__(self, service: Service, without_jobs: bool, listening: Callable[[], None]) -> None:
        super().__init__(server_config(application(service), service.settings))
        self._jobs = () if without_jobs else service_jobs(service)
        self._service = service
        self._listening = listening

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are taken care of before there is a server."""
        yield

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        history = self._service.history
        async with history.watching(), scheduled(self._jobs, self._service.database, history):
            await super().serve(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if not self.should_exit:
            self._listening()


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

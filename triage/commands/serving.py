"""`triage serve` and `triage demo`: the service on a port, stopped by SIGINT or SIGTERM."""

import asyncio
import contextlib
import gc
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import rich_click as click
import structlog
import uvicorn
from msgspec import structs

from triage import logs
from triage.app import Opened, application, open_service
from triage.commands import demo as demonstration
from triage.commands.options import DATA_DIR, settings
from triage.jobs.schedule import owner_jobs, scheduled, service_jobs
from triage.service import Service
from triage.settings import Settings

logger = structlog.get_logger(__name__)

GRACE_S = 5
"""How long requests under way may take to end once the service is stopped."""


class _Server(uvicorn.Server):
    """uvicorn without its habit of sending itself the signal again after the end, as which it would not be clean."""

    def __init__(self, config: uvicorn.Config, listening: Callable[[str], None]) -> None:
        super().__init__(config)
        self._listening = listening

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The first signal begins the end. Further ones change nothing: Ctrl-C under `uv run` arrives twice, and a
        second one that cut the end short would leave the embedded database behind."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)
                signal.signal(number, signal.SIG_IGN)

    def _stop(self) -> None:
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and not self.should_exit:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            self._listening(f"http://{f'[{host}]' if ':' in host else host}:{port}")


def run(chosen: Settings, beside: Opened | None, listening: Callable[[str], None]) -> None:
    """Serve until stopped. Raises click.ClickException when the service cannot start."""
    logs.configure(chosen.log_level)
    config = uvicorn.Config(
        application(chosen, beside),
        host=chosen.host,
        port=chosen.port,
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        forwarded_allow_ips=str(chosen.trusted_proxies),
        lifespan="on",
        timeout_graceful_shutdown=GRACE_S,
        timeout_keep_alive=30,
    )
    # nearly all that a request makes is freed without it; a look for cycles every 700 objects costs a tenth
    gc.set_threshold(20_000, 20, 50)
    server = _Server(config, listening)
    server.run()
    if not server.started:
        raise click.ClickException("the service did not start; the log above says why")


def jobs_of(service: Service) -> AbstractAsyncContextManager[None]:
    """The jobs that need no more than the service's own login, beside the requests."""
    return scheduled(service_jobs(service), service.database)


@click.command()
@DATA_DIR
@click.option("--host", help="Address to listen on; TRIAGE_HOST otherwise.")
@click.option("--port", type=int, help="Port to listen on; TRIAGE_PORT otherwise, 8000 by default.")
@click.option("--without-jobs", is_flag=True, help="Serve requests alone: `triage jobs` runs elsewhere.")
def serve(data_dir: Path | None, host: str | None, port: int | None, without_jobs: bool) -> None:
    """Serve until stopped by SIGINT or SIGTERM; jobs that need no owner's login run beside the requests."""
    changed = {name: str(value) for name, value in (("host", host), ("port", port)) if value is not None}
    beside = None if without_jobs else jobs_of
    run(settings(data_dir, **changed), beside, lambda url: logger.info("listening", url=url))


@click.command()
@DATA_DIR
def jobs(data_dir: Path | None) -> None:
    """Run the jobs until stopped by SIGINT or SIGTERM: also those that need the owner's login, such as retention."""
    chosen = settings(data_dir)
    logs.configure(chosen.log_level)
    asyncio.run(_run_jobs(chosen))


async def _run_jobs(chosen: Settings) -> None:
    async with open_service(chosen) as service:
        todo = (*service_jobs(service), *owner_jobs(service, service.owner_url))
        async with scheduled(todo, service.database):
            logger.info("jobs_running", jobs=[job.name for job in todo])
            await stop_signal()


async def stop_signal() -> None:
    """Wait for SIGINT or SIGTERM. Further ones change nothing: the end is under way."""
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    await stopped.wait()


@click.command()
@DATA_DIR
@click.option("--host", help="Address to listen on; TRIAGE_HOST otherwise.")
@click.option("--port", type=int, help="Port to listen on; TRIAGE_PORT otherwise, 8000 by default.")
@click.option("--months", type=click.FloatRange(0.1, 60), default=1.0, show_default=True, help="Months to make up.")
@click.option("--per-day", type=click.FloatRange(0.1, 2000), default=4.0, show_default=True, help="Incidents a day.")
def demo(data_dir: Path | None, host: str | None, port: int | None, months: float, per_day: float) -> None:
    """Serve synthetic months of a team, ending today, and print a token for every role."""
    changed = {name: str(value) for name, value in (("host", host), ("port", port)) if value is not None}
    if "TRIAGE_ACTOR_REQUESTS_PER_MINUTE" not in os.environ:  # one token stands for a whole role here
        changed["actor_requests_per_minute"] = "6000000"
    chosen = settings(data_dir, **changed)
    made: list[demonstration.Demo] = []

    @asynccontextmanager
    async def filled(service: Service) -> AsyncIterator[None]:
        made.append(await demonstration.prepare(service, chosen.data_dir, months, per_day))
        async with jobs_of(service):
            yield

    run(chosen, filled, lambda url: demonstration.announce(structs.replace(made[0], url=url), chosen.data_dir))

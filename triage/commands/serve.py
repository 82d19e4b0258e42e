"""`triage serve`: the service on a port, until it is stopped."""

import asyncio
import contextlib
import gc
import logging
import os
import socket
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from pkgutil import resolve_name

import uvloop

from triage import logs
from triage.commands.options import settings
from triage.commands.stopping import on_stop
from triage.errors import OperatorError
from triage.service import Service
from triage.settings import Settings
from triage.startup import open_service
from triage.store.logins import check_apart

logger = logging.getLogger(__name__)


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
    with _bound(chosen.host, chosen.port) as bound, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        with contextlib.suppress(asyncio.CancelledError):  # stopped before it listened
            runner.run(_serve(opened, without_jobs, listening, bound))


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
    assert opening
    stop: list[Callable[[], object]] = [opening.cancel]
    on_stop(lambda: stop[-1]())
    # what answers requests takes as long to load as a database to start, so the one is done beside the other
    loading = asyncio.create_task(asyncio.to_thread(resolve_name, "triage.commands.server:Server"))
    async with opened as service:
        await check_apart(service.settings)
        server = (await loading)(service, without_jobs, lambda: listening(address))
        stop.append(lambda: setattr(server, "should_exit", True))  # requests under way may end
        await server.serve([bound])

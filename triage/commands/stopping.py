"""How commands end when they are told to: what they have opened is closed, an embedded database with it."""

import asyncio
import signal
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Final

import click

STOPPED_BY: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""The last one is sent when the terminal is closed."""


def on_stop(stop: Callable[[], object]) -> None:
    """Call `stop` at the first of these signals, but for SIGHUP where nohup told the process to ignore it.

    A shell has what it starts in the background ignore SIGINT. Whoever sends it to a process means that process.

    Further ones change nothing: Ctrl-C under `uv run` arrives twice, and a second one that cut the end short would
    leave an embedded database behind.
    """
    if threading.current_thread() is not threading.main_thread():
        return  # signals reach the main thread alone
    waiting = [stop]

    def signalled() -> None:
        if waiting:
            waiting.pop()()

    for number in STOPPED_BY:
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            asyncio.get_running_loop().add_signal_handler(number, signalled)


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run a command's work; told to stop it is cancelled, and what it opened closed. Raises click.Abort then."""

    async def stoppable() -> None:
        task = asyncio.current_task()
        assert task
        on_stop(task.cancel)
        await work

    try:
        asyncio.run(stoppable())
    except asyncio.CancelledError:
        raise click.Abort() from None

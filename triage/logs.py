"""Logs: one JSON object a line on standard error, from our own code and from the libraries alike."""

import logging
import sys
import traceback
from types import TracebackType
from typing import Literal, TextIO

import asyncpg
import msgspec
import structlog
from structlog.stdlib import ProcessorFormatter
from structlog.typing import EventDict, Processor, WrappedLogger

LogLevel = Literal["debug", "info", "warning", "error"]


def configure(level: LogLevel, stream: TextIO = sys.stderr) -> None:
    """Set up structlog and the standard library's logging for this process.

    What was bound with `structlog.contextvars` (such as a request's id) is added to every line. Libraries are heard
    from `warning` on, since below that they name addresses. Access lines of the server are never written: an address
    may hold what was searched for.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        name_exception,
    ]
    render = structlog.processors.JSONRenderer(serializer=_encode)
    structlog.configure(
        processors=[*shared, render],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[ProcessorFormatter.remove_processors_meta, render],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("uvicorn.access").disabled = True
    logging.getLogger("apscheduler").setLevel(logging.ERROR)  # it warns whenever a job takes longer than its interval


def name_exception(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Replace an exception by its type and place, and those of its causes.

    Its message is left out: PostgreSQL's quotes the refused row, which may be a note, an identifier or a token.
    """
    raised = event.pop("exc_info", None)
    if raised is True:
        raised = sys.exc_info()
    error = raised[1] if isinstance(raised, tuple) else raised
    if isinstance(error, BaseException):
        event["exception"] = []
        while error and len(event["exception"]) < 5:
            event["exception"].append(_describe(error))
            error = error.__cause__ or error.__context__
    return event


def _describe(error: BaseException) -> dict[str, object]:
    described: dict[str, object] = {
        "type": f"{type(error).__module__}.{type(error).__qualname__}",
        "at": _places(error.__traceback__),
    }
    if isinstance(error, asyncpg.PostgresError):
        described |= {"sqlstate": error.sqlstate, "constraint": getattr(error, "constraint_name", None)}
    return described


def _places(raised_at: TracebackType | None) -> list[str]:
    frames = traceback.StackSummary.extract(traceback.walk_tb(raised_at), lookup_lines=False)
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]


def _encode(event: EventDict, **_: object) -> str:
    return msgspec.json.encode(event, enc_hook=str).decode()

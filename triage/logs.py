"""Logs: one JSON object a line on standard error, from our own code and from the libraries alike."""

import logging
import sys
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, Literal, TextIO

import asyncpg
import msgspec

LogLevel = Literal["debug", "info", "warning", "error"]

REQUEST_ID: Final[ContextVar[str | None]] = ContextVar("request_id", default=None)
"""The id of the request that is being answered; it stands in every line that is logged meanwhile."""
_OURS: Final = "triage"
_STANDARD: Final = logging.makeLogRecord({}).__dict__.keys() | {"message", "asctime", "taskName"}


def configure(level: LogLevel, stream: TextIO | None = None) -> None:
    """Set up logging for this process: our own lines from `level` on, those of libraries from `warning` on.

    Below that, libraries name addresses. Access lines of the server are never written: an address may hold what was
    searched for.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JSONFormatter())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger(_OURS).setLevel(level.upper())
    logging.getLogger("uvicorn.access").disabled = True
    logging.getLogger("apscheduler").setLevel(logging.ERROR)  # it warns whenever a job takes longer than its interval
    logging.getLogger("asyncpg.pool").setLevel(logging.ERROR)  # it warns each second of an outage, which is one line


class JSONFormatter(logging.Formatter):
    """A record as a JSON object: its message as `event`, what was given as `extra`, and a library's name."""

    def format(self, record: logging.LogRecord) -> str:
        """The line. An exception is told by its type and place, as are its causes.

        Its message is left out: PostgreSQL's quotes the refused row, which may be a note, an identifier or a token.
        """
        line: dict[str, object] = {"event": record.getMessage(), "level": record.levelname.lower()}
        line["timestamp"] = datetime.fromtimestamp(record.created, UTC)
        if request_id := REQUEST_ID.get():
            line["request_id"] = request_id
        if record.name.partition(".")[0] != _OURS:
            line["logger"] = record.name
        line |= {name: value for name, value in record.__dict__.items() if name not in _STANDARD}
        if record.exc_info and record.exc_info[1]:
            line["exception"] = _describe_all(record.exc_info[1])
        return msgspec.json.encode(line, enc_hook=str).decode()


def _describe_all(error: BaseException | None) -> list[dict[str, object]]:
    described: list[dict[str, object]] = []
    while error and len(described) < 5:
        described.append(_describe(error))
        error = error.__cause__ or error.__context__
    return described


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

"""Log lines are JSON, and hold neither the message of an exception nor an address."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest

from triage import logs

NOTE = "a note that nobody else may read"


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    root, ours = logging.getLogger(), logging.getLogger("triage")
    level_of_ours = ours.level
    handlers, level = root.handlers[:], root.level
    root.handlers = []  # pytest's own would be closed by the set-up
    stream = io.StringIO()
    logs.configure("info", stream)
    yield stream
    root.handlers, root.level = handlers, level
    ours.setLevel(level_of_ours)


def read(lines: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines.getvalue().splitlines()]


async def test_an_exception_is_logged_without_its_message(lines: io.StringIO, conn: asyncpg.Connection) -> None:
    await conn.execute("CREATE TEMP TABLE note (text text CONSTRAINT short CHECK (length(text) < 3))")
    try:
        await conn.execute("INSERT INTO note VALUES ($1)", NOTE)
    except asyncpg.PostgresError:
        logging.getLogger("triage.x").exception("refused")
        logging.getLogger("library").exception("refused")
    own, foreign = read(lines)
    assert NOTE not in lines.getvalue()
    for line in (own, foreign):
        (error,) = line["exception"]
        assert error["type"] == "asyncpg.exceptions.CheckViolationError"
        assert error["sqlstate"] == "23514"
        assert error["constraint"] == "short"
        assert "test_an_exception_is_logged_without_its_message" in error["at"][0]


def test_the_causes_of_an_exception_are_named(lines: io.StringIO) -> None:
    try:
        try:
            raise KeyError(NOTE)
        except KeyError as cause:
            raise RuntimeError(NOTE) from cause
    except RuntimeError:
        logging.getLogger("triage.x").exception("failed")
    assert [error["type"] for error in read(lines)[0]["exception"]] == [
        "builtins.RuntimeError",
        "builtins.KeyError",
    ]
    assert NOTE not in lines.getvalue()


def test_access_lines_and_chatter_of_libraries_are_dropped(lines: io.StringIO) -> None:
    logging.getLogger("uvicorn.access").error("GET /v1/incidents?log_ref=BP-1")
    logging.getLogger("httpx").info("GET https://partner.example/hook")
    logging.getLogger("triage.x").debug("not at this level")
    assert lines.getvalue() == ""


def test_our_lines_and_those_of_libraries_have_one_form(lines: io.StringIO) -> None:
    set_before = logs.REQUEST_ID.set("r1")
    logging.getLogger("triage.x").info("published", extra={"edition": 2})
    logging.getLogger("library").warning("slow: %d s", 3)
    logs.REQUEST_ID.reset(set_before)
    own, foreign = read(lines)
    assert own.keys() == {"event", "level", "timestamp", "request_id", "edition"}
    assert foreign.keys() == {"event", "level", "timestamp", "request_id", "logger"}
    assert (own["event"], own["level"], own["edition"]) == ("published", "info", 2)
    assert (foreign["event"], foreign["level"], foreign["logger"]) == ("slow: 3 s", "warning", "library")

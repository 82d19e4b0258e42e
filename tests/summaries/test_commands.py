"""Summaries from the command line."""

import csv
import io
import json
import os
import shutil
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from click.testing import CliRunner, Result
from support.cast import Clone
from support.logins import KEYS, SERVICE, as_login
from support.team_log import STARTS_ON, open_team_log

from triage.__main__ import main
from triage.demo import CAST, generate

ENDS = datetime(2026, 11, 19, 21, 0, tzinfo=UTC)
Run = Callable[..., Result]


@pytest_asyncio.fixture(scope="module")
async def month(
    clone: Clone, template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[str, Path]]:
    """A synthetic month: the name of its database, of which each test gets a copy, and its root key."""
    data_dir = tmp_path_factory.mktemp("month")
    async with clone(template) as url:
        async with open_team_log(url, data_dir) as team:
            await team.send(generate(CAST, STARTS_ON, ENDS))
        yield urlsplit(url).path[1:], data_dir / "root.key"


@pytest_asyncio.fixture
async def run(clone: Clone, month: tuple[str, Path], tmp_path: Path) -> AsyncIterator[Run]:
    """The command line, on that month."""
    name, root_key = month
    shutil.copy(root_key, tmp_path)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TRIAGE_")}
    async with clone(name) as url:
        ours = {
            "TRIAGE_DATABASE_URL": as_login(url, SERVICE),
            "TRIAGE_OWNER_DATABASE_URL": url,
            "TRIAGE_KEYS_DATABASE_URL": as_login(url, KEYS),
            "TRIAGE_DATA_DIR": str(tmp_path),
        }

        def invoke(*arguments: str) -> Result:
            return CliRunner(env={**dict.fromkeys(os.environ), **kept, **ours}).invoke(main, arguments)

        yield invoke


def ended_well(result: Result) -> str:
    assert result.exit_code == 0, result.output
    return result.stdout


def listed(result: Result) -> list[dict[str, Any]]:
    """What a list printed as JSON."""
    rows: list[dict[str, Any]] = json.loads(ended_well(result))
    return rows


def test_what_is_due_is_published_oldest_first_and_twice_is_once(run: Run) -> None:
    lines = ended_well(run("publish", "--as-at", ENDS.isoformat())).splitlines()
    assert lines[0] == "daily 2026-10-20 edition 1 late" and len(lines) == 35
    assert "monthly 2026-10 edition 1 late" in lines
    assert ended_well(run("publish", "--as-at", ENDS.isoformat())) == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ("publish", "--as-at", "2026-11-19T21:00:00"),
        ("publish", "--as-at", "yesterday"),
        ("summary", "show", "daily", "2026-W60"),
        ("summary", "show", "weekly", "2026-W60"),
        ("summary", "show", "hourly", "2026-11-18"),
        ("summary", "show", "daily", "2026-11-18"),
        ("summary", "diff", "daily", "2026-11-18", "--edition", "1"),
        ("summary", "compare", "2026-10", "2026-09..2026-01"),
        ("summary", "home-office", "2025-27"),
        ("summary", "list", "--team", "0193a000-0000-7000-8000-000000000001"),
        ("summary", "recompute", "daily", "2026-11-18"),
        ("summary", "force-total", "2026-Q5", "10", "--source", "force return"),
        ("summary", "force-total", "2026-Q1", "10"),
        ("summary", "force-total", "2026-Q1", "-1", "--source", "force return"),
        ("summary", "force-total", "2090-Q1", "10", "--source", "force return"),
        ("summary", "schedule", "daily"),
        ("summary", "schedule", "daily", "25:00"),
        ("deliver", "add", "pigeon", "coop"),
        ("deliver", "add", "email", "nobody"),
        ("deliver", "add", "email", "a@example.org, b@example.org"),
        ("deliver", "add", "webhook", "http://example.org/hook"),
        ("deliver", "add", "webhook", "https://user:password@example.org/hook"),
        ("deliver", "stop", "0193a000-0000-7000-8000-000000000001"),
    ],
)
def test_what_cannot_be_done_fails(run: Run, arguments: tuple[str, ...]) -> None:
    result = run(*arguments)
    assert result.exit_code != 0 and "Traceback" not in result.output


def test_an_edition_is_shown_in_every_form_and_listed(run: Run, tmp_path: Path) -> None:
    ended_well(run("publish", "--as-at", ENDS.isoformat()))
    shown = json.loads(ended_well(run("summary", "show", "daily", "2026-11-18", "--format", "json")))
    assert (shown["period"], shown["edition"]) == ("2026-11-18", 1)
    text = ended_well(run("summary", "show", "daily", "2026-11-18"))
    assert f"Position in the log: {shown['as_at_seq']}" in text and shown["chain_head"] in text
    rows = list(csv.reader(io.StringIO(ended_well(run("summary", "show", "daily", "2026-11-18", "--format", "csv")))))
    assert len(rows) > 50
    page = tmp_path / "page.html"
    ended_well(run("summary", "show", "daily", "2026-11-18", "--format", "html", "--output", str(page)))
    written = page.read_text()
    assert written.startswith("<!DOCTYPE html>") and "<style>" in written and "<link" not in written
    monthly = ended_well(run("summary", "list", "--kind", "monthly"))
    assert "2026-10" in monthly and "2026-11-18" not in monthly


def test_a_clock_more_than_a_day_ahead_asks_and_without_a_terminal_does_nothing(run: Run) -> None:
    ahead = (datetime.now(UTC) + timedelta(days=400)).isoformat()
    refused = run("publish", "--as-at", ahead)
    assert refused.exit_code == 2 and refused.stdout == ""
    assert "as no data" in refused.stderr and "daily" in refused.stderr and "give --yes" in refused.stderr
    assert listed(run("summary", "list", "--json")) == []
    soon = (datetime.now(UTC) + timedelta(hours=23)).isoformat()
    assert "daily" in ended_well(run("publish", "--as-at", soon))
    month_ahead = datetime.now(UTC) + timedelta(days=31)
    assert "daily" in ended_well(run("publish", "--as-at", month_ahead.isoformat(), "--yes"))


def test_a_difference_says_why(run: Run) -> None:
    early = datetime(2026, 11, 8, 7, 5, tzinfo=UTC)
    ended_well(run("publish", "--as-at", early.isoformat()))
    assert "edition 2" not in ended_well(run("publish", "--as-at", ENDS.isoformat()))  # nothing was added since
    assert "first edition" in ended_well(run("summary", "diff", "daily", "2026-11-06"))
    assert json.loads(ended_well(run("summary", "diff", "--json", "daily", "2026-11-06"))) == []


def test_reports_come_out_as_csv(run: Run) -> None:
    compared = ended_well(run("summary", "compare", "2026-10", "2026-11", "--as-at", "2026-12-02T12:00:00Z"))
    assert {row["measure"] for row in csv.DictReader(io.StringIO(compared))} >= {"incidents", "s136_by_place"}
    returned = ended_well(run("summary", "home-office", "2026-27"))
    total = next(row for row in csv.DictReader(io.StringIO(returned)) if row["breakdown"] == "total")
    assert int(total["detentions"]) > 10


def test_an_edition_is_computed_again_to_the_byte(run: Run) -> None:
    ended_well(run("publish", "--as-at", ENDS.isoformat()))
    assert "the same numbers, to the byte" in ended_well(run("summary", "recompute", "monthly", "2026-10"))


def test_totals_of_the_force_are_entered_in_versions(run: Run) -> None:
    total = ("summary", "force-total", "--json", "2026-Q1")
    assert listed(run(*total)) == []
    ended_well(run(*total, "140", "--source", "force return"))
    assert listed(run(*total, "141", "--source", "force return, corrected")) == [
        {"period": "2026-Q1", "version": 1, "s136": 140, "source": "force return"},
        {"period": "2026-Q1", "version": 2, "s136": 141, "source": "force return, corrected"},
    ]


def test_a_team_sets_when_its_summaries_are_due(run: Run) -> None:
    as_shipped = {"kind": "daily", "local_time": "07:00", "days_after_the_last_day": 1}
    assert as_shipped in listed(run("summary", "schedule", "--json"))
    ended_well(run("summary", "schedule", "daily", "09:30"))
    assert as_shipped | {"local_time": "09:30"} in listed(run("summary", "schedule", "--json"))
    early = datetime(2026, 10, 21, 8, 29, tzinfo=UTC)
    assert ended_well(run("publish", "--as-at", early.isoformat())) == ""
    assert "daily 2026-10-20" in ended_well(run("publish", "--as-at", early.replace(minute=30).isoformat()))


def test_a_destination_is_listed_until_it_is_stopped(run: Run) -> None:
    destination = ended_well(run("deliver", "add", "email", "sergeant@example.org")).strip()
    assert listed(run("deliver", "destinations", "--json")) == [
        {"id": destination, "channel": "email", "address": "sergeant@example.org"}
    ]
    ended_well(run("deliver", "stop", destination))
    assert listed(run("deliver", "destinations", "--json")) == []


def test_messages_wait_and_are_tried_again(run: Run) -> None:
    destination, secret = ended_well(run("deliver", "add", "webhook", "https://127.0.0.1/hook")).splitlines()
    assert len(destination) == 36 and secret.startswith("whsec_")
    ended_well(run("publish", "--as-at", (datetime(2026, 10, 21, 7, 0, tzinfo=UTC)).isoformat()))
    [waiting] = listed(run("deliver", "list", "--json"))
    assert (waiting["message"], waiting["attempts"]) == ("summary daily 2026-10-20 internal 1", 0)
    assert "1 attempts made" in ended_well(run("deliver", "retry"))
    assert "address_private" in ended_well(run("deliver", "list"))


def test_a_question_is_answered_exactly_and_refused_for_publication_with_a_coarser_table(run: Run) -> None:
    exact = ended_well(run("summary", "question", "2026-10", "--of", "s136", "--by", "month", "--by", "area"))
    heading, columns, *rows = csv.reader(io.StringIO(exact))
    assert heading[0].startswith("NOT FOR PUBLICATION") and columns == ["month", "area", "s136"] and rows
    refused = run("summary", "question", "2026-10", "--by", "area", "--publishable")
    assert refused.exit_code != 0 and "no protected tables of 2026-10 are released" in refused.output
    assert "no month, quarter or financial year" in run("summary", "question", "2026-13").output

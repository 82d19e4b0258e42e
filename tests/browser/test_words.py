"""Every reason for a grade has words: a page shows no code."""

import inspect
import re
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest

from triage.log import diversion_rules
from triage.log.view import Grade
from triage.pages import words
from triage.pages.local_time import LocalTime
from triage.times import LONDON

NOW = datetime(2026, 11, 26, 15, 0, tzinfo=UTC)
GIVEN = re.findall(r'\("([a-z_0-9:]+)", (?:None|[a-z][\w.\[\]]*)\)', inspect.getsource(diversion_rules))
CODES = {
    *GIVEN,
    *diversion_rules.POWERS,
    *diversion_rules.SECTIONS,
    *diversion_rules.HARM,
    *diversion_rules.ARRESTED_LATER,
    "law",
    "test",
    "judge",
    "evidence_withdrawn",
}


def test_the_codes_were_found() -> None:
    assert {"test_missing", "contemporaneous", "no_offence", "late_input"} & CODES and len(CODES) > 25


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_reason_is_a_clause(code: str) -> None:
    assert " " in words.BECAUSE[code] and not words.BECAUSE[code].endswith(".")


@pytest.mark.parametrize("grade", get_args(Grade))
def test_every_grade_is_said_in_words(grade: str) -> None:
    assert words.GRADES[grade]


def test_what_holds_for_every_grade_is_said_only_where_there_is_nothing_else() -> None:
    assert words.because(["intent", "first_disposal", "judged_blind"]) == [words.BECAUSE["judged_blind"]]
    assert words.because(["intent", "first_disposal"]) == [words.BECAUSE["intent"]]


@pytest.mark.parametrize(
    ("ago", "said"),
    [
        (timedelta(0), "15:00"),
        (timedelta(days=1), "yesterday 15:00"),
        (-timedelta(days=1), "tomorrow 15:00"),
        (timedelta(days=3), "Mon 23 Nov 15:00"),
    ],
)
def test_a_day_is_named_only_where_it_is_not_today(ago: timedelta, said: str) -> None:
    assert LocalTime(NOW, LONDON).when(NOW - ago) == said


@pytest.mark.parametrize(
    ("span", "said"),
    [(timedelta(minutes=9), "9 min"), (timedelta(hours=3, minutes=5), "3 h 05 min"), (timedelta(days=9), "9 days")],
)
def test_a_duration_is_short(span: timedelta, said: str) -> None:
    assert words.lasting(span) == words.lasting(-span) == said

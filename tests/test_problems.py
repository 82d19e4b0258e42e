"""Every refusal comes from one closed catalogue, in the form of RFC 9457, and is documented."""

import ast
from http import HTTPStatus
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from triage import problems
from triage.problems import CATALOGUE, FieldError, ListedProblem, Refused

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("listed", CATALOGUE.values(), ids=CATALOGUE)
def test_each_problem_is_a_document_of_rfc_9457(listed: ListedProblem) -> None:
    document = msgspec.json.decode(msgspec.json.encode(listed.problem()))
    assert document["type"] == f"/problems/{listed.code}"
    assert document["status"] == HTTPStatus(listed.status)
    assert listed.status >= 400
    assert document["title"] and not document["title"].endswith(".")
    assert document["detail"].endswith(".")
    assert document["retry"] in get_args(problems.Retry)
    assert document.keys() <= {"type", "title", "status", "detail", "code", "retry", "wipe", "resync"}


def test_codes_are_unique_and_named_like_their_constants() -> None:
    constants = {name: value for name, value in vars(problems).items() if isinstance(value, ListedProblem)}
    assert {name: value.code for name, value in constants.items()} == {name: name.lower() for name in constants}
    assert set(CATALOGUE) == {value.code for value in constants.values()}


def test_what_may_be_sent_again_says_when() -> None:
    for code, listed in CATALOGUE.items():
        if listed.status in (429, 500, 503):
            assert listed.retry == "later", code
        if listed.status in (400, 413, 415, 422) and listed is not problems.NEWER_THAN_SERVICE:
            assert listed.retry == "after_fix", code


def test_a_revoked_device_wipes_and_a_lost_cursor_starts_afresh() -> None:
    assert problems.DEVICE_REVOKED.problem().wipe
    assert problems.CURSOR_UNKNOWN.problem().resync
    assert [code for code, listed in CATALOGUE.items() if listed.wipe] == ["device_revoked"]
    assert [code for code, listed in CATALOGUE.items() if listed.resync] == ["cursor_unknown"]


def test_a_refusal_carries_its_problem_and_says_no_more_in_a_traceback() -> None:
    errors = (FieldError("note", "too_long", "Note is longer than 280 characters."),)
    refusal = Refused(problems.RATE_LIMITED, "Thirty an hour.", errors=errors, retry_after=7)
    assert refusal.problem.detail == "Thirty an hour."
    assert refusal.problem.errors == errors
    assert refusal.retry_after == 7
    assert str(refusal) == "rate_limited"


def test_no_problem_is_made_up_outside_the_catalogue() -> None:
    makers = {
        path.name
        for path in (ROOT / "triage").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", getattr(node.func, "attr", "")) in ("Problem", "Listed")
    }
    assert makers == {"problems.py"}

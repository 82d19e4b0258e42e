"""The partner's page is a data dictionary too: a name or class that is published is explained there."""

import re
from pathlib import Path

import pytest

from triage.exports import members as m
from triage.exports.catalogue import CLASSES, ladders
from triage.exports.records import COLUMNS
from triage.exports.selection import ROW_REF
from triage.exports.tree import VIEWS

PAGE = (Path(__file__).parents[2] / "docs" / "partners.md").read_text()
NAMED = set(re.findall(r"`([^`\n]+)`", PAGE))


def test_every_column_is_explained() -> None:
    assert {ROW_REF, *COLUMNS} <= NAMED


def test_every_table_is_explained() -> None:
    assert {form.code for ladder in ladders("yearly") for form in ladder} <= NAMED


@pytest.mark.parametrize(
    "classes",
    [
        *CLASSES.values(),
        tuple(m.AGE_FIRST),
        m.SHIFTS,
        m.MINUTES,
        m.PLACE_OF_SAFETY.classes,
        m.SOURCE.classes,
        m.CONVEYANCE.classes,
        *(tuple(view.label.values()) for view in VIEWS),
    ],
)
def test_every_class_is_explained(classes: tuple[str, ...]) -> None:
    assert set(classes) <= NAMED


def test_the_reader_is_ten_lines() -> None:
    block = PAGE.split("```python\n")[1].split("```")[0]
    assert len([line for line in block.splitlines() if line.strip()]) <= 10
    compile(block, "partners.md", "exec")

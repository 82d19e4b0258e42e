"""The drawings of `docs/architecture.md` are true, arrows by imports and rooms by layers; a class has one name."""

import re
import tomllib
from functools import cache
from pathlib import Path

import grimp
import pytest

TOP = Path(__file__).parents[1]
PAGE = TOP / "docs/architecture.md"
ARROW = re.compile(r'^  (\w+)(?:\["([^"]+)"\])? -->(?:\|"[^"]*"\|)? (\w+)(?:\["([^"]+)"\])?$')


@cache
def imports() -> grimp.ImportGraph:
    return grimp.build_graph("triage")


def drawing(heading: str) -> list[tuple[str, str]]:
    """The arrows of the drawing under a heading, between names as they are shown."""
    [section] = [part for part in PAGE.read_text().split("\n## ") if part.startswith(heading)]
    lines = section.split("```mermaid\nflowchart TD\n")[1].split("\n```")[0].splitlines()
    shown: dict[str, str] = {}
    arrows = []
    for line in lines:
        arrow = ARROW.match(line)
        assert arrow, line
        shown |= {node: label for node, label in (arrow.group(1, 2), arrow.group(3, 4)) if label}
        arrows.append((arrow[1], arrow[3]))
    return [(shown.get(start, start), shown.get(end, end)) for start, end in arrows]


def test_the_rooms_are_the_layers_that_the_linter_enforces() -> None:
    contracts = tomllib.loads((TOP / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    [layers] = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    arrows = drawing("Rooms")
    drawn = [arrows[0][0], *(end for _, end in arrows)]
    assert [start for start, _ in arrows] == drawn[:-1]
    assert [set(room.split(" · ")) for room in drawn] == [set(re.split(" [:|] ", layer)) for layer in layers]


@pytest.mark.parametrize("heading", ["One entry", "One figure"])
def test_every_arrow_is_an_import(heading: str) -> None:
    arrows = drawing(heading)
    assert len(arrows) > 10
    missing = [
        (start, end) for start, end in arrows if not imports().direct_import_exists(importer=start, imported=end)
    ]
    assert missing == []


@pytest.mark.parametrize("heading", ["One entry", "One figure"])
def test_a_way_begins_at_one_place_and_everything_drawn_lies_on_it(heading: str) -> None:
    arrows = drawing(heading)
    reached = {arrows[0][0]}
    pages = {start for start, _ in arrows if start.startswith(("triage.pages", "triage.http"))}
    for _ in arrows:
        reached |= {end for start, end in arrows if start in reached | pages}
    assert {name for arrow in arrows for name in arrow} - pages <= reached


def test_a_class_has_a_name_of_its_own() -> None:
    modules: dict[str, set[str]] = {}
    for path in sorted((TOP / "triage").rglob("*.py")):
        for name in re.findall(r"^class (\w+)", path.read_text(encoding="utf-8"), re.MULTILINE):
            modules.setdefault(name, set()).add(str(path.relative_to(TOP)))
    assert {name: where for name, where in modules.items() if len(where) > 1} == {}

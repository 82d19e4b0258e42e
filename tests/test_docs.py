"""Pages that can rot: what they name must exist."""

import re
from pathlib import Path

import pytest
from support import reference_pages

from triage.__main__ import COMMANDS

TOP = Path(__file__).parents[1]
PAGES = [*sorted(TOP.glob("*.md")), *sorted((TOP / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_paths_and_commands_exist(page: Path) -> None:
    text = page.read_text()
    for path in re.findall(r"`((?:triage|tests|sql|openapi|docs)/[\w./-]+)`", text):
        assert (TOP / path).exists(), path
    for command in re.findall(r"(?:`|run )triage ([a-z][a-z-]+)", text):
        assert command in COMMANDS, command


@pytest.mark.parametrize("name", reference_pages.PAGES)
def test_what_is_made_from_the_code_says_what_the_code_says(name: str) -> None:
    assert (TOP / "docs" / name).read_text() == reference_pages.PAGES[name](), "run tests/support/reference_pages.py"


def test_the_readme_starts_a_newcomer_in_two_commands() -> None:
    text = (TOP / "README.md").read_text()
    assert "pip install uv && uv run triage demo" in text
    assert "pip install uv && uv run pytest" in text


def blocks(page: str) -> list[str]:
    return re.findall(r"```sh\n(.*?)```", (TOP / page).read_text(), re.DOTALL)


def test_the_readmes_commands_can_be_pasted_into_an_interactive_shell() -> None:
    for block in blocks("README.md"):
        for line in block.splitlines():
            assert "#" not in line, "zsh takes no comments at its prompt"
            unquoted = re.sub(r'"(?:\\.|[^"\\])*"|\'[^\']*\'', "", line)
            assert not re.search(r"[?*\[]", unquoted), f"zsh looks for files: {line}"

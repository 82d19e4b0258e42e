"""How commands print: lists as plain columns that are never cut, or as JSON, and nothing else on standard output."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Protocol

import click
import msgspec
from rich.console import Console
from rich.progress import Progress


class Update(Protocol):
    """Shows how many of how many are done, and of what."""

    def __call__(self, done: int, of: int, what: str | None = None, /) -> None: ...


def show_table(headings: Sequence[str], rows: Iterable[Sequence[object]], as_json: bool) -> None:
    """Print a list: a line of headings and a line for each row, or an array of objects."""
    if as_json:
        names = [heading.replace(" ", "_") for heading in headings]
        show_json([dict(zip(names, row, strict=True)) for row in rows])
        return
    lines = [tuple(headings), *(tuple(map(_text, row)) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def show_json(value: object) -> None:
    """Print a value as JSON."""
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2))


def _text(value: object) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case datetime():
            return value.isoformat(timespec="seconds")
    return str(value)


@contextmanager
def progress(what: str) -> Iterator[Update]:
    """A bar on standard error for the time of the block, where that is a terminal."""
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)

        def update(done: int, of: int, what: str | None = None, /) -> None:
            bar.update(task, completed=done, total=of, description=what)

        yield update

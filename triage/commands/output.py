"""How commands print: lists as plain columns that are never cut, or as JSON, and nothing else on standard output."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

import click
import msgspec

from triage.progress import Progress, unseen


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
    click.echo(indented_json(value))


def indented_json(value: object) -> bytes:
    """A value as JSON for people to read, too."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2)


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
def progress(what: str) -> Iterator[Progress]:
    """A bar on standard error for the time of the block, where that is a terminal."""
    if not sys.stderr.isatty():
        yield unseen
        return
    with click.progressbar(length=1, label=what, file=sys.stderr) as bar:

        def update(done: int, of: int, what: str | None = None, /) -> None:
            bar.label, bar.length = what or bar.label, of
            bar.update(done - bar.pos)

        yield update

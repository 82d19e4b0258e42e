"""One table for everything that is measured."""

import os
from collections.abc import Iterable

from msgspec import Struct
from rich.console import Console
from rich.table import Table


class Line(Struct, frozen=True):
    """A figure, what it is held against in the same run, and the goals: the first to reach and the one after it."""

    what: str
    service: str
    floor: str
    ratio: str
    first: str
    then: str


def show(lines: Iterable[Line]) -> None:
    """Print the table, wide enough that nothing is cut."""
    table = Table(title=f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    for heading in ("what", "service", "floor", "ratio", "first", "then"):
        table.add_column(heading)
    for line in lines:
        table.add_row(line.what, line.service, line.floor, line.ratio, line.first, line.then)
    Console(width=160).print(table)

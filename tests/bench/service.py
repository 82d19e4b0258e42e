"""What people feel of the service, in one table: `uv run python tests/bench/service.py [--seconds 8] [part …]`.

Every ratio is to a floor taken directly before and after on the same machine, disk and server: pgbench, bare SQL, or
the bare equivalent in other frameworks. fsync and synchronous commit are on throughout. The load generator shares the
cores with what it measures, as pgbench does. Parts: writes, pulls, incidents, footprint,
starting, frameworks, tail.
"""

import argparse
from collections.abc import Awaitable, Callable

import footprint
import frameworks
import incidents
import pulls
import starting
import tail
import uvloop
import writes
from lines import Line, show

PARTS: dict[str, Callable[[float], Awaitable[list[Line]]]] = {
    "writes": writes.bench,
    "pulls": pulls.bench,
    "incidents": incidents.bench,
    "footprint": footprint.bench,
    "starting": starting.bench,
    "frameworks": frameworks.bench,
    "tail": tail.bench,
}


async def main(seconds: float, parts: list[str]) -> None:
    lines: list[Line] = []
    for part in parts or PARTS:
        lines += await PARTS[part](seconds)
        print(f"{part} measured", flush=True)
    show(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8, help="how long each figure is measured")
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], metavar="part", help=", ".join(PARTS))
    chosen = parser.parse_args()
    uvloop.run(main(chosen.seconds, chosen.parts))

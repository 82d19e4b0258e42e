"""What disclosure control costs: `uv run python tests/bench/disclosure.py [million]`.

Seconds of one process and the peak of its memory, for the floors of the project: 50,000 rows frozen in under 5 s, a
million in under 60 s, the tables of a year in under 5 s. The population is synthetic and made before the clock starts.
"""

import resource
import sys
import time
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path
from typing import TypeVar

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.population import copies, population

from triage.exports import files, parquet, tables
from triage.exports.classified import classify
from triage.exports.members import ReleaseMember
from triage.exports.records import config_for, freeze, months_between
from triage.exports.selection import Selection, extract

KEY = bytes(32)
YEAR = months_between(date(2025, 4, 1), date(2026, 4, 1))


T = TypeVar("T")


def timed(label: str, work: Callable[[], T]) -> T:
    started = time.perf_counter()
    outcome = work()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{label:<48} {time.perf_counter() - started:7.2f} s   peak {peak:6.0f} MiB")
    return outcome


def records(members: list[ReleaseMember]) -> None:
    n = f"{len(members):,} rows"
    release = timed(f"freeze {n}", lambda: freeze("records/2025/1", members, YEAR, KEY, config_for("yearly")))
    rows = timed(f"extract {n} for an agreement", lambda: extract(release, Selection("partner", "other"), KEY))
    timed(f"CSV {n}", partial(files.records_csv, rows))
    timed(f"NDJSON {n}", partial(files.records_ndjson, rows))
    timed(f"Parquet {n}", partial(parquet.records_parquet, rows, {}))


def year_of_tables(members: list[ReleaseMember]) -> None:
    placed = timed(f"place {len(members):,} members", lambda: [classify(member, KEY) for member in members])
    forms = timed("admit a year on the year before", lambda: tables.admit("yearly", [placed], KEY))
    timed("tables of a year", lambda: tables.freeze("yearly", "2025", forms, placed, KEY))


def main() -> None:
    members = [arrival.member for arrival in population(50_000)]
    year_of_tables(members)
    records(members)
    if "million" in sys.argv:
        records(copies(members, 20))


if __name__ == "__main__":
    main()

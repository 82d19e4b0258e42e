"""Writes the record files of the synthetic populations, as each kind of body gets them: `released_files.py DIRECTORY`.

To be run with `tests` and `tests/exports` on the path, as `.ci/pycanon` does.
"""

import sys
from pathlib import Path
from typing import get_args

from cuts import KEY, LARGE, MEDIUM, SMALL, by_volume

from triage.exports.files import records_csv
from triage.exports.selection import Body, Selection, columns_for, extract

POPULATIONS = ((SMALL, 0.2), (SMALL, 0.5), (SMALL, 0.88), (MEDIUM, 0.88), (LARGE, 0.88))


def main(directory: Path) -> None:
    directory.mkdir(parents=True)
    for incidents, linked in POPULATIONS:
        release = by_volume(incidents, linked)
        for body in get_args(Body):
            file = records_csv(extract(release, Selection("partner", body, columns_for(body)), KEY))
            name = f"records-{incidents}-{round(100 * linked)}-{body}.csv"
            (directory / name).write_bytes(b"".join(file.chunks))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

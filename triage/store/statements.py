"""Named SQL statements from `sql/queries`: `-- name:` begins one, `-- why:` says what it is for."""

import re
from types import SimpleNamespace

from triage.resources import folder

_NAME = re.compile(r"^-- name: (\w+)\n-- why: (.+)\n", re.MULTILINE)


def load(family: str) -> SimpleNamespace:
    """The statements of one file as attributes. Raises FileNotFoundError; a name given twice is an error."""
    text = (folder("sql") / "queries" / f"{family}.sql").read_text("utf-8")
    pieces = _NAME.split(text)[1:]
    names = pieces[::3]
    if len(set(names)) != len(names):
        raise ValueError(f"{family}.sql names a statement twice")
    return SimpleNamespace(**{name: sql.strip() for name, sql in zip(names, pieces[2::3], strict=True)})

"""Named SQL statements from `sql/queries`, their parameters by name and their rows typed in one place.

`-- name:` begins a statement and `-- why:` says what it is for. A parameter is written `:team_id` and becomes `$1` when
the file is read. Tests compare every row type with what PostgreSQL says it
returns, and every call with the parameters of its statement.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, Final, Generic, TypeVar, cast, overload

from triage.resources import folder
from triage.store.hosts import Connection

R = TypeVar("R")

_NAME: Final = re.compile(r"^-- name: (\w+)\n-- why: (.+)\n", re.MULTILINE)
_PARAMETER: Final = re.compile(r"(?<![:\w]):([a-z]\w*)")


class Statement(Generic[R]):
    """One statement. `row_type` is a class that takes the columns in order, or the type of the only column.

    `timeout_s` is how long it may take where that is more than its connection allows every statement.
    """

    declared: Final[dict[str, "Statement[Any]"]] = {}
    """Every statement that a module has declared, by family and name."""

    def __init__(self, name: str, text: str, row_type: type[R] | None, timeout_s: float | None = None) -> None:
        self.name = name
        self.parameters = tuple(dict.fromkeys(_PARAMETER.findall(text)))
        self._names = frozenset(self.parameters)
        self.sql = _PARAMETER.sub(lambda match: f"${self.parameters.index(match[1]) + 1}", text)
        self.row_type = row_type
        self.timeout_s = timeout_s
        self._make = _maker(row_type)

    async def fetch(self, connection: Connection, **values: Any) -> list[R]:
        """Every row."""
        records = await connection.fetch(self.sql, *self.arguments(values), timeout=self.timeout_s)
        return [self._make(record) for record in records]

    async def fetch_first(self, connection: Connection, **values: Any) -> R | None:
        """The first row, or None; None also for an only column that is null."""
        record = await connection.fetchrow(self.sql, *self.arguments(values), timeout=self.timeout_s)
        return None if record is None else self._make(record)

    async def fetch_one(self, connection: Connection, **values: Any) -> R:
        """The row of a statement that always gives one."""
        record = await connection.fetchrow(self.sql, *self.arguments(values), timeout=self.timeout_s)
        assert record is not None, f"{self.name} gave no row"
        return self._make(record)

    async def execute(self, connection: Connection, **values: Any) -> str:
        """Run it for its effect; the answer is PostgreSQL's command tag."""
        return await connection.execute(self.sql, *self.arguments(values), timeout=self.timeout_s)

    async def execute_many(self, connection: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
        """Run it once for each set of values."""
        arguments = [self.arguments(values) for values in rows]
        await connection.executemany(self.sql, arguments, timeout=self.timeout_s)

    def arguments(self, values: Mapping[str, Any]) -> list[Any]:
        """The values in the order of the parameters. Raises TypeError for one too many or too few."""
        if values.keys() != self._names:
            raise TypeError(f"{self.name} takes {', '.join(self.parameters)}; given were {', '.join(values)}")
        return [values[name] for name in self.parameters]


def _maker(row_type: type[R] | None) -> Callable[[Any], R]:
    if row_type is not None and (hasattr(row_type, "__struct_fields__") or hasattr(row_type, "_fields")):
        return lambda record: row_type(*record)
    return lambda record: cast(R, record[0])


@overload
def statement(name: str, *, timeout_s: float | None = None) -> Statement[None]: ...
@overload
def statement(name: str, row_type: type[R], *, timeout_s: float | None = None) -> Statement[R]: ...
def statement(name: str, row_type: type[Any] | None = None, *, timeout_s: float | None = None) -> Statement[Any]:
    """The statement `family.name`. Raises KeyError where there is none, ValueError where it was declared before."""
    family, _, own = name.partition(".")
    if name in Statement.declared:
        raise ValueError(f"{name} is declared twice")
    declared: Statement[Any] = Statement(name, texts(family)[own], row_type, timeout_s)
    Statement.declared[name] = declared
    return declared


@cache
def texts(family: str) -> dict[str, str]:
    """The statements of one file by name. Raises FileNotFoundError, or ValueError for a name given twice."""
    pieces = _NAME.split((folder("sql") / "queries" / f"{family}.sql").read_text("utf-8"))[1:]
    names = pieces[::3]
    if len(set(names)) != len(names):
        raise ValueError(f"{family}.sql names a statement twice")
    return {name: sql.strip() for name, sql in zip(names, pieces[2::3], strict=True)}

"""Libraries that most processes never need, and that take a start too long: each is loaded when it is first used.

The standard library's `LazyLoader` looks for a module at once, and some of these may not be installed.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any


class LazyModule:
    """Stands for a module, and loads it when something of it is asked for."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        return getattr(import_module(self._name), name)


if TYPE_CHECKING:
    import httpx as httpx
    import jwt as jwt
    import pyarrow as pyarrow
    import segno as segno
    import typst as typst
    import xlsxwriter as xlsxwriter
    from pyarrow import parquet as parquet
else:
    httpx, jwt, pyarrow, parquet, segno, typst, xlsxwriter = map(
        LazyModule, ("httpx", "jwt", "pyarrow", "pyarrow.parquet", "segno", "typst", "xlsxwriter")
    )

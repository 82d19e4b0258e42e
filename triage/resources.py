"""The data that lies beside the package in a checkout and inside it once installed: `sql/` and `openapi/`."""

from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Literal


def folder(name: Literal["sql", "openapi"]) -> Traversable:
    """The top-level folder `name`, wherever this installation keeps it."""
    package = files("triage")
    inside = package / f"_{name}"
    return inside if inside.is_dir() else package / ".." / name

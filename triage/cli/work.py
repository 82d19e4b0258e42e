"""How what is declared finds what it needs of the program: by name, when it is needed and not before."""

from collections.abc import Callable
from functools import cached_property, partial, update_wrapper
from pkgutil import resolve_name
from typing import Any, get_args

import click

from triage.cli.options import DATA_DIR


def runs(work: str) -> Callable[[Callable[[], None]], Callable[..., None]]:
    """A command that is done by the function which `work` names, as `module:function`; it is given the options."""
    return lambda declared: update_wrapper(partial(_run, work), declared)


def runs_on_data(work: str) -> Callable[[Callable[[], None]], Callable[..., None]]:
    """As `runs`, for a command that works on the databases: each is told where they lie by the same option."""
    return lambda declared: DATA_DIR(runs(work)(declared))


def _run(work: str, **options: Any) -> None:
    resolve_name(work)(**options)


class Named(click.Choice[str]):
    """One of the names that the program itself defines: the members of a `Literal`, or the keys of a mapping."""

    case_sensitive = True

    def __init__(self, where: str) -> None:
        self._where = where

    @cached_property
    def choices(self) -> tuple[str, ...]:  # type: ignore[override]
        """The names, in their order there."""
        names = resolve_name(self._where)
        return get_args(names) or tuple(names)

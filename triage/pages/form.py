"""A form, and what it becomes."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec import Struct

from triage.pages.fields import Field

REASON: Final = "Why?"
FormQuery = Mapping[str, str]
"""The query of a form's address."""


class EntryForm(Struct, frozen=True, kw_only=True):
    """A form and what it becomes. `body` gives the entry's own fields from the answers; `hidden` goes with the form;
    `odd` says for a field what is unusual about its answer, to be asked again once."""

    title: str
    button: str
    done: str
    fields: tuple[Field, ...]
    body: Callable[[dict[str, Any]], dict[str, Any]]
    odd: Callable[[dict[str, Any]], dict[str, str]] = lambda values: {}
    before: str = ""
    hidden: Mapping[str, str] = {}
    filled: Mapping[str, Any] = {}
    warning: bool = False

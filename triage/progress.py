"""How long work tells how far it is."""

from typing import Protocol


class Progress(Protocol):
    """Told how many of how many are done, and of what, where that changes."""

    def __call__(self, done: int, of: int, what: str | None = None, /) -> None: ...


def unseen(done: int, of: int, what: str | None = None, /) -> None:
    """Progress that nobody wants to see."""

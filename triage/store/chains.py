"""Recomputing a chain from its first row: what was altered, is missing or was moved shows at once, and where."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar
from uuid import UUID

from msgspec import Struct

from triage.chain import GENESIS, ChainedRow, Head, follow
from triage.progress import Progress, unseen

R = TypeVar("R")

BEGINNING = Head(0, GENESIS)
"""Where a chain stands that has no row."""


class ChainVerdict(Struct, frozen=True):
    """Whether a chain of a team is whole. `fault` names the first row that is not as it was written."""

    team_id: UUID
    rows: int
    head: str
    fault: str | None


async def verify_chain(
    team_id: UUID,
    what: str,
    head: Head,
    fetch: Callable[[int], Awaitable[Sequence[R]]],
    chained: Callable[[R], ChainedRow],
    *,
    start: Head = BEGINNING,
    beside: Callable[[Sequence[R]], Awaitable[str | None]] | None = None,
    progress: Progress = unseen,
) -> ChainVerdict:
    """Recompute every link from `start` to `head`; `what` a row is.

    `fetch` gives the next rows after a position, `beside` the first fault of rows that follow in something that no link
    covers. `progress` is told how many rows of how many are done.
    """
    at, fault = start, None
    while fault is None and at.position < head.position and (rows := await fetch(at.position)):
        rows, before = rows[: head.position - at.position], at.position  # others may have come since
        at, fault = follow(at, map(chained, rows), what)
        if beside:
            fault = await beside(rows[: at.position - before]) or fault
        progress(at.position - start.position, head.position - start.position)
    if fault is None and at.position < head.position:
        fault = f"{what} {at.position + 1} is missing: the head is at {head.position}"
    elif fault is None and at.link != head.link:
        fault = f"the head's link is not that of {what} {at.position}"
    return ChainVerdict(team_id, at.position - start.position, at.link.hex(), fault)

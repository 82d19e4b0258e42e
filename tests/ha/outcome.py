"""What an event did: how long nothing was acknowledged, what was lost, what phones saw; and which goals it missed."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from ha.phones import NO_ANSWER, Answer

GRACE_S: Final = 8.0
"""How long it may take until entries are acknowledged again, once there is a server that can."""
SLOWEST_S: Final = 10.0
EXPECTED: Final = frozenset({200, 201, 503})
HEADINGS: Final = ("event", "first acknowledgement after", "lost", "what phones saw")


@dataclass(frozen=True, slots=True)
class EventOutcome:
    """One event. Seconds are since its fault."""

    title: str
    silence_s: float
    """The longest time without any acknowledgement, from the fault on."""
    back_s: float
    """When that time ended."""
    within_s: float
    """When it had to."""
    acknowledged: int
    lost: int
    doubled: int
    statuses: Counter[int]
    slowest_s: float
    details: tuple[str, ...]
    remark: str
    resync: bool
    """Whether phones had to be told that the history is another."""

    def missed(self) -> list[str]:
        """The goals that were missed, in words."""
        unexpected = {status for status in self.statuses if status not in EXPECTED | ({410} if self.resync else set())}
        soon = self.silence_s <= GRACE_S or self.back_s <= self.within_s
        goals = {
            f"acknowledged again after {self.back_s:.1f} s, not {self.within_s:.0f} s": soon,
            f"{self.lost} acknowledged and lost": self.lost == 0,
            f"{self.doubled} stored twice": self.doubled == 0,
            f"an answer took {self.slowest_s:.1f} s": self.slowest_s <= SLOWEST_S,
            f"answers {sorted(unexpected)}: {self.details}": not unexpected,
            "no phone was told that the history is another": not self.resync or 410 in self.statuses,
        }
        return [words for words, reached in goals.items() if not reached]

    def cells(self) -> tuple[str, ...]:
        """A row of the table."""
        refused = [f"{n} × {status}" for status, n in sorted(self.statuses.items()) if status not in (0, 200, 201)]
        silent = self.statuses[NO_ANSWER]
        seen = [*refused, f"slowest {self.slowest_s:.1f} s", f"{silent} without an answer" if silent else ""]
        lost = f"{self.lost} of {self.acknowledged}"
        return (self.title, f"{self.silence_s:.1f} s", lost, ", ".join(filter(None, [*seen, self.remark])))


def measure(answers: Sequence[Answer], fault: float) -> tuple[float, float]:
    """The longest time without any acknowledgement since the fault, and how long after the fault it ended."""
    told = sorted(answer.at for answer in answers if answer.acknowledged and answer.at > fault)
    if not told:
        return float("inf"), float("inf")
    silence, end = max((after - before, after) for before, after in pairwise([fault, *told]))
    return silence, end - fault


def table(outcomes: Sequence[EventOutcome]) -> str:
    """The outcomes as a table of Markdown."""
    rows = [HEADINGS, ("---",) * len(HEADINGS), *(outcome.cells() for outcome in outcomes)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)

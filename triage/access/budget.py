"""How many requests an actor may make: so many a minute, saved up to one minute's worth.

Kept by each process for itself: an actor who goes through several has several budgets.
"""

from dataclasses import dataclass, field
from math import ceil
from uuid import UUID

REMEMBERED = 10_000


@dataclass(slots=True)
class _Purse:
    left: float
    at: float


@dataclass(slots=True)
class Budget:
    """Purses of actors, filled at `per_minute`; instants are monotonic seconds."""

    per_minute: int
    _purses: dict[UUID, _Purse] = field(default_factory=dict)

    def take(self, who: UUID, now: float) -> int:
        """Pay for one request: 0, or after how many seconds there is enough for one."""
        purse = self._purses.get(who)
        if purse is None:
            if len(self._purses) >= REMEMBERED:
                self._forget(now)
            purse = self._purses[who] = _Purse(self.per_minute, now)
        purse.left = min(self.per_minute, purse.left + (now - purse.at) * self.per_minute / 60)
        purse.at = now
        if purse.left < 1:
            return max(1, ceil((1 - purse.left) * 60 / self.per_minute))
        purse.left -= 1
        return 0

    def _forget(self, now: float) -> None:
        """Whoever was not seen for a minute has a full purse, which need not be kept."""
        self._purses = {who: purse for who, purse in self._purses.items() if now - purse.at < 60}

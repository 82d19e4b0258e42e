"""A phone's wrong clock, and how the times it gave are set right where they are ordered or compared."""

from datetime import datetime, timedelta

from msgspec import Struct

SKEW_TOLERATED_MS = 120_000
"""A phone's clock may be this far off before its times are corrected."""

ASTRAY = timedelta(days=365)
"""A clock further off than this lost its date: some of the times beside it were typed by somebody who knows the day."""

TYPED_WITHIN = timedelta(hours=48)
"""So near to the receipt lies a time that was typed, not read from a clock that is astray."""


class ClockCorrection(Struct, frozen=True, gc=False):
    """How far a phone's clock was ahead (negative: behind) of the service's, for what was received at this instant."""

    ahead: timedelta
    received_at: datetime

    def corrected(self, time: datetime) -> datetime:
        """A time the phone sent, as the service's clock would have shown it. Raises OverflowError beyond any year."""
        if abs(self.ahead) > ASTRAY and abs(time - self.received_at) <= TYPED_WITHIN:
            return time
        return time - self.ahead


def clock_correction(skew_ms: int | None, received_at: datetime) -> ClockCorrection | None:
    """None where the clock was not measured, or is near enough."""
    if skew_ms is None or -SKEW_TOLERATED_MS <= skew_ms <= SKEW_TOLERATED_MS:
        return None
    return ClockCorrection(timedelta(milliseconds=skew_ms), received_at)

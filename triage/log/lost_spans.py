"""Entries that a restore lost and phones send again: it is received again, and lateness is not held against it."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from triage.log import effective
from triage.log.entries import StoredEntry


class LostSpan(NamedTuple):
    """A time whose entries a restore or a failover lost: since the last one kept, until the history went on."""

    since: datetime
    until: datetime


def is_received_again(stored: StoredEntry, lost: Sequence[LostSpan]) -> bool:
    """Whether it was captured in a time whose entries were lost, and came after it: its first receipt is not known."""
    at = effective.captured(stored)
    return any(span.since <= at <= span.until < stored.received_at for span in lost)

"""Which incidents need action: one definition for the day's summary, the first page, the chase list and alerts."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final, Literal

ACTIONS: Final[Mapping[str, str]] = {
    "open_detentions": "Open detentions",
    "under_18_in_detention": "Under 18 in detention",
    "police_station_used": "Under 18 at a police station",
    "station_not_authorised": "Police station used without authority on record",
    "power_location_conflict": "Power used where the place rules it out",
    "conflicting_records": "Conflicting records",
    "likely_duplicates": "Likely duplicates",
    "unlinked": "No person linked",
}
"""The actions that an incident may need, in the order in which it is printed."""

RUNNING: Final = frozenset(("clock_running", "clock_unknown"))
"""The flags of a detention without an end; its 24 hours run whether or not an outcome was ever sent."""

_CONFLICT: Final = "conflict:"

ClockAlert = Literal["detention_4_h", "detention_1_h", "detention_0_h"]
_THRESHOLDS: Final[tuple[tuple[timedelta, ClockAlert], ...]] = (
    (timedelta(0), "detention_0_h"),
    (timedelta(hours=1), "detention_1_h"),
    (timedelta(hours=4), "detention_4_h"),
)


def actions(flags: Collection[str], *, counts: bool, linked: bool, duplicate: bool) -> frozenset[str]:
    """The actions that an incident needs, from the flags raised about it (codes of `ACTIONS`).

    Nothing about one that does not count: a lone intent, training, or what was withdrawn. `linked`: a person is linked;
    `duplicate`: the machine suggests that it is another one written down twice.
    """
    if not counts:
        return frozenset()
    running = not RUNNING.isdisjoint(flags)
    raised = {
        "open_detentions": running,
        "under_18_in_detention": running and "under_18" in flags,
        "police_station_used": "under_18_police_station" in flags,
        "station_not_authorised": "station_not_authorised" in flags,
        "power_location_conflict": "power_location_conflict" in flags,
        "conflicting_records": bool(conflicts_in(flags)),
        "likely_duplicates": duplicate,
        "unlinked": not linked,
    }
    return frozenset(code for code, is_raised in raised.items() if is_raised)


def conflicts_in(flags: Iterable[str]) -> list[str]:
    """The fields on which the records of an incident disagree, by its flags."""
    return [flag.removeprefix(_CONFLICT) for flag in flags if flag.startswith(_CONFLICT)]


def is_overdue(overdue_at: datetime | None, now: datetime) -> bool:
    """Whether somebody has to be asked for an outcome, or for the end of a detention."""
    return overdue_at is not None and overdue_at <= now


def clock_alert(expires_at: datetime | None, now: datetime, alerted_for: timedelta) -> ClockAlert | None:
    """The most urgent threshold that a running detention has reached: after a pause the others are not told any more.

    None before the first, without an expiry, and longer than `alerted_for` after it.
    """
    if expires_at is None or now - expires_at > alerted_for:
        return None
    left = expires_at - now
    return next((alert for threshold, alert in _THRESHOLDS if left <= threshold), None)

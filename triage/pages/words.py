"""Codes, flags, times and durations in plain words."""

import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from triage import codes

FLAGS: Final = {
    "under_18": "Under 18, or treated as under 18",
    "under_18_police_station": "Under 18 held at a police station",
    "station_not_authorised": "Police station used without authority on record",
    "power_location_conflict": "Power used where the place rules it out",
    "power_not_held": "Section 136 decided by somebody who does not hold the power",
    "mca_by_police": "Mental Capacity Act relied on by police without a physical need",
    "place_disputed": "Place where the power is disputed",
    "invalid_extension": "Extension that does not move the expiry",
    "possible_duplicate": "May be the same as another incident",
    "outcome_overdue": "Outcome overdue",
    "expiry_passed_no_end": "Expiry passed and no end recorded",
    "clock_running": "Detention clock running",
    "clock_unknown": "Detention clock unknown: no arrival recorded",
    "clock_skew": "A phone's clock was wrong",
    "late": "Some entries arrived late",
    "intent_withdrawn": "Intent withdrawn",
    "target_not_held": "An entry names another that has not arrived",
    "test": "Training",
}
KINDS: Final = {
    "officer": "Police contact",
    "nurse": "Nurse contact",
    "paramedic": "Paramedic contact",
    "intent": "What the officer intended",
    "outcome": "Outcome",
    "detention": "Detention event",
    "follow_up": "Follow-up",
    "amendment": "Amendment",
    "withdrawal": "Withdrawal",
    "same_incident": "Said to be the same incident",
    "not_same_incident": "Said to be different incidents",
    "person_link": "Person linked",
    "person_unlink": "Person unlinked",
    "erasure": "Erasure",
}
STATUSES: Final = {
    "open": "Open: no outcome yet",
    "awaiting_outcome": "Detention without a recorded end",
    "closed": "Closed",
    "withdrawn": "Withdrawn",
}
PROFESSIONS: Final = {"police": "Police", "nurse": "Nurse", "paramedic": "Paramedic"}
ROLES: Final = {"sergeant": "Sergeant", "clinical_lead": "Clinical lead"}
UNSAID: Final = "Not recorded"

_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T.+")
_LISTS: Final = {
    "power": ("intent_power", "detention_power"),
    "source": ("intent_source",),
    "sources": ("window_source",),
    "role": ("consulted_role",),
    "event": ("detention_event", "follow_up_event"),
    "ground": ("extension_ground",),
    "result": ("detention_result",),
    "section": ("later_section",),
    "referrals": ("police_referral", "health_referral"),
    "by": ("decided_by",),
    "force_code": ("police_force",),
}
"""Fields whose list has another name."""
_AS_TYPED: Final = ("note", "log_ref", "car", "referrer", "sent", "id", "incident_id", "other_incident_id")
_DEEPEST: Final = 4
"""What is refused may be nested without end; entries are not nested deeper than this."""
_NAMED: Final = frozenset(codes.names())


def code(field: str, value: str) -> str:
    """What a code of this field means; one that no list knows is shown as it is, without underscores."""
    for name in _LISTS.get(field, (field,)):
        if name in _NAMED and value in codes.list(name):
            return codes.list(name)[value].label
    return sentence(value)


def flag(name: str) -> str:
    """What a flag says."""
    if name.startswith("conflict:"):
        return f"Records disagree: {name.removeprefix('conflict:').replace('_', ' ')}"
    return FLAGS.get(name) or sentence(name)


def sentence(name: str) -> str:
    """A name made of words."""
    return name.replace("_", " ").capitalize()


def at(instant: datetime | None, zone: ZoneInfo) -> str:
    """An instant on the team's clock."""
    return instant.astimezone(zone).strftime("%-d %b %Y, %H:%M") if instant else UNSAID


def until(instant: datetime, zone: ZoneInfo) -> str:
    """An instant that a clock runs out at, also told apart in the night that has an hour twice."""
    return instant.astimezone(zone).strftime("%-d %b %Y, %H:%M %Z")


def day(instant: date) -> str:
    """A date."""
    return instant.strftime("%-d %B %Y")


def lasting(span: timedelta) -> str:
    """A duration in hours and minutes, in days and hours when it is long."""
    minutes = int(abs(span).total_seconds() // 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 72:
        return f"{hours // 24} days"
    return f"{_count(hours, 'hour')} {_count(minutes, 'minute')}" if hours else _count(minutes, "minute")


def _count(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def lines(
    content: dict[str, Any], zone: ZoneInfo, leave_out: frozenset[str] = frozenset(), depth: int = 0
) -> Iterator[tuple[str, str]]:
    """The fields of an entry as term and description, those of its parts after their part's name."""
    for name, value in content.items():
        if name in leave_out or value is None:
            continue
        if isinstance(value, dict) and depth < _DEEPEST:
            yield from (
                (f"{sentence(name)}: {term.lower()}", said) for term, said in lines(value, zone, depth=depth + 1)
            )
        else:
            yield sentence(name), _said(name, value, zone, depth)


def _said(field: str, value: Any, zone: ZoneInfo, depth: int) -> str:
    if depth > _DEEPEST:
        return "…"
    match value:
        case bool():
            return "Yes" if value else "No"
        case str() if _TIME.fullmatch(value):
            return _time(value, zone)
        case str():
            return value if field in _AS_TYPED else code(field, value)
        case list():
            return "; ".join(_said(field, one, zone, depth + 1) for one in value) or "None"
        case dict():
            return "; ".join(f"{term}: {said}" for term, said in lines(value, zone, depth=depth + 1))
        case _:
            return str(value)


def _time(text: str, zone: ZoneInfo) -> str:
    try:
        return at(msgspec.convert(text, datetime), zone)
    except (msgspec.ValidationError, OverflowError, ValueError):
        return text

"""A police station as a place of safety: for nobody under 18, and for an adult under three tests and an inspector.

s136A Mental Health Act 1983 and the regulations of 2017 under it.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from triage import codes
from triage.log.effective import EffectiveEntry, SortedEntries
from triage.log.entries import Contact, Detention
from triage.log.resolve import is_known
from triage.log.timeline import DatedOutcome, status_held_from
from triage.terms import Terms

STATION = "police_station"

_RANKS = codes.list("authorised_rank")
_STATUSES = codes.list("legal_status")


def station_uses(entries: SortedEntries, outcomes: Sequence[DatedOutcome], location_type: str | None) -> list[datetime]:
    """When a person was held at a police station under s136 or s135, as far as a detention event, an outcome that says
    kept, or a contact's legal status says so. `location_type` is the place of the contacts together."""
    at_station = [detention.corrected(detention.entry.at) for detention in events_at_station(entries)]
    at_station += [outcome.dated for outcome in outcomes if keeps_at_station(outcome, location_type)]
    at_station += [status_held_from(contact) for contact in entries.contacts if is_held_at_station(contact)]
    return at_station


def events_at_station(entries: SortedEntries) -> list[EffectiveEntry[Detention]]:
    """The detention events at a police station."""
    return [detention for detention in entries.detentions if detention.entry.place_of_safety == STATION]


def keeps_at_station(outcome: DatedOutcome, location_type: str | None) -> bool:
    """Whether an outcome keeps the person at a police station: it says so, or the contacts together do."""
    own = outcome.effective.entry.location_type
    return says_kept(outcome.disposal) and (own if is_known("location_type", own) else location_type) == STATION


def is_held_at_station(contact: EffectiveEntry[Contact]) -> bool:
    """Whether a contact found the person at a police station under s136 or s135."""
    return contact.entry.location_type == STATION and exercises_power(contact.entry.legal_status)


def says_kept(disposal: str) -> bool:
    """Whether a person was kept where he was, under s136 or s135."""
    return disposal in ("s136_kept", "s135_kept")


def exercises_power(legal_status: str | None) -> bool:
    """Whether a legal status is that of s136 or s135."""
    row = _STATUSES.get(legal_status)
    return row is not None and row.power is not None


def is_authorised(events: Iterable[Any]) -> bool:
    """Whether an adult may be there, as these detention events say: the three tests, and an inspector or above."""
    events = list(events)
    tests = [event.station_tests for event in events if event.station_tests]
    ranks = [row for event in events if (row := _RANKS.get(event.authorised_rank))]
    met = any(test.imminent_risk and test.no_other_place and test.healthcare_available for test in tests)
    return met and any(rank.authorises_station for rank in ranks)


def station_flag(
    entries: SortedEntries, outcomes: Sequence[DatedOutcome], location_type: str | None, child: bool, terms: Terms
) -> str | None:
    """The flags about a police station in this incident."""
    held_at = station_uses(entries, outcomes, location_type)
    if not held_at:
        return None
    if child:
        return "under_18_police_station"
    events = [detention.entry for detention in events_at_station(entries)]
    return None if is_authorised(events) and not terms.stations_abolished(max(held_at)) else "station_not_authorised"

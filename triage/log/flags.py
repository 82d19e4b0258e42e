"""What is raised about an incident as a whole, for as long as its entries say so.

Disagreements are in `triage.log.consensus`; what time alone raises in `triage.log.incident.at`.
"""

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from msgspec import Struct

from triage import codes
from triage.log.detention import Clock
from triage.log.effective import EffectiveEntry, correction
from triage.log.entries import Detention, StoredEntry
from triage.log.grading_inputs import GradingInputs, place_that_counts
from triage.log.resolve import latest_known, s136_available
from triage.log.timeline import USES
from triage.times import DAY_START_HOUR, LONDON

LATE = timedelta(hours=1)
"""A day's summary is due an hour after the day ends: what takes longer to arrive may miss it."""

_LOCATIONS = codes.list("location_type")
_RANKS = codes.list("authorised_rank")
_PHYSICAL_NEEDS = ("treat_on_scene", "ed_needed", "ed_immediate")


class Terms(Struct):
    """What an owner sets and a fold depends on, beside the code lists.

    A police station is no place of safety for anybody after `police_station_allowed_until` (its last day); the Mental
    Health Act 2025 s48 has no commencement order yet.
    """

    zone: ZoneInfo = LONDON
    day_start_hour: int = DAY_START_HOUR
    police_station_allowed_until: date | None = None


TERMS: Final = Terms()
"""What is in force. As with the code lists the object stays the same when an owner's terms are put into it at start."""


def incident_flags(facts: GradingInputs, clock: Clock | None, child: bool, terms: Terms) -> Iterator[str]:
    """The flags of an incident."""
    record = facts.entries
    yield from _of_clocks(record.stored)
    if record.training:
        yield "test"
    if record.pending:
        yield "target_not_held"
    if child:
        yield "under_18"
    if any(claim.state == "withdrawn" for claim in facts.intents):
        yield "intent_withdrawn"
    if any(map(_disputed, _places(facts))):
        yield "place_disputed"
    if facts.outcomes:
        yield from _of_decisions(facts)
    if any(s136_available(*place) is False for place in _places_of_s136(facts)):
        yield "power_location_conflict"
    if clock:
        yield from _of_detention(facts, clock, child, terms)


def _of_clocks(held: Iterable[StoredEntry]) -> Iterator[str]:
    skewed = late = False
    for one in held:
        shift = correction(one)
        took = one.received_at - one.entry.captured_at
        skewed = skewed or shift is not None
        late = late or (took if shift is None else took + shift) > LATE
    if skewed:
        yield "clock_skew"
    if late:
        yield "late"


def _places(facts: GradingInputs) -> Iterator[str | None]:
    yield facts.location_type
    for claim in facts.intents:
        yield claim.part.location_type
    for one in facts.outcomes:
        yield one.effective.entry.location_type


def _disputed(place: str | None) -> bool:
    row = _LOCATIONS.get(place)
    return row is not None and row.available == "disputed"


def _places_of_s136(facts: GradingInputs) -> Iterator[tuple[str | None, bool | None]]:
    """Where s136 was considered, and where it was used: as the outcome says, else where the contacts were."""
    for claim in facts.intents:
        if claim.part.power == "s136" and claim.state == "stands":
            yield place_that_counts(claim, facts)
    if "s136" in facts.used:
        said = [one.effective.entry.location_type for one in facts.outcomes if USES.get(one.disposal) == "s136"]
        yield next(filter(None, said), facts.location_type), facts.someone_lives_there


def _of_decisions(facts: GradingInputs) -> Iterator[str]:
    """Only a constable holds s136; ss5-6 Mental Capacity Act do not stand in for it (Sessay [2011] EWHC 2617)."""
    for one in facts.outcomes:
        by = one.effective.entry.decided_by
        if USES.get(one.disposal) == "s136" and by is not None and by != "officer":
            yield "power_not_held"
        if one.disposal == "ed_capacity_act" and by == "officer" and not _physical_need(facts):
            yield "mca_by_police"


def _physical_need(facts: GradingInputs) -> bool:
    return latest_known(facts.entries.paramedics, "physical_need") in _PHYSICAL_NEEDS


def _of_detention(facts: GradingInputs, clock: Clock, child: bool, terms: Terms) -> Iterator[str]:
    if clock.running:
        yield "clock_running" if clock.expires_at else "clock_unknown"
    if clock.invalid_extension:
        yield "invalid_extension"
    at_station = [one for one in facts.entries.detentions if one.entry.place_of_safety == "police_station"]
    if child and (at_station or _held_at_station(facts)):
        yield "under_18_police_station"
    elif at_station and not _authorised(at_station, terms):
        yield "station_not_authorised"


def _held_at_station(facts: GradingInputs) -> bool:
    """Whether an outcome or a contact says that the person was held under s136 or s135 at a police station."""
    kept = [one.effective.entry for one in facts.outcomes if one.disposal in ("s136_kept", "s135_kept")]
    return any((entry.location_type or facts.location_type) == "police_station" for entry in kept) or any(
        one.entry.location_type == "police_station" and one.entry.legal_status in ("s136", "s135")
        for one in facts.entries.contacts
    )


def _authorised(at_station: list[EffectiveEntry[Detention]], terms: Terms) -> bool:
    """Whether an adult may be there: three tests and an inspector (regulations of 2017 under s136A), while allowed."""
    last_day = terms.police_station_allowed_until
    first = min(one.corrected(one.entry.at) for one in at_station)
    if last_day and first.astimezone(terms.zone).date() > last_day:
        return False
    tests = [one.entry.station_tests for one in at_station if one.entry.station_tests]
    ranks = [row for one in at_station if (row := _RANKS.get(one.entry.authorised_rank))]
    met = any(test.imminent_risk and test.no_other_place and test.healthcare_available for test in tests)
    return met and any(rank.authorises_station for rank in ranks)

"""Flags of an incident as a whole, for as long as its entries say so.

Disagreements are in `triage.log.resolve`; what time alone raises in `triage.log.incident.view_at`.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta

from triage import codes
from triage.log.detention import Episode
from triage.log.effective import captured, correction
from triage.log.entries import StoredEntry
from triage.log.grading_inputs import GradingInputs, place_that_counts
from triage.log.resolve import Place, is_known, latest_known, s136_available
from triage.log.station import station_flag
from triage.terms import Terms

LATE = timedelta(hours=1)
"""A day's summary is due an hour after the day ends: what takes longer to arrive may miss it."""

_LOCATIONS = codes.list("location_type")


def incident_flags(
    inputs: GradingInputs, episodes: Sequence[Episode], child: bool, died: bool, terms: Terms
) -> Iterator[str]:
    """The flags of an incident. Nobody's clock runs on after a death."""
    entries = inputs.entries
    yield from _of_clocks(entries.stored)
    if entries.training:
        yield "test"
    if entries.pending:
        yield "target_not_held"
    if child:
        yield "under_18"
    if any(intent.state == "withdrawn" for intent in inputs.intents):
        yield "intent_withdrawn"
    if any(map(_is_disputed, _places(inputs))):
        yield "place_disputed"
    if inputs.outcomes:
        yield from _of_decisions(inputs)
    if any(s136_available(*place) is False for place in _places_of_s136(inputs)):
        yield "power_location_conflict"
    if episodes and episodes[-1].running and not died:
        yield "clock_running" if episodes[-1].expires_at else "clock_unknown"
    if any(episode.invalid_extension for episode in episodes):
        yield "invalid_extension"
    if flag := station_flag(entries, inputs.outcomes, inputs.location_type, child, terms):
        yield flag


def _of_clocks(stored: Iterable[StoredEntry]) -> Iterator[str]:
    skewed = late = False
    for entry in stored:
        skewed = skewed or correction(entry) is not None
        late = late or (not entry.received_again and entry.received_at - captured(entry) > LATE)
    if skewed:
        yield "clock_skew"
    if late:
        yield "late"


def _places(inputs: GradingInputs) -> Iterator[str | None]:
    yield inputs.location_type
    for intent in inputs.intents:
        yield intent.part.location_type
    for outcome in inputs.outcomes:
        yield outcome.effective.entry.location_type


def _is_disputed(place: str | None) -> bool:
    row = _LOCATIONS.get(place)
    return row is not None and row.available == "disputed"


def _places_of_s136(inputs: GradingInputs) -> Iterator[Place]:
    """Where s136 was considered, and where it was used: as the outcomes say, else where the contacts were."""
    for intent in inputs.intents:
        if intent.part.power == "s136" and intent.state == "stands":
            yield place_that_counts(intent, inputs)
    if "s136" in inputs.used:
        said = [outcome.effective.entry.location_type for outcome in inputs.outcomes if outcome.power == "s136"]
        known = [place for place in said if is_known("location_type", place)]
        for place in known or [inputs.location_type]:
            yield place, inputs.someone_lives_there


def _of_decisions(inputs: GradingInputs) -> Iterator[str]:
    """Only a constable holds s136; ss5-6 Mental Capacity Act do not stand in for it (Sessay [2011] EWHC 2617)."""
    for outcome in inputs.outcomes:
        by = outcome.effective.entry.decided_by
        if outcome.power == "s136" and by is not None and by != "officer":
            yield "power_not_held"
        need = latest_known(inputs.entries.paramedics, "physical_need")
        if outcome.disposal == "ed_capacity_act" and by == "officer" and need in (None, "none"):
            yield "mca_by_police"

"""The detention clock: 24 hours of elapsed time, s136A, s136B and s135 Mental Health Act 1983.

It starts on arrival at the first place of safety, or with the decision to keep a person at a place; for s135 on
arrival, or with the entry into the premises. Whether a queue before the door counts as arrival is disputed: the expiry
is computed from the earlier of arrival at the site and entry, and what it would be from entry is shown beside it. It
never stops and never starts again. Nothing ends by itself.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from triage import codes
from triage.log.effective import EffectiveEntry, SortedEntries
from triage.log.entries import Detention
from triage.log.timeline import DatedOutcome, PowerUse
from triage.log.view import DetentionView, StayView

CLOCK = timedelta(hours=24)

_UNKNOWN = codes.list("place_of_safety").missing


class Clock(Struct, frozen=True, gc=False):
    """A detention: what is served of it, and what follows from it.

    `began` is corrected. `running`: no end is recorded. `invalid_extension`: one was recorded that moves nothing.
    """

    served: DetentionView
    began: datetime
    running: bool
    invalid_extension: bool

    @property
    def expires_at(self) -> datetime | None:
        return self.served.expires_at


class _Step(Struct, frozen=True, gc=False):
    """A detention event at its corrected time."""

    at: datetime
    effective: EffectiveEntry[Detention]

    @property
    def event(self) -> str:
        return self.effective.entry.event

    @property
    def shown(self) -> datetime:
        return self.effective.entry.at

    @property
    def place(self) -> str | None:
        place = self.effective.entry.place_of_safety
        return None if place in _UNKNOWN else place


def clock(record: SortedEntries, decided: Sequence[DatedOutcome], used: dict[str, PowerUse]) -> Clock | None:
    """The detention of an incident; None where neither s136 nor s135 was used."""
    if not used:
        return None
    steps = sorted(
        (_Step(one.corrected(one.entry.at), one) for one in record.detentions),
        key=lambda step: (step.at, step.effective.captured, step.effective.stored.id),
    )
    power = "s136" if "s136" in used else "s135"
    arrived, entered = _earliest(steps, "arrived_site"), _earliest(steps, "entered")
    kept, kept_shown = _kept(steps, decided)
    start = _start(arrived, entered, kept, any(one.disposal == "s136_removed" for one in decided))
    minutes, invalid = _extended(steps, start)
    whole = CLOCK + timedelta(minutes=minutes)
    began, began_shown = _began(steps, decided, used)
    ended = _latest(steps, "ended")
    served = DetentionView(
        power=power,
        began_at=began_shown,
        kept_from=kept_shown,
        arrived_at=arrived.shown if arrived else None,
        entered_at=entered.shown if entered else None,
        expires_at=start + whole if start else None,
        expires_if_entered_counts=entered.at + whole if entered and start != kept else None,
        extended_minutes=minutes,
        places=_places(steps),
        ended_at=ended.shown if ended else None,
        result=ended.effective.entry.result if ended else None,
    )
    return Clock(served, began, ended is None, invalid)


def _earliest(steps: Iterable[_Step], event: str) -> _Step | None:
    return next((step for step in steps if step.event == event), None)


def _latest(steps: Sequence[_Step], event: str) -> _Step | None:
    return _earliest(reversed(steps), event)


def _kept(steps: Iterable[_Step], decided: Iterable[DatedOutcome]) -> tuple[datetime | None, datetime | None]:
    """When it was decided to keep the person, corrected and as given: `kept_from`, else `decided_at` of s136_kept."""
    step = _earliest(steps, "kept_from")
    if step:
        return step.at, step.shown
    times = [(one.at, one.effective.entry.decided_at) for one in decided if one.disposal == "s136_kept" and one.at]
    return min(times, default=(None, None))


def _start(arrived: _Step | None, entered: _Step | None, kept: datetime | None, removed: bool) -> datetime | None:
    """Whoever is kept where he is was not detained when he arrived there, unless he had been removed to it."""
    arrival = min((step.at for step in (arrived, entered) if step), default=None)
    if kept is None or (removed and arrival is not None and arrival < kept):
        return arrival
    return kept


def _extended(steps: Iterable[_Step], start: datetime | None) -> tuple[int, bool]:
    """Minutes by which the expiry moves, and whether an extension was recorded that does not move it.

    A doctor authorises one further period from the end of the 24 hours (s136B): two records of it are not added up, the
    longest counts. An entry cannot hold more than 12 hours.
    """
    minutes, invalid, place = 0, False, None
    for step in steps:
        place = step.place or place
        if step.event != "extended":
            continue
        if _valid(step, start, step.place or place):
            minutes = max(minutes, step.effective.entry.minutes or 0)
        else:
            invalid = True
    return minutes, invalid


def _valid(step: _Step, start: datetime | None, place: str | None) -> bool:
    entry = step.effective.entry
    return (
        entry.minutes is not None
        and entry.ground == "condition"
        and entry.authorised_by == "responsible_doctor"
        and (start is None or step.at < start + CLOCK)
        and (place != "police_station" or entry.superintendent_approved is True)
    )


def _began(
    steps: Sequence[_Step], decided: Iterable[DatedOutcome], used: dict[str, PowerUse]
) -> tuple[datetime, datetime]:
    """When the detention began, corrected and as given: said so, else the earliest use."""
    step = _earliest(steps, "began")
    if step:
        return step.at, step.shown
    use = min(used.values())
    shown = {one.entry: one.effective.entry.decided_at for one in decided} | {
        step.effective.stored.id: step.shown for step in steps
    }
    return use.at, shown.get(use.entry) or use.at


def _places(steps: Iterable[_Step]) -> tuple[StayView, ...]:
    """The stays, in order. Two records of one arrival are one stay; another place, or a transfer, starts another."""
    stays: list[_Stay] = []
    moved = True
    for step in steps:
        if step.event == "transferred":
            moved = True
        elif step.event in ("arrived_site", "entered") or (step.event == "kept_from" and step.place):
            _stay(stays, step, moved)
            moved = False
        elif step.event == "handover_complete":
            _hand_over(stays, step)
    return tuple(stay.served() for stay in stays)


class _Stay(Struct):
    place: str | None
    arrived: _Step | None = None
    entered: _Step | None = None
    handover: _Step | None = None

    def served(self) -> StayView:
        minutes = (
            (self.handover.at - self.arrived.at) // timedelta(minutes=1) if self.handover and self.arrived else None
        )
        return StayView(
            place_of_safety=self.place,
            arrived_at=self.arrived.shown if self.arrived else None,
            entered_at=self.entered.shown if self.entered else None,
            handover_at=self.handover.shown if self.handover else None,
            handover_minutes=minutes,
        )


def _stay(stays: list[_Stay], step: _Step, moved: bool) -> None:
    here = stays[-1] if stays and not moved else None
    if here is None or (step.place and here.place and step.place != here.place):
        here = _Stay(step.place)
        stays.append(here)
    here.place = here.place or step.place
    if step.event == "arrived_site":
        here.arrived = here.arrived or step
    elif step.event == "entered":
        here.entered = here.entered or step


def _hand_over(stays: list[_Stay], step: _Step) -> None:
    for stay in reversed(stays):
        if step.place in (None, stay.place):
            stay.handover = stay.handover or step
            return

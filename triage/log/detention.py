"""Detentions under s136 and s135, each episode with a clock of its own: 24 hours of elapsed time.

s136A, s136B and s135 Mental Health Act 1983. An episode lasts from its first sign (a use, an arrival, `began`,
`kept_from`) to `ended`; what comes after an `ended` is another. Its clock starts on arrival at the first place of
safety, or with the decision to keep a person at a place; for s135 on arrival, or, where kept, with the first entry of
the premises (s135(3ZA)). Where the entries allow more than one start the earlier expiry counts. Whether a queue before
the door is arrival is disputed: the expiry is computed from the earlier of arrival at the site and entry, and what it
would be from entry is shown beside it. A clock never stops and never starts again. Nothing ends by itself.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from msgspec import Struct

from triage import codes
from triage.log.effective import EffectiveEntry, SortedEntries
from triage.log.resolve import is_known, place_of_contacts
from triage.log.station import STATION, is_held_at_station, keeps_at_station
from triage.log.timeline import DatedOutcome, detention_power, status_held_from
from triage.log.view import DetentionView, StayView

CLOCK = timedelta(hours=24)

_EVENTS = codes.list("detention_event")
_STATUSES = codes.list("legal_status")
_RESULTS = codes.list("detention_result")
USE = "use"
"""Stands for the event in a step that an outcome or a contact tells of."""


class Episode(Struct, frozen=True, gc=False):
    """One detention: what is served of it, and what follows from it.

    `entry` tells of its first sign; `started_at` is when its clock started. `invalid_extension`: an extension was
    recorded that moves nothing. `left_as`: the legal status in which its end left the person, as far as that is known.
    `place_now`: the place of safety in which the person is, None after an end.
    """

    view: DetentionView
    entry: UUID
    started_at: datetime | None
    invalid_extension: bool
    left_as: str | None
    place_now: str | None

    @property
    def running(self) -> bool:
        """Whether no end is recorded."""
        return self.view.ended_at is None

    @property
    def lasts_until(self) -> datetime:
        """Its end; where none is recorded, its expiry; without a clock 24 hours after it began."""
        return self.view.ended_at or self.view.expires_at or self.view.began_at + CLOCK

    @property
    def expires_at(self) -> datetime | None:
        return self.view.expires_at


class Step(Struct, frozen=True, gc=False):
    """A point in the course of a detention: an event, or a use that an outcome or a contact tells of.

    `opens`: it may open an episode after an end.
    """

    at: datetime
    event: str
    power: str
    opens: bool
    effective: EffectiveEntry[Any]
    place: str | None = None
    disposal: str | None = None


def episodes(entries: SortedEntries, outcomes: Sequence[DatedOutcome]) -> tuple[Episode, ...]:
    """The detentions of an incident, in order; none where neither s136 nor s135 was used."""
    return tuple(_episode(steps) for steps in _split(_steps_in_order(entries, outcomes)))


def place_at(entries: SortedEntries, outcomes: Sequence[DatedOutcome], at: datetime) -> str | None:
    """The place of safety in which a person was at an instant, as far as the events up to it say."""
    place = None
    for step in _steps_in_order(entries, outcomes):
        if step.at <= at:
            place = _place_after(step, place)
    return place


def _place_after(step: Step, place: str | None) -> str | None:
    """Where the person is after a step; a transfer leaves the place before it, though nothing says where to."""
    return step.place if step.event == "transferred" else step.place or place


def _steps_in_order(entries: SortedEntries, outcomes: Sequence[DatedOutcome]) -> list[Step]:
    return sorted(
        _steps(entries, outcomes),
        key=lambda step: (step.at, step.event == "ended", step.effective.captured, step.effective.id),
    )


def _steps(entries: SortedEntries, outcomes: Sequence[DatedOutcome]) -> Iterator[Step]:
    for detention in entries.detentions:
        content = detention.entry
        row, place = _EVENTS.get(content.event), content.place_of_safety
        yield Step(
            at=detention.corrected(content.at),
            event=content.event,
            power=detention_power(detention, outcomes),
            opens=row is not None and row.first_sign,
            effective=detention,
            place=place if is_known("place_of_safety", place) else None,
        )
    for outcome in outcomes:
        if outcome.power:
            location_type, _ = place_of_contacts(entries.officers, entries.contacts)
            place = STATION if keeps_at_station(outcome, location_type) else None
            yield Step(outcome.dated, USE, outcome.power, True, outcome.effective, place, outcome.disposal)
    for contact in entries.contacts:
        row = _STATUSES.get(contact.entry.legal_status)
        if row and row.power:
            place = STATION if is_held_at_station(contact) else None
            opens = contact.entry.legal_status_at is not None
            yield Step(status_held_from(contact), USE, row.power, opens, contact, place)


def _split(steps: Iterable[Step]) -> list[list[Step]]:
    """The steps of each episode. What is no first sign belongs to the episode before it."""
    split: list[list[Step]] = []
    ended = True
    for step in steps:
        if not split or (ended and step.opens):
            split.append([])
            ended = False
        split[-1].append(step)
        ended = ended or step.event == "ended"
    return split


def _episode(steps: Sequence[Step]) -> Episode:
    power = "s136" if any(step.power == "s136" for step in steps) else "s135"
    arrived, entered = _earliest(steps, "arrived_site"), _earliest(steps, "entered")
    kept = _kept(steps, power)
    start = _start(steps, power, kept)
    minutes, invalid = _extended(steps, start)
    whole = CLOCK + timedelta(minutes=minutes)
    began = _earliest(steps, "began") or steps[0]
    ends = [step for step in steps if step.event == "ended"]
    results = [step.effective.entry.result for step in ends if is_known("result", step.effective.entry.result)]
    stays = _stays(steps)
    view = DetentionView(
        power=power,
        began_at=began.at,
        kept_from=kept.at if kept else None,
        arrived_at=arrived.at if arrived else None,
        entered_at=entered.at if entered else None,
        expires_at=start + whole if start else None,
        expires_if_entered_counts=entered.at + whole if entered and start == _arrival(steps) else None,
        extended_minutes=minutes,
        places=tuple(stay.view() for stay in stays),
        ended_at=ends[0].at if ends else None,
        result=results[-1] if results else ends[-1].effective.entry.result if ends else None,
    )
    return Episode(view, steps[0].effective.id, start, invalid, _left_as(results), _place_now(steps, stays))


def _earliest(steps: Iterable[Step], event: str) -> Step | None:
    return next((step for step in steps if step.event == event), None)


def _arrival(steps: Sequence[Step]) -> datetime | None:
    return min((step.at for step in steps if step.event in ("arrived_site", "entered")), default=None)


def _kept(steps: Iterable[Step], power: str) -> Step | None:
    """The decision to keep the person: the earlier of `kept_from` and the `decided_at` of the outcome that says so."""
    kept = (
        step
        for step in steps
        if step.event == "kept_from" or (step.disposal == f"{power}_kept" and step.effective.entry.decided_at)
    )
    return next(kept, None)


def _start(steps: Sequence[Step], power: str, kept: Step | None) -> datetime | None:
    """When the clock started. Whoever is kept where he is was not detained when he arrived there."""
    said = {step.disposal for step in steps}
    removed, said_kept = f"{power}_removed" in said, f"{power}_kept" in said
    counts = _earliest(steps, "entered") if power == "s135" else kept
    if said_kept and not removed and counts:
        return counts.at
    return min((at for at in (_arrival(steps), kept and kept.at) if at), default=None)


def _extended(steps: Iterable[Step], start: datetime | None) -> tuple[int, bool]:
    """Minutes by which the expiry moves, and whether an extension was recorded that does not move it.

    A doctor authorises one further period from the end of the 24 hours (s136B): two records of it are not added up, the
    longest counts. An entry cannot hold more than 12 hours.
    """
    minutes, invalid, place = 0, False, None
    for step in steps:
        place = _place_after(step, place)
        if step.event != "extended":
            continue
        entry = step.effective.entry
        in_time = start is None or step.at < start + CLOCK
        if in_time and not any(extension_faults(entry, place)):
            minutes = max(minutes, entry.minutes or 0)
        else:
            invalid = True
    return minutes, invalid


def extension_faults(entry: Any, place: str | None) -> Iterator[str]:
    """The fields for which an extension does not move the expiry (s136B). `place` is where the person then is."""
    if entry.ground != "condition":
        yield "ground"
    if entry.authorised_by != "responsible_doctor":
        yield "authorised_by"
    if entry.minutes is None:
        yield "minutes"
    if place == STATION and entry.superintendent_approved is not True:
        yield "superintendent_approved"


def _left_as(results: Sequence[str]) -> str | None:
    row = _RESULTS.get(results[-1]) if results else None
    return row.legal_status if row else None


def _place_now(steps: Sequence[Step], stays: Sequence["_Stay"]) -> str | None:
    gone = [step.event for step in steps if step.event in ("absconded", "returned", "ended")]
    return stays[-1].place if stays and (not gone or gone[-1] == "returned") else None


class _Stay(Struct):
    place: str | None
    arrived: Step | None = None
    entered: Step | None = None
    handover: Step | None = None

    def view(self) -> StayView:
        minutes = (
            (self.handover.at - self.arrived.at) // timedelta(minutes=1) if self.handover and self.arrived else None
        )
        return StayView(
            place_of_safety=self.place,
            arrived_at=self.arrived.at if self.arrived else None,
            entered_at=self.entered.at if self.entered else None,
            handover_at=self.handover.at if self.handover else None,
            handover_minutes=minutes,
        )


def _stays(steps: Iterable[Step]) -> list[_Stay]:
    """The stays, in order. Two records of one arrival are one stay; another place, or a transfer, starts another.

    A transfer tells that the person was somewhere before, though nothing says where.
    """
    stays: list[_Stay] = []
    moved = True
    for step in steps:
        if step.event == "transferred":
            stays += [] if stays else [_Stay(None)]
            stays += [_Stay(step.place)] if step.place else []
            moved = step.place is None
        elif step.event in ("arrived_site", "entered") or (step.event == "kept_from" and step.place):
            _stay(stays, step, moved)
            moved = False
        elif step.event == "handover_complete":
            _hand_over(stays, step)
    return stays


def _stay(stays: list[_Stay], step: Step, moved: bool) -> None:
    here = stays[-1] if stays and not moved else None
    if here is None or (step.place and here.place and step.place != here.place):
        here = _Stay(step.place)
        stays.append(here)
    here.place = here.place or step.place
    if step.event == "arrived_site":
        here.arrived = here.arrived or step
    elif step.event == "entered":
        here.entered = here.entered or step


def _hand_over(stays: Iterable[_Stay], step: Step) -> None:
    for stay in reversed(list(stays)):
        if step.place in (None, stay.place):
            stay.handover = stay.handover or step
            return

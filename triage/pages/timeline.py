"""The events of an incident, in the order of the facts' own times."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from msgspec import Struct, structs

from triage.log import effective
from triage.log.entries import (
    Amendment,
    Contact,
    Detention,
    FollowUp,
    Intent,
    IntentPart,
    NotSameIncident,
    Nurse,
    Officer,
    Outcome,
    Paramedic,
    PersonLink,
    PersonUnlink,
    SameIncident,
    Withdrawal,
)
from triage.log.view import IncidentView
from triage.pages import words
from triage.pages.loaded_incident import LoadedIncident, texts_of
from triage.store.log.served_entries import ServedEntry

LATE: Final = timedelta(hours=1)
"""An entry received later than this after its capture is said to have arrived late."""


class TimelineEvent(Struct, frozen=True, kw_only=True):
    """Something that happened, at its own time; `lane` is the profession, or `clock`, `now`."""

    at: datetime
    lane: str
    said: str
    detail: str = ""
    key: bool = False
    struck: bool = False


class TimelineRow(Struct, frozen=True):
    """The events of one minute, by different professions; `day` where a new one begins."""

    day: str
    time: str
    moments: tuple[TimelineEvent, ...]


def timeline(incident: LoadedIncident) -> list[TimelineRow]:
    """The timeline, in the order of the facts' own times; the same minute of different professions is one row."""
    moments = sorted(_moments(incident), key=lambda moment: moment.at)
    minutes: list[list[TimelineEvent]] = []
    for moment in moments:
        before = minutes[-1] if minutes else []
        if (
            before
            and _minute(before[-1], incident) == _minute(moment, incident)
            and all(moment.lane != earlier.lane for earlier in before)
        ):
            before.append(moment)
        else:
            minutes.append([moment])
    return list(_dated(minutes, incident.local.zone))


def _minute(moment: TimelineEvent, incident: LoadedIncident) -> str:
    return moment.at.astimezone(incident.local.zone).strftime("%F %H:%M")


def _dated(minutes: Iterable[list[TimelineEvent]], zone: ZoneInfo) -> Iterator[TimelineRow]:
    before = ""
    for moments in minutes:
        local = moments[0].at.astimezone(zone)
        day = local.strftime("%A %-d %B")
        yield TimelineRow("" if day == before else day, local.strftime("%H:%M"), tuple(moments))
        before = day


def _moments(incident: LoadedIncident) -> Iterator[TimelineEvent]:
    changed = {
        getattr(stored.entry, name)
        for stored in incident.stored
        for name in ("amends", "withdraws")
        if hasattr(stored.entry, name)
    }
    early = next((entry.stored.entry for entry in incident.entries if isinstance(entry.stored.entry, Intent)), None)
    for served in incident.entries:
        stored = served.stored
        clock = effective.correction(stored)
        for moment in _of_entry(served, early is not None, incident.reader.side == "police"):
            yield structs.replace(
                moment, at=clock.corrected(moment.at) if clock else moment.at, struck=stored.id in changed
            )
    yield from _of_clock(incident.view, incident.local.now)


def _of_clock(view: IncidentView, now: datetime) -> Iterator[TimelineEvent]:
    detention = view.detention
    if detention and detention.expires_at and (not detention.ended_at or detention.expires_at < detention.ended_at):
        said = "Extended time over" if detention.extended_minutes else "24 hours over"
        yield TimelineEvent(at=detention.expires_at, lane="clock", said=said, key=True)
    if view.status in ("open", "awaiting_outcome"):
        yield TimelineEvent(at=now, lane="now", said="Now")


def _of_entry(served: ServedEntry, intent_came_early: bool, with_tests: bool) -> Iterator[TimelineEvent]:
    stored, entry = served.stored, served.stored.entry
    lane, captured = stored.profession, entry.captured_at
    late = "Arrived late. " if stored.received_at - captured > LATE and not stored.received_again else ""
    match entry:
        case Contact():
            yield from _of_contact(served, late, intent_came_early, with_tests)
        case Intent():
            yield _of_intent(entry.intent, captured, lane, late, with_tests)
        case Outcome():
            transport = entry.transport if entry.transport not in (None, "none", "unknown") else None
            by = f"by {words.code('transport', transport).lower()}. " if transport else ""
            said = f"Decided: {words.code('disposal', entry.disposal)}"
            yield TimelineEvent(
                at=entry.decided_at or captured, lane=lane, said=said, detail=(by + late).strip(), key=True
            )
        case Detention():
            yield _of_detention(entry, lane, late)
        case FollowUp():
            yield TimelineEvent(
                at=entry.at, lane=lane, said=f"Follow-up: {words.code('event', entry.event)}", detail=late.strip()
            )
        case Amendment() | Withdrawal():
            said = "Corrected an entry" if isinstance(entry, Amendment) else "Withdrew an entry"
            yield TimelineEvent(at=captured, lane=lane, said=said, detail=words.sentence(entry.reason))
        case SameIncident() | NotSameIncident() | PersonLink() | PersonUnlink():
            yield TimelineEvent(at=captured, lane=lane, said=words.kind(entry), detail=words.sentence(entry.reason))


def _of_intent(intent: IntentPart, captured: datetime, lane: str, late: str, with_tests: bool) -> TimelineEvent:
    """`with_tests`: the reader may know of the three legal tests."""
    detail = late
    if intent.power == "s136":
        tests = intent.tests
        answers = (tests.mental_disorder, tests.immediate_need, tests.necessary) if tests else (None,)
        met = "all three legal tests met" if all(answers) else "a legal test is no or not answered"
        sure = {3: "would have", 2: "probably", 1: "possibly"}.get(intent.confidence or 0, "how sure is not recorded")
        detail = f"{sure}; {met}. {late}" if with_tests else f"{sure}. {late}"
    said = f"In mind: {words.code('power', intent.power)}"
    return TimelineEvent(at=intent.formed_at or captured, lane=lane, said=said, detail=detail.strip(), key=True)


def _of_contact(served: ServedEntry, late: str, intent_came_early: bool, with_tests: bool) -> Iterator[TimelineEvent]:
    stored, entry = served.stored, served.stored.entry
    assert isinstance(entry, Contact)
    lane, captured = stored.profession, entry.captured_at
    mode = entry.contact_mode or "attended"
    said = "On scene" if mode == "attended" else words.code("contact_mode", mode)
    detail = "; ".join(_bits(served))
    yield TimelineEvent(
        at=entry.arrived_at or entry.occurred_at or captured,
        lane=lane,
        said=said,
        detail=f"{detail}. {late}".strip(". ") + ("." if detail or late else ""),
    )
    if isinstance(entry, Officer):
        if entry.intent and not intent_came_early:
            yield _of_intent(entry.intent, captured, lane, "", with_tests)
        if entry.consulted and entry.consulted.at:
            role = words.code("role", entry.consulted.role).lower() if entry.consulted.role else "professional"
            yield TimelineEvent(at=entry.consulted.at, lane=lane, said=f"Consulted a {role}", key=True)
        if entry.not_consulted_reason:
            why = words.code("not_consulted_reason", entry.not_consulted_reason)
            yield TimelineEvent(at=captured, lane=lane, said="Nobody consulted", detail=why, key=True)
    if isinstance(entry, Nurse) and entry.advice:
        said = f"Advice: {words.code('advice', entry.advice)}"
        yield TimelineEvent(at=entry.advice_given_at or captured, lane=lane, said=said, key=True)


def _bits(served: ServedEntry) -> Iterator[str]:
    entry = served.stored.entry
    if isinstance(entry, Paramedic):
        if entry.physical_need:
            yield f"physical need: {words.code('physical_need', entry.physical_need).lower()}"
        if entry.conveyed:
            yield f"conveyed: {words.code('conveyed', entry.conveyed).lower()}"
    if isinstance(entry, Nurse) and entry.s136_justified:
        blind = " (had not been shown the intent)" if served.stored.blind and entry.told_intent is False else ""
        yield f"Section 136 justified: {words.code('s136_justified', entry.s136_justified).lower()}{blind}"
    if isinstance(entry, Officer) and entry.force_type:
        yield f"force: {words.code('force_type', entry.force_type).lower()}"
    if note := texts_of(served).get("note"):
        yield f"note: {note}"


def _of_detention(entry: Detention, lane: str, late: str) -> TimelineEvent:
    parts = [words.code("place_of_safety", entry.place_of_safety)] if entry.place_of_safety else []
    if entry.minutes:
        ground = words.code("ground", entry.ground).lower() if entry.ground else ""
        parts.append(f"{entry.minutes} minutes" + (f", {ground}" if ground else ""))
    if entry.result:
        parts.append(words.code("result", entry.result))
    key = entry.event in ("arrived_site", "ended", "extended", "absconded")
    detail = f"{', '.join(parts)}. {late}".strip(". ")
    return TimelineEvent(at=entry.at, lane=lane, said=words.code("event", entry.event), detail=detail, key=key)

"""One incident: what matters first, the story in time order, the grade in plain words, what is in doubt."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from litestar import get
from litestar.params import PathParameter
from msgspec import UNSET, Struct

from triage.access.actors import Actor
from triage.log import effective
from triage.log.canonical import shown_content
from triage.log.entries import (
    SEALED,
    Amendment,
    AnyEntry,
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
    StoredEntry,
    Withdrawal,
)
from triage.log.view import IncidentView
from triage.pages import words
from triage.pages.incident_words import ClockWords, Tone, clock, heading, reference, running
from triage.pages.request import Page, PageRequest, TheService, page
from triage.pages.today import Action
from triage.service import Service
from triage.store.access import staff
from triage.store.log import tasks
from triage.store.log.incidents import ServedEntry, ServedView
from triage.store.log.tasks import Task
from triage.store.summaries import calendars

LATE: Final = timedelta(hours=1)
"""An entry received later than this after its capture is said to have arrived late."""
MAIN_ACTIONS: Final = 2
ID = Annotated[UUID, PathParameter(description="The incident, under any of its ids.")]
_decode = msgspec.json.Decoder(IncidentView).decode


class TimelineEvent(Struct, frozen=True, kw_only=True):
    """Something that happened, at its own time; `lane` is the profession, or `clock`, `now`."""

    at: datetime
    lane: str
    said: str
    detail: str = ""
    key: bool = False
    struck: bool = False


class TimelineRow(Struct, frozen=True):
    """What happened in one minute, by different professions; `day` where a new one begins."""

    day: str
    time: str
    moments: tuple[TimelineEvent, ...]


class FactLine(Struct, frozen=True):
    """A fact of an incident; `alarm` where it is why somebody should look."""

    term: str
    said: str
    alarm: bool = False


class SideOfConflict(Struct, frozen=True):
    """What one entry says where records disagree; `shown` where it is what the service shows."""

    who: str
    at: str
    said: str
    shown: bool


class FieldConflict(Struct, frozen=True):
    """A field on which the entries of an incident differ."""

    code: str
    field: str
    sides: tuple[SideOfConflict, ...]


class GradeWords(Struct, frozen=True):
    """A grade as a sentence, with its reasons as clauses."""

    said: str
    because: tuple[str, ...]
    window: str
    rule: str


class HistoryLine(Struct, frozen=True, kw_only=True):
    """An entry of the full history; `changes` amend or withdraw it, `actions` are what the reader may do to it."""

    id: UUID
    seq: int
    kind: str
    who: str
    captured: str
    received: str
    terms: tuple[tuple[str, str], ...]
    changes: tuple[str, ...]
    notices: tuple[str, ...]
    actions: tuple[Action, ...]


class LoadedIncident(Struct, frozen=True, kw_only=True):
    """An incident with everything of it that the reader may see, loaded once for a page or form."""

    view: IncidentView
    entries: Sequence[ServedEntry]
    names: Mapping[UUID, str]
    tasks: Sequence[Task]
    zone: ZoneInfo
    now: datetime
    side: str | None

    @property
    def stored(self) -> list[StoredEntry]:
        """The entries as redacted for the reader."""
        return [served.stored for served in self.entries]


def view_of(served: ServedView) -> IncidentView:
    """The view that was served."""
    return _decode(served.body)


async def load(service: Service, actor: Actor, incident_id: UUID) -> LoadedIncident:
    """An incident as the actor may see it. Raises Refused (404)."""
    now = datetime.now(UTC)
    zone = (await calendars.team(service.database, actor.team_id)).calendar.zone
    _, served = await service.incidents.find(actor, incident_id, now)
    view = view_of(served)
    entries = await service.incidents.entries(actor, incident_id)
    authors = sorted({entry.stored.author for entry in entries})
    names = await staff.names_of_colleagues(service.database, actor, authors)
    ids = [view.id, *view.linked_ids]
    asked = await tasks.list_tasks_of(service.database, service.keys, actor, ids)
    return LoadedIncident(view=view, entries=entries, names=names, tasks=asked, zone=zone, now=now, side=actor.side)


@get("/incidents/{id:uuid}")
async def show_incident(request: PageRequest, service: TheService, id: ID) -> Page:
    """One incident and every entry of it that the reader may see."""
    incident = await load(service, request.user, id)
    view, now, zone = incident.view, incident.now, incident.zone
    actions = list(_actions(view, request.user))
    detention = clock(view, now, zone, height=18)
    return page(
        request,
        "incident.html",
        locks=True,
        id=view.id,
        title=heading(view),
        when=view.occurred_at.astimezone(zone).strftime("%a %-d %b %Y, %H:%M"),
        ref=reference(view),
        state=_state(view, detention, now, zone),
        clock=detention,
        main=actions[:MAIN_ACTIONS],
        others=actions[MAIN_ACTIONS:],
        conflicts=conflicts(view, incident.stored, zone, now),
        facts=list(facts(view)),
        grades=list(grades(view)),
        rows=rows(incident),
        tasks=[_task_line(task, now, zone) for task in incident.tasks],
        history=[_history_line(served, incident, request.user) for served in incident.entries],
        flags=[words.flag(flag) for flag in view.flags if _is_worth_saying(flag)],
    )


def _is_worth_saying(flag: str) -> bool:
    """The clock, conflicts and lateness are said elsewhere on the page."""
    return flag not in ("clock_running", "clock_unknown", "late", "expiry_passed_no_end", "outcome_overdue") and (
        not flag.startswith("conflict:")
    )


def _state(view: IncidentView, detention: ClockWords | None, now: datetime, zone: ZoneInfo) -> tuple[str, Tone]:
    if view.status == "withdrawn":
        return "Withdrawn: no entry is in force.", ""
    if detention and running(view):
        if detention.tone == "over" and detention.left is not None:
            return f"Detention {detention.state}. No end is recorded.", "over"
        return f"Detained: {detention.state}.", detention.tone or "calm"
    if view.outcome is None:
        return f"No outcome yet, {words.lasting(now - view.occurred_at)} on.", "soon"
    return (
        f"{words.code('disposal', view.outcome.disposal)}, decided {words.when(view.outcome.decided_at, now, zone)}.",
        "calm",
    )


def _actions(view: IncidentView, actor: Actor) -> Iterator[Action]:
    here = f"/review/incidents/{view.id}"
    if running(view):
        yield Action("Record the end", f"{here}/end")
        yield Action("Record an extension", f"{here}/extend")
        if view.detention and view.detention.arrived_at is None:
            yield Action("Record the arrival", f"{here}/arrival")
    if view.outcome is None:
        yield Action("Record the outcome", f"{here}/outcome")
    yield Action("Ask the author", f"{here}/ask")
    yield Action("Give somebody the chase", f"{here}/assign")
    yield Action("Record a follow-up", f"{here}/follow-up")
    if view.outcome is not None:
        yield Action("Record another outcome", f"{here}/outcome")
    yield Action("Link to another incident", f"{here}/link")
    if view.linked_ids:
        yield Action("Part linked incidents", f"{here}/apart")
    if "people.match" in actor.verbs:
        yield Action("Link a person", f"{here}/person")


def facts(view: IncidentView) -> Iterator[FactLine]:
    """The few facts that somebody who decides needs, in a fixed order."""
    place = words.code("location_type", view.location_type) if view.location_type else words.UNSAID
    yield FactLine("Place", place, "power_location_conflict" in view.flags)
    if view.outcome:
        yield FactLine("First decision", words.code("disposal", view.outcome.first.disposal))
    if view.detention:
        stay = view.detention.places[-1] if view.detention.places else None
        at = words.code("place_of_safety", stay.place_of_safety) if stay and stay.place_of_safety else words.UNSAID
        yield FactLine("Held at", at, "under_18_police_station" in view.flags or "station_not_authorised" in view.flags)
        minutes = stay.handover_minutes if stay else None
        yield FactLine("Handover", words.UNSAID if minutes is None else f"{minutes} min", (minutes or 0) > 60)
        if view.detention.result not in (UNSET, None):
            yield FactLine("Result", words.code("result", str(view.detention.result)))
    for advice in view.advice[-1:]:
        yield FactLine("Nurse’s advice", words.code("advice", advice.advice))
    if view.presenting:
        yield FactLine("Presenting", ", ".join(words.code("presenting", code) for code in view.presenting))
    if view.repeat_contact is not UNSET and view.repeat_contact.contacts_28_days is not UNSET:
        times = view.repeat_contact.contacts_28_days
        if times:
            yield FactLine("Other contacts in 28 days", str(times))


def grades(view: IncidentView) -> Iterator[GradeWords]:
    """The grades that say something: where a power was used, the timeline and the clock say it."""
    if view.diversion is UNSET:
        return
    s136, custody = view.diversion.s136, view.diversion.custody
    for name, graded, window in (
        ("Section 136", s136, s136.window),
        ("Custody", custody, None),
    ):
        if graded.reason in ("none", "used"):
            continue
        reasons = tuple(words.because(reason.code for reason in graded.because))
        said = (
            f"{name} considered and not used, grade {graded.grade}: {words.GRADES[graded.grade]}"
            if graded.grade
            else f"{name} {words.REASONS.get(graded.reason or '', '')}"
        )
        yield GradeWords(said, reasons, words.WINDOWS.get(window or "", ""), graded.rule)


# --- records that disagree ---


def conflicts(view: IncidentView, entries: Sequence[StoredEntry], zone: ZoneInfo, now: datetime) -> list[FieldConflict]:
    """What each entry in force says of the fields on which this incident's records disagree."""
    contents = list(_in_force(entries))
    fields = []
    for flag in view.flags:
        if flag.startswith("conflict:"):
            name = flag.removeprefix("conflict:")
            shown = _shown(view, name)
            sides = tuple(_sides(name, contents, shown, zone, now))
            fields.append(FieldConflict(name, name.replace("_", " "), sides))
    return fields


def _in_force(entries: Sequence[StoredEntry]) -> Iterator[tuple[StoredEntry, AnyEntry]]:
    """The entries in force, each with its content as last amended."""
    out = effective.out_of_force(entries)
    latest: dict[UUID, Any] = {}
    for entry in sorted(entries, key=lambda stored: stored.seq):
        if isinstance(entry.entry, Amendment) and entry.id not in out:
            latest[entry.entry.amends] = entry.entry.entry
    for entry in entries:
        if entry.id not in out and not isinstance(entry.entry, Amendment):
            yield entry, latest.get(entry.id, entry.entry)


_TOGETHER: Final = {"age": ("age", "age_band"), "age_band": ("age", "age_band")}


def _sides(
    name: str, contents: Iterable[tuple[StoredEntry, AnyEntry]], shown: str, zone: ZoneInfo, now: datetime
) -> Iterator[SideOfConflict]:
    for stored, entry in contents:
        said = _said(name, entry, zone)
        if said:
            at = words.when(effective.captured(stored), now, zone)
            yield SideOfConflict(words.PROFESSIONS[stored.profession], at, said, said == shown)


def _said(name: str, entry: Any, zone: ZoneInfo) -> str:
    for field in _TOGETHER.get(name, (name,)):
        value = getattr(entry, field, None)
        if isinstance(value, IntentPart):
            return words.code("power", value.power)
        if isinstance(value, list | tuple):
            value = value[0] if value else None
        if isinstance(value, datetime):
            return words.at(value, zone)
        if value is not None:
            return str(value) if isinstance(value, int) else words.code(field, str(value))
    return ""


def _shown(view: IncidentView, name: str) -> str:
    value = getattr(view, name, None)
    if name == "disposal" and view.outcome:
        value = view.outcome.disposal
    if isinstance(value, tuple):
        value = value[0] if value else None
    return words.code(name, value) if isinstance(value, str) else str(value) if isinstance(value, int) else ""


# --- the timeline ---


def rows(incident: LoadedIncident) -> list[TimelineRow]:
    """What happened, in the order of the facts' own times; the same minute of different professions is one row."""
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
    return list(_dated(minutes, incident.zone))


def _minute(moment: TimelineEvent, incident: LoadedIncident) -> str:
    return moment.at.astimezone(incident.zone).strftime("%F %H:%M")


def _dated(minutes: Iterable[list[TimelineEvent]], zone: ZoneInfo) -> Iterator[TimelineRow]:
    before = ""
    for moments in minutes:
        local = moments[0].at.astimezone(zone)
        day = local.strftime("%A %-d %B")
        yield TimelineRow("" if day == before else day, local.strftime("%H:%M"), tuple(moments))
        before = day


def _moments(incident: LoadedIncident) -> Iterator[TimelineEvent]:
    view, now = incident.view, incident.now
    changed = {
        getattr(stored.entry, name)
        for stored in incident.stored
        for name in ("amends", "withdraws")
        if hasattr(stored.entry, name)
    }
    early = next((entry.stored.entry for entry in incident.entries if isinstance(entry.stored.entry, Intent)), None)
    for served in incident.entries:
        stored = served.stored
        shift = effective.correction(stored) or timedelta(0)
        for moment in _of_entry(served, early is not None, incident.side == "police"):
            yield msgspec.structs.replace(moment, at=moment.at - shift, struck=stored.id in changed)
    yield from _of_clock(view, now)


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
            kind = str(entry.__struct_config__.tag)
            yield TimelineEvent(at=captured, lane=lane, said=words.KINDS[kind], detail=words.sentence(entry.reason))


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


# --- the full history ---


def texts_of(served: ServedEntry) -> dict[str, str]:
    """The free texts of an entry that the reader may read, by path."""
    if not served.secrets:
        return {}
    texts = msgspec.json.decode(served.secrets, type=dict[str, str])
    return {path: text for path, text in texts.items() if _is_left(served.stored.entry, path)}


def _is_left(entry: Any, path: str) -> bool:
    for name in path.split("."):
        entry = getattr(entry, name, None)
    return bool(entry == SEALED)


_BESIDE: Final = frozenset(("id", "incident_id", "kind", "captured_at", "codes_version", "form_version"))


def content_of(served: ServedEntry) -> dict[str, Any]:
    """The content of an entry as redacted, its texts in place; for showing, and for refilling a form."""
    return shown_content(served.stored, texts_of(served))


def _history_line(served: ServedEntry, incident: LoadedIncident, actor: Actor) -> HistoryLine:
    stored, zone, now = served.stored, incident.zone, incident.now
    kind = str(stored.entry.__struct_config__.tag)
    own = stored.author == actor.staff_id
    notices = msgspec.json.decode(served.notices) if own else []
    return HistoryLine(
        id=stored.id,
        seq=stored.seq,
        kind=words.KINDS.get(kind) or words.sentence(kind),
        who=author(stored, incident.names),
        captured=words.when(effective.captured(stored), now, zone),
        received=words.when(stored.received_at, now, zone),
        terms=tuple(words.lines(content_of(served), zone, _BESIDE)),
        changes=tuple(_changes(stored.id, incident)),
        notices=tuple(words.sentence(notice["code"]) for notice in notices),
        actions=tuple(_entry_actions(stored, incident, actor)),
    )


def author(stored: StoredEntry, names: Mapping[UUID, str]) -> str:
    """Who wrote an entry: a colleague by name, others by profession."""
    profession = words.PROFESSIONS[stored.profession]
    name = names.get(stored.author)
    return f"{name} ({profession.lower()})" if name else words.ROLES.get(stored.role) or profession


def _changes(entry_id: UUID, incident: LoadedIncident) -> Iterator[str]:
    for stored in incident.stored:
        if getattr(stored.entry, "amends", None) == entry_id:
            yield f"Amended by entry {stored.seq}"
        if getattr(stored.entry, "withdraws", None) == entry_id:
            yield f"Withdrawn by entry {stored.seq}"


def _entry_actions(stored: StoredEntry, incident: LoadedIncident, actor: Actor) -> Iterator[Action]:
    """Its author, or the lead of its author's profession, may withdraw or amend; a link is undone by its opposite."""
    if not may_change(stored, actor):
        return
    here = f"/review/incidents/{incident.view.id}"
    if stored.id in effective.out_of_force(incident.stored):
        return
    match stored.entry:
        case SameIncident():
            yield Action("Part them again", f"{here}/apart?other={stored.entry.other_incident_id}")
        case PersonLink():
            yield Action("Unlink the person", f"{here}/person-unlink?entry={stored.id}")
        case NotSameIncident() | PersonUnlink():
            pass
        case Amendment() | Withdrawal():
            yield Action("Withdraw", f"{here}/withdraw?entry={stored.id}")
        case _:
            yield Action("Amend", f"{here}/amend?entry={stored.id}")
            yield Action("Withdraw", f"{here}/withdraw?entry={stored.id}")


def may_change(stored: StoredEntry, actor: Actor) -> bool:
    """Whether the actor may amend or withdraw an entry: its author, or the lead of its author's profession."""
    return stored.author == actor.staff_id or actor.role == effective.LEADS.get(stored.profession)


class TaskLine(Struct, frozen=True, kw_only=True):
    """A question or a chase, with what became of it."""

    said: str
    text: str
    state: str


def _task_line(task: Task, now: datetime, zone: ZoneInfo) -> TaskLine:
    about = words.sentence(task.about).lower()
    said = (
        f"{task.from_name} asked {task.to_name} about {about}"
        if task.kind == "ask"
        else (f"{task.from_name} gave {task.to_name} the chase")
    )
    due = f", by {words.when(task.due_at, now, zone)}" if task.due_at else ""
    state = f"Answered {words.when(task.answered_at, now, zone)}" if task.answered_at else f"Open{due}"
    return TaskLine(said=f"{said}, {words.when(task.made_at, now, zone)}", text=task.text or "", state=state)

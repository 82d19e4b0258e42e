"""One incident: what matters first, the story in time order, the grade in plain words, what is in doubt."""

from collections.abc import Iterator
from typing import Final

from litestar import get
from msgspec import UNSET, Struct

from triage.access.actors import Actor
from triage.log.view import IncidentView
from triage.pages import words
from triage.pages.conflicts import conflicts
from triage.pages.history import history_line
from triage.pages.incident_words import ClockWords, Tone, clock, heading, reference, running
from triage.pages.loaded_incident import ID, load
from triage.pages.local_time import LocalTime
from triage.pages.request import Page, PageRequest, TheService, page
from triage.pages.timeline import timeline
from triage.pages.today import Action
from triage.store.log.tasks import Task
from triage.summaries.needs_action import conflicts_in

MAIN_ACTIONS: Final = 2
SAID_ELSEWHERE: Final = ("clock_running", "clock_unknown", "late", "expiry_passed_no_end", "outcome_overdue")
"""Flags that the page says in other words, as it does conflicts."""


class FactLine(Struct, frozen=True):
    """A fact of an incident; `alarm` where it is why somebody should look."""

    term: str
    said: str
    alarm: bool = False


class GradeWords(Struct, frozen=True):
    """A grade as a sentence, with its reasons as clauses."""

    said: str
    because: tuple[str, ...]
    window: str
    rule: str


@get("/incidents/{id:uuid}")
async def show_incident(request: PageRequest, service: TheService, id: ID) -> Page:
    """One incident and every entry of it that the reader may see."""
    incident = await load(service, request.user, id)
    view, local = incident.view, incident.local
    actions = list(_actions(view, request.user))
    detention = clock(view, local, height=18)
    return page(
        request,
        "incident.html",
        locks=True,
        id=view.id,
        title=heading(view),
        when=view.occurred_at.astimezone(local.zone).strftime("%a %-d %b %Y, %H:%M"),
        ref=reference(view),
        state=_state(view, detention, local),
        clock=detention,
        main=actions[:MAIN_ACTIONS],
        others=actions[MAIN_ACTIONS:],
        conflicts=conflicts(view, incident.stored, local),
        facts=list(facts(view)),
        grades=list(grades(view)),
        rows=timeline(incident),
        tasks=[_task_line(task, local) for task in incident.tasks],
        history=[history_line(served, incident) for served in incident.entries],
        flags=[words.flag(flag) for flag in view.flags if flag not in SAID_ELSEWHERE and not conflicts_in((flag,))],
    )


def _state(view: IncidentView, detention: ClockWords | None, local: LocalTime) -> tuple[str, Tone]:
    if view.status == "withdrawn":
        return "Withdrawn: no entry is in force.", ""
    if detention and running(view):
        if detention.tone == "over" and detention.left is not None:
            return f"Detention {detention.state}. No end is recorded.", "over"
        return f"Detained: {detention.state}.", detention.tone or "calm"
    if view.outcome is None:
        return f"No outcome yet, {words.lasting(local.now - view.occurred_at)} on.", "soon"
    return (
        f"{words.code('disposal', view.outcome.disposal)}, decided {local.when(view.outcome.decided_at)}.",
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
    yield FactLine("Place", words.code("location_type", view.location_type), "power_location_conflict" in view.flags)
    if view.outcome:
        yield FactLine("First decision", words.code("disposal", view.outcome.first.disposal))
    if view.detention:
        stay = view.detention.places[-1] if view.detention.places else None
        at = words.code("place_of_safety", stay.place_of_safety if stay else None)
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


class TaskLine(Struct, frozen=True, kw_only=True):
    """A question or a chase, with what became of it."""

    said: str
    text: str
    state: str


def _task_line(task: Task, local: LocalTime) -> TaskLine:
    about = words.sentence(task.about).lower()
    asked = f"{task.from_name} asked {task.to_name} about {about}"
    said = asked if task.kind == "ask" else f"{task.from_name} gave {task.to_name} the chase"
    due = f", by {local.when(task.due_at)}" if task.due_at else ""
    state = f"Answered {local.when(task.answered_at)}" if task.answered_at else f"Open{due}"
    return TaskLine(said=f"{said}, {local.when(task.made_at)}", text=task.text or "", state=state)

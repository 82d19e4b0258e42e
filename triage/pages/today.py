"""Today: everything that needs somebody, one row an incident, the most pressing first."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Final
from uuid import UUID

from litestar import get
from litestar.params import QueryParameter
from markupsafe import Markup
from msgspec import Struct

from triage.log.view import IncidentView
from triage.pages import words
from triage.pages.incident_words import Tone, clock, heading, reference, running
from triage.pages.local_time import LocalTime, local_time
from triage.pages.request import Page, PageRequest, TheService, page
from triage.pages.words import count
from triage.store.log import review_lists, tasks
from triage.store.log.review_lists import LikelyPair
from triage.store.log.tasks import Task
from triage.summaries.needs_action import conflicts_in

WEEK: Final = timedelta(days=7)
LONG_OPEN: Final = timedelta(days=28)
FIRST_ROWS: Final = 12
"""More rows than this fold; clocks, which never do, count among them."""
STATION: Final = ("under_18_police_station", "station_not_authorised")


class Action(Struct, frozen=True):
    """The one thing to do next."""

    label: str
    address: str


class TodayRow(Struct, frozen=True, kw_only=True):
    """An incident that needs something: where and who, its gravest problem, the clock, and the one thing to do next."""

    id: UUID
    order: tuple[int, float]
    title: str
    state: str
    tone: Tone
    meta: str
    action: Action
    tags: tuple[str, ...] = ()
    bar: Markup = Markup()


class Housekeeping(Struct, frozen=True):
    """A kind of loose end, and how many there are."""

    label: str
    number: int
    address: str
    what_to_do: str


class Today(Struct, frozen=True, kw_only=True):
    """The page, rows in order."""

    headline: str
    tone: Tone
    clocks: Sequence[TodayRow]
    recent: Sequence[TodayRow]
    older: Sequence[TodayRow]


@get("")
async def show_today(
    request: PageRequest, service: TheService, start: Annotated[int, QueryParameter(ge=0, le=1_000_000)] = 0
) -> Page:
    """The incidents that need action now, as the reader may see them, with clocks read at this moment."""
    actor, database = request.user, service.database
    local = await local_time(service, actor)
    views, total = await review_lists.list_needing_action(database, service.incidents, actor, local.now, start)
    pairs = await review_lists.list_all_likely_duplicates(database, service.incidents, actor, local.now)
    chases = await tasks.open_chases(database, actor)
    loose = await review_lists.count_loose_ends(database, actor, local.now)
    today = arrange(views, pairs, chases, local)
    shown = {row.id for rows in (today.clocks, today.recent, today.older) for row in rows}
    if shown:
        await service.incidents.record_reading(actor, "review/today", sorted(shown))
    following = start + review_lists.ACTIONS_AT_ONCE
    return page(
        request,
        "today.html",
        locks=True,
        today=today,
        housekeeping=housekeeping(loose),
        made=local.when(local.now),
        first=max(FIRST_ROWS - len(today.clocks), 0),
        total=total,
        start=start,
        following=following if following < total else None,
    )


def housekeeping(loose: review_lists.LooseEnds) -> list[Housekeeping]:
    """The loose ends there are; a number that is zero is not printed at all."""
    return [
        loose_end
        for loose_end in (
            Housekeeping("without a contact", loose.unlinked, "/review/incidents?need=unlinked", "Link or keep apart"),
            Housekeeping("in quarantine", loose.quarantined, "/review/queue#quarantine", "Release or discard"),
            Housekeeping("no person linked", loose.without_person, "/review/incidents?need=person", "Link where known"),
        )
        if loose_end.number
    ]


def arrange(
    views: Sequence[IncidentView],
    pairs: Iterable[LikelyPair],
    chases: Mapping[UUID, Task],
    local: LocalTime,
) -> Today:
    """One row an incident with its gravest problem, a likely pair as one row; ties by time left, then age."""
    doubled = {pair.first.id for pair in pairs}
    candidates = (_row(view, view.id in doubled, chases.get(view.id), local) for view in views)
    rows = sorted((row for row in candidates if row), key=lambda row: row.order)
    clocks = [row for row in rows if row.order[0] < 4]
    headline, tone = _headline(clocks, len(rows))
    return Today(
        headline=headline,
        tone=tone,
        clocks=clocks,
        recent=[row for row in rows if 4 <= row.order[0] < 9],
        older=[row for row in rows if row.order[0] >= 9],
    )


def _headline(clocks: Sequence[TodayRow], rows: int) -> tuple[str, Tone]:
    child = next((row for row in clocks if "Under 18" in row.tags), None)
    if child:
        return f"A child is in detention: {child.state}", "over"
    over = sum(row.state.startswith("expired") for row in clocks)
    if over:
        return f"{count(over, 'detention')} past 24 hours with no end recorded", "over"
    if clocks:
        return f"Next clock: {clocks[0].state}", "soon" if clocks[0].tone else "calm"
    return (
        f"Nobody is detained. {count(rows, 'record')} to settle." if rows else "Nobody is detained, nothing to settle.",
        "calm",
    )


def _row(view: IncidentView, doubled: bool, chase: Task | None, local: LocalTime) -> TodayRow | None:
    if view.test or view.status == "withdrawn":
        return None
    tags = ["Under 18"] if view.under_18 else []
    if chase:
        tags.append(f"With {chase.to_name}" + (f", by {local.when(chase.due_at)}" if chase.due_at else ""))
    if running(view):
        return _clock_row(view, tags, local)
    problem = _problem(view, doubled, local.now)
    if problem is None:
        return None
    order, state, tone, action = problem
    age = (local.now - view.occurred_at).total_seconds()
    return TodayRow(
        id=view.id,
        order=(order, age if order > 4 else -age),
        title=heading(view),
        state=state,
        tone=tone,
        meta=local.when(view.occurred_at),
        tags=tuple(tags),
        action=action,
    )


def _clock_row(view: IncidentView, tags: list[str], local: LocalTime) -> TodayRow:
    detention, said = view.detention, clock(view, local)
    assert detention and said
    here = f"/review/incidents/{view.id}"
    place = detention.places[-1].place_of_safety if detention.places else None
    where = words.short("place_of_safety", place) if place else "Place not recorded"
    tags += [words.FLAGS[flag] for flag in ("power_location_conflict", "station_not_authorised") if flag in view.flags]
    unknown = said.left is None
    order = 0 if unknown or said.tone == "over" else 1 if view.under_18 else 2 if said.tone == "soon" else 3
    action = (
        Action("Record the arrival", f"{here}/arrival")
        if unknown
        else Action("Record the end" if said.tone else "End or extend", f"{here}/end")
    )
    left = said.left.total_seconds() if said.left is not None else -(local.now - detention.began_at).total_seconds()
    return TodayRow(
        id=view.id,
        order=(order, left),
        title=heading(view),
        state=said.state,
        tone=said.tone,
        meta=" · ".join(filter(None, (where, reference(view)))),
        tags=tuple(tags),
        bar=said.bar,
        action=action,
    )


def _problem(view: IncidentView, doubled: bool, now: datetime) -> tuple[int, str, Tone, Action] | None:
    """The gravest: order, words, tone, what to do. What is older than a week comes last, an open outcome never does."""
    here, age = f"/review/incidents/{view.id}", now - view.occurred_at
    conflicts = sorted(conflicts_in(view.flags))
    if "outcome_overdue" in view.flags:
        lasting = words.lasting(age)
        return (
            4 if age < LONG_OPEN else 9,
            f"no outcome for {lasting}",
            "soon",
            Action("Record the outcome", f"{here}/outcome"),
        )
    recent = age < WEEK
    if any(flag in view.flags for flag in STATION):
        child = "under_18_police_station" in view.flags
        said = "a child was held at a police station" if child else "police station without authority on record"
        return 5 if age < LONG_OPEN else 9, said, "", Action("Review", here)
    if conflicts:
        said = "records disagree on " + ", ".join(name.replace("_", " ") for name in conflicts)
        return 6 if recent else 10, said, "", Action("Ask for a correction", f"{here}/ask")
    if "power_location_conflict" in view.flags:
        return (
            7 if recent else 10,
            "power used where the place rules it out",
            "",
            Action("Ask about the place", f"{here}/ask"),
        )
    if doubled:
        compare = Action("Compare", f"/review/queue#pair-{view.id}")
        return 8 if recent else 10, "may be two records of one incident", "", compare
    return None

"""The list of incidents: a search is a consultation, noted with its terms."""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Final
from urllib.parse import urlencode
from uuid import UUID

import msgspec
from litestar import get
from litestar.params import QueryParameter
from msgspec import UNSET, Struct

from triage import codes
from triage.access.actors import Actor
from triage.log.view import IncidentView
from triage.pages import words
from triage.pages.fields import valid_codes
from triage.pages.incident_words import heading, reference, running
from triage.pages.local_time import LocalTime
from triage.pages.request import Page, PageRequest, TheService, page
from triage.service import Service
from triage.store import audit
from triage.store.log import review_lists
from triage.store.log.incidents import IncidentFilter
from triage.store.summaries import calendars
from triage.summaries.needs_action import conflicts_in
from triage.summaries.schedule import Calendar
from triage.times import due_at

A_PAGE: Final = 25
MOST: Final = 1000
"""So many are counted; whoever finds more should ask more closely."""
WALKED: Final = 200

NEEDS: Final[Mapping[str, tuple[str, Callable[[IncidentView], bool]]]] = {
    "outcome": ("Outcome", lambda view: view.outcome is None),
    "end": ("End of a detention", lambda view: running(view) is not None),
    "correction": (
        "Correction: records disagree",
        lambda view: bool(conflicts_in(view.flags)),
    ),
    "place": ("Correction: power against place", lambda view: "power_location_conflict" in view.flags),
    "duplicate": ("Decision on a duplicate", lambda view: "possible_duplicate" in view.flags),
}
LISTS: Final = {"unlinked": "A contact: only other entries came", "person": "Person linked"}
"""Needs that the database decides, for a view does not say them."""
POWERS: Final = {"s136": "Section 136", "s135": "Section 135", "arrest": "Arrest", "none": "None"}
_ARRESTS: Final = ("arrest_custody", "arrest_street_bail")

_Short = Annotated[str, QueryParameter(max_length=64)]


class Search(Struct, frozen=True, kw_only=True, omit_defaults=True, rename={"since": "from", "until": "to"}):
    """The filter of the list; empty is not asked."""

    since: str = ""
    until: str = ""
    log_ref: str = ""
    area: str = ""
    power: str = ""
    grade: str = ""
    need: str = ""
    outcome: str = ""
    place: str = ""

    @property
    def terms(self) -> dict[str, str]:
        """The query of its address."""
        terms: dict[str, str] = msgspec.to_builtins(self)
        return terms

    @property
    def folded(self) -> bool:
        """Whether one of the terms that are folded away is asked for."""
        return bool(self.power or self.grade or self.need or self.outcome or self.place)


class ListedIncident(Struct, frozen=True):
    """An incident in the list."""

    id: UUID
    title: str
    outcome: str
    meta: str
    grade: str


@get("/incidents")
async def list_incidents(
    request: PageRequest,
    service: TheService,
    log_ref: _Short = "",
    since: Annotated[str, QueryParameter(name="from", max_length=10)] = "",
    until: Annotated[str, QueryParameter(name="to", max_length=10)] = "",
    area: _Short = "",
    power: _Short = "",
    grade: _Short = "",
    need: _Short = "",
    outcome: _Short = "",
    place: _Short = "",
    start: Annotated[int, QueryParameter(ge=0, le=MOST)] = 0,
) -> Page:
    """The team's incidents, newest first, 25 a page, with how many there are."""
    search = Search(
        log_ref=log_ref.strip(),
        since=since,
        until=until,
        area=area,
        power=power,
        grade=grade,
        need=need,
        outcome=outcome,
        place=place,
    )
    now, actor = datetime.now(UTC), request.user
    calendar = (await calendars.team(service.database, actor.team_id)).calendar
    faults: dict[str, str] = {}
    views = await _find(service, actor, search, calendar, now, faults)
    shown = views[start : start + A_PAGE]
    await _record(service, actor, search, shown)
    return page(
        request,
        "incidents.html",
        422 if faults else 200,
        search=search,
        faults=faults,
        total=f"{MOST:,} or more" if len(views) == MOST else f"{len(views):,}",
        found=[listed(view, LocalTime(now, calendar.zone)) for view in shown],
        following=urlencode(search.terms | {"start": start + A_PAGE}) if len(views) > start + A_PAGE else "",
        first=start + 1,
        last=start + len(shown),
        options=_options(now.date()),
    )


async def _find(
    service: Service,
    actor: Actor,
    search: Search,
    calendar: Calendar,
    now: datetime,
    faults: dict[str, str],
) -> list[IncidentView]:
    since = _day(search.since, "from", calendar, faults)
    until = _day(search.until, "to", calendar, faults, days=1)
    if faults:
        return []
    ids = await _listed_by_database(service, actor, search.need, now) if search.need in LISTS else None
    wanted = IncidentFilter(
        log_ref=search.log_ref or None, area=search.area or None, since=since, until=until, ids=ids, limit=WALKED
    )
    return await service.incidents.search(actor, wanted, lambda view: _matches(view, search), MOST, now)


async def _listed_by_database(service: Service, actor: Actor, need: str, now: datetime) -> list[UUID]:
    list_page = review_lists.list_unlinked if need == "unlinked" else review_lists.list_without_person
    listed = await list_page(service.database, service.incidents, actor, now)
    views = listed.views
    while listed.following and len(views) < MOST:
        listed = await list_page(service.database, service.incidents, actor, now, listed.following)
        views += listed.views
    return [view.id for view in views[:MOST]]


def _day(text: str, name: str, calendar: Calendar, faults: dict[str, str], days: int = 0) -> datetime | None:
    """When an operational day starts."""
    if not text:
        return None
    try:
        day = date.fromisoformat(text) + timedelta(days=days)
        return due_at(day, time(calendar.day_start_hour), calendar.zone)
    except (ValueError, OverflowError):
        faults[name] = "Write a date such as 2026-11-25."
        return None


def _matches(view: IncidentView, search: Search) -> bool:
    """By what this reader sees of the incident."""
    return (
        (not search.power or power_of(view) == search.power)
        and (not search.grade or grade_of(view) == search.grade)
        and (search.need not in NEEDS or NEEDS[search.need][1](view))
        and (not search.outcome or (view.outcome is not None and view.outcome.disposal == search.outcome))
        and (not search.place or view.location_type == search.place)
    )


def grade_of(view: IncidentView) -> str | None:
    """The grade of Section 136, where this reader sees it."""
    return view.diversion.s136.grade if view.diversion is not UNSET else None


def power_of(view: IncidentView) -> str:
    """The power that was used, as far as outcome and detention say."""
    if view.detention:
        return view.detention.power
    disposal = view.outcome.first.disposal if view.outcome else ""
    return next((p for p in ("s136", "s135") if disposal.startswith(p)), "arrest" if disposal in _ARRESTS else "none")


async def _record(service: Service, actor: Actor, search: Search, shown: list[IncidentView]) -> None:
    async with service.database.team(actor.team_id) as connection:
        ids = [view.id for view in shown]
        terms = urlencode(search.terms)[:200] or None
        await audit.record(connection, actor, "consultation", "review/incidents", ids, detail=terms)


def listed(view: IncidentView, local: LocalTime) -> ListedIncident:
    """An incident as the list shows it."""
    decided = words.code("disposal", view.outcome.disposal) if view.outcome else "No outcome yet"
    meta = " · ".join(filter(None, (local.when(view.occurred_at), reference(view))))
    grade = grade_of(view)
    return ListedIncident(view.id, heading(view), decided, meta, f"Grade {grade}" if grade else "")


def _options(on: date) -> dict[str, list[tuple[str, str]]]:
    return {
        "area": [(code.code, words.short("area", code.code)) for code in valid_codes("area", on)],
        "power": list(POWERS.items()),
        "grade": [(letter, f"{letter}: {said}") for letter, said in words.GRADES.items()],
        "need": [*((code, label) for code, (label, _) in NEEDS.items()), *LISTS.items()],
        "outcome": [(code.code, code.label) for code in codes.list("disposal")],
        "place": [(code.code, code.label) for code in codes.list("location_type")],
    }


HANDLERS: Final = (list_incidents,)

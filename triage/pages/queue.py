"""The queue: likely duplicates, records that disagree, and the quarantine of the reader's side."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any, Final
from urllib.parse import urlencode
from uuid import UUID

import msgspec
from litestar import get, post
from litestar.params import PathParameter, QueryParameter
from msgspec import Struct

from triage.access.actors import PROFESSIONS, Actor
from triage.log.view import IncidentView
from triage.pages import words
from triage.pages.conflicts import FieldConflict, conflicts
from triage.pages.incident_words import heading, person, reference
from triage.pages.local_time import LocalTime, local_time
from triage.pages.refusals import problem_page
from triage.pages.request import FormSuccess, Page, PageRequest, TheService, page, read_form, redirect
from triage.problems import ENTRY_CONFLICT, NOT_FOUND, Problem, Refused
from triage.service import Service
from triage.store.log import release, review_lists
from triage.store.log.quarantine import QuarantineItem, QuarantinePosition
from triage.store.log.review_lists import LikelyPair
from triage.store.log.served_entries import list_entries
from triage.summaries.needs_action import conflicts_in

CONFLICTS: Final = 12
"""Incidents whose disagreeing records are laid side by side; the others fold."""
QUARANTINED: Final = 100
"""Items of the quarantine on a page."""
QUEUE: Final = "/review/queue"
ITEM = Annotated[UUID, PathParameter(description="An item of the quarantine.")]


class PairLine(Struct, frozen=True):
    """A line of two incidents that may be one."""

    term: str
    first: str
    second: str
    agree: bool


class PairCard(Struct, frozen=True, kw_only=True):
    """Two incidents that may be one, side by side."""

    first_id: UUID
    second_id: UUID
    title: str
    lines: tuple[PairLine, ...]


class ConflictCard(Struct, frozen=True):
    """An incident whose records disagree."""

    id: UUID
    title: str
    when: str
    conflicts: tuple[FieldConflict, ...]


class QuarantineCard(Struct, frozen=True, kw_only=True):
    """A quarantined entry, beside what is stored under its id where that is another content."""

    id: UUID
    title: str
    received: str
    problem: str
    detail: str
    faults: tuple[tuple[str, str], ...]
    beside: bool
    lines: tuple[tuple[str, str, str], ...]
    releasable: bool


@get("/queue")
async def show_queue(
    request: PageRequest, service: TheService, after: Annotated[str, QueryParameter(max_length=80)] = ""
) -> Page:
    """Everything that waits for a decision of the reader; the quarantine in pages, from the place `after` on."""
    actor, local = request.user, await local_time(service, request.user)
    pairs = await review_lists.list_all_likely_duplicates(service.database, service.incidents, actor, local.now)
    views = await review_lists.list_all_needing_action(service.database, service.incidents, actor, local.now)
    differing = [view for view in views if conflicts_in(view.flags)]
    items, waiting, following = await service.quarantine.list_waiting(actor, _place(after), QUARANTINED)
    if items:
        await service.incidents.record_reading(actor, "quarantine", [item.id for item in items])
    return page(
        request,
        "queue.html",
        locks=True,
        pairs=[_pair_card(pair, local) for pair in pairs],
        conflicts=[await _conflict_card(service, actor, view, local) for view in differing[:CONFLICTS]],
        more=[(view.id, heading(view)) for view in differing[CONFLICTS:]],
        items=[await _quarantine_card(service, actor, item, local) for item in items],
        waiting=waiting,
        after=after,
        following=urlencode({"after": f"{following.received_at.isoformat()} {following.id}"}) if following else "",
    )


def _place(after: str) -> QuarantinePosition | None:
    """Where a page of the quarantine begins. Raises Refused (404) for no place."""
    if not after:
        return None
    try:
        received_at, item_id = after.split(" ")
        return QuarantinePosition(datetime.fromisoformat(received_at).astimezone(UTC), UUID(item_id))
    except ValueError:
        raise Refused(NOT_FOUND) from None


def _pair_card(pair: LikelyPair, local: LocalTime) -> PairCard:
    first, second = (list(_likeness(view, local)) for view in pair)
    lines = tuple(PairLine(term, a, b, a == b) for (term, a), (_, b) in zip(first, second, strict=True))
    return PairCard(first_id=pair.first.id, second_id=pair.second.id, title=heading(pair.first), lines=lines)


def _likeness(view: IncidentView, local: LocalTime) -> Iterable[tuple[str, str]]:
    yield "Occurred", local.when(view.occurred_at)
    yield "Area", words.short("area", view.area)
    yield "Reference", reference(view) or words.UNSAID
    yield "Place", words.code("location_type", view.location_type)
    yield "Person", person(view)
    yield "Outcome", words.code("disposal", view.outcome.disposal if view.outcome else None)
    wrote = sorted({PROFESSIONS[contribution.profession] for contribution in view.contributions})
    yield "Written by", ", ".join(wrote) or "Nobody yet"


async def _conflict_card(service: Service, actor: Actor, view: IncidentView, local: LocalTime) -> ConflictCard:
    stored = [entry.stored for entry in await list_entries(service.database, service.keys, actor, view.id)]
    fields = tuple(conflicts(view, stored, local))
    return ConflictCard(view.id, heading(view), local.when(view.occurred_at), fields)


async def _quarantine_card(service: Service, actor: Actor, item: QuarantineItem, local: LocalTime) -> QuarantineCard:
    sent = msgspec.json.decode(item.entry)
    content = sent if isinstance(sent, dict) else {"sent": str(sent)}
    stored = await _stored(service, actor, content) if item.problem.code == ENTRY_CONFLICT.code else {}
    said, kept = (dict(words.lines(fields, local)) for fields in (content, stored))
    kind = content.get("kind")
    return QuarantineCard(
        id=item.id,
        title=words.KINDS.get(kind if isinstance(kind, str) else "", "Something that cannot be read"),
        received=local.when(item.received_at),
        problem=item.problem.title,
        detail=item.problem.detail,
        faults=tuple((error.field, error.message) for error in item.problem.errors),
        beside=bool(kept),
        lines=tuple((term, said.get(term, words.UNSAID), kept.get(term, words.UNSAID)) for term in {**said, **kept}),
        releasable=isinstance(sent, dict),
    )


async def _stored(service: Service, actor: Actor, sent: dict[str, Any]) -> dict[str, Any]:
    """The entry stored under the id of a refused one, as far as the reader may see it; else nothing."""
    try:
        incident_id, entry_id = UUID(str(sent.get("incident_id"))), UUID(str(sent.get("id")))
        shown = await list_entries(service.database, service.keys, actor, incident_id)
    except (ValueError, Refused):
        return {}
    entry = next((entry for entry in shown if entry.stored.id == entry_id), None)
    return msgspec.to_builtins(entry.stored.entry) if entry else {}


@post("/quarantine/{id:uuid}/release", status_code=303)
async def release_item(request: PageRequest, service: TheService, id: ITEM) -> Page:
    """Put a quarantined entry into the log as its author's."""
    sent = await read_form(request)
    if "look" in sent:
        return redirect(request, QUEUE)
    request.user.reviewed_side()
    appended = await release.release(service.quarantine, service.log, request.user, id)
    if isinstance(appended.result, Problem):
        return problem_page(request, appended.result)
    return redirect(request, QUEUE, FormSuccess("Released into the log."))


@post("/quarantine/{id:uuid}/discard", status_code=303)
async def discard_item(request: PageRequest, service: TheService, id: ITEM) -> Page:
    """Let a quarantined entry go for good."""
    sent = await read_form(request)
    if "look" in sent:
        return redirect(request, QUEUE)
    request.user.reviewed_side()
    item = await service.quarantine.find(request.user, id)
    await service.quarantine.decide(request.user, item.id, "discarded")
    return redirect(request, QUEUE, FormSuccess("Discarded for good."))


HANDLERS: Final = (show_queue, release_item, discard_item)

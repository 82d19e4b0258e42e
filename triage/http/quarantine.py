"""The quarantine of one side: list, release, discard."""

from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

import msgspec
from litestar import Response, Router, get, post
from msgspec import Struct

from triage.access.actors import Actor, Side
from triage.http.access_control import needs
from triage.http.entries import Stored, check_profession, receipt
from triage.http.negotiation import ready
from triage.http.paging import next_page, read_place
from triage.http.parameters import After, Id, Limit, SignedIn, TheService
from triage.log.append_decision import IncomingEntry
from triage.log.canonical import canonical
from triage.log.decode import decode
from triage.log.entries import Time
from triage.problems import (
    BUSY,
    ENTRY_CONFLICT,
    ENTRY_ERASED,
    FORBIDDEN,
    INCIDENT_FULL,
    INVALID,
    MALFORMED,
    NOT_FOUND,
    NOT_YOURS,
    QUARANTINE_DECIDED,
    WRONG_PROFESSION,
    Problem,
    Refused,
)
from triage.service import Service
from triage.store.log.append import Appended
from triage.store.log.quarantine import QuarantinedEntry, QuarantineItem, QuarantinePosition

_encode = msgspec.json.Encoder().encode


class QuarantineList(Struct, frozen=True):
    """A page of what waits, oldest first; `count` is of all that the reader may see."""

    items: list[QuarantineItem]
    count: int


class Discarded(Struct, frozen=True):
    """The receipt of a discarded item."""

    id: UUID
    entry_id: UUID | None
    status: Literal["discarded"] = "discarded"


def side_of(actor: Actor) -> Side:
    """The side whose queue an actor decides on. Raises Refused (403) for whoever decides on none."""
    if actor.side is None or f"quarantine.{actor.side}" not in actor.verbs:
        raise Refused(FORBIDDEN)
    return actor.side


@get("/", response_description="The queue.")
async def list_quarantine(
    request: SignedIn, service: TheService, after: After = None, limit: Limit = 50
) -> Response[QuarantineList]:
    """List what waits in quarantine, of the reader's own side, oldest first."""
    actor = request.user
    position = None if after is None else QuarantinePosition(*read_place(after, tuple[Time, UUID]))
    page = await service.quarantine.list_waiting(actor, side_of(actor), position, limit)
    if page.items:
        await service.incidents.record_reading(actor, "quarantine", [item.id for item in page.items])
    body = _encode(QuarantineList(page.items, page.total))
    return ready(body, headers={} if page.following is None else next_page(request, page.following))


@post(
    "/{id:uuid}/release",
    status_code=200,
    response_description="The receipt.",
    problems=[
        *(NOT_FOUND, QUARANTINE_DECIDED, MALFORMED, INVALID, WRONG_PROFESSION, NOT_YOURS),
        *(ENTRY_ERASED, ENTRY_CONFLICT, INCIDENT_FULL, BUSY),
    ],
)
async def release(request: SignedIn, service: TheService, id: Id) -> Response[Stored]:
    """Release an item into the log as its author's. Under an id that other content took meanwhile, it gets its own."""
    appended = await release_item(service, request.user, id)
    return await receipt(service, request.user, appended, datetime.now(UTC), status=200)


async def release_item(service: Service, actor: Actor, item_id: UUID) -> Appended:
    """Append a quarantined item and settle it. Raises Refused where the log, or the queue, refuses it."""
    side_of(actor)
    held = await service.quarantine.find(actor, item_id)
    appended = await _append(service, actor, held)
    if isinstance(appended.result, Problem):
        raise Refused(appended.result)
    # should the process die here, releasing again finds the entry in the log and settles the item
    await service.quarantine.decide(actor, held.id, "released")
    return appended


async def _append(service: Service, actor: Actor, held: QuarantinedEntry) -> Appended:
    entry = decode(held.sent, held.entry_id or held.id)
    check_profession(held.author, entry)
    item = IncomingEntry(
        id=held.id if held.entry_id is None or held.problem.code == ENTRY_CONFLICT.code else held.entry_id,
        entry=entry,
        content=canonical(entry),
        actor=held.author,
        skew_ms=held.skew_ms,
        released_by=actor.staff_id,
    )
    [appended] = await service.log.append(actor.team_id, [item])
    if isinstance(appended.result, Problem) and appended.result.code == ENTRY_CONFLICT.code:
        item.id = held.id
        [appended] = await service.log.append(actor.team_id, [item])
    return appended


@post(
    "/{id:uuid}/discard",
    status_code=200,
    response_description="The receipt.",
    problems=[NOT_FOUND, QUARANTINE_DECIDED],
)
async def discard(request: SignedIn, service: TheService, id: Id) -> Response[Discarded]:
    """Discard an item for good."""
    side_of(request.user)
    item = await service.quarantine.find(request.user, id)
    await service.quarantine.decide(request.user, item.id, "discarded")
    return ready(_encode(Discarded(item.id, item.entry_id)))


router = Router(
    "/v1/quarantine",
    route_handlers=[list_quarantine, release, discard],
    guards=[needs("quarantine.police", "quarantine.health")],
    tags=["Quarantine"],
)

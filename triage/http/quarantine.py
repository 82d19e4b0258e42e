"""The quarantine of one side: list, release, discard."""

from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

import msgspec
from litestar import Response, Router, get, post
from msgspec import Struct

from triage.http.access_control import needs
from triage.http.entries import EntryAnswer, receipt
from triage.http.negotiation import ready
from triage.http.paging import next_page, read_place
from triage.http.parameters import After, Id, Limit, SignedIn, TheService
from triage.problems import (
    BUSY,
    ENTRY_CONFLICT,
    ENTRY_ERASED,
    INCIDENT_FULL,
    INVALID,
    MALFORMED,
    NEWER_THAN_SERVICE,
    NOT_FOUND,
    NOT_YOURS,
    QUARANTINE_DECIDED,
    WRONG_PROFESSION,
    Problem,
    Refused,
)
from triage.store.log import release as releasing
from triage.store.log.quarantine import QuarantineItem, QuarantinePosition

_encode = msgspec.json.Encoder().encode


class QuarantineList(Struct, frozen=True):
    """A page of what waits, oldest first; `count` is of all that the reader may see."""

    items: list[QuarantineItem]
    count: int


class DiscardAnswer(Struct, frozen=True):
    """The receipt of a discarded item."""

    id: UUID
    entry_id: UUID | None
    status: Literal["discarded"] = "discarded"


@get("/", response_description="The queue.")
async def list_quarantine(
    request: SignedIn, service: TheService, after: After = None, limit: Limit = 50
) -> Response[QuarantineList]:
    """List what waits in quarantine, of the reader's own side, oldest first."""
    actor = request.user
    position = read_place(after, QuarantinePosition)
    page = await service.quarantine.list_waiting(actor, position, limit)
    if page.items:
        await service.incidents.record_reading(actor, "quarantine", [item.id for item in page.items])
    body = _encode(QuarantineList(page.items, page.total))
    return ready(body, headers=next_page(request, page.following))


@post(
    "/{id:uuid}/release",
    status_code=200,
    response_description="The receipt.",
    problems=[
        *(NOT_FOUND, QUARANTINE_DECIDED, MALFORMED, INVALID, WRONG_PROFESSION, NOT_YOURS),
        *(ENTRY_ERASED, ENTRY_CONFLICT, INCIDENT_FULL, NEWER_THAN_SERVICE, BUSY),
    ],
)
async def release(request: SignedIn, service: TheService, id: Id) -> Response[EntryAnswer]:
    """Release an item into the log as its author's. Under an id that other content took meanwhile, it gets its own."""
    request.user.reviewed_side()
    appended = await releasing.release(service.quarantine, service.log, request.user, id)
    if isinstance(appended.result, Problem):
        raise Refused(appended.result)
    return await receipt(service, request.user, appended, datetime.now(UTC), status=200)


@post(
    "/{id:uuid}/discard",
    status_code=200,
    response_description="The receipt.",
    problems=[NOT_FOUND, QUARANTINE_DECIDED],
)
async def discard(request: SignedIn, service: TheService, id: Id) -> Response[DiscardAnswer]:
    """Discard an item for good."""
    request.user.reviewed_side()
    item = await service.quarantine.find(request.user, id)
    await service.quarantine.decide(request.user, item.id, "discarded")
    return ready(_encode(DiscardAnswer(item.id, item.entry_id)))


router = Router(
    "/v1/quarantine",
    route_handlers=[list_quarantine, release, discard],
    guards=[needs("quarantine.police", "quarantine.health")],
    tags=["Quarantine"],
)

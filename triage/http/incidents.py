"""The incident list, one incident, and its entries."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from litestar import Response, Router, get
from litestar.params import QueryParameter
from msgspec import Raw, Struct

from triage import codes
from triage.access.actors import Actor
from triage.http.access_control import needs, sign_in
from triage.http.listed_entries import EntryList
from triage.http.negotiation import is_held, ready, strong_etag, tagged
from triage.http.openapi import ETAG, LINK, UNCHANGED
from triage.http.paging import next_page, read_place
from triage.http.parameters import After, Id, Limit, Moment, SignedIn, TheService, sent_header
from triage.log.canonical import shown_content
from triage.log.view import IncidentView, Status
from triage.problems import EDITION_NOT_FOUND, INVALID_PARAMETER, LINE_NOT_TRACEABLE, NOT_FOUND, Refused
from triage.service import Service
from triage.store import audit
from triage.store.log.incidents import IncidentFilter, IncidentPosition
from triage.store.log.served_entries import ServedEntry, list_entries
from triage.store.log.served_views import ServedView
from triage.store.summaries import calendars, publications, tracing
from triage.summaries import editions
from triage.times import PeriodKind

_encode = msgspec.json.Encoder().encode
EDITION: Final = r"^(daily|weekly|monthly|quarterly|yearly)/[0-9A-Z-]{4,10}/[1-9][0-9]{0,4}$"


class IncidentList(Struct):
    """Incidents, newest first; `Link: rel="next"` leads to the next page."""

    incidents: list[IncidentView]


@get(
    "/",
    guards=[needs("incidents.read")],
    response_headers=[LINK],
    response_description="A page of incidents.",
    problems=[EDITION_NOT_FOUND, LINE_NOT_TRACEABLE],
)
async def list_incidents(
    request: SignedIn,
    service: TheService,
    status: Annotated[Status | None, QueryParameter(description="Only incidents of this status.")] = None,
    area: Annotated[
        str | None, QueryParameter(description="Only incidents in this area, a code of the list `area`.")
    ] = None,
    log_ref: Annotated[
        str | None, QueryParameter(max_length=64, description="A police log or ambulance CAD number.")
    ] = None,
    since: Annotated[Moment | None, QueryParameter(name="from", description="Occurred at or after.")] = None,
    until: Annotated[Moment | None, QueryParameter(name="to", description="Occurred before.")] = None,
    flag: Annotated[str | None, QueryParameter(max_length=64, description="Only incidents with this flag.")] = None,
    summary: Annotated[
        str | None,
        QueryParameter(
            pattern=EDITION,
            description="An edition, as `daily/2026-11-22/1`: the incidents that its `measure` and `row` count, for "
            "leads only, and only where the reader may see on each of them what the line counts by.",
        ),
    ] = None,
    measure: Annotated[str | None, QueryParameter(max_length=64, description="A measure of `summary`.")] = None,
    row: Annotated[
        str | None, QueryParameter(max_length=128, description="A row of `measure`, or `row/column`.")
    ] = None,
    limit: Limit = 50,
    after: After = None,
) -> Response[IncidentList]:
    """List the team's incidents as the reader may see them, newest first."""
    place = read_place(after, IncidentPosition)
    if (summary is None) != (measure is None) or (row is not None and measure is None):
        raise Refused(INVALID_PARAMETER, "summary and measure go together, and row with them.")
    if summary is not None:
        if any(term is not None for term in (status, area, log_ref, since, until, flag)):
            raise Refused(INVALID_PARAMETER, "The incidents behind a figure are not filtered further.")
        line = "/".join(filter(None, (measure, row)))
        return await _behind(request, service, summary, line, place, limit)
    if area is not None and area not in codes.list("area"):
        raise Refused(INVALID_PARAMETER, "area is a code of the list area.")
    wanted = IncidentFilter(
        status=status, area=area, log_ref=log_ref, since=since, until=until, flag=flag, after=place, limit=limit
    )
    page, following = await service.incidents.page(request.user, wanted, datetime.now(UTC))
    body = _encode({"incidents": [Raw(seen.body) for seen in page]})
    return ready(body, headers=next_page(request, following))


async def _behind(
    request: SignedIn, service: Service, edition: str, line: str, after: IncidentPosition | None, limit: int
) -> Response[IncidentList]:
    """A page of the incidents behind a figure. Raises Refused: 403 for who reads no internal summaries, or is not led
    there; 404 for an edition that is not there."""
    actor, now = request.user, datetime.now(UTC)
    actor.require("summaries.internal")
    kind, period, number = edition.split("/")
    of_kind: PeriodKind = kind  # type: ignore[assignment]
    team = await calendars.team(service.database, actor.team_id)
    async with service.database.team(actor.team_id) as connection, connection.transaction(isolation="repeatable_read"):
        body = await publications.find_body(connection, actor.team_id, of_kind, period, int(number))
        if body is None:
            raise Refused(EDITION_NOT_FOUND)
        summary = editions.decode(body)
        views = await tracing.follow_line(connection, service.incidents, actor, team, summary, line, now)
        rest = [view for view in views if after is None or (view.occurred_at, view.id) < (after.occurred_at, after.id)]
        page = rest[:limit]
        ids = [view.id for view in page]
        await audit.record(connection, actor, "consultation", "list", ids, detail=f"{edition} {line}"[:200])
    following = IncidentPosition(page[-1].occurred_at, page[-1].id) if len(rest) > limit else None
    return ready(_encode({"incidents": page}), headers=next_page(request, following))


@get(
    "/{id:uuid}",
    sign_in="remembered",
    verbs=["incidents.read"],
    request_headers=["If-None-Match"],
    response_headers=[ETAG],
    responses=UNCHANGED,
    problems=[NOT_FOUND],
    response_description="The incident.",
)
async def get_incident(request: SignedIn, id: Id) -> Response[IncidentView]:
    """Read one incident. 304 when the reader already has these very bytes, which is no consultation."""
    conditional = bool(sent_header(request.scope, b"if-none-match"))
    try:
        root, served = await _consult(request, id, note=not conditional)
    except Refused:
        await sign_in(request.app.state.service, request.scope, "fresh")
        root, served = await _consult(request, id, note=not conditional)
    if conditional and not is_held(request, strong_etag(served.body)):
        await request.app.state.service.incidents.record_reading(request.user, "incident", [root])
    return tagged(request, served.body)


async def _consult(request: SignedIn, id: UUID, *, note: bool) -> tuple[UUID, ServedView]:
    service: Service = request.app.state.service
    request.user.require("incidents.read")
    return await service.incidents.consult(request.user, id, datetime.now(UTC), note=note)


@get(
    "/{id:uuid}/entries",
    guards=[needs("incidents.read")],
    problems=[NOT_FOUND],
    response_description="The entries, in the order of the log.",
)
async def get_entries(request: SignedIn, service: TheService, id: Id) -> Response[EntryList]:
    """Read an incident's entries, without the fields that the reader may not see."""
    shown = await list_entries(service.database, service.keys, request.user, id)
    return ready(_encode({"entries": listed_entries(shown, request.user)}))


def listed_entries(shown: list[ServedEntry], reader: Actor) -> list[dict[str, Any]]:
    """Entries as they are answered: the content as redacted, and what the service keeps beside it."""
    changes: dict[UUID, list[dict[str, Any]]] = {}
    for entry in shown:
        for how in ("amends", "withdraws"):
            if target := getattr(entry.stored.entry, how, None):
                changes.setdefault(target, []).append({"id": entry.stored.id, "seq": entry.stored.seq, "how": how})
    return [_listed(entry, changes.get(entry.stored.id, []), reader) for entry in shown]


def _listed(entry: ServedEntry, changes: list[dict[str, Any]], reader: Actor) -> dict[str, Any]:
    """Notices are its author's alone: they rest on what she may see, and could tell others what they may not."""
    held = entry.stored
    return _content(entry) | {
        "id": held.id,
        "seq": held.seq,
        "received_at": held.received_at,
        "author": held.author,
        "profession": held.profession,
        "role": held.role,
        "device": held.device,
        "clock_skew_ms": held.skew_ms,
        "blind": held.blind,
        "released_by": held.released_by,
        "amendments": changes,
        "notices": Raw(entry.notices) if held.author == reader.staff_id else [],
        "link": entry.link.hex(),
    }


def _content(entry: ServedEntry) -> dict[str, Any]:
    texts = msgspec.json.decode(entry.secrets, type=dict[str, str]) if entry.secrets else {}
    return shown_content(entry.stored, texts)


router = Router("/v1/incidents", route_handlers=[list_incidents, get_incident, get_entries], tags=["Incidents"])

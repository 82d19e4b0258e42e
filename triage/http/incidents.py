"""The incident list and one incident."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from urllib.parse import urlencode
from uuid import UUID

import msgspec
from msgspec import Raw

from triage import codes
from triage.http.asked import Asked
from triage.http.messages import (
    NO_STORE,
    Answer,
    a_number,
    a_text,
    a_time,
    an_id,
    in_json,
    is_unchanged,
    query,
    require_acceptable,
    strong_etag,
)
from triage.log.entries import ShortText, Time
from triage.log.view import Status
from triage.problems import INVALID_PARAMETER, Refused
from triage.store.log.incidents import IncidentFilter, IncidentPosition

FILTERS = ("status", "area", "log_ref", "from", "to", "flag")
DEFAULT_PAGE = 50
LARGEST_PAGE = 200


async def list_incidents(asked: Asked) -> Answer:
    """The team's incidents as the reader may see them, newest first."""
    require_acceptable(asked.scope, "application/json")
    actor = await asked.actor("incidents.read")
    values = query(asked.scope, *FILTERS, "limit", "after")
    wanted = IncidentFilter(
        status=a_text(values, "status", Status),
        area=_area(values.get("area")),
        log_ref=a_text(values, "log_ref", ShortText),
        since=a_time(values, "from"),
        until=a_time(values, "to"),
        flag=a_text(values, "flag", ShortText),
        after=_read_place(values["after"]) if "after" in values else None,
        limit=a_number(values, "limit", DEFAULT_PAGE, LARGEST_PAGE),
    )
    seen, following = await asked.service.incidents.page(actor, wanted, asked.now)
    link = []
    if following is not None:
        kept = {name: value for name, value in values.items() if name != "after"}
        address = "/v1/incidents?" + urlencode(kept | {"after": _write_place(following)})
        link.append((b"link", f'<{address}>; rel="next"'.encode()))
    return in_json({"incidents": [Raw(one.body) for one in seen]}, headers=link)


async def get_incident(asked: Asked) -> Answer:
    """One incident; 304 when the reader already has these very bytes. A 304 is no consultation."""
    require_acceptable(asked.scope, "application/json")
    actor = await asked.actor("incidents.read")
    row, seen = await asked.service.incidents.find(actor, an_id(asked.path("id"), "id"), asked.now)
    etag = strong_etag(seen.body)
    headers = [NO_STORE, (b"etag", etag.encode())]
    if is_unchanged(asked.scope, etag):
        return Answer(304, headers=headers)
    await asked.service.incidents.record_reading(actor, "incident", [row.root])
    return Answer(200, seen.body, headers=headers)


def _area(code: str | None) -> str | None:
    if code is not None and code not in codes.list("area"):
        raise Refused(INVALID_PARAMETER, "area is a code of the list area.")
    return code


def _write_place(place: IncidentPosition) -> str:
    return urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def _read_place(text: str) -> IncidentPosition:
    try:
        place = msgspec.json.decode(urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=tuple[Time, UUID])
    except (ValueError, msgspec.MsgspecError) as error:
        raise Refused(INVALID_PARAMETER, "after is no place in this list.") from error
    return IncidentPosition(*place)

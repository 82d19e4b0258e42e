"""`GET /v1/audit`: who did what to which records, for the auditor alone."""

import csv
import io
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator, Iterable
from urllib.parse import urlencode
from uuid import UUID

import msgspec
from msgspec import Struct

from triage.access.actors import Actor
from triage.http.asked import Asked
from triage.http.messages import (
    NO_STORE,
    Answer,
    a_number,
    a_time,
    an_id,
    in_json,
    query,
    require_acceptable,
)
from triage.problems import INVALID_PARAMETER, Refused
from triage.store import audit
from triage.store.audit import AuditedOperation, AuditFilter, AuditPosition, Reader

CSV = "text/csv"
NDJSON = "application/x-ndjson"
FILTERS = ("person", "incident", "actor", "from", "to", "operation")
PAGE_OF_FILE = 1000
COLUMNS = AuditedOperation.__struct_fields__

_encode = msgspec.json.Encoder().encode


class AuditList(Struct, frozen=True):
    """Operations, newest first; `Link: rel="next"` leads to the next page."""

    audit: list[AuditedOperation]


class ReaderList(Struct, frozen=True):
    """Who read an incident without having written to it."""

    readers: list[Reader]


async def list_audit(asked: Asked) -> Answer:
    """A page of the audit as JSON, or everything asked for as a file (CSV, NDJSON). The reading is itself recorded."""
    chosen = require_acceptable(asked.scope, "application/json", CSV, NDJSON)
    actor = await asked.actor("audit.read")
    values = query(asked.scope, *FILTERS, "limit", "after")
    wanted = AuditFilter(
        person=_id(values, "person"),
        incident=_id(values, "incident"),
        actor=_id(values, "actor"),
        since=a_time(values, "from"),
        until=a_time(values, "to"),
        operation=values.get("operation"),
    )
    limit = a_number(values, "limit", 100, 1000)
    after = _read_place(values["after"]) if "after" in values else None
    database = asked.service.database
    about = [one for one in (wanted.person, wanted.incident, wanted.actor) if one]
    async with database.team(actor.team_id) as connection:
        await audit.record(connection, actor, "consultation", "audit", about)
    if chosen != "application/json":
        name = "audit.csv" if chosen == CSV else "audit.ndjson"
        shown = (b"content-disposition", f'attachment; filename="{name}"'.encode())
        return Answer(200, b"", chosen.encode(), [NO_STORE, shown], pieces=_file(asked, actor, wanted, chosen))
    found, following = await audit.page(database, actor, wanted, after, limit)
    link = []
    if following is not None:
        kept = {name: value for name, value in values.items() if name != "after"}
        link.append(
            (b"link", f'</v1/audit?{urlencode(kept | {"after": _write_place(following)})}>; rel="next"'.encode())
        )
    return in_json(AuditList(found), headers=link)


async def list_readers(asked: Asked) -> Answer:
    """Who read an incident and had no part in it."""
    require_acceptable(asked.scope, "application/json")
    actor = await asked.actor("audit.read")
    incident_id = an_id(asked.path("id"), "id")
    async with asked.service.database.team(actor.team_id) as connection:
        await audit.record(connection, actor, "consultation", "audit/readers", [incident_id])
    return in_json(ReaderList(await audit.readers(asked.service.database, actor, incident_id)))


async def _file(asked: Asked, actor: Actor, wanted: AuditFilter, form: str) -> AsyncIterator[bytes]:
    if form == CSV:
        yield _csv([COLUMNS])
    place: AuditPosition | None = None
    while True:
        found, place = await audit.page(asked.service.database, actor, wanted, place, PAGE_OF_FILE)
        yield _csv(map(_row, found)) if form == CSV else b"".join(_encode(one) + b"\n" for one in found)
        if place is None:
            return


def _row(one: AuditedOperation) -> list[str]:
    """The columns as text; ids parted by blanks."""
    values = [getattr(one, name) for name in COLUMNS]
    return [
        " ".join(map(str, value))
        if isinstance(value, list)
        else ""
        if value is None
        else str(msgspec.to_builtins(value))
        for value in values
    ]


def _csv(rows: Iterable[Iterable[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


def _id(values: dict[str, str], name: str) -> UUID | None:
    if name not in values:
        return None
    try:
        return UUID(values[name])
    except ValueError as error:
        raise Refused(INVALID_PARAMETER, f"{name} is no id.") from error


def _write_place(place: AuditPosition) -> str:
    return urlsafe_b64encode(_encode(place)).decode().rstrip("=")


def _read_place(text: str) -> AuditPosition:
    try:
        return msgspec.json.decode(urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=AuditPosition)
    except (ValueError, msgspec.MsgspecError) as error:
        raise Refused(INVALID_PARAMETER, "after is no place in this list.") from error

"""`GET /v1/audit`: who did what to which records, for the auditor alone."""

import csv
import io
from collections.abc import AsyncIterator, Iterable
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Response, Router, get
from litestar.di import NamedDependency, Provide
from litestar.params import QueryParameter
from litestar.response import Stream
from msgspec import Struct

from triage.access.actors import Actor
from triage.http.access_control import needs
from triage.http.negotiation import CSV, JSON, NDJSON, form, ready
from triage.http.openapi import LINK
from triage.http.paging import next_page, read_place
from triage.http.parameters import After, Id, Moment, SignedIn, TheService
from triage.http.responses import NO_STORE
from triage.problems import NOT_FOUND
from triage.store import audit
from triage.store.audit import AuditedOperation, AuditFilter, AuditPosition, Reader
from triage.store.database import Connection
from triage.store.replica import Replica
from triage.summaries import csv_files

PAGE_OF_FILE = 1000
COLUMNS = AuditedOperation.__struct_fields__
FILE_NAMES = {CSV: "audit.csv", NDJSON: "audit.ndjson"}

_encode = msgspec.json.Encoder().encode


class AuditList(Struct, frozen=True):
    """Operations, newest first; `Link: rel="next"` leads to the next page."""

    audit: list[AuditedOperation]


class ReaderList(Struct, frozen=True):
    """Who read an incident without having written to it."""

    readers: list[Reader]


@get(
    "/",
    forms=(JSON, CSV, NDJSON),
    dependencies={"form": Provide(form, sync_to_thread=False)},
    response_headers=[LINK],
    response_description="A page of operations, newest first.",
)
async def list_audit(
    request: SignedIn,
    service: TheService,
    form: NamedDependency[str],
    person: Annotated[
        UUID | None, QueryParameter(description="Operations on this person, and on incidents linked to the person.")
    ] = None,
    incident: Annotated[
        UUID | None, QueryParameter(description="Operations on this incident, under any of its ids.")
    ] = None,
    account: Annotated[UUID | None, QueryParameter(name="actor", description="Operations of this account.")] = None,
    since: Annotated[Moment | None, QueryParameter(name="from", description="At or after.")] = None,
    until: Annotated[Moment | None, QueryParameter(name="to", description="Before.")] = None,
    operation: Annotated[
        str | None,
        QueryParameter(
            description="`collection`, `alteration`, `consultation`, `disclosure`, `combination`, `erasure`, "
            "`refusal` or `access`."
        ),
    ] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=1000, description="Operations on a page; 100 if not given.")] = 100,
    after: After = None,
) -> Response[AuditList]:
    """Who did what to which records.

    A page of the audit as JSON, or everything asked for as a file (CSV, NDJSON). The reading is itself recorded.
    """
    actor, database = request.user, service.database
    wanted = AuditFilter(person=person, incident=incident, actor=account, since=since, until=until, operation=operation)
    place = read_place(after, AuditPosition)
    async with database.team(actor.team_id) as connection:
        about = [id for id in (person, incident, account) if id]
        await audit.record(connection, actor, "consultation", "audit", about)
    if form != JSON:
        headers = NO_STORE | {"content-disposition": f'attachment; filename="{FILE_NAMES[form]}"'}
        return Stream(_file(service.replica, actor, wanted, form), media_type=form, headers=headers)  # type: ignore[return-value]
    records, following = await service.replica.read(
        actor.team_id, lambda connection: audit.page(connection, actor, wanted, place, limit)
    )
    return ready(_encode(AuditList(records)), headers=next_page(request, following))


@get("/incidents/{id:uuid}/readers", problems=[NOT_FOUND], response_description="Readers, the latest first.")
async def list_readers(request: SignedIn, service: TheService, id: Id) -> Response[ReaderList]:
    """Who read an incident and had no part in it."""
    async with service.database.team(request.user.team_id) as connection:
        await audit.record(connection, request.user, "consultation", "audit/readers", [id])
    listed = await service.replica.read(
        request.user.team_id, lambda connection: audit.readers(connection, request.user, id)
    )
    return ready(_encode(ReaderList(listed)))


async def _file(replica: Replica, actor: Actor, wanted: AuditFilter, form: str) -> AsyncIterator[bytes]:
    if form == CSV:
        yield _csv([COLUMNS])
    place: AuditPosition | None = None

    async def load(connection: Connection) -> tuple[list[AuditedOperation], AuditPosition | None]:
        return await audit.page(connection, actor, wanted, place, PAGE_OF_FILE)

    while True:
        records, place = await replica.read(actor.team_id, load)
        yield _csv(map(_row, records)) if form == CSV else b"".join(_encode(record) + b"\n" for record in records)
        if place is None:
            return


def _row(record: AuditedOperation) -> list[str]:
    return [_text(getattr(record, name)) for name in COLUMNS]


def _text(value: object) -> str:
    """A column as text that no spreadsheet runs; ids parted by blanks."""
    if isinstance(value, list):
        return " ".join(map(str, value))
    return "" if value is None else str(csv_files.safe(str(msgspec.to_builtins(value))))


def _csv(rows: Iterable[Iterable[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


router = Router("/v1/audit", route_handlers=[list_audit, list_readers], guards=[needs("audit.read")], tags=["Audit"])

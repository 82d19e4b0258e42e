"""Every operation of the service, in one table."""

from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import Meta, Struct

from triage import codes, problems
from triage.exports.calendar import Dataset
from triage.exports.protected import Protected
from triage.exports.rendering import Manifest
from triage.http import (
    access,
    audit,
    documents,
    entries,
    exports,
    health,
    incidents,
    metrics,
    people,
    quarantine,
    summaries,
    sync,
)
from triage.http.operations import Operation, Parameter, Response
from triage.log.entries import KINDS, AnyEntry, Area, ShortText, Time
from triage.log.notices import Notice
from triage.log.view import IncidentView, Status
from triage.problems import Listed
from triage.store.access.enrolment import Enrolled
from triage.store.people.people import Match
from triage.summaries.editions import Summary
from triage.times import PeriodKind

IF_NONE_MATCH = Parameter(name="If-None-Match", where="header", kind=str, description="Entity tags already held.")
ID = Parameter(name="id", where="path", kind=UUID, description="The id.", required=True)
SIGNED_IN: tuple[Listed, ...] = (
    problems.TOKEN_MISSING,
    problems.TOKEN_INVALID,
    problems.TOKEN_EXPIRED,
    problems.ACCOUNT_DISABLED,
    problems.DEVICE_REVOKED,
    problems.FORBIDDEN,
    problems.NOT_ACCEPTABLE,
    problems.RATE_LIMITED,
    problems.INTERNAL,
    problems.NOT_READY,
)
WITH_BODY = (problems.MALFORMED, problems.INVALID, problems.TOO_LARGE, problems.UNSUPPORTED_MEDIA_TYPE)
Limit = Annotated[int, Meta(ge=1, le=200)]
PAGED = (problems.UNKNOWN_PARAMETER, problems.INVALID_PARAMETER)


class IncidentList(Struct):
    """Incidents, newest first; `Link: rel="next"` leads to the next page."""

    incidents: list[IncidentView]


class Change(Struct):
    """What amends or withdraws an entry."""

    id: UUID
    seq: int
    how: Literal["amends", "withdraws"]


class ListedEntry(Struct):
    """An entry with what the service keeps beside it.

    The fields of its kind come as they were sent, as far as the reader may see them: those it may not see are absent.
    `received_at` is the service's clock, `link` the entry's place in the chain, `blind` whether a nurse judged before
    she was served any intent.
    """

    id: UUID
    kind: Annotated[str, Meta(extra_json_schema={"enum": list(KINDS)})]
    incident_id: UUID
    captured_at: Time
    codes_version: int
    seq: int
    received_at: Time
    author: UUID
    profession: str
    role: str
    device: UUID | None
    clock_skew_ms: int | None
    blind: bool
    released_by: UUID | None
    amendments: list[Change]
    notices: list[Notice]
    link: str


class EntryList(Struct):
    """Every entry of an incident that the reader may see, in the order of the log."""

    entries: list[ListedEntry]


def _filter(name: str, kind: Any, description: str) -> Parameter:
    return Parameter(name=name, where="query", kind=kind, description=description)


RELEASE = (
    Parameter(name="dataset", where="path", kind=Dataset, description="A dataset.", required=True),
    Parameter(name="period", where="path", kind=str, description="Such as `2026-10` or `2026-Q3`.", required=True),
)
EDITION = _filter("edition", Annotated[int, Meta(ge=1, le=100_000)], "An edition; the latest if not given.")
FILE_TYPES = ("text/csv", "application/x-ndjson", "application/vnd.apache.parquet")


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        method="PUT",
        path="/v1/entries/{id}",
        handler=entries.put_entry,
        summary="Store one entry",
        tag="Entries",
        verb="entries.write",
        parameters=(
            ID,
            Parameter(
                name="Triage-Sent-At", where="header", kind=Time, description="The phone's clock, to measure its skew."
            ),
        ),
        body=AnyEntry,
        responses=(
            Response(status=201, description="Stored.", kind=entries.Stored),
            Response(status=200, description="The same content was stored before.", kind=entries.Stored),
        ),
        problems=(
            *SIGNED_IN,
            *WITH_BODY,
            problems.INVALID_PARAMETER,
            problems.WRONG_PROFESSION,
            problems.NOT_YOURS,
            problems.NOT_FOUND,
            problems.ENTRY_CONFLICT,
            problems.ENTRY_ERASED,
            problems.INCIDENT_FULL,
            problems.BUSY,
        ),
    ),
    Operation(
        method="POST",
        path="/v1/sync",
        handler=sync.post_sync,
        summary="Send entries and fetch what changed",
        tag="Sync",
        verb="entries.write",
        body=sync.SyncRequest,
        responses=(
            Response(status=200, description="One result for each entry, and what changed.", kind=sync.SyncAnswer),
            Response(status=202, description="The device is revoked: all is in quarantine.", kind=sync.SyncAnswer),
        ),
        problems=(
            *SIGNED_IN,
            *WITH_BODY,
            problems.INVALID_PARAMETER,
            problems.CURSOR_MALFORMED,
            problems.CURSOR_UNKNOWN,
            problems.TOO_MANY_ITEMS,
            problems.BUSY,
        ),
    ),
    Operation(
        method="POST",
        path="/v1/sync/held",
        handler=sync.post_held,
        summary="Ask which entries are in the log",
        tag="Sync",
        verb="entries.write",
        body=sync.HeldRequest,
        responses=(Response(status=200, description="Held and missing ids.", kind=sync.HeldAnswer),),
        problems=(*SIGNED_IN, *WITH_BODY, problems.INVALID_PARAMETER, problems.TOO_MANY_ITEMS),
    ),
    Operation(
        method="GET",
        path="/v1/incidents",
        handler=incidents.list_incidents,
        summary="List incidents",
        tag="Incidents",
        verb="incidents.read",
        parameters=(
            _filter("status", Status, "Only incidents of this status."),
            _filter("area", Area, "Only incidents in this area."),
            _filter("log_ref", ShortText, "A police log or ambulance CAD number."),
            _filter("from", Time, "Occurred at or after."),
            _filter("to", Time, "Occurred before."),
            _filter("flag", ShortText, "Only incidents with this flag."),
            _filter("limit", Limit, "Incidents on a page; 50 if not given."),
            _filter("after", str, "Where the page begins, from the `Link` of the page before."),
        ),
        responses=(Response(status=200, description="A page of incidents.", kind=IncidentList, headers=("Link",)),),
        problems=(*SIGNED_IN, *PAGED),
    ),
    Operation(
        method="GET",
        path="/v1/incidents/{id}",
        handler=incidents.get_incident,
        summary="Read one incident",
        tag="Incidents",
        verb="incidents.read",
        parameters=(
            ID,
            IF_NONE_MATCH,
        ),
        responses=(
            Response(status=200, description="The incident.", kind=IncidentView, headers=("ETag",)),
            Response(status=304, description="Unchanged.", headers=("ETag",)),
        ),
        problems=(*SIGNED_IN, problems.NOT_FOUND),
    ),
    Operation(
        method="GET",
        path="/v1/incidents/{id}/entries",
        handler=entries.get_entries,
        summary="Read an incident's entries",
        tag="Incidents",
        verb="incidents.read",
        parameters=(ID,),
        responses=(Response(status=200, description="The entries, in the order of the log.", kind=EntryList),),
        problems=(*SIGNED_IN, problems.NOT_FOUND),
    ),
    Operation(
        method="GET",
        path="/v1/summaries",
        handler=summaries.list_summaries,
        summary="List summaries",
        tag="Summaries",
        verb="summaries.internal or summaries.protected",
        parameters=(
            _filter("kind", PeriodKind, "Only summaries of this kind."),
            _filter("from", str, "Only periods that start at or after this day or time."),
            _filter("to", str, "Only periods that start before this day or time."),
            _filter("limit", Limit, "At most so many, 50 if not given."),
            _filter("after", str, "The place of the page, from `Link`."),
        ),
        responses=(
            Response(
                status=200,
                description="The latest edition of each period.",
                kind=summaries.SummaryList,
                headers=("Link",),
            ),
        ),
        problems=(*SIGNED_IN, *PAGED),
    ),
    Operation(
        method="GET",
        path="/v1/summaries/{kind}/{period}",
        handler=summaries.get_summary,
        summary="Read a summary",
        tag="Summaries",
        verb="summaries.internal or summaries.protected",
        parameters=(
            Parameter(name="kind", where="path", kind=PeriodKind, description="A kind.", required=True),
            Parameter(
                name="period",
                where="path",
                kind=str,
                description="Such as `2026-11-22`, `2026-W47`, `2026-10`, `2026-Q3` or `2026`.",
                required=True,
            ),
            EDITION,
            IF_NONE_MATCH,
        ),
        responses=(
            Response(
                status=200,
                description="The edition.",
                kind=(Summary, Protected),
                media_types=("application/json", "text/html", "text/csv"),
                headers=("ETag",),
            ),
            Response(status=304, description="Unchanged.", headers=("ETag",)),
        ),
        problems=(
            *SIGNED_IN,
            *PAGED,
            problems.NOT_FOUND,
            problems.PERIOD_NOT_FOUND,
            problems.EDITION_NOT_FOUND,
        ),
    ),
    Operation(
        method="GET",
        path="/v1/exports",
        handler=exports.list_exports,
        summary="List releases",
        tag="Exports",
        verb="exports.read",
        responses=(Response(status=200, description="The latest edition of each.", kind=exports.OfferList),),
        problems=(*SIGNED_IN, problems.UNKNOWN_PARAMETER, problems.AGREEMENT_EXPIRED),
    ),
    Operation(
        method="GET",
        path="/v1/exports/ledger",
        handler=exports.get_ledger,
        summary="List pulls",
        tag="Exports",
        verb="exports.read, for one's own, or audit.read",
        parameters=(
            _filter("limit", Limit, "Pulls on a page; 50 if not given."),
            _filter("before", Time, "Where the page begins, from the `Link` of the page before."),
        ),
        responses=(Response(status=200, description="Pulls, newest first.", kind=exports.PullList, headers=("Link",)),),
        problems=(*SIGNED_IN, *PAGED),
    ),
    Operation(
        method="GET",
        path="/v1/exports/{dataset}/{period}",
        handler=exports.get_manifest,
        summary="Read the manifest of a release",
        tag="Exports",
        verb="exports.read",
        parameters=(*RELEASE, EDITION),
        responses=(Response(status=200, description="Files, columns and statement.", kind=Manifest),),
        problems=(*SIGNED_IN, *PAGED, problems.AGREEMENT_EXPIRED, problems.NOT_FOUND),
    ),
    Operation(
        method="GET",
        path="/v1/exports/{dataset}/{period}/files/{name}",
        handler=exports.get_file,
        summary="Download a file",
        tag="Exports",
        verb="exports.read",
        parameters=(
            *RELEASE,
            Parameter(name="name", where="path", kind=str, description="A name in the manifest.", required=True),
            EDITION,
            Parameter(name="Range", where="header", kind=str, description="One range of bytes."),
            Parameter(name="If-Range", where="header", kind=str, description="The entity tag that the range is of."),
            Parameter(name="If-None-Match", where="header", kind=str, description="Entity tags already held."),
        ),
        responses=(
            Response(status=200, description="The file.", media_types=FILE_TYPES, headers=("ETag", "Accept-Ranges")),
            Response(status=206, description="The range.", media_types=FILE_TYPES, headers=("ETag", "Content-Range")),
            Response(status=304, description="Unchanged: not a pull.", headers=("ETag",)),
        ),
        problems=(
            *SIGNED_IN,
            *PAGED,
            problems.AGREEMENT_EXPIRED,
            problems.NOT_FOUND,
            problems.RANGE_NOT_SATISFIABLE,
        ),
    ),
    Operation(
        method="GET",
        path="/v1/quarantine",
        handler=quarantine.list_quarantine,
        summary="List what waits in quarantine",
        tag="Quarantine",
        verb="quarantine.police or quarantine.health",
        responses=(Response(status=200, description="The queue.", kind=quarantine.QuarantineList),),
        problems=SIGNED_IN,
    ),
    Operation(
        method="POST",
        path="/v1/quarantine/{id}/release",
        handler=quarantine.release,
        summary="Release an item into the log",
        tag="Quarantine",
        verb="quarantine.police or quarantine.health",
        parameters=(ID,),
        responses=(Response(status=200, description="The receipt.", kind=entries.Stored),),
        problems=(
            *SIGNED_IN,
            problems.NOT_FOUND,
            problems.QUARANTINE_DECIDED,
            problems.MALFORMED,
            problems.INVALID,
            problems.WRONG_PROFESSION,
            problems.NOT_YOURS,
            problems.ENTRY_ERASED,
            problems.ENTRY_CONFLICT,
            problems.INCIDENT_FULL,
            problems.BUSY,
        ),
    ),
    Operation(
        method="POST",
        path="/v1/quarantine/{id}/discard",
        handler=quarantine.discard,
        summary="Discard an item for good",
        tag="Quarantine",
        verb="quarantine.police or quarantine.health",
        parameters=(ID,),
        responses=(Response(status=200, description="The receipt.", kind=quarantine.Discarded),),
        problems=(*SIGNED_IN, problems.NOT_FOUND, problems.QUARANTINE_DECIDED),
    ),
    Operation(
        method="POST",
        path="/v1/enrolments",
        handler=access.post_enrolment,
        summary="Make a one-time code",
        tag="Access",
        verb="enrol.police, enrol.health or enrol.office",
        body=access.EnrolmentRequest,
        responses=(Response(status=201, description="The code, shown once.", kind=access.EnrolmentAnswer),),
        problems=(*SIGNED_IN, *WITH_BODY, problems.INVALID_PARAMETER, problems.NOT_FOUND),
    ),
    Operation(
        method="POST",
        path="/v1/devices",
        handler=access.post_device,
        summary="Enrol a device with a code",
        tag="Access",
        open=True,
        body=access.DeviceRequest,
        responses=(Response(status=201, description="The device and its token, shown once.", kind=Enrolled),),
        problems=(
            *WITH_BODY,
            problems.INVALID_PARAMETER,
            problems.NOT_ACCEPTABLE,
            problems.NOT_FOUND,
            problems.CODE_USED,
            problems.CODE_EXPIRED,
            problems.RATE_LIMITED,
            problems.INTERNAL,
        ),
    ),
    Operation(
        method="POST",
        path="/v1/devices/{id}/token",
        handler=access.post_token,
        summary="Renew the token of this device",
        tag="Access",
        parameters=(ID,),
        responses=(Response(status=201, description="The new token, shown once.", kind=access.TokenAnswer),),
        problems=(*SIGNED_IN, problems.NOT_FOUND),
    ),
    Operation(
        method="DELETE",
        path="/v1/devices/{id}",
        handler=access.delete_device,
        summary="Revoke a device",
        tag="Access",
        verb="devices.manage, or one's own device",
        parameters=(ID,),
        responses=(Response(status=204, description="Revoked."),),
        problems=(*SIGNED_IN, problems.NOT_FOUND),
    ),
    Operation(
        method="GET",
        path="/v1/devices",
        handler=access.list_devices,
        summary="List devices",
        tag="Access",
        responses=(
            Response(status=200, description="The devices one may manage, or one's own.", kind=access.DeviceList),
        ),
        problems=SIGNED_IN,
    ),
    Operation(
        method="PUT",
        path="/v1/devices/{id}",
        handler=access.put_device,
        summary="Rename a device",
        tag="Access",
        verb="devices.manage, or one's own device",
        parameters=(ID,),
        body=access.DeviceName,
        responses=(Response(status=204, description="Renamed."),),
        problems=(*SIGNED_IN, *WITH_BODY, problems.INVALID_PARAMETER, problems.NOT_FOUND),
    ),
    Operation(
        method="POST",
        path="/v1/people",
        handler=people.post_person,
        summary="Tell of a person",
        tag="People",
        verb="people.match",
        body=people.PersonRequest,
        responses=(
            Response(status=201, description="Somebody new.", kind=people.PersonAnswer),
            Response(status=200, description="Somebody told of before.", kind=people.PersonAnswer),
        ),
        problems=(*SIGNED_IN, *WITH_BODY, problems.INVALID_PARAMETER),
    ),
    Operation(
        method="POST",
        path="/v1/people/match",
        handler=people.post_match,
        summary="Search for a person",
        tag="People",
        verb="people.match",
        body=people.PersonRequest,
        responses=(
            Response(status=200, description="To leads: who has this number, with an open incident.", kind=Match),
            Response(status=202, description="To field roles, whoever is known.", kind=people.Submitted),
        ),
        problems=(*SIGNED_IN, *WITH_BODY, problems.INVALID_PARAMETER),
    ),
    Operation(
        method="GET",
        path="/v1/audit",
        handler=audit.list_audit,
        summary="Who did what to which records",
        tag="Audit",
        verb="audit.read",
        parameters=(
            _filter("person", UUID, "Operations on this person, and on incidents linked to the person."),
            _filter("incident", UUID, "Operations on this incident, under any of its ids."),
            _filter("actor", UUID, "Operations of this account."),
            _filter("from", Time, "At or after."),
            _filter("to", Time, "Before."),
            _filter(
                "operation",
                str,
                "`collection`, `alteration`, `consultation`, `disclosure`, `combination`, "
                "`erasure`, `refusal` or `access`.",
            ),
            _filter("limit", Annotated[int, Meta(ge=1, le=1000)], "Operations on a page; 100 if not given."),
            _filter("after", str, "Where the page begins, from the `Link` of the page before."),
        ),
        responses=(
            Response(
                status=200,
                description="A page of operations, newest first.",
                kind=audit.AuditList,
                media_types=("application/json", audit.CSV, audit.NDJSON),
                headers=("Link",),
            ),
        ),
        problems=(*SIGNED_IN, *PAGED),
    ),
    Operation(
        method="GET",
        path="/v1/audit/incidents/{id}/readers",
        handler=audit.list_readers,
        summary="Who read an incident without a part in it",
        tag="Audit",
        verb="audit.read",
        parameters=(ID,),
        responses=(Response(status=200, description="Readers, the latest first.", kind=audit.ReaderList),),
        problems=(*SIGNED_IN, problems.NOT_FOUND),
    ),
    Operation(
        method="GET",
        path="/v1/me",
        handler=access.get_me,
        summary="Who am I",
        tag="Access",
        responses=(Response(status=200, description="The actor, its verbs, its team.", kind=access.Me),),
        problems=SIGNED_IN,
    ),
    Operation(
        method="GET",
        path="/v1/codes",
        handler=documents.get_codes,
        summary="All code lists",
        tag="Reference",
        parameters=(IF_NONE_MATCH,),
        responses=(
            Response(status=200, description="Lists, validity, replacements.", kind=codes.Document, headers=("ETag",)),
            Response(status=304, description="Unchanged.", headers=("ETag",)),
        ),
        problems=SIGNED_IN,
    ),
    Operation(
        method="GET",
        path="/openapi.json",
        handler=documents.get_openapi,
        summary="This description",
        tag="Reference",
        open=True,
        parameters=(IF_NONE_MATCH,),
        responses=(
            Response(
                status=200,
                description="OpenAPI 3.1.",
                media_types=("application/json", "application/vnd.oai.openapi+json"),
                headers=("ETag",),
            ),
            Response(status=304, description="Unchanged.", headers=("ETag",)),
        ),
        problems=(problems.NOT_ACCEPTABLE, problems.INTERNAL),
    ),
    Operation(
        method="GET",
        path="/docs",
        handler=documents.get_page,
        summary="This description, to read",
        tag="Reference",
        open=True,
        parameters=(IF_NONE_MATCH,),
        responses=(
            Response(status=200, description="A page.", media_types=("text/html",), headers=("ETag",)),
            Response(status=304, description="Unchanged.", headers=("ETag",)),
        ),
        problems=(problems.NOT_ACCEPTABLE, problems.INTERNAL),
    ),
    Operation(
        method="GET",
        path="/docs/style.css",
        handler=documents.get_style,
        summary="Its style sheet",
        tag="Reference",
        open=True,
        parameters=(IF_NONE_MATCH,),
        responses=(
            Response(status=200, description="A style sheet.", media_types=("text/css",), headers=("ETag",)),
            Response(status=304, description="Unchanged.", headers=("ETag",)),
        ),
        problems=(problems.NOT_ACCEPTABLE, problems.INTERNAL),
    ),
    Operation(
        method="GET",
        path="/problems/{code}",
        handler=documents.get_problem,
        summary="What a problem means",
        tag="Reference",
        open=True,
        parameters=(
            Parameter(name="code", where="path", kind=str, description="The `code` of a problem.", required=True),
        ),
        responses=(Response(status=308, description="Read on there.", headers=("Location",)),),
        problems=(problems.NOT_FOUND, problems.INTERNAL),
    ),
    Operation(
        method="GET",
        path="/health/live",
        handler=health.live,
        summary="Does the process live",
        tag="Operations",
        open=True,
        responses=(Response(status=200, description="It does.", kind=health.Health),),
    ),
    Operation(
        method="GET",
        path="/health/ready",
        handler=health.ready,
        summary="Can it serve",
        tag="Operations",
        open=True,
        responses=(Response(status=200, description="It can.", kind=health.Health),),
        problems=(problems.NOT_READY,),
    ),
    Operation(
        method="GET",
        path="/metrics",
        handler=metrics.get_metrics,
        summary="Metrics for Prometheus",
        tag="Operations",
        responses=(Response(status=200, description="Metrics.", media_types=("text/plain",)),),
        problems=(problems.NOT_FOUND, problems.TOKEN_MISSING, problems.TOKEN_INVALID),
    ),
)

"""The one catalogue of problems: everything the service answers that is not success.

Every refusal is `application/problem+json` (RFC 9457) built from a line of this catalogue, so that a client can act on
`code` and `retry` without reading prose. `type` is a relative reference into the documentation, `/problems/<code>`.
A detail names fields and rules, never a value that somebody sent: values may be personal data.
"""

from typing import Literal

from msgspec import Struct

Retry = Literal["never", "later", "after_fix"]
"""A client's next step with the same request: drop it, send it again after a pause, or put it right first."""


class FieldError(Struct, frozen=True, gc=False):
    """One fault of a body: `field` is a dotted path (`intent.power`, `presenting.1`), empty for the body itself."""

    field: str
    code: str
    message: str


class Problem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A problem document (RFC 9457) with this service's extension members.

    `wipe` tells a phone to delete what it holds; `resync` to send the same entries again with `cursor: null`.
    """

    type: str
    title: str
    status: int
    detail: str
    code: str
    retry: Retry
    errors: tuple[FieldError, ...] = ()
    wipe: bool = False
    resync: bool = False


class ListedProblem(Struct, frozen=True, kw_only=True):
    """A line of the catalogue; `explanation` is the detail where a caller has nothing closer to say."""

    code: str
    status: int
    title: str
    retry: Retry
    explanation: str
    wipe: bool = False
    resync: bool = False

    def problem(self, detail: str | None = None, *, errors: tuple[FieldError, ...] = ()) -> Problem:
        """The document to send; a `detail` never holds a value somebody sent."""
        return Problem(
            type=f"/problems/{self.code}",
            title=self.title,
            status=self.status,
            detail=detail or self.explanation,
            code=self.code,
            retry=self.retry,
            errors=errors,
            wipe=self.wipe,
            resync=self.resync,
        )


class Refused(Exception):
    """Ends a request, or one item of a sync, with a problem, made here or before.

    `retry_after` is in whole seconds (RFC 9110, 10.2.3); `headers` go out with the answer.
    """

    def __init__(
        self,
        problem: ListedProblem | Problem,
        detail: str | None = None,
        *,
        errors: tuple[FieldError, ...] = (),
        retry_after: int | None = None,
    ) -> None:
        super().__init__(problem.code)
        self.problem = problem if isinstance(problem, Problem) else problem.problem(detail, errors=errors)
        self.retry_after = retry_after
        self.headers: dict[str, str] = {}


MALFORMED = ListedProblem(
    code="malformed",
    status=400,
    title="The body cannot be read",
    retry="after_fix",
    explanation="The body is not JSON, or its shape is wrong: a field is missing, unknown or of the wrong type. "
    "`errors` lists every fault.",
)
NEWER_THAN_SERVICE = ListedProblem(
    code="newer_than_service",
    status=400,
    title="The entry is newer than this service",
    retry="later",
    explanation="Nothing is wrong with the entry but that a field, a kind or a code in it is not known here: a newer "
    "app sent it, or one name is mistyped. It waits in quarantine, and is taken when a version that knows it starts. "
    "`errors` names what is not known.",
)
UNKNOWN_PARAMETER = ListedProblem(
    code="unknown_parameter",
    status=400,
    title="A query parameter is not known here",
    retry="after_fix",
    explanation="This address takes no parameter of that name. Published data cannot be filtered further: every extra "
    "choice would be another question about a few people.",
)
INVALID_PARAMETER = ListedProblem(
    code="invalid_parameter",
    status=400,
    title="A query parameter or header cannot be read",
    retry="after_fix",
    explanation="A query parameter, a header or a part of the path has a form that is not allowed.",
)
CURSOR_MALFORMED = ListedProblem(
    code="cursor_malformed",
    status=400,
    title="That is no cursor",
    retry="after_fix",
    explanation="Send the cursor exactly as the last answer gave it, or null to start afresh.",
)
NOT_HTTP = ListedProblem(
    code="not_http",
    status=400,
    title="The request cannot be read",
    retry="after_fix",
    explanation="What was sent is no HTTP request, or one that could be read in two ways.",
)
TOKEN_MISSING = ListedProblem(
    code="token_missing",
    status=401,
    title="Sign-in is required",
    retry="after_fix",
    explanation="Send `Authorization: Bearer <token>`.",
)
TOKEN_INVALID = ListedProblem(
    code="token_invalid",
    status=401,
    title="The token is not valid",
    retry="after_fix",
    explanation="The token is unknown, damaged, or not meant for this service. Enrol the device or sign in again.",
)
TOKEN_EXPIRED = ListedProblem(
    code="token_expired",
    status=401,
    title="The token has expired",
    retry="after_fix",
    explanation="The token has run out, or was not used for 30 days. Enrol the device or sign in again.",
)
ACCOUNT_DISABLED = ListedProblem(
    code="account_disabled",
    status=401,
    title="The account is disabled",
    retry="never",
    explanation="The account behind this token is disabled. What it sent earlier is kept.",
)
DEVICE_REVOKED = ListedProblem(
    code="device_revoked",
    status=401,
    title="The device is revoked",
    retry="never",
    explanation="The device was revoked. It sends what it has not sent yet once, to `POST /v1/sync`, where it is kept "
    "in quarantine, and then wipes itself.",
    wipe=True,
)
FORBIDDEN = ListedProblem(
    code="forbidden",
    status=403,
    title="Not allowed for this role",
    retry="never",
    explanation="The actor's role does not hold the verb that this call needs.",
)
SEND_ONLY = ListedProblem(
    code="send_only",
    status=403,
    title="This token only sends",
    retry="never",
    explanation="A device's send token is good for `POST /v1/sync` with `cursor: null` and `pull: false`, and for "
    "nothing else. Unlock the app to read.",
)
WRONG_PROFESSION = ListedProblem(
    code="wrong_profession",
    status=403,
    title="Not an entry of this profession",
    retry="never",
    explanation="`officer` and `intent` are sent by police, `nurse` by nurses, `paramedic` by paramedics.",
)
NOT_YOURS = ListedProblem(
    code="not_yours",
    status=403,
    title="Only its author or the lead may change this",
    retry="never",
    explanation="An entry is amended or withdrawn by its author or by the lead of the author's profession; "
    "`s136_justified` by nobody but its author.",
)
AGREEMENT_EXPIRED = ListedProblem(
    code="agreement_expired",
    status=403,
    title="The data-sharing agreement has ended",
    retry="never",
    explanation="The partner's agreement for this dataset has expired or was revoked.",
)
NOT_FOUND = ListedProblem(
    code="not_found",
    status=404,
    title="Not found",
    retry="never",
    explanation="There is nothing at this address for this actor. What belongs to another team is not found either.",
)
PERIOD_NOT_FOUND = ListedProblem(
    code="period_not_found",
    status=404,
    title="Nothing is published for this period",
    retry="later",
    explanation="The period does not exist, has not ended, or has not been published yet.",
)
EDITION_NOT_FOUND = ListedProblem(
    code="edition_not_found",
    status=404,
    title="There is no such edition",
    retry="never",
    explanation="The period is published, but not in an edition of this number.",
)
METHOD_NOT_ALLOWED = ListedProblem(
    code="method_not_allowed",
    status=405,
    title="The method is not allowed here",
    retry="never",
    explanation="`Allow` lists the methods of this address.",
)
NOT_ACCEPTABLE = ListedProblem(
    code="not_acceptable",
    status=406,
    title="No form of the answer is acceptable",
    retry="after_fix",
    explanation="The address offers none of the media types that `Accept` names.",
)
BODY_TIMEOUT = ListedProblem(
    code="body_timeout",
    status=408,
    title="The body came too slowly",
    retry="later",
    explanation="Nothing of the body came for 30 seconds, or the whole took longer than 30 seconds and one more for "
    "each 4 KiB. Nothing of this request was stored. A phone halves its batch and sends it again.",
)
HEADERS_TIMEOUT = ListedProblem(
    code="headers_timeout",
    status=408,
    title="The headers came too slowly",
    retry="later",
    explanation="The headers of a request must be there within 10 seconds.",
)
ENTRY_CONFLICT = ListedProblem(
    code="entry_conflict",
    status=409,
    title="The id is held with other content",
    retry="never",
    explanation="An entry with this id and other content is in the log. The content sent now is kept in quarantine. "
    "To correct an entry, send an amendment under an id of its own.",
)
INCIDENT_FULL = ListedProblem(
    code="incident_full",
    status=409,
    title="The incident takes no more entries",
    retry="never",
    explanation="An incident holds at most 500 entries, and up to 600 with those that end or correct something. The "
    "entry is kept in quarantine.",
)
QUARANTINE_DECIDED = ListedProblem(
    code="quarantine_decided",
    status=409,
    title="Somebody has already decided on this item",
    retry="never",
    explanation="The item of the quarantine was released or discarded before.",
)
QUARANTINE_FULL = ListedProblem(
    code="quarantine_full",
    status=409,
    title="The quarantine of this device is full",
    retry="later",
    explanation="A device may have 2,000 items in quarantine. The entry was not stored; keep it.",
)
ENTRY_ERASED = ListedProblem(
    code="entry_erased",
    status=410,
    title="The entry was erased",
    retry="never",
    explanation="An entry with this id was erased. Delete it from the device.",
)
CODE_USED = ListedProblem(
    code="code_used",
    status=410,
    title="The enrolment code was used before",
    retry="never",
    explanation="An enrolment code works once. Ask for a new one.",
)
CODE_EXPIRED = ListedProblem(
    code="code_expired",
    status=410,
    title="The enrolment code has expired",
    retry="never",
    explanation="An enrolment code is valid for 15 minutes. Ask for a new one.",
)
CURSOR_UNKNOWN = ListedProblem(
    code="cursor_unknown",
    status=410,
    title="The cursor belongs to another history",
    retry="after_fix",
    explanation="The log was restored from a backup and no longer holds the place this cursor names. Nothing of this "
    "request was taken. Send the same entries again with `cursor: null`.",
    resync=True,
)
TOO_LARGE = ListedProblem(
    code="too_large",
    status=413,
    title="The body is too large",
    retry="after_fix",
    explanation="A body is at most 2 MiB as sent and 16 MiB when decompressed.",
)
TOO_MANY_ITEMS = ListedProblem(
    code="too_many_items",
    status=413,
    title="Too many items in one request",
    retry="after_fix",
    explanation="A sync takes at most 500 entries. Send the rest in another request.",
)
LINE_NOT_TRACEABLE = ListedProblem(
    code="line_not_traceable",
    status=403,
    title="This figure leads to no incidents",
    retry="never",
    explanation="The line counts no incidents, or by something that this reader may not see of every one of them.",
)
NOT_INSTALLED = ListedProblem(
    code="not_installed",
    status=406,
    title="This form is not installed here",
    retry="never",
    explanation="The PDF needs the extra `pdf`, which is not installed here. HTML, CSV and XLSX are there.",
)
UNSUPPORTED_MEDIA_TYPE = ListedProblem(
    code="unsupported_media_type",
    status=415,
    title="The media type or encoding is not supported",
    retry="after_fix",
    explanation="Send `Content-Type: application/json`; a sync may be compressed with gzip or zstd.",
)
RANGE_NOT_SATISFIABLE = ListedProblem(
    code="range_not_satisfiable",
    status=416,
    title="The file has no such range",
    retry="after_fix",
    explanation="`Content-Range` gives the length of the file.",
)
INVALID = ListedProblem(
    code="invalid",
    status=422,
    title="The content is impossible",
    retry="after_fix",
    explanation="The shape is right, but a value cannot be: a code in no version of its list, a time outside the years "
    "2000 to 2100, ids that do not agree, too long or out of range. `errors` lists every fault.",
)
HEADERS_TOO_LARGE = ListedProblem(
    code="headers_too_large",
    status=431,
    title="The headers are too large",
    retry="after_fix",
    explanation="The address and headers of a request are at most 32 KiB.",
)
RATE_LIMITED = ListedProblem(
    code="rate_limited",
    status=429,
    title="Too many requests",
    retry="later",
    explanation="Wait for as many seconds as `Retry-After` says.",
)
INTERNAL = ListedProblem(
    code="internal",
    status=500,
    title="The service failed",
    retry="later",
    explanation="The fault is recorded under the request id. Nothing of this request was stored.",
)
BUSY = ListedProblem(
    code="busy",
    status=503,
    title="The service is busy",
    retry="later",
    explanation="Send the same request again after as many seconds as `Retry-After` says.",
)
NOT_READY = ListedProblem(
    code="not_ready",
    status=503,
    title="The service is not ready",
    retry="later",
    explanation="The database cannot be reached, or its migrations are not applied.",
)

CATALOGUE: dict[str, ListedProblem] = {
    listed.code: listed
    for listed in sorted(
        (value for value in list(globals().values()) if isinstance(value, ListedProblem)),
        key=lambda problem: (problem.status, problem.code),
    )
}
"""Every problem by its code, in order of status."""

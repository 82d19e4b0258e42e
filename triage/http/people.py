"""`POST /v1/people` and `POST /v1/people/match`: telling of a person, and searching for one."""

from datetime import UTC, date, datetime
from typing import Literal
from uuid import UUID

import msgspec
from litestar import Response, Router, post
from litestar.openapi import ResponseSpec
from litestar.params import JSONBody
from msgspec import Struct

from triage.http.access_control import AnyConnection, needs
from triage.http.negotiation import ready
from triage.http.parameters import SignedIn, TheService
from triage.people.identifiers import Identity
from triage.problems import MALFORMED, NOT_FOUND, FieldError, Refused
from triage.store.access import attempts
from triage.store.people.people import Match

_encode = msgspec.json.Encoder().encode


class PersonRequest(Struct, frozen=True, kw_only=True):
    """A person's identifiers. `born` is a date; unlike every time of an entry it may lie before 2000."""

    nhs_number: str | None = None
    police_ref: str | None = None
    family_name: str | None = None
    given_name: str | None = None
    born: str | None = None

    def identity(self) -> Identity:
        """The same with a date. Raises Refused (400) for what is none."""
        try:
            born = None if self.born is None else date.fromisoformat(self.born)
        except ValueError as error:
            fault = FieldError("born", "wrong_type", "A date such as 1980-12-31.")
            raise Refused(MALFORMED, errors=(fault,)) from error
        return Identity(
            nhs_number=self.nhs_number,
            police_ref=self.police_ref,
            family_name=self.family_name,
            given_name=self.given_name,
            born=born,
        )


class MatchRequest(PersonRequest, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A person's identifiers, and the incident under way that the search serves."""

    incident_id: UUID


class PersonAnswer(Struct, frozen=True):
    """The person, by an id of the caller's own that says nothing."""

    person_id: UUID


class SubmittedAnswer(Struct, frozen=True):
    """The one answer to field roles, whether or not anybody is found."""

    status: Literal["submitted"] = "submitted"


async def count_search(request: AnyConnection) -> None:
    """Every call counts towards the limit of the account, also one whose body is refused. Raises Refused (429)."""
    service, account = request.app.state.service, request.user.account.bytes
    await attempts.count_attempt(service.database, "people", account, service.settings.match_per_hour)


@post(
    "/",
    status_code=201,
    response_description="A fresh id for the person.",
)
async def post_person(request: SignedIn, service: TheService, data: JSONBody[PersonRequest]) -> Response[PersonAnswer]:
    """Tell of a person, by number, reference, or name and birth date.

    Every call answers with a fresh id: no answer and no list tells whether the person was known.
    """
    person_id = await service.people.register(request.user, data.identity(), datetime.now(UTC).date())
    return ready(_encode(PersonAnswer(person_id)), 201)


@post(
    "/match",
    status_code=200,
    problems=[NOT_FOUND],
    response_description="To leads: who has this number.",
    responses={
        202: ResponseSpec(SubmittedAnswer, description="To field roles, whoever is known.", generate_examples=False)
    },
)
async def post_match(request: SignedIn, service: TheService, data: JSONBody[MatchRequest]) -> Response[Match]:
    """Search for a person.

    For an incident under way, leads learn whether somebody is known by their own kind of number; others learn nothing.
    """
    today = datetime.now(UTC).date()
    match = await service.people.match(request.user, data.identity(), data.incident_id, today)
    return ready(_encode(SubmittedAnswer()), 202) if match is None else ready(_encode(match))


router = Router(
    "/v1/people",
    route_handlers=[post_person, post_match],
    guards=[needs("people.match")],
    before_request=count_search,
    tags=["People"],
)

"""`POST /v1/people` and `POST /v1/people/match`: telling of a person, and searching for one."""

from datetime import date, timedelta
from uuid import UUID

from msgspec import Struct

from triage.access.actors import Actor
from triage.http.asked import Asked
from triage.http.messages import Answer, in_json, require_acceptable
from triage.log.decode import decode_as
from triage.people.identifiers import Identity
from triage.problems import MALFORMED, FieldError, Refused
from triage.store.access import attempts

HOUR = timedelta(hours=1)


class PersonRequest(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is known of a person. `born` is a date; unlike every time of an entry it may lie before 2000."""

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


class PersonAnswer(Struct, frozen=True):
    """The person, by an id that says nothing."""

    person_id: UUID


class Submitted(Struct, frozen=True):
    """What field roles are told, whether or not anybody is found."""

    status: str = "submitted"


async def post_person(asked: Asked) -> Answer:
    """The person with this number, reference, or name and birth date; made where nobody told of the person before."""
    actor = await _searching(asked)
    identity = decode_as(PersonRequest, await asked.body()).identity()
    known = await asked.service.people.find_or_create(actor, identity, asked.now.date())
    return in_json(PersonAnswer(known.person_id), 201 if known.made else 200)


async def post_match(asked: Asked) -> Answer:
    """Leads learn whether somebody with an open incident is known by their own kind of number; others learn nothing."""
    actor = await _searching(asked)
    identity = decode_as(PersonRequest, await asked.body()).identity()
    match = await asked.service.people.match(actor, identity, asked.now.date())
    return in_json(Submitted(), 202) if match is None else in_json(match)


async def _searching(asked: Asked) -> Actor:
    """Who searches. Every call counts towards the hour's limit of the account, also one that is refused."""
    require_acceptable(asked.scope, "application/json")
    actor = await asked.actor("people.match")
    most = asked.service.settings.match_per_hour
    await attempts.count_attempt(asked.service.database, "people", actor.account.bytes, most, HOUR)
    return actor

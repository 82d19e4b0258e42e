"""Signing in to the review pages: with a one-time code, or an account of an issuer."""

from triage.access.actors import Actor
from triage.access.oidc import Subject
from triage.problems import CODE_EXPIRED, FORBIDDEN, Refused
from triage.store import audit
from triage.store.access import enrolment, sign_in
from triage.store.database import Database


def may_review(actor: Actor) -> bool:
    """Whether the pages are for this account: the sergeant and the clinical lead."""
    return actor.side is not None and actor.level == "lead"


async def use_code(database: Database, code: str) -> Actor:
    """Whose one-time code this is; it works once, here or to enrol a phone. Raises Refused alike whatever is wrong."""
    digest = enrolment.code_digest(code)
    issued = await enrolment.find_code(database, digest)
    if issued is None:
        raise Refused(CODE_EXPIRED)
    async with database.team(issued.team_id) as connection:
        used = await enrolment.use_code(connection, digest)
    actor = await sign_in.find_account(database, issued.team_id, issued.staff_id) if used else None
    if not actor or not may_review(actor):
        raise Refused(CODE_EXPIRED)
    return await _record_sign_in(database, actor)


async def sign_in_subject(database: Database, subject: Subject) -> Actor:
    """Who signed in with an issuer. Raises Refused for nobody known, or nobody whom the pages are for."""
    actor = await sign_in.find_subject(database, subject)
    if not may_review(actor):
        raise Refused(FORBIDDEN)
    return await _record_sign_in(database, actor)


async def _record_sign_in(database: Database, actor: Actor) -> Actor:
    async with database.team(actor.team_id) as connection:
        await audit.record(connection, actor, "access", "review/sign-in")
    return actor

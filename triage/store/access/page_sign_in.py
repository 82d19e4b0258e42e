"""Signing in to the review pages: with codes of their own, or an account of an issuer."""

from hashlib import sha256
from uuid import UUID

from triage.access.actors import Actor
from triage.access.oidc import Subject
from triage.problems import CODE_EXPIRED, FORBIDDEN, NOT_FOUND, Refused
from triage.store import audit
from triage.store.access import enrolment, sign_in
from triage.store.access.enrolment import Enrolment
from triage.store.database import Database


def may_review(actor: Actor) -> bool:
    """Whether the pages are for this account: the sergeant and the clinical lead."""
    return actor.side is not None and actor.level == "lead"


async def issue_code(database: Database, team_id: UUID, staff_id: UUID) -> Enrolment:
    """A one-time code to sign in with, for a sergeant or clinical lead.

    Raises Refused: 404 for nobody of this team, 403 for an account the pages are not for.
    """
    actor = await sign_in.find_account(database, team_id, staff_id)
    if actor is None:
        raise Refused(NOT_FOUND)
    if not may_review(actor):
        raise Refused(FORBIDDEN)
    code = enrolment.new_code()
    async with database.team(team_id) as connection, connection.transaction():
        await audit.record_by_owner(connection, team_id, "access", "review/code", [staff_id])
        return await enrolment.store_code(connection, code, code_digest(code), team_id, staff_id, None)


def code_digest(code: str) -> bytes:
    """What is stored of a sign-in code. It differs from that of an enrolment code: neither opens the other's door."""
    return sha256(b"review" + enrolment.code_digest(code)).digest()


async def use_code(database: Database, code: str) -> Actor:
    """Whose code this is; it works once. Raises Refused alike whatever is wrong with it."""
    digest = code_digest(code)
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

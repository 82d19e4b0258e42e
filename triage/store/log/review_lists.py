"""What the review pages ask of the database: sign-in codes, standing, and the rows of their lists."""

from datetime import datetime, timedelta
from hashlib import sha256
from secrets import choice
from typing import Final, NamedTuple
from uuid import UUID

import msgspec

from triage.access.actors import Actor
from triage.access.oidc import Subject
from triage.log.view import IncidentView
from triage.problems import CODE_EXPIRED, FORBIDDEN, NOT_FOUND, TOKEN_INVALID, Refused
from triage.store import audit
from triage.store.access import sign_in
from triage.store.access.sign_in import CODE_LENGTH, CODE_LETTERS, CODE_VALID_FOR, Enrolment
from triage.store.database import Database
from triage.store.log.incidents import IncidentPosition, Incidents, IncidentVersion, audience_code
from triage.store.statements import load

SQL = load("review")

RECENT: Final = timedelta(days=28)
"""How far back things to do are looked for, as in the daily summary; a detention without an end is never too old."""
MOST: Final = 500
PAIRS: Final = 50
UNLINKED_SHOWN: Final = 20
CHASED: Final = 50
CHASED_FOR: Final = timedelta(days=365)
RAISED: Final = ("under_18_police_station", "station_not_authorised", "power_location_conflict")

_decode = msgspec.json.Decoder(IncidentView).decode


class LikelyPair(NamedTuple):
    """Two incidents that may be one."""

    one: IncidentView
    other: IncidentView


class Unlinked(NamedTuple):
    """Incidents that nobody has linked to what they belong to, the newest, and how many there are in all."""

    views: list[IncidentView]
    total: int


def may_review(actor: Actor) -> bool:
    """Whether the pages are for this account: the sergeant and the clinical lead."""
    return actor.side is not None and actor.level == "lead"


async def find_account(database: Database, team_id: UUID, staff_id: UUID) -> Actor | None:
    """The account as it stands now; None once it is disabled."""
    async with database.team(team_id) as connection:
        row = await connection.fetchrow(SQL.standing, team_id, staff_id)
    return None if row is None else sign_in.actor_of(row)


async def issue_code(database: Database, team_id: UUID, staff_id: UUID) -> Enrolment:
    """A one-time code to sign in with, for a sergeant or clinical lead.

    Raises Refused: 404 for nobody of this team, 403 for an account the pages are not for.
    """
    actor = await find_account(database, team_id, staff_id)
    if actor is None:
        raise Refused(NOT_FOUND)
    if not may_review(actor):
        raise Refused(FORBIDDEN)
    code = "".join(choice(CODE_LETTERS) for _ in range(CODE_LENGTH))
    async with database.team(team_id) as connection, connection.transaction():
        expires_at = await connection.fetchval(
            sign_in.SQL.add_enrolment, code_digest(code), team_id, staff_id, None, CODE_VALID_FOR
        )
        await audit.record_by_owner(connection, team_id, "access", "review/code", [staff_id])
    return Enrolment(f"{code[:4]}-{code[4:8]}-{code[8:]}", expires_at)


def code_digest(code: str) -> bytes:
    """What is stored of a sign-in code. It differs from that of an enrolment code: neither opens the other's door."""
    return sha256(b"review" + sign_in.code_digest(code)).digest()


async def use_code(database: Database, code: str) -> Actor:
    """Whose code this is; it works once. Raises Refused alike whatever is wrong with it."""
    digest = code_digest(code)
    async with database.no_team() as connection:
        found = await connection.fetchrow(sign_in.SQL.enrolling, digest)
    if found is None:
        raise Refused(CODE_EXPIRED)
    async with database.team(found["team_id"]) as connection:
        staff_id = await connection.fetchval(sign_in.SQL.use_enrolment, digest)
    actor = staff_id and await find_account(database, found["team_id"], staff_id)
    if not actor or not may_review(actor):
        raise Refused(CODE_EXPIRED)
    return await _signed_in(database, actor)


async def of_subject(database: Database, subject: Subject) -> Actor:
    """Who signed in with an issuer. Raises Refused for nobody known, or nobody whom the pages are for."""
    async with database.no_team() as connection:
        row = await connection.fetchrow(sign_in.SQL.authenticate_subject, subject.issuer, subject.subject)
    if row is None or row["disabled"]:
        raise Refused(TOKEN_INVALID)
    actor = sign_in.actor_of(row)
    if not may_review(actor):
        raise Refused(FORBIDDEN)
    return await _signed_in(database, actor)


async def _signed_in(database: Database, actor: Actor) -> Actor:
    async with database.team(actor.team_id) as connection:
        await audit.record(connection, actor, "access", "review/sign-in")
    return actor


async def end_sessions(database: Database, actor: Actor) -> None:
    """Sign the account out of the pages, everywhere."""
    async with database.team(actor.team_id) as connection, connection.transaction():
        await connection.execute(SQL.end_sessions, actor.team_id, actor.account)
        await audit.record(connection, actor, "access", "review/sign-out")


async def names_of_colleagues(database: Database, actor: Actor, ids: list[UUID]) -> dict[UUID, str]:
    """Colleagues of the actor's own side by name; the other side's are known by profession only."""
    async with database.team(actor.team_id) as connection:
        rows = await connection.fetch(SQL.names, actor.team_id, ids, actor.side)
    return {row["staff_id"]: row["name"] for row in rows}


async def list_needing_action(
    database: Database, incidents: Incidents, actor: Actor, now: datetime
) -> list[IncidentView]:
    """Incidents that may need somebody to act, as the actor sees them, newest first."""
    async with database.team(actor.team_id) as connection:
        rows = await connection.fetch(
            SQL.action, actor.team_id, audience_code(actor), actor.staff_id, now - RECENT, list(RAISED), MOST
        )
        seen = await incidents.serve(
            connection, actor, [IncidentVersion(r["root"], r["blind"], r["seq"]) for r in rows], now
        )
    return [_decode(seen[row["root"]].body) for row in rows if row["root"] in seen]


async def list_unlinked(database: Database, incidents: Incidents, actor: Actor, now: datetime) -> Unlinked:
    """Incidents whose entries may belong to another one."""
    return await _unlinked(database, incidents, actor, now, SQL.alone)


async def list_without_person(database: Database, incidents: Incidents, actor: Actor, now: datetime) -> Unlinked:
    """Incidents with no person linked."""
    return await _unlinked(database, incidents, actor, now, SQL.of_nobody)


async def _unlinked(database: Database, incidents: Incidents, actor: Actor, now: datetime, statement: str) -> Unlinked:
    async with database.team(actor.team_id) as connection:
        rows = await connection.fetch(
            statement, actor.team_id, audience_code(actor), actor.staff_id, now - RECENT, UNLINKED_SHOWN
        )
        seen = await incidents.serve(
            connection, actor, [IncidentVersion(r["root"], r["blind"], r["seq"]) for r in rows], now
        )
    views = [_decode(seen[row["root"]].body) for row in rows if row["root"] in seen]
    return Unlinked(views, rows[0]["n"] if rows else 0)


async def list_awaiting_outcome(
    database: Database, incidents: Incidents, actor: Actor, after: IncidentPosition | None, now: datetime
) -> tuple[list[IncidentView], IncidentPosition | None]:
    """A page of incidents without an outcome or an end, the longest waiting first, and where the next begins."""
    async with database.team(actor.team_id) as connection, connection.transaction():
        rows = await connection.fetch(
            SQL.chase,
            actor.team_id,
            audience_code(actor),
            actor.staff_id,
            after and after.occurred_at,
            after and after.id,
            CHASED + 1,
            now - CHASED_FOR,
        )
        page = rows[:CHASED]
        seen = await incidents.serve(
            connection, actor, [IncidentVersion(r["root"], r["blind"], r["seq"]) for r in page], now
        )
        found = [_decode(seen[row["root"]].body) for row in page if row["root"] in seen]
        if found:
            await audit.record(connection, actor, "consultation", "review/chase", [view.id for view in found])
    following = IncidentPosition(page[-1]["occurred_at"], page[-1]["id"]) if len(rows) > CHASED else None
    return found, following


async def list_likely_duplicates(
    database: Database, incidents: Incidents, actor: Actor, now: datetime
) -> list[LikelyPair]:
    """Pairs that may be one incident, where the actor may see both. The reading is logged."""
    async with database.team(actor.team_id) as connection, connection.transaction():
        pairs = await connection.fetch(SQL.pairs, actor.team_id, now - RECENT, PAIRS)
        ids = sorted({i for pair in pairs for i in pair})
        rows = await connection.fetch(SQL.rows, actor.team_id, audience_code(actor), actor.staff_id, ids)
        seen = await incidents.serve(
            connection, actor, [IncidentVersion(r["root"], r["blind"], r["seq"]) for r in rows], now
        )
        views = {i: _decode(one.body) for i, one in seen.items()}
        found = [
            LikelyPair(views[pair["one"]], views[pair["other"]])
            for pair in pairs
            if pair["one"] in views and pair["other"] in views and pair["one"] != pair["other"]
        ]
        if found:
            shown = sorted({view.id for pair in found for view in pair})
            await audit.record(connection, actor, "consultation", "review/queue", shown)
    return found

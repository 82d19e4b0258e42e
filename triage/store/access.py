"""Tokens, enrolment codes, devices: looked up before a team is known, changed within it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from secrets import choice
from typing import Literal
from uuid import UUID

import asyncpg
from msgspec import Struct
from uuid_utils.compat import uuid7

from triage.access.actors import Actor, Side, new_token, token_hash
from triage.problems import (
    ACCOUNT_DISABLED,
    CODE_EXPIRED,
    CODE_USED,
    DEVICE_REVOKED,
    FORBIDDEN,
    NOT_FOUND,
    RATE_LIMITED,
    TOKEN_EXPIRED,
    TOKEN_INVALID,
    Refused,
)
from triage.store.database import Connection, Database
from triage.store.statements import load

SQL = load("access")

CODE_LETTERS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Letters and digits that are not mistaken for one another when read out."""
CODE_LENGTH = 12
CODE_VALID_FOR = timedelta(minutes=15)
TOUCH_AFTER = timedelta(hours=1)
"""How often the use of a token is written down."""
REMEMBERED = 10_000
ENROL: dict[Side | None, str] = {"police": "enrol.police", "health": "enrol.health", None: "enrol.office"}
"""The verb that enrols staff of a side."""


class Team(Struct, frozen=True):
    """A team as phones know it. `day_start_hour` is the local hour at which the operational day starts."""

    team_id: UUID
    name: str
    zone: str
    day_start_hour: int


class Staff(Struct, frozen=True):
    """A member of staff as others see them."""

    staff_id: UUID
    name: str
    role: str
    profession: str | None


class Enrolment(Struct, frozen=True):
    """A one-time code, shown once."""

    code: str
    expires_at: datetime


class Enrolled(Struct, frozen=True):
    """A device with its first token, shown once."""

    device_id: UUID
    token: str
    staff: Staff


@dataclass(slots=True)
class _Known:
    actor: Actor
    until: datetime


class SignIn:
    """Who a token stands for.

    `fresh` asks the database. `remembered` may answer from memory: only for requests whose own statement checks again
    that the account and device still stand, so that revoking takes effect at once on every process.
    """

    def __init__(self, database: Database, idle: timedelta) -> None:
        self._database = database
        self._idle = idle
        self._known: dict[bytes, _Known] = {}
        self._touching: set[bytes] = set()

    async def remembered(self, token: str) -> Actor:
        """As `fresh`, from memory where possible."""
        known = self._known.get(token_hash(token))
        if known and known.until > datetime.now(UTC):
            return known.actor
        return await self.fresh(token)

    async def fresh(self, token: str) -> Actor:
        """The actor. Raises Refused: unknown, expired, disabled, or of a revoked device."""
        hashed = token_hash(token)
        self._known.pop(hashed, None)
        actor, revoked = await self._look_up(hashed)
        if revoked:
            raise Refused(DEVICE_REVOKED)
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        self._known[hashed] = _Known(actor, datetime.now(UTC) + TOUCH_AFTER / 6)
        return actor

    async def even_revoked(self, token: str) -> tuple[Actor, bool]:
        """As `fresh`, but a revoked device is told apart instead of refused: it may hand over what it holds."""
        return await self._look_up(token_hash(token))

    async def _look_up(self, hashed: bytes) -> tuple[Actor, bool]:
        async with self._database.anyone() as connection:
            row = await connection.fetchrow(SQL.authenticate, hashed)
        if row is None or row["replaced"]:
            raise Refused(TOKEN_INVALID)
        if row["disabled"] and not row["device_revoked"]:
            raise Refused(ACCOUNT_DISABLED)
        now = datetime.now(UTC)
        if now - (row["used_at"] or row["created_at"]) > self._idle:
            raise Refused(TOKEN_EXPIRED)
        if (not row["used_at"] or now - row["used_at"] > TOUCH_AFTER) and hashed not in self._touching:
            self._touching.add(hashed)  # one of many requests at once writes it down
            try:
                async with self._database.team(row["team_id"]) as connection:
                    await connection.execute(SQL.touch_token, hashed)
            finally:
                self._touching.discard(hashed)
        return _actor(row), row["device_revoked"]


def _actor(row: asyncpg.Record) -> Actor:
    return Actor(
        team_id=row["team_id"],
        role=row["role"],
        level=row["level"],
        verbs=frozenset(row["verbs"]),
        staff_id=row["staff_id"],
        partner_id=row["partner_id"],
        device_id=row["device_id"],
        profession=row["profession"],
        side=row["side"],
        stamp=row["stamp"],
    )


async def limit(database: Database, what: str, who: bytes, most: int, window: timedelta) -> None:
    """Count an attempt. Raises Refused (429) past `most` in a window, in all processes together.

    `who` is already a keyed or plain digest: no address or name is stored.
    """
    bucket = sha256(what.encode() + b"\0" + who).digest()
    async with database.anyone() as connection:
        row = await connection.fetchrow(SQL.attempt, bucket, window)
    assert row
    if row["n"] > most:
        raise Refused(RATE_LIMITED, retry_after=row["seconds_left"])


async def team(database: Database, team_id: UUID) -> Team:
    """The team. It exists: an actor names it."""
    async with database.team(team_id) as connection:
        row = await connection.fetchrow(SQL.team, team_id)
    assert row
    return Team(row["team_id"], row["name"], row["zone"], row["day_start_hour"])


async def staff(database: Database, actor: Actor) -> Staff:
    """The actor's own account. Raises Refused (404) for a partner, who has none."""
    async with database.team(actor.team_id) as connection:
        row = await connection.fetchrow(SQL.staff, actor.team_id, actor.account)
    if row is None:
        raise Refused(NOT_FOUND)
    return Staff(row["staff_id"], row["name"], row["role"], row["profession"])


async def issue_code(database: Database, actor: Actor, staff_id: UUID) -> Enrolment:
    """A one-time code for a member of staff of the actor's team.

    Raises Refused: 404 for nobody of this team; 403 for the other side, or for an account with a verb the actor lacks.
    """
    async with database.team(actor.team_id) as connection:
        row = await connection.fetchrow(SQL.staff, actor.team_id, staff_id)
        if row is None or row["disabled"]:
            raise Refused(NOT_FOUND)
        actor.require(ENROL[row["side"]])
        if not actor.verbs.issuperset(row["verbs"]):
            raise Refused(FORBIDDEN, "The account holds verbs that you lack.")
        return await _store_code(connection, actor.team_id, staff_id, actor.account)


async def issue_code_as_owner(database: Database, team_id: UUID, staff_id: UUID) -> Enrolment:
    """A one-time code from the command line, for any account. Raises Refused (404) for nobody of this team."""
    async with database.team(team_id) as connection:
        if await connection.fetchrow(SQL.staff, team_id, staff_id) is None:
            raise Refused(NOT_FOUND)
        return await _store_code(connection, team_id, staff_id, None)


async def _store_code(connection: Connection, team_id: UUID, staff_id: UUID, by: UUID | None) -> Enrolment:
    code = "".join(choice(CODE_LETTERS) for _ in range(CODE_LENGTH))
    expires_at = await connection.fetchval(SQL.add_enrolment, code_digest(code), team_id, staff_id, by, CODE_VALID_FOR)
    return Enrolment(f"{code[:4]}-{code[4:8]}-{code[8:]}", expires_at)


def code_digest(code: str) -> bytes:
    """What is stored of a code; case, blanks and dashes do not matter."""
    return sha256(code.upper().replace("-", "").replace(" ", "").encode()).digest()


async def enrol(database: Database, code: str, name: str) -> Enrolled:
    """A new device for the member of staff whose code this is.

    Raises Refused: 404 unknown, 410 used or expired, which it is as well once the account is disabled.
    """
    digest = code_digest(code)
    async with database.anyone() as connection:
        found = await connection.fetchrow(SQL.enrolling, digest)
    if found is None:
        raise Refused(NOT_FOUND, "There is no such code.")
    if found["used_at"]:
        raise Refused(CODE_USED)
    device_id, token = uuid7(), new_token()
    async with database.team(found["team_id"]) as connection, connection.transaction():
        if await connection.fetchval(SQL.use_enrolment, digest) is None:
            raise Refused(CODE_EXPIRED if found["expires_at"] <= datetime.now(UTC) else CODE_USED)
        row = await connection.fetchrow(SQL.staff, found["team_id"], found["staff_id"])
        assert row
        if row["disabled"]:
            raise Refused(CODE_EXPIRED)
        await connection.execute(SQL.add_device, found["team_id"], device_id, found["staff_id"], name)
        await connection.execute(SQL.add_token, token_hash(token), found["team_id"], device_id, None)
    return Enrolled(device_id, token, Staff(row["staff_id"], row["name"], row["role"], row["profession"]))


async def renew_token(database: Database, actor: Actor, device_id: UUID) -> str:
    """A new token for the device that asks; the old one works until this one is first used."""
    if actor.device_id != device_id:
        raise Refused(NOT_FOUND)
    token = new_token()
    async with database.team(actor.team_id) as connection:
        await connection.execute(SQL.add_token, token_hash(token), actor.team_id, device_id, None)
    return token


async def revoke_device(database: Database, actor: Actor, device_id: UUID) -> Literal["revoked", "already"]:
    """Revoke at once. Raises Refused: 404 outside the team, 403 for a device of the other side."""
    async with database.team(actor.team_id) as connection:
        row = await connection.fetchrow(SQL.device, actor.team_id, device_id)
        if row is None:
            raise Refused(NOT_FOUND)
        if row["staff_id"] != actor.staff_id:
            actor.require("devices.manage")
            if actor.side and actor.side != row["side"]:
                raise Refused(FORBIDDEN, "The device belongs to the other service.")
        done = await connection.fetchval(SQL.revoke_device, actor.team_id, device_id, actor.account)
    return "revoked" if done else "already"

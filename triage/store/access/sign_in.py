"""Tokens, enrolment codes, devices: looked up before a team is known, changed within it."""

import asyncio
from collections.abc import Callable
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
from triage.access.oidc import OidcRefused, Reason, Subject, Verifier
from triage.problems import (
    ACCOUNT_DISABLED,
    CODE_EXPIRED,
    CODE_USED,
    DEVICE_REVOKED,
    FORBIDDEN,
    NOT_FOUND,
    NOT_READY,
    RATE_LIMITED,
    TOKEN_EXPIRED,
    TOKEN_INVALID,
    Listed,
    Refused,
)
from triage.store import audit
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


class Device(Struct, frozen=True, kw_only=True):
    """A phone. `clock_skew_ms` is its clock minus the service's, as last measured."""

    id: UUID
    name: str
    staff_id: UUID
    staff_name: str
    side: str | None
    created_at: datetime
    last_seen_at: datetime
    clock_skew_ms: int | None
    revoked_at: datetime | None


class SignInRefused(Refused):
    """A token that does not sign in, with whose it is as far as is known, for the audit."""

    def __init__(
        self,
        listed: Listed,
        team_id: UUID | None = None,
        staff_id: UUID | None = None,
        device_id: UUID | None = None,
        *,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(listed, retry_after=retry_after)
        self.team_id, self.staff_id, self.device_id = team_id, staff_id, device_id


@dataclass(slots=True)
class _Known:
    actor: Actor
    until: datetime


class SignIn:
    """Who a token stands for: an opaque one of a device or partner, or an access token of a configured issuer.

    `authenticate` asks the database. `authenticate_from_memory` may answer from memory: only for requests whose own statement checks again
    that the account and device still stand, so that revoking takes effect at once on every process.
    """

    def __init__(self, database: Database, idle: timedelta, verifier: Verifier | None = None) -> None:
        self._database = database
        self._idle = idle
        self._verifier = verifier or Verifier(())
        self._known: dict[bytes, _Known] = {}
        self._touching: set[bytes] = set()

    async def authenticate_from_memory(self, token: str) -> Actor:
        """As `authenticate`, from memory where possible; the signature and expiry of an access token are checked each time."""
        subject = await self._subject(token)
        known = self._known.get(_name(token, subject))
        if known and known.until > datetime.now(UTC):
            return known.actor
        return await self._authenticate(token, subject)

    async def authenticate(self, token: str) -> Actor:
        """The actor. Raises SignInRefused: unknown, expired, disabled, or of a revoked device."""
        return await self._authenticate(token, await self._subject(token))

    async def _authenticate(self, token: str, subject: Subject | None) -> Actor:
        name = _name(token, subject)
        self._known.pop(name, None)
        actor, revoked = await self._staff_of(subject) if subject else await self._look_up(name)
        if revoked:
            raise SignInRefused(DEVICE_REVOKED, actor.team_id, actor.staff_id, actor.device_id)
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        self._known[name] = _Known(actor, datetime.now(UTC) + TOUCH_AFTER / 6)
        return actor

    async def authenticate_even_revoked(self, token: str) -> tuple[Actor, bool]:
        """As `authenticate`, but a revoked device is told apart instead of refused: it may hand over what it holds."""
        subject = await self._subject(token)
        return await self._staff_of(subject) if subject else await self._look_up(token_hash(token))

    async def _subject(self, token: str) -> Subject | None:
        """Who an access token is about; None for an opaque token, which has no dots."""
        if token.count(".") != 2:
            return None
        try:
            return await self._verifier.verify(token)
        except OidcRefused as refused:
            if refused.reason is Reason.UNREACHABLE:
                raise Refused(NOT_READY, "The issuer of the token cannot be reached.", retry_after=30) from refused
            raise SignInRefused(TOKEN_EXPIRED if refused.reason is Reason.EXPIRED else TOKEN_INVALID) from refused

    async def _staff_of(self, subject: Subject) -> tuple[Actor, bool]:
        async with self._database.no_team() as connection:
            row = await connection.fetchrow(SQL.authenticate_subject, subject.issuer, subject.subject)
        if row is None:
            raise SignInRefused(TOKEN_INVALID)
        if row["disabled"]:
            raise SignInRefused(ACCOUNT_DISABLED, row["team_id"], row["staff_id"])
        return actor_of(row), False

    async def _look_up(self, hashed: bytes) -> tuple[Actor, bool]:
        async with self._database.any_team() as connection:
            row = await connection.fetchrow(SQL.authenticate, hashed)
        if row is None:
            raise SignInRefused(TOKEN_INVALID)
        whose = row["team_id"], row["staff_id"], row["device_id"]
        if row["replaced"]:
            raise SignInRefused(TOKEN_INVALID, *whose)
        if row["disabled"] and not row["device_revoked"]:
            raise SignInRefused(ACCOUNT_DISABLED, *whose)
        now = datetime.now(UTC)
        if now - (row["used_at"] or row["created_at"]) > self._idle:
            raise SignInRefused(TOKEN_EXPIRED, *whose)
        if (not row["used_at"] or now - row["used_at"] > TOUCH_AFTER) and hashed not in self._touching:
            self._touching.add(hashed)  # one of many requests at once writes it down
            try:
                async with self._database.team(row["team_id"]) as connection:
                    await connection.execute(SQL.touch_token, hashed)
            finally:
                self._touching.discard(hashed)
        return actor_of(row), row["device_revoked"]


class Clocks:
    """The clocks of phones, written down when they differ by a second from what was written last."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._written: dict[UUID, int] = {}

    @property
    def largest_ms(self) -> int:
        """The largest offset of a phone's clock that this process measured lately, either way."""
        return max(map(abs, self._written.values()), default=0)

    async def measured(self, actor: Actor, skew_ms: int) -> None:
        """A phone's clock minus the service's, as just measured."""
        if actor.device_id is None or abs(self._written.get(actor.device_id, 1 << 60) - skew_ms) < 1000:
            return
        if len(self._written) >= REMEMBERED:
            self._written.clear()
        self._written[actor.device_id] = skew_ms
        async with self._database.team(actor.team_id) as connection:
            await connection.execute(SQL.set_clock, actor.team_id, actor.device_id, skew_ms)


def _name(token: str, subject: Subject | None) -> bytes:
    """What a sign-in is remembered by."""
    return token_hash(f"{subject.issuer} {subject.subject}") if subject else token_hash(token)


def actor_of(row: asyncpg.Record) -> Actor:
    """The actor of a row that says who is staff or partner, and with which role."""
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


async def count_attempt(database: Database, what: str, who: bytes, most: int, window: timedelta) -> None:
    """Count an attempt. Raises Refused (429) past `most` in a window, in all processes together.

    `who` is already a keyed or plain digest: no address or name is stored.
    """
    bucket = sha256(what.encode() + b"\0" + who).digest()
    async with database.no_team() as connection:
        row = await connection.fetchrow(SQL.attempt, bucket, window)
    assert row
    if row["n"] > most:
        raise Refused(RATE_LIMITED, retry_after=row["seconds_left"])


async def forget_attempts(database: Database) -> None:
    """Let closed windows go."""
    async with database.no_team() as connection:
        await connection.execute(SQL.forget_attempts)


async def list_teams(database: Database) -> list[UUID]:
    """Every team, for work that is done for each in turn."""
    async with database.no_team() as connection:
        return [row["team_id"] for row in await connection.fetch(SQL.teams)]


async def find_team(database: Database, team_id: UUID) -> Team:
    """The team. It exists: an actor names it."""
    async with database.team(team_id) as connection:
        row = await connection.fetchrow(SQL.team, team_id)
    assert row
    return Team(row["team_id"], row["name"], row["zone"], row["day_start_hour"])


async def find_staff(database: Database, actor: Actor) -> Staff:
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
    async with database.team(actor.team_id) as connection, connection.transaction():
        row = await connection.fetchrow(SQL.staff, actor.team_id, staff_id)
        if row is None or row["disabled"]:
            raise Refused(NOT_FOUND)
        actor.require(ENROL[row["side"]])
        if not actor.verbs.issuperset(row["verbs"]):
            raise Refused(FORBIDDEN, "The account holds verbs that you lack.")
        await audit.record(connection, actor, "access", "enrolment", [staff_id])
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
    async with database.no_team() as connection:
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
        await audit.record_by_device(connection, found["team_id"], found["staff_id"], device_id, "device")
    return Enrolled(device_id, token, Staff(row["staff_id"], row["name"], row["role"], row["profession"]))


async def renew_token(database: Database, actor: Actor, device_id: UUID) -> str:
    """A new token for the device that asks; the old one works until this one is first used."""
    if actor.device_id != device_id:
        raise Refused(NOT_FOUND)
    token = new_token()
    async with database.team(actor.team_id) as connection, connection.transaction():
        await connection.execute(SQL.add_token, token_hash(token), actor.team_id, device_id, None)
        await audit.record(connection, actor, "access", "device/token", [device_id])
    return token


async def list_devices(database: Database, actor: Actor) -> list[Device]:
    """The devices the actor may manage, or for others the actor's own, the latest seen first. Logs the reading."""
    every = "devices.manage" in actor.verbs
    async with database.team(actor.team_id) as connection, connection.transaction():
        rows = await connection.fetch(
            SQL.devices, actor.team_id, None if every else actor.account, actor.side if every else None
        )
        if rows:
            await audit.record(connection, actor, "consultation", "devices", [row["id"] for row in rows])
    return [Device(**row) for row in rows]


async def rename_device(database: Database, actor: Actor, device_id: UUID, name: str) -> None:
    """Give a device another name. Raises Refused as `revoke_device` does."""
    async with database.team(actor.team_id) as connection, connection.transaction():
        await _manageable(connection, actor, device_id)
        await connection.execute(SQL.rename_device, actor.team_id, device_id, name)
        await audit.record(connection, actor, "alteration", "device/name", [device_id])


async def _manageable(connection: Connection, actor: Actor, device_id: UUID) -> None:
    row = await connection.fetchrow(SQL.device, actor.team_id, device_id)
    if row is None:
        raise Refused(NOT_FOUND)
    if row["staff_id"] != actor.staff_id:
        actor.require("devices.manage")
        if actor.side and actor.side != row["side"]:
            raise Refused(FORBIDDEN, "The device belongs to the other service.")


async def revoke_device(
    database: Database, actor: Actor, device_id: UUID, remember: Callable[[], None]
) -> Literal["revoked", "already"]:
    """Revoke at once; `remember` writes it down outside the database, before it is committed here.

    Raises Refused: 404 outside the team, 403 for a device of the other side.
    """
    async with database.team(actor.team_id) as connection, connection.transaction():
        await _manageable(connection, actor, device_id)
        done = await connection.fetchval(SQL.revoke_device, actor.team_id, device_id, actor.account)
        if done:
            await audit.record(connection, actor, "alteration", "device/revoke", [device_id])
            await asyncio.to_thread(remember)
    return "revoked" if done else "already"

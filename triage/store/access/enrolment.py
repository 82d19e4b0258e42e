"""One-time codes: who may issue them, and the device that a code enrols."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from secrets import choice
from typing import Final
from uuid import UUID

from msgspec import Struct
from uuid_utils.compat import uuid7

from triage.access.actors import Actor, Side
from triage.problems import CODE_EXPIRED, CODE_USED, FORBIDDEN, NOT_FOUND, Refused
from triage.store import audit
from triage.store.access import devices, staff
from triage.store.access.staff import Staff
from triage.store.database import Connection, Database
from triage.store.statements import statement

CODE_LETTERS: Final = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Letters and digits that are not mistaken for one another when read out."""
CODE_LENGTH: Final = 12
CODE_VALID_FOR: Final = timedelta(minutes=15)
ENROL: Final[dict[Side | None, str]] = {"police": "enrol.police", "health": "enrol.health", None: "enrol.office"}
"""The verb that enrols staff of a side."""


class Enrolment(Struct, frozen=True):
    """A one-time code, shown once."""

    code: str
    expires_at: datetime


class EnrolledDevice(Struct, frozen=True):
    """A device with its first tokens, shown once. With `send_token` it can hand over what it holds, and no more."""

    device_id: UUID
    token: str
    send_token: str
    staff: Staff


class _AccountToEnrol(Struct, frozen=True):
    side: Side | None
    verbs: list[str]
    disabled: bool


class IssuedCode(Struct, frozen=True):
    """A code as it is stored."""

    team_id: UUID
    staff_id: UUID
    expires_at: datetime
    used_at: datetime | None


_ACCOUNT = statement("enrolment.account", _AccountToEnrol)
_ADD_CODE = statement("enrolment.add_code", datetime)
_FIND_CODE = statement("enrolment.find_code", IssuedCode)
_USE_CODE = statement("enrolment.use_code", UUID)


async def issue_code(database: Database, actor: Actor, staff_id: UUID) -> Enrolment:
    """A one-time code for a member of staff of the actor's team: for a phone, or to sign in to the review pages.

    Anybody may have one for the own account. Raises Refused: 404 for nobody of this team; 403 for the other side, or
    for an account with a verb the actor lacks.
    """
    async with database.team(actor.team_id) as connection, connection.transaction():
        account = await _ACCOUNT.fetch_first(connection, team_id=actor.team_id, staff_id=staff_id)
        if account is None or account.disabled:
            raise Refused(NOT_FOUND)
        if staff_id != actor.staff_id:
            actor.require(ENROL[account.side])
        if not actor.verbs.issuperset(account.verbs):
            raise Refused(FORBIDDEN, "The account holds verbs that you lack.")
        await audit.record(connection, actor, "access", "enrolment", [staff_id])
        return await _issue(connection, actor.team_id, staff_id, actor.account)


async def issue_code_as_owner(database: Database, team_id: UUID, staff_id: UUID) -> Enrolment:
    """A one-time code from the command line, for any account. Raises Refused (404) for nobody of this team."""
    async with database.team(team_id) as connection:
        if await _ACCOUNT.fetch_first(connection, team_id=team_id, staff_id=staff_id) is None:
            raise Refused(NOT_FOUND)
        return await _issue(connection, team_id, staff_id, None)


def new_code() -> str:
    """A code as it is read out."""
    code = "".join(choice(CODE_LETTERS) for _ in range(CODE_LENGTH))
    return f"{code[:4]}-{code[4:8]}-{code[8:]}"


def code_digest(code: str) -> bytes:
    """The digest under which a code is stored; case, blanks and dashes do not matter."""
    return sha256(code.upper().replace("-", "").replace(" ", "").encode()).digest()


async def _issue(connection: Connection, team_id: UUID, staff_id: UUID, issued_by: UUID | None) -> Enrolment:
    code = new_code()
    expires_at = await _ADD_CODE.fetch_one(
        connection,
        code_hash=code_digest(code),
        team_id=team_id,
        staff_id=staff_id,
        issued_by=issued_by,
        valid_for=CODE_VALID_FOR,
    )
    return Enrolment(code, expires_at)


async def find_code(database: Database, digest: bytes) -> IssuedCode | None:
    """A code that was issued, used or not."""
    async with database.no_team() as connection:
        return await _FIND_CODE.fetch_first(connection, code_hash=digest)


async def use_code(connection: Connection, digest: bytes) -> bool:
    """Use a code up; False where it was used or has expired."""
    return await _USE_CODE.fetch_first(connection, code_hash=digest) is not None


async def enrol(database: Database, code: str, name: str, installation: UUID | None = None) -> EnrolledDevice:
    """A new device for the member of staff whose code this is; `installation` is the phone that it is on.

    Raises Refused: 404 unknown, 410 used or expired, which it is as well once the account is disabled.
    """
    digest = code_digest(code)
    issued = await find_code(database, digest)
    if issued is None:
        raise Refused(NOT_FOUND, "There is no such code.")
    if issued.used_at:
        raise Refused(CODE_USED)
    team_id, staff_id, device_id = issued.team_id, issued.staff_id, uuid7()
    async with database.team(team_id) as connection, connection.transaction():
        if not await use_code(connection, digest):
            raise Refused(CODE_EXPIRED if issued.expires_at <= datetime.now(UTC) else CODE_USED)
        account = await _ACCOUNT.fetch_one(connection, team_id=team_id, staff_id=staff_id)
        if account.disabled:
            raise Refused(CODE_EXPIRED)
        await devices.add_device(connection, team_id, device_id, staff_id, name, installation)
        tokens = await devices.add_tokens(connection, team_id, device_id)
        await audit.record_by_device(connection, team_id, staff_id, device_id, "device")
        member = await staff.find_staff(connection, team_id, staff_id)
        return EnrolledDevice(device_id, tokens.token, tokens.send_token, member)

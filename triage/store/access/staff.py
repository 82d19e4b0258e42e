"""Staff and partners: as others see them, and as the owner of the database sets them up."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg
from msgspec import Struct, structs

from triage.access.actors import Actor
from triage.problems import NOT_FOUND, Refused
from triage.store import audit, hosts
from triage.store.database import Connection, Database, set_team
from triage.store.statements import statement


class Staff(Struct, frozen=True):
    """A member of staff as others see them."""

    staff_id: UUID
    name: str
    role: str
    profession: str | None


class NewStaff(Struct, frozen=True, kw_only=True):
    """A member of staff to add; `issuer` and `subject` say who signs in by OIDC as this account."""

    staff_id: UUID
    name: str
    role: str
    profession: str | None = None
    issuer: str | None = None
    subject: str | None = None


class ListedStaff(Staff, frozen=True):
    """A member of staff with the number of devices that work."""

    disabled_at: datetime | None
    devices: int


class _Name(NamedTuple):
    staff_id: UUID
    name: str


_FIND = statement("staff.find", Staff)
_ADD = statement("staff.add")
_LIST = statement("staff.list", ListedStaff)
_DISABLE = statement("staff.disable", UUID)
_END_SESSIONS = statement("staff.end_sessions")
_COLLEAGUES = statement("staff.colleagues", _Name)
_ADD_PARTNER = statement("staff.add_partner")


@asynccontextmanager
async def as_owner(url: str, team_id: UUID) -> AsyncIterator[asyncpg.Connection]:
    """The owner's connection, set to one team, in a transaction."""
    async with hosts.connection(url) as connection, connection.transaction():
        await set_team(connection, team_id)
        yield connection


async def find_staff(connection: Connection, team_id: UUID, staff_id: UUID) -> Staff:
    """An account of the team. Raises Refused (404) for nobody of it."""
    member = await _FIND.fetch_first(connection, team_id=team_id, staff_id=staff_id)
    if member is None:
        raise Refused(NOT_FOUND)
    return member


async def find_own(database: Database, actor: Actor) -> Staff | None:
    """The actor's own account; None for a partner, who has none."""
    if actor.staff_id is None:
        return None
    async with database.team(actor.team_id) as connection:
        return await find_staff(connection, actor.team_id, actor.staff_id)


async def names_of_colleagues(database: Database, actor: Actor, ids: Sequence[UUID]) -> dict[UUID, str]:
    """Colleagues of the actor's own side by name; the other side's are known by profession only."""
    async with database.team(actor.team_id) as connection:
        return dict(await _COLLEAGUES.fetch(connection, team_id=actor.team_id, ids=list(ids), side=actor.side))


async def end_sessions(database: Database, actor: Actor) -> None:
    """Sign the account out of the pages, everywhere."""
    async with database.team(actor.team_id) as connection, connection.transaction():
        await _END_SESSIONS.execute(connection, team_id=actor.team_id, staff_id=actor.account)
        await audit.record(connection, actor, "access", "review/sign-out")


async def add_staff(connection: Connection, team_id: UUID, new: NewStaff) -> None:
    """Raises asyncpg.CheckViolationError where role and profession do not fit."""
    if await _ADD.execute(connection, team_id=team_id, **structs.asdict(new)) == "INSERT 0 1":
        await audit.record_by_owner(connection, team_id, "alteration", "staff/add", [new.staff_id], detail=new.role)


async def list_staff(connection: Connection, team_id: UUID) -> list[ListedStaff]:
    """Everybody of the team, by role and name."""
    return await _LIST.fetch(connection, team_id=team_id)


async def disable_staff(connection: Connection, team_id: UUID, staff_id: UUID) -> list[UUID]:
    """End somebody's access at once; the devices that were revoked with it."""
    revoked = await _DISABLE.fetch(connection, team_id=team_id, staff_id=staff_id)
    await audit.record_by_owner(connection, team_id, "alteration", "staff/disable", [staff_id, *revoked])
    return revoked


async def add_partner(connection: Connection, team_id: UUID, partner_id: UUID, name: str, body: str) -> None:
    """A partner organisation; `body` is police, health or other."""
    await _ADD_PARTNER.execute(connection, team_id=team_id, partner_id=partner_id, name=name, body=body)

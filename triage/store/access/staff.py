"""Teams, staff and partners, as the owner of the database sets them up."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime
from uuid import UUID

import asyncpg
from msgspec import Struct

from triage.store import audit, hosts
from triage.store.statements import load

SQL = load("staff")


class NewStaff(Struct, frozen=True, kw_only=True):
    """A member of staff to add; `issuer` and `subject` say who signs in by OIDC as this account."""

    staff_id: UUID
    name: str
    role: str
    profession: str | None = None
    issuer: str | None = None
    subject: str | None = None


class ListedStaff(Struct, frozen=True):
    """A member of staff with the number of devices that work."""

    staff_id: UUID
    name: str
    role: str
    profession: str | None
    disabled_at: datetime | None
    devices: int


@asynccontextmanager
async def as_owner(url: str, team_id: UUID) -> AsyncIterator[asyncpg.Connection]:
    """The owner's connection, set to one team, in a transaction."""
    connection = await hosts.connect(url)
    try:
        async with connection.transaction():
            await connection.execute("SELECT set_config('triage.team', $1, true)", str(team_id))
            yield connection
    finally:
        await connection.close()


async def add_team(
    connection: asyncpg.Connection, team_id: UUID, name: str, starts_on: date, made_at: datetime, zone: str, hour: int
) -> None:
    """A team whose operational day starts at `hour` local time; adding it again changes nothing."""
    await connection.execute(SQL.add_team, team_id, name, zone, hour, starts_on, made_at)


async def team_made(connection: asyncpg.Connection, team_id: UUID) -> datetime | None:
    """When the team was made; None for no such team."""
    made: datetime | None = await connection.fetchval(SQL.team_made, team_id)
    return made


async def add_staff(connection: asyncpg.Connection, team_id: UUID, new: NewStaff) -> None:
    """Raises asyncpg.CheckViolationError where role and profession do not fit."""
    done = await connection.execute(
        SQL.add_staff, team_id, new.staff_id, new.name, new.role, new.profession, new.issuer, new.subject
    )
    if done.endswith(" 1"):
        await audit.record_by_owner(connection, team_id, "alteration", "staff/add", [new.staff_id], detail=new.role)


async def list_staff(connection: asyncpg.Connection, team_id: UUID) -> list[ListedStaff]:
    """Everybody of the team, by role and name."""
    return [ListedStaff(*row) for row in await connection.fetch(SQL.list_staff, team_id)]


async def disable_staff(connection: asyncpg.Connection, team_id: UUID, staff_id: UUID) -> list[UUID]:
    """End somebody's access at once; the devices that were revoked with it."""
    revoked = [row["device_id"] for row in await connection.fetch(SQL.disable_staff, team_id, staff_id)]
    await audit.record_by_owner(connection, team_id, "alteration", "staff/disable", [staff_id, *revoked])
    return revoked


async def add_device(connection: asyncpg.Connection, team_id: UUID, device_id: UUID, staff_id: UUID, name: str) -> None:
    """A device without an enrolment code: only the demo makes such."""
    await connection.execute(SQL.add_device, team_id, device_id, staff_id, name)


async def add_partner(connection: asyncpg.Connection, team_id: UUID, partner_id: UUID, name: str, body: str) -> None:
    """A partner organisation; `body` is police, health or other."""
    await connection.execute(SQL.add_partner, team_id, partner_id, name, body)

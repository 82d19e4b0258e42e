"""`triage staff` and `triage enrol`: who may sign in, and with which one-time code."""

from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import click
from uuid_utils.compat import uuid7

from triage.commands.database import Databases, with_databases
from triage.commands.output import show_table
from triage.store.access import enrolment
from triage.store.access import staff as store
from triage.store.access.staff import NewStaff
from triage.store.journal_lines import StaffDisabled


@with_databases
async def add(
    databases: Databases,
    team_id: UUID | None,
    name: str,
    role: str,
    profession: str | None,
    issuer: str | None,
    subject: str | None,
) -> None:
    """The work of `triage staff add`."""
    new = NewStaff(
        staff_id=uuid7(),
        name=name,
        role=role,
        profession=profession,
        issuer=issuer,
        subject=subject,
    )
    try:
        async with databases.owner(team_id) as (connection, team):
            await store.add_staff(connection, team, new)
    except asyncpg.ForeignKeyViolationError as error:
        raise click.ClickException("there is no such role") from error
    except asyncpg.IntegrityConstraintViolationError as error:
        raise click.ClickException("the role, the profession and the sign-in do not fit together") from error
    click.echo(new.staff_id)


@with_databases
async def list_(databases: Databases, team_id: UUID | None, as_json: bool) -> None:
    """The work of `triage staff list`."""
    async with databases.owner(team_id) as (connection, team):
        listed = await store.list_staff(connection, team)
    headings = ("id", "name", "role", "profession", "devices", "disabled at")
    rows = [(who.staff_id, who.name, who.role, who.profession, who.devices, who.disabled_at) for who in listed]
    show_table(headings, rows, as_json)


@with_databases
async def disable(databases: Databases, team_id: UUID | None, staff_id: UUID) -> None:
    """The work of `triage staff disable`."""
    async with databases.owner(team_id) as (connection, team):
        await store.find_staff(connection, team, staff_id)
        revoked = await store.disable_staff(connection, team, staff_id)
        await databases.journal.add(StaffDisabled(at=datetime.now(UTC), team_id=team, staff_id=staff_id))
    click.echo(f"disabled; devices revoked: {len(revoked)}")


@with_databases
async def enrol(databases: Databases, team_id: UUID | None, staff_id: UUID) -> None:
    """The work of `triage enrol`."""
    team = await databases.team_id(team_id)
    async with databases.service() as database:
        issued = await enrolment.issue_code_as_owner(database, team, staff_id)
    click.echo(f"{issued.code}\nvalid until {issued.expires_at.isoformat()}")

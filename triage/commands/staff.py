"""`triage staff` and `triage enrol`: who may sign in."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import asyncpg
import rich_click as click
from rich.console import Console
from rich.table import Table
from uuid_utils.compat import uuid7

from triage.app import databases, open_service
from triage.commands.options import DATA_DIR, settings
from triage.problems import Refused
from triage.settings import Settings
from triage.store.access import enrolment, teams
from triage.store.access import staff as store
from triage.store.access.staff import ListedStaff, NewStaff
from triage.store.journal import Journal, StaffDisabled
from triage.times import operational_day

TEAM = click.option("--team", "team_id", type=click.UUID, required=True, help="The team's id.")


@click.group()
def staff() -> None:
    """Teams and their staff: add, list, disable."""


@staff.command("add-team")
@DATA_DIR
@click.option("--name", required=True, help="What the team is called.")
@click.option("--zone", default="Europe/London", show_default=True, help="Its time zone.")
@click.option("--day-start-hour", default=6, show_default=True, type=click.IntRange(0, 23), help="Local hour.")
def add_team(data_dir: Path | None, name: str, zone: str, day_start_hour: int) -> None:
    """Make a team with an empty log, and print its id."""
    team_id = uuid7()
    now = datetime.now(UTC)

    async def add(url: str) -> None:
        async with store.as_owner(url, team_id) as connection:
            await teams.add_team(connection, team_id, name, operational_day(now), now, zone, day_start_hour)

    asyncio.run(_as_owner(settings(data_dir), add))
    click.echo(team_id)


@staff.command("add")
@DATA_DIR
@TEAM
@click.option("--name", required=True, help="The person's name.")
@click.option("--role", required=True, help="officer, nurse, paramedic, sergeant, clinical_lead, auditor or admin.")
@click.option("--profession", type=click.Choice(["police", "nurse", "paramedic"]), help="Follows from most roles.")
@click.option("--issuer", help="The OIDC issuer through which the person signs in.")
@click.option("--subject", help="The person's subject at that issuer.")
def add(
    data_dir: Path | None,
    team_id: UUID,
    name: str,
    role: str,
    profession: str | None,
    issuer: str | None,
    subject: str | None,
) -> None:
    """Add a member of staff, and print the account's id."""
    new = NewStaff(
        staff_id=uuid7(),
        name=name,
        role=role,
        profession=profession or PROFESSIONS.get(role),
        issuer=issuer,
        subject=subject,
    )

    async def insert(url: str) -> None:
        async with store.as_owner(url, team_id) as connection:
            await store.add_staff(connection, team_id, new)

    try:
        asyncio.run(_as_owner(settings(data_dir), insert))
    except asyncpg.ForeignKeyViolationError as error:
        raise click.ClickException("there is no such team or role") from error
    except asyncpg.IntegrityConstraintViolationError as error:
        raise click.ClickException("the role, the profession and the sign-in do not fit together") from error
    click.echo(new.staff_id)


@staff.command("list")
@DATA_DIR
@TEAM
def list_(data_dir: Path | None, team_id: UUID) -> None:
    """List a team's staff with the number of their devices."""
    found: list[ListedStaff] = []

    async def read(url: str) -> None:
        async with store.as_owner(url, team_id) as connection:
            found.extend(await store.list_staff(connection, team_id))

    asyncio.run(_as_owner(settings(data_dir), read))
    table = Table()
    for heading in ("id", "name", "role", "profession", "devices", "disabled"):
        table.add_column(heading, no_wrap=True)
    for one in found:
        disabled = one.disabled_at.isoformat() if one.disabled_at else ""
        table.add_row(str(one.staff_id), one.name, one.role, one.profession or "", str(one.devices), disabled)
    Console().print(table)


@staff.command()
@DATA_DIR
@TEAM
@click.argument("staff_id", type=click.UUID)
def disable(data_dir: Path | None, team_id: UUID, staff_id: UUID) -> None:
    """End somebody's access at once and revoke the devices; what was sent stays."""
    revoked: list[UUID] = []
    chosen = settings(data_dir)

    async def end(url: str) -> None:
        async with store.as_owner(url, team_id) as connection:
            revoked.extend(await store.disable_staff(connection, team_id, staff_id))
            Journal(chosen.journal).add(StaffDisabled(at=datetime.now(UTC), team_id=team_id, staff_id=staff_id))

    asyncio.run(_as_owner(chosen, end))
    click.echo(f"disabled; devices revoked: {len(revoked)}")


@click.command()
@DATA_DIR
@TEAM
@click.argument("staff_id", type=click.UUID)
def enrol(data_dir: Path | None, team_id: UUID, staff_id: UUID) -> None:
    """Print a one-time code, valid for 15 minutes, with which a phone is enrolled for this account."""

    async def issue() -> enrolment.Enrolment:
        async with open_service(settings(data_dir)) as service:
            return await enrolment.issue_code_as_owner(service.database, team_id, staff_id)

    try:
        enrolment = asyncio.run(issue())
    except Refused as refused:
        raise click.ClickException("there is no such account in this team") from refused
    click.echo(f"{enrolment.code}\nvalid until {enrolment.expires_at.isoformat()}")


async def _as_owner(chosen: Settings, act: Callable[[str], Awaitable[None]]) -> None:
    async with databases(chosen) as addresses:
        await act(addresses.owner)


PROFESSIONS = {
    "officer": "police",
    "sergeant": "police",
    "nurse": "nurse",
    "paramedic": "paramedic",
    "clinical_lead": "nurse",
}

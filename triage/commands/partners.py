"""`triage partner`: organisations that get exports, their agreements and tokens."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import TypeVar, cast
from uuid import UUID

import asyncpg
import rich_click as click
from rich.console import Console
from rich.table import Table
from uuid_utils.compat import uuid7

from triage.app import databases
from triage.commands.options import DATA_DIR, settings
from triage.exports import keys as disclosure
from triage.exports.calendar import Dataset
from triage.people.encryption import load_or_create_root
from triage.settings import Settings
from triage.store.access import staff
from triage.store.exports import agreements as store
from triage.store.exports.agreements import AgreementFault, NewAgreement
from triage.times import due_at

TEAM = click.option("--team", "team_id", type=click.UUID, required=True, help="The team's id.")
T = TypeVar("T")


@click.group()
def partner() -> None:
    """Partner organisations: add, agree, token, revoke, list."""


@partner.command()
@DATA_DIR
@TEAM
@click.option("--name", required=True, help="What the organisation is called.")
@click.option("--body", type=click.Choice(["police", "health", "other"]), required=True, help="What kind it is.")
def add(data_dir: Path | None, team_id: UUID, name: str, body: str) -> None:
    """Add an organisation; print its id and a first token, which is not shown again."""
    partner_id = uuid7()

    async def insert(connection: asyncpg.Connection) -> str:
        await staff.add_partner(connection, team_id, partner_id, name, body)
        return await store.add_token(connection, team_id, partner_id)

    token = _run(settings(data_dir), team_id, insert)
    click.echo(f"{partner_id}\n{token}")


@partner.command()
@DATA_DIR
@TEAM
@click.argument("partner_id", type=click.UUID)
@click.option(
    "--dataset", "datasets", multiple=True, type=click.Choice(["records", "tables"]), help="Both if not given."
)
@click.option("--purpose", required=True, help="What the data is for, as the statement will say.")
@click.option("--contact", required=True, help="Who answers for it.")
@click.option("--expires", type=click.DateTime(["%Y-%m-%d"]), required=True, help="The first day without access.")
@click.option("--column", "columns", multiple=True, help="A column of record files; all that such a body may get.")
@click.option("--area", "areas", multiple=True, help="An area of record files; all if not given.")
def agree(
    data_dir: Path | None,
    team_id: UUID,
    partner_id: UUID,
    datasets: tuple[str, ...],
    purpose: str,
    contact: str,
    expires: datetime,
    columns: tuple[str, ...],
    areas: tuple[str, ...],
) -> None:
    """Sign an agreement: every release it covers is rendered for it now, and each later one when it is cut."""
    chosen = settings(data_dir)
    new = NewAgreement(
        agreement_id=uuid7(),
        partner_id=partner_id,
        datasets=cast(tuple[Dataset, ...], datasets or ("records", "tables")),
        purpose=purpose,
        contact=contact,
        expires_at=_start_of(expires.date()),
        columns=columns or None,
        areas=areas or None,
    )

    async def sign(connection: asyncpg.Connection) -> int:
        root = await asyncio.to_thread(load_or_create_root, chosen.root_key_file)
        return await store.sign(connection, team_id, new, disclosure.derive(root), datetime.now(UTC))

    rendered = _run(chosen, team_id, sign)
    click.echo(f"{new.agreement_id}\nreleases rendered: {rendered}")


def _start_of(day: date) -> datetime:
    return due_at(day, time(0))


@partner.command()
@DATA_DIR
@TEAM
@click.argument("partner_id", type=click.UUID)
def token(data_dir: Path | None, team_id: UUID, partner_id: UUID) -> None:
    """Print a further token, which is not shown again; the others go on working."""
    click.echo(_run(settings(data_dir), team_id, lambda conn: store.add_token(conn, team_id, partner_id)))


@partner.command()
@DATA_DIR
@TEAM
@click.argument("partner_id", type=click.UUID)
@click.option("--token", "name", help="Only this token, by the first digits that `list` shows.")
@click.option("--agreement", "agreement_id", type=click.UUID, help="Only this agreement.")
def revoke(data_dir: Path | None, team_id: UUID, partner_id: UUID, name: str | None, agreement_id: UUID | None) -> None:
    """End an organisation's access at once, or only a token or an agreement of it."""

    async def end(connection: asyncpg.Connection) -> bool:
        now = datetime.now(UTC)
        if name is not None:
            return await store.revoke_token(connection, team_id, partner_id, name.lower(), now)
        if agreement_id is not None:
            return await store.revoke_agreement(connection, team_id, agreement_id, now)
        return await store.revoke_partner(connection, team_id, partner_id, now)

    if name is not None and (len(name) < store.TOKEN_NAME or not name.isalnum()):
        raise click.ClickException(f"a token is named by {store.TOKEN_NAME} digits of its hash, as `list` shows them")
    if not _run(settings(data_dir), team_id, end):
        raise click.ClickException("there is nothing of this name that is in force")
    click.echo("revoked")


@partner.command("list")
@DATA_DIR
@TEAM
def list_(data_dir: Path | None, team_id: UUID) -> None:
    """List organisations with their agreements and tokens."""

    async def read(
        connection: asyncpg.Connection,
    ) -> tuple[list[store.ListedPartner], list[store.ListedAgreement], list[store.ListedToken]]:
        return (
            await store.partners(connection, team_id),
            await store.agreements(connection, team_id),
            await store.tokens(connection, team_id),
        )

    partners, agreements, tokens = _run(settings(data_dir), team_id, read)
    table = Table()
    for heading in ("partner", "what", "id", "detail", "until", "revoked"):
        table.add_column(heading, no_wrap=heading != "detail")
    for one in partners:
        table.add_row(one.name, one.body, str(one.partner_id), "", "", _day(one.revoked_at))
        for signed in agreements:
            if signed.partner_id == one.partner_id:
                detail = f"{', '.join(signed.datasets)}: {signed.purpose} ({signed.contact})"
                until = _day(signed.expires_at)
                table.add_row("", "agreement", str(signed.agreement_id), detail, until, _day(signed.revoked_at))
        for held in tokens:
            if held.partner_id == one.partner_id:
                table.add_row("", "token", held.name, f"used {_day(held.used_at)}", "", _day(held.revoked_at))
    console = Console()
    console.width = max(console.width, 160)
    console.print(table)


def _day(at: datetime | None) -> str:
    return at.date().isoformat() if at else ""


def _run(chosen: Settings, team_id: UUID, act: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
    """Do something as the owner, in one transaction. Raises click.ClickException for what cannot be."""

    async def run() -> T:
        async with databases(chosen) as addresses, staff.as_owner(addresses.owner, team_id) as connection:
            return await act(connection)

    try:
        return asyncio.run(run())
    except AgreementFault as fault:
        raise click.ClickException(str(fault)) from fault
    except asyncpg.ForeignKeyViolationError as error:
        raise click.ClickException("there is no such team or partner") from error
    except asyncpg.CheckViolationError as error:
        raise click.ClickException("a name, purpose or contact is empty or too long") from error

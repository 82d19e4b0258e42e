"""`triage partner`: organisations that get exports, their agreements and tokens."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, time
from typing import cast
from uuid import UUID

import asyncpg
import click
from uuid_utils.compat import uuid7

from triage.access.actors import token_hash
from triage.commands.database import Databases, with_databases
from triage.commands.options import confirm
from triage.commands.output import show_table
from triage.exports import keys as disclosure
from triage.exports.calendar import Dataset
from triage.store.access import staff
from triage.store.exports import agreements as store
from triage.store.exports.agreements import NewAgreement
from triage.store.journal_lines import AgreementRevoked, JournalLine, PartnerRevoked, TokenIssued, TokenRevoked
from triage.times import due_at


@contextmanager
def _refused() -> Iterator[None]:
    """A partner that the database refuses, said in a line. Raises click.ClickException."""
    try:
        yield
    except asyncpg.ForeignKeyViolationError as error:
        raise click.ClickException("there is no such partner") from error
    except asyncpg.CheckViolationError as error:
        raise click.ClickException("a name, purpose or contact is empty or too long") from error


@with_databases
async def add(databases: Databases, team_id: UUID | None, name: str, body: str) -> None:
    """The work of `triage partner add`."""
    partner_id = uuid7()
    with _refused():
        async with databases.owner(team_id) as (connection, team):
            await staff.add_partner(connection, team, partner_id, name, body)
            first = await store.add_token(connection, team, partner_id)
    click.echo(f"{partner_id}\n{first}")


@with_databases
async def agree(
    databases: Databases,
    team_id: UUID | None,
    partner_id: UUID,
    datasets: tuple[str, ...],
    purpose: str,
    contact: str,
    expires: datetime,
    columns: tuple[str, ...],
    areas: tuple[str, ...],
) -> None:
    """The work of `triage partner agree`."""
    new = NewAgreement(
        agreement_id=uuid7(),
        partner_id=partner_id,
        datasets=cast(tuple[Dataset, ...], datasets or ("records", "tables")),
        purpose=purpose,
        contact=contact,
        expires_at=due_at(expires.date(), time(0)),
        columns=columns or None,
        areas=areas or None,
    )
    keys = disclosure.derive(databases.root)
    with _refused():
        async with databases.owner(team_id) as (connection, team):
            rendered = await store.sign(connection, team, new, keys, datetime.now(UTC))
    click.echo(f"{new.agreement_id}\nreleases rendered: {rendered}")


@with_databases
async def token(databases: Databases, team_id: UUID | None, partner_id: UUID) -> None:
    """The work of `triage partner token`."""
    with _refused():
        async with databases.owner(team_id) as (connection, team):
            further = await store.add_token(connection, team, partner_id)
            issued = TokenIssued(
                at=datetime.now(UTC), team_id=team, hash=token_hash(further).hex(), partner_id=partner_id
            )
            await databases.journal.add(issued)
    click.echo(further)


@with_databases
async def revoke(
    databases: Databases,
    team_id: UUID | None,
    yes: bool,
    dry_run: bool,
    partner_id: UUID,
    name: str | None,
    agreement_id: UUID | None,
) -> None:
    """The work of `triage partner revoke`."""
    if name is not None and (len(name) < store.TOKEN_NAME or not name.isalnum()):
        raise click.ClickException(f"a token is named by {store.TOKEN_NAME} digits of its hash, as `list` shows them")
    whole = name is None and agreement_id is None
    what = "every token and every agreement" if whole else f"the {'agreement' if name is None else 'token'} named"
    confirm(f"Access of this organisation ends for good: {what}.", yes=yes, dry_run=dry_run)
    now = datetime.now(UTC)
    async with databases.owner(team_id) as (connection, team):
        if name is not None:
            hashes = await store.revoke_token(connection, team, partner_id, name.lower(), now)
            lines: list[JournalLine] = [TokenRevoked(at=now, team_id=team, hash=digest.hex()) for digest in hashes]
        elif agreement_id is not None:
            ended = await store.revoke_agreement(connection, team, agreement_id, now)
            lines = [AgreementRevoked(at=now, team_id=team, agreement_id=agreement_id)] if ended else []
        else:
            ended = await store.revoke_partner(connection, team, partner_id, now)
            lines = [PartnerRevoked(at=now, team_id=team, partner_id=partner_id)] if ended else []
        if not lines:
            raise click.ClickException("there is nothing of this name that is in force")
        await databases.journal.add(*lines)
    click.echo("revoked")


@with_databases
async def list_(databases: Databases, team_id: UUID | None, as_json: bool) -> None:
    """The work of `triage partner list`."""
    async with databases.owner(team_id) as (connection, team):
        partners = await store.partners(connection, team)
        agreements = await store.agreements(connection, team)
        tokens = await store.tokens(connection, team)
    rows: list[tuple[object, ...]] = []
    for listed in partners:
        rows.append((listed.name, listed.body, listed.partner_id, None, None, listed.revoked_at))
        for signed in agreements:
            if signed.partner_id == listed.partner_id:
                detail = f"{', '.join(signed.datasets)}: {signed.purpose} ({signed.contact})"
                rows.append(
                    (listed.name, "agreement", signed.agreement_id, detail, signed.expires_at, signed.revoked_at)
                )
        for held in tokens:
            if held.partner_id == listed.partner_id:
                used = f"used {held.used_at:%Y-%m-%d}" if held.used_at else "never used"
                rows.append((listed.name, "token", held.name, used, None, held.revoked_at))
    show_table(("partner", "what", "id", "detail", "until", "revoked at"), rows, as_json)

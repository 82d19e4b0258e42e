"""`triage sign-in`: a one-time code for the review pages."""

import asyncio
from pathlib import Path
from uuid import UUID

import rich_click as click

from triage import logs
from triage.app import open_service
from triage.commands.options import DATA_DIR, settings
from triage.commands.staff import TEAM
from triage.problems import NOT_FOUND, Refused
from triage.store.access import page_sign_in
from triage.store.access.enrolment import Enrolment


@click.command("sign-in")
@DATA_DIR
@TEAM
@click.argument("staff_id", type=click.UUID)
def sign_in(data_dir: Path | None, team_id: UUID, staff_id: UUID) -> None:
    """Print a one-time code, valid for 15 minutes: a sergeant or clinical lead signs in to the review pages with it."""
    logs.configure("error")  # what is printed is the code alone

    async def issue() -> Enrolment:
        async with open_service(settings(data_dir)) as service:
            return await page_sign_in.issue_code(service.database, team_id, staff_id)

    try:
        enrolment = asyncio.run(issue())
    except Refused as refused:
        unknown = refused.problem.code == NOT_FOUND.code
        raise click.ClickException(
            "there is no such account in this team" if unknown else "the pages are for sergeants and clinical leads"
        ) from refused
    click.echo(f"{enrolment.code}\nvalid until {enrolment.expires_at.isoformat()}")

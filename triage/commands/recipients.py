"""`triage recipients`: who got what a wrong link had touched."""

from uuid import UUID

import click

from triage.commands.database import Databases, with_databases
from triage.commands.options import JSON, TEAM
from triage.commands.output import show_table
from triage.store.people import recipients as store


@click.command()
@TEAM
@JSON
@click.option("--by", required=True, help="Who asks: a name or post, kept in the audit.")
@click.argument("incident_id", type=click.UUID)
@with_databases
async def recipients(databases: Databases, team_id: UUID | None, as_json: bool, by: str, incident_id: UUID) -> None:
    """List who got a summary or release that may have been touched by a link of an incident, undone since."""
    async with databases.owner(team_id) as (connection, team):
        listed = await store.find(connection, team, incident_id, by)
    rows = [(who.at, who.what, who.how, who.who, who.role) for who in listed]
    show_table(("at", "what", "how", "who", "role"), rows, as_json)

"""`triage recipients`: who got what a wrong link had touched."""

from uuid import UUID

from triage.commands.database import Databases, with_databases
from triage.commands.output import show_table
from triage.store.people import recipients as store


@with_databases
async def recipients(databases: Databases, team_id: UUID | None, as_json: bool, by: str, incident_id: UUID) -> None:
    """The work of `triage recipients`."""
    async with databases.owner(team_id) as (connection, team):
        listed = await store.find(connection, team, incident_id, by)
    rows = [(who.at, who.what, who.how, who.who, who.role) for who in listed]
    show_table(("at", "what", "how", "who", "role"), rows, as_json)

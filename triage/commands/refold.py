"""`triage refold`: the stored rows of incidents, made anew."""

import click

from triage.commands.database import Databases, with_databases
from triage.commands.output import progress
from triage.store.log import refold as refolding


@with_databases
async def refold(databases: Databases) -> None:
    """The work of `triage refold`."""
    async with databases.service() as database:
        for team_id in await databases.teams():
            made = 0
            with progress(f"team {team_id}") as update:
                of = await refolding.count(database, team_id)
                async for step in refolding.refold(database, team_id):
                    made += step
                    update(made, max(of, made))
            click.echo(f"team {team_id}: {made} incidents")

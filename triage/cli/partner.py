"""`triage partner`: organisations that get exports, their agreements and tokens."""

import click

from triage.cli.options import DRY_RUN, JSON, TEAM, YES
from triage.cli.work import runs_on_data


@click.group()
def partner() -> None:
    """Partner organisations: add, agree, token, revoke, list."""


@partner.command()
@TEAM
@click.option("--name", required=True, help="What the organisation is called.")
@click.option("--body", type=click.Choice(["police", "health", "other"]), required=True, help="What kind it is.")
@runs_on_data("triage.commands.partner:add")
def add() -> None:
    """Add an organisation; print its id and a first token, which is not shown again."""


@partner.command()
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
@runs_on_data("triage.commands.partner:agree")
def agree() -> None:
    """Sign an agreement: every release it covers is rendered for it now, and each later one when it is cut."""


@partner.command()
@TEAM
@click.argument("partner_id", type=click.UUID)
@runs_on_data("triage.commands.partner:token")
def token() -> None:
    """Print a further token, which is not shown again; the others go on working."""


@partner.command()
@TEAM
@YES
@DRY_RUN
@click.argument("partner_id", type=click.UUID)
@click.option("--token", "name", help="Only this token, by the first digits that `list` shows.")
@click.option("--agreement", "agreement_id", type=click.UUID, help="Only this agreement.")
@runs_on_data("triage.commands.partner:revoke")
def revoke() -> None:
    """End an organisation's access at once and for good, or only a token or an agreement of it."""


@partner.command("list")
@TEAM
@JSON
@runs_on_data("triage.commands.partner:list_")
def list_() -> None:
    """List organisations with their agreements and tokens."""

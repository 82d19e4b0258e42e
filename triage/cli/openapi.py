"""`triage openapi`: the description of the API, written from the program."""

import click

from triage.cli.work import runs


@click.command()
@runs("triage.commands.openapi:openapi")
def openapi() -> None:
    """Print the OpenAPI document. `openapi/triage.json` is this, and must not differ."""

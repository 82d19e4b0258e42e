"""`triage openapi`: the description of the API, written from the program."""

import click

from triage.http.application import build
from triage.http.openapi import config, document
from triage.settings import Settings


@click.command()
def openapi() -> None:
    """Print the OpenAPI document. `openapi/triage.json` is this, and must not differ."""
    click.echo(document(build(Settings(), openapi_config=config())), nl=False)

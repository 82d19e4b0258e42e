"""`triage openapi`: the description of the API, written from the program."""

import click

from triage.http.application import build
from triage.http.openapi import config, document
from triage.settings import Settings


def openapi() -> None:
    """The work of `triage openapi`."""
    click.echo(document(build(Settings(), openapi_config=config())), nl=False)

"""`triage openapi` and `triage codes`: what the service says of itself, written from the program."""

import rich_click as click

from triage import codes as code_lists
from triage.http.application import build
from triage.http.openapi import config, document
from triage.settings import Settings


@click.command()
def openapi() -> None:
    """Print the OpenAPI document. `openapi/triage.json` is this, and must not differ."""
    click.echo(document(build(Settings(), openapi_config=config())), nl=False)


@click.command()
@click.option("--markdown", is_flag=True, help="As a page to read; `docs/codes.md` is this, and must not differ.")
def codes(markdown: bool) -> None:
    """Print the code lists, as `GET /v1/codes` answers them."""
    click.echo(code_lists.page() if markdown else code_lists.document(), nl=not markdown)

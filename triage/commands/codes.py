"""`triage codes`: the code lists."""

import click

from triage import codes as code_lists


@click.command()
@click.option("--markdown", is_flag=True, help="As a page to read; `docs/codes.md` is this, and must not differ.")
def codes(markdown: bool) -> None:
    """Print the code lists, as `GET /v1/codes` answers them."""
    click.echo(code_lists.page() if markdown else code_lists.document(), nl=not markdown)

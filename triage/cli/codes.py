"""`triage codes`: the code lists."""

import click

from triage.cli.work import runs


@click.command()
@click.option("--markdown", is_flag=True, help="As a page to read; `docs/codes.md` is this, and must not differ.")
@runs("triage.commands.codes:codes")
def codes() -> None:
    """Print the code lists, as `GET /v1/codes` answers them."""

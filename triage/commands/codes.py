"""`triage codes`: the code lists."""

import click

from triage import codes as code_lists


def codes(markdown: bool) -> None:
    """The work of `triage codes`."""
    click.echo(code_lists.page() if markdown else code_lists.document(), nl=not markdown)

"""`triage refold`: the stored rows of incidents, made anew."""

import click

from triage.cli.work import runs_on_data


@click.command()
@runs_on_data("triage.commands.refold:refold")
def refold() -> None:
    """Make what lists and filters are answered from anew, by the rules of this version.

    Phones fetch what is in their scope again. Nothing in the log changes, and a service may run beside it. Run it once
    no older version serves any more.
    """

"""`triage keys`: the key-encryption keys, under which every data key is wrapped."""

import click

from triage.cli.options import DRY_RUN, YES
from triage.cli.work import runs_on_data


@click.group()
def keys() -> None:
    """Keys: rotate the key-encryption key, retire old ones, forget what was erased."""


@keys.command()
@runs_on_data("triage.commands.keys:rotate")
def rotate() -> None:
    """Add a key-encryption key and wrap every data key anew. Cut short, the same command goes on where it stopped.

    Nothing that is sealed is touched, and running services go on: they read the root secret again when they need it.
    """


@keys.command()
@YES
@DRY_RUN
@runs_on_data("triage.commands.keys:retire")
def retire() -> None:
    """Remove key-encryption keys that wrap nothing: a day after a rotation, when no process holds an old one."""


@keys.command()
@YES
@DRY_RUN
@runs_on_data("triage.commands.keys:forget")
def forget() -> None:
    """After the key store itself was restored: put the exported journal back, and destroy every key again that it says
    was destroyed.
    """

"""How a command takes what it was told, by its options and the environment, and asks before it destroys."""

import os
import sys
from pathlib import Path

import click

from triage.settings import Settings, load

REFUSED = 2
"""The exit code of a command that would have had to ask, and did nothing."""


def settings(data_dir: Path | None, **changed: str) -> Settings:
    """The settings of this command, from the environment and its options. Raises SettingsError naming what is wrong."""
    environ = dict(os.environ) | {f"TRIAGE_{name.upper()}": value for name, value in changed.items()}
    if data_dir is not None:
        environ["TRIAGE_DATA_DIR"] = str(data_dir.absolute())
    return load(environ)


def confirm(what: str, *, yes: bool, dry_run: bool = False) -> None:
    """Say what would be done and ask, unless the answer was given. Without a terminal nothing is done: exit code 2.

    A dry run ends here, with what would be done on standard output.
    """
    if dry_run:
        click.echo(what)
        raise click.exceptions.Exit(0)
    if yes:
        return
    if not sys.stdin.isatty():
        click.echo(f"{what}\nNothing was done: give --yes to do it.", err=True)
        raise click.exceptions.Exit(REFUSED)
    click.confirm(f"{what}\nGo on?", abort=True, err=True)

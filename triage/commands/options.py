"""Options that commands share, each under one name everywhere."""

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from triage.settings import Settings, load

DATA_DIR = click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="TRIAGE_DATA_DIR",
    help="Directory of the embedded database, where TRIAGE_DATABASE_URL is not set.",
)
TEAM = click.option("--team", "team_id", type=click.UUID, help="The team's id, where there are several.")
JSON = click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
YES = click.option("--yes", is_flag=True, help="Do it without asking.")
DRY_RUN = click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
OUTPUT = click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="File instead of the screen.")
BY = click.option("--by", required=True, help="Who decided: a name or post, kept in the receipt and the audit.")

REFUSED = 2
"""The exit code of a command that would have had to ask, and did nothing."""


class Instant(click.ParamType[datetime]):
    """A time with an offset (RFC 3339)."""

    name = "instant"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """The instant in UTC. Refuses a naive time."""
        try:
            instant = datetime.fromisoformat(value)
            if instant.tzinfo is None:
                raise ValueError(value)
        except ValueError:
            self.fail("expected a time with an offset, such as 2026-11-22T07:00:00+00:00", param, ctx)
        return instant.astimezone(UTC)


AS_AT = click.option("--as-at", type=Instant(), help="The run's clock; by default now.")


def settings(data_dir: Path | None, **changed: str) -> Settings:
    """The settings of this command, from the environment and its options. Raises SettingsError naming what is wrong."""
    environ = dict(os.environ) | {f"TRIAGE_{name.upper()}": value for name, value in changed.items()}
    if data_dir is not None:
        environ["TRIAGE_DATA_DIR"] = str(data_dir.absolute())
    return load(environ)


def confirm(what: str, yes: bool) -> None:
    """Say what would be done and ask, unless the answer was given. Without a terminal nothing is done: exit code 2."""
    if yes:
        return
    if not sys.stdin.isatty():
        click.echo(f"{what}\nNothing was done: give --yes to do it.", err=True)
        raise click.exceptions.Exit(REFUSED)
    click.confirm(f"{what}\nGo on?", abort=True, err=True)

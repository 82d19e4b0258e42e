"""What commands share: settings from the environment and options, and how they fail."""

import os
from pathlib import Path

import rich_click as click

from triage.settings import Settings, SettingsError, load

DATA_DIR = click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="TRIAGE_DATA_DIR",
    help="Directory of the embedded database, where TRIAGE_DATABASE_URL is not set.",
)


def settings(data_dir: Path | None, **changed: str) -> Settings:
    """The settings of this command. Raises click.ClickException naming what is wrong."""
    environ = dict(os.environ) | {f"TRIAGE_{name.upper()}": value for name, value in changed.items()}
    if data_dir is not None:
        environ["TRIAGE_DATA_DIR"] = str(data_dir.absolute())
    try:
        return load(environ)
    except SettingsError as error:
        raise click.ClickException(str(error)) from error

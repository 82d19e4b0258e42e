"""Options that commands share, each under one name everywhere."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

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
HOST = click.option("--host", help="Address to listen on; TRIAGE_HOST otherwise.")
PORT = click.option("--port", type=int, help="Port to listen on; TRIAGE_PORT otherwise, 8000 by default.")


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

"""The service on two databases, as in production, and the command line beside it."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner, Result

from support.logins import SERVICE, as_login
from support.phones import Crew, RunningService
from triage.__main__ import main


@dataclass(slots=True)
class InstalledService:
    """A running service with a team, and the command line beside it."""

    process: RunningService
    crew: Crew
    keys_url: str
    data_dir: Path

    async def triage(self, *args: str, fails: bool = False, **environ: str) -> str:
        """What a command prints; it must succeed, unless it must fail."""
        result = await asyncio.to_thread(self._invoke, args, environ)
        assert (result.exit_code != 0) == fails, (result.output, result.exception)
        return result.output

    @property
    def environ(self) -> dict[str, str]:
        """The settings of a command."""
        return {
            "TRIAGE_DATABASE_URL": as_login(self.process.url, SERVICE),
            "TRIAGE_OWNER_DATABASE_URL": self.process.url,
            "TRIAGE_KEYS_DATABASE_URL": self.keys_url,
            "TRIAGE_DATA_DIR": str(self.data_dir),
        }

    def _invoke(self, args: tuple[str, ...], changed: dict[str, str]) -> Result:
        return CliRunner().invoke(main, args, env=self.environ | changed)

"""`triage demo`: the service with synthetic months of a team, and a way in for every role."""

import contextlib
import fcntl
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import click
import msgspec
from msgspec import structs

from triage import logs, private_files
from triage.commands.demo_data import Demo, issue_codes, prepare
from triage.commands.options import settings
from triage.commands.output import indented_json, show_table
from triage.commands.serve import listening_options, run
from triage.errors import OperatorError
from triage.service import Service
from triage.settings import Settings
from triage.startup import open_service

FILE = "demo.json"
PAGES, APP = "/review/sign-in?code=", "/app#code="
DOORS = {"sergeant": PAGES, "clinical_lead": PAGES, "officer": APP, "nurse": APP, "paramedic": APP}
"""Where a role's one-time code opens something in a browser: the review pages, or the phone app."""
FIRST_LOOK = {"partner": "/v1/exports", "auditor": "/v1/audit", "admin": "/v1/summaries"}
"""Where a role finds something first by its token; the others start with the incidents."""


def demo(data_dir: Path | None, host: str | None, port: int | None, months: float, per_day: float) -> None:
    """The work of `triage demo`."""
    changed = listening_options(host, port)
    if "TRIAGE_ACTOR_REQUESTS_PER_MINUTE" not in os.environ:  # one token stands for a whole role here
        changed["actor_requests_per_minute"] = "6000000"
    chosen = settings(data_dir, **changed)
    logs.configure(chosen.log_level)
    made: list[tuple[Demo, dict[str, str]]] = []

    @asynccontextmanager
    async def filled() -> AsyncIterator[Service]:
        with alone(chosen):
            async with open_service(chosen, create=True) as service:
                data = await prepare(service, earlier(chosen.data_dir), months, per_day)
                made.append((data, await issue_codes(service, DOORS)))
                yield service

    def announce(url: str) -> None:
        data, codes = made[0]
        data = structs.replace(data, url=url)
        private_files.replace(chosen.data_dir / FILE, indented_json(data))
        show(data, codes, chosen.data_dir / FILE)

    run(chosen, filled(), False, announce)


@contextlib.contextmanager
def alone(chosen: Settings) -> Iterator[None]:
    """One demo at a time has a directory: a second would change what the first has told. Raises OperatorError."""
    chosen.data_dir.mkdir(parents=True, exist_ok=True)
    with (chosen.data_dir / "demo.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            where = chosen.data_dir / FILE
            raise OperatorError(
                f"a demo runs in {chosen.data_dir} already ({where} says where); choose another by --data-dir"
            ) from error
        yield


def earlier(data_dir: Path) -> dict[str, str]:
    """The tokens of an earlier start."""
    file = data_dir / FILE
    return msgspec.json.decode(file.read_bytes(), type=Demo).tokens if file.exists() else {}


def show(data: Demo, codes: dict[str, str], file: Path) -> None:
    """Print where the demo is, links that sign in at the first click, and a token for every role."""
    click.echo(
        f"Street Triage Log (demo) on {data.url}\n\nOpen in a browser; each link signs in once, within 15 minutes:"
    )
    links = [(role, data.url + DOORS[role] + code) for role, code in codes.items()]
    show_table(("role", "link"), links, False)
    click.echo("\nFor programs, as `Authorization: Bearer TOKEN`:")
    rows = [(role, data.url + FIRST_LOOK.get(role, "/v1/incidents"), token) for role, token in data.tokens.items()]
    show_table(("role", "address", "token"), rows, False)
    click.echo(f"\nThe same as JSON: {file}\nAll data is synthetic. Stop with Ctrl-C.")

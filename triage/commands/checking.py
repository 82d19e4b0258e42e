"""`triage migrate` and `triage verify`: the state of the databases."""

import asyncio
from pathlib import Path
from uuid import UUID

import asyncpg
import rich_click as click
from rich.progress import Progress, TaskID

from triage import logs
from triage.app import databases
from triage.commands.options import DATA_DIR, settings
from triage.settings import Settings
from triage.store.access import SQL as ACCESS
from triage.store.exports import LedgerVerdict, verify_ledger
from triage.store.staff import as_owner
from triage.store.verification import Verdict
from triage.store.verification import verify as verify_log


@click.command()
@DATA_DIR
def migrate(data_dir: Path | None) -> None:
    """Bring the database and the key store up to this version of the program."""
    chosen = settings(data_dir)
    logs.configure(chosen.log_level)
    asyncio.run(_migrate(chosen))
    click.echo("The databases are up to date.")


async def _migrate(chosen: Settings) -> None:
    async with databases(chosen):
        pass


@click.command()
@DATA_DIR
def verify(data_dir: Path | None) -> None:
    """Recompute every team's chain and ledger of pulls, and name the first entry altered, missing or moved."""
    chosen = settings(data_dir)
    logs.configure("error")
    verdicts, ledgers = asyncio.run(_verify(chosen))
    for verdict in verdicts:
        state = verdict.fault or "whole"
        click.echo(f"team {verdict.team_id}: {verdict.entries} entries verified, head {verdict.head}: {state}")
    for ledger in ledgers:
        click.echo(f"team {ledger.team_id}: {ledger.lines} pulls verified: {ledger.fault or 'whole'}")
    if any(verdict.fault for verdict in verdicts):
        raise click.ClickException("the log is not as it was written")
    if any(ledger.fault for ledger in ledgers):
        raise click.ClickException("the ledger of pulls is not as it was written")


async def _verify(chosen: Settings) -> tuple[list[Verdict], list[LedgerVerdict]]:
    verdicts, ledgers = [], []
    async with databases(chosen) as addresses:
        for team_id in await _teams(addresses.owner):
            async with as_owner(addresses.owner, team_id) as connection:
                with Progress(transient=True) as bar:
                    task = bar.add_task(f"team {team_id}")

                    def show(done: int, of: int, bar: Progress = bar, task: TaskID = task) -> None:
                        bar.update(task, completed=done, total=of)

                    verdicts.append(await verify_log(connection, team_id, show))
                ledgers.append(await verify_ledger(connection, team_id))
    return verdicts, ledgers


async def _teams(url: str) -> list[UUID]:
    connection = await asyncpg.connect(url)
    try:
        return [row["team_id"] for row in await connection.fetch(ACCESS.teams)]
    finally:
        await connection.close()

"""`triage migrate` and `triage verify`: the state of the databases."""

import asyncio
from pathlib import Path
from uuid import UUID

import rich_click as click
from rich.progress import Progress, TaskID

from triage import logs
from triage.app import databases
from triage.commands.options import DATA_DIR, settings
from triage.settings import Settings
from triage.store import audit, hosts
from triage.store.access import teams
from triage.store.access.staff import as_owner
from triage.store.exports.downloads import verify_ledger
from triage.store.journal import Journal, JournalFault
from triage.store.recovery.anchors import Anchors, check_anchors
from triage.store.verify import ChainVerdict
from triage.store.verify import verify as verify_log


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
    """Recompute every chain, of log, audit and ledger of pulls, and name the first row altered, missing or moved."""
    chosen = settings(data_dir)
    logs.configure("error")
    try:
        verdicts = asyncio.run(_verify(chosen))
    except JournalFault as fault:
        raise click.ClickException(str(fault)) from fault
    report(verdicts)


def report(verdicts: list[tuple[str, ChainVerdict]]) -> None:
    """Print a line for each chain. Raises click.ClickException where one is not as it was written."""
    for what, verdict in verdicts:
        click.echo(
            f"team {verdict.team_id}: {verdict.entries} {what} verified, head {verdict.head or '-'}: "
            f"{verdict.fault or 'whole'}"
        )
    if broken := sorted({what for what, verdict in verdicts if verdict.fault}):
        raise click.ClickException(f"not as written: {', '.join(broken)}")


async def _verify(chosen: Settings) -> list[tuple[str, ChainVerdict]]:
    async with databases(chosen) as addresses:
        return await verify_all(addresses.owner, Anchors(Journal(chosen.journal).lines()))


async def verify_all(owner_url: str, told: Anchors) -> list[tuple[str, ChainVerdict]]:
    """The verdict on every chain of every team: entries, pulls, audit rows. `told` is what the journal says of them."""
    verdicts = []
    for team_id in (*await _teams(owner_url), audit.NO_TEAM):
        async with as_owner(owner_url, team_id) as connection:
            with Progress(transient=True) as bar:
                task = bar.add_task(f"team {team_id}")

                def show(done: int, of: int, bar: Progress = bar, task: TaskID = task) -> None:
                    bar.update(task, completed=done, total=of)

                if team_id != audit.NO_TEAM:
                    log = await verify_log(connection, team_id, show)
                    verdicts.append(("entries", await check_anchors(connection, told, "entries", log)))
                    ledger = await verify_ledger(connection, team_id)
                    pulls = ChainVerdict(team_id, ledger.lines, "", ledger.fault)
                    verdicts.append(("pulls", await check_anchors(connection, told, "pulls", pulls)))
                rows = await audit.verify(connection, team_id, show)
                verdicts.append(("audit rows", await check_anchors(connection, told, "audit", rows)))
    return verdicts


async def _teams(url: str) -> list[UUID]:
    connection = await hosts.connect(url)
    try:
        return await teams.team_ids(connection)
    finally:
        await connection.close()

"""`triage backup`, `triage restore`, `triage adopt`: the databases, and what going back in time must not undo."""

from pathlib import Path

import click

from triage.cli.options import DRY_RUN, YES
from triage.cli.work import runs_on_data

FILE = click.argument("file", type=click.Path(path_type=Path))


@click.command()
@click.option("--keys", is_flag=True, help="The key store with the journal, alone: keep such backups 14 days at most.")
@FILE
@runs_on_data("triage.commands.backup:backup")
def backup() -> None:
    """Write the database into FILE, without the key store; or with --keys the key store alone.

    Into a directory it goes as `database-` or `keys-` with the number of the weekday, so that seven are kept.
    """


@click.command()
@YES
@DRY_RUN
@click.option("--rehearse", is_flag=True, help="Restore into a scratch database, verify it, and remove it.")
@FILE
@runs_on_data("triage.commands.backup:restore")
def restore() -> None:
    """Restore FILE beside the database, replay the journal, verify every chain, and only then take its place.

    Of a directory it is the newest backup there. A file that is no backup of this installation is refused before
    anything is touched. The database that was replaced is kept under another name. A running service goes on with the
    restored one.
    """


@click.command()
@YES
@DRY_RUN
@runs_on_data("triage.commands.backup:adopt")
def adopt() -> None:
    """Go on with a database that lost its last moments: after a failover, a recovery to a point in time, or a snapshot.

    What the journal knows is made true in it again: revocations, erasures, what was published. Phones are told that the
    history is another, and send again what it lost.
    """

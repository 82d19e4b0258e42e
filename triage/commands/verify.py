"""`triage verify`: whether everything is as it was written."""

from collections import defaultdict
from collections.abc import Iterable
from uuid import UUID

import click

from triage.commands.database import Databases, with_databases
from triage.commands.output import progress, show_table
from triage.log.lost_spans import LostSpan
from triage.store import audit
from triage.store.access.staff import as_owner
from triage.store.chains import ChainVerdict
from triage.store.exports.ledger import verify_ledger
from triage.store.job_runs import record_success
from triage.store.journal import Journal
from triage.store.journal_lines import ChainRewound, NotesErased
from triage.store.keys import KeyStore
from triage.store.recovery.anchors import KINDS, Anchors, check_anchors
from triage.store.verify import KnownElsewhere
from triage.store.verify import verify as verify_log


@with_databases
async def verify(databases: Databases, as_json: bool) -> None:
    """The work of `triage verify`."""
    await verify_here(databases, as_json)


async def verify_here(databases: Databases, as_json: bool = False) -> None:
    """Verify the databases there are, on their replica where one is set. Raises click.ClickException as `report`."""
    report(await verify_all(databases, databases.addresses.owner, by_replica=True), as_json)
    async with databases.service() as database, database.no_team() as connection:
        await record_success(connection, "verify")


def report(verdicts: list[tuple[str, ChainVerdict]], as_json: bool = False) -> None:
    """Print a line for each chain. Raises click.ClickException where one is not as it was written."""
    if as_json:
        rows = [(chain, verdict.team_id, verdict.rows, verdict.head, verdict.fault) for chain, verdict in verdicts]
        show_table(("chain", "team", "rows", "head", "fault"), rows, as_json)
    for what, verdict in () if as_json else verdicts:
        click.echo(
            f"team {verdict.team_id}: {verdict.rows} {what} verified, head {verdict.head or '-'}: "
            f"{verdict.fault or 'whole'}"
        )
    if broken := sorted({what for what, verdict in verdicts if verdict.fault}):
        raise click.ClickException(f"not as written: {', '.join(broken)}")


async def verify_all(
    databases: Databases, owner_url: str, rewound: Iterable[ChainRewound] = (), *, by_replica: bool = False
) -> list[tuple[str, ChainVerdict]]:
    """The verdict on every chain of every team: entries, pulls, audit rows; `rewound` comes after the journal.

    A replica, where there is one, has what the journal knows of before it is read in place of the database. Raises
    OperatorError where it is too far behind.
    """
    anchors = Anchors([*await databases.journal.read(*KINDS), *rewound])
    async with databases.keys() as keys:
        known = await _known_elsewhere(databases.journal, keys)
        if by_replica:
            owner_url = await databases.owner_at_replica()
        verdicts = []
        for team_id in (*await databases.teams(owner_url), audit.NO_TEAM):
            async with as_owner(owner_url, team_id) as connection:
                with progress(f"team {team_id}") as update:
                    if team_id != audit.NO_TEAM:
                        log = await verify_log(connection, team_id, known, update)
                        verdicts.append(("entries", await check_anchors(connection, anchors, "entries", log)))
                        pulls = await verify_ledger(connection, team_id)
                        verdicts.append(("pulls", await check_anchors(connection, anchors, "pulls", pulls)))
                    rows = await audit.verify(connection, team_id, update)
                    verdicts.append(("audit rows", await check_anchors(connection, anchors, "audit", rows)))
        return verdicts


async def _known_elsewhere(journal: Journal, keys: KeyStore) -> KnownElsewhere:
    erased: set[UUID] = set()
    lost: dict[UUID, set[LostSpan]] = defaultdict(set)
    async for line in journal.lines("notes_erasure", "rewound"):
        match line:
            case NotesErased():
                erased |= set(line.entries)
            case ChainRewound(chain="entries", since=since) if since is not None:
                lost[line.team_id].add(LostSpan(since, line.at))
            case _:
                pass
    return KnownElsewhere(frozenset(erased), keys.existing, {team: frozenset(spans) for team, spans in lost.items()})

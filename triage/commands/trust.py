"""`triage subject-access`, `erase`, `hold`, `regime`, `recipients`, `retention`: the rights of the people concerned."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Final, TypeVar, get_args
from uuid import UUID

import asyncpg
import msgspec
import rich_click as click
from rich.console import Console
from rich.table import Table

from triage import logs
from triage.app import databases
from triage.commands.options import DATA_DIR, settings
from triage.commands.staff import TEAM
from triage.people.encryption import load_or_create_root
from triage.problems import Refused
from triage.settings import Settings
from triage.store.access.staff import as_owner
from triage.store.database import connect
from triage.store.journal import Journal
from triage.store.keys import KeyStore
from triage.store.people import erasure, regimes
from triage.store.people import recipients as store
from triage.store.people import subject_access as subject_files
from triage.store.people.erasure import UnderLegalHold
from triage.store.people.recipients import Recipient
from triage.store.people.regimes import Regime
from triage.store.people.retention import Retention, RetentionDue, RetentionRun, runs
from triage.store.people.subject_access import SubjectFile

BY = click.option("--by", required=True, help="Who decided: a name or post, kept in the receipt and the audit.")
LAWS: Final[dict[Regime, str]] = {
    "general": "UK GDPR",
    "law_enforcement": "Data Protection Act 2018 part 3",
    "both": "UK GDPR, and Data Protection Act 2018 part 3",
}
T = TypeVar("T")


@click.command("subject-access")
@DATA_DIR
@TEAM
@BY
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=Path(), help="Directory of the files.")
@click.argument("person_id", type=click.UUID)
def subject_access(data_dir: Path | None, team_id: UUID, by: str, out: Path, person_id: UUID) -> None:
    """Gather everything about one person into a readable page and a JSON file, for their owner only."""
    now = datetime.now(UTC)
    out.mkdir(parents=True, exist_ok=True)

    async def act(connection: asyncpg.Connection, keys: KeyStore) -> SubjectFile:
        file = await subject_files.gather(connection, keys, team_id, person_id, by, now)
        _write(out / f"subject-{person_id}.json", msgspec.json.format(msgspec.json.encode(file), indent=2))
        _write(out / f"subject-{person_id}.html", page(file).encode())
        return file

    file = _run(settings(data_dir), team_id, act)
    click.echo(f"{len(file.incidents)} incidents, {len(file.entries)} entries, {len(file.operations)} operations")
    click.echo(out / f"subject-{person_id}.html")


@click.command()
@DATA_DIR
@TEAM
@BY
@click.option("--person", "person_id", type=click.UUID, help="A person, with the notes of the person's incidents.")
@click.option("--incident", "incident_id", type=click.UUID, help="The notes of an incident.")
def erase(data_dir: Path | None, team_id: UUID, by: str, person_id: UUID | None, incident_id: UUID | None) -> None:
    """Destroy a person's identifiers, or an incident's notes, for good; totals and chains stay as they are."""
    if (person_id is None) == (incident_id is None):
        raise click.UsageError("give either --person or --incident")
    chosen = settings(data_dir)
    journal = Journal(chosen.journal)

    async def act(connection: asyncpg.Connection, keys: KeyStore) -> erasure.ErasureReceipt:
        if person_id is not None:
            return await erasure.erase_person(connection, keys, journal, team_id, person_id, by)
        assert incident_id
        return await erasure.erase_incident(connection, keys, journal, team_id, incident_id, by)

    receipt = _run(chosen, team_id, act)
    click.echo(f"receipt {receipt.id}: {receipt.texts} texts, {receipt.keys} keys destroyed")


@click.command()
@DATA_DIR
@TEAM
@BY
@click.option("--reason", help="Why nothing of the incident may be destroyed.")
@click.option("--lift", is_flag=True, help="Lift the hold, also that of a death.")
@click.argument("incident_id", type=click.UUID)
def hold(data_dir: Path | None, team_id: UUID, by: str, reason: str | None, lift: bool, incident_id: UUID) -> None:
    """Put an incident under legal hold, or lift it."""
    if lift == bool(reason):
        raise click.UsageError("give either --reason or --lift")
    chosen = settings(data_dir)
    journal = Journal(chosen.journal)

    async def act(connection: asyncpg.Connection, _: KeyStore) -> None:
        if reason:
            await erasure.place_hold(connection, journal, team_id, incident_id, reason, by)
        else:
            await erasure.lift_hold(connection, journal, team_id, incident_id, by)

    _run(chosen, team_id, act)
    click.echo("lifted" if lift else "held")


@click.command()
@DATA_DIR
@TEAM
@click.option("--by", required=True, help="Who asks: a name or post, kept in the audit.")
@click.argument("incident_id", type=click.UUID)
def recipients(data_dir: Path | None, team_id: UUID, by: str, incident_id: UUID) -> None:
    """List who got a summary or release that may have been touched by a link of an incident, undone since."""

    async def act(connection: asyncpg.Connection, _: KeyStore) -> list[Recipient]:
        return await store.find(connection, team_id, incident_id, by)

    found = _run(settings(data_dir), team_id, act)
    for one in found:
        who = f"{one.who} ({one.role})" if one.role else one.who
        click.echo(f"{one.at.astimezone(UTC):%Y-%m-%d %H:%M}Z  {one.what}: {one.how}, {who}")
    if not found:
        click.echo("nobody")


@click.command()
@DATA_DIR
@TEAM
@click.option("--apply", "applying", is_flag=True, help="Do what is switched on; otherwise it is only shown.")
def retention(data_dir: Path | None, team_id: UUID, applying: bool) -> None:
    """Show what is past its period in the retention table, and with --apply destroy what the owner switched on."""
    chosen = settings(data_dir)

    async def act(connection: asyncpg.Connection, keys: KeyStore) -> tuple[list[RetentionDue], list[RetentionRun]]:
        kept = Retention(keys, Journal(chosen.journal), chosen.quarantine_days)
        return await kept.run(connection, team_id, datetime.now(UTC), not applying), await runs(connection, team_id)

    due_now, daily = _run(chosen, team_id, act)
    table = Table()
    for heading in ("part", "months", "then", "switched on", "review on", "due now"):
        table.add_column(heading)
    for due in due_now:
        on = "yes" if due.applied else "no"
        table.add_row(due.part, str(due.months), due.afterwards, on, due.review_on.isoformat(), str(due.count))
    Console().print(table)
    for run in daily:
        did = "did what is switched on" if run.applied else "would do, once TRIAGE_RETENTION_APPLIED is set"
        counts = ", ".join(
            f"{due.part} {due.count}" for due in run.found if due.afterwards == "destroy" and due.applied
        )
        click.echo(f"{run.day}: the daily job {did}: {counts or 'nothing is switched on'}")


@click.command()
@DATA_DIR
@TEAM
@BY
@click.option("--set", "regime", type=click.Choice(get_args(Regime)), help="What applies from now on.")
@click.option("--reason", help="Why it is changed.")
@click.argument("incident_id", type=click.UUID)
def regime(
    data_dir: Path | None, team_id: UUID, by: str, regime: Regime | None, reason: str | None, incident_id: UUID
) -> None:
    """Show, or with --set change, under which law an incident is processed. A change is kept with who and why."""
    if (regime is None) != (reason is None):
        raise click.UsageError("--set and --reason go together")

    chosen = settings(data_dir)

    async def act(connection: asyncpg.Connection, _: KeyStore) -> Regime:
        if regime and reason:
            journal = Journal(chosen.journal)
            await regimes.change(connection, journal, team_id, incident_id, regime=regime, reason=reason, by=by)
        return await regimes.regime_of(connection, team_id, incident_id)

    click.echo(_run(chosen, team_id, act))


def _run(chosen: Settings, team_id: UUID, act: Callable[[asyncpg.Connection, KeyStore], Awaitable[T]]) -> T:
    """Work as the owner of the database, in one transaction. Raises click.ClickException for what is refused."""
    logs.configure("error")
    try:
        return asyncio.run(_as_owner(chosen, team_id, act))
    except Refused as refused:
        raise click.ClickException("there is no such record in this team") from refused
    except UnderLegalHold as held:
        raise click.ClickException(str(held)) from held


async def _as_owner(chosen: Settings, team_id: UUID, act: Callable[[asyncpg.Connection, KeyStore], Awaitable[T]]) -> T:
    root = load_or_create_root(chosen.root_key_file)
    async with (
        databases(chosen) as addresses,
        connect(addresses.keys, 2, chosen.command_timeout_s, role=None) as keys_database,
        as_owner(addresses.owner, team_id) as connection,
    ):
        keys = KeyStore(keys_database, root, chosen.root_key_file)
        await keys.check()
        return await act(connection, keys)


def _write(path: Path, content: bytes) -> None:
    """For the owner of the file only."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)


def page(file: SubjectFile) -> str:
    """The file as one page for people, without script or outside address."""
    known = msgspec.to_builtins(file.identity) if file.identity else {}
    identity = _table(("What", "Value"), known.items()) if known else "<p>Nothing is held, or it was erased.</p>"
    entries = "".join(
        f"<h3>{one.seq}. {escape(one.kind)}, {one.received_at:%d %B %Y %H:%M} UTC</h3>"
        f"<p>Incident {one.incident_id}, written by {escape(one.profession)} {one.author}."
        f"{' Texts were destroyed on ' + f'{one.erased_at:%d %B %Y}.' if one.erased_at else ''}</p>"
        + _table(("Field", "Value"), one.content.items())
        for one in file.entries
    )
    operations = _table(
        ("When (UTC)", "What", "How", "Who", "To whom"),
        (
            (f"{one.at:%Y-%m-%d %H:%M:%S}", one.operation, one.query, one.actor or one.role, one.recipient or "")
            for one in file.operations
        ),
    )
    tagged = _table(("Incident", "Law"), ((one.incident_id, LAWS[one.regime]) for one in file.regimes))
    before = "".join(f"<li>{incident}</li>" for incident in file.linked_before)
    return (
        "<!doctype html><html lang='en'><meta charset='utf-8'><title>Subject access</title>"
        "<style>body{font:1em/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
        "table{border-collapse:collapse;width:100%}td,th{border:1px solid #888;padding:.3em;text-align:left;"
        "vertical-align:top;overflow-wrap:anywhere}</style>"
        f"<h1>What is held about a person</h1><p>Person {file.person_id}, gathered "
        f"{file.gathered_at:%d %B %Y %H:%M} UTC.</p><h2>Identifiers</h2>{identity}"
        f"<h2>Incidents, and the law they are processed under</h2>{tagged}"
        f"<h2>Entries</h2>{entries or '<p>None.</p>'}"
        f"<h2>Incidents linked before, and no longer</h2><ul>{before or '<li>None</li>'}</ul>"
        f"<h2>Who read it, and to whom it went</h2>{operations}</html>"
    )


def _table(headings: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    head = "".join(f"<th>{escape(one)}</th>" for one in headings)
    body = "".join("<tr>" + "".join(f"<td>{escape(str(value))}</td>" for value in row) + "</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"

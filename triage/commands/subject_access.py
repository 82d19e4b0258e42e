"""`triage subject-access`: everything that is held about one person, for that person."""

from collections.abc import Iterable
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Final
from uuid import UUID

import click
import msgspec

from triage import private_files
from triage.commands.database import Databases, with_databases
from triage.commands.output import indented_json
from triage.store.people import subject_access as store
from triage.store.people.regimes import Regime
from triage.store.people.subject_access import SubjectFile

LAWS: Final[dict[Regime, str]] = {
    "general": "UK GDPR",
    "law_enforcement": "Data Protection Act 2018 part 3",
    "both": "UK GDPR, and Data Protection Act 2018 part 3",
}


@with_databases
async def subject_access(databases: Databases, team_id: UUID | None, by: str, output: Path, person_id: UUID) -> None:
    """The work of `triage subject-access`."""
    output.mkdir(parents=True, exist_ok=True)
    async with databases.keys() as keys, databases.owner(team_id) as (connection, team):
        file = await store.gather(connection, keys, team, person_id, by, datetime.now(UTC))
        private_files.replace(output / f"subject-{person_id}.json", indented_json(file))
        private_files.replace(output / f"subject-{person_id}.html", page(file).encode())
    click.echo(f"{len(file.incidents)} incidents, {len(file.entries)} entries, {len(file.operations)} operations")
    click.echo(output / f"subject-{person_id}.html")


def page(file: SubjectFile) -> str:
    """The file as one page for people, without script or outside address."""
    known = msgspec.to_builtins(file.identity) if file.identity else {}
    identity = _table(("What", "Value"), known.items()) if known else "<p>Nothing is held, or it was erased.</p>"
    entries = "".join(
        f"<h3>{entry.seq}. {escape(entry.kind)}, {entry.received_at:%d %B %Y %H:%M} UTC</h3>"
        f"<p>Incident {entry.incident_id}, written by {escape(entry.profession)} {entry.author}."
        f"{' Texts were destroyed on ' + f'{entry.erased_at:%d %B %Y}.' if entry.erased_at else ''}</p>"
        + _table(("Field", "Value"), entry.content.items())
        for entry in file.entries
    )
    operations = _table(
        ("When (UTC)", "What", "How", "Who", "To whom"),
        (
            (f"{read.at:%Y-%m-%d %H:%M:%S}", read.operation, read.query, read.actor or read.role, read.recipient or "")
            for read in file.operations
        ),
    )
    asked = _table(
        ("Asked (UTC)", "Incident", "About", "Text", "By", "Of"),
        (
            (
                f"{question.made_at:%Y-%m-%d %H:%M:%S}",
                question.incident_id,
                question.about,
                question.text or "",
                question.made_by,
                question.addressee,
            )
            for question in file.asked
        ),
    )
    laws = _table(("Incident", "Law"), ((tagged.incident_id, LAWS[tagged.regime]) for tagged in file.regimes))
    before = "".join(f"<li>{incident}</li>" for incident in file.linked_before)
    return (
        "<!doctype html><html lang='en'><meta charset='utf-8'><title>Subject access</title>"
        "<style>body{font:1em/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
        "table{border-collapse:collapse;width:100%}td,th{border:1px solid #888;padding:.3em;text-align:left;"
        "vertical-align:top;overflow-wrap:anywhere}</style>"
        f"<h1>What is held about a person</h1><p>Person {file.person_id}, gathered "
        f"{file.gathered_at:%d %B %Y %H:%M} UTC.</p><h2>Identifiers</h2>{identity}"
        f"<h2>Incidents, and the law they are processed under</h2>{laws}"
        f"<h2>Entries</h2>{entries or '<p>None.</p>'}"
        f"<h2>What was asked about them</h2>{asked if file.asked else '<p>Nothing.</p>'}"
        f"<h2>Incidents linked before, and no longer</h2><ul>{before or '<li>None</li>'}</ul>"
        f"<h2>Who read it, and to whom it went</h2>{operations}</html>"
    )


def _table(headings: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    head = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    body = "".join("<tr>" + "".join(f"<td>{escape(str(value))}</td>" for value in row) + "</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"

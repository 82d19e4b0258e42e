"""Exports as partners read them: releases under their agreements, the bytes of files, and the ledger of pulls."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
from msgspec import Struct

from triage import chain
from triage.access.actors import Actor
from triage.exports import ledger
from triage.exports.ledger import Download, LedgerLine
from triage.problems import AGREEMENT_EXPIRED, NOT_FOUND, Refused
from triage.store import audit
from triage.store.database import Connection, Database
from triage.store.exports.agreements import SQL as AGREEMENTS
from triage.store.exports.releases import CHUNK
from triage.store.exports.releases import SQL as RELEASES
from triage.store.statements import load

SQL = load("exports")

PAGE: Final = 1_000


class Offer(Struct, frozen=True):
    """A release in the list."""

    dataset: str
    period: str
    edition: int
    released_at: datetime


class AgreementInForce(Struct, frozen=True):
    """What an agreement in force says that a pull is logged with."""

    agreement_id: UUID
    datasets: list[str]
    columns: list[str]
    areas: list[str]
    purpose: str
    expired: bool


class OfferedRelease(Struct, frozen=True):
    """A release as one agreement gets it."""

    agreement: AgreementInForce
    release_id: UUID
    edition: int
    manifest: bytes


class StoredFile(Struct, frozen=True):
    """A file of a release; `size` in bytes."""

    name: str
    media_type: str
    size: int
    sha256: str
    rows: int | None


async def offers(database: Database, actor: Actor, now: datetime) -> list[Offer]:
    """Every edition that the partner may pull, the latest first. Raises Refused (403) when all has expired."""
    async with database.team(actor.team_id) as connection:
        agreements = await _agreements(connection, actor, now)
        valid = [agreement.agreement_id for agreement in agreements if not agreement.expired]
        if agreements and not valid:
            raise Refused(AGREEMENT_EXPIRED)
        return [Offer(*row) for row in await connection.fetch(SQL.list_releases, actor.team_id, valid)]


async def find(
    database: Database, actor: Actor, dataset: str, period: str, edition: int | None, now: datetime
) -> OfferedRelease:
    """A release. Raises Refused: 404 for what the partner does not get, there or not; 403 under an expired agreement.

    Whether the agreement has expired is decided before anything is looked up: neither answer tells what there is.
    """
    async with database.team(actor.team_id) as connection:
        every = await _agreements(connection, actor, now)
        agreements = [agreement for agreement in every if dataset in agreement.datasets]
        if not agreements:
            raise Refused(NOT_FOUND)
        if agreements[-1].expired:
            raise Refused(AGREEMENT_EXPIRED)
        row = await connection.fetchrow(
            SQL.manifest, actor.team_id, agreements[-1].agreement_id, dataset, period, edition
        )
    if row is None:
        raise Refused(NOT_FOUND)
    return OfferedRelease(agreements[-1], row["release_id"], row["edition"], row["manifest"])


async def _agreements(connection: Connection, actor: Actor, now: datetime) -> list[AgreementInForce]:
    if actor.partner_id is None:
        raise Refused(NOT_FOUND)
    rows = await connection.fetch(AGREEMENTS.coming, actor.team_id, actor.partner_id, now)
    return [AgreementInForce(*row) for row in rows]


async def find_file(database: Database, actor: Actor, release: OfferedRelease, name: str) -> StoredFile:
    """A file of a release. Raises Refused (404)."""
    async with database.team(actor.team_id) as connection:
        row = await connection.fetchrow(
            SQL.file, actor.team_id, release.release_id, release.agreement.agreement_id, name
        )
    if row is None:
        raise Refused(NOT_FOUND)
    return StoredFile(name, row["media_type"], row["bytes"], row["sha256"].hex(), row["rows"])


async def read_pieces(
    database: Database, team_id: UUID, release: OfferedRelease, name: str, first: int, last: int
) -> AsyncIterator[bytes]:
    """The bytes from `first` to `last`, both included; no connection is held while a client is slow."""
    address = (team_id, release.release_id, release.agreement.agreement_id, name)
    for n in range(first // CHUNK, last // CHUNK + 1):
        async with database.team(team_id) as connection:
            body: bytes = await connection.fetchval(RELEASES.chunk, *address, n)
        start = n * CHUNK
        yield body[max(first - start, 0) : last - start + 1]


async def record_download(
    database: Database, actor: Actor, release: OfferedRelease, dataset: str, period: str, stored: StoredFile, part: str
) -> None:
    """Write a pull to the ledger, and as a disclosure to the audit (DPA 2018 s62), before the first byte leaves."""
    assert actor.partner_id
    agreement = release.agreement
    records = dataset == "records"
    async with database.team(actor.team_id) as connection, connection.transaction():
        await connection.execute(SQL.open_ledger, actor.team_id)
        head = await connection.fetchrow(SQL.ledger_head, actor.team_id)
        assert head
        pull = Download(
            at=head["at"],
            partner_id=actor.partner_id,
            agreement_id=agreement.agreement_id,
            purpose=agreement.purpose,
            dataset=dataset,
            period=period,
            edition=release.edition,
            file=stored.name,
            columns=tuple(agreement.columns) if records else (),
            areas=tuple(agreement.areas) if records else (),
            part=part,
            rows=stored.rows or 0,
            sha256=stored.sha256,
        )
        n = head["n"] + 1
        link = ledger.link(actor.team_id, head["link"], n, pull)
        await connection.execute(SQL.add_pull, actor.team_id, n, *_columns(pull), link)
        await connection.execute(SQL.move_ledger_head, actor.team_id, n, pull.at, link)
        query = f"export {dataset} {period} {release.edition} {stored.name}"
        ids = [release.release_id, agreement.agreement_id]
        await audit.record(connection, actor, "disclosure", query, ids, recipient=str(actor.partner_id))


def _columns(pull: Download) -> tuple[Any, ...]:
    return (
        pull.at,
        pull.partner_id,
        pull.agreement_id,
        pull.purpose,
        pull.dataset,
        pull.period,
        pull.edition,
        pull.file,
        pull.columns,
        pull.areas,
        pull.part,
        pull.rows,
        bytes.fromhex(pull.sha256),
    )


async def list_downloads(database: Database, actor: Actor, before: datetime | None, limit: int) -> list[Download]:
    """Pulls, newest first: a partner's own, or everybody's for the auditor."""
    async with database.team(actor.team_id) as connection:
        rows = await connection.fetch(SQL.pulls, actor.team_id, actor.partner_id, before, limit)
    return [_line(row).pull for row in rows]


def _line(row: asyncpg.Record) -> LedgerLine:
    n, at, partner, agreement, purpose, dataset, period, edition, name, columns, areas, part, rows, digest, link = row
    return LedgerLine(
        n,
        Download(
            at=at,
            partner_id=partner,
            agreement_id=agreement,
            purpose=purpose,
            dataset=dataset,
            period=period,
            edition=edition,
            file=name,
            columns=tuple(columns),
            areas=tuple(areas),
            part=part,
            rows=rows,
            sha256=digest.hex(),
        ),
        link,
    )


class LedgerVerdict(Struct, frozen=True):
    """Whether the ledger is whole; `fault` names the first line that is not as it was written."""

    team_id: UUID
    lines: int
    fault: str | None


async def verify_ledger(connection: Connection, team_id: UUID) -> LedgerVerdict:
    """Recompute every link of a team's ledger."""
    head = await connection.fetchrow(SQL.ledger_ends, team_id)
    last: LedgerLine | None = None
    while rows := await connection.fetch(SQL.walk_ledger, team_id, last.n if last else 0, PAGE):
        lines = [_line(row) for row in rows]
        if fault := ledger.fault(team_id, last, lines):
            return LedgerVerdict(team_id, last.n if last else 0, fault)
        last = lines[-1]
    n, link = (last.n, last.link) if last else (0, chain.GENESIS)
    ends = (head["n"], head["link"]) if head else (0, chain.GENESIS)
    # a pull may have come since the head was read
    if n < ends[0] or (n == ends[0] and link != ends[1]):
        return LedgerVerdict(team_id, n, f"line {n + 1} is missing: the ledger ends at {ends[0]}")
    return LedgerVerdict(team_id, n, None)

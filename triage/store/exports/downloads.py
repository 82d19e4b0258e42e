"""Exports as partners read them: releases under their agreements, the bytes of files, and the ledger of pulls."""

from collections.abc import AsyncIterator
from datetime import datetime
from uuid import UUID

from msgspec import Struct, structs

from triage import chain
from triage.access.actors import Actor
from triage.exports.ledger import Download, payload
from triage.problems import AGREEMENT_EXPIRED, NOT_FOUND, Refused
from triage.store import audit
from triage.store.database import Connection, Database
from triage.store.exports.rendered_files import CHUNK
from triage.store.replica import Replica
from triage.store.statements import statement


class Offer(Struct, frozen=True):
    """A release in the list."""

    dataset: str
    period: str
    edition: int
    released_at: datetime


class AgreementInForce(Struct, frozen=True):
    """The terms of an agreement in force with which a pull is logged."""

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


class _RenderedRelease(Struct, frozen=True):
    release_id: UUID
    edition: int
    manifest: bytes


class _LedgerEnd(Struct, frozen=True):
    """`at` is the instant of the next line."""

    n: int
    link: bytes
    at: datetime


_LIST_RELEASES = statement("exports.list_releases", Offer)
_MANIFEST = statement("exports.manifest", _RenderedRelease)
_IN_FORCE = statement("agreements.coming", AgreementInForce)
_FILE = statement("exports.file", StoredFile)
CHUNK_OF_FILE = statement("releases.chunk", bytes)
_OPEN_LEDGER = statement("exports.open_ledger")
_LEDGER_HEAD = statement("exports.ledger_head", _LedgerEnd)
_MOVE_LEDGER_HEAD = statement("exports.move_ledger_head")
_ADD_PULL = statement("exports.add_pull")
_PULLS = statement("exports.pulls", Download)


async def offers(database: Database, replica: Replica, actor: Actor, now: datetime) -> list[Offer]:
    """Every edition that the partner may pull, the latest first. Raises Refused (403) when all has expired."""
    async with database.team(actor.team_id) as connection:
        agreements = await _agreements(connection, actor, now)
        valid = [agreement.agreement_id for agreement in agreements if not agreement.expired]
        if agreements and not valid:
            raise Refused(AGREEMENT_EXPIRED)
    return await replica.read(
        actor.team_id,
        lambda connection: _LIST_RELEASES.fetch(connection, team_id=actor.team_id, agreements=valid),
    )


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
        release = await _MANIFEST.fetch_first(
            connection,
            team_id=actor.team_id,
            agreement_id=agreements[-1].agreement_id,
            dataset=dataset,
            period=period,
            edition=edition,
        )
    if release is None:
        raise Refused(NOT_FOUND)
    return OfferedRelease(agreements[-1], release.release_id, release.edition, release.manifest)


async def _agreements(connection: Connection, actor: Actor, now: datetime) -> list[AgreementInForce]:
    if actor.partner_id is None:
        raise Refused(NOT_FOUND)
    return await _IN_FORCE.fetch(connection, team_id=actor.team_id, partner_id=actor.partner_id, now=now)


async def find_file(database: Database, actor: Actor, release: OfferedRelease, name: str) -> StoredFile:
    """A file of a release. Raises Refused (404)."""
    async with database.team(actor.team_id) as connection:
        stored = await _FILE.fetch_first(
            connection,
            team_id=actor.team_id,
            release_id=release.release_id,
            agreement_id=release.agreement.agreement_id,
            name=name,
        )
    if stored is None:
        raise Refused(NOT_FOUND)
    return stored


async def read_pieces(
    replica: Replica, team_id: UUID, release: OfferedRelease, name: str, first: int, last: int
) -> AsyncIterator[bytes]:
    """The bytes from `first` to `last`, both included; no connection is held while a client is slow.

    They were frozen under the release's id, so that any copy of them is the right one.
    """

    async def load(connection: Connection) -> bytes | None:
        return await CHUNK_OF_FILE.fetch_first(
            connection,
            team_id=team_id,
            release_id=release.release_id,
            agreement_id=release.agreement.agreement_id,
            name=name,
            n=n,
        )

    for n in range(first // CHUNK, last // CHUNK + 1):
        body = await replica.read(team_id, load)
        assert body is not None, "a file ends before the size that is stored of it"
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
        await _OPEN_LEDGER.execute(connection, team_id=actor.team_id)
        head = await _LEDGER_HEAD.fetch_one(connection, team_id=actor.team_id)
        pull = Download(
            at=head.at,
            partner_id=actor.partner_id,
            agreement_id=agreement.agreement_id,
            purpose=agreement.purpose,
            dataset=dataset,
            period=period,
            edition=release.edition,
            file=stored.name,
            columns=agreement.columns if records else [],
            areas=agreement.areas if records else [],
            part=part,
            rows=stored.rows or 0,
            sha256=stored.sha256,
        )
        n = head.n + 1
        link = chain.extend(head.link, payload(actor.team_id, n, pull))
        line = structs.asdict(pull) | {"sha256": bytes.fromhex(pull.sha256)}
        await _ADD_PULL.execute(connection, team_id=actor.team_id, n=n, link=link, **line)
        await _MOVE_LEDGER_HEAD.execute(connection, team_id=actor.team_id, n=n, at=pull.at, link=link)
        query = f"export {dataset} {period} {release.edition} {stored.name}"
        ids = [release.release_id, agreement.agreement_id]
        await audit.record(connection, actor, "disclosure", query, ids, recipient=str(actor.partner_id))


async def list_downloads(replica: Replica, actor: Actor, before: datetime | None, limit: int) -> list[Download]:
    """Pulls, newest first: a partner's own, or everybody's for the auditor."""
    return await replica.read(
        actor.team_id,
        lambda connection: _PULLS.fetch(
            connection, team_id=actor.team_id, partner_id=actor.partner_id, before=before, most=limit
        ),
    )

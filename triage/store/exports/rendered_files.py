"""The files of a release, rendered once for each agreement and kept in pieces."""

import asyncio
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec import Struct

from triage.exports import rendering
from triage.exports.calendar import Dataset
from triage.exports.files import RenderedFile
from triage.exports.keys import Keys
from triage.exports.rendering import FrozenRecords, FrozenTables, Rendering, SignedAgreement
from triage.exports.selection import Body, Selection
from triage.store.database import Connection
from triage.store.exports.releases import StoredRelease
from triage.store.exports.snapshots import PATIENCE_S
from triage.store.statements import statement

CHUNK: Final = 256 * 1024
"""Bytes of a stored piece of a file; the last one may be shorter."""


class _AgreementColumns(Struct, frozen=True):
    agreement_id: UUID
    partner_id: UUID
    body: Body
    columns: list[str]
    areas: list[str]
    purpose: str

    def signed(self) -> SignedAgreement:
        scope = Selection(str(self.partner_id), self.body, tuple(self.columns), tuple(self.areas))
        return SignedAgreement(self.agreement_id, scope, self.purpose)


_AGREEMENTS_FOR = statement("releases.agreements_for", _AgreementColumns)
_ADD_RENDERING = statement("releases.add_rendering")
_ADD_FILE = statement("releases.add_file")
_ADD_CHUNK = statement("releases.add_chunk", timeout_s=PATIENCE_S)


async def agreements_for(
    connection: Connection, team_id: UUID, dataset: Dataset, now: datetime
) -> list[SignedAgreement]:
    """The agreements in force that cover a dataset."""
    rows = await _AGREEMENTS_FOR.fetch(connection, team_id=team_id, dataset=dataset, now=now)
    return [row.signed() for row in rows]


async def render(
    connection: Connection,
    team_id: UUID,
    stored: StoredRelease,
    agreements: Iterable[SignedAgreement],
    keys: Keys,
    now: datetime,
) -> None:
    """Render a release once for each of these agreements, and store the bytes."""
    for agreed in agreements:
        files = await asyncio.to_thread(rendered, stored, agreed, keys)
        address = {"team_id": team_id, "release_id": stored.release_id, "agreement_id": agreed.agreement_id}
        await _ADD_RENDERING.execute(connection, **address, manifest=files.manifest, rendered_at=now)
        for file in files.files:
            await _add_file(connection, address, file)


def rendered(stored: StoredRelease, agreed: SignedAgreement, keys: Keys) -> Rendering:
    """The files of one agreement, from what is frozen."""
    match stored.frozen:
        case FrozenRecords():
            return rendering.records(stored.frozen, stored.about, agreed, stored.people, keys.references)
        case FrozenTables():
            return rendering.tables(stored.frozen, stored.about, agreed)


async def _add_file(connection: Connection, address: dict[str, UUID], file: RenderedFile) -> None:
    await _ADD_FILE.execute(
        connection,
        **address,
        name=file.name,
        media_type=file.media_type,
        size=file.size,
        sha256=bytes.fromhex(file.sha256),
        rows=file.rows,
    )
    pieces = enumerate(_even(file.chunks))
    await _ADD_CHUNK.execute_many(
        connection, [{**address, "name": file.name, "n": n, "body": body} for n, body in pieces]
    )


def _even(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of one size, so that the piece that holds a position is known without looking."""
    held = bytearray()
    for chunk in chunks:
        held += chunk
        at = 0
        while len(held) - at >= CHUNK:
            yield bytes(held[at : at + CHUNK])
            at += CHUNK
        del held[:at]
    if held:
        yield bytes(held)

"""A frozen release as one agreement gets it: its files, and the manifest that describes them with the statement."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct, structs

from triage.exports import dictionary, files, parquet
from triage.exports import members as m
from triage.exports.calendar import Dataset
from triage.exports.files import TABLES_COLUMNS, RenderedFile
from triage.exports.members import RECORD_COLUMNS
from triage.exports.records import RecordsRelease
from triage.exports.selection import COARSER, Selection, extract
from triage.exports.statement import (
    RecordsStatement,
    ReleaseTerms,
    TablesStatement,
    records_statement,
    tables_statement,
)
from triage.exports.tables import Edition, Rules
from triage.exports.tree import Config


class FrozenRecords(Struct, frozen=True, tag="records"):
    """A record release with the parameters it was cut under. As stored it has no rows: they lie beside it."""

    release: RecordsRelease
    config: Config


class FrozenTables(Struct, frozen=True, tag="tables"):
    """An edition of tables with the parameters it was cut under."""

    edition: Edition
    rules: Rules


Frozen = FrozenRecords | FrozenTables


class SignedAgreement(Struct, frozen=True):
    """The part of an agreement that a rendering needs."""

    agreement_id: UUID
    scope: Selection
    purpose: str


class ReleaseHeader(Struct, frozen=True):
    """The head of a release in its manifest."""

    dataset: Dataset
    period: str
    edition: int
    cut_off: datetime
    released_at: datetime


class ManifestFile(Struct, frozen=True):
    """A file of a release; `bytes` is its size, `rows` without a header, null for a file that only describes others."""

    name: str
    media_type: str
    bytes: int
    sha256: str
    rows: int | None


class Manifest(Struct, frozen=True, kw_only=True):
    """The answer of `GET /v1/exports/{dataset}/{period}`: stored once, the same bytes for ever."""

    dataset: Dataset
    period: str
    edition: int
    released_at: datetime
    files: tuple[ManifestFile, ...]
    statement: RecordsStatement | TablesStatement


class Rendering(Struct, frozen=True):
    """The files and manifest stored for one agreement."""

    manifest: bytes
    files: tuple[RenderedFile, ...]


def records(
    frozen: FrozenRecords,
    about: ReleaseHeader,
    agreed: SignedAgreement,
    people: Mapping[UUID, m.RegisteredPerson | None],
    key: bytes,
) -> Rendering:
    """A record release for one agreement. `people` tells the person of every released incident."""
    selected = extract(frozen.release, agreed.scope, key)
    rows = [files.records_csv(selected), files.records_ndjson(selected)]
    statement = records_statement(frozen.release, selected, people, _terms(about, agreed, rows[0]), frozen.config)
    if parquet.AVAILABLE:
        rows.append(parquet.records_parquet(selected, _described(statement)))
    body = dictionary.records_metadata(
        selected.columns, classes_for(agreed.scope, frozen.release.months), f"Record file {about.period}"
    )
    return _rendering(about, [*rows, files.metadata(dictionary.METADATA, body)], statement)


def tables(frozen: FrozenTables, about: ReleaseHeader, agreed: SignedAgreement) -> Rendering:
    """An edition of tables for one agreement: the same numbers for everybody."""
    rows = [files.tables_csv(frozen.edition)]
    statement = tables_statement(frozen.edition, _terms(about, agreed, rows[0]), frozen.rules)
    if parquet.AVAILABLE:
        rows.append(parquet.tables_parquet(frozen.edition, _described(statement)))
    body = dictionary.tables_metadata(TABLES_COLUMNS, frozen.edition.tables, f"Protected tables {about.period}")
    return _rendering(about, [*rows, files.metadata(dictionary.METADATA, body)], statement)


def _described(statement: RecordsStatement | TablesStatement) -> dict[str, str]:
    """The metadata inside a file whose format has room for it."""
    return {
        "release": statement.release,
        "policy": statement.policy,
        "cut_off": statement.cut_off.isoformat(),
        "agreement": statement.agreement,
        "purpose": statement.purpose,
        "read_me": "\n".join(statement.read_me),
    }


def classes_for(selection: Selection, months: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """The classes of every column, as this agreement sees them."""
    classes = {column.name: column.classes for column in RECORD_COLUMNS} | {"month": months}
    view = COARSER[selection.body]
    if view:
        classes[view.column] = tuple(dict.fromkeys(view.label.values()))
    return classes


def _terms(about: ReleaseHeader, agreed: SignedAgreement, file: RenderedFile) -> ReleaseTerms:
    earlier = f"{about.dataset}/{about.period}/{about.edition - 1}" if about.edition > 1 else None
    return ReleaseTerms(str(agreed.agreement_id), agreed.purpose, about.cut_off, file.name, file.sha256, earlier)


_encode: Final = msgspec.json.Encoder().encode
_pack: Final = msgspec.msgpack.Encoder().encode
decode_manifest: Final = msgspec.json.Decoder(Manifest).decode
"""A stored manifest."""
unpack: Final[Callable[[bytes], Frozen]] = msgspec.msgpack.Decoder(FrozenRecords | FrozenTables).decode
"""Frozen records or tables as `pack` gave them: records without their rows."""


def _rendering(
    about: ReleaseHeader, described: Sequence[RenderedFile], statement: RecordsStatement | TablesStatement
) -> Rendering:
    everything = [*described, files.sums(described)]
    manifest = Manifest(
        dataset=about.dataset,
        period=about.period,
        edition=about.edition,
        released_at=about.released_at,
        files=tuple(ManifestFile(f.name, f.media_type, f.size, f.sha256, f.rows) for f in everything),
        statement=statement,
    )
    return Rendering(_encode(manifest), tuple(everything))


def pack(frozen: Frozen) -> bytes:
    """The bytes to store of what is frozen; the rows of a record release are stored beside them."""
    if isinstance(frozen, FrozenRecords):
        frozen = structs.replace(frozen, release=structs.replace(frozen.release, rows=()))
    return _pack(frozen)


def digest(frozen: Frozen) -> bytes:
    """SHA-256 of what is frozen: the rows of a record release, or the cells and members of tables."""
    if isinstance(frozen, FrozenRecords):
        return bytes.fromhex(frozen.release.sha256)
    return hashlib.sha256(_pack(frozen.edition)).digest()

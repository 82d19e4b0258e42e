"""A frozen release as one agreement gets it: its files, and the manifest that describes them with the statement."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct, structs

from triage.exports import files, parquet
from triage.exports import members as m
from triage.exports.calendar import Dataset
from triage.exports.catalogue import CLASSES
from triage.exports.files import TABLES_COLUMNS, File
from triage.exports.records import GROUP_COLUMNS, SHUFFLED, Release
from triage.exports.selection import ROW_REF, Selection, coarser, extract
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

    release: Release
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
    """What a manifest says of a release beside its content."""

    dataset: Dataset
    period: str
    edition: int
    cut_off: datetime
    released_at: datetime


class ManifestFile(Struct, frozen=True):
    """A file of a release; `bytes` is its size, `rows` without a header."""

    name: str
    media_type: str
    bytes: int
    sha256: str
    rows: int


class ManifestColumn(Struct, frozen=True):
    """A column of the files, with its classes if it has any; where `pooled`, `|` joins them and `*` hides them."""

    name: str
    kind: str
    values: tuple[str, ...] = ()
    pooled: bool = False
    shuffled: bool = False


class Manifest(Struct, frozen=True, kw_only=True):
    """What `GET /v1/exports/{dataset}/{period}` answers: stored once, the same bytes for ever."""

    dataset: Dataset
    period: str
    edition: int
    released_at: datetime
    files: tuple[ManifestFile, ...]
    columns: tuple[ManifestColumn, ...]
    statement: RecordsStatement | TablesStatement


class Rendering(Struct, frozen=True):
    """What is stored for one agreement."""

    manifest: bytes
    files: tuple[File, ...]


def records(
    frozen: FrozenRecords, about: ReleaseHeader, agreed: SignedAgreement, people: Mapping[UUID, UUID | None], key: bytes
) -> Rendering:
    """A record release for one agreement. `people` tells the person of every released incident."""
    found = extract(frozen.release, agreed.scope, key)
    rendered = [files.records_csv(found), files.records_ndjson(found)]
    if parquet.AVAILABLE:
        rendered.append(parquet.records_parquet(found))
    statement = records_statement(frozen.release, found, people, _terms(about, agreed, rendered[0]), frozen.config)
    return _rendered(about, rendered, dictionary(agreed.scope, found.columns), statement)


def tables(frozen: FrozenTables, about: ReleaseHeader, agreed: SignedAgreement) -> Rendering:
    """An edition of tables for one agreement: the same numbers for everybody."""
    file = files.tables_csv(frozen.edition)
    statement = tables_statement(frozen.edition, _terms(about, agreed, file), frozen.rules)
    columns = tuple(
        ManifestColumn(name, "number" if name == "count" else "label", (files.HIDDEN,) if name == "count" else ())
        for name in TABLES_COLUMNS
    )
    return _rendered(about, [file], columns, statement)


_VALUES: Final[Mapping[str, tuple[str, ...]]] = {
    "area": m.AREA.classes,
    "age": (*m.AGE.classes, "18-64"),
    "sex": m.SEX.classes,
    "ethnic_group": m.ETHNIC_GROUP.classes,
    "shift": m.SHIFTS,
    "power": CLASSES["power"],
    "disposal": CLASSES["disposal"],
    "place_of_safety": m.PLACE_OF_SAFETY.classes,
    "minutes_at_scene": m.MINUTES,
    "source": m.SOURCE.classes,
    "conveyance": m.CONVEYANCE.classes,
}


def dictionary(scope: Selection, columns: tuple[str, ...]) -> tuple[ManifestColumn, ...]:
    """Every column with its classes, as this agreement sees them."""
    view = coarser(scope.body)
    found = []
    for name in columns:
        values = _VALUES.get(name, ())
        if view and name == view.column:
            values = tuple(dict.fromkeys(view.label.values()))
        kind = "reference" if name == ROW_REF else "month" if name == "month" else "class"
        found.append(ManifestColumn(name, kind, values, name in GROUP_COLUMNS, name in SHUFFLED))
    return tuple(found)


def _terms(about: ReleaseHeader, agreed: SignedAgreement, file: File) -> ReleaseTerms:
    earlier = f"{about.dataset}/{about.period}/{about.edition - 1}" if about.edition > 1 else None
    return ReleaseTerms(str(agreed.agreement_id), agreed.purpose, about.cut_off, file.name, file.sha256, earlier)


_encode = msgspec.json.Encoder().encode
_manifest = msgspec.json.Decoder(Manifest).decode
_pack = msgspec.msgpack.Encoder().encode
_frozen = msgspec.msgpack.Decoder(FrozenRecords | FrozenTables).decode


def _rendered(
    about: ReleaseHeader,
    rendered: list[File],
    columns: tuple[ManifestColumn, ...],
    statement: RecordsStatement | TablesStatement,
) -> Rendering:
    manifest = Manifest(
        dataset=about.dataset,
        period=about.period,
        edition=about.edition,
        released_at=about.released_at,
        files=tuple(ManifestFile(f.name, f.media_type, f.size, f.sha256, f.rows) for f in rendered),
        columns=columns,
        statement=statement,
    )
    return Rendering(_encode(manifest), tuple(rendered))


def decode_manifest(body: bytes) -> Manifest:
    """A stored manifest."""
    return _manifest(body)


def pack(frozen: Frozen) -> bytes:
    """The bytes to store of what is frozen; the rows of a record release are stored beside them."""
    if isinstance(frozen, FrozenRecords):
        frozen = structs.replace(frozen, release=structs.replace(frozen.release, rows=()))
    return _pack(frozen)


def unpack(body: bytes) -> Frozen:
    """What was frozen; a record release without its rows."""
    frozen: Frozen = _frozen(body)
    return frozen


def digest(frozen: Frozen) -> bytes:
    """SHA-256 of what is frozen: the rows of a record release, or the cells and members of tables."""
    if isinstance(frozen, FrozenRecords):
        return bytes.fromhex(frozen.release.sha256)
    return hashlib.sha256(_pack(frozen.edition)).digest()

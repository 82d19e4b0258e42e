"""Proving releases: what is stored of them is as it was frozen, and what was stated of every file is true."""

from hashlib import sha256
from uuid import UUID

import asyncpg
from msgspec import Struct, structs

from triage.exports import records, rendering
from triage.exports.rendering import FrozenRecords, FrozenTables, Manifest
from triage.exports.selection import Body, Selection, extract
from triage.exports.statement import RecordsStatement, TablesStatement, people_per_group, recompute, recompute_cells
from triage.progress import Progress
from triage.store.exports import releases
from triage.store.exports.downloads import CHUNK_OF_FILE
from triage.store.exports.releases import StoredRelease
from triage.store.statements import statement


class ReleaseVerdict(Struct, frozen=True):
    """Whether a release is as it was frozen. `k_people` is the fewest people in a group of any of its files."""

    name: str
    files: int
    k_people: int | None
    fault: str | None


class _Rendered(Struct, frozen=True):
    release_id: UUID
    agreement_id: UUID
    manifest: bytes
    partner_id: UUID
    body: Body
    columns: list[str]
    areas: list[str]


class _FileDigest(Struct, frozen=True):
    name: str
    sha256: bytes


_RENDERINGS = statement("releases.renderings", _Rendered)
_FILES = statement("releases.files", _FileDigest)


async def verify_releases(connection: asyncpg.Connection, team_id: UUID, progress: Progress) -> list[ReleaseVerdict]:
    """Recompute every release of a team. `progress` is told how many of how many are done."""
    verdicts = []
    everything = await releases.all_releases(connection, team_id)
    for n, (stored, digest) in enumerate(everything):
        whole = await releases.load_rows(connection, team_id, stored)
        verdicts.append(await _verify(connection, team_id, whole, digest))
        progress(n + 1, len(everything))
    return verdicts


async def _verify(
    connection: asyncpg.Connection, team_id: UUID, stored: StoredRelease, digest: bytes
) -> ReleaseVerdict:
    name = f"{stored.about.dataset}/{stored.about.period}/{stored.about.edition}"
    if _digest(stored) != digest:
        return ReleaseVerdict(name, 0, None, "what is frozen was altered")
    files, k_people = 0, None
    for row in await _RENDERINGS.fetch(connection, team_id=team_id, release_id=stored.release_id):
        manifest = rendering.decode_manifest(row.manifest)
        selection = Selection(str(row.partner_id), row.body, tuple(row.columns), tuple(row.areas))
        k = _k_people(stored, selection)
        if k is not None:
            k_people = k if k_people is None else min(k, k_people)
        fault = _misstated(stored, manifest, selection) or await _altered(connection, team_id, row, manifest)
        files += len(manifest.files)
        if fault:
            return ReleaseVerdict(name, files, k_people, f"agreement {row.agreement_id}: {fault}")
    return ReleaseVerdict(name, files, k_people, None)


def _digest(stored: StoredRelease) -> bytes:
    """Of what is stored now, not of what the stored body says of itself."""
    match stored.frozen:
        case FrozenRecords(release=release):
            return bytes.fromhex(records.digest(release.rows))
        case FrozenTables():
            return rendering.digest(stored.frozen)


def _k_people(stored: StoredRelease, selection: Selection) -> int | None:
    if isinstance(stored.frozen, FrozenTables):
        return None
    selected = extract(stored.frozen.release, selection, b"")
    groups = people_per_group(stored.frozen.release, selected, stored.people)
    return min((group.people for group in groups), default=None)


def _misstated(stored: StoredRelease, manifest: Manifest, selection: Selection) -> str | None:
    """The achieved figures of the statement, against what is frozen."""
    match stored.frozen, manifest.statement:
        case FrozenRecords(release=release, config=config), RecordsStatement(achieved=achieved):
            selected = extract(release, selection, b"")
            shown = recompute(selected.columns, selected.rows, config.harmful)
            stated = structs.asdict(achieved)
            if any(stated[name] != value for name, value in structs.asdict(shown).items()):
                return "the statement does not recompute from the rows"
            k = min((g.people for g in people_per_group(release, selected, stored.people)), default=0)
            if k != achieved.k_people or (selected.rows and k < config.k):
                return f"a group holds {k} people; {achieved.k_people} are stated, {config.k} promised"
            return None
        case FrozenTables(edition=edition), TablesStatement(achieved=shown_cells):
            if recompute_cells(cell.count for cell in edition.cells) != shown_cells:
                return "the statement does not recompute from the cells"
            return None
        case _:
            return "the statement is of another dataset"


async def _altered(
    connection: asyncpg.Connection, team_id: UUID, rendered: _Rendered, manifest: Manifest
) -> str | None:
    address = {"team_id": team_id, "release_id": rendered.release_id, "agreement_id": rendered.agreement_id}
    stored = {file.name: file.sha256 for file in await _FILES.fetch(connection, **address)}
    if set(stored) != {file.name for file in manifest.files}:
        return "its files are not those of the manifest"
    for file in manifest.files:
        size, digest, n = 0, sha256(), 0
        while (body := await CHUNK_OF_FILE.fetch_first(connection, **address, name=file.name, n=n)) is not None:
            digest.update(body)
            size += len(body)
            n += 1
        if (size, digest.hexdigest()) != (file.bytes, file.sha256) or stored[file.name] != digest.digest():
            return f"{file.name} was altered"
    return None

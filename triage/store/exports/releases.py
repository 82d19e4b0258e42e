"""Releases in the database: what a cut is made from, what it froze, and the files as each agreement gets them."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import Final, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
import msgspec
from msgspec import Struct, structs

from triage.exports import protected, rendering
from triage.exports.calendar import Cut, Dataset
from triage.exports.files import File
from triage.exports.identities import Identities, identities
from triage.exports.keys import Keys
from triage.exports.members import KINDS, Person, ReleaseMember
from triage.exports.projection import group_by_incident, release_member
from triage.exports.records import Cadence, FrozenRow, Release
from triage.exports.rendering import Frozen, FrozenRecords, FrozenTables, ReleaseHeader, Rendering, SignedAgreement
from triage.exports.selection import Selection
from triage.exports.tables import Edition
from triage.log.blindness import ServedIntent, with_blindness
from triage.log.entries import StoredEntry
from triage.log.timeline import PersonEvent
from triage.store.database import Connection, Database
from triage.store.log.entries import EntryColumns, served_to_judges
from triage.store.statements import load
from triage.summaries.schedule import Calendar, coverage
from triage.times import Period

SQL = load("releases")

PATIENCE_S: Final = 900.0
"""A release of a million rows takes its time, and so does waiting for another process that cuts one."""
PAGE: Final = 2_000
"""Incidents added up at once."""
ROWS: Final = 50_000
"""Frozen rows written by one statement."""
CHUNK: Final = 256 * 1024
"""Bytes of a stored piece of a file; the last one may be shorter."""

_related = msgspec.json.Decoder(tuple[PersonEvent, ...]).decode

T = TypeVar("T")


class ReleasingTeam(Struct, frozen=True):
    """A team with its calendar."""

    team_id: UUID
    zone: ZoneInfo
    day_start_hour: int
    starts_on: date


class LatestRelease(Struct, frozen=True):
    """The latest edition of a period of a dataset."""

    edition: int
    policy: str
    cut_off: datetime
    released_at: datetime
    withdrawn: bool


class CountedMember(Struct, frozen=True):
    """A member with every incident id that it answers to."""

    member: ReleaseMember
    incident_ids: tuple[UUID, ...]


class StoredRelease(Struct, frozen=True):
    """A release as stored; `people` tells the person of every released incident, None for somebody unidentified."""

    release_id: UUID
    about: ReleaseHeader
    frozen: Frozen
    people: dict[UUID, Person | None]


async def teams(database: Database) -> list[ReleasingTeam]:
    """Every team."""
    async with database.no_team() as connection:
        rows = await connection.fetch(SQL.teams)
    return [ReleasingTeam(r["team_id"], ZoneInfo(r["zone"]), r["day_start_hour"], r["starts_on"]) for r in rows]


async def lock_releases(connection: Connection, team_id: UUID) -> None:
    """Wait until no other process cuts a release of this team, and keep others out until the transaction ends."""
    await connection.execute(SQL.alone, team_id, timeout=PATIENCE_S)


# --- what is done


async def latest_editions(connection: Connection, team_id: UUID) -> dict[tuple[Dataset, str], LatestRelease]:
    """The latest edition of every period."""
    rows = await connection.fetch(SQL.released, team_id)
    return {(row["dataset"], row["period"]): LatestRelease(*list(row.values())[2:]) for row in rows}


async def cadences(connection: Connection, team_id: UUID) -> dict[int, Cadence]:
    """How often record files are cut, by financial year, where that is decided."""
    return {row["financial_year"]: row["cadence"] for row in await connection.fetch(SQL.cadences, team_id)}


async def volume(connection: Connection, team_id: UUID, starts_at: datetime, ends_at: datetime) -> int:
    """How many incidents occurred in a stretch of time, as known now."""
    incidents: int = await connection.fetchval(SQL.volume, team_id, starts_at, ends_at)
    return incidents


async def decide_cadence(connection: Connection, team_id: UUID, year: int, cadence: Cadence, at: datetime) -> None:
    """Decide once for a financial year. Raises asyncpg.UniqueViolationError when it was decided."""
    await connection.execute(SQL.decide_cadence, team_id, year, cadence, at)


async def revision_checks(connection: Connection, team_id: UUID) -> dict[str, datetime]:
    """Until which cut-off published tables were looked at for a further edition, by period."""
    return {row["period"]: row["looked_at"] for row in await connection.fetch(SQL.looked, team_id)}


async def record_revision_check(connection: Connection, team_id: UUID, period: str, at: datetime) -> None:
    """As `looked`."""
    await connection.execute(SQL.note_looked, team_id, period, at)


# --- the snapshot


async def position(connection: Connection, team_id: UUID, cut_off: datetime) -> int:
    """The last position in the log that was received before the cut-off."""
    seq: int = await connection.fetchval(SQL.position, team_id, cut_off, timeout=PATIENCE_S)
    return seq


async def snapshot(
    connection: Connection,
    team_id: UUID,
    starts_at: datetime,
    ends_at: datetime,
    seq: int,
    cut_off: datetime,
    undecided: str | None = None,
) -> list[CountedMember]:
    """The incidents of a stretch of time as they stood at a position in the log.

    `undecided` names a policy: only incidents that no record file in force, and none of this policy, has decided. What
    did not change since stands as it is now; what did is added up again from the entries up to there, joined by
    the links there were.
    """
    rows = await connection.fetch(SQL.candidates, team_id, starts_at, ends_at, seq, undecided, timeout=PATIENCE_S)
    people = await _identities(connection, team_id, seq)
    related = {row["id"]: _related(row["related"]) for row in rows}
    changed = [row["id"] for row in rows if row["changed"]]
    counted: list[CountedMember] = []
    for page in _pages([row["id"] for row in rows if not row["changed"]], PAGE):
        counted += await _add_up(connection, team_id, page, seq, related, cut_off, people)
    if changed:
        await _forget_later(connection, team_id, changed, seq, related)
        counted += await _add_up(connection, team_id, changed, seq, related, cut_off, people)
    counted = [member for member in counted if starts_at <= member.member.occurred_at < ends_at]
    counted.sort(key=lambda counted: counted.member.incident_id)
    return counted if undecided is None else await _undecided(connection, team_id, counted, undecided)


async def _identities(connection: Connection, team_id: UUID, seq: int) -> Identities:
    """Who counts as one person, by every link up to a position."""
    rows = await connection.fetch(SQL.registered, team_id, timeout=PATIENCE_S)
    registered = {row["linked"]: (row["person_id"], sum(KINDS[kind] for kind in row["kinds"])) for row in rows}
    links = await connection.fetch(SQL.links_until, team_id, seq, timeout=PATIENCE_S)
    return await asyncio.to_thread(lambda: identities([EntryColumns(*row).entry() for row in links], registered))


async def _add_up(
    connection: Connection,
    team_id: UUID,
    roots: Sequence[UUID],
    seq: int,
    related: dict[UUID, tuple[PersonEvent, ...]],
    cut_off: datetime,
    people: Identities,
) -> list[CountedMember]:
    rows = await connection.fetch(SQL.entries_until, team_id, roots, seq, timeout=PATIENCE_S)
    served = await served_to_judges(connection, team_id, roots)
    return await asyncio.to_thread(_counted, rows, served, related, cut_off, people)


def _counted(
    rows: Iterable[asyncpg.Record],
    served: Sequence[ServedIntent],
    related: dict[UUID, tuple[PersonEvent, ...]],
    cut_off: datetime,
    people: Identities,
) -> list[CountedMember]:
    counted = []
    for entries in group_by_incident(EntryColumns(*row).entry() for row in rows):
        ids = _ids(entries)
        others = next((related[i] for i in ids if i in related), ())
        judged = with_blindness(entries, [row for row in served if row.incident_id in ids])
        member = release_member(judged, others, cut_off, people)
        if member is not None:
            counted.append(CountedMember(member, ids))
    return counted


def _ids(entries: Iterable[StoredEntry]) -> tuple[UUID, ...]:
    return tuple(sorted({entry.entry.incident_id for entry in entries}))


async def _forget_later(
    connection: Connection,
    team_id: UUID,
    roots: Iterable[UUID],
    seq: int,
    related: dict[UUID, tuple[PersonEvent, ...]],
) -> None:
    named = {event.entry for root in roots for event in related[root]}
    later = {row["id"] for row in await connection.fetch(SQL.after, team_id, list(named), seq)}
    for root in roots:
        related[root] = tuple(event for event in related[root] if event.entry not in later)


async def _undecided(
    connection: Connection, team_id: UUID, counted: list[CountedMember], policy: str
) -> list[CountedMember]:
    """Without those of which any id is in a record file: what was released apart is not released again as one."""
    ids = [incident for member in counted for incident in member.incident_ids]
    rows = await connection.fetch(SQL.decided, team_id, ids, policy, timeout=PATIENCE_S)
    decided = {row["incident_id"] for row in rows}
    return [member for member in counted if decided.isdisjoint(member.incident_ids)]


# --- what is frozen


async def add(
    connection: Connection,
    team_id: UUID,
    stored: StoredRelease,
    first_day: date,
    policy: str,
    seq: int,
    counted: Sequence[CountedMember],
) -> None:
    """Freeze a release: its rows, with every incident it decided, or its cells and members."""
    about, body = stored.about, rendering.pack(stored.frozen)
    await connection.execute(
        SQL.add_release,
        team_id,
        stored.release_id,
        about.dataset,
        about.period,
        about.edition,
        policy,
        first_day,
        about.cut_off,
        about.released_at,
        seq,
        rendering.digest(stored.frozen),
        body,
    )
    if isinstance(stored.frozen, FrozenRecords):
        rows = list(_decided(stored.frozen.release, stored.people, counted))
        for page in _pages(rows, ROWS):
            await connection.execute(
                SQL.add_rows, team_id, stored.release_id, policy, *zip(*page, strict=True), timeout=PATIENCE_S
            )


_Decided = tuple[UUID, UUID | None, int | None, int | None, int | None, str | None]
_NOBODY: Final = (None, None)


def _decided(
    release: Release, people: dict[UUID, Person | None], counted: Iterable[CountedMember]
) -> Iterator[_Decided]:
    """Released rows; then what the limit of a person withheld, and the other ids of joined incidents."""
    for row in release.rows:
        yield row.incident_id, *(people[row.incident_id] or _NOBODY), row.number, row.group, ",".join(row.values)
    gone = {row.incident_id for row in release.rows} | set(release.capped)
    for incident in release.capped:
        yield incident, *(people[incident] or _NOBODY), None, None, None
    for joined in counted:
        if joined.member.incident_id not in gone:
            continue
        for other in joined.incident_ids:
            if other != joined.member.incident_id:
                yield other, *(joined.member.person or _NOBODY), None, None, None


async def load_rows(connection: Connection, team_id: UUID, stored: StoredRelease) -> StoredRelease:
    """A stored record release with its rows and people; tables as they are."""
    if isinstance(stored.frozen, FrozenTables):
        return stored
    rows = await connection.fetch(SQL.rows, team_id, stored.release_id, timeout=PATIENCE_S)
    frozen = tuple(FrozenRow(r["number"], r["grouped"], r["incident_id"], tuple(r["classes"].split(","))) for r in rows)
    release = structs.replace(stored.frozen.release, rows=frozen)
    return structs.replace(
        stored,
        frozen=structs.replace(stored.frozen, release=release),
        people={row["incident_id"]: row["person_id"] and (row["person_id"], row["known_by"]) for row in rows},
    )


async def releases_in_force(connection: Connection, team_id: UUID, datasets: Iterable[Dataset]) -> list[StoredRelease]:
    """Every release of these datasets that was not withdrawn, without rows."""
    return [_stored(row) for row in await connection.fetch(SQL.standing, team_id, list(datasets))]


async def all_releases(connection: Connection, team_id: UUID) -> list[tuple[StoredRelease, bytes]]:
    """Every release, the withdrawn ones too, without rows, each with the digest that was stored."""
    return [(_stored(row), row["sha256"]) for row in await connection.fetch(SQL.everything, team_id)]


def _stored(row: asyncpg.Record) -> StoredRelease:
    about = ReleaseHeader(row["dataset"], row["period"], row["edition"], row["cut_off"], row["released_at"])
    return StoredRelease(row["release_id"], about, rendering.unpack(row["body"]), {})


async def editions(connection: Connection, team_id: UUID, period: str) -> list[tuple[Edition, datetime]]:
    """Every edition of a period's tables, oldest first, with its cut-off."""
    return [
        (frozen.edition, row["cut_off"])
        for row in await connection.fetch(SQL.editions, team_id, period)
        if isinstance(frozen := rendering.unpack(row["body"]), FrozenTables)
    ]


async def first_editions(connection: Connection, team_id: UUID, periods: Iterable[str]) -> list[Edition]:
    """The first edition of each of these periods' tables that was released."""
    return [
        frozen.edition
        for row in await connection.fetch(SQL.first_editions, team_id, list(periods))
        if isinstance(frozen := rendering.unpack(row["body"]), FrozenTables)
    ]


async def add_summary(
    connection: Connection, team: ReleasingTeam, cut: Cut, about: ReleaseHeader, edition: Edition, seq: int
) -> None:
    """The protected form of the period's summary: the same numbers, in the same transaction."""
    team_id, kind = team.team_id, edition.kind
    calendar = Calendar(team.starts_on, team.zone, team.day_start_hour)
    covered = coverage(Period(kind, cut.period, cut.starts, cut.ends), calendar, about.cut_off)
    await connection.execute(
        SQL.record_run,
        team_id,
        kind,
        about.period,
        cut.starts,
        cut.starts_at,
        cut.ends_at,
        cut.cut_off,
        about.released_at,
        seq,
    )
    link = await connection.fetchval(SQL.log_link, team_id, seq)
    body = protected.encode(protected.protected(edition, covered, about.cut_off, about.released_at))
    await connection.execute(
        SQL.add_summary,
        team_id,
        kind,
        about.period,
        edition.edition,
        about.released_at,
        about.cut_off,
        seq,
        link,
        body,
    )


# --- renderings


async def agreements_for(
    connection: Connection, team_id: UUID, dataset: Dataset, now: datetime
) -> list[SignedAgreement]:
    """The agreements in force that cover a dataset."""
    return [_agreed(row) for row in await connection.fetch(SQL.agreements_for, team_id, dataset, now)]


def _agreed(row: asyncpg.Record) -> SignedAgreement:
    scope = Selection(str(row["partner_id"]), row["body"], tuple(row["columns"]), tuple(row["areas"]))
    return SignedAgreement(row["agreement_id"], scope, row["purpose"])


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
        await connection.execute(
            SQL.add_rendering, team_id, stored.release_id, agreed.agreement_id, files.manifest, now
        )
        for file in files.files:
            await _add_file(connection, (team_id, stored.release_id, agreed.agreement_id, file.name), file)


def rendered(stored: StoredRelease, agreed: SignedAgreement, keys: Keys) -> Rendering:
    """The files of one agreement, from what is frozen."""
    match stored.frozen:
        case FrozenRecords():
            return rendering.records(stored.frozen, stored.about, agreed, stored.people, keys.references)
        case FrozenTables():
            return rendering.tables(stored.frozen, stored.about, agreed)


async def _add_file(connection: Connection, address: tuple[UUID, UUID, UUID, str], file: File) -> None:
    digest = bytes.fromhex(file.sha256)
    await connection.execute(SQL.add_file, *address, file.media_type, file.size, digest, file.rows)
    await connection.executemany(
        SQL.add_chunk,
        [(*address, n, chunk) for n, chunk in enumerate(_even(file.chunks))],
        timeout=PATIENCE_S,
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


def _pages(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


async def withdraw(
    connection: asyncpg.Connection,
    team_id: UUID,
    dataset: str,
    period: str,
    edition: int,
    now: datetime,
    because: str,
) -> bool:
    """Withdraw a whole release, as the owner of the database; False where there is none that stands."""
    done = await connection.fetchval(SQL.withdraw, team_id, dataset, period, edition, now, because)
    return done is not None

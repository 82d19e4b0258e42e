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
from triage.exports.files import RenderedFile
from triage.exports.identities import Identities, identities
from triage.exports.keys import Keys
from triage.exports.members import KINDS, RegisteredPerson, ReleaseMember
from triage.exports.projection import group_by_incident, release_member
from triage.exports.records import Cadence, FrozenRow, RecordsRelease
from triage.exports.rendering import Frozen, FrozenRecords, FrozenTables, ReleaseHeader, Rendering, SignedAgreement
from triage.exports.selection import Body, Selection
from triage.exports.tables import Edition
from triage.log.blindness import ServedIntent, with_blindness
from triage.log.entries import StoredEntry
from triage.log.timeline import PersonEvent
from triage.store.database import Connection, Database
from triage.store.log.entries import EntryColumns, served_to_judges
from triage.store.statements import statement
from triage.summaries.schedule import Calendar, coverage
from triage.times import Period

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

    dataset: Dataset
    period: str
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
    people: dict[UUID, RegisteredPerson | None]


class _TeamRow(Struct, frozen=True):
    team_id: UUID
    zone: str
    day_start_hour: int
    starts_on: date


class _DecidedCadence(Struct, frozen=True):
    financial_year: int
    cadence: Cadence


class _RevisionCheck(Struct, frozen=True):
    period: str
    looked_at: datetime


class _ReleaseCandidate(Struct, frozen=True):
    id: UUID
    changed: bool
    related: bytes


class _RegisteredPerson(Struct, frozen=True):
    person_id: UUID
    kinds: list[str]


class _FrozenRowColumns(Struct, frozen=True):
    number: int
    grouped: int
    incident_id: UUID
    person_id: UUID | None
    known_by: int | None
    classes: str

    def row(self) -> FrozenRow:
        return FrozenRow(self.number, self.grouped, self.incident_id, tuple(self.classes.split(",")))

    def person(self) -> RegisteredPerson | None:
        return None if self.person_id is None or self.known_by is None else (self.person_id, self.known_by)


class _ReleasedTables(Struct, frozen=True):
    body: bytes
    cut_off: datetime


class _ReleaseColumns(Struct, frozen=True):
    release_id: UUID
    dataset: Dataset
    period: str
    edition: int
    cut_off: datetime
    released_at: datetime
    sha256: bytes
    body: bytes

    def release(self) -> StoredRelease:
        about = ReleaseHeader(self.dataset, self.period, self.edition, self.cut_off, self.released_at)
        return StoredRelease(self.release_id, about, rendering.unpack(self.body), {})


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


_LOCK = statement("releases.alone", timeout_s=PATIENCE_S)
_TEAMS = statement("releases.teams", _TeamRow)
_POSITION = statement("releases.position", int, timeout_s=PATIENCE_S)
_LOG_LINK = statement("releases.log_link", bytes)
_CADENCES = statement("releases.cadences", _DecidedCadence)
_VOLUME = statement("releases.volume", int)
_DECIDE_CADENCE = statement("releases.decide_cadence")
_RELEASED = statement("releases.released", LatestRelease)
_LOOKED = statement("releases.looked", _RevisionCheck)
_NOTE_LOOKED = statement("releases.note_looked")
_CANDIDATES = statement("releases.candidates", _ReleaseCandidate, timeout_s=PATIENCE_S)
_LINKS_UNTIL = statement("releases.links_until", EntryColumns, timeout_s=PATIENCE_S)
_REGISTERED = statement("releases.registered", _RegisteredPerson, timeout_s=PATIENCE_S)
_ENTRIES_UNTIL = statement("releases.entries_until", EntryColumns, timeout_s=PATIENCE_S)
_AFTER = statement("releases.after", UUID)
_DECIDED = statement("releases.decided", UUID, timeout_s=PATIENCE_S)
_ADD_RELEASE = statement("releases.add_release")
_ADD_ROWS = statement("releases.add_rows", timeout_s=PATIENCE_S)
_ROWS = statement("releases.rows", _FrozenRowColumns, timeout_s=PATIENCE_S)
_EDITIONS = statement("releases.editions", _ReleasedTables)
_FIRST_EDITIONS = statement("releases.first_editions", bytes)
_STANDING = statement("releases.standing", _ReleaseColumns)
_EVERYTHING = statement("releases.everything", _ReleaseColumns)
_AGREEMENTS_FOR = statement("releases.agreements_for", _AgreementColumns)
_ADD_RENDERING = statement("releases.add_rendering")
_ADD_FILE = statement("releases.add_file")
_ADD_CHUNK = statement("releases.add_chunk", timeout_s=PATIENCE_S)
_WITHDRAW = statement("releases.withdraw", UUID)
_RECORD_RUN = statement("releases.record_run")
_ADD_SUMMARY = statement("releases.add_summary")


async def teams(database: Database) -> list[ReleasingTeam]:
    """Every team."""
    async with database.no_team() as connection:
        rows = await _TEAMS.fetch(connection)
    return [ReleasingTeam(row.team_id, ZoneInfo(row.zone), row.day_start_hour, row.starts_on) for row in rows]


async def lock_releases(connection: Connection, team_id: UUID) -> None:
    """Wait until no other process cuts a release of this team, and keep others out until the transaction ends."""
    await _LOCK.execute(connection, team_id=team_id)


# --- what is done


async def latest_editions(connection: Connection, team_id: UUID) -> dict[tuple[Dataset, str], LatestRelease]:
    """The latest edition of every period."""
    latest = await _RELEASED.fetch(connection, team_id=team_id)
    return {(release.dataset, release.period): release for release in latest}


async def cadences(connection: Connection, team_id: UUID) -> dict[int, Cadence]:
    """How often record files are cut, by financial year, where that is decided."""
    return {row.financial_year: row.cadence for row in await _CADENCES.fetch(connection, team_id=team_id)}


async def volume(connection: Connection, team_id: UUID, starts_at: datetime, ends_at: datetime) -> int:
    """How many incidents occurred in a stretch of time, as known now."""
    return await _VOLUME.fetch_one(connection, team_id=team_id, starts_at=starts_at, ends_at=ends_at)


async def decide_cadence(connection: Connection, team_id: UUID, year: int, cadence: Cadence, at: datetime) -> None:
    """Decide once for a financial year. Raises asyncpg.UniqueViolationError when it was decided."""
    await _DECIDE_CADENCE.execute(connection, team_id=team_id, financial_year=year, cadence=cadence, now=at)


async def revision_checks(connection: Connection, team_id: UUID) -> dict[str, datetime]:
    """Until which cut-off published tables were looked at for a further edition, by period."""
    return {check.period: check.looked_at for check in await _LOOKED.fetch(connection, team_id=team_id)}


async def record_revision_check(connection: Connection, team_id: UUID, period: str, at: datetime) -> None:
    """Record that a period's published tables were looked at, with what there was at a cut-off."""
    await _NOTE_LOOKED.execute(connection, team_id=team_id, period=period, now=at)


# --- the snapshot


async def position(connection: Connection, team_id: UUID, cut_off: datetime) -> int:
    """The last position in the log that was received before the cut-off."""
    return await _POSITION.fetch_one(connection, team_id=team_id, cut_off=cut_off)


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
    candidates = await _CANDIDATES.fetch(
        connection, team_id=team_id, starts_at=starts_at, ends_at=ends_at, seq=seq, undecided=undecided
    )
    people = await _identities(connection, team_id, seq)
    related = {candidate.id: _related(candidate.related) for candidate in candidates}
    changed = [candidate.id for candidate in candidates if candidate.changed]
    counted: list[CountedMember] = []
    for page in _pages([candidate.id for candidate in candidates if not candidate.changed], PAGE):
        counted += await _add_up(connection, team_id, page, seq, related, cut_off, people)
    if changed:
        await _forget_later(connection, team_id, changed, seq, related)
        counted += await _add_up(connection, team_id, changed, seq, related, cut_off, people)
    counted = [member for member in counted if starts_at <= member.member.occurred_at < ends_at]
    counted.sort(key=lambda counted: counted.member.incident_id)
    return counted if undecided is None else await _undecided(connection, team_id, counted, undecided)


async def _identities(connection: Connection, team_id: UUID, seq: int) -> Identities:
    """Who counts as one person, by every link up to a position."""
    rows = await _REGISTERED.fetch(connection, team_id=team_id)
    registered = {row.person_id: (row.person_id, sum(KINDS[kind] for kind in row.kinds)) for row in rows}
    links = await _LINKS_UNTIL.fetch(connection, team_id=team_id, seq=seq)
    return await asyncio.to_thread(lambda: identities([row.entry() for row in links], registered))


async def _add_up(
    connection: Connection,
    team_id: UUID,
    roots: Sequence[UUID],
    seq: int,
    related: dict[UUID, tuple[PersonEvent, ...]],
    cut_off: datetime,
    people: Identities,
) -> list[CountedMember]:
    rows = await _ENTRIES_UNTIL.fetch(connection, team_id=team_id, roots=roots, seq=seq)
    served = await served_to_judges(connection, team_id, roots)
    return await asyncio.to_thread(_counted, rows, served, related, cut_off, people)


def _counted(
    rows: Iterable[EntryColumns],
    served: Sequence[ServedIntent],
    related: dict[UUID, tuple[PersonEvent, ...]],
    cut_off: datetime,
    people: Identities,
) -> list[CountedMember]:
    counted = []
    for entries in group_by_incident(row.entry() for row in rows):
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
    later = set(await _AFTER.fetch(connection, team_id=team_id, ids=list(named), seq=seq))
    for root in roots:
        related[root] = tuple(event for event in related[root] if event.entry not in later)


async def _undecided(
    connection: Connection, team_id: UUID, counted: list[CountedMember], policy: str
) -> list[CountedMember]:
    """Without those of which any id is in a record file: what was released apart is not released again as one."""
    ids = [incident for member in counted for incident in member.incident_ids]
    decided = set(await _DECIDED.fetch(connection, team_id=team_id, incidents=ids, policy=policy))
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
    await _ADD_RELEASE.execute(
        connection,
        team_id=team_id,
        release_id=stored.release_id,
        dataset=about.dataset,
        period=about.period,
        edition=about.edition,
        policy=policy,
        first_day=first_day,
        cut_off=about.cut_off,
        released_at=about.released_at,
        as_at_seq=seq,
        sha256=rendering.digest(stored.frozen),
        body=body,
    )
    if isinstance(stored.frozen, FrozenRecords):
        rows = list(_decided(stored.frozen.release, stored.people, counted))
        for page in _pages(rows, ROWS):
            incidents, people, known_by, numbers, groups, classes = zip(*page, strict=True)
            await _ADD_ROWS.execute(
                connection,
                team_id=team_id,
                release_id=stored.release_id,
                policy=policy,
                incidents=incidents,
                people=people,
                known_by=known_by,
                numbers=numbers,
                groups=groups,
                classes=classes,
            )


_Decided = tuple[UUID, UUID | None, int | None, int | None, int | None, str | None]
_NOBODY: Final = (None, None)


def _decided(
    release: RecordsRelease, people: dict[UUID, RegisteredPerson | None], counted: Iterable[CountedMember]
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
    rows = await _ROWS.fetch(connection, team_id=team_id, release_id=stored.release_id)
    release = structs.replace(stored.frozen.release, rows=tuple(row.row() for row in rows))
    return structs.replace(
        stored,
        frozen=structs.replace(stored.frozen, release=release),
        people={row.incident_id: row.person() for row in rows},
    )


async def releases_in_force(connection: Connection, team_id: UUID, datasets: Iterable[Dataset]) -> list[StoredRelease]:
    """Every release of these datasets that was not withdrawn, without rows."""
    rows = await _STANDING.fetch(connection, team_id=team_id, datasets=list(datasets))
    return [row.release() for row in rows]


async def all_releases(connection: Connection, team_id: UUID) -> list[tuple[StoredRelease, bytes]]:
    """Every release, the withdrawn ones too, without rows, each with the digest that was stored."""
    return [(row.release(), row.sha256) for row in await _EVERYTHING.fetch(connection, team_id=team_id)]


async def editions(connection: Connection, team_id: UUID, period: str) -> list[tuple[Edition, datetime]]:
    """Every edition of a period's tables, oldest first, with its cut-off."""
    return [
        (frozen.edition, row.cut_off)
        for row in await _EDITIONS.fetch(connection, team_id=team_id, period=period)
        if isinstance(frozen := rendering.unpack(row.body), FrozenTables)
    ]


async def first_editions(connection: Connection, team_id: UUID, periods: Iterable[str]) -> list[Edition]:
    """The first edition of each of these periods' tables that was released."""
    return [
        frozen.edition
        for body in await _FIRST_EDITIONS.fetch(connection, team_id=team_id, periods=list(periods))
        if isinstance(frozen := rendering.unpack(body), FrozenTables)
    ]


async def add_summary(
    connection: Connection, team: ReleasingTeam, cut: Cut, about: ReleaseHeader, edition: Edition, seq: int
) -> None:
    """The protected form of the period's summary: the same numbers, in the same transaction."""
    team_id, kind = team.team_id, edition.kind
    calendar = Calendar(team.starts_on, team.zone, team.day_start_hour)
    covered = coverage(Period(kind, cut.period, cut.starts, cut.ends), calendar, about.cut_off)
    await _RECORD_RUN.execute(
        connection,
        team_id=team_id,
        kind=kind,
        period=about.period,
        first_day=cut.starts,
        starts_at=cut.starts_at,
        ends_at=cut.ends_at,
        due_at=cut.cut_off,
        ran_at=about.released_at,
        checked_seq=seq,
    )
    link = await _LOG_LINK.fetch_one(connection, team_id=team_id, seq=seq)
    body = protected.encode(protected.protected(edition, covered, about.cut_off, about.released_at))
    await _ADD_SUMMARY.execute(
        connection,
        team_id=team_id,
        kind=kind,
        period=about.period,
        edition=edition.edition,
        published_at=about.released_at,
        as_at=about.cut_off,
        as_at_seq=seq,
        chain_head=link,
        body=body,
    )


# --- renderings


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
    withdrawn = await _WITHDRAW.fetch_first(
        connection, team_id=team_id, dataset=dataset, period=period, edition=edition, now=now, because=because
    )
    return withdrawn is not None

"""Releases in the database: what was decided and cut, and what each cut froze."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import Final
from uuid import UUID

from msgspec import Struct, structs

from triage.exports import protected, rendering
from triage.exports.calendar import Cut, Dataset
from triage.exports.members import RegisteredPerson
from triage.exports.records import Cadence, FrozenRow, RecordsRelease
from triage.exports.rendering import Frozen, FrozenRecords, FrozenTables, ReleaseHeader
from triage.exports.tables import Edition
from triage.store.database import Connection
from triage.store.exports.snapshots import PATIENCE_S, CountedMember, pages
from triage.store.statements import statement
from triage.store.summaries import publications
from triage.store.summaries.calendars import CalendarTeam
from triage.store.summaries.scopes import LogPosition
from triage.summaries.schedule import Slot, coverage
from triage.times import Period

ROWS: Final = 50_000
"""Frozen rows written by one statement."""


class LatestRelease(Struct, frozen=True):
    """The latest edition of a period of a dataset."""

    dataset: Dataset
    period: str
    edition: int
    policy: str
    cut_off: datetime
    withdrawn: bool


class StoredRelease(Struct, frozen=True):
    """A release as stored; `people` tells the person of every released incident, None for somebody unidentified."""

    release_id: UUID
    about: ReleaseHeader
    frozen: Frozen
    people: dict[UUID, RegisteredPerson | None]


class _DecidedCadence(Struct, frozen=True):
    financial_year: int
    cadence: Cadence


class _RevisionCheck(Struct, frozen=True):
    period: str
    looked_at: datetime


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


_LOCK = statement("releases.alone", timeout_s=PATIENCE_S)
_POSITION = statement("releases.position", int, timeout_s=PATIENCE_S)
_LOG_LINK = statement("releases.log_link", bytes)
_CADENCES = statement("releases.cadences", _DecidedCadence)
_VOLUME = statement("releases.volume", int)
_DECIDE_CADENCE = statement("releases.decide_cadence")
_RELEASED = statement("releases.released", LatestRelease)
_LOOKED = statement("releases.looked", _RevisionCheck)
_NOTE_LOOKED = statement("releases.note_looked")
_ADD_RELEASE = statement("releases.add_release")
_ADD_ROWS = statement("releases.add_rows", timeout_s=PATIENCE_S)
_ROWS = statement("releases.rows", _FrozenRowColumns, timeout_s=PATIENCE_S)
_EDITIONS = statement("releases.editions", bytes)
_FIRST_EDITIONS = statement("releases.first_editions", bytes)
_STANDING = statement("releases.standing", _ReleaseColumns)
_EVERYTHING = statement("releases.everything", _ReleaseColumns)
_WITHDRAW = statement("releases.withdraw", UUID)


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


async def position(connection: Connection, team_id: UUID, cut_off: datetime) -> int:
    """The last position in the log that was received before the cut-off."""
    return await _POSITION.fetch_one(connection, team_id=team_id, cut_off=cut_off)


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
        for page in pages(rows, ROWS):
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


async def editions(connection: Connection, team_id: UUID, period: str) -> list[Edition]:
    """Every edition of a period's tables, oldest first."""
    return _unpacked(await _EDITIONS.fetch(connection, team_id=team_id, period=period))


async def first_editions(connection: Connection, team_id: UUID, periods: Iterable[str]) -> list[Edition]:
    """The first edition of each of these periods' tables that was released."""
    return _unpacked(await _FIRST_EDITIONS.fetch(connection, team_id=team_id, periods=list(periods)))


def _unpacked(bodies: Iterable[bytes]) -> list[Edition]:
    return [frozen.edition for frozen in map(rendering.unpack, bodies) if isinstance(frozen, FrozenTables)]


async def add_summary(
    connection: Connection, team: CalendarTeam, cut: Cut, about: ReleaseHeader, edition: Edition, seq: int
) -> None:
    """The protected form of the period's summary: the same numbers, in the same transaction."""
    period = Period(edition.kind, cut.period, cut.starts, cut.ends)
    covered = coverage(period, team.calendar, about.cut_off)
    summary = protected.protected(edition, covered, about.cut_off, about.released_at)
    at = LogPosition(seq, await _LOG_LINK.fetch_one(connection, team_id=team.team_id, seq=seq))
    slot = Slot(period, cut.starts_at, cut.ends_at, cut.cut_off)
    await publications.add_edition(connection, team.team_id, slot, summary, at)


async def withdraw(
    connection: Connection,
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

"""The decision of one append, from what was read and nothing else.

No I/O, so that it can be decided again after a lost race. First which items are new (`decide`), then which incidents
they change and what those add up to (`triage.log.incidents_after`); `triage.store.log.append` reads and writes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, NamedTuple, TypeVar
from uuid import UUID

import msgspec
from msgspec import Struct, structs

from triage.access.actors import Actor
from triage.log import effective
from triage.log.blindness import ServedIntent, holds_judgement, with_blindness
from triage.log.canonical import Content, canonical, differing_fields, in_utc, with_current_codes, without_text
from triage.log.entries import (
    Amendment,
    AnyEntry,
    Detention,
    Entry,
    NotSameIncident,
    Nurse,
    Officer,
    Outcome,
    PersonLink,
    PersonUnlink,
    SameIncident,
    StoredEntry,
    Withdrawal,
)
from triage.log.lost_spans import LostSpan, is_received_again
from triage.log.notices import Notice
from triage.people.encryption import DataKey
from triage.problems import (
    ENTRY_CONFLICT,
    ENTRY_ERASED,
    INCIDENT_FULL,
    INVALID,
    NOT_YOURS,
    FieldError,
    ListedProblem,
    Problem,
)
from triage.terms import Terms

E = TypeVar("E", bound=Entry)

CHANGED_FOR: Final = timedelta(hours=72)
"""How long a changed incident stays in the scope of a phone."""
OPEN_FOR: Final = timedelta(days=28)
"""How long an incident without its outcome stays in the scope of a phone."""
LINKS: Final = (SameIncident, NotSameIncident, Withdrawal)
"""Kinds that decide which incident ids are one incident."""
ENDING: Final = (Outcome, Detention, Withdrawal, Amendment, NotSameIncident, PersonUnlink)
"""Kinds that end or correct something: an incident at its limit still takes them."""
SEEN_BY_HEALTH: Final = (Officer, Outcome, Detention)
"""Of what police send, the kinds that health sees whatever it holds."""
FULL_INCIDENT_EXTRA: Final = 100
"""How many entries a full incident takes beyond its limit of those that end or correct something."""
DUPLICATES_SHOWN: Final = 4
"""Likely duplicates suggested for one incident: more would be no suggestion."""


@dataclass(slots=True, kw_only=True)
class IncomingEntry:
    """An entry on its way into the log. `data_key` seals its text, where it has any. `shown`: its author gets the
    incident for an answer.

    `received_at` is when the service first held the content, where that was before: in quarantine, or in the demo's
    past; else the database's clock says it.
    """

    id: UUID
    entry: AnyEntry
    content: Content
    actor: Actor
    skew_ms: int | None
    released_by: UUID | None = None
    data_key: DataKey | None = None
    received_at: datetime | None = None
    shown: bool = False


class Receipt(Struct, frozen=True, kw_only=True):
    """The log's answer to an entry, the same however often it is sent."""

    id: UUID
    incident_id: UUID
    seq: int
    status: str
    received_at: datetime
    clock_skew_ms: int | None
    notices: tuple[Notice, ...]


class StaleSender(Struct, frozen=True):
    """The account or device no longer stands as it was when the request signed in."""


STALE: Final = StaleSender()
AppendResult = Receipt | Problem | StaleSender


class StoredRow(NamedTuple):
    """An entry of the log under an id that was asked for."""

    seq: int
    id: UUID
    incident_id: UUID
    kind: str
    author: UUID
    profession: str
    device: UUID | None
    received_at: datetime
    skew_ms: int | None
    body: bytes
    sealed: bytes | None
    key_ref: UUID | None
    notices: str
    erased: bool


class IncidentBefore(NamedTuple):
    """The columns of a stored incident that are needed to change it."""

    id: UUID
    blind: bool
    root: UUID
    seq: int
    duplicates: list[UUID]
    people: list[UUID]
    related: bytes
    log_ref: str | None
    occurred_at: datetime
    area: str
    age_band: str | None
    sex: str | None
    family: UUID | None
    status: str


@dataclass(slots=True, kw_only=True)
class Snapshot:
    """The log as it was read: all of it is still true when the head has not moved."""

    seq: int
    link: bytes
    now: datetime
    terms: Terms
    stored: dict[UUID, StoredRow] = field(default_factory=dict)
    entries: dict[UUID, StoredEntry] = field(default_factory=dict)
    rows: dict[tuple[UUID, bool], IncidentBefore] = field(default_factory=dict)
    served: list[ServedIntent] = field(default_factory=list)
    aliases: dict[UUID, UUID] = field(default_factory=dict)
    """Whom the ids in new links mean, where they mean somebody."""
    registered: frozenset[UUID] = frozenset()
    """Those of these ids whose person is known and not erased."""
    erased: frozenset[UUID] = frozenset()
    """Incidents that were erased, of those read."""
    stale: frozenset[int] = frozenset()
    texts: dict[UUID, bytes | None] = field(default_factory=dict)
    goes_on: bool = False
    """Whether links, corrections or people lead from these incidents to others."""
    lost: Sequence[LostSpan] = ()

    def root(self, incident_id: UUID) -> UUID:
        """The id under which the incident answers."""
        row = self.rows.get((incident_id, False))
        return row.root if row else incident_id


@dataclass(slots=True)
class Addition:
    """A new entry, with its item and what its author is told. `stored` is under the incident that it belongs to."""

    item: IncomingEntry
    stored: StoredEntry
    notices: tuple[Notice, ...]


@dataclass(slots=True)
class AppendDecision:
    """One result an item, and what is new."""

    results: list[AppendResult]
    added: list[Addition]


GiveNotices = Callable[
    [IncomingEntry, datetime, bool | None, bool | None, Sequence[StoredEntry], Terms], tuple[Notice, ...]
]
"""item, received_at, whether what it names is held (None: it names nothing), whether the person it links is registered
(None: it links nobody), entries of the incident, the team's terms -> notices"""


# --- which items are new ---


def decide(read: Snapshot, items: Sequence[IncomingEntry], limit: int, give_notices: GiveNotices) -> AppendDecision:
    """One result for each item, in order; an id sent twice at once obeys the same rules as one sent twice."""
    return _Deciding(read, limit, give_notices).all(items)


class _Deciding:
    """The items decided so far: what is new, and each incident's entries including the new ones."""

    def __init__(self, read: Snapshot, limit: int, give_notices: GiveNotices) -> None:
        self.read = read
        self.limit = limit
        self.give_notices = give_notices
        self.fresh: dict[UUID, Addition] = {}
        self.incidents: dict[UUID, list[StoredEntry]] = {}
        for held in read.entries.values():
            self.incidents.setdefault(read.root(held.entry.incident_id), []).append(held)

    def all(self, items: Sequence[IncomingEntry]) -> AppendDecision:
        results = [STALE if n in self.read.stale else self.decide(item) for n, item in enumerate(items)]
        return AppendDecision(results, list(self.fresh.values()))

    def decide(self, item: IncomingEntry) -> AppendResult:
        if (held := self.read.stored.get(item.id)) is not None:
            return _again(item, held, self.read.texts)
        if (earlier := self.fresh.get(item.id)) is not None:
            return _twice(item, earlier)
        target = self.target(item)
        if target is not None and (problem := self.change_refused(item, target)) is not None:
            return problem
        home = target.entry.incident_id if target else item.entry.incident_id
        if home in self.read.erased and target is None:
            return ENTRY_ERASED.problem()
        incident = self.incidents.setdefault(self.read.root(home), [])
        if len(incident) >= self.limit + (FULL_INCIDENT_EXTRA if isinstance(item.entry, ENDING) else 0):
            return INCIDENT_FULL.problem()
        if target is not None and self.is_erased(target.id):
            item = _without_text(item)
        addition = self.add(item, home, incident, target)
        self.fresh[item.id] = addition
        incident.append(addition.stored)
        return _receipt(addition, "stored")

    def target(self, item: IncomingEntry) -> StoredEntry | None:
        """The entry that an amendment or withdrawal names, if it is held and not hidden from its author.

        Health accounts can change nothing of the police, and some police entries are not there for them; only of what
        they do see does it tell nothing to say that it is not theirs.
        """
        name = effective.named(item.entry)
        if name is None:
            return None
        target = self.fresh[name].stored if name in self.fresh else self.read.entries.get(name)
        if target is None:
            return None
        hidden = (
            item.actor.side == "health"
            and target.profession == "police"
            and not isinstance(target.entry, SEEN_BY_HEALTH)
        )
        return None if hidden else target

    def is_erased(self, entry_id: UUID) -> bool:
        row = self.read.stored.get(entry_id)
        return row is not None and row.erased

    def change_refused(self, item: IncomingEntry, target: StoredEntry) -> Problem | None:
        own = target.author == item.actor.staff_id
        if not own and item.actor.role != effective.LEADS[target.profession]:
            return NOT_YOURS.problem()
        if not isinstance(item.entry, Amendment):
            return None
        content = item.entry.entry
        if not isinstance(target.entry, Amendment) and effective.kind(content) != effective.kind(target.entry):
            return _fault(INVALID, "entry.kind", "mismatch", "An amendment keeps the kind of what it amends.")
        judgement = getattr(content, "s136_justified", None)
        if not own and isinstance(target.entry, Nurse) and judgement not in self.own_judgements(target):
            return _fault(NOT_YOURS, "entry.s136_justified", "not_yours", "Only its author may change a judgement.")
        return None

    def own_judgements(self, target: StoredEntry) -> set[str | None]:
        """What the author of a nurse's contact ever judged in it: a lead may repeat it, and changes nothing by that."""
        incident = self.incidents.get(self.read.root(target.entry.incident_id), ())
        own = [
            held.entry.entry
            for held in incident
            if isinstance(held.entry, Amendment) and held.entry.amends == target.id and held.author == target.author
        ]
        return {None, *(getattr(content, "s136_justified", None) for content in (target.entry, *own))}

    def add(
        self, item: IncomingEntry, home: UUID, incident: Sequence[StoredEntry], target: StoredEntry | None
    ) -> Addition:
        entry, actor, read = item.entry, item.actor, self.read
        assert actor.staff_id and actor.profession
        received_at = item.received_at or read.now
        if item.skew_ms is None and entry.captured_at > received_at:
            item = replace(item, skew_ms=(entry.captured_at - received_at) // timedelta(milliseconds=1))
        held = StoredEntry(
            seq=read.seq + len(self.fresh) + 1,
            id=item.id,
            entry=_at_home(with_current_codes(in_utc(entry)), home, read.aliases),
            received_at=received_at,
            author=actor.staff_id,
            profession=actor.profession,
            role=actor.role,
            device=actor.device_id,
            skew_ms=item.skew_ms,
            released_by=item.released_by,
        )
        if is_received_again(held, read.lost):
            held = structs.replace(held, received_again=True)
        if holds_judgement(held):
            ids = self.ids_of(home, incident)
            [held] = with_blindness([held], (row for row in read.served if row.incident_id in ids))
        target_held = None if effective.named(entry) is None else target is not None
        registered = entry.person_id in read.registered if isinstance(entry, PersonLink | PersonUnlink) else None
        return Addition(
            item, held, self.give_notices(item, received_at, target_held, registered, incident, self.read.terms)
        )

    def ids_of(self, home: UUID, incident: Sequence[StoredEntry]) -> set[UUID]:
        """Every id that the incident consists of now."""
        root = self.read.root(home)
        known = {row.id for row in self.read.rows.values() if row.root == root}
        return {home, *known, *(held.entry.incident_id for held in incident)}


def _at_home(entry: E, home: UUID, aliases: Mapping[UUID, UUID]) -> E:
    """The entry as it is added up: under the incident it belongs to, and of the person whom its alias means."""
    if entry.incident_id != home:
        entry = structs.replace(entry, incident_id=home)
    if isinstance(entry, PersonLink | PersonUnlink) and entry.person_id in aliases:
        return structs.replace(entry, person_id=aliases[entry.person_id])
    return entry


def _without_text(item: IncomingEntry) -> IncomingEntry:
    """An amendment of what was erased keeps its coded fields and brings no text back."""
    if not isinstance(item.entry, Amendment) or item.content.secrets is None:
        return item
    entry = structs.replace(item.entry, entry=without_text(item.entry.entry))
    return replace(item, entry=entry, content=canonical(entry))


def _again(item: IncomingEntry, held: StoredRow, texts: Mapping[UUID, bytes | None]) -> AppendResult:
    if held.erased:
        return ENTRY_ERASED.problem()
    stored = Content(held.body, texts.get(held.id))
    if stored not in (item.content, _without_text(item).content):
        return _conflict(item, stored, held.author)
    # notices rest on what their author may see
    notices = held.notices if held.author == item.actor.staff_id else "[]"
    return Receipt(
        id=held.id,
        incident_id=held.incident_id,
        seq=held.seq,
        status="duplicate",
        received_at=held.received_at,
        clock_skew_ms=held.skew_ms,
        notices=msgspec.json.decode(notices, type=tuple[Notice, ...]),
    )


def _twice(item: IncomingEntry, earlier: Addition) -> AppendResult:
    if earlier.item.content != item.content:
        return _conflict(item, earlier.item.content, earlier.stored.author)
    return _receipt(earlier, "duplicate")


def _receipt(addition: Addition, status: str) -> Receipt:
    held = addition.stored
    return Receipt(
        id=held.id,
        incident_id=held.entry.incident_id,
        seq=held.seq,
        status=status,
        received_at=held.received_at,
        clock_skew_ms=held.skew_ms,
        notices=addition.notices,
    )


def _conflict(item: IncomingEntry, stored: Content, author: UUID) -> Problem:
    """Only the author of what is stored learns where the two differ."""
    if item.actor.staff_id != author:
        return ENTRY_CONFLICT.problem()
    differing = differing_fields(stored, item.content)
    return ENTRY_CONFLICT.problem(
        errors=tuple(FieldError(name, "differs", "Differs from what is stored under this id.") for name in differing)
    )


def _fault(listed: ListedProblem, name: str, code: str, message: str) -> Problem:
    return listed.problem(errors=(FieldError(name, code, message),))

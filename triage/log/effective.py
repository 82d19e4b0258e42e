"""Entries in force: after amendments and withdrawals, with the phone's times corrected for its skew.

Nothing here depends on the order in which entries arrived. Of several amendments of one entry the one captured last
counts, ties by entry id. A change counts when its author wrote the original or leads that side. What it names may
arrive later; then it takes effect later, and until then it proves nothing.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

from msgspec import Struct, structs

from triage.log.entries import (
    AMENDABLE,
    Amendment,
    Contact,
    Detention,
    Entry,
    FollowUp,
    Intent,
    NewerEntry,
    NotSameIncident,
    Nurse,
    Officer,
    Outcome,
    Paramedic,
    PersonLink,
    PersonUnlink,
    SameIncident,
    StoredEntry,
    Withdrawal,
)
from triage.log.phone_clock import ClockCorrection, clock_correction

LEADS = {"police": "sergeant", "nurse": "clinical_lead", "paramedic": "clinical_lead"}
"""Whose role may change entries of a profession, beside their authors."""

E = TypeVar("E", bound=Entry, covariant=True)


class EntryVersion(Struct, Generic[E], frozen=True, gc=False):
    """A content that an entry had or has, when it was given (corrected), and by which stored entry: itself at first,
    then its amendments."""

    entry: E
    captured: datetime
    correction: ClockCorrection | None
    given_by: StoredEntry

    def corrected(self, time: datetime) -> datetime:
        """A time in this content, as the service's clock would have shown it."""
        return time if self.correction is None else self.correction.corrected(time)


class EffectiveEntry(Struct, Generic[E], frozen=True, gc=False):
    """An entry and the content it has now.

    `captured` is the original's, corrected; an amendment inherits it. `versions` is empty for an entry never amended,
    else the original, then its amendments in force in capture order. `withdrawn` is the withdrawal in force.
    """

    stored: StoredEntry
    entry: E
    captured: datetime
    correction: ClockCorrection | None
    versions: tuple[EntryVersion[E], ...] = ()
    withdrawn: StoredEntry | None = None

    @property
    def id(self) -> UUID:
        return self.stored.id

    def corrected(self, time: datetime) -> datetime:
        """A time in the content, as the service's clock would have shown it."""
        return time if self.correction is None else self.correction.corrected(time)

    def history(self) -> tuple[EntryVersion[E], ...]:
        """Every content it had or has."""
        return self.versions or (EntryVersion(self.entry, self.captured, self.correction, self.stored),)

    def as_it_was(self, version: EntryVersion[E]) -> "EffectiveEntry[E]":
        """This entry with a content that it had."""
        return EffectiveEntry(self.stored, version.entry, self.captured, version.correction)

    def at(self, limit: datetime) -> "EffectiveEntry[E]":
        """This entry with the content it had at an instant; one captured later as it was first given."""
        original, *amendments = self.history()
        return self.as_it_was(
            next((amendment for amendment in reversed(amendments) if amendment.captured <= limit), original)
        )


class SortedEntries(Struct, frozen=True, gc=False):
    """The entries of one incident, sorted out. Lists are in capture order, ties by entry id; `stored` in the log's.

    `withdrawn` holds what is out of force. `taken_back` are amendments that are themselves withdrawn, as the entry they
    changed would be with them in force. `pending` says that an amendment or withdrawal names what is not held.
    `training` says that training entries were given; they are left out where there is a real one.
    """

    stored: list[StoredEntry]
    contacts: list[EffectiveEntry[Contact]]
    officers: list[EffectiveEntry[Officer]]
    nurses: list[EffectiveEntry[Nurse]]
    paramedics: list[EffectiveEntry[Paramedic]]
    intents: list[EffectiveEntry[Intent]]
    outcomes: list[EffectiveEntry[Outcome]]
    detentions: list[EffectiveEntry[Detention]]
    follow_ups: list[EffectiveEntry[FollowUp]]
    withdrawn: list[EffectiveEntry[Any]]
    taken_back: list[EffectiveEntry[Any]]
    links: list[StoredEntry]
    people: list[StoredEntry]
    pending: bool
    training: bool

    @property
    def changed(self) -> bool:
        """Whether anything was ever amended or withdrawn."""
        return bool(self.withdrawn or self.taken_back) or any(entry.versions for entry in self.in_force())

    def in_force(self) -> Iterable[EffectiveEntry[Any]]:
        """Every content in force."""
        yield from (*self.contacts, *self.intents, *self.outcomes, *self.detentions, *self.follow_ups)

    def ever(self) -> Iterable[EffectiveEntry[Any]]:
        """Every entry that is or was in force, with what it held."""
        yield from self.in_force()
        yield from self.withdrawn
        yield from self.taken_back


def correction(stored: StoredEntry) -> ClockCorrection | None:
    """How the times of an entry are corrected, where its phone's clock was further off than tolerated."""
    return clock_correction(stored.skew_ms, stored.received_at)


def captured(stored: StoredEntry) -> datetime:
    """When the entry was captured, as the service's clock would have shown it."""
    clock = correction(stored)
    return stored.entry.captured_at if clock is None else clock.corrected(stored.entry.captured_at)


def sort_entries(entries: Iterable[StoredEntry]) -> SortedEntries:
    """Sort out the entries of one incident. Duplicates by id are tolerated."""
    stored = in_log_order(entries)
    training = any(entry.entry.test for entry in stored)
    if training:
        stored = without_training(stored)
    by_kind: dict[type[Entry], list[StoredEntry]] = {}
    for entry in stored:
        by_kind.setdefault(type(entry.entry), []).append(entry)
    if Amendment in by_kind or Withdrawal in by_kind:
        return _sort_changed(stored, by_kind, training)
    unchanged = {kind: _unchanged(by_kind[kind]) if kind in by_kind else [] for kind in AMENDABLE}
    return _sorted(stored, by_kind, unchanged, ([], []), False, training)


def in_log_order(entries: Iterable[StoredEntry]) -> list[StoredEntry]:
    """Each entry once, in the log's order."""
    stored, last = list(entries), -1
    for entry in stored:
        if entry.seq <= last:
            return sorted({entry.id.int: entry for entry in stored}.values(), key=log_order)  # hashing a UUID is slow
        last = entry.seq
    return stored


def without_training(stored: list[StoredEntry]) -> list[StoredEntry]:
    """The real entries, where there is a real content; else all. What changes a training entry goes with it."""
    if all(entry.entry.test for entry in stored if isinstance(entry.entry, AMENDABLE)):
        return stored
    gone = {entry.id for entry in stored if entry.entry.test}
    before = -1
    while len(gone) != before:
        before = len(gone)
        gone |= {entry.id for entry in stored if named(entry.entry) in gone}
    return [entry for entry in stored if entry.id not in gone]


def named(entry: Entry) -> UUID | None:
    """The entry that this one amends or withdraws."""
    match entry:
        case Amendment():
            return entry.amends
        case Withdrawal():
            return entry.withdraws
        case _:
            return None


def judges(stored: Iterable[StoredEntry]) -> tuple[UUID, ...]:
    """The accounts that have stored an `s136_justified` in a nurse's contact, or in their own amendment of one.

    In force or not. An amendment of what is not held proves nothing, nor does another's: it leaves the judgement.
    """
    entries = list(stored)
    authors = {
        entry.author for entry in entries if isinstance(entry.entry, Nurse) and entry.entry.s136_justified is not None
    }
    if any(isinstance(entry.entry, Amendment) for entry in entries):
        by_id = {entry.id: entry for entry in entries}
        for name, root in originals(by_id).items():
            amendment = by_id[name]
            if root.author == amendment.author and _judgement(amendment) is not None:
                authors.add(root.author)
    return tuple(sorted(authors))


def _judgement(amendment: StoredEntry) -> str | None:
    return getattr(amendment.entry.entry, "s136_justified", None) if isinstance(amendment.entry, Amendment) else None


class Authorship(Protocol):
    """An entry by whoever wrote it, and in which role."""

    @property
    def author(self) -> UUID: ...
    @property
    def profession(self) -> str: ...
    @property
    def role(self) -> str: ...


def permitted(change: Authorship, target: Authorship) -> bool:
    """Whether the author of a change may make it: she wrote the original, or leads its side."""
    return change.author == target.author or change.role == LEADS.get(target.profession)


def out_of_force(stored: Iterable[StoredEntry]) -> dict[UUID, StoredEntry]:
    """Withdrawn entries, each by the earliest captured of its withdrawals that are permitted and in force.

    A withdrawal may be withdrawn in turn. Withdrawals in a circle do nothing.
    """
    by_id = {entry.id: entry for entry in stored}
    names = {entry.id: entry.entry.withdraws for entry in by_id.values() if isinstance(entry.entry, Withdrawal)}
    names = {key: name for key, name in names.items() if name in by_id and permitted(by_id[key], by_id[name])}
    against = Counter(names.values())
    ready = [by_id[key] for key in names if key not in against]
    out: dict[UUID, StoredEntry] = {}
    while ready:
        withdrawal = ready.pop()
        name = names[withdrawal.id]
        if withdrawal.id not in out and (name not in out or capture_order(withdrawal) < capture_order(out[name])):
            out[name] = withdrawal
        against[name] -= 1
        if not against[name] and name in names:
            ready.append(by_id[name])
    return out


def originals(by_id: dict[UUID, StoredEntry]) -> dict[UUID, StoredEntry]:
    """The content that each amendment, or amendment of an amendment, replaces; none where that is not held, is of
    another kind, or is never reached because amendments name each other in a circle."""
    roots: dict[UUID, StoredEntry | None] = {}
    for entry in by_id.values():
        passed: dict[UUID, None] = {}
        root: StoredEntry | None = entry
        while root is not None and isinstance(root.entry, Amendment) and root.id not in roots:
            if root.id in passed:
                break
            passed[root.id] = None
            root = by_id.get(root.entry.amends)
        if root is not None and isinstance(root.entry, Amendment):
            root = roots.get(root.id)
        roots.update(dict.fromkeys(passed, root))
    return {name: root for name, root in roots.items() if root is not None and _replaces(by_id[name], root)}


def _replaces(amendment: StoredEntry, root: StoredEntry) -> bool:
    return isinstance(amendment.entry, Amendment) and kind(amendment.entry.entry) == kind(root.entry)


def amendments_of(stored: Sequence[StoredEntry]) -> dict[UUID, list[StoredEntry]]:
    """The permitted amendments of each content, in capture order, ties by entry id; also those out of force."""
    by_id = {entry.id: entry for entry in stored}
    chains: dict[UUID, list[StoredEntry]] = {}
    roots = originals(by_id)
    for amendment in sorted((by_id[name] for name in roots), key=capture_order):
        root = roots[amendment.id]
        if permitted(amendment, root):
            chains.setdefault(root.id, []).append(amendment)
    return chains


def kind(entry: Struct) -> str:
    """The kind of an entry, also of the replacement in an amendment."""
    if type(entry) is NewerEntry:
        return entry.kind_name
    return str(entry.__struct_config__.tag)


log_order = attrgetter("seq")


def capture_order(stored: StoredEntry) -> tuple[datetime, UUID]:
    """The order in which entries were captured, corrected, ties by entry id."""
    return captured(stored), stored.id


def _effective_order(entry: EffectiveEntry[Any]) -> tuple[datetime, UUID]:
    return entry.captured, entry.stored.id


def _unchanged(stored: Sequence[StoredEntry]) -> list[EffectiveEntry[Any]]:
    effective = []
    for entry in stored:
        clock = correction(entry)
        at = captured(entry) if clock else entry.entry.captured_at
        effective.append(EffectiveEntry(entry, entry.entry, at, clock))
    if len(effective) > 1:
        effective.sort(key=_effective_order)
    return effective


def _sort_changed(
    stored: list[StoredEntry], by_kind: dict[type[Entry], list[StoredEntry]], training: bool
) -> SortedEntries:
    out = out_of_force(stored)
    chains = amendments_of(stored)
    effective: dict[type[Entry], list[EffectiveEntry[Any]]] = {}
    withdrawn, taken_back = [], []
    for kind in AMENDABLE:
        contents = by_kind.get(kind, ())
        in_force = {
            entry.id: [amendment for amendment in chains.get(entry.id, ()) if amendment.id not in out]
            for entry in contents
        }
        changed = [_with_changes(entry, in_force[entry.id], out.get(entry.id)) for entry in contents]
        effective[kind] = sorted((entry for entry in changed if entry.withdrawn is None), key=_effective_order)
        withdrawn += [entry for entry in changed if entry.withdrawn is not None]
        for entry in contents:
            gone = [amendment for amendment in chains.get(entry.id, ()) if amendment.id in out]
            taken_back += [_with_changes(entry, [amendment], out[amendment.id]) for amendment in gone]
    by_kind = {kind: [entry for entry in entries if entry.id not in out] for kind, entries in by_kind.items()}
    no_longer = sorted(withdrawn, key=_effective_order), sorted(taken_back, key=_effective_order)
    return _sorted(stored, by_kind, effective, no_longer, _names_unheld(stored), training)


def _with_changes(
    stored: StoredEntry, amendments: Sequence[StoredEntry], withdrawn: StoredEntry | None
) -> EffectiveEntry[Any]:
    clock = correction(stored)
    if not amendments:
        return EffectiveEntry(stored, stored.entry, captured(stored), clock, (), withdrawn)
    versions = [EntryVersion(stored.entry, captured(stored), clock, stored)]
    for amendment in amendments:
        assert isinstance(amendment.entry, Amendment)
        content = _with_own_judgement(amendment.entry.entry, amendment.author, stored.author, versions[-1].entry)
        versions.append(EntryVersion(content, captured(amendment), correction(amendment), amendment))
    last = versions[-1]
    return EffectiveEntry(stored, last.entry, captured(stored), last.correction, tuple(versions), withdrawn)


def _with_own_judgement(content: Any, author: UUID, judge: UUID, before: Any) -> Any:
    """Nobody but its author changes `s136_justified`: in another's amendment it stays what it was."""
    if kind(content) != "nurse" or author == judge:
        return content
    return structs.replace(content, s136_justified=before.s136_justified)


def _names_unheld(stored: Sequence[StoredEntry]) -> bool:
    ids = {entry.id for entry in stored}
    return any((name := named(entry.entry)) is not None and name not in ids for entry in stored)


def _sorted(
    stored: list[StoredEntry],
    by_kind: dict[type[Entry], list[StoredEntry]],
    effective: dict[type[Entry], list[EffectiveEntry[Any]]],
    no_longer: tuple[list[EffectiveEntry[Any]], list[EffectiveEntry[Any]]],
    pending: bool,
    training: bool,
) -> SortedEntries:
    officers, nurses, paramedics = effective[Officer], effective[Nurse], effective[Paramedic]
    contacts = officers + nurses + paramedics
    if len(contacts) > 1:
        contacts.sort(key=_effective_order)
    return SortedEntries(
        stored,
        contacts,
        officers,
        nurses,
        paramedics,
        effective[Intent],
        effective[Outcome],
        effective[Detention],
        effective[FollowUp],
        *no_longer,
        by_kind.get(SameIncident, []) + by_kind.get(NotSameIncident, []),
        by_kind.get(PersonLink, []) + by_kind.get(PersonUnlink, []),
        pending,
        training,
    )

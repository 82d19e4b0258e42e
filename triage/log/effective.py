"""What stands: entries after amendments and withdrawals, with the phone's times corrected for its skew.

Nothing here depends on the order in which entries are given. Where an order is needed it is the log's (`seq`), which
belongs to each entry. A change counts when its author wrote the original or leads that side: a sergeant for police, a
clinical lead for health. What it names may arrive later; then it takes effect later.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any, Generic, TypeVar
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

SKEW_TOLERATED_MS = 120_000
"""A phone's clock may be this far off before its times are corrected where they are ordered or compared."""

LEADS = {"police": "sergeant", "nurse": "clinical_lead", "paramedic": "clinical_lead"}
"""Whose role may change entries of a profession, beside their authors."""

E = TypeVar("E", bound=Entry, covariant=True)


class EntryVersion(Struct, Generic[E], frozen=True, gc=False):
    """A content that an entry had or has, and when it was given (corrected)."""

    entry: E
    captured: datetime
    correction: timedelta | None
    seq: int
    author: UUID


class EffectiveEntry(Struct, Generic[E], frozen=True, gc=False):
    """An entry and the content it has now.

    `captured` is the original's, corrected; an amendment inherits it. `versions` is empty for an entry never amended,
    else the original and every amendment in force, in the log's order. `withdrawn` is the withdrawal in force.
    """

    stored: StoredEntry
    entry: E
    captured: datetime
    correction: timedelta | None
    versions: tuple[EntryVersion[E], ...] = ()
    withdrawn: StoredEntry | None = None

    @property
    def id(self) -> UUID:
        return self.stored.id

    def corrected(self, time: datetime) -> datetime:
        """A time in the content, as the service's clock would have shown it."""
        return time if self.correction is None else time - self.correction


class SortedEntries(Struct, frozen=True, gc=False):
    """The entries of one incident, sorted out. Lists are in capture order, ties by entry id; `held` in the log's.

    `withdrawn` holds what is out of force. `pending` says that an amendment or withdrawal names what is not held.
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
    links: list[StoredEntry]
    people: list[StoredEntry]
    pending: bool
    training: bool


def correction(held: StoredEntry) -> timedelta | None:
    """How far ahead the phone's clock was, where that is more than tolerated."""
    skew = held.skew_ms
    if skew is None or -SKEW_TOLERATED_MS <= skew <= SKEW_TOLERATED_MS:
        return None
    return timedelta(milliseconds=skew)


def captured(held: StoredEntry) -> datetime:
    """When the entry was captured, as the service's clock would have shown it."""
    shift = correction(held)
    return held.entry.captured_at if shift is None else held.entry.captured_at - shift


def sort_entries(entries: Iterable[StoredEntry]) -> SortedEntries:
    """Sort out the entries of one incident. Duplicates by id are tolerated."""
    held = sorted({one.id.int: one for one in entries}.values(), key=_log_order)
    training = any(one.entry.test for one in held)
    if training:
        held = without_training(held)
    kinds: dict[type[Entry], list[StoredEntry]] = {}
    for one in held:
        kinds.setdefault(type(one.entry), []).append(one)
    if Amendment in kinds or Withdrawal in kinds:
        return _changed(held, kinds, training)
    return _record(held, kinds, {kind: _unchanged(kinds.get(kind, ())) for kind in AMENDABLE}, [], False, training)


def without_training(held: list[StoredEntry]) -> list[StoredEntry]:
    """The real entries, where there is a real content; else all. What changes a training entry goes with it."""
    if all(one.entry.test for one in held if isinstance(one.entry, AMENDABLE)):
        return held
    gone = {one.id for one in held if one.entry.test}
    before = -1
    while len(gone) != before:
        before = len(gone)
        gone |= {one.id for one in held if _named(one) in gone}
    return [one for one in held if one.id not in gone]


def judges(held: Iterable[StoredEntry]) -> tuple[UUID, ...]:
    """The accounts that have stored an `s136_justified`, in a contact or an amendment, in force or not."""
    found = set()
    for one in held:
        entry = one.entry.entry if type(one.entry) is Amendment else one.entry
        if getattr(entry, "s136_justified", None) is not None:
            found.add(one.author)
    return tuple(sorted(found))


def permitted(change: StoredEntry, target: StoredEntry) -> bool:
    """Whether the author of a change may make it: she wrote the original, or leads its side."""
    return change.author == target.author or change.role == LEADS.get(target.profession)


def out_of_force(held: Iterable[StoredEntry]) -> dict[UUID, StoredEntry]:
    """What is withdrawn, by the earliest captured of its withdrawals that are permitted and in force.

    A withdrawal may be withdrawn in turn. Withdrawals in a circle do nothing.
    """
    by_id = {one.id: one for one in held}
    named = {one.id: one.entry.withdraws for one in by_id.values() if isinstance(one.entry, Withdrawal)}
    named = {key: name for key, name in named.items() if name in by_id and permitted(by_id[key], by_id[name])}
    against = Counter(named.values())
    ready = [by_id[key] for key in named if key not in against]
    out: dict[UUID, StoredEntry] = {}
    while ready:
        one = ready.pop()
        name = named[one.id]
        if one.id not in out and (name not in out or _capture_order(one) < _capture_order(out[name])):
            out[name] = one
        against[name] -= 1
        if not against[name] and name in named:
            ready.append(by_id[name])
    return out


def originals(by_id: dict[UUID, StoredEntry]) -> dict[UUID, StoredEntry]:
    """The content that each amendment, or amendment of an amendment, replaces; none where that is not held, is of
    another kind, or is never reached because amendments name each other in a circle."""
    roots: dict[UUID, StoredEntry | None] = {}
    for one in by_id.values():
        passed: dict[UUID, None] = {}
        found: StoredEntry | None = one
        while found is not None and isinstance(found.entry, Amendment) and found.id not in roots:
            if found.id in passed:
                break
            passed[found.id] = None
            found = by_id.get(found.entry.amends)
        if found is not None and isinstance(found.entry, Amendment):
            found = roots.get(found.id)
        roots.update(dict.fromkeys(passed, found))
    return {name: root for name, root in roots.items() if root is not None and _replaces(by_id[name], root)}


def _replaces(amendment: StoredEntry, root: StoredEntry) -> bool:
    return isinstance(amendment.entry, Amendment) and kind(amendment.entry.entry) == kind(root.entry)


def amendments_in_force(held: Sequence[StoredEntry], out: dict[UUID, StoredEntry]) -> dict[UUID, list[StoredEntry]]:
    """The permitted amendments in force of each content, in the log's order."""
    by_id = {one.id: one for one in held}
    roots = originals(by_id)
    chains: dict[UUID, list[StoredEntry]] = {}
    for one in sorted((by_id[name] for name in roots if name not in out), key=_log_order):
        if permitted(one, roots[one.id]):
            chains.setdefault(roots[one.id].id, []).append(one)
    return chains


def kind(entry: Struct) -> str:
    """The kind of an entry, also of the replacement in an amendment."""
    if type(entry) is NewerEntry:
        return entry.kind_name
    return str(entry.__struct_config__.tag)


_log_order = attrgetter("seq")


def _capture_order(one: StoredEntry) -> tuple[datetime, UUID]:
    return captured(one), one.id


def _standing_order(one: EffectiveEntry[Any]) -> tuple[datetime, UUID]:
    return one.captured, one.stored.id


def _unchanged(held: Sequence[StoredEntry]) -> list[EffectiveEntry[Any]]:
    found = []
    for one in held:
        shift = correction(one)
        found.append(EffectiveEntry(one, one.entry, captured(one) if shift else one.entry.captured_at, shift))
    if len(found) > 1:
        found.sort(key=_standing_order)
    return found


def _changed(held: list[StoredEntry], kinds: dict[type[Entry], list[StoredEntry]], training: bool) -> SortedEntries:
    out = out_of_force(held)
    chains = amendments_in_force(held, out)
    standing: dict[type[Entry], list[EffectiveEntry[Any]]] = {}
    withdrawn = []
    for kind_ in AMENDABLE:
        changed = [_with_changes(one, chains.get(one.id, ()), out.get(one.id)) for one in kinds.get(kind_, ())]
        standing[kind_] = sorted((one for one in changed if one.withdrawn is None), key=_standing_order)
        withdrawn += [one for one in changed if one.withdrawn is not None]
    kinds = {name: [one for one in those if one.id not in out] for name, those in kinds.items()}
    return _record(held, kinds, standing, sorted(withdrawn, key=_standing_order), _names_unheld(held), training)


def _with_changes(
    held: StoredEntry, chain: Sequence[StoredEntry], withdrawn: StoredEntry | None
) -> EffectiveEntry[Any]:
    shift = correction(held)
    if not chain:
        return EffectiveEntry(held, held.entry, captured(held), shift, (), withdrawn)
    versions = [EntryVersion(held.entry, captured(held), shift, held.seq, held.author)]
    for one in chain:
        assert isinstance(one.entry, Amendment)
        content = _with_own_judgement(one.entry.entry, one.author, held.author, versions[-1].entry)
        versions.append(EntryVersion(content, captured(one), correction(one), one.seq, one.author))
    last = versions[-1]
    return EffectiveEntry(held, last.entry, captured(held), last.correction, tuple(versions), withdrawn)


def _with_own_judgement(content: Any, author: UUID, judge: UUID, before: Any) -> Any:
    """Nobody but its author changes `s136_justified`: in another's amendment it stays what it was."""
    if kind(content) != "nurse" or author == judge:
        return content
    return structs.replace(content, s136_justified=before.s136_justified)


def _names_unheld(held: Sequence[StoredEntry]) -> bool:
    ids = {one.id for one in held}
    return any(
        (isinstance(one.entry, Withdrawal) and one.entry.withdraws not in ids)
        or (isinstance(one.entry, Amendment) and one.entry.amends not in ids)
        for one in held
    )


def _record(
    held: list[StoredEntry],
    kinds: dict[type[Entry], list[StoredEntry]],
    standing: dict[type[Entry], list[EffectiveEntry[Any]]],
    withdrawn: list[EffectiveEntry[Any]],
    pending: bool,
    training: bool,
) -> SortedEntries:
    officers, nurses, paramedics = standing[Officer], standing[Nurse], standing[Paramedic]
    contacts = officers + nurses + paramedics
    if len(contacts) > 1:
        contacts.sort(key=_standing_order)
    return SortedEntries(
        held,
        contacts,
        officers,
        nurses,
        paramedics,
        standing[Intent],
        standing[Outcome],
        standing[Detention],
        standing[FollowUp],
        withdrawn,
        kinds.get(SameIncident, []) + kinds.get(NotSameIncident, []),
        kinds.get(PersonLink, []) + kinds.get(PersonUnlink, []),
        pending,
        training,
    )


def _named(one: StoredEntry) -> UUID | None:
    if isinstance(one.entry, Amendment):
        return one.entry.amends
    return one.entry.withdraws if isinstance(one.entry, Withdrawal) else None

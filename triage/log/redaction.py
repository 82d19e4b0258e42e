"""An incident as an audience sees it: fields and entries are removed before entries are added up.

So no sum tells what is hidden. Which fields are is a table (`triage.log.visibility`). Blind means computed as if it
did not exist: until a nurse has given her own judgement (`s136_justified`), nothing that reaches her tells of an
intent, its tests, a consultation, an offence or a necessity, nor that there is any. A paramedic is blind until a nurse
has judged; the clinical lead until then, or until a judgement can no longer corroborate.
"""

import operator
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from msgspec import Struct, structs

from triage import codes
from triage.access.actors import side_of
from triage.log.blindness import is_blind, lead_unblinded_at
from triage.log.diversion import POLICE_ONLY
from triage.log.effective import (
    amendments_of,
    in_log_order,
    judges,
    kind,
    originals,
    out_of_force,
    permitted,
    sort_entries,
    without_training,
)
from triage.log.entries import AMENDABLE, Amendment, Detention, Entry, NewerEntry, StoredEntry, Withdrawal
from triage.log.incident import Incident, fold, is_restricted, view_at
from triage.log.timeline import PersonEvent
from triage.log.view import Audience, IncidentView
from triage.log.visibility import FIELDS, PARTS, Sight, Who
from triage.terms import Terms

BLIND = Sight("health", True)
"""The sight of a health account before any judgement."""

_FOLLOW_UPS = codes.list("follow_up_event")
_CHANGES = (Amendment, Withdrawal)
_CONTENTS = {str(kind.__struct_config__.tag): kind for kind in AMENDABLE}


def sight_of(entries: Sequence[StoredEntry], audience: Audience, now: datetime, full: Incident | None = None) -> Sight:
    """The sight of this audience of an incident with these entries, at an instant. `full` as in `view_for`."""
    if audience.side == "police":
        return Sight("police", False)
    if full:
        return Sight("health", is_blind(audience, full.judged_by, full.lead_unblinded_at, now))
    real = without_training(list(entries))
    unblinded_at = lead_unblinded_at(sort_entries(real)) if audience.level == "lead" else None
    return Sight("health", is_blind(audience, judges(real), unblinded_at, now))


def redact(entries: Sequence[StoredEntry], sight: Sight) -> list[StoredEntry]:
    """The entries of one incident as they may be added up for what is seen, in the log's order.

    Whether an extension moves the expiry is kept, its ground is not: for police a valid one stays as it is, every other
    one becomes `other`. `visible_entries` removes both.
    """
    stored = in_log_order(entries)
    if any(isinstance(entry.entry, _CHANGES) for entry in stored):
        return _Redaction(stored, sight).visible()
    return [shown for entry in stored if (shown := _shown(entry, sight)) is not None]


def visible_entries(entries: Sequence[StoredEntry], audience: Audience, now: datetime) -> list[StoredEntry]:
    """The entries of one incident as this audience may read them, in the log's order; none if it may not reach it."""
    if not may_reach(entries, audience):
        return []
    visible = redact(entries, sight_of(entries, audience, now))
    return [_without_ground(entry) for entry in visible] if audience.side == "police" else visible


def visible_events(events: Sequence[PersonEvent], sight: Sight) -> Sequence[PersonEvent]:
    """The events that other incidents of the same person contribute, as far as this sight may know of them."""
    return events if sight.side == "police" else [event for event in events if event.code not in POLICE_ONLY]


def view_for(
    entries: Sequence[StoredEntry],
    person_events: Sequence[PersonEvent],
    audience: Audience,
    now: datetime,
    *,
    extra_flags: Iterable[str] = (),
    terms: Terms,
    full: Incident | None = None,
    ids: tuple[UUID, ...] = (),
) -> IncidentView | None:
    """The view that this audience is served at an instant; None where it sees nothing of it.

    `person_events` and `ids` as in `fold`. `full` is the incident folded of all entries and `person_events`, where it
    is at hand. A lead's grades come from all entries, unless she is blind.
    """
    if not may_reach(entries, audience, full):
        return None
    sight = sight_of(entries, audience, now, full)
    visible = redact(entries, sight)
    if not visible:
        return None
    incident = graded = fold_visible(visible, person_events, sight, terms=terms, ids=ids, full=full)
    if audience.level == "lead" and not sight.blind:
        graded = full or fold(entries, person_events, terms=terms, ids=ids)
    return view_at(incident, now, audience, sight, extra_flags, graded)


def fold_visible(
    visible: Sequence[StoredEntry],
    person_events: Sequence[PersonEvent],
    sight: Sight,
    *,
    terms: Terms,
    ids: tuple[UUID, ...],
    full: Incident | None = None,
) -> Incident:
    """The incident folded of what is visible. `full`, folded of all entries and `person_events`, where it is at hand:
    where nothing is hidden of either, it is that."""
    told = visible_events(person_events, sight)
    if full and len(told) == len(person_events) and _is_all(visible, full):
        return full
    return fold(visible, told, terms=terms, ids=ids)


def _is_all(visible: Sequence[StoredEntry], full: Incident) -> bool:
    """Whether these are the very entries that the incident was folded of: nothing was removed from any."""
    stored = full.entries.stored
    return len(visible) == len(stored) and all(map(operator.is_, visible, stored))


def may_reach(entries: Sequence[StoredEntry], audience: Audience, full: Incident | None = None) -> bool:
    """Whether the incident is open to this audience at all: after a death only sergeant and clinical lead reach it."""
    if audience.level == "lead":
        return True
    return not (full.restricted if full else is_restricted(entries))


class _Redaction:
    """One pass over the entries of an incident: contents first, then what changes them, then what withdraws either."""

    def __init__(self, stored: list[StoredEntry], sight: Sight) -> None:
        self.stored = stored
        self.sight = sight
        self.by_id = {entry.id: entry for entry in stored}
        self.shown: dict[UUID, StoredEntry] = {}

    def visible(self) -> list[StoredEntry]:
        for entry in self.stored:
            if not isinstance(entry.entry, _CHANGES) and (shown := _shown(entry, self.sight)) is not None:
                self.shown[entry.id] = shown
        self._show_amendments()
        self._show_withdrawals([(entry, entry.entry) for entry in self.stored if isinstance(entry.entry, Withdrawal)])
        return [self.shown[entry.id] for entry in self.stored if entry.id in self.shown]

    def _show(self, stored: StoredEntry, entry: Any) -> None:
        if entry is not None:
            self.shown[stored.id] = _with_content(stored, entry, self.sight)

    def _show_amendments(self) -> None:
        roots = originals(self.by_id)
        chains: dict[UUID, list[tuple[StoredEntry, Amendment]]] = {}
        for stored in self.stored:
            if not isinstance(stored.entry, Amendment):
                continue
            root = roots.get(stored.id)
            if root is None:
                self._show_pending(stored, stored.entry)
            elif root.id in self.shown:
                chains.setdefault(root.id, []).append((stored, stored.entry))
        if chains:
            out, in_order = out_of_force(self.stored), amendments_of(self.stored)
            for root_id, chain in chains.items():
                in_force = [amendment.id for amendment in in_order.get(root_id, ()) if amendment.id not in out]
                self._show_chain(self.by_id[root_id], chain, in_force)

    def _show_pending(self, stored: StoredEntry, entry: Amendment) -> None:
        """The change that an amendment of the other side makes cannot be told without the original: it stays hidden."""
        if _is_own(stored, self.sight):
            content = _seen_content(entry.entry, stored.profession, self.sight)
            self._show(stored, content and _amendment(entry, content, entry.amends))

    def _show_chain(
        self, root: StoredEntry, chain: list[tuple[StoredEntry, Amendment]], in_force: Sequence[UUID]
    ) -> None:
        """The amendments of one content that change something this audience sees.

        Where one in force is wholly hidden, so is the content: what counts is not to be seen, and nothing else counts.
        Where the kind is partly hidden, an amendment that leaves what is seen as it was, or is not permitted, is not
        shown, for it could only have changed what is hidden.
        """
        contents = {amendment.id: _seen_content(entry.entry, root.profession, self.sight) for amendment, entry in chain}
        if any(contents[name] is None for name in in_force):
            del self.shown[root.id]
            return
        partly = _is_partly_hidden(kind(root.entry), self.sight)
        telling = set(_telling(self.shown[root.id].entry, [(name, contents[name]) for name in in_force]))
        for amendment, entry in chain:
            content = contents[amendment.id]
            if content is None:
                continue
            quiet = (
                amendment.id not in telling if amendment.id in in_force else _same(content, self.shown[root.id].entry)
            )
            if partly and (quiet or not permitted(amendment, root)):
                continue
            self._show(amendment, _amendment(entry, content, entry.amends if entry.amends in self.shown else root.id))

    def _show_withdrawals(self, withdrawals: list[tuple[StoredEntry, Withdrawal]]) -> None:
        """A withdrawal shows where what it withdraws shows; of what is not held, only one's own side's."""
        against: dict[UUID, list[StoredEntry]] = {}
        ready = []
        for stored, entry in withdrawals:
            against.setdefault(entry.withdraws, []).append(stored)
            if entry.withdraws in self.shown or (entry.withdraws not in self.by_id and _is_own(stored, self.sight)):
                ready.append(stored)
        while ready:
            stored = ready.pop()
            self.shown[stored.id] = stored
            ready += against.get(stored.id, ())


def _shown(stored: StoredEntry, sight: Sight) -> StoredEntry | None:
    """A content as it is seen; None where it is hidden. A kind that is not known here is seen by its own side alone."""
    if isinstance(stored.entry, NewerEntry):
        return stored if _is_own(stored, sight) else None
    content = _seen_content(stored.entry, stored.profession, sight)
    return None if content is None else _with_content(stored, content, sight)


def _with_content(stored: StoredEntry, entry: Any, sight: Sight) -> StoredEntry:
    """Content that a newer version wrote and this one cannot read is shown to the side that wrote it alone."""
    if stored.newer is not None and not _is_own(stored, sight):
        stored = structs.replace(stored, newer=None)
    return stored if entry is stored.entry else structs.replace(stored, entry=entry)


def _is_own(stored: StoredEntry, sight: Sight) -> bool:
    return side_of(stored.profession) == sight.side


def _telling(content: Any, amendments: Iterable[tuple[UUID, Any]]) -> Iterable[UUID]:
    """Those of the amendments in force, in capture order, after which something else is seen than before."""
    for name, amended in amendments:
        if not _same(amended, content):
            yield name
        content = amended


def _hidden(name: str, sight: Sight, author: str) -> tuple[str, ...]:
    """The fields of a kind that are not seen as they are. What has no row is hidden."""
    rows = FIELDS.get(name, {})
    fields = _CONTENTS[name].__struct_fields__
    return tuple(field for field in fields if not _is_seen(rows.get(field), sight, author))


def _is_seen(who: Who | None, sight: Sight, author: str) -> bool:
    return who is not None and sight.sees(who, side_of(author))


@cache
def _is_partly_hidden(name: str, sight: Sight) -> bool:
    return name == "follow_up" or any(_hidden(name, sight, author) != () for author in ("police", "nurse"))


def _seen_content(content: Any, profession: str, sight: Sight) -> Any:
    """The content without what is not seen; None where that is all of it."""
    name = kind(content)
    if name == "follow_up" and not _follow_up_is_seen(content, profession, sight):
        return None
    if name not in _CONTENTS:
        hidden_answers = getattr(content, "answers", None) and side_of(profession) != sight.side
        return structs.replace(content, answers=None) if hidden_answers else content
    content_type: type[Struct] = type(content)
    masked = _masked(content_type, profession, sight)
    values = masked.values(content)
    if values.count(None) == len(values):
        return content
    seen = {
        field: _instead(name, field, value, content, sight)
        for field, value in zip(masked.fields, values, strict=False)
        if value is not None
    }
    if name == "intent" and "intent" in seen:
        return None
    for field, names in masked.parts:
        if field not in seen and (part := getattr(content, field)) is not None:
            seen[field] = structs.replace(part, **dict.fromkeys(names))
    changed = {field: value for field, value in seen.items() if value != getattr(content, field)}
    return structs.replace(content, **changed) if changed else content


def _follow_up_is_seen(content: Any, profession: str, sight: Sight) -> bool:
    """Police see their own and what the list shows to them whoever wrote it; health all but a later arrest."""
    row = _FOLLOW_UPS.get(content.event)
    if sight.side == "police":
        return profession == "police" or (row is not None and row.shown_to_police)
    return not (profession == "police" and content.event == "later_arrest")


def _instead(name: str, field: str, value: Any, content: Any, sight: Sight) -> Any:
    """The value that stands in place of one that is not seen as it is."""
    match FIELDS[name].get(field):
        case Who.OFFENCE if not sight.blind:
            return value if value == "none" else "alleged"
        case Who.RESULT:
            return value if value == "custody" else None
        case Who.EXTENSION if content.event == "extended":
            valid = (content.ground, content.authorised_by) == ("condition", "responsible_doctor")
            return value if valid else "other"
    return None


class _Masked(Struct, frozen=True):
    """The fields of a type that are not seen as they are; those that hold a part of which something is not seen, and
    what of it is not. `values` of an entry are of these fields, in this order."""

    fields: tuple[str, ...]
    parts: tuple[tuple[str, tuple[str, ...]], ...]
    values: Callable[[Any], tuple[Any, ...]]


@cache
def _masked(content: type[Struct], author: str, sight: Sight) -> _Masked:
    """All of it at once: most contents hold nothing that would have to be hidden, which one look tells."""
    hidden = _hidden(str(content.__struct_config__.tag), sight, author)
    fields = tuple(field for field in hidden if field in content.__struct_fields__)
    parts = _hidden_in_parts(content, sight)
    names = (*fields, *(field for field, _ in parts))
    if len(names) > 1:
        return _Masked(fields, parts, operator.attrgetter(*names))
    return _Masked(fields, parts, lambda entry: tuple(getattr(entry, name) for name in names))


@cache
def _hidden_in_parts(content: type[Struct], sight: Sight) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The fields of this type that hold a part of which something is not seen, and what of it is not."""
    hidden = {
        part: tuple(name for name, who in rows.items() if not sight.sees(who, "police")) for part, rows in PARTS.items()
    }
    return tuple((part, names) for part, names in hidden.items() if names and part in content.__struct_fields__)


def _amendment(entry: Amendment, content: Any, amends: UUID) -> Amendment:
    if content is entry.entry and amends == entry.amends:
        return entry
    return structs.replace(entry, entry=content, amends=amends)


def _same(amended: Struct, content: Struct) -> bool:
    """Whether an amended content says what another of its kind says; that may be an original, which has more fields.

    A text is stored sealed, so that one that is given again may be another: it is never the same.
    """
    intent = getattr(amended, "intent", None)
    if getattr(amended, "note", None) is not None or (intent is not None and intent.referrer is not None):
        return False
    shared = set(amended.__struct_fields__) & set(content.__struct_fields__) - set(Entry.__struct_fields__)
    return all(getattr(amended, name) == getattr(content, name) for name in shared)


def _without_ground(stored: StoredEntry) -> StoredEntry:
    entry = stored.entry
    if isinstance(entry, Detention):
        return structs.replace(stored, entry=structs.replace(entry, ground=None, authorised_by=None))
    if isinstance(entry, Amendment) and kind(entry.entry) == "detention":
        content = structs.replace(entry.entry, ground=None, authorised_by=None)
        return structs.replace(stored, entry=structs.replace(entry, entry=content))
    return stored

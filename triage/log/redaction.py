"""Who sees what: fields and entries are removed before entries are added up, so that no sum tells what is hidden.

Blind means computed as if it did not exist: until a nurse has given her own judgement (`s136_justified`), nothing that
reaches her tells of an intent, its tests, a consultation, an offence or a necessity, nor that there is any. A paramedic
never judges. The clinical lead is blind until some nurse has judged.
"""

import operator
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct, structs

from triage.log.diversion import Grades
from triage.log.effective import judges, kind, originals, out_of_force, permitted, without_training
from triage.log.entries import (
    Amendment,
    Contact,
    Detention,
    NewerEntry,
    Nurse,
    Outcome,
    Paramedic,
    StoredEntry,
    Withdrawal,
    replacement,
)
from triage.log.flags import TERMS, Terms
from triage.log.incident import Incident, blind, changes_at, fold, repeat_changes_at, view_at
from triage.log.timeline import PersonEvent
from triage.log.view import Audience, IncidentView, Side

BLIND = Audience("health", "field")
"""A health audience before any judgement of its own."""

KNOWN_TO_POLICE = frozenset(("later_s136", "later_arrest", "died", "window_checked", "not_traceable"))
"""The follow-ups that police see whoever wrote them; of the others only their own."""

_OWN_TO_HEALTH = {"presenting": None, "note": None, "disability": None}
_SHARED_ADVICE = ("advice", "advice_given_at")


def _added(contact: type[Contact]) -> dict[str, None]:
    fields = set(contact.__struct_fields__) - set(Contact.__struct_fields__) - set(_SHARED_ADVICE)
    return dict.fromkeys(sorted(fields)) | _OWN_TO_HEALTH


_FROM_POLICE = {"nurse": _added(Nurse), "paramedic": _added(Paramedic)}
_FROM_HEALTH: dict[str, None] = dict.fromkeys(("referrals", "note", "domestic_abuse", "arrest_necessity"))
_FROM_BLIND = _FROM_HEALTH | dict.fromkeys(("intent", "consulted", "not_consulted_reason", "offence"))
_PARTLY_HIDDEN: dict[Side, frozenset[str]] = {
    "police": frozenset(("nurse", "paramedic", "detention", "follow_up")),
    "health": frozenset(("officer", "intent", "follow_up")),
}


class Redactor(Struct, frozen=True):
    """What an audience may see of one incident: all that its entries are removed by."""

    side: Side
    blind: bool


def redactor_for(entries: Iterable[StoredEntry], audience: Audience) -> Redactor:
    """What this audience may see, given what has been judged in the incident."""
    if audience.side == "police":
        return Redactor("police", False)
    return Redactor("health", blind(audience, judges(without_training(list(entries)))))


def redact(entries: Sequence[StoredEntry], audience: Audience) -> list[StoredEntry]:
    """The entries of one incident as this audience may add them up, in the log's order.

    Whether an extension moves the expiry is kept, its ground is not: for police a valid one stays as it is, every other
    one becomes `other`. `visible_entries` removes both.
    """
    held = sorted({one.id: one for one in entries}.values(), key=lambda one: one.seq)
    if audience.full:
        return held
    return _Redaction(held, redactor_for(held, audience)).visible()


def visible_entries(entries: Sequence[StoredEntry], audience: Audience) -> list[StoredEntry]:
    """The entries of one incident as this audience may read them, in the log's order; none if it may not reach it."""
    if not may_reach(entries, audience):
        return []
    visible = redact(entries, audience)
    return [_without_ground(one) for one in visible] if audience.side == "police" and not audience.full else visible


class AudienceIncident(Struct, frozen=True, gc=False):
    """An incident as an audience sees it, before the time of reading is known.

    `graded` is what a lead's grades come from: all entries, unless she is blind. `turns` are the instants at which the
    view changes by time alone.
    """

    incident: Incident
    audience: Audience
    graded: Grades

    @property
    def changes_at(self) -> tuple[datetime, ...]:
        pending = self.graded.pending_until if self.audience.level == "lead" else None
        repeats = repeat_changes_at(self.incident, self.audience)
        return tuple(sorted({*changes_at(self.incident, grades=False), *repeats, *([pending] if pending else ())}))

    def at(self, now: datetime, extra_flags: Iterable[str] = ()) -> IncidentView:
        """What is served at an instant."""
        return view_at(self.incident, now, self.audience, extra_flags, self.graded)


def audience_incident(
    entries: Sequence[StoredEntry],
    others: Sequence[PersonEvent],
    audience: Audience,
    *,
    terms: Terms = TERMS,
    full: Incident | None = None,
    ids: tuple[UUID, ...] = (),
) -> AudienceIncident | None:
    """The incident as this audience sees it; None where it sees nothing of it.

    `others` and `ids` as in `fold`. `full` is the incident folded of all entries and `others`, where it is at hand.
    """
    if not may_reach(entries, audience):
        return None
    visible = redact(entries, audience)
    if not visible:
        return None
    if full and len(visible) == len(full.entries.stored) and all(map(operator.is_, visible, full.entries.stored)):
        return AudienceIncident(full, audience, full.diversion)
    incident = fold(visible, others, terms, ids=ids)
    if audience.level == "field" or blind(audience, incident.judged_by):
        return AudienceIncident(incident, audience, incident.diversion)
    return AudienceIncident(incident, audience, (full or fold(entries, others, terms, ids=ids)).diversion)


def view_for(
    entries: Sequence[StoredEntry],
    others: Sequence[PersonEvent],
    audience: Audience,
    now: datetime,
    *,
    extra_flags: Iterable[str] = (),
    terms: Terms = TERMS,
    full: Incident | None = None,
    ids: tuple[UUID, ...] = (),
) -> IncidentView | None:
    """What this audience is served of an incident at an instant; None where it sees nothing of it. See `see`."""
    seen = audience_incident(entries, others, audience, terms=terms, full=full, ids=ids)
    return None if seen is None else seen.at(now, extra_flags)


def may_reach(entries: Sequence[StoredEntry], audience: Audience) -> bool:
    """Whether the incident is open to this audience at all: after a death only sergeant and clinical lead reach it."""
    if audience.full or audience.level == "lead" or not any(map(_tells_of_death, entries)):
        return True
    return not fold(entries).restricted


class _Redaction:
    """One pass over the entries of an incident: contents first, then what changes them, then what withdraws either."""

    def __init__(self, held: list[StoredEntry], sight: Redactor) -> None:
        self.stored = held
        self.sight = sight
        self.by_id = {one.id: one for one in held}
        self.shown: dict[UUID, StoredEntry] = {}

    def visible(self) -> list[StoredEntry]:
        for one in self.stored:
            if isinstance(one.entry, NewerEntry):
                self._show(one, one.entry if _side(one) == self.sight.side else None)
            elif not isinstance(one.entry, Amendment | Withdrawal):
                self._show(one, self._blanked(one.entry, one.profession))
        self._show_amendments([(one, one.entry) for one in self.stored if isinstance(one.entry, Amendment)])
        self._show_withdrawals([(one, one.entry) for one in self.stored if isinstance(one.entry, Withdrawal)])
        return [self.shown[one.id] for one in self.stored if one.id in self.shown]

    def _show(self, one: StoredEntry, entry: Any) -> None:
        """What a newer version wrote and this one cannot read is shown to the side that wrote it alone."""
        if one.newer is not None and _side(one) != self.sight.side:
            one = structs.replace(one, newer=None)
        if entry is not None:
            self.shown[one.id] = one if entry is one.entry else structs.replace(one, entry=entry)

    def _blanked(self, entry: Any, profession: str) -> Any:
        """The content without what this audience may not see; None where that is all of it."""
        if self.sight.side == "police":
            return _for_police(entry, profession)
        return _for_health(entry, profession, self.sight.blind)

    def _show_amendments(self, amendments: list[tuple[StoredEntry, Amendment]]) -> None:
        if not amendments:
            return
        chains: dict[UUID, list[tuple[StoredEntry, Amendment]]] = {}
        roots = originals(self.by_id)
        for one, entry in amendments:
            root = roots.get(one.id)
            if root is None:
                self._show_pending(one, entry)
            elif root.id in self.shown:
                chains.setdefault(root.id, []).append((one, entry))
        out = out_of_force(self.stored)
        for root_id, chain in chains.items():
            self._show_chain(self.by_id[root_id], chain, out)

    def _show_pending(self, one: StoredEntry, entry: Amendment) -> None:
        """What an amendment of the other side changes cannot be told without the original: it stays hidden."""
        if _side(one) == self.sight.side:
            content = self._blanked(entry.entry, one.profession)
            self._show(one, content and _amendment(entry, content, entry.amends))

    def _show_chain(
        self, root: StoredEntry, chain: list[tuple[StoredEntry, Amendment]], out: dict[UUID, StoredEntry]
    ) -> None:
        """The amendments of one content that change something this audience sees.

        Where one in force is wholly hidden, so is the content: what stands is not to be seen, and nothing else stands.
        """
        contents = [self._blanked(entry.entry, root.profession) for _, entry in chain]
        in_force = [one.id not in out and permitted(one, root) for one, _ in chain]
        if any(stands and content is None for stands, content in zip(in_force, contents, strict=True)):
            del self.shown[root.id]
            return
        partly = kind(root.entry) in _PARTLY_HIDDEN[self.sight.side]
        effective = self.shown[root.id].entry
        for stands, content, (one, entry) in zip(in_force, contents, chain, strict=True):
            if content is None or (partly and (not permitted(one, root) or _same(content, effective))):
                continue
            if stands:
                effective = content
            self._show(one, _amendment(entry, content, entry.amends if entry.amends in self.shown else root.id))

    def _show_withdrawals(self, withdrawals: list[tuple[StoredEntry, Withdrawal]]) -> None:
        """A withdrawal shows where what it withdraws shows; of what is not held, only one's own side's."""
        against: dict[UUID, list[StoredEntry]] = {}
        ready = []
        for one, entry in withdrawals:
            against.setdefault(entry.withdraws, []).append(one)
            if entry.withdraws in self.shown or (entry.withdraws not in self.by_id and _side(one) == self.sight.side):
                ready.append(one)
        while ready:
            one = ready.pop()
            self.shown[one.id] = one
            ready += against.get(one.id, ())


def _for_police(entry: Any, profession: str) -> Any:
    name = kind(entry)
    if name in _FROM_POLICE:
        return structs.replace(entry, **_FROM_POLICE[name])
    if name == "follow_up":
        return entry if profession == "police" or entry.event in KNOWN_TO_POLICE else None
    if name == "detention":
        return _detention_for_police(entry)
    return entry


def _detention_for_police(entry: Any) -> Any:
    """Of an end only custody, of an extension only whether it is valid; `visible_entries` removes the ground itself."""
    if entry.result not in (None, "custody"):
        entry = structs.replace(entry, result=None)
    if entry.event == "extended" and (entry.ground, entry.authorised_by) != ("condition", "responsible_doctor"):
        entry = structs.replace(entry, ground="other", authorised_by="other")
    return entry


def _for_health(entry: Any, profession: str, blind: bool) -> Any:
    name = kind(entry)
    if name == "officer":
        return _officer_for_health(entry, blind)
    if name == "intent":
        return None if blind else structs.replace(entry, intent=_part_for_health(entry.intent))
    if name == "follow_up":
        return None if profession == "police" and entry.event == "later_arrest" else entry
    return entry


def _officer_for_health(entry: Any, blind: bool) -> Any:
    if blind:
        return structs.replace(entry, **_FROM_BLIND)
    offence = entry.offence if entry.offence in (None, "none") else "alleged"
    return structs.replace(entry, **_FROM_HEALTH, offence=offence, intent=_part_for_health(entry.intent))


def _part_for_health(part: Any) -> Any:
    return part and structs.replace(part, evidence=None, referrer=None)


def _amendment(entry: Amendment, content: Any, amends: UUID) -> Amendment:
    if content is entry.entry and amends == entry.amends:
        return entry
    return structs.replace(entry, entry=content, amends=amends)


def _same(one: Struct, other: Struct) -> bool:
    """Whether two contents of a kind say the same; one may be an original, which has more than content."""
    shared = set(one.__struct_fields__) & set(other.__struct_fields__) - _ENVELOPE
    return all(getattr(one, name) == getattr(other, name) for name in shared)


_ENVELOPE = set(Outcome.__struct_fields__) - set(replacement(Outcome).__struct_fields__)


def _side(one: StoredEntry) -> Side:
    return "police" if one.profession == "police" else "health"


def _without_ground(one: StoredEntry) -> StoredEntry:
    entry = one.entry
    if isinstance(entry, Detention):
        return structs.replace(one, entry=structs.replace(entry, ground=None, authorised_by=None))
    if isinstance(entry, Amendment) and kind(entry.entry) == "detention":
        content = structs.replace(entry.entry, ground=None, authorised_by=None)
        return structs.replace(one, entry=structs.replace(entry, entry=content))
    return one


def _tells_of_death(one: StoredEntry) -> bool:
    entry: Any = one.entry.entry if isinstance(one.entry, Amendment) else one.entry
    match kind(entry):
        case "outcome":
            return bool(entry.disposal == "deceased")
        case "detention":
            return bool(entry.result == "died")
        case "follow_up":
            return bool(entry.event == "died")
    return False

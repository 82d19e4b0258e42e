"""An incident: one person's crisis at one place and time, as its entries add up.

`fold` adds entries up; the same entries give the same incident in any order of arrival. An incident holds nothing that
depends on the time of reading; `view_at` finishes it for an instant and an audience. What may not be seen is removed
from the entries before they are added up (`triage.log.redaction`); `view_at` only decides which members are served.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType, structs

from triage.lazy import lazy_property
from triage.log import detention, diversion, links, resolve, timeline
from triage.log.blindness import lead_unblinded_at
from triage.log.detention import Episode
from triage.log.diversion import CLINICAL, POLICE_ONLY, Grades
from triage.log.effective import SortedEntries, capture_order, captured, judges, sort_entries
from triage.log.entries import AMENDABLE, StoredEntry
from triage.log.flags import incident_flags
from triage.log.grading_inputs import GradingInputs, contemporaneity_limit
from triage.log.incident_view import Outline, outline_of, view_of
from triage.log.intents import RecordedIntent, recorded_intents
from triage.log.resolve import StatedAge
from triage.log.timeline import DatedOutcome, PersonEvent, PowerUse, events_of
from triage.log.view import Audience, DiversionView, IncidentView, RepeatContact, RepeatView, Status
from triage.log.visibility import VIEW, Sight, Who
from triage.terms import Terms

OVERDUE = timedelta(hours=12)
"""How long after it occurred an incident may be without an outcome."""

_SHOWN_TO_LEADS = timedelta(days=28)
_SHOWN_TO_FIELD = timedelta(hours=72)
_THRESHOLDS = (5, 2)
_UNDER_WAY = ("open", "awaiting_outcome")


class Incident(Struct, frozen=True, kw_only=True, dict=True):
    """An incident, added up from its entries; parts that not every reader needs are worked out when first asked for.

    `inputs` are what it was graded by: entries in order, outcomes (in capture order), intents and uses of powers.
    `ages` is what contacts say of the age; `child`: to be treated as under 18. `incident_ids`: every id it answers to;
    `parted`: two of them were declared apart. `happened_at`: when it occurred. `counts`: it has a contact, outcome or
    detention that is not training. `restricted`: the person died, and not in training; only sergeant, clinical lead and
    auditor may reach it. `overdue_at`, `expires_at`: from when, if nothing is added, it is overdue, and its clock has
    run out without an end. `events` is what befell the person; `other_contacts` the other contacts with the person.
    """

    inputs: GradingInputs
    terms: Terms
    status: Status
    training: bool
    ages: list[StatedAge]
    child: bool
    episodes: tuple[Episode, ...]
    incident_ids: tuple[UUID, ...]
    parted: bool
    happened_at: datetime
    counts: bool
    restricted: bool
    flags: tuple[str, ...]
    overdue_at: datetime | None
    expires_at: datetime | None
    events: tuple[PersonEvent, ...]
    other_contacts: tuple[PersonEvent, ...]
    people: tuple[UUID, ...]

    @property
    def id(self) -> UUID:
        return self.incident_ids[0]

    @property
    def entries(self) -> SortedEntries:
        return self.inputs.entries

    @property
    def outcomes(self) -> Sequence[DatedOutcome]:
        return self.inputs.outcomes

    @property
    def intents(self) -> list[RecordedIntent]:
        return self.inputs.intents

    @property
    def used(self) -> dict[str, PowerUse]:
        return self.inputs.used

    @property
    def someone_lives_there(self) -> bool | None:
        return self.inputs.someone_lives_there

    @lazy_property
    def outline(self) -> Outline:
        """The person and the place, as its row tells of them."""
        return outline_of(self.entries.contacts, self.ages)

    @lazy_property
    def view(self) -> IncidentView:
        """The view of somebody who sees everything, but for the grades and what time changes."""
        return view_of(
            self.inputs,
            incident_ids=self.incident_ids,
            status=self.status,
            training=self.training,
            occurred_at=self.happened_at,
            day=self.terms.operational_day(self.happened_at),
            age=resolve.age(self.ages),
            outline=self.outline,
            child=self.child,
            episodes=self.episodes,
            flags=self.flags,
        )

    @lazy_property
    def conflicts(self) -> tuple[str, ...]:
        """The flags of disagreement."""
        conflicts = resolve.conflicts(self.entries, self.ages, self.outcomes, self.intents)
        return (*conflicts, "conflict:link") if self.parted else tuple(conflicts)

    @lazy_property
    def diversion(self) -> Grades:
        """The grades of DIV-1."""
        return diversion.derive(self.inputs)

    @lazy_property
    def judged_by(self) -> tuple[UUID, ...]:
        """Whose accounts have stored an `s136_justified`."""
        return judges(self.entries.stored)

    @lazy_property
    def lead_unblinded_at(self) -> datetime | None:
        """From when the clinical lead sees intents although nobody has judged."""
        return lead_unblinded_at(self.entries)


def fold(
    entries: Sequence[StoredEntry],
    person_events: Sequence[PersonEvent] = (),
    *,
    terms: Terms,
    ids: tuple[UUID, ...] = (),
) -> Incident:
    """Add up the entries of one incident: all entries of every incident id that links join.

    `person_events` is what other incidents of the same person contribute (`person_events` of each), and the evidence of
    incidents that were parted from this one (`triage.log.related`). `ids` are the incident ids, ascending, where they
    are known: an incident that was parted from this one may hold the statement that did it. Retired codes are to be
    mapped to current ones before. Raises ValueError without entries.
    """
    in_order = sort_entries(entries)
    if not in_order.stored:
        raise ValueError("an incident has at least one entry")
    incident_ids, parted = _incident_ids(in_order, ids)
    outcomes = timeline.dated_outcomes(in_order)
    used = timeline.earliest_uses(in_order, outcomes)
    episodes = detention.episodes(in_order, outcomes)
    events = _events(in_order, outcomes, used, episodes, incident_ids[0])
    happened_at = _happened_at(in_order)
    inputs = _grading_inputs(in_order, outcomes, used, events, person_events, happened_at)
    ages = resolve.ages(in_order.contacts)
    child = resolve.under_18(in_order.contacts, ages)
    status, training = _status(in_order, episodes), _is_training(in_order)
    died = any(event.code == "died" for event in events)
    return Incident(
        inputs=inputs,
        terms=terms,
        status=status,
        training=training,
        ages=ages,
        child=child,
        episodes=episodes,
        incident_ids=incident_ids,
        parted=parted,
        happened_at=happened_at,
        counts=not training and bool(in_order.contacts or outcomes or in_order.detentions),
        restricted=died and not training,
        flags=tuple(incident_flags(inputs, episodes, child, died, terms)),
        overdue_at=None if died else _overdue(status, happened_at, episodes),
        expires_at=episodes[-1].expires_at if episodes and episodes[-1].running and not died else None,
        events=events,
        other_contacts=_other_contacts(person_events),
        people=links.people(in_order.people) if in_order.people else (),
    )


def view_at(
    incident: Incident,
    now: datetime,
    audience: Audience,
    sight: Sight,
    extra_flags: Iterable[str] = (),
    graded: Incident | None = None,
) -> IncidentView:
    """The view served at an instant to an audience, from an incident folded of the entries that it may see.

    `extra_flags` are added as they are. A lead's grades come from all entries: from `graded`, if not this incident.
    """
    raised = [*incident.flags, *extra_flags]
    if incident.overdue_at and incident.overdue_at <= now:
        raised.append("outcome_overdue")
    if incident.expires_at and incident.expires_at <= now:
        raised.append("expiry_passed_no_end")
    changes: dict[str, Any] = dict.fromkeys(_absent(sight, audience.level == "lead"), UNSET)
    if sight.side == "police":
        changes |= _without_results(incident.view)
    if incident.people:
        changes["repeat_contact"] = _repeat(incident, now, audience)
    if audience.level == "lead":
        raised += incident.conflicts
        raised += ["restricted_death"] if incident.restricted else []
        changes["diversion"] = grades_at(graded or incident, audience.side, now)
    return structs.replace(incident.view, flags=tuple(sorted(set(raised))), **changes)


def grades_at(incident: Incident, side: str, now: datetime) -> DiversionView:
    """The grades as a lead of a side is served them at an instant."""
    return diversion.diversion_view(incident.diversion, now, CLINICAL if side == "police" else POLICE_ONLY)


@cache
def _absent(sight: Sight, lead: bool) -> tuple[str, ...]:
    """The members of a view that are absent for this audience whatever the entries say."""
    return tuple(name for name, who in VIEW.items() if not (lead if who is Who.LEADS else sight.sees(who, sight.side)))


def _without_results(view: IncidentView) -> dict[str, Any]:
    """Police are told that a detention ended, and of a custody; of no other result, nor that none is recorded."""
    if not view.detentions:
        return {}
    served = tuple(
        structs.replace(detention_view, result=UNSET) if detention_view.result is None else detention_view
        for detention_view in view.detentions
    )
    return {"detention": served[-1], "detentions": served}


def changes_at(incident: Incident, grades: bool) -> set[datetime]:
    """The instants at which a view changes by time alone, with or without the grades that a lead sees."""
    pending = incident.diversion.pending_until if grades else None
    return {time for time in (incident.overdue_at, incident.expires_at, pending) if time is not None}


def repeat_changes_at(incident: Incident) -> set[datetime]:
    """The instants at which another contact leaves the view of some audience."""
    return {event.at + span for event in incident.other_contacts for span in (_SHOWN_TO_LEADS, _SHOWN_TO_FIELD)}


def is_restricted(entries: Iterable[StoredEntry]) -> bool:
    """Whether the person died, and not in training."""
    in_order = sort_entries(entries)
    telling = (*in_order.outcomes, *in_order.detentions, *in_order.follow_ups)
    return any(code == "died" for entry in telling for code, _ in events_of(entry)) and not _is_training(in_order)


def person_events(incident: Incident) -> tuple[PersonEvent, ...]:
    """The events that this incident contributes to the others of the same person: nothing, if it is training."""
    if incident.training:
        return ()
    held = tuple(
        PersonEvent("held", episode.view.began_at, episode.entry, incident.id, until=episode.lasts_until)
        for episode in incident.episodes
        if episode.view.power == "s136"
    )
    if not incident.counts:
        return incident.events
    met = PersonEvent("contact", _met_at(incident), incident.entries.stored[0].id, incident.id)
    return (*incident.events, *held, met)


def _events(
    entries: SortedEntries,
    outcomes: Sequence[DatedOutcome],
    used: dict[str, PowerUse],
    episodes: Sequence[Episode],
    incident: UUID,
) -> tuple[PersonEvent, ...]:
    """Events of the person, each later detention being one."""
    events = timeline.events_in(entries, outcomes, used, incident)
    later = (
        PersonEvent(episode.view.power, episode.view.began_at, episode.entry, incident) for episode in episodes[1:]
    )
    return (*events, *later) if len(episodes) > 1 else events


def _grading_inputs(
    entries: SortedEntries,
    outcomes: Sequence[DatedOutcome],
    used: dict[str, PowerUse],
    events: Sequence[PersonEvent],
    person_events: Sequence[PersonEvent],
    happened_at: datetime,
) -> GradingInputs:
    first = timeline.first_disposal(outcomes)
    limit = contemporaneity_limit(entries)
    place, lives = resolve.place_of_contacts(entries.officers, entries.contacts)
    arrivals = [contact.corrected(contact.entry.arrived_at) for contact in entries.contacts if contact.entry.arrived_at]
    return GradingInputs(
        entries=entries,
        intents=recorded_intents(entries, limit),
        outcomes=outcomes,
        first=first,
        decided_at=first.at if first else None,
        used=used,
        events=(*events, *(event for event in person_events if event.gone is None)) if person_events else events,
        parted=[event for event in person_events if event.gone is not None],
        location_type=place,
        someone_lives_there=lives,
        disposal_conflict=len(outcomes) > 1 and resolve.used_and_not(outcomes),
        limit=limit,
        came_at=min(arrivals, default=happened_at),
    )


def _is_training(entries: SortedEntries) -> bool:
    return entries.training and all(
        stored.entry.test for stored in entries.stored if isinstance(stored.entry, AMENDABLE)
    )


def _span(audience: Audience) -> timedelta | None:
    """How long other contacts are shown to an audience; None: it is shown none."""
    if audience.level == "lead":
        return _SHOWN_TO_LEADS
    return _SHOWN_TO_FIELD if audience.side == "health" else None


def _other_contacts(person_events: Sequence[PersonEvent]) -> tuple[PersonEvent, ...]:
    """The contacts of other incidents, without those in which the person died: they are restricted."""
    died = {event.incident for event in person_events if event.code == "died"}
    return tuple(event for event in person_events if event.code == "contact" and event.incident not in died)


def _repeat(incident: Incident, now: datetime, audience: Audience) -> RepeatView | UnsetType:
    span = _span(audience)
    if span is None or (audience.level == "field" and incident.status not in _UNDER_WAY):
        return UNSET
    contacts = [event for event in incident.other_contacts if event.at > now - span]
    if audience.level == "field":
        return RepeatView(
            last_72_hours=tuple(RepeatContact(incident=contact.incident, at=contact.at) for contact in contacts)
        )
    count = len(contacts)
    if audience.side == "police":
        return RepeatView(contacts_28_days=count)
    return RepeatView(contacts_28_days=count, at_least=next((n for n in _THRESHOLDS if count >= n), 0))


def _met_at(incident: Incident) -> datetime:
    """When the person was met, from entries that both sides see: an intent's time must not show in other incidents."""
    entries = incident.entries
    if entries.contacts:
        return incident.happened_at
    return min(entry.captured for entry in (*entries.outcomes, *entries.detentions))


def _incident_ids(entries: SortedEntries, known: tuple[UUID, ...]) -> tuple[tuple[UUID, ...], bool]:
    """Every id this incident answers to, the smallest first, and whether two of them were declared apart."""
    if known and not entries.links:
        return known, False
    ids = set(links.incident_ids(entries.stored))
    parted = False
    for component in links.components(entries.links) if entries.links else ():
        if not ids.isdisjoint(component.incident_ids):
            ids.update(component.incident_ids)
            parted = parted or component.conflict
    return known or tuple(sorted(ids)), parted


def _status(entries: SortedEntries, episodes: Sequence[Episode]) -> Status:
    """A running clock never depends on whether an outcome has come."""
    if not (entries.contacts or entries.intents or entries.outcomes or entries.detentions):
        return "withdrawn"
    if episodes and episodes[-1].running:
        return "awaiting_outcome"
    return "closed" if entries.outcomes else "open"


def _overdue(status: Status, happened_at: datetime, episodes: Sequence[Episode]) -> datetime | None:
    if status == "open":
        return happened_at + OVERDUE
    return episodes[-1].lasts_until if status == "awaiting_outcome" else None


def _happened_at(entries: SortedEntries) -> datetime:
    """When it occurred: as the latest captured contact that knows says, else the first capture."""
    for contact in reversed(entries.contacts):
        if contact.entry.occurred_at:
            return contact.corrected(contact.entry.occurred_at)
    stored = [contact.stored for contact in entries.contacts] or entries.stored
    return captured(min(stored, key=capture_order))

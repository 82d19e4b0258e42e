"""An incident: one person's crisis at one place and time, as its entries add up.

`fold` adds entries up; the same entries give the same incident in any order of arrival. An incident holds nothing that
depends on the time of reading; `at` finishes it for an instant and an audience. What may not be seen is removed from
the entries before they are added up (`triage.log.redaction`); `at` only decides which fields are served at all.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType, structs

from triage import codes
from triage.log import detention, diversion, flags, intents, links, resolve, timeline
from triage.log.detention import Clock
from triage.log.diversion import CLINICAL, POLICE_ONLY, Grades
from triage.log.effective import EffectiveEntry, SortedEntries, captured, judges, sort_entries
from triage.log.entries import AMENDABLE, Contact, StoredEntry
from triage.log.flags import TERMS, Terms
from triage.log.grading_inputs import GradingInputs
from triage.log.intents import RecordedIntent
from triage.log.resolve import latest_known
from triage.log.timeline import DatedOutcome, PersonEvent, PowerUse
from triage.log.view import (
    AdviceView,
    Audience,
    Contribution,
    DecisionView,
    FollowUpView,
    IncidentView,
    IntentView,
    OutcomeView,
    RepeatContact,
    RepeatView,
    Status,
)
from triage.times import operational_day

OVERDUE = timedelta(hours=12)
"""How long after it occurred an incident may be without an outcome."""

_SHOWN_TO_LEADS = timedelta(days=28)
_SHOWN_TO_FIELD = timedelta(hours=72)
_THRESHOLDS = (5, 2)
_UNDER_WAY = ("open", "awaiting_outcome")


class Incident(Struct, frozen=True, kw_only=True, gc=False):
    """What entries add up to.

    `view` is what somebody sees who sees everything, but for the grades and what time changes. `record`, `decided` (in
    capture order) and `claims` are what it was made from. `incident_ids`: every id it answers to. `happened_at`:
    `occurred_at` corrected for skew. `counts`: it has a contact, outcome or detention that is not training.
    `restricted`: the person died, and not in training; only sergeant, clinical lead and auditor may reach it.
    `conflicts` are the flags of disagreement. `overdue_at`, `expires_at`: from when, if nothing is added, it is
    overdue, and its clock has run out without an end. `events` is what befell the person; `met` the other contacts with
    the person. `judged_by`: whose accounts have stored an `s136_justified`.
    """

    view: IncidentView
    entries: SortedEntries
    outcomes: list[DatedOutcome]
    intents: list[RecordedIntent]
    incident_ids: tuple[UUID, ...]
    happened_at: datetime
    counts: bool
    restricted: bool
    someone_lives_there: bool | None
    conflicts: tuple[str, ...]
    used: dict[str, PowerUse]
    overdue_at: datetime | None
    expires_at: datetime | None
    diversion: Grades
    events: tuple[PersonEvent, ...]
    other_contacts: tuple[PersonEvent, ...]
    people: tuple[UUID, ...]
    judged_by: tuple[UUID, ...]

    @property
    def id(self) -> UUID:
        return self.view.id

    @property
    def changes_at(self) -> tuple[datetime, ...]:
        """The instants, ascending, at which the view of somebody who sees everything changes by time alone."""
        return changes_at(self, grades=True)


def fold(
    entries: Sequence[StoredEntry],
    others: Sequence[PersonEvent] = (),
    terms: Terms = TERMS,
    *,
    ids: tuple[UUID, ...] = (),
) -> Incident:
    """What the entries of one incident add up to: all entries of every incident id that links join.

    `others` is what other incidents of the same person contribute (`person_events` of each). `ids` are those incident
    ids, ascending, where they are known: an incident that was parted from this one may hold the statement that did it.
    Retired codes are to be mapped to current ones before. Raises ValueError without entries.
    """
    record = sort_entries(entries)
    if not record.stored:
        raise ValueError("an incident has at least one entry")
    incident_ids, parted = _incident_ids(record, ids)
    ages = resolve.ages(record.contacts)
    place, lives = resolve.place(record)
    claims = intents.recorded_intents(record)
    decided = timeline.dated_outcomes(record)
    used = timeline.earliest_uses(record, decided)
    befell = timeline.events_in(record, decided, used, incident_ids[0])
    conflicts = resolve.conflicts(record, ages, decided, claims)
    first = timeline.first_disposal(decided)
    facts = GradingInputs(
        entries=record,
        intents=claims,
        outcomes=decided,
        first=first,
        decided_at=first.at if first else None,
        used=used,
        events=(*befell, *others) if others else befell,
        location_type=place,
        someone_lives_there=lives,
        disposal_conflict="conflict:disposal" in conflicts,
    )
    if parted:
        conflicts.append("conflict:link")
    clock = detention.clock(record, decided, used)
    status = _status(record, used, clock)
    died = any(event.code == "died" for event in befell)
    occurred_at, happened_at = _occurred(record)
    child = resolve.under_18(record.contacts, ages)
    training = record.training and all(one.entry.test for one in record.stored if isinstance(one.entry, AMENDABLE))
    return Incident(
        view=_view(
            facts,
            incident_ids=incident_ids,
            status=status,
            training=training,
            occurred_at=occurred_at,
            day=operational_day(happened_at, terms.zone, terms.day_start_hour),
            age=resolve.age(ages),
            child=child,
            clock=clock,
            raised=tuple(flags.incident_flags(facts, clock, child, terms)),
        ),
        entries=record,
        outcomes=decided,
        intents=claims,
        incident_ids=incident_ids,
        happened_at=happened_at,
        counts=not training and bool(record.contacts or decided or record.detentions),
        restricted=died and not training,
        someone_lives_there=lives,
        conflicts=tuple(conflicts),
        used=used,
        overdue_at=None if died else _overdue(status, happened_at, clock),
        expires_at=clock.expires_at if clock and clock.running and not died else None,
        diversion=diversion.derive(facts),
        events=befell,
        other_contacts=_met(others),
        people=links.people(record.people) if record.people else (),
        judged_by=judges(record.stored),
    )


def view_at(
    incident: Incident,
    now: datetime,
    audience: Audience,
    extra_flags: Iterable[str] = (),
    graded: Grades | None = None,
) -> IncidentView:
    """What is served at an instant to an audience, from an incident folded of the entries that it may see.

    `extra_flags` are added as they are. A lead's grades come from all entries: `graded`, if not the incident's own.
    """
    raised = [*incident.view.flags, *extra_flags]
    if incident.overdue_at and incident.overdue_at <= now:
        raised.append("outcome_overdue")
    if incident.expires_at and incident.expires_at <= now:
        raised.append("expiry_passed_no_end")
    changes = _hidden(incident, audience)
    if incident.people and not audience.full:
        changes["repeat_contact"] = _repeat(incident, now, audience)
    if audience.level == "lead":
        raised += incident.conflicts
        reasons = _NOTHING if audience.full else CLINICAL if audience.side == "police" else POLICE_ONLY
        changes["diversion"] = diversion.diversion_view(graded or incident.diversion, now, reasons)
    return structs.replace(incident.view, flags=tuple(sorted(set(raised))), **changes)


def changes_at(incident: Incident, grades: bool) -> tuple[datetime, ...]:
    """The instants, ascending, at which a view changes by time alone, with or without the grades that a lead sees."""
    pending = incident.diversion.pending_until if grades else None
    return tuple(sorted({time for time in (incident.overdue_at, incident.expires_at, pending) if time is not None}))


def repeat_changes_at(incident: Incident, audience: Audience | None = None) -> tuple[datetime, ...]:
    """The instants, ascending, at which another contact leaves the view of an audience; None: of any."""
    spans = {span for span in (_SHOWN_TO_LEADS, _SHOWN_TO_FIELD) if audience is None or span == _span(audience)}
    if audience is None or audience.level == "lead" or incident.view.status in _UNDER_WAY:
        return tuple(sorted({event.at + span for event in incident.other_contacts for span in spans}))
    return ()


def _span(audience: Audience) -> timedelta | None:
    """How long other contacts stay in sight of an audience; None: it sees none."""
    if audience.full:
        return None
    if audience.level == "lead":
        return _SHOWN_TO_LEADS
    return _SHOWN_TO_FIELD if audience.side == "health" else None


def _met(others: Sequence[PersonEvent]) -> tuple[PersonEvent, ...]:
    """The contacts of other incidents, without those in which the person died: they are restricted."""
    died = {event.incident for event in others if event.code == "died"}
    return tuple(event for event in others if event.code == "contact" and event.incident not in died)


def _repeat(incident: Incident, now: datetime, audience: Audience) -> RepeatView | UnsetType:
    span = _span(audience)
    if span is None or (audience.level == "field" and incident.view.status not in _UNDER_WAY):
        return UNSET
    met = [event for event in incident.other_contacts if event.at > now - span]
    if audience.level == "field":
        return RepeatView(last_72_hours=tuple(RepeatContact(incident=one.incident, at=one.at) for one in met))
    count = len(met) + incident.counts
    if audience.side == "police":
        return RepeatView(contacts_28_days=count)
    return RepeatView(contacts_28_days=count, at_least=next((n for n in _THRESHOLDS if count >= n), 0))


def person_events(incident: Incident) -> tuple[PersonEvent, ...]:
    """What this incident contributes to the others of the same person: nothing, if it is training."""
    if incident.view.test:
        return ()
    if not incident.counts:
        return incident.events
    return (*incident.events, PersonEvent("contact", _met_at(incident), incident.entries.stored[0].id, incident.id))


def _met_at(incident: Incident) -> datetime:
    """When the person was met, from entries that both sides see: an intent's time must not show in other incidents."""
    record = incident.entries
    if record.contacts:
        return incident.happened_at
    return min(one.captured for one in (*record.outcomes, *record.detentions))


_NOTHING: frozenset[str] = frozenset()
_CLINICAL_FIELDS = dict.fromkeys(
    (
        "physical_need",
        "conveyed",
        "known_to_services",
        "crisis_plan",
        "safety_plan",
        "follow_up_owner",
        "follow_up_due",
    ),
    UNSET,
)


def _hidden(incident: Incident, audience: Audience) -> dict[str, Any]:
    """The fields that are absent for this audience whatever the entries say."""
    if audience.full:
        return {}
    if audience.side == "health":
        return {"intents": UNSET, "offence": UNSET} if blind(audience, incident.judged_by) else {}
    served = incident.view.detention
    if served and served.result is None:
        return _CLINICAL_FIELDS | {"detention": structs.replace(served, result=UNSET)}
    return dict(_CLINICAL_FIELDS)


def blind(audience: Audience, judged_by: Sequence[UUID]) -> bool:
    """Whether a health audience may not know of any intent yet: she has not judged; for the lead, nobody has."""
    if audience.full or audience.side == "police":
        return False
    return not judged_by if audience.level == "lead" else audience.account not in judged_by


def _view(
    facts: GradingInputs,
    *,
    incident_ids: tuple[UUID, ...],
    status: Status,
    training: bool,
    occurred_at: datetime,
    day: date,
    age: resolve.StatedAge | None,
    child: bool,
    clock: Clock | None,
    raised: tuple[str, ...],
) -> IncidentView:
    record = facts.entries
    contacts, nurses, paramedics = record.contacts, record.nurses, record.paramedics
    newest = record.stored[-1]
    arrivals, departures = _on_scene(contacts)
    return IncidentView(
        id=incident_ids[0],
        linked_ids=incident_ids if len(incident_ids) > 1 else (),
        status=status,
        test=training,
        revision=len(record.stored),
        seq=newest.seq,
        changed_at=newest.received_at,
        occurred_at=occurred_at,
        arrived_at=arrivals,
        left_at=departures,
        operational_day=day,
        area=latest_known(contacts, "area", _MISSING["area"]) or "unknown",
        location_type=facts.location_type,
        log_ref=latest_known(contacts, "log_ref"),
        car=next((one.entry.car for one in reversed(record.stored) if one.entry.car), None),
        contact_mode=latest_known(contacts, "contact_mode"),
        referral_source=latest_known(contacts, "referral_source"),
        age=age.years if age else None,
        age_band=age.band if age else latest_known(contacts, "age_band"),
        under_18=child,
        sex=latest_known(contacts, "sex", _MISSING["sex"]),
        ethnicity=latest_known(contacts, "ethnicity", _MISSING["ethnicity"]),
        interpreter_needed=latest_known(contacts, "interpreter_needed"),
        disability=latest_known(contacts, "disability", _MISSING["disability"]),
        presenting=resolve.presenting(record),
        legal_status=resolve.legal_status(contacts),
        immediate_danger=latest_known(contacts, "immediate_danger"),
        force_type=latest_known(record.officers, "force_type"),
        advice=_advice(record),
        outcome=_outcome(facts.first, timeline.latest_outcome(facts.outcomes)),
        detention=clock.served if clock else None,
        follow_ups=_follow_ups(record),
        flags=raised,
        contributions=_contributions(record.stored),
        intents=_intents(facts.intents),
        offence=latest_known(record.officers, "offence"),
        physical_need=latest_known(paramedics, "physical_need"),
        conveyed=latest_known(paramedics, "conveyed"),
        known_to_services=latest_known(nurses, "known_to_services", _MISSING["known_to_services"]),
        crisis_plan=latest_known(nurses, "crisis_plan", _MISSING["crisis_plan"]),
        safety_plan=latest_known(nurses, "safety_plan"),
        follow_up_owner=latest_known(nurses, "follow_up_owner"),
        follow_up_due=latest_known(nurses, "follow_up_due"),
    )


_MISSING = {
    name: codes.list(name).missing
    for name in ("area", "sex", "ethnicity", "disability", "known_to_services", "crisis_plan")
}


def _incident_ids(record: SortedEntries, known: tuple[UUID, ...]) -> tuple[tuple[UUID, ...], bool]:
    """Every id this incident answers to, the smallest first, and whether two of them were declared apart."""
    ids = {one.entry.incident_id for one in record.stored}
    parted = False
    for component in links.components(record.links) if record.links else ():
        if not ids.isdisjoint(component.incident_ids):
            ids.update(component.incident_ids)
            parted = parted or component.conflict
    return known or tuple(sorted(ids)), parted


def _status(record: SortedEntries, used: dict[str, PowerUse], clock: Clock | None) -> Status:
    if not (record.contacts or record.intents or record.outcomes or record.detentions):
        return "withdrawn"
    if not record.outcomes:
        return "open"
    return "awaiting_outcome" if used and clock and clock.running else "closed"


def _overdue(status: Status, happened_at: datetime, clock: Clock | None) -> datetime | None:
    if status == "open":
        return happened_at + OVERDUE
    if status == "awaiting_outcome" and clock:
        return clock.expires_at or clock.began + detention.CLOCK
    return None


def _occurred(record: SortedEntries) -> tuple[datetime, datetime]:
    """When it occurred, as given and corrected: the latest captured contact that says so, else the first capture."""
    for one in reversed(record.contacts):
        if one.entry.occurred_at:
            return one.entry.occurred_at, one.corrected(one.entry.occurred_at)
    held = [one.stored for one in record.contacts] or record.stored
    earliest = min(held, key=lambda one: (captured(one), one.id))
    return earliest.entry.captured_at, captured(earliest)


def _on_scene(contacts: Iterable[EffectiveEntry[Contact]]) -> tuple[datetime | None, datetime | None]:
    arrived = [(one.corrected(one.entry.arrived_at), one.entry.arrived_at) for one in contacts if one.entry.arrived_at]
    left = [(one.corrected(one.entry.left_at), one.entry.left_at) for one in contacts if one.entry.left_at]
    return min(arrived)[1] if arrived else None, max(left)[1] if left else None


def _advice(record: SortedEntries) -> tuple[AdviceView, ...]:
    given = [
        (one.corrected(one.entry.advice_given_at) if one.entry.advice_given_at else one.captured, one.entry)
        for one in record.nurses
        if one.entry.advice
    ]
    given.sort(key=lambda pair: pair[0])
    return tuple(AdviceView(advice=entry.advice or "", at=entry.advice_given_at) for _, entry in given)


def _decision(one: DatedOutcome) -> DecisionView:
    entry = one.effective.entry
    return DecisionView(disposal=one.disposal, decided_at=entry.decided_at, by=entry.decided_by)


def _outcome(first: DatedOutcome | None, latest: DatedOutcome | None) -> OutcomeView | None:
    if first is None or latest is None:
        return None
    entry = latest.effective.entry
    return OutcomeView(
        disposal=latest.disposal, decided_at=entry.decided_at, by=entry.decided_by, first=_decision(first)
    )


def _follow_ups(record: SortedEntries) -> tuple[FollowUpView, ...]:
    found = sorted(record.follow_ups, key=lambda one: (one.corrected(one.entry.at), one.stored.id))
    return tuple(
        FollowUpView(event=one.entry.event, at=one.entry.at, referral=one.entry.referral, section=one.entry.section)
        for one in found
    )


def _intents(claims: Iterable[RecordedIntent]) -> tuple[IntentView, ...]:
    return tuple(
        IntentView(
            entry=claim.entry,
            power=claim.part.power,
            confidence=claim.part.confidence,
            formed_at=claim.part.formed_at,
            source=claim.part.source,
            tests=claim.part.tests,
        )
        for claim in claims
        if claim.state == "stands"
    )


def _contributions(held: Iterable[StoredEntry]) -> tuple[Contribution, ...]:
    latest: dict[tuple[str, int], StoredEntry] = {}
    for one in held:
        key = one.profession, one.author.int  # hashing a UUID is slow
        if key not in latest or latest[key].entry.captured_at <= one.entry.captured_at:
            latest[key] = one
    return tuple(
        Contribution(profession=key[0], author=latest[key].author, at=latest[key].entry.captured_at)
        for key in sorted(latest)
    )

"""The members of a view that depend on entries alone."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from triage import codes
from triage.log import resolve, timeline
from triage.log.detention import Episode
from triage.log.effective import EffectiveEntry, SortedEntries, captured
from triage.log.entries import Contact, Nurse, Officer, Paramedic, StoredEntry
from triage.log.grading_inputs import GradingInputs
from triage.log.intents import RecordedIntent
from triage.log.resolve import StatedAge, is_known, latest_known
from triage.log.timeline import DatedOutcome, status_held_from
from triage.log.view import (
    AdviceView,
    AuthorView,
    ConsultedView,
    Contribution,
    DecisionView,
    FollowUpView,
    IncidentView,
    IntentView,
    OutcomeView,
    Status,
)

_DISPOSALS = codes.list("disposal")


class Outline(NamedTuple):
    """The person and the place as an incident's row tells them, by which likely duplicates are compared."""

    log_ref: str | None
    area: str
    age_band: str | None
    sex: str | None


def outline_of(contacts: Sequence[EffectiveEntry[Contact]], ages: Sequence[StatedAge]) -> Outline:
    """The outline of an incident with these contacts."""
    age = resolve.age(ages)
    return Outline(
        log_ref=latest_known(contacts, "log_ref"),
        area=latest_known(contacts, "area") or "unknown",
        age_band=age.band if age else latest_known(contacts, "age_band"),
        sex=latest_known(contacts, "sex"),
    )


def view_of(
    inputs: GradingInputs,
    *,
    incident_ids: tuple[UUID, ...],
    status: Status,
    training: bool,
    occurred_at: datetime,
    day: date,
    age: StatedAge | None,
    outline: Outline,
    child: bool,
    episodes: Sequence[Episode],
    flags: tuple[str, ...],
) -> IncidentView:
    """The view of somebody who sees everything, without the grades and what time changes."""
    entries = inputs.entries
    contacts = entries.contacts
    arrived_at, left_at = _on_scene(contacts)
    return IncidentView(
        id=incident_ids[0],
        linked_ids=incident_ids if len(incident_ids) > 1 else (),
        status=status,
        test=training,
        occurred_at=occurred_at,
        arrived_at=arrived_at,
        left_at=left_at,
        operational_day=day,
        location_type=inputs.location_type,
        someone_lives_there=inputs.someone_lives_there,
        car=next((stored.entry.car for stored in reversed(entries.stored) if stored.entry.car), None),
        age=age.years if age else None,
        under_18=child,
        presenting=resolve.presenting(entries),
        legal_status=_legal_status(contacts, inputs.first, episodes),
        advice=_advice(entries),
        outcome=_outcome(inputs.first, timeline.latest_outcome(inputs.outcomes)),
        transport=latest_known(entries.outcomes, "transport"),
        follow_ups=_follow_ups(entries),
        referrals=_referrals(entries),
        flags=flags,
        contributions=_contributions(entries.stored),
        consulted=_consulted(entries.officers),
        intents=_intents(inputs.intents),
        **outline._asdict(),
        **_newest(entries.stored),
        **_detained(episodes),
        **_latest_answers(entries),
    )


def _newest(stored: Sequence[StoredEntry]) -> dict[str, Any]:
    newest = stored[-1]
    return {"revision": len(stored), "seq": newest.seq, "changed_at": newest.received_at}


def _detained(episodes: Sequence[Episode]) -> dict[str, Any]:
    latest = episodes[-1] if episodes else None
    return {
        "detention": latest and latest.view,
        "detentions": tuple(episode.view for episode in episodes),
        "place_now": latest and latest.place_now,
    }


_RESOLVED = {
    *("id", "test", "car", "occurred_at", "arrived_at", "left_at", "area", "location_type", "someone_lives_there"),
    *("age", "age_band", "log_ref", "sex", "presenting", "legal_status", "advice", "referrals", "consulted"),
}
"""The members of a view that have the name of a field, and are more than the latest answer to it."""


def _answers(kind: type[Contact]) -> tuple[str, ...]:
    asked = set(kind.__struct_fields__).difference(_RESOLVED, () if kind is Contact else Contact.__struct_fields__)
    return tuple(name for name in IncidentView.__struct_fields__ if name in asked)


_ANSWERS = {
    "contacts": _answers(Contact),
    "officers": _answers(Officer),
    "nurses": _answers(Nurse),
    "paramedics": _answers(Paramedic),
}
"""The members of a view that hold the latest answer to the field of the same name, by whose contacts are asked."""
_NO_ANSWERS = {name: None for names in _ANSWERS.values() for name in names}


def _latest_answers(entries: SortedEntries) -> dict[str, Any]:
    answers: dict[str, Any] = _NO_ANSWERS.copy()
    for kind, names in _ANSWERS.items():
        if contacts := getattr(entries, kind):
            answers |= {name: latest_known(contacts, name) for name in names}
    return answers


def _on_scene(contacts: Iterable[EffectiveEntry[Contact]]) -> tuple[datetime | None, datetime | None]:
    arrived = [contact.corrected(contact.entry.arrived_at) for contact in contacts if contact.entry.arrived_at]
    left = [contact.corrected(contact.entry.left_at) for contact in contacts if contact.entry.left_at]
    return min(arrived, default=None), max(left, default=None)


def _legal_status(
    contacts: Sequence[EffectiveEntry[Contact]], first: DatedOutcome | None, episodes: Sequence[Episode]
) -> str | None:
    """The power of a running detention, else the latest dated of the first disposal, the ends and the contacts.

    An end whose result is not known leaves the status unknown: the person is not held under that power any more.
    """
    if episodes and episodes[-1].running:
        return episodes[-1].view.power
    row = _DISPOSALS.get(first.disposal) if first else None
    dated = [(first.dated, 0, row.legal_status)] if first and row and row.legal_status else []
    dated += [
        (status_held_from(contact), 1, contact.entry.legal_status)
        for contact in contacts
        if contact.entry.legal_status and is_known("legal_status", contact.entry.legal_status)
    ]
    dated += [(episode.view.ended_at, 2, episode.left_as or "unknown") for episode in episodes if episode.view.ended_at]
    if not dated:
        return latest_known(contacts, "legal_status")  # type: ignore[no-any-return]
    best = dated[0]
    for status in dated:
        if status[:2] >= best[:2]:
            best = status
    return best[2]


def _advice(entries: SortedEntries) -> tuple[AdviceView, ...]:
    given = [
        (nurse.corrected(nurse.entry.advice_given_at) if nurse.entry.advice_given_at else None, nurse)
        for nurse in entries.nurses
        if nurse.entry.advice
    ]
    given.sort(key=lambda advice: advice[0] or advice[1].captured)
    return tuple(AdviceView(advice=nurse.entry.advice or "", at=at) for at, nurse in given)


def _decision(outcome: DatedOutcome) -> DecisionView:
    return DecisionView(disposal=outcome.disposal, decided_at=outcome.at, by=outcome.effective.entry.decided_by)


def _outcome(first: DatedOutcome | None, latest: DatedOutcome | None) -> OutcomeView | None:
    if first is None or latest is None:
        return None
    return OutcomeView(
        disposal=latest.disposal, decided_at=latest.at, by=latest.effective.entry.decided_by, first=_decision(first)
    )


def _follow_ups(entries: SortedEntries) -> tuple[FollowUpView, ...]:
    dated = sorted((later.corrected(later.entry.at), later.id, later.entry) for later in entries.follow_ups)
    return tuple(
        FollowUpView(event=entry.event, at=at, referral=entry.referral, section=entry.section) for at, _, entry in dated
    )


def _referrals(entries: SortedEntries) -> tuple[str, ...]:
    """The referrals of either service, the latest list of each; `none` only where there is no other."""
    made = dict.fromkeys(code for side in (entries.officers, entries.nurses) for code in _latest_list(side))
    return tuple(code for code in made if code != "none" or len(made) == 1)


def _latest_list(contacts: Sequence[EffectiveEntry[Contact]]) -> list[str]:
    return latest_known(contacts, "referrals") or []


def _consulted(officers: Sequence[EffectiveEntry[Officer]]) -> ConsultedView | None:
    for officer in reversed(officers):
        consulted = officer.entry.consulted
        if consulted and (consulted.role or consulted.at):
            return ConsultedView(role=consulted.role, at=consulted.at and officer.corrected(consulted.at))
    return None


def _intents(intents: Iterable[RecordedIntent]) -> tuple[IntentView, ...]:
    return tuple(
        IntentView(
            entry=intent.entry,
            power=intent.part.power,
            confidence=intent.part.confidence,
            formed_at=intent.formed,
            source=intent.part.source,
            tests=intent.part.tests,
        )
        for intent in intents
        if intent.state == "stands"
    )


def _contributions(stored: Iterable[StoredEntry]) -> tuple[Contribution, ...]:
    latest: dict[tuple[str, int], StoredEntry] = {}
    for entry in stored:
        key = entry.profession, entry.author.int  # hashing a UUID is slow
        if key not in latest or captured(latest[key]) <= captured(entry):
            latest[key] = entry
    return tuple(
        Contribution(
            profession=key[0],
            author=AuthorView(id=latest[key].author, name=None, role=latest[key].role),
            entry=latest[key].id,
            at=captured(latest[key]),
        )
        for key in sorted(latest)
    )

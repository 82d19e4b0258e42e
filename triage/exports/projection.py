"""From the log to members: what an incident's entries up to a cut-off say, in the codes of the code lists."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from triage import codes
from triage.exports.identities import Identities
from triage.exports.members import ReleaseMember
from triage.log import links, timeline
from triage.log.entries import StoredEntry
from triage.log.incident import Incident, fold
from triage.log.timeline import PersonEvent
from triage.log.view import DetentionView
from triage.terms import Terms

MINUTE = timedelta(minutes=1)


def group_by_incident(entries: Iterable[StoredEntry]) -> list[list[StoredEntry]]:
    """The entries by incident, as the links among them join incident ids: links made later are not among them."""
    stored = list(entries)
    root: dict[UUID, UUID] = {}
    for component in links.components(stored):
        root.update(dict.fromkeys(component.incident_ids, component.id))
    by_incident: dict[UUID, list[StoredEntry]] = {}
    for entry in stored:
        by_incident.setdefault(root.get(entry.entry.incident_id, entry.entry.incident_id), []).append(entry)
    return list(by_incident.values())


def release_member(
    entries: Sequence[StoredEntry],
    others: Sequence[PersonEvent],
    cut_off: datetime,
    people: Identities,
    *,
    terms: Terms,
) -> ReleaseMember | None:
    """One incident as it stood at the cut-off. None: training, withdrawn, or not yet a contact, outcome or detention.

    `others` is what other incidents of the same person contribute to its grade; `people` whom linked ids count as.
    """
    incident = fold(entries, others, terms=terms, ids=links.incident_ids(entries))
    return member_of(incident, cut_off, people) if incident.counts and incident.view.status != "withdrawn" else None


def member_of(incident: Incident, cut_off: datetime, people: Identities) -> ReleaseMember:
    """The member of an incident that counts. A code that only a newer version of the service knows is not recorded."""
    view, first = incident.view, timeline.first_disposal(incident.outcomes)
    person = next((people[linked] for linked in incident.people if linked in people), None)
    intent = next((intent.part.power for intent in incident.intents if intent.state == "stands"), None)
    return ReleaseMember(
        incident_id=incident.id,
        person_id=person[0] if person else None,
        occurred_at=incident.happened_at,
        area=_listed("area", view.area),
        age_band=_listed("age_band", view.age_band),
        sex=_listed("sex", view.sex),
        ethnicity=_listed("ethnicity", view.ethnicity),
        power=_listed("intent_power", intent),
        disposal=_listed("disposal", first.disposal if first else None),
        place_of_safety=_place(view.detention),
        minutes_at_scene=_minutes(view.arrived_at, view.left_at),
        referral_source=_listed("referral_source", view.referral_source),
        conveyance=_conveyance(incident),
        grade=_grade(incident, cut_off),
        ed_avoided=_ed_avoided(incident, cut_off),
        known_by=person[1] if person else 0,
    )


def _listed(name: str, code: str | None) -> str | None:
    return code if codes.list(name).get(code) else None


def _ed_avoided(incident: Incident, cut_off: datetime) -> bool | None:
    grading = incident.diversion.ed
    return None if grading.pending_until and cut_off < grading.pending_until else grading.avoided


def _minutes(arrived_at: datetime | None, left_at: datetime | None) -> int | None:
    if arrived_at is None or left_at is None or left_at < arrived_at:
        return None
    return (left_at - arrived_at) // MINUTE


def _place(detention: DetentionView | None) -> str | None:
    """The first place of a detention; None is no detention, so a place that nobody recorded is unknown."""
    if detention is None:
        return None
    return _listed("place_of_safety", detention.places[0].place_of_safety if detention.places else None) or "unknown"


def _conveyance(incident: Incident) -> str | None:
    """How the person travelled, as the paramedic wrote, else as the first outcome that says so."""
    if isinstance(incident.view.conveyed, str):
        return _listed("conveyed", incident.view.conveyed)
    entries = [outcome.effective.entry for outcome in incident.outcomes]
    return next(filter(None, (_listed("transport", entry.transport) for entry in entries)), None)


def _grade(incident: Incident, cut_off: datetime) -> str | None:
    grading = incident.diversion.s136
    return "P" if grading.pending_until and cut_off < grading.pending_until else grading.grade

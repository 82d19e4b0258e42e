"""From the log to members: what an incident's entries up to a cut-off say, in the codes of the code lists."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from triage.exports.members import ReleaseMember
from triage.log import links, timeline
from triage.log.entries import StoredEntry
from triage.log.incident import Incident, fold
from triage.log.timeline import PersonEvent
from triage.log.view import DetentionView

MINUTE = timedelta(minutes=1)


def group_by_incident(entries: Iterable[StoredEntry]) -> list[list[StoredEntry]]:
    """The entries by incident, as the links among them join incident ids: links made later are not among them."""
    held = list(entries)
    name: dict[UUID, UUID] = {}
    for component in links.components(held):
        name.update(dict.fromkeys(component.incident_ids, component.id))
    found: dict[UUID, list[StoredEntry]] = {}
    for one in held:
        found.setdefault(name.get(one.entry.incident_id, one.entry.incident_id), []).append(one)
    return list(found.values())


def release_member(
    entries: Sequence[StoredEntry], others: Sequence[PersonEvent], cut_off: datetime
) -> ReleaseMember | None:
    """One incident as it stood at the cut-off. None: training, withdrawn, or not yet a contact, outcome or detention.

    `others` is what other incidents of the same person contribute to its grade.
    """
    incident = fold(entries, others, ids=links.incident_ids(entries))
    return member_of(incident, cut_off) if incident.counts and incident.view.status != "withdrawn" else None


def member_of(incident: Incident, cut_off: datetime) -> ReleaseMember:
    """The member of an incident that counts. Somebody linked to two people is the first of them by id."""
    view, first = incident.view, timeline.first_disposal(incident.outcomes)
    return ReleaseMember(
        incident_id=incident.id,
        person_id=incident.people[0] if incident.people else None,
        occurred_at=incident.happened_at,
        area=view.area,
        age_band=view.age_band,
        sex=view.sex,
        ethnicity=view.ethnicity,
        power=next((claim.part.power for claim in incident.intents if claim.state == "stands"), None),
        disposal=first.disposal if first else None,
        place_of_safety=_place(view.detention),
        minutes_at_scene=_minutes(view.arrived_at, view.left_at),
        referral_source=view.referral_source,
        conveyance=_conveyance(incident),
        grade=_grade(incident, cut_off),
    )


def _minutes(arrived_at: datetime | None, left_at: datetime | None) -> int | None:
    if arrived_at is None or left_at is None or left_at < arrived_at:
        return None
    return (left_at - arrived_at) // MINUTE


def _place(detention: DetentionView | None) -> str | None:
    """The first place of a detention; None is no detention, so a place that nobody recorded is unknown."""
    if detention is None:
        return None
    return (detention.places[0].place_of_safety if detention.places else None) or "unknown"


def _conveyance(incident: Incident) -> str | None:
    if isinstance(incident.view.conveyed, str):
        return incident.view.conveyed
    return next((one.effective.entry.transport for one in incident.outcomes if one.effective.entry.transport), None)


def _grade(incident: Incident, cut_off: datetime) -> str | None:
    grading = incident.diversion.s136
    return "P" if grading.pending_until and cut_off < grading.pending_until else grading.grade

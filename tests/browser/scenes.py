"""Incidents that the pages have something to say of."""

from uuid import UUID

from support.phones import HOUR, S136, Crew, now
from uuid_utils.compat import uuid7


async def detained_for(crew: Crew, hours: float, place: str = "health_based") -> UUID:
    """Somebody detained under s136 who arrived so many hours ago."""
    incident, arrived = uuid7(), now() - hours * HOUR
    await crew.officer.tell("officer", incident, occurred_at=arrived - HOUR, area="bedford", legal_status="s136")
    await crew.officer.tell(
        "outcome", incident, disposal="s136_removed", decided_at=arrived - HOUR / 2, decided_by="officer"
    )
    await crew.officer.tell(
        "detention", incident, event="arrived_site", at=arrived, place_of_safety=place, power="s136"
    )
    return incident


async def reported_twice(crew: Crew) -> tuple[UUID, UUID]:
    """One incident under two ids."""
    first, other = uuid7(), uuid7()
    await crew.officer.tell("officer", first, log_ref="BP-77", area="bedford")
    await crew.nurse.tell("nurse", other, log_ref="BP-77", area="bedford")
    return first, other


async def intent_and_judgement(crew: Crew) -> UUID:
    """An officer's intent, his contact with a note, and a nurse's judgement with a note."""
    incident = uuid7()
    await crew.officer.tell("intent", incident, intent=S136)
    await crew.officer.tell("officer", incident, area="bedford", note="police note", offence="alleged_serious")
    await crew.nurse.tell(
        "nurse", incident, area="bedford", note="health note", s136_justified="no", assessment="face_to_face",
        known_to_services="open_caseload",
    )  # fmt: skip
    return incident


async def kinds(crew: Crew, *wanted: str) -> list[tuple[str, UUID]]:
    """The entries of these kinds in the log, with their authors."""
    rows = await crew.fetch(
        "SELECT kind, author FROM entry WHERE team_id = $1 AND kind = ANY ($2::text[]) ORDER BY seq", list(wanted)
    )
    return [(row["kind"], row["author"]) for row in rows]

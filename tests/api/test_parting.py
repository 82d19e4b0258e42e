"""What was said stays evidence when incidents are parted, wherever the two are read afterwards."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from support.phones import DAY, MINUTE, S136, Crew, now


async def considered(crew: Crew, incident: UUID) -> None:
    """Two days ago: an intent, nobody consulted, community follow-up; grade B by now."""
    then = now() - 2 * DAY
    formed = {"formed_at": then}
    await crew.officer.tell("intent", incident, captured_at=then, intent=S136 | formed)
    await crew.officer.tell("officer", incident, captured_at=then + MINUTE, location_type="street_or_park")
    await crew.officer.tell(
        "outcome", incident, captured_at=then + 60 * MINUTE, decided_at=then + 50 * MINUTE, decided_by="officer"
    )


async def grade(crew: Crew, incident: UUID) -> Any:
    return (await crew.sergeant.incident(incident))["diversion"]["s136"]


@pytest.mark.parametrize(
    ("who", "reason", "expected"), [("officer", "wrong_person", "C"), ("sergeant", "linked_in_error", "B")]
)
async def test_the_incident_that_holds_the_no_cannot_be_parted_from_the_grade(
    crew: Crew, who: str, reason: str, expected: str
) -> None:
    incident, other = uuid4(), uuid4()
    await considered(crew, incident)
    assert (await grade(crew, incident))["grade"] == "B"
    judged = now() - 2 * DAY + 55 * MINUTE
    await crew.nurse.tell("nurse", other, captured_at=judged, assessment="phone", s136_justified="no")
    linked = now() - DAY
    await crew.officer.tell("same_incident", incident, captured_at=linked, other_incident_id=other)
    assert (await grade(crew, incident))["grade"] == "X"
    parting = {"captured_at": linked + 60 * MINUTE, "other_incident_id": other, "reason": reason}
    await getattr(crew, who).tell("not_same_incident", incident, **parting)
    assert (await grade(crew, incident))["grade"] == expected
    # told again by what is read from the log, not only right after the append
    await crew.officer.tell("officer", incident, location_type="street_or_park", sex="male")
    assert (await grade(crew, incident))["grade"] == expected

"""`triage refold`: what lists are answered from is made anew from the log, and only what differed changes."""

from datetime import datetime
from typing import Any

from support.cast import Json
from support.phones import DAY, HOUR, MINUTE, S136, Crew, RunningService, entry, now
from uuid_utils.compat import uuid7

from triage.store.log import cursor, pull, refold

ROWS = """SELECT to_jsonb(i) - 'turns' - 'lead_turns' - 'turns_last' || jsonb_build_object('flags', (
    SELECT jsonb_agg(flag ORDER BY flag) FROM unnest(i.flags) flag)) AS row
    FROM incident i WHERE team_id = $1 ORDER BY id, blind"""
SPOIL = """UPDATE incident SET status = 'withdrawn', flags = '{}', area = 'unknown', judged_by = '{}', counts = false,
    contact = false, restricted = false, related = '[]', occurred_at = '2001-01-01' WHERE team_id = $1 AND root = id"""
"""As another version's rules might have left them."""


async def made_anew(service: RunningService, crew: Crew) -> int:
    return sum([step async for step in refold.refold(service.service.database, crew.team_id)])


async def rows(crew: Crew) -> list[Any]:
    return [row["row"] for row in await crew.fetch(ROWS)]


async def tell_of_everything(crew: Crew) -> Json:
    """Linked and parted incidents, likely duplicates, a linked person, judgements, corrections, a death."""
    first, second, third, fourth = (uuid7() for _ in range(4))
    at = now() - 2 * HOUR
    judged = await crew.officer.tell("officer", first, area="bedford", log_ref="BP-1", intent=S136, occurred_at=at)
    await crew.nurse.tell("nurse", first, s136_justified="no", assessment="face_to_face", sex="male")
    await crew.officer.tell("officer", second, area="bedford", log_ref="BP-1", sex="female", occurred_at=at)
    await crew.officer.tell("outcome", second, disposal="s136_removed")
    await crew.officer.tell("same_incident", third, other_incident_id=second)
    await crew.officer.tell("officer", fourth, captured_at=now() - 2 * DAY)
    await crew.officer.tell("outcome", fourth, disposal="deceased")
    answer = await crew.sergeant.post("/v1/people", {"police_ref": "ABC-1"})
    person = answer.json()["person_id"]
    for incident in (first, second):
        await crew.officer.tell("person_link", incident, person_id=person)
    await crew.officer.tell("withdrawal", first, withdraws=judged["id"])
    return judged


async def test_by_the_same_rules_nothing_changes(service: RunningService, crew: Crew) -> None:
    await tell_of_everything(crew)
    before = await rows(crew)
    assert await made_anew(service, crew) == 3
    assert await rows(crew) == before


async def test_rows_of_other_rules_are_made_anew_where_they_stand(service: RunningService, crew: Crew) -> None:
    await tell_of_everything(crew)
    before = await rows(crew)
    await crew.fetch(SPOIL)
    assert await rows(crew) != before
    await made_anew(service, crew)
    assert await rows(crew) == before


async def test_a_phone_that_follows_cursors_fetches_what_is_in_its_scope_again(
    service: RunningService, crew: Crew
) -> None:
    incident = uuid7()
    await crew.officer.tell("officer", incident)
    since = cursor.decode((await crew.officer.sync())["cursor"])
    await made_anew(service, crew)

    async def told(at: datetime) -> int:
        """How many incidents a pull brings at this instant: what ran meanwhile has ended a minute later."""
        running, actor = service.service, await crew.officer.actor()
        return len((await pull.pull(running.database, running.incidents, actor, since, at)).incidents)

    assert [await told(now()), await told(now() + 2 * MINUTE)] == [0, 1]


async def test_a_scope_that_an_erasure_ended_stays_ended(service: RunningService, crew: Crew) -> None:
    await crew.officer.store(entry("officer", uuid7()))
    await crew.fetch("UPDATE incident SET scope_until = '2026-01-01' WHERE team_id = $1")
    before = await rows(crew)
    await made_anew(service, crew)
    assert await rows(crew) == before

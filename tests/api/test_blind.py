"""Nothing that reaches a health device before its own judgement depends on an intent.

The same story is told in two teams, once with what is hidden and once without, or with something else hidden. Every
answer that a paramedic, a nurse who has not judged and a clinical lead of whom nobody has judged get is compared, but
for the log's own numbers and times.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import msgspec
import pytest
from support.cast import Json
from support.phones import DAY, HOUR, MINUTE, S136, Crew, Phone, RunningService, entry, now
from uuid_utils.compat import uuid7

from triage.store.access.staff import as_owner
from triage.store.log.cursor import decode as decode_cursor
from triage.store.log.pull import pull
from triage.store.log.rows import POSSIBLE_DUPLICATE

OF_THE_LOG = {"seq", "received_at", "changed_at", "server_time", "link", "cursor"}
BLIND = ("nurse", "other_nurse", "paramedic", "clinical_lead")
FLAGS = (
    *("power_location_conflict", "place_disputed", "under_18_police_station", "outcome_overdue", "clock_running"),
    *("expiry_passed_no_end", "clock_unknown", "late", "clock_skew", "target_not_held", POSSIBLE_DUPLICATE),
    *("conflict:intent", "conflict:offence", "conflict:sex", "intent_withdrawn"),
)

QUERIES: list[dict[str, Any]] = [*({"flag": flag} for flag in FLAGS), {"status": "open"}, {"limit": 1}, {}]


@dataclass
class StoryStep:
    """Somebody sends an entry. `hidden` adds content that health may not know of; True hides the whole entry."""

    who: str
    body: Json
    hidden: Json | bool = False


@dataclass
class Telling:
    """A story as it is told to one team, and what its blind phones were answered."""

    crew: Crew
    ids: Sequence[UUID]
    answers: list[Any] = field(default_factory=list)

    def phone(self, name: str) -> Phone:
        phone: Phone = getattr(self.crew, name)
        return phone

    async def send(self, step: StoryStep, body: Json) -> None:
        """Send it; the author's own answer counts where he is blind."""
        answer = await self.phone(step.who).put(body)
        assert answer.status_code == 201, answer.text
        if step.who in BLIND:
            self.answers.append(self.plain(answer.json()))

    async def pull(self) -> list[Any]:
        """What blind phones are told when they follow their cursors."""
        told = []
        for name in BLIND:
            phone = self.phone(name)
            answer = await phone.sync(cursor=phone.cursor)
            phone.cursor = answer["cursor"]
            told.append(self.plain(answer))
        return told

    async def look_around(self) -> list[Any]:
        """Everything else that they can ask."""
        seen: list[Any] = []
        for name in BLIND:
            phone = self.phone(name)
            for path in (f"/v1/incidents/{id_}{part}" for id_ in self.ids for part in ("", "/entries")):
                answer = await phone.get(path)
                seen.append((path, answer.status_code, self.plain(answer.json())))
            for query in QUERIES:
                answer = await phone.get("/v1/incidents", **query)
                seen.append((query, "link" in answer.headers, self.plain(answer.json())))
            fresh = await phone.sync()
            seen.append(sorted((self.plain(view) for view in fresh["incidents"]), key=lambda view: str(view["id"])))
        return seen

    def plain(self, answered: Any) -> Any:
        """Without what is the log's own, and with the names of people in place of their ids."""
        names = {str(getattr(self.phone(name), which)): f"{name}'s {which}" for name in NAMES for which in IDS}

        def walk(part: Any) -> Any:
            if isinstance(part, dict):
                return {key: walk(value) for key, value in part.items() if key not in OF_THE_LOG}
            if isinstance(part, list):
                return [walk(item) for item in part]
            return names.get(part, part) if isinstance(part, str) else part

        return walk(answered)


NAMES = ("officer", "other_officer", "nurse", "other_nurse", "paramedic", "sergeant", "clinical_lead")
IDS = ("staff_id", "device_id")

HIDDEN: Json = {
    "intent": S136 | {"location_type": "own_home"},
    "consulted": {"role": "nurse"},
    "offence": "alleged_serious",
    "arrest_necessity": ["identity"],
    "referrals": ["safeguarding_adult"],
    "domestic_abuse": True,
}
HIDDEN_OTHERWISE: Json = {
    "intent": {"power": "arrest_offence", "confidence": 1},
    "not_consulted_reason": "no_signal",
    "offence": "none",
    "note": "Health does not read this.",
}


def story(random: Random, ids: Sequence[UUID], at: datetime) -> list[StoryStep]:
    """Two incidents that are later one, and a third, told by everybody; hidden entries where chance puts them."""
    first, second, third = ids
    where: Json = {"area": "bedford", "log_ref": "BP-1", "sex": "male"}
    contact = entry("officer", first, captured_at=at, occurred_at=at, location_type="own_home", **where)
    other = entry("officer", second, captured_at=at + HOUR, location_type="street_or_park", **where)
    # a judgement may still corroborate: half an hour later the clinical lead need not be blind any more
    decided = {"captured_at": at + 2 * HOUR, "decided_at": at + 5 * HOUR - MINUTE}
    outcome = entry("outcome", first, disposal="s136_removed", **decided)
    intent = entry("intent", first, captured_at=at)
    early = entry("intent", third, captured_at=at, intent=S136)
    shown = [
        StoryStep("officer", contact, HIDDEN),
        StoryStep(
            "paramedic", entry("paramedic", first, captured_at=at, occurred_at=at, physical_need="none", **where)
        ),
        StoryStep("nurse", entry("nurse", first, captured_at=at, occurred_at=at, advice="s136_not_recommended")),
        StoryStep("officer", outcome),
        StoryStep("officer", entry("detention", first, captured_at=at, at=at + 3 * HOUR)),
        StoryStep("other_officer", other, HIDDEN_OTHERWISE),
        StoryStep("other_nurse", entry("nurse", third, captured_at=at, occurred_at=at - DAY)),
        StoryStep("sergeant", entry("same_incident", second, other_incident_id=first, captured_at=at)),
        StoryStep("clinical_lead", entry("outcome", second, disposal="signposted", **decided)),
        StoryStep("officer", _amending(contact, at, {**where, "sex": "female"}), HIDDEN_OTHERWISE),
        StoryStep("officer", entry("withdrawal", first, withdraws=outcome["id"], captured_at=at)),
    ]
    secret = [
        StoryStep("officer", intent, True),
        StoryStep("officer", early, True),
        StoryStep("other_officer", entry("intent", second, captured_at=at, intent={"power": "unsure"}), True),
        StoryStep("officer", _amending(intent, at, {}, intent={"power": "none_needed"}), True),
        StoryStep("officer", entry("withdrawal", third, withdraws=early["id"], captured_at=at), True),
        StoryStep("officer", entry("withdrawal", first, withdraws=uuid7(), captured_at=at)),
    ]
    steps = shown[:]
    place = 0
    for step in secret:
        place = random.randint(place, len(steps))
        steps.insert(place, step)
        place += 1
    return steps


def _amending(body: Json, at: datetime, content: Json, **more: Any) -> Json:
    replacement = {"kind": body["kind"], **content, **more}
    return entry("amendment", UUID(body["incident_id"]), captured_at=at, amends=body["id"], entry=replacement)


def with_hidden(step: StoryStep) -> Json:
    """The entry with what is hidden in it."""
    if not isinstance(step.hidden, dict):
        return step.body
    if step.body["kind"] == "amendment":
        body: Json = msgspec.to_builtins(step.body | {"entry": step.body["entry"] | step.hidden})
    else:
        body = msgspec.to_builtins(step.body | step.hidden)
    return body


def otherwise(step: StoryStep) -> Json:
    """The entry with something else hidden in it."""
    other = HIDDEN_OTHERWISE if step.hidden is HIDDEN else HIDDEN
    return with_hidden(StoryStep(step.who, step.body, other if isinstance(step.hidden, dict) else step.hidden))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("other_has", ["nothing hidden", "something else hidden"])
async def test_nothing_that_reaches_the_blind_depends_on_what_is_hidden(
    crew: Crew, other_crew: Crew, seed: int, other_has: str
) -> None:
    ids = sorted(uuid7() for _ in range(3))
    steps = story(Random(seed), ids, now() - 5 * HOUR)
    told, other = Telling(crew, ids), Telling(other_crew, ids)
    for step in steps:
        await told.send(step, with_hidden(step))
        if step.hidden is not True:
            await other.send(step, step.body if other_has == "nothing hidden" else otherwise(step))
        elif other_has == "something else hidden" and step.body["kind"] == "intent":
            await other.send(step, msgspec.to_builtins(step.body | {"intent": {"power": "emergency_department"}}))
        assert told.answers == other.answers
        assert await told.pull() == await other.pull()
    assert await told.look_around() == await other.look_around()
    assert await told.pull() == await other.pull()


async def test_what_was_hidden_is_shown_to_the_nurse_who_judges_and_to_no_other(crew: Crew) -> None:
    """Else the comparison above might have compared nothing with nothing."""
    incident, at = uuid7(), now() - HOUR
    await crew.officer.tell("officer", incident, captured_at=at, occurred_at=at, **HIDDEN)
    for phone in (crew.nurse, crew.other_nurse, crew.paramedic, crew.clinical_lead):
        view = await phone.incident(incident)
        assert "intents" not in view and "offence" not in view
    receipt = await crew.nurse.store(
        entry("nurse", incident, captured_at=at + timedelta(minutes=1), s136_justified="no", assessment="phone")
    )
    assert receipt["incident"]["intents"][0]["power"] == "s136"
    for phone, sees in (
        (crew.nurse, True),
        (crew.clinical_lead, True),
        (crew.other_nurse, False),
        (crew.paramedic, True),
    ):
        view = await phone.incident(incident)
        assert ("intents" in view, view.get("offence")) == (sees, "alleged" if sees else None)
        listed = await phone.entries(incident)
        assert [("intent" in incident) for incident in listed] == [sees, False]
        assert "arrest_necessity" not in listed[0]


async def test_a_judgement_is_blind_unless_its_account_or_device_had_been_served_an_intent(crew: Crew) -> None:
    incident, at = uuid7(), now() - 10 * MINUTE
    await crew.officer.tell("officer", incident, captured_at=at, occurred_at=at, intent=S136)
    judgement: Json = {"s136_justified": "yes", "told_intent": False, "captured_at": at + MINUTE}
    await crew.nurse.tell("nurse", incident, **judgement)
    await crew.nurse.incident(incident)
    await crew.nurse.tell("nurse", incident, **judgement)
    await crew.other_nurse.tell("nurse", incident, **judgement)
    await crew.clinical_lead.incident(incident)
    await crew.clinical_lead.tell("nurse", incident, **judgement)
    blind = [entry["blind"] for entry in await crew.sergeant.entries(incident) if entry["kind"] == "nurse"]
    assert blind == [True, False, True, False]


# --- what was served decides, not what holds now ---


async def judged_blind(crew: Crew, incident: UUID) -> list[bool]:
    return [entry["blind"] for entry in await crew.sergeant.entries(incident) if entry["kind"] == "nurse"]


async def test_a_nurse_who_read_the_intent_through_a_link_is_not_blind_after_parting(crew: Crew) -> None:
    incident, own, at = uuid7(), uuid7(), now() - 10 * MINUTE
    await crew.officer.tell("officer", incident, captured_at=at, occurred_at=at, intent=S136)
    await crew.nurse.tell("nurse", own, captured_at=at, s136_justified="cannot_say")
    await crew.nurse.tell("same_incident", own, other_incident_id=incident)
    assert "intents" in await crew.nurse.incident(incident)
    await crew.nurse.tell("not_same_incident", own, other_incident_id=incident)
    await crew.nurse.tell("nurse", incident, captured_at=at, s136_justified="yes", told_intent=False)
    assert await judged_blind(crew, incident) == [False]


async def test_an_intent_served_to_one_account_of_a_phone_was_served_to_the_phone(
    service: RunningService, crew: Crew
) -> None:
    incident, at, phone = uuid7(), now() - 10 * MINUTE, uuid7()
    async with as_owner(crew.owner_url, crew.team_id) as owner:
        sergeant = await service.add_phone(owner, crew.team_id, crew.sergeant.staff_id, phone)
        nurse = await service.add_phone(owner, crew.team_id, crew.nurse.staff_id, phone)
    await crew.officer.tell("officer", incident, captured_at=at, occurred_at=at, intent=S136)
    await sergeant.sync()
    for judge in (nurse, crew.other_nurse):
        await judge.tell("nurse", incident, captured_at=at, s136_justified="yes", told_intent=False)
    assert await judged_blind(crew, incident) == [False, True]


async def test_what_a_phone_sent_counts_as_served_to_it(service: RunningService, crew: Crew) -> None:
    incident, at, phone = uuid7(), now() - 10 * MINUTE, uuid7()
    async with as_owner(crew.owner_url, crew.team_id) as owner:
        officer = await service.add_phone(owner, crew.team_id, crew.officer.staff_id, phone)
        nurse = await service.add_phone(owner, crew.team_id, crew.nurse.staff_id, phone)
    await officer.put(entry("intent", incident, captured_at=at, intent=S136), Prefer="return=minimal")
    await nurse.tell("nurse", incident, captured_at=at, s136_justified="yes", told_intent=False)
    assert await judged_blind(crew, incident) == [False]


async def test_an_intent_served_once_more_through_a_link_was_served_of_the_other_incident_too(crew: Crew) -> None:
    incident, other, at = uuid7(), uuid7(), now() - 10 * MINUTE
    for told in (incident, other):
        await crew.officer.tell("officer", told, captured_at=at, occurred_at=at, intent=S136)
    served = "SELECT incident_id FROM intent_served WHERE team_id = $1 AND staff_id = $2"
    for linked in (False, True):
        if linked:
            await crew.officer.tell("same_incident", incident, other_incident_id=other)
        for _ in range(2):
            await crew.sergeant.incident(incident)
        rows = await crew.fetch(served, crew.sergeant.staff_id)
        assert {row["incident_id"] for row in rows} == ({incident, other} if linked else {incident})


async def test_what_a_restored_backup_forgot_was_served_is_written_down_at_the_next_reading(crew: Crew) -> None:
    incident, at = uuid7(), now() - 10 * MINUTE
    await crew.officer.tell("officer", incident, captured_at=at, occurred_at=at, intent=S136)
    for _ in range(2):
        await crew.sergeant.incident(incident)
        forgotten = await crew.fetch(
            "DELETE FROM intent_served WHERE team_id = $1 AND staff_id = $2 RETURNING incident_id",
            crew.sergeant.staff_id,
        )
        assert [row["incident_id"] for row in forgotten] == [incident]


@pytest.mark.parametrize("how", ["view", "list", "entries", "sync"])
async def test_however_the_intent_was_served_a_judgement_afterwards_is_not_blind(crew: Crew, how: str) -> None:
    """Her second judgement: after the first she may see the intent."""
    incident, at = uuid7(), now() - 10 * MINUTE
    judgement: Json = {"s136_justified": "yes", "told_intent": False, "captured_at": at}
    await crew.officer.tell("officer", incident, captured_at=at, occurred_at=at, intent=S136)
    await crew.nurse.put(entry("nurse", incident, **judgement), Prefer="return=minimal")
    match how:
        case "view":
            await crew.nurse.incident(incident)
        case "list":
            await crew.nurse.incidents()
        case "entries":
            await crew.nurse.entries(incident)
        case _:
            await crew.nurse.sync()
    await crew.nurse.tell("nurse", incident, **judgement)
    assert await judged_blind(crew, incident) == [True, False]


async def test_a_link_made_later_takes_blindness_from_a_judgement_given_after_the_other_incident_was_served(
    crew: Crew,
) -> None:
    """A judgement is blind only where none of the ids that the incident consists of now had been served."""
    incident, own, at = uuid7(), uuid7(), now() - 10 * MINUTE
    judgement: Json = {"captured_at": at, "s136_justified": "yes", "told_intent": False}
    await crew.officer.tell("officer", incident, captured_at=at, occurred_at=at, intent=S136)
    await crew.nurse.tell("nurse", incident, **judgement)
    await crew.nurse.incident(incident)
    await crew.nurse.tell("nurse", own, **judgement)
    assert await judged_blind(crew, own) == [True]
    await crew.sergeant.tell("same_incident", own, other_incident_id=incident)
    assert await judged_blind(crew, own) == [True, False]


async def test_the_clinical_lead_s_cursor_brings_what_time_alone_unblinds(crew: Crew, service: RunningService) -> None:
    incident, at = uuid7(), now() - 10 * MINUTE
    await crew.officer.tell("officer", incident, captured_at=at, occurred_at=at, intent=S136)
    cursor = (await crew.clinical_lead.sync())["cursor"]
    [row] = await crew.fetch(
        "SELECT lead_unblinded_at AS at, lead_turns @> ARRAY[lead_unblinded_at] AS turns FROM incident "
        "WHERE team_id = $1 AND blind"
    )
    assert row["turns"]
    actor = await service.service.sign_in.authenticate(crew.clinical_lead.token)
    later = row["at"] + MINUTE
    pulled = await pull(service.service.database, service.service.incidents, actor, decode_cursor(cursor), later)
    [body] = pulled.incidents
    assert b"intents" in body

"""Random stories in which nurses try to learn of an intent before they judge, with an oracle that reads every answer.

The oracle knows nothing of the rules: it keeps which incident ids came with an intent in what was answered to an
account, or to any device of its phone, or was sent by one. The service may say that a judgement was blind only where
the oracle saw none of the ids that the incident consists of at the end.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any
from uuid import UUID

import httpx
import pytest
from support.cast import Json
from support.phones import MINUTE, S136, Crew, Phone, RunningService, entry, now
from uuid_utils.compat import uuid7

from triage.store.access.staff import as_owner
from triage.store.log import append, incidents, served_entries

STEPS = 24
JUDGEMENT: Json = {"assessment": "face_to_face", "s136_justified": "yes", "told_intent": False}


@dataclass
class Oracle:
    """What each account and each phone was served of intents, as far as answers show it."""

    ids: dict[object, set[str]] = field(default_factory=lambda: defaultdict(set))

    def read(self, holders: tuple[object, ...], answer: httpx.Response) -> None:
        """Keep the ids of every incident that an answer shows with an intent."""
        for incident in intents_in(answer.json()):
            for holder in holders:
                self.ids[holder].add(incident)

    def sent(self, holders: tuple[object, ...], incident: UUID) -> None:
        """What a device sent it knows."""
        for holder in holders:
            self.ids[holder].add(str(incident))

    def known_to(self, holders: tuple[object, ...]) -> set[str]:
        return set().union(*(self.ids[holder] for holder in holders))


def intents_in(answer: Any) -> Iterator[str]:
    """Ids of incidents that anything in an answer shows with an intent, whatever kind of answer it is."""
    if isinstance(answer, list):
        for part in answer:
            yield from intents_in(part)
    elif isinstance(answer, dict):
        if answer.get("intents"):
            yield answer["id"]
            yield from answer.get("linked_ids", ())
        if answer.get("intent"):
            yield answer["incident_id"]
        for part in answer.values():
            yield from intents_in(part)


@dataclass(frozen=True)
class ServedPhone:
    """A phone with everything that knows what is served to it: its account and its installation."""

    phone: Phone
    installation: UUID

    @property
    def holders(self) -> tuple[object, ...]:
        return self.phone.staff_id, self.installation


@dataclass
class BlindStage:
    """A team whose nurse shares a phone with an officer, three incidents, and what was judged."""

    crew: Crew
    random: Random
    actors: dict[str, ServedPhone]
    oracle: Oracle = field(default_factory=Oracle)
    incidents: tuple[UUID, ...] = field(default_factory=lambda: tuple(uuid7() for _ in range(3)))
    judged: dict[str, set[str]] = field(default_factory=dict)
    """By judgement, what its author and phone had been served of before it was sent."""

    async def step(self) -> None:
        name, actor = self.random.choice(list(self.actors.items()))
        match self.random.choice(("intent", "judge", "judge", "read", "read", "link", "part")):
            case "intent" if "officer" in name:
                await self.tell(actor, "intent", self.an_incident(), intent=S136)
            case "judge" if "nurse" in name:
                await self.judge(actor)
            case "read":
                await self.read(actor)
            case "link":
                await self.state(actor, "same_incident")
            case "part":
                await self.state(actor, "not_same_incident")
            case _:
                pass

    def an_incident(self) -> UUID:
        return self.random.choice(self.incidents)

    async def tell(self, actor: ServedPhone, kind: str, incident: UUID, **content: Any) -> Json:
        body = entry(kind, incident, captured_at=now() - MINUTE, **content)
        minimal = {"Prefer": "return=minimal"} if self.random.random() < 0.5 else {}
        answer = await actor.phone.put(body, **minimal)
        assert answer.status_code == 201, answer.text
        if "intent" in body:
            self.oracle.sent(actor.holders, incident)
        self.oracle.read(actor.holders, answer)
        return body

    async def judge(self, actor: ServedPhone) -> None:
        before = self.oracle.known_to(actor.holders)
        body = await self.tell(actor, "nurse", self.an_incident(), **JUDGEMENT)
        self.judged[body["id"]] = before

    async def state(self, actor: ServedPhone, kind: str) -> None:
        first, other = self.random.sample(self.incidents, 2)
        await self.tell(actor, kind, first, other_incident_id=str(other))

    async def read(self, actor: ServedPhone) -> None:
        incident = self.an_incident()
        match self.random.choice(("view", "entries", "list", "sync")):
            case "view":
                answer = await actor.phone.get(f"/v1/incidents/{incident}")
            case "entries":
                answer = await actor.phone.get(f"/v1/incidents/{incident}/entries")
            case "list":
                answer = await actor.phone.get("/v1/incidents")
            case _:
                answer = await actor.phone.post_sync()
        self.oracle.read(actor.holders, answer)

    async def called_blind(self) -> dict[str, tuple[bool, set[str]]]:
        """Every judgement with what the service says of it, and the ids its incident consists of now."""
        said = {}
        for incident in self.incidents:
            view = (await self.crew.sergeant.get(f"/v1/incidents/{incident}")).json()
            ids = {str(incident), view["id"], *view["linked_ids"]}
            for item in await self.crew.sergeant.entries(incident):
                if item["id"] in self.judged:
                    said[item["id"]] = (item["blind"], ids)
        return said


async def actors_of(service: RunningService, crew: Crew) -> dict[str, ServedPhone]:
    shared = uuid7()
    async with as_owner(crew.owner_url, crew.team_id) as owner:
        officer = await service.add_phone(owner, crew.team_id, crew.other_officer.staff_id, shared)
        nurse = await service.add_phone(owner, crew.team_id, crew.nurse.staff_id, shared)
    return {
        "officer": ServedPhone(crew.officer, crew.officer.device_id),
        "officer_on_shared_phone": ServedPhone(officer, shared),
        "nurse_on_shared_phone": ServedPhone(nurse, shared),
        "nurse": ServedPhone(crew.nurse, crew.nurse.device_id),
        "other_nurse": ServedPhone(crew.other_nurse, crew.other_nurse.device_id),
        "paramedic": ServedPhone(crew.paramedic, crew.paramedic.device_id),
    }


async def verdicts(service: RunningService, seed: int) -> list[tuple[bool, bool]]:
    """Of every judgement of a story whether the service calls it blind, and whether the oracle saw an intent served."""
    crew = await service.enrol_crew()
    stage = BlindStage(crew, Random(seed), await actors_of(service, crew))
    for incident in stage.incidents:
        await stage.tell(stage.actors["officer"], "officer", incident, occurred_at=now() - MINUTE, area="luton_west")
    for _ in range(STEPS):
        await stage.step()
    called = await stage.called_blind()
    return [(blind, bool(stage.judged[judgement] & ids)) for judgement, (blind, ids) in called.items()]


@pytest.mark.parametrize("kept", [True, False], ids=["rule", "off"])
async def test_no_judgement_is_called_blind_whose_author_or_phone_was_served_the_intent(
    service: RunningService, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Off: nothing is kept of what was served; what a nurse sent and judged herself is all that is known."""
    if not kept:
        monkeypatch.setattr(incidents, "record_served", forget)
        monkeypatch.setattr(served_entries, "record_served", forget)
        monkeypatch.setattr(append, "shows_intent", lambda *_: False)
    judgements = [verdict for seed in range(12) for verdict in await verdicts(service, seed)]
    assert len(judgements) > 20 and {blind for blind, _ in judgements} == {True, False}
    wrong = sum(blind and served for blind, served in judgements)
    assert wrong == 0 if kept else wrong > 0


async def forget(*_: Any) -> None:
    """Keeps nothing."""

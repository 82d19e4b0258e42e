"""Another team attacked through every id, filter, place in a list, cursor and body: nothing of it is there.

Whoever attacks has every role of a team of their own, and knows all ids of the other team. An id of the other team is
answered as an id of nothing; a filter by what only the other team has finds what a filter by nothing finds.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import time, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio
from support.cast import CAST, Json
from support.operations import OPERATIONS
from support.phones import Crew, Phone, RunningService, entry, now, refused
from uuid_utils.compat import uuid7

from triage.jobs.publish import publish
from triage.store.summaries import calendars
from triage.summaries.schedule import slot
from triage.times import due_at, operational_day, period_of

LOG_REF, NOTE = "BP-ISOLATED-1", "said to the other team only"
DAY = operational_day(now()) - timedelta(days=1)
"""The last operational day that is over."""
PERIOD = str(DAY)
FIGURE = {"summary": f"daily/{PERIOD}/1", "measure": "incidents_by_area", "row": "luton_airport"}
"""The parameters that lead from a figure to its incidents, which go together."""
KIM: Json = {"nhs_number": "9990000018"}
ROLES = [*CAST, "partner"]


@dataclass(frozen=True, slots=True)
class Known:
    """What the attackers know of the other team."""

    crew: Crew
    incident: str
    entry: Json
    person: str
    item: str
    cursor: str
    places: dict[str, str]
    marks: frozenset[str]

    def shows_in(self, answer: httpx.Response, *told: str) -> set[str]:
        """What of the other team an answer shows, but for what was told to it."""
        return {mark for mark in self.marks - set(told) if mark in answer.text}


@pytest_asyncio.fixture(scope="module")
async def known(service: RunningService) -> Known:
    crew = await service.enrol_crew()
    incident = uuid7()
    written = await crew.officer.tell(
        "officer", incident, log_ref=LOG_REF, area="luton_airport", occurred_at=due_at(DAY, time(22)), note=NOTE, age=16
    )
    place = {"power": "s136", "place_of_safety": "police_station"}
    await crew.officer.tell("detention", incident, **place)
    await crew.officer.tell("officer", uuid7(), area="luton_airport", occurred_at=now())
    person = (await crew.nurse.post("/v1/people", KIM)).json()["person_id"]
    await crew.nurse.tell("person_link", incident, person_id=person)
    assert (await crew.officer.put(written | {"area": "bedford"})).status_code == 409
    [item] = (await crew.sergeant.see("/v1/quarantine"))["items"]
    assert (await crew.officer.put(written | {"area": "luton_west"})).status_code == 409
    await publish_day(service, crew)
    places = {}
    for phone, path in (
        (crew.sergeant, "/v1/incidents"),
        (crew.sergeant, "/v1/quarantine"),
        (crew.sergeant, "/v1/devices"),
        (crew.auditor, "/v1/audit"),
    ):
        listed = await phone.get(path, limit=1)
        places[path] = listed.headers["link"].partition("after=")[2].partition(">")[0].partition("&")[0]
    people = [getattr(crew, name) for name in ROLES]
    ids = {incident, written["id"], person, item["id"], crew.team_id}
    ids |= {phone.staff_id for phone in people} | {phone.device_id for phone in people}
    return Known(
        crew=crew,
        incident=str(incident),
        entry=written,
        person=person,
        item=item["id"],
        cursor=(await crew.officer.sync())["cursor"],
        places=places,
        marks=frozenset({*map(str, ids), LOG_REF, NOTE}),
    )


async def publish_day(service: RunningService, crew: Crew) -> None:
    team = await calendars.team(service.service.database, crew.team_id)
    assert await publish(service.service.database, team, slot(period_of("daily", DAY), team.calendar), now())


@pytest_asyncio.fixture(scope="module")
async def thieves(service: RunningService) -> AsyncIterator[Crew]:
    yield await service.enrol_crew()


def of_path(known: Known) -> dict[str, dict[str, str]]:
    """What of the other team goes into each address."""
    device = str(known.crew.officer.device_id)
    return {
        "PUT /v1/entries/{id}": {"id": known.entry["id"]},
        "GET /v1/incidents/{id}": {"id": known.incident},
        "GET /v1/incidents/{id}/entries": {"id": known.incident},
        "GET /v1/summaries/{kind}/{period}": {"kind": "daily", "period": PERIOD},
        "POST /v1/quarantine/{id}/release": {"id": known.item},
        "POST /v1/quarantine/{id}/discard": {"id": known.item},
        "POST /v1/devices/{id}/token": {"id": device},
        "POST /v1/devices/{id}/wiped": {"id": device},
        "DELETE /v1/devices/{id}": {"id": device},
        "PUT /v1/devices/{id}": {"id": device},
        "GET /v1/audit/incidents/{id}/readers": {"id": known.incident},
    }


def nobodys(values: dict[str, str]) -> dict[str, str]:
    """The same kind of thing, which is nobody's."""
    return values | ({"id": str(uuid4())} if "id" in values else {"period": "2026-11-19"})


BY_QUERY: dict[str, Any] = {
    "GET /v1/incidents": lambda known: {
        "status": "open",
        "area": "luton_airport",
        "log_ref": LOG_REF,
        "from": (now() - timedelta(days=3)).isoformat(),
        "to": (now() + timedelta(days=1)).isoformat(),
        "flag": "under_18_police_station",
        "summary": f"daily/{PERIOD}/1",
        "measure": "incidents",
        "row": "all",
        "limit": "200",
        "after": known.places["/v1/incidents"],
        **FIGURE,
    },
    "GET /v1/summaries": lambda known: {
        "kind": "daily",
        "from": PERIOD,
        "to": str(DAY + timedelta(days=1)),
        "limit": "200",
        "after": "WyIyMDI2LTExLTIxIiwiZGFpbHkiXQ",
    },
    "GET /v1/summaries/{kind}/{period}": lambda known: {"edition": "1", "format": "json"},
    "GET /v1/quarantine": lambda known: {"limit": "200", "after": known.places["/v1/quarantine"]},
    "GET /v1/devices": lambda known: {"limit": "200", "after": known.places["/v1/devices"]},
    "GET /v1/audit": lambda known: {
        "person": known.person,
        "incident": known.incident,
        "actor": str(known.crew.officer.staff_id),
        "from": (now() - timedelta(days=1)).isoformat(),
        "to": (now() + timedelta(days=1)).isoformat(),
        "operation": "collection",
        "limit": "1000",
        "after": known.places["/v1/audit"],
    },
}
"""A value for each parameter of a query that, in the other team, finds what is the other team's."""

OF_A_SUMMARY = ("summary", "measure", "row")
"""What finds incidents by a published figure, of which there is none here: `tests/summaries` follows them."""

ELSEWHERE = {
    "GET /v1/exports/ledger",
    "GET /v1/exports/{dataset}/{period}",
    "GET /v1/exports/{dataset}/{period}/files/{name}",
}
"""Attacked in `tests/api/test_exports.py`, where there are releases."""

BODIES = {"POST /v1/sync", "POST /v1/sync/held", "POST /v1/enrolments", "POST /v1/people", "POST /v1/people/match"}
"""What takes ids in its body: each has a test below."""

WITHOUT = {"GET /v1/exports", "GET /v1/me", "GET /v1/codes", "GET /metrics"}
"""What takes nothing from whoever asks."""


def test_every_parameter_of_every_operation_is_attacked(known: Known) -> None:
    guarded = {operation.name: operation for operation in OPERATIONS if not operation.is_open}
    assert set(of_path(known)) | set(BY_QUERY) | ELSEWHERE | BODIES | WITHOUT == set(guarded)
    for called, operation in guarded.items():
        attacked = set(of_path(known).get(called, ())) | set(BY_QUERY[called](known) if called in BY_QUERY else ())
        assert called in ELSEWHERE or operation.parameters == attacked, called


async def ask(phone: Phone, called: str, values: dict[str, str], **query: str) -> httpx.Response:
    method, _, path = called.partition(" ")
    return await phone.client.request(
        method,
        path.format(**values),
        params=query,
        json={} if "entries" in path else {"name": "mine now"},
        headers={"authorization": f"Bearer {phone.token}"},
    )


@pytest.mark.parametrize("role", ROLES)
async def test_an_id_of_another_team_is_answered_as_an_id_of_nothing(known: Known, thieves: Crew, role: str) -> None:
    phone = getattr(thieves, role)
    for called, values in of_path(known).items():
        theirs = await ask(phone, called, values)
        nothing = await ask(phone, called, nobodys(values))
        assert (theirs.status_code, theirs.content) == (nothing.status_code, nothing.content), called
        assert not known.shows_in(theirs), called
    assert (await known.crew.officer.get("/v1/me")).status_code == 200
    assert known.item in [item["id"] for item in (await known.crew.sergeant.see("/v1/quarantine"))["items"]]


def asked(part: str, value: str) -> dict[str, str]:
    """A parameter with those that it goes together with."""
    return FIGURE if part in FIGURE else {part: value}


@pytest.mark.parametrize("called", BY_QUERY)
async def test_no_filter_finds_another_teams(known: Known, crew: Crew, called: str) -> None:
    values = of_path(known).get(called, {})
    every = BY_QUERY[called](known)
    for role in ROLES:
        for part, value in every.items():
            answer = await ask(getattr(crew, role), called, values, **asked(part, value))
            assert answer.status_code in (200, 403, 404), (role, part, answer.text)
            assert not known.shows_in(answer, *every.values()), (role, part)
    for part, value in every.items():
        if part in OF_A_SUMMARY or part == "after" or "summaries" in called:
            continue
        own = await ask(
            known.crew.auditor if "audit" in called else known.crew.sergeant, called, values, **asked(part, value)
        )
        assert known.shows_in(own, value), part  # else nothing was attacked


async def test_a_figure_leads_to_ones_own_incidents_only(known: Known, crew: Crew, service: RunningService) -> None:
    async def follow(phone: Phone, **other: str) -> httpx.Response:
        return await ask(phone, "GET /v1/incidents", {}, **FIGURE | other)

    for phone in (crew.sergeant, crew.clinical_lead):
        assert refused(await follow(phone)) == (404, "edition_not_found")  # it is the other team's
    own = uuid7()
    await crew.officer.tell("officer", own, area=FIGURE["row"], occurred_at=due_at(DAY, time(22)))
    await publish_day(service, crew)
    for phone in (crew.sergeant, crew.clinical_lead):
        [incident] = (await follow(phone)).json()["incidents"]  # the edition of the same name that is one's own
        assert incident["id"] == str(own)
        for other in ({"row": "nowhere"}, {"measure": "completeness", "row": "police"}, {"measure": "nothing"}):
            assert refused(await follow(phone, **other)) == (403, "line_not_traceable"), other
    for role in set(ROLES) - {"sergeant", "clinical_lead"}:
        assert refused(await follow(getattr(crew, role))) == (403, "forbidden"), role
    assert known.incident in (await follow(known.crew.sergeant)).text  # else nothing was attacked


@pytest.mark.parametrize("alone", [("measure",), ("row",), ("measure", "row"), ("summary",), ("summary", "row")])
async def test_a_figure_is_named_whole(known: Known, alone: tuple[str, ...]) -> None:
    answer = await ask(known.crew.sergeant, "GET /v1/incidents", {}, **{part: FIGURE[part] for part in alone})
    assert refused(answer) == (400, "invalid_parameter")


async def test_an_entrys_id_may_be_used_by_two_teams(known: Known, crew: Crew) -> None:
    own = entry("officer", uuid7(), area="bedford") | {"id": known.entry["id"]}
    assert (await crew.officer.put(own)).json()["status"] == "stored"
    assert (await known.crew.officer.put(known.entry)).json()["status"] == "duplicate"


@pytest.mark.parametrize(
    ("kind", "part"),
    [
        ("amendment", "amends"),
        ("withdrawal", "withdraws"),
        ("same_incident", "other_incident_id"),
        ("not_same_incident", "other_incident_id"),
        ("person_link", "person_id"),
        ("person_unlink", "person_id"),
    ],
)
async def test_an_entry_that_names_another_teams_is_as_one_that_names_nothing(
    known: Known, thieves: Crew, kind: str, part: str
) -> None:
    async def told(value: str) -> tuple[Any, ...]:
        incident = str(max(uuid4() for _ in range(4)))  # links answer to the smallest id, which is to be the named one
        more = {"entry": {"kind": "officer", "area": "bedford"}} if kind == "amendment" else {}
        answer = await thieves.sergeant.put(entry(kind, incident, **{part: value}, **more))  # type: ignore[arg-type]
        receipt = answer.json()
        view = receipt["incident"] or {}
        return answer.status_code, receipt["notices"], view.get("status"), view.get("flags"), view.get("occurred_at")

    value = {"amends": known.entry["id"], "withdraws": known.entry["id"], "person_id": known.person}
    assert (await told(value.get(part, known.incident)))[:4] == (await told(str(uuid4())))[:4]
    seen = await known.crew.sergeant.incident(known.incident)
    assert (seen["area"], seen["linked_ids"]) == ("luton_airport", [])


async def test_an_entry_sent_into_another_teams_incident_makes_one_of_ones_own(known: Known, crew: Crew) -> None:
    before = await known.crew.officer.entries(known.incident)
    receipt = await crew.officer.store(entry("officer", known.incident))  # type: ignore[arg-type]
    assert len(await crew.officer.entries(receipt["incident_id"])) == 1
    assert receipt["incident"]["area"] != "luton_airport"
    assert await known.crew.officer.entries(known.incident) == before


async def test_another_teams_cursor_is_unknown(known: Known, crew: Crew) -> None:
    answer = await crew.officer.post_sync(cursor=known.cursor)
    assert refused(answer) == (410, "cursor_unknown")
    assert not known.shows_in(answer)
    assert not known.shows_in(await crew.officer.post_sync())


async def test_what_another_team_holds_is_missing(known: Known, crew: Crew) -> None:
    ids = [known.entry["id"], str(uuid4())]
    for phone in (crew.officer, crew.nurse):
        assert (await phone.post("/v1/sync/held", {"ids": ids})).json() == {"held": [], "missing": ids}


async def test_another_teams_staff_are_not_enrolled(known: Known, thieves: Crew) -> None:
    for phone in (thieves.sergeant, thieves.clinical_lead, thieves.admin):
        for staff_id in (known.crew.officer.staff_id, uuid4()):
            answer = await phone.post("/v1/enrolments", {"staff_id": str(staff_id)})
            assert refused(answer) == (404, "not_found")


async def test_another_teams_people_are_nobody(known: Known, thieves: Crew) -> None:
    incident = uuid7()
    await thieves.nurse.tell("nurse", incident)
    sought = KIM | {"incident_id": str(incident)}
    nobody = {"person_id": None, "matched_on": None}
    assert (await thieves.clinical_lead.post("/v1/people/match", sought)).json() == nobody
    told = await thieves.nurse.post("/v1/people", KIM)
    assert (told.status_code, told.json()["person_id"] == known.person) == (201, False)
    await thieves.nurse.tell("person_link", incident, person_id=told.json()["person_id"])
    match = (await thieves.clinical_lead.post("/v1/people/match", sought)).json()
    assert match["matched_on"] == "nhs_number" and match["person_id"] not in (None, known.person)


async def test_the_attackers_found_nothing_that_changed(known: Known) -> None:
    listed = await known.crew.sergeant.incidents()
    assert (known.incident in [item["id"] for item in listed], len(listed)) == (True, 2)

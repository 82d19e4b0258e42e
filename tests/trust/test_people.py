"""People: told of once, found by their own side's number alone, and never joined across the sides."""

from uuid import UUID, uuid4

import pytest
from support.phones import Crew, Json, Phone, RunningService, now, refused

from triage.people.identifiers import nhs_number_holds

KIM: Json = {"family_name": "Rowe", "given_name": "Kim", "born": "1971-02-03"}


def nhs_number(n: int) -> str:
    """The n-th number of the range that is never issued (999) whose check digit holds, from a base of its own."""
    found = [f"999{i:06}{c}" for i in range(n * 40, n * 40 + 40) for c in "0123456789"]
    return next(number for number in found if nhs_number_holds(number))


NHS: Json = {"nhs_number": nhs_number(1)}
POLICE: Json = {"police_ref": "AB/1234"}


async def tell(phone: Phone, identity: Json) -> tuple[int, str]:
    answer = await phone.post("/v1/people", identity)
    assert answer.status_code in (200, 201), answer.text
    return answer.status_code, answer.json()["person_id"]


async def match(phone: Phone, identity: Json) -> tuple[int, Json]:
    answer = await phone.post("/v1/people/match", identity)
    return answer.status_code, answer.json()


async def link(phone: Phone, person: str) -> UUID:
    incident = uuid4()
    await phone.tell("nurse", incident, occurred_at=now())
    await phone.tell("person_link", incident, person_id=person)
    return incident


@pytest.mark.parametrize("role", ["auditor", "admin", "partner"])
@pytest.mark.parametrize("path", ["/v1/people", "/v1/people/match"])
async def test_who_meets_nobody_tells_of_nobody(crew: Crew, role: str, path: str) -> None:
    assert refused(await getattr(crew, role).post(path, NHS)) == (403, "forbidden")


@pytest.mark.parametrize(
    ("identity", "fault"),
    [
        ({}, ""),
        ({"family_name": "Rowe", "given_name": "Kim"}, ""),
        ({"nhs_number": "9990000000"}, "nhs_number"),
        (NHS | POLICE, "police_ref"),
        (KIM | {"born": "2999-01-01"}, "born"),
    ],
)
async def test_an_impossible_identity_is_refused(crew: Crew, identity: Json, fault: str) -> None:
    answer = await crew.nurse.post("/v1/people", identity)
    assert refused(answer) == (422, "invalid")
    assert fault in [error["field"] for error in answer.json()["errors"]]


async def test_a_birth_date_that_is_none_is_malformed(crew: Crew) -> None:
    assert refused(await crew.nurse.post("/v1/people", KIM | {"born": "yesterday"})) == (400, "malformed")


@pytest.mark.parametrize("identity", [NHS, POLICE, KIM])
async def test_telling_again_gives_the_same_person(crew: Crew, identity: Json) -> None:
    first = await tell(crew.nurse, identity)
    assert first[0] == 201
    assert await tell(crew.other_nurse, identity) == (200, first[1])


async def test_a_number_learnt_later_stays_with_the_name(crew: Crew) -> None:
    _, known = await tell(crew.nurse, KIM)
    assert await tell(crew.nurse, KIM | NHS) == (200, known)
    assert await tell(crew.nurse, NHS) == (200, known)


async def test_an_nhs_number_is_never_joined_with_a_police_reference_by_a_shared_name(crew: Crew) -> None:
    _, patient = await tell(crew.nurse, KIM | NHS)
    made, suspect = await tell(crew.officer, KIM | POLICE)
    assert (made, suspect != patient) == (201, True)
    held = await crew.fetch(
        "SELECT person_id, kind FROM person_identifier WHERE team_id = $1 AND kind <> 'name_and_birth'"
    )
    assert {(str(row["person_id"]), row["kind"]) for row in held} == {(patient, "nhs_number"), (suspect, "police_ref")}


async def test_two_numbers_of_one_name_are_two_people(crew: Crew) -> None:
    _, one = await tell(crew.nurse, KIM | NHS)
    assert await tell(crew.nurse, KIM | {"nhs_number": nhs_number(2)}) != (200, one)


async def test_another_team_knows_nobody_of_this_one(crew: Crew, other_crew: Crew) -> None:
    _, person = await tell(crew.nurse, NHS)
    made, other = await tell(other_crew.nurse, NHS)
    assert (made, other == person) == (201, False)


async def test_nothing_stored_shows_an_identifier(crew: Crew) -> None:
    await tell(crew.nurse, KIM | NHS)
    stored = str(await crew.fetch("SELECT * FROM person WHERE team_id = $1"))
    stored += str(await crew.fetch("SELECT * FROM person_identifier WHERE team_id = $1"))
    stored += str(await crew.fetch("SELECT * FROM audit WHERE team_id = $1"))
    assert not [value for value in (KIM | NHS).values() if value in stored]


async def test_leads_find_an_open_incidents_person_by_the_number_of_their_side(crew: Crew) -> None:
    _, patient = await tell(crew.nurse, NHS)
    await link(crew.nurse, patient)
    _, suspect = await tell(crew.officer, POLICE)
    await link(crew.nurse, suspect)
    nobody: Json = {"person_id": None, "matched_on": None}
    assert await match(crew.clinical_lead, NHS) == (200, {"person_id": patient, "matched_on": "nhs_number"})
    assert await match(crew.sergeant, POLICE) == (200, {"person_id": suspect, "matched_on": "police_ref"})
    assert await match(crew.clinical_lead, POLICE) == (200, nobody)
    assert await match(crew.sergeant, NHS) == (200, nobody)


async def test_nobody_is_found_without_an_open_incident(crew: Crew) -> None:
    _, patient = await tell(crew.nurse, NHS)
    nobody: Json = {"person_id": None, "matched_on": None}
    assert await match(crew.clinical_lead, NHS) == (200, nobody)
    incident = await link(crew.nurse, patient)
    assert (await match(crew.clinical_lead, NHS))[1]["person_id"] == patient
    await crew.nurse.tell("outcome", incident, decided_by="nurse")
    assert await match(crew.clinical_lead, NHS) == (200, nobody)


@pytest.mark.parametrize("role", ["officer", "nurse", "paramedic"])
async def test_field_roles_learn_nothing_from_a_search(crew: Crew, role: str) -> None:
    _, patient = await tell(crew.nurse, NHS)
    await link(crew.nurse, patient)
    phone: Phone = getattr(crew, role)
    known = await phone.post("/v1/people/match", NHS)
    unknown = await phone.post("/v1/people/match", {"nhs_number": nhs_number(3)})
    assert (known.status_code, known.content) == (202, b'{"status":"submitted"}')
    assert (known.status_code, known.content) == (unknown.status_code, unknown.content)


async def test_every_call_counts_towards_thirty_an_hour_on_every_process(crew: Crew, another: RunningService) -> None:
    for n in range(30):
        phone = crew.nurse if n % 2 else crew.nurse.on(another)
        assert (await phone.post("/v1/people/match" if n % 3 else "/v1/people", NHS)).status_code < 300
    for path in ("/v1/people", "/v1/people/match"):
        answer = await crew.nurse.post(path, NHS)
        assert refused(answer) == (429, "rate_limited")
        assert int(answer.headers["retry-after"]) > 0
    assert (await crew.other_nurse.post("/v1/people/match", NHS)).status_code == 202


async def test_every_search_is_recorded_without_what_was_searched(crew: Crew) -> None:
    await tell(crew.nurse, NHS)
    await match(crew.clinical_lead, NHS)
    await crew.nurse.post("/v1/people/match", {})
    rows = await crew.fetch(
        "SELECT operation, actor, query, detail FROM audit WHERE team_id = $1 AND query ~ 'people' ORDER BY id"
    )
    assert [tuple(row) for row in rows] == [
        ("collection", crew.nurse.staff_id, "people", None),
        ("consultation", crew.clinical_lead.staff_id, "people/match", None),
        ("refusal", crew.nurse.staff_id, "POST /v1/people/match", "invalid"),
    ]

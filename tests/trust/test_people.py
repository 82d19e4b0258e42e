"""People: told of once, found by their own side's number alone, and never joined across the sides."""

from uuid import UUID, uuid4

import pytest
from support.cast import Json
from support.phones import Crew, Phone, RunningService, entry, notice_codes, now, refused

from triage.people.identifiers import nhs_number_holds

KIM: Json = {"family_name": "Rowe", "given_name": "Kim", "born": "1971-02-03"}


def nhs_number(n: int) -> str:
    """The n-th number of the range that is never issued (999) whose check digit holds, from a base of its own."""
    numbers = [f"999{i:06}{c}" for i in range(n * 40, n * 40 + 40) for c in "0123456789"]
    return next(number for number in numbers if nhs_number_holds(number))


NHS: Json = {"nhs_number": nhs_number(1)}
POLICE: Json = {"police_ref": "AB/1234"}


async def tell(phone: Phone, identity: Json) -> str:
    answer = await phone.post("/v1/people", identity)
    assert answer.status_code == 201, answer.text
    alias: str = answer.json()["person_id"]
    return alias


async def who(crew: Crew, alias: str) -> UUID:
    """The person whom an alias means, as only the service knows."""
    [row] = await crew.fetch("SELECT person_id FROM person_alias WHERE team_id = $1 AND alias = $2", UUID(alias))
    person: UUID = row["person_id"]
    return person


async def match(phone: Phone, identity: Json, incident: UUID) -> tuple[int, Json]:
    answer = await phone.post("/v1/people/match", identity | {"incident_id": str(incident)})
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
async def test_every_telling_gives_a_fresh_alias_of_one_person(crew: Crew, identity: Json) -> None:
    """No answer tells whether somebody was known; the person's own id is never given out."""
    first, second = await tell(crew.nurse, identity), await tell(crew.other_nurse, identity)
    assert first != second
    person = await who(crew, first)
    assert await who(crew, second) == person
    assert str(person) not in (first, second)


async def test_a_number_learnt_later_stays_with_the_name(crew: Crew) -> None:
    told = [await tell(crew.nurse, identity) for identity in (KIM, KIM | NHS, NHS)]
    assert len({await who(crew, alias) for alias in told}) == 1


async def test_an_nhs_number_is_never_joined_with_a_police_reference_by_a_shared_name(crew: Crew) -> None:
    patient = await who(crew, await tell(crew.nurse, KIM | NHS))
    suspect = await who(crew, await tell(crew.officer, KIM | POLICE))
    assert suspect != patient
    held = await crew.fetch(
        "SELECT person_id, kind FROM person_identifier WHERE team_id = $1 AND kind <> 'name_and_birth'"
    )
    assert {(row["person_id"], row["kind"]) for row in held} == {(patient, "nhs_number"), (suspect, "police_ref")}


async def test_two_numbers_of_one_name_are_two_people(crew: Crew) -> None:
    person = await who(crew, await tell(crew.nurse, KIM | NHS))
    assert await who(crew, await tell(crew.nurse, KIM | {"nhs_number": nhs_number(2)})) != person


async def test_another_team_knows_nobody_of_this_one(crew: Crew, other_crew: Crew) -> None:
    person = await who(crew, await tell(crew.nurse, NHS))
    assert await who(other_crew, await tell(other_crew.nurse, NHS)) != person


async def test_two_aliases_of_one_person_are_one_person_for_repeat_contact(crew: Crew) -> None:
    incidents = [await link(crew.nurse, await tell(crew.nurse, NHS)) for _ in range(2)]
    people = await crew.fetch(
        "SELECT people FROM incident WHERE team_id = $1 AND NOT blind AND id = ANY ($2)", incidents
    )
    assert len({tuple(row["people"]) for row in people}) == 1
    assert all(len(row["people"]) == 1 for row in people)


async def test_a_person_is_unlinked_under_any_alias(crew: Crew) -> None:
    incident = await link(crew.nurse, await tell(crew.nurse, NHS))
    await crew.nurse.tell("person_unlink", incident, person_id=await tell(crew.other_nurse, NHS))
    [row] = await crew.fetch("SELECT people FROM incident WHERE team_id = $1 AND NOT blind AND id = $2", incident)
    assert row["people"] == []


async def test_entries_show_the_alias_that_was_sent_and_never_the_person(crew: Crew) -> None:
    alias = await tell(crew.nurse, NHS)
    incident = await link(crew.nurse, alias)
    [linked] = [entry for entry in await crew.nurse.entries(incident) if entry["kind"] == "person_link"]
    assert linked["person_id"] == alias


@pytest.mark.parametrize("kind", ["person_link", "person_unlink"])
async def test_the_author_of_a_link_to_nobody_registered_is_told(crew: Crew, other_crew: Crew, kind: str) -> None:
    stranger = await tell(other_crew.nurse, NHS)
    for nobody, told in ((str(uuid4()), True), (stranger, True), (await tell(crew.nurse, NHS), False)):
        receipt = await crew.nurse.store(entry(kind, uuid4(), person_id=nobody))
        assert (("person_not_registered", "person_id") in notice_codes(receipt)) is told


async def test_nothing_stored_shows_an_identifier(crew: Crew) -> None:
    await tell(crew.nurse, KIM | NHS)
    stored = str(await crew.fetch("SELECT * FROM person WHERE team_id = $1"))
    stored += str(await crew.fetch("SELECT * FROM person_identifier WHERE team_id = $1"))
    stored += str(await crew.fetch("SELECT * FROM audit WHERE team_id = $1"))
    assert not [value for value in (KIM | NHS).values() if value in stored]


async def test_leads_find_a_person_by_the_number_of_their_side_for_an_open_incident(crew: Crew) -> None:
    patient, suspect = await tell(crew.nurse, NHS), await tell(crew.officer, POLICE)
    incident = uuid4()
    await crew.nurse.tell("nurse", incident, occurred_at=now())
    nobody: Json = {"person_id": None, "matched_on": None}
    for lead, identity, known, kind in (
        (crew.clinical_lead, NHS, patient, "nhs_number"),
        (crew.sergeant, POLICE, suspect, "police_ref"),
    ):
        status, numbers = await match(lead, identity, incident)
        assert (status, numbers["matched_on"]) == (200, kind)
        assert numbers["person_id"] != known
        assert await who(crew, numbers["person_id"]) == await who(crew, known)
    assert await match(crew.clinical_lead, POLICE, incident) == (200, nobody)
    assert await match(crew.sergeant, NHS, incident) == (200, nobody)


async def test_nobody_is_found_for_an_incident_that_is_over_or_none_of_the_team(crew: Crew, other_crew: Crew) -> None:
    await tell(crew.nurse, NHS)
    incident, elsewhere = uuid4(), uuid4()
    await other_crew.nurse.tell("nurse", elsewhere, occurred_at=now())
    for none in (uuid4(), elsewhere):
        answer = await crew.clinical_lead.post("/v1/people/match", NHS | {"incident_id": str(none)})
        assert refused(answer) == (404, "not_found")
    await crew.nurse.tell("nurse", incident, occurred_at=now())
    assert (await match(crew.clinical_lead, NHS, incident))[1]["matched_on"] == "nhs_number"
    await crew.nurse.tell("outcome", incident, decided_by="nurse")
    assert await match(crew.clinical_lead, NHS, incident) == (200, {"person_id": None, "matched_on": None})


@pytest.mark.parametrize("role", ["officer", "nurse", "paramedic"])
async def test_field_roles_learn_nothing_from_a_search(crew: Crew, role: str) -> None:
    incident = await link(crew.nurse, await tell(crew.nurse, NHS))
    phone: Phone = getattr(crew, role)
    known = await phone.post("/v1/people/match", NHS | {"incident_id": str(incident)})
    unknown = await phone.post("/v1/people/match", {"nhs_number": nhs_number(3), "incident_id": str(uuid4())})
    assert (known.status_code, known.content) == (202, b'{"status":"submitted"}')
    assert (known.status_code, known.content) == (unknown.status_code, unknown.content)


async def test_every_call_counts_towards_thirty_an_hour_on_every_process(crew: Crew, another: RunningService) -> None:
    search = NHS | {"incident_id": str(uuid4())}
    for n in range(30):
        phone = crew.nurse if n % 2 else crew.nurse.on(another)
        answer = await (phone.post("/v1/people/match", search) if n % 3 else phone.post("/v1/people", NHS))
        assert answer.status_code < 300
    for path, body in (("/v1/people", NHS), ("/v1/people/match", search)):
        answer = await crew.nurse.post(path, body)
        assert refused(answer) == (429, "rate_limited")
        assert int(answer.headers["retry-after"]) > 0
    assert (await crew.other_nurse.post("/v1/people/match", search)).status_code == 202


async def test_every_search_is_recorded_without_what_was_searched(crew: Crew) -> None:
    await tell(crew.nurse, NHS)
    incident = uuid4()
    await crew.nurse.tell("nurse", incident, occurred_at=now())
    await match(crew.clinical_lead, NHS, incident)
    await crew.nurse.post("/v1/people/match", {"incident_id": str(incident)})
    rows = await crew.fetch(
        "SELECT operation, actor, query, detail FROM audit WHERE team_id = $1 AND query ~ 'people' ORDER BY id"
    )
    assert [tuple(row) for row in rows] == [
        ("collection", crew.nurse.staff_id, "people", None),
        ("consultation", crew.clinical_lead.staff_id, "people/match", None),
        ("refusal", crew.nurse.staff_id, "POST /v1/people/match", "invalid"),
    ]

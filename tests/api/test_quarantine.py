"""What did not enter the log: kept, sealed, seen by its own side, released or discarded once; and the lost phone."""

import asyncio
from typing import Any
from uuid import UUID

import msgspec
import pytest
from support.cast import Json
from support.phones import HOUR, Crew, Phone, RunningService, entry, fields, now, refused
from uuid_utils.compat import uuid7

from triage.jobs.cleanup import clean_up


async def queue(phone: Phone) -> list[Json]:
    items: list[Json] = (await phone.see("/v1/quarantine"))["items"]
    return items


async def only(phone: Phone) -> str:
    [item] = await queue(phone)
    identity: str = item["id"]
    return identity


# --- a revoked phone ---


async def test_a_revoked_phone_hands_over_its_outbox_and_wipes(crew: Crew) -> None:
    stored = await crew.officer.tell("officer", uuid7())
    cursor = (await crew.officer.sync())["cursor"]
    await crew.sergeant.delete(f"/v1/devices/{crew.officer.device_id}")
    outbox = [stored, entry("officer", uuid7(), note="Unsent."), {"id": str(uuid7()), "kind": "nonsense"}]
    answer = await crew.officer.post_sync(*outbox, cursor=cursor)
    assert answer.status_code == 202
    handed = answer.json()
    assert handed["counts"] == {"stored": 0, "duplicate": 0, "refused": 0, "quarantined": 3}
    assert [(result["id"], result["status"]) for result in handed["results"]] == [
        (result["id"], "quarantined") for result in outbox
    ]
    assert {result["problem"]["code"] for result in handed["results"]} == {"device_revoked"}
    assert (handed["incidents"], handed["gone"], handed["cursor"], handed["more"]) == ([], [], None, False)
    assert handed["wipe"] is True
    assert len(await crew.fetch("SELECT 1 FROM entry WHERE team_id = $1")) == 1
    assert [item["entry"] for item in await queue(crew.sergeant)] == outbox


async def test_a_revoked_phones_cursor_is_not_looked_at(crew: Crew) -> None:
    await crew.sergeant.delete(f"/v1/devices/{crew.officer.device_id}")
    answer = await crew.officer.post_sync(entry("officer", uuid7()), cursor="rubbish")
    assert answer.status_code == 202


async def test_what_is_sent_by_put_and_by_sync_is_kept_once(crew: Crew) -> None:
    body = entry("officer", uuid7(), age=131)
    without_id = {name: value for name, value in body.items() if name != "id"}
    for content in (body, without_id):
        assert (await crew.officer.put_raw(body["id"], msgspec.json.encode(content))).status_code == 422
    await crew.officer.sync(body)
    assert (await crew.sergeant.see("/v1/quarantine"))["count"] == 1


async def test_what_a_revoked_phone_sends_twice_is_kept_once(crew: Crew) -> None:
    await crew.sergeant.delete(f"/v1/devices/{crew.officer.device_id}")
    body = entry("officer", uuid7())
    for _ in range(2):
        assert (await crew.officer.post_sync(body, body)).json()["counts"]["quarantined"] == 2
    assert len(await queue(crew.sergeant)) == 1


async def test_a_phone_revoked_on_another_process_hands_over_even_while_remembered(
    crew: Crew, another: RunningService
) -> None:
    elsewhere = crew.officer.on(another)
    await elsewhere.sync(entry("officer", uuid7()))
    await crew.sergeant.delete(f"/v1/devices/{crew.officer.device_id}")
    assert (await elsewhere.post_sync(entry("officer", uuid7()))).status_code == 202


async def test_a_released_entry_keeps_its_author_and_device_and_says_who_released_it(crew: Crew) -> None:
    body = entry("officer", uuid7(), area="bedford", note="Unsent.")
    await crew.sergeant.delete(f"/v1/devices/{crew.officer.device_id}")
    await crew.officer.post_sync(body)
    answer = await crew.sergeant.post(f"/v1/quarantine/{await only(crew.sergeant)}/release")
    assert answer.status_code == 200
    receipt = answer.json()
    assert (receipt["id"], receipt["status"], receipt["seq"]) == (body["id"], "stored", 1)
    [held] = await crew.sergeant.entries(body["incident_id"])
    assert (held["author"], held["role"], held["device"]) == (
        str(crew.officer.staff_id),
        "officer",
        str(crew.officer.device_id),
    )
    assert held["released_by"] == str(crew.sergeant.staff_id)
    assert held["note"] == "Unsent."
    assert await queue(crew.sergeant) == []


# --- whose queue ---


async def test_each_lead_sees_and_settles_the_own_sides_queue_only(crew: Crew) -> None:
    await crew.officer.put(entry("officer", uuid7(), age=131))
    await crew.nurse.put(entry("nurse", uuid7(), age=131))
    await crew.paramedic.put(entry("paramedic", uuid7(), age=131))
    assert [item["entry"]["kind"] for item in await queue(crew.sergeant)] == ["officer"]
    assert sorted(item["entry"]["kind"] for item in await queue(crew.clinical_lead)) == ["nurse", "paramedic"]
    item = await only(crew.sergeant)
    for how in ("release", "discard"):
        assert refused(await crew.clinical_lead.post(f"/v1/quarantine/{item}/{how}")) == (404, "not_found")


@pytest.mark.parametrize("name", ["officer", "nurse", "paramedic", "auditor", "admin", "partner"])
async def test_nobody_else_sees_or_settles_quarantine(crew: Crew, name: str) -> None:
    await crew.officer.put(entry("officer", uuid7(), age=131))
    phone, item = getattr(crew, name), await only(crew.sergeant)
    assert refused(await phone.get("/v1/quarantine")) == (403, "forbidden")
    for how in ("release", "discard"):
        assert refused(await phone.post(f"/v1/quarantine/{item}/{how}")) == (403, "forbidden")


async def test_another_teams_item_is_not_found(crew: Crew, other_crew: Crew) -> None:
    await crew.officer.put(entry("officer", uuid7(), age=131))
    item = await only(crew.sergeant)
    assert await queue(other_crew.sergeant) == []
    for identity in (item, str(uuid7()), "no-id"):
        for how in ("release", "discard"):
            assert refused(await other_crew.sergeant.post(f"/v1/quarantine/{identity}/{how}")) == (404, "not_found")


async def test_an_item_says_what_was_sent_why_it_was_refused_and_from_where(crew: Crew) -> None:
    body = entry("officer", uuid7(), age=131)
    await crew.officer.put(body)
    [item] = await queue(crew.sergeant)
    assert sorted(item) == ["device", "entry", "entry_id", "id", "problem", "received_at"]
    assert (item["entry"], item["entry_id"]) == (body, body["id"])
    assert (item["problem"]["code"], fields(item["problem"])) == ("invalid", ["age"])
    assert item["device"] == str(crew.officer.device_id)


@pytest.mark.parametrize("sent", [b"", b"{", b"\xff\xfe", b'"text"', b"[" * 100_000, b"null"])
async def test_what_is_no_entry_at_all_can_still_be_looked_at_and_discarded(crew: Crew, sent: bytes) -> None:
    assert refused(await crew.officer.put_raw(uuid7(), sent)) == (400, "malformed")
    [item] = await queue(crew.sergeant)
    release = await crew.sergeant.post(f"/v1/quarantine/{item['id']}/release")
    assert refused(release) == (400, "malformed")
    assert (await crew.sergeant.post(f"/v1/quarantine/{item['id']}/discard")).status_code == 200
    assert await queue(crew.sergeant) == []


# --- release ---


async def test_a_conflicting_item_is_released_under_an_id_of_its_own(crew: Crew) -> None:
    incident = uuid7()
    body = await crew.officer.tell("officer", incident, area="bedford")
    assert refused(await crew.officer.put(body | {"area": "luton_east"})) == (409, "entry_conflict")
    item = await only(crew.sergeant)
    receipt = (await crew.sergeant.post(f"/v1/quarantine/{item}/release")).json()
    assert receipt["id"] == item
    assert [(entry["id"], entry["area"]) for entry in await crew.sergeant.entries(incident)] == [
        (body["id"], "bedford"),
        (item, "luton_east"),
    ]
    assert "conflict:area" in receipt["incident"]["flags"]


async def test_an_item_whose_id_was_taken_meanwhile_is_released_under_an_id_of_its_own(crew: Crew) -> None:
    incident, body = uuid7(), entry("officer", uuid7(), area="bedford")
    await crew.sergeant.delete(f"/v1/devices/{crew.officer.device_id}")
    await crew.officer.post_sync(body)
    await crew.other_officer.store(entry("officer", incident) | {"id": body["id"]})
    item = await only(crew.sergeant)
    receipt = (await crew.sergeant.post(f"/v1/quarantine/{item}/release")).json()
    assert (receipt["id"], receipt["status"]) == (item, "stored")
    assert [entry["id"] for entry in await crew.sergeant.entries(body["incident_id"])] == [item]


async def test_a_refused_item_released_later_keeps_its_id(crew: Crew) -> None:
    incident = uuid7()
    await crew.officer.sync(*(entry("follow_up", incident) for _ in range(500)))
    over = entry("officer", incident)
    assert refused(await crew.officer.put(over)) == (409, "incident_full")
    await crew.officer.tell("outcome", incident)
    await crew.officer.tell("detention", incident, at=now())
    await crew.officer.tell("withdrawal", incident, withdraws=uuid7())
    await crew.officer.tell("not_same_incident", incident, other_incident_id=uuid7())
    await crew.officer.tell("person_unlink", incident, person_id=uuid7())
    item = await only(crew.sergeant)
    assert refused(await crew.sergeant.post(f"/v1/quarantine/{item}/release")) == (409, "incident_full")
    assert await only(crew.sergeant) == item


async def test_what_is_still_wrong_cannot_be_released_and_stays(crew: Crew) -> None:
    await crew.officer.put(entry("officer", uuid7(), age=131))
    await crew.officer.put(entry("nurse", uuid7()))
    wrong = []
    for item in await queue(crew.sergeant):
        wrong.append(refused(await crew.sergeant.post(f"/v1/quarantine/{item['id']}/release")))
    assert wrong == [(422, "invalid"), (403, "wrong_profession")]
    assert len(await queue(crew.sergeant)) == 2


async def test_a_corrected_entry_may_use_the_id_of_a_refused_one(crew: Crew) -> None:
    body = entry("officer", uuid7(), age=131)
    await crew.officer.put(body)
    assert (await crew.officer.put(body | {"age": 30})).status_code == 201
    held = await crew.officer.post("/v1/sync/held", {"ids": [body["id"]]})
    assert held.json() == {"held": [body["id"]], "missing": []}


@pytest.mark.parametrize(("how", "settled"), [("release", "released"), ("discard", "discarded")])
async def test_an_item_is_settled_once_and_its_sealed_copy_goes(crew: Crew, how: str, settled: str) -> None:
    await crew.sergeant.delete(f"/v1/devices/{crew.officer.device_id}")
    await crew.officer.post_sync(entry("officer", uuid7()))
    item = await only(crew.sergeant)
    assert (await crew.sergeant.post(f"/v1/quarantine/{item}/{how}")).status_code == 200
    for again in ("release", "discard"):
        assert refused(await crew.sergeant.post(f"/v1/quarantine/{item}/{again}")) == (409, "quarantine_decided")
    [row] = await crew.fetch("SELECT sealed, settled, settled_by FROM quarantine WHERE team_id = $1")
    assert (row["sealed"], row["settled"], row["settled_by"]) == (None, settled, crew.sergeant.staff_id)


async def test_two_who_release_at_once_store_it_once(crew: Crew, another: RunningService) -> None:
    await crew.sergeant.delete(f"/v1/devices/{crew.officer.device_id}")
    await crew.officer.post_sync(entry("officer", uuid7()))
    path = f"/v1/quarantine/{await only(crew.sergeant)}/release"
    answers = await asyncio.gather(*(phone.post(path) for phone in (crew.sergeant, crew.sergeant.on(another)) * 3))
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert [answer.status_code for answer in answers].count(200) == 1
    assert len(await crew.fetch("SELECT 1 FROM entry WHERE team_id = $1")) == 1


async def test_an_entry_released_by_somebody_else_is_not_amended_with_his_rights(crew: Crew) -> None:
    """The sergeant may amend for an officer; what an officer sent does not gain that right by being released."""
    incident = uuid7()
    theirs = await crew.other_officer.tell("officer", incident)
    await crew.officer.put(entry("withdrawal", incident, withdraws=theirs["id"]))
    item = await only(crew.sergeant)
    assert refused(await crew.sergeant.post(f"/v1/quarantine/{item}/release")) == (403, "not_yours")


# --- the limit ---


async def test_a_device_has_a_limited_number_of_items_and_is_told_to_keep_the_rest(
    crew: Crew, another: RunningService
) -> None:
    elsewhere = crew.officer.on(another)  # three items a device
    refusals = [entry("officer", uuid7(), age=131) for _ in range(4)]
    answer = await elsewhere.sync(*refusals[:2])
    assert [result["problem"]["code"] for result in answer["results"]] == ["invalid"] * 2
    answer = await elsewhere.sync(*refusals)
    assert [result["problem"]["code"] for result in answer["results"]] == ["invalid"] * 3 + ["quarantine_full"]
    assert answer["counts"]["refused"] == 4
    assert len(await queue(crew.sergeant)) == 3
    await crew.other_officer.on(another).put(entry("officer", uuid7(), age=131))
    assert len(await queue(crew.sergeant)) == 4


async def test_a_full_quarantine_says_so_to_a_revoked_phone_too(crew: Crew, another: RunningService) -> None:
    await crew.sergeant.delete(f"/v1/devices/{crew.officer.device_id}")
    outbox = [entry("officer", uuid7()) for _ in range(4)]
    answer = (await crew.officer.on(another).post_sync(*outbox)).json()
    assert [result["status"] for result in answer["results"]] == ["quarantined"] * 3 + ["refused"]
    assert answer["results"][3]["problem"]["code"] == "quarantine_full"


async def test_a_settled_item_makes_room(crew: Crew, another: RunningService) -> None:
    elsewhere = crew.officer.on(another)
    await elsewhere.sync(*(entry("officer", uuid7(), age=131) for _ in range(3)))
    item = (await queue(crew.sergeant))[0]["id"]
    await crew.sergeant.post(f"/v1/quarantine/{item}/discard")
    answer = await elsewhere.sync(entry("officer", uuid7(), age=131))
    assert answer["results"][0]["problem"]["code"] == "invalid"


@pytest.mark.parametrize(("how", "call"), [("released", "release"), ("discarded", "discard"), ("expired", None)])
async def test_the_key_goes_with_what_it_sealed(
    service: RunningService, crew: Crew, how: str, call: str | None
) -> None:
    await crew.sergeant.delete(f"/v1/devices/{crew.officer.device_id}")
    await crew.officer.post_sync(entry("officer", uuid7()))
    [waiting] = await crew.fetch("SELECT id, key_ref FROM quarantine WHERE team_id = $1")
    keys = service.service.keys
    assert await keys.existing([waiting["key_ref"]]) == {waiting["key_ref"]}
    if call:
        assert (await crew.sergeant.post(f"/v1/quarantine/{waiting['id']}/{call}")).status_code == 200
    else:
        aged = "UPDATE quarantine SET received_at = now() - interval '31 days' WHERE team_id = $1 RETURNING id"
        await crew.fetch(aged)
        await clean_up(service.service.database, service.service.quarantine, 30)
    [gone] = await crew.fetch("SELECT settled, key_ref FROM quarantine WHERE team_id = $1")
    assert (gone["settled"], gone["key_ref"]) == (how, None)
    assert await keys.existing([waiting["key_ref"]]) == set()


async def test_an_item_nobody_decides_on_is_let_go_after_30_days(service: RunningService, crew: Crew) -> None:
    old, young = entry("officer", uuid7(), age=131), entry("officer", uuid7(), age=131)
    await crew.officer.put(old)
    aged = "UPDATE quarantine SET received_at = now() - interval '30 days 1 minute' WHERE team_id = $1 RETURNING id"
    [expired] = await crew.fetch(aged)
    await crew.officer.put(young)
    await clean_up(service.service.database, service.service.quarantine, 30)
    assert [item["entry"] for item in await queue(crew.sergeant)] == [young]
    answer = await crew.sergeant.post(f"/v1/quarantine/{expired['id']}/release")
    assert refused(answer) == (409, "quarantine_decided")


async def test_attempts_are_forgotten_once_their_window_is_long_closed(service: RunningService, crew: Crew) -> None:
    add = "INSERT INTO attempt (bucket, opened_at) VALUES (uuid_send($1), now() - $2::interval) RETURNING 1"
    await crew.fetch(add, 25 * HOUR)
    await crew.fetch(add, 23 * HOUR)
    await clean_up(service.service.database, service.service.quarantine, 30)
    assert len(await crew.fetch("SELECT 1 FROM attempt WHERE bucket = uuid_send($1)")) == 1


async def test_looking_at_the_queue_is_a_consultation(crew: Crew) -> None:
    assert await queue(crew.sergeant) == []
    assert await crew.consultations() == []
    await crew.officer.put(entry("officer", uuid7(), age=131))
    item = await only(crew.sergeant)
    [row] = await crew.consultations()
    assert (row["actor"], row["query"], row["ids"]) == (crew.sergeant.staff_id, "quarantine", [UUID(item)])


async def test_no_answer_repeats_a_value_that_was_sent(crew: Crew) -> None:
    secret: dict[str, Any] = {"area": "secret-area", "note": "x" * 281 + "secret", "secret_field": 1, "age": "secret"}
    answer = await crew.officer.put_raw(uuid7(), msgspec.json.encode(entry("officer", uuid7()) | secret))
    assert refused(answer)[0] == 400
    assert "secret-area" not in answer.text and "xsecret" not in answer.text


async def test_what_is_newer_than_the_service_waits_and_cannot_be_released(crew: Crew) -> None:
    newer = entry("officer", uuid7(), mood="low")
    answer = await crew.officer.put(newer)
    assert refused(answer) == (400, "newer_than_service")
    assert (fields(answer.json()), answer.json()["retry"]) == (["mood"], "later")
    [result] = (await crew.officer.sync(newer))["results"]
    assert (result["status"], result["problem"]["code"]) == ("quarantined", "newer_than_service")
    [item] = (await crew.sergeant.see("/v1/quarantine"))["items"]
    assert refused(await crew.sergeant.post(f"/v1/quarantine/{item['id']}/release")) == (409, "newer_than_service")
    assert (await crew.sergeant.post(f"/v1/quarantine/{item['id']}/discard")).status_code == 200


async def test_the_queue_is_paged_and_counted_and_names_the_entry_meant(crew: Crew) -> None:
    sent = [entry("officer", uuid7(), age=131) for _ in range(5)]
    await crew.officer.sync(*sent[:4])
    await crew.officer.put_raw(sent[4]["id"], b"{")
    listed: list[Json] = []
    path = "/v1/quarantine?limit=2"
    while path:
        answer = await crew.sergeant.get(path)
        assert answer.json()["count"] == 5
        listed += answer.json()["items"]
        path = answer.headers.get("link", "").partition(">")[0].removeprefix("<")
    assert [item["entry_id"] for item in listed] == [body["id"] for body in sent]
    assert listed[4]["entry"] == "{"

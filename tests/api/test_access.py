"""Enrolment, devices and tokens: who gets in, who lets in, and that access ends at once on every process."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from importlib.metadata import version
from typing import Any
from uuid import UUID

import httpx
import msgspec
import pytest
from support.cast import CAST
from support.phones import HOUR, MINUTE, Crew, Phone, RunningService, entry, now, refused, running_service
from uuid_utils.compat import uuid7

from triage import codes
from triage.access.actors import token_hash
from triage.settings import Settings
from triage.store.access.staff import as_owner, disable_staff


async def issue(phone: Phone, staff_id: UUID) -> str:
    answer = await phone.post("/v1/enrolments", {"staff_id": staff_id})
    assert answer.status_code == 201, answer.text
    code: str = answer.json()["code"]
    return code


async def enrol(process: RunningService, code: str) -> httpx.Response:
    return await process.client.post("/v1/devices", json={"code": code, "name": "A phone"})


# --- enrolment ---


async def test_a_code_enrols_a_phone_once(service: RunningService, crew: Crew) -> None:
    answer = await crew.sergeant.post("/v1/enrolments", {"staff_id": crew.officer.staff_id})
    assert answer.status_code == 201
    enrolment = answer.json()
    assert enrolment["qr_svg"].startswith("<svg")
    enrolled = await enrol(service, enrolment["code"])
    assert enrolled.status_code == 201
    phone = enrolled.json()
    assert phone["staff"]["staff_id"] == str(crew.officer.staff_id)
    me = await service.client.get("/v1/me", headers={"authorization": f"Bearer {phone['token']}"})
    assert me.json()["actor"]["device_id"] == phone["device_id"]
    assert refused(await enrol(service, enrolment["code"])) == (410, "code_used")


async def test_a_code_may_be_typed_in_small_letters_without_dashes(service: RunningService, crew: Crew) -> None:
    code = await issue(crew.sergeant, crew.officer.staff_id)
    assert (await enrol(service, code.lower().replace("-", " "))).status_code == 201


async def test_a_code_is_valid_for_15_minutes(service: RunningService, crew: Crew) -> None:
    answer = await crew.sergeant.post("/v1/enrolments", {"staff_id": crew.officer.staff_id})
    [row] = await crew.fetch("SELECT expires_at - issued_at AS valid FROM enrolment WHERE team_id = $1")
    assert row["valid"] == 15 * MINUTE
    await crew.fetch("UPDATE enrolment SET expires_at = now() WHERE team_id = $1 RETURNING 1")
    assert refused(await enrol(service, answer.json()["code"])) == (410, "code_expired")


async def test_twenty_who_use_one_code_at_once_get_one_phone(
    service: RunningService, another: RunningService, crew: Crew
) -> None:
    code = await issue(crew.sergeant, crew.officer.staff_id)
    answers = await asyncio.gather(*(enrol(service, code) for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [201] + [410] * 19
    [row] = await crew.fetch("SELECT count(*) FROM device WHERE team_id = $1 AND staff_id = $2", crew.officer.staff_id)
    assert row["count"] == 2


async def test_an_unknown_code_is_404(service: RunningService) -> None:
    assert refused(await enrol(service, "AAAA-BBBB-CCCC")) == (404, "not_found")


async def test_attempts_are_limited_for_a_code_in_all_processes_together(
    service: RunningService, another: RunningService, crew: Crew
) -> None:
    code = str(uuid7())
    for process in (another, another, another):
        assert (await enrol(process, code)).status_code == 404
    answer = await enrol(another, code)
    assert refused(answer) == (429, "rate_limited")
    assert int(answer.headers["retry-after"]) >= 1
    data_dir = service.service.settings.data_dir
    async with running_service(service.url, data_dir, "203.0.113.10", enrol_attempts_per_hour=3) as third:
        assert refused(await enrol(third, code)) == (429, "rate_limited")
        assert (await enrol(third, str(uuid7()))).status_code == 404


async def test_attempts_are_limited_for_an_address_however_many_codes_it_tries(service: RunningService) -> None:
    data_dir = service.service.settings.data_dir
    async with running_service(service.url, data_dir, "203.0.113.11", enrol_attempts_per_hour=1) as process:
        answers = [await enrol(process, str(uuid7())) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [404] * 5 + [429]


async def test_240_wrong_codes_lock_out_their_address_and_nobody_elsewhere(
    service: RunningService, another: RunningService, crew: Crew
) -> None:
    most = Settings().enrol_attempts_per_hour
    data_dir = service.service.settings.data_dir
    async with running_service(service.url, data_dir, "203.0.113.12", enrol_attempts_per_hour=most) as guessing:
        answers = [await enrol(guessing, str(uuid7())) for _ in range(240)]
        tried = [answer.status_code for answer in answers].count(404)
        assert {answer.status_code for answer in answers[tried:]} == {429} and tried < 240
        # an hour, and up to half of it again, so that many do not come back at once
        assert all(1 <= int(answer.headers["retry-after"]) < 5500 for answer in answers[tried:])
        code = await issue(crew.sergeant, crew.officer.staff_id)
        assert refused(await enrol(guessing, code)) == (429, "rate_limited")
    assert (await enrol(another, code)).status_code == 201  # a refusal by address has not used the code up


@pytest.mark.parametrize(
    ("who", "whom"),
    [
        ("sergeant", {"officer", "sergeant"}),
        ("clinical_lead", {"nurse", "paramedic", "clinical_lead"}),
        ("admin", {"admin"}),
        ("officer", set()),
        ("nurse", set()),
        ("auditor", set()),
        ("partner", set()),
    ],
)
async def test_nobody_enrols_an_account_with_verbs_he_lacks(crew: Crew, who: str, whom: set[str]) -> None:
    for name in CAST:
        answer = await getattr(crew, who).post("/v1/enrolments", {"staff_id": getattr(crew, name).staff_id})
        if CAST[name][0] in whom or name == who:
            assert answer.status_code == 201, name
        else:
            assert refused(answer) == (403, "forbidden"), name


async def test_another_teams_staff_cannot_be_enrolled_nor_found(crew: Crew, other_crew: Crew) -> None:
    for staff_id in (other_crew.officer.staff_id, uuid7()):
        answer = await crew.sergeant.post("/v1/enrolments", {"staff_id": staff_id})
        assert refused(answer) == (404, "not_found")


async def test_a_disabled_account_is_not_enrolled_even_with_a_code_issued_before(
    service: RunningService, crew: Crew
) -> None:
    code = await issue(crew.sergeant, crew.officer.staff_id)
    async with as_owner(crew.owner_url, crew.team_id) as owner:
        await disable_staff(owner, crew.team_id, crew.officer.staff_id)
    answer = await crew.sergeant.post("/v1/enrolments", {"staff_id": crew.officer.staff_id})
    assert refused(answer) == (404, "not_found")
    assert refused(await enrol(service, code)) == (410, "code_expired")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"code": "", "name": "A phone"},
        {"code": "A", "name": "x" * 81},
        {"code": "A", "name": "nul\0"},
        {"code": 1, "name": "A phone"},
        {"code": "A", "name": "A phone", "installation": "no id"},
    ],
)
async def test_a_bad_enrolment_is_refused_with_its_fields(service: RunningService, body: dict[str, Any]) -> None:
    answer = await service.client.post("/v1/devices", json=body)
    assert refused(answer)[0] in (400, 422)
    assert answer.json()["errors"]


# --- tokens ---


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer ", "Basic abc", "Token abc"])
async def test_without_a_bearer_token_sign_in_is_required(service: RunningService, value: str) -> None:
    answer = await service.client.get("/v1/me", headers={"authorization": value})
    assert refused(answer) == (401, "token_missing")
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_an_unknown_token_is_not_valid(service: RunningService) -> None:
    answer = await service.client.get("/v1/me", headers={"authorization": "Bearer abc"})
    assert refused(answer) == (401, "token_invalid")


async def test_a_new_token_works_and_the_old_one_until_the_new_one_is_first_used(
    crew: Crew, another: RunningService
) -> None:
    phone = crew.officer
    elsewhere = phone.on(another)
    await elsewhere.store(entry("officer", uuid7()))  # that process now remembers the old token
    answer = await phone.post(f"/v1/devices/{phone.device_id}/token")
    assert answer.status_code == 201
    renewed = Phone(phone.service, phone.client, answer.json()["token"], phone.staff_id, phone.device_id)
    assert (await phone.get("/v1/me")).status_code == 200
    await elsewhere.store(entry("officer", uuid7()))
    assert (await renewed.get("/v1/me")).status_code == 200
    assert refused(await phone.get("/v1/me")) == (401, "token_invalid")
    assert refused(await phone.put(entry("officer", uuid7()))) == (401, "token_invalid")
    assert refused(await elsewhere.put(entry("officer", uuid7()))) == (401, "token_invalid")
    assert refused(await elsewhere.post_sync(entry("officer", uuid7()))) == (401, "token_invalid")
    await renewed.store(entry("officer", uuid7()))


async def test_a_token_is_renewed_by_its_own_device_only(crew: Crew, other_crew: Crew) -> None:
    for phone in (crew.sergeant, crew.other_officer, other_crew.officer, crew.partner):
        answer = await phone.post(f"/v1/devices/{crew.officer.device_id}/token")
        assert refused(answer) == (404, "not_found")


async def test_a_token_not_used_for_30_days_expires(crew: Crew) -> None:
    assert (await crew.officer.get("/v1/me")).status_code == 200
    for days, status in ((29, 200), (31, 401)):
        await crew.fetch(
            "UPDATE token SET used_at = now() - $2::interval WHERE team_id = $1 AND device_id = $3 RETURNING 1",
            timedelta(days=days),
            crew.officer.device_id,
        )
        assert (await crew.officer.get("/v1/me")).status_code == status
    assert refused(await crew.officer.get("/v1/me")) == (401, "token_expired")


async def test_a_token_is_stored_as_its_hash_only(crew: Crew) -> None:
    [row] = await crew.fetch("SELECT * FROM token WHERE team_id = $1 AND device_id = $2", crew.officer.device_id)
    assert row["hash"] == token_hash(crew.officer.token)
    assert crew.officer.token not in str(dict(row))


# --- revocation ---


@pytest.mark.parametrize("by", ["sergeant", "admin", "officer"])
async def test_a_phone_is_revoked_by_its_owner_his_lead_or_the_admin(crew: Crew, by: str) -> None:
    answer = await getattr(crew, by).delete(f"/v1/devices/{crew.officer.device_id}")
    assert (answer.status_code, answer.content) == (204, b"")
    refusal = await crew.officer.get("/v1/me")
    assert refused(refusal) == (401, "device_revoked")
    assert refusal.json()["wipe"] is True


@pytest.mark.parametrize("by", ["other_officer", "nurse", "clinical_lead", "auditor", "partner"])
async def test_a_phone_is_revoked_by_nobody_else(crew: Crew, by: str) -> None:
    answer = await getattr(crew, by).delete(f"/v1/devices/{crew.officer.device_id}")
    assert refused(answer) == (403, "forbidden")
    assert (await crew.officer.get("/v1/me")).status_code == 200


async def test_another_teams_phone_is_not_found(crew: Crew, other_crew: Crew) -> None:
    for device_id in (other_crew.officer.device_id, uuid7(), "no-id"):
        assert refused(await crew.sergeant.delete(f"/v1/devices/{device_id}")) == (404, "not_found")
    assert (await other_crew.officer.get("/v1/me")).status_code == 200


@pytest.mark.parametrize(
    "body", [b"{", msgspec.json.encode(entry("nurse", uuid7())), b'{"kind": "x"}', b" " * 3_000_000]
)
async def test_a_revoked_phone_learns_nothing_from_a_bad_entry_either(
    crew: Crew, another: RunningService, body: bytes
) -> None:
    elsewhere = crew.officer.on(another)
    await elsewhere.store(entry("officer", uuid7()))
    await crew.sergeant.delete(f"/v1/devices/{crew.officer.device_id}")
    assert refused(await elsewhere.put_raw(uuid7(), body)) == (401, "device_revoked")
    assert await crew.fetch("SELECT 1 FROM quarantine WHERE team_id = $1") == []


async def test_revoking_takes_effect_at_once_on_every_process(crew: Crew, another: RunningService) -> None:
    elsewhere = crew.officer.on(another)
    await elsewhere.store(entry("officer", uuid7()))
    await crew.sergeant.delete(f"/v1/devices/{crew.officer.device_id}")
    calls = [
        await elsewhere.put(entry("officer", uuid7())),
        await elsewhere.get("/v1/me"),
        await elsewhere.get("/v1/incidents"),
        await elsewhere.get(f"/v1/incidents/{uuid7()}"),
        await elsewhere.get(f"/v1/incidents/{uuid7()}/entries"),
        await elsewhere.get("/v1/codes"),
        await elsewhere.post("/v1/sync/held", {"ids": []}),
        await elsewhere.post(f"/v1/devices/{crew.officer.device_id}/token"),
        await elsewhere.delete(f"/v1/devices/{crew.officer.device_id}"),
    ]
    for answer in calls:
        assert refused(answer) == (401, "device_revoked")
        assert answer.json()["wipe"] is True
    assert len(await crew.fetch("SELECT 1 FROM entry WHERE team_id = $1")) == 1


async def test_a_disabled_account_ends_at_once_on_a_process_that_remembers_it(
    crew: Crew, another: RunningService
) -> None:
    elsewhere = crew.officer.on(another)
    stored = await elsewhere.store(entry("officer", uuid7()))
    async with as_owner(crew.owner_url, crew.team_id) as owner:
        assert await disable_staff(owner, crew.team_id, crew.officer.staff_id) == [crew.officer.device_id]
    assert refused(await elsewhere.put(entry("officer", uuid7()))) == (401, "device_revoked")
    assert refused(await crew.officer.get("/v1/me")) == (401, "device_revoked")
    [kept] = await crew.sergeant.entries(stored["incident_id"])
    assert (kept["author"], kept["role"]) == (str(crew.officer.staff_id), "officer")


async def test_a_changed_role_counts_at_once_and_old_entries_keep_the_role_they_had(
    crew: Crew, another: RunningService
) -> None:
    elsewhere = crew.officer.on(another)
    incident = uuid7()
    await elsewhere.store(entry("officer", incident))
    theirs = await crew.other_officer.tell("officer", incident)
    withdrawal = entry("withdrawal", incident, withdraws=theirs["id"])
    assert refused(await elsewhere.put(withdrawal)) == (403, "not_yours")
    await crew.fetch(
        "UPDATE staff SET role = 'sergeant', stamp = stamp + 1 WHERE team_id = $1 AND staff_id = $2 RETURNING 1",
        crew.officer.staff_id,
    )
    assert (await elsewhere.put(withdrawal)).status_code == 201
    assert [entry["role"] for entry in await crew.sergeant.entries(incident)] == ["officer", "officer", "sergeant"]


async def test_a_role_that_writes_no_entries_any_more_is_refused_at_once(crew: Crew, another: RunningService) -> None:
    elsewhere = crew.officer.on(another)
    await elsewhere.store(entry("officer", uuid7()))
    await crew.fetch(
        "UPDATE staff SET role = 'auditor', stamp = stamp + 1 WHERE team_id = $1 AND staff_id = $2 RETURNING 1",
        crew.officer.staff_id,
    )
    assert refused(await elsewhere.put(entry("officer", uuid7()))) == (403, "forbidden")
    assert len(await crew.fetch("SELECT 1 FROM entry WHERE team_id = $1")) == 1


Ask = Callable[[Phone, str, str], Awaitable[httpx.Response]]
READS: dict[str, Ask] = {
    "incident": lambda phone, incident, _: phone.get(f"/v1/incidents/{incident}"),
    "incident held": lambda phone, incident, _: phone.get(f"/v1/incidents/{incident}", {"if-none-match": "*"}),
    "incident that is not there": lambda phone, *_: phone.get(f"/v1/incidents/{uuid7()}"),
    "sync afresh": lambda phone, *_: phone.post_sync(),
    "sync with nothing new": lambda phone, _, cursor: phone.post_sync(cursor=cursor),
    "sync that pulls nothing": lambda phone, *_: phone.post_sync(pull=False),
    "sync with a cursor that is none": lambda phone, *_: phone.post_sync(cursor="rubbish"),
    "sync that is no JSON": lambda phone, *_: phone.sync_raw(b"{"),
}


@pytest.fixture
async def remembered(crew: Crew, another: RunningService) -> tuple[Phone, str, str]:
    """The officer's phone on a process that remembers it, with an incident and a cursor after which nothing changed."""
    elsewhere = crew.officer.on(another)
    incident = (await elsewhere.store(entry("officer", uuid7())))["incident_id"]
    cursor = (await elsewhere.sync())["cursor"]
    await elsewhere.incident(incident)
    return elsewhere, incident, cursor


@pytest.mark.parametrize("read", READS)
async def test_who_is_remembered_reads_nothing_once_revoked(
    crew: Crew, remembered: tuple[Phone, str, str], read: str
) -> None:
    logged = len(await crew.consultations())
    await crew.sergeant.delete(f"/v1/devices/{crew.officer.device_id}")
    answer = await READS[read](*remembered)
    if read == "sync that is no JSON":
        assert refused(answer) == (400, "malformed")
    elif read.startswith("sync"):
        assert (answer.status_code, answer.json()["wipe"], answer.json()["incidents"]) == (202, True, [])
    else:
        assert refused(answer) == (401, "device_revoked")
    assert len(await crew.consultations()) == logged


@pytest.mark.parametrize("read", READS)
async def test_a_role_that_reads_no_incidents_any_more_reads_none_at_once(
    crew: Crew, remembered: tuple[Phone, str, str], read: str
) -> None:
    logged = len(await crew.consultations())
    await crew.fetch(
        "UPDATE staff SET role = 'auditor', stamp = stamp + 1 WHERE team_id = $1 AND staff_id = $2 RETURNING 1",
        crew.officer.staff_id,
    )
    assert refused(await READS[read](*remembered)) == (403, "forbidden")
    assert len(await crew.consultations()) == logged


@pytest.mark.parametrize("read", ["incident", "sync afresh"])
async def test_a_role_that_comes_to_read_incidents_reads_them_at_once(
    crew: Crew, another: RunningService, read: str
) -> None:
    incident = (await crew.officer.store(entry("officer", uuid7())))["incident_id"]
    elsewhere = crew.auditor.on(another)
    for _ in range(2):
        assert refused(await READS[read](elsewhere, incident, "")) == (403, "forbidden")
    await crew.fetch(
        "UPDATE staff SET role = 'officer', profession = 'police', stamp = stamp + 1"
        " WHERE team_id = $1 AND staff_id = $2 RETURNING 1",
        crew.auditor.staff_id,
    )
    assert (await READS[read](elsewhere, incident, "")).status_code == 200


async def test_a_revoked_partner_is_refused(crew: Crew) -> None:
    assert (await crew.partner.get("/v1/me")).status_code == 200
    await crew.fetch("UPDATE partner SET revoked_at = now() WHERE team_id = $1 RETURNING 1")
    assert refused(await crew.partner.get("/v1/me")) == (401, "account_disabled")


# --- who one is ---


@pytest.mark.parametrize("name", [*CAST, "partner"])
async def test_everybody_learns_who_he_is(crew: Crew, name: str) -> None:
    phone: Phone = getattr(crew, name)
    role, profession = CAST.get(name, ("partner", None))
    me = await phone.see("/v1/me")
    assert (me["actor"]["role"], me["actor"]["profession"]) == (role, profession)
    assert me["team"] == {
        "id": str(crew.team_id),
        "name": "Test team",
        "time_zone": "Europe/London",
        "operational_day_start": "06:00",
    }
    assert ("entries.write" in me["verbs"]) == (role not in ("partner", "auditor", "admin"))
    whose = "partner_id" if name == "partner" else "staff_id"
    assert me["actor"][whose] == str(phone.staff_id)


async def test_a_token_in_use_is_written_down_at_most_once_an_hour(crew: Crew) -> None:
    async def used_at() -> Any:
        [row] = await crew.fetch(
            "SELECT used_at FROM token WHERE team_id = $1 AND device_id = $2", crew.officer.device_id
        )
        return row["used_at"]

    await crew.officer.get("/v1/me")
    first = await used_at()
    assert now() - first < MINUTE
    await crew.officer.get("/v1/me")
    assert await used_at() == first
    await crew.fetch("UPDATE token SET used_at = $2 WHERE team_id = $1 RETURNING 1", now() - 2 * HOUR)
    await crew.officer.get("/v1/me")
    assert now() - await used_at() < MINUTE


# --- what a phone says of itself, and the token that only sends ---


async def enrol_phone(service: RunningService, crew: Crew, whose: Phone) -> tuple[Phone, Phone]:
    """A new phone of this member of staff with its token, and the same phone with its send token."""
    answer = (await enrol(service, await issue(crew.sergeant, whose.staff_id))).json()
    device_id = UUID(answer["device_id"])
    tokens = (answer["token"], answer["send_token"])
    reading, sending = (Phone(whose.service, whose.client, token, whose.staff_id, device_id) for token in tokens)
    return reading, sending


async def test_a_newer_phone_enrols_at_an_older_service(service: RunningService, crew: Crew) -> None:
    body = {"code": await issue(crew.sergeant, crew.officer.staff_id), "name": "A phone", "os": {"name": "new"}}
    answer = await service.client.post("/v1/devices", json=body | {"installation": str(uuid7())})
    assert answer.status_code == 201


@pytest.mark.parametrize("cursor", ["AAAA", "", None])
@pytest.mark.parametrize("pull", [True, None])
async def test_a_send_token_does_not_read(service: RunningService, crew: Crew, cursor: str | None, pull: bool) -> None:
    _, sending = await enrol_phone(service, crew, crew.officer)
    assert refused(await sending.post_sync(entry("officer", uuid7()), cursor=cursor, pull=pull)) == (403, "send_only")
    assert await crew.sergeant.incidents() == []


async def test_a_send_token_is_good_for_sending_alone(service: RunningService, crew: Crew) -> None:
    _, sending = await enrol_phone(service, crew, crew.officer)
    for path in ("/v1/me", "/v1/incidents", "/v1/codes", "/v1/devices"):
        assert refused(await sending.get(path)) == (403, "send_only")
    assert refused(await sending.put(entry("officer", uuid7()))) == (403, "send_only")
    assert refused(await sending.post("/v1/sync/held", {"ids": []})) == (403, "send_only")
    assert refused(await sending.post_sync(cursor=(await crew.officer.sync())["cursor"], pull=False))[1] == "send_only"
    answer = await sending.sync(entry("officer", uuid7()), pull=False)
    assert (answer["counts"]["stored"], answer["incidents"], answer["cursor"]) == (1, [], None)


async def test_both_tokens_are_renewed_together(service: RunningService, crew: Crew) -> None:
    reading, sending = await enrol_phone(service, crew, crew.officer)
    renewed = (await reading.post(f"/v1/devices/{reading.device_id}/token")).json()
    assert (await sending.sync(pull=False))["counts"]["stored"] == 0
    reading.token, old = renewed["token"], reading.token
    assert (await reading.get("/v1/me")).status_code == 200
    sending.token = renewed["send_token"]
    await sending.sync(pull=False)
    reading.token = old
    assert refused(await reading.get("/v1/me")) == (401, "token_invalid")


async def test_a_revoked_phone_hands_over_with_either_token_and_is_refused_elsewhere(
    service: RunningService, crew: Crew
) -> None:
    reading, sending = await enrol_phone(service, crew, crew.officer)
    assert (await crew.sergeant.delete(f"/v1/devices/{reading.device_id}")).status_code == 204
    for phone, request in ((reading, {"cursor": "AAAA"}), (sending, {"pull": False}), (sending, {})):
        answer = await phone.post_sync(entry("officer", uuid7()), **request)
        told = answer.json()
        assert (answer.status_code, told["counts"]["quarantined"], told["wipe"]) == (202, 1, True)
        assert (told["incidents"], told["asks"], told["cursor"], told["more"]) == ([], [], None, False)
        assert {"epoch", "service", "entry_schema", "codes_version", "server_time", "gone"} <= set(told)
        refusal = await phone.get("/v1/me")
        assert refused(refusal) == (401, "device_revoked")
        assert refusal.json()["wipe"] is True


async def test_a_phones_last_word_revokes_it_with_any_token_it_ever_had(service: RunningService, crew: Crew) -> None:
    reading, sending = await enrol_phone(service, crew, crew.officer)
    path = f"/v1/devices/{reading.device_id}/wiped"
    for token in (None, "", "unknown", crew.other_officer.token):
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        assert (await service.client.post(path, headers=headers)).status_code in (401, 404)
    assert (await reading.get("/v1/me")).status_code == 200
    for phone in (sending, reading, sending):
        assert (await phone.post(path)).status_code == 204
    assert refused(await reading.get("/v1/me")) == (401, "device_revoked")
    listed = {device["id"]: device for device in (await crew.sergeant.see("/v1/devices"))["devices"]}
    assert listed[str(reading.device_id)]["wiped_at"] is not None


@pytest.mark.parametrize("earlier", [True, False])
async def test_a_phones_last_word_is_taken_with_an_earlier_token_and_a_revoked_one(
    service: RunningService, crew: Crew, earlier: bool
) -> None:
    reading, _ = await enrol_phone(service, crew, crew.officer)
    if earlier:
        renewed = await reading.post(f"/v1/devices/{reading.device_id}/token")
        headers = {"authorization": f"Bearer {renewed.json()['token']}"}
        assert (await service.client.get("/v1/me", headers=headers)).status_code == 200
        assert refused(await reading.get("/v1/me")) == (401, "token_invalid")
    else:
        assert (await crew.sergeant.delete(f"/v1/devices/{reading.device_id}")).status_code == 204
    for _ in range(2):
        assert (await reading.post(f"/v1/devices/{reading.device_id}/wiped")).status_code == 204
    listed = {device["id"]: device for device in (await crew.sergeant.see("/v1/devices"))["devices"]}
    device = listed[str(reading.device_id)]
    assert device["wiped_at"] is not None and device["revoked_at"] is not None


async def test_whoever_asks_learns_what_the_service_is(crew: Crew) -> None:
    me, synced = await crew.officer.see("/v1/me"), await crew.officer.sync()
    for name in ("service", "entry_schema", "codes_version"):
        assert me[name] == synced[name]
    assert (me["service"], me["codes_version"]) == (version("triage"), codes.version)


async def test_the_devices_are_listed_page_by_page(service: RunningService, crew: Crew) -> None:
    listed, path = [], "/v1/devices?limit=2"
    while path:
        answer = await crew.admin.get(path)
        listed += [device["id"] for device in answer.json()["devices"]]
        path = answer.headers.get("link", "").partition(">")[0].removeprefix("<")
    assert len(listed) == len(set(listed)) == len((await crew.admin.see("/v1/devices", limit=200))["devices"]) == 9

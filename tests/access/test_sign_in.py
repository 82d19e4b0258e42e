"""Access tokens of issuers beside the service's own, devices, and budgets."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from support.cast import CAST
from support.loopback_issuer import AUDIENCE, LoopbackIssuer
from support.phones import Crew, Phone, RunningService, entry, refused, running_service
from uuid_utils.compat import uuid7

from triage.access.budget import Budget
from triage.store.access.staff import NewStaff, add_staff, as_owner, disable_staff


@pytest.fixture(scope="module")
def issuer() -> Iterator[LoopbackIssuer]:
    started = LoopbackIssuer()
    yield started
    started.stop()


@pytest_asyncio.fixture
async def trusting(service: RunningService, issuer: LoopbackIssuer, tmp_path: Path) -> AsyncIterator[RunningService]:
    """A process that accepts the issuer's access tokens, and few requests."""
    file = tmp_path / "issuers.toml"
    file.write_text(f'[[issuer]]\nurl = "{issuer.url}"\naudience = "{AUDIENCE}"\n')
    data_dir = service.service.settings.data_dir
    async with running_service(service.url, data_dir, oidc_issuers=file, actor_requests_per_minute=30) as process:
        yield process


async def employ(crew: Crew, issuer: LoopbackIssuer, role: str = "officer") -> tuple[str, UUID]:
    """A new member of staff who signs in with the issuer; subject and account."""
    subject, staff_id = str(uuid4()), uuid7()
    new = NewStaff(
        staff_id=staff_id, name="Signs in", role=role, profession=CAST[role][1], issuer=issuer.url, subject=subject
    )
    async with as_owner(crew.owner_url, crew.team_id) as owner:
        await add_staff(owner, crew.team_id, new)
    return subject, staff_id


def phone(trusting: RunningService, token: str, staff_id: UUID) -> Phone:
    return Phone(trusting.service, trusting.client, token, staff_id, staff_id)


async def test_a_token_of_nobodys_or_of_nobody_here_is_refused(
    trusting: RunningService, crew: Crew, issuer: LoopbackIssuer
) -> None:
    subject, staff_id = await employ(crew, issuer)
    for token in (
        issuer.token(sub=str(uuid4())),
        issuer.token(sub=subject, aud="https://another.example"),
        issuer.token(sub=subject, iss="https://another.example"),
        issuer.token({"typ": "JWT"}, sub=subject),
        "a.b.c",
    ):
        assert refused(await phone(trusting, token, staff_id).get("/v1/me")) == (401, "token_invalid")
    expired = phone(trusting, issuer.token(sub=subject, exp=1), staff_id)
    assert refused(await expired.get("/v1/me")) == (401, "token_expired")


async def test_an_access_token_signs_its_member_of_staff_in(
    trusting: RunningService, crew: Crew, issuer: LoopbackIssuer
) -> None:
    subject, staff_id = await employ(crew, issuer)
    signed_in = phone(trusting, issuer.token(sub=subject), staff_id)
    me = await signed_in.see("/v1/me")
    assert (me["actor"]["staff_id"], me["actor"]["device_id"]) == (str(staff_id), None)
    body = await signed_in.tell("officer", uuid4())
    [stored] = await signed_in.entries(body["incident_id"])
    assert (stored["author"], stored["device"]) == (str(staff_id), None)


async def test_a_process_without_issuers_accepts_none_of_their_tokens(
    service: RunningService, crew: Crew, issuer: LoopbackIssuer
) -> None:
    subject, staff_id = await employ(crew, issuer)
    assert refused(await phone(service, issuer.token(sub=subject), staff_id).get("/v1/me")) == (401, "token_invalid")


async def test_a_leavers_remembered_token_stores_nothing(
    trusting: RunningService, crew: Crew, issuer: LoopbackIssuer
) -> None:
    subject, staff_id = await employ(crew, issuer)
    signed_in = phone(trusting, issuer.token(sub=subject), staff_id)
    await signed_in.tell("officer", uuid4())
    async with as_owner(crew.owner_url, crew.team_id) as owner:
        await disable_staff(owner, crew.team_id, staff_id)
    late = entry("officer", uuid4())
    assert refused(await signed_in.put(late)) == (401, "account_disabled")
    assert await crew.fetch("SELECT 1 FROM entry WHERE team_id = $1 AND id = $2", UUID(late["id"])) == []


# --- devices ---


async def test_devices_are_listed_to_those_who_manage_them(crew: Crew) -> None:
    def ids(answer: dict[str, list[dict[str, str]]]) -> set[str]:
        return {device["staff_id"] for device in answer["devices"]}

    police = {str(phone.staff_id) for phone in (crew.officer, crew.other_officer, crew.sergeant)}
    assert ids(await crew.sergeant.see("/v1/devices")) == police
    assert len(ids(await crew.admin.see("/v1/devices"))) == len(CAST)
    assert ids(await crew.nurse.see("/v1/devices")) == {str(crew.nurse.staff_id)}
    assert ids(await crew.partner.see("/v1/devices")) == set()


async def test_a_device_is_renamed_by_its_owner_and_its_side(crew: Crew, other_crew: Crew) -> None:
    async def rename(by: Phone) -> int:
        answer = await by.client.put(
            f"/v1/devices/{crew.officer.device_id}",
            json={"name": "Spare"},
            headers={"authorization": f"Bearer {by.token}"},
        )
        return answer.status_code

    assert await rename(other_crew.sergeant) == 404
    assert await rename(crew.clinical_lead) == 403
    assert await rename(crew.other_officer) == 403
    assert await rename(crew.sergeant) == await rename(crew.officer) == 204
    listed = await crew.officer.see("/v1/devices")
    assert [device["name"] for device in listed["devices"]] == ["Spare"]


async def test_a_phones_clock_is_remembered(crew: Crew) -> None:
    await crew.officer.sync(sent_at="2026-01-01T00:00:00Z")
    [device] = (await crew.officer.see("/v1/devices"))["devices"]
    assert device["clock_skew_ms"] < -1_000_000


# --- budgets ---


async def test_an_actor_who_asks_too_often_is_told_when_to_come_back(trusting: RunningService, crew: Crew) -> None:
    hasty = crew.officer.on(trusting)
    answers = [await hasty.get("/v1/me") for _ in range(31)]
    assert [answer.status_code for answer in answers[:30]] == [200] * 30
    assert refused(answers[30]) == (429, "rate_limited")
    assert int(answers[30].headers["retry-after"]) >= 1
    assert (await crew.sergeant.on(trusting).get("/v1/me")).status_code == 200


async def test_two_hundred_phones_that_come_back_are_admitted_in_turn(
    service: RunningService, another: RunningService, crew: Crew
) -> None:
    async with as_owner(crew.owner_url, crew.team_id) as owner:
        phones = [
            (await service.add_phone(owner, crew.team_id, crew.officer.staff_id)).on(service if n % 2 else another)
            for n in range(200)
        ]
    outboxes = [entry("officer", uuid4()) for _ in phones]
    waiting = list(zip(phones, outboxes, strict=True))
    for _ in range(10):
        answers = await asyncio.gather(*(phone.post_sync(body) for phone, body in waiting))
        assert {answer.status_code for answer in answers} <= {200, 429, 503}
        late = [answer for answer in answers if answer.status_code != 200]
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in late)
        waiting = [pair for pair, answer in zip(waiting, answers, strict=True) if answer.status_code != 200]
        if not waiting:
            break
    assert not waiting
    [row] = await crew.fetch("SELECT count(*) AS n FROM entry WHERE team_id = $1")
    assert row["n"] == 200


async def test_failed_sign_ins_of_an_address_are_limited_in_all_processes_together(
    service: RunningService, crew: Crew
) -> None:
    data_dir, codes = service.service.settings.data_dir, []
    for _ in range(2):
        async with running_service(service.url, data_dir, "203.0.113.77", sign_in_failures_per_hour=3) as process:
            stranger = phone(process, "nobody's", uuid4())
            answers = [await stranger.get("/v1/me") for _ in range(3)]
            codes += [refused(answer) for answer in answers]
            assert (await crew.officer.on(process).get("/v1/me")).status_code == 200  # who signs in is not kept out
    assert codes == [(401, "token_invalid")] * 3 + [(429, "rate_limited")] * 3
    assert int(answers[-1].headers["retry-after"]) >= 1


def test_a_budget_fills_again_with_time() -> None:
    budget, who = Budget(60), uuid4()
    assert [budget.take(who, 0.0) for _ in range(61)] == [0] * 60 + [1]
    assert budget.take(who, 1.0) == 0
    assert budget.take(who, 1.0) == 1
    assert budget.take(uuid4(), 1.0) == 0
    assert [budget.take(who, 1000.0) for _ in range(61)] == [0] * 60 + [1]

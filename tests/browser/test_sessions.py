"""Signing in to the review pages, staying signed in, and what a form must carry."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from browsing import PageAddress, browser, code_for, forms, pages_behind_sign_in, signed_in, text
from support.phones import Crew, RunningService, running_service

from triage.pages import sessions
from triage.people.encryption import Purpose
from triage.store.access import staff
from triage.store.access.enrolment import new_code
from triage.store.access.staff import as_owner

NOW = datetime(2026, 11, 23, 21, 0, tzinfo=UTC)
PAGES = pages_behind_sign_in()
PERIOD = {"kind": "daily", "period": "2026-11-22"}


def test_every_page_is_in_the_list() -> None:
    assert len(PAGES) > 15
    assert {page.method for page in PAGES} == {"GET", "POST"}


@pytest.mark.parametrize("page", PAGES, ids=str)
async def test_no_page_opens_without_a_session(service: RunningService, crew: Crew, page: PageAddress) -> None:
    path = page.filled(**PERIOD)
    async with browser(service) as stranger:
        plain = await stranger.client.request(page.method, path, data={})
        token = {"authorization": f"Bearer {crew.sergeant.token}"}
        with_token = await stranger.client.request(page.method, path, data={}, headers=token)
    for answer in (plain, with_token):
        if page.method == "GET":
            assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/review/sign-in")
        else:
            assert answer.status_code in (303, 401)
            assert "signed in again" not in answer.text


LINKED = "/review/summaries/daily/2026-11-22?edition=2"


async def test_signing_in_leads_to_the_page_that_a_message_linked_to(service: RunningService, crew: Crew) -> None:
    async with browser(service) as opened:
        first = await opened.open(LINKED)
        form = await opened.read(first.headers["location"])
        wrong = await opened.press(form, "/review/sign-in", code="7777-3333-2222")
        right = await opened.press(wrong.text, "/review/sign-in", code=await code_for(crew.sergeant, crew.team_id))
        assert (right.status_code, right.headers["location"]) == (303, LINKED)


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://elsewhere.test/review",
        "//elsewhere.test/review",
        "/review//elsewhere.test",
        "/review/\\elsewhere.test",
        "/v1/summaries",
        "/review/sign-out",
        "/review/sign-in",
        "/reviewers",
        "/review?to=javascript:alert(1)",
        "javascript:alert(1)",
    ],
)
async def test_signing_in_leads_nowhere_else(service: RunningService, crew: Crew, elsewhere: str) -> None:
    async with browser(service) as opened:
        form = (await opened.client.get("/review/sign-in", params={"to": elsewhere})).text
        assert "elsewhere.test" not in form and 'name="to"' not in form
        code = await code_for(crew.sergeant, crew.team_id)
        answer = await opened.press(form, "/review/sign-in", code=code, to=elsewhere)
        assert (answer.status_code, answer.headers["location"]) == (303, "/review")


async def test_a_link_in_another_sites_page_neither_signs_out_nor_asks_to_sign_in_again(
    service: RunningService, crew: Crew
) -> None:
    # the browser sends no Strict cookie from there, and sends it when a page of ours asks once more
    async with browser(service) as without_cookie, signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        first = await without_cookie.open(LINKED, **{"sec-fetch-site": "cross-site"})
        assert first.status_code == 200 and f'content="0;url={LINKED}"' in first.text
        assert "set-cookie" not in first.headers
        again = await without_cookie.open(LINKED, **{"sec-fetch-site": "same-origin"})
        assert again.status_code == 303 and again.headers["location"].startswith("/review/sign-in?to=")
        assert "set-cookie" not in again.headers
        assert (
            await sergeant.open(LINKED, **{"sec-fetch-site": "same-origin"})
        ).status_code == 404  # not yet published


@pytest.mark.parametrize("name", ["officer", "nurse", "paramedic", "auditor", "admin"])
async def test_a_code_of_anybody_but_a_lead_opens_no_page(service: RunningService, crew: Crew, name: str) -> None:
    async with browser(service) as opened:
        assert (await opened.sign_in(await code_for(getattr(crew, name), crew.team_id))).status_code == 422


async def test_a_code_signs_in_once(service: RunningService, crew: Crew) -> None:
    code = await code_for(crew.sergeant, crew.team_id)
    async with browser(service) as first, browser(service) as second:
        assert (await first.sign_in(code)).headers["location"] == "/review"
        again = await second.sign_in(code)
        assert again.status_code == 422
        assert "The code is wrong, was used, or has expired" in text(again.text)
        assert "Nobody is detained" in await first.read("/review")


async def test_a_code_from_ones_own_phone_signs_in_and_enrols_no_second_phone(
    service: RunningService, crew: Crew
) -> None:
    issued = await crew.sergeant.post("/v1/enrolments", {"staff_id": str(crew.sergeant.staff_id)})
    code = issued.json()["code"]
    async with browser(service) as opened:
        assert (await opened.sign_in(code)).status_code == 303
    enrolling = await service.client.post("/v1/devices", json={"code": code, "name": "phone"})
    assert (enrolling.status_code, enrolling.json()["code"]) == (410, "code_used")


async def test_codes_cannot_be_guessed_at_length(service: RunningService) -> None:
    data_dir, address = service.service.settings.data_dir, "203.0.113.77"  # from where no other test signs in
    code = new_code()  # that no other test has tried: attempts are counted by code and by address
    async with (
        running_service(service.url, data_dir, address, enrol_attempts_per_hour=3) as strict,
        browser(strict) as guessing,
    ):
        tried = [(await guessing.sign_in(code)).status_code for _ in range(4)]
    assert tried == [422, 422, 422, 429]


async def test_the_sign_in_form_of_another_browser_is_refused(service: RunningService, crew: Crew) -> None:
    code = await code_for(crew.sergeant, crew.team_id)
    async with browser(service) as attacker, browser(service) as victim:
        [(_, fields)] = forms(await attacker.read("/review/sign-in"))
        without_cookie = await victim.send("/review/sign-in", fields | {"code": code})
        await victim.read("/review/sign-in")
        with_own_cookie = await victim.send("/review/sign-in", fields | {"code": code})
        assert [without_cookie.status_code, with_own_cookie.status_code] == [403, 403]
        assert (await victim.open("/review")).status_code == 303


async def test_the_cookie_is_hardened(service: RunningService, crew: Crew) -> None:
    async with browser(service) as opened:
        answer = await opened.sign_in(await code_for(crew.sergeant, crew.team_id))
    [cookie] = [cookie for cookie in answer.headers.get_list("set-cookie") if sessions.SESSION in cookie]
    name, _, rest = cookie.partition("=")
    assert name == "__Host-triage-review"
    assert set(rest.split("; ")[1:]) == {"Path=/", "HttpOnly", "SameSite=strict", "Secure"}
    assert str(crew.sergeant.staff_id) not in cookie


async def test_without_https_the_cookie_has_no_prefix_that_browsers_would_refuse(
    service: RunningService, crew: Crew
) -> None:
    async with browser(service, "http://127.0.0.1") as opened:
        answer = await opened.sign_in(await code_for(crew.sergeant, crew.team_id))
        assert "Nobody is detained" in await opened.read("/review")
    assert any(cookie.startswith("triage-review=") for cookie in answer.headers.get_list("set-cookie"))


async def test_every_page_is_closed_to_script_and_to_other_sites(service: RunningService, crew: Crew) -> None:
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        for path in (
            "/review",
            "/review/incidents",
            "/review/reports",
            "/review/queue",
            "/review/team",
            "/review/sign-in",
        ):
            answer = await sergeant.open(path)
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy and "unsafe" not in policy and "script-src" not in policy
            assert answer.headers["cache-control"] == "no-store"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["x-frame-options"] == "DENY"
            assert answer.headers["strict-transport-security"]
            assert (
                "<script" not in answer.text
                and "style=" not in answer.text
                and "http://" not in answer.text.replace("http://www.w3.org/2000/svg", "")
            )


async def test_signing_out_ends_every_session_even_a_copied_one(service: RunningService, crew: Crew) -> None:
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant, browser(service) as thief:
        thief.client.cookies.update(sergeant.client.cookies)
        assert (await thief.open("/review")).status_code == 200
        answer = await sergeant.press(await sergeant.read("/review"), "/review/sign-out")
        assert "You are signed out" in text(await sergeant.read(answer.headers["location"]))
        assert (await thief.open("/review")).status_code == 303
    assert await crew.sergeant.see("/v1/me")  # the phone stays signed in


async def test_a_disabled_account_is_out_at_once(service: RunningService, crew: Crew) -> None:
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        async with as_owner(service.url, crew.team_id) as owner:
            await staff.disable_staff(owner, crew.team_id, crew.sergeant.staff_id)
        assert (await sergeant.open("/review")).status_code == 303


async def test_another_role_is_another_session(service: RunningService, crew: Crew) -> None:
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        async with as_owner(service.url, crew.team_id) as owner:
            await owner.execute(
                "UPDATE staff SET role = 'officer', stamp = stamp + 1 WHERE staff_id = $1", crew.sergeant.staff_id
            )
        assert (await sergeant.open("/review")).status_code == 303


async def test_a_forged_or_moved_cookie_opens_nothing(service: RunningService, crew: Crew) -> None:
    actor = await crew.sergeant.actor()
    for key, name in ((bytes(32), sessions.SESSION), (service.service.root.derive(Purpose.SESSIONS), sessions.FORM)):
        value = sessions.sealed(key, name, sessions.begin(actor, "", datetime.now(UTC)))
        async with browser(service) as forger:
            answer = await forger.open("/review", cookie=f"__Host-triage-review={value}")
        assert answer.status_code == 303


async def test_a_session_ends_idle_and_at_the_end_of_the_longest_shift(service: RunningService, crew: Crew) -> None:
    session = sessions.begin(await crew.sergeant.actor(), "", NOW)
    assert sessions.is_open(session, NOW + sessions.IDLE - timedelta(seconds=1))
    assert not sessions.is_open(session, NOW + sessions.IDLE)
    assert not sessions.is_open(session, NOW - timedelta(seconds=1))
    at = NOW
    while at - NOW < sessions.SHIFT:
        assert sessions.is_open(session, at)
        session = sessions.renewed(session, at) or session
        at += timedelta(minutes=9)
    assert not sessions.is_open(session, at)


async def test_an_old_cookie_is_answered_with_the_sign_in(service: RunningService, crew: Crew) -> None:
    key = service.service.root.derive(Purpose.SESSIONS)
    actor = await crew.sergeant.actor()
    for ago, status in ((timedelta(0), 200), (sessions.IDLE, 303)):
        value = sessions.sealed(key, sessions.SESSION, sessions.begin(actor, "", datetime.now(UTC) - ago))
        async with browser(service) as opened:
            assert (await opened.open("/review", cookie=f"__Host-triage-review={value}")).status_code == status


@pytest.mark.parametrize("page", [page for page in PAGES if page.method == "POST" and "rest" not in page.path], ids=str)
async def test_no_form_is_taken_from_another_site_or_session(
    service: RunningService, crew: Crew, page: PageAddress
) -> None:
    incident = uuid4()
    await crew.officer.tell("officer", incident, area="bedford")
    path = page.filled(id=incident)
    async with (
        signed_in(service, crew.sergeant, crew.team_id) as sergeant,
        signed_in(service, crew.clinical_lead, crew.team_id) as other,
    ):
        own = forms(await sergeant.read("/review"))[0][1]
        others = forms(await other.read("/review"))[0][1]
        sent = [
            await sergeant.send(path, {"csrf": ""}),
            await sergeant.send(path, others),
            await sergeant.send(path, own, **{"sec-fetch-site": "cross-site"}),
            await sergeant.send(path, own, **{"sec-fetch-site": "same-site"}),
        ]
        assert [answer.status_code for answer in sent] == [403] * 4
        assert (await sergeant.open("/review")).status_code == 200


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"csrf=a&csrf=b", "application/x-www-form-urlencoded", 403),
        (b"csrf=%ff", "application/x-www-form-urlencoded", 400),
        (b"\xff\xfe", "application/x-www-form-urlencoded", 400),
        (b"csrf=" + b"a" * 70_000, "application/x-www-form-urlencoded", 413),
        (b'{"csrf": "a"}', "application/json", 415),
    ],
)
async def test_forms_that_no_page_sends(
    service: RunningService, crew: Crew, body: bytes, content_type: str, status: int
) -> None:
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        answer = await sergeant.client.post("/review/sign-out", content=body, headers={"content-type": content_type})
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")


async def test_signing_in_and_out_is_recorded(service: RunningService, crew: Crew) -> None:
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        await sergeant.press(await sergeant.read("/review"), "/review/sign-out")
    rows = await crew.fetch(
        "SELECT query, actor FROM audit "
        "WHERE team_id = $1 AND query LIKE 'review/%' AND operation = 'access' ORDER BY at"
    )
    assert [tuple(row) for row in rows] == [
        ("review/sign-in", crew.sergeant.staff_id),
        ("review/sign-out", crew.sergeant.staff_id),
    ]

"""A page that nobody uses is put away; a form keeps what was typed; a secret never stands twice in the same words."""

from datetime import UTC, datetime

import pytest
from browsing import browser, forms, signed_in, text
from scenes import detained_for
from support.phones import Crew, RunningService

from triage.pages import sessions
from triage.pages.request import leads_on
from triage.people.encryption import Purpose

READ = ("/review", "/review/reports", "/review/queue", "/review/team")


async def test_pages_that_are_only_read_lock_after_ten_minutes_and_forms_never_go_away(
    service: RunningService, crew: Crew
) -> None:
    incident = await detained_for(crew, 2)
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        for path in READ:
            refresh = (await sergeant.open(path)).headers["refresh"]
            seconds, _, address = refresh.partition(";url=")
            assert int(seconds) >= sessions.IDLE.total_seconds() and address.startswith("/review/locked")
        for form in ("end", "ask", "outcome"):
            assert "refresh" not in (await sergeant.open(f"/review/incidents/{incident}/{form}")).headers


async def test_a_locked_page_leads_back_to_itself(service: RunningService, crew: Crew) -> None:
    key = service.service.root.derive(Purpose.SESSIONS)
    session = sessions.begin(await crew.sergeant.actor(), "", datetime.now(UTC) - sessions.IDLE)
    async with browser(service) as opened:
        cookie = f"__Host-triage-review={sessions.sealed(key, sessions.SESSION, session)}"
        sent_away = await opened.open("/review/queue", cookie=cookie)
        assert sent_away.headers["location"] == "/review/locked?to=%2Freview%2Fqueue"
        locked = await opened.read(sent_away.headers["location"])
        assert "nobody used this page for ten minutes" in text(locked)
        issued = await crew.sergeant.post("/v1/enrolments", {"staff_id": str(crew.sergeant.staff_id)})
        answer = await opened.press(locked, "/review/sign-in", code=issued.json()["code"])
        assert answer.headers["location"] == "/review/queue"


async def test_a_page_that_was_put_away_while_another_is_used_comes_back_by_a_press_only(
    service: RunningService, crew: Crew
) -> None:
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        page = await sergeant.read("/review/locked?to=%2Freview%2Fqueue")
    assert 'href="/review/queue"' in page and "http-equiv" not in page and "You are still signed in" in page


async def test_the_secret_of_a_form_is_another_text_in_every_answer_and_each_is_good(
    service: RunningService, crew: Crew
) -> None:
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        first, again = [forms(await sergeant.read("/review"))[0][1]["csrf"] for _ in range(2)]
        assert first != again
        assert (await sergeant.send("/review/sign-out", {"csrf": first})).status_code == 303


@pytest.mark.parametrize("sent", [None, "", "x", "AAAA", "é", "A" * 64])
def test_what_is_no_secret_never_matches(sent: str | None) -> None:
    assert not sessions.matches(sent, bytes(range(24)))


def test_a_masked_secret_matches_only_its_own() -> None:
    secret, other = bytes(range(24)), bytes(range(1, 25))
    assert sessions.matches(sessions.masked(secret), secret)
    assert not sessions.matches(sessions.masked(other), secret)


async def test_somebody_else_does_not_get_what_was_typed(service: RunningService, crew: Crew) -> None:
    key = service.service.root.derive(Purpose.SESSIONS)
    typed = sessions.TypedForm(crew.sergeant.staff_id, "/review/queue", {"text": "mine alone"}, datetime.now(UTC))
    async with browser(service) as opened:
        page = await opened.read("/review/sign-in")
        issued = await crew.clinical_lead.post("/v1/enrolments", {"staff_id": str(crew.clinical_lead.staff_id)})
        sealed = sessions.sealed(key, sessions.TYPED, typed)
        answer = await opened.press(page, "/review/sign-in", code=issued.json()["code"], typed=sealed)
    assert answer.status_code == 403 and "mine alone" not in answer.text


def test_signing_in_leads_to_pages_with_the_names_that_figures_have() -> None:
    assert leads_on("/review/summaries/daily/2026-11-25/incidents?edition=1&line=powers_used%2Fs136")

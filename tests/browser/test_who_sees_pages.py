"""Every review page: closed to every role but the leads', and with nothing of another team in it."""

from uuid import uuid4

import pytest
from browsing import pages_behind_sign_in, signed_in
from support.cast import CAST
from support.phones import Crew, RunningService

BEHIND_SIGN_IN = pages_behind_sign_in()
PERIOD = {"kind": "daily", "period": "2026-11-20"}
LEADS = ("sergeant", "clinical_lead")
OTHERS = sorted({(role, profession) for role, profession in CAST.values()} - {(n, CAST[n][1]) for n in LEADS}, key=str)


@pytest.mark.parametrize(("role", "profession"), OTHERS)
async def test_a_session_serves_leads_only(
    service: RunningService, crew: Crew, role: str, profession: str | None
) -> None:
    """Even a session that was a lead's, and whose account nobody marked as changed."""
    async with signed_in(service, crew.sergeant, crew.team_id) as opened:
        await crew.fetch(
            "UPDATE staff SET role = $2, profession = $3 WHERE team_id = $1 AND staff_id = $4",
            role,
            profession,
            crew.sergeant.staff_id,
        )
        cookies = dict(opened.client.cookies)
        for page in BEHIND_SIGN_IN:
            opened.client.cookies.update(cookies)  # which each answer takes back
            answer = await opened.client.request(page.method, page.filled(**PERIOD), data={})
            assert answer.status_code in (303, 401), page
            assert "signed in" not in answer.text and "Sign out" not in answer.text, page


@pytest.mark.parametrize("role", LEADS)
async def test_no_page_shows_another_teams(service: RunningService, crew: Crew, other_crew: Crew, role: str) -> None:
    incident = uuid4()
    written = await other_crew.officer.tell("officer", incident, log_ref="BP-THEIRS", note="theirs alone", age=15)
    await other_crew.officer.tell("detention", incident, place_of_safety="police_station")
    assert (await other_crew.officer.put(written | {"area": "bedford"})).status_code == 409
    async with signed_in(service, getattr(crew, role), crew.team_id) as opened:
        for page in BEHIND_SIGN_IN:
            if page.method == "GET":
                answer = await opened.open(page.filled(id=incident, **PERIOD))
                assert answer.status_code == (404 if "{" in page.path else 200), page.path
                shown = [mark for mark in ("BP-THEIRS", "theirs alone", written["id"]) if mark in answer.text]
                assert shown == [], page.path

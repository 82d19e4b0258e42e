"""Signing in to the review pages with an issuer."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit
from uuid import UUID

import pytest
import pytest_asyncio
from browsing import Browser, browser, text
from support.loopback_issuer import LoopbackIssuer
from support.phones import Crew, RunningService, running_service

from triage.store.access.staff import as_owner

CALLBACK = "/review/sign-in/callback"


@pytest.fixture(scope="module")
def issuer() -> Iterator[LoopbackIssuer]:
    opened = LoopbackIssuer("ES256")
    yield opened
    opened.stop()


@pytest_asyncio.fixture(scope="module")
async def pages(
    service: RunningService, issuer: LoopbackIssuer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[RunningService]:
    """The service with an issuer to sign in with."""
    file: Path = tmp_path_factory.mktemp("issuers") / "issuers.toml"
    file.write_text(
        f'[[issuer]]\nurl = "{issuer.url}"\naudience = "https://triage.test/api"\nalgorithms = ["ES256"]\n'
        '[issuer.login]\nclient_id = "pages"\n'
    )
    data_dir = service.service.settings.data_dir
    async with running_service(service.url, data_dir, oidc_issuers=file, public_url="https://triage.test") as opened:
        yield opened


async def known_as(crew: Crew, issuer: LoopbackIssuer, staff_id: UUID) -> str:
    """The issuer's name for a member of staff."""
    async with as_owner(crew.owner_url, crew.team_id) as owner:
        await owner.execute(
            "UPDATE staff SET issuer = $1, subject = $2 WHERE staff_id = $3", issuer.url, str(staff_id), staff_id
        )
    return str(staff_id)


async def leave(opened: Browser, onward: str = "") -> str:
    """Where the browser is sent."""
    assert f"/review/sign-in/issuer/0{onward}" in await opened.read(f"/review/sign-in{onward}")
    answer = await opened.open(f"/review/sign-in/issuer/0{onward}")
    assert answer.status_code == 303
    [cookie] = answer.headers.get_list("set-cookie")
    assert cookie.startswith("__Host-triage-oidc=") and "SameSite=lax" in cookie and "Secure" in cookie
    return str(answer.headers["location"])


async def test_who_the_issuer_names_is_signed_in(pages: RunningService, crew: Crew, issuer: LoopbackIssuer) -> None:
    issuer.id_token_claims = {"sub": await known_as(crew, issuer, crew.sergeant.staff_id)}
    async with browser(pages) as opened:
        address = await leave(opened)
        assert parse_qs(urlsplit(address).query)["redirect_uri"] == [f"https://triage.test{CALLBACK}"]
        back = await opened.open(f"{CALLBACK}?{urlencode(issuer.authorize(address) | {'hd': 'triage.test'})}")
        assert back.status_code == 200 and 'content="0;url=/review"' in back.text
        assert "Nobody is detained" in await opened.read("/review")


async def test_the_issuer_leads_back_to_the_page_that_was_asked_for(
    pages: RunningService, crew: Crew, issuer: LoopbackIssuer
) -> None:
    issuer.id_token_claims = {"sub": await known_as(crew, issuer, crew.sergeant.staff_id)}
    async with browser(pages) as opened:
        asked = await opened.open("/review/summaries/daily/2026-11-22?edition=2")
        onward = asked.headers["location"].removeprefix("/review/sign-in")
        address = await leave(opened, onward)
        back = await opened.open(f"{CALLBACK}?{urlencode(issuer.authorize(address))}")
        assert 'content="0;url=/review/summaries/daily/2026-11-22?edition=2"' in back.text


async def test_an_answer_works_once_and_in_the_browser_that_asked(
    pages: RunningService, crew: Crew, issuer: LoopbackIssuer
) -> None:
    issuer.id_token_claims = {"sub": await known_as(crew, issuer, crew.sergeant.staff_id)}
    async with browser(pages) as mine, browser(pages) as theirs:
        query = urlencode(issuer.authorize(await leave(mine)))
        assert (await theirs.open(f"{CALLBACK}?{query}")).status_code == 403
        await leave(theirs)
        assert (await theirs.open(f"{CALLBACK}?{query}")).status_code == 403
        assert (await theirs.open("/review")).status_code == 303
        assert (await mine.open(f"{CALLBACK}?{query}")).status_code == 200
        assert (await mine.open(f"{CALLBACK}?{query}")).status_code == 403


@pytest.mark.parametrize("who", ["officer", "nurse", "admin", None])
async def test_nobody_else_is(pages: RunningService, crew: Crew, issuer: LoopbackIssuer, who: str | None) -> None:
    issuer.id_token_claims = {
        "sub": await known_as(crew, issuer, getattr(crew, who).staff_id) if who else "nobody known"
    }
    async with browser(pages) as opened:
        back = await opened.open(f"{CALLBACK}?{urlencode(issuer.authorize(await leave(opened)))}")
        assert back.status_code == 403 and "You could not be signed in" in text(back.text)
        assert (await opened.open("/review")).status_code == 303


@pytest.mark.parametrize(
    "query", ["", "state=x&code=y", "error=access_denied", "state=a&state=b", "code=%00", "iss=https://elsewhere.test"]
)
async def test_an_answer_to_nothing_is_refused(pages: RunningService, query: str) -> None:
    async with browser(pages) as opened:
        assert (await opened.open(f"{CALLBACK}?{query}")).status_code in (400, 403)


@pytest.mark.parametrize("n", ["1", "-1", "x"])
async def test_there_is_no_other_issuer(pages: RunningService, n: str) -> None:
    async with browser(pages) as opened:
        assert (await opened.open(f"/review/sign-in/issuer/{n}")).status_code == 404


async def test_behind_a_proxy_that_ends_https_the_cookies_are_those_of_https(pages: RunningService, crew: Crew) -> None:
    async with browser(pages, "http://triage.test") as opened:
        answer = await opened.open("/review/sign-in")
    assert answer.headers["strict-transport-security"]
    [cookie] = answer.headers.get_list("set-cookie")
    assert cookie.startswith("__Host-triage-sign-in=") and "Secure" in cookie and "SameSite=strict" in cookie

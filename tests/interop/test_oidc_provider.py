"""Tokens and sign-ins of an independent implementation (npm `oidc-provider`) are understood."""

import re
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import pytest_asyncio

from triage.access.oidc import Issuer, OidcClient, OidcRefused, Provider, RefusalReason, Subject, Verifier
from triage.access.oidc_login import Callback, begin, finish

pytestmark = [
    pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed"),
    pytest.mark.timeout(300),  # the first run downloads the provider
]

HERE = Path(__file__).parent
AUDIENCE = "https://triage.example/api"
BACK = "https://triage.example/sign-in/callback"
NOW = datetime(2026, 11, 23, 21, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("interop")
    for name in ("package.json", "provider.mjs"):
        shutil.copy(HERE / name, directory)
    options = ["--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"]
    subprocess.run(["npm", "install", *options], cwd=directory, check=True)
    return directory


@pytest.fixture(scope="module", params=["RS256", "ES256"])
def issuer(installed: Path, request: pytest.FixtureRequest) -> Iterator[Issuer]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = ["node", "provider.mjs", str(port), request.param]
    with subprocess.Popen(command, cwd=installed, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout
        assert any(line == b"ready\n" for line in process.stdout), "the provider did not start"
        login = OidcClient(client_id="pages", client_secret="pages-secret: +&=")
        yield Issuer(url=f"http://127.0.0.1:{port}", audience=AUDIENCE, login=login)
        process.terminate()


@pytest_asyncio.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient() as client:
        yield client


async def test_an_access_token_is_accepted(issuer: Issuer, http: httpx.AsyncClient) -> None:
    answer = await http.post(
        f"{issuer.url}/token",
        auth=("device", "device-secret"),
        data={"grant_type": "client_credentials", "scope": "entries", "resource": AUDIENCE},
    )
    token = answer.raise_for_status().json()["access_token"]
    assert await Verifier([Provider(issuer, http)]).verify(token) == Subject(issuer.url, "device")
    with pytest.raises(OidcRefused, match="signature"):
        await Verifier([Provider(issuer, http)]).verify(token[:-8] + "AAAAAAAA")


async def test_a_person_signs_in(issuer: Issuer, http: httpx.AsyncClient) -> None:
    provider = Provider(issuer, http)
    address, pending = await begin(provider, BACK, NOW)
    callback = await sign_in_as("sergeant-1", address)
    assert callback.iss == issuer.url
    assert await finish(provider, pending, callback, NOW) == Subject(issuer.url, "sergeant-1")
    with pytest.raises(OidcRefused) as again:
        await finish(provider, pending, callback, NOW)
    assert again.value.reason == RefusalReason.DENIED


async def sign_in_as(account: str, address: str) -> Callback:
    """Walk through the provider's forms as a browser would, until it sends us back."""
    async with httpx.AsyncClient(follow_redirects=False) as browser:
        answer = await browser.get(address)
        while True:
            if location := answer.headers.get("location"):
                if location.startswith(BACK):
                    return Callback(**{name: values[0] for name, values in parse_qs(urlsplit(location).query).items()})
                answer = await browser.get(answer.url.join(location))
            else:
                action = re.search(r'action="([^"]+)"', answer.text)
                prompt = re.search(r'name="prompt" value="(\w+)"', answer.text)
                assert action and prompt, answer.text
                form = {"prompt": prompt[1], "login": account, "password": "any"}
                answer = await browser.post(answer.url.join(action[1]), data=form)

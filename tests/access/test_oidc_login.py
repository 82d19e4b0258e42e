"""A sign-in ends with the person the issuer names, in the browser that began it; every detour is refused."""

from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import msgspec
import pytest
import pytest_asyncio
from support.loopback_issuer import AUDIENCE, LoopbackIssuer

from triage.access.oidc import Issuer, OidcClient, OidcRefused, Provider, RefusalReason, Subject
from triage.access.oidc_login import PENDING_FOR, Callback, PendingSignIn, begin, finish

NOW = datetime(2026, 11, 23, 21, 0, tzinfo=UTC)
BACK = "https://triage.example/sign-in/callback"


@pytest.fixture
def issuer() -> Iterator[LoopbackIssuer]:
    issuer = LoopbackIssuer("ES256")
    yield issuer
    issuer.stop()


@pytest_asyncio.fixture(scope="module")
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient() as client:
        yield client


def provider_of(issuer: LoopbackIssuer, http: httpx.AsyncClient, login: OidcClient | None) -> Provider:
    return Provider(Issuer(url=issuer.url, audience=AUDIENCE, algorithms=("ES256",), login=login), http)


@pytest.fixture
def provider(issuer: LoopbackIssuer, http: httpx.AsyncClient) -> Provider:
    return provider_of(issuer, http, OidcClient(client_id="pages"))


async def signed_in(provider: Provider, issuer: LoopbackIssuer) -> tuple[PendingSignIn, Callback]:
    address, pending = await begin(provider, BACK, NOW)
    return pending, Callback(**issuer.authorize(address))


async def refusal(provider: Provider, pending: PendingSignIn, callback: Callback, now: datetime = NOW) -> RefusalReason:
    with pytest.raises(OidcRefused) as refused:
        await finish(provider, pending, callback, now)
    return refused.value.reason


# --- the answer has to be the one to this sign-in


async def test_an_answer_to_another_sign_in_is_refused(provider: Provider, issuer: LoopbackIssuer) -> None:
    mine, _ = await signed_in(provider, issuer)
    _, theirs = await signed_in(provider, issuer)
    assert await refusal(provider, mine, theirs) == RefusalReason.STATE
    assert await refusal(provider, mine, Callback()) == RefusalReason.STATE
    assert await refusal(provider, mine, Callback(state="ä", code=theirs.code)) == RefusalReason.STATE
    assert "/token" not in issuer.asked


async def test_a_code_slipped_into_another_sign_in_is_worth_nothing(provider: Provider, issuer: LoopbackIssuer) -> None:
    mine, _ = await signed_in(provider, issuer)
    _, theirs = await signed_in(provider, issuer)
    slipped = Callback(state=mine.state, code=theirs.code)
    assert await refusal(provider, mine, slipped) == RefusalReason.DENIED, "PKCE: their verifier is not ours"


async def test_an_id_token_of_another_sign_in_is_refused(provider: Provider, issuer: LoopbackIssuer) -> None:
    pending, callback = await signed_in(provider, issuer)
    issuer.id_token_claims = {"nonce": "of another"}
    assert await refusal(provider, pending, callback) == RefusalReason.NONCE
    issuer.id_token_claims = {"nonce": None}
    assert await refusal(provider, *await signed_in(provider, issuer)) == RefusalReason.NONCE


async def test_an_answer_from_another_issuer_is_refused(provider: Provider, issuer: LoopbackIssuer) -> None:
    pending, callback = await signed_in(provider, issuer)
    mixed_up = msgspec.structs.replace(callback, iss="https://elsewhere.example")
    assert await refusal(provider, pending, mixed_up) == RefusalReason.ISSUER
    elsewhere = msgspec.structs.replace(pending, issuer="https://elsewhere.example")
    assert await refusal(provider, elsewhere, callback) == RefusalReason.STATE


async def test_an_issuer_that_promised_its_name_has_to_give_it(provider: Provider, issuer: LoopbackIssuer) -> None:
    issuer.metadata["authorization_response_iss_parameter_supported"] = True
    pending, callback = await signed_in(provider, issuer)
    assert await refusal(provider, pending, callback) == RefusalReason.ISSUER
    named = msgspec.structs.replace(callback, iss=issuer.url)
    assert await finish(provider, pending, named, NOW) == Subject(issuer.url, "officer-1")


async def test_a_sign_in_ends_within_ten_minutes(provider: Provider, issuer: LoopbackIssuer) -> None:
    pending, callback = await signed_in(provider, issuer)
    late = NOW + PENDING_FOR + timedelta(seconds=1)
    assert await refusal(provider, pending, callback, late) == RefusalReason.EXPIRED
    assert await refusal(provider, pending, callback, NOW - timedelta(seconds=1)) == RefusalReason.EXPIRED
    assert await finish(provider, pending, callback, NOW + PENDING_FOR)


async def test_a_code_works_once(provider: Provider, issuer: LoopbackIssuer) -> None:
    pending, callback = await signed_in(provider, issuer)
    await finish(provider, pending, callback, NOW)
    assert await refusal(provider, pending, callback) == RefusalReason.DENIED


async def test_whoever_says_no_is_not_signed_in(provider: Provider, issuer: LoopbackIssuer) -> None:
    pending, callback = await signed_in(provider, issuer)
    assert (
        await refusal(provider, pending, msgspec.structs.replace(callback, error="access_denied"))
        == RefusalReason.DENIED
    )
    assert await refusal(provider, pending, msgspec.structs.replace(callback, code="")) == RefusalReason.DENIED


# --- the ID token has to be one, and ours


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"aud": AUDIENCE}, RefusalReason.AUDIENCE),
        ({"aud": ["pages", "other"]}, RefusalReason.AUDIENCE),
        ({"aud": ["pages", "other"], "azp": "other"}, RefusalReason.AUDIENCE),
        ({"azp": "other"}, RefusalReason.AUDIENCE),
        ({"iss": "https://elsewhere.example"}, RefusalReason.CLAIMS),
        ({"sub": None}, RefusalReason.CLAIMS),
        ({"exp": 1_000_000_000}, RefusalReason.EXPIRED),
    ],
)
async def test_an_id_token_that_is_not_ours_is_refused(
    provider: Provider, issuer: LoopbackIssuer, claims: dict[str, Any], reason: RefusalReason
) -> None:
    issuer.id_token_claims = claims
    assert await refusal(provider, *await signed_in(provider, issuer)) == reason


async def test_an_access_token_is_no_id_token(provider: Provider, issuer: LoopbackIssuer) -> None:
    issuer.id_token_type = "at+jwt"
    assert await refusal(provider, *await signed_in(provider, issuer)) == RefusalReason.TYPE


async def test_an_id_token_for_two_is_accepted_when_it_was_issued_to_us(
    provider: Provider, issuer: LoopbackIssuer
) -> None:
    issuer.id_token_claims = {"aud": ["other", "pages"], "azp": "pages"}
    assert await finish(provider, *await signed_in(provider, issuer), NOW)


# --- the issuer has to be there


async def test_an_issuer_that_fails_is_tried_again_later(provider: Provider, issuer: LoopbackIssuer) -> None:
    pending, callback = await signed_in(provider, issuer)
    issuer.status = 503
    assert await refusal(provider, pending, callback) == RefusalReason.UNREACHABLE
    issuer.stop()
    assert await refusal(provider, pending, callback) == RefusalReason.UNREACHABLE
    issuer.start_again()


async def test_no_sign_in_begins_where_none_can_end(issuer: LoopbackIssuer, http: httpx.AsyncClient) -> None:
    with pytest.raises(OidcRefused, match="issuer"):
        await begin(provider_of(issuer, http, None), BACK, NOW)
    del issuer.metadata["authorization_endpoint"]
    with pytest.raises(OidcRefused, match="unreachable"):
        await begin(provider_of(issuer, http, OidcClient(client_id="pages")), BACK, NOW)


# --- success


async def test_the_browser_is_sent_away_with_everything_that_ties_it_to_us(
    provider: Provider, issuer: LoopbackIssuer
) -> None:
    issuer.metadata["authorization_endpoint"] += "?tenant=beds"
    address, pending = await begin(provider, BACK, NOW)
    challenge = urlsafe_b64encode(sha256(pending.verifier.encode()).digest()).rstrip(b"=").decode()
    assert {name: value for name, [value] in parse_qs(urlsplit(address).query).items()} == {
        "tenant": "beds",
        "response_type": "code",
        "client_id": "pages",
        "redirect_uri": BACK,
        "scope": "openid",
        "state": pending.state,
        "nonce": pending.nonce,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    assert len(pending.verifier) >= 43, "RFC 7636 section 4.1"
    _, again = await begin(provider, BACK, NOW)
    assert not {again.state, again.nonce, again.verifier} & {pending.state, pending.nonce, pending.verifier}


@pytest.mark.parametrize("secret", [None, "hush+%41: ä&="])
async def test_a_person_signs_in(issuer: LoopbackIssuer, http: httpx.AsyncClient, secret: str | None) -> None:
    issuer.secret = secret
    provider = provider_of(issuer, http, OidcClient(client_id="pages", client_secret=secret))
    assert await finish(provider, *await signed_in(provider, issuer), NOW) == Subject(issuer.url, "officer-1")


async def test_what_is_kept_meanwhile_survives_the_trip_and_shows_nothing(
    provider: Provider, issuer: LoopbackIssuer
) -> None:
    pending, callback = await signed_in(provider, issuer)
    assert msgspec.json.decode(msgspec.json.encode(pending), type=PendingSignIn) == pending
    assert (repr(pending), repr(callback)) == ("PendingSignIn(…)", "Callback(…)")

"""Access tokens of configured issuers are accepted; everything else is refused, whatever it claims to be."""

import asyncio
import base64
import json
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import jwt
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from support.loopback_issuer import AUDIENCE, LoopbackIssuer, new_key, public_jwk

from triage.access import oidc
from triage.access.oidc import Issuer, OidcRefused, Provider, RefusalReason, Subject, Verifier

HOUR = 3600.0


class Clock:
    """Monotonic seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def police() -> Iterator[LoopbackIssuer]:
    issuer = LoopbackIssuer("RS256")
    yield issuer
    issuer.stop()


@pytest.fixture
def trust() -> Iterator[LoopbackIssuer]:
    issuer = LoopbackIssuer("ES256")
    yield issuer
    issuer.stop()


@pytest_asyncio.fixture(scope="module")
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient() as client:
        yield client


def provider(issuer: LoopbackIssuer, http: httpx.AsyncClient, clock: Clock, **settings: Any) -> Provider:
    return Provider(Issuer(url=issuer.url, audience=AUDIENCE, **settings), http, clock)


@pytest.fixture
def verifier(police: LoopbackIssuer, http: httpx.AsyncClient, clock: Clock) -> Verifier:
    return Verifier([provider(police, http, clock)])


async def refusal(verifier: Verifier, token: str) -> RefusalReason:
    with pytest.raises(OidcRefused) as refused:
        await verifier.verify(token)
    assert str(refused.value) == refused.value.reason.value, "a refusal says why and nothing else"
    return refused.value.reason


def part(content: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def public_pem(issuer: LoopbackIssuer) -> bytes:
    return issuer.key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


# --- forgeries


async def test_rubbish_is_refused_unasked(verifier: Verifier, police: LoopbackIssuer) -> None:
    nested = base64.urlsafe_b64encode(b"[" * 5000).decode()
    for rubbish in ("", "x", "a.b.c", "...", "é.é.é", "\ud800", f"{part([])}.{part({})}.", f"{nested}.{part({})}.x"):
        assert await refusal(verifier, rubbish) == RefusalReason.MALFORMED
    assert await refusal(verifier, "x" * 8193) == RefusalReason.TOO_LONG
    assert await refusal(verifier, f"{part({'typ': 'at+jwt'})}.{part(police.claims())}.") == RefusalReason.MALFORMED
    assert police.asked == []


async def test_changed_claims_are_refused(verifier: Verifier, police: LoopbackIssuer) -> None:
    head, _, signature = police.token().split(".")
    changed = f"{head}.{part(police.claims(sub='admin'))}.{signature}"
    assert await refusal(verifier, changed) == RefusalReason.SIGNATURE


async def test_no_signature_is_refused(verifier: Verifier, police: LoopbackIssuer) -> None:
    head = {"alg": "none", "typ": "at+jwt", "kid": "k1"}
    assert await refusal(verifier, f"{part(head)}.{part(police.claims())}.") == RefusalReason.ALGORITHM


async def test_the_public_key_is_no_shared_secret(verifier: Verifier, police: LoopbackIssuer) -> None:
    head, body = part({"alg": "HS256", "typ": "at+jwt", "kid": "k1"}), part(police.claims())
    hmac = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    signature = hmac.sign(f"{head}.{body}".encode(), public_pem(police))
    token = f"{head}.{body}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"
    assert await refusal(verifier, token) == RefusalReason.ALGORITHM


async def test_a_key_works_only_with_its_own_algorithm(verifier: Verifier, police: LoopbackIssuer) -> None:
    head = {"kid": "k1", "typ": "at+jwt"}
    assert (
        await refusal(verifier, jwt.encode(police.claims(), police.key, "PS256", headers=head))
        == RefusalReason.ALGORITHM
    )


async def test_an_algorithm_off_the_list_is_refused(
    police: LoopbackIssuer, http: httpx.AsyncClient, clock: Clock
) -> None:
    verifier = Verifier([provider(police, http, clock, algorithms=("ES256",))])
    assert await refusal(verifier, police.token()) == RefusalReason.ALGORITHM


async def test_another_key_under_a_known_id_is_refused(verifier: Verifier, police: LoopbackIssuer) -> None:
    assert await refusal(verifier, police.token(key=new_key("RS256"))) == RefusalReason.SIGNATURE


async def test_a_key_the_token_brings_along_is_not_used(verifier: Verifier, police: LoopbackIssuer) -> None:
    mine = new_key("RS256")
    brought = {"kid": "mine", "jku": "http://127.0.0.1:9/jwks", "jwk": public_jwk(mine, "mine", "RS256")}
    assert await refusal(verifier, police.token(brought, key=mine)) == RefusalReason.KEY
    assert await refusal(verifier, police.token({"kid": ""}, key=mine)) == RefusalReason.KEY


async def test_a_short_key_is_refused(verifier: Verifier, police: LoopbackIssuer) -> None:
    with pytest.warns(jwt.InsecureKeyLengthWarning):
        police.key = rsa.generate_private_key(65537, 1024)
        police.jwks = [public_jwk(police.key, "k1", "RS256")]
        assert await refusal(verifier, police.token()) == RefusalReason.KEY


async def test_an_issuer_nobody_configured_is_never_contacted(
    verifier: Verifier, police: LoopbackIssuer, trust: LoopbackIssuer
) -> None:
    assert await refusal(verifier, trust.token()) == RefusalReason.ISSUER
    assert await refusal(verifier, police.token(iss=None)) == RefusalReason.ISSUER
    assert await refusal(verifier, police.token(iss=[police.url])) == RefusalReason.ISSUER
    assert await refusal(verifier, police.token(iss=f"{police.url}/")) == RefusalReason.ISSUER
    assert (police.asked, trust.asked) == ([], [])


async def test_an_issuer_cannot_speak_for_another(
    police: LoopbackIssuer, trust: LoopbackIssuer, http: httpx.AsyncClient, clock: Clock
) -> None:
    verifier = Verifier([provider(police, http, clock), provider(trust, http, clock)])
    assert await refusal(verifier, trust.token(iss=police.url)) == RefusalReason.ALGORITHM
    trust.rotate("t1")
    assert await refusal(verifier, trust.token(iss=police.url)) == RefusalReason.KEY


# --- genuine tokens that are not for us, or not now


async def test_a_token_for_another_audience_is_refused(verifier: Verifier, police: LoopbackIssuer) -> None:
    assert await refusal(verifier, police.token(aud="https://elsewhere.example")) == RefusalReason.AUDIENCE
    assert await refusal(verifier, police.token(aud=["https://elsewhere.example"])) == RefusalReason.AUDIENCE


@pytest.mark.parametrize("missing", ["aud", "sub", "exp", "iat"])
async def test_a_token_without_a_needed_claim_is_refused(
    verifier: Verifier, police: LoopbackIssuer, missing: str
) -> None:
    assert await refusal(verifier, police.token(**{missing: None})) == RefusalReason.CLAIMS


async def test_claims_of_a_wrong_kind_are_refused(verifier: Verifier, police: LoopbackIssuer) -> None:
    assert await refusal(verifier, police.token(sub=1)) == RefusalReason.CLAIMS
    for wrong in (float("inf"), "x", [1]):
        assert await refusal(verifier, police.token(exp=wrong)) == RefusalReason.CLAIMS
        assert await refusal(verifier, police.token(iat=wrong)) == RefusalReason.CLAIMS


async def test_a_token_before_or_after_its_time_is_refused(verifier: Verifier, police: LoopbackIssuer) -> None:
    now = police.claims()["iat"]
    assert await refusal(verifier, police.token(exp=now - 40)) == RefusalReason.EXPIRED
    assert await refusal(verifier, police.token(nbf=now + 60)) == RefusalReason.NOT_YET_VALID
    assert await refusal(verifier, police.token(iat=now + 60)) == RefusalReason.NOT_YET_VALID


async def test_clocks_may_differ_a_little(verifier: Verifier, police: LoopbackIssuer) -> None:
    now = police.claims()["iat"]
    assert await verifier.verify(police.token(exp=now - 10, nbf=now + 20, iat=now + 20))


@pytest.mark.parametrize("typ", ["JWT", "id+jwt", "logout+jwt", "", None])
async def test_only_an_access_token_will_do(verifier: Verifier, police: LoopbackIssuer, typ: str | None) -> None:
    assert await refusal(verifier, police.token({"typ": typ})) == RefusalReason.TYPE


async def test_a_provider_that_marks_no_access_tokens_is_a_choice_of_its_own(
    police: LoopbackIssuer, http: httpx.AsyncClient, clock: Clock
) -> None:
    verifier = Verifier([provider(police, http, clock, typed=False)])
    for refused in ("id+jwt", "logout+jwt", "dpop+jwt"):
        assert await refusal(verifier, police.token({"typ": refused})) == RefusalReason.TYPE
    for accepted in ("JWT", None, "at+jwt"):
        assert await verifier.verify(police.token({"typ": accepted}))


# --- accepted


async def test_tokens_of_every_issuer_are_accepted(
    police: LoopbackIssuer, trust: LoopbackIssuer, http: httpx.AsyncClient, clock: Clock
) -> None:
    verifier = Verifier([provider(police, http, clock), provider(trust, http, clock)])
    assert await verifier.verify(police.token(sub="o1")) == Subject(police.url, "o1")
    assert await verifier.verify(trust.token(sub="n1", aud=["x", AUDIENCE])) == Subject(trust.url, "n1")
    assert await verifier.verify(police.token({"typ": "application/AT+JWT"})) == Subject(police.url, "officer-1")


# --- keys


async def test_keys_are_fetched_once_for_all_who_wait_and_again_after_an_hour(
    verifier: Verifier, police: LoopbackIssuer, clock: Clock
) -> None:
    await asyncio.gather(*(verifier.verify(police.token()) for _ in range(20)))
    clock.now += HOUR - 1
    await verifier.verify(police.token())
    assert police.asked.count("/jwks") == 1
    clock.now += 1
    await asyncio.gather(*(verifier.verify(police.token()) for _ in range(20)))
    assert police.asked.count("/jwks") == 2


async def test_a_new_key_is_fetched_at_once_and_the_withdrawn_one_refused(
    verifier: Verifier, police: LoopbackIssuer, clock: Clock
) -> None:
    old = police.token()
    await verifier.verify(old)
    police.rotate("k2")
    clock.now += 30
    assert await verifier.verify(police.token()) == Subject(police.url, "officer-1")
    assert await refusal(verifier, old) == RefusalReason.KEY


async def test_a_withdrawn_key_is_refused_within_the_hour(
    verifier: Verifier, police: LoopbackIssuer, clock: Clock
) -> None:
    old = police.token()
    await verifier.verify(old)
    police.rotate("k2")
    clock.now += HOUR
    assert await refusal(verifier, old) == RefusalReason.KEY


async def test_unknown_key_ids_cannot_make_us_ask_more_than_twice_a_minute(
    verifier: Verifier, police: LoopbackIssuer, clock: Clock
) -> None:
    refusals = []
    for _ in range(60):
        refusals.append(await refusal(verifier, police.token({"kid": "zz"})))
        clock.now += 1
    assert police.asked.count("/jwks") == 2
    assert refusals == [RefusalReason.KEY, *[RefusalReason.UNREACHABLE] * 29] * 2, (
        "whether there is such a key is not known meanwhile"
    )


async def test_a_forged_key_id_does_not_refuse_whoever_has_the_new_key(
    verifier: Verifier, police: LoopbackIssuer, clock: Clock
) -> None:
    await verifier.verify(police.token())
    clock.now += 40
    assert await refusal(verifier, police.token({"kid": "forged"})) == RefusalReason.KEY
    police.rotate("k2")
    clock.now += 1
    assert await refusal(verifier, police.token()) == RefusalReason.UNREACHABLE  # 503: the phone comes back
    clock.now += 29
    assert await verifier.verify(police.token())


@pytest.mark.parametrize("sub", ["", "nul\0", "line\n", "\ud800", "x" * 256, "\x7f"])
async def test_a_subject_that_cannot_be_one_is_refused(verifier: Verifier, police: LoopbackIssuer, sub: str) -> None:
    assert await refusal(verifier, police.token(sub=sub)) == RefusalReason.CLAIMS


async def test_an_issuer_that_was_never_reached_is_no_fault_of_the_token(
    verifier: Verifier, police: LoopbackIssuer, clock: Clock
) -> None:
    token = police.token()
    police.stop()
    assert await refusal(verifier, token) == RefusalReason.UNREACHABLE
    police.start_again()
    assert await refusal(verifier, token) == RefusalReason.UNREACHABLE, "asked a moment ago"
    clock.now += 30
    assert await verifier.verify(token)


async def test_an_issuer_may_be_down_for_a_day(verifier: Verifier, police: LoopbackIssuer, clock: Clock) -> None:
    await verifier.verify(police.token())
    police.stop()
    clock.now += 24 * HOUR - 1
    assert await verifier.verify(police.token())
    assert await refusal(verifier, police.token({"kid": "k2"})) == RefusalReason.UNREACHABLE
    clock.now += 1
    assert await refusal(verifier, police.token()) == RefusalReason.UNREACHABLE
    police.start_again()
    clock.now += 30
    assert await verifier.verify(police.token())


async def test_nobody_waits_for_a_hanging_issuer_who_has_the_key(
    verifier: Verifier, police: LoopbackIssuer, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await verifier.verify(police.token())
    police.stop()
    monkeypatch.setattr(oidc, "ANSWER_WITHIN_S", 0.2)
    clock.now += HOUR
    with socket.create_server(("127.0.0.1", police.port)):  # takes connections and says nothing
        first = asyncio.create_task(verifier.verify(police.token()))
        await asyncio.sleep(0)  # lets the first begin to ask
        assert await verifier.verify(police.token())
        assert not first.done()
        assert await first
    police.start_again()


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": "https://elsewhere.example"},
        {"jwks_uri": "http://elsewhere.example/jwks"},
        {"jwks_uri": "https://elsewhere.example/jwks"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": None},
        {"token_endpoint": "http://elsewhere.example/token"},
    ],
)
async def test_metadata_that_points_elsewhere_is_not_followed(
    police: LoopbackIssuer, clock: Clock, change: dict[str, Any]
) -> None:
    asked = []

    async def remember(request: httpx.Request) -> None:
        asked.append(str(request.url))

    police.metadata |= change
    async with httpx.AsyncClient(event_hooks={"request": [remember]}) as http:
        assert await refusal(Verifier([provider(police, http, clock)]), police.token()) == RefusalReason.UNREACHABLE
    assert asked == [f"{police.url}/.well-known/openid-configuration"]


async def test_an_answer_without_end_is_cut_off(verifier: Verifier, police: LoopbackIssuer) -> None:
    police.padding = b" " * oidc.ANSWER_LIMIT
    assert await refusal(verifier, police.token()) == RefusalReason.UNREACHABLE


@pytest.mark.parametrize("status", [302, 404, 503])
async def test_an_answer_that_is_none_is_not_used(verifier: Verifier, police: LoopbackIssuer, status: int) -> None:
    police.status = status
    assert await refusal(verifier, police.token()) == RefusalReason.UNREACHABLE


async def test_a_key_of_an_unknown_kind_does_not_cost_the_others(verifier: Verifier, police: LoopbackIssuer) -> None:
    police.jwks.append(police.jwks[0] | {"kid": ["k0"]})
    police.jwks = [{"kty": "new", "kid": "k0"}, {"kty": "RSA", "kid": "k0"}, *police.jwks]
    assert await verifier.verify(police.token())


async def test_a_key_for_encryption_or_a_shared_one_is_never_used(verifier: Verifier, police: LoopbackIssuer) -> None:
    police.jwks = [police.jwks[0] | {"use": "enc"}, {"kty": "oct", "kid": "k1", "k": "AAAA"}]
    assert await refusal(verifier, police.token()) == RefusalReason.KEY

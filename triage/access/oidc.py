"""Access tokens of the organisations' own identity providers: JWTs (RFC 9068), checked without asking anybody.

Only configured issuers are ever contacted, whatever a token says. Their signing keys are fetched without blocking,
kept for an hour, and replaced as a whole: a key an issuer withdraws stops working here within the hour, and at once
when a token with a new key turns up. While an issuer cannot be reached its known keys go on working for a day.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from triage.errors import OperatorError
from triage.libraries import httpx, jwt

TOKEN_LIMIT: Final = 8192
"""Characters; a longer token is not even looked at."""
LONGEST_SUBJECT: Final = 255
"""Characters of a subject (OpenID Connect Core, section 2); none of them is a control."""
ANSWER_LIMIT: Final = 256 * 1024
"""Bytes an issuer may answer with."""
ANSWER_WITHIN_S: Final = 5.0
LEEWAY_S: Final = 30.0
"""Clocks of issuers may differ from ours by so much."""
REFRESH_AFTER_S: Final = 3600.0
RETRY_AFTER_S: Final = 30.0
"""Tokens with unknown key ids, however many, make us ask an issuer at most this often."""
MAX_STALE_S: Final = 86400.0
"""While an issuer is unreachable its keys go on working for so long."""

Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""Signatures only: with a shared-secret algorithm, whoever knows the public key could sign."""

ACCESS_TOKEN_TYPES: Final = frozenset({"at+jwt", "application/at+jwt"})
"""RFC 9068 section 2.1."""


logger = logging.getLogger(__name__)


class OidcClient(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the review pages sign people in with an issuer."""

    client_id: str
    client_secret: str | None = None
    """None for a public client, which PKCE alone protects."""

    def __repr__(self) -> str:
        return f"OidcClient(client_id={self.client_id!r})"


class Issuer(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An identity provider whose tokens are accepted. Raises ValueError for an address that is not https.

    Plain http is accepted on the loopback address, where nobody listens in.
    """

    url: str
    """Exactly as in `iss`."""
    audience: str
    algorithms: tuple[Algorithm, ...] = ("RS256", "PS256", "ES256", "EdDSA")
    typed: bool = True
    """False for a provider that does not mark its access tokens as `at+jwt`. Its `audience` must then be an
    address of this service, never the client id of a sign-in, or ID tokens would pass."""
    login: OidcClient | None = None

    def __post_init__(self) -> None:
        if not _confidential(self.url) or urlsplit(self.url).query or urlsplit(self.url).fragment:
            raise ValueError("an issuer is an https address without query or fragment")
        if self.login and self.login.client_id == self.audience:
            raise ValueError("the audience of access tokens must differ from the client id of the sign-in")


class RefusalReason(StrEnum):
    """Why a token, or a sign-in, was refused: a closed list, for the audit and for counting; clients see less."""

    TOO_LONG = "too_long"
    MALFORMED = "malformed"
    ISSUER = "issuer"
    ALGORITHM = "algorithm"
    TYPE = "type"
    KEY = "key"
    SIGNATURE = "signature"
    AUDIENCE = "audience"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    CLAIMS = "claims"
    UNREACHABLE = "unreachable"
    """Nothing is known against the token, but its issuer cannot be reached: the one reason to try again later."""
    STATE = "state"
    NONCE = "nonce"
    DENIED = "denied"


class OidcRefused(Exception):
    """A token or a sign-in was refused; says why, and nothing of what was sent."""

    def __init__(self, reason: RefusalReason) -> None:
        super().__init__(reason.value)
        self.reason = reason


class Subject(Struct, frozen=True):
    """Who signed in: staff are known by issuer and subject together, for a subject is unique only to its issuer."""

    issuer: str
    subject: str


class Metadata(Struct, frozen=True):
    """An issuer's metadata (OpenID Connect Discovery 1.0, section 3), as far as it is used here."""

    issuer: str
    jwks_uri: str
    authorization_endpoint: str | None = None
    token_endpoint: str | None = None
    authorization_response_iss_parameter_supported: bool = False


class _KeySet(Struct, frozen=True):
    keys: list[dict[str, Any]]


class Provider:
    """One issuer, with its metadata and keys as last fetched.

    `clock` gives monotonic seconds. The HTTP client must not follow redirects, which is the default of httpx.
    """

    def __init__(self, issuer: Issuer, http: httpx.AsyncClient, clock: Callable[[], float] = time.monotonic) -> None:
        self.issuer = issuer
        self.http = http
        self._clock = clock
        self._tokens = jwt.PyJWT()
        self._metadata: Metadata | None = None
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched = self._tried = float("-inf")
        self._fetching = asyncio.Lock()

    async def key(self, kid: str) -> jwt.PyJWK:
        """The public key of this id. Raises OidcRefused: key, or unreachable where the issuer could not be asked.

        It is not asked again so soon after it was; somebody else's forged key id must not refuse a key that is new.
        """
        came = self._clock()
        if kid not in self._keys or self._older_than(REFRESH_AFTER_S):
            await self._refresh(wait=kid not in self._keys)
        if self._older_than(MAX_STALE_S):
            raise OidcRefused(RefusalReason.UNREACHABLE)
        if kid in self._keys:
            return self._keys[kid]
        raise OidcRefused(RefusalReason.KEY if self._fetched >= came else RefusalReason.UNREACHABLE)

    async def metadata(self) -> Metadata:
        """The issuer's addresses. Raises OidcRefused (unreachable)."""
        if self._metadata is None or self._older_than(REFRESH_AFTER_S):
            await self._refresh(wait=self._metadata is None)
        if self._metadata is None:
            raise OidcRefused(RefusalReason.UNREACHABLE)
        return self._metadata

    async def decode(self, token: str, audience: str, types: frozenset[str]) -> dict[str, Any]:
        """The claims of a token this issuer signed for an audience. Raises OidcRefused.

        `types` are the values of the header `typ` to accept; "" stands for its absence.
        """
        header, _ = _peek(token)
        if str(header.get("typ", "")).lower() not in types:
            raise OidcRefused(RefusalReason.TYPE)
        key = await self.key(str(header.get("kid", "")))
        try:
            claims = self._tokens.decode(
                token,
                key,
                algorithms=self.issuer.algorithms,
                audience=audience,
                issuer=self.issuer.url,
                leeway=LEEWAY_S,
                options={"require": ["exp", "iat", "sub", "aud", "iss"], "enforce_minimum_key_length": True},
            )
        except jwt.PyJWTError as fault:
            raise OidcRefused(_reason(fault)) from None
        if not claims["sub"].isprintable() or not 0 < len(claims["sub"]) <= LONGEST_SUBJECT:
            raise OidcRefused(RefusalReason.CLAIMS)
        return claims

    def _older_than(self, seconds: float) -> bool:
        return self._clock() - self._fetched >= seconds

    async def _refresh(self, wait: bool) -> None:
        """Fetch anew, unless that was tried a moment ago. Who can do without need not wait while somebody fetches."""
        if self._fetching.locked() and not wait:
            return
        async with self._fetching:
            if self._clock() - self._tried < RETRY_AFTER_S:
                return
            self._tried = self._clock()
            try:
                metadata, keys = await self._fetch()
            except fetch_faults() as fault:
                logger.warning(
                    "oidc_keys_not_fetched", extra={"issuer": self.issuer.url, "fault": type(fault).__name__}
                )
                return
            self._metadata, self._keys, self._fetched = metadata, keys, self._tried

    async def _fetch(self) -> tuple[Metadata, dict[str, jwt.PyJWK]]:
        address = self.issuer.url.rstrip("/") + "/.well-known/openid-configuration"
        metadata = msgspec.json.decode(await fetch(self.http, "GET", address), type=Metadata)
        if metadata.issuer != self.issuer.url:
            raise ValueError("metadata of another issuer")  # RFC 8414 section 3.3
        for endpoint in (metadata.jwks_uri, metadata.authorization_endpoint, metadata.token_endpoint):
            if endpoint and (not _confidential(endpoint) or _loopback(endpoint) != _loopback(self.issuer.url)):
                raise ValueError("an address in the metadata is not https")
        answer = await fetch(self.http, "GET", metadata.jwks_uri)
        keys: dict[str, jwt.PyJWK] = {}
        for key in msgspec.json.decode(answer, type=_KeySet).keys:
            if key.get("use", "sig") == "sig" and key.get("kty") != "oct" and isinstance(key.get("kid"), str):
                try:
                    keys[key["kid"]] = jwt.PyJWK(key)
                except jwt.PyJWTError:
                    continue  # a kind of key not known here must not cost the others
        return metadata, keys


class Verifier:
    """Checks access tokens of all configured issuers."""

    def __init__(self, providers: Sequence[Provider]) -> None:
        self._providers = {provider.issuer.url: provider for provider in providers}

    async def verify(self, token: str) -> Subject:
        """Who an access token stands for. Raises OidcRefused."""
        if not self._providers:
            raise OidcRefused(RefusalReason.ISSUER)
        _, claims = _peek(token)
        provider = self._providers.get(str(claims.get("iss")))
        if provider is None:
            raise OidcRefused(RefusalReason.ISSUER)
        issuer = provider.issuer
        types = ACCESS_TOKEN_TYPES if issuer.typed else ACCESS_TOKEN_TYPES | {"", "jwt"}
        claims = await provider.decode(token, issuer.audience, types)
        return Subject(issuer.url, claims["sub"])


def fetch_faults() -> tuple[type[Exception], ...]:
    """The exceptions of `fetch` and of reading its answer."""
    return httpx.HTTPError, httpx.InvalidURL, msgspec.DecodeError, TimeoutError, ValueError


async def fetch(http: httpx.AsyncClient, method: str, url: str, **request: Any) -> bytes:
    """The body of an issuer's answer, which has to be short and soon. Raises one of `fetch_faults`."""
    body = b""
    async with asyncio.timeout(ANSWER_WITHIN_S), http.stream(method, url, **request) as response:
        response.raise_for_status()
        async for part in response.aiter_bytes():
            body += part
            if len(body) > ANSWER_LIMIT:
                raise ValueError("answer too long")
    return body


def _peek(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims as the token gives them, nothing proved."""
    if len(token) > TOKEN_LIMIT:
        raise OidcRefused(RefusalReason.TOO_LONG)
    try:
        decoded = jwt.decode_complete(token, options={"verify_signature": False})
        decoded["header"]["alg"]
    except (jwt.PyJWTError, UnicodeEncodeError, KeyError):
        raise OidcRefused(RefusalReason.MALFORMED) from None
    return decoded["header"], decoded["payload"]


def _reason(fault: jwt.PyJWTError) -> RefusalReason:
    match fault:
        case jwt.InvalidSignatureError():
            return RefusalReason.SIGNATURE
        case jwt.InvalidAlgorithmError():
            return RefusalReason.ALGORITHM
        case jwt.InvalidKeyError():
            return RefusalReason.KEY
        case jwt.InvalidAudienceError():
            return RefusalReason.AUDIENCE
        case jwt.ExpiredSignatureError():
            return RefusalReason.EXPIRED
        case jwt.ImmatureSignatureError():
            return RefusalReason.NOT_YET_VALID
        case _:
            return RefusalReason.CLAIMS


class IssuersFault(OperatorError):
    """The file of issuers cannot be used; the message names the file and the field, never a value."""


class _IssuersFile(Struct, frozen=True, forbid_unknown_fields=True):
    issuer: tuple[Issuer, ...]


def load_issuers(path: Path) -> tuple[Issuer, ...]:
    """The issuers in a TOML file, one `[[issuer]]` table each, fields as in Issuer. Raises IssuersFault."""
    try:
        issuers = msgspec.toml.decode(path.read_bytes(), type=_IssuersFile).issuer
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise IssuersFault(f"{path}: {fault.strerror if isinstance(fault, OSError) else fault}") from None
    if len({issuer.url for issuer in issuers}) < len(issuers):
        raise IssuersFault(f"{path}: an issuer is listed twice")
    return issuers


def _loopback(url: str) -> bool:
    return urlsplit(url).hostname in ("127.0.0.1", "::1", "localhost")


def _confidential(url: str) -> bool:
    parts = urlsplit(url)
    return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and _loopback(url)))

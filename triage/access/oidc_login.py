"""Signing in to the review pages with an issuer: OpenID Connect authorization code flow with PKCE.

`begin` sends the browser away, `finish` takes it back. Between the two the caller keeps a PendingSignIn, encrypted, in
the browser that began: it ties the answer to that browser (state), to this sign-in (nonce) and to us (PKCE, RFC 7636).
"""

from base64 import urlsafe_b64encode
from datetime import datetime, timedelta
from hashlib import sha256
from hmac import compare_digest
from secrets import token_urlsafe
from typing import Final
from urllib.parse import quote_plus, urlencode

import msgspec
from msgspec import Struct

from triage.access.oidc import Metadata, OidcClient, OidcRefused, Provider, RefusalReason, Subject, fetch, fetch_faults
from triage.libraries import httpx

PENDING_FOR: Final = timedelta(minutes=10)
"""A sign-in is finished within this, or begun again."""

_ID_TOKEN_TYPES: Final = frozenset({"", "jwt", "id+jwt"})


class PendingSignIn(Struct, frozen=True):
    """A sign-in that was begun. Secret: it shows nothing when printed."""

    issuer: str
    redirect_uri: str
    state: str
    nonce: str
    verifier: str
    begun_at: datetime

    def __repr__(self) -> str:
        return "PendingSignIn(…)"


class Callback(Struct, frozen=True):
    """The query parameters the browser comes back with (RFC 6749 section 4.1.2, RFC 9207)."""

    state: str = ""
    code: str = ""
    iss: str | None = None
    error: str | None = None

    def __repr__(self) -> str:
        return "Callback(…)"


class _Tokens(Struct, frozen=True):
    id_token: str


async def begin(provider: Provider, redirect_uri: str, now: datetime) -> tuple[str, PendingSignIn]:
    """The address to send the browser to, and what to keep until it is back. Raises OidcRefused (unreachable)."""
    endpoint = (await provider.metadata()).authorization_endpoint
    if endpoint is None:
        raise OidcRefused(RefusalReason.UNREACHABLE)
    pending = PendingSignIn(
        issuer=provider.issuer.url,
        redirect_uri=redirect_uri,
        state=token_urlsafe(32),
        nonce=token_urlsafe(32),
        verifier=token_urlsafe(32),
        begun_at=now,
    )
    query = {
        "response_type": "code",
        "client_id": _login(provider).client_id,
        "redirect_uri": redirect_uri,
        "scope": "openid",
        "state": pending.state,
        "nonce": pending.nonce,
        "code_challenge": urlsafe_b64encode(sha256(pending.verifier.encode()).digest()).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}", pending


async def finish(provider: Provider, pending: PendingSignIn, callback: Callback, now: datetime) -> Subject:
    """Who signed in. Raises OidcRefused."""
    if pending.issuer != provider.issuer.url or not _same(callback.state, pending.state):
        raise OidcRefused(RefusalReason.STATE)
    if not timedelta(0) <= now - pending.begun_at <= PENDING_FOR:
        raise OidcRefused(RefusalReason.EXPIRED)
    metadata = await provider.metadata()
    if callback.iss != metadata.issuer and (callback.iss or metadata.authorization_response_iss_parameter_supported):
        raise OidcRefused(RefusalReason.ISSUER)  # another issuer's answer (RFC 9207 section 2.4)
    if callback.error is not None or not callback.code:
        raise OidcRefused(RefusalReason.DENIED)
    id_token = await _exchange(provider, metadata, pending, callback.code)
    client = _login(provider).client_id
    claims = await provider.decode(id_token, client, _ID_TOKEN_TYPES)
    if not _same(str(claims.get("nonce", "")), pending.nonce):
        raise OidcRefused(RefusalReason.NONCE)
    authorized = claims.get("azp", client if claims["aud"] in (client, [client]) else None)
    if authorized != client:
        raise OidcRefused(RefusalReason.AUDIENCE)  # OpenID Connect Core 1.0 section 3.1.3.7, steps 3 to 5
    return Subject(provider.issuer.url, claims["sub"])


async def _exchange(provider: Provider, metadata: Metadata, pending: PendingSignIn, code: str) -> str:
    """The ID token for a code. Raises OidcRefused (denied when the code is not good, unreachable)."""
    login = _login(provider)
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": pending.redirect_uri,
        "code_verifier": pending.verifier,
    }
    auth = None
    if login.client_secret is None:
        form["client_id"] = login.client_id
    else:
        auth = (quote_plus(login.client_id), quote_plus(login.client_secret))  # RFC 6749 section 2.3.1
    try:
        answer = await fetch(provider.http, "POST", metadata.token_endpoint or "", data=form, auth=auth)
        return msgspec.json.decode(answer, type=_Tokens).id_token
    except httpx.HTTPStatusError as fault:
        raise OidcRefused(
            RefusalReason.DENIED if fault.response.is_client_error else RefusalReason.UNREACHABLE
        ) from None
    except fetch_faults():
        raise OidcRefused(RefusalReason.UNREACHABLE) from None


def _login(provider: Provider) -> OidcClient:
    if provider.issuer.login is None:
        raise OidcRefused(RefusalReason.ISSUER)
    return provider.issuer.login


def _same(left: str, right: str) -> bool:
    return compare_digest(left.encode(), right.encode())

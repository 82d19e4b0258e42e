"""Sessions of the review pages: sealed in the browser's cookie, nothing kept here but the account's stamp.

No clock: now is an argument. What a cookie says is believed only together with the account's standing, asked on every
request, and its stamp, which moves on when the role changes, the account ends, or its owner signs out.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime, timedelta
from hmac import compare_digest
from http.cookies import CookieError, SimpleCookie
from secrets import token_urlsafe
from typing import Final, Literal, TypeVar
from uuid import UUID

import msgspec
from msgspec import Struct, structs

from triage.access.actors import Actor
from triage.people.encryption import Undecryptable, decrypt, encrypt

IDLE: Final = timedelta(minutes=20)
"""Without a request, a session ends."""
LONGEST: Final = timedelta(hours=10)
"""A session ends with the longest shift, however busy."""
RENEWED_AFTER: Final = timedelta(minutes=1)
FORM_FOR: Final = timedelta(hours=1)
"""How long a sign-in form may lie open."""
LONGEST_COOKIE: Final = 4096

SESSION: Final = "triage-review"
FORM: Final = "triage-sign-in"
LEAVING: Final = "triage-oidc"

T = TypeVar("T")
SameSite = Literal["Strict", "Lax"]


class Session(Struct, frozen=True, array_like=True):
    """Who signed in, how the account stood, and the secret that every form of the session carries."""

    team_id: UUID
    staff_id: UUID
    stamp: int
    began_at: datetime
    seen_at: datetime
    csrf: str

    def __repr__(self) -> str:
        return "Session(…)"


class SignInForm(Struct, frozen=True, array_like=True):
    """Ties the sign-in form to the browser that asked for it, before there is a session."""

    csrf: str
    asked_at: datetime


def begin(actor: Actor, now: datetime) -> Session:
    """A new session of an account."""
    assert actor.staff_id
    return Session(actor.team_id, actor.staff_id, actor.stamp, now, now, token_urlsafe(24))


def lives(session: Session, now: datetime) -> bool:
    """Whether it is neither idle nor older than a session gets. One from the future was never given out."""
    return timedelta(0) <= now - session.began_at < LONGEST and now - session.seen_at < IDLE


def renewed(session: Session, now: datetime) -> Session | None:
    """The session as just used, when that is worth a new cookie."""
    return structs.replace(session, seen_at=now) if now - session.seen_at >= RENEWED_AFTER else None


def same(sent: str | None, expected: str) -> bool:
    """Compare a form's secret without telling by the time taken where it differs."""
    return sent is not None and compare_digest(sent.encode(), expected.encode())


def sealed(key: bytes, name: str, content: Struct) -> str:
    """A cookie's value; it opens only under its own name."""
    return urlsafe_b64encode(encrypt(key, msgspec.msgpack.encode(content), name.encode())).decode().rstrip("=")


def opened(key: bytes, name: str, value: str | None, kind: type[T]) -> T | None:
    """What `sealed` was given; None for anything else."""
    if not value or len(value) > LONGEST_COOKIE:
        return None
    try:
        data = urlsafe_b64decode(value + "=" * (-len(value) % 4))
        return msgspec.msgpack.decode(decrypt(key, data, name.encode()), type=kind)
    except (ValueError, Undecryptable, msgspec.MsgspecError):
        return None


def cookie_name(name: str, https: bool) -> str:
    """With https, a name that browsers tie to this very host, path / and TLS (RFC 6265bis, 4.1.3.2)."""
    return f"__Host-{name}" if https else name


def cookie(name: str, value: str, https: bool, same_site: SameSite = "Strict") -> str:
    """A `Set-Cookie`; an empty value takes the cookie back. None outlives the browser's own session."""
    parts = [f"{cookie_name(name, https)}={value}", "Path=/", "HttpOnly", f"SameSite={same_site}"]
    parts += ["Secure"] if https else []
    parts += [] if value else ["Max-Age=0"]
    return "; ".join(parts)


def read_cookie(header: str | None, name: str, https: bool) -> str | None:
    """The value of a cookie in the request's header."""
    try:
        jar = SimpleCookie(header or "")
    except CookieError:
        return None
    morsel = jar.get(cookie_name(name, https))
    return morsel.value if morsel else None


def sign_in_form(now: datetime) -> SignInForm:
    """What a browser that asks for the sign-in form gets."""
    return SignInForm(token_urlsafe(24), now)


def is_fresh(form: SignInForm, now: datetime) -> bool:
    """Whether the form may still be sent."""
    return timedelta(0) <= now - form.asked_at < FORM_FOR

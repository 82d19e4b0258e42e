"""Sessions of the review pages: sealed in the browser's cookie, nothing kept here but the account's stamp.

No clock: now is an argument. What a cookie says is believed only together with the account, which is looked up on every
request, and its stamp, which moves on when the role changes, the account ends, or its owner signs out.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime, timedelta
from hmac import compare_digest
from secrets import token_bytes
from typing import Final, TypeVar
from uuid import UUID

import msgspec
from msgspec import Struct, structs

from triage.access.actors import Actor
from triage.access.oidc_login import PendingSignIn
from triage.people.encryption import Undecryptable, decrypt, encrypt

IDLE: Final = timedelta(minutes=10)
"""Without a request for so long, a session is locked: its owner signs in again."""
SHIFT: Final = timedelta(hours=12)
"""A session ends with the longest shift, however busy."""
RENEWED_AFTER: Final = timedelta(minutes=1)
FORM_FOR: Final = timedelta(hours=1)
"""How long a sign-in form may lie open, and what was typed may wait for a sign-in."""
LONGEST_COOKIE: Final = 4096
LONGEST_TYPED: Final = 48 * 1024
SECRET_BYTES: Final = 24

SESSION: Final = "triage-review"
FORM: Final = "triage-sign-in"
LEAVING: Final = "triage-oidc"
TYPED: Final = "typed"

T = TypeVar("T")


class Session(Struct, frozen=True, array_like=True):
    """Who signed in, how the account stood, and the secret that every form of the session carries."""

    team_id: UUID
    staff_id: UUID
    name: str
    stamp: int
    began_at: datetime
    seen_at: datetime
    secret: bytes

    def __repr__(self) -> str:
        return "Session(…)"


class SignInForm(Struct, frozen=True, array_like=True):
    """Ties the sign-in form to the browser that asked for it, before there is a session."""

    secret: bytes
    asked_at: datetime


class Leaving(Struct, frozen=True, array_like=True):
    """The browser's cookie while it is at an issuer: the sign-in that was begun, and the page to go to after it."""

    pending: PendingSignIn
    onward: str


class TypedForm(Struct, frozen=True, array_like=True):
    """A form that was sent without a session: nothing of it is stored, and its sender gets it back after signing in."""

    staff_id: UUID | None
    address: str
    fields: dict[str, str]
    sent_at: datetime

    def __repr__(self) -> str:
        return "TypedForm(…)"


def begin(actor: Actor, name: str, now: datetime) -> Session:
    """A new session of an account."""
    assert actor.staff_id
    return Session(actor.team_id, actor.staff_id, name, actor.stamp, now, now, token_bytes(SECRET_BYTES))


def is_open(session: Session, now: datetime) -> bool:
    """Whether it is neither idle nor older than a shift. A session from the future was never given out."""
    return timedelta(0) <= now - session.began_at < SHIFT and now - session.seen_at < IDLE


def renewed(session: Session, now: datetime) -> Session | None:
    """The session as just used, when that is worth a new cookie."""
    return structs.replace(session, seen_at=now) if now - session.seen_at >= RENEWED_AFTER else None


def sign_in_form(now: datetime) -> SignInForm:
    """A sign-in form for a browser that has none."""
    return SignInForm(token_bytes(SECRET_BYTES), now)


def is_fresh(made_at: datetime, now: datetime) -> bool:
    """Whether a form made then may still be sent."""
    return timedelta(0) <= now - made_at < FORM_FOR


def masked(secret: bytes) -> str:
    """A form's secret under a new mask, so that no two answers hold the same text: compressed answers leak what repeats
    in them (BREACH)."""
    mask = token_bytes(len(secret))
    return urlsafe_b64encode(mask + _mixed(mask, secret)).decode()


def matches(sent: str | None, secret: bytes) -> bool:
    """Whether a masked secret is this one; the time taken does not tell where it differs."""
    try:
        content = urlsafe_b64decode((sent or "").encode("ascii"))
    except ValueError:
        return False
    half = len(content) // 2
    return len(content) == 2 * len(secret) and compare_digest(_mixed(content[:half], content[half:]), secret)


def _mixed(mask: bytes, secret: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(mask, secret, strict=True))


def sealed(key: bytes, name: str, content: Struct) -> str:
    """A cookie's or hidden field's value; it opens only under its own name."""
    return urlsafe_b64encode(encrypt(key, msgspec.msgpack.encode(content), name.encode())).decode().rstrip("=")


def opened(key: bytes, name: str, value: str | None, kind: type[T], longest: int = LONGEST_COOKIE) -> T | None:
    """The content given to `sealed`; None for anything else."""
    if not value or len(value) > longest:
        return None
    try:
        data = urlsafe_b64decode(value + "=" * (-len(value) % 4))
        return msgspec.msgpack.decode(decrypt(key, data, name.encode()), type=kind)
    except (ValueError, Undecryptable, msgspec.MsgspecError):
        return None


def cookie_name(name: str, https: bool) -> str:
    """With https, a name that browsers tie to this very host, path / and TLS (RFC 6265bis, 4.1.3.2)."""
    return f"__Host-{name}" if https else name

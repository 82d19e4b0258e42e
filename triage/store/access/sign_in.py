"""Who a token stands for: looked up before a team is known."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from msgspec import Struct

from triage.access.actors import Actor, Level, Side, token_hash
from triage.access.oidc import OidcRefused, RefusalReason, Subject, Verifier
from triage.problems import (
    ACCOUNT_DISABLED,
    DEVICE_REVOKED,
    NOT_READY,
    TOKEN_EXPIRED,
    TOKEN_INVALID,
    ListedProblem,
    Refused,
)
from triage.store.database import Database
from triage.store.journal import Journal
from triage.store.journal_lines import TokenReplaced
from triage.store.statements import statement

TOUCH_AFTER: Final = timedelta(hours=1)
"""How often the use of a token is written down."""
REMEMBERED: Final = 10_000
REMEMBERED_FOR: Final = timedelta(minutes=10)


class _Account(Struct, frozen=True):
    """A member of staff or a partner, with the role."""

    team_id: UUID
    staff_id: UUID | None
    partner_id: UUID | None
    device_id: UUID | None
    role: str
    profession: str | None
    side: Side | None
    level: Level
    verbs: list[str]
    stamp: int
    disabled: bool

    def actor(self, *, send_only: bool = False) -> Actor:
        return Actor(
            team_id=self.team_id,
            role=self.role,
            level=self.level,
            verbs=frozenset(self.verbs),
            staff_id=self.staff_id,
            partner_id=self.partner_id,
            device_id=self.device_id,
            profession=self.profession,
            side=self.side,
            stamp=self.stamp,
            send_only=send_only,
        )


class _Token(_Account, frozen=True):
    """An opaque token, with whose it is."""

    device_revoked: bool
    replaced: bool
    send_only: bool
    last_used_at: datetime
    unused: bool


_AUTHENTICATE = statement("sign_in.authenticate", _Token)
_AUTHENTICATE_SUBJECT = statement("sign_in.authenticate_subject", _Account)
_ACCOUNT = statement("sign_in.account", _Account)
_TOUCH_TOKEN = statement("sign_in.touch_token")


class SignInRefused(Refused):
    """A token that does not sign in, with whose it is as far as is known, for the audit."""

    def __init__(
        self,
        listed: ListedProblem,
        team_id: UUID | None = None,
        staff_id: UUID | None = None,
        device_id: UUID | None = None,
        *,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(listed, retry_after=retry_after)
        self.team_id, self.staff_id, self.device_id = team_id, staff_id, device_id


@dataclass(slots=True)
class _Remembered:
    actor: Actor
    until: datetime


class SignIn:
    """Signs in with an opaque token of a device or partner, or with an access token of a configured issuer.

    `authenticate` asks the database. `recall` answers from memory: only for requests whose own statement checks again
    that account and device still stand, so that revoking takes effect at once on every process.
    """

    def __init__(self, database: Database, idle: timedelta, journal: Journal, verifier: Verifier) -> None:
        self._database = database
        self._journal = journal
        self._idle = idle
        self._verifier = verifier
        self._remembered: dict[bytes, _Remembered] = {}
        self._touching: set[bytes] = set()

    async def recall(self, token: str) -> Actor | None:
        """The actor as last looked up; the signature and expiry of an access token are checked each time.

        Raises SignInRefused for an access token that is no longer good.
        """
        remembered = self._remembered.get(_digest(token, await self._subject(token)))
        return remembered.actor if remembered and remembered.until > datetime.now(UTC) else None

    async def authenticate(self, token: str) -> Actor:
        """The actor. Raises SignInRefused: unknown, expired, disabled, or of a revoked device."""
        actor, revoked = await self.authenticate_even_revoked(token)
        if revoked:
            raise SignInRefused(DEVICE_REVOKED, actor.team_id, actor.staff_id, actor.device_id)
        return actor

    async def authenticate_even_revoked(self, token: str) -> tuple[Actor, bool]:
        """As `authenticate`, but a revoked device is told apart, not refused: it may hand over what it holds."""
        subject = await self._subject(token)
        digest = _digest(token, subject)
        self._remembered.pop(digest, None)
        actor, revoked = await self._find(digest, subject)
        if not revoked:
            if len(self._remembered) >= REMEMBERED:
                self._remembered.clear()
            self._remembered[digest] = _Remembered(actor, datetime.now(UTC) + REMEMBERED_FOR)
        return actor, revoked

    async def find_device(self, token: str) -> tuple[UUID, UUID] | None:
        """Team and device of any token the device ever had, revoked or replaced; None for what is no device's."""
        token_row = await self._find_token(token_hash(token)) if token.count(".") != 2 else None
        return (token_row.team_id, token_row.device_id) if token_row and token_row.device_id else None

    async def _subject(self, token: str) -> Subject | None:
        """Who an access token is about; None for an opaque token, which has no dots."""
        if token.count(".") != 2:
            return None
        try:
            return await self._verifier.verify(token)
        except OidcRefused as refused:
            if refused.reason is RefusalReason.UNREACHABLE:
                raise Refused(NOT_READY, "The issuer of the token cannot be reached.", retry_after=30) from refused
            raise SignInRefused(
                TOKEN_EXPIRED if refused.reason is RefusalReason.EXPIRED else TOKEN_INVALID
            ) from refused

    async def _find(self, digest: bytes, subject: Subject | None) -> tuple[Actor, bool]:
        """The actor, and whether the device is revoked."""
        if subject:
            return await find_subject(self._database, subject), False
        token = await self._find_token(digest)
        if token is None:
            raise SignInRefused(TOKEN_INVALID)
        whose = token.team_id, token.staff_id, token.device_id
        if token.replaced:
            raise SignInRefused(TOKEN_INVALID, *whose)
        if token.disabled and not token.device_revoked:
            raise SignInRefused(ACCOUNT_DISABLED, *whose)
        unused_for = datetime.now(UTC) - token.last_used_at
        if unused_for > self._idle:
            raise SignInRefused(TOKEN_EXPIRED, *whose)
        if token.unused or unused_for > TOUCH_AFTER:
            await self._touch(token.team_id, digest, first=token.unused)
        return token.actor(send_only=token.send_only), token.device_revoked

    async def _find_token(self, digest: bytes) -> _Token | None:
        async with self._database.any_team() as connection:
            return await _AUTHENTICATE.fetch_first(connection, token_hash=digest)

    async def _touch(self, team_id: UUID, digest: bytes, *, first: bool) -> None:
        if digest in self._touching:
            return  # one of many requests at once writes it down
        self._touching.add(digest)
        try:
            if first:  # the tokens that this one replaces end, whatever backup is restored
                await self._journal.add(TokenReplaced(at=datetime.now(UTC), team_id=team_id, hash=digest.hex()))
            async with self._database.team(team_id) as connection:
                await _TOUCH_TOKEN.execute(connection, token_hash=digest)
        finally:
            self._touching.discard(digest)


def _digest(token: str, subject: Subject | None) -> bytes:
    """The key under which a sign-in is remembered."""
    return token_hash(f"{subject.issuer} {subject.subject}") if subject else token_hash(token)


async def find_subject(database: Database, subject: Subject) -> Actor:
    """The account of an issuer's subject. Raises SignInRefused: unknown or disabled."""
    async with database.no_team() as connection:
        account = await _AUTHENTICATE_SUBJECT.fetch_first(connection, issuer=subject.issuer, subject=subject.subject)
    if account is None:
        raise SignInRefused(TOKEN_INVALID)
    if account.disabled:
        raise SignInRefused(ACCOUNT_DISABLED, account.team_id, account.staff_id)
    return account.actor()


async def find_account(database: Database, team_id: UUID, staff_id: UUID) -> Actor | None:
    """The account as it stands now; None once it is disabled."""
    async with database.team(team_id) as connection:
        account = await _ACCOUNT.fetch_first(connection, team_id=team_id, staff_id=staff_id)
    return account.actor() if account else None

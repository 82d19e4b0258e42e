"""An actor is whoever a token stands for: a member of staff on a device, or a partner organisation."""

from hashlib import sha256
from secrets import token_urlsafe
from typing import Final, Literal
from uuid import UUID

from msgspec import Struct

from triage.problems import BUSY, FORBIDDEN, Refused

Side = Literal["police", "health"]
Level = Literal["field", "lead", "office"]

PROFESSIONS: Final = {"police": "Police", "nurse": "Nurse", "paramedic": "Paramedic"}
"""Who may work on the car, in the order in which they are listed."""


def side_of(profession: str) -> Side:
    """The side to which a profession belongs."""
    return "police" if profession == "police" else "health"


class Actor(Struct, kw_only=True, frozen=True):
    """Staff or partner, with the role's verbs. `stamp` moves on when role or standing change.

    `send_only`: the token hands over what a phone holds, and is good for nothing else.
    """

    team_id: UUID
    role: str
    level: Level
    verbs: frozenset[str]
    staff_id: UUID | None = None
    partner_id: UUID | None = None
    device_id: UUID | None = None
    profession: str | None = None
    side: Side | None = None
    stamp: int = 0
    send_only: bool = False

    @property
    def account(self) -> UUID:
        """The staff or partner id: who stands in logs."""
        account = self.staff_id or self.partner_id
        assert account, "an actor is staff or partner"
        return account

    def require(self, verb: str) -> None:
        """Raises Refused (403) without the verb."""
        if verb not in self.verbs:
            raise Refused(FORBIDDEN)

    def reviewed_side(self) -> Side:
        """The side whose quarantine the actor decides on. Raises Refused (403) for whoever decides on none."""
        if self.side is None or f"quarantine.{self.side}" not in self.verbs:
            raise Refused(FORBIDDEN)
        return self.side


class StaleActor(Refused):
    """An actor's remembered rights no longer hold: it is to sign in afresh; where nobody sees to that, to retry."""

    def __init__(self) -> None:
        super().__init__(BUSY, retry_after=1)


def new_token() -> str:
    """256 random bits; shown once, stored only as `token_hash`."""
    return token_urlsafe(32)


def token_hash(token: str) -> bytes:
    """The digest under which a token is stored: 256 random bits need no slow hash, and its look-up has no timing."""
    return sha256(token.encode()).digest()

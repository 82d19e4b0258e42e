"""Attempts counted in all processes together, so that nobody guesses codes or floods a route."""

from datetime import timedelta
from hashlib import sha256
from typing import Final, NamedTuple

from triage.problems import RATE_LIMITED, Refused
from triage.store.database import Database
from triage.store.statements import statement


class _Attempts(NamedTuple):
    n: int
    seconds_left: int


WINDOW: Final = timedelta(hours=1)

_COUNT = statement("attempts.count", _Attempts)
_FORGET = statement("attempts.forget")


async def count_attempt(database: Database, what: str, who: bytes, most: int) -> None:
    """Count an attempt. Raises Refused (429) past `most` in an hour, in all processes together.

    `who` is already a keyed or plain digest: no address or name is stored.
    """
    bucket = sha256(what.encode() + b"\0" + who).digest()
    async with database.no_team() as connection:
        attempts = await _COUNT.fetch_one(connection, bucket=bucket, span=WINDOW)
    if attempts.n > most:
        raise Refused(RATE_LIMITED, retry_after=attempts.seconds_left)


async def forget_attempts(database: Database) -> None:
    """Let closed windows go."""
    async with database.no_team() as connection:
        await _FORGET.execute(connection)

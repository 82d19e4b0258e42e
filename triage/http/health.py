"""Whether the process lives, and whether it can serve."""

import asyncpg
from msgspec import Struct

from triage.http.asked import Asked
from triage.http.messages import Answer, in_json
from triage.migrate import MigrationError, pending
from triage.problems import NOT_READY, Refused
from triage.resources import folder
from triage.store.database import UNREACHABLE


class Health(Struct, frozen=True):
    """`ok`, or why not."""

    status: str


async def live(asked: Asked) -> Answer:
    """The process answers."""
    return in_json(Health("ok"))


async def ready(asked: Asked) -> Answer:
    """The database answers and has every migration. Raises Refused (503) while migrating, or when it is broken."""
    try:
        async with asked.service.database.no_team() as connection:
            waiting = await pending(connection, folder("sql") / "migrations")
    except (*UNREACHABLE, asyncpg.PostgresError) as error:
        raise Refused(NOT_READY, "The database does not answer.", retry_after=5) from error
    except MigrationError as error:
        raise Refused(NOT_READY, "The database does not fit this program.", retry_after=60) from error
    if waiting:
        raise Refused(NOT_READY, "The database is being migrated.", retry_after=5)
    return in_json(Health("ok"))

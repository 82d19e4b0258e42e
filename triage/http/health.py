"""Whether the process lives, and whether it can serve."""

import asyncpg
from litestar import Router, get
from msgspec import Struct

from triage.http.parameters import TheService
from triage.migrate import MigrationError, pending
from triage.problems import NOT_READY, Refused
from triage.resources import folder
from triage.store.database import UNREACHABLE


class Health(Struct, frozen=True):
    """`ok`, or why not."""

    status: str


@get("/live", response_description="It does.")
async def live() -> Health:
    """Does the process live."""
    return Health("ok")


@get("/ready", response_description="It can.", problems=[NOT_READY])
async def ready(service: TheService) -> Health:
    """Can the process serve: does the database answer and take a row, is it migrated, and is nothing to be adopted."""
    try:
        synchronous = await service.database.try_write()
        async with service.database.no_team() as connection:
            waiting = await pending(connection, folder("sql") / "migrations")
    except asyncpg.DiskFullError as error:
        raise Refused(NOT_READY, "The disk of the database is full.", retry_after=30) from error
    except (*UNREACHABLE, asyncpg.PostgresError) as error:
        raise Refused(NOT_READY, "The database does not answer.", retry_after=5) from error
    except MigrationError as error:
        raise Refused(NOT_READY, "The database does not fit this program.", retry_after=60) from error
    if waiting:
        raise Refused(NOT_READY, "The database is being migrated.", retry_after=5)
    if service.history.forked:
        raise Refused(NOT_READY, "The database is older than the journal: run `triage adopt`.", retry_after=30)
    if service.settings.require_synchronous and not synchronous:
        raise Refused(NOT_READY, "The database is not replicated synchronously.", retry_after=30)
    return Health("ok")


router = Router(
    "/health",
    route_handlers=[live, ready],
    tags=["Operations"],
    security=[{}],
    opt={"sign_in": "nobody", "forms": (), "any_query": True, "any_history": True},
    response_headers={"cache-control": "no-store"},
)

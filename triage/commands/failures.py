"""How commands fail: one line that says what is wrong and what to do, whatever happened. The one place for it."""

import errno
import os
import traceback

import asyncpg

from triage.errors import OperatorError
from triage.problems import NOT_FOUND, Refused
from triage.store.database import UNREACHABLE

_LOGIN = (asyncpg.InvalidPasswordError, asyncpg.InvalidAuthorizationSpecificationError)
_MISSING = (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError, asyncpg.UndefinedFunctionError)


def describe(error: BaseException) -> str:
    """The line to print. A message of PostgreSQL is left out: it may quote a row that holds a note or an identifier."""
    match innermost(error):
        case OperatorError() as known:
            return str(known)
        case Refused() as refused:
            missing = refused.problem.code == NOT_FOUND.code
            return "there is no such record in this team" if missing else refused.problem.title
        case asyncpg.InvalidCatalogNameError():
            return "the server has no database of this name: create it, or check the name at the end of the address"
        case error if isinstance(error, _LOGIN):
            return "the server refuses the login: check user and password in the database's address, and pg_hba.conf"
        case error if isinstance(error, _MISSING):
            return "the database is not as this program needs it: run `triage migrate`"
        case asyncpg.InsufficientPrivilegeError():
            return (
                "the login may not do this: commands that set up or destroy take TRIAGE_OWNER_DATABASE_URL; "
                "`triage check` says which grant is missing"
            )
        case OSError(filename=str() as path, strerror=reason):
            return f"{path}: {reason}"
        case OSError(errno=errno.ENOSPC) | asyncpg.DiskFullError():
            return "no room is left where this writes: the disk, the database's disk, or what the output goes to"
        case error if isinstance(error, UNREACHABLE):
            return f"the database cannot be reached ({_kind(error)}): check its address, and that the server runs"
        case error:
            return _unexpected(error)


def innermost(error: BaseException) -> BaseException:
    """The first error of a group, which is what went wrong first."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _unexpected(error: BaseException) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    if os.environ.get("TRIAGE_LOG_LEVEL") == "debug":
        traceback.print_exception(error)
    return (
        f"something unexpected: {_kind(error)} at {frame.filename}:{frame.lineno}; "
        "TRIAGE_LOG_LEVEL=debug shows all of it, which may hold personal data"
    )


def _kind(error: BaseException) -> str:
    return type(error).__qualname__

"""Kinds of parameters that several addresses take.

Limits stand in the `QueryParameter`: Litestar passes over a `msgspec.Meta` on a parameter without a word.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request
from litestar.di import NamedDependency
from litestar.params import PathParameter, QueryParameter
from litestar.types import Scope, TypeDecodersSequence

from triage.access.actors import Actor
from triage.log.body_errors import LATEST
from triage.log.entries import EARLIEST_CLOCK, ClockTime, Time
from triage.problems import INVALID_PARAMETER, Refused
from triage.service import Service

SignedIn = Request[Actor, bool, Any]
"""A request with its actor as `user`; `auth` says whether the device is revoked."""
AnyRequest = Request[Any, Any, Any]
TheService = NamedDependency[Service]
Id = Annotated[UUID, PathParameter(description="The id.")]
Limit = Annotated[int, QueryParameter(ge=1, le=200, description="Rows on a page; 50 if not given.")]
After = Annotated[str | None, QueryParameter(description="Where the page begins, from the `Link` of the page before.")]
EditionNumber = Annotated[
    int | None, QueryParameter(ge=1, le=100_000, description="An edition; the latest if not given.")
]


def sent_header(scope: Scope, name: bytes) -> str:
    """The header of this name, in lower case; several are joined, none is empty (RFC 9110, 5.3).

    A tenth of what Litestar's `headers` take, which copy all of them first.
    """
    return b", ".join([value for sent, value in scope["headers"] if sent == name]).decode("latin-1")


def weighted(header: str) -> Iterator[tuple[str, float]]:
    """What a header such as `Accept` names, in lower case, each with its weight (RFC 9110, 12.4.2); one that cannot be
    read is 0."""
    for part in header.lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        yield name, _weight(next((parameter[2:] for parameter in parameters if parameter.startswith("q=")), "1"))


def _weight(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


class Moment(datetime):
    """A time with an offset, in the years 2000 to 2100, as a parameter."""

    @classmethod
    def read(cls, _: type, text: str) -> "Moment":
        """Raises ValueError, which is a 400 of the parameter. A plus sign may stand unescaped, as a blank."""
        moment = msgspec.convert(text.replace(" ", "+"), Time)
        if not 2000 <= moment.year <= 2100:
            raise ValueError("outside the years 2000 to 2100")
        return cls.fromtimestamp(moment.timestamp(), moment.tzinfo)


def phone_clock(scope: Scope) -> datetime | None:
    """The time in `Triage-Sent-At`; None without it. Raises Refused (400) for anything else in it."""
    sent = [value for name, value in scope["headers"] if name == b"triage-sent-at"]
    if not sent:
        return None
    try:
        shown = msgspec.convert(b", ".join(sent).decode("latin-1"), ClockTime)
        if not EARLIEST_CLOCK <= shown < LATEST:
            raise ValueError("outside the years 1970 to 2100")
        return shown
    except (ValueError, msgspec.ValidationError) as fault:
        raise Refused(INVALID_PARAMETER, "Triage-Sent-At cannot be read.") from fault


TYPE_DECODERS: TypeDecodersSequence = [(lambda kind: kind is Moment, Moment.read)]

"""The one team of the tests: who works in it, and how somebody's entry comes in."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from triage.access.actors import Actor, side_of
from triage.log.append_decision import IncomingEntry
from triage.log.canonical import canonical
from triage.log.entries import AnyEntry
from triage.terms import Terms

Json = dict[str, Any]
Clone = Callable[[str], AbstractAsyncContextManager[str]]
"""Makes a database as the template of this name, and drops it."""

BEDFORDSHIRE = Terms()
"""The terms under which the team works."""


class CastMember(NamedTuple):
    """A role, and the profession it is held in."""

    role: str
    profession: str | None


CAST = {
    "officer": CastMember("officer", "police"),
    "other_officer": CastMember("officer", "police"),
    "nurse": CastMember("nurse", "nurse"),
    "other_nurse": CastMember("nurse", "nurse"),
    "paramedic": CastMember("paramedic", "paramedic"),
    "sergeant": CastMember("sergeant", "police"),
    "clinical_lead": CastMember("clinical_lead", "nurse"),
    "auditor": CastMember("auditor", None),
    "admin": CastMember("admin", None),
}


def actor(team_id: UUID, role: str, profession: str, staff_id: UUID, device_id: UUID) -> Actor:
    """Somebody of the field or a lead, on a phone."""
    return Actor(
        team_id=team_id,
        role=role,
        level="lead" if role in ("sergeant", "clinical_lead") else "field",
        verbs=frozenset(),
        staff_id=staff_id,
        device_id=device_id,
        profession=profession,
        side=side_of(profession),
        stamp=1,
    )


def incoming(entry: AnyEntry, sender: Actor, received_at: datetime, skew_ms: int | None = None) -> IncomingEntry:
    """An entry as the service takes it in."""
    assert entry.id
    return IncomingEntry(
        id=entry.id, entry=entry, content=canonical(entry), actor=sender, skew_ms=skew_ms, received_at=received_at
    )

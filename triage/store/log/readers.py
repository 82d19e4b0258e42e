"""Who reads which rows of incidents, and what of them: decided for a role, and passed to statements and redaction."""

from datetime import datetime
from typing import Any

from triage.access.actors import Actor
from triage.log.view import Audience
from triage.problems import NOT_FOUND, Refused


def audience_code(actor: Actor) -> str:
    """How SQL decides which rows the actor reads."""
    if actor.side == "police":
        return "police"
    return "clinical_lead" if actor.level == "lead" else str(actor.profession)


def audience_of(actor: Actor) -> Audience:
    """How fields are decided for the actor. Raises Refused (404) for one who sees no incidents."""
    if actor.side is None or actor.level == "office":
        raise Refused(NOT_FOUND)
    return Audience(actor.side, actor.level, actor.staff_id, actor.profession or "")


def as_reader(actor: Actor, now: datetime) -> dict[str, Any]:
    """The values by which statements decide which rows the actor reads."""
    return {
        "team_id": actor.team_id,
        "audience": audience_code(actor),
        "account": actor.staff_id,
        "lead": actor.level == "lead",
        "now": now,
    }

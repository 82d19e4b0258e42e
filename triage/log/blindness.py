"""Who may not know of an intent yet, and whose judgement was blind.

A judgement is blind only where none of the incident ids that the incident consists of now had been served with the
intent, to her account, her device or another device of her phone, before the service first held it. What was served
decides, never what is inferred from what holds now.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from msgspec import structs

from triage.log.effective import SortedEntries
from triage.log.entries import Amendment, StoredEntry
from triage.log.grading_inputs import JUDGED_BY
from triage.log.timeline import dated_outcomes, first_disposal
from triage.log.view import Audience

UNJUDGED_FOR = timedelta(hours=24)
"""How long after the incident's first entry was received its clinical lead waits for a nurse's judgement."""


class ServedIntent(NamedTuple):
    """That an intent of the incident was served to an account on a device, first at this instant.

    What a device sent counts as served to it. One row for every device of the phone.
    """

    incident_id: UUID
    staff_id: UUID
    device_id: UUID | None
    at: datetime


def is_blind(audience: Audience, judged_by: Sequence[UUID], unblinded_at: datetime | None, now: datetime) -> bool:
    """Whether a health audience may not know of any intent yet.

    A nurse until she has judged, a paramedic until some nurse has, the clinical lead until then or `unblinded_at`.
    """
    if audience.side == "police":
        return False
    if audience.level == "lead":
        return not judged_by and (unblinded_at is None or now < unblinded_at)
    if audience.profession == "paramedic":
        return not judged_by
    return audience.account not in judged_by


def lead_unblinded_at(entries: SortedEntries) -> datetime | None:
    """From when a judgement can no longer corroborate: 30 minutes after the first disposal, or 24 hours after the
    incident's first entry was received. None without entries."""
    if not entries.stored:
        return None
    waits_until = min(entry.received_at for entry in entries.stored) + UNJUDGED_FOR
    first = first_disposal(dated_outcomes(entries))
    return min(waits_until, first.at + JUDGED_BY) if first and first.at else waits_until


def holds_judgement(stored: StoredEntry) -> bool:
    """Whether the entry holds a nurse's judgement of s136."""
    content = stored.entry.entry if isinstance(stored.entry, Amendment) else stored.entry
    return getattr(content, "s136_justified", None) is not None


def holds_intent(stored: StoredEntry) -> bool:
    """Whether the entry tells of an intent: whoever sent it knows of it."""
    content = stored.entry.entry if isinstance(stored.entry, Amendment) else stored.entry
    return getattr(content, "intent", None) is not None


def with_blindness(entries: Sequence[StoredEntry], served: Iterable[ServedIntent]) -> list[StoredEntry]:
    """The entries of one incident, each judgement marked as blind or not by what was served of the incident before.

    `served` are the rows of every incident id that the incident consists of.
    """
    rows = list(served)
    return [
        structs.replace(entry, blind=_is_blind(entry, rows)) if holds_judgement(entry) else entry for entry in entries
    ]


def _is_blind(judgement: StoredEntry, served: Sequence[ServedIntent]) -> bool:
    return not any(
        row.at < judgement.received_at
        and (row.staff_id == judgement.author or (row.device_id is not None and row.device_id == judgement.device))
        for row in served
    )

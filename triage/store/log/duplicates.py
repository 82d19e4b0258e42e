"""Likely duplicates: suggested on both sides as a flag, never merged by the machine.

Judged by what everybody may see, so that the suggestion tells nobody of an intent.
"""

import re
from collections.abc import Sequence, Set
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from triage import codes
from triage.log import links
from triage.log.append_decision import DUPLICATES_SHOWN, LINKS, Addition, Snapshot
from triage.log.incidents_after import IncidentAfter
from triage.store.database import Connection
from triage.store.statements import statement

SAME_LOG_WITHIN: Final = timedelta(hours=24)
NEAR_WITHIN: Final = timedelta(minutes=30)
_IGNORED: Final = re.compile("[\\s\\-\u2010-\u2015]")
_NOBODY: frozenset[UUID] = frozenset()


class Likeness(NamedTuple):
    """The values by which two incidents are compared."""

    log_ref: str | None
    occurred_at: datetime
    area: str
    age_band: str | None
    sex: str | None


class _Candidate(NamedTuple):
    """An incident that may be the `n`th asked for."""

    n: int
    id: UUID
    log_ref: str | None
    occurred_at: datetime
    area: str
    age_band: str | None
    sex: str | None
    apart: list[UUID]


_ALIKE = statement("log.alike", _Candidate)


class Suggestion(NamedTuple):
    """`id` gets, or loses, the suggestion that `other` is the same incident."""

    id: UUID
    other: UUID
    joins: bool


async def changes(
    connection: Connection, team_id: UUID, read: Snapshot, groups: Sequence[IncidentAfter], added: Sequence[Addition]
) -> list[Suggestion]:
    """Which suggestions this append makes and takes back, on both sides; each group gets its own."""
    linked = {addition.stored.entry.incident_id for addition in added if isinstance(addition.stored.entry, LINKS)}
    looking = [group for group in groups if _may_differ(group, read, linked)]
    if not looking:
        return []
    likely = await _find(connection, team_id, looking)
    one_side = []
    for group in looking:
        group.duplicates = tuple(dict.fromkeys(likely.get(group.root, ())))[:DUPLICATES_SHOWN]
        for i in group.ids:
            row = read.rows.get((i, False))
            before = set(row.duplicates) if row else set()
            now = set(group.duplicates) if i == group.root else set()
            one_side += [Suggestion(i, other, True) for other in now - before]
            one_side += [Suggestion(i, other, False) for other in before - now]
    return list(dict.fromkeys(one_side + [Suggestion(c.other, c.id, c.joins) for c in one_side]))


async def _find(connection: Connection, team_id: UUID, looking: Sequence[IncidentAfter]) -> dict[UUID, list[UUID]]:
    asking = [(group, of) for group in looking if (of := likeness(group)) is not None]
    likely: dict[UUID, list[UUID]] = {}
    if not asking:
        return likely
    known = {group.root for group in looking}
    rows = await _ALIKE.fetch(
        connection,
        team_id=team_id,
        roots=[group.root for group, _ in asking],
        log_refs=[of.log_ref for _, of in asking],
        occurred=[of.occurred_at for _, of in asking],
        areas=[of.area for _, of in asking],
    )
    for row in rows:
        group, of = asking[row.n - 1]
        other = Likeness(row.log_ref, row.occurred_at, row.area, row.age_band, row.sex)
        apart = row.id in declared_apart(group) or not set(group.ids).isdisjoint(row.apart)
        # what this very append changes is compared as it will be, not as it is stored
        if row.id not in known and not apart and alike(of, other):
            likely.setdefault(group.root, []).append(row.id)
    asking.sort(key=lambda pair: pair[1].occurred_at)
    for n, (first, of_first) in enumerate(asking):
        for second, of_second in asking[n + 1 :]:
            if of_second.occurred_at - of_first.occurred_at > SAME_LOG_WITHIN:
                break
            if alike(of_first, of_second) and not _parted(first, second):
                likely.setdefault(first.root, []).append(second.root)
                likely.setdefault(second.root, []).append(first.root)
    return likely


def likeness(group: IncidentAfter) -> Likeness | None:
    """The values by which the incident is compared; None for training, and without a contact that everybody sees."""
    incident = group.blind_columns
    if incident is None or not incident.entries.contacts or incident.training or incident.status == "withdrawn":
        return None
    seen = incident.outline
    return Likeness(seen.log_ref, incident.happened_at, seen.area, seen.age_band, seen.sex)


def alike(first: Likeness, second: Likeness) -> bool:
    """The same log reference on the day, or near in time and area with compatible age and sex."""
    between = abs(first.occurred_at - second.occurred_at)
    if _same_ref(first.log_ref, second.log_ref) and between <= SAME_LOG_WITHIN:
        return True
    return (
        first.area == second.area
        and first.area != "unknown"
        and between <= NEAR_WITHIN
        and _compatible("age_band", first.age_band, second.age_band)
        and _compatible("sex", first.sex, second.sex)
    )


def _same_ref(first: str | None, second: str | None) -> bool:
    """Case, blanks and dashes do not matter, as in the database's `plain_ref`."""
    plain = [_IGNORED.sub("", ref or "").lower() for ref in (first, second)]
    return plain[0] == plain[1] != ""


def _compatible(name: str, first: str | None, second: str | None) -> bool:
    return first == second or codes.is_missing(name, first) or codes.is_missing(name, second)


def declared_apart(group: IncidentAfter) -> frozenset[UUID]:
    """The incident ids that somebody declared to be another incident, in force."""
    statements = [held for held in group.entries if isinstance(held.entry, LINKS)]
    return links.declared_apart(statements).difference(group.ids) if statements else _NOBODY


def _parted(first: IncidentAfter, second: IncidentAfter) -> bool:
    return not (declared_apart(first).isdisjoint(second.ids) and declared_apart(second).isdisjoint(first.ids))


def _may_differ(group: IncidentAfter, read: Snapshot, linked: Set[UUID]) -> bool:
    """Whether what likely duplicates are judged by has changed. `linked`: where the new links and withdrawals are."""
    if not (group.grown or group.moved):
        return False
    if not linked.isdisjoint(group.ids):
        return True
    row = read.rows.get((group.root, True))
    before = row and Likeness(row.log_ref, row.occurred_at, row.area, row.age_band, row.sex)
    return before != likeness(group)

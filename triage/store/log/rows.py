"""Rows of the log and of incidents for one statement, which takes them as JSON.

Forty arrays would say the same, but asyncpg asks each of their elements whether it is an array itself: that alone took
longer than PostgreSQL needs to read the JSON.
"""

import os
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct, structs

from triage import chain
from triage.access.actors import Side
from triage.log import links
from triage.log.append_decision import CHANGED_FOR, LINKS, OPEN_FOR, Addition, IncidentBefore, Snapshot
from triage.log.audience_changes import readers_told_nothing
from triage.log.effective import kind, named, sort_entries
from triage.log.entries import Amendment, Withdrawal
from triage.log.incident import Incident, changes_at, repeat_changes_at
from triage.log.incidents_after import IncidentAfter, abandoned_ids, related_before
from triage.log.redaction import BLIND, redact, visible_events
from triage.log.timeline import first_disposal
from triage.log.visibility import Sight
from triage.people.encryption import encrypt
from triage.store.log import duplicates

_encode = msgspec.json.encode
POSSIBLE_DUPLICATE: Final = "possible_duplicate"
TARGET_NOT_HELD: Final = "target_not_held"
GRADES_SETTLE_AFTER: Final = timedelta(hours=24)


class EntryInsert(chain.Envelope, frozen=True, gc=False):
    """A new row of `entry`, named by its columns. Bytes are written as PostgreSQL reads them (`\\x…`)."""

    body: str
    sealed: str | None
    sealed_digest: str | None
    key_ref: UUID | None
    salt: str
    link: str
    names: UUID | None
    belongs_to: UUID
    alias: UUID | None
    test: bool
    received_again: bool


class IncidentUpsert(Struct, frozen=True, gc=False):
    """A row of `incident`, named by its columns."""

    team_id: UUID
    id: UUID
    blind: bool
    root: UUID
    ids: Sequence[UUID]
    family: UUID | None
    seq: int
    status: str
    occurred_at: datetime
    changed_at: datetime
    scope_until: datetime
    turns: Sequence[datetime]
    lead_turns: Sequence[datetime]
    turns_last: datetime | None
    lead_unblinded_at: datetime | None
    area: str
    log_ref: str | None
    age_band: str | None
    sex: str | None
    contact: bool
    counts: bool
    test: bool
    restricted: bool
    flags: Sequence[str]
    judged_by: Sequence[UUID]
    duplicates: Sequence[UUID]
    apart: Sequence[UUID]
    people: Sequence[UUID]
    related: str


class HeldPosition(Struct, frozen=True, gc=False):
    """A row of `audience_position`."""

    team_id: UUID
    incident_id: UUID
    side: Side
    lead: bool
    seq: int
    scope_until: datetime
    row_seq: int


def entry_rows(team_id: UUID, read: Snapshot, added: Sequence[Addition]) -> tuple[list[EntryInsert], bytes]:
    """The new entries, chained, and the link of the last."""
    link = read.link
    rows = []
    for addition in added:
        envelope, sealed = _envelope(team_id, addition), _sealed(team_id, addition)
        salt, digest = os.urandom(chain.SALT_BYTES), None if sealed is None else chain.digest(sealed)
        link = chain.extend(link, chain.entry_payload(envelope, salt, addition.item.content.body, digest))
        rows.append(_entry_row(addition, envelope, sealed, digest, salt, link))
    return rows, link


def _sealed(team_id: UUID, addition: Addition) -> bytes | None:
    item = addition.item
    if item.content.secrets is None:
        return None
    assert item.data_key
    return encrypt(item.data_key.key, item.content.secrets, team_id.bytes + addition.stored.id.bytes)


def _envelope(team_id: UUID, addition: Addition) -> chain.Envelope:
    held = addition.stored
    return chain.Envelope(
        team_id=team_id,
        seq=held.seq,
        id=held.id,
        incident_id=addition.item.entry.incident_id,
        kind=kind(held.entry),
        author=held.author,
        profession=held.profession,
        role=held.role,
        device=held.device,
        received_at=held.received_at,
        skew_ms=held.skew_ms,
        blind=held.blind,
        released_by=held.released_by,
        notices=_encode(addition.notices).decode() if addition.notices else "[]",
    )


def _entry_row(
    addition: Addition, envelope: chain.Envelope, sealed: bytes | None, digest: bytes | None, salt: bytes, link: bytes
) -> EntryInsert:
    held, item = addition.stored, addition.item
    return EntryInsert(
        **structs.asdict(envelope),
        body=_bytes(item.content.body),
        sealed=_bytes(sealed) if sealed else None,
        sealed_digest=_bytes(digest) if digest else None,
        key_ref=item.data_key.ref if sealed and item.data_key else None,
        salt=_bytes(salt),
        link=_bytes(link),
        names=named(item.entry),
        belongs_to=held.entry.incident_id,
        alias=getattr(item.entry, "person_id", None),
        test=bool(item.entry.test),
        received_again=held.received_again,
    )


def incident_rows(
    team_id: UUID, read: Snapshot, groups: Sequence[IncidentAfter], added: Sequence[Addition]
) -> list[IncidentUpsert]:
    """The changed rows of incidents, for those who see all and for the blind.

    What a blind health device sees keeps its place in the log when only something hidden was added.
    """
    head = added[-1].stored.seq
    rows: list[IncidentUpsert] = []
    for group in groups:
        row = read.rows.get((group.root, False))
        regraded = row is not None and row.related != _related(group)
        if group.grown or group.moved or regraded:
            blind_moves = group.moved or _is_changed_for_blind(row, regraded, group, read)
            full_seq, blind_seq = (head if moves else None for moves in (group.moved or regraded, blind_moves))
            own = _both(team_id, group, read, full_seq, blind_seq)
            rows += own
            if group.moved:
                rows += [_absorbed(upsert, i) for i in group.ids if i != group.root for upsert in own]
    return rows + _emptied(team_id, read, groups, head, added[-1].stored.received_at)


def refolded_rows(team_id: UUID, read: Snapshot, groups: Sequence[IncidentAfter]) -> list[IncidentUpsert]:
    """The rows of incidents as they are now, where they stand in the log."""
    upserts: list[IncidentUpsert] = []
    for group in groups:
        full = read.rows[group.root, False]
        blind = read.rows.get((group.root, True), full)
        upserts += _both(team_id, group, read, full.seq, blind.seq)
    return upserts


def held_positions(
    team_id: UUID, read: Snapshot, groups: Sequence[IncidentAfter], upserts: Sequence[IncidentUpsert]
) -> list[HeldPosition]:
    """Where incidents of these rows still stand for readers from whom all that changed is hidden."""
    group_of = {group.root: group for group in groups}
    return [
        HeldPosition(
            team_id, row.id, readers.side, readers.lead, before.seq, _scope_before(group_of[row.id], before), row.seq
        )
        for row in upserts
        if not row.blind and row.id in group_of and (before := read.rows.get((row.id, False)))
        for readers in readers_told_nothing(group_of[row.id], read)
    ]


def _scope_before(group: IncidentAfter, before: IncidentBefore) -> datetime:
    changed_at = max(stored.received_at for stored in group.entries if stored.seq <= before.seq)
    return _scope_until(group.full, changed_at)


def _scope_until(incident: Incident, changed_at: datetime) -> datetime:
    if incident.status in ("open", "awaiting_outcome"):
        return max(changed_at + CHANGED_FOR, incident.happened_at + OPEN_FOR)
    return changed_at + CHANGED_FOR


def _emptied(
    team_id: UUID, read: Snapshot, groups: Sequence[IncidentAfter], head: int, at: datetime
) -> list[IncidentUpsert]:
    """Rows of what `abandoned_ids` finds and the rows do not say yet: nobody sees them."""
    gone = set(abandoned_ids(read, groups))
    if not gone:
        return []
    family_of = links.families(held for group in groups for held in group.entries if isinstance(held.entry, LINKS))
    families = {i: _if_other(family_of.get(i), i) for i in gone}
    return [
        _empty_row(team_id, i, blind, families[i], head, at)
        for (i, blind), row in read.rows.items()
        if i in gone and (row.status, row.family) != ("withdrawn", families[i])
    ]


def _empty_row(
    team_id: UUID, incident_id: UUID, blind: bool, family: UUID | None, seq: int, at: datetime
) -> IncidentUpsert:
    """The row of an incident of which nothing is seen any more: phones let it go."""
    return IncidentUpsert(
        team_id=team_id,
        id=incident_id,
        blind=blind,
        root=incident_id,
        ids=(),
        family=family,
        seq=seq,
        status="withdrawn",
        occurred_at=at,
        changed_at=at,
        scope_until=at,
        turns=(),
        lead_turns=(),
        turns_last=None,
        lead_unblinded_at=None,
        area="unknown",
        log_ref=None,
        age_band=None,
        sex=None,
        contact=False,
        counts=False,
        test=False,
        restricted=False,
        flags=(),
        judged_by=(),
        duplicates=(),
        apart=(),
        people=(),
        related=_bytes(b"[]"),
    )


def _if_other(family: UUID | None, incident_id: UUID) -> UUID | None:
    return None if family == incident_id else family


def _is_changed_for_blind(row: IncidentBefore | None, regraded: bool, group: IncidentAfter, read: Snapshot) -> bool:
    """Whether the blind see something else than before: also what a change that they do not see takes away."""
    if row is not None and regraded and _is_regraded_for_blind(row, group):
        return True
    if not any(isinstance(stored.entry, Amendment | Withdrawal) for stored in group.entries if stored.seq > read.seq):
        return False
    return redact([stored for stored in group.entries if stored.seq <= read.seq], BLIND) != group.visible


def _is_regraded_for_blind(before: IncidentBefore, group: IncidentAfter) -> bool:
    """Whether what other incidents contribute has changed for health as well."""
    told = visible_events(related_before(before), BLIND)
    return list(told) != list(visible_events(group.related, BLIND))


def _both(
    team_id: UUID, group: IncidentAfter, read: Snapshot, full_seq: int | None, blind_seq: int | None
) -> list[IncidentUpsert]:
    """The rows of an incident at these positions; None: where each last changed, left alone if that was before this
    append."""
    suggested, apart = _duplicates_before(group, read), tuple(duplicates.declared_apart(group))
    shared = (suggested, apart, _related(group), repeat_changes_at(group.full))
    rows = []
    for blind, incident, entries, seq in (
        (False, group.full, group.full.entries.stored, full_seq),
        (True, group.blind_columns, group.visible, blind_seq),
    ):
        if incident and (seq or entries[-1].seq > read.seq):
            newest = entries[-1]
            rows.append(_row(team_id, group, incident, blind, seq or newest.seq, newest.received_at, *shared))
        elif seq and not incident and (group.root, blind) in read.rows:
            family = _if_other(group.family, group.root)
            rows.append(_empty_row(team_id, group.root, blind, family, seq, group.entries[-1].received_at))
    return rows


def _row(
    team_id: UUID,
    group: IncidentAfter,
    incident: Incident,
    blind: bool,
    seq: int,
    changed_at: datetime,
    suggested: Sequence[UUID],
    apart: Sequence[UUID],
    related: bytes,
    repeats: set[datetime],
) -> IncidentUpsert:
    in_field = changes_at(incident, grades=False) | repeats
    for_lead = changes_at(incident, grades=not blind) | {*repeats, *_settled(incident, group.full.lead_unblinded_at)}
    outline = incident.outline
    flags = [*incident.flags, *incident.conflicts, *_unseen(group, blind, incident.flags)]
    flags += [POSSIBLE_DUPLICATE] if suggested else []
    return IncidentUpsert(
        team_id,
        group.root,
        blind,
        group.root,
        group.ids if len(group.ids) > 1 else (),
        _if_other(group.family, group.root),
        seq,
        incident.status,
        incident.happened_at,
        changed_at,
        _scope_until(incident, changed_at),
        sorted(in_field),
        sorted(for_lead),
        max(for_lead, default=None),
        group.full.lead_unblinded_at,
        outline.area,
        outline.log_ref,
        outline.age_band,
        outline.sex,
        bool(incident.entries.contacts),
        incident.counts,
        incident.training,
        incident.restricted,
        flags,
        incident.judged_by,
        suggested,
        apart,
        incident.people,
        _bytes(related),
    )


def _settled(incident: Incident, unblinded_at: datetime | None) -> Iterator[datetime]:
    """When a grade leaves P, a day after the first disposal: always in the blind row, so that it tells of no intent."""
    first = first_disposal(incident.outcomes)
    if first and first.at:
        yield first.at + GRADES_SETTLE_AFTER
    if unblinded_at:
        yield unblinded_at


def _unseen(group: IncidentAfter, blind: bool, flags: Sequence[str]) -> Iterator[str]:
    """Marks of the sides that do not see what names something that is not held: it puts nothing on their lists."""
    if TARGET_NOT_HELD in flags:
        for sight in (Sight("police", False), Sight("health", blind)):
            if not sort_entries(redact(group.entries, sight)).pending:
                yield f"{TARGET_NOT_HELD}:unseen_by_{sight.side}"


def _absorbed(row: IncidentUpsert, incident_id: UUID) -> IncidentUpsert:
    return structs.replace(row, id=incident_id, family=_if_other(row.family or row.id, incident_id), status="absorbed")


def _related(group: IncidentAfter) -> bytes:
    return _encode(group.related) if group.related else b"[]"


def _duplicates_before(group: IncidentAfter, read: Snapshot) -> list[UUID]:
    row = read.rows.get((group.root, False))
    return row.duplicates if row else []


def _bytes(value: bytes) -> str:
    return "\\x" + value.hex()

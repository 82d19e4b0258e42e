"""The blind row is written without folding twice: it must say what the fold of the visible entries says."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

from msgspec import structs
from support.cast import BEDFORDSHIRE

from triage.demo import CAST, generate
from triage.log import links
from triage.log.append_decision import LINKS, Snapshot
from triage.log.entries import StoredEntry
from triage.log.incidents_after import IncidentAfter, incidents_after
from triage.store.log import rows
from triage.times import operational_day

SPACE = UUID(int=7)


def groups() -> list[IncidentAfter]:
    """Every incident of a synthetic month, at every length it had on the way."""
    ends_at = datetime(2026, 11, 23, 12, tzinfo=UTC)
    members = {member.key: member for member in CAST.members}
    held = [
        StoredEntry(
            seq=n,
            id=sent.entry.id or UUID(int=n),
            entry=sent.entry,
            received_at=sent.sent_at,
            author=uuid5(SPACE, sent.author),
            profession=members[sent.author].profession,
            role=members[sent.author].role,
            skew_ms=sent.skew_ms,
        )
        for n, sent in enumerate(generate(CAST, operational_day(ends_at) - timedelta(days=30), ends_at, 4, 1), 1)
    ]
    parts = links.components(stored for stored in held if isinstance(stored.entry, LINKS))
    root_of = {i: part.id for part in parts for i in part.incident_ids}
    so_far: dict[UUID, dict[UUID, StoredEntry]] = defaultdict(dict)
    outlines = []
    for stored in held:
        incident = so_far[root_of.get(stored.entry.incident_id, stored.entry.incident_id)]
        incident[stored.id] = stored
        outlines += incidents_after(
            Snapshot(seq=0, link=b"", now=ends_at, entries=dict(incident), terms=BEDFORDSHIRE), ()
        )
    return outlines


def columns(group: IncidentAfter) -> rows.IncidentUpsert:
    read = Snapshot(seq=0, link=b"", now=datetime(2026, 11, 23, tzinfo=UTC), terms=BEDFORDSHIRE)
    [row] = [row for row in rows._both(UUID(int=1), group, read, None, None) if row.blind]
    return row


def test_the_outline_says_what_the_blind_fold_says_but_for_flags() -> None:
    compared = 0
    for group in groups():
        if group.blind_columns is not group.full or group.blind is None:
            continue
        short = columns(group)
        group.blind_columns = group.blind
        assert structs.replace(columns(group), flags=()) == structs.replace(short, flags=())
        compared += 1
    assert compared > 300


def test_the_outline_has_every_flag_of_the_blind_fold() -> None:
    for group in groups():
        if group.blind_columns is group.full and group.blind is not None:
            assert {*group.blind.view.flags, *group.blind.conflicts} <= {*group.full.view.flags, *group.full.conflicts}

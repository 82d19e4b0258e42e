"""What a newer version of the service wrote stops no fold, no view and no list of this one."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest
from support.bodies import full, plausible
from support.cast import BEDFORDSHIRE
from support.story import AS_NURSE, AS_OFFICER, AUDIENCES, INCIDENT, OFFICER, STAFF, Story, minute

from triage.log.canonical import shown_content
from triage.log.entries import KINDS, NewerEntry, Officer, StoredEntry
from triage.log.incident import fold
from triage.log.redaction import view_for, visible_entries
from triage.store.log.entries import EntryColumns

RECEIVED = datetime(2026, 11, 21, 23, 30, tzinfo=UTC)


def from_the_log(body: dict[str, Any], seq: int = 9, author: UUID = OFFICER) -> StoredEntry:
    """An entry as its row says it, whatever wrote the row."""
    profession, role = STAFF[author]
    coded = json.dumps(body | {"incident_id": str(INCIDENT)}, sort_keys=True).encode()
    entry_id = UUID(int=0x0193A000000070008000000000000900 + seq)
    columns = EntryColumns(
        team_id=UUID(int=1),
        seq=seq,
        id=entry_id,
        incident_id=INCIDENT,
        received_at=RECEIVED,
        author=author,
        profession=profession,
        role=role,
        device=None,
        skew_ms=None,
        blind=False,
        released_by=None,
        received_again=False,
        person_id=None,
        body=coded,
    )
    return columns.entry()


def views(*stored: StoredEntry) -> dict[Any, Any]:
    return {audience: view_for(stored, (), audience, minute(200), terms=BEDFORDSHIRE) for audience in AUDIENCES}


@pytest.mark.parametrize("kind", KINDS)
def test_an_unknown_field_is_kept_and_changes_no_view(kind: str) -> None:
    body = full(kind)
    known, newer = from_the_log(body), from_the_log(body | {"breath_test": {"result": 35}})
    assert known.newer is None
    assert newer.newer is not None
    assert json.loads(newer.newer)["breath_test"] == {"result": 35}
    assert newer.entry == known.entry
    assert views(newer) == views(known)


def test_an_unknown_field_of_a_part_costs_the_part_nothing() -> None:
    body = full("officer")
    part = body["intent"] | {"supervisor_told": True, "tests": body["intent"]["tests"] | {"fourth": True}}
    assert from_the_log(body | {"intent": part}).entry == from_the_log(body).entry


def test_a_value_of_another_type_counts_as_not_recorded() -> None:
    entry = from_the_log(full("officer") | {"area": {"ward": "E05013579"}, "age": 31}).entry
    assert isinstance(entry, Officer)
    assert (entry.area, entry.age) == (None, 31)


@pytest.mark.parametrize(
    "field", ["area", "sex", "ethnicity", "age_band", "location_type", "legal_status", "disability", "force_type"]
)
def test_an_unknown_code_is_shown_as_it_is_and_decides_nothing(field: str) -> None:
    body = {name: value for name, value in full("officer").items() if name != "age"}
    newer = from_the_log(body | {field: "brand_new"})
    assert newer.newer is None
    view = fold([newer], terms=BEDFORDSHIRE).view
    assert msgspec.to_builtins(view)[field] == "brand_new"
    assert len(views(newer, from_the_log(full("nurse"), 10))) == len(AUDIENCES)


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        ("outcome", "disposal"),
        ("detention", "event"),
        ("detention", "place_of_safety"),
        ("detention", "authorised_rank"),
        ("follow_up", "event"),
        ("nurse", "s136_justified"),
        ("paramedic", "physical_need"),
    ],
)
def test_an_unknown_code_of_any_kind_stops_no_view(kind: str, field: str) -> None:
    story = Story()
    story.officer(4, intent={"power": "s136"}, age=16)
    assert views(*story.stored, from_the_log(full(kind) | {field: "brand_new"}))


def test_an_entry_of_an_unknown_kind_is_counted_and_takes_no_part() -> None:
    story = Story()
    story.officer(10, area="bedford")
    drone = from_the_log({"kind": "drone_flight", "captured_at": "2026-11-21T23:00:00Z", "altitude": 90})
    assert isinstance(drone.entry, NewerEntry)
    assert (drone.entry.kind_name, drone.entry.captured_at) == ("drone_flight", minute(60))
    alone, with_drone = (
        fold(story.stored, terms=BEDFORDSHIRE).view,
        fold([*story.stored, drone], terms=BEDFORDSHIRE).view,
    )
    assert with_drone.revision == alone.revision + 1
    changed = {name for name in alone.__struct_fields__ if getattr(alone, name) != getattr(with_drone, name)}
    assert changed <= {"revision", "seq", "changed_at", "contributions"}


def test_an_amendment_with_an_unknown_kind_inside_takes_no_part() -> None:
    story = Story()
    first = story.officer(10, area="bedford")
    body = plausible("amendment", amends=str(first.id), entry={"kind": "drone_flight", "altitude": 90})
    amendment = from_the_log(body)
    assert isinstance(amendment.entry, NewerEntry)
    assert fold([first, amendment], terms=BEDFORDSHIRE).view.area == "bedford"


def test_what_cannot_be_read_is_shown_to_the_side_that_wrote_it_alone() -> None:
    contact = from_the_log(full("officer") | {"intent_again": "s136"})
    drone = from_the_log({"kind": "drone_flight", "captured_at": "2026-11-21T23:00:00Z"}, 10)
    assert [entry.newer for entry in visible_entries([contact, drone], AS_OFFICER, minute(200))] == [
        contact.newer,
        drone.newer,
    ]
    assert [entry.newer for entry in visible_entries([contact, drone], AS_NURSE, minute(200))] == [None]


def test_a_body_without_its_envelope_takes_it_from_the_row() -> None:
    entry = from_the_log({"kind": "drone_flight"}).entry
    assert (entry.incident_id, entry.captured_at) == (INCIDENT, RECEIVED)


def test_what_cannot_be_read_is_shown_as_it_was_stored_with_its_texts() -> None:
    contact = from_the_log(full("officer") | {"note": "*", "breath_test": {"result": 35}})
    shown = shown_content(contact, {"note": "Calm.", "breath_test.comment": "none"})
    assert (shown["note"], shown["breath_test"], shown["kind"]) == ("Calm.", {"result": 35}, "officer")
    drone = from_the_log({"kind": "drone_flight", "captured_at": "2026-11-21T23:00:00Z", "altitude": 90})
    assert shown_content(drone, {})["altitude"] == 90

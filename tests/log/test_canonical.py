"""Equal content is equal bytes however it was sent; texts lie apart; what was stored reads back whole."""

import copy
import json
import random
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import inspect
from support.bodies import drop, entry_id, fields_of, full, plausible, put, replacement

from triage import codes
from triage.log import canonical, decode
from triage.log.canonical import Content
from triage.log.entries import KINDS, SEALED, Amendment, AnyEntry, Officer
from triage.log.stored_body import read_stored_body

OWN = entry_id(1)


def decoded(body: dict[str, Any]) -> AnyEntry:
    return decode.decode(json.dumps(body).encode(), OWN)


def content(body: dict[str, Any]) -> Content:
    return canonical.canonical(decoded(body))


def plain(node: inspect.Type) -> inspect.Type:
    return node.type if isinstance(node, inspect.Metadata) else node


def another_value(node: inspect.Type, value: Any) -> Any:
    """A sound value of the same type that says something else; None where there is no other."""
    match node:
        case inspect.Metadata(extra={"codes": str(name)}):
            return next((row.code for row in codes.list(name) if row.code != value), None)
        case inspect.ListType():
            return []
    match plain(node):
        case inspect.BoolType():
            return not value
        case inspect.IntType():
            return value + 1
        case inspect.StrType():
            return value + "y"
        case inspect.UUIDType():
            return str(entry_id(999_999_999))
        case inspect.DateTimeType():
            return "2026-10-03T01:20:00.000001+01:00"
        case inspect.DateType():
            return "2026-10-05"
    return None


# --- what makes a difference


@pytest.mark.parametrize("kind", KINDS)
def test_any_other_value_in_any_field_is_other_content_and_is_named(kind: str) -> None:
    body, tried = full(kind), 0
    whole = content(body)
    for path, field, node in fields_of(kind):
        if path == "id":
            continue
        value = body
        for part in path.split("."):
            value = value[part]
        changes = [] if (other := another_value(node, value)) is None else [put(body, path, other)]
        if not field.required:
            changes.append(drop(body, path))
        for changed in changes:
            tried += 1
            assert content(changed) != whole, path
            differing = canonical.differing_fields(whole, content(changed))
            assert differing == canonical.differing_fields(content(changed), whole)
            assert differing and all(name == path or name.startswith(f"{path}.") for name in differing), path
    assert tried > 5


def test_another_kind_is_other_content() -> None:
    linked = content(plausible("person_link"))
    assert canonical.differing_fields(linked, content(plausible("person_unlink"))) == ["kind", "reason"]


def test_an_empty_list_says_more_than_nothing() -> None:
    assert content(plausible("nurse", referrals=[])) != content(drop(plausible("nurse"), "referrals"))


def test_a_star_that_somebody_sent_is_not_the_sealed_marker() -> None:
    assert content(plausible("officer", note=SEALED)) != content(drop(plausible("officer"), "note"))
    assert content(plausible("officer", note=SEALED)) != content(plausible("officer"))


def stored(body: bytes) -> Any:
    """A stored body read back; nothing in it is unknown."""
    entry, newer = read_stored_body(body, OWN, datetime(2026, 10, 3, tzinfo=UTC))
    assert newer is None
    return entry


# --- what makes none


@pytest.mark.parametrize("kind", KINDS)
def test_the_id_is_no_part_of_the_content(kind: str) -> None:
    assert content(plausible(kind, id=str(OWN))) == content(plausible(kind))
    assert str(OWN).encode() not in content(plausible(kind, id=str(OWN))).body
    assert stored(content(plausible(kind, id=str(OWN))).body).id is None


def reordered(value: Any, chance: random.Random) -> Any:
    if isinstance(value, dict):
        pairs = [(name, reordered(inner, chance)) for name, inner in value.items()]
        chance.shuffle(pairs)
        return dict(pairs)
    return value


def at_another_offset(text: str, minutes: int) -> str:
    return datetime.fromisoformat(text).astimezone(timezone(timedelta(minutes=minutes))).isoformat()


@given(st.sampled_from(KINDS), st.randoms(use_true_random=False), st.data())
def test_order_white_space_nulls_offsets_and_letters_of_ids_make_no_difference(
    kind: str, chance: random.Random, data: st.DataObject
) -> None:
    body = full(kind)
    optional = [path for path, field, _ in fields_of(kind) if not field.required and path != "id"]
    for path in data.draw(st.lists(st.sampled_from(optional), max_size=4)):
        parent = path.rpartition(".")[0]
        if not parent or _holds(body, parent):
            body = put(body, path, None)
    other = reordered(copy.deepcopy(body), chance)
    for path, _, node in fields_of(kind):
        if not _holds(body, path):
            continue
        value = _at(body, path)
        if isinstance(plain(node), inspect.DateTimeType):
            minutes = data.draw(st.integers(-12 * 60, 14 * 60))
            other = put(other, path, at_another_offset(value, minutes))
        if isinstance(node, inspect.UUIDType):
            other = put(other, path, value.upper())
    spaced = json.dumps(other, indent=data.draw(st.none() | st.integers(0, 3)), ensure_ascii=data.draw(st.booleans()))
    sent_again = canonical.canonical(decode.decode(spaced.encode(), OWN))
    assert sent_again == content(body)
    assert canonical.differing_fields(sent_again, content(body)) == []


def _at(body: dict[str, Any], path: str) -> Any:
    value: Any = body
    for part in path.split("."):
        if value is None:
            return None
        value = value.get(part)
    return value


def _holds(body: dict[str, Any], path: str) -> bool:
    return _at(body, path) is not None


# --- the form


@pytest.mark.parametrize("kind", KINDS)
def test_the_body_is_sorted_compact_in_utc_and_without_nulls(kind: str) -> None:
    body = content(full(kind)).body
    read = json.loads(body)
    assert body == json.dumps(read, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert b"null" not in body
    assert b"+01:00" not in body
    assert read["captured_at"] == "2026-10-03T00:20:00Z"


@given(st.text(max_size=278))
def test_texts_are_nowhere_in_the_body(text: str) -> None:
    entry = Officer(
        incident_id=OWN,
        captured_at=datetime(2026, 10, 3, tzinfo=UTC),
        codes_version=2,
        note=f"<{text}>",
    )
    parts = canonical.canonical(entry)
    assert msgspec.json.decode(parts.body)["note"] == SEALED
    assert parts.secrets is not None
    assert msgspec.json.decode(parts.secrets) == {"note": f"<{text}>"}
    assert stored(parts.body) == msgspec.structs.replace(entry, note=SEALED)


def test_notes_and_collar_numbers_lie_apart_also_inside_an_amendment() -> None:
    officer = plausible("officer", note="Private words")
    officer["intent"] |= {"source": "referring_officer", "referrer": "PC 4711"}
    for body, under in ((officer, ""), (plausible("amendment", entry=replacement(officer)), "entry.")):
        parts = content(body)
        assert b"Private" not in parts.body
        assert b"4711" not in parts.body
        assert parts.secrets is not None
        assert json.loads(parts.secrets) == {f"{under}intent.referrer": "PC 4711", f"{under}note": "Private words"}


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("officer", "amendment")])
def test_nothing_is_apart_where_no_text_was_sent(kind: str) -> None:
    assert content(plausible(kind)).secrets is None


# --- reading back


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("make", [plausible, full])
def test_what_was_stored_reads_back_whole(kind: str, make: Any) -> None:
    entry = decoded(make(kind))
    parts = canonical.canonical(entry)
    assert canonical.canonical(stored(parts.body)).body == parts.body
    if parts.secrets is None:
        assert msgspec.structs.replace(stored(parts.body), id=entry.id) == entry


def test_a_changed_text_is_named_without_repeating_it() -> None:
    ours, theirs = content(plausible("officer")), content(plausible("officer", note="Other words."))
    assert ours.body == theirs.body
    assert canonical.differing_fields(ours, theirs) == ["note"]


# --- retired codes


def test_a_replaced_code_reads_as_the_one_that_replaced_it() -> None:
    entry = decoded(plausible("officer", ethnicity="O1"))
    modern = canonical.with_current_codes(entry)
    assert isinstance(modern, Officer)
    assert modern.ethnicity == "A4"
    assert modern == msgspec.structs.replace(entry, ethnicity="A4")
    amendment = canonical.with_current_codes(
        decoded(plausible("amendment", entry={"kind": "nurse", "ethnicity": "O1"}))
    )
    assert isinstance(amendment, Amendment)
    assert json.loads(msgspec.json.encode(amendment.entry)) == {"kind": "nurse", "ethnicity": "A4"}


@pytest.mark.parametrize("kind", KINDS)
def test_an_entry_without_replaced_codes_is_left_as_it_is(kind: str) -> None:
    entry = decoded(full(kind))
    assert canonical.with_current_codes(entry) is entry


def test_codes_retired_by_an_owner_are_read_so_in_lists_and_parts_too(tmp_path: Path) -> None:
    text = codes.SHIPPED.read_text(encoding="utf-8")
    text = text.replace('label = "Acute distress"', 'label = "Acute distress", replaced_by = "other"')
    text = text.replace('label = "Body-worn video"', 'label = "Body-worn video", replaced_by = "app"')
    owned = tmp_path / "codes.toml"
    owned.write_text(text, encoding="utf-8")
    codes.load(owned)
    try:
        modern = canonical.with_current_codes(decoded(plausible("officer")))
    finally:
        codes.load()
    assert isinstance(modern, Officer)
    assert modern.presenting == ["self_harm", "other"]
    assert modern.intent is not None
    assert modern.intent.evidence == "app"

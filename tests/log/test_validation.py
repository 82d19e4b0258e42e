"""A body is taken, or refused with every fault named: 400 for its shape, 422 for its content, never anything else."""

import json
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw, Struct, inspect
from support.bodies import KIND_TYPES, OTHER, PLAUSIBLE, drop, entry_id, fields_of, full, plausible, put

from triage import problems
from triage.log import body_errors, decode, entries
from triage.log.body_errors import InvalidBody
from triage.log.entries import KINDS

OWN = entry_id(1)
TIMES = (inspect.DateTimeType, inspect.DateType)


def refused(body: dict[str, Any] | bytes | str) -> InvalidBody:
    raw = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
    with pytest.raises(InvalidBody) as caught:
        decode.decode(raw, OWN)
    assert caught.value.problem.status == caught.value.status
    expected = "newer_than_service" if caught.value.newer else {400: "malformed", 422: "invalid"}[caught.value.status]
    assert caught.value.problem.code == expected
    return caught.value


def found(body: dict[str, Any] | bytes | str) -> tuple[int, set[tuple[str, str]]]:
    """The status, and the field and code of each fault."""
    refusal = refused(body)
    return refusal.status, {(error.field, error.code) for error in refusal.errors}


def accepted(body: dict[str, Any]) -> entries.AnyEntry:
    return decode.decode(json.dumps(body).encode(), OWN)


def plain(node: inspect.Type) -> inspect.Type:
    return node.type if isinstance(node, inspect.Metadata) else node


# --- not a body at all


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "not_json"),
        (b"   ", "not_json"),
        (b'{"kind": "outcome"', "not_json"),
        (b'{"kind": "outcome"} {}', "not_json"),
        (b"{'kind': 'outcome'}", "not_json"),
        (b'{"kind": "outcome",}', "not_json"),
        (b'{"age": NaN}', "not_json"),
        (b'{"age": Infinity}', "not_json"),
        (b'{"age": -Infinity}', "not_json"),
        (b'{"note": "a\x01b"}', "not_json"),
        (b"\xef\xbb\xbf{}", "not_json"),
        (b'{"note": "\xff"}', "not_utf8"),
        (b'{"note": "\xc0\x80"}', "not_utf8"),
        (b'{"note": "\xed\xa0\x80"}', "not_utf8"),
        ('{"kind": "outcome"}'.encode("utf-16"), "not_utf8"),
        (b"null", "wrong_type"),
        (b"[]", "wrong_type"),
        (b'"outcome"', "wrong_type"),
        (b"12", "wrong_type"),
        (b"1e400", "wrong_type"),
        (b"true", "wrong_type"),
    ],
)
def test_what_is_no_json_object_is_malformed(body: bytes, code: str) -> None:
    assert found(body) == (400, {("", code)})


@pytest.mark.parametrize("opening", ["[", '{"a":', '{"intent":'])
@pytest.mark.parametrize("closing", ["", "]}"])
def test_deep_nesting_is_malformed(opening: str, closing: str) -> None:
    assert refused(opening * 100_000 + closing * 100_000).status == 400
    nested = json.dumps(plausible("outcome"))[:-1] + ', "decided_by": ' + "[" * 100_000 + "]" * 100_000 + "}"
    assert found(nested) == (400, {("", "too_deep")})


def test_three_mebibytes_of_rubbish_are_malformed() -> None:
    size = 3 * 1024 * 1024
    assert refused("[" * size).status == 400
    assert refused(b"\x00" * size).status == 400
    assert refused(json.dumps(plausible("officer", note="x" * size))).status == 422
    assert refused(json.dumps(plausible("officer", form_version=0))[:-1] + ', "car": ' + "9" * size + "}").status == 400


# --- shape


@pytest.mark.parametrize("kind", KINDS)
def test_a_wrong_type_in_any_field_is_malformed_and_names_it(kind: str) -> None:
    wrong: list[Any] = ["text", 12, 1.0, 1.5, 10**30, True, [], [1], [None], {}, {"x": 1}, [[]]]
    fits: dict[type, tuple[type, ...]] = {
        inspect.StrType: (str,),
        inspect.IntType: (int,),
        inspect.BoolType: (bool,),
        inspect.StructType: (dict,),
        inspect.UnionType: (dict,),
    }
    tried = 0
    for path, _, node in fields_of(kind):
        for value in wrong:
            if type(value) in fits.get(type(plain(node)), ()):
                continue
            if isinstance(node, inspect.ListType) and value == []:
                continue
            tried += 1
            status, errors = found(put(full(kind), path, value))
            assert status == 400, (path, value)
            assert {field for field, _ in errors} <= {path, f"{path}.0"}, (path, value, errors)
    assert tried > 30


@pytest.mark.parametrize("kind", KINDS)
def test_each_missing_field_is_named_and_null_is_missing_too(kind: str) -> None:
    required = [path for path, field, _ in fields_of(kind) if field.required]
    assert {"incident_id", "captured_at", "codes_version"} <= set(required)
    for path in required:
        assert found(drop(full(kind), path)) == (400, {(path, "missing")})
        assert found(put(full(kind), path, None)) == (400, {(path, "missing")})


@pytest.mark.parametrize("kind", KINDS)
def test_unknown_fields_are_named_wherever_they_stand(kind: str) -> None:
    assert found(full(kind) | {"colour": 1}) == (400, {("colour", "unknown_field")})
    for path, _, node in fields_of(kind):
        if isinstance(node, inspect.StructType):
            assert found(put(full(kind), f"{path}.colour", "x")) == (400, {(f"{path}.colour", "unknown_field")})


def test_the_name_of_an_unknown_field_is_repeated_only_when_it_can_hold_nothing_personal() -> None:
    refusal = refused(plausible("outcome") | {"943 476 5919": 1, "Ann Example": 2, "é\ud800": 3})
    assert refusal.status == 400
    assert {error.field for error in refusal.errors} == {""}


@pytest.mark.parametrize("kind", ["erasure", "regime", "rules_changed"])
def test_kinds_that_the_service_appends_are_refused_and_never_newer(kind: str) -> None:
    assert found(plausible("outcome", kind=kind)) == (400, {("kind", "reserved_kind")})
    assert not refused(plausible("outcome", kind=kind)).newer


@pytest.mark.parametrize("kind", ["Officer", "", "note"])
def test_other_words_are_unknown_kinds(kind: str) -> None:
    body = plausible("outcome", kind=kind, captured_at="2026-10-03T01:22:00", codes_version="1")
    assert found(body) == (
        400,
        {("kind", "unknown_kind"), ("captured_at", "naive_time"), ("codes_version", "wrong_type")},
    )


def test_a_body_without_a_kind_says_so_and_checks_what_all_kinds_share() -> None:
    assert found({}) == (
        400,
        {("kind", "missing"), ("incident_id", "missing"), ("captured_at", "missing"), ("codes_version", "missing")},
    )
    assert found(plausible("outcome", kind=None)) == (400, {("kind", "missing")})
    assert found(plausible("outcome", kind=7)) == (400, {("kind", "wrong_type")})


@pytest.mark.parametrize("unknown", [{"colour": "\ud83d"}, {"colour": [{"shade": "\udc00"}]}, {"\ud83d": 1}])
def test_half_a_surrogate_pair_is_never_newer_wherever_it_stands(unknown: dict[str, Any]) -> None:
    for body in (plausible("outcome") | unknown, plausible("outcome", kind="note") | unknown):
        refusal = refused(body)
        assert (refusal.status, refusal.newer) == (400, False)
        assert ("", "not_unicode") in {(error.field, error.code) for error in refusal.errors}


@pytest.mark.parametrize("nil", ["00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"])
def test_an_id_that_stands_for_nothing_is_told_of_once(nil: str) -> None:
    for body in (plausible("outcome"), plausible("outcome", id=nil)):
        with pytest.raises(InvalidBody) as refusal:
            decode.decode(json.dumps(body).encode(), UUID(nil))
        assert [(error.field, error.code) for error in refusal.value.errors] == [("id", "no_id")]


def test_an_amendment_carries_content_only_of_a_kind_that_can_be_amended() -> None:
    inner = {"kind": "outcome", "disposal": "signposted"}
    assert accepted(plausible("amendment", entry=inner))
    assert found(plausible("amendment", entry=inner | {"captured_at": "2026-10-03T01:22:00Z"})) == (
        400,
        {("entry.captured_at", "unknown_field")},
    )
    assert found(plausible("amendment", entry={"kind": "withdrawal"})) == (400, {("entry.kind", "unknown_kind")})
    assert found(plausible("amendment", entry={"kind": "outcome"})) == (400, {("entry.disposal", "missing")})


@pytest.mark.parametrize("kind", KINDS)
def test_naive_times_are_refused_in_every_field(kind: str) -> None:
    for path, _, node in fields_of(kind):
        if isinstance(plain(node), inspect.DateTimeType):
            assert found(put(full(kind), path, "2026-10-03T01:22:00")) == (400, {(path, "naive_time")})


@pytest.mark.parametrize(
    "value", ["yesterday", "2026-02-30T00:00:00Z", "2026-10-03", "2026-10-03T25:00:00Z", "0000-01-01T00:00:00Z", ""]
)
def test_what_is_no_time_is_malformed(value: str) -> None:
    assert found(plausible("outcome", decided_at=value)) == (400, {("decided_at", "wrong_type")})


@pytest.mark.parametrize(
    ("again", "field"),
    [
        ('"disposal": "signposted"', "disposal"),
        ('"disposal": "s136_removed"', "disposal"),
        ('"kind": "outcome"', "kind"),
        ('"dispos\\u0061l": "signposted"', "disposal"),
        ('"location_type": null, "location_type": "own_home"', "location_type"),
        ('"location_type" : "own_home" , "location_type" : null', "location_type"),
    ],
)
def test_a_field_given_twice_is_malformed(again: str, field: str) -> None:
    body = json.dumps(plausible("outcome"))[:-1] + f", {again}}}"
    assert found(body) == (400, {(field, "repeated_field")})


def test_a_field_given_twice_inside_a_part_is_malformed() -> None:
    body = json.dumps(plausible("officer", note='"\\"')).replace('"tests": {', '"tests": {"necessary": true, ')
    assert found(body) == (400, {("intent.tests.necessary", "repeated_field")})
    hidden = json.dumps(plausible("officer", note="\\u0022")).replace("\\\\u0022", "\\u0022\\u0022")
    assert decode.decode(hidden.encode(), OWN)
    assert found(hidden.replace('"domestic_abuse": false', '"domestic_abuse": false, "domestic_abuse": true')) == (
        400,
        {("domestic_abuse", "repeated_field")},
    )


@pytest.mark.parametrize("text", ['"\\ud800"', '"a\\udfffb"', '"\\ud83d"'])
def test_half_a_surrogate_pair_is_malformed(text: str) -> None:
    body = json.dumps(plausible("officer", note=None)).replace('"note": null', f'"note": {text}')
    assert found(body) == (400, {("note", "not_unicode")})


@pytest.mark.parametrize("number", ["1e400", "-1e400", "1.0", "1E2", "0.5"])
def test_numbers_that_are_not_whole_are_malformed(number: str) -> None:
    body = json.dumps(plausible("paramedic", news2=0)).replace('"news2": 0', f'"news2": {number}')
    assert found(body) == (400, {("news2", "wrong_type")})


# --- content


@pytest.mark.parametrize("kind", KINDS)
def test_a_code_in_no_version_is_refused_in_every_field(kind: str) -> None:
    for path, _, node in fields_of(kind):
        if isinstance(node, inspect.Metadata) and node.extra:
            for code in ("no_such_code", "S136"):
                assert found(put(full(kind), path, code)) == (400, {(path, "unknown_code")})
            for text in ("", "x" * 100_000, "no such code", "s136."):
                assert found(put(full(kind), path, text)) == (422, {(path, "wrong_form")})
        if isinstance(node, inspect.ListType):
            known = full(kind)
            for part in path.split("."):
                known = known[part]
            body = put(full(kind), path, [*known, "no_such_code", *known])
            assert found(body) == (400, {(f"{path}.1", "unknown_code")})


@pytest.mark.parametrize("kind", KINDS)
def test_times_outside_2000_to_2100_are_refused_in_every_field(kind: str) -> None:
    outside = [
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+23:59",
        "1999-12-31T23:59:59.999999Z",
        "2000-01-01T00:30:00+01:00",
        "2100-12-31T23:30:00-01:00",
        "2101-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "9999-12-31T23:59:59-23:59",
    ]
    for path, _, node in fields_of(kind):
        if isinstance(plain(node), TIMES):
            for text in outside:
                sent = text if isinstance(plain(node), inspect.DateTimeType) else text[:10]
                if sent[:4] in ("2000", "2100") and len(sent) == 10:
                    continue
                assert found(put(full(kind), path, sent)) == (422, {(path, "time_out_of_range")}), (path, sent)
            for inside in ("2000-01-01T00:00:00Z", "2100-12-31T23:59:59.999999Z", "2099-06-01T00:00:00-12:00"):
                sent = inside if isinstance(plain(node), inspect.DateTimeType) else inside[:10]
                assert accepted(put(full(kind), path, sent))


@pytest.mark.parametrize("kind", KINDS)
def test_lengths_and_ranges_hold_at_their_ends_in_every_field(kind: str) -> None:
    for path, _, node in fields_of(kind):
        match plain(node):
            case inspect.StrType(max_length=int(most), min_length=least):
                assert accepted(put(full(kind), path, "é" * most))
                assert found(put(full(kind), path, "é" * (most + 1))) == (422, {(path, "too_long")})
                if least:
                    assert found(put(full(kind), path, "")) == (422, {(path, "too_short")})
            case inspect.IntType(ge=int(low), le=int(high)):
                assert accepted(put(full(kind), path, low))
                assert accepted(put(full(kind), path, high))
                for digits in (str(low - 1), str(high + 1), "1" + "0" * 30, "-1" + "0" * 30, "9" * 5000):
                    body = json.dumps(put(full(kind), path, 424_242)).replace("424242", digits)
                    assert found(body) == (422, {(path, "out_of_range")})


@pytest.mark.parametrize("letter", ["\x00", "\x07", "\x1b", "\x7f", "\x85", "\u009f"])
@pytest.mark.parametrize("field", ["log_ref", "car", "note"])
def test_control_characters_are_refused(letter: str, field: str) -> None:
    assert found(plausible("officer") | {field: f"a{letter}b"}) == (422, {(field, "control_character")})


def test_control_characters_are_refused_where_somebody_types_a_reason() -> None:
    for kind in ("withdrawal", "amendment", "same_incident", "person_link", "detention"):
        assert found(plausible(kind, reason="\x00")) == (422, {("reason", "control_character")})
    body = plausible("amendment", entry={"kind": "nurse", "note": "a\x00b"})
    assert found(body) == (422, {("entry.note", "control_character")})


def test_ids_that_do_not_agree_are_refused() -> None:
    assert found(plausible("outcome", id=OTHER)) == (422, {("id", "id_mismatch")})
    assert accepted(plausible("outcome", id=str(OWN).upper()))
    assert accepted(plausible("outcome", id=OWN.hex))


@pytest.mark.parametrize(("kind", "field"), [("amendment", "amends"), ("withdrawal", "withdraws")])
def test_an_entry_cannot_name_itself(kind: str, field: str) -> None:
    body = plausible(kind) | {field: str(OWN)}
    assert found(body) == (422, {(field, "refers_to_itself")})
    with pytest.raises(InvalidBody) as caught:
        decode.decode_item(json.dumps(body | {"id": str(OWN)}).encode())
    assert [error.field for error in caught.value.errors] == [field]


@pytest.mark.parametrize("kind", ["same_incident", "not_same_incident"])
def test_an_incident_cannot_be_linked_to_itself(kind: str) -> None:
    body = plausible(kind, incident_id=OTHER)
    assert found(body) == (422, {("other_incident_id", "refers_to_itself")})


def test_too_many_items_are_refused_however_many() -> None:
    four = ["self_harm"] * 4
    assert found(plausible("nurse", presenting=four)) == (422, {("presenting", "too_many_items")})
    assert found(plausible("nurse", presenting=["self_harm"] * 100_000)) == (422, {("presenting", "too_many_items")})
    assert refused(plausible("nurse", presenting=[1] * 100_000)).status == 400
    assert refused(plausible("nurse") | {f"x{number}": 1 for number in range(100_000)}).status == 400


# --- every fault at once


def test_every_fault_is_named_and_one_of_shape_makes_it_malformed() -> None:
    body = plausible(
        "officer",
        id=OTHER,
        captured_at="2026-10-03T02:20:00",
        occurred_at="1970-01-01T00:00:00Z",
        area="atlantis",
        age=131,
        presenting=["self_harm", "sadness", 3],
        intent={"confidence": 4, "tests": {"necessary": "yes"}, "power": "magic"},
        note="x" * 281,
        colour="red",
    )
    content = {
        ("id", "id_mismatch"),
        ("occurred_at", "time_out_of_range"),
        ("area", "unknown_code"),
        ("age", "out_of_range"),
        ("presenting.1", "unknown_code"),
        ("intent.power", "unknown_code"),
        ("intent.confidence", "out_of_range"),
        ("note", "too_long"),
    }
    shape = {
        ("captured_at", "naive_time"),
        ("presenting.2", "wrong_type"),
        ("intent.tests.necessary", "wrong_type"),
        ("colour", "unknown_field"),
    }
    assert found(body) == (400, content | shape)
    put_right = body | {
        "captured_at": "2026-10-03T02:20:00Z",
        "presenting": ["self_harm", "sadness"],
        "intent": {"confidence": 4, "power": "magic"},
    }
    del put_right["colour"]
    assert found(put_right) == (422, content)


def test_messages_name_the_field_in_words() -> None:
    refusal = refused(plausible("officer", area="atlantis", intent={"power": "s136", "formed_at": "noon"}))
    assert {error.message for error in refusal.errors} == {
        "Area holds a code that is in no version of the list area.",
        "Intent formed at must be a time such as 2026-11-21T22:04:10+00:00.",
    }


@pytest.mark.parametrize("kind", KINDS)
def test_no_message_repeats_a_value(kind: str) -> None:
    secret = "Zaphod Q7"
    for path, _, _ in fields_of(kind):
        for value in (secret, [secret], {secret: secret}, {"x": secret}, [{secret: secret}], secret + "\x00" * 300):
            body = put(full(kind), path, value)
            try:
                decode.decode(json.dumps(body).encode(), OWN)
            except InvalidBody as refusal:
                assert secret not in msgspec.json.encode(refusal.problem).decode()
                assert secret not in str(refusal)
                assert refusal.__cause__ is None


def test_an_answer_to_rubbish_stays_small() -> None:
    refusal = refused(plausible("nurse") | {f"x{number}": 1 for number in range(10_000)} | {"area": "atlantis"})
    assert refusal.status == 400
    assert len(refusal.errors) == body_errors.MOST_LISTED


# --- what is taken


@pytest.mark.parametrize("kind", KINDS)
def test_a_plausible_body_of_every_kind_is_taken(kind: str) -> None:
    entry = accepted(PLAUSIBLE[kind])
    assert type(entry) is KIND_TYPES[kind]
    assert entry.incident_id == UUID(PLAUSIBLE[kind]["incident_id"])


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_can_be_sent_and_every_optional_one_can_be_null(kind: str) -> None:
    body = full(kind)
    assert accepted(body)
    for path, field, _ in fields_of(kind):
        if not field.required:
            assert accepted(put(body, path, None)) == accepted(drop(body, path))


def test_retired_codes_and_older_versions_are_taken() -> None:
    entry = accepted(plausible("officer", ethnicity="O1", codes_version=1))
    assert isinstance(entry, entries.Officer)
    assert entry.ethnicity == "O1"


def test_lines_and_tabs_are_no_control_characters() -> None:
    entry = accepted(plausible("officer", note="one\r\n\ttwo\u00a0three"))
    assert isinstance(entry, entries.Officer)
    assert entry.note == "one\r\n\ttwo\u00a0three"


# --- items of a sync and other bodies


def test_an_item_carries_its_id() -> None:
    for body in (plausible("outcome"), plausible("outcome", id=None)):
        with pytest.raises(InvalidBody) as caught:
            decode.decode_item(json.dumps(body).encode())
        assert caught.value.status == 400
        assert [(error.field, error.code) for error in caught.value.errors] == [("id", "missing")]


@pytest.mark.parametrize("kind", KINDS)
def test_an_item_is_the_body_with_its_id(kind: str) -> None:
    body = json.dumps(plausible(kind, id=str(OWN))).encode()
    assert decode.decode_item(Raw(body)) == decode.decode_item(body) == decode.decode(body, OWN)


class SyncBody(Struct, forbid_unknown_fields=True):
    cursor: str | None
    sent_at: entries.Time
    entries: list[Raw]


def test_any_body_is_held_to_the_same_rules() -> None:
    body = {"cursor": None, "sent_at": "2026-10-03T02:20:00Z", "entries": [{"any": "thing"}, 3]}
    taken = decode.decode_as(SyncBody, json.dumps(body).encode())
    assert taken.sent_at == datetime.fromisoformat("2026-10-03T02:20:00Z")
    assert [bytes(item) for item in taken.entries] == [b'{"any": "thing"}', b"3"]
    wrong = {"cursor": "a\x00b", "sent_at": "2026-10-03T02:20:00", "entries": {}, "colour": 1}
    with pytest.raises(InvalidBody) as caught:
        decode.decode_as(SyncBody, json.dumps(wrong).encode())
    assert caught.value.status == 400
    assert {(error.field, error.code) for error in caught.value.errors} == {
        ("cursor", "control_character"),
        ("sent_at", "naive_time"),
        ("entries", "wrong_type"),
        ("colour", "unknown_field"),
    }
    with pytest.raises(InvalidBody) as missing:
        decode.decode_as(SyncBody, b'{"cursor": null, "entries": [], "entries": []}')
    assert {(error.field, error.code) for error in missing.value.errors} == {
        ("sent_at", "missing"),
        ("entries", "repeated_field"),
    }


SENT_AT = b'"sent_at": "2026-10-03T02:20:00Z"'


@pytest.mark.parametrize(
    "bad",
    [rb'{"note": "Calm \ud83d"}', b'{"note": "a\x00b"}', b'{"n": 1e999, "t": "\xff", "s": "\\udc00"}', b'"\\ud83d"'],
)
def test_what_is_wrong_inside_one_item_costs_that_item_alone(bad: bytes) -> None:
    good = json.dumps(plausible("outcome", id=str(OWN))).encode()
    for items in ([bad, good], [good, bad], [bad], [good, bad, good]):
        body = b'{"cursor": null, "entries" : [ %s ], %s}' % (b" , ".join(items), SENT_AT)
        taken = decode.decode_as(SyncBody, body)
        assert [bytes(item) for item in taken.entries] == items
    assert decode.decode_item(good)
    with pytest.raises(InvalidBody) as caught:
        decode.decode_item(bad)
    assert not caught.value.newer


def test_half_a_surrogate_pair_outside_the_items_is_named() -> None:
    with pytest.raises(InvalidBody) as caught:
        decode.decode_as(SyncBody, rb'{"cursor": "\ud83d", "entries": [], %s}' % SENT_AT)
    assert [(error.field, error.code) for error in caught.value.errors] == [("cursor", "not_unicode")]


# --- newer than the service


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"breath_test": 35}, ("breath_test", "unknown_field")),
        ({"area": "atlantis"}, ("area", "unknown_code")),
        ({"presenting": ["self_harm", "new_one"]}, ("presenting.1", "unknown_code")),
        ({"intent": {"power": "s136", "seen": True}}, ("intent.seen", "unknown_field")),
        ({"kind": "drone_flight"}, ("kind", "unknown_kind")),
    ],
)
def test_an_entry_with_nothing_but_unknown_names_is_newer_than_the_service(
    changes: dict[str, Any], fault: tuple[str, str]
) -> None:
    refusal = refused(plausible("officer") | changes)
    assert refusal.newer
    assert (refusal.status, refusal.problem.code, refusal.problem.retry) == (400, "newer_than_service", "later")
    assert fault in {(error.field, error.code) for error in refusal.errors}
    assert {error.code for error in refusal.errors} <= body_errors.NEWER


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"breath_test": 35, "age": "old"}, 400),
        ({"area": "atlantis", "age": 131}, 422),
        ({"kind": "drone_flight", "captured_at": "2026-11-21T22:00:00"}, 400),
        ({"area": "atlantis", "note": "x" * 281}, 422),
    ],
)
def test_an_entry_with_any_other_fault_beside_is_not(changes: dict[str, Any], status: int) -> None:
    refusal = refused(plausible("officer") | changes)
    assert (refusal.status, refusal.newer) == (status, False)


def test_a_fault_beyond_those_listed_counts_too() -> None:
    many = {f"x{number}": 1 for number in range(body_errors.MOST_LISTED + 1)}
    assert refused(plausible("officer") | many).newer
    assert not refused({"kind": "officer", "incident_id": OTHER, "codes_version": 1} | many).newer


def test_no_other_body_is_newer() -> None:
    with pytest.raises(InvalidBody) as caught:
        decode.decode_as(SyncBody, b'{"cursor": null, "entries": [], "colour": 1, %s}' % SENT_AT)
    assert (caught.value.newer, caught.value.problem.code) == (False, "malformed")


# --- whatever comes in

_scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(["s136", "own_home", "2026-10-03T01:20:00Z", "0001-01-01T00:00:00Z", "2026-10-03", OTHER])
)
_json = st.recursive(
    _scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)


def either(body: bytes) -> entries.AnyEntry | InvalidBody:
    try:
        return decode.decode(body, OWN)
    except InvalidBody as refusal:
        return refusal


@given(st.binary(max_size=200))
def test_no_bytes_cause_anything_but_a_refusal(body: bytes) -> None:
    assert isinstance(either(body), InvalidBody)


@given(_json.map(json.dumps).map(str.encode) | st.binary(max_size=200))
def test_no_json_causes_anything_but_a_refusal_as_any_other_body(body: bytes) -> None:
    with pytest.raises(InvalidBody):
        decode.decode_as(SyncBody, body)


@given(st.sampled_from(KINDS), st.data())
def test_any_value_anywhere_is_taken_or_refused_by_both_ways_alike(kind: str, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from([path for path, _, _ in fields_of(kind)]))
    body = json.dumps(put(full(kind), path, data.draw(_json))).encode()
    walked = body_errors.BodyErrors()
    body_errors.walk_body(inspect.type_info(entries.AnyEntry), body, walked)
    taken = either(body)
    if walked.errors:
        assert isinstance(taken, InvalidBody)
        assert {error.field for error in walked.errors} <= {error.field for error in taken.errors}
    elif isinstance(taken, InvalidBody):
        assert {error.code for error in taken.errors} <= {"id_mismatch", "refers_to_itself"}


def test_a_refusal_carries_a_problem_of_the_catalogue() -> None:
    assert refused({}).problem.type == f"/problems/{problems.MALFORMED.code}"
    assert refused(plausible("outcome", disposal="vanished")).problem.retry == "later"

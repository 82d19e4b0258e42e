"""`POST /v1/sync`: each item stands alone, in any envelope a phone can send; `POST /v1/sync/held`."""

import asyncio
import gzip
import zlib
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
import pytest
import zstandard
from support.cast import Json
from support.phones import Crew, entry, fields, now, refused
from uuid_utils.compat import uuid7


def codes_of(answer: Json) -> list[str]:
    """Each item's status, or the code of its problem."""
    return [result["problem"]["code"] if "problem" in result else result["status"] for result in answer["results"]]


def request(*entries: Json, **changed: Any) -> bytes:
    return msgspec.json.encode({"cursor": None, "sent_at": now(), "entries": entries} | changed)


# --- the envelope ---


@pytest.mark.parametrize("name", ["auditor", "admin", "partner"])
async def test_roles_without_incidents_do_not_sync(crew: Crew, name: str) -> None:
    assert refused(await getattr(crew, name).post_sync()) == (403, "forbidden")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"0",
        b'"entries"',
        b"[{}, 0]",
        b'[{"entries": []}]',
        b"[" * 100_000,
        b'{"entries": 1}',
        b'{"entries": null}',
        b'{"cursor": 1}',
        b'{"sent_at": "2026-11-21T22:00:00"}',
        b'{"pull": 1}',
        b'{"entries": [], "entries": []}',
        b"\xff",
    ],
)
async def test_an_unsound_envelope_is_400_and_nothing_of_it_is_taken(crew: Crew, body: bytes) -> None:
    assert refused(await crew.officer.sync_raw(body)) == (400, "malformed")
    assert await crew.fetch("SELECT 1 FROM quarantine WHERE team_id = $1") == []


async def test_a_list_of_entries_that_is_null_is_named(crew: Crew) -> None:
    answer = await crew.officer.sync_raw(b'{"entries": null}')
    assert [(fault["field"], fault["code"]) for fault in answer.json()["errors"]] == [("entries", "wrong_type")]


@pytest.mark.parametrize("cursor", ["", "no cursor"])
async def test_a_cursor_that_is_none_is_400(crew: Crew, cursor: str) -> None:
    assert refused(await crew.officer.post_sync(cursor=cursor)) == (400, "cursor_malformed")


async def test_an_empty_sync_is_only_a_pull(crew: Crew) -> None:
    answer = (await crew.officer.sync_raw(b"{}")).json()
    assert sorted(answer) == [
        *("asks", "codes_version", "counts", "cursor", "entry_schema", "epoch", "gone", "incidents", "more", "results"),
        *("server_time", "service"),
    ]
    assert answer["counts"] == {"stored": 0, "duplicate": 0, "refused": 0, "quarantined": 0}
    assert (answer["results"], answer["incidents"], answer["gone"], answer["more"]) == ([], [], [], False)


async def test_500_entries_are_taken_and_501_are_413(crew: Crew) -> None:
    entries = [entry("outcome", uuid7()) for _ in range(501)]
    assert refused(await crew.officer.post_sync(*entries)) == (413, "too_many_items")
    assert await crew.fetch("SELECT 1 FROM entry WHERE team_id = $1") == []
    answer = await crew.officer.sync(*entries[:500])
    assert answer["counts"]["stored"] == 500
    assert [result["seq"] for result in answer["results"]] == list(range(1, 501))
    again = await crew.officer.sync(*entries[:500])
    assert again["counts"]["duplicate"] == 500
    assert [result["seq"] for result in again["results"]] == list(range(1, 501))


CODINGS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": partial(gzip.compress, compresslevel=1),
    "zstd": zstandard.ZstdCompressor().compress,
    "identity": bytes,
}


@pytest.mark.parametrize("coding", CODINGS)
async def test_bodies_may_be_compressed(crew: Crew, coding: str) -> None:
    plain = request(*(entry("outcome", uuid7()) for _ in range(20)))
    answer = await crew.officer.sync_raw(CODINGS[coding](plain), content_encoding=coding)
    assert answer.json()["counts"]["stored"] == 20


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
async def test_a_body_may_be_in_several_members_or_frames(crew: Crew, coding: str) -> None:
    plain = request(*(entry("outcome", uuid7()) for _ in range(20)))
    half = len(plain) // 2
    body = CODINGS[coding](plain[:half]) + CODINGS[coding](b"") + CODINGS[coding](plain[half:])
    answer = await crew.officer.sync_raw(body, content_encoding=coding)
    assert answer.json()["counts"]["stored"] == 20


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
@pytest.mark.parametrize("behind", [b"\0", b"{}", b"\0" * 4096])
async def test_anything_behind_the_last_member_is_refused(crew: Crew, coding: str, behind: bytes) -> None:
    answer = await crew.officer.sync_raw(CODINGS[coding](request()) + behind, content_encoding=coding)
    assert refused(answer) == (400, "invalid_parameter")


async def test_very_many_empty_members_are_read_in_no_time(crew: Crew) -> None:
    empty = gzip.compress(b"", mtime=0)
    body = empty * (2 * 1024**2 // len(empty) - 100) + gzip.compress(request())
    async with asyncio.timeout(20):
        assert (await crew.officer.sync_raw(body, content_encoding="gzip")).status_code == 200


@pytest.mark.parametrize(("coding", "mebibytes"), [("gzip", 17), ("zstd", 17), ("gzip", 200)])
async def test_a_bomb_is_refused(crew: Crew, coding: str, mebibytes: int) -> None:
    body = CODINGS[coding](b" " * mebibytes * 1024**2)
    assert refused(await crew.officer.sync_raw(body, content_encoding=coding)) == (413, "too_large")


@pytest.mark.parametrize(
    ("coding", "body", "wanted"),
    [
        ("gzip", b"{}", (400, "invalid_parameter")),
        ("gzip", gzip.compress(b"{}")[:-9], (400, "invalid_parameter")),
        ("zstd", zstandard.ZstdCompressor().compress(b'{"entries": []}')[:-3], (400, "invalid_parameter")),
        ("zstd", b"{}", (400, "invalid_parameter")),
        ("deflate", zlib.compress(b"{}"), (415, "unsupported_media_type")),
        ("gzip, gzip", gzip.compress(gzip.compress(b"{}")), (415, "unsupported_media_type")),
        ("br", b"{}", (415, "unsupported_media_type")),
    ],
    ids=[
        "no gzip",
        "truncated gzip",
        "truncated zstd",
        "no zstd",
        "deflate",
        "gzip twice",
        "brotli",
    ],
)
async def test_a_broken_coding_is_refused(crew: Crew, coding: str, body: bytes, wanted: tuple[int, str]) -> None:
    assert refused(await crew.officer.sync_raw(body, content_encoding=coding)) == wanted


async def test_more_than_2_mib_as_sent_is_413(crew: Crew) -> None:
    assert refused(await crew.officer.sync_raw(b" " * (3 * 1024**2))) == (413, "too_large")


async def test_16_mib_decompressed_are_taken(crew: Crew) -> None:
    body = b"{}" + b" " * (16 * 1024**2 - 2)
    assert (await crew.officer.sync_raw(gzip.compress(body), content_encoding="gzip")).status_code == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "", "application/jsonp"])
async def test_another_media_type_is_415(crew: Crew, kind: str) -> None:
    headers = {"authorization": f"Bearer {crew.officer.token}", "content-type": kind}
    answer = await crew.officer.client.post("/v1/sync", content=b"{}", headers=headers)
    assert refused(answer) == (415, "unsupported_media_type")


# --- items ---


async def test_each_item_stands_alone(crew: Crew) -> None:
    incident = uuid7()
    stored = await crew.officer.tell("officer", incident, area="bedford")
    nameless = {name: value for name, value in entry("officer", incident).items() if name != "id"}
    items: list[Any] = [
        entry("officer", incident, area="luton_east"),
        stored,
        stored | {"area": "luton_north"},
        entry("nurse", incident),
        entry("officer", incident, age=131, car="x" * 65),
        nameless,
        17,
        None,
        "text",
        [],
        {},
        entry("outcome", incident) | {"id": "no-id"},
        entry("outcome", incident),
    ]
    answer = await crew.officer.sync(*items)
    assert codes_of(answer) == [
        "stored",
        "duplicate",
        "entry_conflict",
        "wrong_profession",
        "invalid",
        *["malformed"] * 7,
        "stored",
    ]
    assert answer["counts"] == {"stored": 2, "duplicate": 1, "refused": 10, "quarantined": 0}
    results = answer["results"]
    assert [result["id"] for result in results] == [
        item.get("id") if isinstance(item, dict) and item.get("id") != "no-id" else None for item in items
    ]
    assert [result.get("seq") for result in results] == [2, 1, *[None] * 10, 3]
    assert fields(results[2]["problem"]) == ["area"]
    assert fields(results[4]["problem"]) == ["car", "age"]
    assert results[4]["problem"]["status"] == 422
    rows = await crew.fetch("SELECT count(*) FROM quarantine WHERE team_id = $1")
    assert rows[0]["count"] == 10


async def test_an_id_twice_in_one_batch_obeys_the_rules_of_two_batches(crew: Crew) -> None:
    body = entry("officer", uuid7(), area="bedford", note="One.")
    answer = await crew.officer.sync(body, body, body | {"area": "luton_east"}, body | {"note": "Two."})
    assert codes_of(answer) == ["stored", "duplicate", "entry_conflict", "entry_conflict"]
    assert [result.get("seq") for result in answer["results"]] == [1, 1, None, None]
    assert [fields(result["problem"]) for result in answer["results"][2:]] == [["area"], ["note"]]


async def test_an_id_used_for_two_kinds_of_things_in_one_batch(crew: Crew) -> None:
    """A refused item takes no id: another may use it."""
    body = entry("officer", uuid7(), age=131)
    answer = await crew.officer.sync(body, body | {"age": 30})
    assert codes_of(answer) == ["invalid", "stored"]


async def test_an_amendment_before_its_original_in_one_batch(crew: Crew) -> None:
    incident = uuid7()
    original = entry("outcome", incident)
    amendment = entry("amendment", incident, amends=original["id"], entry={"kind": "outcome", "disposal": "signposted"})
    answer = await crew.officer.sync(amendment, original)
    assert [result["notices"] for result in answer["results"]][1] == []
    assert answer["results"][0]["notices"][0]["code"] == "target_not_held"
    assert answer["incidents"][0]["outcome"]["disposal"] == "signposted"


async def test_a_batch_for_incidents_that_it_links_is_one_incident(crew: Crew) -> None:
    small, large = sorted((uuid7(), uuid7()))
    answer = await crew.officer.sync(
        entry("officer", small, area="bedford"),
        entry("officer", large, area="bedford"),
        entry("same_incident", large, other_incident_id=small),
    )
    assert [(incident["id"], incident["linked_ids"]) for incident in answer["incidents"]] == [
        (str(small), [str(small), str(large)])
    ]


async def test_a_sync_without_sent_at_measures_no_clock(crew: Crew) -> None:
    answer = await crew.officer.sync_raw(msgspec.json.encode({"entries": [entry("officer", uuid7())]}))
    assert answer.json()["results"][0]["notices"] == []
    [row] = await crew.fetch("SELECT skew_ms FROM entry WHERE team_id = $1")
    assert row["skew_ms"] is None


async def test_a_body_nested_too_deeply_to_be_read_is_no_envelope(crew: Crew) -> None:
    deep = b'{"kind": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    assert refused(await crew.officer.sync_raw(b'{"entries": [' + deep + b"]}")) == (400, "malformed")


# --- held ---


async def test_held_tells_what_is_in_the_log_and_never_what_is_in_quarantine(crew: Crew) -> None:
    stored = await crew.officer.tell("officer", uuid7())
    refused_one = entry("officer", uuid7(), age=131)
    await crew.officer.put(refused_one)
    unknown = str(uuid7())
    answer = await crew.officer.post("/v1/sync/held", {"ids": [unknown, stored["id"], refused_one["id"]]})
    assert answer.json() == {"held": [stored["id"]], "missing": [unknown, refused_one["id"]]}


async def test_held_tells_nothing_of_another_team(crew: Crew, other_crew: Crew) -> None:
    theirs = await other_crew.officer.tell("officer", uuid7())
    answer = await crew.officer.post("/v1/sync/held", {"ids": [theirs["id"]]})
    assert answer.json() == {"held": [], "missing": [theirs["id"]]}


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ({}, 400),
        ({"ids": None}, 400),
        ({"ids": ["no-id"]}, 400),
        ({"ids": [str(uuid7())] * 5001}, 413),
    ],
    ids=["no ids", "null", "no id", "too many"],
)
async def test_a_bad_question_about_held_is_refused(crew: Crew, body: Json, wanted: int) -> None:
    assert refused(await crew.officer.post("/v1/sync/held", body))[0] == wanted


# --- what a phone does not want to be told


async def test_without_a_pull_nothing_is_told_and_the_cursor_comes_back(crew: Crew) -> None:
    await crew.other_officer.tell("officer", uuid7())
    before = (await crew.officer.sync())["cursor"]
    await crew.other_officer.tell("officer", uuid7())
    epoch = (await crew.officer.sync())["epoch"]
    for cursor in (before, None):
        answer = await crew.officer.sync(entry("officer", uuid7()), cursor=cursor, pull=False)
        assert answer["epoch"] == epoch
        assert (answer["incidents"], answer["gone"], answer["more"], answer["cursor"]) == ([], [], False, cursor)
        assert answer["counts"]["stored"] == 1
    assert len((await crew.officer.sync(cursor=before))["incidents"]) == 3
    assert refused(await crew.officer.post_sync(cursor="nonsense", pull=False)) == (400, "cursor_malformed")


@pytest.mark.parametrize(
    "prefer",
    [
        "return=minimal",
        "respond-async, RETURN=minimal; x",
        "wait=1 , return = minimal",
        'return="minimal"',
        "return=minimal, return=representation",
    ],
)
async def test_what_was_stored_without_notices_need_not_be_listed(crew: Crew, prefer: str) -> None:
    plain, twice, wrong = (entry("outcome", uuid7()) for _ in range(3))
    odd = entry("withdrawal", uuid7(), withdraws=uuid7())
    answer = await crew.officer.sync_raw(request(plain, twice, twice, odd, wrong | {"id": 1}), prefer=prefer)
    assert answer.headers["preference-applied"] == "return=minimal"
    listed = [(result["id"], result["status"]) for result in answer.json()["results"]]
    expected = [(twice["id"], "stored"), (twice["id"], "duplicate"), (odd["id"], "stored"), (None, "refused")]
    assert listed == expected
    assert sum(answer.json()["counts"].values()) == 5


@pytest.mark.parametrize(
    "prefer", ["", "return=representation", "minimal", "return", "return=representation, return=minimal"]
)
async def test_everything_is_listed_to_whoever_does_not_ask_for_less(crew: Crew, prefer: str) -> None:
    answer = await crew.officer.sync_raw(request(entry("outcome", uuid7())), prefer=prefer)
    assert "preference-applied" not in answer.headers
    assert len(answer.json()["results"]) == 1


async def test_a_receipt_may_come_without_the_incident(crew: Crew) -> None:
    body = entry("officer", uuid7())
    for status in (201, 200):
        answer = await crew.officer.put(body, prefer="return=minimal")
        assert (answer.status_code, answer.headers["preference-applied"]) == (status, "return=minimal")
        assert "incident" not in answer.json() and answer.json()["seq"] == 1
    assert await crew.consultations() == []  # nothing was read


# --- bad items


BAD_TEXTS = [b'"Calm \\ud83d"', b'"Calm \\ude42 again"', b'"nul \\u0000"']
BAD_NUMBERS = [b"1e999", b"9" * 400, b"9" * 5000, b"-0.0001e-999", b"1" + b"0" * 20]
NO_JSON = [b'"raw \x00 nul"', b'"raw \xff byte"', b"NaN"]


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        *(("note", value, "note") for value in BAD_TEXTS),
        *(("age", value, "age") for value in BAD_NUMBERS),
        *(("note", value, "") for value in NO_JSON),
    ],
)
async def test_whatever_is_wrong_inside_an_item_costs_that_item_alone(
    crew: Crew, field: str, value: bytes, named: str
) -> None:
    bad = entry("officer", uuid7())
    broken = msgspec.json.encode(bad)[:-1] + f',"{field}":'.encode() + value + b"}"
    good = [msgspec.json.encode(entry("officer", uuid7(), note="Calm 🙂")) for _ in range(2)]
    body = b'\xef\xbb\xbf{"cursor":null,"entries":[' + b",".join([good[0], broken, good[1]]) + b"]}"
    answer = (await crew.officer.sync_raw(body)).json()
    assert [result["status"] for result in answer["results"]] == ["stored", "refused", "stored"]
    refusal = answer["results"][1]
    assert refusal["id"] == bad["id"]
    assert fields(refusal["problem"]) == [named]
    [item] = (await crew.sergeant.see("/v1/quarantine"))["items"]
    assert item["problem"]["code"] == refusal["problem"]["code"]


@pytest.mark.parametrize(
    "body",
    [
        b'{"entries":[{"note":"\\ud83d"}]}{}',
        b'{"entries":[{"note":"\\ud83d"} {"note":"x"}]}',
        b'{"entries":[{"note":"\\ud83d"}] "cursor":null}',
        b'{"entries"[{"note":"\\ud83d"}]}',
        b'{"entries":[{"note":"\\ud83d"}]',
        b'{"cursor":NaN,"entries":[{"note":"\\ud83d"}]}',
    ],
)
async def test_what_is_no_json_at_all_is_refused_whole(crew: Crew, body: bytes) -> None:
    assert refused(await crew.officer.sync_raw(body)) == (400, "malformed")


async def test_a_byte_order_mark_is_passed_over_in_every_body(crew: Crew) -> None:
    body = entry("officer", uuid7())
    assert (await crew.officer.put_raw(body["id"], b"\xef\xbb\xbf" + msgspec.json.encode(body))).status_code == 201
    assert (await crew.officer.sync_raw(b'\xef\xbb\xbf{"entries":[],"future":[{"a":1}]}')).status_code == 200

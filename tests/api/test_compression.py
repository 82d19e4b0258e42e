"""Answers in the codings of RFC 9110: smaller for whoever asks, the same content, a strong tag for each."""

import gzip
from collections.abc import Callable

import pytest
import zstandard
from support.phones import Crew, Phone, RunningService, entry
from uuid_utils.compat import uuid7

DECODE: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "zstd": lambda body: zstandard.ZstdDecompressor().decompressobj().decompress(body),
}


async def raw(
    phone: Phone, path: str, accept: str | None, method: str = "GET", **headers: str
) -> tuple[dict[str, str], bytes]:
    """The headers and the very bytes of an answer, not decoded by the client."""
    sent = {"authorization": f"Bearer {phone.token}", "accept-encoding": accept or "identity"} | headers
    request = phone.client.build_request(
        method, path, headers={name.replace("_", "-"): value for name, value in sent.items()}
    )
    if accept is None:
        del request.headers["accept-encoding"]
    answer = await phone.client.send(request, stream=True)
    body = b"".join([piece async for piece in answer.aiter_raw()])
    return dict(answer.headers) | {"status": str(answer.status_code)}, body


@pytest.mark.parametrize(
    ("accept", "coding"),
    [
        (None, None),
        ("", None),
        ("identity", None),
        ("br", None),
        ("gzip;q=0", None),
        ("gzip", "gzip"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("zstd;q=0.1, gzip;q=0.9", "gzip"),
        ("*", "zstd"),
        ("*;q=0.5, zstd;q=0", "gzip"),
        ("GZIP ; q=1", "gzip"),
        ("gzip;q=x", None),
    ],
)
async def test_the_client_says_which_coding_it_takes(crew: Crew, accept: str | None, coding: str | None) -> None:
    plain = (await crew.officer.get("/v1/codes")).content
    headers, body = await raw(crew.officer, "/v1/codes", accept)
    assert headers.get("content-encoding") == coding
    assert (DECODE[coding](body) if coding else body) == plain
    assert headers["content-length"] == str(len(body))
    assert headers["vary"] == "Accept-Encoding"
    assert len(body) < len(plain) / 3 or coding is None


async def test_a_list_of_incidents_is_coded_and_a_short_answer_is_not(crew: Crew) -> None:
    for _ in range(3):
        await crew.officer.tell("officer", uuid7(), area="bedford")
    headers, body = await raw(crew.officer, "/v1/incidents", "gzip")
    assert headers["content-encoding"] == "gzip" and body.startswith(b"\x1f\x8b")
    headers, _ = await raw(crew.officer, "/health/live", "gzip")
    assert "content-encoding" not in headers and "vary" not in headers


async def test_a_sync_is_answered_in_the_coding_asked_for(crew: Crew) -> None:
    bodies = [entry("outcome", uuid7()) for _ in range(20)]
    answer = await crew.officer.post_sync(*bodies)
    assert answer.headers["content-encoding"] in ("gzip", "zstd")  # which the client of these tests asks for
    assert answer.json()["counts"]["stored"] == 20


@pytest.mark.parametrize("coding", ["gzip", "zstd", "identity"])
async def test_each_coding_has_a_strong_tag_and_any_of_them_is_held(crew: Crew, coding: str) -> None:
    tags = {
        coding: (await raw(crew.officer, "/v1/codes", coding))[0]["etag"] for coding in ("gzip", "zstd", "identity")
    }
    assert len(set(tags.values())) == 3 and not any(tag.startswith("W/") for tag in tags.values())
    for held in (tags[coding], f'"other", W/{tags[coding]}'):
        for accept in ("gzip", "zstd", "identity"):
            headers, body = await raw(crew.officer, "/v1/codes", accept, if_none_match=held)
            assert (headers["status"], body, headers["etag"]) == ("304", b"", tags[coding])
            assert headers["vary"] == "Accept-Encoding"
    headers, _ = await raw(crew.officer, "/v1/codes", "gzip", if_none_match='"other-gzip"')
    assert headers["status"] == "200"


async def test_head_tells_the_length_of_what_get_sends(crew: Crew) -> None:
    got, body = await raw(crew.officer, "/v1/codes", "gzip")
    told, nothing = await raw(crew.officer, "/v1/codes", "gzip", method="HEAD")
    assert nothing == b""
    assert {n: told[n] for n in ("content-length", "etag", "content-encoding")} == {
        n: got[n] for n in ("content-length", "etag", "content-encoding")
    }
    assert int(got["content-length"]) == len(body)


async def test_a_page_that_varies_says_all_it_varies_by(service: RunningService, crew: Crew) -> None:
    headers, _ = await raw(crew.officer, "/docs", "gzip")
    assert (headers["content-encoding"], headers["content-type"]) == ("gzip", "text/html; charset=utf-8")

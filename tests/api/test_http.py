"""HTTP as RFC 9110 and 9457 have it, whatever is sent: refused with a problem document, never with a failure."""

import asyncio
import gzip
import itertools
import json
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio
from support.operations import OPERATIONS
from support.phones import Crew, Phone, RunningService, entry, refused
from uuid_utils.compat import uuid7

from triage.http import admission
from triage.problems import CATALOGUE

JSON = {"content-type": "application/json"}
PATHS = sorted({operation.path for operation in OPERATIONS})
METHODS = ("GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "TRACE", "QUERY", "PROPFIND", "ODD")
MIB = 1024**2


@pytest_asyncio.fixture(scope="module")
async def crew(service: RunningService) -> Crew:
    """One team for all of these tests: what is refused leaves nothing behind that the others would see."""
    return await service.enrol_crew()


def address(path: str) -> str:
    """An address of this path, with an id of nothing for every parameter."""
    return "/".join(str(uuid4()) if part.startswith("{") else part for part in path.split("/"))


async def ask(phone: Phone, target: str) -> httpx.Response:
    """GET exactly this path and query."""
    return await phone.client.get(target, headers={"authorization": f"Bearer {phone.token}"})


# --- addresses and methods


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/v1", "/v1/", "/v1/nothing", "/v1/me/", "//v1/me", "/v1//me", "/v1/incidents/", "/docs/",
     "/v1/incidents/%2F", "/v1/me%00", "/v1/%ff", "/v1/me/..%2Fme", "/v2/me", "/V1/me"],
)  # fmt: skip
async def test_an_address_that_does_not_exist_is_404(crew: Crew, path: str) -> None:
    assert refused(await ask(crew.sergeant, path)) == (404, "not_found")


@pytest.mark.parametrize("path", PATHS)
async def test_a_method_an_address_does_not_have_is_405_and_says_which_it_has(
    service: RunningService, path: str
) -> None:
    has = {str(operation.method) for operation in OPERATIONS if operation.path == path}
    has |= {"HEAD"} if "GET" in has else set()
    for method in METHODS:
        answer = await service.client.request(method, address(path))
        assert (answer.status_code == 405) is (method not in has), method
        if method in has:
            continue
        assert method == "HEAD" or refused(answer) == (405, "method_not_allowed")
        assert set(answer.headers["allow"].split(", ")) == has


@pytest.mark.parametrize("path", ["/openapi.json", "/docs", "/docs/style.css", "/health/live", "/problems/not_found"])
async def test_head_answers_as_get_does_without_the_body(service: RunningService, path: str) -> None:
    plain = {"accept-encoding": "identity"}
    got, head = await service.client.get(path, headers=plain), await service.client.head(path, headers=plain)
    assert (head.status_code, head.content) == (got.status_code, b"")
    assert head.headers["content-length"] == str(len(got.content))
    assert head.headers["content-type"] == got.headers["content-type"]


async def test_head_of_an_incident_carries_its_entity_tag(crew: Crew) -> None:
    incident = uuid7()
    await crew.officer.tell("officer", incident)
    got = await crew.officer.get(f"/v1/incidents/{incident}")
    head = await crew.officer.client.head(f"/v1/incidents/{incident}", headers=got.request.headers)
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", got.headers["etag"])


@pytest.mark.parametrize("sent", ["1", "x", "%00", "%ff", "{0}", "0" * 33, "1" * 4000, "null", "٠" * 31])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/v1/entries/{}"),
        ("GET", "/v1/incidents/{}"),
        ("GET", "/v1/incidents/{}/entries"),
        ("POST", "/v1/quarantine/{}/release"),
        ("POST", "/v1/quarantine/{}/discard"),
        ("POST", "/v1/devices/{}/token"),
        ("DELETE", "/v1/devices/{}"),
    ],
)
async def test_what_is_no_id_names_nothing(crew: Crew, method: str, path: str, sent: str) -> None:
    answer = await crew.sergeant.client.request(
        method, path.format(sent), content=b"{}", headers=JSON | {"authorization": f"Bearer {crew.sergeant.token}"}
    )
    assert refused(answer) == (404, "not_found")


# --- who asks


GUARDED = [
    pytest.param(operation.method, operation.path, id=operation.name)
    for operation in OPERATIONS
    if operation.sign_in not in ("nobody", "by_itself")
]
BAD_TOKENS = [
    (None, "token_missing"),
    (b"", "token_missing"),
    (b"Bearer", "token_missing"),
    (b"Bearer ", "token_missing"),
    (b"Basic dXNlcjpwYXNz", "token_missing"),
    (b"Bearer \xc3\xa9\xff", "token_invalid"),
    (b"Bearer " + b"a" * 20_000, "token_invalid"),
    (b"Bearer a b c", "token_invalid"),
    (b"Bearer ../../etc/passwd", "token_invalid"),
]


@pytest.mark.parametrize(("method", "path"), GUARDED)
async def test_without_a_good_token_nothing_is_told(service: RunningService, method: str, path: str) -> None:
    for header, code in BAD_TOKENS:
        headers = [(b"content-type", b"application/json")]
        if header is not None:
            headers.append((b"authorization", header))
        answer = await service.client.request(method, address(path), content=b"{}", headers=headers)
        assert refused(answer) == (401, code), header
        assert answer.headers["www-authenticate"] == "Bearer"


async def test_of_two_tokens_none_counts(crew: Crew) -> None:
    headers = [("authorization", f"Bearer {phone.token}") for phone in (crew.officer, crew.sergeant)]
    assert refused(await crew.officer.client.get("/v1/me", headers=headers)) == (401, "token_missing")


# --- what is asked


@pytest.mark.parametrize(
    "query",
    [
        "status=lost", "status=", "status=null", "from=null", "to=NULL", "limit=null",
        "area=atlantis", "area=%00", "log_ref=%00", "log_ref=a%0Ab%00", "flag=%00",
        "flag=%1F", "log_ref=%ED%A0%80", "log_ref=%FF", "log_ref=" + "a" * 65, "limit=0", "limit=201", "limit=-1",
        "limit=" + "9" * 5000, "limit=%EF%BC%95", "limit=", "limit=true", "limit=5&limit=6", "status=open&status=open",
        "from=now", "from=2026-01-01T00:00:00", "from=0001-01-01T00:00:00%2B23:59", "to=9999-12-31T23:59:59-23:59",
        "from=", "after=", "after=AAAA", "after=%C3%A9", "after=" + "A" * 5000, "after=bnVsbA", "nothing=1", "=1",
        "%00=1", "&".join(f"a{n}=1" for n in range(200)),
    ],
)  # fmt: skip
async def test_a_question_that_cannot_be_read_is_refused(crew: Crew, query: str) -> None:
    status, code = refused(await ask(crew.officer, f"/v1/incidents?{query}"))
    assert status == 400
    assert code in ("invalid_parameter", "unknown_parameter")


@pytest.mark.parametrize(
    "query", ["", "&", "status=open", "area=luton_north&limit=200", "log_ref=%E2%82%AC&flag=late", "flag=null"]
)
async def test_a_question_that_can_be_read_is_answered(crew: Crew, query: str) -> None:
    assert (await ask(crew.officer, f"/v1/incidents?{query}")).status_code == 200


# --- what is sent


async def send(phone: Phone, path: str, content: bytes, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    method = "PUT" if "/entries/" in path else "POST"
    return await phone.client.request(
        method, path, content=content, headers={"authorization": f"Bearer {phone.token}"} | named
    )


BODIES = ["/v1/entries/0193a000-0000-7000-8000-0000000000e1", "/v1/sync", "/v1/sync/held", "/v1/enrolments"]


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("content_type", ["text/plain", "", "application/x-www-form-urlencoded", "text/json", "a/b/c"])
async def test_a_body_of_another_type_is_415(crew: Crew, path: str, content_type: str) -> None:
    answer = await send(crew.sergeant, path, b"{}", content_type=content_type)
    assert refused(answer) == (415, "unsupported_media_type")


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"null",
        b"[]",
        b"0",
        b'"',
        b"{",
        b'{"kind":',
        b"\xff\xfe{}",
        b"{}{}",
        b'{"\\ud800": 1}',
        b"[" * 100_000,
        b'{"entries":' * 50_000,
        b'{"ids":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
    ids=lambda body: repr(body[:12]),
)
async def test_a_body_that_cannot_be_read_is_400(crew: Crew, path: str, body: bytes) -> None:
    assert refused(await send(crew.sergeant, path, body, content_type="application/json")) == (400, "malformed")


@pytest.mark.parametrize("path", BODIES)
async def test_a_body_of_three_mebibytes_is_413(crew: Crew, path: str) -> None:
    answer = await send(crew.sergeant, path, b'"' + b"a" * (3 * MIB) + b'"', content_type="application/json")
    assert refused(answer) == (413, "too_large")


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize(
    ("coding", "content", "expected"),
    [
        ("gzip", b"{}", (400, "invalid_parameter")),
        ("gzip", gzip.compress(b"{}", mtime=0)[:-9], (400, "invalid_parameter")),
        ("gzip", b"", (400, "malformed")),
        ("zstd", b"{}", (400, "invalid_parameter")),
        ("br", b"{}", (415, "unsupported_media_type")),
        ("gzip, gzip", b"{}", (415, "unsupported_media_type")),
        ("gzip", gzip.compress(bytes(17 * MIB)), (413, "too_large")),
    ],
)
async def test_a_coded_body_that_is_not_what_it_says_is_refused(
    crew: Crew, path: str, coding: str, content: bytes, expected: tuple[int, str]
) -> None:
    answer = await send(crew.sergeant, path, content, content_type="application/json", content_encoding=coding)
    assert refused(answer) == expected


@pytest.mark.parametrize(
    "sent_at",
    ["now", "", "2026-01-01T00:00:00", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "1" * 5000, "\xff"],
)
async def test_a_phones_clock_that_cannot_be_read_is_refused(crew: Crew, sent_at: str) -> None:
    body = entry("officer", uuid7())
    answer = await crew.officer.client.put(
        f"/v1/entries/{body['id']}",
        content=json.dumps(body),
        headers=[
            (b"authorization", f"Bearer {crew.officer.token}".encode()),
            (b"content-type", b"application/json"),
            (b"triage-sent-at", sent_at.encode("latin-1")),
        ],
    )
    assert refused(answer) == (400, "invalid_parameter")


# --- what is wanted back


@pytest.mark.parametrize(
    "accept", ["text/plain", "application/json;q=0", "*/*;q=0", "image/*", "é", "nothing", "*/*;q=x"]
)
@pytest.mark.parametrize("path", ["/v1/me", "/v1/incidents", "/v1/codes", "/openapi.json", "/docs"])
async def test_a_form_that_is_not_offered_is_406(crew: Crew, path: str, accept: str) -> None:
    answer = await crew.officer.client.get(
        path, headers=[(b"authorization", f"Bearer {crew.officer.token}".encode()), (b"accept", accept.encode())]
    )
    assert refused(answer) == (406, "not_acceptable")


@pytest.mark.parametrize(
    "accept", ["", "*/*", "application/*", "text/html, application/json;q=0.1", "application/json"]
)
async def test_json_is_given_to_whoever_takes_it(crew: Crew, accept: str) -> None:
    answer = await crew.officer.get("/v1/me", headers={"accept": accept})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")


@pytest.mark.parametrize("held", ['"other"', "", ",", "W/", "é", '"' * 5000])
async def test_an_entity_tag_of_something_else_gets_the_whole_answer(crew: Crew, held: str) -> None:
    answer = await crew.officer.client.get("/openapi.json", headers=[(b"if-none-match", held.encode())])
    assert answer.status_code == 200


@pytest.mark.parametrize("form", ["{}", "W/{}", '"x", {}', "*"])
async def test_what_is_held_is_not_sent_again(crew: Crew, form: str) -> None:
    for path in ("/v1/codes", "/openapi.json", "/docs", "/docs/style.css"):
        plain = {"accept-encoding": "identity"}
        etag = (await crew.officer.get(path, headers=plain)).headers["etag"]
        answer = await crew.officer.get(path, headers=plain | {"if-none-match": form.format(etag)})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", etag)


# --- what is around every answer


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("abc-1.2_X", True), ("", False), ("a b", False), ("a" * 65, False), ("a\tb", False), ("é", False)],
)
async def test_a_request_id_is_kept_where_it_can_be_logged_as_it_is(
    service: RunningService, sent: str, kept: bool
) -> None:
    for path in ("/health/live", "/nothing"):
        answer = await service.client.get(path, headers=[(b"x-request-id", sent.encode())])
        assert (answer.headers["x-request-id"] == sent) is kept
        assert answer.headers["x-request-id"]


@pytest.mark.parametrize("path", ["/v1/me", "/nothing", "/health/live", "/docs", "/app", "/review/sign-in"])
async def test_every_answer_is_kept_from_being_misread(service: RunningService, path: str) -> None:
    headers = (await service.client.get(path)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "strict-transport-security" not in headers


@pytest.mark.parametrize("path", ["/docs", "/app", "/review/sign-in", "/"])
async def test_a_document_loads_nothing_of_others_and_tells_them_nothing(service: RunningService, path: str) -> None:
    headers = (await service.client.get(path)).headers
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "default-src 'none'" in headers["content-security-policy"]


async def test_over_https_browsers_are_told_to_stay_there(service: RunningService) -> None:
    headers = (await service.client.get("https://127.0.0.1/v1/me")).headers
    assert headers["strict-transport-security"].startswith("max-age=")


async def test_a_refusal_names_nobody_who_made_the_server(service: RunningService) -> None:
    for path, method in itertools.product(("/nothing", "/v1/me", "/v1/entries/x"), ("GET", "PUT", "PATCH")):
        answer = await service.client.request(method, path)
        assert not [word for word in ("litestar", "uvicorn", "python", "traceback") if word in answer.text.lower()]
        assert "server" not in answer.headers


async def test_a_fault_of_our_own_tells_nothing(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> None:
        raise RuntimeError("a secret")

    monkeypatch.setattr(type(crew.officer.service.sign_in), "authenticate", fail)
    answer = await crew.officer.get("/v1/me")
    assert refused(answer) == (500, "internal")
    assert answer.json() == {
        "type": "/problems/internal",
        "title": CATALOGUE["internal"].title,
        "status": 500,
        "detail": CATALOGUE["internal"].explanation,
        "code": "internal",
        "retry": "later",
    }


# --- the documents


async def test_the_page_is_served_under_a_policy_that_allows_its_style_sheet_only(service: RunningService) -> None:
    answer = await service.client.get("/docs")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"].split("; ")
    assert policy[:2] == ["default-src 'none'", "style-src 'self'"]
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert (await service.client.get("/docs/style.css")).headers["content-type"] == "text/css; charset=utf-8"


@pytest.mark.parametrize("code", CATALOGUE)
async def test_the_type_of_a_problem_leads_to_its_part_of_the_page(service: RunningService, code: str) -> None:
    answer = await service.client.get(CATALOGUE[code].problem().type)
    assert (answer.status_code, answer.headers["location"]) == (308, f"/docs#problem-{code}")
    assert f'id="problem-{code}"' in (await service.client.get("/docs")).text


@pytest.mark.parametrize("code", ["nothing", "%00", "not_found%0d%0aset-cookie:x"])
async def test_no_other_problem_leads_anywhere(service: RunningService, code: str) -> None:
    assert refused(await service.client.get(f"/problems/{code}")) == (404, "not_found")


@pytest.mark.parametrize("media_type", ["application/json", "application/vnd.oai.openapi+json"])
async def test_the_document_is_served_to_anybody_as_the_type_asked_for(
    service: RunningService, media_type: str
) -> None:
    answer = await service.client.get("/openapi.json", headers={"accept": media_type})
    assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)
    assert answer.json()["openapi"] == "3.1.0"


async def test_the_service_is_ready(service: RunningService) -> None:
    assert (await service.client.get("/health/ready")).json() == {"status": "ok"}


@pytest.mark.parametrize("accept", ["text/html", "application/json", "image/png"])
async def test_the_address_alone_leads_to_the_pages_for_whoever_asks(service: RunningService, accept: str) -> None:
    for method in ("GET", "HEAD"):
        answer = await service.client.request(method, "/?utm_source=mail", headers={"accept": accept})
        assert (answer.status_code, answer.headers["location"]) == (303, "/review")


async def test_an_answer_that_takes_too_long_is_503(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(admission, "ANSWER_WITHIN_S", 0.05)
    monkeypatch.setattr(type(crew.officer.service.incidents), "page", hang)
    monkeypatch.setattr(type(crew.officer.service.log), "append", hang)
    read, written = await crew.officer.get("/v1/incidents"), await crew.officer.put(entry("officer", uuid7()))
    for answer in (read, written):
        assert refused(answer) == (503, "not_ready")
        assert int(answer.headers["retry-after"]) >= 2

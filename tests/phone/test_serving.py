"""How the app is served: one release, never half of another, nothing of anybody else's."""

import gzip
import json
import re
from importlib.resources import files

import pytest
from support.phones import RunningService

from triage.http import phone


async def test_a_name_the_release_does_not_have_is_nowhere(service: RunningService) -> None:
    for path in ("/app/vault.py", "/app/..%2fphone.py", "/app/index.htm", "/app/nothing"):
        assert (await service.client.get(path)).status_code == 404


async def test_every_file_is_of_one_release(service: RunningService) -> None:
    names = [file.name for file in (files("triage") / "phone").iterdir()]
    assert sorted(phone.release().files) == sorted(names)
    for name in names:
        answer = await service.client.get(f"/app/{name}")
        assert answer.status_code == 200
        assert answer.headers["x-app-version"] == phone.release().version
        assert answer.headers["cache-control"] == "no-cache"
        assert answer.headers["content-type"].count("charset") == answer.headers["content-type"].startswith("text/")


async def test_the_worker_holds_the_whole_release_and_no_more(service: RunningService) -> None:
    worker = (await service.client.get("/app/sw.js")).text
    cached = json.loads(re.search(r"FILES = (\[.*\]);", worker)[1])  # type: ignore[index]
    assert f'VERSION = "{phone.release().version}"' in worker
    assert {"/app"} | {f"/app/{name}" for name in phone.release().files} - {"/app/index.html", "/app/sw.js"} == set(
        cached
    )
    assert (await service.client.get("/app/sw.js")).headers["service-worker-allowed"] == "/app"


async def test_the_page_names_its_version_and_fetches_every_module_at_once(service: RunningService) -> None:
    page = (await service.client.get("/app")).text
    assert f'name="version" content="{phone.release().version}"' in page
    modules = {name for name in phone.release().files if name.endswith(".js")} - {"boot.js", "sw.js", "main.js"}
    assert set(re.findall(r'modulepreload" href="/app/([^"]+)"', page)) == modules
    assert "%" not in page


async def test_the_policy_lets_nothing_in_and_nothing_out(service: RunningService) -> None:
    headers = (await service.client.get("/app")).headers
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy.pop("require-trusted-types-for") == "'script'"
    assert policy.pop("trusted-types") == "app"
    nothing = {"default-src", "base-uri", "form-action", "frame-ancestors"}
    assert {name for name, source in policy.items() if source == "'none'"} == nothing
    assert {source for name, source in policy.items() if name not in nothing} == {"'self'"}
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert "camera=(self)" in headers["permissions-policy"]


async def test_what_is_held_is_not_sent_again_in_either_coding(service: RunningService) -> None:
    for coding in ("identity", "gzip"):
        first = await service.client.get("/app/sync.js", headers={"accept-encoding": coding})
        again = await service.client.get(
            "/app/sync.js", headers={"accept-encoding": coding, "if-none-match": first.headers["etag"]}
        )
        assert (first.headers.get("content-encoding", "identity"), again.status_code) == (coding, 304)
        assert again.headers["etag"] == first.headers["etag"] and again.content == b""
    assert "accept-encoding" in first.headers["vary"].lower()


@pytest.mark.parametrize("name", ["sync.js", "app.css", "index.html"])
def test_compressed_once_it_is_the_same_file(name: str) -> None:
    file = phone.release().files[name]
    assert file.gzipped is not None and gzip.decompress(file.gzipped) == file.body


def test_a_byte_or_a_name_makes_another_version() -> None:
    versions = [
        {"a.js": b"1"},
        {"a.js": b"2"},
        {"b.js": b"1"},
        {"a.js": b"1", "b.js": b""},
        {"a.js": b"", "b.js": b"1"},
    ]
    assert len({phone.version_of(contents) for contents in versions}) == len(versions)


def test_no_file_reaches_for_another_host_or_makes_markup_of_text() -> None:
    for name, file in phone.release().files.items():
        assert b"onLine" not in file.body, "it lies both ways"
        if not name.endswith((".js", ".html", ".css")):
            continue
        text = file.body.decode()
        assert re.findall(r"https?://(?!www\.w3\.org/2000/svg)", text) == [], name
        assert (
            re.findall(r"\.innerHTML\s*=[^=]|insertAdjacentHTML|outerHTML\s*=[^=]|document\.write|\beval\(", text) == []
        ), name


def test_no_comment_is_left_that_would_swallow_the_next_line() -> None:
    for name, file in phone.release().files.items():
        if name.endswith((".js", ".css")):
            assert re.findall(rb"/\*|(?<!:)//", file.body) == [], name


@pytest.mark.parametrize(
    ("script", "served"),
    [
        (b"// why\nrun();\n", b"run();"),
        (b"  /** @param {a} b\n   * more */\nrun();\n\n\nrest();\n", b"run();rest();"),
        (b"  /** @type {a} */ b,\n  c; /** @type {d} */\n", b"b,c; \n"),
        (b"run(/** @type {any} */ (it)); // why\nrest()\n", b"run((it)); // why\nrest()\n"),
        (b'const url = "https://x/**/y";\nrun(\n  [\n    a,\n  ],\n)\n', b'const url = "https://x/**/y";run([a])\n'),
        (b"  margin: 0;\n}\n\n/** why */\nh1 {\n", b"margin: 0;}\nh1 {"),
    ],
)
def test_it_is_served_without_types_comments_and_layout(script: bytes, served: bytes) -> None:
    assert phone.without_layout(script) == served

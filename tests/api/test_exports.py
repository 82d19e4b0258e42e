"""What a partner gets of exports over HTTP, and what it does not."""

import asyncio
import csv
import hashlib
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest
import pytest_asyncio
from support.export_team import ExportTeam, Partner, SeededLog
from support.phones import running_service

from triage.exports.selection import columns_for
from triage.exports.statement import recompute, recompute_cells
from triage.resources import folder
from triage.store.access.staff import as_owner
from triage.store.exports import agreements, downloads
from triage.store.exports.agreements import AgreementFault
from triage.store.exports.ledger import verify_ledger

RECORDS, TABLES = "records/2025-Q1", "tables/2025-Q1"
FILE = f"/{RECORDS}/files/records.csv"
DOCUMENT: dict[str, Any] = json.loads((folder("openapi") / "triage.json").read_text())


@pytest_asyncio.fixture(scope="module")
async def released(server: str, seeded: SeededLog, clone: Any) -> AsyncIterator[ExportTeam]:
    """The seeded team after its first quarter was cut, with an agreement of an earlier partner."""
    async with clone(seeded.template) as url, running_service(url, seeded.data_dir) as opened:
        team = ExportTeam(opened, seeded.team_id)
        await team.partner()
        await team.release()
        yield team


@pytest_asyncio.fixture
async def partner(released: ExportTeam) -> Partner:
    """A partner whose agreement was signed after the release."""
    return await released.partner()


# --- refused


@pytest.mark.parametrize("path", ["", f"/{RECORDS}", FILE, "/ledger"])
async def test_without_a_token_or_with_a_bad_one_nothing_is_there(released: ExportTeam, path: str) -> None:
    client = released.running.client
    assert (await client.get(f"/v1/exports{path}")).status_code == 401
    bad = Partner(released, uuid4(), "x" * 43)
    assert (await bad.get(path)).status_code == 401


@pytest.mark.parametrize("path", ["", f"/{RECORDS}", FILE])
async def test_staff_has_no_exports(released: ExportTeam, path: str) -> None:
    crew = await released.running.enrol_crew()
    for phone in (crew.officer, crew.sergeant, crew.admin, crew.auditor):
        assert (await phone.get(f"/v1/exports{path}")).status_code == 403


@pytest.mark.parametrize("path", ["", f"/{RECORDS}", FILE, f"/{TABLES}", "/records/2031-Q1", "/nothing/2025-Q1"])
@pytest.mark.parametrize("parameter", ["area=bedford", "limit=1", "columns=area", "as_of=2025-01-01", "format=csv"])
async def test_there_is_no_filter_whether_or_not_there_are_rows(partner: Partner, path: str, parameter: str) -> None:
    answer = await partner.get(f"{path}?{parameter}")
    assert (answer.status_code, answer.json()["code"]) == (400, "unknown_parameter")


@pytest.mark.parametrize("edition", ["0", "-1", "x", "1.5", ""])
async def test_an_edition_is_a_number(partner: Partner, edition: str) -> None:
    assert (await partner.get(f"/{RECORDS}?edition={edition}")).status_code == 400


UNKNOWN = [
    "/records/2025-Q2",
    "/records/2025-Q9",
    "/records/2025-04",
    "/records/2031-Q1",
    "/records/2025-Q1-late",
    "/records/nonsense",
    "/records/20%0025",
    "/%00/2025-Q1",
    f"/{RECORDS}/files/%00",
    f"/{RECORDS}/files/..%2F..%2Froot.key",
    f"/records/{'9' * 500}",
    "/tables/2025-09",
    "/people/2025-Q1",
    f"/{RECORDS}?edition=2",
    f"/{TABLES}?edition=99999",
    f"/{RECORDS}/files/people.csv",
    f"/{RECORDS}/files/tables.csv",
    "/records/2025-Q2/files/records.csv",
]


@pytest.mark.parametrize("path", UNKNOWN)
async def test_what_is_not_there_and_what_never_will_be_are_refused_in_the_same_words(
    partner: Partner, path: str
) -> None:
    answer = await partner.get(path)
    assert answer.status_code == 404
    assert answer.content == (await partner.get("/records/1999")).content


async def test_a_partner_without_an_agreement_is_told_nothing(released: ExportTeam) -> None:
    partner = await released.partner(agree=False)
    assert await partner.offers() == []
    there, not_there = await partner.get(f"/{RECORDS}"), await partner.get("/records/1999")
    assert (there.status_code, there.content) == (404, not_there.content)


async def test_an_agreement_for_one_dataset_says_nothing_of_the_other(released: ExportTeam) -> None:
    partner = await released.partner(datasets=("tables",))
    assert {offer["dataset"] for offer in await partner.offers()} == {"tables"}
    assert (await partner.get(f"/{RECORDS}")).status_code == 404


@pytest.mark.parametrize("path", ["", f"/{RECORDS}", FILE, "/records/2031-Q1", f"/{RECORDS}/files/nothing"])
async def test_an_expired_agreement_is_403_whether_or_not_there_are_rows(released: ExportTeam, path: str) -> None:
    now = datetime.now(UTC)
    partner = await released.partner(agree=False)
    await released.sign(partner.partner_id, now - timedelta(days=9), expires_at=now - timedelta(seconds=1))
    answer = await partner.get(path)
    assert (answer.status_code, answer.json()["code"]) == (403, "agreement_expired")


async def test_another_organisations_files_are_not_there(released: ExportTeam, partner: Partner) -> None:
    """The address names no agreement: a token reaches its own files, and those of two partners share no reference."""
    mine = await partner.rows(RECORDS)
    other = await (await released.partner()).rows(RECORDS)
    assert {row["row_ref"] for row in mine}.isdisjoint(row["row_ref"] for row in other)


async def test_another_teams_releases_are_not_there(released: ExportTeam) -> None:
    crew = await released.running.enrol_crew()
    assert (await crew.partner.get(f"/v1/exports/{RECORDS}")).status_code == 404


async def test_a_revoked_token_is_out_at_once_and_the_others_work(released: ExportTeam, partner: Partner) -> None:
    async with as_owner(released.running.url, released.team_id) as owner:
        second = await agreements.add_token(owner, released.team_id, partner.partner_id)
        first = await agreements.tokens(owner, released.team_id)
        name = next(offer.name for offer in first if offer.partner_id == partner.partner_id)
    other = Partner(released, partner.partner_id, second)
    assert await other.offers() == await partner.offers() != []
    async with as_owner(released.running.url, released.team_id) as owner:
        assert await agreements.revoke_token(owner, released.team_id, partner.partner_id, name, datetime.now(UTC))
    assert (await partner.get("")).status_code == 401
    assert await other.offers()


async def test_a_revoked_partner_is_out_at_once(released: ExportTeam, partner: Partner) -> None:
    async with as_owner(released.running.url, released.team_id) as owner:
        assert await agreements.revoke_partner(owner, released.team_id, partner.partner_id, datetime.now(UTC))
    assert (await partner.get(FILE)).status_code == 401


@pytest.mark.parametrize(
    ("body", "changed"),
    [
        ("other", {"columns": ("area", "note")}),
        ("police", {"columns": ("area", "place_of_safety")}),
        ("other", {"areas": ("luton",)}),
        ("other", {"expires_at": datetime(2020, 1, 1, tzinfo=UTC)}),
    ],
)
async def test_an_agreement_on_what_no_file_has_is_not_signed(released: ExportTeam, body: Any, changed: Any) -> None:
    partner = await released.partner(body, agree=False)
    with pytest.raises(AgreementFault):
        await released.sign(partner.partner_id, **changed)
    assert await partner.offers() == []


async def test_a_second_agreement_for_the_same_dataset_is_not_signed(released: ExportTeam, partner: Partner) -> None:
    with pytest.raises(AgreementFault):
        await released.sign(partner.partner_id, datasets=("records",))


# --- served


async def test_the_list_names_every_edition_of_each_release_the_latest_first(partner: Partner) -> None:
    listed = [(offer["dataset"], offer["period"], offer["edition"]) for offer in await partner.offers()]
    assert len(listed) == len(set(listed))
    assert {("records", "2025-Q1", 1), ("tables", "2025-Q1", 1), ("tables", "2025-04", 1)} <= set(listed)
    editions: dict[tuple[str, str], list[int]] = {}
    for dataset, period, edition in listed:
        editions.setdefault((dataset, period), []).append(edition)
    assert all(numbers == list(range(len(numbers), 0, -1)) for numbers in editions.values())
    assert max(map(len, editions.values())) > 1, "some tables have a second edition"


async def test_a_csv_file_says_where_it_is_described_and_the_checksums_are_right(partner: Partner) -> None:
    for name in (RECORDS, TABLES):
        table = name.split("/")[0]
        described = await partner.get(f"/{name}/files/{table}.csv")
        assert described.headers["link"] == '<metadata.json>; rel="describedby"'
        metadata = json.loads(await partner.bytes(name, "metadata.json"))
        columns = [column["name"] for column in metadata["tableSchema"]["columns"]]
        assert (metadata["url"], columns) == (f"{table}.csv", described.text.split("\r\n")[0].split(","))
        sums = dict(line.split("  ")[::-1] for line in (await partner.bytes(name, "SHA256SUMS")).decode().splitlines())
        files = {file["name"]: file for file in (await partner.manifest(name))["files"]}
        assert sums == {name: file["sha256"] for name, file in files.items() if name != "SHA256SUMS"}
        assert {name for name, file in files.items() if file["rows"] is None} == {"metadata.json", "SHA256SUMS"}
        assert {f"{table}.parquet", f"{table}.csv"} <= files.keys()
        documented = DOCUMENT["paths"]["/v1/exports/{dataset}/{period}/files/{name}"]["get"]["responses"]["200"]
        assert {file["media_type"].split(";")[0] for file in files.values()} <= documented["content"].keys()


async def test_every_file_is_what_the_manifest_says(partner: Partner) -> None:
    for offer in await partner.offers():
        name = f"{offer['dataset']}/{offer['period']}"
        manifest = await partner.manifest(name)
        assert (manifest["dataset"], manifest["period"]) == (offer["dataset"], offer["period"])
        for file in manifest["files"]:
            content = await partner.bytes(name, file["name"])
            assert (len(content), hashlib.sha256(content).hexdigest()) == (file["bytes"], file["sha256"])
            if file["name"].endswith(".csv"):
                assert content.count(b"\n") == file["rows"] + 1


async def test_two_partners_of_one_kind_differ_in_nothing_but_references(
    released: ExportTeam, partner: Partner
) -> None:
    other = await released.partner()
    without = [sorted(tuple(row.values())[1:] for row in await p.rows(RECORDS)) for p in (partner, other)]
    assert without[0] == without[1]
    assert await partner.bytes(TABLES) == await other.bytes(TABLES)


@pytest.mark.parametrize("body", ["police", "health", "other"])
async def test_every_kind_of_body_gets_its_columns_and_no_others(released: ExportTeam, body: Any) -> None:
    rows = await (await released.partner(body)).rows(RECORDS)
    assert tuple(rows[0]) == columns_for(body)
    assert ("arrest" in {row["power"] for row in rows}) == (body != "health")
    assert ({row["disposal"] for row in rows} == {"power_used", "power_not_used"}) == (body == "police")


async def test_an_agreement_of_some_areas_and_columns_gets_whole_published_areas_only(released: ExportTeam) -> None:
    areas = ("bedford", "central_bedfordshire")
    partner = await released.partner(areas=areas, columns=("area", "age", "power"))
    rows = await partner.rows(RECORDS)
    assert set(rows[0]) == {"area", "age", "power"}
    assert {part for row in rows for part in row["area"].split("|")} <= set(areas)


async def test_the_statement_recomputes_from_the_file(released: ExportTeam) -> None:
    for body in ("police", "health", "other"):
        partner = await released.partner(body)
        statement = (await partner.manifest(RECORDS))["statement"]
        text = (await partner.bytes(RECORDS)).decode().splitlines()
        columns, *rows = [line.split(",") for line in text]
        recomputed = msgspec.to_builtins(recompute(columns, rows))
        assert recomputed == {name: statement["achieved"][name] for name in recomputed}
        assert statement["achieved"]["k_people"] >= 10
        assert statement["sha256"] == hashlib.sha256(await partner.bytes(RECORDS)).hexdigest()
        cells = msgspec.to_builtins(recompute_cells((await partner.cells("2025-Q1")).values()))
        assert (await partner.manifest(TABLES))["statement"]["achieved"] == cells


async def test_nothing_of_the_log_is_in_what_a_partner_gets(released: ExportTeam, partner: Partner) -> None:
    head = await released.fetch("SELECT seq, encode(link, 'hex') AS link FROM log_head WHERE team_id = $1")
    ids = await released.fetch("SELECT id::text AS id FROM incident WHERE team_id = $1 LIMIT 500")
    for path in ("", f"/{RECORDS}", FILE, f"/{TABLES}", f"/{TABLES}/files/tables.csv", "/ledger"):
        answer = await partner.get(path)
        text = answer.text + str(answer.headers)
        assert head[0]["link"] not in text
        assert not [row["id"] for row in ids if row["id"] in text]
        assert not {"seq", "as_at_seq", "chain_head", "total", "next"} & set(answer.headers)
        assert answer.headers.get("link") in (None, '<metadata.json>; rel="describedby"')
        assert '"seq"' not in text
        assert '"n"' not in text


async def test_the_same_bytes_as_long_as_they_are_the_same(partner: Partner) -> None:
    first = await partner.get(FILE)
    etag = first.headers["etag"]
    assert etag.startswith('"')
    again = await partner.get(FILE, if_none_match=etag)
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    assert (await partner.get(FILE, if_none_match='"other"')).content == first.content


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [("bytes=0-0", 0, 1), ("bytes=10-99", 10, 100), ("bytes=100-", 100, None), ("bytes=-7", -7, None)],
)
async def test_a_range_is_those_bytes(partner: Partner, asked: str, first: int, last: int | None) -> None:
    whole = await partner.bytes(RECORDS)
    answer = await partner.get(FILE, range=asked)
    assert (answer.status_code, answer.content) == (206, whole[first:last])
    start = first if first >= 0 else len(whole) + first
    end = start + len(answer.content) - 1
    assert answer.headers["content-range"] == f"bytes {start}-{end}/{len(whole)}"
    assert int(answer.headers["content-length"]) == len(answer.content)


@pytest.mark.parametrize("asked", ["bytes=0-1,5-6", "bytes=9-3", "lines=0-3", "bytes=-", "bytes", "bytes=a-b"])
async def test_what_is_no_single_range_is_answered_with_the_whole(partner: Partner, asked: str) -> None:
    answer = await partner.get(FILE, range=asked)
    assert (answer.status_code, answer.content) == (200, await partner.bytes(RECORDS))


async def test_a_range_of_another_file_is_answered_with_the_whole(partner: Partner) -> None:
    assert (await partner.get(FILE, range="bytes=0-9", if_range='"other"')).status_code == 200


@pytest.mark.parametrize("asked", ["bytes=99999999-", "bytes=99999999-100000000", "bytes=-0"])
async def test_a_range_beyond_the_end_is_416_and_no_pull(partner: Partner, asked: str) -> None:
    size = len(await partner.bytes(RECORDS))
    before = await partner.get("/ledger")
    answer = await partner.get(FILE, range=asked)
    assert (answer.status_code, answer.headers["content-range"]) == (416, f"bytes */{size}")
    assert (await partner.get("/ledger")).content == before.content


async def test_a_large_file_is_put_together_from_its_pieces(
    released: ExportTeam, partner: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("triage.store.exports.rendered_files.CHUNK", 1000)
    monkeypatch.setattr("triage.store.exports.downloads.CHUNK", 1000)
    small = await released.partner()
    manifest = await small.manifest(RECORDS)
    for file in manifest["files"]:
        if file["bytes"] < 5000:
            continue
        whole = await small.bytes(RECORDS, file["name"])
        assert hashlib.sha256(whole).hexdigest() == file["sha256"]
        for first, last in ((0, 999), (0, 1000), (999, 1000), (1500, 4200), (len(whole) - 1, len(whole) - 1)):
            part = await small.get(f"/{RECORDS}/files/{file['name']}", range=f"bytes={first}-{last}")
            assert part.content == whole[first : last + 1]


# --- on the ledger


async def test_every_pull_is_on_the_ledger_and_in_the_audit_before_the_first_byte(
    released: ExportTeam, partner: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    async def watched(*address: Any) -> AsyncIterator[bytes]:
        seen.append(len((await partner.get("/ledger")).json()["pulls"]))
        yield b""

    monkeypatch.setattr(downloads, "read_pieces", watched)
    await partner.get(FILE)
    assert seen == [1]
    (pull,) = (await partner.get("/ledger")).json()["pulls"]
    manifest = await partner.manifest(RECORDS)
    assert (pull["file"], pull["part"], pull["rows"]) == ("records.csv", "whole", manifest["files"][0]["rows"])
    assert pull["sha256"] == manifest["files"][0]["sha256"]
    assert pull["purpose"] == "Scrutiny of the use of Section 136"
    (noted,) = await released.fetch(
        "SELECT role, query FROM audit WHERE team_id = $1 AND operation = 'disclosure' AND actor = $2",
        partner.partner_id,
    )
    assert (noted["role"], noted["query"]) == ("partner", "export records 2025-Q1 1 records.csv")


@pytest.mark.parametrize("name", ["records.csv", "records.parquet", "SHA256SUMS"])
async def test_head_of_a_file_says_each_thing_once_and_as_get_does(partner: Partner, name: str) -> None:
    got, head = [await partner.get(f"/{RECORDS}/files/{name}", method) for method in ("GET", "HEAD")]
    for header in ("content-length", "content-type"):
        assert head.headers.get_list(header) == got.headers.get_list(header)
    assert got.headers["content-length"] == str(len(got.content))
    assert got.headers["content-type"].count("charset") == got.headers["content-type"].startswith("text/")


@pytest.mark.parametrize("how", ["head", "unchanged", "manifest", "list", "refused"])
async def test_what_hands_nothing_over_is_no_pull(partner: Partner, how: str) -> None:
    etag = f'"{(await partner.manifest(RECORDS))["files"][0]["sha256"]}"'
    match how:
        case "head":
            answer = await partner.get(FILE, "HEAD")
            assert (answer.status_code, answer.content) == (200, b"")
        case "unchanged":
            assert (await partner.get(FILE, if_none_match=etag)).status_code == 304
        case "manifest":
            await partner.manifest(RECORDS)
        case "list":
            await partner.offers()
        case "refused":
            assert (await partner.get(f"{FILE}?area=bedford")).status_code == 400
    assert (await partner.get("/ledger")).json() == {"pulls": []}


async def test_a_partner_reads_its_own_pulls_and_the_auditor_all(released: ExportTeam, partner: Partner) -> None:
    other = await released.partner()
    await other.bytes(TABLES)
    for _ in range(3):
        await partner.bytes(TABLES)
    own = (await partner.get("/ledger")).json()["pulls"]
    assert [pull["partner_id"] for pull in own] == [str(partner.partner_id)] * 3
    page = await partner.get("/ledger?limit=2")
    assert [pull["at"] for pull in page.json()["pulls"]] == [pull["at"] for pull in own[:2]]
    following = page.headers["link"].split(">")[0].split("/v1/exports")[1]
    assert (await partner.get(following)).json()["pulls"] == own[2:]


async def test_twenty_pulls_at_once_are_twenty_lines_and_a_changed_one_is_found(
    released: ExportTeam, partner: Partner
) -> None:
    answers = await asyncio.gather(*(partner.get(FILE) for _ in range(20)))
    assert {answer.content for answer in answers} == {answers[0].content}
    assert len((await partner.get("/ledger")).json()["pulls"]) == 20
    async with as_owner(released.running.url, released.team_id) as owner:
        verdict = await verify_ledger(owner, released.team_id)
        assert (verdict.fault, verdict.rows >= 20) == (None, True)
        for change, fault in (
            ("UPDATE ledger SET rows = rows + 1 WHERE team_id = $1 AND n = 3", "line 3 was altered, or moved here"),
            ("DELETE FROM ledger WHERE team_id = $1 AND n = 5", "line 5 is missing"),
            ("DELETE FROM ledger WHERE team_id = $1 AND n = (SELECT max(n) FROM ledger)", "is missing"),
        ):
            transaction = owner.transaction()
            await transaction.start()
            await owner.execute("ALTER TABLE ledger DISABLE TRIGGER USER")
            await owner.execute(change, released.team_id)
            assert fault in str((await verify_ledger(owner, released.team_id)).fault)
            await transaction.rollback()


# --- beside


async def test_the_protected_summary_has_the_numbers_of_the_release(released: ExportTeam, partner: Partner) -> None:
    (row,) = await released.fetch(
        "SELECT body FROM summary_edition"
        " WHERE team_id = $1 AND form = 'protected' AND period = '2025-Q1' AND edition = 1"
    )
    summary = json.loads(row["body"])
    numbers = {
        (table["code"], "/".join(line["row"]) or "all", cell["column"]): None if cell["count"] == "c" else cell["count"]
        for table in summary["tables"]
        for line in table["rows"]
        for cell in line["cells"]
    }
    assert numbers == await partner.cells("2025-Q1", edition=1)
    address = "/v1/summaries/quarterly/2025-Q1?edition=1"
    signed_in = {"authorization": f"Bearer {partner.token}"}
    served = {
        kind: await released.running.client.get(address, headers=signed_in | {"accept": kind})
        for kind in ("application/json", "text/csv", "text/html")
    }
    assert served["application/json"].content == row["body"]
    frozen = await partner.bytes(TABLES, edition=1)
    assert served["text/csv"].content.startswith(frozen)
    rest = list(csv.reader(io.StringIO(served["text/csv"].text[len(frozen) :])))
    assert {row[0] for row in rest} == {"caveat"} and len({len(row) for row in rest}) == 1
    assert [row[1] for row in rest] == served["application/json"].json()["statement"]["read_me"]
    cells = re.findall(r'<td class="num">([^<]*)</td>', served["text/html"].text)
    assert cells == ["c" if n is None else str(n) for n in numbers.values()]
    page = served["text/html"].text
    assert "/review/incidents" not in page and "?edition" not in page  # no way to an incident, nor to another form
    assert 'class="spark"' not in page and summary["statement"]["read_me"][0][:40] in unescape(page)
    assert not {"as_at_seq", "chain_head", "as_at", "rules"} & set(summary)


async def test_the_ten_line_reader_reads(released: ExportTeam, partner: Partner, tmp_path: Path) -> None:
    """The reader of the partner's page, run as it stands against this service on a port."""
    page = (Path(__file__).parents[2] / "docs" / "partners.md").read_text()
    reader = page.split("```python\n")[1].split("```")[0].replace("2026-Q3", "2025-Q1")
    served = {
        path: await partner.get(path.removeprefix("/v1/exports"))
        for path in (f"/v1/exports/{RECORDS}", f"/v1/exports{FILE}")
    }

    async def answer(reading: asyncio.StreamReader, writing: asyncio.StreamWriter) -> None:
        head = (await reading.readuntil(b"\r\n\r\n")).decode()
        path = head.split()[1]
        assert f"authorization: bearer {partner.token}".lower() in head.lower()
        body = served[path].content
        writing.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        await writing.drain()
        writing.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        environment = os.environ | {"TRIAGE": f"http://127.0.0.1:{port}", "TOKEN": partner.token}
        done = await asyncio.to_thread(
            subprocess.run, [sys.executable, "-c", reader], env=environment, capture_output=True, text=True, check=True
        )
    rows = await partner.rows(RECORDS)
    assert done.stdout.split() == [str(len(rows)), str(sum(row["disposal"] == "s136" for row in rows))]

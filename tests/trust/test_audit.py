"""The audit: every operation with its act, sealed into a chain, read by the auditor alone."""

import asyncio
import csv
import io
from datetime import timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import msgspec
import pytest
from support.installation import InstalledService
from support.logins import unguarded
from support.phones import Crew, RunningService, now, refused
from support.spreadsheet import taken_for_something_else

from triage.progress import unseen
from triage.store import audit
from triage.store.access.staff import as_owner
from triage.store.chains import ChainVerdict
from triage.store.journal_lines import ChainName
from triage.store.recovery.anchors import Anchors, anchor, check_anchors

ROLES = ["officer", "nurse", "paramedic", "sergeant", "clinical_lead", "admin", "partner"]


async def operations(crew: Crew, **query: Any) -> list[tuple[str, str]]:
    """What the auditor sees, the oldest first, but for her own reading."""
    audit = (await crew.auditor.see("/v1/audit", limit=1000, **query))["audit"]
    return [
        (operation["operation"], operation["query"])
        for operation in reversed(audit)
        if operation["actor"] != str(crew.auditor.staff_id)
    ]


async def verdict(crew: Crew) -> str | None:
    async with as_owner(crew.owner_url, crew.team_id) as owner:
        return (await audit.verify(owner, crew.team_id, unseen)).fault


@pytest.mark.parametrize("role", ROLES)
async def test_only_the_auditor_reads_the_audit(crew: Crew, role: str) -> None:
    for path in ("/v1/audit", f"/v1/audit/incidents/{uuid4()}/readers"):
        assert refused(await getattr(crew, role).get(path)) == (403, "forbidden")


async def test_the_auditor_reads_nothing_else(crew: Crew) -> None:
    incident = uuid4()
    await crew.officer.tell("officer", incident)
    for path in ("/v1/incidents", f"/v1/incidents/{incident}", f"/v1/incidents/{incident}/entries", "/v1/quarantine"):
        assert refused(await crew.auditor.get(path))[0] == 403


async def test_all_six_operations_are_there(crew: Crew) -> None:
    incident, other = uuid4(), uuid4()
    written = await crew.officer.tell("officer", incident)
    await crew.officer.tell("officer", other)
    await crew.officer.tell(
        "amendment", incident, amends=written["id"], entry={"kind": "officer", "area": "luton_north"}
    )
    await crew.officer.tell("same_incident", incident, other_incident_id=str(other))
    await crew.sergeant.incident(incident)
    recorded = await operations(crew)
    assert ("collection", "entry/officer") in recorded
    assert ("alteration", "entry/amendment") in recorded
    assert ("combination", "entry/same_incident") in recorded
    assert ("consultation", "incident") in recorded


async def test_a_refusal_and_a_failed_sign_in_are_recorded(crew: Crew, service: RunningService) -> None:
    incident = uuid4()
    assert refused(await crew.partner.get(f"/v1/incidents/{incident}"))[0] == 403
    token, crew.officer.token = crew.officer.token, "nobody's"
    assert refused(await crew.officer.get("/v1/me")) == (401, "token_invalid")
    crew.officer.token = token
    await crew.sergeant.delete(f"/v1/devices/{crew.officer.device_id}")
    assert refused(await crew.officer.get("/v1/me")) == (401, "device_revoked")
    rows = await crew.fetch("SELECT operation, actor, query, ids, detail FROM audit WHERE team_id = $1 ORDER BY id")
    told = [tuple(row) for row in rows]
    assert ("refusal", crew.partner.staff_id, "GET /v1/incidents/{id}", [incident], "forbidden") in told
    assert ("access", crew.officer.staff_id, "sign_in", [], "device_revoked") in told
    nobodys = await operations(crew, operation="access")
    assert ("access", "sign_in") in nobodys


async def test_a_304_is_no_consultation_and_a_duplicates_answer_is_one(crew: Crew) -> None:
    body = await crew.officer.tell("officer", uuid4())
    assert (await crew.officer.put(body)).status_code == 200
    first = await crew.officer.get(f"/v1/incidents/{body['incident_id']}")
    again = await crew.officer.get(f"/v1/incidents/{body['incident_id']}", {"if-none-match": first.headers["etag"]})
    assert again.status_code == 304
    assert [row["query"] for row in await crew.consultations()] == ["entry", "incident"]


async def test_filters_by_incident_person_actor_and_time(crew: Crew) -> None:
    incident, other = uuid4(), uuid4()
    person = (await crew.nurse.post("/v1/people", {"police_ref": "CD/77"})).json()["person_id"]
    await crew.nurse.tell("nurse", incident)
    await crew.nurse.tell("person_link", incident, person_id=person)
    await crew.nurse.tell("nurse", other)
    await crew.sergeant.incident(incident)
    assert await operations(crew, incident=str(other)) == [("collection", "entry/nurse")]
    assert await operations(crew, actor=str(crew.sergeant.staff_id)) == [("consultation", "incident")]
    assert await operations(crew, person=person) == [
        ("collection", "people"),
        ("collection", "entry/nurse"),
        ("combination", "entry/person_link"),
        ("consultation", "incident"),
    ]
    later = (now() + timedelta(minutes=1)).isoformat()
    assert await operations(crew, **{"from": later}) == []
    assert len(await operations(crew, to=later)) > 4


async def test_an_incident_joined_with_another_is_found_under_either_id(crew: Crew) -> None:
    first, two = uuid4(), uuid4()
    await crew.officer.tell("officer", first)
    await crew.officer.tell("officer", two)
    await crew.officer.tell("same_incident", first, other_incident_id=str(two))
    assert await operations(crew, incident=str(first)) == await operations(crew, incident=str(two))


async def test_pages_follow_one_another_without_gap(crew: Crew) -> None:
    for _ in range(7):
        await crew.officer.tell("officer", uuid4())
    path, seen = "/v1/audit?limit=3&operation=collection", []
    signed_in = {"authorization": f"Bearer {crew.auditor.token}"}
    while path:
        answer = await crew.auditor.client.get(path, headers=signed_in)
        seen += [operation["n"] for operation in answer.json()["audit"]]
        path = answer.headers.get("link", "").split(">")[0].removeprefix("<")
    assert seen == [7, 6, 5, 4, 3, 2, 1]


async def test_a_file_holds_everything_asked_for(crew: Crew) -> None:
    for _ in range(3):
        await crew.officer.tell("officer", uuid4())
    table = await crew.auditor.get("/v1/audit", {"accept": "text/csv"}, operation="collection")
    rows = list(csv.DictReader(io.StringIO(table.text)))
    lines = await crew.auditor.get("/v1/audit", {"accept": "application/x-ndjson"}, operation="collection")
    told = [msgspec.json.decode(line) for line in lines.content.splitlines()]
    assert [row["n"] for row in rows] == [str(operation["n"]) for operation in told] == ["3", "2", "1"]
    assert table.headers["content-type"].startswith("text/csv")


async def test_no_text_of_the_audits_file_is_a_formula_a_date_or_a_number_to_a_spreadsheet(crew: Crew) -> None:
    """Names of recipients and reasons are typed by people."""
    formulas = ["=HYPERLINK(1)", "+44 20", "-1", "@SUM(A1)", "\tcmd"]
    async with as_owner(crew.owner_url, crew.team_id) as owner:
        for text in formulas:
            await audit.record_by_owner(owner, crew.team_id, "disclosure", text, recipient=text, detail=text)
    for query in ({"operation": "disclosure"}, {}):
        table = await crew.auditor.get("/v1/audit", {"accept": "text/csv"}, **query)
        rows = list(csv.DictReader(io.StringIO(table.text)))
        assert {text for row in rows for text in (row["recipient"], row["detail"])} >= {f"'{text}" for text in formulas}
        texts = {row[name] for row in rows for name in row.keys() - {"at", "n", "sealed"}} | rows[0].keys()
        assert [text for text in texts if taken_for_something_else(text)] == []


async def test_another_teams_audit_is_not_there(crew: Crew, other_crew: Crew) -> None:
    incident = uuid4()
    await crew.officer.tell("officer", incident)
    await crew.officer.incident(incident)
    for query in ({}, {"incident": str(incident)}, {"actor": str(crew.officer.staff_id)}):
        recorded = await operations(other_crew, **query)
        assert not [
            operation for operation in recorded if operation not in (("access", "sign_in"), ("alteration", "staff/add"))
        ]
    readers = await other_crew.auditor.see(f"/v1/audit/incidents/{incident}/readers")
    assert readers == {"readers": []}


async def test_the_report_names_readers_without_a_part_in_the_incident(crew: Crew) -> None:
    incident = uuid4()
    await crew.officer.tell("officer", incident)
    for phone in (crew.officer, crew.other_officer, crew.other_officer):
        await phone.incident(incident)
    report = await crew.auditor.see(f"/v1/audit/incidents/{incident}/readers")
    assert [(reader["actor"], reader["times"]) for reader in report["readers"]] == [
        (str(crew.other_officer.staff_id), 2)
    ]


async def test_a_training_outcome_or_a_word_after_the_reading_is_no_part_in_it(crew: Crew) -> None:
    incident = uuid4()
    await crew.officer.tell("officer", incident)
    await crew.other_officer.tell("outcome", incident, test=True)
    await crew.sergeant.incident(incident)
    await crew.sergeant.tell("outcome", incident)
    for phone in (crew.officer, crew.other_officer, crew.sergeant):
        await phone.incident(incident)
    report = await crew.auditor.see(f"/v1/audit/incidents/{incident}/readers")
    listed = {reader["actor"]: reader["times"] for reader in report["readers"]}
    assert listed == {str(crew.other_officer.staff_id): 1, str(crew.sergeant.staff_id): 1}


async def test_reading_the_audit_is_itself_recorded(crew: Crew) -> None:
    person = uuid4()
    await crew.auditor.see("/v1/audit", person=str(person))
    [row] = await crew.consultations()
    assert (row["actor"], row["query"], row["ids"]) == (crew.auditor.staff_id, "audit", [person])


async def test_what_cannot_be_recorded_fails(crew: Crew, service: RunningService) -> None:
    incident = uuid4()
    await crew.officer.tell("officer", incident)
    async with _broken_audit(service.url):
        answer = await crew.officer.get(f"/v1/incidents/{incident}")
        listed = await crew.officer.get("/v1/incidents")
        person = await crew.officer.post("/v1/people", {"police_ref": "EF/1"})
    assert [refused(refusal)[0] for refusal in (answer, listed, person)] == [500, 500, 500]
    assert await crew.fetch("SELECT person_id FROM person WHERE team_id = $1") == []


class _broken_audit:
    """The service may not add to the audit, for the time of the block."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def _execute(self, sql: str) -> None:
        owner = await asyncpg.connect(self.url)
        await owner.execute(sql)
        await owner.close()

    async def __aenter__(self) -> None:
        await self._execute("REVOKE INSERT ON audit FROM triage_service")

    async def __aexit__(self, *_: object) -> None:
        await self._execute("GRANT INSERT ON audit TO triage_service")


# --- the chain ---


async def sealed(crew: Crew, service: RunningService) -> None:
    """Everything of the team is sealed."""
    while await crew.fetch("SELECT 1 FROM audit WHERE team_id = $1 AND link IS NULL"):
        await audit.extend_chain(service.service.database)


async def test_any_number_of_processes_seal_one_chain(
    crew: Crew, service: RunningService, another: RunningService
) -> None:
    incident = uuid4()
    await crew.officer.tell("officer", incident)
    for _ in range(10):
        await asyncio.gather(*(phone.incident(incident) for phone in (crew.officer, crew.sergeant.on(another))))
        await asyncio.gather(
            *(audit.extend_chain(installed.service.database) for installed in (service, another, service, another))
        )
    await sealed(crew, service)
    positions = await crew.fetch("SELECT position FROM audit WHERE team_id = $1 ORDER BY position")
    assert [row["position"] for row in positions] == list(range(1, len(positions) + 1))
    assert await verdict(crew) is None


@pytest.mark.parametrize(
    ("tamper", "fault"),
    [
        (
            "UPDATE audit SET query = 'nothing' WHERE team_id = $1 AND position = 2",
            "audit row 2 was altered, or moved here",
        ),
        ("DELETE FROM audit WHERE team_id = $1 AND position = 2", "audit row 2 is missing"),
        ("DELETE FROM audit WHERE team_id = $1 AND position = 3", "audit row 3 is missing: the head is at 3"),
        (
            "UPDATE audit_head SET position = position + 1 WHERE team_id = $1",
            "audit row 4 is missing: the head is at 4",
        ),
    ],
)
async def test_what_was_done_to_the_audit_shows(crew: Crew, service: RunningService, tamper: str, fault: str) -> None:
    incident = uuid4()
    await crew.officer.tell("officer", incident)
    for _ in range(3):
        await crew.officer.incident(incident)
    await sealed(crew, service)
    rows = await crew.fetch("SELECT count(*) AS n FROM audit WHERE team_id = $1")
    await _tamper(crew, tamper.replace("position = 3", f"position = {rows[0]['n']}"))
    expected = fault.replace("3", str(rows[0]["n"])).replace("4", str(rows[0]["n"] + 1))
    assert await verdict(crew) == expected


async def _tamper(crew: Crew, sql: str) -> None:
    """As somebody who holds the whole database."""
    async with as_owner(crew.owner_url, crew.team_id) as owner:
        async with unguarded(owner):
            await owner.execute(sql, crew.team_id)


async def anchored(crew: Crew, service: RunningService, chain: ChainName) -> str | None:
    """The fault of a chain that is whole in itself, by what the journal tells."""
    told = Anchors(await service.service.journal.read())
    async with as_owner(crew.owner_url, crew.team_id) as owner:
        return (await check_anchors(owner, told, chain, ChainVerdict(crew.team_id, 0, "", None))).fault


CUTS: dict[ChainName, list[str]] = {
    "audit": [
        "DELETE FROM audit WHERE team_id = $1 AND position = 3",
        "UPDATE audit_head SET position = 2, link = (SELECT link FROM audit WHERE team_id = $1 AND position = 2) "
        "WHERE team_id = $1",
    ],
    "entries": [
        "DELETE FROM entry WHERE team_id = $1 AND seq = 2",
        "UPDATE log_head SET seq = 1, link = (SELECT link FROM entry WHERE team_id = $1 AND seq = 1) "
        "WHERE team_id = $1",
    ],
}


@pytest.mark.parametrize("chain", CUTS)
async def test_a_chain_cut_off_at_its_end_is_missed_by_the_journal(
    installation: InstalledService, chain: ChainName
) -> None:
    crew, service = installation.crew, installation.process
    incident = uuid4()
    await crew.officer.tell("officer", incident)
    for _ in range(3):
        await crew.officer.incident(incident)
    await crew.officer.tell("officer", incident)
    await sealed(crew, service)
    await anchor(service.service.database, service.service.journal, crew.team_id)
    assert await anchored(crew, service, chain) is None
    for sql in CUTS[chain]:
        await _tamper(crew, sql.replace("position = 3", "position > 2"))
    assert await verdict(crew) is None  # nothing in the database tells
    assert "is missing or another than the journal" in str(await anchored(crew, service, chain))


async def test_a_rewritten_log_is_not_the_published_one(crew: Crew, service: RunningService) -> None:
    await crew.officer.tell("officer", uuid4())
    await crew.fetch(
        "INSERT INTO summary_run (team_id, kind, period, form, first_day, starts_at, ends_at, due_at, state, ran_at) "
        "SELECT $1, 'daily', '2026-11-22', 'internal', d, d, d + 1, d + 1, 'published', now() "
        "FROM (SELECT date '2026-11-22') x (d)"
    )
    edition = (
        "INSERT INTO summary_edition (team_id, kind, period, form, edition, published_at, as_at, as_at_seq, "
        "chain_head, body) SELECT $1, 'daily', '2026-11-22', 'internal', $2, now(), now(), 1, $3, '{\"a\": 1}'"
    )
    [head] = await crew.fetch("SELECT link FROM log_head WHERE team_id = $1")
    await crew.fetch(edition, 1, head["link"])
    assert await anchored(crew, service, "entries") is None
    await crew.fetch(edition, 2, bytes(32))
    assert "daily 2026-11-22 internal edition 2" in str(await anchored(crew, service, "entries"))


async def test_an_audit_that_begins_late_is_one_that_lost_its_beginning(crew: Crew, service: RunningService) -> None:
    await crew.officer.incidents()
    await crew.officer.tell("officer", uuid4())
    await crew.officer.incidents()
    await sealed(crew, service)
    await _tamper(
        crew,
        "UPDATE audit_head SET from_position = 1, from_link = (SELECT link FROM audit a WHERE a.team_id = $1 "
        "AND a.position = 1) WHERE team_id = $1",
    )
    assert await verdict(crew) is None
    assert "begins after row 1, of which the journal does not know" in str(await anchored(crew, service, "audit"))


async def test_a_tail_that_nobody_seals_for_a_minute_is_a_fault(crew: Crew) -> None:
    async with as_owner(crew.owner_url, crew.team_id) as owner:
        await owner.execute(
            "INSERT INTO audit (team_id, at, operation, query) VALUES ($1, clock_timestamp() - interval '61 seconds', "
            "'consultation', 'incident')",
            crew.team_id,
        )
        fault = (await audit.verify(owner, crew.team_id, unseen)).fault
    assert fault is not None
    assert "wait to be sealed" in fault


async def test_not_even_the_owner_alters_a_row(crew: Crew) -> None:
    await crew.officer.tell("officer", uuid4())
    await crew.officer.incidents()
    for sql in ("UPDATE audit SET query = 'x' WHERE team_id = $1", "DELETE FROM audit WHERE team_id = $1"):
        with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="only ever added"):
            await crew.fetch(sql)


async def test_rows_lie_in_the_partition_of_their_month(crew: Crew) -> None:
    await crew.officer.tell("officer", uuid4())
    await crew.officer.incidents()
    rows = await crew.fetch("SELECT DISTINCT tableoid::regclass::text AS part FROM audit WHERE team_id = $1")
    assert [row["part"] for row in rows] == [f"audit_{now():%Y_%m}"]

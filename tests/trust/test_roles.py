"""Least privilege: what each role of the database, and each role of the application, cannot do."""

from collections.abc import Iterable
from uuid import uuid4

import asyncpg
import pytest
from support.cast import CAST, Json
from support.operations import OPERATIONS, Operation
from support.phones import Crew, RunningService, refused

from triage.store.access.staff import as_owner

ROLES = frozenset((*CAST, "partner")) - {"other_officer", "other_nurse"}
FIELD = frozenset(("officer", "nurse", "paramedic"))
LEADS = frozenset(("sergeant", "clinical_lead"))
CAREGIVERS = FIELD | LEADS
INTERNAL = LEADS | {"admin"}

MAY: dict[str, Iterable[str]] = {
    "PUT /v1/entries/{id}": CAREGIVERS,
    "POST /v1/sync": CAREGIVERS,
    "POST /v1/sync/held": CAREGIVERS,
    "GET /v1/incidents": CAREGIVERS,
    "GET /v1/incidents/{id}": CAREGIVERS,
    "GET /v1/incidents/{id}/entries": CAREGIVERS,
    "GET /v1/summaries": INTERNAL | {"partner"},
    "GET /v1/summaries/{kind}/{period}": INTERNAL | {"partner"},
    "GET /v1/exports": ["partner"],
    "GET /v1/exports/ledger": ["partner", "auditor"],
    "GET /v1/exports/{dataset}/{period}": ["partner"],
    "GET /v1/exports/{dataset}/{period}/files/{name}": ["partner"],
    "GET /v1/quarantine": LEADS,
    "POST /v1/quarantine/{id}/release": LEADS,
    "POST /v1/quarantine/{id}/discard": LEADS,
    "POST /v1/enrolments": INTERNAL | {"officer"},  # the officer a code of his own
    "DELETE /v1/devices/{id}": INTERNAL,
    "PUT /v1/devices/{id}": INTERNAL,
    "POST /v1/people": CAREGIVERS,
    "POST /v1/people/match": CAREGIVERS,
    "GET /v1/audit": ["auditor"],
    "GET /v1/audit/incidents/{id}/readers": ["auditor"],
}
"""Who may use an operation; nobody else may."""

EVERYBODY = {"GET /v1/me", "GET /v1/codes", "GET /v1/devices", "POST /v1/devices/{id}/token"}
"""What serves whoever is signed in with nothing but their own."""

OTHERWISE = {"GET /metrics", "POST /v1/devices/{id}/wiped"}
"""What takes tokens of its own: `tests/summaries/test_routes.py` and `tests/api/test_access.py`."""

UNTESTED: set[str] = set()
"""Operations without an authorisation test. It stays empty."""


def test_no_operation_is_without_an_authorisation_test() -> None:
    guarded = {operation.name for operation in OPERATIONS if not operation.is_open}
    assert guarded - set(MAY) - EVERYBODY - OTHERWISE == UNTESTED
    assert set(MAY) | EVERYBODY | OTHERWISE <= guarded


def refusals() -> list[tuple[Operation, str]]:
    return [
        (operation, role) for operation in OPERATIONS for role in sorted(ROLES - set(MAY.get(operation.name, ROLES)))
    ]


@pytest.mark.parametrize(
    ("operation", "role"), refusals(), ids=lambda value: value if isinstance(value, str) else value.name
)
async def test_a_role_is_refused_what_it_may_not_do(crew: Crew, operation: Operation, role: str) -> None:
    path = operation.path
    values = {"id": crew.admin.device_id if "devices" in path else uuid4(), "kind": "monthly", "period": "2026-10"}
    values |= {"dataset": "records", "name": "records.csv"}
    bodies: dict[str, Json] = {
        "/v1/enrolments": {"staff_id": str(crew.officer.staff_id)},
        "/v1/devices/{id}": {"name": "mine now"},
    }
    phone = getattr(crew, role)
    answer = await crew.officer.client.request(
        operation.method,
        path.format(**values),
        json=bodies.get(path, {}),
        headers={"authorization": f"Bearer {phone.token}"},
    )
    assert refused(answer) == (403, "forbidden")


# --- roles of the database ---

SERVICE = [
    "UPDATE entry SET body = ''",
    "UPDATE entry SET sealed = NULL",
    "DELETE FROM entry",
    "TRUNCATE entry",
    "DELETE FROM incident",
    "UPDATE token SET hash = ''",
    "DELETE FROM token",
    "UPDATE staff SET issuer = 'x', subject = 'x'",
    "SELECT * FROM audit",
    "UPDATE audit SET link = NULL",
    "DELETE FROM audit",
    "SELECT * FROM audit_2026_11",
    "SELECT * FROM audit_trail",
    "SELECT * FROM audit_head",
    "UPDATE audit_head SET position = 0",
    "SELECT add_audit_month(current_date)",
    "DELETE FROM person",
    "UPDATE person SET erased_at = now()",
    "DELETE FROM person_identifier",
    "UPDATE person_identifier SET digest = digest",
    "SELECT * FROM erasure",
    "INSERT INTO erasure VALUES (gen_random_uuid(), gen_random_uuid(), now(), 'me')",
    "SELECT * FROM legal_hold",
    "UPDATE retention SET applied = true",
    "SELECT * FROM retention_run",
    "SELECT * FROM incident_regime",
    "INSERT INTO incident_regime (team_id, incident_id, regime, reason, by) "
    "VALUES (gen_random_uuid(), gen_random_uuid(), 'general', 'x', 'me')",
    "UPDATE summary_edition SET body = ''",
    "DELETE FROM summary_edition",
    "DELETE FROM release",
    "DELETE FROM rendered_chunk",
    "UPDATE ledger SET link = ''",
    "UPDATE role SET verbs = '{}'",
    "UPDATE team SET name = 'x'",
    "UPDATE device SET team_id = gen_random_uuid()",
    "UPDATE token SET device_id = gen_random_uuid()",
    "CREATE TABLE mine (id int)",
    "ALTER TABLE entry DISABLE TRIGGER ALL",
    "SET LOCAL session_replication_role = replica",
]
AUDITOR = [
    "SELECT body FROM entry",
    "SELECT sealed FROM entry",
    "SELECT key_ref FROM entry",
    "SELECT * FROM person",
    "SELECT * FROM person_identifier",
    "SELECT * FROM quarantine",
    "SELECT log_ref FROM incident",
    "SELECT * FROM token",
    "INSERT INTO audit (team_id, operation, query) VALUES (gen_random_uuid(), 'access', 'x')",
    "UPDATE audit SET link = NULL",
    "DELETE FROM audit",
]
SEALER = [
    "INSERT INTO audit (team_id, operation, query) VALUES (gen_random_uuid(), 'access', 'x')",
    "UPDATE audit SET query = 'x'",
    "DELETE FROM audit",
    "SELECT * FROM entry",
    "SELECT * FROM incident",
    "SELECT * FROM person",
    "SELECT * FROM token",
    "UPDATE audit_head SET from_position = 0",
]


@pytest.mark.parametrize(
    ("role", "sql"),
    [("triage_service", sql) for sql in SERVICE]
    + [("triage_auditor", sql) for sql in AUDITOR]
    + [("triage_sealer", sql) for sql in SEALER],
)
async def test_a_role_of_the_database_cannot(conn: asyncpg.Connection, role: str, sql: str) -> None:
    await conn.execute(f"SET LOCAL ROLE {role}")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await conn.execute(sql)


TABLES = ["entry", "incident", "staff", "device", "token", "person", "person_identifier", "quarantine", "log_head"]


@pytest.mark.parametrize("table", TABLES)
async def test_without_a_team_a_session_sees_nothing_and_with_one_only_its_own(
    service: RunningService, crew: Crew, other_crew: Crew, table: str
) -> None:
    for team in (crew, other_crew):
        incident = uuid4()
        await team.nurse.tell("nurse", incident)
        await team.nurse.put({"id": str(uuid4()), "kind": "nonsense"})
        await team.nurse.post("/v1/people", {"police_ref": "GH/9999"})
    count = f"SELECT count(*) FROM {table} WHERE team_id <> $1"
    async with service.service.database.no_team() as connection:
        assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0
    async with service.service.database.team(crew.team_id) as connection:
        assert await connection.fetchval(f"SELECT count(*) FROM {table}") > 0
        assert await connection.fetchval(count, crew.team_id) == 0


async def test_a_session_writes_for_its_own_team_only(service: RunningService, crew: Crew, other_crew: Crew) -> None:
    async with service.service.database.team(crew.team_id) as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            await connection.execute(
                "INSERT INTO person (team_id, person_id, sealed, key_ref) VALUES ($1, $2, '', $2)",
                other_crew.team_id,
                uuid4(),
            )


async def test_no_program_joins_an_nhs_number_with_a_police_reference(crew: Crew) -> None:
    assert (await crew.nurse.post("/v1/people", {"police_ref": "IJ/5555"})).status_code == 201
    async with as_owner(crew.owner_url, crew.team_id) as owner:
        person = await owner.fetchval("SELECT person_id FROM person WHERE team_id = $1", crew.team_id)
        with pytest.raises(asyncpg.UniqueViolationError, match="person_identifier_side"):
            await owner.execute(
                "INSERT INTO person_identifier VALUES ($1, sha256('x'), 'nhs_number', $2)", crew.team_id, person
            )

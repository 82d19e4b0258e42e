"""A team and its phones, as the tests of the running service use them.

Every test gets a team of its own in a shared database: what one team does, no other can see (`test_isolation` holds the
service to that), so that tests need no database each.
"""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import msgspec
from uuid_utils.compat import uuid7

from support.cast import CAST, Json
from support.logins import KEYS, SERVICE, as_login
from triage.access.actors import Actor, new_token
from triage.app import application
from triage.people.encryption import load_or_create_root
from triage.service import Service
from triage.settings import Settings
from triage.startup import open_service
from triage.store.access import devices, staff, teams
from triage.store.access.staff import NewStaff, as_owner

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

S136: Json = {
    "power": "s136",
    "confidence": 3,
    "source": "self",
    "tests": {"mental_disorder": True, "immediate_need": True, "necessary": True},
}


def now() -> datetime:
    return datetime.now(UTC)


def entry(kind: str, incident: UUID, /, **content: Any) -> Json:
    """An entry of this kind as a phone sends it, with what the kind cannot be without; captured a minute ago."""
    at = now() - MINUTE
    least: dict[str, Json] = {
        "intent": {"intent": S136},
        "outcome": {"disposal": "community_follow_up", "decided_at": at, "decided_by": "officer"},
        "detention": {"event": "arrived_site", "at": at, "power": "s136", "place_of_safety": "health_based"},
        "follow_up": {"event": "kept", "at": at},
        "amendment": {"reason": "wrong_code"},
        "withdrawal": {"reason": "entered_in_error"},
        "same_incident": {"reason": "same_log_and_person"},
        "not_same_incident": {"reason": "linked_in_error"},
        "person_link": {"reason": "identified_later"},
        "person_unlink": {"reason": "wrong_person"},
    }
    common = {"id": uuid7(), "kind": kind, "incident_id": incident, "captured_at": at, "codes_version": 1}
    body: Json = msgspec.to_builtins(common | least.get(kind, {}) | content)
    return body


def refused(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of an answer that must be a problem document."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    problem = answer.json()
    assert problem["status"] == answer.status_code
    return answer.status_code, problem["code"]


def fields(problem: Json) -> list[str]:
    """The fields that a problem names."""
    return [error["field"] for error in problem.get("errors", ())]


def notice_codes(receipt: Json) -> set[tuple[str, str]]:
    """The notices of a receipt: code and field."""
    return {(notice["code"], notice["field"]) for notice in receipt["notices"]}


def _named(headers: dict[str, str]) -> dict[str, str]:
    """Header fields given as keyword arguments."""
    return {name.replace("_", "-"): value for name, value in headers.items()}


@dataclass(slots=True, repr=False)  # asyncio prints what a fixture returns, and all of a service is much to print
class Phone:
    """One member of staff's phone. `holds` is what `follow` has told it, as a phone keeps it."""

    service: Service
    client: httpx.AsyncClient
    token: str
    staff_id: UUID
    device_id: UUID
    holds: dict[str, Json] = field(default_factory=dict)
    cursor: str | None = None

    @property
    def _signed_in(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"}

    @property
    def _json(self) -> dict[str, str]:
        return self._signed_in | {"content-type": "application/json"}

    async def put(self, body: Json, **headers: str) -> httpx.Response:
        """Send one entry; its id goes into the address."""
        return await self.put_raw(body["id"], msgspec.json.encode(body), **headers)

    async def put_raw(self, entry_id: object, body: bytes, **headers: str) -> httpx.Response:
        return await self.client.put(f"/v1/entries/{entry_id}", content=body, headers=self._json | _named(headers))

    async def store(self, body: Json, **headers: str) -> Json:
        """Send one entry that must be stored; the receipt."""
        answer = await self.put(body, **headers)
        assert answer.status_code == 201, answer.text
        receipt: Json = answer.json()
        return receipt

    async def tell(self, kind: str, incident: UUID, /, **content: Any) -> Json:
        """Write and store one entry; what was sent."""
        body = entry(kind, incident, **content)
        await self.store(body)
        return body

    async def sync_raw(self, content: bytes, **headers: str) -> httpx.Response:
        return await self.client.post("/v1/sync", content=content, headers=self._json | _named(headers))

    async def post_sync(self, *entries: Json, cursor: str | None = None, **request: Any) -> httpx.Response:
        body = {"cursor": cursor, "sent_at": now(), "entries": entries} | request
        return await self.sync_raw(msgspec.json.encode(body))

    async def sync(self, *entries: Json, cursor: str | None = None, **request: Any) -> Json:
        """One sync whose envelope must be sound; its answer."""
        answer = await self.post_sync(*entries, cursor=cursor, **request)
        assert answer.status_code == 200, answer.text
        told: Json = answer.json()
        return told

    async def follow(self) -> list[str]:
        """Pull until nothing more waits; the ids of the incidents that came."""
        came = []
        more = True
        while more:
            told = await self.sync(cursor=self.cursor)
            self.holds |= {incident["id"]: incident for incident in told["incidents"]}
            for gone in told["gone"]:
                self.holds.pop(gone, None)
            came += [incident["id"] for incident in told["incidents"]]
            self.cursor, more = told["cursor"], told["more"]
        return came

    async def get(self, path: str, headers: dict[str, str] | None = None, **query: Any) -> httpx.Response:
        return await self.client.get(path, params=query, headers=self._signed_in | (headers or {}))

    async def see(self, path: str, **query: Any) -> Json:
        """What is at this address, which must be there."""
        answer = await self.get(path, **query)
        assert answer.status_code == 200, answer.text
        seen: Json = answer.json()
        return seen

    async def incident(self, incident: UUID | str) -> Json:
        return await self.see(f"/v1/incidents/{incident}")

    async def entries(self, incident: UUID | str) -> list[Json]:
        listed: list[Json] = (await self.see(f"/v1/incidents/{incident}/entries"))["entries"]
        return listed

    async def incidents(self, **query: Any) -> list[Json]:
        listed: list[Json] = (await self.see("/v1/incidents", **query))["incidents"]
        return listed

    async def post(self, path: str, body: object = None) -> httpx.Response:
        sent = {} if body is None else {"content": msgspec.json.encode(body)}
        return await self.client.post(path, headers=self._signed_in | {"content-type": "application/json"}, **sent)  # type: ignore[arg-type]

    async def delete(self, path: str) -> httpx.Response:
        return await self.client.delete(path, headers=self._signed_in)

    async def actor(self) -> Actor:
        return await self.service.sign_in.authenticate(self.token)

    def on(self, running: "RunningService") -> "Phone":
        """The same phone, talking to another process."""
        return Phone(running.service, running.client, self.token, self.staff_id, self.device_id)


@dataclass(slots=True, repr=False)
class Crew:
    """A team with everybody in it, each on a phone; the partner has a token but no phone."""

    team_id: UUID
    owner_url: str
    officer: Phone
    other_officer: Phone
    nurse: Phone
    other_nurse: Phone
    paramedic: Phone
    sergeant: Phone
    clinical_lead: Phone
    auditor: Phone
    admin: Phone
    partner: Phone

    @property
    def field_and_leads(self) -> list[Phone]:
        """Everybody who reads incidents."""
        return [
            self.officer,
            self.other_officer,
            self.nurse,
            self.other_nurse,
            self.paramedic,
            self.sergeant,
            self.clinical_lead,
        ]

    async def fetch(self, sql: str, *args: Any) -> list[Any]:
        """Rows of this team as the owner of the database sees them; `$1` is the team."""
        async with as_owner(self.owner_url, self.team_id) as owner:
            return list(await owner.fetch(sql, self.team_id, *args))

    async def consultations(self) -> list[Any]:
        """The reads that were logged, oldest first."""
        return await self.fetch(
            "SELECT actor, role, device, query, ids FROM audit WHERE team_id = $1 AND operation = 'consultation' "
            "ORDER BY id"
        )


@dataclass(slots=True, repr=False)
class RunningService:
    """One process of the service: the application in this event loop, with its own memory, pool and writer."""

    url: str
    service: Service
    client: httpx.AsyncClient
    _owner: asyncpg.Connection

    async def enrol_crew(self) -> Crew:
        """A new team, in one transaction: nearly every test makes one."""
        team_id, partner_id = uuid7(), uuid7()
        phones = {name: Phone(self.service, self.client, new_token(), uuid7(), uuid7()) for name in CAST}
        partner = Phone(self.service, self.client, new_token(), partner_id, partner_id)
        async with self._owner.transaction():
            await self._owner.execute("SELECT set_config('triage.team', $1, true)", str(team_id))
            await teams.add_team(self._owner, team_id, "Test team", date(2026, 1, 1), now(), "Europe/London", 6)
            for name, phone in phones.items():
                role, profession = CAST[name]
                new = NewStaff(staff_id=phone.staff_id, name=name, role=role, profession=profession)
                await staff.add_staff(self._owner, team_id, new)
                await devices.add_device(self._owner, team_id, phone.device_id, phone.staff_id, "phone")
                await devices.add_token(self._owner, phone.token, team_id, device_id=phone.device_id)
            await staff.add_partner(self._owner, team_id, partner_id, "Partner", "health")
            await devices.add_token(self._owner, partner.token, team_id, partner_id=partner_id)
        return Crew(team_id, self.url, **phones, partner=partner)

    async def add_phone(
        self, owner: asyncpg.Connection, team_id: UUID, staff_id: UUID, installation: UUID | None = None
    ) -> Phone:
        device_id, token = uuid7(), new_token()
        await devices.add_device(owner, team_id, device_id, staff_id, "phone", installation)
        await devices.add_token(owner, token, team_id, device_id=device_id)
        return Phone(self.service, self.client, token, staff_id, device_id)


@contextlib.asynccontextmanager
async def running_service(
    url: str, data_dir: Path, address: str = "127.0.0.1", **changed: Any
) -> AsyncIterator[RunningService]:
    """The service, open on a migrated database that also holds its keys; the address is the owner's."""
    chosen: dict[str, Any] = {
        "database_url": as_login(url, SERVICE),
        "keys_database_url": as_login(url, KEYS),
        "enrol_attempts_per_hour": 100_000,
        "pool_size": 5,
        "queue_limit": 100_000,
    }
    settings = Settings(data_dir=data_dir, **(chosen | changed))
    load_or_create_root(settings.root_key_file)
    async with open_service(settings) as service:
        transport = httpx.ASGITransport(application(service), client=(address, 1))  # type: ignore[arg-type]
        owner = await asyncpg.connect(url)
        try:
            async with httpx.AsyncClient(transport=transport, base_url="http://triage.test") as client:
                yield RunningService(url, service, client, owner)
        finally:
            await owner.close()

"""The contents of the demo's database: a team, its people, its months, a partner, and a token for every role."""

import asyncio
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from uuid import UUID, uuid5

import asyncpg
from msgspec import Struct

from triage.access.actors import Actor, Level, new_token, side_of, token_hash
from triage.demo import CAST, Callers, DemoEntry, Person, StaffMember, generate
from triage.errors import OperatorError
from triage.exports import keys as disclosure
from triage.jobs.release import release_due
from triage.log.append_decision import IncomingEntry
from triage.log.canonical import canonical
from triage.log.entries import AnyEntry, PersonLink
from triage.problems import Problem
from triage.service import Service
from triage.store.access import devices, enrolment, staff, teams
from triage.store.access.staff import NewStaff
from triage.store.exports import agreements
from triage.store.exports.agreements import NewAgreement
from triage.store.summaries import calendars
from triage.times import operational_day

NAMESPACE = UUID("0193a000-0000-7000-8000-0000000000de")
TEAM = uuid5(NAMESPACE, "team")
PARTNER = uuid5(NAMESPACE, "partner")
SEED = 1
AT_ONCE = 100
REGISTERED_AT_ONCE = 6
COMPARED_FROM = 6
"""Months from which on the team changes its model of work half-way, so that there is something to compare."""
AGREED_FOR = timedelta(days=3650)
"""A demo directory may be kept for long."""

OFFICE_STAFF = (
    StaffMember("auditor", "Auditor One", "auditor", ""),
    StaffMember("admin", "Administrator One", "admin", ""),
)
MEMBER_OF_ROLE = {
    "officer": "officer_1",
    "nurse": "nurse_1",
    "paramedic": "paramedic_1",
    "sergeant": "sergeant",
    "clinical_lead": "clinical_lead",
    "auditor": "auditor",
    "admin": "admin",
}
"""Whose token stands for a role."""


class DemoIds(Struct, frozen=True):
    """The ids that a script needs."""

    team: UUID
    staff: dict[str, UUID]
    incidents: list[UUID]


class Demo(Struct, frozen=True):
    """The contents of `demo.json`."""

    url: str
    tokens: dict[str, str]
    ids: DemoIds


def staff_id(key: str) -> UUID:
    """The account of a member of the cast."""
    return uuid5(NAMESPACE, f"staff/{key}")


def device_id(key: str, n: int) -> UUID:
    """The n-th phone of a member of the cast."""
    return uuid5(NAMESPACE, f"device/{key}/{n}")


async def prepare(service: Service, tokens: dict[str, str], months: float, per_day: float) -> Demo:
    """Fill an empty database, or go on with the one there is; a start that was cut short is finished.

    `tokens` are those of an earlier start. Raises OperatorError where the database is of real teams.
    """
    now = datetime.now(UTC).replace(microsecond=0)
    if set(await teams.list_teams(service.database)) - {TEAM}:
        raise OperatorError("this database holds real teams: the demo needs one of its own, by --data-dir")
    async with staff.as_owner(service.owner_url, TEAM) as connection:
        made = await teams.team_made(connection, TEAM)
        ends_at = made or now
        starts = operational_day(ends_at) - timedelta(days=round(30 * months))
        await teams.add_team(connection, TEAM, "Luton street triage (demo)", starts, ends_at, "Europe/London", 6)
        starts = await connection.fetchval("SELECT starts_on FROM team WHERE team_id = $1", TEAM)
        for member in (*CAST.members, *OFFICE_STAFF):
            await add_member(connection, member)
        await staff.add_partner(connection, TEAM, PARTNER, "Health partner (demo)", "health")
        tokens = await _tokens(connection, tokens)
    changes_on = starts + timedelta(days=round(15 * months)) if months >= COMPARED_FROM else None
    sent = list(generate(CAST, starts, ends_at, per_day, SEED, changes_on))
    async with service.database.team(TEAM) as connection:
        stored = await connection.fetchval("SELECT seq FROM log_head WHERE team_id = $1", TEAM)
    if stored < len(sent):
        await _register_people(service, sent)
        await _send(service, sent)
    keys = disclosure.derive(service.root)
    await _agree(service, ends_at, keys)
    await release_due(service.database, keys, await calendars.teams(service.database), now)
    async with service.database.team(TEAM) as connection:
        rows = await connection.fetch(
            "SELECT id FROM incident WHERE team_id = $1 AND NOT blind AND root = id ORDER BY occurred_at", TEAM
        )
    roles = {role: staff_id(key) for role, key in MEMBER_OF_ROLE.items()}
    return Demo("", tokens, DemoIds(TEAM, roles, [row["id"] for row in rows]))


async def issue_codes(service: Service, roles: Iterable[str]) -> dict[str, str]:
    """A one-time code for somebody of each role: it opens the review pages, or enrols a phone."""
    database = service.database
    return {
        role: (await enrolment.issue_code_as_owner(database, TEAM, staff_id(MEMBER_OF_ROLE[role]))).code
        for role in roles
    }


async def _agree(service: Service, made: datetime, keys: disclosure.Keys) -> None:
    """The partner's agreement for both datasets, signed at the first start."""
    async with staff.as_owner(service.owner_url, TEAM) as connection:
        if not await agreements.agreements(connection, TEAM):
            new = NewAgreement(
                agreement_id=uuid5(NAMESPACE, "agreement"),
                partner_id=PARTNER,
                datasets=("records", "tables"),
                purpose="Demonstration",
                contact="information.governance@partner.example",
                expires_at=made + AGREED_FOR,
            )
            await agreements.sign(connection, TEAM, new, keys, made)


async def add_member(connection: asyncpg.Connection, member: StaffMember) -> None:
    new = NewStaff(
        staff_id=staff_id(member.key), name=member.name, role=member.role, profession=member.profession or None
    )
    await staff.add_staff(connection, TEAM, new)
    for n in range(2 if member.role == "paramedic" else 1):
        await devices.add_device(
            connection, TEAM, device_id(member.key, n), new.staff_id, f"{member.name}'s phone {n + 1}"
        )


async def _tokens(connection: asyncpg.Connection, tokens: dict[str, str]) -> dict[str, str]:
    """The tokens of an earlier start, or new ones."""
    if tokens:
        known = await connection.fetchval(
            "SELECT count(*) FROM token WHERE hash = ANY ($1::bytea[])",
            [token_hash(token) for token in tokens.values()],
        )
        if known == len(tokens):
            return tokens
    tokens = {role: new_token() for role in (*MEMBER_OF_ROLE, "partner")}
    for role, token in tokens.items():
        device = device_id(MEMBER_OF_ROLE[role], 0) if role in MEMBER_OF_ROLE else None
        await devices.add_token(connection, token, TEAM, device_id=device, partner_id=None if device else PARTNER)
    return tokens


async def _send(service: Service, sent: list[DemoEntry]) -> None:
    """Put the months into the log as if they had come in one by one; received is when the generator says."""
    members = {member.key: member for member in CAST.members}
    for chunk in _chunks(sent):
        items = [_item(entry, members[entry.author]) for entry in chunk]
        for appended in await service.log.append(TEAM, items):
            if isinstance(appended.result, Problem):
                raise RuntimeError(f"the demo's data was refused: {appended.result.code}")


async def _register_people(service: Service, sent: list[DemoEntry]) -> None:
    """The people whom entries link to, told of by whoever is on the side of their number."""
    linked = {entry.entry.person_id for entry in sent if isinstance(entry.entry, PersonLink)}
    by_key = {member.key: member for member in CAST.members}
    today = datetime.now(UTC).date()
    slots = asyncio.Semaphore(REGISTERED_AT_ONCE)

    async def register(person: Person) -> None:
        teller = by_key["nurse_1" if person.identity.nhs_number else "officer_1"]
        async with slots:
            await service.people.register(_actor(teller, 0), person.identity, today, person.id)

    await asyncio.gather(*map(register, Callers(SEED).find(linked)))


def _chunks(sent: list[DemoEntry]) -> Iterator[list[DemoEntry]]:
    rest = iter(sent)
    while chunk := list(islice(rest, AT_ONCE)):
        yield chunk


def _actor(member: StaffMember, device: int) -> Actor:
    level: Level = "lead" if member.role in ("sergeant", "clinical_lead") else "field"
    return Actor(
        team_id=TEAM,
        role=member.role,
        level=level,
        verbs=frozenset(),
        staff_id=staff_id(member.key),
        device_id=device_id(member.key, device),
        profession=member.profession,
        side=side_of(member.profession),
        stamp=1,
    )


def _item(sent: DemoEntry, member: StaffMember) -> IncomingEntry:
    actor = _actor(member, sent.device)
    entry: AnyEntry = sent.entry
    assert entry.id
    return IncomingEntry(
        id=entry.id,
        entry=entry,
        content=canonical(entry),
        actor=actor,
        skew_ms=sent.skew_ms,
        received_at=sent.sent_at,
    )

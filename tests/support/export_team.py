"""A team whose log holds a synthetic population, and a partner that pulls its exports over HTTP.

The population goes in by the way that phones' entries go, received when each record of it arrives.
"""

import csv
import io
from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from itertools import count, islice
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID, uuid5

import asyncpg
import httpx
import msgspec
from uuid_utils.compat import uuid7

from support.cast import CAST, Json, actor, incoming
from support.logins import unguarded
from support.phones import RunningService
from support.population import Arrival, population
from triage.access.actors import new_token
from triage.exports import keys as disclosure
from triage.exports.calendar import Dataset
from triage.exports.keys import Keys
from triage.exports.members import ReleaseMember
from triage.exports.selection import Body
from triage.jobs.release import ReleasedEdition, release_due
from triage.log import entries as e
from triage.log.append_decision import IncomingEntry, Receipt
from triage.progress import unseen
from triage.store.access import devices, staff, teams
from triage.store.access.staff import NewStaff, as_owner
from triage.store.exports import agreements
from triage.store.exports.agreements import NewAgreement
from triage.store.exports.release_proof import ReleaseVerdict, verify_releases
from triage.store.summaries import calendars

STARTS_ON = date(2025, 4, 1)
EXPIRES = datetime(2090, 1, 1, tzinfo=UTC)
END_OF_JULY = datetime(2025, 7, 30, tzinfo=UTC)
"""The first quarter of the synthetic year has been cut."""
QUARTER = datetime(2025, 7, 29, 5, tzinfo=UTC)
"""The cut-off of the first quarter: 28 days after 1 July, six in the morning local time."""
SECOND_QUARTER = datetime(2025, 10, 29, 6, tzinfo=UTC)
FIRST_QUARTER = ["tables/2025-04/1", "tables/2025-05/1", "tables/2025-06/1", "records/2025-Q1/1", "tables/2025-Q1/1"]


def named(released: Iterable[ReleasedEdition]) -> list[str]:
    return [f"{edition.dataset}/{edition.period}/{edition.edition}" for edition in released]


def entries_of(member: ReleaseMember) -> Iterator[e.AnyEntry]:
    """What the officer and the paramedic of an incident would have sent."""
    at = member.occurred_at

    def common(name: str) -> Json:
        made = uuid5(member.incident_id, name)
        return {"id": made, "incident_id": member.incident_id, "captured_at": at, "codes_version": 1}

    minutes = member.minutes_at_scene
    yield e.Officer(
        **common("officer"),
        occurred_at=at,
        arrived_at=at,
        left_at=None if minutes is None else at + timedelta(minutes=minutes),
        area=member.area,
        age_band=member.age_band,
        sex=member.sex,
        ethnicity=member.ethnicity,
        referral_source=member.referral_source,
        intent=e.IntentPart(power=member.power, confidence=3, source="self") if member.power else None,
    )
    if member.disposal:
        yield e.Outcome(**common("outcome"), disposal=member.disposal, decided_at=at + timedelta(minutes=5))
    if member.place_of_safety:
        place = member.place_of_safety
        yield e.Detention(
            **common("detention"),
            event="arrived_site",
            at=at + timedelta(minutes=9),
            power="s136",
            place_of_safety=None if place == "unknown" else place,
        )
    if member.conveyance:
        yield e.Paramedic(**common("paramedic"), conveyed=member.conveyance)
    if member.person_id:
        yield e.PersonLink(**common("person"), person_id=member.person_id, reason="identified_later")


def item(entry: e.AnyEntry, team_id: UUID, received_at: datetime) -> IncomingEntry:
    """An entry as the service takes it in, from the paramedic or an officer."""
    who = CAST["paramedic" if isinstance(entry, e.Paramedic) else "officer"]
    assert who.profession
    sender = actor(team_id, who.role, who.profession, uuid5(team_id, who.role), uuid5(team_id, f"{who.role}'s phone"))
    return incoming(entry, sender, received_at)


@dataclass(frozen=True, slots=True)
class ExportTeam:
    """A team of the running service whose exports are cut."""

    running: RunningService
    team_id: UUID

    @property
    def keys(self) -> Keys:
        return disclosure.derive(self.running.service.root)

    async def append(self, items: Sequence[IncomingEntry]) -> None:
        """Into the log, in this order."""
        for appended in await self.running.service.log.append(self.team_id, items):
            assert isinstance(appended.result, Receipt), appended.result

    async def register(self, people: Iterable[tuple[UUID, str]]) -> None:
        """People of these ids, each known by an identifier of this kind, as `POST /v1/people` leaves them."""
        known = [
            (self.team_id, person_id, kind, sha256(person_id.bytes + kind.encode()).digest())
            for person_id, kind in dict(people).items()
        ]
        async with as_owner(self.running.url, self.team_id) as owner:
            await owner.executemany(
                "INSERT INTO person (team_id, person_id, sealed, key_ref) VALUES ($1, $2, '', $2)"
                " ON CONFLICT DO NOTHING",
                [(team_id, person_id) for team_id, person_id, _, _ in known],
            )
            await owner.executemany(
                "INSERT INTO person_identifier (team_id, person_id, kind, digest) VALUES ($1, $2, $3, $4)"
                " ON CONFLICT DO NOTHING",
                known,
            )
            await owner.executemany(
                "INSERT INTO person_alias (team_id, alias, person_id) VALUES ($1, $2, $2) ON CONFLICT DO NOTHING",
                [(team_id, person_id) for team_id, person_id, _, _ in known],
            )

    async def report(self, arrivals: Sequence[Arrival]) -> None:
        """Every entry of these arrivals, received when they arrive, of people whom health knows by NHS number."""
        await self.register((a.member.person_id, "nhs_number") for a in arrivals if a.member.person_id)
        items = (item(entry, self.team_id, a.arrived_at) for a in arrivals for entry in entries_of(a.member))
        for n in count():
            if not (chunk := list(islice(items, 500))):
                break
            await self.append(chunk)
            if n == 0:  # no autovacuum here, and what was never analysed is read as if it were tiny
                await self.fetch("ANALYZE entry, incident, incident_person, log_head")

    async def release(self, now: datetime = END_OF_JULY) -> list[ReleasedEdition]:
        """What the waking job does."""
        database = self.running.service.database
        team = await calendars.team(database, self.team_id)
        return await release_due(database, self.keys, [team], now)

    async def partner(self, body: Body = "other", agree: bool = True, **agreement: Any) -> "Partner":
        """A new organisation with a token, and an agreement for both datasets if nothing else is said."""
        partner_id, token = uuid7(), new_token()
        async with as_owner(self.running.url, self.team_id) as owner:
            await staff.add_partner(owner, self.team_id, partner_id, "Partner", body)
            await devices.add_token(owner, token, self.team_id, partner_id=partner_id)
        partner = Partner(self, partner_id, token)
        if agree:
            await self.sign(partner_id, **agreement)
        return partner

    async def sign(self, partner_id: UUID, now: datetime | None = None, **agreement: Any) -> UUID:
        """Sign an agreement; its id."""
        least: Json = {
            "agreement_id": uuid7(),
            "partner_id": partner_id,
            "datasets": ("records", "tables"),
            "purpose": "Scrutiny of the use of Section 136",
            "contact": "governance@partner.example",
            "expires_at": EXPIRES,
        }
        new = NewAgreement(**(least | agreement))
        async with as_owner(self.running.url, self.team_id) as owner:
            await agreements.sign(owner, self.team_id, new, self.keys, now or datetime.now(UTC))
        return new.agreement_id

    async def fetch(self, sql: str, *args: Any) -> list[asyncpg.Record]:
        """Rows of this team as the owner of the database sees them; `$1` is the team."""
        async with as_owner(self.running.url, self.team_id) as owner:
            return list(await owner.fetch(sql, *([self.team_id, *args] if "$1" in sql else [])))

    async def forget(self, dataset: Dataset, period: str) -> None:
        """As if this had never been cut: what nobody can do to a service."""
        async with as_owner(self.running.url, self.team_id) as owner:
            async with unguarded(owner):
                for table in ("rendered_chunk", "rendered_file", "rendering", "release_row", "release"):
                    await owner.execute(
                        f"DELETE FROM {table} WHERE team_id = $1 AND release_id IN"
                        " (SELECT release_id FROM release WHERE team_id = $1 AND dataset = $2 AND period = $3)",
                        self.team_id,
                        dataset,
                        period,
                    )
                if dataset == "tables":
                    for rows in ("summary_edition WHERE form = 'protected'", "summary_run WHERE form = 'protected'"):
                        await owner.execute(
                            f"DELETE FROM {rows} AND team_id = $1 AND period = $2", self.team_id, period
                        )
                    await owner.execute(
                        "DELETE FROM release_looked WHERE team_id = $1 AND period = $2", self.team_id, period
                    )


async def add_export_team(running: RunningService, cadence: str = "quarterly") -> ExportTeam:
    """A team that starts with the synthetic year, whose record files are cut this often whatever the volume."""
    team_id = uuid7()
    async with as_owner(running.url, team_id) as owner:
        made = datetime(2025, 3, 31, tzinfo=UTC)
        await teams.add_team(owner, team_id, "Exporting team", STARTS_ON, made, "Europe/London", 6)
        for role, profession in (("officer", "police"), ("paramedic", "paramedic")):
            new = NewStaff(staff_id=uuid5(team_id, role), name=role, role=role, profession=profession)
            await staff.add_staff(owner, team_id, new)
            await devices.add_device(owner, team_id, uuid5(team_id, f"{role}'s phone"), new.staff_id, "phone")
        for year in (2025, 2026):
            await owner.execute(
                "INSERT INTO release_cadence (team_id, financial_year, cadence, decided_at) VALUES ($1, $2, $3, $4)",
                team_id,
                year,
                cadence,
                made,
            )
    return ExportTeam(running, team_id)


class SeededLog(NamedTuple):
    """A database, as a template to clone, in whose log the synthetic half-year is; nothing is cut yet."""

    template: str
    data_dir: Path
    team_id: UUID


HALF_A_YEAR = 5_000
"""Incidents a year of the seeded population; the first quarter is in the log, and one in three of the second."""


def write_root(path: Path) -> None:
    """A root secret that is always the same, so that what the keys decide in a release is too. For tests only."""
    key = b64encode(bytes(range(32))).decode()
    path.touch(mode=0o600)
    path.write_bytes(msgspec.json.encode({"format": "triage-root-1", "derivation": key, "wrapping": {"1": key}}))


def half_a_year() -> list[Arrival]:
    """The seeded population, in order of arrival."""
    quarter_ends, ends_at = datetime(2025, 7, 1, 5, tzinfo=UTC), datetime(2025, 10, 1, 5, tzinfo=UTC)
    return [
        entry
        for entry in population(HALF_A_YEAR)
        if entry.member.occurred_at < quarter_ends
        or (entry.member.occurred_at < ends_at and entry.member.incident_id.int % 3 == 0)
    ]


@dataclass(frozen=True, slots=True)
class Partner:
    """A partner organisation with its token."""

    team: ExportTeam
    partner_id: UUID
    token: str

    async def get(self, path: str, method: str = "GET", **headers: str) -> httpx.Response:
        """Whatever is at this address below `/v1/exports`."""
        signed_in = {"authorization": f"Bearer {self.token}"} | {k.replace("_", "-"): v for k, v in headers.items()}
        return await self.team.running.client.request(method, f"/v1/exports{path}", headers=signed_in)

    async def offers(self) -> list[Json]:
        answer = await self.get("")
        assert answer.status_code == 200, answer.text
        releases: list[Json] = answer.json()["releases"]
        return releases

    async def manifest(self, release: str) -> Json:
        """The manifest of `records/2025-Q1`."""
        answer = await self.get(f"/{release}")
        assert answer.status_code == 200, answer.text
        manifest: Json = answer.json()
        return manifest

    async def bytes(self, release: str, name: str | None = None, edition: int | None = None) -> bytes:
        name = name or f"{release.split('/')[0]}.csv"
        chosen = f"?edition={edition}" if edition else ""
        answer = await self.get(f"/{release}/files/{name}{chosen}")
        assert answer.status_code == 200, answer.text
        return answer.content

    async def rows(self, release: str, edition: int | None = None) -> list[dict[str, str]]:
        """The lines of a release's CSV file, as its reader has them."""
        text = (await self.bytes(release, edition=edition)).decode()
        return list(csv.DictReader(io.StringIO(text)))

    async def cells(self, period: str, edition: int | None = None) -> dict[tuple[str, str, str], int | None]:
        """The published numbers of a period; None is `c`."""
        return {
            (line["table"], "/".join(filter(None, (line["row"], line["row_2"]))), line["column"]): (
                None if line["count"] == "c" else int(line["count"])
            )
            for line in await self.rows(f"tables/{period}", edition)
        }


async def verdicts(team: ExportTeam) -> list[ReleaseVerdict]:
    async with as_owner(team.running.url, team.team_id) as owner:
        return await verify_releases(owner, team.team_id, unseen)

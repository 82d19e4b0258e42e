"""A team whose log a test writes: entries go in by the one way there is, received when the test says."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import msgspec

from support.cast import actor, incoming
from support.logins import KEYS, SERVICE, as_login
from triage.demo import CAST, DemoEntry, StaffMember
from triage.log.append_decision import IncomingEntry, Receipt
from triage.log.entries import AnyEntry
from triage.people.encryption import load_or_create_root
from triage.store.access import devices, staff, teams
from triage.store.database import Database, connect
from triage.store.keys import KeyStore
from triage.store.log.append import Log
from triage.store.summaries import calendars
from triage.store.summaries.calendars import CalendarTeam

SPACE = UUID("0193a000-0000-7000-8000-0000000000dd")
TEAM = uuid5(SPACE, "team")
STARTS_ON = date(2026, 10, 20)
MEMBERS = {member.key: member for member in CAST.members}
_entry: msgspec.json.Decoder[AnyEntry] = msgspec.json.Decoder(AnyEntry)


@dataclass
class TeamLog:
    """The open database of one team, and what a test does to it."""

    database: Database
    url: str
    log: Log
    _number: int = 0

    async def team(self) -> CalendarTeam:
        return await calendars.team(self.database, TEAM)

    async def send(self, sent: Iterable[DemoEntry]) -> None:
        """Append synthetic entries in their order, received when they were sent."""
        items = [
            _item(sent_entry.entry, MEMBERS[sent_entry.author], sent_entry.sent_at, sent_entry.skew_ms)
            for sent_entry in sent
        ]
        for start in range(0, len(items), 100):
            await self._append(items[start : start + 100])

    async def tell(self, who: str, kind: str, incident: int, at: datetime, /, **content: Any) -> UUID:
        """Append one entry, captured and received at this instant; its id."""
        self._number += 1
        entry_id = uuid5(SPACE, f"entry {self._number}")
        written = {
            "kind": kind,
            "id": entry_id,
            "incident_id": incident_id(incident),
            "captured_at": at,
            "codes_version": 2,
            **content,
        }
        await self._append([_item(_entry.decode(msgspec.json.encode(written)), MEMBERS[who], at, 0)])
        return entry_id

    async def _append(self, items: list[IncomingEntry]) -> None:
        for appended in await self.log.append(TEAM, items):
            assert isinstance(appended.result, Receipt), appended.result


def incident_id(number: int) -> UUID:
    """The id of a test's n-th incident."""
    return uuid5(SPACE, f"incident {number}")


@asynccontextmanager
async def open_team_log(
    url: str, directory: Path, *, starts_on: date = STARTS_ON, zone: str = "Europe/London"
) -> AsyncIterator[TeamLog]:
    """A team in a fresh database, with the cast as its staff."""
    async with staff.as_owner(url, TEAM) as owner:
        made_at = datetime.fromisoformat(f"{starts_on}T00:00:00+00:00")
        await teams.add_team(owner, TEAM, "Test team", starts_on, made_at, zone, 6)
        for member in CAST.members:
            new = staff.NewStaff(
                staff_id=staff_id(member.key), name=member.name, role=member.role, profession=member.profession
            )
            await staff.add_staff(owner, TEAM, new)
            await devices.add_device(owner, TEAM, device_id(member.key), new.staff_id, "phone")
        await owner.execute("UPDATE device SET last_seen_at = $1", made_at)
    async with (
        connect(as_login(url, SERVICE), 6, 30.0) as database,
        connect(as_login(url, KEYS), 2, 30.0, role=None) as keys,
    ):
        key_store = KeyStore(keys, load_or_create_root(directory / "root.key"))
        log = Log(
            database, key_store, incident_limit=500, queue_limit=10_000, notices=lambda *_: (), terms=teams.TeamTerms()
        )
        yield TeamLog(database, url, log)
        await log.close()


def staff_id(key: str) -> UUID:
    return uuid5(SPACE, f"staff {key}")


def device_id(key: str) -> UUID:
    return uuid5(SPACE, f"device {key}")


def _item(entry: AnyEntry, member: StaffMember, received_at: datetime, skew_ms: int) -> IncomingEntry:
    sender = actor(TEAM, member.role, member.profession, staff_id(member.key), device_id(member.key))
    return incoming(entry, sender, received_at, skew_ms)

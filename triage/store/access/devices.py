"""Phones: listed, named, given new tokens, revoked; and their clocks."""

from datetime import UTC, datetime
from typing import Final, Literal, NamedTuple
from uuid import UUID

from msgspec import Struct

from triage.access.actors import Actor, Side, new_token, token_hash
from triage.problems import FORBIDDEN, NOT_FOUND, Refused
from triage.store import audit
from triage.store.database import Connection, Database
from triage.store.journal import Journal, device_revoked
from triage.store.journal_lines import TokenIssued
from triage.store.statements import statement

CLOCKS_REMEMBERED: Final = 10_000


class Device(Struct, frozen=True):
    """A phone. `clock_skew_ms` is its clock minus the service's, as last measured; `wiped_at` is its last word."""

    id: UUID
    name: str
    staff_id: UUID
    staff_name: str
    side: str | None
    created_at: datetime
    last_seen_at: datetime
    clock_skew_ms: int | None
    revoked_at: datetime | None
    wiped_at: datetime | None


class DevicePosition(NamedTuple):
    """Where a page of the list ends."""

    last_seen_at: datetime
    id: UUID


class Tokens(Struct, frozen=True):
    """New tokens of a device, shown once."""

    token: str
    send_token: str


class _Owner(NamedTuple):
    staff_id: UUID
    side: Side | None


_ADD = statement("devices.add")
_ADD_TOKEN = statement("devices.add_token")
_FIND = statement("devices.find", _Owner)
_LIST = statement("devices.list", Device)
_RENAME = statement("devices.rename")
_REVOKE = statement("devices.revoke", UUID)
_RECORD_WIPE = statement("devices.record_wipe")
_RECORD_SKEW = statement("devices.record_skew")


class PhoneClocks:
    """The clocks of phones, written down when they differ by a second from what was written last."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._written: dict[UUID, int] = {}

    async def record_skew(self, actor: Actor, skew_ms: int) -> None:
        """Write down a phone's clock minus the service's, as just measured."""
        if actor.device_id is None or abs(self._written.get(actor.device_id, 1 << 60) - skew_ms) < 1000:
            return
        if len(self._written) >= CLOCKS_REMEMBERED:
            self._written.clear()
        self._written[actor.device_id] = skew_ms
        async with self._database.team(actor.team_id) as connection:
            await _RECORD_SKEW.execute(connection, team_id=actor.team_id, device_id=actor.device_id, skew_ms=skew_ms)


async def add_device(
    connection: Connection,
    team_id: UUID,
    device_id: UUID,
    staff_id: UUID,
    name: str,
    installation: UUID | None = None,
) -> None:
    """A device of a member of staff; adding it again changes nothing."""
    await _ADD.execute(
        connection, team_id=team_id, device_id=device_id, staff_id=staff_id, name=name, installation=installation
    )


async def add_token(
    connection: Connection,
    token: str,
    team_id: UUID,
    *,
    device_id: UUID | None = None,
    partner_id: UUID | None = None,
    send_only: bool = False,
) -> None:
    """A further token of a device or partner."""
    await _ADD_TOKEN.execute(
        connection,
        token_hash=token_hash(token),
        team_id=team_id,
        device_id=device_id,
        partner_id=partner_id,
        send_only=send_only,
    )


async def add_tokens(connection: Connection, team_id: UUID, device_id: UUID) -> Tokens:
    """New tokens of a device: for everything, and to hand over only."""
    tokens = Tokens(new_token(), new_token())
    await add_token(connection, tokens.token, team_id, device_id=device_id)
    await add_token(connection, tokens.send_token, team_id, device_id=device_id, send_only=True)
    return tokens


async def renew_tokens(database: Database, actor: Actor, device_id: UUID, journal: Journal) -> Tokens:
    """New tokens for the device that asks; the old ones work until these are first used.

    Raises Refused (404) for another device.
    """
    if actor.device_id != device_id:
        raise Refused(NOT_FOUND)
    async with database.team(actor.team_id) as connection, connection.transaction():
        tokens = await add_tokens(connection, actor.team_id, device_id)
        await audit.record(connection, actor, "access", "device/token", [device_id])
        await journal.add(
            *(
                TokenIssued(
                    at=datetime.now(UTC),
                    team_id=actor.team_id,
                    hash=token_hash(token).hex(),
                    device_id=device_id,
                    send_only=token is tokens.send_token,
                )
                for token in (tokens.token, tokens.send_token)
            )
        )
    return tokens


async def list_devices(
    database: Database, actor: Actor, after: DevicePosition | None = None, most: int = 200
) -> tuple[list[Device], DevicePosition | None]:
    """A page of the devices that the actor may manage, or for others the actor's own, the latest seen first.

    With it comes where the next page begins. Logs the reading.
    """
    every = "devices.manage" in actor.verbs
    async with database.team(actor.team_id) as connection, connection.transaction():
        devices = await _LIST.fetch(
            connection,
            team_id=actor.team_id,
            staff_id=None if every else actor.account,
            side=actor.side if every else None,
            after_seen_at=after and after.last_seen_at,
            after_id=after and after.id,
            most=most + 1,
        )
        page = devices[:most]
        if page:
            await audit.record(connection, actor, "consultation", "devices", [device.id for device in page])
    return page, DevicePosition(page[-1].last_seen_at, page[-1].id) if len(devices) > most else None


async def rename_device(database: Database, actor: Actor, device_id: UUID, name: str) -> None:
    """Give a device another name. Raises Refused as `revoke_device` does."""
    async with database.team(actor.team_id) as connection, connection.transaction():
        await _require_manageable(connection, actor, device_id)
        await _RENAME.execute(connection, team_id=actor.team_id, device_id=device_id, name=name)
        await audit.record(connection, actor, "alteration", "device/name", [device_id])


async def _require_manageable(connection: Connection, actor: Actor, device_id: UUID) -> None:
    owner = await _FIND.fetch_first(connection, team_id=actor.team_id, device_id=device_id)
    if owner is None:
        raise Refused(NOT_FOUND)
    if owner.staff_id != actor.staff_id:
        actor.require("devices.manage")
        if actor.side and actor.side != owner.side:
            raise Refused(FORBIDDEN, "The device belongs to the other service.")


async def revoke_device(
    database: Database, actor: Actor, device_id: UUID, journal: Journal
) -> Literal["revoked", "already"]:
    """Revoke at once; the journal is told before it is committed here.

    Raises Refused: 404 outside the team, 403 for a device of the other side.
    """
    async with database.team(actor.team_id) as connection, connection.transaction():
        await _require_manageable(connection, actor, device_id)
        revoked = await _REVOKE.fetch_first(
            connection, team_id=actor.team_id, device_id=device_id, revoked_by=actor.account
        )
        if revoked:
            await audit.record(connection, actor, "alteration", "device/revoke", [device_id])
            await journal.add(device_revoked(actor.team_id, device_id))
    return "revoked" if revoked else "already"


async def record_wipe(database: Database, team_id: UUID, device_id: UUID, journal: Journal) -> None:
    """A phone says that it has wiped itself: it is revoked, if it was not, and the list shows it. Repeated: nothing."""
    async with database.team(team_id) as connection, connection.transaction():
        owner = await _FIND.fetch_first(connection, team_id=team_id, device_id=device_id)
        if owner is None:
            raise Refused(NOT_FOUND)
        if await _REVOKE.fetch_first(connection, team_id=team_id, device_id=device_id, revoked_by=owner.staff_id):
            await journal.add(device_revoked(team_id, device_id))
        if await _RECORD_WIPE.execute(connection, team_id=team_id, device_id=device_id) == "UPDATE 1":
            await audit.record_by_device(connection, team_id, owner.staff_id, device_id, "device/wiped")
